"""Which image sizes a chain of doublings can make."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Pyramid:
    """A base of `base` (height, width), doubled `doublings` times, cropped in the centre to `size`."""

    size: tuple[int, int]
    base: tuple[int, int]
    doublings: int

    @property
    def made(self) -> tuple[int, int]:
        """The (height, width) that the doublings make: `size`, or the next larger one."""
        return (self.base[0] << self.doublings, self.base[1] << self.doublings)

    def notes(self) -> list[str]:
        """What the plan should say of the size."""
        if self.made == self.size:
            return []
        made, size = ("x".join(map(str, pair)) for pair in (self.made, self.size))
        return [f"images are generated at {made} and cropped to {size}"]

    def crop(self, images: Tensor) -> Tensor:
        """(B, C, *made) to (B, C, *size)."""
        top, left = ((made - size) // 2 for made, size in zip(self.made, self.size, strict=True))
        return images[:, :, top : top + self.size[0], left : left + self.size[1]]


def pyramid(size: tuple[int, int]) -> Pyramid:
    """The pyramid for images of `size`: the shorter side starts at 4 to 7 pixels (or as it is when below 8)."""
    doublings = 0
    while min(size) > 7 << doublings:
        doublings += 1
    step = 1 << doublings
    return Pyramid(size=size, base=(-(-size[0] // step), -(-size[1] // step)), doublings=doublings)
