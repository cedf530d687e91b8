"""A GAN of your own in one file: Wasserstein critic, clipped weights, for points.

ganvas train docs/examples/clipped_gan.py:ClippedGAN --data ring --steps 2000 --out runs/mine
"""

from typing import Annotated

from torch import Tensor, nn

from ganvas import Losses, Progress, Recipe
from ganvas import arguments as arg
from ganvas.data.batches import Points
from ganvas.inputs import Input, Normal
from ganvas.networks.mlp import mlp
from ganvas.options import Range
from ganvas.penalties import clip_weights
from ganvas.recipe import Batches, Optimizers, Turns


class ClippedGAN(Recipe):
    """Wasserstein GAN (Arjovsky et al. 2017), Algorithm 1, on points."""

    accepts = (Points,)
    training_defaults = {"steps": 2000, "batch_size": 256}

    def __init__(
        self,
        *,
        shape: arg.Shape,
        width: Annotated[int, Range(1, 4096), "units in a hidden layer"] = 64,
        clip: Annotated[float, Range(1e-4, 1), "bound on every weight of the critic"] = 0.05,
        contest: arg.Contest = arg.Contest(
            objective="wasserstein", optimizer="rmsprop", lr=1e-3, beta2=0.99, d_steps=5
        ),
    ) -> None:
        super().__init__()
        self.clip, self.contest = clip, contest
        self.generator = mlp(8, [width], shape[0])
        self.critic = nn.Sequential(mlp(shape[0], [width], 1), nn.Flatten(0))

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((8,))}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(critic=self.critic, generator=self.generator)

    def turns(self, progress: Progress, batches: Batches[Points]) -> Turns:
        critic = self.critic_losses, lambda results: clip_weights(self.critic, self.clip)
        return self.contest.turns(progress, batches, critic=critic, generator=self.generator_losses)

    def critic_losses(self, real: Points) -> Losses:
        return self.contest.d_losses(self.critic, real.point, self.fake(real))

    def generator_losses(self, real: Points) -> Losses:
        return self.contest.g_losses(self.critic, self.fake(real), real.point)

    def generate(self, *, latent: Tensor) -> Tensor:
        return self.generator(latent)
