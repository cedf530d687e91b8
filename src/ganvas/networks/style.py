"""The networks of StyleGAN2 (Karras et al. 2020), for any channel count and size.

What differs from the paper, for small machines: the widths are free, resampling and convolutions are apart and a
convolution works on the smaller of two sizes (the paper's strides cost as much and reach less far), and at the start
the shorter side has 4 to 7 pixels instead of 4, so that every size can be made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas.networks.equalised import GAIN, SLOPE, EqualisedConv2d, EqualisedLinear
from ganvas.networks.minibatch import MinibatchDeviation
from ganvas.networks.resampling import SUMMED, doubled, halved_sums
from ganvas.networks.running_mean import RunningMean
from ganvas.networks.shapes import Pyramid, pyramid

MAPPING_RATE = 0.01
"""The mapping network's share of the learning rate (Karras et al. 2019, appendix C)."""

MEAN_DECAY = 0.998
"""Of the mean of w, a step."""


def widths(shape: Pyramid, width: int, widest: int) -> list[int]:
    """Feature maps from the finest level to the base: doubled at each halving, up to `widest`."""
    return [min(max(width, widest), width << level) for level in range(shape.doublings + 1)]


class Mapping(nn.Module):
    """Latent vectors z to the intermediate w, with a learned vector for each class beside z where there are classes.

    Both are brought to unit mean square, so that neither drowns the other.
    """

    def __init__(self, latent: int, size: int, layers: int, classes: int = 0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, latent) if classes else None
        inputs = [latent * (2 if classes else 1), *[size] * (layers - 1)]
        gains = [1.0, *[GAIN] * (layers - 1)]
        self.layers = nn.ModuleList(
            EqualisedLinear(before, size, multiplier=MAPPING_RATE, gain=gain)
            for before, gain in zip(inputs, gains, strict=True)
        )

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, latent), (B,) int64 where conditional, to (B, size)."""
        with exact(latent):
            return self._mapped(latent, label)

    def _mapped(self, latent: Tensor, label: Tensor | None) -> Tensor:
        hidden = _unit(latent.float())
        if self.embedding is not None:
            hidden = torch.cat([hidden, _unit(self.embedding(label))], dim=1)
        for layer in self.layers:
            hidden = functional.leaky_relu(layer(hidden), SLOPE)
        return hidden * GAIN


class ModulatedConv2d(nn.Module):
    """A 3x3 convolution whose input maps are scaled by what w says, sample by sample, and whose output maps are then
    scaled so that they have unit variance if the input maps have it and are independent (Karras et al. 2020, eq. 1 to
    3).

    To scale weights is to scale maps: sum_i (s_i w_ijk) x_i = sum_i w_ijk (s_i x_i), and demodulation is a factor on
    each output map. So one convolution with one weight serves the whole batch.

    gain: on the input maps; demodulation leaves it in.
    """

    def __init__(self, inputs: int, outputs: int, w: int, *, gain: float = 1.0) -> None:
        super().__init__()
        self.scale, self.gain = 1 / (3 * math.sqrt(inputs)), gain
        self.style = EqualisedLinear(w, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))

    def forward(self, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, inputs, H, W), w: (B, w). Returns (B, outputs, H, W), not yet demodulated, and the factors (B,
        outputs, 1, 1) of demodulation."""
        weight = self.weight * self.scale
        with exact(w):
            style = self.style(w)
            variance = style.square() @ weight.square().sum((2, 3)).t()
        scaled = x * _over_maps(style * self.gain, x)
        maps = functional.conv2d(scaled, weight.to(x.dtype), padding=1)
        return maps, _over_maps((variance + 1e-8).rsqrt(), x)


class StyledConvolution(nn.Module):
    """A modulated convolution, doubling where `double` says so, noise, bias and LeakyReLU, whose gain is left to what
    comes next (Karras et al. 2020, figure 2d)."""

    def __init__(self, inputs: int, outputs: int, w: int, *, gain: float = GAIN, double: bool = False) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(inputs, outputs, w, gain=gain)
        self.doubling = double
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        """x: (B, inputs, H, W), w: (B, w), noise: (B, 1, H', W') of the output's size."""
        maps, factors = self.convolution(x, w)
        maps = torch.addcmul(_over_maps(self.bias[None], maps), maps, factors)
        if self.doubling:
            maps = doubled(maps)
        maps = maps + (self.strength * noise).to(maps.dtype)
        return _leaky(maps)


class ToImage(nn.Module):
    """A modulated 1x1 convolution to the image's channels, without demodulation. It has so few outputs that here the
    weights are scaled, sample by sample, and not the maps."""

    def __init__(self, inputs: int, channels: int, w: int) -> None:
        super().__init__()
        self.scale = GAIN / math.sqrt(inputs)
        self.style = EqualisedLinear(w, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(channels, inputs))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x: (B, inputs, H, W), w: (B, w). Returns (B, channels, H, W) float32, since eight bits of bf16 are too few
        for a sum of images."""
        with exact(w):
            weight = (self.style(w) * self.scale)[:, :, None] * self.weight.t()
        image = x.flatten(2).transpose(1, 2) @ weight.to(x.dtype)
        result: Tensor = image.transpose(1, 2).unflatten(2, x.shape[2:]).float() + self.bias[:, None, None]
        return result


class Synthesis(nn.Module):
    """w and noise to images: a learned constant, two styled convolutions for each size (one for the first), and at
    each size a contribution to the image, which is doubled and added to (Karras et al. 2020, figure 7b).

    layers: how many styled convolutions there are; each takes its own w. noises: how many numbers of noise a sample
    takes, a map for each layer.
    """

    def __init__(self, shape: Pyramid, channels: int, w: int, maps: Sequence[int]) -> None:
        super().__init__()
        self.pyramid = shape
        self.constant = nn.Parameter(torch.randn(1, maps[-1], *shape.base))
        coarse_first = list(reversed(maps))
        convolutions = [StyledConvolution(maps[-1], maps[-1], w, gain=1.0)]
        for before, after in pairwise(coarse_first):
            convolutions += [StyledConvolution(before, after, w, double=True), StyledConvolution(after, after, w)]
        self.convolutions = nn.ModuleList(convolutions)
        self.to_image = nn.ModuleList(ToImage(each, channels, w) for each in coarse_first)
        self.layers = len(convolutions)
        height, width = shape.base
        self.sizes = [(height << (i + 1) // 2, width << (i + 1) // 2) for i in range(self.layers)]
        self.noises = sum(math.prod(size) for size in self.sizes)

    def forward(self, w: Sequence[Tensor], noise: Tensor) -> Tensor:
        """w: (B, w) for each layer, noise: (B, noises). Returns (B, C, H, W)."""
        maps = [
            each.unflatten(1, (1, *size))
            for each, size in zip(noise.split([math.prod(size) for size in self.sizes], dim=1), self.sizes, strict=True)
        ]
        dtype = torch.get_autocast_dtype(noise.device.type) if torch.is_autocast_enabled(noise.device.type) else None
        constant = self.constant.to(dtype or self.constant.dtype).expand(noise.shape[0], -1, -1, -1)
        x = constant.contiguous(memory_format=torch.channels_last)
        image: Tensor | None = None
        for layer, convolution in enumerate(self.convolutions):
            x = convolution(x, w[layer], maps[layer])
            if layer % 2 == 0:  # the last of its size
                added = self.to_image[layer // 2](x, w[layer])
                image = added if image is None else doubled(image) + added
        assert image is not None
        return self.pyramid.crop(image)


class StyleGenerator(nn.Module):
    """Latent vectors to images by way of w.

    mean: of w, for each class where there are classes. A latent vector that is shorter than unit mean square gives a w
    that is as much nearer to the mean: the truncation trick in w (Karras et al. 2019, appendix B).
    """

    def __init__(
        self,
        *,
        latent: int,
        channels: int,
        size: tuple[int, int],
        width: int,
        widest: int,
        mapping_layers: int,
        classes: int = 0,
    ) -> None:
        super().__init__()
        shape = pyramid(size)
        self.mapping = Mapping(latent, latent, mapping_layers, classes)
        self.synthesis = Synthesis(shape, channels, latent, widths(shape, width, widest))
        self.mean = RunningMean(max(classes, 1), latent, MEAN_DECAY)

    def notes(self) -> list[str]:
        """What a plan should say of the size of its images."""
        return self.synthesis.pyramid.notes()

    def forward(
        self,
        latent: Tensor,
        fine: Tensor,
        crossover: Tensor,
        noise: Tensor,
        shift: Tensor,
        label: Tensor | None = None,
    ) -> Tensor:
        """latent, fine: (B, latent) of unit mean square, or nearer to 0 where they are truncated; crossover: (B,), how
        many layers take their w from `latent`, the further ones taking it from `fine`; noise: (B, noises); shift: (B,
        layers, w), added to the w of each layer; label: (B,) int64 where conditional. Returns (B, C, H, W), about in
        [-1, 1]."""
        mixed = self.mixed(self.w(latent, label), self.w(fine, label), crossover)
        images: Tensor = self.synthesis([w + way for w, way in zip(mixed, shift.unbind(1), strict=True)], noise)
        return images

    def w(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, latent) to (B, w), truncated by the latent's length."""
        mean = self.mean.value if label is None else self.mean.value[label]
        length = latent.square().mean(1, keepdim=True).sqrt()
        return torch.lerp(mean.expand_as(latent), self.mapping(latent, label), length)

    def mixed(self, w: Tensor, fine: Tensor, crossover: Tensor) -> list[Tensor]:
        """Of two w (B, w), that of each layer: style mixing (Karras et al. 2019, section 3.1)."""
        share = crossover[:, None]
        return [torch.where(layer < share, w, fine) for layer in range(self.synthesis.layers)]


class StyleDiscriminator(nn.Module):
    """Images to logits: residual blocks, a block for each halving, then a convolution, which also sees the minibatch's
    deviation where `deviation` says so, and two linear layers (Karras et al. 2020, figure 7c). A label enters as a
    projection (Miyato and Koyama 2018, eq. 3)."""

    def __init__(
        self,
        *,
        channels: int,
        size: tuple[int, int],
        width: int,
        widest: int,
        classes: int = 0,
        deviation: bool = True,
    ) -> None:
        super().__init__()
        shape = pyramid(size)
        self.padding = (0, shape.made[1] - size[1], 0, shape.made[0] - size[0])
        maps = widths(shape, width, widest)
        self.from_image = EqualisedConv2d(channels, maps[0], 1)
        self.blocks = nn.Sequential(
            *(Halving(before, after, gain=1.0 if i else GAIN) for i, (before, after) in enumerate(pairwise(maps)))
        )
        self.deviation = MinibatchDeviation() if deviation else nn.Identity()
        gain = 1.0 if len(self.blocks) else GAIN
        self.last = EqualisedConv2d(maps[-1] + int(deviation), maps[-1], 3, gain=gain)
        self.hidden = EqualisedLinear(maps[-1] * math.prod(shape.base), maps[-1], gain=GAIN)
        self.head = EqualisedLinear(maps[-1], 1, gain=GAIN)
        self.reading = EqualisedLinear(maps[-1], maps[-1], gain=GAIN) if classes else None
        self.embedding = nn.Embedding(classes, maps[-1]) if classes else None

    def forward(self, images: Tensor, label: Tensor | None = None) -> Tensor:
        """images: (B, C, H, W) in [-1, 1], label: (B,) int64 where conditional. Returns logits (B,)."""
        if any(self.padding):
            images = functional.pad(images, self.padding, mode="replicate")
        x = self.blocks(_leaky(self.from_image(images)))
        features = _leaky(self.hidden(_leaky(self.last(self.deviation(x))).flatten(1)))
        logits: Tensor = self.head(features).squeeze(1)
        if self.embedding is not None and self.reading is not None:
            wanted = self.embedding(label)
            logits = logits + (self.reading(features) * wanted).sum(1) / math.sqrt(wanted.shape[1])
        return logits


class Halving(nn.Module):
    """(B, before, H, W) to (B, after, H/2, W/2): two convolutions, beside them a 1x1 convolution, and their sum over
    root 2, so that its mean square stays (Karras et al. 2020, section 4.1). gain: on what comes in."""

    def __init__(self, before: int, after: int, *, gain: float) -> None:
        super().__init__()
        self.one = EqualisedConv2d(before, before, 3, gain=gain)
        self.two = EqualisedConv2d(before, after, 3, gain=GAIN / SUMMED)
        self.shortcut = EqualisedConv2d(before, after, 1, gain=gain / GAIN / SUMMED, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        hidden = _leaky(self.two(halved_sums(_leaky(self.one(x)))))
        # The second LeakyReLU's gain and the division by root 2 cancel out.
        result: Tensor = hidden + self.shortcut(halved_sums(x))
        return result


def exact(like: Tensor) -> torch.autocast:
    """Inside, what is computed on this tensor's device stays float32: of styles, which are few, and whose roundings
    would be in every pixel."""
    return torch.autocast(like.device.type, enabled=False)


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, SLOPE, inplace=True)


def _unit(x: Tensor) -> Tensor:
    """(B, N) of unit mean square."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def _over_maps(values: Tensor, like: Tensor) -> Tensor:
    """(B, C) as factors on maps (B, C, H, W)."""
    return values[:, :, None, None].to(like.dtype)
