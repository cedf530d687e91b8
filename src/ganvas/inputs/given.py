"""The input that must be given: what is to be changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ganvas.errors import DataError, UsageError
from ganvas.inputs.base import Input, checked, fits, quoted, tensor_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ganvas.spaces import Space


@dataclass(frozen=True)
class Given(Input):
    """Something of a space, which must be given: a picture to change, a caption.

    scale: the output is this many times as high and wide. reach: how many of its own pixels away an output pixel can
    see, so that a large one can be made in tiles that overlap by that much (what normalisations see of the whole is
    held: `Recipe.for_pieces_of`); None where it must be seen whole. multiple: tiles must begin at multiples of this
    many pixels. any_scale: the recipe itself sees to what is of another scale than its training was on, which otherwise
    is brought to that first.
    """

    kind: ClassVar[str] = "given"
    file: ClassVar[bool] = True
    space: Space
    scale: int = 1
    reach: int | None = None
    multiple: int = 1
    any_scale: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return self.space.shape

    @property
    def unless_given(self) -> str:
        return ""

    def draw(self, n: int, device: torch.device, first: int = 0) -> Tensor:
        raise UsageError(f"must be given: {self.space}")

    def parse(self, value: Any) -> Tensor:
        """The content of a file; a tensor or an array of floats (*shape) or (k, *shape); or an array as prepared data
        has it, which of pictures is (H, W, C) or (k, H, W, C) uint8."""
        if isinstance(value, bytes):
            try:
                return self.space.read(value)
            except DataError as error:
                raise UsageError(str(error)) from None
        values = tensor_of(value)
        if values is None:
            raise UsageError(f"must be {self.space}: the content of a file, a tensor or an array, not {quoted(value)}")
        stored, row = self.space.stored()
        if not values.is_floating_point() and str(values.dtype).removeprefix("torch.") == stored.name:
            rows = values.cpu().numpy()
            rows = rows[None] if fits(rows.shape, row) else rows
            if fits(rows.shape[1:], row):
                return self.space.decode(rows)
            raise UsageError(f"must be {self.space}, not of shape {tuple(values.shape)}")
        return checked(values.float(), self)

    def admits(self) -> str:
        return f"a file: {self.space}"

    def to_json(self) -> dict[str, Any]:
        from ganvas.spaces import space_to_config

        told = {"kind": self.kind, "shape": list(self.shape), "space": space_to_config(self.space), "scale": self.scale}
        told |= {} if self.reach is None else {"reach": self.reach, "multiple": self.multiple}
        return told | ({"any_scale": True} if self.any_scale else {})

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Given:
        from ganvas.spaces import space_from_config

        reach = told.get("reach")
        whole = (int(told["scale"]), None if reach is None else int(reach), int(told.get("multiple", 1)))
        if min(whole[0], whole[2]) < 1 or (whole[1] or 0) < 0:
            raise ValueError(f"scale, reach and multiple of {whole}")
        return cls(space_from_config(told["space"]), *whole, any_scale=bool(told.get("any_scale", False)))
