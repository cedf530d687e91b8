"""What a training costs on other machines, by a model: arithmetic, bytes moved, operations started, gradients sent.

One round of a recipe's steps is played here, small, and counted (`count`): the floating-point operations of matrix
products and convolutions by PyTorch's counter, the bytes that every operation reads and writes, and how many there
are. Each is a fixed part and one for each item of the batch, so any batch follows. `estimate` turns them into seconds
on a device of `DEVICES`, whose rates are its maker's and whose shares of them are assumed (`SHARE`, `OF_BANDWIDTH`),
save the microseconds that an operation takes to start (`LAUNCH`), which were measured; see docs/scaling.md.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from ganvas.building import settle
from ganvas.data.batches import Images
from ganvas.data.opening import open_data
from ganvas.errors import UsageError, near_miss
from ganvas.recipe import Recipe
from ganvas.text import quoted
from ganvas.training import Processes, Training

ROUND = 4
"""Steps that are counted: among so many is one with every lazy penalty."""

SHARE, OF_BANDWIDTH = 0.4, 0.7
"""Assumed: of a device's greatest arithmetic and of its memory's rate, what a training gets."""

LAUNCH = 43e-6
"""Seconds that the host takes for each operation, Python and autograd included: the mean of three recipes on an H200
(docs/benchmarks.md, 64 a batch)."""

MOST_DEVICES, MOST_IMAGES = 100_000, 1e15


@dataclass(frozen=True)
class Device:
    """flops: of dense bf16 matrix products a second; bytes: of memory a second; link: to the others of its machine, one
    way; network: its share of what connects machines of 8, one way. All as its maker says."""

    name: str
    flops: float
    bytes: float
    link: float
    network: float
    source: str


DEVICES = {
    device.name.lower(): device
    for device in (
        Device("A100", 312e12, 2.039e12, 300e9, 25e9, "NVIDIA A100 80GB SXM data sheet; HDR 200 Gbit/s a GPU"),
        Device("H100", 989e12, 3.35e12, 450e9, 50e9, "NVIDIA H100 SXM data sheet; NDR 400 Gbit/s a GPU"),
        Device("H200", 989e12, 4.8e12, 450e9, 50e9, "NVIDIA H200 SXM data sheet; NDR 400 Gbit/s a GPU"),
        Device("B200", 2250e12, 8e12, 900e9, 50e9, "NVIDIA HGX B200 data sheet; NDR 400 Gbit/s a GPU"),
        Device("L4", 121e12, 0.3e12, 32e9, 12.5e9, "NVIDIA L4 data sheet, without sparsity; PCIe 4.0 x16; 100 Gbit/s"),
        Device("RTX4090", 165e12, 1.008e12, 32e9, 12.5e9, "NVIDIA Ada whitepaper; PCIe 4.0 x16; 100 Gbit/s"),
    )
}


@dataclass(frozen=True)
class Work:
    """Of a step: arithmetic in convolutions and in matrix products, bytes read and written, operations."""

    convolutions: float
    products: float
    bytes: float
    operations: float

    @property
    def flops(self) -> float:
        return self.convolutions + self.products

    def __sub__(self, other: Work) -> Work:
        return Work(*(a - b for a, b in zip(asdict(self).values(), asdict(other).values(), strict=True)))

    def plus(self, other: Work, times: float) -> Work:
        return Work(*(a + times * b for a, b in zip(asdict(self).values(), asdict(other).values(), strict=True)))


@dataclass(frozen=True)
class Counted:
    """fixed: what a step takes of whatever batch; item: for each of its items. parameters: of all networks that learn;
    sent: numbers of gradients that processes add up in a step."""

    fixed: Work
    item: Work
    parameters: int
    sent: float

    def step(self, items: float) -> Work:
        return self.fixed.plus(self.item, items)


@dataclass(frozen=True)
class Estimate:
    """Seconds of a step and of its parts. The device computes while the host starts operations, so that the longer of
    the two counts; gradients are sent when they are all there."""

    arithmetic: float
    memory: float
    starting: float
    sending: float

    @property
    def seconds(self) -> float:
        return max(self.arithmetic + self.memory, self.starting) + self.sending

    @property
    def bound(self) -> str:
        """What most of it is."""
        parts = {"arithmetic": self.arithmetic, "memory": self.memory, "sending gradients": self.sending}
        if self.starting > self.arithmetic + self.memory:
            parts = {"starting operations": self.starting, "sending gradients": self.sending}
        return max(parts, key=lambda name: parts[name])


def parse_devices(text: str) -> tuple[int, Device]:
    """`8xH100` as (8, device). Raises UsageError."""
    match = re.fullmatch(r"\s*(?:(\d{1,9})\s*[x*]\s*)?([\w -]{1,40}?)\s*", text)
    if not match:
        raise UsageError(f"--on takes a number and a device such as 8xH100, not {quoted(text)}")
    count, name = int(match[1] or 1), match[2].replace(" ", "").replace("-", "").lower()
    if name not in DEVICES:
        known = [device.name for device in DEVICES.values()]
        raise UsageError(f"no device {quoted(match[2])} is known{near_miss(match[2], known)}")
    if not 1 <= count <= MOST_DEVICES:
        raise UsageError(f"--on takes 1 to {MOST_DEVICES:,} devices, not {count:,}")
    return count, DEVICES[name]


def count(recipe: type[Recipe], size: int, changes: Mapping[str, Any]) -> Counted:
    """Counts a step of the recipe on pictures of `size` x `size` pixels by playing some with a few
    and with twice as many. changes: arguments of the recipe. Raises UsageError for recipes of other data."""
    items = 4 if size <= 64 else 2
    small, parameters, sent = _counted(recipe, size, items, changes)
    large, _, _ = _counted(recipe, size, 2 * items, changes)
    item = Work(0, 0, 0, 0).plus(large - small, 1 / items)
    return Counted(small.plus(item, -items), item, parameters, sent)


def _counted(recipe: type[Recipe], size: int, items: int, changes: Mapping[str, Any]) -> tuple[Work, int, float]:
    listening = _Listening()
    training = training_on(recipe, size, items, changes, listening)
    with counting() as counter:
        for _ in range(ROUND):
            training.step()
    parameters = sum(parameter.numel() for player in training.players.values() for parameter in player)
    return counter.work(ROUND), parameters, sum(listening.sent) / ROUND


@dataclass(frozen=True)
class _Listening(Processes):
    """A process alone that notes how many numbers it would send."""

    sent: list[int] = field(default_factory=list)

    def sum_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        self.sent.append(sum(parameter.numel() for parameter in parameters))


def training_on(
    recipe: type[Recipe], size: int, items: int, changes: Mapping[str, Any], processes: Processes | None = None
) -> Training:
    """A training on random pictures without labels, ready for its first step."""
    pictures = np.random.default_rng(0).integers(0, 256, (2 * items + 10, size, size, 3), np.uint8)
    data = open_data(pictures, Images, size=size, progress=False)
    given = {**changes, "steps": 1000, "batch_size": items}
    try:
        arguments, settings = settle(recipe, data, given, recipe.__name__)
    except UsageError as error:
        raise UsageError(f"the cost of {recipe.__name__} is not told: {error}") from None
    torch.manual_seed(0)
    training = Training(recipe(**arguments), data, settings, processes=processes)
    training._train_mode()
    return training


def estimate(counted: Counted, device: Device, devices: int, batch: int) -> Estimate:
    """Of a step of `batch` items on all devices together."""
    work = counted.step(batch / devices)
    return Estimate(
        work.flops / (SHARE * device.flops),
        work.bytes / (OF_BANDWIDTH * device.bytes),
        work.operations * LAUNCH,
        all_reduce(4 * counted.sent, device, devices),
    )


def all_reduce(size: float, device: Device, devices: int) -> float:
    """Seconds in which all devices add up `size` bytes: a ring within machines of 8, and one of their parts between
    them, 20 microseconds for each of its steps."""
    inside, machines = min(devices, 8), math.ceil(devices / 8)
    seconds = 2 * (inside - 1) / inside * size / device.link
    if machines > 1:
        seconds += 2 * (machines - 1) / machines * size / 8 / device.network + 20e-6 * 2 * math.log2(machines)
    return seconds


class Counter(TorchDispatchMode):
    """Counts the operations that reach the device, and the bytes of the tensors that they read and make."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.operations = 0
        self.flops: dict[Any, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.operations += 1
            self.bytes += sum(_bytes_of(each) for each in (*args, made))
        return made

    def work(self, steps: int) -> Work:
        convolutions = sum(n for op, n in self.flops.items() if "convolution" in str(op))
        every = sum(self.flops.values())
        return Work(convolutions / steps, (every - convolutions) / steps, self.bytes / steps, self.operations / steps)


def _bytes_of(value: Any) -> int:
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    return sum(map(_bytes_of, value)) if isinstance(value, (list, tuple)) else 0


class Untracked(contextlib.nullcontext[None]):
    """In place of the counter's tracker of modules, whose hooks refuse the gradient that a penalty is made of."""

    parents = frozenset({"Global"})


@contextlib.contextmanager
def counting() -> Iterator[Counter]:
    """Inside, all operations are counted."""
    flops, counter = FlopCounterMode(display=False), Counter()
    flops.mod_tracker = Untracked()  # type: ignore[assignment]
    with flops, counter:
        yield counter
    counter.flops = dict(flops.get_flop_counts().get("Global", {}))
