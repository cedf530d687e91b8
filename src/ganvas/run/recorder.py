"""The record of a run: numbers, TensorBoard events, and pictures of what the generator makes.

    first.json        numbers of the first steps, until there are others
    metrics.jsonl     one JSON object a line: the averages of the last steps, or an `event`
    tensorboard/      the same numbers and pictures, for TensorBoard, where that is installed
    samples/          see `timeline.py`

A record says what happened to the weights that exist. So training that goes on from a checkpoint, or rolls back,
first forgets what was recorded of later steps.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ganvas.errors import TrainingError, installed
from ganvas.files import write_atomically
from ganvas.progress_bar import say
from ganvas.recipe import Results
from ganvas.run import timeline
from ganvas.run.folder import FIRST
from ganvas.run.history import OUTCOMES, read_rows
from ganvas.schema import record, whole
from ganvas.spaces import save_picture
from ganvas.text import shown
from ganvas.training import Game, Verdict, Watcher, first_numbers, fraction_here, seed_from

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


METRICS = "metrics.jsonl"
_LATENTS = 1_000_003
"""Seeds the latents of the pictures, together with the run's seed."""


class Recorder(Watcher):
    """Writes the record into the folder `run`. Of several processes only the first one does.

    sample_every: steps between two pictures; None spreads 24 over the planned length, denser at the start.
    A picture always shows the same latents, through the averaged weights, and costs training none of its randomness.
    Raises TrainingError where the disk refuses.
    """

    phase = "record"
    memory = record({}, {"picture": whole()})

    def __init__(self, run: Path, sample_every: int | None = None) -> None:
        super().__init__()
        self.run, self.sample_every = run, sample_every
        self._metrics = run / METRICS
        self._events: SummaryWriter | None = None
        self._reached = 0
        self._mark = (0, 0.0)  # items and seconds at the last row

    def started(self, training: Game) -> None:
        if not training.processes.first:
            return
        step = training.steps_done
        (self.run / FIRST).unlink(missing_ok=True)
        killed = step and _ends_without_a_word(self._metrics)
        cut_metrics(self._metrics, step)
        # A picture taken because training was interrupted here is not one that an uninterrupted training takes.
        self._forget_pictures(training, step if self.state.get("picture") == step else step - 1)
        self._open_events(step)
        self._reached = self._moments(training)
        if step == 0:
            self._draw(training)
        else:
            event = "resumed after a kill, or the machine went off" if killed else "resumed"
            self._append({"step": step, "event": event, "seconds": round(training.elapsed(), 3)})
        self._mark = (step * training.batch_size, training.elapsed())

    def stepped(self, training: Game, results: Mapping[str, Results]) -> Verdict:
        if training.processes.first:
            if row := first_numbers(training):
                self._tell_first(training, row)
            reached = self._moments(training)
            if reached > self._reached:
                self._draw(training)
            self._reached = reached
        return Verdict.CONTINUE

    def measured(self, training: Game, row: Mapping[str, Any]) -> None:
        if not training.processes.first:
            return
        seconds = training.elapsed()
        if "event" in row:  # training is back at an earlier step
            cut_metrics(self._metrics, training.steps_done)
            self._append({**row, "seconds": round(seconds, 3)})
            self._forget_pictures(training, training.steps_done)
            self._reached = self._moments(training)
            self._mark = (training.steps_done * training.batch_size, seconds)
            return
        items, since = self._mark
        rates = {f"learning_rate/{name}": o.param_groups[0]["lr"] for name, o in training.optimizers.items()}
        speed = (row["items"] - items) / max(seconds - since, 1e-9)
        full = {
            **row,
            "epoch": training.batches.epoch,
            "seconds": round(seconds, 3),
            "items_per_second": round(speed, 3),
            **rates,
        }
        self._append(full)
        (self.run / FIRST).unlink(missing_ok=True)
        self._mark = (row["items"], seconds)
        self._add_scalars(full)

    def add(self, training: Game, values: Mapping[str, float], seconds: float) -> None:
        """A row between two measurements: what another watcher found out at this step, in so many seconds, which do
        not count in the speed of training."""
        row = {"step": training.steps_done, "items": training.steps_done * training.batch_size, **values}
        self._append({**row, "seconds": round(training.elapsed(), 3)})
        self._add_scalars(row)
        items, since = self._mark
        self._mark = (items, since + seconds)

    def finished(self, training: Game) -> None:
        if not training.processes.first:
            return
        orderly = training.outcome in ("finished", "stopped early", "interrupted")
        try:
            if orderly and not timeline.picture_path(self.run, training.steps_done).exists():
                self._draw(training, scheduled=training.outcome != "interrupted")
            seconds = round(training.elapsed(), 3)
            self._append({"step": training.steps_done, "event": training.outcome, "seconds": seconds})
        except TrainingError:
            if orderly:  # otherwise the reason is on its way to the user already
                raise
        finally:
            if self._events is not None:
                with _disk(self.run / "tensorboard"):
                    self._events.close()
                self._events = None

    # -- numbers ------------------------------------------------------------------------------------------------

    def _add_scalars(self, row: Mapping[str, Any]) -> None:
        if self._events is not None:
            with _disk(self.run / "tensorboard"):
                for name, value in row.items():
                    if name not in ("step", "items"):
                        self._events.add_scalar(name, value, row["step"])

    def _tell_first(self, training: Game, row: Mapping[str, float]) -> None:
        """What there is to see before the first measurement, in place of what there was."""
        told = {**row, "seconds": round(training.elapsed(), 3)}
        with _disk(self.run / FIRST):
            write_atomically(self.run / FIRST, json.dumps(told) + "\n")

    def _append(self, row: Mapping[str, Any]) -> None:
        with _disk(self._metrics), self._metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def _open_events(self, step: int) -> None:
        if not installed("tensorboard"):
            return
        from torch.utils.tensorboard import SummaryWriter  # here, as only a training needs it

        folder = self.run / "tensorboard"
        try:
            str(folder).encode()
        except UnicodeEncodeError:
            say(f"note: no TensorBoard events, whose package takes no path like {shown(str(self.run))}", True)
            return
        # TensorBoard then hides what earlier files have of this step and later ones.
        purge = (step + 1 if step else 0) if folder.exists() else None
        with _disk(folder):
            self._events = SummaryWriter(str(folder), purge_step=purge, flush_secs=30)

    # -- pictures -----------------------------------------------------------------------------------------------

    def _moments(self, training: Game) -> int:
        """How many pictures are due by now, beside the one at step 0.

        A function of where training is and of nothing else, so that a resumed training draws at the same steps.
        """
        if self.sample_every:
            return training.steps_done // self.sample_every
        return int((timeline.MOMENTS - 1) * math.sqrt(fraction_here(training)))

    def _draw(self, training: Game, scheduled: bool = True) -> None:
        began = time.monotonic()
        recipe, space = training.recipe, training.data.space
        rows, columns = space.layout(recipe.classes)
        given = recipe.conditions(training.data, rows * columns)
        if recipe.classes:
            shown = torch.tensor(timeline.labels_shown(recipe.classes, columns), device=recipe.device)
            given["label"] = shown.repeat(rows)
        with training.averaged_weights():
            seed_from(training.settings.seed, _LATENTS)
            samples = recipe.generate(**recipe.draw(rows * columns, given))
        picture = space.show(samples, columns=columns)
        step = training.steps_done
        save_picture(picture, timeline.picture_path(self.run, step))
        for number, file in enumerate(space.played(samples), 1):
            write_atomically(timeline.played_path(self.run, step, number, space.suffix), file)
        self._draw_strip(training)
        self._draw_reconstructions(training)
        if self._events is not None:
            with _disk(self.run / "tensorboard"):
                pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
                pixels = pixels.reshape(picture.height, picture.width, -1)
                self._events.add_image("samples", pixels, training.steps_done, dataformats="HWC")
        if scheduled:
            self.state["picture"] = training.steps_done
        items, since = self._mark
        self._mark = (items, since + time.monotonic() - began)  # speed is of training, not of drawing

    def _draw_strip(self, training: Game) -> None:
        frames = [timeline.read(path) for _, path in timeline.spread(timeline.pictures(self.run))]
        columns = training.data.space.layout(training.recipe.classes)[1]
        strip = timeline.strip([frame for frame in frames if frame is not None], training.data.space, columns)
        if strip is not None:
            save_picture(strip, self.run / timeline.FOLDER / timeline.STRIP)

    def _draw_reconstructions(self, training: Game) -> None:
        """Held-out items in rows, below each row what is made of it; nothing where samples share one plot, in which no
        two could be compared."""
        recipe, space = training.recipe, training.data.space
        if recipe.encode is None or space.tile is None:
            return
        rows, columns = space.layout(0)
        items = training.data.for_show(max(1, rows // 2) * columns, recipe.device)
        with training.averaged_weights():
            seed_from(training.settings.seed, _LATENTS)
            made = recipe.reconstructed(items)
        both = [each.unflatten(0, (-1, columns)) for each in (items.value, made)]
        picture = space.show(torch.stack(both, dim=1).flatten(0, 2), columns=columns)
        save_picture(picture, self.run / timeline.FOLDER / timeline.RECONSTRUCTIONS)

    def _forget_pictures(self, training: Game, last: int) -> None:
        every = [*timeline.pictures(self.run), *timeline.played(self.run)]
        later = [path for step, path in every if step > last]
        for path in later:
            path.unlink(missing_ok=True)
        if later:
            (self.run / timeline.FOLDER / timeline.STRIP).unlink(missing_ok=True)
            self._draw_strip(training)
            self._draw_reconstructions(training)


def _ends_without_a_word(path: Path) -> bool:
    """Whether the training that wrote these rows had no time to say how it ended."""
    rows = read_rows(path)
    return bool(rows) and rows[-1].get("event") not in OUTCOMES


def cut_metrics(path: Path, step: int) -> None:
    """Leaves the rows up to this step; a line that was cut short by a crash goes too. Raises TrainingError."""
    if not path.exists():
        return
    with _disk(path):
        lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if line.endswith(b"\n") and _step(line) <= step]
    if kept != lines:
        write_atomically(path, b"".join(kept))


def _step(line: bytes) -> float:
    try:
        step = json.loads(line)["step"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return math.inf
    return step if isinstance(step, (int, float)) else math.inf


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TrainingError(f"cannot write {path}: {error.strerror or error}") from error
