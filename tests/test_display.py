"""What a person sees while training runs."""

from __future__ import annotations

import io
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from rich.console import Console

from ganvas.report import terminal
from ganvas.report.terminal import Display
from ganvas.spaces import ImageSpace, PointSpace, space_to_config
from ganvas.training.processes import Processes
from ganvas.training.watcher import Verdict

ROW = {
    "discriminator/real": 0.5,
    "discriminator/fake": 0.75,
    "discriminator/r1": 9.0,
    "discriminator/accuracy_real": 0.71,
    "discriminator/accuracy_fake": 0.66,
    "discriminator/probability_real": 0.58,
    "discriminator/probability_fake": 0.43,
    "generator/adversarial": 0.8125,
}


class Untouchable(dict[str, Any]):
    """Results of a step lie on the device: looking at them at every step would make the loop wait."""

    def __getitem__(self, key: str) -> Any:
        raise AssertionError("the display looked at a step's results")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class R3GAN:
    pass


class Game:
    """A training as the display sees it: 1,000 steps of 64 images, a hundredth of a second each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, watcher: Display, **settings: Any) -> None:
        self.settings = SimpleNamespace(**{"steps": 1000, "epochs": None, "minutes": None, **settings})
        self.processes = Processes()
        self.recipe, self.data = R3GAN(), SimpleNamespace(name="digits", space=ImageSpace(1, 28, 28))
        self.batches = SimpleNamespace(epoch=3)
        self.batch_size, self.steps_done, self.outcome, self.watcher = 64, 0, "running", watcher
        self.row: dict[str, float] = ROW
        self.so_far: dict[str, float] = {}
        self.meter = SimpleNamespace(so_far=lambda: self.so_far)
        monkeypatch.setattr(terminal.time, "monotonic", self.elapsed)

    def elapsed(self) -> float:
        return self.steps_done / 100

    def fraction(self) -> float:
        return self.steps_done / 1000

    def play(self, to: int) -> None:
        while self.steps_done < to:
            self.steps_done += 1
            assert self.watcher.stepped(self, Untouchable()) is Verdict.CONTINUE  # type: ignore[arg-type]
            if self.steps_done % 50 == 0:
                self.watcher.measured(self, {"step": self.steps_done, **self.row})  # type: ignore[arg-type]

    def whole(self, outcome: str = "finished") -> None:
        self.watcher.started(self)  # type: ignore[arg-type]
        self.play(1000)
        self.outcome = outcome
        self.watcher.finished(self)  # type: ignore[arg-type]


def test_a_log_file_gets_a_plain_line_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), width=60, force_terminal=True)  # as FORCE_COLOR does
    game = Game(monkeypatch, Display(console=console))
    monkeypatch.setattr(terminal, "PLAIN_EVERY", 2.0)
    game.whole()
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b" not in text and "\r" not in text
    lines = text.splitlines()
    assert [line.split(" of ")[0] for line in lines] == ["200", "400", "600", "800", "1,000", "1,000", *lines[6:]]
    # 64 images in 0.01 s; 0:02 of 0:10 are over; the loss is the game's, without the penalty: 0.5 + 0.75.
    assert lines[0] == (
        "200 of 1,000 steps, 20%, 6,400 images/s, 0:02 elapsed, 0:08 left; "
        "discriminator: loss 1.25, right on 71% of real, 66% of generated, probability of being real 58% for real, "
        "43% for generated; generator: loss 0.812; "
        "doctor: Too early: the discriminator is right on 71% of real and 66% of generated samples; "
        "the samples have not been looked at yet"
    )
    assert lines[6:] == ["Finished after 1,000 steps."]


def test_there_are_numbers_from_the_first_step_on(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), width=60)
    game = Game(monkeypatch, Display(console=console))
    monkeypatch.setattr(terminal, "PLAIN_EVERY", 0.06)
    game.watcher.started(game)  # type: ignore[arg-type]
    game.so_far = {**ROW, "generator/adversarial": 3.0}
    game.play(49)
    game.so_far = {}
    game.play(50)
    first, *lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert first.startswith("1 of 1,000 steps, 0%") and "generator: loss 3" in first and "doctor" not in first
    assert all("generator: loss 3" in line for line in lines[:-1])
    game.play(60)
    assert "generator: loss 0.812" in console.file.getvalue().splitlines()[-1]  # type: ignore[attr-defined]


def test_quiet_and_other_processes_print_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for quiet, rank in ((True, 0), (False, 1)):
        console = Console(file=Terminal(), force_terminal=True)
        game = Game(monkeypatch, Display(quiet, console))
        game.processes = Processes(rank, 2)
        game.whole()
        assert console.file.getvalue() == ""  # type: ignore[attr-defined]


@pytest.mark.parametrize("outcome", ["finished", "interrupted", "failed", "crashed"])
def test_a_terminal_is_left_clean_however_training_ends(monkeypatch: pytest.MonkeyPatch, outcome: str) -> None:
    monkeypatch.setenv("TERM", "xterm")
    console = Console(file=Terminal(), force_terminal=True, width=120)
    Game(monkeypatch, Display(console=console)).whole(outcome)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.count("\x1b[?25l") == 1 and text.count("\x1b[?25h") == 1  # the cursor hides once, and comes back
    assert text.index("\x1b[?25l") < text.index("\x1b[?25h")
    assert text.endswith(f"{terminal.OUTCOMES[outcome]} after 1,000 steps.\n")


def test_a_terminal_that_could_not_be_used_is_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another watcher may fail before the first step; nobody calls `finished` then."""
    console = Console(file=Terminal(), force_terminal=True)
    Display(console=console).started(Game(monkeypatch, Display(quiet=True)))  # type: ignore[arg-type]
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]


def test_the_panel_is_drawn_four_times_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    watcher = Display(console=Console(file=Terminal(), force_terminal=True, width=120))
    game = Game(monkeypatch, watcher)
    shown: list[float] = []
    monkeypatch.setattr(watcher, "_show", lambda training: shown.append(game.elapsed()))
    watcher.started(game)  # type: ignore[arg-type]
    game.play(1000)
    assert 35 <= len(shown) <= 41  # ten seconds
    assert min(b - a for a, b in pairwise(shown)) >= 0.25 - 1e-9


def test_the_panel_tells_the_numbers_and_what_they_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    console = Console(file=Terminal(), force_terminal=True, width=200, color_system=None)
    watcher = Display(console=console)
    game = Game(monkeypatch, watcher, epochs=10)
    watcher.started(game)  # type: ignore[arg-type]
    game.play(500)
    watcher.measured(game, {"step": 500, "event": "[bold]a loss was not finite"})  # type: ignore[arg-type]
    game.play(526)
    panel = console.file.getvalue().rpartition("R3GAN on digits")[2]  # type: ignore[attr-defined]
    for told in (
        "of 1,000 steps · epoch 4 of 10 · 52% · 6,400 images/s · 0:05 elapsed · 0:05 left",
        "right on 71% of real, 66% of generated",
        "probability of being real 58% for real, 43% for generated",
        "Nothing wrong is seen in the game: the discriminator is right on 71% of real and 66% of generated samples; "
        "nobody looked at the samples",
        "Last event: [bold]a loss was not finite",  # as it is, not as markup
    ):
        assert told in panel, told


def samples_of(run: Path, *grays: int) -> None:
    """A run's last picture: 8 x 8 samples of 28 x 28 pixels, those of the first row in these grays."""
    picture = Image.new("L", (8 * 29 - 1, 8 * 29 - 1), "white")
    for column, gray in enumerate(grays):
        picture.paste(gray, (29 * column, 0, 29 * column + 28, 28))
    (run / "samples").mkdir(exist_ok=True)
    picture.save(run / "samples" / "step-00000050.png")


def panel_of(monkeypatch: pytest.MonkeyPatch, run: Path | None, color_system: Any = "truecolor", **more: Any) -> str:
    monkeypatch.setenv("TERM", "xterm")
    console = Console(
        file=Terminal(), force_terminal=True, color_system=color_system, **{"width": 60, "height": 40, **more}
    )
    game = Game(monkeypatch, Display(console=console, run=run))
    game.watcher.started(game)  # type: ignore[arg-type]
    game.play(60)
    game.watcher.finished(game)  # type: ignore[arg-type]
    return console.file.getvalue().rpartition("R3GAN")[2]  # type: ignore[attr-defined, no-any-return]


def test_a_terminal_with_colours_shows_the_first_samples_of_the_last_picture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    samples_of(tmp_path, 10, 20, 30, 40)
    panel = panel_of(monkeypatch, tmp_path)
    # Three of 16 pixels, one apart, fit into 60 characters; two pixels of a sample are one above the other.
    for gray in (10, 20, 30):
        cell = f"\x1b[38;2;{gray};{gray};{gray};48;2;{gray};{gray};{gray}m▀"
        assert panel.count(cell) == 16 * 8
    assert panel.count("▀") == 3 * 16 * 8


@pytest.mark.parametrize(
    "changes", [{"color_system": None}, {"color_system": "standard"}, {"height": 23}, {"run": None}, {"space": 2}]
)
def test_where_samples_cannot_be_shown_the_panel_is_as_it_is_without(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    samples_of(tmp_path, 10)
    if changes.pop("space", None):  # points share one plot
        monkeypatch.setattr(ImageSpace, "tile", None)
    panel = panel_of(monkeypatch, **{"run": tmp_path, **changes})
    assert "▀" not in panel and "images/s" in panel


def test_time_left_counts_from_this_session(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO())
    watcher = Display(console=console)
    game = Game(monkeypatch, watcher)
    game.steps_done = 500
    watcher.started(game)  # type: ignore[arg-type]
    game.steps_done = 510
    monkeypatch.setattr(game, "elapsed", lambda: 25.0)  # the first 500 steps took 5 s, these ten took 20
    watcher.finished(game)  # type: ignore[arg-type]
    line = console.file.getvalue()  # type: ignore[attr-defined]
    assert "16:20 left" in line  # 490 steps at 2 s
    assert "32 images/s" in line  # 640 images in 20 s


def line_of(monkeypatch: pytest.MonkeyPatch, row: dict[str, float], **changes: Any) -> str:
    """What a log file is told after 50 steps with this row."""
    console = Console(file=io.StringIO())
    game = Game(monkeypatch, Display(console=console))
    game.row = row
    for name, value in changes.items():
        setattr(game, name, value)
    game.watcher.started(game)  # type: ignore[arg-type]
    game.play(50)
    game.watcher.finished(game)  # type: ignore[arg-type]
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_pairs_scores_and_several_judges_are_told_by_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {
        "d_a/pair": 0.5,
        "d_a/accuracy_pair": 0.61,
        "d_a/probability_pair": 0.83,
        "d_a/logit_pair": 2.0,
        "generator/adversarial": 0.8125,
        "critic/real": -3.0,
        "critic/fake": 1.0,
        "critic/logit_real": 3.0,
        "critic/logit_fake": 1.0,
        "d_b/real": 0.25,
        "d_b/accuracy_real": 0.9,
        "d_b/accuracy_fake": 0.8,
        "d_b/probability_real": 0.7,
        "d_b/probability_fake": 0.2,
        "value/d_b/accuracy_real": 0.1,
    }
    line = line_of(monkeypatch, row)
    assert (
        "; d_a: loss 0.5, scores the real one higher in 61% of pairs, mean sigmoid of its lead 83%; "
        "critic: loss -2; "
        "d_b: loss 0.25, right on 90% of real, 80% of generated, probability of being real 70% for real, "
        "20% for generated; "
        "generator: loss 0.812; doctor: "
    ) in line


def test_the_speed_is_in_what_the_data_consists_of(monkeypatch: pytest.MonkeyPatch) -> None:
    points = SimpleNamespace(name="ring", space=PointSpace(2))
    assert "6,400 points/s" in line_of(monkeypatch, ROW, data=points)
    assert "6,400 images/s" in line_of(monkeypatch, ROW)


def test_what_two_judges_have_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {f"d_{side}/{name}": value for side in "ab" for name, value in (("real", 1.0), ("logit_real", 5e4))}
    line = line_of(monkeypatch, row)
    assert line.count("Divergence") == 1 and "the d_a's logits have grown to 5e+04; the d_b's logits" in line


class Shell:
    """IPython in a notebook, as far as it is asked: what is displayed, and what takes its place."""

    kernel = object()

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.displayed: list[str] = []
        self.updated: list[str] = []
        module, display = ModuleType("IPython"), ModuleType("IPython.display")
        module.get_ipython = lambda: self  # type: ignore[attr-defined]
        module.display = display  # type: ignore[attr-defined]
        display.HTML = lambda page: page  # type: ignore[attr-defined]
        display.display = self.display  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "IPython", module)
        monkeypatch.setitem(sys.modules, "IPython.display", display)

    def display(self, page: str, display_id: bool) -> SimpleNamespace:
        assert display_id
        self.displayed.append(page)
        return SimpleNamespace(update=self.updated.append)


def test_a_notebook_gets_one_output_that_is_written_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(monkeypatch)
    samples_of(tmp_path, 10, 20)
    game = Game(monkeypatch, Display(run=tmp_path, config={"data": {"space": space_to_config(ImageSpace(1, 28, 28))}}))
    game.data.name = "<b>digits"
    game.whole()
    assert len(shell.displayed) == 1 and 8 <= len(shell.updated) <= 11  # ten seconds, and the end
    page = shell.updated[4]
    assert 'value="0.5' in page and "50% · 6,400 images/s" in page and "Finished" not in page
    assert "<td>loss 1.25</td><td>right on 71% of real, 66% of generated</td>" in page
    assert page.count("<img src=") == 1 and "image-rendering: pixelated" in page
    assert "&lt;b&gt;digits" in page and "<b>digits" not in page
    assert "Finished after 1,000 steps." in shell.updated[-1] and 'value="1.0000"' in shell.updated[-1]
    assert capsys.readouterr() == ("", "")  # no lines beside it


@pytest.mark.parametrize("where", ["a terminal", "a log", "a quiet notebook"])
def test_ipython_without_a_notebook_gets_no_html(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    shell = Shell(monkeypatch)
    if where == "a terminal":
        monkeypatch.setattr(Shell, "kernel", None)
    console = Console(file=io.StringIO()) if where == "a log" else None
    Game(monkeypatch, Display(where == "a quiet notebook", console)).whole()
    assert not shell.displayed
