"""What recipes that change attributes share: the game of StarGAN (Choi et al. 2018; 2020, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas import arguments as arg
from ganvas.attributes import Attribute
from ganvas.data.batches import Attributed
from ganvas.inputs import Attributes, Given, Input, Number
from ganvas.networks.attributes import AttributeGenerator, DomainDiscriminator, Domains
from ganvas.networks.projected import Judges, seen
from ganvas.options import Group, Range
from ganvas.penalties import lazily, squared_gradient
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turn, Turns
from ganvas.recipes._seen import Sees, over_depths
from ganvas.spaces import FREE, ImageSpace


@dataclass(frozen=True, kw_only=True)
class Game(Group):
    """The networks' widths, and what counts how much."""

    width: arg.Width = 24
    d_width: arg.Width = 32
    changed: Annotated[float, Range(0, 1), "share of the attributes that are changed in training"] = 0.35
    warmup: arg.Warmup = 0.03
    reading: arg.Weight = 0.5
    cycle: arg.Weight = 10.0
    mismatch: Annotated[float, Range(0, 100), "weight of telling what real pictures have from what they lack"] = 0.0
    r1: arg.Penalty = 1.0
    penalty_every: arg.PenaltyEvery = 4
    sees: Sees = "pixels"
    d_lr: Annotated[float, Range(1e-7, 1, log=True, search=(1e-5, 1e-2)), "learning rate of the discriminator"] = 1.2e-3


class Changing(Recipe):
    """Base of the recipes that change attributes of a picture (B, C, H, W) in [-1, 1].

    The discriminator has an output for each domain, and reads the attributes of a picture. It learns to read from real
    pictures alone, and before the game begins. The generator is told the difference between what is wanted and what
    there is; what it makes is to pass for real in the wanted domains and to read as wanted, and what is changed and
    changed back must be what it was. With `mismatch`, a real picture is no member of domains that it is not in (as in
    Reed et al. 2016, section 4.3), so that leaving a picture as it is does not pass for changing it.
    """

    accepts = (Attributed,)
    sees = ()
    averaged = ("generator", "discriminator")
    training_defaults = {"epochs": 10, "batch_size": 8}
    penalties = ("r1",)

    def __init__(
        self, images: arg.Images, attributes: tuple[Attribute, ...], knots: int, game: Game, contest: arg.Contest
    ) -> None:
        super().__init__()
        self.channels, self.size, self.attributes = images.channels, images.size, attributes
        self.game, self.contest = game, contest
        self.domains = Domains(attributes, knots)
        facts = {**images.facts, "domains": self.domains.count}
        self.generator = AttributeGenerator(width=game.width, **facts)
        self.discriminator = DomainDiscriminator(width=game.d_width, **facts)
        self.features = seen(game.sees)
        self.judges = Judges(self.features, game.d_width, self.domains.count)
        self.frozen = ("features",) if self.features is not None else ()  # type: ignore[misc]

    def inputs(self) -> dict[str, Input]:
        source = Given(ImageSpace(self.channels, FREE, FREE))
        return {"source": source, "change": Attributes(self.attributes), "strength": Number(0, 3, default=1)}

    def optimizers(self) -> Optimizers:
        judging = nn.ModuleList([self.discriminator, self.judges])
        return self.contest.optimizers(discriminator=(judging, self.game.d_lr), generator=self.generator)

    def rates(self, progress: Progress) -> dict[str, float]:
        """Both learning rates fall linearly to zero in the second half (Choi et al. 2018, section 5.3)."""
        return dict.fromkeys(("discriminator", "generator"), progress.falling)

    def turns(self, progress: Progress, batches: Batches[Attributed]) -> Turns:
        if progress.fraction < self.game.warmup:
            yield Turn("discriminator", self.reads, next(batches))
            return
        judging = partial(self.d_losses, strength=lazily(progress.step, self.game.penalty_every))
        yield from self.contest.turns(progress, batches, discriminator=judging, generator=self.g_losses)

    def reads(self, real: Attributed) -> Losses:
        """Before the game the discriminator learns to read: what reads badly would teach the generator nonsense."""
        said = self.discriminator(real.image)[1].float()
        return Losses({"reading": self.domains.missed(said, self.domains.memberships(real.attributes))})

    def d_losses(self, real: Attributed, *, strength: float) -> Losses:
        present, wanted = targets(self.domains, real, self.game.changed)
        true = self.domains.memberships(real.attributes)
        fake, _ = self.generator(real.source, wanted - present)
        maps, said = self.discriminator(real.image)
        losses = self.contest.losses.d_losses_of(logits_of(maps, true), logits_of(self.discriminator(fake)[0], wanted))
        losses |= {"reading": self.domains.missed(said.float(), true)}
        wrong = self.domains.mistaken(true) if self.game.mismatch else None
        if wrong is not None:
            told = self.contest.losses.discriminator(logits_of(maps, true), logits_of(maps, wrong))
            losses |= {f"{name}_mismatched": self.game.mismatch * term for name, term in told.items()}
        if self.features is not None:
            of_real = self.judges.logits(self.features, real.image)
            right = [logits_of(maps, true) for maps in of_real]
            losses |= {"seen": over_depths(self.contest.losses.discriminator, right, self.seen(fake, wanted))}
            if wrong is not None:
                mistaken = [logits_of(maps, wrong) for maps in of_real]
                term = over_depths(self.contest.losses.discriminator, right, mistaken)
                losses |= {"seen_mismatched": self.game.mismatch * term}
        if not strength * self.game.r1:
            return losses
        slope = squared_gradient(lambda image: logits_of(self.discriminator(image)[0], true).mean((1, 2)), real.image)
        return losses | {"r1": strength * self.game.r1 / 2 * slope}

    def g_losses(self, real: Attributed) -> Losses:
        present, wanted = targets(self.domains, real, self.game.changed)
        fake, _ = self.generator(real.source, wanted - present)
        maps, said = self.discriminator(fake)
        paired = self.contest.losses.paired
        true = self.domains.memberships(real.attributes)
        real_logits = logits_of(self.discriminator(real.image)[0], true) if paired else None
        terms = self.contest.losses.generator(logits_of(maps, wanted), real_logits)
        if self.features is not None:
            of_real = [self.seen(real.image, true)] if paired else []
            terms["seen"] = over_depths(self.contest.losses.generator, self.seen(fake, wanted), *of_real)
        half = slice(0, (len(real) + 1) // 2)  # the way back costs as much as the way there
        back, _ = self.generator(fake[half], (present - wanted)[half])
        return Losses(
            {
                **terms,
                "reading": self.game.reading * self.domains.missed(said.float(), wanted),
                "cycle": self.game.cycle * cycled(back, real.source[half]),
            }
        )

    def seen(self, image: Tensor, memberships: Tensor) -> list[Tensor]:
        """The logits of each depth of pictures as members of their domains, by the maps that the pretrained network has
        of them."""
        assert self.features is not None
        return [logits_of(maps, memberships) for maps in self.judges.logits(self.features, image)]

    def generate(self, *, source: Tensor, change: Tensor, strength: Tensor) -> Tensor:
        true = read(self.discriminator, self.domains, source, self.size)
        wanted = torch.where(change.isnan(), true, change)
        difference = self.domains.memberships(wanted) - self.domains.memberships(true)
        return self.generator(source, strength[:, None] * difference)[0].clamp(-1, 1)  # type: ignore[no-any-return]


def targets(domains: Domains, real: Attributed, changed: float) -> tuple[Tensor, Tensor]:
    """Memberships (B, domains) of what the sources have, and of what is wanted of them: each attribute changes with the
    probability `changed`, and stays otherwise."""
    taken = torch.rand(real.present.shape, device=real.device) < changed
    wanted = torch.where(taken & ~real.change.isnan(), real.change, real.present)
    return domains.memberships(real.present), domains.memberships(wanted)


def logits_of(maps: Tensor, memberships: Tensor) -> Tensor:
    """The logits (B, h, w) of pictures as members of their domains, of those of all domains, (B, domains, h, w)."""
    return (maps.float() * memberships[:, :, None, None]).sum(1)


def cycled(back: Tensor, image: Tensor) -> Tensor:
    """How far pictures are from what they were: smooth L1, whose gradient vanishes where nothing is wrong, so that a
    generator that starts as the identity leaves it (beta 0.3)."""
    return functional.smooth_l1_loss(back, image, beta=0.3)


def read(discriminator: nn.Module, domains: Domains, source: Tensor, size: tuple[int, int]) -> Tensor:
    """The attributes (B, K) that a discriminator of pictures of this size reads in others of any size."""
    return domains.read(discriminator(functional.interpolate(source, size=size, mode="bilinear"))[1].float())
