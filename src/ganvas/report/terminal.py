"""What a person sees while a GAN trains: one live panel on a terminal, with samples where it has the colours for
them; the same as HTML in a notebook; a plain line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ganvas.doctor import Finding, diagnose, in_words
from ganvas.html import render
from ganvas.recipe import Results
from ganvas.report.half_blocks import LINES, can_show, row_of
from ganvas.report.notebook import output
from ganvas.report.numbers import last_numbers
from ganvas.report.pictures import Picture, last_lines, last_picture
from ganvas.run import OUTCOMES, measurements, timeline
from ganvas.training import Game, Verdict, Watcher, first_numbers, fraction_here

REFRESH = 0.25
"""Seconds between two looks of the panel."""

PLAIN_EVERY = 10.0
"""Seconds between two plain lines."""

PAGE_EVERY = 1.0
"""Seconds between two looks of a notebook's output."""

_MOODS = {"good": "green", "note": "yellow", "bad": "red"}


class Display(Watcher):
    """Progress on stderr, or in the output of a notebook's cell, made from numbers that the loop has read from the
    device anyway.

    quiet: show nothing. console: where to write instead. config: the run's, for a better reading of the numbers. run:
    its folder, whose last picture is shown.
    """

    def __init__(
        self,
        quiet: bool = False,
        console: Console | None = None,
        config: Mapping[str, Any] | None = None,
        run: Path | None = None,
    ) -> None:
        super().__init__()
        self.quiet, self.config, self.run = quiet, config, run
        self.console = console or Console(stderr=True)
        terminal = self.console.file.isatty() and os.environ.get("TERM") != "dumb"
        self._output = output() if console is None and not quiet else None
        self.plain = not terminal and self._output is None
        self._live: Live | None = None
        self._rows: deque[dict[str, Any]] = deque(maxlen=200)
        self._first: list[dict[str, Any]] = []  # a row of before the first measurement
        self._main: Finding | None = None
        self._event = ""
        self._samples: Text | None = None
        self._picture: Picture | None = None
        self._speed: float | None = None
        self._start = self._mark = (0, 0.0)  # step and seconds: of this session, of the last measurement
        self._started_at = 0.0  # fraction
        self._next = 0.0

    def started(self, training: Game) -> None:
        self.quiet = self.quiet or not training.processes.first
        if self.quiet:
            return
        self._start = self._mark = (training.steps_done, training.elapsed())
        self._started_at = fraction_here(training)
        self._next = time.monotonic() + (PLAIN_EVERY if self.plain else 0)

    def stepped(self, training: Game, results: Mapping[str, Results]) -> Verdict:
        now = time.monotonic()
        if not self.quiet and (row := first_numbers(training)):
            self._next = now if training.steps_done == 1 else self._next
            self._first = [row]
        if not self.quiet and now >= self._next:
            self._next = now + self._every()
            self._show(training)
        return Verdict.CONTINUE

    def measured(self, training: Game, row: Mapping[str, Any]) -> None:
        if self.quiet:
            return
        here = (training.steps_done, training.elapsed())
        if "event" in row:
            self._event = str(row["event"])
            kept = [each for each in self._rows if each["step"] <= training.steps_done]
            self._rows = deque([*kept, dict(row)], maxlen=self._rows.maxlen)
            if self.plain:
                self._print(f"step {training.steps_done:,}: {self._event}")
        else:
            self._rows.append(dict(row))
            self._main = in_words(diagnose(self._rows, self.config))[0]
            self._look(training)
            self._speed = _speed(self._mark, here, training.batch_size)
        self._mark = here

    def finished(self, training: Game) -> None:
        if self.quiet:
            return
        try:
            self._look(training)
            self._show(training)
        finally:
            if self._live is not None:
                self._live.stop()
                self._live = None
        if self._output is None:
            self._print(_ended(training))

    # -- looks --------------------------------------------------------------------------------------------------

    def _every(self) -> float:
        return PLAIN_EVERY if self.plain else REFRESH if self._output is None else PAGE_EVERY

    def _show(self, training: Game) -> None:
        if self._output is not None:
            self._output.show(self._page(training))
            return
        if self.plain:
            self._print(self._line(training))
            return
        if self._live is None:
            # No thread of its own: nothing to hurry the loop, nothing to outlive it. It starts with the first step,
            # so that a training which cannot begin leaves the terminal as it was.
            # What is printed meanwhile goes above the panel, but never from a pipe into the terminal.
            self._live = Live(console=self.console, auto_refresh=False, redirect_stdout=sys.stdout.isatty())
            self._live.start()
        self._live.update(self._panel(training), refresh=True)

    def _look(self, training: Game) -> None:
        """Remembers the first samples of the last picture, where these can be shown."""
        space = training.data.space
        if self.plain or self.run is None:
            return
        if self._output is not None:
            self._picture = last_picture(self.run, self.config or {})
            return
        if space.written:
            self._samples = Text("\n".join(last_lines(self.run, space)[:LINES]))
            return
        if space.tile is None or not can_show(self.console):
            return
        _, path = next(reversed(timeline.pictures(self.run)), (0, None))
        picture = None if path is None else timeline.read(path)
        cells = [] if picture is None else space.cells(picture, space.columns_of(picture))
        self._samples = row_of(cells, min(100, self.console.width)) if cells else None

    def _print(self, line: str) -> None:
        self.console.print(Text(line), soft_wrap=True)

    def _progress(self, training: Game) -> list[str]:
        """1,250 of 2,500 steps, 50%, 640 images/s, 2:05 elapsed, 2:05 left."""
        settings, fraction, seconds = training.settings, fraction_here(training), training.elapsed()
        steps = f"{training.steps_done:,}" + (f" of {settings.steps:,}" if settings.steps else "") + " steps"
        parts = [steps]
        if settings.epochs:
            parts.append(
                f"epoch {min(training.batches.epoch + 1, max(1, round(settings.epochs)))} of {settings.epochs:g}"
            )
        parts.append(f"{int(100 * fraction + 1e-9)}%")  # 100% is for the end
        speed = self._speed or _speed(self._start, (training.steps_done, seconds), training.batch_size)
        noun = training.data.space.noun
        parts.append(f"{speed:,.3g} {noun}/s" if speed < 100 else f"{speed:,.0f} {noun}/s")
        parts.append(f"{_clock(seconds)} elapsed")
        done = fraction - self._started_at
        if done > 0 and fraction < 1:
            parts.append(f"{_clock((seconds - self._start[1]) * (1 - fraction) / done)} left")
        return parts

    def _numbers(self) -> list[tuple[str, list[tuple[str, str]]]]:
        return last_numbers(measurements(self._rows) or self._first)

    def _line(self, training: Game) -> str:
        told = [f"{player}: " + ", ".join(f"{what} {value}" for what, value in v) for player, v in self._numbers()]
        told += [f"doctor: {self._main.sentence}"] if self._main else []
        return "; ".join([", ".join(self._progress(training)), *told])

    def _finding(self) -> Finding:
        return self._main or in_words(diagnose(self._rows, self.config))[0]

    def _page(self, training: Game) -> str:
        return render(
            "report/live.html.jinja",
            recipe=type(training.recipe).__name__,
            data=training.data.name,
            outcome="" if training.outcome == "running" else _ended(training),
            fraction=fraction_here(training),
            progress=self._progress(training),
            players=self._numbers(),
            picture=self._picture,
            doctor=self._finding().sentence,
            event=self._event,
        )

    def _panel(self, training: Game) -> Group:
        title = Text.assemble((type(training.recipe).__name__, "bold"), " on ", (training.data.name, "bold"))
        bar = Table.grid()  # a bar alone does not end its line
        bar.add_row(
            ProgressBar(
                total=1.0,
                completed=fraction_here(training),
                width=min(100, self.console.width),
                complete_style="cyan",
                finished_style="green",
            )
        )
        numbers = Table.grid(padding=(0, 2))
        for player, told in self._numbers():
            cells = (Text.assemble((f"{what} ", "dim"), value) for what, value in told)
            numbers.add_row(Text(player, style="bold"), *cells)
        main = self._finding()
        parts: list[Any] = [title, bar, Text(" · ".join(self._progress(training))), numbers]
        parts += [] if self._samples is None else [self._samples]
        parts.append(Text(main.sentence, style=_MOODS[main.mood]))
        if self._event:
            parts.append(Text(f"Last event: {self._event}", style="red"))
        return Group(*parts)


def _ended(training: Game) -> str:
    return f"{OUTCOMES.get(training.outcome, training.outcome)} after {training.steps_done:,} steps."


def _speed(since: tuple[int, float], now: tuple[int, float], batch_size: int) -> float:
    """Items a second between two (step, seconds)."""
    return max(0, now[0] - since[0]) * batch_size / max(now[1] - since[1], 1e-9)


def _clock(seconds: float) -> str:
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
