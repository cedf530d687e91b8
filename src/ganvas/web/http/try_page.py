"""The page at `/`: a form for what the model makes, another one for photos to enlarge, and what comes back."""

from __future__ import annotations

from ganvas.html import asset, csp_hash, render
from ganvas.inputs import Input
from ganvas.model import Model


def try_page(model: Model, *, name: str, recipe: str, enlarges: bool, most_samples: int) -> tuple[str, str]:
    """HTML that asks for nothing but this server's routes, and its content security policy. A field for each input that
    people can give."""
    script = asset("web/http", "try.js")
    style = asset("exporting", "page.css") + asset("web/http", "try.css")
    files = any(each.file for each in model.given.values())
    page = render(
        "web/http/try.html.jinja",
        called=name,
        about=f"{recipe}, step {model.step:,}",
        fields=[_field(each, value) for each, value in model.inputs.items() if value.admits()],
        path="v1/transform" if files else "v1/samples",
        enlarges=enlarges,
        usual=min(16, most_samples),
        most_samples=most_samples,
        script=script,
        style=style,
    )
    policy = (
        f"default-src 'none'; script-src '{csp_hash(script)}'; style-src '{csp_hash(style)}'; connect-src 'self'; "
        "img-src data: blob:; media-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, policy


def _field(name: str, each: Input) -> dict[str, object]:
    title = name[0].upper() + name[1:].replace("_", " ")
    return {"name": name, "title": title, "file": each.file, "choices": each.choices, "told": each.admits()}
