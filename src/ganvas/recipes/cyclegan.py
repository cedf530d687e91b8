"""Unpaired image-to-image translation using cycle-consistent adversarial networks (Zhu, Park, Isola and Efros 2017).

Two domains without pairs: one generator makes pictures of B from pictures of A, another goes back, and a discriminator
for each domain judges. What goes there and back must be what it was (eq. 2), which ties a picture to its source;
`--identity` asks besides that pictures of the right domain stay as they are (section 5.2). The discriminators see a
pool of earlier pictures as well as new ones (section 4), so that the game does not run in circles. Both generators
begin as the identity; the cycle's differences are smooth L1, which forgives what cannot be brought back to the last
level. Where the data knows of some pictures what should come out (`--partners`), these are compared with that, too.

    ganvas train cyclegan --data emoji-pairs.zip --size 64
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from ganvas import arguments as arg
from ganvas.data.batches import Unpaired
from ganvas.inputs import Given, Input
from ganvas.networks.patch import PatchDiscriminator
from ganvas.networks.spectral import advance
from ganvas.networks.translation import Translator
from ganvas.options import Range
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Results, Turn, Turns
from ganvas.recipes._answers import Answers
from ganvas.spaces import FREE, ImageSpace


class CycleGAN(Recipe):
    """Pictures of one domain into another and back, learned without pairs; the style `b-to-a` is the way back."""

    accepts = (Unpaired,)
    sees = ("judge_a", "judge_b")
    averaged = ("to_b", "to_a")
    training_defaults = {"epochs": 100, "batch_size": 4}

    def __init__(
        self,
        *,
        channels: arg.Channels,
        size: arg.Size,
        width: arg.Width = 24,
        d_width: arg.Width = 24,
        cycle: arg.Weight = 10.0,
        identity: arg.Weight = 0.0,
        answers: Answers = Answers.open(l1=2.0),
        pool: Annotated[int, Range(0, 10_000), "earlier pictures that each discriminator also sees; 0 for none"] = 50,
        contest: arg.Contest = arg.Contest(objective="least-squares", lr=2e-4, beta1=0.5, beta2=0.999),
    ) -> None:
        super().__init__()
        self.channels, self.cycle, self.identity, self.pool = channels, cycle, identity, pool
        self.answers, self.contest, self.content = answers, contest, answers.network()
        self.frozen = () if self.content is None else ("content",)  # type: ignore[misc]
        network = {"source": channels, "channels": channels, "size": size, "width": width}
        self.to_b, self.to_a = (Translator(**network, residual=True) for _ in range(2))  # type: ignore[arg-type]
        self.judge_a, self.judge_b = (PatchDiscriminator(channels=channels, width=d_width) for _ in range(2))
        for name in ("pool_a", "pool_b"):
            self.register_buffer(name, torch.zeros(max(pool, 1), channels, *size))
            self.register_buffer(f"{name}_seen", torch.zeros((), dtype=torch.long))

    def inputs(self) -> dict[str, Input]:
        made = self.to_b
        return {"source": Given(ImageSpace(self.channels, FREE, FREE), reach=made.reach, multiple=made.multiple)}

    def optimizers(self) -> Optimizers:
        generators: list[nn.Module] = [self.to_b, self.to_a]
        return self.contest.optimizers(generators=generators, judge_a=self.judge_a, judge_b=self.judge_b)

    def rates(self, progress: Progress) -> dict[str, float]:
        """All learning rates fall linearly to zero in the second half (section 4)."""
        return dict.fromkeys(("generators", "judge_a", "judge_b"), progress.falling)

    def turns(self, progress: Progress, batches: Batches[Unpaired]) -> Turns:
        """The generators' first: the discriminators then judge what these made, so that it is made once."""
        real = next(batches)
        made = yield Turn("generators", self.generator_losses, real)
        judged_a = Unpaired(image=real.other, other=made.kept["fake_a"])
        yield Turn("judge_a", partial(self.judged, "a"), judged_a, after=self.remember_a)
        judged_b = Unpaired(image=real.image, other=made.kept["fake_b"])
        yield Turn("judge_b", partial(self.judged, "b"), judged_b, after=self.remember_b)

    def judged(self, domain: str, judged: Unpaired) -> Losses:
        """One discriminator's losses on real pictures and, as `other`, new ones, of which each gives way to one of the
        pool in half of the cases."""
        fake = judged.other
        pool, seen = self.get_buffer(f"pool_{domain}"), int(self.get_buffer(f"pool_{domain}_seen"))
        held = min(seen, self.pool)
        shown = fake
        if held:
            place = torch.randint(held, (len(fake),), device=fake.device)
            earlier = torch.rand(len(fake), 1, 1, 1, device=fake.device) < 0.5
            shown = torch.where(earlier, pool[place], fake)
        judge = self.get_submodule(f"judge_{domain}")
        return self.contest.d_losses(judge, judged.image, shown).keeping(fake=fake)

    def generator_losses(self, real: Unpaired) -> Losses:
        a, b = real.other, real.image
        fake_a, fake_b = self.to_a(b), self.to_b(a)
        terms = {
            "adversarial_a": self.contest.g_losses(self.judge_a, fake_a, a).total(),
            "adversarial_b": self.contest.g_losses(self.judge_b, fake_b, b).total(),
            "cycle": self.cycle * (smooth_l1_loss(self.to_a(fake_b), a) + smooth_l1_loss(self.to_b(fake_a), b)),
        }
        if self.identity:
            same = smooth_l1_loss(self.to_a(a), a) + smooth_l1_loss(self.to_b(b), b)
            terms["identity"] = self.identity * same
        known = real.pairs
        if len(known):
            made, right = (torch.cat([one[known], other[known]]) for one, other in ((fake_b, fake_a), (b, a)))
            terms |= self.answers.missed(self.content, made, right)
        return Losses(terms).keeping(fake_a=fake_a, fake_b=fake_b)

    def remember_a(self, results: Results) -> None:
        self.remember("a", results)

    def remember_b(self, results: Results) -> None:
        self.remember("b", results)

    def remember(self, domain: str, results: Results) -> None:
        """Puts the new pictures into the pool, the oldest giving way."""
        advance(self.get_submodule(f"judge_{domain}"))
        if not self.pool:
            return
        pool, seen = self.get_buffer(f"pool_{domain}"), self.get_buffer(f"pool_{domain}_seen")
        new = results.kept["fake"][-self.pool :]
        pool[(seen + torch.arange(len(new), device=seen.device)) % self.pool] = new.to(pool.dtype)
        seen += len(new)

    def styles(self) -> dict[str, dict[str, Tensor]]:
        """Both ways, as weights of the first generator: their networks are alike."""
        return {"a-to-b": self.to_b.state_dict(), "b-to-a": self.to_a.state_dict()}

    def generate(self, *, source: Tensor) -> Tensor:
        return self.to_b(source).clamp(-1, 1)  # type: ignore[no-any-return]
