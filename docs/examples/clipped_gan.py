"""A GAN of your own in one file: Wasserstein critic, clipped weights, for points.

ganvas train docs/examples/clipped_gan.py:ClippedGAN --data ring --steps 2000 --out runs/mine
"""

from collections.abc import Iterator
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from ganvas import Losses, Progress, Recipe, Turn
from ganvas.data.batches import Points
from ganvas.inputs import Input, Normal
from ganvas.objectives import objective
from ganvas.options import FromData, Range
from ganvas.penalties import clip_weights


class ClippedGAN(Recipe):
    """Wasserstein GAN (Arjovsky et al. 2017), Algorithm 1, on points."""

    accepts = (Points,)
    training_defaults = {"steps": 2000, "batch_size": 256}

    def __init__(
        self,
        *,
        shape: Annotated[tuple[int, ...], FromData()],
        width: Annotated[int, Range(1, 4096), "units in a hidden layer"] = 64,
        critic_steps: Annotated[int, Range(1, 100), "turns of the critic in a step"] = 5,
        clip: Annotated[float, Range(1e-4, 1), "bound on every weight of the critic"] = 0.05,
        lr: Annotated[float, Range(1e-6, 1e-1, log=True), "learning rate of both players"] = 1e-3,
    ) -> None:
        super().__init__()
        self.critic_steps, self.clip, self.lr = critic_steps, clip, lr
        self.objective = objective("wasserstein")
        self.generator = nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, shape[0]))
        self.critic = nn.Sequential(nn.Linear(shape[0], width), nn.ReLU(), nn.Linear(width, 1))

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "critic": torch.optim.RMSprop(self.critic.parameters(), lr=self.lr),
            "generator": torch.optim.RMSprop(self.generator.parameters(), lr=self.lr),
        }

    def turns(self, progress: Progress, batches: Iterator[Points]) -> Iterator[Turn]:
        for _ in range(self.critic_steps):
            yield Turn("critic", self.critic_losses, next(batches), after=self.keep_lipschitz)
        yield Turn("generator", self.generator_losses, next(batches))

    def critic_losses(self, real: Points) -> Losses:
        return self.objective.d_losses(self.critic, real.point, self.fake(real))

    def generator_losses(self, real: Points) -> Losses:
        return self.objective.g_losses(self.critic, self.fake(real), real.point)

    def keep_lipschitz(self, results: Any) -> None:
        clip_weights(self.critic, self.clip)

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((8,))}

    def generate(self, *, latent: Tensor) -> Tensor:
        return self.generator(latent)
