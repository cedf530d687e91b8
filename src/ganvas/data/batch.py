"""The base of all batches: what a recipe's `losses` receive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ganvas.data.readers import Reader

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from torch import Tensor

    from ganvas.spaces import Space


@dataclass(frozen=True)
class Batch:
    """A batch of items of one kind. A subclass names its columns: each field is a tensor whose first dimension is the
    batch, or None where the data does not have it. The first is what a generator must imitate, and `value` names it
    whatever its kind. A batch has `len`, takes slices, splits with `.chunk(n)` and moves with `.to(device)`.

    reader: how a source becomes such batches. kind: the class's name in small letters, such as `images`. answers:
    whether the value is what should be made of the rest of its item, so that a sample made of that has a right answer.
    """

    reader: ClassVar[type[Reader]]
    kind: ClassVar[str] = "batch"
    answers: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.kind = cls.__name__.lower()

    @property
    def value(self) -> Tensor:
        tensor: Tensor = getattr(self, fields(self)[0].name)
        return tensor

    @property
    def device(self) -> torch.device:
        return self.value.device

    def _tensors(self) -> dict[str, Tensor]:
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, index: slice) -> Self:
        return replace(self, **{name: tensor[index] for name, tensor in self._tensors().items()})

    def chunk(self, parts: int) -> list[Self]:
        """`parts` batches of equal length, in order. Raises ValueError where the length does not divide."""
        if len(self) % parts:
            raise ValueError(f"a batch of {len(self)} does not divide into {parts} equal parts")
        length = len(self) // parts
        return [self[start : start + length] for start in range(0, len(self), length)]

    def given(self) -> dict[str, Tensor]:
        """What generation can be conditioned on, by the names that recipes give their inputs."""
        return {}

    def shown(self, columns: Mapping[str, Space]) -> dict[str, list[Image.Image] | list[str]]:
        """What people see of these items before they are learned from: rows of pictures or of words, one of each item.
        By default each column that has a picture of each item, and what is to be made in the last row."""
        first, *rest = [name for name, space in columns.items() if space.tile]
        return {name: columns[name].pictures(getattr(self, name)) for name in (*rest, first)}

    def to(self, device: torch.device | str) -> Self:
        return replace(self, **{name: tensor.to(device, non_blocking=True) for name, tensor in self._tensors().items()})
