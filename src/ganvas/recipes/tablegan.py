"""Rows of tables: mixed columns by a conditional GAN in the class of CTGAN (Xu et al. 2019), with relativistic pairing
and both gradient penalties (Huang et al. 2024).

Numbers are normal scores of their ranks, so no mixture models are fitted, and whatever is made has a value of the
column's own. Choices are drawn by straight-through Gumbel-softmax (Jang, Gu and Poole 2017). Where CTGAN conditions on
one choice at a time, any columns can be given here, of numbers too: in training some cells of some real rows are given,
and a made row beside each of these has the same ones, so the discriminator compares rows that differ in the rest alone.

    ganvas train tablegan --data customers.csv --minutes 2
    ganvas sample runs/... --where country=DE -n 1000 --out rows.csv
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import torch
from torch import Tensor

from ganvas import arguments as arg
from ganvas.choosing import Enough
from ganvas.data.batches import Tables
from ganvas.inputs import Input, Noise, Normal, Where
from ganvas.networks.table_shares import Shares
from ganvas.networks.tables import RowDiscriminator, RowGenerator, Rows
from ganvas.options import Range
from ganvas.penalties import lazily, zero_centred
from ganvas.recipe import Batches, Losses, Optimizers, Progress, Recipe, Turns
from ganvas.spaces import TableSpace

LAST = 0.1
"""What is left of the learning rates at the end."""


class TableGAN(Recipe):
    """Rows with numbers, dates, choices and gaps, with any columns given."""

    accepts = (Tables,)
    usual_for = {Tables: 0}
    sees = ()
    enough = Enough(passes=30, items=270_000)
    training_defaults = {"steps": 1200, "batch_size": 256, "ema": 170_000}
    penalties = ("r1", "r2")
    formerly = {"second": 0, "certainty": 1.0}

    def __init__(
        self,
        *,
        table: arg.Table,
        latent: arg.Latent = 64,
        width: arg.Width = 256,
        blocks: Annotated[int, Range(1, 16), "residual blocks of each player"] = 2,
        second: Annotated[int, Range(0, 4096), "width of what makes numbers when choices are known; 0: nothing"] = 128,
        certainty: Annotated[float, Range(0.1, 100), "factor on logits: high ones leave choices less to chance"] = 3.0,
        given: Annotated[float, Range(0, 1), "share of rows of which some cells are given in training"] = 0.5,
        sharpness: Annotated[float, Range(0.05, 5), "temperature of choices in training"] = 0.5,
        r1: arg.Penalty = 0.02,
        r2: arg.Penalty = 0.02,
        penalty_every: arg.PenaltyEvery = 4,
        contest: arg.Contest = arg.Contest(objective="relativistic", lr=2e-3, beta1=0.0, beta2=0.99),
    ) -> None:
        super().__init__()
        self.space = TableSpace.of_config(table)
        self.latent, self.given_share, self.temperature, self.contest = latent, given, sharpness, contest
        self.r1, self.r2, self.penalty_every = r1, r2, penalty_every
        self.rows = Rows(self.space)
        self.generator = RowGenerator(
            self.rows, latent=latent, width=width, blocks=blocks, second=second, certainty=certainty
        )
        self.shares = Shares(self.rows, self.space)
        self.discriminator = RowDiscriminator(self.rows, width=width, blocks=blocks)

    def inputs(self) -> dict[str, Input]:
        """noise: which choices are picked."""
        drawn: dict[str, Input] = {"latent": Normal((self.latent,)), "where": Where(self.space)}
        return drawn | ({"noise": Noise((self.rows.choices,))} if self.rows.choices else {})

    def optimizers(self) -> Optimizers:
        return self.contest.optimizers(discriminator=self.discriminator, generator=self.generator)

    def rates(self, progress: Progress) -> dict[str, float]:
        """Both learning rates fall linearly."""
        return dict.fromkeys(("discriminator", "generator"), 1 - (1 - LAST) * progress.fraction)

    def turns(self, progress: Progress, batches: Batches[Tables]) -> Turns:
        judging = partial(self.d_losses, strength=lazily(progress.step, self.penalty_every))
        return self.contest.turns(progress, batches, discriminator=judging, generator=self.g_losses)

    def d_losses(self, real: Tables, *, strength: float) -> Losses:
        true, fake, known = self.paired(real)
        judge = partial(self.discriminator, known=known)
        losses = self.contest.d_losses(judge, true, fake)
        return losses | zero_centred(judge, true, fake, r1=strength * self.r1, r2=strength * self.r2)

    def g_losses(self, real: Tables) -> Losses:
        true, fake, known = self.paired(real)
        return self.contest.g_losses(partial(self.discriminator, known=known), fake, true)

    def paired(self, real: Tables) -> tuple[Tensor, Tensor, Tensor]:
        """Real rows (B, D), made ones that have the same cells where these are given, and the given columns."""
        true = self.rows.hot(real.row)
        known = self.asked(len(true))
        mask = self.rows.mask(known)
        latent = torch.randn(len(true), self.latent, device=true.device)
        pick = partial(self.rows.relaxed, temperature=self.temperature)
        return true, self.generator(latent, true * mask, known, pick), known

    def asked(self, n: int) -> Tensor:
        """(n, columns) of 0 and 1: which columns of rows are given. Of most rows none, of others few or many."""
        share = torch.rand(n, 1, device=self.device).square()
        some = torch.rand(n, 1, device=self.device) < self.given_share
        return ((torch.rand(n, self.rows.columns, device=self.device) < share) & some).float()

    def generate(self, *, latent: Tensor, where: Tensor, noise: Tensor | None = None) -> Tensor:
        known, asked = self.rows.known(where), where.nan_to_num()
        given = self.rows.hot(asked) * self.rows.mask(known)
        if noise is None:
            noise = latent[:, :0]
        made = self.generator(latent, given, known, lambda logits: self.rows.picked(self.shares.logits(logits), noise))
        return torch.where(where.isnan(), self.rows.samples(self.shares.scores(made)), where)

    def settle(self) -> None:
        """What comes too often or too seldom is corrected."""
        self.shares.fit(self.generator, self.latent)
