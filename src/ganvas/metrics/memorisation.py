"""Has the generator copied its training set?

A sample that is no copy is as near to data that the generator never saw as to what it was trained on, but for their
numbers: among T training and H held-out items, each is the nearest with equal chance, so a share T / (T + H) of the
samples has a training item as its nearest. Copies raise that share. The excess is scaled to 0 where nothing is copied
and 1 where no sample has a held-out item as its nearest (compare the data-copying test of Meehan, Chaudhuri and
Dasgupta 2020, which compares distances instead).

How often chance alone gives such a share is told by a permutation test: which of the items were trained on is
shuffled. It allows for items that are the nearest of very many samples, which a binomial test would take for
independent evidence.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ganvas.metrics.distributions import nearest

PERMUTATIONS = 9_999


class Memorisation(NamedTuple):
    """excess: 0 nothing is copied, 1 everything; can be below 0. share, expected: of samples whose nearest item was
    trained on. p: how often chance gives such a share or a larger one. each: (H,) what each held-out item says of the
    excess, which is their mean. place: (N,) of the nearest training item. nearness: (N,) its distance over that of the
    nearest held-out item, small where a sample is suspiciously near."""

    excess: float
    share: float
    expected: float
    p: float
    each: Tensor
    place: Tensor
    nearness: Tensor


def memorisation(samples: Tensor, trained: Tensor, held_out: Tensor, seed: int = 0) -> Memorisation:
    """Features of samples (N, D), of training items (T, D) and of held-out ones (H, D)."""
    distance, index = nearest(samples, trained)
    other_distance, other_index = nearest(samples, held_out)
    # A tie, such as an item that is in both sets, is evidence for neither.
    each = (distance < other_distance).double() + 0.5 * (distance == other_distance)
    share, expected = float(each.mean()), len(trained) / (len(trained) + len(held_out))
    nearness = distance / other_distance.clamp(min=1e-12)
    favourites = torch.zeros(len(trained) + len(held_out), dtype=torch.float64)
    favourites.index_add_(0, index, each)
    favourites.index_add_(0, other_index + len(trained), 1 - each)
    passed_over = 1 - favourites[len(trained) :] * len(favourites) / len(samples)
    p = _chance(favourites.numpy(), len(held_out), float((1 - each).sum()), seed)
    return Memorisation(float(passed_over.mean()), share, expected, p, passed_over, index, nearness)


def _chance(favourites: np.ndarray, held_out: int, found: float, seed: int) -> float:
    """How often `held_out` items drawn at random are the nearest of as few samples as were found, or fewer."""
    values, items = np.unique(favourites, return_counts=True)
    # Which items are drawn does not matter, only how many of each value: a draw from an urn.
    drawn = np.random.default_rng(seed).multivariate_hypergeometric(items, held_out, PERMUTATIONS, method="marginals")
    return float((1 + (drawn @ values <= found + 1e-9).sum()) / (1 + PERMUTATIONS))
