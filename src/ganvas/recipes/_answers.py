"""How recipes that know right answers compare with them: pixel by pixel, and in a pretrained network's features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor, nn
from torch.nn.functional import l1_loss

from ganvas import arguments as arg
from ganvas.features import content
from ganvas.options import Group

Content = Annotated[content.Name, "a pretrained network in whose features pictures are compared, too"]


@dataclass(frozen=True, kw_only=True)
class Answers(Group):
    """What a difference from the right answer costs."""

    l1: arg.Weight = 10.0
    content: Content = "none"
    content_weight: arg.Weight = 1.0

    def network(self) -> nn.Module | None:
        """The pretrained network, for the recipe to hold as `content` and to name as frozen."""
        return content.content(self.content)

    def missed(
        self, network: nn.Module | None, made: Tensor, right: Tensor, apart: Tensor | None = None
    ) -> dict[str, Tensor]:
        """How far pictures (B, C, H, W) in [-1, 1] are from the right ones, term by term: the mean absolute difference
        (Isola et al. 2017, eq. 3), or what is `apart` in its place, and the distance in the network's features."""
        terms = {"difference": self.l1 * (l1_loss(made, right) if apart is None else apart)}
        if network is not None:
            terms["content"] = self.content_weight * network(made, right)
        return terms
