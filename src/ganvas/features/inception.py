"""InceptionV3 as the field's scores use it: TensorFlow's network of 2015-12-05, as torch-fidelity converted it.

The architecture is that of Szegedy et al. 2016 with TensorFlow's deviations: average pools do not count padding, the
last block pools by maximum, and images are resized by TensorFlow 1's bilinear rule, without half-pixel centres. Weights
carry torch-fidelity's names. Results are torch-fidelity's up to rounding, and quicker to be had:

- BatchNorm is folded into the convolutions.
- 1x1 convolutions of the same input are one convolution. The one behind an average pool is moved before it, where fewer
  channels are pooled; both are linear and the pool's weights sum to 1, so nothing changes.
- Resizing is two small matrix products.

All of it is float32, for the reason that docs/decisions/0008-judges-in-float32.md gives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas.errors import DataError
from ganvas.features.base import ImageExtractor
from ganvas.features.weights import check_shapes, fetch, read_weights, weights_hash

SIDE = 299


URL = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
SHA256 = "6726825d"
"""How the published file's hash begins, as its name says."""


def inception(weights: Path | None = None, *, device: torch.device | str = "cpu") -> Inception:
    """With the weights of a file, or else of torch-fidelity's cache, or else of its download, kept in that cache.

    Raises DataError where they cannot be had or used.
    """
    path = weights or cached_weights()
    if weights is None and not path.exists():
        fetch(URL, path, SHA256)
    if weights is None and not hashlib.sha256(path.read_bytes()).hexdigest().startswith(SHA256):
        raise DataError(f"{path} is damaged; remove it, and it will be downloaded again")
    return Inception(read_weights(path), device=device)


def cached_weights() -> Path:
    """Where torch-fidelity keeps Inception's weights, whether they are there or not."""
    return Path(torch.hub.get_dir()) / "checkpoints" / URL.rpartition("/")[2]


class Convolution(NamedTuple):
    """With BatchNorm and ReLU behind it."""

    name: str
    inputs: int
    outputs: int
    kernel: tuple[int, int]
    stride: int = 1
    padding: tuple[int, int] = (0, 0)


class Block(NamedTuple):
    """Branches side by side. Each is a chain of steps; a step is a layer, or two that look at the same input. `pool` is
    `average` or `max` before the last branch, or `halve`: a max pool of stride 2 is one more branch.
    """

    branches: list[list[list[Convolution]]]
    pool: str


class Inception(ImageExtractor):
    """features: the last layer, pooled (2048). logits: 1008 classes without bias, as the Inception Score takes them.

    weights: torch-fidelity's state dictionary. Raises DataError where names or shapes are others.
    """

    def __init__(self, weights: Mapping[str, Tensor], *, device: torch.device | str = "cpu") -> None:
        super().__init__()
        check_shapes(weights, shapes(), "torch-fidelity's InceptionV3")
        self.name, self.dimensions = "inception", 2048
        self.resizing = f"TensorFlow 1's bilinear to {SIDE}x{SIDE}, (x - 128) / 128"
        self.weights_hash = weights_hash(weights)
        self.layers = nn.ModuleDict({_key(layers): _joined(weights, layers) for layers in _joint_layers()})
        self.classifier = nn.Parameter(weights["fc.weight"].float().clone())
        self.requires_grad_(False).train(False)
        self.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def prepare(self, levels: Tensor) -> Tensor:
        x = resize((levels - 128) / 128, SIDE, SIDE)
        return x.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)

    def maps_of(self, prepared: Tensor) -> list[Tensor]:
        """64, 192, 288, 768 and 2048 channels: the last maps before each halving of the size, and the last."""
        x, maps = prepared, []
        for number, layer in enumerate(STEM):
            x = self._convolve([layer], x).relu_()
            if number in (2, 4):
                maps.append(x)
                x = functional.max_pool2d(x, 3, 2)
        for block in BLOCKS:
            if block.pool == "halve":
                maps.append(x)
            x = self._block(block, x)
        return [*maps, x]

    def classify(self, features: Tensor) -> Tensor:
        return features @ self.classifier.T

    def _block(self, block: Block, x: Tensor) -> Tensor:
        first = _first(block)
        heads = self._convolve(first, x).split([layer.outputs for layer in first], 1)
        found = []
        for branch in block.branches:
            y, rest = x, branch
            if branch[0][0] in first:
                y, rest = heads[first.index(branch[0][0])], branch[1:]
                if branch is block.branches[-1] and block.pool == "average":
                    y = functional.avg_pool2d(y, 3, 1, 1, count_include_pad=False)
                y = y.relu()
            elif block.pool == "max":
                y = functional.max_pool2d(y, 3, 1, 1)
            for step in rest:
                steps = [self._convolve([layer], y).relu_() for layer in step]
                y = steps[0] if len(steps) == 1 else torch.cat(steps, 1)
            found.append(y)
        if block.pool == "halve":
            found.append(functional.max_pool2d(x, 3, 2))
        return torch.cat(found, 1)

    def _convolve(self, layers: list[Convolution], x: Tensor) -> Tensor:
        out: Tensor = self.layers[_key(layers)](x)
        return out


def resize(images: Tensor, height: int, width: int) -> Tensor:
    """(B, C, H, W) to (B, C, height, width) as TensorFlow 1 does with `align_corners=False`: output pixel i lies at
    i * H / height, whose two neighbours are weighted by distance."""
    rows, columns = _bilinear(images.shape[2], height), _bilinear(images.shape[3], width)
    return rows.to(images.device) @ (images @ columns.T.to(images.device))


def _bilinear(before: int, after: int) -> Tensor:
    at = torch.arange(after, dtype=torch.float32) * torch.tensor(before / after, dtype=torch.float32)
    low = at.long()
    part = at - low
    matrix = torch.zeros(after, before)
    matrix[torch.arange(after), low] += 1 - part
    matrix[torch.arange(after), (low + 1).clamp(max=before - 1)] += part
    return matrix


def _layer(name: str, inputs: int, outputs: int, height: int = 1, width: int = 1, stride: int = 1) -> Convolution:
    padding = (0, 0) if stride > 1 else (height // 2, width // 2)
    return Convolution(name, inputs, outputs, (height, width), stride, padding)


STEM = [
    _layer("Conv2d_1a_3x3", 3, 32, 3, 3, stride=2),
    Convolution("Conv2d_2a_3x3", 32, 32, (3, 3)),
    _layer("Conv2d_2b_3x3", 32, 64, 3, 3),
    _layer("Conv2d_3b_1x1", 64, 80),
    Convolution("Conv2d_4a_3x3", 80, 192, (3, 3)),
]


def _a(name: str, n: int, pooled: int) -> Block:
    return Block(
        [
            [[_layer(f"{name}.branch1x1", n, 64)]],
            [[_layer(f"{name}.branch5x5_1", n, 48)], [_layer(f"{name}.branch5x5_2", 48, 64, 5, 5)]],
            [
                [_layer(f"{name}.branch3x3dbl_1", n, 64)],
                [_layer(f"{name}.branch3x3dbl_2", 64, 96, 3, 3)],
                [_layer(f"{name}.branch3x3dbl_3", 96, 96, 3, 3)],
            ],
            [[_layer(f"{name}.branch_pool", n, pooled)]],
        ],
        "average",
    )


def _b(name: str, n: int) -> Block:
    return Block(
        [
            [[_layer(f"{name}.branch3x3", n, 384, 3, 3, stride=2)]],
            [
                [_layer(f"{name}.branch3x3dbl_1", n, 64)],
                [_layer(f"{name}.branch3x3dbl_2", 64, 96, 3, 3)],
                [_layer(f"{name}.branch3x3dbl_3", 96, 96, 3, 3, stride=2)],
            ],
        ],
        "halve",
    )


def _c(name: str, n: int, m: int) -> Block:
    return Block(
        [
            [[_layer(f"{name}.branch1x1", n, 192)]],
            [
                [_layer(f"{name}.branch7x7_1", n, m)],
                [_layer(f"{name}.branch7x7_2", m, m, 1, 7)],
                [_layer(f"{name}.branch7x7_3", m, 192, 7, 1)],
            ],
            [
                [_layer(f"{name}.branch7x7dbl_1", n, m)],
                [_layer(f"{name}.branch7x7dbl_2", m, m, 7, 1)],
                [_layer(f"{name}.branch7x7dbl_3", m, m, 1, 7)],
                [_layer(f"{name}.branch7x7dbl_4", m, m, 7, 1)],
                [_layer(f"{name}.branch7x7dbl_5", m, 192, 1, 7)],
            ],
            [[_layer(f"{name}.branch_pool", n, 192)]],
        ],
        "average",
    )


def _d(name: str, n: int) -> Block:
    return Block(
        [
            [[_layer(f"{name}.branch3x3_1", n, 192)], [_layer(f"{name}.branch3x3_2", 192, 320, 3, 3, stride=2)]],
            [
                [_layer(f"{name}.branch7x7x3_1", n, 192)],
                [_layer(f"{name}.branch7x7x3_2", 192, 192, 1, 7)],
                [_layer(f"{name}.branch7x7x3_3", 192, 192, 7, 1)],
                [_layer(f"{name}.branch7x7x3_4", 192, 192, 3, 3, stride=2)],
            ],
        ],
        "halve",
    )


def _e(name: str, n: int, pool: str) -> Block:
    def fork(branch: str, one: str, other: str) -> list[Convolution]:
        return [_layer(f"{name}.{branch}_{one}", 384, 384, 1, 3), _layer(f"{name}.{branch}_{other}", 384, 384, 3, 1)]

    return Block(
        [
            [[_layer(f"{name}.branch1x1", n, 320)]],
            [[_layer(f"{name}.branch3x3_1", n, 384)], fork("branch3x3", "2a", "2b")],
            [
                [_layer(f"{name}.branch3x3dbl_1", n, 448)],
                [_layer(f"{name}.branch3x3dbl_2", 448, 384, 3, 3)],
                fork("branch3x3dbl", "3a", "3b"),
            ],
            [[_layer(f"{name}.branch_pool", n, 192)]],
        ],
        pool,
    )


BLOCKS = [
    _a("Mixed_5b", 192, 32),
    _a("Mixed_5c", 256, 64),
    _a("Mixed_5d", 288, 64),
    _b("Mixed_6a", 288),
    _c("Mixed_6b", 768, 128),
    _c("Mixed_6c", 768, 160),
    _c("Mixed_6d", 768, 160),
    _c("Mixed_6e", 768, 192),
    _d("Mixed_7a", 768),
    _e("Mixed_7b", 1280, "average"),
    _e("Mixed_7c", 2048, "max"),
]


def shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of torch-fidelity's state dictionary."""
    found: dict[str, tuple[int, ...]] = {"fc.weight": (1008, 2048), "fc.bias": (1008,)}
    for layer in [
        *STEM,
        *(layer for block in BLOCKS for branch in block.branches for step in branch for layer in step),
    ]:
        found[f"{layer.name}.conv.weight"] = (layer.outputs, layer.inputs, *layer.kernel)
        found |= {f"{layer.name}.bn.{part}": (layer.outputs,) for part in ("weight", "bias", *STATISTICS)}
    return found


STATISTICS = ("running_mean", "running_var")


def _first(block: Block) -> list[Convolution]:
    """The 1x1 convolutions that look at the block's own input, which are computed together."""
    pooled = block.branches[-1] if block.pool == "max" else None
    return [branch[0][0] for branch in block.branches if branch is not pooled and branch[0][0].kernel == (1, 1)]


def _joint_layers() -> list[list[Convolution]]:
    joint = [[layer] for layer in STEM]
    for block in BLOCKS:
        first = _first(block)
        joint.append(first)
        joint += [[layer] for branch in block.branches for step in branch for layer in step if layer not in first]
    return joint


def _joined(weights: Mapping[str, Tensor], layers: list[Convolution]) -> nn.Conv2d:
    """Layers of the same input and kernel as one convolution, with their BatchNorm in its weights."""
    folded, biases = [], []
    for layer in layers:
        scale, shift, mean, variance = (
            weights[f"{layer.name}.bn.{part}"].double() for part in ("weight", "bias", *STATISTICS)
        )
        scale = scale / (variance + 1e-3).sqrt()
        folded.append(weights[f"{layer.name}.conv.weight"].double() * scale.view(-1, 1, 1, 1))
        biases.append(shift - mean * scale)
    one = layers[0]
    outputs = sum(layer.outputs for layer in layers)
    joined: nn.Conv2d = nn.utils.skip_init(nn.Conv2d, one.inputs, outputs, one.kernel, one.stride, one.padding)
    joined.load_state_dict({"weight": torch.cat(folded).float(), "bias": torch.cat(biases).float()})
    return joined


def _key(layers: list[Convolution]) -> str:
    return layers[0].name.replace(".", "_")
