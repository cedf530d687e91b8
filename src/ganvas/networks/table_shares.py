"""What a generator of rows makes too often or too seldom, and how that is made up for."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.networks.tables import RowGenerator, Rows
from ganvas.spaces import TableSpace

ROWS, ROUNDS, NEAR = 8192, 60, 1e-4
"""Rows that are made to see how often what comes; rounds of correction at most; shares that are near enough."""

KNOTS, FEWEST, REACH = 33, 500, 3.0
"""Of the curve between scores as they are made and normal ones, which spans so many deviations to both sides; and rows
from which on there is one."""


class Shares(nn.Module):
    """Logits and scores of a trained generator, corrected so that each choice, each gap and each score is made as often
    as the rows of the training have it. Only columns by themselves are corrected: what goes with what is the
    generator's doing. Worked out anew from the weights and the table's columns, so nothing of it is kept.
    """

    def __init__(self, rows: Rows, space: TableSpace) -> None:
        super().__init__()
        self.rows = rows
        by_count: dict[int, list[float]] = {count: [] for count, _ in rows.groups}
        for column in space.columns:
            there = column.levels if column.choices else (1.0,) if column.missing else ()
            if there:
                lacking = (column.missing,) if column.missing else ()
                by_count[len(there) + len(lacking)] += [*((1 - column.missing) * each for each in there), *lacking]
        wanted = torch.tensor([each for many in by_count.values() for each in many])
        self.register_buffer("wanted", wanted.clamp(min=1e-6), persistent=False)
        normal = torch.linspace(-REACH, REACH, KNOTS)
        self.register_buffer("normal", normal, persistent=False)
        self.register_buffer("bias", torch.zeros(rows.width - rows.scores), persistent=False)
        self.register_buffer("made", normal.repeat(rows.scores, 1), persistent=False)

    def logits(self, logits: Tensor) -> Tensor:
        return logits + self.get_buffer("bias")

    def scores(self, rows: Tensor) -> Tensor:
        """(B, D) with scores on the curve; beyond its ends they move with these."""
        count = self.rows.scores
        if not count:
            return rows
        scores, made, normal = rows[:, :count], self.get_buffer("made"), self.get_buffer("normal")
        place = (scores[:, :, None] >= made[:, 1:-1]).long().sum(2)
        at = place + KNOTS * torch.arange(count, device=rows.device)
        low, high = made.flatten()[at], made.flatten()[at + 1]
        share = ((scores - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)
        curved = normal[place] + share * (normal[1] - normal[0])
        beyond = (scores - made[:, -1]).clamp(min=0) - (made[:, 0] - scores).clamp(min=0)
        return torch.cat([curved + beyond, rows[:, count:]], 1)

    @torch.no_grad()
    def fit(self, generator: RowGenerator, latent: int) -> None:
        """To rows of random latents, always the same."""
        device, rows = self.get_buffer("bias").device, self.rows
        random = torch.Generator().manual_seed(0)

        def normal(size: int) -> Tensor:
            return torch.randn(ROWS, size, generator=random).to(device)

        def picked(logits: Tensor) -> Tensor:
            self.get_buffer("bias").copy_(self._bias(logits))
            return rows.picked(self.logits(logits), normal(rows.choices))

        nothing = torch.zeros(ROWS, rows.width + rows.columns, device=device)
        made = generator(normal(latent), nothing[:, : rows.width], nothing[:, rows.width :], picked)
        levels = torch.special.ndtr(self.get_buffer("normal"))
        lacking = dict(zip(rows.get_buffer("lacking").tolist(), rows.get_buffer("flags").tolist(), strict=True))
        for place in range(rows.scores):
            there = made[:, place]
            if place in lacking:
                there = there[made[:, lacking[place]] < 0.5]
            curve = torch.quantile(there, levels) if len(there) >= FEWEST else self.get_buffer("normal")
            self.get_buffer("made")[place].copy_(curve)

    def _bias(self, logits: Tensor) -> Tensor:
        """(D - scores,) what, added to logits (B, D - scores), gives each choice its share: of the convex problem that
        this is, the fixed point is approached group by group of choices."""
        found, rest = [self.get_buffer("bias")[:0]], self.get_buffer("wanted")
        for each in self.rows.groups_of(logits):
            many, count = each.shape[1:]
            wanted, rest = rest[: many * count].view(many, count), rest[many * count :]
            bias = torch.zeros_like(wanted)
            for _ in range(ROUNDS):
                shares = torch.softmax(each + bias, 2).mean(0).clamp(min=1e-7)
                if float((shares - wanted).abs().max()) < NEAR:
                    break
                bias += 1.5 * (wanted / shares).log().clamp(-1, 1)
            found.append(bias.flatten())
        return torch.cat(found)
