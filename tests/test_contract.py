"""What the contract promises beyond a plain game: kept samples, logged numbers, scales, names, declared inputs."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from games import Linear, made, ring, training_of
from ganvas import Losses, Recipe, Turn
from ganvas.errors import RunError, UsageError
from ganvas.inputs import Category, Given, Input, Normal, Uniform, inputs_from_json, inputs_to_json, label, with_names
from ganvas.recipe import Results
from ganvas.spaces import FREE, ImageSpace
from ganvas.training import two_processes
from ganvas.training.hardware import channels_last


class Pool(Linear):
    """Keeps the samples of the discriminator's turn, and logs their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("pool", torch.zeros(16, 2))

    def d_losses(self, real: Any) -> Losses:
        losses = super().d_losses(real)
        fake = self.fake(real)  # drawn later, so that the game is the same as without
        return Losses(
            losses.terms, losses.real_logits, losses.fake_logits, kept={"fake": fake}, logged={"mean": fake.mean()}
        )

    def count(self, results: Results) -> None:
        assert results.kept["fake"].shape == (16, 2) and not results.kept["fake"].requires_grad
        self.pool.copy_(results.kept["fake"])


def test_what_a_turn_keeps_arrives_joined_over_parts_and_processes() -> None:
    alone = training_of(made(Pool), ring(), accumulate=2)
    alone.step()
    pool: Tensor = alone.recipe.pool
    assert pool[:8].ne(pool[8:]).all()  # two parts, each of draws of its own
    for side in two_processes(lambda processes: _of_two(processes), steps=1):
        torch.testing.assert_close(side.pool, pool)


def _of_two(processes: Any) -> Any:
    training = training_of(made(Pool), ring())
    training.__init__(training.recipe, training.data, training.settings, processes=processes)  # type: ignore[misc]
    training.recipe.train()
    return training


def test_what_a_recipe_logs_gets_a_row_and_no_gradient() -> None:
    plain, logging = training_of(made(Linear), ring()), training_of(made(Pool), ring())
    for training in (plain, logging):
        training.step()
    for one, other in zip(plain.recipe.parameters(), logging.recipe.parameters(), strict=True):
        assert torch.equal(one, other)
    row = logging.meter.read(logging.processes).values
    assert row["value/discriminator/mean"] == pytest.approx(float(logging.recipe.pool.mean()), abs=1e-5)
    assert not any("mean" in name for name in plain.meter.read(plain.processes).values)


@pytest.mark.parametrize(
    ("scale", "told"),
    [
        (
            "decision",
            {"accuracy_real", "probability_real", "logit_real", "accuracy_fake", "probability_fake", "logit_fake"},
        ),
        ("score", {"logit_real", "logit_fake"}),
        ("pair", {"accuracy_pair", "probability_pair", "logit_pair"}),
    ],
)
def test_what_is_told_of_logits_follows_from_their_scale(scale: Any, told: set[str]) -> None:
    class Scaled(Linear):
        def d_losses(self, real: Any) -> Losses:
            losses = super().d_losses(real)
            fake = None if scale == "pair" else losses.fake_logits
            return Losses(losses.terms, losses.real_logits, fake, scale)

        def count(self, results: Results) -> None:
            assert results.scale == scale

    training = training_of(made(Scaled), ring())
    training.step()
    names = {name.removeprefix("discriminator/") for name in training.meter.read(training.processes).values}
    assert {name for name in names if name.startswith(("accuracy", "probability", "logit"))} == told


def test_accuracy_counts_the_right_side_of_zero() -> None:
    training = training_of(made(Linear), ring())
    results = Results({}, torch.tensor([1.0, -1, 2, 3]), torch.tensor([-1.0, 1, 1, 1]))
    training.meter.add("d", results, torch.zeros(()))
    row = training.meter.read(training.processes).values
    assert (row["d/accuracy_real"], row["d/accuracy_fake"], row["d/logit_real"]) == (0.75, 0.25, 1.25)


@pytest.mark.parametrize("name", ["ema", "data", "steps", "device", "resume"])
def test_an_argument_named_like_a_flag_of_every_training_is_refused(name: str) -> None:
    body = f"def __init__(self, *, {name}: int = 1) -> None: ..."
    space: dict[str, Any] = {}
    exec(body, space)
    with pytest.raises(TypeError, match=f"'{name}' has the name of a flag"):
        type("Clash", (Recipe,), {"__init__": space["__init__"]})


class Nested(Linear):
    averaged = ("nets.generator",)

    def __init__(self) -> None:
        super().__init__()
        self.nets = nn.ModuleDict({"generator": self.generator})
        del self.generator

    def generate(self, *, latent: Tensor) -> Tensor:
        return self.nets["generator"](latent)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "discriminator": torch.optim.SGD(self.discriminator.parameters(), lr=0.1),
            "generator": torch.optim.SGD(self.nets.parameters(), lr=0.1),
        }


def test_a_nested_network_is_averaged_and_comes_back() -> None:
    first, second = (training_of(made(Nested), ring(), ema=100.0) for _ in range(2))
    for _ in range(3):
        first.step()
    assert set(first.averaged.state_dict()) == {"nets.generator.weight", "nets.generator.bias"}
    assert not torch.equal(first.averaged.state_dict()["nets.generator.weight"], first.recipe.nets["generator"].weight)
    live = first.recipe.nets["generator"]
    with first.averaged_weights():
        assert first.recipe.nets["generator"] is first.averaged["nets.generator"]
    assert first.recipe.nets["generator"] is live
    second.load_state(first.state())
    for name, tensor in second.averaged.state_dict().items():
        assert torch.equal(tensor, first.averaged.state_dict()[name])


def test_weights_of_any_rank_train_and_images_are_channels_last() -> None:
    networks = nn.ModuleList([nn.Conv1d(2, 3, 3), nn.Conv2d(2, 3, 3), nn.Conv3d(2, 3, 3)])
    channels_last(networks)
    assert networks[1].weight.is_contiguous(memory_format=torch.channels_last)
    assert networks[0].weight.is_contiguous() and networks[2].weight.is_contiguous()


# -- inputs -----------------------------------------------------------------------------------------------------------


class Conditional(Recipe):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def inputs(self) -> dict[str, Input]:
        return {"latent": Normal((4,)), "codes": Uniform((2,), 0, 3), **label(3)}


class Translator(Conditional):
    def inputs(self) -> dict[str, Input]:
        return {"source": Given(ImageSpace(3, 8, 8)), "mood": Category(2)}


def test_a_condition_is_never_silently_ignored() -> None:
    with pytest.raises(UsageError, match="no input 'lable'; did you mean 'label'"):
        Conditional().draw(2, {"lable": torch.zeros(2)})
    with pytest.raises(UsageError, match="input 'source' must be given: images 8x8 RGB"):
        Translator().draw(2)
    with pytest.raises(UsageError, match="nothing to truncate"):
        Translator().draw(2, {"source": torch.zeros(2, 3, 8, 8)}, truncation=0.5)


def test_classes_come_in_turn_and_what_is_given_stays() -> None:
    drawn = Conditional().draw(7)
    assert drawn["label"].tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert float(drawn["codes"].min()) >= 0 and 1 < float(drawn["codes"].max()) <= 3
    wanted = torch.tensor([2, 2])
    assert torch.equal(Conditional().draw(2, {"label": wanted})["label"], wanted)


def test_truncation_goes_straight_to_the_mean_and_leaves_the_rest() -> None:
    def drawn(truncation: float | None) -> dict[str, Tensor]:
        torch.manual_seed(3)
        return Conditional().draw(5, truncation=truncation)

    whole, half = drawn(None), drawn(0.5)
    torch.testing.assert_close(half["latent"], whole["latent"] / 2)
    assert torch.equal(half["codes"], whole["codes"]) and torch.equal(half["label"], whole["label"])
    assert torch.equal(drawn(1.0)["latent"], whole["latent"])


def test_draws_of_a_sphere_have_unit_mean_square() -> None:
    values = Normal((3, 4), sphere=True).draw(6, torch.device("cpu"))
    torch.testing.assert_close(values.square().flatten(1).mean(1), torch.ones(6))


def test_people_give_classes_by_name_and_numbers_with_commas() -> None:
    named = with_names({"label": Category(2), "codes": Uniform((2,))}, {"label": ("cat", "dog"), "codes": ("a", "b")})
    assert named["label"].parse("dog").tolist() == [1]
    assert named["codes"].parse("0.5,-1").tolist() == [[0.5, -1.0]]
    assert Category(12).parse("11").tolist() == [11]
    for text in ("dgo", "2", ""):
        with pytest.raises(UsageError, match="there is no"):
            named["label"].parse(text)
    for text in ("0.5", "0.5,2", "a,b", "nan,0"):
        with pytest.raises(UsageError, match="2 numbers with commas between them, each from -1 to 1"):
            named["codes"].parse(text)
    assert with_names({"label": Category(3)}, {"label": ("cat", "dog")})["label"] == Category(3)  # not its names


def test_inputs_survive_json() -> None:
    inputs: dict[str, Input] = {
        "latent": Normal((4, 2), sphere=True),
        "codes": Uniform((2,), -2, 5),
        "label": Category(2, ("a", "b")),
        "low": Given(ImageSpace(3, FREE, FREE), scale=4, reach=9, multiple=2),
        "whole": Given(ImageSpace(1, 8, 8)),
    }
    assert inputs_from_json(json.loads(json.dumps(inputs_to_json(inputs)))) == inputs
    for damaged in (None, [{"name": "x"}], [{"name": "x", "kind": "teapot"}], [{"name": "x", "kind": "normal"}], 7):
        with pytest.raises(RunError, match="no inputs"):
            inputs_from_json(damaged)


def test_a_turn_may_be_of_any_player_names() -> None:
    class Named(Linear):
        def optimizers(self) -> dict[str, torch.optim.Optimizer]:
            return dict(zip(("d_a", "g_b"), super().optimizers().values(), strict=True))

        def turns(self, progress: Any, batches: Any) -> Any:
            yield Turn("d_a", self.d_losses, next(batches))
            yield Turn("g_b", self.g_losses, next(batches))

    training = training_of(made(Named), ring())
    training.step()
    assert {name.split("/")[0] for name in training.meter.read(training.processes).values} == {"d_a", "g_b"}
