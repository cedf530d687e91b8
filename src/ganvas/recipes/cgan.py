"""Conditional generative adversarial nets (Mirza and Osindero 2014).

Both players see the label (section 3.2, equation 2). As in section 4.1 the generator maps the latent vector and the
one-hot label to hidden layers of their own and joins them in a third, and the discriminator is made of maxout layers
with dropout. Three things differ, because as in the paper it ignored the labels and made one picture in our tries: the
label is no louder than the latent vector (not 5 times as wide), only the discriminator has dropout, and the label meets
the discriminator's last layer in an inner product (Miyato and Koyama 2018, eq. 3), where a wrong one shows at once.
Needs labelled data.
"""

from functools import partial

from ganvas import arguments as arg
from ganvas.data.batches import Images
from ganvas.inputs import Input, Normal, label
from ganvas.networks.mlp import LabelledDiscriminator, LabelledGenerator
from ganvas.penalties import weight_decay
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turns


class CGAN(Recipe):
    """The first GAN that generates by label, with fully connected players."""

    accepts = (Images,)
    presets = {
        "paper": {
            "latent": 100, "width": 200, "d_width": 240, "optimizer": "sgd", "lr": 0.1, "beta1": 0.5, "batch_size": 100
        },
        "tutorial": arg.TUTORIAL,
    }  # fmt: skip
    training_defaults = {"epochs": 50}

    def __init__(
        self,
        *,
        shape: arg.Shape,
        classes: arg.Classes = 0,
        latent: arg.Latent = 100,
        width: arg.Width = 128,
        d_width: arg.Width = 120,
        dropout: arg.Dropout = 0.5,
        l1: arg.WeightPenalty = 0.0,
        l2: arg.WeightPenalty = 0.0,
        contest: arg.Contest = arg.Contest.open(objective="non-saturating", lr=1e-3),
    ) -> None:
        super().__init__()
        self.labels = arg.condition(classes, needed_by="cgan")
        self.latent, self.l1, self.l2, self.contest = latent, l1, l2, contest
        self.generator = LabelledGenerator(shape, latent, classes, width)
        self.discriminator = LabelledDiscriminator(shape, classes, d_width, dropout)

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,)), **label(self.labels)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=self.discriminator, generator=self.generator)

    def turns(self, progress: Progress, batches: Batches[Images]) -> Turns:
        return self.contest.turns(progress, batches, discriminator=self.d_losses, generator=self.g_losses)

    def d_losses(self, real: Images) -> Losses:
        judge = partial(self.discriminator, label=real.label)
        losses = self.contest.d_losses(judge, real.image, self.fake(real))
        return losses | weight_decay([self.discriminator], l1=self.l1, l2=self.l2)

    def g_losses(self, real: Images) -> Losses:
        judge = partial(self.discriminator, label=real.label)
        losses = self.contest.g_losses(judge, self.fake(real), real.image)
        return losses | weight_decay([self.generator], l1=self.l1, l2=self.l2)
