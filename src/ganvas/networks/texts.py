"""Networks for sequences of tokens: a recurrent generator and a convolutional discriminator that judges every prefix.

Both take tokens as numbers (B, L), or as weights of all tokens (B, L, symbols), which carry gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas.spaces import before_end

SLOPE = 0.2
DILATIONS = (1, 2, 4)

Pick = Callable[[int, Tensor], Tensor]
"""From the number of a place and logits (B, symbols) to the tokens there, (B,) or (B, symbols)."""


class TextGenerator(nn.Module):
    """A gated recurrent unit (Cho et al. 2014) that says token by token what comes next; the latent vector and the
    label are where it begins, and are told at every step.

    Its steps are plain matrix products, so that a fixed number of them can be exported.
    """

    def __init__(
        self, *, symbols: int, length: int, latent: int, width: int, classes: int = 0, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.length, self.width, self.dropout = length, width, dropout
        size = min(width, max(16, 4 * round(symbols**0.5)))
        self.embedding = nn.Embedding(symbols, size)
        self.told = nn.Linear(latent, width)
        self.label = nn.Embedding(classes, width) if classes else None
        self.into = nn.Linear(size, 3 * width)
        self.beside = nn.Linear(width, 3 * width, bias=False)
        self.within = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, size)
        self.bias = nn.Parameter(torch.zeros(symbols))
        nn.init.normal_(self.embedding.weight, std=size**-0.5)

    def begin(self, latent: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
        """The first state (B, width), and what is told at every step, (B, 3 * width)."""
        told = self.told(latent)
        if self.label is not None and label is not None:
            told = told + self.label(label)
        state = told.tanh()
        return state, self.beside(state)

    def step(self, seen: Tensor, state: Tensor) -> Tensor:
        """The next state, from what a token and the beginning make of the gates (B, 3 * width)."""
        reset, keep, new = seen.chunk(3, dim=1)
        own_reset, own_keep, own_new = self.within(state).chunk(3, dim=1)
        keep = torch.sigmoid(keep + own_keep)
        made = torch.tanh(new + torch.sigmoid(reset + own_reset) * own_new)
        return keep * state + (1 - keep) * made

    def logits(self, state: Tensor) -> Tensor:
        """(..., width) to (..., symbols): how likely each token is next."""
        return functional.linear(self.out(state), self.embedding.weight, self.bias)

    def embedded(self, tokens: Tensor) -> Tensor:
        return tokens @ self.embedding.weight if tokens.is_floating_point() else self.embedding(tokens)

    def forward(self, tokens: Tensor, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, L, symbols) logits of each of these tokens (B, L) after those before it. Only here units are dropped, as
        texts that are made must be those of the network."""
        before = functional.pad(tokens[:, :-1], (1, 0))
        state, told = self.begin(latent, label)
        entering = functional.dropout(self.embedded(before), self.dropout, self.training)
        states = []
        for seen in self.into(entering).unbind(1):
            state = self.step(seen + told, state)
            states.append(state)
        return self.logits(functional.dropout(torch.stack(states, dim=1), self.dropout, self.training))

    def unrolled(self, latent: Tensor, label: Tensor | None, pick: Pick) -> Tensor:
        """Tokens (B, L) or (B, L, symbols), each picked by what the network says after those before it."""
        state, told = self.begin(latent, label)
        token = torch.zeros(latent.shape[0], dtype=torch.long, device=latent.device)
        picked = []
        for place in range(self.length):
            state = self.step(self.into(self.embedded(token)) + told, state)
            token = pick(place, self.logits(state))
            picked.append(token)
        return torch.stack(picked, dim=1)


def by_rank(noise: Tensor, temperature: Tensor) -> Pick:
    """Picks tokens by noise (B, L) that is normal: how far it is from 0 says from where among the tokens, ordered from
    the likeliest on, so that each is as frequent as it is likely, and noise of 0 gives the likeliest.

    temperature: (B,), by which logits are divided.
    """
    shares = torch.erf(noise.abs() / math.sqrt(2)).double()

    def pick(place: int, logits: Tensor) -> Tensor:
        # In float64, since sums over many tokens that are rare round to others in float32.
        likely, order = torch.softmax((logits / temperature.unsqueeze(1)).double(), dim=1).sort(dim=1, descending=True)
        rank = (likely.cumsum(1) <= shares[:, place : place + 1]).sum(1, keepdim=True)
        return order.gather(1, rank.clamp(max=logits.shape[1] - 1)).squeeze(1)

    return pick


def at_random(place: int, logits: Tensor) -> Tensor:
    """Picks each token as often as it is likely."""
    return torch.softmax(logits, dim=1).multinomial(1).squeeze(1)


def relaxed(sharpness: float) -> Pick:
    """Picks at random and carries gradients: one token, with the gradient of its softened weights (Jang, Gu and Poole
    2017, equation 2 and section 2.2, straight-through). sharpness: by which logits are multiplied before softening."""

    def pick(place: int, logits: Tensor) -> Tensor:
        noise = -torch.log(-torch.log(torch.rand_like(logits).clamp(1e-10, 1 - 1e-7)))
        soft = torch.softmax(sharpness * (logits + noise), dim=1)
        hard = functional.one_hot(soft.argmax(1), logits.shape[1]).to(soft.dtype)
        return hard + soft - soft.detach()

    return pick


class TextDiscriminator(nn.Module):
    """(B, L) logits, high for real: after each token, of the text up to there. Causal convolutions, dilated ever more
    (van den Oord et al. 2016), beside the mean of all that came before."""

    def __init__(self, *, symbols: int, width: int, classes: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, width)
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 3, dilation=dilation) for dilation in DILATIONS)
        self.whole = nn.Linear(2 * width, width)
        self.out = nn.Linear(width, 1)
        self.label = nn.Embedding(classes, width) if classes else None
        self.dropout = dropout
        nn.init.normal_(self.embedding.weight, std=1.0)

    def forward(self, tokens: Tensor, label: Tensor | None = None) -> Tensor:
        floats = tokens.is_floating_point()
        x = (tokens @ self.embedding.weight if floats else self.embedding(tokens)).transpose(1, 2)
        x = functional.dropout(x, self.dropout, self.training)
        for dilation, layer in zip(DILATIONS, self.layers, strict=True):
            x = x + functional.leaky_relu(layer(functional.pad(x, (2 * dilation, 0))), SLOPE)
        so_far = torch.arange(1, x.shape[2] + 1, device=x.device)
        x = torch.cat([x, x.cumsum(2) / so_far], dim=1).transpose(1, 2)
        x = functional.dropout(functional.leaky_relu(self.whole(x), SLOPE), self.dropout, self.training)
        logits: Tensor = self.out(x).squeeze(2)
        if self.label is not None and label is not None:
            logits = logits + (x * self.label(label).unsqueeze(1)).sum(2) / math.sqrt(x.shape[2])
        return logits


def up_to_end(tokens: Tensor) -> Tensor:
    """(B, L) numbers of tokens: 1 for each token of a text and for the END behind it, 0 further on; float32."""
    return functional.pad(before_end(tokens)[:, :-1], (1, 0), value=1).float()


def mean_within(values: Tensor, within: Tensor) -> Tensor:
    """The mean of values (B, L) where `within` is 1."""
    return (values * within).sum() / within.sum().clamp(min=1)
