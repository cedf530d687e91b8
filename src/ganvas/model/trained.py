"""A trained GAN, ready to sample."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganvas.data.batches import Photos
from ganvas.errors import RunError, UsageError, near_miss
from ganvas.model import zoo
from ganvas.options import checked
from ganvas.recipe import Recipe
from ganvas.recipes import recipe_of
from ganvas.run import read_config
from ganvas.spaces import Space, space_from_config
from ganvas.training import checkpoint, seed_from

BLOCK = 64
"""Samples are drawn in blocks of this many, each from a seed of its own, so the first n never depend on n."""

MOST_COLUMNS = 32
"""Samples in a row of a grid that has a column for each label."""


@dataclass(frozen=True)
class Model:
    """A trained GAN, ready to sample: `ganvas.load` makes it. `labels` are names, () where it is unconditional."""

    recipe: Recipe
    space: Space
    labels: tuple[str, ...]
    step: int

    @property
    def enlarges(self) -> bool:
        """Whether it makes a large picture of a small one, and nothing at random: `ganvas.upscale` is for it then."""
        return Photos in self.recipe.accepts

    @property
    def columns(self) -> int | None:
        """Of a grid in which the labels come in turn: one for each label, or None where there are none, or so many that
        the grid would be a ribbon."""
        return len(self.labels) if 0 < len(self.labels) <= MOST_COLUMNS else None

    def sample(
        self,
        n: int,
        label: str | Sequence[str] | None = None,
        seed: int | None = None,
        truncation: float | None = None,
    ) -> Tensor:
        """(n, C, H, W) float32 in [-1, 1] for images, (n, D) for points.

        label: one name, or n of them; by default all labels in turn. seed: the same seed gives the same samples, and
        the first ones whatever n is; None takes a new one. truncation: cut the latent distribution off here.
        Raises UsageError for a label that does not exist, or an n that is not positive.
        """
        return torch.cat(list(self.blocks(n, label, seed, truncation)))

    def blocks(
        self,
        n: int,
        label: str | Sequence[str] | None = None,
        seed: int | None = None,
        truncation: float | None = None,
    ) -> Iterator[Tensor]:
        """The same samples in pieces of at most 64, so that any n fits into memory."""
        if n < 1:
            raise UsageError(f"-n must be 1 or more, not {n}")
        if truncation is not None and not truncation > 0:
            raise UsageError(f"--truncation must be above 0, not {truncation}")
        seed = int.from_bytes(os.urandom(4), "little") if seed is None else seed
        wanted = self.label_numbers(n, label)
        return self._blocks(n, wanted, seed, truncation)

    def label_numbers(self, n: int, label: str | Sequence[str] | None = None) -> Tensor | None:
        """(n,) int64: the class of each sample, or None for an unconditional model. Raises UsageError."""
        if not self.labels:
            if label is not None:
                raise UsageError(f"this model is not conditional, so it has no label {label!r}")
            return None
        if label is None:
            return torch.arange(n) % len(self.labels)
        given = [label] if isinstance(label, str) else list(label)
        for each in given:
            if each not in self.labels:
                raise UsageError(f"there is no label {each!r}{near_miss(each, self.labels)}")
        if len(given) not in (1, n):
            raise UsageError(f"give one label or {n}, not {len(given)}")
        numbers = torch.tensor([self.labels.index(each) for each in given])
        return numbers.expand(n) if len(given) == 1 else numbers

    def _blocks(self, n: int, wanted: Tensor | None, seed: int, truncation: float | None) -> Iterator[Tensor]:
        self.recipe.eval()
        device = self.recipe.device
        for index, start in enumerate(range(0, n, BLOCK)):
            given: dict[str, Tensor] = {}
            if wanted is not None:
                part = wanted[start : start + BLOCK]
                given["label"] = torch.cat([part, part.new_zeros(BLOCK - len(part))]).to(device)
            with torch.no_grad(), torch.random.fork_rng():
                seed_from(seed, index)
                samples = self.recipe.generate(**self.recipe.draw(BLOCK, given, truncation))
            yield samples[: n - start].float().cpu()


def load(run: str | Path, *, recipe: str | type[Recipe] | None = None, device: str = "cpu") -> Model:
    """The model of a run, of `zoo:NAME`, or of a folder that `ganvas export --format hub` wrote. Of a run it takes the
    averaged weights of `best/` where a score picked one, else of the newest checkpoint.

    recipe: must name `path/to/file.py:Class` again, or be the class, for a run that was trained with a user's own
    recipe, since loading runs that file.

    Raises RunError for a folder that is not a run, or whose checkpoints cannot be used.
    """
    if zoo.is_zoo(run):
        return _of_zoo(run, device)
    run = Path(run)
    config = read_config(run)
    name, chosen = recipe_of(run, config, recipe)
    try:
        labels = tuple(str(label) for label in config["data"]["labels"])
        space = space_from_config(config["data"]["space"])
        arguments = checked(chosen, config["arguments"])
    except (KeyError, TypeError):
        raise RunError(f"{run}/config.json is not complete; it is not a run that Ganvas wrote") from None
    model = chosen(**arguments)
    state, newest = _stored(run, config, name)
    checkpoint.check_fits(state, model, newest)
    weights = {**state["model"], **state["averaged"]}
    model.load_state_dict(weights, strict=False)
    return Model(
        recipe=model.to(device).eval().requires_grad_(False),
        space=space,
        labels=labels if model.classes else (),
        step=int(state["values"]["step"]),
    )


def _of_zoo(name: str, device: str) -> Model:
    """The first style of an entry of the zoo."""
    entry = zoo.entry(name)
    card = entry.card
    _, chosen = recipe_of(Path(name), card, None)
    model = chosen(**checked(chosen, card["arguments"]))
    model.get_submodule(model.averaged[0]).load_state_dict(entry.weights(entry.styles[0]))
    return Model(
        recipe=model.to(device).eval().requires_grad_(False),
        space=space_from_config(card["data"]["space"]),
        labels=(),
        step=int(card["styles"][entry.styles[0]]["step"]),
    )


def _stored(run: Path, config: dict[str, Any], name: str) -> tuple[dict[str, Any], Path]:
    """The state whose weights are used, and where it was read. Raises RunError."""
    if (run / checkpoint.EXPORTED).is_file():
        return checkpoint.read_exported(run, config), run
    if (run / "best").is_dir():
        return checkpoint.read(run / "best", name), run / "best"
    found, path, refused = checkpoint.newest(run / "checkpoints", name)
    if found is None or path is None:
        why = "; ".join(refused) or "it has none yet: train on with --resume"
        raise RunError(f"no checkpoint of {run} can be used ({why})")
    return found, path
