"""A kind of data that Ganvas does not know, in one file: solids of 0 and 1 in space, and a GAN that makes them.

The tests train, resume, sample, judge and serve it. Nothing in the package names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ganvas import Losses, Recipe
from ganvas import arguments as arg
from ganvas.data.arrays import Arrays, rows_of, splits_of
from ganvas.data.batches import Batch
from ganvas.data.columns import Labels
from ganvas.data.readers import Reader, SourceName
from ganvas.data.rows import Row, RowStream, Source
from ganvas.inputs import Input, Normal
from ganvas.options import Range
from ganvas.spaces import GAP, Space


@dataclass(frozen=True)
class VoxelSpace(Space):
    """Solids (1, D, H, W) of 0 and 1."""

    kind = "voxels"
    noun = "solids"
    depth: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (1, self.depth, self.height, self.width)

    def __str__(self) -> str:
        return f"voxels {self.depth}x{self.height}x{self.width}"

    def stored(self) -> tuple[np.dtype[Any], tuple[int, ...]]:
        return np.dtype(np.uint8), (self.depth, self.height, self.width)

    def decode(self, rows: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
        return torch.from_numpy(rows).to(device).float().unsqueeze(1)

    def encode(self, samples: Tensor) -> Tensor:
        return (samples.detach().cpu() > 0.5).to(torch.uint8)

    @property
    def tile(self) -> tuple[int, int]:
        return self.height, self.width

    def show(self, samples: Tensor, columns: int | None = None, gap: int = GAP) -> Image.Image:
        """Each seen from the front: the brighter, the more of it lies behind."""
        seen = (samples.detach().float().mean((1, 2)).clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
        columns = columns or len(seen)
        rows = -(-len(seen) // columns)
        sheet = np.zeros((rows * (self.height + gap) - gap, columns * (self.width + gap) - gap), np.uint8)
        for place, solid in enumerate(seen):
            top, left = place // columns * (self.height + gap), place % columns * (self.width + gap)
            sheet[top : top + self.height, left : left + self.width] = solid
        return Image.fromarray(sheet)


@dataclass(frozen=True, kw_only=True)
class VoxelReader(Reader):
    """Solids of an array (N, D, H, W); every `every`-th voxel of them. A solid that is empty is damaged."""

    wants = "an array of uint8 of shape (N, D, H, W)"

    every: Annotated[int, Range(1, 8), "take every so many voxels"] = 1
    beside: Annotated[SourceName | None, "something else"] = None

    @classmethod
    def reads(cls, source: Source) -> bool:
        return isinstance(source, Arrays) and source.axes() == 4

    @classmethod
    def example(cls, folder: Path) -> tuple[str | Path, dict[str, Any]]:
        return write_solids(folder / "solids.npz"), {}

    def read(self, source: Source) -> RowStream:
        assert isinstance(source, Arrays)
        parts, every = source.parts(), self.every
        rows = rows_of(parts, "solid", lambda some: some, lambda solid: solid[::every, ::every, ::every])
        space = VoxelSpace(*parts[0].values[0, ::every, ::every, ::every].shape)
        return RowStream(
            {"solid": space, "label": Labels()},
            sum(len(part.values) for part in parts),
            (row if row.values["solid"].any() else Row(row.name, None, reason="empty") for row in rows),  # type: ignore[index, union-attr]
            splits_of(parts),
            lambda: [f"every {every}th voxel"] if every > 1 else [],
        )


@dataclass(frozen=True)
class Voxels(Batch):
    """solid: (B, 1, D, H, W) of 0 and 1; label: (B,) int64, or None."""

    reader: ClassVar = VoxelReader

    solid: Tensor
    label: Tensor | None = None


class VoxelGAN(Recipe):
    """Three-dimensional convolutions, relativistic pairing."""

    accepts = (Voxels,)
    training_defaults = {"steps": 60, "batch_size": 8}

    def __init__(
        self,
        *,
        shape: arg.Shape,
        width: arg.Width = 4,
        contest: arg.Contest = arg.Contest(objective="relativistic", lr=3e-3, beta1=0.5, beta2=0.99),
    ) -> None:
        super().__init__()
        self.contest = contest
        self.generator = nn.Sequential(
            nn.Linear(8, width * 8), nn.ReLU(), nn.Linear(width * 8, int(np.prod(shape))), nn.Unflatten(1, shape),
            nn.Conv3d(1, width, 3, padding=1), nn.ReLU(), nn.Conv3d(width, 1, 3, padding=1), nn.Sigmoid(),
        )  # fmt: skip
        self.discriminator = nn.Sequential(
            nn.Conv3d(1, width, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(width * int(np.prod(shape)), 1),
        )

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((8,))}

    def optimizers(self) -> Any:
        return self.contest.optimizers(discriminator=self.discriminator, generator=self.generator)

    def turns(self, progress: Any, batches: Any) -> Any:
        return self.contest.turns(progress, batches, discriminator=self.d_losses, generator=self.g_losses)

    def d_losses(self, real: Voxels) -> Losses:
        return self.contest.d_losses(self.discriminator, real.solid, self.fake(real))

    def g_losses(self, real: Voxels) -> Losses:
        return self.contest.g_losses(self.discriminator, self.fake(real), real.solid)

    def generate(self, *, latent: Tensor) -> Tensor:
        return self.generator(latent)  # type: ignore[no-any-return]


def write_solids(path: Path, count: int = 60) -> Path:
    """Boxes at the left or at the right, in two classes."""
    solids = np.zeros((count, 4, 6, 8), np.uint8)
    solids[::2, 1:3, 1:5, :3] = 1
    solids[1::2, 1:3, 1:5, 5:] = 1
    np.savez(path, data=solids, labels=np.array(["left", "right"])[np.arange(count) % 2])
    return path
