"""StarGAN: unified generative adversarial networks for multi-domain image-to-image translation (Choi et al. 2018).

One generator changes any of a table's attributes. The discriminator has an output for each domain, the value of an
attribute (as in StarGAN v2: Choi et al. 2020, section 3.1), and reads a picture's attributes (2018, eq. 2 and 3). It
learns to read from real pictures alone, and the generator is to make pictures that read as wanted; what is changed and
changed back must be what it was (eq. 4).

Not the papers': the generator is told the difference between what is wanted and what there is. It paints through a mask
(Pumarola et al. 2018) that has no price, since a price closes it before anything is learned. Each attribute is changed
in a share of the pictures, so that changing one alone is learned too. The discriminator reads before the game begins,
learns what real pictures lack (`--mismatch`), and can look through a pretrained network as well (`--sees lite2`). The
cycle is weak: with a strong one changes as large as a hat stay transparent, so that what they cover can come back.

    ganvas train stargan --data avatars.zip --attributes glasses,beard,hat,smile,long_hair,hair_colour --sees lite2
    ganvas translate runs/stargan-avatars face.png --change glasses=1,hair_colour=pink --out changed.png
"""

from __future__ import annotations

from ganvas import arguments as arg
from ganvas.attributes import attributes_from_json
from ganvas.data.batches import Attributed
from ganvas.recipes._attributes import Changing, Game


class StarGAN(Changing):
    """Pictures with other attributes, learned from a table of them; several at once and of any strength."""

    usual_for = {Attributed: 0}

    def __init__(
        self,
        *,
        images: arg.Images,
        attributes: arg.Attributes,
        game: Game = Game.open(changed=0.35, cycle=0.1, mismatch=1.0, r1=0.1),
        contest: arg.Contest = arg.Contest(objective="non-saturating", lr=6e-4, beta1=0.5, beta2=0.99, d_steps=1),
    ) -> None:
        super().__init__(images, attributes_from_json(attributes), 5, game, contest)
