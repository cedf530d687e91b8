"""`--augment`: what is drawn, what the judges see, how the probability follows its rule, and that resuming is exact."""

import json
import math

import numpy as np
import pytest
import torch

import ganvas
from ganvas import augment, recipes
from ganvas.augment.operations import decided, drawn, shown
from ganvas.augment.pictures import pictures
from ganvas.errors import UsageError
from ganvas.options import Words
from ganvas.penalties import squared_gradient
from ganvas.recipe import Results
from ganvas.recipes.dcgan import DCGAN
from ganvas.recipes.r3gan import R3GAN
from ganvas.recipes.vanilla import Vanilla
from ganvas.settings import Settings
from ganvas.testing import check_recipe, tiny, tiny_images
from ganvas.training import Training, checkpoint
from ganvas.training.processes import Processes

ONE = torch.tensor(1.0)


def ramps(count=8, channels=3, height=8, width=8):
    torch.manual_seed(0)
    return torch.rand(count, channels, height, width) * 2 - 1


def changed(operations, images, probability=1.0, seed=0):
    draw = drawn(operations, len(images), seed)
    return shown(operations, images, decided(operations, draw, torch.tensor(float(probability)), images.shape[1:]))


def training_of(recipe=R3GAN, data=None, arguments=None, **settings):
    data = data or tiny_images()
    chosen = {"steps": 100, "batch_size": 16, "precision": "float32", "device": "cpu", **settings}
    torch.manual_seed(0)
    facts = {"channels": 1, "size": (8, 8), "shape": data.space.shape, "classes": 2}
    known = {option.name for option in ganvas.options.read_options(recipe)}
    made = recipe(**{n: f for n, f in facts.items() if n in known}, **(arguments or {}))
    training = Training(made, data, Settings(**chosen))
    training._train_mode()
    return training


# -- drawing and applying ---------------------------------------------------------------------------------------------


def test_equal_seeds_draw_alike_and_the_first_rows_do_not_depend_on_how_many_there_are():
    operations = pictures("ada", 3)
    draw = drawn(operations, 64, 7)
    assert draw.shape == (64, 7 + 11 + 10 + 3) and draw.min() >= 0 and draw.max() < 1
    assert torch.equal(draw, drawn(operations, 64, 7)) and torch.equal(draw[:5], drawn(operations, 5, 7))
    assert not torch.equal(draw, drawn(operations, 64, 8))


@pytest.mark.parametrize("how", ["diff", "ada"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 16])
def test_any_channels_and_sides_and_gradients_twice(how, channels):
    images = ramps(4, channels, 12, 9).requires_grad_()
    result = changed(pictures(how, channels), images)
    assert result.shape == images.shape and result.dtype == torch.float32
    (gradient,) = torch.autograd.grad(result.square().sum(), images, create_graph=True)
    gradient.square().sum().backward()
    assert images.grad.abs().sum() > 0


def test_resampling_is_differentiated_twice_as_a_linear_map_is():
    """Of y = A x, the squared norm of the gradient of f(y) has the slope 2 A^T f''(y) A A^T f'(y) in x."""
    operations = {name: each for name, each in pictures("ada", 1).items() if name == "geometry"}
    images = ramps(2, 1, 5, 4).double().float()
    change = decided(operations, drawn(operations, 2, 3), ONE, images.shape[1:])
    columns = []
    for place in range(2 * 20):
        unit = torch.zeros(2 * 20)
        unit[place] = 1
        columns.append(shown(operations, unit.view_as(images), change).flatten())
    matrix = torch.stack(columns, dim=1).double()
    inputs = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((shown(operations, inputs, change) ** 3).sum(), inputs, create_graph=True)
    gradient.square().sum().backward()
    flat = images.flatten().double()
    y = matrix @ flat
    wanted = 2 * matrix.T @ torch.diag(6 * y) @ matrix @ (matrix.T @ (3 * y**2))
    torch.testing.assert_close(inputs.grad.flatten().double(), wanted, rtol=1e-4, atol=1e-4)


def test_with_the_probability_0_nothing_changes():
    images = ramps()
    torch.testing.assert_close(changed(pictures("ada", 3), images, 0.0), images, atol=2e-6, rtol=0)


def test_each_change_is_made_as_often_as_the_probability_says():
    images = ramps(1).expand(2000, -1, -1, -1)
    for name, often in {"colour": 1 - 0.7**4 * (1 - 0.3 / 2), "cutout": 0.3}.items():
        operations = {name: pictures("ada", 3)[name]}
        apart = (changed(operations, images, 0.3) - images).abs().flatten(1).amax(1) > 1e-6
        # Light and dark are exchanged in half of the cases only; a cutout may lie outside but for a corner.
        assert abs(apart.float().mean() - often) < 0.04, name


def test_blitting_changes_places_only_and_turns_back_by_quarters():
    images = torch.arange(64.0).view(1, 1, 8, 8).expand(400, -1, -1, -1)
    blit = {"blit": pictures("ada", 1)["blit"]}
    result = changed(blit, images)
    assert set(result.unique().tolist()) <= set(range(64))
    draw = drawn(blit, 400, 0)
    still = ((2 * draw[:, 5:7] - 1).abs() < 0.25).all(1)  # moved by less than half a pixel, which is none
    ways = {str(turned.tolist()) for turned in result[still]}
    allowed = [images[0].rot90(k, (1, 2)) for k in range(4)]
    allowed += [each.flip(2) for each in allowed]
    assert ways == {str(each.tolist()) for each in allowed}


def test_colours_are_the_papers_maps():
    images = ramps(300)
    colour = {"colour": pictures("ada", 3)["colour"]}
    linear, constant = decided(colour, drawn(colour, 300, 0), ONE, images.shape[1:])[0]
    gray = torch.full((3,), 1 / math.sqrt(3))
    # Gray stays on the gray axis (Karras et al. 2020, appendix B), its length changed by contrast and inversion.
    on_axis = linear @ gray
    along = on_axis @ gray
    torch.testing.assert_close(on_axis, along[:, None] * gray, atol=1e-4, rtol=1e-3)
    assert 0.35 < (along < 0).float().mean() < 0.65
    assert abs(along.abs().log2().std() - 0.5) < 0.06
    shift = (constant.squeeze(2).mean(1) / along).squeeze()
    assert abs(shift.std() - 0.2) < 0.03 and abs(shift.mean()) < 0.03
    # All else is turned about that axis and stretched alike in both directions.
    across = linear - along[:, None, None] * torch.outer(gray, gray)
    stretched = torch.linalg.svdvals(across)
    torch.testing.assert_close(stretched[:, 0], stretched[:, 1], rtol=1e-3, atol=1e-4)
    assert stretched[:, 2].abs().max() < 1e-3 * stretched.max()
    cosine = across.diagonal(dim1=1, dim2=2).sum(1) / (2 * stretched[:, 0])  # of the hue's angle, which is uniform
    assert cosine.min() < -0.9 and cosine.max() > 0.9 and abs(cosine.mean()) < 0.12
    assert abs(stretched[:, 0].log2().std() - math.hypot(1, 0.5)) < 0.15


def test_how_opaque_a_picture_is_stays_as_it_is():
    images = ramps(8, 4)
    for how in ("diff", "ada"):
        result = changed({"colour": pictures(how, 4)["colour"]}, images)
        assert torch.equal(result[:, 3], images[:, 3]) and not torch.allclose(result[:, :3], images[:, :3])


@pytest.mark.parametrize("how", ["diff", "ada"])
def test_images_that_a_judge_sees_together_are_changed_alike(how):
    images, operations = ramps(8, 3), pictures(how, 3)
    both = changed(operations, torch.cat([images, images], dim=1))
    alone = changed(operations, images)
    torch.testing.assert_close(both[:, :3], alone)
    torch.testing.assert_close(both[:, 3:], alone)
    with pytest.raises(UsageError, match="leave colour out of --augment-operations"):
        changed(operations, ramps(8, 4))


# -- what the judges see ----------------------------------------------------------------------------------------------


def seen_by(training, owner, name):
    """What a judge is given in a step."""
    given, original = [], getattr(owner, name)

    def watched(samples, *others, **named):
        given.append(samples.detach().clone())
        return original(samples, *others, **named)

    vars(owner)[name] = watched
    training.augmenter.judges = [(owner, name)]
    training.step()
    del vars(owner)[name]
    return given


def test_real_and_generated_samples_are_changed_alike_and_penalties_look_again_at_the_same():
    plain, training = training_of(), training_of(augment="diff")
    bare = seen_by(plain, plain.recipe.discriminator, "forward")
    given = seen_by(training, training.recipe.discriminator, "forward")
    # d: real, fake, and both again for R1 and R2; g: fake, real
    assert len(bare) == len(given) == 6
    operations, seed = training.augmenter.operations, ganvas.training.randomness.hashed(0, 0, 0, 0, 0x41554721)
    change = decided(operations, drawn(operations, 16, seed), ONE, bare[0].shape[1:])
    for place in range(4):
        torch.testing.assert_close(given[place], shown(operations, bare[place], change))
    assert torch.equal(given[0], given[2]) and torch.equal(given[1], given[3])
    again = decided(
        operations,
        drawn(operations, 16, ganvas.training.randomness.hashed(0, 0, 1, 0, 0x41554721)),
        ONE,
        bare[0].shape[1:],
    )
    torch.testing.assert_close(given[5], shown(operations, bare[5], again))


@pytest.mark.parametrize(
    ("recipe", "path"),
    [(Vanilla, "judge"), (recipes.find("acgan"), "discriminator.features"), (recipes.find("wgan"), "critic.forward")],
)
def test_every_way_by_which_judges_see_is_found(recipe, path):
    parent, _, name = path.rpartition(".")
    plain, training = (training_of(recipe, augment=how) for how in ("none", "diff"))
    bare, given = (seen_by(each, each.recipe.get_submodule(parent), name) for each in (plain, training))
    assert len(bare) == len(given) > 0
    assert not any(torch.allclose(one, other) for one, other in zip(bare, given, strict=True))


def test_gradients_reach_the_generator_through_what_is_shown():
    training = training_of(augment="ada", arguments={"r1": 0.0, "r2": 0.0})
    training.augmenter.probability.fill_(0.8)
    before = {n: p.detach().clone() for n, p in training.recipe.generator.named_parameters()}
    training.step()
    assert all(not torch.equal(p, before[n]) for n, p in training.recipe.generator.named_parameters())


def test_a_penalty_is_of_the_gradient_at_the_sample_itself():
    """Through diff's colours, D(T(x)) = sum T(x) has the gradient that T has."""
    training = training_of(DCGAN, augment="diff", augment_operations=Words("colour"))
    training.recipe.discriminator.forward = lambda samples: samples.flatten(1).sum(1)
    training.augmenter.judges = [(training.recipe.discriminator, "forward")]
    images = ramps(16, 1)
    with training.augmenter.showing(0, 0):
        found = squared_gradient(training.recipe.discriminator, images)
    # Brightness and contrast about the mean leave the sum of a gray picture's pixels a sum: each slope is 1.
    torch.testing.assert_close(found, torch.tensor(64.0), rtol=1e-4, atol=0)


def test_nothing_is_augmented_outside_of_turns():
    training = training_of(augment="diff")
    training.step()
    inside = vars(training.recipe.discriminator)
    assert "forward" not in inside
    images = ramps(4, 1)
    with training.averaged_weights():
        label = torch.zeros(4, dtype=torch.long)
        one, other = (training.recipe.discriminator(images, label) for _ in range(2))
        drawn_ = training.recipe.draw(4)
        assert torch.equal(training.recipe.generate(**drawn_), training.recipe.generate(**drawn_))
    assert torch.equal(one, other)


def test_without_augmentation_a_game_is_the_same_as_ever():
    """The draws are made apart, so nothing else that is random changes with them."""
    plain, training = training_of(), training_of(augment="ada")
    for each in (plain, training):
        each.step()
    # With the probability 0 pictures are resampled at their own places, so the two differ by rounding alone.
    for (name, mine), theirs in zip(plain.recipe.named_parameters(), training.recipe.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, atol=2e-3, rtol=0, msg=name)


# -- the probability --------------------------------------------------------------------------------------------------


def heard(training, logits, scale="decision", fake=None):
    training.augmenter.hear(Results({}, torch.tensor(logits), fake, scale))


def test_the_probability_follows_the_papers_rule():
    """4 steps of 16 of 1,000 items: 0.064 up where the mean sign is above 0.6, down where it is below."""
    training = training_of(augment="ada", augment_speed=1000)
    one = training.augmenter
    for step in range(1, 5):
        heard(training, [1.0, 2.0, 3.0, -0.1] if step < 3 else [5.0, 5.0, 5.0, 5.0])  # (2 + 2 + 4 + 4) / 16 = 0.75
        assert float(one.probability) == 0
        one.adapt(step, 16, Processes())
    assert float(one.probability) == pytest.approx(0.064) and float(one.sign) == pytest.approx(0.75)
    for step in range(5, 9):
        heard(training, [1.0, 1.0, 1.0, -1.0])  # 0.5
        one.adapt(step, 16, Processes())
    assert float(one.probability) == 0 and float(one.sign) == pytest.approx(0.5)
    for step in range(9, 109):
        heard(training, [1.0])
        one.adapt(step, 16, Processes())
    assert float(one.probability) == pytest.approx(0.8)
    heard(training, [-1.0])
    one.adapt(112, 16, Processes())
    assert float(one.probability) == pytest.approx(0.736)
    one.adapt(116, 16, Processes())  # nothing was heard
    assert float(one.probability) == pytest.approx(0.736)


def test_scores_are_heard_beside_the_mean_of_the_generated_ones():
    one = training_of(recipes.find("wgan"), augment="ada").augmenter
    one.hear(Results({}, torch.tensor([5.0, 6.0, 9.0]), torch.tensor([7.0, 7.0]), "score"))
    assert one.heard.tolist() == [-1.0, 3.0]


def test_resuming_in_the_middle_of_an_adaptation_is_exact(tmp_path):
    whole, first, second = (training_of(augment="ada", augment_speed=300, augment_target=-0.9) for _ in range(3))
    for _ in range(11):
        whole.step()
    for _ in range(6):
        first.step()
    assert first.augmenter.heard[1] == 32 and first.augmenter.probability > 0
    path = checkpoint.write(tmp_path, first.state(), {"recipe": "r3gan"})
    second.load_state(checkpoint.read(path))
    assert second.state()["values"]["augmentation"] == first.state()["values"]["augmentation"]
    for _ in range(5):
        second.step()
    assert second.state()["values"]["augmentation"] == whole.state()["values"]["augmentation"]
    mine, theirs = whole.recipe.state_dict(), second.recipe.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("how", ["diff", "ada"])
def test_a_recipe_keeps_the_contract_with_it(how):
    checks = ["turns", "resume", "splitting", "bf16", "batch of two", "sampling"]
    check_recipe(R3GAN, tiny_images(), settings={"augment": how}, checks=checks)


def test_processes_hear_each_other():
    settings = {"augment": "ada", "augment_speed": 300}
    check_recipe(DCGAN, tiny_images(), settings=settings, checks=["splitting"], arguments={"width": 4})


# -- choosing ---------------------------------------------------------------------------------------------------------


def refused(recipe="r3gan", data="digits", **options):
    with pytest.raises(UsageError) as error:
        ganvas.train(recipe, data=data, steps=1, quiet=True, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_does_not_go_together_is_refused_in_a_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "did you mean 'diff'" in refused(augment="dif")
    assert "--augment-target goes with --augment ada" in refused(augment="diff", augment_target=0.5)
    assert "--augment-operations goes with --augment diff or --augment ada" in refused(augment_operations="colour")
    assert "there is no 'color' in --augment diff" in refused(augment="diff", augment_operations="colour,color")
    assert "takes names" in refused(augment="diff", augment_operations=",")
    assert "--augment-most must be 0 to 1" in refused(augment="ada", augment_most=2)
    assert "no augmentations of points" in refused("vanilla", "ring", augment="diff")
    assert "leave out --augment" in refused("vae", augment="diff")
    assert not (tmp_path / "runs").exists()


def test_pairs_are_only_moved_which_does_the_same_to_both():
    pix2pix = recipes.find("pix2pix")
    with pytest.raises(UsageError, match="--augment-operations translation,cutout"):
        check_and_build(pix2pix, augment="diff")
    training = check_and_build(pix2pix, augment="diff", augment_operations=Words("translation"))
    given = seen_by(training, training.recipe.discriminator, "forward")
    empty = (given[0] == 0).all(1)  # what was moved in: in the source and in the picture
    either = (given[0][:, :1] == 0).squeeze(1)
    assert empty.any() and torch.equal(empty, either & empty) and empty.float().mean() > 0.05


def check_and_build(recipe, **settings):
    data = tiny(recipe)
    arguments = {"width": 8, "d_width": 4, "warmup": 0.0, "jitter": False, **data.facts()}
    known = {option.name for option in ganvas.options.read_options(recipe)}
    torch.manual_seed(0)
    made = recipe(**{n: v for n, v in arguments.items() if n in known})
    chosen = {"steps": 100, "batch_size": 8, "precision": "float32", "device": "cpu", **settings}
    training = Training(made, data, Settings(**chosen))
    training._train_mode()
    return training


def test_recipes_whose_judges_must_see_what_is_there_say_so():
    for name in ("stargan", "ageing", "inpainting"):
        assert recipes.find(name).sees == ()


def test_another_kind_of_data_brings_its_own_operations(tmp_path, monkeypatch):
    from voxels import VoxelSpace

    assert VoxelSpace(2, 3, 4).augmentations("diff") == {}
    turned = augment.Operation(lambda draw, p, shape: (draw,), lambda solids, draw: solids.flip(2), numbers=1)
    monkeypatch.setattr(VoxelSpace, "augmentations", lambda self, how: {"turn": turned})
    solids = torch.rand(2, 1, 2, 3, 4)
    operations = VoxelSpace(2, 3, 4).augmentations("diff")
    assert torch.equal(changed(operations, solids), solids.flip(2))


def test_the_doctor_names_it_where_it_is_not_used_yet():
    from ganvas.doctor import diagnose

    rows = [{"step": 50, "discriminator/accuracy_real": 0.5, "discriminator/real": 1.0}]
    data = {"space": {"kind": "images", "channels": 1, "height": 8, "width": 8}, "counts": {"train": 50}}
    for how, named in {"none": True, "diff": False}.items():
        found = {each.name: each for each in diagnose(rows, {"data": data, "settings": {"augment": how}})}
        assert any("--augment ada" in line for line in found["little data"].advice) is named


def test_the_run_remembers_it_resumes_with_it_and_shows_its_curve(tmp_path):
    run = tmp_path / "run"
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
    chosen = {"width": 4, "batch_size": 8, "augment": "ada", "augment_speed": 200, "augment_operations": "blit"}
    ganvas.train("dcgan", data=images, out=run, steps=50, quiet=True, looks=False, **chosen)
    settings = json.loads((run / "config.json").read_text())["settings"]
    assert settings["augment"] == "ada" and settings["augment_operations"] == ["blit"]
    ganvas.resume(run, data=images, steps=60, quiet=True)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    curve = [row["augmentation/probability"] for row in rows if "augmentation/probability" in row]
    assert len(curve) == 2 and all(0 <= each <= 0.8 for each in curve) and max(curve) > 0
    report = (run / "report.html").read_text()
    assert "Adaptive augmentation" in report and "augmentation: loss" not in report
