"""A discriminator with an opinion on every place of an image instead of one on the whole."""

from __future__ import annotations

from torch import Tensor, nn

from ganvas.networks.spectral import spectral_norm

LEAST = 4
"""Pixels that an image must have a side."""


class PatchDiscriminator(nn.Module):
    """(B, C, H, W) of any size from 4 pixels a side to the logits of all places, (B * H//4 * W//4,).

    Five convolutions, of which two halve: each logit sees 28x28 pixels (Isola et al. 2017, section 3.2.2, has 70x70).
    LeakyReLU 0.2. normalised: the three in the middle are spectrally so, and whoever trains it calls
    `networks.spectral.advance` in `after`."""

    def __init__(self, *, channels: int, width: int, normalised: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(0.2)]
        for before, after, kernel, stride in ((1, 2, 4, 2), (2, 4, 4, 2), (4, 4, 3, 1)):
            # A kernel that the stride divides: with others the gradient has a grid of its own.
            convolution = nn.Conv2d(before * width, after * width, kernel, stride, 1, bias=False)
            layers += [spectral_norm(convolution) if normalised else convolution, nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(4 * width, 1, 3, padding=1))

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.layers(image)
        return logits.flatten()

    def maps(self, image: Tensor) -> list[Tensor]:
        """What each layer but the last makes of the images, (B, C, h, w) each, from shallow to deep."""
        found = []
        for layer in list(self.layers)[:-1]:
            image = layer(image)
            if isinstance(layer, nn.LeakyReLU):
                found.append(image)
        return found
