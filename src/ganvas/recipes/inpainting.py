"""Resolution-robust large mask inpainting (Suvorov et al. 2022), with plain convolutions and a network for a CPU.

Any pictures teach it, since their holes are made while they are read: large strokes and boxes (section 2.3). The
generator sees the picture without what is under the mask, and there a smooth continuation of what is around; it begins
with that, and learns what is missing from it. Its output is seen under the mask alone, and this blended picture is what
the losses and the discriminator judge. The discriminator has an opinion on every place, and those that
overlap the hole count (section 2.2). A first share of the training is the difference from the true picture alone, of
pixels and of a pretrained network's features, so that the game begins with pictures worth judging.

Every fourth step the hole holds the true picture at a quarter of the resolution instead. So the generator learns to
refine too, and fills holes of any size from coarse to fine (`networks/filling.py`).

    ganvas train inpainting --data photos/ --minutes 60
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from ganvas import arguments as arg
from ganvas.data.batches import Masked
from ganvas.errors import UsageError
from ganvas.inputs import Given, Input
from ganvas.networks.filling import THIN, fill_any, guess_of, surroundings
from ganvas.networks.patch import PatchDiscriminator
from ganvas.networks.spectral import advance
from ganvas.networks.translation import Translator
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Results, Turn, Turns
from ganvas.recipes._answers import Answers
from ganvas.spaces import FREE, ImageSpace, MaskSpace
from ganvas.text import sized


class Inpainting(Recipe):
    """Pictures with a hole filled, of any size; what is outside the hole stays as it is."""

    accepts = (Masked,)
    usual_for = {Masked: 0}
    sees = ()
    training_defaults = {"epochs": 200, "batch_size": 8}

    def __init__(
        self,
        *,
        channels: arg.Channels,
        size: arg.Size,
        width: arg.Width = 32,
        fold: arg.Fold = 2,
        d_width: arg.Width = 24,
        answers: Answers = Answers.open(l1=3.0, content="lite0", content_weight=2.0),
        adversarial: arg.Weight = 0.5,
        warmup: arg.Warmup = 0.25,
        contest: arg.Contest = arg.Contest(objective="least-squares", lr=5e-4, beta1=0.5, beta2=0.99),
    ) -> None:
        super().__init__()
        self.channels, self.side, self.warmup, self.contest = channels, min(size), warmup, contest
        self.answers, self.adversarial = answers, adversarial
        self.generator = Translator(source=channels + 1, channels=channels, size=size, width=width, fold=fold)
        nn.init.zeros_(self.generator.tail.weight)
        nn.init.zeros_(self.generator.tail.bias)  # type: ignore[arg-type]
        self.discriminator = PatchDiscriminator(channels=channels + 1, width=d_width)
        self.content = answers.network()
        self.frozen = () if self.content is None else ("content",)  # type: ignore[misc]

    def inputs(self) -> dict[str, Input]:
        source = Given(ImageSpace(self.channels, FREE, FREE), any_scale=True)
        return {"source": source, "mask": Given(MaskSpace(), any_scale=True)}

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=self.discriminator, generator=self.generator)

    def rates(self, progress: Progress) -> dict[str, float]:
        """Both learning rates fall linearly to zero in the second half."""
        return dict.fromkeys(("discriminator", "generator"), progress.falling)

    def turns(self, progress: Progress, batches: Batches[Masked]) -> Turns:
        real, refine = next(batches), progress.step % 4 == 3
        if progress.fraction >= self.warmup:
            yield Turn("discriminator", partial(self.discriminator_losses, refine=refine), real, after=self.follow)
            yield Turn("generator", partial(self.generator_losses, refine=refine), real)
        else:
            yield Turn("generator", partial(self.warmup_losses, refine=refine), real)

    def discriminator_losses(self, real: Masked, refine: bool = False) -> Losses:
        return self.contest.d_losses(partial(self.judge, real.mask), real.image, self.filled(real, refine))

    def generator_losses(self, real: Masked, refine: bool = False) -> Losses:
        fake = self.filled(real, refine)
        game = self.contest.g_losses(partial(self.judge, real.mask), fake, real.image)
        weighted = {name: self.adversarial * term for name, term in game.terms.items()}
        return game | weighted | self.differences(fake, real)

    def warmup_losses(self, real: Masked, refine: bool = False) -> Losses:
        return Losses(self.differences(self.filled(real, refine), real))

    def differences(self, fake: Tensor, real: Masked) -> dict[str, Tensor]:
        """The generator's terms that compare with the true picture: under the mask, as outside there is none."""
        hole = (real.mask > 0).float()
        apart = ((fake - real.image).abs().mean(1, keepdim=True) * hole).sum((1, 2, 3)) / hole.sum((1, 2, 3))
        return self.answers.missed(self.content, fake, real.image, apart.mean())

    def judge(self, mask: Tensor, image: Tensor) -> Tensor:
        """Logits of the places of a picture that overlap its hole. As holes differ, and the logits of all processes are
        as many, they come round again until there are as many as the picture has places."""
        places = max_pool2d(mask, 4).flatten(1) > 0
        logits = self.discriminator(torch.cat([image, mask], dim=1)).view(places.shape)
        within = places.byte().argsort(dim=1, descending=True, stable=True)
        turn = torch.arange(places.shape[1], device=mask.device) % places.sum(1, keepdim=True).clamp(min=1)
        return logits.gather(1, within.gather(1, turn)).flatten()  # type: ignore[no-any-return]

    def follow(self, results: Results) -> None:
        advance(self.discriminator)

    def filled(self, real: Masked, refine: bool) -> Tensor:
        return self.fill(real.source, real.mask, guess_of(real.source) if refine else None)

    def fill(self, source: Tensor, mask: Tensor, guess: Tensor | None = None) -> Tensor:
        """Pictures (B, C, H, W) with what is under the mask (B, 1, H, W) made anew, seen as much as the mask says.
        guess: what may be there, softly; by default it goes on from what is around. What is there is never seen."""
        hole = mask > 0
        first = surroundings(source, hole, self.side) if guess is None else guess
        seen = torch.where(hole, first, source)
        told = torch.where(hole, 1.0 if guess is None else 0.0, -1.0)
        made = first + self.generator(torch.cat([seen, told], dim=1))
        return torch.where(hole, mask * made + (1 - mask) * source, source)

    def generate(self, *, source: Tensor, mask: Tensor) -> Tensor:
        return self.fill(source, mask)

    def alone(self) -> str:
        return (
            f"The network alone fills holes of up to about {self.side // THIN} pixels, as in pictures of {self.side}"
            " that it was trained on. Wider holes are filled from coarse to fine, and large pictures in tiles, by"
            " `ganvas edit RUN PHOTO --mask MASK`."
        )

    def applied(self, **inputs: Tensor) -> Tensor:
        """As `generate`, from coarse to fine where a hole is wider than those of the training. Raises UsageError for a
        mask of another size than the picture's."""
        source, mask = inputs["source"], inputs["mask"]
        if source.shape[2:] != mask.shape[2:]:
            sizes = [sized((each.shape[2], each.shape[3])) for each in (mask, source)]
            raise UsageError(f"mask: it is {sizes[0]}, and the picture {sizes[1]} (height x width): give one as large")
        pairs = zip(source.split(1), mask.split(1), strict=True)
        return torch.cat([fill_any(self.fill, picture, own, self.side) for picture, own in pairs])
