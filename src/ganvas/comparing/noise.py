"""Which differences between scores are beyond noise, and by what that is decided.

    both with seeds     two means over at least two seeds each: beyond noise where the 95% interval of their difference
                        leaves out 0 (Welch 1947, the t-test of unequal variances). This alone tells of the settings.
    one with seeds      beyond noise where the single run lies outside of where another seed of the others would lie,
                        in 95 of 100 cases (the prediction interval of their seeds)
    none with seeds     beyond noise where the 95% intervals of judging lie apart. That tells of these two runs and not
                        of their settings: another seed may turn it round.

The degrees of freedom of Welch's test are taken as those of the smaller group, which is never too few and asks for a
larger difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
"""Student's t with 1, 2, ... degrees of freedom, beyond which 5% lie on both sides together."""

How = Literal["seeds", "one with seeds", "intervals", "nothing"]

RULES: dict[How, str] = {
    "seeds": "by the spread of seeds: the 95% interval of the difference of the means leaves out 0 (Welch's t-test)",
    "one with seeds": "one side has one seed: it lies outside of where, in 95 of 100 cases, another seed of the other "
    "side would",
    "intervals": "one seed on each side: the 95% intervals of judging lie apart, which tells of these two runs and not "
    "of their settings",
    "nothing": "nothing tells the noise: one seed on each side, and no interval",
}
"""How it is decided, in words that follow `beyond noise`."""


@dataclass(frozen=True)
class Value:
    """A score of one run. interval: 95%, of judging: what other samples of the same run would give."""

    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Summary:
    """A score of runs that differ by their seeds alone. mean, spread: over the seeds, the standard deviation; None of
    one. interval: 95%, of the mean over seeds, and of one seed that of judging."""

    values: tuple[float, ...]
    mean: float
    spread: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Verdict:
    """Two summaries beside each other. difference: the second's mean less the first's. interval: 95%, of the
    difference; None where that is not told. beyond: whether it is beyond noise; None where nothing tells."""

    difference: float
    interval: tuple[float, float] | None
    beyond: bool | None
    how: How


def t_quantile(degrees: int) -> float:
    """Of Student's t with so many degrees of freedom, beyond which 5% lie on both sides together."""
    return _T[degrees - 1] if degrees <= len(_T) else 1.96 + 2.46 / degrees  # below 0.001 off from there on


def summed_up(values: Sequence[Value]) -> Summary:
    """At least one value. Raises ValueError without."""
    numbers = tuple(each.value for each in values)
    if not numbers:
        raise ValueError("no value to sum up")
    if len(numbers) == 1:
        return Summary(numbers, numbers[0], None, values[0].interval)
    mean, spread = fmean(numbers), stdev(numbers)
    around = t_quantile(len(numbers) - 1) * spread / math.sqrt(len(numbers))
    return Summary(numbers, mean, spread, (mean - around, mean + around))


def verdict(first: Summary, second: Summary) -> Verdict:
    """Whether the second differs from the first beyond noise."""
    difference = second.mean - first.mean
    a, b = len(first.values), len(second.values)
    if first.spread is not None and second.spread is not None:
        around = t_quantile(min(a, b) - 1) * math.sqrt(first.spread**2 / a + second.spread**2 / b)
        return _judged(difference, around, "seeds")
    if first.spread is not None or second.spread is not None:
        spread, count = (first.spread, a) if first.spread is not None else (second.spread, b)
        assert spread is not None
        around = t_quantile(count - 1) * spread * math.sqrt(1 + 1 / count)
        return _judged(difference, around, "one with seeds")
    if first.interval is None or second.interval is None:
        return Verdict(difference, None, None, "nothing")
    beyond = first.interval[1] < second.interval[0] or second.interval[1] < first.interval[0]
    return Verdict(difference, None, beyond, "intervals")


def _judged(difference: float, around: float, how: How) -> Verdict:
    return Verdict(difference, (difference - around, difference + around), abs(difference) > around, how)
