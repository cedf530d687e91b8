"""What is given in held-out items, asked of a model once each, and answers to that: a model's, or of who needs none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganvas.data.dataset import Data
from ganvas.metrics.reference import BLOCK
from ganvas.metrics.samples import of_data, split_of
from ganvas.spaces import Space


@dataclass(frozen=True, eq=False)
class Side:
    """The answers of one: values (N, ...) as their space encodes them. constant: whether all are the same."""

    values: Tensor
    space: Space
    constant: bool = False

    @cached_property
    def samples(self) -> Tensor:
        return self.space.samples_of(self.values)

    def at(self, places: Tensor) -> Side:
        return Side(self.values[places], self.space, self.constant)


@dataclass(frozen=True, eq=False)
class Questions:
    """The things that are given in held-out items, once each.

    given: by input, (N, ...). nothing: the first of them in the form of an answer, or None where it has another. real:
    all held-out items of what is to be made. known: (K,) the numbers of those whose right answer is known, and answers:
    these, in their order. answered: whether that is the one picture that should come out, place by place.
    """

    given: Mapping[str, Tensor]
    nothing: Side | None
    real: Side
    known: Tensor
    answers: Side
    answered: bool

    def __len__(self) -> int:
        return len(next(iter(self.given.values())))


def questions_of(data: Data, split: str, n: int | None, seed: int, first: str) -> Questions:
    """Of the split, or of several; `n` of them at most, drawn by `seed`. first: the input that is the answer of who
    does nothing."""
    part = split_of(data, split)
    places = _drawn(part.items.conditions, n, seed)
    known = torch.nonzero(torch.from_numpy(part.known)[places]).flatten()
    pieces: dict[str, list[Tensor]] = {}
    answers = [data.space.encode(torch.zeros(0, *data.space.shape))]
    for some in places.split(BLOCK):
        batch = part.gather_given(some.numpy())
        answers.append(data.space.encode(batch.value))
        for name, each in batch.given().items():
            pieces.setdefault(name, []).append(each)
    given = {name: torch.cat(each) for name, each in pieces.items()}
    left = as_made(given[first], data.space) if first in given else None
    return Questions(
        given,
        None if left is None else Side(data.space.encode(left), data.space),
        Side(of_data(data, split)[0].values, data.space),
        known,
        Side(torch.cat(answers)[known], data.space),
        data.batch_type.answers,
    )


def _drawn(count: int, n: int | None, seed: int) -> Tensor:
    if n is None or n >= count:
        return torch.arange(count)
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:n].sort().values


def as_made(given: Tensor, space: Space) -> Tensor | None:
    """What is given, (N, C, H, W), in the form of what is made: its channels averaged and repeated, its size changed.
    None where it is of another kind."""
    if given.shape[1:] == space.shape:
        return given
    if not space.photos or given.ndim != 4:
        return None
    channels, *size = space.shape
    if given.shape[1] != channels:
        given = given.mean(1, keepdim=True).expand(-1, channels, -1, -1)
    if list(given.shape[2:]) != size:
        given = interpolate(given, size, mode="bicubic", antialias=True).clamp(-1, 1)
    return given


def mean_of(data: Data, split: str) -> Tensor:
    """(1, ...) encoded: the mean of all items of the split."""
    part, total = split_of(data, split), torch.zeros(1, *data.space.shape, dtype=torch.float64)
    for places in torch.arange(len(part)).split(1024):
        total += part.gather(places.numpy()).value.double().sum(0, keepdim=True)
    return data.space.encode((total / max(len(part), 1)).float())
