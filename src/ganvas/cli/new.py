"""`ganvas new`: the file of a recipe to begin with, and its test. It needs no PyTorch."""

from __future__ import annotations

import builtins
import keyword
import re
from pathlib import Path

from ganvas.cli.parsing import Parser
from ganvas.errors import UsageError
from ganvas.files import write_atomically
from ganvas.text import command, quoted, shown

EXAMPLES = """examples:
  ganvas new my_gan.py
  ganvas train my_gan.py:MyGAN --data digits --minutes 2
  ganvas check my_gan.py:MyGAN"""

RECIPE = '''"""A GAN of your own, to begin with: it trains on any images as it stands; change what you like.

ganvas train FILE:CLASS --data digits --minutes 2
ganvas check FILE:CLASS
"""

from typing import Annotated

from torch import Tensor

from ganvas import Losses, Progress, Recipe
from ganvas import arguments as arg
from ganvas.data.batches import Images
from ganvas.inputs import Input, Normal
from ganvas.networks.convolutional import ConvolutionalGenerator
from ganvas.networks.plain import PlainDiscriminator
from ganvas.options import Range
from ganvas.penalties import zero_centred
from ganvas.recipe import Batches, Optimizers, Turns


class CLASS(Recipe):
    """One sentence on what is new in it."""

    accepts = (Images,)  # what it trains on; also Points, Waves, ... of ganvas.data.batches
    training_defaults = {"steps": 2000, "batch_size": 64}  # flags of the command line weigh more

    # The keyword-only arguments are the flags: `--width 64`. `arg.Images` is no flag, since the data tell it; `Contest`
    # is the objective, the optimizers and who moves how often. Try `--objective hinge`.
    def __init__(
        self,
        *,
        images: arg.Images,
        latent: arg.Latent = 64,
        width: arg.Width = 32,
        r1: Annotated[float, Range(0), "weight of the penalty on the discriminator's gradients at real images"] = 1.0,
        contest: arg.Contest = arg.Contest(objective="non-saturating", lr=5e-4, beta1=0.5, beta2=0.99),
    ) -> None:
        super().__init__()
        self.latent, self.r1, self.contest = latent, r1, contest
        # Any torch.nn.Module does. The generator makes (B, channels, height, width) in [-1, 1], the discriminator takes
        # that and gives one number for each image, (B,), high for real.
        self.generator = ConvolutionalGenerator(latent=latent, width=width, **images.facts)
        self.discriminator = PlainDiscriminator(width=width, **images.facts)

    def inputs(self) -> dict[str, Input]:
        """What `generate` takes."""
        return {"latent": Normal((self.latent,))}

    def optimizers(self) -> Optimizers:
        """One for each player; together they hold every weight that is trained, once."""
        return self.contest.optimizers(discriminator=self.discriminator, generator=self.generator)

    def turns(self, progress: Progress, batches: Batches[Images]) -> Turns:
        """One step of the game: who moves, and by which losses. While one moves, the others are frozen."""
        return self.contest.turns(progress, batches, discriminator=self.d_losses, generator=self.g_losses)

    def d_losses(self, real: Images) -> Losses:
        # `self.fake(real)` makes as many samples as there are real ones. Terms carry their weights and are summed.
        fake = self.fake(real)
        losses = self.contest.d_losses(self.discriminator, real.image, fake)
        return losses | zero_centred(self.discriminator, real.image, fake, r1=self.r1, r2=0.0)

    def g_losses(self, real: Images) -> Losses:
        return self.contest.g_losses(self.discriminator, self.fake(real), real.image)

    def generate(self, *, latent: Tensor) -> Tensor:
        """The same inputs always give the same samples: all that is random is an input."""
        return self.generator(latent)
'''

TEST = '''"""CLASS keeps the contract of a recipe: it resumes exactly, it can be split, it learns a tiny set, and more.

pytest TEST            all of it, as `ganvas check FILE:CLASS` does
pytest TEST -k resume
"""

import sys
from pathlib import Path

import pytest

from ganvas.testing import recipe_checks

sys.path.insert(0, str(Path(__file__).parent))
from MODULE import CLASS


@pytest.mark.parametrize("check", recipe_checks(CLASS), ids=str)
def test_contract(check):
    check()
'''


def run(words: list[str]) -> int:
    parser = Parser(
        prog="ganvas new",
        usage="ganvas new FILE.py [--class NAME]",
        description="Writes a recipe of your own to begin with, commented, which trains as it stands, and its test.",
        epilog=EXAMPLES,
    )
    parser.add_argument("file", metavar="FILE.py", nargs="?", help="the file to write; its test is test_FILE.py")
    parser.add_argument("--class", metavar="NAME", dest="name", help="of the recipe (default: by the file's name)")
    parsed = parser.parse_strictly(words)
    if parsed.file is None:
        raise UsageError("say which file to write, as in: ganvas new my_gan.py")
    path = Path(parsed.file)
    if path.suffix != ".py" or not _is_name(path.stem):
        raise UsageError(f"{path}: a recipe's file is called as Python's modules are, such as my_gan.py")
    name = _class_of(path.stem) if parsed.name is None else parsed.name
    if not _is_name(name):
        raise UsageError(f"--class cannot be {quoted(name)}: a class is called such as MyGAN")
    test = path.with_name(f"test_{path.name}")
    for each in (path, test):
        if each.exists():
            raise UsageError(f"{each} exists, and is left as it is; choose another name")
    words_of = {"FILE": path.name, "TEST": test.name, "MODULE": path.stem, "CLASS": name}
    for each, text in ((path, RECIPE), (test, TEST)):
        write_atomically(each, re.sub(r"\b(FILE|TEST|MODULE|CLASS)\b", lambda word: words_of[word[0]], text))
    print(f"wrote {shown(str(path))} and {shown(str(test))}")
    print(f"train it: {command('ganvas', 'train', f'{path}:{name}', '--data', 'digits', '--minutes', 2)}")
    print(f"check it: {command('ganvas', 'check', f'{path}:{name}')}")
    return 0


def _is_name(text: str) -> bool:
    return text.isidentifier() and text.isascii() and not keyword.iskeyword(text) and not hasattr(builtins, text)


def _class_of(stem: str) -> str:
    """`my_gan` is `MyGAN`, and `edges` is `Edges`."""
    parts = [part for part in stem.split("_") if part]
    return "".join("GAN" if part.lower() == "gan" else part[:1].upper() + part[1:] for part in parts)
