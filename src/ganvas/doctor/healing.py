"""`--heal`: a run that ails goes back to its last healthy checkpoint and on from there with a remedy.

`Healer` is a watcher. After each look at samples it asks the doctor. While nothing is wrong it holds on to a checkpoint
now and then; when the same kind of trouble has lasted for a few looks, it sends training back to that checkpoint, or to
the start where the remedy did not help at once, and calms the game: no momentum, and higher weights of the penalties
that the recipe lists in `penalties`. Learning rates are lowered only where that has not helped or cannot be done: the
game then learns so much less in the steps it has left that the cure can be worse than the trouble (docs/doctor.md has
numbers). What it changed is in its state, so a resumed run goes on as it would have.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch.optim import Optimizer

from ganvas.doctor import looks
from ganvas.doctor.diagnosis import Finding, diagnose
from ganvas.doctor.measurements import LOOKS
from ganvas.recipe import Results
from ganvas.run import Row, judges
from ganvas.schema import number, record, several, table, text, truth, whole
from ganvas.training import Checkpoints, Game, Verdict, Watcher, checkpoint

PATIENCE = 2
"""Looks in a row that must find the run ailing; twice as many after each healing, as a calmer game learns slowly."""

MOST = 4
"""Healings of a run. After that it trains on as it is."""

HOLD_EVERY = 300
"""Steps between two checkpoints that are held: writing one costs about as much as a step or two. The older of the last
two is then from well before the first look that found anything."""

ROWS = 80
"""Rows of numbers that the diagnosis is made from."""

RATES = {
    "divergence": 0.2,
    "overpowering": 0.2,
    "weak": 0.2,
    "oscillation": 0.3,
    "collapse": 0.3,
    "partial collapse": 0.3,
}
"""By diagnosis, what the learning rates of those who are `too_fast` are multiplied with. Other diagnoses are of the
data or of the networks, which no change to a live game can heal."""

CALMED = ("collapse", "partial collapse", "oscillation", "divergence")
"""Diagnoses at which it helps to play without momentum, and with a penalty on the discriminator's gradients: where that
was 0 it becomes 1, else it doubles. Where there is either to change, learning rates stay the first time, but for a
divergence."""


class Healer(Watcher):
    """Sends training back with a remedy. checkpoints: where it goes back to. config: the run's, for the diagnosis."""

    phase = "save"
    memory = record(
        {},
        {
            "rows": several(record({"step": whole()})),
            "healings": several(
                record({"rates": table(number(0, 1)), "penalties": several(text()), "calmed": truth}), MOST
            ),
            "ailing": whole(),
            "since": whole(),
            "again": truth,
        },
    )

    def __init__(self, checkpoints: Checkpoints, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.checkpoints, self.config = checkpoints, config
        self._rates: dict[str, list[float]] = {}
        self._penalties: dict[str, float] = {}
        self._finding: Finding | None = None
        self._after: dict[str, Any] | None = None

    def started(self, training: Game) -> None:
        self._rates = copy.deepcopy(training.base_rates)
        self._penalties = {name: getattr(training.recipe, name) for name in training.recipe.penalties}
        self.state = {"rows": [], "healings": [], "ailing": 0, "since": 0, "again": False, **self.state}
        self._treat(training)
        if training.steps_done == 0:
            self.checkpoints.hold(training)

    def measured(self, training: Game, row: Mapping[str, Any]) -> None:
        if self._after is not None:  # training is back, and so is this memory, which must know what was done since
            self.state |= {"ailing": 0, **self._after}
            self._after = None
            self._treat(training)
        earlier = [each for each in self.state["rows"] if "event" not in row or each["step"] <= training.steps_done]
        self.state["rows"] = [*earlier, dict(row)][-ROWS:]
        looked = any(key.startswith("signal/") for key in row)
        self._finding = diagnose(self.state["rows"], self.config)[0] if looked else None

    def stepped(self, training: Game, results: Mapping[str, Results]) -> Verdict:
        finding, self._finding = self._finding, None
        if finding is None or len(self.state["healings"]) >= MOST:
            return Verdict.CONTINUE
        if finding.name in RATES:
            if self.state["ailing"] == 0:
                self.state["since"] = training.steps_done
            self.state["ailing"] += 1
            patience = PATIENCE * 2 ** len(self.state["healings"])
            return Verdict.ROLL_BACK if self.state["ailing"] >= patience else Verdict.CONTINUE
        self.state["ailing"] = 0
        if training.steps_done - self.checkpoints.state.get("held", [0])[-1] >= HOLD_EVERY:
            self.state["again"] = False
            self.checkpoints.hold(training)
        return Verdict.CONTINUE

    def way_back(self, training: Game) -> tuple[str, dict[str, Any] | None]:
        found = diagnose(self.state["rows"], self.config)
        finding, factor = found[0], RATES[found[0].name]
        calmed = finding.name in CALMED
        hasty = any(momentum(optimizer) > 0 for optimizer in training.optimizers.values())
        calmed_before = any(healing["calmed"] for healing in self.state["healings"])
        if calmed and finding.name != "divergence" and not calmed_before and (hasty or self._penalties):
            factor = 1.0
        slowed = too_fast(found, self.state["rows"], list(training.optimizers))
        healing: dict[str, Any] = {
            "rates": {name: factor if name in slowed else 1.0 for name in training.optimizers},
            "penalties": sorted(self._penalties) if calmed else [],
            "calmed": calmed,
        }
        healings = [*self.state["healings"], healing]
        self._after = {"healings": healings, "again": True}
        # The doctor goes by the last few looks, and what ails a run has crept up on it by the first of them.
        began = self.state["since"] - 2 * (LOOKS - 1) * looks.LOOK_EVERY
        place = self.checkpoints.held(0 if self.state["again"] else began)
        state = None if place is None else checkpoint.read(place)
        at = training.steps_done if state is None else state["values"]["step"]
        told = [f"learning rate of the {name} x {factor:g}" for name, factor in healing["rates"].items() if factor != 1]
        told += [f"{name} {self._penalty(name, healings):g}" for name in healing["penalties"]]
        if calmed and hasty:
            told.append("no momentum")
        last = "; this was the last healing" if len(healings) == MOST else ""
        return (
            f"{finding.title.lower()} at step {training.steps_done:,} ({finding.evidence}): back at step {at:,} with "
            f"{', '.join(told)}{last}",
            state,
        )

    def _treat(self, training: Game) -> None:
        """Makes the game what all healings together have made of it."""
        healings = self.state["healings"]
        for name, rates in self._rates.items():
            factor = math.prod(healing["rates"].get(name, 1.0) for healing in healings)
            training.base_rates[name] = [rate * factor for rate in rates]
        if any(healing["calmed"] for healing in healings):
            for optimizer in training.optimizers.values():
                set_momentum(optimizer, 0.0)
        for name in self._penalties:
            setattr(training.recipe, name, self._penalty(name, healings))

    def _penalty(self, name: str, healings: list[dict[str, Any]]) -> float:
        weight = self._penalties[name]
        for healing in healings:
            if name in healing["penalties"]:
                weight = 2 * weight or 1.0
        return weight


def too_fast(found: Sequence[Finding], rows: Sequence[Row], players: Sequence[str]) -> set[str]:
    """The players whom the remedy for the main one of these findings slows down: discriminators that are too strong,
    those who play against one that is too weak, and everybody where nobody in particular is too fast."""
    main, judging = found[0], set(judges(rows))
    if main.name == "overpowering":
        return {each.player for each in found if each.name == main.name and each.player} or judging
    return set(players) - judging if main.name == "weak" else set(players)


def momentum(optimizer: Optimizer) -> float:
    """Adam's first decay or SGD's momentum; 0 where there is neither."""
    group = optimizer.param_groups[0]
    return float(group["betas"][0] if "betas" in group else group.get("momentum", 0.0))


def set_momentum(optimizer: Optimizer, value: float) -> None:
    for group in optimizer.param_groups:
        if "betas" in group:
            group["betas"] = (value, *group["betas"][1:])
        elif "momentum" in group:
            group["momentum"] = value
