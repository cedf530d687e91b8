"""Networks for rows of tables, whose cells are scores and choices.

A row is laid out as one vector (B, D): the scores first, then a one-hot vector for each choice, those of equally many
choices side by side.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas.networks.precision import exactly
from ganvas.spaces import TableSpace

SLOPE = 0.2


class Rows(nn.Module):
    """Between samples of a space, (B, S), and rows laid out for networks, (B, D)."""

    def __init__(self, space: TableSpace) -> None:
        super().__init__()
        parts = space.parts
        owners = [place for place, column in enumerate(space.columns) for _ in column.parts]
        slots = [place for place, part in enumerate(parts) if not part]
        self.scores = len(slots)
        self.groups = []  # (choices of each, how many there are)
        for count in sorted({part for part in parts if part}):
            own = [place for place, part in enumerate(parts) if part == count]
            self.groups.append((count, len(own)))
            slots += own
        flags = {
            start: start + 1 for start, each in zip(space.starts, space.columns, strict=True) if len(each.parts) > 1
        }
        self.columns, self.choices = len(space.columns), len(parts) - self.scores
        self.width = self.scores + sum(count * many for count, many in self.groups)
        # Of the slots in the order of the layout: the number among a sample's, and the column that they are of.
        self._keep("slots", slots)
        self._keep("back", [slots.index(place) for place in range(len(parts))])
        self._keep("owners", [owners[slot] for slot in slots])
        sizes = [1] * self.scores + [count for count, many in self.groups for _ in range(many)]
        self._keep("spread", [place for place, size in enumerate(sizes) for _ in range(size)])
        self._keep("first", space.starts)
        # Of each score that may be missing: its place in the layout, and that of the flag which says so.
        ends = [sum(sizes[: place + 1]) - 1 for place in range(len(sizes))]
        missing = [(slots.index(score), ends[slots.index(flag)]) for score, flag in flags.items()]
        self._keep("lacking", [score for score, _ in missing])
        self._keep("flags", [flag for _, flag in missing])

    def _keep(self, name: str, places: list[int] | tuple[int, ...]) -> None:
        self.register_buffer(name, torch.tensor(places, dtype=torch.int64), persistent=False)

    def hot(self, samples: Tensor) -> Tensor:
        """(B, S) to (B, D)."""
        ordered = samples.index_select(1, self.get_buffer("slots"))
        pieces, at = [ordered[:, : self.scores]], self.scores
        for count, many in self.groups:
            places = ordered[:, at : at + many].round().long().clamp(0, count - 1)
            pieces.append(functional.one_hot(places, count).to(samples.dtype).flatten(1))
            at += many
        return self.without_lacking(torch.cat(pieces, 1))

    def samples(self, rows: Tensor) -> Tensor:
        """(B, D) with one-hot choices to (B, S)."""
        places = [each.argmax(2).to(rows.dtype) for each in self.groups_of(rows[:, self.scores :])]
        return torch.cat([rows[:, : self.scores], *places], 1).index_select(1, self.get_buffer("back"))

    def groups_of(self, choices: Tensor) -> list[Tensor]:
        """(B, D - scores) as (B, many, count) for each number of choices."""
        pieces = choices.split([count * many for count, many in self.groups], 1)
        return [each.unflatten(1, (many, count)) for each, (count, many) in zip(pieces, self.groups, strict=True)]

    def relaxed(self, logits: Tensor, temperature: float) -> Tensor:
        """(B, D - scores) likewise: drawn choices, one-hot, through which gradients pass as through their softened form
        (Jang, Gu and Poole 2017, straight-through)."""
        noise = -torch.rand_like(logits).clamp(min=1e-20).log().neg().clamp(min=1e-20).log()
        pieces = []
        for each in self.groups_of((logits + noise) / temperature):
            soft = torch.softmax(each, 2)
            hard = functional.one_hot(soft.argmax(2), each.shape[2]).to(soft.dtype)
            pieces.append((hard - soft.detach() + soft).flatten(1))
        return torch.cat([logits[:, :0], *pieces], 1)

    def picked(self, logits: Tensor, noise: Tensor) -> Tensor:
        """(B, D - scores) likewise: of each choice the one that normal noise (B, choices) stands for, one-hot. Near 0
        that is the likeliest, as often as it is likely; farther off the others, in their order."""
        shares = torch.erf(noise.float().abs() / 2**0.5)
        pieces, at = [], 0
        for each in self.groups_of(logits):
            many, count = each.shape[1:]
            likely = torch.softmax(each, 2)
            most, first = likely.max(2, keepdim=True)
            beyond = shares[:, at : at + many, None] - most
            every = torch.arange(count, device=logits.device)
            others = (likely * (every != first)).cumsum(2)
            other = (others <= beyond).long().sum(2, keepdim=True).clamp(max=count - 1)
            pieces.append((every == torch.where(beyond < 0, first, other)).to(logits.dtype).flatten(1))
            at += many
        return torch.cat([logits[:, :0], *pieces], 1)

    def without_lacking(self, rows: Tensor) -> Tensor:
        """The rows with 0 for the scores of what is missing."""
        if not len(self.get_buffer("lacking")):
            return rows
        there = 1 - rows.index_select(1, self.get_buffer("flags"))
        return rows.index_copy(1, self.get_buffer("lacking"), rows.index_select(1, self.get_buffer("lacking")) * there)

    def known(self, where: Tensor) -> Tensor:
        """(B, columns) of 0 and 1: which columns are given by samples (B, S), NaN where nothing is."""
        return (~where.isnan()).to(where.dtype).index_select(1, self.get_buffer("first"))

    def mask(self, known: Tensor) -> Tensor:
        """(B, columns) as (B, D)."""
        return known.index_select(1, self.get_buffer("owners").index_select(0, self.get_buffer("spread")))


class ResidualMLP(nn.Module):
    """(B, inputs) to (B, outputs): residual blocks of two layers each."""

    def __init__(self, inputs: int, width: int, outputs: int, blocks: int) -> None:
        super().__init__()
        self.enter = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LeakyReLU(SLOPE), nn.Linear(width, width), nn.LeakyReLU(SLOPE), nn.Linear(width, width))
            for _ in range(blocks)
        )
        self.leave = nn.Linear(width, outputs)
        initialised(self)
        with torch.no_grad():
            self.leave.weight.mul_(0.5)

    def hidden(self, x: Tensor) -> Tensor:
        """(B, width)."""
        hidden: Tensor = self.enter(x)
        for block in self.blocks:
            hidden = (hidden + block(hidden)) * 0.5**0.5
        return functional.leaky_relu(hidden, SLOPE)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.leave(self.hidden(x))
        return made


def initialised(module: nn.Module) -> None:
    for each in module.modules():
        if isinstance(each, nn.Linear):
            nn.init.kaiming_normal_(each.weight, SLOPE)
            nn.init.zeros_(each.bias)


Pick = Callable[[Tensor], Tensor]
"""Of logits of choices, (B, D - scores), one-hot choices of the same shape."""


class RowGenerator(nn.Module):
    """latent (B, latent) and what is given of rows, (B, D) with 0 for what is not, with its columns (B, columns), to
    rows (B, D), whose choices `pick` picks. certainty: factor on the logits that it is given. Numbers are made last,
    when the choices are known, by layers of the width `second` (0: without these), so that they go with those that
    chance took."""

    def __init__(self, rows: Rows, *, latent: int, width: int, blocks: int, second: int, certainty: float) -> None:
        super().__init__()
        self.rows, self.certainty = rows, certainty
        self.body = ResidualMLP(latent + rows.width + rows.columns, width, rows.width, blocks)
        self.second: nn.Sequential | None = None
        if second and rows.scores and rows.choices:
            into = width + rows.width - rows.scores
            last = nn.Linear(second, rows.scores)
            self.second = nn.Sequential(nn.Linear(into, second), nn.LeakyReLU(SLOPE), last)
            initialised(self.second)
            with torch.no_grad():
                last.weight.mul_(0.5)

    def forward(self, latent: Tensor, given: Tensor, known: Tensor, pick: Pick) -> Tensor:
        rows, mask = self.rows, self.rows.mask(known)
        hidden = self.body.hidden(torch.cat([latent, given, known], 1))
        with exactly(hidden.device):  # eight bits of bf16 would be a grid on which all numbers lie
            hidden = hidden.float()
            made = self.body.leave(hidden)
            scores, logits = made[:, : rows.scores], made[:, rows.scores :]
            own, asked = mask[:, rows.scores :], given[:, rows.scores :]
            choices = asked + pick(self.certainty * logits) * (1 - own)
        if self.second is not None:
            body, last = self.second[:-1], self.second[-1]
            more = body(torch.cat([hidden, choices], 1))
            with exactly(more.device):
                scores = scores + last(more.float())
        return rows.without_lacking(
            torch.cat([given[:, : rows.scores] + scores * (1 - mask[:, : rows.scores]), choices], 1)
        )


class RowDiscriminator(nn.Module):
    """rows (B, D), of which the columns `known` (B, columns) were given, to logits (B,)."""

    def __init__(self, rows: Rows, *, width: int, blocks: int) -> None:
        super().__init__()
        self.body = ResidualMLP(rows.width + rows.columns, width, 1, blocks)

    def forward(self, rows: Tensor, known: Tensor) -> Tensor:
        logits: Tensor = self.body(torch.cat([rows, known], 1)).squeeze(1)
        return logits
