"""The processes that train together. Alone, every method is a no-op.

Rank r of N plays part r of the global batch, so N processes give the gradients of one process that accumulates over
N parts. One flat all-reduce a turn suffices whatever the recipe's networks are called, and works with double backward.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ganvas.recipe import Results


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

            dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
            atexit.register(_leave)
        return Processes(dist.get_rank(), dist.get_world_size())

    @property
    def first(self) -> bool:
        return self.rank == 0

    def sum(self, tensor: Tensor) -> Tensor:
        if self.world > 1:
            tensor = tensor.clone()
            dist.all_reduce(tensor)
        return tensor

    def any(self, flag: bool) -> bool:
        """Whether any process says so."""
        return bool(self.sum(torch.tensor(float(flag), device=self._device())) > 0) if self.world > 1 else flag

    def from_first(self, value: float) -> float:
        """The first process's value."""
        return float(self.sum(torch.tensor(value if self.first else 0.0, dtype=torch.float64, device=self._device())))

    def wait(self) -> None:
        if self.world > 1:
            dist.barrier()

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replaces each gradient by the sum over processes. One that is None here counts as zero; one that is None
        everywhere stays None, as it would in one process, so that its optimizer leaves the parameter alone."""
        if self.world == 1:
            return
        present = torch.tensor([float(p.grad is not None) for p in parameters])
        pieces = [(torch.zeros_like(p) if p.grad is None else p.grad).float().flatten() for p in parameters]
        flat = self.sum(torch.cat([*pieces, present.to(pieces[0].device)]))
        present = flat[-len(parameters) :].cpu()
        for parameter, piece, held in zip(
            parameters, flat.split([p.numel() for p in parameters] + [len(parameters)]), present, strict=False
        ):
            if held:
                gradient = piece.view(parameter.shape).to(parameter.dtype)
                parameter.grad = torch.empty_like(parameter).copy_(gradient)

    def join_results(self, results: Results) -> Results:
        """Terms averaged over the processes, logits and what was kept joined in the order of the global batch."""
        if self.world == 1:
            return results
        return replace(
            results,
            terms={name: self.sum(term) / self.world for name, term in results.terms.items()},
            real_logits=self._join(results.real_logits),
            fake_logits=self._join(results.fake_logits),
            kept={name: self._gathered(each) for name, each in results.kept.items()},
            logged={name: self.sum(number) / self.world for name, number in results.logged.items()},
        )

    def _join(self, logits: Tensor | None) -> Tensor | None:
        return None if logits is None else self._gathered(logits)

    def _gathered(self, tensor: Tensor) -> Tensor:
        """(n, ...) of each process to (world * n, ...), in the order of their ranks."""
        tensor = tensor.contiguous()
        pieces = [torch.empty_like(tensor) for _ in range(self.world)]
        dist.all_gather(pieces, tensor)
        return torch.cat(pieces)

    def _device(self) -> torch.device:
        return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
