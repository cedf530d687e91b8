"""The processes that train together. Alone, every method is a no-op.

Rank r of N plays part r of the global batch, so N processes give the gradients of one process that accumulates over
N parts. One flat all-reduce a turn suffices whatever the recipe's networks are called, and works with double backward.
"""

from __future__ import annotations

import atexit
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

from ganvas.errors import TrainingError, UsageError
from ganvas.recipe import Results
from ganvas.text import quoted
from ganvas.training.meeting import met

PATIENCE = "GANVAS_PATIENCE_MINUTES"
"""The variable that says how many minutes a process waits for the others; it must be longer than what the first one
does alone, such as scoring."""

PATIENCE_MINUTES = 10.0
"""PyTorch's own half hour is long for machines that are paid for and do nothing."""

_GONE = ("connection closed", "connection reset", "broken pipe", "connection refused", "unreachable", "socket")
_SILENT = ("timed out", "timeout")
"""What PyTorch's backends say, in small letters, where a peer has ended, and where it does not answer."""


@dataclass(frozen=True)
class Processes:
    rank: int = 0
    world: int = 1

    @staticmethod
    def join() -> Processes:
        """The group that torchrun described in the environment, or this process alone."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if world == 1:
            return Processes()
        if not dist.is_initialized():
            # A thread of gloo drops each tensor that it reduced a moment after the reduction is known to be done, and
            # needs the interpreter for it. One that asks while Python ends aborts the process (PyTorch's issue 190489),
            # and torchrun calls a finished training failed. Only the last reference to the group joins its threads, and
            # the functions of this module take the group as a default when they are imported after it was made.
            import torch.distributed.nn

            # Tensors of the CPU go by gloo beside a GPU too: what is decided on the host never waits for the device.
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            with _peers(f"could not meet the other processes of {world}"):
                store, rank, _ = next(rendezvous("env://", timeout=_patience()))
                store = met(store, rank, world, _patience())
                dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=_patience())
            atexit.register(_leave)
        return Processes(dist.get_rank(), dist.get_world_size())

    @property
    def first(self) -> bool:
        return self.rank == 0

    def backend(self, device: torch.device) -> str:
        """What carries the tensors of a device from one process to another."""
        return "nccl" if device.type == "cuda" else "gloo"

    def sum(self, tensor: Tensor) -> Tensor:
        return self._added(tensor.clone()) if self.world > 1 else tensor

    def any(self, flag: bool) -> bool:
        """Whether any process says so."""
        return self.any_of(flag)[0]

    def any_of(self, *flags: bool) -> list[bool]:
        """Of each flag, whether any process says so; in one exchange."""
        if self.world == 1:
            return list(flags)
        return [bool(count) for count in self.sum(torch.tensor(flags, dtype=torch.float32)).tolist()]

    def from_first(self, value: float) -> float:
        """The first process's value."""
        return float(self.sum(torch.tensor(value if self.first else 0.0, dtype=torch.float64)))

    def wait(self) -> None:
        """Until all have come this far."""
        self.sum(torch.zeros(()))

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replaces each gradient by the sum over processes. One that is None here counts as zero; one that is None
        everywhere stays None, as it would in one process, so that its optimizer leaves the parameter alone."""
        if self.world == 1:
            return
        present = self.any_of(*(p.grad is not None for p in parameters))
        moved = [p for p, there in zip(parameters, present, strict=True) if there]
        if not moved:
            return
        pieces = [(torch.zeros_like(p) if p.grad is None else p.grad).float().flatten() for p in moved]
        flat = self._added(torch.cat(pieces))
        for parameter, piece in zip(moved, flat.split([p.numel() for p in moved]), strict=True):
            if parameter.grad is None:
                parameter.grad = torch.empty_like(parameter)
            parameter.grad.copy_(piece.view(parameter.shape))

    def copy_from_first(self, tensor: Tensor) -> None:
        """Overwrites the tensor with the first process's, bit for bit."""
        if self.world > 1:
            sent = tensor.detach().clone(memory_format=torch.contiguous_format)
            with _peers(self._where()):
                dist.broadcast(sent, 0)
            tensor.detach().copy_(sent)

    def texts(self, text: str) -> list[str]:
        """What each process has to tell, in the order of their ranks."""
        told = torch.tensor(list(text.encode()), dtype=torch.uint8)
        lengths = self.joined(torch.tensor([len(told)])).tolist()
        padded = torch.cat([told, told.new_zeros(max(lengths) - len(told))])
        rows = self.joined(padded[None]).tolist()
        return [bytes(row[:length]).decode() for row, length in zip(rows, lengths, strict=True)]

    def join_results(self, results: Results) -> Results:
        """Terms averaged over the processes, logits and what was kept joined in the order of the global batch."""
        if self.world == 1:
            return results
        return replace(
            results,
            terms={name: self.sum(term) / self.world for name, term in results.terms.items()},
            real_logits=self._join(results.real_logits),
            fake_logits=self._join(results.fake_logits),
            kept={name: self.joined(each) for name, each in results.kept.items()},
            logged={name: self.sum(number) / self.world for name, number in results.logged.items()},
        )

    def _join(self, logits: Tensor | None) -> Tensor | None:
        return None if logits is None else self.joined(logits)

    def joined(self, tensor: Tensor) -> Tensor:
        """(n, ...) of each process to (world * n, ...), in the order of their ranks."""
        return self._gathered(tensor) if self.world > 1 else tensor

    def _added(self, tensor: Tensor) -> Tensor:
        """The tensor, which is overwritten by the sum over processes."""
        with _peers(self._where()):
            dist.all_reduce(tensor)
        return tensor

    def _gathered(self, tensor: Tensor) -> Tensor:
        tensor = tensor.contiguous()
        pieces = [torch.empty_like(tensor) for _ in range(self.world)]
        with _peers(self._where()):
            dist.all_gather(pieces, tensor)
        return torch.cat(pieces)

    def _where(self) -> str:
        return f"process {self.rank} of {self.world} cannot go on"


@contextmanager
def _peers(failed: str) -> Iterator[None]:
    """Inside, an exchange with the others. Raises TrainingError, which begins with `failed`, where one of them has
    ended or does not answer."""
    try:
        yield
    except RuntimeError as error:  # which all errors of torch.distributed are
        said = str(error).lower()
        advice = "the lines of that process say why; begun again, the training goes on from its last checkpoint"
        if any(sign in said for sign in _SILENT):
            minutes = _patience().total_seconds() / 60
            raise TrainingError(
                f"{failed}: another one has not answered for {minutes:g} minutes ({PATIENCE} sets how long to wait); "
                f"{advice}"
            ) from None
        if any(sign in said for sign in _GONE):
            raise TrainingError(
                f"{failed}: another one has ended, or its machine cannot be reached; {advice}"
            ) from None
        raise


def _patience() -> timedelta:
    """Raises UsageError where the variable holds no number of minutes above 0."""
    text = os.environ.get(PATIENCE, str(PATIENCE_MINUTES))
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes < 1e6:
        raise UsageError(f"{PATIENCE} must be a number of minutes above 0, not {quoted(text)}")
    return timedelta(minutes=minutes)


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
