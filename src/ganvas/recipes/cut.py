"""Contrastive learning for unpaired image-to-image translation (Park, Efros, Zhang and Zhu 2020).

One generator makes pictures of the other domain, and none goes back. What ties a picture to its source is that each
patch of it must be nearer to the patch at the same place of the source than to others of that source (PatchNCE, eq. 3),
in the features that the generator's own encoder has of both, behind a small head for each depth. The same is asked of
pictures that are in the other domain already, which should stay as they are (eq. 5).

What is not the paper's: the generator begins as the identity (`--residual`); where most answers are known it learns
them sooner without. Patches are drawn where the source has contrast, as one blank patch cannot be told from another.
`--warp` lets all pictures be enlarged and moved first, by as much as the discriminator asks for: designs differ in the
size of their objects, which convolutions change badly. And `--sees lite2` has the discriminator look through a
pretrained network as well (`networks/projected.py`), for short trainings. Where the data knows of some pictures what
should come out (`--partners`), these are compared with that, and not by patches.

    ganvas train cut --data emoji/ --size 64 --warp
    ganvas train cut --data emoji/ --size 64 --partners lite2 --content lite2 --sees lite2
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas import arguments as arg
from ganvas import augment
from ganvas.data.batches import Unpaired
from ganvas.inputs import Given, Input
from ganvas.networks.patch import PatchDiscriminator
from ganvas.networks.projected import Judges, seen
from ganvas.networks.translation import Translator
from ganvas.networks.warp import Warp
from ganvas.options import Range
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turn, Turns
from ganvas.recipes._answers import Answers
from ganvas.recipes._seen import Sees, over_depths
from ganvas.spaces import FREE, ImageSpace

TEMPERATURE = 0.07
"""Of the contrast (section 3.2)."""

BLANK = 0.005
"""The weight of a place without any contrast, beside which differences of 1 in [-1, 1] are as large as they are."""


class CUT(Recipe):
    """Pictures of one domain into another, learned without pairs by the contrast of patches."""

    accepts = (Unpaired,)
    usual_for = {Unpaired: 0}
    sees = ("discriminator", "features")
    training_defaults = {"epochs": 100, "batch_size": 8}

    def __init__(
        self,
        *,
        channels: arg.Channels,
        size: arg.Size,
        width: arg.Width = 24,
        d_width: arg.Width = 32,
        fold: arg.Fold = 2,
        residual: Annotated[bool, "add what is made to the source, and begin with nothing to add"] = True,
        nce: arg.Weight = 0.5,
        identity: arg.Weight = 0.5,
        patches: Annotated[int, Range(2, 4096), "places of each map that are told from one another"] = 64,
        sees: Sees = "pixels",
        answers: Answers = Answers.open(l1=2.0),
        warp: Annotated[bool, "learn to enlarge and move all pictures, before they are changed"] = False,
        contest: arg.Contest = arg.Contest(objective="least-squares", lr=4e-4, beta1=0.5, beta2=0.99),
    ) -> None:
        super().__init__()
        self.channels, self.nce, self.identity, self.patches = channels, nce, identity, patches
        self.answers, self.contest = answers, contest
        network = {"source": channels, "channels": channels, "size": size, "width": width, "fold": fold}
        self.generator = Translator(**network, residual=residual)  # type: ignore[arg-type]
        self.warp = Warp() if warp else None
        self.averaged = ("generator", "warp") if warp else ("generator",)  # type: ignore[misc]
        self.discriminator = PatchDiscriminator(channels=channels, width=d_width, normalised=False)
        self.features, self.content = seen(sees), answers.network()
        self.judges = Judges(self.features, d_width)
        networks = {"features": self.features, "content": self.content}
        self.frozen = tuple(name for name, each in networks.items() if each is not None)  # type: ignore[misc]
        self.heads = nn.ModuleList(_head(depth) for depth in self.generator.widths)

    def inputs(self) -> dict[str, Input]:
        made, space = self.generator, ImageSpace(self.channels, FREE, FREE)
        reach = made.reach if self.warp is None else None  # which moves what is far from the middle furthest
        return {"source": Given(space, reach=reach, multiple=made.multiple)}

    def optimizers(self) -> Optimizers:
        generator = [each for each in (self.generator, self.warp, self.heads) if each is not None]
        return self.contest.optimizers(generator=generator, discriminator=[self.discriminator, self.judges])

    def rates(self, progress: Progress) -> dict[str, float]:
        """Both learning rates fall linearly to zero in the second half."""
        return dict.fromkeys(("generator", "discriminator"), progress.falling)

    def turns(self, progress: Progress, batches: Batches[Unpaired]) -> Turns:
        """The generator's first: the discriminator then judges what it made, which is made once."""
        real = next(batches)
        made = yield Turn("generator", self.generator_losses, real)
        yield Turn("discriminator", self.discriminator_losses, Unpaired(image=real.image, other=made.kept["fake"]))

    def generator_losses(self, real: Unpaired) -> Losses:
        source = self.placed(real.other)
        count = len(source)
        shown = torch.cat([source, real.image]) if self.identity else source
        maps = self.generator.encoded(shown)
        made = self.generator.decoded(shown, maps)
        fake = made[:count]
        losses = self.contest.g_losses(self.judge, fake, real.image)
        if self.features is not None:
            of_real = [self.seen(real.image)] if self.contest.losses.paired else []
            losses |= {"seen": over_depths(self.contest.losses.generator, self.seen(fake), *of_real)}
        known = real.pairs
        if len(known):
            losses |= self.answers.missed(self.content, fake[known], real.image[known])
        if self.nce or self.identity:
            contrast = self.contrast(shown, maps, self.generator.encoded(made))
            contrast[known] = 0  # what is known says more than its source
            losses |= {"contrast": self.nce * contrast[:count].mean()}
        if self.identity:
            losses |= {"identity": self.identity * contrast[count:].mean()}
        return losses.keeping(fake=fake)

    def discriminator_losses(self, judged: Unpaired) -> Losses:
        """`other` is what the generator made."""
        losses = self.contest.d_losses(self.judge, judged.image, judged.other)
        if self.features is not None:
            both = self.seen(judged.image), self.seen(judged.other)
            losses |= {"seen": over_depths(self.contest.losses.discriminator, *both)}
        return losses

    def judge(self, images: Tensor) -> Tensor:
        logits: Tensor = self.discriminator(augment.translation(images, 1 / 16))
        return logits

    def seen(self, images: Tensor) -> list[Tensor]:
        """The logits of each depth, by the maps that the pretrained network has of these images."""
        assert self.features is not None
        return self.judges.logits(self.features, images)

    def placed(self, source: Tensor) -> Tensor:
        return source if self.warp is None else self.warp(source)

    def contrast(self, source: Tensor, maps: list[Tensor], made: list[Tensor]) -> Tensor:
        """(B,): PatchNCE of what was made with its source, the mean over depths."""
        weights, total = detail(source), source.new_zeros(len(source))
        for head, keys, queries in zip(self.heads, maps, made, strict=True):
            places = drawn_places(weights, keys.shape[2:], self.patches)
            total = total + patch_nce(head(_at(queries, places)), head(_at(keys.detach(), places)).detach())
        return total / len(maps)

    def generate(self, *, source: Tensor) -> Tensor:
        return self.generator(self.placed(source)).clamp(-1, 1)  # type: ignore[no-any-return]


def patch_nce(queries: Tensor, keys: Tensor) -> Tensor:
    """(B,): cross-entropy of finding, for each of the queries (B, P, C) of a picture, its own among all P of the
    picture's keys, by their cosine (eq. 3)."""
    one, other = (functional.normalize(each.float(), dim=2) for each in (queries, keys))
    logits = one @ other.transpose(1, 2) / TEMPERATURE
    own = torch.arange(logits.shape[1], device=logits.device).expand(len(logits), -1)
    return functional.cross_entropy(logits.transpose(1, 2), own, reduction="none").mean(1)


def detail(images: Tensor) -> Tensor:
    """(B, 1, H, W): the standard deviation of the pixels around each, in a window of an eighth of the shorter side."""
    side = max(1, min(images.shape[2:]) // 16) * 2 + 1
    images = images.detach().float()
    mean, square = (
        functional.avg_pool2d(each, side, 1, side // 2, count_include_pad=False) for each in (images, images.square())
    )
    return (square - mean.square()).clamp(min=0).mean(1, keepdim=True).sqrt()


def drawn_places(weights: Tensor, size: torch.Size, count: int) -> Tensor:
    """(B, P): numbers of places of a map of this size, each at most once, by the detail there."""
    spread = functional.adaptive_avg_pool2d(weights, (size[0], size[1])).flatten(1) + BLANK
    return torch.multinomial(spread, min(count, spread.shape[1]))


def _at(maps: Tensor, places: Tensor) -> Tensor:
    """(B, P, C): the features of a map (B, C, h, w) at these places."""
    rows = maps.flatten(2).transpose(1, 2)
    return rows.gather(1, places[:, :, None].expand(-1, -1, rows.shape[2]))


def _head(width: int, made: int = 64) -> nn.Module:
    return nn.Sequential(nn.Linear(width, made), nn.ReLU(), nn.Linear(made, made))
