"""`check_recipe`: does a recipe keep the contract? For the recipes that come with Ganvas, and for anyone's.

    from ganvas.testing import recipe_checks

    @pytest.mark.parametrize("check", recipe_checks(MyGAN), ids=str)
    def test_my_gan(check):
        check()

That is a test for each check. `check_recipe(MyGAN)` makes all of them at once, in any test or script.

Every check plays the recipe on tiny data, in float32 unless it says otherwise. What a check asks is in its function's
docstring; `CHECKS` lists them.
"""

from __future__ import annotations

import functools
import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ganvas import recipes
from ganvas.data.batches import Photos
from ganvas.data.dataset import Data
from ganvas.data.images import write_halves
from ganvas.data.opening import open_data
from ganvas.data.photos import write_edges
from ganvas.errors import UsageError, near_miss
from ganvas.options import checked, read_options
from ganvas.recipe import Losses, Progress, Recipe, Turn, Turns
from ganvas.settings import Settings
from ganvas.text import quoted
from ganvas.training import Processes, Training, channels_last, checkpoint, gradient_norm, seed_from, two_processes

FITTED = 0.35
"""A tiny set counts as fitted when the energy distance to it has fallen to this part of the untrained recipe's."""

BF16_COSINE, BF16_LOSS = 0.9, 0.05
"""How far bf16 may be from float32: the least cosine between gradients, the largest difference of a term beside 1 or
the term, whichever is larger."""


COPIES = 8
"""Copies of a batch whose gradient is compared with the batch's own."""


@dataclass(frozen=True)
class Check:
    """One check's outcome: `detail` says what was found, or what is wrong."""

    name: str
    passed: bool
    detail: str

    def __str__(self) -> str:
        return f"{'ok    ' if self.passed else 'FAILED'} {self.name}: {self.detail}"


@dataclass(frozen=True)
class CheckReport:
    """All checks of one recipe; its text has a line for each."""

    recipe: str
    checks: tuple[Check, ...]

    def __str__(self) -> str:
        return "\n".join([f"{self.recipe}:", *(f"  {check}" for check in self.checks)])


@dataclass(frozen=True)
class Subject:
    """What is checked, and with what."""

    recipe: type[Recipe]
    data: Data
    arguments: Mapping[str, Any]
    fit_steps: int
    batch_size: int = 16
    ema: float = 2000.0
    settings: Mapping[str, Any] = field(default_factory=dict)

    def made(self) -> Recipe:
        """The recipe, always from the same seed."""
        known = {option.name for option in read_options(self.recipe)}
        facts = {name: value for name, value in self.data.facts().items() if name in known}
        torch.manual_seed(0)
        return self.recipe(**checked(self.recipe, facts | dict(self.arguments)))

    def training(self, processes: Processes | None = None, **settings: Any) -> Training:
        """A training of a new recipe, ready for its first step."""
        chosen: dict[str, Any] = {
            "steps": 1000,
            "batch_size": self.batch_size,
            "precision": "float32",
            "device": "cpu",
            "ema": self.ema,
            **self.settings,
        }
        training = Training(self.made(), self.data, Settings(**chosen | settings), processes=processes)
        training._train_mode()
        return training


def check_recipe(
    recipe: type[Recipe],
    data: str | Path | np.ndarray | Data | None = None,
    *,
    arguments: Mapping[str, Any] | None = None,
    checks: Sequence[str] | None = None,
    fit_steps: int = 600,
    settings: Mapping[str, Any] | None = None,
) -> CheckReport:
    """Plays the recipe on tiny data and checks that it keeps the contract of `ganvas.Recipe`.

    data: what to train on, as `open_data` takes it; by default the example of the kind of data that it accepts.
    arguments: of the recipe's constructor. checks: names of `CHECKS`, by default all. fit_steps: in how many steps at
    most it must fit the data. settings: of training, such as {"augment": "ada"}. Takes some seconds for a small recipe;
    most of them go into the fitting.

    Raises AssertionError, with a line for each check that failed; UsageError for the name of a check that there is not.
    """
    names = _names(checks)
    subject = Subject(recipe, _opened(recipe, data), arguments or {}, fit_steps, settings=settings or {})
    with torch.random.fork_rng(devices=[]):
        report = CheckReport(recipe.__name__, tuple(_outcome(name, subject) for name in names))
    failed = [check for check in report.checks if not check.passed]
    if failed:
        raise AssertionError("\n".join([f"{recipe.__name__} does not keep the contract:", *map(str, failed)]))
    return report


@dataclass(frozen=True)
class RecipeCheck:
    """One check of one recipe. To call it makes the check, and raises AssertionError where it fails; `str` is the name
    for its test, such as `r3gan-batch-of-two`."""

    name: str
    check: str
    recipe: type[Recipe]
    data: Callable[[], Data]
    arguments: Mapping[str, Any]
    fit_steps: int
    settings: Mapping[str, Any]

    def __call__(self) -> Check:
        chosen: dict[str, Any] = {
            "arguments": self.arguments,
            "fit_steps": self.fit_steps,
            "settings": self.settings,
        }
        return check_recipe(self.recipe, self.data(), checks=[self.check], **chosen).checks[0]

    def outcome(self) -> Check:
        """Makes the check, and says how it went; raises nothing where it fails."""
        subject = Subject(self.recipe, self.data(), self.arguments, self.fit_steps, settings=self.settings)
        with torch.random.fork_rng(devices=[]):
            return _outcome(self.check, subject)

    def __str__(self) -> str:
        return f"{self.name}-{self.check.replace(' ', '-')}"


def recipe_checks(
    recipe: type[Recipe],
    data: str | Path | np.ndarray | Data | Callable[[], Data] | None = None,
    *,
    arguments: Mapping[str, Any] | None = None,
    checks: Sequence[str] | None = None,
    fit_steps: int = 600,
    settings: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> list[RecipeCheck]:
    """What `check_recipe` does, in pieces for `pytest.mark.parametrize`: each check is a test with a name of its own,
    which can be chosen (`-k resume`), skipped, or run beside the others.

    data: as in `check_recipe`, or a function that makes it. It is opened by the first check that is called, and not
    when tests are collected. arguments, checks, fit_steps, settings: as in `check_recipe`. name: stands first in the
    tests' names; by default what the recipe is called.

    Raises UsageError for the name of a check that there is not.
    """
    opened = functools.cache(functools.partial(_opened, recipe, data))
    known = recipes.name_of(recipe)
    shown = name or (recipe.__name__ if ":" in known else known)
    return [
        RecipeCheck(shown, each, recipe, opened, arguments or {}, fit_steps, settings or {}) for each in _names(checks)
    ]


def tiny_images(size: int | tuple[int, int] = 8, channels: int = 1, count: int = 40) -> Data:
    """`count` images of two classes, light above or light on the left: easy to learn, and a generator that makes one
    picture only has not learned them."""
    shape = (size, size) if isinstance(size, int) else size
    with tempfile.TemporaryDirectory() as folder:
        return open_data(write_halves(Path(folder) / "tiny.npz", shape, channels, count), progress=False)


def tiny_photos(scale: int = 2, side: int = 16, channels: int = 3, count: int = 40) -> Data:
    """Photos of one piece each with a sharp edge, and with them in low resolution: what was light on one side of the
    edge is half light in between."""
    with tempfile.TemporaryDirectory() as folder:
        photos = write_edges(Path(folder), side, count)
        return open_data(photos, Photos, scale=scale, size=side, channels=channels, progress=False)


def tiny(recipe: type[Recipe]) -> Data:
    """The example of the last kind of data that the recipe accepts, which is its plainest."""
    with tempfile.TemporaryDirectory() as folder:
        source, options = recipe.accepts[-1].reader.example(Path(folder))
        return open_data(source, recipe.accepts[-1], progress=False, **options)


# -- the checks: each returns what it found, or raises AssertionError --


def _optimizers(subject: Subject) -> str:
    """Every trainable parameter is in exactly one optimizer."""
    try:
        training = subject.training()
    except TypeError as error:
        raise AssertionError(str(error)) from None
    counts = ", ".join(f"{name} {sum(p.numel() for p in held):,}" for name, held in training.players.items())
    return f"every parameter is in exactly one ({counts})"


def _turns(subject: Subject) -> str:
    """Each turn changes its own optimizer's parameters and no others, and its losses change no state.

    BatchNorm's running statistics are excepted: PyTorch moves them in every forward pass in training mode.
    """
    training = subject.training()
    names = {id(p): name for name, p in training.recipe.named_parameters()}
    owned = {player: {names[id(p)] for p in held} for player, held in training.players.items()}
    played: list[str] = []
    original = training.recipe.turns

    def watched(progress: Progress, batches: Iterator[Any]) -> Turns:
        turns, results = original(progress, batches), None
        while True:
            try:
                turn = turns.send(results)
            except StopIteration:
                return
            before = {name: p.detach().clone() for name, p in training.recipe.named_parameters()}
            results = yield replace(turn, losses=_keeps_state(training.recipe, turn))
            changed = {n for n, p in training.recipe.named_parameters() if not torch.equal(p, before[n])}
            others = sorted(changed - owned[turn.optimizer])
            assert not others, f"a turn of {turn.optimizer} changed {_some(others)}"
            assert changed, f"a turn of {turn.optimizer} changed nothing"
            played.append(turn.optimizer)

    with _replaced(training.recipe, "turns", watched):
        for _ in range(4):
            training.step()
    idle = sorted(set(owned) - set(played))
    assert not idle, f"no turn of {_some(idle)} in 4 steps"
    return f"{len(played)} turns in 4 steps, each changed its own parameters only"


def _resume(subject: Subject) -> str:
    """Interrupted, written to disk, and taken up by a new recipe object, training equals what it is uninterrupted."""
    whole, first, second = (subject.training() for _ in range(3))
    for _ in range(7):
        whole.step()
    for _ in range(3):
        first.step()
    second.load_state(_through_a_file(first))
    for _ in range(4):
        second.step()
    different = _different(_tensors(whole), _tensors(second), exactly=True)
    assert not different, f"after an interruption these are other values: {_some(different)}"
    return "3 steps, a checkpoint and 4 steps equal 7 steps, bit for bit"


def _splitting(subject: Subject) -> str:
    """A recipe of whole batches refuses to be split. Of any other, two processes equal one that accumulates two parts,
    and the losses are means, so that several copies of a batch do not give a larger gradient than one.

    The processes are two threads here, which exchange tensors as real ones do. BatchNorm's running statistics are not
    compared: each process keeps those of its own parts.
    """
    if subject.training().recipe.whole_batch:
        try:
            subject.training(accumulate=2)
        except UsageError:
            return "refused, as the recipe needs whole batches"
        raise AssertionError("it says whole_batch, and yet a batch was split")
    alone = subject.training(accumulate=2)
    for _ in range(3):
        alone.step()
    for rank, side in enumerate(two_processes(subject.training, steps=3)):
        skipped = _running_statistics(alone.recipe)
        mine, theirs = ({n: t for n, t in r.state_dict().items() if n not in skipped} for r in (alone.recipe, side))
        different = _different(mine, theirs, exactly=False)
        assert not different, f"process {rank} of two differs from two accumulated parts in {_some(different)}"
    for player, (whole, part) in _gradients_of_copies(subject).items():
        # What is random in a loss makes the longer batch's gradient shorter, never longer.
        assert whole <= 2 * part, (
            f"the gradient of {player} has length {whole:.3g} for {COPIES} copies of a batch and {part:.3g} for one: "
            "losses must be means over the batch, not sums"
        )
    return "two processes equal two accumulated parts"


def _fit(subject: Subject) -> str:
    """The energy distance between samples and the data falls to `FITTED` of the untrained recipe's; of samples that
    are made from given images, the mean squared difference from what they should be."""
    training = subject.training(steps=subject.fit_steps)
    split = subject.data.split("train")
    batch = split.gather(np.arange(min(len(split), 512)))
    real, translated = batch.value, bool(training.recipe.given())

    def distance() -> float:
        with training.averaged_weights():
            seed_from(1)
            drawn = training.recipe.draw_for(batch) if translated else training.recipe.draw(256)
            fake = training.recipe.generate(**drawn).float()
        if translated:
            return float((fake - real).square().mean())
        return energy_distance(fake.flatten(1), real.flatten(1))

    what = "squared difference from the data" if translated else "energy distance to the data"
    before = distance()
    least = float("inf")
    while training.steps_done < subject.fit_steps:
        training.step()
        if training.steps_done % 50 == 0 or training.steps_done == subject.fit_steps:
            least = min(least, distance())
            if least <= FITTED * before:
                return f"{what} from {before:.3g} to {least:.3g} in {training.steps_done} steps"
    raise AssertionError(
        f"{what} from {before:.3g} to {least:.3g} at best in {subject.fit_steps} steps, and must "
        f"fall to {FITTED:g} of it"
    )


def _bf16(subject: Subject) -> str:
    """In each player's first turn bf16 gives nearly the losses and gradient directions that float32 gives."""
    exact, rounded = (_first_gradients(subject, precision) for precision in ("float32", "bf16"))
    found = []
    for player, (losses, gradient) in exact.items():
        others, other = rounded[player]
        for name, value in losses.items():
            off = abs(others[name] - value) / max(1.0, abs(value))
            assert off <= BF16_LOSS, f"{player}'s term {name} is {others[name]:.4g} in bf16, {value:.4g} in float32"
        cosine = float(torch.cosine_similarity(gradient, other, dim=0))
        assert cosine >= BF16_COSINE, f"{player}'s gradients in bf16 and float32 have a cosine of {cosine:.3f}"
        found.append(f"{player} {cosine:.3f}")
    return f"cosines of its gradients and float32's: {', '.join(found)}"


def _two(subject: Subject) -> str:
    """A batch of two trains, or is refused in one line by a UsageError."""
    try:
        training = subject.training(batch_size=2)
        for _ in range(2):
            training.step()
    except UsageError as error:
        return f"refused: {error}"
    except Exception as error:
        raise AssertionError(f"a batch of two: {type(error).__name__}: {error}") from error
    assert training.meter.finite(), "a batch of two gives values that are not finite"
    return "trains"


def _sampling(subject: Subject) -> str:
    """The same inputs give the same samples, in the data's space, and so does the recipe that a file gives back."""
    training = subject.training()
    for _ in range(3):
        training.step()
    with training.averaged_weights():
        seed_from(1)
        inputs = training.recipe.draw(8, training.recipe.conditions(subject.data, 8))
        mine, again = training.recipe.generate(**inputs), training.recipe.generate(**inputs)
    assert torch.equal(mine, again), "generate gave two results for the same inputs; draw must make all that is random"
    shape = (8, *subject.data.space.shape)
    assert tuple(mine.shape) == shape, f"8 samples have the shape {tuple(mine.shape)} instead of {shape}"
    assert bool(mine.isfinite().all()), "samples are not finite"
    state = _through_a_file(training)
    loaded = subject.made()
    loaded.load_state_dict({**state["model"], **state["averaged"]}, strict=False)
    with torch.no_grad():
        channels_last(loaded).eval().settle()
        theirs = loaded.generate(**inputs)
    assert torch.equal(mine, theirs), "a save and a load give other samples: some state is not in a buffer or parameter"
    return "the same before and after a save and a load"


CHECKS: dict[str, Callable[[Subject], str]] = {
    "optimizers": _optimizers,
    "turns": _turns,
    "resume": _resume,
    "splitting": _splitting,
    "bf16": _bf16,
    "batch of two": _two,
    "sampling": _sampling,
    "fit": _fit,
}


# -- helpers --


def _names(checks: Sequence[str] | None) -> tuple[str, ...]:
    """These checks, or all. Raises UsageError for one that there is not."""
    for name in checks or ():
        if name not in CHECKS:
            raise UsageError(f"there is no check {quoted(name)}{near_miss(name, CHECKS)}")
    return tuple(checks or CHECKS)


def _opened(recipe: type[Recipe], data: str | Path | np.ndarray | Data | Callable[[], Data] | None) -> Data:
    """The data, or the tiny set for what the recipe accepts."""
    if data is None:
        return tiny(recipe)
    if callable(data):
        data = data()
    return data if isinstance(data, Data) else open_data(data, recipe.accepts, progress=False)


def energy_distance(one: Tensor, other: Tensor) -> float:
    """2 E|x - y| - E|x - x'| - E|y - y'| between two sets (N, D): 0 where their distributions are equal and only there
    (Szekely and Rizzo 2013, eq. 5)."""
    within = [torch.cdist(each, each).mean() for each in (one, other)]
    return float(2 * torch.cdist(one, other).mean() - sum(within))


def _outcome(name: str, subject: Subject) -> Check:
    try:
        return Check(name, True, CHECKS[name](subject))
    except AssertionError as error:
        return Check(name, False, str(error))
    except Exception as error:  # a recipe may fail in any way, and the other checks still have something to say
        return Check(name, False, f"{type(error).__name__}: {error}")


def _keeps_state(recipe: Recipe, turn: Turn) -> Callable[[Any], Losses]:
    def losses(part: Any) -> Losses:
        skipped = _running_statistics(recipe)
        before = {name: buffer.clone() for name, buffer in recipe.named_buffers() if name not in skipped}
        result = turn.losses(part)
        changed = [name for name, buffer in recipe.named_buffers() if name in before and not before[name].equal(buffer)]
        assert not changed, f"the losses of {turn.optimizer} changed {_some(changed)}; state changes in `after`"
        return result

    return losses


def _running_statistics(recipe: nn.Module) -> set[str]:
    """The names of the buffers that normalising layers move in a forward pass."""
    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in recipe.named_modules()
        if isinstance(module, nn.modules.batchnorm._NormBase)
        for name, _ in module.named_buffers(recurse=False)
    }


def _through_a_file(training: Training) -> dict[str, Any]:
    """The training's state as a checkpoint on disk gives it back."""
    with tempfile.TemporaryDirectory() as folder:
        return checkpoint.read(checkpoint.write(Path(folder), training.state(), {"recipe": "checked"}))


def _tensors(training: Training) -> dict[str, Tensor]:
    state = training.state()
    return {f"{group} {n}": t for group in ("model", "averaged", "optimizers") for n, t in state[group].items()}


def _different(mine: Mapping[str, Tensor], other: Mapping[str, Tensor], *, exactly: bool) -> list[str]:
    """The names of what differs; not exactly means up to rounding in another order."""
    same: Callable[[Tensor, Tensor], bool] = (
        torch.equal if exactly else lambda a, b: torch.allclose(a.float(), b.float(), rtol=1e-3, atol=1e-5)
    )
    return sorted(
        n for n in mine.keys() | other.keys() if n not in mine or n not in other or not same(mine[n], other[n])
    )


def _first_turns(training: Training) -> Iterator[tuple[int, Turn]]:
    """Each player's first turn of the first steps, with its number in the step; none is played, but what they
    keep goes to the next."""
    seen: set[str] = set()
    for step in range(4):
        progress = replace(training.progress(), step=step)
        turns, results = training.recipe.turns(progress, training.batches), None
        for number in itertools.count():
            try:
                turn = turns.send(results)
            except StopIteration:
                break
            if turn.optimizer not in seen:
                seen.add(turn.optimizer)
                yield number, turn
            results = training.results([training.losses(turn, turn.batch, number)])


def _first_gradients(subject: Subject, precision: str) -> dict[str, tuple[dict[str, float], Tensor]]:
    """By player: the terms of its first turn, and the gradient (N,)."""
    training = subject.training()
    found = {}
    for number, turn in _first_turns(training):
        training._let_move(turn.optimizer)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            losses = training.losses(turn, turn.batch, number)
        held = training.players[turn.optimizer]
        gradients = torch.autograd.grad(losses.total(), held, allow_unused=True)
        flat = torch.cat(
            [torch.zeros_like(p).flatten() if g is None else g.flatten() for g, p in zip(gradients, held, strict=True)]
        )
        found[turn.optimizer] = ({name: term.item() for name, term in losses.terms.items()}, flat)
    return found


def _gradients_of_copies(subject: Subject) -> dict[str, tuple[float, float]]:
    """By player: the length of its first gradient for a batch of `COPIES` copies, and for that batch once."""
    lengths: dict[str, list[float]] = {}
    for copies in (COPIES, 1):
        training = subject.training()
        for number, turn in _first_turns(training):
            training._let_move(turn.optimizer)
            training.optimizers[turn.optimizer].zero_grad()
            batch = cast(Any, turn.batch)
            names = [name for name, value in vars(batch).items() if value is not None]
            batch = replace(batch, **{name: torch.cat([getattr(batch, name)] * copies) for name in names})
            training.losses(turn, batch, number).total().backward()
            norm = float(gradient_norm(training.players[turn.optimizer]))
            lengths.setdefault(turn.optimizer, []).append(norm)
    return {player: (pair[0], pair[1]) for player, pair in lengths.items()}


class _replaced:
    """Inside, an attribute of the module is another one."""

    def __init__(self, module: nn.Module, name: str, value: Any) -> None:
        self.module, self.name, self.value = module, name, value

    def __enter__(self) -> None:
        vars(self.module)[self.name] = self.value

    def __exit__(self, *_: object) -> None:
        del vars(self.module)[self.name]


def _some(names: Sequence[str]) -> str:
    """The first names of many."""
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
