"""Inputs that are numbers: what noise is made of, and knobs that people turn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ganvas.errors import UsageError
from ganvas.inputs.base import Input, checked, numbers_in, quoted, tensor_of
from ganvas.text import counted

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Normal(Input):
    """Numbers from N(0, 1).

    sphere: they are brought to unit mean square, so that all draws lie on a sphere; the generator then sees by the
    length how far a truncated one is from the mean.
    """

    kind: ClassVar[str] = "normal"
    smooth: ClassVar[bool] = True
    size: tuple[int, ...]
    sphere: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return self.size

    def draw(self, n: int, device: torch.device, first: int = 0) -> Tensor:
        import torch

        values = torch.empty(n, *self.size, device=device).normal_()
        return self.nearest(values) if self.sphere else values

    def nearest(self, values: Tensor) -> Tensor:
        """On the sphere; without one, not farther from the mean than nearly all draws: their lengths have a standard
        deviation of at most 1 around the root of how many numbers there are."""
        square = values.square().flatten(1).mean(1)
        if self.sphere:
            share = square.add(1e-8).rsqrt()
        else:
            count = math.prod(self.size)
            share = ((math.sqrt(count) + 3) / (square * count).sqrt().clamp(min=1e-8)).clamp(max=1)
        return values * share.reshape(-1, *(1 for _ in self.size))

    def truncated(self, values: Tensor, share: float) -> Tensor:
        """On the straight line to the mean, which is 0 (the truncation trick: Karras et al. 2019, appendix B)."""
        return values * share

    def parse(self, value: Any) -> Tensor:
        """A tensor, (*shape) or (k, *shape)."""
        values = tensor_of(value)
        if values is None:
            raise UsageError("a latent is drawn, and not given as text; --seed chooses it")
        return checked(values.float(), self)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "shape": list(self.size), **({"sphere": True} if self.sphere else {})}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Normal:
        kind = Noise if told.get("details") else Normal
        return kind(tuple(map(int, told["shape"])), bool(told.get("sphere", False)))


@dataclass(frozen=True)
class Noise(Normal):
    """Numbers from N(0, 1) that decide what is random in the details. A search for what makes a sample leaves them as
    they were drawn: with one number for each pixel it would draw the sample in them."""

    smooth: ClassVar[bool] = False

    def to_json(self) -> dict[str, Any]:
        return super().to_json() | {"details": True}


@dataclass(frozen=True)
class Shift(Input):
    """Numbers that are 0 unless given: how far to go from where the other inputs have placed a sample in an inner
    space, such as StyleGAN's w. Searches go on in it, and directions are told in its last dimension, the same for all
    others."""

    kind: ClassVar[str] = "shift"
    smooth: ClassVar[bool] = True
    size: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.size

    @property
    def unless_given(self) -> str:
        return "0"

    def draw(self, n: int, device: torch.device, first: int = 0) -> Tensor:
        """Zeros: as it would be without."""
        import torch

        return torch.zeros(n, *self.size, device=device)

    def example(self, n: int, device: torch.device) -> Tensor:
        """Numbers from N(0, 1), since zeros would show nothing."""
        import torch

        return torch.empty(n, *self.size, device=device).normal_()

    def parse(self, value: Any) -> Tensor:
        """A tensor, (*shape) or (k, *shape)."""
        values = tensor_of(value)
        if values is None:
            raise UsageError("a shift is found by inversion or along directions, and not given as text")
        return checked(values.float(), self)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "shape": list(self.size)}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Shift:
        return cls(tuple(map(int, told["shape"])))


@dataclass(frozen=True)
class Uniform(Input):
    """Numbers that are evenly distributed between `low` and `high`."""

    kind: ClassVar[str] = "uniform"
    smooth: ClassVar[bool] = True
    size: tuple[int, ...]
    low: float = -1.0
    high: float = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        return self.size

    @property
    def count(self) -> int:
        """How many numbers one sample takes."""
        return math.prod(self.size)

    def draw(self, n: int, device: torch.device, first: int = 0) -> Tensor:
        import torch

        return (self.high - self.low) * torch.rand(n, *self.size, device=device) + self.low

    def nearest(self, values: Tensor) -> Tensor:
        return values.clamp(self.low, self.high)

    def parse(self, value: Any) -> Tensor:
        """Numbers: with commas between them in text, a list in JSON, a tensor (*shape) or (k, *shape)."""
        values = numbers_in(value, self.size)
        if not bool(((values >= self.low) & (values <= self.high)).all()):
            raise UsageError(f"must be {self.admits()}, not {quoted(value)}")
        return values.float()

    def admits(self) -> str:
        few = "a number" if self.count == 1 else f"{self.count} numbers with commas between them, each"
        return f"{few} from {self.low:g} to {self.high:g}"

    def schema(self) -> dict[str, Any]:
        number = {"type": "number", "minimum": self.low, "maximum": self.high}
        told = f"{counted(self.count, 'number')} from {self.low:g} to {self.high:g}; by default drawn"
        if not self.size:
            return {**number, "description": told}
        bounds = {"minItems": self.count, "maxItems": self.count}
        return {"type": "array", "items": number, **bounds, "description": told}

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "shape": list(self.size), "low": self.low, "high": self.high}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Uniform:
        return cls(tuple(map(int, told["shape"])), float(told["low"]), float(told["high"]))


@dataclass(frozen=True)
class Number(Input):
    """A number from `low` to `high` that is never drawn: it is `default` where nobody gives it."""

    kind: ClassVar[str] = "number"
    low: float
    high: float
    default: float

    @property
    def shape(self) -> tuple[int, ...]:
        return ()

    @property
    def unless_given(self) -> str:
        return f"{self.default:g}"

    def draw(self, n: int, device: torch.device, first: int = 0) -> Tensor:
        """The default, n times."""
        import torch

        return torch.full((n,), float(self.default), device=device)

    def example(self, n: int, device: torch.device) -> Tensor:
        """Numbers of the whole range, since one that never differs would show nothing."""
        import torch

        return self.low + (self.high - self.low) * torch.rand(n, device=device)

    def parse(self, value: Any) -> Tensor:
        """A number, as text too; k of them as a list or a tensor (k,)."""
        values = numbers_in(value, ())
        if not bool(((values >= self.low) & (values <= self.high)).all()):
            raise UsageError(f"must be {self.admits()}, not {quoted(value)}")
        return values.float()

    def admits(self) -> str:
        return f"a number from {self.low:g} to {self.high:g}"

    def schema(self) -> dict[str, Any]:
        told = {"type": "number", "minimum": self.low, "maximum": self.high, "default": self.default}
        return told | {"description": f"{self.admits()}; by default {self.unless_given}"}

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "shape": [], "low": self.low, "high": self.high, "default": self.default}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Number:
        low, high, default = (float(told[name]) for name in ("low", "high", "default"))
        if not (math.isfinite(high - low) and low <= default <= high):
            raise ValueError(f"a number from {low} to {high}, by default {default}")
        return cls(low, high, default)
