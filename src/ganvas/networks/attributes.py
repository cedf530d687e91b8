"""Networks that change named attributes of a picture: one generator and one discriminator for all of them.

Every value of an attribute is a domain, as in StarGAN (Choi et al. 2018); a number lies between two of several domains,
which stand at knots of its range. So all kinds of attributes are one thing, memberships in domains, and what changes is
the difference of two memberships (STGAN: Liu et al. 2019, section 3.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas.attributes import Attribute

DEEPEST = 3
"""Halvings of the largest pictures in the generator."""


class Domains(nn.Module):
    """What attributes are to networks. knots: domains of an attribute that is a number; a switch has two, a choice as
    many as there are choices. count: domains of all."""

    def __init__(self, attributes: Sequence[Attribute], knots: int) -> None:
        super().__init__()
        self.sizes = [len(each.choices) or (2 if each.switch else knots) for each in attributes]
        self.between = [not each.choices and not each.switch for each in attributes]
        self.count = sum(self.sizes)
        of, centres, widths = [], [], []
        for place, (each, size) in enumerate(zip(attributes, self.sizes, strict=True)):
            width = (each.high - each.low) / (size - 1)
            of += [place] * size
            centres += [each.low + width * knot for knot in range(size)]
            widths += [width] * size
        self.register_buffer("of", torch.tensor(of), persistent=False)
        self.register_buffer("centres", torch.tensor(centres), persistent=False)
        self.register_buffer("widths", torch.tensor(widths), persistent=False)

    def memberships(self, numbers: Tensor) -> Tensor:
        """(B, K) numbers of attributes to (B, domains): 1 at a domain's centre, linear to 0 at its neighbours'."""
        apart = (numbers[:, self.get_buffer("of")] - self.get_buffer("centres")).abs()
        return (1 - apart / self.get_buffer("widths")).clamp(min=0)

    def mistaken(self, memberships: Tensor) -> Tensor:
        """Memberships (B, domains) in which one attribute of each row, any of them, has been moved to other domains."""
        parts = [_moved(part) for part in memberships.split(self.sizes, 1)]
        one = torch.randint(len(self.sizes), (len(memberships), 1), device=memberships.device)
        return torch.where(self.get_buffer("of") == one, torch.cat(parts, 1), memberships)

    def read(self, logits: Tensor) -> Tensor:
        """(B, domains) to the numbers (B, K) that they say: the likeliest domain's; of an attribute that is a number,
        the mean over its domains."""
        columns = []
        centres = self.get_buffer("centres").split(self.sizes)
        for each, centre, between in zip(logits.split(self.sizes, 1), centres, self.between, strict=True):
            columns.append(each.softmax(1) @ centre if between else centre[each.argmax(1)])
        return torch.stack(columns, dim=1)

    def missed(self, logits: Tensor, memberships: Tensor) -> Tensor:
        """Cross-entropy of what the logits (B, domains) say and what is so, in nats, summed over the attributes."""
        pairs = zip(logits.split(self.sizes, 1), memberships.split(self.sizes, 1), strict=True)
        return torch.stack([functional.cross_entropy(said, true) for said, true in pairs]).sum()


class AttributeGenerator(nn.Module):
    """(B, C, H, W) in [-1, 1] and a difference of memberships (B, domains) to a picture and to a mask (B, 1, H, W) in
    [0, 1] of where it changes: source + mask * change. It begins with about no change, so as the identity, and with the
    mask half open: one that begins closed (GANimation: Pumarola et al. 2018, eq. 1) lets no gradient through and stays
    so.

    A U-Net as `Translator`, but that it works at half the size, which a CPU likes: the mask carries the fine detail of
    what stays. The difference scales and shifts what every group normalisation gives.
    size: of the pictures that it is trained on, by which it is as deep as they allow; others may have any size.
    """

    def __init__(self, *, channels: int, size: tuple[int, int], domains: int, width: int) -> None:
        super().__init__()
        self.levels = max(1, min(DEEPEST, int(math.log2(max(2, min(size) // 4)))))
        widths = [width * min(4, 2**level) for level in range(self.levels)]
        told = 2 * width
        self.tell = nn.Sequential(nn.Linear(domains, told), nn.SiLU(), nn.Linear(told, told), nn.SiLU())
        self.head = nn.Conv2d(channels, width, 4, 2, 1)
        self.down = nn.ModuleList(_Block(before, told) for before in widths[:-1])
        self.halve = nn.ModuleList(nn.Conv2d(before, after, 4, 2, 1) for before, after in pairwise(widths))
        self.middle = nn.ModuleList(_Block(widths[-1], told) for _ in range(2))
        self.mix = nn.ModuleList(nn.Conv2d(after + before, before, 3, padding=1) for before, after in pairwise(widths))
        self.up = nn.ModuleList(_Block(before, told) for before in widths[:-1])
        fine = max(1, width // 2)
        self.grow = nn.Conv2d(width, fine, 3, padding=1)
        self.join = nn.Conv2d(fine + channels, fine, 3, padding=1)
        self.tail = nn.Conv2d(fine, channels + 1, 5, padding=2)
        nn.init.normal_(self.tail.weight, std=1e-3)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    def forward(self, source: Tensor, difference: Tensor) -> tuple[Tensor, Tensor]:
        height, width = source.shape[2:]
        step = 2**self.levels
        padded = functional.pad(source, (0, -width % step, 0, -height % step), mode="replicate")
        padded = padded.contiguous(memory_format=torch.channels_last)
        told = self.tell(difference)
        hidden, skips = self.head(padded), []
        for block, halve in zip(self.down, self.halve, strict=True):
            skips.append(hidden := block(hidden, told))
            hidden = halve(hidden)
        for block in self.middle:
            hidden = block(hidden, told)
        for level in reversed(range(self.levels - 1)):
            hidden = functional.silu(self.mix[level](torch.cat([_doubled(hidden), skips[level]], dim=1)))
            hidden = self.up[level](hidden, told)
        hidden = self.join(torch.cat([_doubled(self.grow(hidden)), padded], dim=1))
        made = self.tail(functional.silu(hidden))[:, :, :height, :width].float()
        mask = torch.sigmoid(made[:, -1:])
        return source + mask * made[:, :-1], mask


class DomainDiscriminator(nn.Module):
    """(B, C, H, W) of the size that it is made for to the logits (B, domains, h, w) of every domain at many places, and
    to what it reads of the picture's attributes, (B, domains).

    Each place's logit is the sum of what a near and a wide look say. LeakyReLU 0.2, no normalisation (Choi et al. 2018,
    table 5).
    """

    def __init__(self, *, channels: int, size: tuple[int, int], domains: int, width: int) -> None:
        super().__init__()
        halvings = max(2, min(6, round(math.log2(min(size) / 4))))
        widths = [channels, *(width * min(8, 2**level) for level in range(halvings))]
        layers = [_halved(before, after) for before, after in pairwise(widths)]
        self.near, self.wide = nn.Sequential(*layers[:-1]), layers[-1]
        self.near_logits = nn.Conv2d(widths[-2], domains, 3, padding=1)
        self.wide_logits = nn.Conv2d(widths[-1], domains, 3, padding=1)
        places = math.prod(max(1, side >> halvings) for side in size)
        self.reading = nn.Sequential(
            nn.Flatten(), nn.Linear(widths[-1] * places, 256), nn.LeakyReLU(0.2), nn.Linear(256, domains)
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        near = self.near(image.contiguous(memory_format=torch.channels_last))
        wide = self.wide(near)
        coarse = functional.interpolate(self.wide_logits(wide), size=near.shape[2:], mode="nearest")
        return self.near_logits(near) + coarse, self.reading(wide)


class _Told(nn.Module):
    """Group normalisation, scaled and shifted by what is told: (B, C, H, W), (B, told)."""

    def __init__(self, width: int, told: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(math.gcd(width, 8), width)
        self.affine = nn.Linear(told, 2 * width)
        nn.init.normal_(self.affine.weight, std=0.3)
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        scale, shift = self.affine(told)[:, :, None, None].chunk(2, dim=1)
        result: Tensor = self.norm(x) * (1 + scale) + shift
        return result


class _Block(nn.Module):
    """x + convolution(silu(normalised(convolution(silu(normalised(x)))))), both normalisations told what to change."""

    def __init__(self, width: int, told: int) -> None:
        super().__init__()
        self.first, self.second = _Told(width, told), _Told(width, told)
        self.convolutions = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        hidden = self.convolutions[0](functional.silu(self.first(x, told)))
        result: Tensor = x + self.convolutions[1](functional.silu(self.second(hidden, told)))
        return result


def _moved(part: Tensor) -> Tensor:
    """The memberships (B, domains) in the domains of one attribute, turned round by at least one of them."""
    count = part.shape[1]
    by = torch.randint(1, count, (len(part), 1), device=part.device)
    return part.gather(1, (torch.arange(count, device=part.device) + by) % count)


def _halved(before: int, after: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2))


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
