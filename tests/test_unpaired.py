"""Translation without pairs: the pieces of CUT, CycleGAN and AdaIN by hand, their pools, and what they share."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import pytest
import torch
from benchmarks import translate_unpaired as unpaired
from benchmarks import zoo as packing
from torch.nn import functional

import ganvas
from ganvas.data.batches import Unpaired
from ganvas.errors import RunError
from ganvas.features import extractor
from ganvas.metrics.answers import ranks
from ganvas.model import zoo
from ganvas.networks.restyling import restyled, statistics_apart
from ganvas.networks.translation import Translator
from ganvas.networks.warp import Warp
from ganvas.recipes.cut import CUT, TEMPERATURE, detail, drawn_places, patch_nce
from ganvas.recipes.cyclegan import CycleGAN
from ganvas.testing import Subject, tiny


def test_patches_are_told_apart_by_their_cosine() -> None:
    keys = torch.eye(3)[None] * 5
    same = patch_nce(keys * 2, keys)  # lengths do not count
    assert same.item() == pytest.approx(math.log(1 + 2 * math.exp(-1 / TEMPERATURE)), rel=1e-3, abs=1e-6)
    turned = patch_nce(keys.roll(1, 1), keys)
    expected = math.log(math.exp(1 / TEMPERATURE) + 2)
    assert turned.item() == pytest.approx(expected, rel=1e-4)
    assert patch_nce(torch.ones(2, 4, 8), torch.ones(2, 4, 8)).tolist() == pytest.approx([math.log(4)] * 2)


def test_places_lie_where_there_is_something_to_see() -> None:
    images = torch.ones(1, 3, 64, 64)
    images[..., 16:32, 16:32] = torch.rand(3, 16, 16) * 2 - 1
    torch.manual_seed(0)
    places = drawn_places(detail(images), torch.Size([64, 64]), 200)[0]
    assert len(set(places.tolist())) == 200
    rows, columns = places // 64, places % 64
    seen = ((rows >= 12) & (rows < 36) & (columns >= 12) & (columns < 36)).float().mean()
    assert seen > 0.6  # of the whole picture it is a seventh
    assert drawn_places(detail(images), torch.Size([4, 4]), 200).shape == (1, 16)


def test_a_warp_begins_as_the_identity_and_enlarges_about_the_middle() -> None:
    picture = torch.rand(2, 3, 32, 32) * 2 - 1
    warp = Warp()
    torch.testing.assert_close(warp(picture), picture, atol=1e-5, rtol=0)
    square = -torch.ones(1, 1, 64, 64)
    square[..., 24:40, 24:40] = 1
    warp.zoom.data.fill_(math.log(2))
    large = warp(square)[0, 0]
    assert abs(float((large > 0).sum()) - 32 * 32) <= 2 * 4 * 32
    torch.testing.assert_close(large, large.flip(0, 1))


def test_translators_begin_as_the_identity_whatever_they_fold() -> None:
    source = torch.rand(1, 3, 21, 30) * 2 - 1
    for fold in (1, 2):
        network = Translator(source=3, channels=3, size=(32, 32), width=8, residual=True, fold=fold)
        assert torch.equal(network(source), source)
        maps = network.encoded(source)
        assert [each.shape[1] for each in maps] == network.widths
        torch.testing.assert_close(network.decoded(source, maps), network(source))


def test_adaptive_normalisation_gives_the_styles_statistics() -> None:
    content, style = torch.randn(2, 4, 16, 16) * 3 + 1, torch.randn(2, 4, 8, 8) * 2 - 5
    (made,) = restyled([content], [style])
    torch.testing.assert_close(made.mean((2, 3)), style.mean((2, 3)), atol=1e-4, rtol=0)
    torch.testing.assert_close(made.std((2, 3), correction=0), style.std((2, 3), correction=0), atol=1e-2, rtol=0)
    centred = [(each - each.mean((2, 3), keepdim=True)).flatten(2) for each in (made, content)]
    assert functional.cosine_similarity(*centred, dim=2).min() > 0.999
    assert statistics_apart([made], [style]) < 1e-3
    assert statistics_apart([content], [content + 2]).item() == pytest.approx(4.0, rel=1e-4)


@pytest.mark.parametrize("recipe", [CycleGAN, CUT])
def test_the_discriminators_judge_what_the_generator_made_and_not_anew(recipe: type) -> None:
    subject = Subject(recipe, tiny(recipe), {"width": 8, "d_width": 4}, fit_steps=1)
    training = subject.training(batch_size=4)
    calls = 0
    generator = training.recipe.get_submodule(recipe.averaged[0])

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    generator.tail.register_forward_hook(count)
    training.step()
    assert calls == {CycleGAN: 2, CUT: 1}[recipe]  # there and back; source and target in one


def test_a_pool_that_is_half_full_goes_on_as_it_was() -> None:
    arguments = {"width": 8, "d_width": 4, "pool": 20}
    subject = Subject(CycleGAN, tiny(CycleGAN), arguments, fit_steps=1)
    whole, first, second = (subject.training(batch_size=4) for _ in range(3))
    for _ in range(7):
        whole.step()
    for _ in range(3):
        first.step()
    assert int(first.recipe.pool_a_seen) == 12
    assert first.recipe.pool_a[:12].flatten(1).std(1).gt(0).all() and not first.recipe.pool_a[12:].any()
    second.load_state(copy.deepcopy(first.state()))
    for _ in range(4):
        second.step()
    assert int(second.recipe.pool_a_seen) == 28  # filled and begun anew
    for name, tensor in whole.recipe.state_dict().items():
        assert torch.equal(tensor, second.recipe.state_dict()[name]), name


def test_a_discriminator_that_sees_through_a_network_teaches_its_own_heads_alone() -> None:
    torch.manual_seed(0)
    recipe = CUT(channels=3, size=(32, 32), width=8, d_width=4, sees="lite0")
    assert recipe.frozen == ("features",) and len(recipe.judges) == 3
    batch = Unpaired(image=torch.rand(2, 3, 32, 32) * 2 - 1, other=torch.rand(2, 3, 32, 32) * 2 - 1)
    judged = recipe.discriminator_losses(batch)
    assert "seen" in judged.terms and "seen" not in CUT(channels=3, size=(32, 32)).discriminator_losses(batch).terms
    judged.terms["seen"].backward()
    trained = {name.split(".")[0] for name, each in recipe.named_parameters() if each.grad is not None}
    assert trained == {"judges"}
    assert recipe.features is not None and not any(each.requires_grad for each in recipe.features.parameters())
    recipe.generator_losses(batch).terms["seen"].backward()
    assert recipe.generator.tail.bias.grad is not None and recipe.generator.tail.bias.grad.abs().sum() > 0


def test_the_zoo_takes_a_model_with_all_that_it_averages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    source, _ = Unpaired.reader.example(tmp_path / "data")
    run = ganvas.train("cut", data=source, out=tmp_path / "run", steps=2, batch_size=2, width=8, d_width=4, warp=True)
    folder = tmp_path / "zoo"
    (folder / "tiny").mkdir(parents=True)
    about = {"title": "t", "trained_on": "squares", "licence": "l", "limits": "m"}
    (folder / "tiny" / "about.json").write_text(json.dumps(about))
    monkeypatch.setattr(zoo, "_folder", lambda: folder)
    monkeypatch.setattr(packing, "ZOO", folder)
    monkeypatch.setattr("sys.argv", ["zoo", "tiny", "--run", str(run)])
    packing.main()
    card = zoo.entry("zoo:tiny").card
    assert card["networks"] == ["generator", "warp"] and card["arguments"]["sees"] == "pixels"
    packed, own = ganvas.load("zoo:tiny"), ganvas.load(run)
    assert packed.step == 2 and packed.style is None and not packed.weights
    picture = torch.rand(1, 3, 16, 16) * 2 - 1
    torch.testing.assert_close(packed.transform(picture), own.transform(picture), atol=0.02, rtol=0)
    (folder / "tiny" / "only.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(RunError, match=r"only.safetensors was altered"):
        ganvas.load("zoo:tiny")


def test_emoji_of_one_design_get_the_colours_of_the_other(shared_data: Path, tmp_path: Path) -> None:
    """`zoo:emoji-style` on held-out names, beside their twins, which it has never seen."""
    unpaired.prepare(shared_data / "emoji-pairs.zip", tmp_path)
    given, twins = (unpaired.pictures(tmp_path, part) for part in ("testA", "testB"))
    made = ganvas.load("zoo:emoji-style").transform(given).clamp(-1, 1)
    assert made.shape == given.shape == (168, 3, 64, 64)
    judge = extractor("lite0")
    given_rank, made_rank = (
        ranks(*(judge(unpaired.levels(each)).features for each in (values, twins))) for values in (given, made)
    )
    assert (made_rank == 0).sum() > (given_rank == 0).sum() + 5  # nearest to their own twin
    apart = [(values - twins).mean((2, 3)).abs().mean() for values in (given, made)]
    assert apart[1] < apart[0]


def test_a_pretrained_network_sees_pictures_that_are_smaller_than_it_halves() -> None:
    torch.manual_seed(0)
    recipe = CUT(channels=3, size=(9, 20), width=8, d_width=4, sees="lite0", content="lite0")
    images = [torch.rand(2, 3, 9, 20) * 2 - 1 for _ in range(2)]
    terms = recipe.generator_losses(Unpaired(*images, paired=torch.ones(2, dtype=torch.long))).terms
    assert all(each.detach().isfinite() for each in terms.values()) and float(terms["content"].detach()) > 0
    large = (torch.rand(1, 3, 32, 32) * 255).round()
    seen = recipe.features.extractor.scaled(large)  # type: ignore[union-attr]
    assert torch.equal(seen, (large - 127) / 128)
