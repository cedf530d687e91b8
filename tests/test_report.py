"""The report of a run: what it says, that it stands alone, and that a hostile run folder cannot use it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganvas.cli import main
from ganvas.doctor.diagnosis import CAVEAT
from ganvas.errors import RunError
from ganvas.html import script_data
from ganvas.report import charts
from ganvas.report.charts import Chart, Line, figure
from ganvas.report.page import write_report
from ganvas.run import only_trainer, timeline
from ganvas.run.history import duration, outcome, players, read_rows, roll_backs

HOSTILE = "</script><script>alert(1)</script>\"'><img src=//evil.example onerror=alert(1)>"

CONFIG: dict[str, Any] = {
    "format": 1,
    "ganvas": "0.1.0",
    "recipe": "dcgan",
    "arguments": {"channels": 1, "size": [4, 4], "classes": 3, "conditional": True, "lr": 0.0002, "r1": 0.0},
    "settings": {"steps": 300, "epochs": None, "batch_size": 8},
    "data": {
        "source": "photos/",
        "name": "photos",
        "labels": ["cat", "dog", "owl"],
        "fingerprint": "ab" * 32,
        "space": {"kind": "images", "channels": 1, "height": 4, "width": 4},
        "counts": {"train": 80},
    },
    "plan": ["data: photos", "recipe: dcgan"],
    "hardware": {"device": "cpu, 2 threads", "torch": "2.14.1"},
    "created": "2026-11-22T03:00:00",
}


def measured(step: int, real: float = 0.7, fake: float = 0.6, gradient: float = 1.0, **more: Any) -> dict[str, Any]:
    return {
        "step": step,
        "items": 8 * step,
        "discriminator/real": 0.5,
        "discriminator/fake": 0.75,
        "discriminator/accuracy_real": real,
        "discriminator/accuracy_fake": fake,
        "discriminator/probability_real": 0.6,
        "discriminator/probability_fake": 0.4,
        "generator/adversarial": 0.875,
        "generator/gradient_norm": gradient,
        "items_per_second": 100.0,
        "seconds": 0.1 * step,
        **more,
    }


GAME = [measured(50 * i) for i in range(1, 21)]
END = {"step": 1000, "event": "finished", "seconds": 100.0}


def run_folder(folder: Path, rows: list[Any], config: Any = CONFIG, moments: int = 3, side: tuple[int, int] = (14, 39)):
    """A run with pictures of 8 rows of 3 columns."""
    (folder / "samples").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for moment in range(moments):
        Image.new("L", side, 40 * moment).save(timeline.picture_path(folder, 50 * moment))
    return folder


class Page(HTMLParser):
    """What a browser would find: tags with their attributes, scripts, and the text between."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.html = path.read_text()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[tuple[str, str]] = []
        self.words = ""
        self._script: str | None = None
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attributes}))
        if tag == "script":
            self._script = self.tags[-1][1].get("type", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self.scripts.append((self._script, data))
        else:
            self.words += data

    def policy(self) -> str:
        return next(at["content"] for tag, at in self.tags if at.get("http-equiv") == "Content-Security-Policy")


def assert_stands_alone(page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form", "audio", "video"), tag
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "srcset", "poster", "action", "data"):
                assert value.startswith("data:image/"), (tag, value[:60])
    style = re.findall(r"<style>(.*?)</style>", page.html, re.DOTALL)
    assert len(style) == 1 and "url(" not in style[0] and "@import" not in style[0]
    (script,) = [content for kind, content in page.scripts if kind == ""]
    assert script == files("ganvas.report").joinpath("assets", "report.js").read_text("utf-8")
    assert not re.search(r"fetch|XMLHttp|import|WebSocket|innerHTML|eval|sendBeacon", script)
    for content in (script, style[0]):
        assert base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() in page.policy()
    assert page.policy().startswith("default-src 'none';") and "unsafe" not in page.policy()


def test_a_run_is_told_on_one_page(tmp_path: Path) -> None:
    path = write_report(run_folder(tmp_path, [*GAME, END]))
    assert path == tmp_path / "report.html"
    page = Page(path)
    assert_stands_alone(page)
    for told in (
        "dcgan on photos",
        "Finished after 1,000 steps in 1 min 40 s.",
        "8,000",  # images seen
        "100",  # passes over 80 items
        "Too little data",
        "There are 80 training items.",
        "a thousand items or more",
        CAVEAT,
        "catdogowl",  # heads of the columns
        "discriminator 1.25",  # 0.5 + 0.75
        "cpu, 2 threads",
        "abababababababab",
        "recipe: dcgan",
        "step 1,000 finished",
    ):
        assert told in page.words, told
    alts = [attributes["alt"] for tag, attributes in page.tags if tag == "img"]
    assert alts[0] == "Generated samples at step 100" and all(alts)
    (frames,) = [json.loads(content) for kind, content in page.scripts if '"alt"' in content]
    assert [frame["step"] for frame in frames] == [0, 50, 100]


def test_what_comes_back_is_shown_where_there_is_a_picture_of_it(tmp_path: Path) -> None:
    run = run_folder(tmp_path, [*GAME, END])
    assert "What comes back" not in Page(write_report(run)).words
    path = run / "samples" / timeline.RECONSTRUCTIONS
    Image.new("L", (39, 39), 77).save(path)
    page = Page(write_report(run))
    assert_stands_alone(page)
    (source,) = [at["src"] for tag, at in page.tags if tag == "img" and "reconstructions" in at["alt"]]
    picture = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))
    assert picture.size == (39, 39) and picture.getpixel((3, 3)) == 77
    assert "What comes back" in page.words and "Images of the data" in page.words
    path.write_bytes(b"no picture")
    assert "What comes back" not in Page(write_report(run)).words


def test_labels_head_the_columns_only_where_columns_are_labels(tmp_path: Path) -> None:
    config = {**CONFIG, "arguments": {**CONFIG["arguments"], "conditional": False}}
    page = Page(write_report(run_folder(tmp_path, GAME, config)))
    assert "catdogowl" not in page.words


def test_labels_are_told_by_the_inputs_and_not_by_the_names_of_arguments(tmp_path: Path) -> None:
    told = {"name": "label", "kind": "class", "shape": [], "classes": 3, "names": ["cat", "dog", "owl"]}
    renamed = {key: value for key, value in CONFIG["arguments"].items() if key not in ("classes", "conditional")}
    cases = ([told], True), ([], False), ([{**told, "classes": -1}], False), ("nonsense", False)
    for place, (inputs, seen) in enumerate(cases):
        arguments = renamed if seen else CONFIG["arguments"]
        run = run_folder(tmp_path / str(place), GAME, {**CONFIG, "arguments": arguments, "inputs": inputs})
        assert ("catdogowl" in Page(write_report(run)).words) is seen


def test_everything_hostile_is_shown_and_nothing_of_it_runs(tmp_path: Path) -> None:
    config = {
        **dict.fromkeys(CONFIG, HOSTILE),
        "arguments": {**CONFIG["arguments"], HOSTILE: HOSTILE, "objective": HOSTILE, "list": [HOSTILE, {HOSTILE: 1}]},
        "settings": {HOSTILE: HOSTILE},
        "data": {**CONFIG["data"], "name": HOSTILE, "source": HOSTILE, "labels": [HOSTILE] * 3},
        "plan": [HOSTILE, [HOSTILE]],
        "hardware": {"device": HOSTILE, HOSTILE: "\ud800"},
    }
    rows = [{key.replace("discriminator", HOSTILE): value for key, value in row.items()} for row in GAME]
    rows = [{**row, f"generator/{HOSTILE}": 2.0, HOSTILE: 3.0} for row in rows]
    event = {"step": 500, "event": f"{HOSTILE}; back with 0.5"}
    run_folder(tmp_path, [*rows[:10], event, *rows[10:], {**END, "event": HOSTILE}], config)
    page = Page(write_report(tmp_path))
    assert_stands_alone(page)
    assert page.words.count("<script>alert(1)</script>") >= 10
    assert {kind for kind, _ in page.scripts} == {"", "application/json"}
    assert [tag for tag, _ in page.tags].count("img") == 2


@pytest.mark.parametrize("value", [None, 7, "text", [], {}, [[1]], {"space": {"kind": "images", "channels": 1e400}}])
def test_a_config_of_any_shape_makes_a_page(tmp_path: Path, value: Any) -> None:
    keys = ("recipe", "arguments", "settings", "data", "plan", "hardware", "created", "ganvas")
    for key in keys:
        assert_stands_alone(Page(write_report(run_folder(tmp_path / key, [*GAME, END], {**CONFIG, key: value}))))


def test_lists_within_lists_end_somewhere(tmp_path: Path) -> None:
    deep: Any = []
    for _ in range(30):
        deep = [deep]
    run_folder(tmp_path, GAME)
    (tmp_path / "config.json").write_text(json.dumps({"recipe": deep, "arguments": {"a": deep}, "plan": [deep]}))
    assert "…" in Page(write_report(tmp_path)).words
    for _ in range(900):
        deep = [deep]
    (tmp_path / "config.json").write_text(json.dumps({"recipe": deep}))
    with pytest.raises(RunError, match="lists and objects more than 40 deep"):
        write_report(tmp_path)


def test_what_stands_in_a_script_cannot_end_it() -> None:
    held = script_data([HOSTILE])
    assert "<" not in held and json.loads(held) == [HOSTILE]


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"config\.json cannot be read .* run folder\?"):
        write_report(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(RunError, match="is not JSON"):
        write_report(tmp_path)
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(RunError, match="is not JSON"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_run_that_has_hardly_begun_has_a_page(tmp_path: Path, count: int) -> None:
    many = {**CONFIG, "data": {**CONFIG["data"], "counts": {"train": 8000}}}
    page = Page(write_report(run_folder(tmp_path, GAME[:count], many, moments=count)))
    assert_stands_alone(page)
    assert f"{50 * count if count else 0} steps" in page.words
    assert ("Nothing has been measured yet" in page.words) == (count == 0)
    assert ("<circle" in page.html) == (count == 1)  # a single point is a dot


def test_rows_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert read_rows(path) == []
    lines = ['{"step": 100, "a/b": NaN, "c": 1e31, "d": 2}', '{"step": 50}', "[3]", '{"step": "4"}', "nonsense"]
    lines += ['{"step": -1}', '{"step": NaN}', '{"step": true}', "[" * 100_000, f'{{"step": {"9" * 5000}}}', '{"st']
    path.write_bytes("\n".join(lines).encode() + b"\xff")
    told = read_rows(path)
    assert [row["step"] for row in told] == [50, 100]
    assert told[1]["d"] == 2 and "c" not in told[1]


def test_values_that_are_not_finite_leave_gaps(tmp_path: Path) -> None:
    rows = [measured(50 * i, gradient=math.nan if i % 2 else 10.0**i) for i in range(1, 9)]
    rows[3]["generator/adversarial"] = math.inf
    page = Page(write_report(run_folder(tmp_path, rows)))
    assert_stands_alone(page)
    assert not re.search(r"\b(nan|inf)\b", page.html.lower().replace(page.scripts[-1][1].lower(), ""))


def test_damaged_and_foreign_pictures_are_left_out(tmp_path: Path) -> None:
    run_folder(tmp_path, GAME, moments=4)
    timeline.picture_path(tmp_path, 0).write_bytes(b"GIF89a<script>")
    Image.new("RGB", (700, 7)).save(timeline.picture_path(tmp_path, 50))
    page = Page(write_report(tmp_path))
    (frames,) = [json.loads(content) for kind, content in page.scripts if '"alt"' in content]
    assert [frame["step"] for frame in frames] == [100, 150]


@pytest.mark.parametrize("space", [{"height": 65535, "width": 1}, {"height": 1, "width": 65535}, {"height": 999}])
def test_pictures_of_another_space_make_no_strip(tmp_path: Path, space: dict[str, int]) -> None:
    space = {**CONFIG["data"]["space"], **space}
    page = Page(write_report(run_folder(tmp_path, GAME, {**CONFIG, "data": {**CONFIG["data"], "space": space}})))
    assert [tag for tag, _ in page.tags].count("img") == 1


def test_a_page_stays_small_however_large_the_pictures_are(tmp_path: Path) -> None:
    run_folder(tmp_path, GAME, moments=0)
    noise = np.random.default_rng(0).integers(0, 255, (900, 900, 3), dtype=np.uint8)
    for step in range(4):
        Image.fromarray(np.roll(noise, step, 1)).save(timeline.picture_path(tmp_path, step), compress_level=1)
    assert sum(path.stat().st_size for _, path in timeline.pictures(tmp_path)) > 8e6
    path = write_report(tmp_path)
    assert path.stat().st_size < 5e6
    assert Page(path).html.count("data:image/webp") == 4


# -- charts -----------------------------------------------------------------------------------------------------


def drawn(html: str) -> list[tuple[float, float]]:
    (points,) = re.findall(r'<polyline points="([^"]*)"', html)
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in points.split())]


def test_a_line_is_where_its_axes_say() -> None:
    html = figure(Chart("t", "", [Line("a", [(0, 0.0), (50, 0.5), (200, 1.0)], "c0")], "share", (0.5, "half")))
    (x0, y0), (x1, y1), (x2, y2) = drawn(html)
    assert (y0, y2) == (charts.HEIGHT - charts.BOTTOM, charts.TOP)
    assert x1 - x0 == pytest.approx((x2 - x0) / 4, abs=0.1)
    assert y1 == pytest.approx((y0 + y2) / 2, abs=0.1)
    (reference,) = re.findall(r'class="reference" x1="[\d.]+" x2="[\d.]+" y1="([\d.]+)"', html)
    assert float(reference) == y1
    ticks = dict(re.findall(r'y="([\d.]+)" dy="0.35em">([^<]*)<', html))
    assert ticks[f"{y1:.1f}"] == "50%" and ticks[f"{y2:.1f}"] == "100%"


def test_a_logarithmic_axis_gives_decades_equal_room() -> None:
    points = drawn(figure(Chart("t", "", [Line("a", [(0, 0.01), (1, 0.1), (2, 1.0)], "c0")], "log")))
    assert points[0][1] - points[1][1] == pytest.approx(points[1][1] - points[2][1], abs=0.11)
    flat = figure(Chart("t", "", [Line("a", [(0, 0.0), (1, 0.1)], "c0")], "log"))  # 0 has no logarithm
    assert len(drawn(flat)) == 2


def test_a_long_line_is_thinned_to_means_in_a_band() -> None:
    html = figure(Chart("t", "", [Line("a", [(x, float(x % 10)) for x in range(1, 2401)], "c0")]))
    held = json.loads(re.findall(r"<script[^>]*>(.*?)</script>", html)[0])["lines"][0]
    assert len(held) == 240 and {mean for _, mean, _, _ in held} == {4.5}
    assert held[0][0] == 10 and held[-1][0] == 2400
    assert "<polygon" in html


def test_one_spike_does_not_flatten_the_rest() -> None:
    values = [1 + 0.1 * (x % 5) for x in range(60)]
    values[30] = 500.0
    html = figure(Chart("t", "about.", [Line("a", list(enumerate(values)), "c0")]))
    assert "The highest, 500, is beyond the frame." in html
    ys = [y for _, y in drawn(html)]
    assert max(ys) - sorted(ys)[1] > 20  # the rest has room


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 150_000), (-3.2, 7), (0.1312, 0.1321), (1e-9, 9e9), (5, 5.001)])
def test_ticks_are_round(low: float, high: float) -> None:
    ticks = charts._ticks(low, high)
    assert 2 <= len(ticks) <= 9 and low - 1e-6 <= ticks[0] and ticks[-1] <= high + 1e-6
    step = ticks[1] - ticks[0]
    assert round(step / 10 ** math.floor(math.log10(step) + 1e-6), 6) in (1, 2, 5)


def test_no_points_no_chart() -> None:
    assert figure(Chart("t", "", [Line("a", [], "c0")])) == ""
    same = figure(Chart("t", "", [Line("a", [(5, 2.0), (5, 2.0)], "c0")]))
    assert "nan" not in same


# -- how it went ------------------------------------------------------------------------------------------------


def test_how_it_ended() -> None:
    assert outcome([]) == "Not finished: 0 steps so far."
    assert outcome(GAME) == "Not finished: 1,000 steps in 1 min 40 s so far."
    assert outcome([*GAME, END]) == "Finished after 1,000 steps in 1 min 40 s."
    assert outcome([*GAME, {"step": 1000, "event": "interrupted"}]).startswith("Interrupted after")
    killed = "Killed, or the machine went off, after 1,000 steps in 1 min 40 s: nothing was written at its end."
    assert outcome(GAME, over=True) == killed
    assert outcome([*GAME, END], over=True) == outcome([*GAME, END])
    back = {"step": 500, "event": "generator/adversarial was not finite near step 540; back with 0.5 of the step size"}
    healed = {"step": 500, "event": "mode collapse at step 900 (...): back at step 500 with r1 1"}
    assert "back to an earlier state 3 times; the last time: mode" in roll_backs([*GAME, back, back, healed])
    assert roll_backs(GAME) == ""
    assert [duration(s) for s in (0, 59.6, 252, 11_100)] == ["0 s", "1 min 0 s", "4 min 12 s", "3 h 5 min"]


def test_a_run_that_was_killed_is_told_from_one_that_trains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def told() -> list[str]:
        with pytest.raises(SystemExit):
            main(["doctor", str(run)])
        return [write_report(run).read_text(), capsys.readouterr().out]

    run = run_folder(tmp_path / "run", GAME)
    assert all("Killed" not in each for each in told())  # a copy without its lock: nobody knows
    with only_trainer(run):
        assert all("Killed" not in each for each in told())
    for each in told():
        assert (
            "Killed, or the machine went off, after 1,000 steps in 1 min 40 s: nothing was written at its end" in each
        )


def test_the_players_are_read_from_the_rows() -> None:
    rows = [{"step": 1, "learning_rate/generator": 1, "generator/adversarial": 1, "critic/accuracy_real": 0.5,
             "critic/real": 1, "critic/penalty": 2, "critic/gradient_norm": 3, "epoch": 0}]  # fmt: skip
    assert players(rows) == {"critic": ["real", "penalty"], "generator": ["adversarial"]}
    assert list(players(rows)) == ["critic", "generator"]  # who judges comes first
