"""Pages: the one jinja2 environment, which escapes every value, and what its templates are given beside their values.

What a page shows may come from anybody's run folder, so no text is put into HTML anywhere else. Templates and assets
(style sheets, scripts) lie beside the code of the room that shows them, and are named by it:
`report/page.html.jinja` is `ganvas/report/templates/page.html.jinja`. A template of one room may include another's.

In a template, beside what jinja2 has: `asset(room, name)`; the filters `plain` (any JSON value in words), `script_data`
and `csp_hash`. Only this module makes Markup, which is text that is not escaped again.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ganvas.text import plain

if TYPE_CHECKING:
    from jinja2 import Environment


def render(name: str, **values: Any) -> str:
    """The template with the values in their places, as text that can be written as UTF-8 whatever they hold.

    name: `room/file`, as in `web/studio/door.html.jinja`. Raises jinja2.UndefinedError where it names a value that is
    not there.
    """
    text = _environment().get_template(name).render(values)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")  # JSON and file names can hold halves of letters


def part(name: str, **values: Any) -> Markup:
    """The same for what becomes a value of another template, which does not escape it again."""
    return Markup(render(name, **values))


def asset(room: str, name: str) -> Markup:
    """A text file that lies in the room's `assets` and is part of a page as it stands."""
    return Markup(_beside(room, "assets").joinpath(name).read_text(encoding="utf-8"))


def script_data(value: Any) -> Markup:
    """JSON that can stand inside a <script> and not end it."""
    return Markup(json.dumps(value).replace("<", "\\u003c"))


def csp_hash(content: str) -> str:
    """What a content security policy calls a script or a style sheet by, so that no other one is run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined  # here: most commands make no page

    made = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FunctionLoader(_template),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"plain": plain, "script_data": script_data, "csp_hash": csp_hash}
    made.globals["asset"] = asset
    return made


def _template(name: str) -> str | None:
    room, _, file = name.rpartition("/")
    path = _beside(room, "templates").joinpath(file)
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _beside(room: str, kind: str) -> Any:
    return files("ganvas").joinpath(*room.split("/"), kind)
