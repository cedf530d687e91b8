"""Fully connected networks."""

import math

import torch
from torch import Tensor, nn


class Maxout(nn.Module):
    """The largest of `pieces` linear functions for each of `outputs` units (Goodfellow et al. 2013, eq. 1 and 2)."""

    def __init__(self, inputs: int, outputs: int, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.linear = nn.Linear(inputs, outputs * pieces)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) to (B, outputs)."""
        pieces: Tensor = self.linear(x).unflatten(1, (-1, self.pieces))
        # Not amax, whose gradient is shared out among equals and takes twice as long.
        return pieces.max(2).values


def mlp(inputs: int, hidden: list[int], outputs: int, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """(B, inputs) to (B, outputs) through `hidden` layers, each followed by `activation`; no activation at the end."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), activation()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


def maxout(inputs: int, hidden: list[int], outputs: int, *, pieces: int, dropout: float) -> nn.Sequential:
    """(B, inputs) to (B, outputs) through `hidden` layers of maxout units, each followed by dropout."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [Maxout(inputs, width, pieces), nn.Dropout(dropout)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


def one_hot(label: Tensor, classes: int) -> Tensor:
    """(B,) int64 to (B, classes) float32."""
    return torch.nn.functional.one_hot(label, classes).float()


class LabelledGenerator(nn.Module):
    """latent: (B, latent), label: (B,) int64, to images (B, *shape) in [-1, 1]."""

    def __init__(self, shape: tuple[int, ...], latent: int, classes: int, width: int) -> None:
        super().__init__()
        self.shape, self.classes = shape, classes
        self.from_latent = nn.Linear(latent, width)
        self.from_label = nn.Linear(classes, width)
        self.joined = nn.Linear(2 * width, 2 * width)
        self.output = nn.Linear(2 * width, math.prod(shape))

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        label_BK = one_hot(label, self.classes)
        hidden = torch.cat([torch.relu(self.from_latent(latent)), torch.relu(self.from_label(label_BK))], dim=1)
        images: Tensor = torch.tanh(self.output(torch.relu(self.joined(hidden)))).unflatten(1, self.shape)
        return images


class LabelledDiscriminator(nn.Module):
    """images: (B, *shape), label: (B,) int64, to logits (B,)."""

    def __init__(self, shape: tuple[int, ...], classes: int, width: int, dropout: float) -> None:
        super().__init__()
        self.classes = classes
        self.from_image = Maxout(math.prod(shape), width, pieces=5)
        self.hidden = Maxout(width, width, pieces=4)
        self.output = nn.Linear(width, 1)
        self.from_label = nn.Linear(classes, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, images: Tensor, label: Tensor) -> Tensor:
        hidden = self.hidden(self.dropout(self.from_image(images.flatten(1))))
        wanted = self.from_label(one_hot(label, self.classes))
        agreement = (hidden * wanted).sum(1) / math.sqrt(hidden.shape[1])
        logits: Tensor = self.output(self.dropout(hidden)).squeeze(1) + agreement
        return logits
