"""The pieces that recipes are composed of: groups of arguments, optimizers, the order of play, what parts are asked."""

import ast
import copy
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, RMSprop

from games import Linear
from ganvas import Recipe, recipes
from ganvas import arguments as arg
from ganvas.errors import UsageError
from ganvas.inputs import Category, Normal, label
from ganvas.networks.convolutional import ConvolutionalGenerator
from ganvas.networks.minibatch import MinibatchDeviation
from ganvas.networks.mlp import Maxout, maxout
from ganvas.objectives import objective
from ganvas.optimizers import players
from ganvas.options import FromData, Group, Range, argument_names, checked, read_options
from ganvas.recipe import Losses, Progress, play, together
from ganvas.recipes.dcgan import DCGAN
from ganvas.recipes.r3gan import R3GAN
from ganvas.recipes.wgan_gp import WGANGP

# -- groups of arguments --


@dataclass(frozen=True, kw_only=True)
class Paint(Group):
    pots: Annotated[int, FromData()]
    colour: Annotated[str, "which"] = "red"


@dataclass(frozen=True, kw_only=True)
class Brush(Group):
    width: Annotated[int, Range(1, 9), "how wide"] = 3
    hairs: Annotated[int, Range(1), "how many"] = 100
    soft: Annotated[bool, "how soft"] = False
    area: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "area", self.width * self.hairs)


class Painter(Recipe):
    def __init__(
        self,
        *,
        paint: Paint,
        speed: Annotated[float, Range(0, 1), "how fast"] = 0.5,
        brush: Brush = Brush(hairs=50, width=2),
    ) -> None:
        super().__init__()
        self.paint, self.speed, self.brush = paint, speed, brush


class FreePainter(Recipe):
    def __init__(self, *, brush: Brush = Brush.open(hairs=50)) -> None:  # noqa: B008
        super().__init__()
        self.brush = brush


def test_a_group_is_read_as_its_fields():
    """Without a default all of them; with one, those that it names, in its order."""
    options = read_options(Painter)
    assert [(o.name, o.default) for o in options[1:]] == [
        ("colour", "red"),
        ("speed", 0.5),
        ("hairs", 50),
        ("width", 2),
    ]
    assert options[0].name == "pots" and options[0].from_data and options[1].help == "which"
    assert options[-1].range == Range(1, 9) and options[-1].flag == "--width" and options[-1].kind is int
    assert [(o.name, o.default) for o in read_options(FreePainter)] == [("width", 3), ("hairs", 50), ("soft", False)]
    assert argument_names(Painter.__init__) == ["pots", "colour", "speed", "hairs", "width"]


def test_a_group_is_checked_remembered_and_made_from_its_fields():
    flat = checked(Painter, {"pots": 4, "width": "7"})
    assert flat == {"pots": 4, "colour": "red", "speed": 0.5, "hairs": 50, "width": 7}
    painter = Painter(**flat)
    assert painter.paint == Paint(pots=4) and painter.brush == Brush(width=7, hairs=50) and painter.brush.area == 350
    with pytest.raises(UsageError, match="--width must be 1 to 9, not 10"):
        checked(Painter, {"pots": 4, "width": 10})
    with pytest.raises(UsageError, match="has no option 'soft'"):
        checked(Painter, {"pots": 4, "soft": True})
    with pytest.raises(UsageError, match="needs 'pots'"):
        checked(Painter, {})


def test_a_group_can_be_given_whole_and_changed_by_the_field():
    brush = Brush(width=9, soft=True)
    assert Painter(paint=Paint(pots=1), brush=brush).brush is brush
    assert Painter(pots=1, brush=brush, width=1).brush == replace(brush, width=1)
    assert Painter(pots=1).brush == Brush(hairs=50, width=2) and FreePainter(soft=True).brush.soft
    with pytest.raises(TypeError, match="soft"):
        Painter(pots=1, soft=True)
    with pytest.raises(TypeError, match="pots"):
        Painter()


def test_a_group_survives_a_copy():
    painter = copy.deepcopy(Painter(pots=3, width=5))
    assert painter.paint == Paint(pots=3) and painter.brush.area == 250


def colliding(name: str) -> None:
    namespace: dict[str, Any] = {"Recipe": Recipe, "Brush": Brush}
    exec(f"class Colliding(Recipe):\n    def __init__(self, *, {name}): super().__init__()\n", namespace)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [("ema: float = 0.5", "ema"), ("data: str = 'ring'", "data"), ("brush: Brush, soft: bool = True", "soft")],
)
def test_a_name_that_is_taken_is_refused_when_the_class_is_made(arguments, name):
    with pytest.raises(TypeError, match=f"Colliding: .*{name!r}.*; rename"):
        colliding(arguments)
    colliding("brush: Brush, softly: bool = True")


def test_a_name_in_a_group_that_is_taken_is_refused():
    @dataclass(frozen=True, kw_only=True)
    class Durations(Group):
        minutes: float = 1.0

    with pytest.raises(TypeError, match="the argument 'minutes' has the name of a flag of all trainings"):

        class Late(Recipe):
            def __init__(self, *, durations: Durations) -> None:
                super().__init__()


def test_labels_are_used_where_they_are_wanted_and_there():
    images = arg.LabelledImages(channels=3, size=(8, 6), classes=5)
    assert images.facts == {"channels": 3, "size": (8, 6), "classes": 5} == images.by_label().facts
    assert images.by_label(False, needed_by="--conditional").classes == 0
    bare = arg.LabelledImages(channels=3, size=(8, 6))
    assert bare.by_label(True) == bare.by_label(False, needed_by="--conditional") == bare
    for made in (
        lambda: DCGAN(channels=1, size=(8, 8), conditional=True),
        lambda: arg.condition(0, needed_by="--conditional"),
    ):
        with pytest.raises(UsageError) as caught:
            made()
        assert str(caught.value) == (
            "--conditional needs labels, and this data has none; put each class into a sub-folder of its own"
        )
    assert arg.Images(channels=1, size=(4, 4)).facts == {"channels": 1, "size": (4, 4)}


# -- optimizers --


def test_players_have_an_optimizer_each_of_what_can_be_trained():
    critic, head, generator = (nn.Linear(2, 3) for _ in range(3))
    head.bias.requires_grad_(False)
    made = players("adam", lr=0.1, beta1=0.2, beta2=0.3, critic=[critic, head], generator=(generator, 0.01))
    assert list(made) == ["critic", "generator"] and all(type(each) is Adam for each in made.values())
    assert [id(p) for p in made["critic"].param_groups[0]["params"]] == [
        id(p) for p in (critic.weight, critic.bias, head.weight)
    ]
    assert [group["lr"] for each in made.values() for group in each.param_groups] == [0.1, 0.01]
    assert made["generator"].param_groups[0]["betas"] == (0.2, 0.3)
    (momentum,) = players("sgd", lr=0.1, beta1=0.7, anybody=nn.Linear(2, 2)).values()
    assert type(momentum) is SGD and momentum.param_groups[0]["momentum"] == 0.7
    (smooth,) = players("rmsprop", lr=0.1, beta2=0.8, anybody=([nn.Linear(2, 2)], 3.0)).values()
    assert type(smooth) is RMSprop and (smooth.param_groups[0]["alpha"], smooth.param_groups[0]["lr"]) == (0.8, 3.0)


def test_a_contest_has_the_optimizers_order_and_objective_that_it_names():
    contest = arg.Contest(objective="least-squares", optimizer="sgd", lr=0.5, beta1=0.25, d_steps=2)
    made = contest.optimizers(critic=nn.Linear(1, 1), generator=(nn.Linear(1, 1), 0.1))
    chosen = [(n, type(o), o.param_groups[0]["lr"], o.param_groups[0]["momentum"]) for n, o in made.items()]
    assert chosen == [("critic", SGD, 0.5, 0.25), ("generator", SGD, 0.1, 0.25)]
    turns = contest.turns(Progress(0, 0, 0, 0.0), iter(range(9)), critic=len, generator=len)
    assert [(turn.optimizer, turn.batch) for turn in turns] == [("critic", 0), ("critic", 1), ("generator", 1)]
    real, fake = torch.tensor([3.0]), torch.tensor([-1.0])
    judged = contest.d_losses(lambda samples: samples / 2, real, fake)
    assert judged.terms == {"real": torch.tensor((1.5 - 1) ** 2 / 2), "fake": torch.tensor(0.5**2 / 2)}
    assert (judged.real_logits.item(), judged.fake_logits.item()) == (1.5 - 0.5, -0.5 - 0.5)
    assert contest.g_losses(lambda samples: samples / 2, fake, real).terms == {"adversarial": torch.tensor(1.5**2 / 2)}
    with pytest.raises(UsageError, match="has no labels to smooth"):
        arg.Contest(objective="relativistic", smoothing=0.1)


# -- the order of play --


def played(moves, epoch=0, **order):
    turns = list(play(Progress(0, 0, epoch, 0.0), iter(range(100)), moves, **order))
    return [(turn.optimizer, turn.batch) for turn in turns]


def test_the_order_of_play_by_steps():
    pair = {"critic": len, "artist": len}
    assert played(pair) == [("critic", 0), ("artist", 0)]
    assert played(pair, d_steps=3, g_steps=2) == [
        ("critic", 0), ("critic", 1), ("critic", 2), ("artist", 2), ("artist", 2),
    ]  # fmt: skip
    assert played({"one": len, "two": len, "artist": len}, d_steps=2) == [
        ("one", 0), ("two", 0), ("one", 1), ("two", 1), ("artist", 1),
    ]  # fmt: skip


def test_the_order_of_play_by_epochs():
    by_epoch = [played({"critic": len, "artist": len}, epoch, d_steps=2, unit="epochs") for epoch in range(6)]
    assert by_epoch == [[("critic", 0)], [("critic", 0)], [("artist", 0)]] * 2


def test_what_follows_an_update_goes_with_its_player():
    def losses(batch):
        return batch

    def after(results):
        return results

    turns = play(Progress(0, 0, 0, 0.0), iter("ab"), {"critic": (losses, after), "artist": losses})
    assert [(turn.losses, turn.after) for turn in turns] == [(losses, after), (losses, None)]


def test_a_batch_is_taken_when_its_turn_comes_and_not_before():
    batches = iter(range(9))
    turns = play(Progress(0, 0, 0, 0.0), batches, {"critic": len, "artist": len}, d_steps=2)
    assert next(turns).batch == 0 and next(batches) == 1 and next(turns).batch == 2


def test_losses_of_several_judges_stand_together():
    one = Losses({"real": torch.tensor(1.0)}, torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]), "score")
    two = Losses({"real": torch.tensor(5.0)}, torch.tensor([6.0, 7.0]), torch.tensor([8.0, 9.0]), "score")
    both = together({"8x8": one, "4x4": two})
    assert both.terms == {"real_8x8": 1.0, "real_4x4": 5.0} and both.scale == "score"
    assert both.real_logits.tolist() == [[1, 6], [2, 7]] and both.fake_logits.tolist() == [[3, 8], [4, 9]]
    alone = together({"8x8": Losses({"pair": torch.tensor(1.0)}, torch.tensor([1.0]), None, "pair")})
    assert alone.real_logits.tolist() == [[1]] and alone.fake_logits is None and alone.scale == "pair"
    assert together({"g": Losses({"adversarial": torch.tensor(2.0)})}).real_logits is None


# -- what a recipe asks of its parts --


def test_whole_batches_follow_from_the_parts():
    facts = {"channels": 1, "size": (8, 8), "width": 2}
    assert not R3GAN(**facts).whole_batch and not WGANGP(**facts).whole_batch
    assert R3GAN(**facts, minibatch_deviation=True).whole_batch
    assert WGANGP(**facts, objective="relativistic-average").whole_batch
    linear = Linear()
    linear.objective = objective("relativistic-average")
    assert linear.whole_batch
    other = Linear()
    other.extra = nn.Sequential(MinibatchDeviation())
    assert other.whole_batch
    other.whole_batch = False
    assert not other.whole_batch


def test_notes_are_those_of_the_networks():
    assert DCGAN(channels=1, size=(9, 9), width=2).notes() == ["images are generated at 10x10 and cropped to 9x9"]
    assert DCGAN(channels=1, size=(8, 8), width=2).notes() == Linear().notes() == []


def test_the_number_of_classes_is_that_of_the_input():
    class Labelled(Linear):
        def inputs(self):
            return {"latent": Normal((3,)), **label(4), "mood": Category(2)}

    assert Labelled().classes == 4 and Linear().classes == 0


def test_samples_are_by_default_what_the_first_averaged_network_makes_of_the_inputs():
    class Plain(Recipe):
        averaged = ("painter", "other")

        def __init__(self) -> None:
            super().__init__()
            self.other = nn.Linear(1, 1)
            self.painter = ConvolutionalGenerator(latent=3, channels=1, size=(4, 4), width=2, classes=2)

        def inputs(self):
            return {"latent": Normal((3,)), **label(2)}

    recipe = Plain().eval()
    inputs = recipe.draw(5)
    assert torch.equal(recipe.generate(**inputs), recipe.painter(inputs["latent"], inputs["label"]))


def test_maxout_layers_are_the_ones_of_their_arguments():
    network = maxout(4, [6, 5], 2, pieces=3, dropout=0.25)
    assert [type(layer) for layer in network] == [Maxout, nn.Dropout, Maxout, nn.Dropout, nn.Linear]
    sizes = [(m.in_features, m.out_features) for m in network.modules() if isinstance(m, nn.Linear)]
    assert sizes == [(4, 18), (6, 15), (5, 2)] and network[1].p == 0.25
    x = torch.randn(7, 4)
    pieces = network[0].linear(x).reshape(7, 6, 3)
    assert torch.equal(network[0](x), pieces.amax(2)) and math.isfinite(network(x).sum().item())


# -- recipes --


@pytest.mark.parametrize("name", recipes.names())
def test_penalties_are_arguments_and_weights_that_the_recipe_holds(name):
    recipe = recipes.find(name)
    own = set(argument_names(recipe.__init__))
    assert set(recipe.penalties) <= own
    assert {"r1", "r2"} & own == {"r1", "r2"} & set(recipe.penalties)


def lines_of(name: str) -> int:
    """Lines of a recipe's file that are neither blank nor of an import; docstrings count."""
    text = (Path(recipes.__file__).parent / f"{name.replace('-', '_')}.py").read_text(encoding="utf-8")
    imports = [node for node in ast.parse(text).body if isinstance(node, ast.Import | ast.ImportFrom)]
    skipped = {number for node in imports for number in range(node.lineno, node.end_lineno + 1)}
    return sum(bool(line.strip()) and number not in skipped for number, line in enumerate(text.splitlines(), 1))


@pytest.mark.parametrize("name", ["dcgan", "lsgan", "wgan", "wgan-gp"])
def test_a_usual_gan_is_at_most_sixty_lines(name):
    assert 20 < lines_of(name) <= 60
