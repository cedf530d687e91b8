"""Images: pixels in [-1, 1]."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from ganvas.devices import sent
from ganvas.errors import DataError
from ganvas.spaces.base import FREE, GAP, MOST_SEEN, Space
from ganvas.spaces.label_maps import by_majority
from ganvas.spaces.pictures import sheet, to_pil

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ganvas.augment import How, Operations

SIDE = 16
"""`look` shrinks images to at most this many pixels a side."""

MOST_PIXELS = 1 << 26
"""Of an image that is given."""

_LOOKED_AT = 64
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class ImageSpace(Space):
    """Images of shape (channels, height, width) with values in [-1, 1]; 1 channel is gray, 3 are RGB, 4 are RGBA."""

    kind = "images"
    noun = "images"
    precision = "bf16"
    extractors = ("lite0", "lite2", "inception", "native", "look", "custom")
    bounds = (-1, 1)
    endings = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
    crisp = True
    canvas = "pixels"
    task = "unconditional-image-generation"
    change = "image-to-image"
    few = 200
    steady = "r3gan"
    channels: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.channels, self.height, self.width)

    def __str__(self) -> str:
        colour = {1: "gray", 3: "RGB", 4: "RGBA"}.get(self.channels, f"{self.channels} channels")
        size = "of any size" if FREE in self.shape else f"{self.height}x{self.width}"
        return f"images {size} {colour}"

    def facts(self) -> dict[str, Any]:
        return {"channels": self.channels, "size": (self.height, self.width), "shape": self.shape}

    def options(self) -> dict[str, Any]:
        return {"size": (self.height, self.width), "channels": self.channels}

    def within(self, side: int) -> ImageSpace:
        short, long = sorted((self.height, self.width))
        if short <= side:
            return self
        longer = side if long == short else max(1, round(side * long / short / 8)) * 8
        return ImageSpace(self.channels, *((side, longer) if self.height == short else (longer, side)))

    def matching(self, other: Space) -> str:
        if not isinstance(other, ImageSpace):
            return ""
        return f"--size {self.height}x{self.width} --channels {max(self.channels, other.channels)}"

    @property
    def photos(self) -> bool:
        return self.channels in (1, 3)

    # -- samples and what is kept of them -------------------------------------------------------------------------

    def stored(self) -> tuple[np.dtype[Any], tuple[int, ...]]:
        return np.dtype(np.uint8), (self.height, self.width, self.channels)

    def decode(self, rows: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
        """(B, H, W, C) uint8 to (B, C, H, W) float32 in [-1, 1] with channels-last strides. Rows travel as bytes and
        become floats where they arrive."""
        import torch

        if torch.device(device).type != "cpu":
            return self.samples_of(sent(rows, device).permute(0, 3, 1, 2))
        # On one thread, because torch's threads wait for one another where others use the cores too.
        floats = rows.astype(np.float32)
        floats *= 2 / 255
        floats -= 1
        return torch.from_numpy(floats).permute(0, 3, 1, 2)

    def encode(self, samples: Tensor) -> Tensor:
        """(B, C, H, W) in [-1, 1] to the same in 256 levels, uint8; values outside are clipped."""
        import torch

        levels = samples.detach().float().clamp(-1, 1).add(1).mul(127.5).round()
        return levels.to(torch.uint8).cpu()

    def samples_of(self, encoded: Tensor) -> Tensor:
        import torch

        return encoded.to(torch.float32, copy=True).mul_(2 / 255).sub_(1.0)

    def to_uint8(self, samples: Tensor) -> np.ndarray:
        """(B, C, H, W) in [-1, 1] to (B, H, W, C) uint8; values outside are clipped."""
        pixels: np.ndarray = self.encode(samples).permute(0, 2, 3, 1).numpy()
        return pixels

    # -- looking and showing --------------------------------------------------------------------------------------

    def look(self, samples: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C * h * w) with sides of at most 16 pixels, each the mean of those it replaces."""
        import torch

        side = min(SIDE, max(1, math.isqrt(MOST_SEEN // samples.shape[1])))
        height, width = (min(each, side) for each in samples.shape[2:])
        return torch.nn.functional.adaptive_avg_pool2d(samples.float(), (height, width)).flatten(1)

    def patterns(self, samples: Tensor) -> dict[int, tuple[float, float]]:
        """Of images (B, C, H, W), by the period of a grid in pixels: the share of their energy at its frequency, and
        how far that sticks out from the frequencies beside it.

        A transposed convolution whose kernel is no multiple of its stride draws a pattern that repeats every stride
        pixels (Odena et al. 2016), with its energy at 1/stride. Noise has much there, and no more than beside it;
        pictures that are smoother than real ones may have a tiny peak. So both numbers count, each as the larger one
        of rows and columns.
        """
        import torch

        gray = samples[:_LOOKED_AT].float().mean(1)
        found = {}
        for period in (2, 4, 8):
            height, width = (side // (2 * period) * 2 * period for side in gray.shape[1:])
            if min(height, width) < 4 * period:
                continue
            part = gray[:, :height, :width]
            part = part - part.mean((1, 2), keepdim=True)
            window = torch.hann_window(height, device=part.device)[:, None] * torch.hann_window(
                width, device=part.device
            )
            power = torch.fft.fft2(part * window).abs().square().mean(0)
            power = power / power.sum().clamp(min=1e-12)
            shares, contrasts = [], []
            for lines, along in ((power.sum(1), power[:, :2].mean(1)), (power.sum(0), power[:2].mean(0))):
                peak = len(lines) // period
                beside = [along[peak - 3], along[peak - 2]] if period == 2 else [along[peak - 2], along[peak + 2]]
                shares.append(float(lines[peak]))
                contrasts.append(float(along[peak] / (torch.stack(beside).mean() + 1e-6 * power.mean())))
            found[period] = (max(*shares, 1e-6), max(*contrasts, 1e-6))
        return found

    def augmentations(self, how: How) -> Operations:
        from ganvas.augment.pictures import pictures

        return pictures(how, self.channels)

    @property
    def tile(self) -> tuple[int, int]:
        return self.height, self.width

    def show(self, samples: Tensor, columns: int | None = None, gap: int = GAP) -> Image.Image:
        """The images in a grid, of the first one's own size where the space leaves it open."""
        return sheet(self.to_uint8(samples), columns, gap)

    # -- files ----------------------------------------------------------------------------------------------------

    def amount(self, numbers: int) -> str:
        return f"{numbers / 1e6:.3g} megapixels"

    def size_of_file(self, content: bytes, most: int) -> int:
        """Pixels. Several frames are refused, since one sample is meant."""
        with _any_failure_told(), Image.open(io.BytesIO(content), formats=_FORMATS) as file:
            if file.width * file.height > most:
                raise DataError(f"{file.width:,} x {file.height:,} pixels, and at most {most:,} are taken here")
            # A JPEG with a preview behind it, as many phones write them, is one picture all the same.
            frames = 1 if file.format == "MPO" else getattr(file, "n_frames", 1)
            if frames > 1:
                raise DataError(f"it holds {frames:,} pictures; give one")
            return file.width * file.height

    def read(self, content: bytes) -> Tensor:
        """The first frame of an image file, upright, on white where it is transparent and the space is not, in 256
        levels. Where the space has a size, it is brought to that: the shorter side fits, the rest is cut off evenly.
        Raises DataError for what is no image, or has more than 67 megapixels.
        """
        if self.channels not in _MODES:
            raise DataError(f"no image file has {self.channels} channels")
        with _any_failure_told(), Image.open(io.BytesIO(content), formats=_FORMATS) as file:
            if file.width * file.height > MOST_PIXELS:
                raise DataError(
                    f"this image has {file.width:,} x {file.height:,} pixels, and {MOST_PIXELS:,} are read at most"
                )
            file.load()
            picture = _in_mode(ImageOps.exif_transpose(file), _MODES[self.channels])
        wanted = self.size_of(picture.height, picture.width)
        if (picture.height, picture.width) != wanted:
            picture = ImageOps.fit(picture, (wanted[1], wanted[0]), Image.Resampling.LANCZOS)
        pixels = np.asarray(picture).reshape(1, *wanted, self.channels)
        return self.decode(pixels)

    def reduced(self, sample: Tensor, most: int) -> Tensor:
        """The whole picture with fewer pixels."""
        height, width = sample.shape[2:]
        share = min(1.0, math.sqrt(most / (height * width)))
        return self._resized(sample, [max(1, int(side * share)) for side in (height, width)])

    def brought(self, sample: Tensor, like: Space) -> Tensor:
        """So that its shorter side is as long as theirs."""
        height, width = sample.shape[2:]
        return self._resized(sample, list(self.brought_to((height, width), like)))

    def brought_to(self, sizes: tuple[int, ...], like: Space) -> tuple[int, ...]:
        if not isinstance(like, ImageSpace) or FREE in like.shape:
            return sizes
        share = min(like.height, like.width) / min(sizes)
        return tuple(max(1, round(side * share)) for side in sizes)

    def _resized(self, sample: Tensor, size: list[int]) -> Tensor:
        """(1, C, H, W) with another height and width: a label map without mixing its colours, anything else by bicubic
        interpolation with antialiasing."""
        import torch

        height, width = size
        if size == list(sample.shape[2:]):
            return sample
        labels = by_majority(to_pil(self.to_uint8(sample)[0]), (height, width)) if self.photos else None
        if labels is not None:
            return self.decode(np.asarray(labels).reshape(1, height, width, self.channels), sample.device)
        return torch.nn.functional.interpolate(sample, size, mode="bicubic", antialias=True).clamp_(-1, 1)

    def size_of(self, height: int, width: int) -> tuple[int, int]:
        """The size that an image of this one is brought to: its own along every side that the space leaves open."""
        return (height if self.height == FREE else self.height), (width if self.width == FREE else self.width)


@contextmanager
def _any_failure_told() -> Iterator[None]:
    """Turns whatever a decoder makes of a hostile file into DataError, and keeps its warnings to itself."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except DataError:
        raise
    except Image.DecompressionBombError:
        raise DataError(f"this image has more than the {MOST_PIXELS:,} pixels that are read at most") from None
    except Exception as error:
        reason = " ".join(str(error).split())[:60] or type(error).__name__
        raise DataError(f"this is no image file that can be read ({reason})") from None


def _in_mode(picture: Image.Image, mode: str) -> Image.Image:
    """The picture in 8 bits: L, RGB or RGBA, on white where it is transparent and the mode is not."""
    if picture.mode.startswith("I"):  # 16 bits
        levels = (np.asarray(picture).astype(np.int64) + 128) // 257
        picture = Image.fromarray(levels.clip(0, 255).astype(np.uint8))
    if picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        if mode == "RGBA":
            return clear
        white = Image.new("RGBA", clear.size, "white")
        picture = Image.alpha_composite(white, clear).convert("RGB")
    return picture if picture.mode == mode else picture.convert(mode)
