"""The only training loop.

`Training.step` is the whole game: it asks the recipe for turns and plays each of them before it asks for the next.
All randomness inside a turn is a pure function of (seed, step, turn, part), and the data's order of (seed, epoch),
so a training that goes on from a checkpoint, or is split over parts or processes, plays the same game.
"""

from __future__ import annotations

import copy
import itertools
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.data.dataset import Data
from ganvas.data.stream import Stream
from ganvas.errors import TrainingError, UsageError
from ganvas.recipe import Losses, Progress, Recipe, Results, Turn, frozen_names, frozen_networks
from ganvas.settings import Settings
from ganvas.training.agreement import check_weights, share_weights
from ganvas.training.augmenting import Augmenter
from ganvas.training.averaging import MovingAverage, put_submodule
from ganvas.training.hardware import channels_last, pick_device, pick_precision
from ganvas.training.meter import Meter
from ganvas.training.processes import Processes
from ganvas.training.randomness import seed_from
from ganvas.training.state import capture, named, restore
from ganvas.training.watcher import Verdict, Watcher, in_phases

HEALTH_EVERY = 50
"""Steps between two looks at the values on the device: a look makes the device wait, so not at every step."""

PATIENCE = 4
"""Roll-backs in a row, each with half the step size, before training stops and explains itself."""


class Training:
    """One training: the recipe, its optimizers and averages, and where in the game they are.

    processes: those that train together; by default as torchrun says, or this one alone.
    Raises UsageError where the settings cannot be met (a batch that does not divide, a recipe that must not be split).
    """

    def __init__(
        self,
        recipe: Recipe,
        data: Data,
        settings: Settings,
        watchers: Sequence[Watcher] = (),
        processes: Processes | None = None,
    ) -> None:
        self.data, self.settings, self.watchers = data, settings, list(watchers)
        self.processes = processes or Processes.join()
        self.device = pick_device(settings.device, self.processes)
        self.precision = pick_precision(settings.precision, self.device, data.space)
        self.recipe = channels_last(recipe.to(self.device))
        self.frozen = frozen_names(recipe)
        self.optimizers = recipe.optimizers()
        self.players = _players(recipe, self.optimizers)
        self.base_rates = {name: [g["lr"] for g in o.param_groups] for name, o in self.optimizers.items()}
        self.averaged = MovingAverage(recipe, settings.ema)
        split = data.split("train")
        self.parts = settings.accumulate * self.processes.world
        if self.parts > 1 and recipe.whole_batch:
            raise UsageError(
                f"{type(recipe).__name__} uses statistics of the whole batch, which cannot be split; use one process, "
                "and --accumulate 1"
            )
        self.batch_size = min(settings.batch_size, len(split) // self.parts * self.parts)
        if self.batch_size % self.parts or not self.batch_size:
            raise UsageError(
                f"--batch-size {self.batch_size} does not divide into {self.parts} equal parts "
                f"({settings.accumulate} accumulated x {self.processes.world} processes)"
            )
        self.batches = Stream(
            split,
            self.batch_size,
            settings.seed,
            rank=self.processes.rank,
            world=self.processes.world,
            device=self.device,
        )
        self.augmenter = Augmenter(recipe, data, settings, self.device)
        self.meter = Meter(self.device)
        self.steps_done = 0
        self.seconds = 0.0
        self.step_scale = 1.0
        self.roll_backs = 0
        self.outcome = "running"
        self._elapsed_from = time.monotonic()
        self._remembered: dict[str, Any] = {}
        self._good: dict[str, Any] | None = None
        self._mover: str | None = None
        self._asked_to_stop = False

    # -- the game -----------------------------------------------------------------------------------------------

    def step(self) -> dict[str, Results]:
        """One round of the game."""
        progress = self.progress()
        self._set_rates(progress)
        results: dict[str, Results] = {}
        turns, own = self.recipe.turns(progress, self.batches), None
        for number in itertools.count():
            try:
                turn = turns.send(own)
            except StopIteration:
                break
            optimizer = self.optimizers[turn.optimizer]
            optimizer.zero_grad()
            self._let_move(turn.optimizer)
            parts: list[Losses] = []
            for index, part in enumerate(turn.batch.chunk(self.settings.accumulate)):
                part_number = self.processes.rank * self.settings.accumulate + index
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
                    losses = self.losses(turn, part, progress.step, number, part_number)
                (losses.total() / self.parts).backward()
                parts.append(losses)
            self.processes.sum_gradients(self.players[turn.optimizer])
            norm = gradient_norm(self.players[turn.optimizer])
            optimizer.step()
            own = self.results(parts)
            joined = own if turn.after is None else self.processes.join_results(own)
            results[turn.optimizer] = joined
            self.meter.add(turn.optimizer, joined, norm)
            self.augmenter.hear(own)
            if turn.after is not None:
                turn.after(joined)
        self.steps_done += 1
        self.augmenter.adapt(self.steps_done, self.batch_size, self.processes)
        self.averaged.follow(self.steps_done * self.batch_size, self.batch_size)
        return results

    def losses(self, turn: Turn, part: Any, *numbers: int) -> Losses:
        """What a turn gives of a part of its batch, all that is random being a function of the seed and of `numbers`:
        step, turn and part."""
        seed_from(self.settings.seed, *numbers)
        with self.augmenter.showing(self.settings.seed, *numbers):
            return turn.losses(part)

    def run(self) -> None:
        """Plays until the planned length, a watcher's word, or a signal; `outcome` then says which it was.

        Ctrl-C and SIGTERM let the current step finish, so that what is saved is a state between two steps.
        """
        share_weights(self.processes, self.recipe, self.averaged, self.frozen)
        self._elapsed_from = time.monotonic()
        self.watchers = in_phases(self.watchers)
        for watcher in self.watchers:
            watcher.started(self)
        self._good = self.state()
        self.outcome = "crashed"
        try:
            with self._signals_end_the_step():
                self.outcome = self._play()
        except TrainingError:
            self.outcome = "failed"
            raise
        finally:
            for watcher in self.watchers:
                watcher.finished(self)

    def _play(self) -> str:
        self._train_mode()
        over = self.fraction() >= 1
        while not over:
            results = self.step()
            over = self.fraction() >= 1  # asked once a step: a clock may say no now and yes a moment later
            looking = over or self.steps_done % HEALTH_EVERY == 0
            if looking and not self.look():
                over = False
                continue
            verdicts = [watcher.stepped(self, results) for watcher in self.watchers]
            if looking:
                self._good = self.state()
            back, stop, interrupted = self.processes.any_of(
                Verdict.ROLL_BACK in verdicts, Verdict.STOP in verdicts, self._asked_to_stop
            )
            if back:
                self._back_for_a_watcher(verdicts)
                over = False
                continue
            if stop:
                return "stopped early"
            if interrupted:
                return "interrupted"
        return "finished"

    # -- progress -----------------------------------------------------------------------------------------------

    def elapsed(self) -> float:
        """Seconds of training, over all its resumptions."""
        return self.seconds + time.monotonic() - self._elapsed_from

    def fraction(self) -> float:
        """How much of the planned length is done, 0 to 1."""
        s = self.settings
        shares = [
            self.steps_done / s.steps if s.steps else 0.0,
            self.batches.position / (s.epochs * len(self.data.split("train"))) if s.epochs else 0.0,
            self.elapsed() / (60 * s.minutes) if s.minutes else 0.0,
        ]
        # Processes have clocks of their own; all follow the first one's.
        return min(1.0, self.processes.from_first(max(shares)) if s.minutes else max(shares))

    def progress(self) -> Progress:
        return Progress(
            step=self.steps_done,
            items=self.steps_done * self.batch_size,
            epoch=self.batches.epoch,
            fraction=self.fraction(),
        )

    # -- staying finite -----------------------------------------------------------------------------------------

    def look(self) -> bool:
        """Reads the averages off the device. True where all is finite; else rolls back. Raises TrainingError, also
        where processes have drifted apart."""
        row = self.meter.read(self.processes)
        check_weights(self.processes, self.players, self.steps_done)
        if not row.values:
            return True
        if row.culprit is None:
            self.roll_backs = 0
            values = {"step": self.steps_done, "items": self.steps_done * self.batch_size, **row.values}
            values |= self.augmenter.measured()
            for watcher in self.watchers:
                values |= watcher.measure(self)
            for watcher in self.watchers:
                watcher.measured(self, values)
            return True
        self.roll_back(f"{row.culprit} was not finite")
        return False

    def _back_for_a_watcher(self, verdicts: Sequence[Verdict]) -> None:
        """Follows the first watcher that asks for a roll-back."""
        asking = next((w for w, v in zip(self.watchers, verdicts, strict=True) if v is Verdict.ROLL_BACK), Watcher())
        why, state = asking.way_back(self)
        if state is None:
            self.roll_back(why)
            return
        spent = self.elapsed()
        self.load_state(state)
        self.seconds = spent
        for watcher in self.watchers:
            watcher.measured(self, {"step": self.steps_done, "event": why})
        self._good = self.state()

    def roll_back(self, why: str) -> None:
        """Returns to the last good state and goes on from there with half the step size."""
        at, scale, count, spent = self.steps_done, self.step_scale / 2, self.roll_backs + 1, self.elapsed()
        assert self._good is not None  # `run` begins with a state
        self.load_state(self._good)
        self.seconds = spent  # the steps are undone, the time is not
        if count > PATIENCE:
            raise TrainingError(
                f"training diverged: {why} near step {at}, and {PATIENCE} roll-backs with smaller steps did not help; "
                "train anew with a lower learning rate, such as --lr 5e-5"
            )
        self.step_scale, self.roll_backs = scale, count
        for watcher in self.watchers:
            watcher.measured(
                self, {"step": self.steps_done, "event": f"{why} near step {at}; back with {scale:g} of the step size"}
            )

    # -- state --------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything that exact resume needs; see `state.capture`."""
        return capture(self)

    def load_state(self, state: dict[str, Any]) -> None:
        """Puts back what `state` gave."""
        restore(self, state)
        self._elapsed_from = time.monotonic()
        self._remembered = state["values"]["watchers"]
        self.restore_watchers()

    def restore_watchers(self) -> None:
        """Gives the watchers the memories of the last state that was loaded (they may have joined since)."""
        for name, watcher in named(self.watchers).items():
            watcher.state = copy.deepcopy(self._remembered.get(name, {}))

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Inside, the recipe generates with its averaged networks, in evaluation mode and without gradients."""
        live = {name: self.recipe.get_submodule(name) for name in self.averaged}
        for name, module in self.averaged.items():
            put_submodule(self.recipe, name, module)
        try:
            with self.live_weights():
                yield
        finally:
            for name, module in live.items():
                put_submodule(self.recipe, name, module)

    @contextmanager
    def live_weights(self) -> Iterator[None]:
        """Inside, the recipe generates with the weights that train, in evaluation mode and without gradients."""
        self.recipe.eval()
        try:
            with torch.no_grad(), torch.random.fork_rng():
                self.recipe.settle()
                yield
        finally:
            self._train_mode()

    # -- helpers ------------------------------------------------------------------------------------------------

    def _let_move(self, player: str) -> None:
        """Only this player's parameters take gradients; a forward pass then keeps nothing for the others."""
        if self._mover == player:
            return
        for parameter in self.recipe.parameters():
            parameter.requires_grad_(False)
        for parameter in self.players[player]:
            parameter.requires_grad_(True)
        self._mover = player

    def _set_rates(self, progress: Progress) -> None:
        factors = self.recipe.rates(progress)
        for name, optimizer in self.optimizers.items():
            for group, base in zip(optimizer.param_groups, self.base_rates[name], strict=True):
                group["lr"] = base * factors.get(name, 1.0) * self.step_scale
        for name, beta2 in self.recipe.decays(progress).items():
            for group in self.optimizers[name].param_groups:
                group["betas"] = (group["betas"][0], beta2)

    def results(self, parts: Sequence[Losses]) -> Results:
        """What these parts of a turn, which are this process's, gave."""
        first = parts[0]
        return Results(
            terms=_means([part.terms for part in parts]),
            real_logits=_together([part.real_logits for part in parts]),
            fake_logits=_together([part.fake_logits for part in parts]),
            scale=first.scale,
            kept={name: torch.cat([part.kept[name].detach() for part in parts]) for name in first.kept},
            logged=_means([part.logged for part in parts]),
        )

    def _train_mode(self) -> None:
        self.recipe.train()
        for module in frozen_networks(self.recipe).values():
            module.eval()

    @contextmanager
    def _signals_end_the_step(self) -> Iterator[None]:
        """The first Ctrl-C or SIGTERM asks for a stop between two steps; a second one acts at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def ask(number: int, frame: Any) -> None:
            self._asked_to_stop = True
            for each, handler in before.items():
                signal.signal(each, handler)

        self._asked_to_stop = False
        for number in before:
            signal.signal(number, ask)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _means(parts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: sum(part[name].detach() for part in parts) / len(parts) for name in parts[0]}  # type: ignore[misc]


def _together(logits: Sequence[Tensor | None]) -> Tensor | None:
    known = [each.detach().float() for each in logits if each is not None]
    return torch.cat(known) if known else None


def gradient_norm(parameters: Sequence[nn.Parameter]) -> Tensor:
    """The Euclidean norm of all gradients together, on the device. Not finite where any gradient is not."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return torch.zeros(())
    norm: Tensor = torch.stack(torch._foreach_norm(gradients)).float().norm()
    return norm


def _players(recipe: Recipe, optimizers: dict[str, torch.optim.Optimizer]) -> dict[str, list[nn.Parameter]]:
    """Each optimizer's parameters. Raises TypeError where a trainable parameter is in none or in two of them."""
    names = {id(p): n for n, p in recipe.named_parameters() if p.requires_grad}
    players = {name: [p for group in o.param_groups for p in group["params"]] for name, o in optimizers.items()}
    held = [names.get(id(p), "a frozen parameter") for group in players.values() for p in group]
    twice = {name for name in held if held.count(name) > 1}
    missing = set(names.values()) - set(held)
    if twice or missing or "a frozen parameter" in held:
        raise TypeError(
            f"{type(recipe).__name__}.optimizers: each trainable parameter belongs in exactly one optimizer; "
            f"in two: {sorted(twice) or 'none'}, in none: {sorted(missing) or 'none'}"
        )
    return players
