"""StarGAN: unified generative adversarial networks for multi-domain image-to-image translation (Choi et al. 2018).

One generator changes any of a table's attributes. The discriminator has an output for each domain, the value of an
attribute (as in StarGAN v2: Choi et al. 2020, section 3.1), and reads a picture's attributes (2018, eq. 2 and 3). It
learns to read from real pictures alone, and the generator is to make pictures that read as wanted; what is changed and
changed back must be what it was (eq. 4).

Not the papers': the generator is told the difference between what is wanted and what there is. It paints through a mask
(Pumarola et al. 2018) that has no price, since a price closes it before anything is learned. Each attribute is changed
in a share of the pictures, so that changing one alone is learned too. The discriminator reads before the game begins.

    ganvas train stargan --data avatars.zip --attributes glasses,beard,hat,smile,long_hair,hair_colour
    ganvas translate runs/stargan-avatars face.png --change glasses=1,hair_colour=pink --out changed.png
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import torch
from torch import Tensor

from ganvas import arguments as arg
from ganvas.attributes import attributes_from_json
from ganvas.data.batches import Attributed
from ganvas.inputs import Attributes, Given, Input, Number
from ganvas.networks.attributes import AttributeGenerator, DomainDiscriminator, Domains
from ganvas.options import Range
from ganvas.penalties import lazily, squared_gradient
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turn, Turns
from ganvas.recipes._attributes import cycled, logits_of, read, targets
from ganvas.spaces import FREE, ImageSpace


class StarGAN(Recipe):
    """Pictures with other attributes, learned from a table of them; several at once and of any strength."""

    accepts = (Attributed,)
    averaged = ("generator", "discriminator")
    training_defaults = {"epochs": 10, "batch_size": 8}
    penalties = ("r1",)

    def __init__(
        self,
        *,
        channels: arg.Channels,
        size: arg.Size,
        attributes: arg.Attributes,
        width: arg.Width = 24,
        d_width: arg.Width = 32,
        changed: Annotated[float, Range(0, 1), "share of the attributes that are changed in training"] = 0.35,
        warmup: arg.Warmup = 0.03,
        reading: arg.Weight = 0.5,
        cycle: arg.Weight = 10.0,
        r1: arg.Penalty = 1.0,
        penalty_every: arg.PenaltyEvery = 4,
        contest: arg.Contest = arg.Contest(objective="non-saturating", lr=6e-4, beta1=0.5, beta2=0.99, d_steps=2),
        d_lr: Annotated[float, Range(1e-7, 1, log=True), "learning rate of the discriminator"] = 1.2e-3,
    ) -> None:
        super().__init__()
        self.channels, self.size, self.attributes = channels, size, attributes_from_json(attributes)
        self.changed, self.warmup, self.reading, self.cycle = changed, warmup, reading, cycle
        self.r1, self.penalty_every, self.contest, self.d_lr = r1, penalty_every, contest, d_lr
        self.domains = Domains(self.attributes, knots=5)
        facts = {"channels": channels, "size": size, "domains": self.domains.count}
        self.generator = AttributeGenerator(width=width, **facts)  # type: ignore[arg-type]
        self.discriminator = DomainDiscriminator(width=d_width, **facts)  # type: ignore[arg-type]

    def inputs(self) -> dict[str, Input]:
        source = Given(ImageSpace(self.channels, FREE, FREE))
        return {"source": source, "change": Attributes(self.attributes), "strength": Number(0, 3, default=1)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=(self.discriminator, self.d_lr), generator=self.generator)

    def rates(self, progress: Progress) -> dict[str, float]:
        """Both learning rates fall linearly to zero in the second half (2018, section 5.3)."""
        return dict.fromkeys(("discriminator", "generator"), min(1.0, 2 * (1 - progress.fraction)))

    def turns(self, progress: Progress, batches: Batches[Attributed]) -> Turns:
        if progress.fraction < self.warmup:
            yield Turn("discriminator", self.reads, next(batches))
            return
        judging = partial(self.d_losses, strength=lazily(progress.step, self.penalty_every))
        yield from self.contest.turns(progress, batches, discriminator=judging, generator=self.g_losses)

    def reads(self, real: Attributed) -> Losses:
        """Before the game the discriminator learns to read: what reads badly would teach the generator nonsense."""
        said = self.discriminator(real.image)[1].float()
        return Losses({"reading": self.domains.missed(said, self.domains.memberships(real.attributes))})

    def d_losses(self, real: Attributed, *, strength: float) -> Losses:
        present, wanted = targets(self.domains, real, self.changed)
        true = self.domains.memberships(real.attributes)
        fake, _ = self.generator(real.source, wanted - present)
        maps, said = self.discriminator(real.image)
        losses = self.contest.losses.d_losses_of(logits_of(maps, true), logits_of(self.discriminator(fake)[0], wanted))
        losses |= {"reading": self.domains.missed(said.float(), true)}
        if not strength * self.r1:
            return losses
        slope = squared_gradient(lambda image: logits_of(self.discriminator(image)[0], true).mean((1, 2)), real.image)
        return losses | {"r1": strength * self.r1 / 2 * slope}

    def g_losses(self, real: Attributed) -> Losses:
        present, wanted = targets(self.domains, real, self.changed)
        fake, _ = self.generator(real.source, wanted - present)
        maps, said = self.discriminator(fake)
        paired = self.contest.losses.paired
        true = self.domains.memberships(real.attributes)
        real_logits = logits_of(self.discriminator(real.image)[0], true) if paired else None
        terms = self.contest.losses.generator(logits_of(maps, wanted), real_logits)
        half = slice(0, (len(real) + 1) // 2)  # the way back costs as much as the way there
        back, _ = self.generator(fake[half], (present - wanted)[half])
        return Losses(
            {
                **terms,
                "reading": self.reading * self.domains.missed(said.float(), wanted),
                "cycle": self.cycle * cycled(back, real.source[half]),
            }
        )

    def generate(self, *, source: Tensor, change: Tensor, strength: Tensor) -> Tensor:
        true = read(self.discriminator, self.domains, source, self.size)
        wanted = torch.where(change.isnan(), true, change)
        difference = self.domains.memberships(wanted) - self.domains.memberships(true)
        return self.generator(source, strength[:, None] * difference)[0].clamp(-1, 1)  # type: ignore[no-any-return]
