"""Pages: no HTML is written outside templates, these escape every value, and no run, photo or server can use one."""

from __future__ import annotations

import ast
import json
import math
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jinja2 import StrictUndefined, UndefinedError

import ganvas
from ganvas import html
from ganvas.html import asset, csp_hash, render
from ganvas.photos.before_after import TRANSLATED, Comparison, write_comparison
from ganvas.report import RunLine, write_report
from ganvas.text import plain
from ganvas.web.http.docs_page import docs_page
from test_report import CONFIG, END, GAME, run_folder

SOURCE = Path(ganvas.__file__).parent
TEMPLATES = sorted(SOURCE.rglob("templates/*"))
MODULES = sorted(SOURCE.rglob("*.py"))

TAG = re.compile(r"</?[a-z][a-z0-9]*[\s/>]|<!|&(#\d+|[a-z]+);", re.IGNORECASE)

TEXTS = {
    "a script": "</script><script>alert(1)</script><!--",
    "an attribute": "\"' onload=alert(1) x='",
    "a picture": "<img src=//evil.example onerror=alert(1)>",
    "an entity": "&lt;b&gt; &amp; &#60;",
    "a template": "{{ 7 * 7 }}{% raw %}@@SCRIPT@@",
    "many letters": "x" * 5000,
    "half a letter": "a \ud800 b",
}


# -- where HTML is written --------------------------------------------------------------------------------------


def strings(tree: ast.Module) -> list[ast.Constant]:
    """All strings of a module but those that stand alone: docstrings, and what is said of a constant below it."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return [node for node in constants if id(node) not in alone]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_string_of_a_module_is_html(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not [(node.lineno, node.value) for node in strings(tree) if TAG.search(node.value.replace("(?P<", "("))]
    if path.name != "html.py":
        assert "Markup(" not in path.read_text(encoding="utf-8")  # what is harmless is said in one place


def test_the_search_for_html_finds_it() -> None:
    lines = ['"""<p> of a docstring"""', 'a = f"<b class={a}>"', '"<p> of a"', 'b = "</td>"', 'c = "a < b, Q&A, x < y"']
    found = {node.lineno for node in strings(ast.parse("\n".join(lines))) if TAG.search(node.value)}
    assert found == {2, 4}


def test_templates_escape_always_and_miss_no_value() -> None:
    made = html._environment()
    assert made.autoescape is True and made.undefined is StrictUndefined
    assert len(TEMPLATES) >= 16
    for path in TEMPLATES:
        assert path.name.endswith(".html.jinja")
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe\b|autoescape|Markup", text), path
        assert not re.search(r"\son[a-z]+=|javascript:", text), path
        made.get_template(f"{path.parent.parent.relative_to(SOURCE).as_posix()}/{path.name}")
    with pytest.raises(UndefinedError, match="said"):
        render("web/studio/door.html.jinja", enter="/enter")


def test_a_script_is_known_by_its_hash() -> None:
    # openssl dgst -sha256 -binary | base64
    assert csp_hash("alert(1)") == "sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI="
    assert asset("report", "report.js") == (SOURCE / "report" / "assets" / "report.js").read_text("utf-8")


def test_a_start_loads_no_jinja() -> None:
    program = "import sys, ganvas, ganvas.cli, ganvas.html; print({'jinja2', 'torch'} & sys.modules.keys())"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told == "set()\n"


# -- hostile values on every page -------------------------------------------------------------------------------


class Tags(HTMLParser):
    """The tags of a page with the names of their attributes, its words, and what its JSON blocks hold."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.words, self.json = "", []
        self._in = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        kinds = [value for name, value in attributes if (tag, name) == ("script", "type")]
        self.tags.append((tag, *(name for name, _ in attributes), *kinds))
        self._in = (kinds[0] or "") if kinds else tag
        self.words += " ".join(value or "" for name, value in attributes if name in ("alt", "aria-label", "title"))

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "application/json":
            self.json.append(json.loads(data))
        elif self._in not in ("script", "style", "text/plain"):
            self.words += data


def config_of(text: Any) -> dict[str, Any]:
    """A configuration in which every text is this one."""
    return {
        **dict.fromkeys(("ganvas", "recipe", "created"), text),
        "arguments": {**CONFIG["arguments"], "objective": text, str(text): text, "list": [text, {str(text): text}]},
        "settings": {str(text): text},
        "data": {
            **CONFIG["data"],
            **dict.fromkeys(("name", "source", "fingerprint"), text),
            "labels": [text, text, text],
            "options": {str(text): text},
        },
        "plan": [text, [text]],
        "hardware": {"device": text, str(text): text},
    }


def rows_of(text: str) -> list[dict[str, Any]]:
    """Measurements of a player of this name, and events and scores that are called so too."""
    rows = [{key.replace("discriminator", text): value for key, value in row.items()} for row in GAME]
    term = text.replace("/", "")  # behind the last slash stands what is measured
    rows = [{**row, f"generator/{term}": 2.0, term: text, "seconds": 1.0} for row in rows]
    told = [{"step": 500, "event": f"{text}; back with 0.5"}, {"step": 500, f"score/{text}": 2.0}]
    return [*rows[:10], *told, *rows[10:], {**END, "event": text}]


def report(folder: Path, config: Any, rows: list[Any]) -> str:
    return write_report(run_folder(folder, rows, config)).read_text(encoding="utf-8")


def studio(folder: Path, config: Any, rows: list[Any]) -> str:
    pytest.importorskip("gradio", reason="the studio's extra is not installed")
    from ganvas.web.studio.compare_tab import comparison
    from ganvas.web.studio.run_list import Run
    from ganvas.web.studio.run_panel import panel
    from ganvas.web.studio.runs_tab import table

    run_folder(folder, rows, config)
    told = config if isinstance(config, dict) else {}
    name = plain(told.get("recipe"))
    run = Run(name, folder, "failed", told, json.loads(json.dumps(rows)), name)
    listed = table([RunLine(name, "", name, "", recipe=name, data=name, score=name, value=1.0, word=name)], name)
    return panel(run) + listed + comparison(run, Run("other", folder, "finished", {}, []))


def compared(folder: Path, config: Any, rows: list[Any]) -> str:
    from ganvas.comparing.comparison import Comparison
    from ganvas.comparing.reading import Read, differing, grouped, options_of

    run_folder(folder, rows, config)
    told = config if isinstance(config, dict) else {}
    told = [{**told, "arguments": {**(told.get("arguments") or {}), "latent": each}} for each in (1, 2)]
    runs = [Read(folder, each, json.loads(json.dumps(rows)), options_of(each), []) for each in told]
    differs = [(name, [plain(run.options[name]) for run in runs]) for name in differing(runs)]
    return Comparison(
        grouped(runs), [], [*differs, *((plain(name), ["-", "-"]) for name in runs[0].options)], []
    ).html()


def study(folder: Path, config: Any, rows: list[Any]) -> str:
    from types import SimpleNamespace

    from ganvas.comparing import Value, summed_up
    from ganvas.tuning.page import study_page
    from ganvas.tuning.space import Dimension
    from ganvas.tuning.study import Finalist, Trial

    text = plain(config["recipe"])
    dimensions = [Dimension("lr", (), 0.1, 1.0, log=True), Dimension("objective", (text, "other"))]
    trials = [
        Trial(number, {"lr": 0.5, "objective": text}, "finished", text, 1.0, (0.5, 1.5), 1.0, text, 2.0, ((1, 2.0),))
        for number in (0, 1)
    ]
    finalist = Finalist(trials[0], (0,), summed_up([Value(1.0)]), 1.0, text, None)
    score = dict.fromkeys(("metric", "extractor", "n", "split"), text)
    kept: Any = SimpleNamespace(
        trials=lambda: trials, importances=lambda: {text: 1.0}, dimensions=dimensions, note={"score": score}
    )
    return study_page(kept, text, text, [finalist])


def exported(folder: Path, config: Any, rows: list[Any]) -> str:
    text = config["recipe"]
    about = {"name": text, "recipe": text, "version": text, "labels": [text], "inputs": [{"name": text}], "step": 1}
    made = render("exporting/page.html.jinja", about=about, kind="sample", model="", runtime="")
    assert Tags(made).json == [about]
    return made


def before_after(folder: Path, config: Any, rows: list[Any]) -> str:
    picture = np.zeros((8, 8, 3), np.uint8)
    folder.mkdir()
    comparisons = [Comparison(str(config["recipe"]), (2, 2), (8, 8), picture, picture)]
    write_comparison(folder / "page.html", comparisons, str(config["recipe"]), TRANSLATED)
    return (folder / "page.html").read_text(encoding="utf-8")


def tried(folder: Path, config: Any, rows: list[Any]) -> str:
    text = config["recipe"]
    field = {"name": text, "title": text, "file": False, "choices": [text], "told": text}
    fields = [field, {**field, "choices": [], "told": "a word"}]
    told = {"called": text, "about": text, "fields": fields, "path": "v1/samples", "enlarges": True}
    return render("web/http/try.html.jinja", **told, usual=1, most_samples=2, script="", style="")


def documentation(folder: Path, config: Any, rows: list[Any]) -> str:
    text = config["recipe"]
    told = {"description": text, "responses": {text: {"description": text}}}
    document = {"info": dict.fromkeys(("title", "description", "version"), text), "paths": {text: {text: told}}}
    return docs_page({**document, "components": {"schemas": {text: {"properties": {text: text}}}}})


def notebook(folder: Path, config: Any, rows: list[Any]) -> str:
    run = run_folder(folder, rows, {**config, "format": 1, "plan": []} if isinstance(config, dict) else config)
    if isinstance(config, dict) and config.get("recipe") in TEXTS.values():  # more than a run's configuration may hold
        text = config["recipe"][:300]
        (run / "config.json").write_text(json.dumps({"format": 1, "recipe": text, "data": {"name": text}}))
    return ganvas.Run(run)._repr_html_()


PAGES = [report, notebook, studio, compared, study, exported, before_after, documentation, tried]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("page", PAGES)
def test_hostile_words_are_words_on_every_page(tmp_path: Path, page: Any, text: str) -> None:
    """With them a page has the same tags and attributes as with harmless ones, and shows them as they are."""
    harmless = page(tmp_path / "harmless", config_of("word"), rows_of("word"))
    hostile = page(tmp_path / "hostile", config_of(text), rows_of(text))
    assert Tags(hostile).tags == Tags(harmless).tags
    wanted = text[:299].encode("utf-8", "backslashreplace").decode()
    assert Tags(hostile).words.count(wanted) >= Tags(harmless).words.count("word") / 2 >= 1


def test_labels_of_many_letters_are_cut(tmp_path: Path) -> None:
    text = TEXTS["many letters"]
    for page in (report, studio):
        made = page(tmp_path / page.__name__, config_of(text), GAME)
        heads = re.findall(r'<span title="([^"]*)">([^<]*)</span>', made)
        assert heads == [("x" * 299 + "…",) * 2] * 3


@pytest.mark.parametrize(
    "value", [None, 7, True, math.nan, -math.inf, "text", [], {}, [[1]], [None, {}], {"space": {"kind": "images"}}]
)
@pytest.mark.parametrize("page", [report, notebook, studio])
def test_values_of_any_type_make_a_page(tmp_path: Path, page: Any, value: Any) -> None:
    known = {tag for tag, *_ in Tags(page(tmp_path / "usual", CONFIG, [*GAME, END])).tags}
    for key in CONFIG:
        made = page(tmp_path / key, {**CONFIG, key: value}, [*GAME, END])
        assert {tag for tag, *_ in Tags(made).tags} <= known
    for key in CONFIG["data"]:
        made = page(tmp_path / f"data-{key}", {**CONFIG, "data": {**CONFIG["data"], key: value}}, [*GAME, END])
        assert {tag for tag, *_ in Tags(made).tags} <= known
    page(tmp_path / "all", config_of(value), [*GAME, END])
    rows = [dict.fromkeys(row, value) | {"step": row["step"]} for row in GAME]
    made = page(tmp_path / "rows", CONFIG, [*rows, {"step": 1000, "event": value}])
    assert {tag for tag, *_ in Tags(made).tags} <= known
