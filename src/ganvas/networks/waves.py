"""Networks for sounds: waves of a fixed length, of any number of channels (Donahue, McAuley and Puckette 2019)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

KERNEL, STRIDE = 25, 4
"""Filters as long as in the paper: a wave's period is long beside a pixel's neighbourhood (section 2.1)."""


@dataclass(frozen=True)
class Ladder:
    """Steps of four times as many samples: `base` of them, `steps` times, cropped in the middle to `length`."""

    length: int
    base: int
    steps: int

    @property
    def made(self) -> int:
        return self.base * int(STRIDE**self.steps)


def ladder(length: int) -> Ladder:
    """From at most 16 samples, as in the paper (16,384 from 16 in five steps)."""
    steps = 0
    while length > 16 * STRIDE**steps:
        steps += 1
    return Ladder(length, -(-length // STRIDE**steps), steps)


def _maps(shape: Ladder, channels: int, width: int) -> list[int]:
    """Channels of the sound, then feature maps from the finest level to the base, doubled at each step up to 16 times
    `width` (tables 3 and 4)."""
    return [channels, *(width * min(16, 2**step) for step in range(shape.steps))]


class WaveGenerator(nn.Module):
    """latent: (B, latent), label: (B,) int64 where conditional, to waves (B, channels, length) in [-1, 1]."""

    def __init__(self, *, latent: int, channels: int, length: int, width: int, classes: int = 0) -> None:
        super().__init__()
        self.ladder = ladder(length)
        maps = _maps(self.ladder, channels, width)[::-1]
        self.embedding = nn.Embedding(classes, latent) if classes else None
        self.project = nn.Linear(latent * (2 if classes else 1), maps[0] * self.ladder.base)
        layers: list[nn.Module] = []
        for before, after in pairwise(maps):
            padding = (KERNEL - STRIDE + 1) // 2
            layers += [nn.ReLU(), nn.ConvTranspose1d(before, after, KERNEL, STRIDE, padding, output_padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        if self.embedding is not None:
            latent = torch.cat(
                [latent, functional.normalize(self.embedding(label)) * math.sqrt(latent.shape[1])], dim=1
            )
        hidden = self.project(latent).unflatten(1, (-1, self.ladder.base))
        start = (self.ladder.made - self.ladder.length) // 2
        waves: Tensor = torch.tanh(self.layers(hidden)[:, :, start : start + self.ladder.length])
        return waves


class WaveDiscriminator(nn.Module):
    """Waves (B, channels, length), label (B,) where conditional, to logits (B,).

    shuffle: while it trains, feature maps are moved by up to so many samples, each sound's by its own draw, reflected
    at the ends: or it would know generated sounds by the phase of their artefacts (section 3.3, n = 2). Labels enter by
    projection (Miyato and Koyama 2018, eq. 3).
    """

    def __init__(self, *, channels: int, length: int, width: int, classes: int = 0, shuffle: int = 2) -> None:
        super().__init__()
        shape = ladder(length)
        self.padding, self.shuffle = shape.made - length, shuffle
        maps = _maps(shape, channels, width)
        self.layers = nn.ModuleList(
            nn.Conv1d(before, after, KERNEL, STRIDE, KERNEL // 2) for before, after in pairwise(maps)
        )
        features = maps[-1] * shape.base
        self.head = nn.Linear(features, 1)
        self.embedding = nn.Embedding(classes, maps[-1]) if classes else None
        self.reading = nn.Linear(features, maps[-1]) if classes else None

    def forward(self, waves: Tensor, label: Tensor | None = None) -> Tensor:
        hidden = functional.pad(waves, (self.padding // 2, self.padding - self.padding // 2))
        for place, layer in enumerate(self.layers):
            hidden = functional.leaky_relu(layer(hidden), 0.2)
            if self.training and self.shuffle and place < len(self.layers) - 1:
                hidden = shuffled(hidden, self.shuffle)
        features = hidden.flatten(1)
        logits: Tensor = self.head(features).squeeze(1)
        if self.embedding is not None and self.reading is not None:
            wanted = self.embedding(label)
            logits = logits + (self.reading(features) * wanted).sum(1) / math.sqrt(wanted.shape[1])
        return logits


def shuffled(maps: Tensor, most: int) -> Tensor:
    """(B, C, T), each sample's maps moved together by -most to most places, reflected at the ends (section 3.3)."""
    length = maps.shape[2]
    shifts = torch.randint(-most, most + 1, (len(maps), 1), device=maps.device)
    places = (torch.arange(length, device=maps.device) + shifts).abs()
    places = (length - 1) - (length - 1 - places).abs()
    return maps.gather(2, places.unsqueeze(1).expand_as(maps))
