"""How near are samples that are made from something to what they should be? PSNR on validation data in training.

Only for recipes whose samples are made from given images (super-resolution); others have no right answer.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ganvas.data.batches import Batch
from ganvas.training import Game, Watcher

LOOK_EVERY = 100
PIECES = 32


class Reconstruction(Watcher):
    """Adds `signal/psnr` to the rows of `metrics.jsonl` every 100 steps: the mean over 32 pieces of validation photos,
    in decibels, all channels together, by the averaged weights."""

    def __init__(self) -> None:
        super().__init__()
        self._batch: Batch | None = None

    def started(self, training: Game) -> None:
        if training.recipe.given() and training.data.batch_type.answers:
            splits = (training.data.split(name) for name in ("validation", "train"))
            split = next(split for split in splits if len(split))
            pieces = np.unique(np.linspace(0, len(split) - 1, PIECES).astype(np.int64))
            self._batch = split.gather(pieces, training.device)

    def measure(self, training: Game) -> Mapping[str, float]:
        if self._batch is None or training.steps_done % LOOK_EVERY:
            return {}
        recipe, batch = training.recipe, self._batch
        with (
            training.averaged_weights(),
            torch.autocast(training.device.type, torch.bfloat16, enabled=training.precision == "bf16"),
        ):
            made = recipe.fake(batch).float()
        errors = (made - batch.value).square().flatten(1).mean(1).clamp(min=1e-10)
        return {"signal/psnr": float((10 * torch.log10(4 / errors)).mean())}
