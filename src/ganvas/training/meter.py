"""Averages of what the turns report, kept on the device until somebody looks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ganvas.recipe import Results
from ganvas.training.processes import Processes


@dataclass(frozen=True)
class Row:
    """Averages by name, such as `discriminator/accuracy_real`; `culprit` names one that is not finite."""

    values: dict[str, float]
    culprit: str | None


class Meter:
    """Sums of every reported number, one small vector for each set of names, so that a turn costs one addition."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._sums: dict[str, Tensor] = {}

    def add(self, player: str, results: Results, gradient_norm: Tensor) -> None:
        """Counts one turn. Accuracy counts logits on the right side of 0, probability is the mean of their sigmoid;
        both are told where 0 divides anything. Pairs are in the logits of real samples, and those of generated ones
        say nothing more. What a recipe logs is under `value/`, so nobody takes it for a loss."""
        reported = {f"{player}/{name}": term for name, term in results.terms.items()}
        paired = results.scale == "pair"
        of_real = ("pair" if paired else "real", results.real_logits, 1)
        for kind, logits, sign in (of_real, ("fake", None if paired else results.fake_logits, -1)):
            if logits is None:
                continue
            if results.scale != "score":
                reported[f"{player}/accuracy_{kind}"] = (sign * logits > 0).float().mean()
                reported[f"{player}/probability_{kind}"] = logits.sigmoid().mean()
            reported[f"{player}/logit_{kind}"] = logits.mean()
        reported[f"{player}/gradient_norm"] = gradient_norm
        reported |= {f"value/{player}/{name}": number for name, number in results.logged.items()}
        key = ",".join(reported)
        vector = torch.stack([value.float().reshape(()).to(self.device) for value in reported.values()])
        vector = torch.cat([vector, vector.new_ones(1)])  # the last entry counts the turns
        self._sums[key] = self._sums[key] + vector if key in self._sums else vector

    def finite(self) -> bool:
        """Whether everything since the last reading was finite (makes the device wait)."""
        return all(bool(vector.isfinite().all()) for vector in self._sums.values())

    def read(self, processes: Processes) -> Row:
        """The averages since the last reading, over all processes, which then start anew."""
        totals: dict[str, float] = {}
        counts: dict[str, float] = {}
        for key in sorted(self._sums):
            *sums, count = processes.sum(self._sums[key]).tolist()
            for name, value in zip(key.split(","), sums, strict=True):
                totals[name] = totals.get(name, 0.0) + value
                counts[name] = counts.get(name, 0.0) + count
        self._sums = {}
        values = {name: totals[name] / counts[name] for name in totals}
        culprit = next((name for name, value in values.items() if value != value or abs(value) == float("inf")), None)
        return Row(values, culprit)

    def so_far(self) -> dict[str, float]:
        """This process's averages since the last reading, which goes on; those that are not finite are left out."""
        found: dict[str, float] = {}
        for key, vector in self._sums.items():
            *sums, count = vector.tolist()
            found |= {name: total / count for name, total in zip(key.split(","), sums, strict=True)}
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def state(self) -> dict[str, Tensor]:
        return {key: vector.clone() for key, vector in self._sums.items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self._sums = {key: vector.to(self.device, copy=True) for key, vector in state.items()}
