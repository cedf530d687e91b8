"""Spectral normalization for generative adversarial networks (Miyato, Kataoka, Koyama and Yoshida 2018).

Every layer of the discriminator is divided by its spectral norm (section 2.1), the loss is the hinge (eq. 16 and 17),
the networks are residual (appendix B.4), and Adam is used without momentum, its second decay 0.9, learning rate 2e-4
(section 4.1). Where the data has labels, the generator has conditional BatchNorm and the discriminator a projection, as
in "cGANs with projection discriminator" (Miyato and Koyama 2018). The paper's discriminator has five turns in a step
(`--preset paper`); one here, so that in the same time the generator has more of its own. Consistency under augmentation
(Zhao et al. 2020) can be added.

    ganvas train sngan --data digits
"""

from functools import partial

from ganvas import arguments as arg
from ganvas.augment import POLICIES
from ganvas.data.batches import Images
from ganvas.inputs import Input, Normal, label
from ganvas.networks.residual import ResidualDiscriminator, ResidualGenerator
from ganvas.networks.spectral import advance
from ganvas.penalties import balanced_consistency
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turns


class SNGAN(Recipe):
    """Residual networks with spectral normalisation and the hinge loss, conditional where the data has labels."""

    accepts = (Images,)
    presets = {"paper": {"width": 64, "d_steps": 5, "batch_size": 64}}
    training_defaults = {"epochs": 50}

    def __init__(
        self,
        *,
        images: arg.LabelledImages,
        conditional: arg.Conditional = True,
        latent: arg.Latent = 128,
        width: arg.Width = 32,
        consistency: arg.Consistency = 0.0,
        augmentation: arg.Augmentation = "translation",
        contest: arg.Contest = arg.Contest(objective="hinge", lr=2e-4, beta1=0.0, beta2=0.9, d_steps=1),
    ) -> None:
        super().__init__()
        self.images, self.latent, self.contest = images.by_label(conditional), latent, contest
        self.consistency, self.augment = consistency, POLICIES[augmentation]
        self.generator = ResidualGenerator(latent=latent, width=width, **self.images.facts)
        self.discriminator = ResidualDiscriminator(width=width, **self.images.facts)

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,)), **label(self.images.classes)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=self.discriminator, generator=self.generator)

    def turns(self, progress: Progress, batches: Batches[Images]) -> Turns:
        judging = self.d_losses, lambda results: advance(self.discriminator)
        return self.contest.turns(progress, batches, discriminator=judging, generator=self.g_losses)

    def d_losses(self, real: Images) -> Losses:
        fake, judge = self.fake(real), partial(self.discriminator, label=real.label)
        real_logits, fake_logits = judge(real.image), judge(fake)
        judged = {"real": (real.image, real_logits), "fake": (fake, fake_logits)}
        losses = self.contest.losses.d_losses_of(real_logits, fake_logits)
        return losses | balanced_consistency(judge, judged, self.augment, self.consistency)

    def g_losses(self, real: Images) -> Losses:
        return self.contest.g_losses(partial(self.discriminator, label=real.label), self.fake(real), real.image)
