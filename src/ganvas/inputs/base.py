"""What every input of `generate` has, and how values that people give become tensors."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ganvas.errors import UsageError
from ganvas.text import shown

if TYPE_CHECKING:
    import torch
    from torch import Tensor

DRAWN = "drawn"
"""What happens to most inputs that nobody gives."""


class Input(ABC):
    """One input of `generate`. Its tensors are (n, *shape), the values of one sample below the first dimension.

    kind: its name in JSON. file: whether people give it as a file, and not as text. lines: whether several are given
    as the lines of a file. smooth: whether values that are near to one another give samples that are, so that a search
    can go downhill.
    """

    kind: ClassVar[str]
    file: ClassVar[bool] = False
    lines: ClassVar[bool] = False
    smooth: ClassVar[bool] = False

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of one sample's values; FREE where any size will do."""

    @property
    def choices(self) -> tuple[str, ...]:
        """What there is to choose from, in words; () where there is no list of it."""
        return ()

    @property
    def suggestions(self) -> tuple[str, ...]:
        """Values that a form can suggest, in words: the choices, where there are any."""
        return self.choices

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of what it is made of, of which `parse` takes a mapping; () where it is one thing."""
        return ()

    @abstractmethod
    def draw(self, n: int, device: torch.device, first: int = 0) -> Tensor:
        """(n, *shape) from the global random state. first: how many samples were drawn before these. Raises UsageError
        where it can only be given."""

    def example(self, n: int, device: torch.device) -> Tensor:
        """(n, *shape) from the global random state: what an export is tried with. By default what is drawn."""
        return self.draw(n, device)

    def truncated(self, values: Tensor, share: float) -> Tensor:
        """Values that lie at `share` (0 to 1) of their way from the mean of what is drawn; as they are by default."""
        return values

    def nearest(self, values: Tensor) -> Tensor:
        """(n, *shape): of what is drawn, the nearest to these values; as they are by default."""
        return values

    @abstractmethod
    def parse(self, value: Any) -> Tensor:
        """(k, *shape): what somebody means by this value, k being 1 where it is one for all samples. It is the text of
        a flag or a form, a value of JSON, the content of a file as bytes, or in Python a tensor or an array.

        Raises UsageError that says what is admitted.
        """

    def remark(self, value: Any) -> str:
        """What somebody should know who has given this value, which `parse` takes; "" where there is nothing."""
        return ""

    def offered(self) -> dict[str, list[float]]:
        """By its title, numbers of values that can be chosen where `parse` is not at hand; {} where the declaration
        tells enough to make any."""
        return {}

    def admits(self) -> str:
        """What people can give, in words for a help text; "" where it is only ever drawn."""
        return ""

    @property
    def unless_given(self) -> str:
        """What is taken where nothing is given, in words for a help text; "" where it must be given."""
        return DRAWN

    def schema(self) -> dict[str, Any]:
        """The JSON schema of its value in a request."""
        return {"description": self.admits()}

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """What a program without PyTorch needs to know of it."""

    @classmethod
    @abstractmethod
    def from_json(cls, told: Mapping[str, Any]) -> Input:
        """What `to_json` told. Raises KeyError, TypeError or ValueError for what it cannot have told."""


def tensor_of(value: Any) -> Tensor | None:
    """A tensor or an array as a tensor; None for anything else."""
    import numpy as np
    import torch

    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return torch.from_numpy(np.require(value, requirements=("C", "W")))  # Pillow's arrays are read-only
    return value if isinstance(value, torch.Tensor) else None


def numbers_in(value: Any, size: tuple[int, ...]) -> Tensor:
    """(k, *size) float64 of text with commas, of lists or of a tensor; NaN where it is nothing of the kind."""
    import torch

    try:
        words = [float(word) for word in value.split(",")] if isinstance(value, str) else value
        values = torch.as_tensor(words, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return torch.tensor(math.nan)
    if values.numel() == math.prod(size) and values.dim() <= 1:
        return values.reshape(1, *size)
    return values if values.dim() and len(values) and tuple(values.shape[1:]) == size else torch.tensor(math.nan)


def fits(shape: Iterable[int], wanted: tuple[int, ...]) -> bool:
    """Whether a shape is the wanted one, a negative side of which stands for any."""
    sides = tuple(shape)
    return len(sides) == len(wanted) and all(w in (s, -1) and s > 0 for s, w in zip(sides, wanted, strict=True))


def checked(values: Tensor, each: Input) -> Tensor:
    """(*shape) or (k, *shape) as (k, *shape). Raises UsageError."""
    if fits(values.shape, each.shape):
        return values.unsqueeze(0)
    if fits(values.shape[1:], each.shape) and len(values):
        return values
    wanted = ", ".join("any" if side < 0 else str(side) for side in each.shape)
    raise UsageError(f"must be of shape ({wanted}), or (n, {wanted}) for n samples, not {tuple(values.shape)}")


def quoted(value: Any) -> str:
    """A value of unknown origin in an error's line."""
    text = repr(value)
    return shown(text if len(text) <= 80 else text[:79] + "…")
