"""Projected GANs converge faster (Sauer, Chitta, Müller and Geiger 2021).

The discriminator sees images through a pretrained network that is never trained (`networks/projected.py`): its maps of
four depths, mixed at random across channels and scales (section 3.2), have a judge each, and a loss is the mean over
judges and places. All that judges see is augmented (`--augment diff`, as in section 4). The generator has FastGAN's
skip-layer excitations (`networks/skipping.py`). The network is EfficientNet-Lite0, the paper's smallest; small images
are enlarged for it (`--view`), since it was made for large ones.

The paper's hinge loss with spectral normalisation makes one image of each class here, whatever the latent vector is. So
the objective is relativistic pairing with R1 and R2 (Huang et al. 2024, section 2), of the maps and not of the pixels,
which needs no second derivative of the network. A step generates once and looks once at what is real and at what is
made: the generator moves first, and the judges learn from the maps that it was judged by.

It learns from fewer images and steps than others, in the taste of that network: judge it by other features than
`lite0`'s, which it has trained against.

    ganvas train projected --data photos/ --size 64
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
from torch import Tensor

from ganvas import arguments as arg
from ganvas.data.batches import Batch, Images
from ganvas.errors import UsageError
from ganvas.inputs import Input, Normal, label
from ganvas.networks.projected import Mixed, ScaleJudges
from ganvas.networks.skipping import SkippingGenerator
from ganvas.options import Range
from ganvas.penalties import lazily, zero_centred
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turn, Turns
from ganvas.recipes._seen import over_depths


@dataclass(frozen=True)
class Maps(Batch):
    """What judges learn from: of each item, all maps in one row, (B, N), and its label."""

    real: Tensor
    fake: Tensor
    label: Tensor | None = None


class Projected(Recipe):
    """Judges that look through a pretrained network, and a light generator; by label where the data has labels."""

    accepts = (Images,)
    sees = ("features",)
    frozen = ("features",)
    penalties = ("r1", "r2")
    training_defaults = {"epochs": 50, "augment": "diff"}

    def __init__(
        self,
        *,
        images: arg.LabelledImages,
        conditional: arg.Conditional = True,
        latent: arg.Latent = 128,
        width: arg.Width = 32,
        d_width: arg.Width = 64,
        mixed: Annotated[int, Range(1, 1024), "channels of the finest mixed map, doubled at each depth"] = 32,
        view: Annotated[int, Range(32, 512), "the shorter side of what the network is shown, at least"] = 64,
        r1: arg.Penalty = 0.005,
        r2: arg.Penalty = 0.005,
        penalty_every: arg.PenaltyEvery = 4,
        contest: arg.Contest = arg.Contest(objective="relativistic", lr=1e-3, beta1=0.0, beta2=0.99),
    ) -> None:
        super().__init__()
        if images.channels not in (1, 3, 4):
            raise UsageError(
                f"projected looks through a network of photos, which sees gray, RGB or RGBA, and these images have "
                f"{images.channels} channels: bring them to --channels 3, or take r3gan"
            )
        self.images, self.latent, self.contest = images.by_label(conditional), latent, contest
        self.r1, self.r2, self.penalty_every = r1, r2, penalty_every
        self.generator = SkippingGenerator(latent=latent, width=width, **self.images.facts)
        with torch.device("cpu"):  # where its weights are, also where the recipe is made without values
            self.features = Mixed("lite0", size=images.size, view=view, width=mixed)
        self.judges = ScaleJudges(self.features, width=d_width, classes=self.images.classes)

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((self.latent,), sphere=True), **label(self.images.classes)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=self.judges, generator=self.generator)

    def rates(self, progress: Progress) -> dict[str, float]:
        """Both learning rates fall linearly to zero in the second half."""
        return dict.fromkeys(("discriminator", "generator"), progress.falling)

    def turns(self, progress: Progress, batches: Batches[Images]) -> Turns:
        """The generator's first, and then its judges', which learn from the maps that it was judged by."""
        made = yield Turn("generator", self.g_losses, next(batches))
        judging = partial(self.d_losses, strength=lazily(progress.step, self.penalty_every))
        yield Turn("discriminator", judging, Maps(**made.kept))

    def g_losses(self, real: Images) -> Losses:
        fake = self.generator(**self.draw_for(real))
        maps = {"real": self.features(real.image), "fake": self.features(fake)}
        said = [self.judges(maps[name], real.label) for name in ("fake", "real")[: 1 + self.contest.losses.paired]]
        losses = Losses({"adversarial": over_depths(self.contest.losses.generator, *said)})
        kept = {name: torch.cat([each.flatten(1) for each in parts], dim=1) for name, parts in maps.items()}
        return losses.keeping(**kept, **({} if real.label is None else {"label": real.label}))

    def d_losses(self, maps: Maps, *, strength: float) -> Losses:
        real, fake = (self.judges(self.features.parted(each), maps.label) for each in (maps.real, maps.fake))
        term = over_depths(self.contest.losses.discriminator, real, fake)
        losses = Losses({"adversarial": term}, *self.contest.losses.judged(mean_of(real), mean_of(fake)))
        # In units of the maps' typical length, so that a weight means the same for any number of maps and places.
        strength *= maps.real.shape[1]
        judge = partial(self.judged, label=maps.label)
        return losses | zero_centred(judge, maps.real, maps.fake, r1=strength * self.r1, r2=strength * self.r2)

    def judged(self, flat: Tensor, label: Tensor | None) -> Tensor:
        """(B,): what judges say on average of maps in one row."""
        return mean_of(self.judges(self.features.parted(flat), label))

    def generate(self, *, latent: Tensor, label: Tensor | None = None) -> Tensor:
        # The players see what is not clamped, so that no pixel is ever without a gradient.
        return self.generator(latent, label).clamp(-1, 1)  # type: ignore[no-any-return]


def mean_of(said: list[Tensor]) -> Tensor:
    """(B,): the mean over judges of the mean over places."""
    return torch.stack([each.float().mean(1) for each in said]).mean(0)
