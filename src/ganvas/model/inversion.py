"""Inversion: which inputs a generator makes a given picture of, or the nearest thing to it that it can make.

    inversion = model.invert(picture)
    print(inversion)                               # how far it is off
    sevens = model.decode(inversion.inputs | {"label": torch.tensor([7])})

Three stages, as in Zhu et al. 2016 (section 3.1) and Abdal et al. 2019 (section 5), whose distance is perceptual and by
pixels too. Many draws are compared with the picture. The nearest ones are the starts of a descent by pixels, all in one
batch. The best of these go on under the perceptual distance. What is drawn from a class is not searched: each start
keeps its own, and draws have all of them in turn.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ganvas.errors import UsageError
from ganvas.features.likeness import Likeness
from ganvas.inputs import searched_of
from ganvas.recipe import Recipe
from ganvas.spaces import Space
from ganvas.training import seed_from

STEPS = 200
"""Updates of the inputs where nothing else is asked for: with a small generator some seconds on one thread."""

NEAR, STARTS, BEST = 64, 16, 2
"""Of all draws, those that the distance itself looks at; of them the starts; of these those that go on under it."""

COARSE = 0.5
"""The share of the search that goes by pixels."""

DRAWING = 0.25
"""The share of a time that comparing draws takes at most."""

COARSE_RATE, FINE_RATE, END = 0.1, 0.05, 0.05
"""Adam's learning rates of the two descents, each of which ends with this share of it."""

_CHUNK = 64


@dataclass(frozen=True)
class Inversion:
    """Inputs whose samples come near to n pictures, and how near.

    inputs: (n, ...) by name, as `Model.decode` takes them. samples: (n, *shape), what is made of them, on the CPU.
    measure: of the distances (n,), `lite2` or `look` (`features.likeness`). errors: (n,), the root mean square of the
    difference. drawn_distances, drawn_errors: of the nearest draw, where the search began. draws: how many there were
    at least, since a short time ends them early.
    steps: (n,), updates made. bounds: of the values, None where there are none.
    """

    inputs: dict[str, Tensor]
    samples: Tensor
    measure: str
    distances: Tensor
    errors: Tensor
    drawn_distances: Tensor
    drawn_errors: Tensor
    draws: int
    steps: Tensor
    bounds: tuple[float, float] | None

    @property
    def psnr(self) -> Tensor:
        """(n,): the peak signal-to-noise ratio in dB; NaN where values have no bounds."""
        return self._psnr(self.errors)

    @property
    def drawn_psnr(self) -> Tensor:
        return self._psnr(self.drawn_errors)

    def _psnr(self, errors: Tensor) -> Tensor:
        if self.bounds is None:
            return torch.full_like(errors, math.nan)
        return 20 * torch.log10((self.bounds[1] - self.bounds[0]) / errors.clamp(min=1e-8))

    def told(self, at: int = 0) -> str:
        """One line on how far the inversion of one of them is off."""
        if self.bounds is None:
            near = f"off by {self.errors[at]:.3g} (root mean square; the nearest of {self.draws:,} draws"
            near += f" by {self.drawn_errors[at]:.3g})"
        else:
            near = f"PSNR {self.psnr[at]:.1f} dB (the nearest of {self.draws:,} draws {self.drawn_psnr[at]:.1f})"
        return f"{near}, distance[{self.measure}] {self.distances[at]:.3g} ({self.drawn_distances[at]:.3g})"

    def scores(self, at: int = 0) -> dict[str, float]:
        """The same in numbers, by name, without those that are not known."""
        told = {
            "psnr": self.psnr,
            "error": self.errors,
            "distance": self.distances,
            "drawn_psnr": self.drawn_psnr,
            "drawn_error": self.drawn_errors,
            "drawn_distance": self.drawn_distances,
        }
        return {name: float(each[at]) for name, each in told.items() if not math.isnan(each[at])}

    def __str__(self) -> str:
        return "\n".join(map(self.told, range(len(self.samples))))


class _Clock:
    """How much of the search is over, by updates or by time."""

    def __init__(self, steps: int | None, seconds: float | None, tick: Callable[[], None]) -> None:
        if seconds is not None and steps is not None:
            raise UsageError("an inversion takes --steps or --seconds, not both")
        if seconds is not None and not 0 < seconds < math.inf:
            raise UsageError(f"an inversion takes more than 0 seconds, not {seconds:g}")
        if steps is not None and steps < 1:
            raise UsageError(f"an inversion takes 1 step or more, not {steps}")
        self.began, self.seconds, self.tick = time.monotonic(), seconds, tick
        self.steps, self.most = 0, STEPS if steps is None else steps

    def share(self) -> float:
        if self.seconds is None:
            return self.steps / self.most
        return (time.monotonic() - self.began) / self.seconds

    def step(self) -> None:
        self.steps += 1
        self.tick()


def invert(
    recipe: Recipe,
    space: Space,
    targets: Tensor,
    given: Mapping[str, Tensor],
    *,
    steps: int | None,
    seconds: float | None,
    draws: int,
    seed: int,
    tick: Callable[[], None],
) -> Inversion:
    """`Model.invert`, of targets (n, *shape); given: (1, ...) for all or (n, ...) by name."""
    if draws < 1:
        raise UsageError(f"an inversion begins with 1 draw or more, not {draws}")
    if not searched_of(recipe.inputs(), given):
        raise UsageError(f"{type(recipe).__name__} draws nothing that could be searched for what makes a sample")
    recipe.eval()
    one_each = [
        _one(
            recipe,
            space,
            target.to(recipe.device),
            {name: (each if len(each) == 1 else each[i : i + 1]).to(recipe.device) for name, each in given.items()},
            _Clock(steps, seconds, tick),
            draws,
            seed,
        )
        for i, target in enumerate(targets.split(1))
    ]
    return Inversion(
        inputs={name: torch.cat([each.inputs[name] for each in one_each]) for name in one_each[0].inputs},
        measure=one_each[0].measure,
        draws=min(each.draws for each in one_each),
        bounds=space.bounds,
        **{
            name: torch.cat([getattr(each, name) for each in one_each])
            for name in ("samples", "distances", "errors", "drawn_distances", "drawn_errors", "steps")
        },
    )


def _one(
    recipe: Recipe, space: Space, target: Tensor, given: Mapping[str, Tensor], clock: _Clock, draws: int, seed: int
) -> Inversion:
    like = Likeness(space, target)
    rows = _drawn(recipe, given, draws, seed)
    with torch.no_grad():
        apart = _compared(recipe, rows, like, clock)
        near = _at(rows, apart.topk(min(NEAR, len(apart)), largest=False).indices)
        distances, plain = _distances(recipe, near, like)
        drawn = int(distances.argmin())
        drawn_error = _error(recipe.generate(**_at(near, [drawn])), target)
        drawn_distance = distances[drawn : drawn + 1]
        starts = _at(near, (distances + plain).topk(min(STARTS, len(plain)), largest=False).indices)
        if recipe.encode is not None:
            guess = recipe.encode(target)
            first = {name: guess.get(name, each[:1]) for name, each in starts.items()}
            starts = {name: torch.cat([first[name], each]) for name, each in starts.items()}
    coarse = _descended(recipe, starts, given, like.plain, COARSE_RATE, clock, COARSE)
    with torch.no_grad():
        distances, plain = _distances(recipe, coarse, like)
        best = _at(coarse, (distances + plain).topk(min(BEST, len(plain)), largest=False).indices)
    fine = _descended(recipe, best, given, lambda made: like(made) + like.plain(made), FINE_RATE, clock, 1.0)
    with torch.no_grad():
        distances, plain = _distances(recipe, fine, like)
        chosen = int((distances + plain).argmin())
        inputs = _at(fine, [chosen])
        sample = recipe.generate(**inputs)
    return Inversion(
        inputs={name: each.cpu() for name, each in inputs.items()},
        samples=sample.float().cpu(),
        measure=like.measure,
        distances=distances[chosen : chosen + 1].cpu(),
        errors=_error(sample, target).cpu(),
        drawn_distances=drawn_distance.cpu(),
        drawn_errors=drawn_error.cpu(),
        draws=len(apart),
        steps=torch.tensor([clock.steps]),
        bounds=space.bounds,
    )


def _compared(recipe: Recipe, rows: Mapping[str, Tensor], like: Likeness, clock: _Clock) -> Tensor:
    """(n,): how far the draws are from the target; of a slow generator fewer, since the descent needs time too."""
    apart: list[Tensor] = []
    for part in _chunks(rows):
        if apart and clock.share() > DRAWING:
            break
        apart.append(like.plain(recipe.generate(**part)))
        clock.tick()
    return torch.cat(apart)


def _drawn(recipe: Recipe, given: Mapping[str, Tensor], draws: int, seed: int) -> dict[str, Tensor]:
    """The inputs of so many draws. Classes come in turn, and each input's apart from the other's."""
    with torch.random.fork_rng():
        seed_from(seed, 0)
        rows = recipe.draw(draws, {name: each.expand(draws, *each.shape[1:]) for name, each in given.items()})
        for name, each in recipe.inputs().items():
            if each.choices and name not in given:
                rows[name] = rows[name][torch.randperm(draws).to(rows[name].device)]
    return rows


def _descended(
    recipe: Recipe,
    rows: Mapping[str, Tensor],
    given: Mapping[str, Tensor],
    loss: Callable[[Tensor], Tensor],
    rate: float,
    clock: _Clock,
    until: float,
) -> dict[str, Tensor]:
    """The best inputs that each row has on its way down, by Adam, until this share of the search is over."""
    searched = searched_of(recipe.inputs(), given)
    moving = {name: rows[name].detach().clone().requires_grad_() for name in searched}
    best = {name: each.detach().clone() for name, each in moving.items()}
    least = torch.full((len(next(iter(best.values()))),), math.inf, device=recipe.device)
    adam = torch.optim.Adam(moving.values(), lr=rate, betas=(0.9, 0.99), eps=1e-12)
    began = clock.share()
    while (share := clock.share()) < until:
        adam.param_groups[0]["lr"] = rate * (1 - (1 - END) * (share - began) / (until - began))
        with torch.enable_grad():
            losses = loss(recipe.generate(**{**rows, **moving}))
        if not losses.requires_grad:
            raise UsageError(f"samples of {type(recipe).__name__} have no gradient, so they cannot be inverted")
        adam.zero_grad()
        losses.sum().backward()
        with torch.no_grad():
            better = losses < least
            least = torch.where(better, losses.detach(), least)
            for name, each in moving.items():
                best[name][better] = each[better]
            adam.step()
            for name, each in moving.items():
                each.copy_(searched[name].nearest(each))
        clock.step()
    return {**rows, **best}


def _distances(recipe: Recipe, rows: Mapping[str, Tensor], like: Likeness) -> tuple[Tensor, Tensor]:
    made = recipe.generate(**rows)
    return like(made), like.plain(made)


def _chunks(rows: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    for start in range(0, len(next(iter(rows.values()))), _CHUNK):
        yield {name: each[start : start + _CHUNK] for name, each in rows.items()}


def _at(rows: Mapping[str, Tensor], places: Tensor | list[int]) -> dict[str, Tensor]:
    return {name: each[places] for name, each in rows.items()}


def _error(sample: Tensor, target: Tensor) -> Tensor:
    return (sample - target).float().square().flatten(1).mean(1).sqrt()
