"""Objectives: what the two players minimise, as functions of the discriminator's logits.

Any objective goes with any recipe. Logits are high for real. Where D(x) = sigmoid(logit), the identities
log D = -softplus(-logit) and log(1 - D) = -softplus(logit) keep every term finite.

    name                   generator's term                  source
    minimax                mean log(1 - D(fake))             Goodfellow et al. 2014, eq. 1
    non-saturating         -mean log D(fake)                 Goodfellow et al. 2014, section 3
    least-squares          mean (logit - 1)^2 / 2            Mao et al. 2017, eq. 9
    hinge                  -mean logit                       Lim and Ye 2017; Miyato et al. 2018, eq. 17
    wasserstein            -mean logit                       Arjovsky et al. 2017
    relativistic           mean softplus(real - fake)        Jolicoeur-Martineau 2018; Huang et al. 2024, eq. 2
    relativistic-average   mean softplus(mean(real) - fake)  Jolicoeur-Martineau 2018, section 4 (RaSGAN)
                           + mean softplus(real - mean(fake))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from ganvas.errors import UsageError
from ganvas.recipe import Losses, Scale

Name = Literal[
    "minimax",
    "non-saturating",
    "least-squares",
    "hinge",
    "wasserstein",
    "relativistic",
    "relativistic-average",
]
Elementwise = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Objective:
    """A pair of adversarial losses of logits of any shape.

    An objective that judges samples one by one gives the discriminator's term for a real logit (`real`), for a fake
    one (`fake`), and the generator's for a fake one (`generator_fake`). One that is `paired` judges differences
    instead, and its functions are of a real logit minus a fake one. One that is `averaged` judges a logit less the mean
    of the batch's logits of the other kind, so its batches must not be split (`whole_batch`).
    """

    real: Elementwise
    fake: Elementwise | None
    generator_fake: Elementwise
    paired: bool = False  # the generator's term needs the real logits too
    averaged: bool = False
    scale: Scale = "decision"  # what a logit means
    undecided: float = 0.0  # the logit that says neither real nor fake
    smoothing: float = 0.0
    flipping: float = 0.0

    @property
    def whole_batch(self) -> bool:
        """Whether a loss would be another one for a part of the batch. A recipe that holds this objective asks it."""
        return self.averaged

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> dict[str, Tensor]:
        """The discriminator's terms: `real` and `fake`, or `pair` for a paired objective."""
        real_logits, fake_logits = self._relative(real_logits, fake_logits)
        if self.fake is None:
            return {"pair": self.real(real_logits - fake_logits).mean()}
        return {"real": self._real_term(real_logits).mean(), "fake": self.fake(fake_logits).mean()}

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> dict[str, Tensor]:
        """The generator's term, `adversarial`. A paired objective needs the real logits too."""
        if self.paired:
            if real_logits is None:
                raise ValueError("a paired objective needs the logits of real samples in the generator's turn")
            if self.averaged:
                real_logits, fake_logits = self._relative(real_logits, fake_logits)
                as_fake = self.generator_fake(-real_logits).mean()  # real samples should look fake beside fake ones
                return {"adversarial": self.generator_fake(fake_logits).mean() + as_fake}
            return {"adversarial": self.generator_fake(real_logits - fake_logits).mean()}
        return {"adversarial": self.generator_fake(fake_logits).mean()}

    def judged(self, real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor | None, Scale]:
        """The logits whose sign is this objective's verdict, for reporting accuracy and mean probability, and what they
        mean; the differences alone where pairs are compared."""
        if self.averaged:
            return *self._relative(real_logits, fake_logits), "decision"
        if self.paired:
            return real_logits - fake_logits, None, "pair"
        return real_logits - self.undecided, fake_logits - self.undecided, self.scale

    def d_losses(self, judge: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Losses:
        """The discriminator's losses on samples (B, ...), with the logits that they rest on."""
        return self.d_losses_of(judge(real), judge(fake))

    def d_losses_of(self, real_logits: Tensor, fake_logits: Tensor) -> Losses:
        """The same from what the discriminator said."""
        return Losses(self.discriminator(real_logits, fake_logits), *self.judged(real_logits, fake_logits))

    def g_losses(self, judge: Callable[[Tensor], Tensor], fake: Tensor, real: Tensor) -> Losses:
        """The generator's loss on its samples (B, ...); real ones are judged where the objective compares with them."""
        fake_logits = judge(fake)
        return Losses(self.generator(fake_logits, judge(real) if self.paired else None))

    def _relative(self, real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
        """Each logit less the mean of the other kind's, where this objective is of averages."""
        if not self.averaged:
            return real_logits, fake_logits
        return real_logits - fake_logits.mean(), fake_logits - real_logits.mean()

    def _real_term(self, real_logits: Tensor) -> Tensor:
        """With one-sided smoothing s the target of a real sample is 1 - s; with flipping it is sometimes 0."""
        term = self.real(real_logits)
        if self.smoothing == 0 and self.flipping == 0:
            return term
        assert self.fake is not None
        as_fake = self.fake(real_logits)
        term = (1 - self.smoothing) * term + self.smoothing * as_fake
        if self.flipping:
            flipped = torch.rand(real_logits.shape, device=real_logits.device) < self.flipping
            term = torch.where(flipped, as_fake, term)
        return term


_OBJECTIVES: dict[str, Objective] = {
    "minimax": Objective(
        real=lambda logits: softplus(-logits), fake=softplus, generator_fake=lambda logits: -softplus(logits)
    ),
    "non-saturating": Objective(
        real=lambda logits: softplus(-logits), fake=softplus, generator_fake=lambda logits: softplus(-logits)
    ),
    "least-squares": Objective(
        real=lambda logits: (logits - 1).square() / 2,
        fake=lambda logits: logits.square() / 2,
        generator_fake=lambda logits: (logits - 1).square() / 2,
        undecided=0.5,
    ),
    "hinge": Objective(
        real=lambda logits: relu(1 - logits),
        fake=lambda logits: relu(1 + logits),
        generator_fake=lambda logits: -logits,
    ),
    "wasserstein": Objective(
        real=lambda logits: -logits,
        fake=lambda logits: logits,
        generator_fake=lambda logits: -logits,
        scale="score",
    ),
    "relativistic": Objective(
        real=lambda difference: softplus(-difference), fake=None, generator_fake=softplus, paired=True
    ),
    "relativistic-average": Objective(
        real=lambda relative: softplus(-relative),
        fake=softplus,
        generator_fake=lambda relative: softplus(-relative),
        paired=True,
        averaged=True,
    ),
}


def objective(name: Name, *, smoothing: float = 0.0, flipping: float = 0.0) -> Objective:
    """The objective of that name.

    smoothing: s in [0, 1): the discriminator's target for real samples is 1 - s (Salimans et al. 2016, section 3.4).
    flipping: the probability with which a real sample is presented to the discriminator as a fake one.
    Raises UsageError where the objective compares real with fake, which leaves no label to change.
    """
    chosen = _OBJECTIVES[name]
    if chosen.paired and (smoothing or flipping):
        raise UsageError(
            f"the {name} objective compares real with fake and has no labels to smooth or flip; leave both at 0"
        )
    return replace(chosen, smoothing=smoothing, flipping=flipping)
