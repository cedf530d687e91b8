"""Face ageing: pictures of the same person at another age, learned from pictures of others with a table of ages.

Age is a number, not a group. It lies between two of several knots, each a domain of StarGAN's game (Choi et al. 2018
and 2020, section 3.1): the discriminator has an output for each, which judges a picture by its share in it, and reads
the age as a distribution over the knots, of which the mean counts (DEX: Rothe et al. 2015, section 3.2). The generator
is told the difference between the wanted and the present shares, so it need not know how old somebody looks. What is
aged and made young again must be what it was; that, and that it begins as the identity, keeps the person.

    ganvas train ageing --data faces.zip --table ages.csv
    ganvas translate runs/ageing-faces me.jpg --change age=65 --out older.jpg

Any other attribute that is a number will do as well, and several of them.
"""

from __future__ import annotations

from typing import Annotated

from ganvas import arguments as arg
from ganvas.attributes import attributes_from_json
from ganvas.errors import UsageError
from ganvas.options import Range
from ganvas.recipes._attributes import Changing, Game
from ganvas.text import shown


class Ageing(Changing):
    """Faces at other ages, learned from a table of ages; any age of the table's range, and any strength."""

    def __init__(
        self,
        *,
        images: arg.Images,
        attributes: arg.Attributes,
        knots: Annotated[int, Range(2, 100), "ages between which all others lie"] = 8,
        game: Game = Game.open(changed=0.8),
        contest: arg.Contest = arg.Contest(objective="non-saturating", lr=6e-4, beta1=0.5, beta2=0.99),
    ) -> None:
        numbers = attributes_from_json(attributes)
        others = [each.name for each in numbers if each.switch or each.choices]
        if others:
            raise UsageError(
                f"ageing changes numbers, and {shown(others[0])} is none: take stargan, or --attributes age"
            )
        super().__init__(images, numbers, knots, game, contest)
