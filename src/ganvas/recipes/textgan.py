"""Sequences of tokens by a GAN: SeqGAN (Yu et al. 2017) with ScratchGAN's rewards (de Masson d'Autume et al. 2019), or
straight-through Gumbel-softmax as in RelGAN (Nie et al. 2019).

A recurrent generator learns to say what comes next (`--warmup`, a share of the training), and then plays against a
discriminator that judges every beginning of a text. Tokens carry no gradient, so what it says reaches the
generator in one of two ways (`--adversarial`):

reinforce   as rewards for each token, 2 sigmoid(logit) - 1, of which those to come count ever less; against a moving
            mean of what is usual at that place (ScratchGAN, section 3.1)
gumbel      by the gradient of softened tokens (Jang, Gu and Poole 2017)
none        not at all: the likelihood is trained to the end, the rival that a game has to beat in equal time

Without likelihood in the game a generator soon forgets what is rare, so some of it stays (`--likelihood`). docs/text.md
says what the game wins and what it does not.

    ganvas train textgan --data names.txt --minutes 2
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import torch
from torch import Tensor
from torch.nn import functional

from ganvas import arguments as arg
from ganvas import optimizers
from ganvas.data.batches import Texts
from ganvas.inputs import Input, Normal, Number, label
from ganvas.networks.texts import (
    TextDiscriminator,
    TextGenerator,
    at_random,
    by_rank,
    mean_within,
    relaxed,
    up_to_end,
)
from ganvas.options import Range
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Results, Turn, Turns

FOLLOWING = 0.1
"""How fast the moving mean of rewards follows."""


@dataclass(frozen=True)
class Judged(Texts):
    """Real texts, and those (B, length) int64 that the discriminator has just judged beside them."""

    fake: Tensor = field(kw_only=True)


class TextGAN(Recipe):
    """Names, lines and sentences, by label where there are labels."""

    accepts = (Texts,)
    usual_for = {Texts: 0}
    training_defaults = {"epochs": 100, "batch_size": 128}
    baseline: Tensor

    def __init__(
        self,
        *,
        shape: arg.Shape,
        symbols: arg.Symbols,
        classes: arg.Classes = 0,
        conditional: arg.Conditional = True,
        latent: arg.Latent = 16,
        width: arg.Width = 256,
        d_width: arg.Width = 96,
        dropout: arg.Dropout = 0.25,
        warmup: arg.Warmup = 0.5,
        adversarial: Annotated[
            Literal["reinforce", "gumbel", "none"],
            "how the discriminator reaches the generator; none trains likelihood",
        ] = "reinforce",
        likelihood: Annotated[
            float, Range(0, 100), "weight of the likelihood in the generator's loss in the game"
        ] = 0.5,
        credit: Annotated[
            Literal["text", "token"], "reward a token by what the text up to it is worth, or by what it adds to that"
        ] = "text",
        discount: Annotated[float, Range(0, 1), "how much the next token's reward counts for this one"] = 0.5,
        sharpness: Annotated[float, Range(0.1, 100), "by which logits are multiplied before gumbel softens them"] = 1.0,
        lr: arg.LearningRate = 2e-3,
        game_lr: Annotated[float, Range(1e-7, 1, log=True), "learning rate of the generator in the game"] = 5e-4,
    ) -> None:
        super().__init__()
        self.classes = arg.condition(classes, conditional)
        self.latent, self.length = latent, shape[0]
        self.warmup, self.adversarial, self.likelihood = warmup, adversarial, likelihood
        self.credit, self.discount, self.sharpness, self.lr, self.game_lr = credit, discount, sharpness, lr, game_lr
        self.generator = TextGenerator(
            symbols=symbols, length=self.length, latent=latent, width=width, classes=self.classes, dropout=dropout
        )
        self.discriminator = TextDiscriminator(symbols=symbols, width=d_width, classes=self.classes, dropout=dropout)
        self.register_buffer("baseline", torch.zeros(self.length))

    def inputs(self) -> dict[str, Input]:
        """noise: which tokens are picked, 0 standing for the likeliest; so truncation makes texts more usual."""
        drawn: dict[str, Input] = {"latent": Normal((self.latent,)), "noise": Normal((self.length,))}
        return drawn | {"temperature": Number(0.1, 2.0, default=1.0)} | label(self.classes)

    def optimizers(self) -> Optimizers:
        return optimizers.players(
            lr=self.lr, beta1=0.9, beta2=0.99, discriminator=self.discriminator, generator=self.generator
        )

    def rates(self, progress: Progress) -> dict[str, float]:
        """Learning rates fall linearly to zero in the second half; the generator's is lower in the game."""
        share = progress.falling
        game = self.game_lr / self.lr if self.playing(progress) else 1.0
        return {"discriminator": share, "generator": share * game}

    def playing(self, progress: Progress) -> bool:
        return self.adversarial != "none" and progress.fraction >= self.warmup

    def turns(self, progress: Progress, batches: Batches[Texts]) -> Turns:
        real = next(batches)
        if not self.playing(progress):
            yield Turn("generator", self.likelihood_losses, real)
            return
        made = yield Turn("discriminator", self.d_losses, real)
        if self.adversarial == "reinforce":
            judged = Judged(real.text, real.label, fake=made.kept["fake"])
            yield Turn("generator", self.reinforce_losses, judged, after=self.follow)
        else:
            yield Turn("generator", self.gumbel_losses, real)

    def likelihood_losses(self, real: Texts) -> Losses:
        return Losses({"likelihood": self.nats_a_token(real)})

    def d_losses(self, real: Texts) -> Losses:
        """The usual cross-entropy, after every token."""
        true, fake = real.text.long(), self.texts(real)
        of_true, of_fake = (self.discriminator(each, real.label) for each in (true, fake))
        terms = {
            "real": mean_within(functional.softplus(-of_true), up_to_end(true)),
            "fake": mean_within(functional.softplus(of_fake), up_to_end(fake)),
        }
        return Losses(terms, whole(of_true, true), whole(of_fake, fake)).keeping(fake=fake)

    def reinforce_losses(self, judged: Judged) -> Losses:
        """ScratchGAN, equations 3 to 5, of the texts that were judged, and the likelihood of the real ones."""
        true, fake = judged.text.long(), judged.fake
        of_true, of_fake = up_to_end(true), up_to_end(fake)
        with torch.no_grad():
            logits = self.discriminator(fake, judged.label)
            before = functional.pad(logits[:, :-1], (1, 0)) if self.credit == "token" else 0.0
            returns = discounted((2 * torch.sigmoid(logits - before) - 1) * of_fake, self.discount)
        labels = None if judged.label is None else judged.label.repeat(2)
        surprises, expected = self.surprises(torch.cat([fake, true]), labels).chunk(2)
        terms = {"reward": mean_within((returns - self.baseline) * surprises, of_fake)}
        if self.likelihood:
            terms["likelihood"] = self.likelihood * mean_within(expected, of_true)
        kept = {"returns": returns, "within": of_fake}
        return Losses(terms, fake_logits=whole(logits, fake), kept=kept)

    def gumbel_losses(self, real: Texts) -> Losses:
        made = self.generator.unrolled(self.noise(len(real)), real.label, relaxed(self.sharpness))
        fake = made.argmax(2)
        logits = self.discriminator(made, real.label)
        terms = {"generator": mean_within(functional.softplus(-logits), up_to_end(fake))}
        if self.likelihood:
            terms["likelihood"] = self.likelihood * self.nats_a_token(real)
        return Losses(terms, fake_logits=whole(logits, fake))

    def follow(self, results: Results) -> None:
        """The moving mean of what is to come at each place, over the texts that are as long."""
        returns, within = results.kept["returns"], results.kept["within"]
        mean = (returns * within).sum(0) / within.sum(0).clamp(min=1)
        self.baseline += FOLLOWING * (mean - self.baseline) * (within.sum(0) > 0)

    def nats_a_token(self, real: Texts) -> Tensor:
        return self.unlikeliness(real).sum() / up_to_end(real.text).sum()

    def unlikeliness(self, real: Texts) -> Tensor:
        """(B,) nats: how unlikely the texts are, with latent vectors that are drawn."""
        tokens = real.text.long()
        return (self.surprises(tokens, real.label) * up_to_end(tokens)).sum(1)

    def surprises(self, tokens: Tensor, label: Tensor | None) -> Tensor:
        """(B, L): how unlikely each token is after those before it, in nats."""
        logits = self.generator(tokens, self.noise(len(tokens)), label)
        return functional.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none").view(tokens.shape)

    def texts(self, real: Texts) -> Tensor:
        """Texts (B, L) that are drawn for the labels of a batch."""
        with torch.no_grad():
            return self.generator.unrolled(self.noise(len(real)), real.label, at_random)

    def noise(self, n: int) -> Tensor:
        return torch.randn(n, self.latent, device=self.device)

    def generate(self, *, latent: Tensor, noise: Tensor, temperature: Tensor, label: Tensor | None = None) -> Tensor:
        tokens = self.generator.unrolled(latent, label, by_rank(noise, temperature))
        return tokens * up_to_end(tokens)


def discounted(rewards: Tensor, discount: float) -> Tensor:
    """(B, L): the rewards from each place on, of which each further one counts `discount` times as much."""
    total, returns = torch.zeros_like(rewards[:, 0]), []
    for reward in reversed(rewards.unbind(1)):
        total = reward + discount * total
        returns.append(total)
    return torch.stack(returns[::-1], dim=1)


def whole(logits: Tensor, tokens: Tensor) -> Tensor:
    """(B,): of logits (B, L), the one that is of the whole text."""
    last = up_to_end(tokens).sum(1, keepdim=True).long() - 1
    return logits.gather(1, last).squeeze(1)
