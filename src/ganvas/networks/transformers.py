"""Transformers that make and judge images: tokens are patches, on a grid of rows and columns.

Nearly all arithmetic is in large matrix products. A block brings its tokens through one product, which makes queries,
keys, values and hidden features at once, and back through one for each (the parallel form of Wang and Komatsuzaki 2021;
Chowdhery et al. 2022, section 2), so there is one normalisation, one modulation and one sum a block. A depthwise 3x3
convolution on the grid, which is added to the tokens in front of each block, tells them where they are (Chu et al.
2021) and who is near: without it, transformers learn slowly that neighbours matter most.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas.errors import UsageError
from ganvas.networks.plain import LEAK

HEAD = 64
"""Features of an attention head, where the width has so many."""

COARSE = 4
"""Tokens on a side of the grid that the latent vector is projected to."""

FAINT = 0.1
"""How strong at first what tokens are told of their places is beside what they hold: otherwise a generator begins with
patches that no latent vector changes, and unlearns that first."""

DETAIL = 0.2
"""How strong the details of patches are beside their smooth part, and how slowly they learn: one weight of theirs
changes all patches of all images, so at the full rate both players chase a pattern that repeats with the patches."""

_SLOPE = 0.2


def patches(size: tuple[int, int], patch: int) -> tuple[int, int]:
    """The grid (rows, columns) of patches of this side, or for 0 of the one of `automatic`. Raises UsageError where
    they do not fill an image of `size`."""
    patch = patch or automatic(size)
    if any(side % patch for side in size):
        found = [each for each in range(2, min(size) // 2 + 1) if not any(side % each for side in size)]
        height, width = size
        what = f"--patch {' or '.join(map(str, found[:6]))}" if found else "a --size that 4 or 8 divides, such as 32"
        raise UsageError(f"patches of {patch} pixels do not fill images of {height}x{width}; take {what}")
    return size[0] // patch, size[1] // patch


def automatic(size: tuple[int, int]) -> int:
    """The side of patches, of 2 to 8 pixels or 16, that makes nearest to 8 of them on the image's shorter side.
    Raises UsageError where none of these fills the image."""
    fitting = [each for each in (2, 3, 4, 5, 6, 7, 8, 16) if not any(side % each for side in size)]
    if not fitting:
        height, width = size
        what = "take a --size that 4 or 8 divides, such as 32"
        raise UsageError(f"no patches of 2 to 8 pixels fill images of {height}x{width}; {what}")
    return min(fitting, key=lambda patch: abs(math.log(min(size) / patch / 8)))


class TransformerGenerator(nn.Module):
    """Latent vectors to images. The latent vector is projected to a coarse grid, which is spread over the tokens; every
    block is modulated by what a small network makes of it and of the label. `levels` times, after equal numbers of
    blocks, an image is made of the tokens and added to what was there, so the first blocks learn to make images too.

    patch: the side of a patch, or 0 (`automatic`). depth: blocks. maps: feature maps at full size, which a 3x3
    convolution makes an image of, so that patches have no seams. Raises UsageError where there are more levels than
    blocks, and as `patches` does.
    """

    def __init__(
        self,
        *,
        latent: int,
        channels: int,
        size: tuple[int, int],
        width: int,
        depth: int,
        patch: int,
        levels: int,
        maps: int,
        classes: int = 0,
    ) -> None:
        super().__init__()
        if levels > depth:
            raise UsageError(
                f"--levels {levels} needs as many blocks, and --depth is {depth}; raise it, or lower --levels"
            )
        self.grid = patches(size, patch)
        self.patch = size[0] // self.grid[0]
        self.coarse = (min(COARSE, self.grid[0]), min(COARSE, self.grid[1]))
        self.embedding = nn.Embedding(classes, latent) if classes else None
        wide = latent * (2 if classes else 1)
        self.style = nn.Sequential(
            nn.Linear(wide, width), nn.LeakyReLU(_SLOPE), nn.Linear(width, width), nn.LeakyReLU(_SLOPE)
        )
        self.project = nn.Linear(wide, width * math.prod(self.coarse))
        self.places = nn.Parameter(FAINT * torch.randn(math.prod(self.grid), width))
        self.register_buffer("spread", _spread(self.coarse, self.grid), persistent=False)
        self.modulate = nn.Linear(width, 2 * depth * width)
        self.blocks = nn.ModuleList(Block(width, self.grid, depth) for _ in range(depth))
        self.ends = [depth * (level + 1) // levels for level in range(levels)]
        self.outputs = nn.ModuleList(Output(width, channels, self.grid, self.patch, maps) for _ in range(levels))

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """latent: (B, latent) of unit mean square; label: (B,) int64 where conditional. Returns (B, C, H, W), about in
        [-1, 1]."""
        return self.levels(latent, label)[-1]

    def levels(self, latent: Tensor, label: Tensor | None = None) -> list[Tensor]:
        """The images (B, C, H, W) of all levels; the last is what `forward` returns."""
        if self.embedding is not None:
            latent = torch.cat([latent, self.embedding(label)], dim=1)
        styles = self.modulate(self.style(latent)).unflatten(1, (len(self.blocks), 2, 1, -1))
        coarse = self.project(latent).unflatten(1, (math.prod(self.coarse), -1))
        tokens = self.spread.to(coarse.dtype) @ coarse + self.places.to(coarse.dtype)
        made: list[Tensor] = []
        image: Tensor | None = None
        for number, block in enumerate(self.blocks, 1):
            tokens = block(tokens, styles[:, number - 1])
            if number == self.ends[len(made)]:
                added = self.outputs[len(made)](tokens)
                image = added if image is None else image + added
                made.append(torch.tanh(image) + LEAK * image)
        return made


class TransformerDiscriminator(nn.Module):
    """Images to logits: a 3x3 convolution to `maps` feature maps, patches of these to tokens, blocks, and a linear head
    on all tokens, each with weights of its own: their mean would learn as many times more slowly as there are tokens.
    With `classes`, the inner product of the label's embedding and a linear map of the tokens' sum is added (Miyato and
    Koyama 2018, eq. 3)."""

    def __init__(
        self,
        *,
        channels: int,
        size: tuple[int, int],
        width: int,
        depth: int,
        patch: int,
        maps: int,
        classes: int = 0,
    ) -> None:
        super().__init__()
        self.grid = patches(size, patch)
        self.patch = size[0] // self.grid[0]
        self.stem = nn.Conv2d(channels, maps, 3, padding=1)
        self.embed = nn.Linear(maps * self.patch**2, width)
        self.places = nn.Parameter(FAINT * torch.randn(math.prod(self.grid), width))
        self.blocks = nn.ModuleList(Block(width, self.grid, depth) for _ in range(depth))
        self.head = nn.Linear(width * math.prod(self.grid), 1)
        self.reading = nn.Linear(width, width) if classes else None
        self.embedding = nn.Embedding(classes, width) if classes else None

    def forward(self, images: Tensor, label: Tensor | None = None) -> Tensor:
        """images: (B, C, H, W) about in [-1, 1], label: (B,) int64 where conditional. Returns logits (B,)."""
        images = images.contiguous(memory_format=torch.channels_last)
        maps = functional.leaky_relu(self.stem(images), _SLOPE)
        tokens = self.embed(_cut(maps, self.grid, self.patch))
        tokens = tokens + self.places.to(tokens.dtype)
        for block in self.blocks:
            tokens = block(tokens)
        features = functional.layer_norm(tokens, tokens.shape[-1:])
        # Logits are compared, so they are not rounded to bf16.
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            logits: Tensor = self.head(features.flatten(1)).squeeze(1)
            if self.embedding is not None and self.reading is not None:
                wanted, read = self.embedding(label), self.reading(features.sum(1) / math.sqrt(features.shape[1]))
                logits = logits + (read * wanted).sum(1) / math.sqrt(wanted.shape[1])
            return logits


class Block(nn.Module):
    """Tokens (B, T, width) to tokens: neighbours, then attention and a hidden layer side by side.

    depth: how many blocks follow one another; what a block adds begins that much smaller.
    """

    def __init__(self, width: int, grid: tuple[int, int], depth: int) -> None:
        super().__init__()
        self.grid = grid
        self.heads = next(heads for heads in range(max(1, width // HEAD), 0, -1) if width % heads == 0)
        self.split = [3 * width, 4 * width]
        self.near = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.inward = nn.Linear(width, 7 * width)
        self.mix, self.outward = nn.Linear(width, width), nn.Linear(4 * width, width)
        for layer in (self.mix, self.outward):
            layer.weight.data.mul_(1 / math.sqrt(depth))

    def forward(self, tokens: Tensor, style: Tensor | None = None) -> Tensor:
        """style: (B, 2, 1, width), the scale less 1 and the shift of the normalised tokens."""
        planes = tokens.unflatten(1, self.grid).permute(0, 3, 1, 2)
        tokens = tokens + self.near(planes).permute(0, 2, 3, 1).flatten(1, 2)
        normal = functional.layer_norm(tokens, tokens.shape[-1:])
        if style is not None:
            scale, shift = style.unbind(1)
            normal = torch.addcmul(shift, normal, 1 + scale)
        asked, hidden = self.inward(normal).split(self.split, dim=2)
        seen = self.mix(attention(asked, self.heads))
        result: Tensor = tokens + (seen + self.outward(functional.leaky_relu(hidden, _SLOPE)))
        return result


def attention(asked: Tensor, heads: int) -> Tensor:
    """Of queries, keys and values side by side (B, T, 3 D), what each token sees of all: (B, T, D).

    Written out: on CPUs in bf16 the gradient of PyTorch's fused attention takes several times as long.
    """
    query, key, value = asked.unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    share = torch.softmax((query * query.shape[-1] ** -0.5) @ key.transpose(2, 3), dim=-1)
    seen: Tensor = (share @ value).transpose(1, 2).flatten(2)
    return seen


class Output(nn.Module):
    """Tokens (B, T, width) to what is added to images, (B, C, H, W): `maps` for each pixel, which are a bilinear
    enlargement of what is one linear map of the tokens, and another one's details for each pixel of a patch; then a 3x3
    convolution over the seams."""

    def __init__(self, width: int, channels: int, grid: tuple[int, int], patch: int, maps: int) -> None:
        super().__init__()
        self.grid, self.patch = grid, patch
        self.smooth, self.details = nn.Linear(width, maps), nn.Linear(width, maps * patch**2, bias=False)
        self.last = nn.Conv2d(maps, channels, 3, padding=1)

    def forward(self, tokens: Tensor) -> Tensor:
        normal = functional.layer_norm(tokens, tokens.shape[-1:])
        planes = self.smooth(normal).unflatten(1, self.grid).permute(0, 3, 1, 2)
        smooth = functional.interpolate(planes, scale_factor=self.patch, mode="bilinear")
        maps = torch.add(smooth, _joined(self.details(normal), self.grid, self.patch), alpha=DETAIL)
        image: Tensor = self.last(functional.leaky_relu(maps, _SLOPE))
        return image


def _cut(maps: Tensor, grid: tuple[int, int], patch: int) -> Tensor:
    """Maps (B, C, H, W) to their patches, (B, T, patch * patch * C)."""
    rows, columns = grid
    cut = maps.permute(0, 2, 3, 1).unflatten(2, (columns, patch)).unflatten(1, (rows, patch))
    flat: Tensor = cut.transpose(2, 3).flatten(3).flatten(1, 2)
    return flat


def _joined(pixels: Tensor, grid: tuple[int, int], patch: int) -> Tensor:
    """Patches (B, T, patch * patch * C) to maps (B, C, H, W), channels-last in memory."""
    cut = pixels.unflatten(2, (patch, patch, -1)).unflatten(1, grid)
    maps: Tensor = cut.transpose(2, 3).flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)
    return maps


def _spread(coarse: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """(tokens of the grid, tokens of the coarse one): how much of each coarse token a token gets, bilinearly."""
    count = math.prod(coarse)
    each = functional.interpolate(torch.eye(count).reshape(1, count, *coarse), size=grid, mode="bilinear")
    return each.reshape(count, -1).T.contiguous()
