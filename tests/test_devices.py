"""Nothing makes the host wait for the device within a step: batches are sent from pinned memory, and the game reads no
number off the device."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ganvas import recipes
from ganvas.costs import training_on
from ganvas.devices import sent

READING = ("_local_scalar_dense", "nonzero", "equal", "_unique2", "unique_dim", "masked_select")
"""Operations whose result, or whose size, the host has to know; so does a choice of items by a mask."""


class Reads(TorchDispatchMode):
    """Counts what makes the host wait."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function.overloadpacket.__name__
        masked = name in ("index", "index_put", "index_put_") and any(
            each is not None and each.dtype == torch.bool for each in args[1]
        )
        self.seen[name] += name in READING or masked
        return function(*args, **(kwargs or {}))


def test_what_makes_the_host_wait_is_noticed() -> None:
    with Reads() as reads:
        _ = torch.ones(3).sum().item(), torch.ones(3)[torch.ones(3) > 0]
    assert reads.seen["_local_scalar_dense"] and reads.seen["index"]


@pytest.mark.parametrize(
    ("name", "changes"),
    [("r3gan", {"augment": "ada"}), ("dcgan", {"augment": "diff"}), ("wgan-gp", {}), ("stylegan2", {}), ("wgan", {})],
)
def test_a_step_reads_no_number_off_the_device(name: str, changes: dict[str, Any]) -> None:
    training = training_on(recipes.find(name), 16, 4, changes)
    training.step()
    with Reads() as reads:
        for _ in range(4):  # among so many are all lazy penalties and changes of the augmentation
            training.step()
    assert +reads.seen == {}


def test_what_goes_to_a_gpu_is_pinned_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: (told.append("pinned"), tensor)[1])
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, *place, **how: (told.append((place, how)), tensor)[1])
    rows = np.arange(6).reshape(2, 3)
    assert torch.equal(sent(rows, "cuda:0"), torch.arange(6).reshape(2, 3))
    assert told == ["pinned", (("cuda:0",), {"non_blocking": True})]


def test_on_the_cpu_nothing_is_copied() -> None:
    rows = np.zeros(3, np.float32)
    sent(rows)[1] = 5
    assert rows.tolist() == [0, 5, 0]
