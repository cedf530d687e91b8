"""Pictures of two domains that belong together: found by their looks or names, drawn in pairs, and learned from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.data.batches import Unpaired
from ganvas.data.dataset import Data
from ganvas.data.matching import Looking
from ganvas.data.opening import open_data
from ganvas.errors import UsageError
from ganvas.recipes.cut import CUT
from ganvas.recipes.cyclegan import CycleGAN

SIDE = 32


def drawing(number: int, negative: bool) -> np.ndarray:
    """Blocks at places of their own, in one of two designs: colours on white, thinner and shifted on black."""
    draw = np.random.default_rng(number)
    picture = np.full((SIDE, SIDE, 3), 10 if negative else 250, np.uint8)
    for _ in range(4):
        top, left, height, width = (int(draw.integers(*span)) for span in ((0, 24), (0, 24), (4, 14), (4, 14)))
        colour = draw.integers(0, 200, 3).astype(np.uint8)
        shown = (colour * 0.8 + 50).astype(np.uint8) if negative else colour
        picture[top + negative : top + height, left + negative : left + width] = shown
    return picture


def folders(folder: Path, count: int = 40, tested: int = 8) -> Path:
    """trainA, trainB, testA, testB: pictures of one name show the same, and A has 5 that B lacks."""
    for number in range(count + tested):
        part = "test" if number >= count else "train"
        for letter in "AB":
            if letter == "B" and number < 5:
                continue
            (folder / f"{part}{letter}").mkdir(parents=True, exist_ok=True)
            Image.fromarray(drawing(number, letter == "B")).save(folder / f"{part}{letter}" / f"{number}.png")
    return folder


def opened(folder: Path, partners: str) -> Data:
    return open_data(folder, Unpaired, partners=partners, progress=False)


def drawn(data: Data, split: str = "train", rounds: int = 10) -> Unpaired:
    items = data.split(split)
    places = np.tile(np.arange(len(items)), rounds)
    batch = items.gather(places, seeds=[(each, number) for each, number in enumerate(places)])
    assert isinstance(batch, Unpaired)
    return batch


def number_of(picture: torch.Tensor, negative: bool) -> int:
    levels = ((picture + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    return next(number for number in range(48) if np.array_equal(levels, drawing(number, negative)))


def test_what_shows_the_same_is_found_in_another_design() -> None:
    looking = Looking("lite0")
    order = np.random.default_rng(0).permutation(70)
    for number in range(70):
        looking.add(drawing(number, False))
    for number in order:
        looking.add(drawing(int(number), True))
    found = looking.partners(range(70), range(70, 140))
    right = [order[other - 70] == one for one, other in found.items()]
    assert len(found) >= 40 and np.mean(right) >= 0.9
    assert len(set(found.values())) == len(found)  # nobody has two
    assert looking.partners(range(70), []) == {}


@pytest.mark.parametrize("known_by", ["names", "lite0"])
def test_three_of_four_with_a_partner_come_with_it(tmp_path: Path, known_by: str) -> None:
    data = opened(folders(tmp_path / "set"), known_by)
    batch = drawn(data)
    assert batch.paired is not None
    together = [number_of(batch.image[place], True) == number_of(batch.other[place], False) for place in batch.pairs]
    held = len(data.split("validation"))  # which is cut from the training pictures, and takes partners with it
    assert len(data.split("train")) == 35 - held
    partners = data.split("train").items.partners  # type: ignore[attr-defined]
    share = float((partners >= 0).mean())
    assert float(batch.paired.float().mean()) == pytest.approx(0.75 * share, abs=0.12)
    if known_by == "names":
        assert all(together) and share > 0.8
    else:
        assert np.mean(together) > 0.8 and share > 0.4
    counted = int((partners >= 0).sum())
    how = "by their names" if known_by == "names" else "as lite0 sees them"
    told = f"{counted} of {len(partners)} pictures to be made have a partner among the given, {how}"
    assert told in data.notes
    # Test pictures have partners by name alone: a network looks at what is learned from.
    assert ((data.split("test").items.partners >= 0).sum() > 0) == (known_by == "names")  # type: ignore[attr-defined]


def test_nobody_has_a_partner_unless_that_is_asked_for(tmp_path: Path) -> None:
    data = opened(folders(tmp_path / "set"), "none")
    assert (
        drawn(data).paired is None and not len(drawn(data).pairs) and not any("partner" in note for note in data.notes)
    )  # type: ignore[union-attr]
    assert data.fingerprint == opened(tmp_path / "set", "names").fingerprint
    with pytest.raises(UsageError, match="--partners cannot be 'vgg'; known: lite0, lite2, names, none"):
        opened(tmp_path / "set", "vgg")


@pytest.mark.parametrize("recipe", [CUT, CycleGAN])
def test_what_is_known_to_come_out_is_compared_with_it(recipe: type) -> None:
    torch.manual_seed(0)
    made = recipe(channels=3, size=(16, 16), width=8, d_width=4)
    other, image = (torch.rand(4, 3, 16, 16) * 2 - 1 for _ in range(2))
    batch = Unpaired(image=image, other=other, paired=torch.tensor([0, 1, 1, 0]))
    terms = made.generator_losses(batch)
    # As the identity makes of each picture itself, both ways where there are two.
    apart = (image - other)[1:3].abs().mean()
    assert float(terms.terms["difference"].detach()) == pytest.approx(2 * float(apart), rel=1e-4)
    for nobody in (replace(batch, paired=None), replace(batch, paired=torch.zeros(4, dtype=torch.long))):
        assert "difference" not in made.generator_losses(nobody).terms


def test_contrast_ties_pictures_to_their_source_where_nothing_better_is_known() -> None:
    torch.manual_seed(0)
    made = CUT(channels=3, size=(16, 16), width=8, d_width=4)
    other, image = (torch.rand(4, 3, 16, 16) * 2 - 1 for _ in range(2))
    all_known = made.generator_losses(Unpaired(image=image, other=other, paired=torch.ones(4, dtype=torch.long)))
    nobody = made.generator_losses(Unpaired(image=image, other=other))
    assert float(all_known.terms["contrast"].detach()) == 0 and float(nobody.terms["contrast"].detach()) > 0
