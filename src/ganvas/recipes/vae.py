"""Auto-encoding variational Bayes (Kingma and Welling 2014).

An encoder says of a picture which latent vectors may have made it, a normal distribution for each picture, and the
decoder makes the picture of one of them. Both minimise the negative evidence lower bound (equation 7): how unlikely the
picture is of what was made, and how far the encoder's distribution is from the one that samples are drawn from. The
decoder's deviation is the most likely one of each picture, so that no weight stands between the two (Rybkin et al.
2021).

It is no GAN: nobody judges. Its samples are blurred, its training is quiet, and it knows the latent vector of a picture
at once, so `ganvas edit --invert` begins there. `vaegan` is the same with a judge.

    ganvas train vae --data cifar10.zip
"""

from __future__ import annotations

import math

from torch import Tensor

from ganvas import arguments as arg
from ganvas import optimizers
from ganvas.data.batches import Images
from ganvas.inputs import Input, Normal
from ganvas.networks.autoencoder import Encoder, divergence, drawn, unlikeliness
from ganvas.networks.plain import PlainGenerator
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turn, Turns


class VAE(Recipe):
    """The variational autoencoder: an encoder and a decoder that maximise a likelihood, beside which GANs are seen."""

    accepts = (Images,)
    averaged = ("generator", "encoder")
    training_defaults = {"epochs": 50}

    def __init__(
        self,
        *,
        images: arg.Images,
        latent: arg.Latent = 128,
        width: arg.Width = 32,
        lr: arg.LearningRate = 1e-3,
    ) -> None:
        super().__init__()
        self.latent, self.lr = latent, lr
        self.numbers = images.channels * math.prod(images.size)
        self.encoder = Encoder(latent=latent, width=width, **images.facts)
        self.generator = PlainGenerator(latent=latent, width=width, **images.facts)

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,))}

    def optimizers(self) -> Optimizers:
        return optimizers.players(lr=self.lr, beta1=0.9, autoencoder=[self.encoder, self.generator])

    def rates(self, progress: Progress) -> dict[str, float]:
        """The learning rate falls linearly to zero in the second half."""
        return {"autoencoder": progress.falling}

    def turns(self, progress: Progress, batches: Batches[Images]) -> Turns:
        yield Turn("autoencoder", self.losses, next(batches))

    def losses(self, real: Images) -> Losses:
        """The negative of the bound, in nats for each number of a picture."""
        mean, log_variance = self.encoder(real.image)
        made = self.generator(drawn(mean, log_variance))
        return Losses(
            {
                "reconstruction": unlikeliness([made], [real.image]),
                "divergence": divergence(mean, log_variance).sum(1).mean() / self.numbers,
            }
        )

    def generate(self, *, latent: Tensor) -> Tensor:
        return self.generator(latent).clamp(-1, 1)  # type: ignore[no-any-return]

    def encode(self, values: Tensor) -> dict[str, Tensor]:
        """The mean of the latent vectors of images (B, C, H, W) in [-1, 1]."""
        return {"latent": self.encoder(values)[0]}
