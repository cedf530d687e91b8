"""The record of a run: what is written, that it survives crashes, and that making it changes nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from ganvas.data.opening import open_data
from ganvas.errors import TrainingError
from ganvas.inputs import Input, Normal, label
from ganvas.objectives import objective
from ganvas.recipe import Losses, Recipe, Results, Turn
from ganvas.run import FIRST, read_rows, timeline
from ganvas.run.recorder import Recorder, cut_metrics
from ganvas.settings import Settings
from ganvas.spaces import ImageSpace, PointSpace
from ganvas.training import checkpoint
from ganvas.training.checkpointing import Checkpoints
from ganvas.training.loop import Training
from ganvas.training.processes import Processes
from ganvas.training.watcher import FIRST_STEPS, Verdict, Watcher, fraction_here

STEPS = 100
# Twenty-four moments at (k / 23)^2 of the way; a picture at the first step that reaches one, in whole numbers.
SCHEDULE = sorted({min(s for s in range(STEPS + 1) if 529 * s >= k * k * STEPS) for k in range(24)})


class Tiny(Recipe):
    """A GAN of two linear layers for 4x4 pictures; with classes, the first pixel of a sample shows its label."""

    def __init__(self, classes: int = 0) -> None:
        super().__init__()
        self.classes = classes
        self.generator, self.discriminator = nn.Linear(3, 16), nn.Linear(16, 1)
        self.objective = objective("non-saturating")

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "discriminator": torch.optim.SGD(self.discriminator.parameters(), lr=0.25),
            "generator": torch.optim.SGD(self.generator.parameters(), lr=0.5),
        }

    def turns(self, progress: Any, batches: Any) -> Any:
        batch = next(batches)
        yield Turn("discriminator", partial(self.losses, "discriminator"), batch)
        yield Turn("generator", partial(self.losses, "generator"), batch)

    def losses(self, player: str, real: Any) -> Losses:
        fake_logits = self.discriminator(self.fake(real).flatten(1))
        if player == "generator":
            return Losses(self.objective.generator(fake_logits))
        real_logits = self.discriminator(real.image.flatten(1))
        return Losses(self.objective.discriminator(real_logits, fake_logits), real_logits, fake_logits)

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((3,)), **label(self.classes)}

    def generate(self, *, latent: Tensor, label: Tensor | None = None) -> Tensor:
        image = torch.tanh(self.generator(latent)).unflatten(1, (1, 4, 4))
        if label is not None:
            image = image.clone()
            image[:, 0, 0, 0] = label / 127.5 - 1  # level `label` of 255
        return image


class At(Watcher):
    """Does something behind one step."""

    def __init__(self, step: int, act: Any) -> None:
        super().__init__()
        self.step, self.act, self.done = step, act, False

    def stepped(self, training: Training, results: Mapping[str, Results]) -> Verdict:
        if training.steps_done == self.step and not self.done:
            self.done = True
            return self.act(training) or Verdict.CONTINUE
        return Verdict.CONTINUE


def crash(training: Training) -> None:
    raise KeyboardInterrupt


def ctrl_c(training: Training) -> None:
    training._asked_to_stop = True


def training(
    run: Path,
    *more: Watcher,
    every: int | None = None,
    steps: int = STEPS,
    classes: int = 0,
    recipe: type[Recipe] = Tiny,
    points: bool = False,
) -> Training:
    torch.manual_seed(1)
    pictures = np.random.default_rng(0).integers(0, 255, (80, 4, 4, 1), dtype=np.uint8)
    watchers = [Recorder(run, every), *more]
    saves = Checkpoints(run / "checkpoints", every=20, keep=9, about={"recipe": "tiny"})
    settings = Settings(steps=steps, batch_size=8, precision="float32")
    data = open_data(pictures.reshape(80, 16)[:, :2].astype(np.float32)) if points else open_data(pictures, size=(4, 4))
    return Training(recipe(classes), data, settings, [*watchers, saves])


def resumed(run: Path, *more: Watcher, **options: Any) -> Training:
    again = training(run, *more, **options)
    state = checkpoint.newest(run / "checkpoints")[0]
    assert state is not None
    again.load_state(state)
    return again


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def timeless(run: Path) -> list[dict[str, Any]]:
    """The measurements without what a clock gave."""
    return [
        {k: v for k, v in row.items() if k not in ("seconds", "items_per_second")}
        for row in rows(run)
        if "event" not in row
    ]


def pictures(run: Path) -> dict[int, bytes]:
    return {step: path.read_bytes() for step, path in timeline.pictures(run)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("whole")
    training(run).run()
    return run


def test_rows_have_the_numbers_of_the_loop_and_of_the_clock(tmp_path: Path) -> None:
    job = training(tmp_path, every=1000)
    job.elapsed = lambda: 0.5 * job.steps_done  # type: ignore[method-assign]
    job.run()
    *measured, last = rows(tmp_path)
    assert [row["step"] for row in measured] == [50, 100]
    per_epoch = job.data.counts["train"]
    for row in measured:
        assert row["items"] == 8 * row["step"]
        assert row["epoch"] == 8 * row["step"] // per_epoch
        assert row["seconds"] == row["step"] / 2
        assert row["items_per_second"] == 16  # 8 images in half a second
        assert (row["learning_rate/discriminator"], row["learning_rate/generator"]) == (0.25, 0.5)
        assert {"discriminator/real", "discriminator/accuracy_real", "generator/adversarial"} <= row.keys()
    assert last == {"step": 100, "event": "finished", "seconds": 50.0}


def test_the_first_steps_have_numbers_until_there_is_a_row(tmp_path: Path) -> None:
    class Looking(Watcher):
        phase = "save"
        seen: dict[int, Any] = {}

        def stepped(self, training: Any, results: Any) -> Verdict:
            path = tmp_path / "run" / FIRST
            self.seen[training.steps_done] = read_rows(path)
            return Verdict.CONTINUE

    training(tmp_path / "run", looking := Looking(), every=1000).run()
    steps = {step: [row["step"] for row in found] for step, found in looking.seen.items()}
    for step, found in steps.items():
        assert found == ([] if step >= 50 else [max(each for each in FIRST_STEPS if each <= step)])
    assert not (tmp_path / "run" / FIRST).exists()
    # They are the averages so far: those of a training that ends there.
    training(tmp_path / "short", every=1000, steps=10).run()
    (early,), whole = looking.seen[10], timeless(tmp_path / "short")[0]
    assert early["items"] == 80 and {key for key in whole if "/" in key} - {key for key in early if "/" in key} == {
        "learning_rate/discriminator",
        "learning_rate/generator",
    }
    for key in early.keys() & whole.keys():
        assert early[key] == pytest.approx(whole[key], rel=1e-6), key


def test_pictures_come_at_moments_spread_over_the_run(whole: Path) -> None:
    assert list(pictures(whole)) == SCHEDULE
    assert SCHEDULE[:4] == [0, 1, 2, 4] and SCHEDULE[-2:] == [92, 100]  # 100 k^2 / 529, rounded up


def test_pictures_come_every_so_many_steps_and_at_the_end(tmp_path: Path) -> None:
    training(tmp_path, every=30).run()
    assert list(pictures(tmp_path)) == [0, 30, 60, 90, 100]


def test_a_crash_and_a_resume_leave_the_record_of_one_training(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        training(tmp_path, At(70, crash)).run()
    assert rows(tmp_path)[-1]["event"] == "crashed" and max(pictures(tmp_path)) == 69
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 60, "imag')  # the power fails within a line
    resumed(tmp_path).run()
    assert timeless(tmp_path) == timeless(whole)
    assert [(r["step"], r["event"]) for r in rows(tmp_path) if "event" in r] == [(60, "resumed"), (100, "finished")]
    assert pictures(tmp_path) == pictures(whole)
    assert (tmp_path / "samples" / "strip.png").read_bytes() == (whole / "samples" / "strip.png").read_bytes()


def test_a_training_that_goes_on_after_a_kill_says_that_it_was_one(whole: Path, tmp_path: Path) -> None:
    training(tmp_path, At(70, ctrl_c)).run()
    *kept, last = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(last)["event"] == "interrupted"
    (tmp_path / "metrics.jsonl").write_text(
        "\n".join([*kept, '{"step": 70, "sec'])
    )  # as if it had had no time to say so
    resumed(tmp_path).run()
    events = [(row["step"], row["event"]) for row in rows(tmp_path) if "event" in row]
    assert events == [(70, "resumed after a kill, or the machine went off"), (100, "finished")]
    assert timeless(tmp_path) == timeless(whole)


def test_an_interruption_shows_where_it_stopped_until_training_goes_on(whole: Path, tmp_path: Path) -> None:
    training(tmp_path, At(40, ctrl_c)).run()
    assert 40 not in SCHEDULE and max(pictures(tmp_path)) == 40
    assert rows(tmp_path)[-1]["event"] == "interrupted"
    resumed(tmp_path).run()
    assert pictures(tmp_path) == pictures(whole)
    assert timeless(tmp_path) == timeless(whole)


@pytest.mark.parametrize(("every", "schedule"), [(None, SCHEDULE), (51, [0, 51, 100])])
def test_a_roll_back_forgets_the_pictures_of_what_was_undone(
    tmp_path: Path, every: int | None, schedule: list[int]
) -> None:
    class Spy(Watcher):
        phase = "save"
        seen: tuple[int, ...] = ()

        def measured(self, training: Training, row: Mapping[str, Any]) -> None:
            if "event" in row:
                self.seen = tuple(pictures(tmp_path))

    spy = Spy()
    training(tmp_path, At(70, lambda _: Verdict.ROLL_BACK), spy, every=every).run()
    assert spy.seen == tuple(step for step in schedule if step <= 50)
    assert list(pictures(tmp_path)) == schedule
    (event,) = [row for row in rows(tmp_path) if "back with 0.5" in str(row.get("event"))]
    assert event["step"] == 50


def test_recording_changes_nothing_in_training(tmp_path: Path) -> None:
    watched, alone = training(tmp_path, every=1, steps=20), training(tmp_path / "other", every=1, steps=20)
    alone.watchers = []
    watched.run()
    alone.run()
    assert len(pictures(tmp_path)) == 21
    for name, tensor in alone.recipe.state_dict().items():
        assert torch.equal(tensor, watched.recipe.state_dict()[name]), name
    assert watched.recipe.training


def test_a_picture_shows_the_same_latents_through_the_averaged_weights(tmp_path: Path) -> None:
    job = training(tmp_path, every=20, steps=20)
    job.run()
    # The same affine map must explain all 64 samples at both steps, one map each: the latents did not change.
    first, last = (
        np.asarray(Image.open(timeline.picture_path(tmp_path, step))).astype(float)[np.ix_(*[_inner()] * 2)]
        for step in (0, 20)
    )
    latents = []
    torch.manual_seed(1)
    start = Tiny().generator
    for levels, layer in ((first, start), (last, job.averaged["generator"])):
        pixels = levels.reshape(8, 4, 8, 4).transpose(0, 2, 1, 3).reshape(64, 16)
        target = np.arctanh(np.clip(pixels / 127.5 - 1, -0.99, 0.99)) - layer.bias.detach().numpy()
        latents.append(target @ np.linalg.pinv(layer.weight.detach().numpy()).T)
    assert np.abs(latents[0] - latents[1]).mean() < 0.1  # eight bits a pixel leave this much
    assert latents[0].std() == pytest.approx(1, abs=0.2)


def _inner() -> list[int]:
    """Rows of an 8 x 8 grid of 4 x 4 samples that are not gaps."""
    return [place for place in range(39) if place % 5 != 4]


def test_a_picture_leaves_no_trace_in_the_game(tmp_path: Path) -> None:
    job = training(tmp_path)
    live = job.recipe.get_submodule("generator")
    averaged = job.averaged["generator"]
    with torch.no_grad():
        averaged.weight.zero_()
        averaged.bias.fill_(99.0)  # tanh makes it 1: white
    random = torch.get_rng_state()
    job.watchers[0].started(job)
    job.watchers[0].finished(job)
    assert set(np.asarray(Image.open(timeline.picture_path(tmp_path, 0))).flat) == {255}
    assert torch.equal(torch.get_rng_state(), random)
    assert job.recipe.training and live.training and job.recipe.get_submodule("generator") is live


def test_labels_are_the_columns(tmp_path: Path) -> None:
    training(tmp_path, every=1, steps=1, classes=3).run()
    pixels = np.asarray(Image.open(timeline.picture_path(tmp_path, 1)))
    assert pixels.shape == (8 * 5 - 1, 3 * 5 - 1)
    assert pixels[::5, ::5].tolist() == [[0, 1, 2]] * 8


class Mirror(Tiny):
    """What comes back is the item, darker by what a weight says, with -1 in its first pixel."""

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((16,))}

    def generate(self, *, latent: Tensor) -> Tensor:
        image = latent.flip(1).unflatten(1, (1, 4, 4)) - self.generator.bias[0].sigmoid()
        image[:, 0, 0, 0] = -1
        return image

    def encode(self, values: Tensor) -> dict[str, Tensor]:
        assert not self.training
        return {"latent": values.flatten(1).flip(1)}


def came_back(run: Path) -> list[np.ndarray]:
    """The rows of the picture in turn, (8, 4, 4) each."""
    levels = np.asarray(Image.open(run / "samples" / timeline.RECONSTRUCTIONS))[np.ix_(*[_inner()] * 2)]
    return list(levels.reshape(8, 4, 8, 4).transpose(0, 2, 1, 3))


def expected(job: Training) -> list[np.ndarray]:
    items = job.data.for_show(32)
    with job.averaged_weights():
        made = job.recipe.reconstructed(items)
    pairs = (job.data.space.encode(each).numpy().reshape(4, 8, 4, 4) for each in (items.value, made))
    return [row for pair in zip(*pairs, strict=True) for row in pair]


def test_items_stand_above_what_is_made_of_their_encodings(tmp_path: Path) -> None:
    job = training(tmp_path, recipe=Mirror)
    job.run()
    rows = came_back(tmp_path)
    validation = job.data.split("validation").gather(np.array([0])).value
    assert np.array_equal(rows[0][0], job.data.space.encode(validation)[0, 0].numpy())
    dark = 127.5 * float(job.averaged["generator"].bias[0].detach().sigmoid())
    for item, made in zip(rows[::2], rows[1::2], strict=True):
        assert np.abs(np.clip(item - dark, 0, 255) - made)[:, 1:].max() <= 1 and not made[:, 0, 0].any()


def test_nothing_comes_back_where_nothing_is_encoded_or_all_share_a_plot(whole: Path, tmp_path: Path) -> None:
    assert not (whole / "samples" / timeline.RECONSTRUCTIONS).exists()

    class Plotted(Mirror):
        def generate(self, *, latent: Tensor) -> Tensor:
            return latent[:, :2]

        def turns(self, progress: Any, batches: Any) -> Any:
            next(batches)
            yield from ()

    training(tmp_path, recipe=Plotted, points=True, steps=2).run()
    assert timeline.pictures(tmp_path) and not (tmp_path / "samples" / timeline.RECONSTRUCTIONS).exists()


def test_what_came_back_is_of_the_weights_that_there_are(tmp_path: Path) -> None:
    """After a roll-back, and where training goes on from an earlier checkpoint."""

    class Spy(Watcher):
        phase = "save"

        def __init__(self) -> None:
            super().__init__()
            self.seen: list[int] = []

        def look(self, training: Training) -> None:
            self.seen.append(training.steps_done)
            np.testing.assert_array_equal(came_back(tmp_path), expected(training))

        def started(self, training: Training) -> None:
            self.look(training)

        def measured(self, training: Training, row: Mapping[str, Any]) -> None:
            if "event" in row:
                self.look(training)

    spy, later = Spy(), Spy()
    with pytest.raises(KeyboardInterrupt):
        training(tmp_path, At(70, lambda _: Verdict.ROLL_BACK), At(95, crash), spy, recipe=Mirror, every=1).run()
    resumed(tmp_path, later, recipe=Mirror, every=1).run()
    assert spy.seen == [0, 50] and later.seen == [80]


def test_layouts() -> None:
    assert ImageSpace(1, 28, 28).layout(10) == (8, 10)
    assert ImageSpace(3, 64, 64).layout(0) == (8, 8)
    assert ImageSpace(1, 28, 28).layout(1000) == (8, 16)
    assert timeline.labels_shown(32, 16) == list(range(0, 32, 2))
    rows, columns = ImageSpace(3, 512, 1024).layout(0)
    assert rows * 513 <= 1280 and columns >= 2  # never a picture of tens of megabytes
    assert PointSpace(2).layout(0)[0] == 2000


def test_the_strip_follows_samples_from_left_to_right() -> None:
    space = ImageSpace(1, 4, 4)
    # Sample i of frame t is all of level 10 t + i.
    frames = [space.show((torch.arange(64) + 10 * t).div(127.5).sub(1).reshape(64, 1, 1, 1).expand(-1, 1, 4, 4), 8)
              for t in range(3)]  # fmt: skip
    stray = Image.new("L", (7, 7))
    strip = timeline.strip([stray, *frames], space, 8)
    assert strip is not None
    pixels = np.asarray(strip)
    assert pixels.shape == (39, 14)
    assert pixels[::5, ::5].tolist() == [[i, 10 + i, 20 + i] for i in range(8)]
    assert timeline.strip([], space, 8) is None


def test_the_strip_of_a_long_run_of_large_pictures_is_small(tmp_path: Path) -> None:
    many = timeline.spread(list(range(1000)))
    assert len(many) == 24 and many[0] == 0 and many[-1] == 999
    assert {b - a for a, b in pairwise(many)} <= {43, 44}  # 999 / 23 = 43.4
    space = ImageSpace(3, 512, 256)
    strip = timeline.strip([Image.new("RGB", (257 * 4 - 1, 513 * 2 - 1))] * 24, space, 4)
    assert strip is not None and strip.size == (24 * 49 - 1, 8 * 97 - 1)  # cells of 48 x 96


def test_damaged_pictures_are_passed_over(tmp_path: Path) -> None:
    good = tmp_path / "good.png"
    Image.new("L", (4, 4)).save(good)
    assert timeline.read(good) is not None
    for name, content in {"cut": good.read_bytes()[:40], "text": b"<script>", "empty": b""}.items():
        (tmp_path / name).write_bytes(content)
        assert timeline.read(tmp_path / name) is None, name
    Image.new("1", (5000, 5000)).save(tmp_path / "bomb.png")
    assert timeline.read(tmp_path / "bomb.png") is None


def test_tensorboard_has_the_same_numbers_and_forgets_what_was_undone(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with pytest.raises(KeyboardInterrupt):
        training(tmp_path, At(70, crash), every=5).run()
    resumed(tmp_path, every=5).run()
    events = EventAccumulator(str(tmp_path / "tensorboard"), {"images": 0}).Reload()
    for name in ("discriminator/accuracy_real", "generator/adversarial", "items_per_second"):
        told = [(event.step, event.value) for event in events.Scalars(name)]
        assert told == [(row["step"], pytest.approx(row[name], rel=1e-6)) for row in rows(tmp_path) if name in row]
    assert [event.step for event in events.Images("samples")] == list(range(0, 101, 5))


def test_without_tensorboard_all_else_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training(tmp_path / "with", every=50).run()
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # as where it is not installed
    training(tmp_path / "without", every=50).run()
    names = [{path.name for path in (tmp_path / name).rglob("*")} for name in ("with", "without")]
    assert {name.split(".")[0] for name in names[0] - names[1]} == {"tensorboard", "events"}
    assert "metrics.jsonl" in names[1] and len(rows(tmp_path / "without")) == len(rows(tmp_path / "with"))


def test_metrics_are_cut_to_what_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    cut_metrics(path, 3)  # none yet
    good = [b'{"step": 1}\n', b'{"step": 3, "event": "x"}\n']
    bad = [b'{"step": 4}\n', b"[1]\n", b'{"step": "2"}\n', b"\xff\n", b'{"step": NaN}\n', b'{"step": 2}']
    path.write_bytes(b"".join([good[0], *bad[:-1], good[1], bad[-1]]))
    cut_metrics(path, 3)
    assert path.read_bytes() == b"".join(good)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    def fill(job: Training) -> None:
        (tmp_path / "metrics.jsonl").unlink(missing_ok=True)
        (tmp_path / "metrics.jsonl").symlink_to("/dev/full")

    with pytest.raises(TrainingError, match=r"cannot write .*metrics\.jsonl: No space left on device") as caught:
        training(tmp_path, At(10, fill)).run()
    assert "\n" not in str(caught.value)


def test_only_the_first_process_writes(tmp_path: Path) -> None:
    job = training(tmp_path / "run")
    job.processes = Processes(rank=1, world=2)
    job.settings = replace(job.settings, minutes=1.0)  # `fraction` would ask the first process, which is not there
    recorder = job.watchers[0]
    recorder.started(job)
    recorder.stepped(job, {})
    recorder.measured(job, {"step": 0, "items": 0})
    recorder.finished(job)
    assert not (tmp_path / "run").exists()
    job.elapsed = lambda: 15.0  # type: ignore[method-assign]
    assert fraction_here(job) == 0.25
