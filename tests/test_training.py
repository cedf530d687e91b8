"""The loop: who moves, what is random, what is averaged, what happens to values that are not finite."""

import copy
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from games import Linear, assert_identical, few_images, made, ring, snapshot, training_of
from ganvas import Losses, Turn, Verdict, Watcher, recipes
from ganvas.data.batches import Images
from ganvas.errors import TrainingError, UsageError
from ganvas.inputs import Normal
from ganvas.recipes.cgan import CGAN
from ganvas.recipes.dcgan import DCGAN
from ganvas.recipes.r3gan import R3GAN
from ganvas.recipes.vanilla import Vanilla
from ganvas.training.loop import HEALTH_EVERY
from ganvas.training.randomness import seed_from

ALL = [CGAN, DCGAN, R3GAN, Vanilla]


def labelled_digits():
    from ganvas.data.opening import open_data

    return open_data("digits", size=(8, 8), progress=False)


@pytest.mark.parametrize("recipe", ALL)
def test_each_turn_changes_only_its_own_players_parameters(recipe):
    training = training_of(recipe, labelled_digits())
    played = []
    original = training.recipe.turns

    def watched(progress, batches):
        for turn in original(progress, batches):
            before = {n: p.detach().clone() for n, p in training.recipe.named_parameters()}
            yield turn
            changed = {n for n, p in training.recipe.named_parameters() if not torch.equal(p, before[n])}
            played.append(turn.optimizer)
            assert changed and all(name.startswith(turn.optimizer) for name in changed)

    training.recipe.turns = watched
    training._train_mode()
    training.step()
    assert played == ["discriminator", "generator"]


def test_a_frozen_player_costs_no_gradient():
    """The generator's turn computes no gradient for the discriminator's weights, and the other way round."""
    training = training_of(made(Linear), ring())
    seen = {}
    original = training.recipe.g_losses

    def spy(real):
        seen.update({n: p.requires_grad for n, p in training.recipe.named_parameters()})
        return original(real)

    training.recipe.g_losses = spy
    training.step()
    assert seen == {n: n.startswith("generator") for n in seen}


@pytest.mark.parametrize("recipe", ALL)
def test_interrupted_equals_uninterrupted(recipe):
    data = labelled_digits()
    whole, first, second = (training_of(recipe, data, steps=9) for _ in range(3))
    whole.run()
    for _ in range(4):
        first._train_mode()
        first.step()
    second.load_state(copy.deepcopy(first.state()))
    second.run()
    assert_identical(snapshot(whole), snapshot(second))


def test_state_restores_strides_so_that_fused_adam_goes_on_the_same():
    data = few_images(channels=3, size=16)
    training = training_of(DCGAN, data)
    training._train_mode()
    training.step()
    other = training_of(DCGAN, data)
    contiguous = training.state()
    contiguous["optimizers"] = {k: v.contiguous() for k, v in contiguous["optimizers"].items()}
    other.load_state(contiguous)
    for optimizer in other.optimizers.values():
        for parameter, slots in optimizer.state.items():
            assert slots["exp_avg"].stride() == parameter.stride()


def test_randomness_depends_on_seed_step_turn_and_part_only():
    torch.manual_seed(123)
    one = training_of(made(Linear), ring(), seed=5)
    one.step()
    torch.manual_seed(456)
    torch.randn(7)
    two = training_of(made(Linear), ring(), seed=5)
    torch.randn(3)
    two.step()
    assert_identical(snapshot(one), snapshot(two))
    three = training_of(made(Linear), ring(), seed=6)
    three.step()
    assert not torch.equal(one.recipe.generator.weight, three.recipe.generator.weight)


def test_seeds_of_neighbouring_moments_differ():
    first = set()
    for numbers in [(s, t, p) for s in range(8) for t in range(4) for p in range(4)]:
        seed_from(0, *numbers)
        first.add(torch.randint(2**31, ()).item())
    assert len(first) == 8 * 4 * 4


class Line(Normal):
    def draw(self, n, device, first=0):
        return torch.linspace(-1, 1, 3).repeat(n, 1)


class Fixed(Linear):
    """Draws the same numbers whatever the part, so that a split batch can be compared with a whole one."""

    def inputs(self):
        return {"latent": Line((3,))}


def test_accumulation_gives_the_gradients_of_the_whole_batch():
    whole, split = (training_of(made(Fixed), ring(), accumulate=k) for k in (1, 4))
    whole.step()
    split.step()
    for (name, a), b in zip(whole.recipe.named_parameters(), split.recipe.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-5, atol=1e-7, msg=name)


def test_a_recipe_of_whole_batches_refuses_to_be_split():
    recipe = made(Linear)
    recipe.whole_batch = True
    with pytest.raises(UsageError, match="whole batch"):
        training_of(recipe, ring(), accumulate=2)


def test_after_gets_the_whole_batch_joined():
    training = training_of(made(Linear), ring(), accumulate=4)
    training.step()
    assert training.recipe.seen.item() == 16


_TWO_PROCESSES = """
import sys; sys.path.insert(0, {tests!r})
import torch; torch.set_num_threads(1)
from games import Linear, made, ring, training_of
from ganvas import recipes
from ganvas.recipes.vanilla import Vanilla
from safetensors.torch import save_file
from test_training import labelled_digits
training = training_of({recipe}, {data}, steps={steps})
training.run()
if training.processes.first:
    save_file({{name: tensor.contiguous() for name, tensor in training.state()["model"].items()}}, {out!r})
torch.distributed.destroy_process_group()
"""


@pytest.mark.long
@pytest.mark.parametrize(
    "name", [name for name in recipes.names() if name != "vanilla" and Images in recipes.find(name).accepts]
)
def test_two_processes_of_any_recipe_equal_one_that_accumulates(tmp_path, name):
    """BatchNorm's running statistics apart, of which each process has those of its own parts."""
    theirs, alone = two_and_one(tmp_path, f"recipes.find({name!r})", "labelled_digits()", steps=3)
    for key, tensor in alone.items():
        if not key.endswith(("running_mean", "running_var", "num_batches_tracked")):
            torch.testing.assert_close(theirs[key], tensor, rtol=1e-3, atol=1e-5, msg=lambda m, n=key: f"{n}: {m}")


@pytest.mark.parametrize("recipe", ["made(Linear)", "Vanilla"])
def test_two_processes_equal_one_that_accumulates_over_two_parts(tmp_path, recipe):
    theirs, alone = two_and_one(tmp_path, recipe, "ring()", steps=20)
    for name, tensor in alone.items():
        torch.testing.assert_close(theirs[name], tensor, rtol=2e-4, atol=2e-6, msg=lambda m, n=name: f"{n}: {m}")


def two_and_one(tmp_path, recipe, data, steps):
    """The state of the recipe after some steps of two processes, and of one that accumulates two parts."""
    from safetensors.torch import load_file

    out, script = tmp_path / "model.safetensors", tmp_path / "two.py"
    parts = {"tests": str(Path(__file__).parent), "recipe": recipe, "data": data, "steps": steps, "out": str(out)}
    script.write_text(_TWO_PROCESSES.format(**parts))
    ended = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr
    torch.set_num_threads(1)
    alone = training_of(eval(recipe), eval(data), steps=steps, accumulate=2)
    alone.run()
    return load_file(out), alone.state()["model"]


def test_epochs_of_one_player_leave_the_other_alone():
    data = few_images(48, size=2)
    data_size = len(data.split("train"))
    recipe = made(Vanilla, shape=data.space.shape, alternate="epochs", width=8)
    training = training_of(recipe, data, steps=2 * (data_size // 16) + 2, batch_size=16)
    before = copy.deepcopy(recipe.generator.state_dict())
    training._train_mode()
    while training.batches.epoch == 0:
        training.step()
    for name, tensor in recipe.generator.state_dict().items():
        assert torch.equal(tensor, before[name])
    training.step()
    assert any(not torch.equal(t, before[n]) for n, t in recipe.generator.state_dict().items())


def test_the_average_follows_the_stated_half_life():
    training = training_of(made(Linear), ring(), ema=32.0, batch_size=16)
    training.steps_done = 1000  # far enough for the full half-life
    start = training.averaged["generator"].weight.clone()
    training._train_mode()
    training.step()
    live = training.recipe.generator.weight
    expected = start + (live - start) * (1 - 0.5 ** (16 / 32))
    torch.testing.assert_close(training.averaged["generator"].weight, expected)


def test_buffers_of_the_average_are_averaged_too():
    training = training_of(DCGAN, few_images(size=16), ema=1000.0)
    training._train_mode()
    training.step()
    live = training.recipe.generator.layers[0]
    mine = training.averaged["generator"].layers[0]
    assert not torch.equal(mine.running_mean, live.running_mean)
    assert mine.running_mean.abs().sum() > 0
    assert torch.equal(mine.num_batches_tracked, live.num_batches_tracked)


def test_averaged_weights_are_swapped_in_and_out_without_touching_the_game():
    training = training_of(made(Linear), ring())
    training.step()
    live = training.recipe.generator
    torch.manual_seed(7)
    expected = torch.randn(1)
    torch.manual_seed(7)
    with training.averaged_weights():
        assert training.recipe.generator is training.averaged["generator"]
        torch.randn(100)
    assert training.recipe.generator is live and training.recipe.training
    assert torch.equal(torch.randn(1), expected)


class Explodes(Linear):
    """Its losses become infinite from one step on, unless the step size has been reduced."""

    bad_step = HEALTH_EVERY + 7

    def turns(self, progress, batches):
        self.now = progress.step
        yield from super().turns(progress, batches)

    def g_losses(self, real):
        losses = super().g_losses(real)
        large = self.optimizers_rate() > 0.6 * self.lr
        if self.now >= self.bad_step and large:
            return Losses({name: term * math.inf for name, term in losses.terms.items()})
        return losses

    def optimizers(self):
        made_ = super().optimizers()
        self.optimizers_rate = lambda: made_["discriminator"].param_groups[0]["lr"]
        return made_


class Listener(Watcher):
    def __init__(self):
        super().__init__()
        self.rows = []

    def measured(self, training, row):
        self.rows.append(row)


def test_values_that_are_not_finite_roll_back_and_halve_the_step():
    listener = Listener()
    training = training_of(made(Explodes), ring(), [listener], steps=3 * HEALTH_EVERY)
    training.run()
    events = [row["event"] for row in listener.rows if "event" in row]
    assert len(events) == 1 and "not finite" in events[0]
    assert training.step_scale == 0.5 and training.steps_done == 3 * HEALTH_EVERY
    assert all(torch.isfinite(t).all() for t in training.recipe.state_dict().values())


def test_divergence_that_smaller_steps_do_not_cure_stops_with_an_explanation():
    recipe = made(Explodes)
    training = training_of(recipe, ring(), steps=3 * HEALTH_EVERY)
    recipe.optimizers_rate = lambda: 1.0
    with pytest.raises(TrainingError, match="diverged") as caught:
        training.run()
    assert "\n" not in str(caught.value) and training.outcome == "failed"
    assert all(torch.isfinite(t).all() for t in training.recipe.state_dict().values())


class Says(Watcher):
    def __init__(self, verdict, at):
        super().__init__()
        self.verdict, self.at = verdict, at

    def stepped(self, training, results):
        self.state["steps"] = self.state.get("steps", 0) + 1
        return self.verdict if training.steps_done == self.at else Verdict.CONTINUE


def test_a_watcher_can_stop_and_its_memory_is_part_of_the_state():
    training = training_of(made(Linear), ring(), [Says(Verdict.STOP, 4)], steps=100)
    training.run()
    assert training.outcome == "stopped early" and training.steps_done == 4
    resumed = training_of(made(Linear), ring(), [Says(Verdict.STOP, 6)], steps=100)
    resumed.load_state(training.state())
    resumed.run()
    assert resumed.watchers[0].state == {"steps": 6}


def test_a_watcher_can_ask_to_roll_back():
    training = training_of(made(Linear), ring(), [Says(Verdict.ROLL_BACK, HEALTH_EVERY + 5)], steps=2 * HEALTH_EVERY)
    seen = []
    original = training.load_state
    training.load_state = lambda state: (seen.append(state["values"]["step"]), original(state))
    # The watcher's own memory rolls back too, so it would ask for ever; it is told once.
    training.watchers[0].at = HEALTH_EVERY + 5
    original_roll = training.roll_back

    def once(why):
        training.watchers[0].at = -1
        original_roll(why)

    training.roll_back = once
    training.run()
    assert seen == [HEALTH_EVERY] and training.step_scale == 0.5


class Forgetful(Linear):
    def optimizers(self):
        return {"generator": torch.optim.Adam(self.generator.parameters())}


class Doubled(Linear):
    def optimizers(self):
        return {**super().optimizers(), "generator": torch.optim.Adam(self.parameters())}


@pytest.mark.parametrize("recipe", [Forgetful, Doubled])
def test_every_parameter_belongs_in_exactly_one_optimizer(recipe):
    with pytest.raises(TypeError, match="exactly one optimizer"):
        training_of(made(recipe), ring())


class WithFeatures(Linear):
    frozen = ("features",)

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4)).requires_grad_(False)

    def g_losses(self, real):
        return Losses({"content": self.features(self.fake(real)).square().mean()})


def test_frozen_networks_stay_as_they_are_and_out_of_the_checkpoint():
    training = training_of(made(WithFeatures), ring())
    before = copy.deepcopy(training.recipe.features.state_dict())
    training.run()
    for name, tensor in training.recipe.features.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert not any(name.startswith("features") for name in training.state()["model"])


def test_fewer_items_than_a_batch_shrink_the_batch():
    data = few_images(12)
    training = training_of(Vanilla, data, batch_size=64)
    assert training.batch_size == len(data.split("train")) < 64
    training.run()


def test_the_length_can_be_epochs():
    data = few_images(32)
    training = training_of(Vanilla, data, steps=None, epochs=2.0, batch_size=10)
    training.run()
    assert training.steps_done == math.ceil(2 * len(data.split("train")) / 10)


def test_lists_of_turns_are_not_needed_each_is_played_before_the_next():
    order = []

    class Ordered(Linear):
        def turns(self, progress, batches):
            for number in range(3):
                order.append(f"ask {number}")
                yield Turn(
                    "generator",
                    lambda real, n=number: (order.append(f"play {n}"), self.g_losses(real))[1],
                    next(batches),
                )

    training_of(made(Ordered), ring()).step()
    assert order == ["ask 0", "play 0", "ask 1", "play 1", "ask 2", "play 2"]


def test_a_black_r3gan_generator_still_learns():
    """Its tanh is far beyond where it rounds to -1, as after an unlucky start; each weight of the output learns."""
    recipe = R3GAN(channels=1, size=(8, 8), width=4)
    torch.nn.init.constant_(recipe.generator.layers[-1].bias, -30.0)
    recipe.generator(**recipe.draw(4)).mean().backward()
    assert recipe.generator.layers[-1].weight.grad.abs().min() > 0
    assert recipe.generate(**recipe.draw(4)).min() == -1
