"""Masks: where something is to be made of a picture, and where it stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from ganvas.spaces.base import FREE
from ganvas.spaces.image import ImageSpace

if TYPE_CHECKING:
    from torch import Tensor

WIDER = 2
"""Pixels by which a mask that somebody drew grows on all sides: hands draw too narrowly, and what is to go leaves a rim
then."""


_RED = (230, 40, 40)


@dataclass(frozen=True)
class MaskSpace(ImageSpace):
    """Masks of shape (1, height, width): +1 where something is to be made, -1 where the picture stays, as it
    does at 0. Between 0 and 1 a value says how much is seen of what is made."""

    kind = "masks"
    noun = "masks"
    rim = WIDER
    canvas = None  # type: ignore[assignment]
    task = None  # type: ignore[assignment]
    change = None  # type: ignore[assignment]
    channels: int = 1
    height: int = FREE
    width: int = FREE

    def __str__(self) -> str:
        size = "as large as the picture" if FREE in self.shape else f"{self.height}x{self.width}"
        return f"a mask {size}, white where something is to be made, or transparent there"

    def over(self, picture: Image.Image, mask: Tensor) -> Image.Image:
        """A picture with a mask (1, *shape) laid over it: red, with half of what lies under it seen through."""
        shares = ((mask[0, 0].detach().float().cpu().clamp(0, 1)) * 127.5).round().byte().numpy()
        whole = picture.convert("RGB")
        whole.paste(Image.new("RGB", whole.size, _RED), (0, 0), Image.fromarray(shares))
        return whole

    def read(self, content: bytes) -> Tensor:
        """The mask of an image file: where it is transparent, or where it is light if no place is. It is `widened`.
        Raises DataError as images do."""
        picture = ImageSpace(4, self.height, self.width).read(content)
        transparent = picture[:, 3:] < 0
        return widened(transparent if transparent.any() else picture[:, :3].mean(1, keepdim=True) >= 0)


def widened(mask: Tensor) -> Tensor:
    """A mask (B, 1, H, W) bool as the values of `MaskSpace`: +1 where it is True, and evenly less over the `WIDER`
    pixels around that, since a sharp edge shows."""
    from torch.nn.functional import max_pool2d

    grown = [max_pool2d(mask.float(), 2 * by + 1, 1, by) for by in range(WIDER + 1)]
    seen = sum(grown[1:], grown[0]) / len(grown)
    return seen.where(seen > 0, -1.0)
