"""What a recipe's `generate` takes, declared: the one place that everything outside reads.

    {"latent": Normal((100,)), "label": Category(10)}             a conditional GAN
    {"source": Given(ImageSpace(3, 64, 64))}                      image translation
    {"latent": Normal((62,)), "category": Category(10), "codes": Uniform((2,))}

Drawing, truncation, flags of the command line, the server's schema, the studio's fields and the inputs of exported
files follow from the declaration. Nothing looks at argument names or at what was drawn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganvas.errors import RunError, UsageError, near_miss
from ganvas.spaces import Space, space_from_config, space_to_config


class Input(ABC):
    """One input of `generate`. Its tensors are (n, *shape), the values of one sample below the first dimension."""

    kind: ClassVar[str]

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of one sample's values."""

    @abstractmethod
    def draw(self, n: int, device: torch.device) -> Tensor:
        """(n, *shape) from the global random state. Raises UsageError where it can only be given."""

    def truncated(self, values: Tensor, share: float) -> Tensor:
        """Values that lie at `share` (0 to 1) of their way from the mean of what is drawn; as they are by default."""
        return values

    @abstractmethod
    def parse(self, text: str) -> Tensor:
        """(1, *shape): what a person means by this text. Raises UsageError that says what is admitted."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """What a program without PyTorch needs to know of it."""


@dataclass(frozen=True)
class Normal(Input):
    """Numbers from N(0, 1).

    sphere: they are brought to unit mean square, so that all draws lie on a sphere; the generator then sees by the
    length how far a truncated one is from the mean.
    """

    kind: ClassVar[str] = "normal"
    size: tuple[int, ...]
    sphere: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return self.size

    def draw(self, n: int, device: torch.device) -> Tensor:
        values = torch.empty(n, *self.size, device=device).normal_()
        if not self.sphere:
            return values
        return values * (values.square().flatten(1).mean(1).add(1e-8).rsqrt().reshape(n, *(1 for _ in self.size)))

    def truncated(self, values: Tensor, share: float) -> Tensor:
        """On the straight line to the mean, which is 0 (the truncation trick: Karras et al. 2019, appendix B)."""
        return values * share

    def parse(self, text: str) -> Tensor:
        raise UsageError("a latent is drawn, and not given as text; --seed chooses it")

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "shape": list(self.size), **({"sphere": True} if self.sphere else {})}


@dataclass(frozen=True)
class Uniform(Input):
    """Numbers that are evenly distributed between `low` and `high`."""

    kind: ClassVar[str] = "uniform"
    size: tuple[int, ...]
    low: float = -1.0
    high: float = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        return self.size

    def draw(self, n: int, device: torch.device) -> Tensor:
        return (self.high - self.low) * torch.rand(n, *self.size, device=device) + self.low

    def parse(self, text: str) -> Tensor:
        """Numbers with commas between them."""
        count = int(torch.Size(self.size).numel())
        try:
            numbers = [float(word) for word in text.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) != count or not all(self.low <= number <= self.high for number in numbers):
            few = "a number" if count == 1 else f"{count} numbers with commas between them, each"
            raise UsageError(f"must be {few} from {self.low:g} to {self.high:g}, not {text!r}")
        return torch.tensor(numbers).reshape(1, *self.size)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "shape": list(self.size), "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Category(Input):
    """One of `count` classes, int64 without further dimensions; when drawn, each in turn.

    names: of the classes, where the data knows them; () leaves them as numbers.
    """

    kind: ClassVar[str] = "class"
    count: int
    names: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        return ()

    def draw(self, n: int, device: torch.device) -> Tensor:
        """Every class in turn, so that any n samples are as balanced as n allows."""
        return torch.arange(n, device=device) % self.count

    def parse(self, text: str) -> Tensor:
        """A name, or a number from 0 where the classes have no names."""
        known = self.names or tuple(str(number) for number in range(self.count))
        if text not in known:
            raise UsageError(f"there is no {text!r}{near_miss(text, known)}")
        return torch.tensor([known.index(text)])

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "shape": [], "classes": self.count, "names": list(self.names)}


@dataclass(frozen=True)
class Given(Input):
    """Something of a space, which must be given: a picture to change, a caption.

    scale: the output is this many times as high and wide. reach: how many of its own pixels away an output pixel can
    see, so that a large one can be made in tiles that overlap by that much; None where it must be seen whole.
    multiple: tiles must begin at multiples of this many pixels.
    """

    kind: ClassVar[str] = "given"
    space: Space
    scale: int = 1
    reach: int | None = None
    multiple: int = 1

    @property
    def shape(self) -> tuple[int, ...]:
        return self.space.shape

    def draw(self, n: int, device: torch.device) -> Tensor:
        raise UsageError(f"must be given: {self.space}")

    def parse(self, text: str) -> Tensor:
        raise UsageError(f"{text!r} cannot be read as {self.space}")

    def to_json(self) -> dict[str, Any]:
        told = {"kind": self.kind, "shape": list(self.shape), "space": space_to_config(self.space), "scale": self.scale}
        return told | ({} if self.reach is None else {"reach": self.reach, "multiple": self.multiple})


def label(classes: int) -> dict[str, Input]:
    """The input `label` of a conditional recipe; none for 0 classes. For `{"latent": ..., **label(self.classes)}`."""
    return {"label": Category(classes)} if classes else {}


def with_names(inputs: Mapping[str, Input], names: Mapping[str, tuple[str, ...]]) -> dict[str, Input]:
    """The inputs with the names of their classes, by the name of the input, where the data has as many."""
    return {
        name: replace(each, names=names[name])
        if isinstance(each, Category) and len(names.get(name, ())) == each.count
        else each
        for name, each in inputs.items()
    }


def inputs_to_json(inputs: Mapping[str, Input]) -> list[dict[str, Any]]:
    """For `config.json` and exported files, in their order."""
    return [{"name": name, **each.to_json()} for name, each in inputs.items()]


def inputs_from_json(told: Any) -> dict[str, Input]:
    """What `inputs_to_json` wrote. Raises RunError for anything else."""
    try:
        return {str(each["name"]): _FROM_JSON[each["kind"]](each) for each in told}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"these are no inputs that are known here: {str(told)[:200]}") from error


_FROM_JSON = {
    "normal": lambda told: Normal(tuple(map(int, told["shape"])), bool(told.get("sphere", False))),
    "uniform": lambda told: Uniform(tuple(map(int, told["shape"])), float(told["low"]), float(told["high"])),
    "class": lambda told: Category(int(told["classes"]), tuple(map(str, told["names"]))),
    "given": lambda told: Given(
        space_from_config(told["space"]), int(told["scale"]), told.get("reach"), int(told.get("multiple", 1))
    ),
}
