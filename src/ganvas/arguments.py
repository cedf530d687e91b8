"""The arguments that many recipes share, each with its range and its help text, so that a flag means one thing.

A recipe gives them their defaults: `lr: LearningRate = 2e-4`. Two groups of them are one argument each in a recipe's
signature: what the data tells of its images, `Images`, and what every game of a generator and its judge has, `Contest`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal, Self

from torch import Tensor

from ganvas import augment, objectives, optimizers
from ganvas.errors import UsageError
from ganvas.inputs import MOST_CLASSES
from ganvas.options import FromData, Group, Range
from ganvas.recipe import Batches, Losses, Move, Optimizers, Progress, Turns, play

Channels = Annotated[int, FromData(), Range(1, 4096)]
Size = Annotated[tuple[int, int], FromData(), Range(1, 65536)]
Shape = Annotated[tuple[int, ...], FromData(), Range(1, 2**28)]
Classes = Annotated[int, FromData(), Range(0, MOST_CLASSES)]
Scale = Annotated[int, FromData(), Range(1, 64)]
Samples = Annotated[int, FromData(), Range(1, 2**28)]
Rate = Annotated[int, FromData(), Range(1, 2**20)]
Symbols = Annotated[int, FromData(), Range(3, 100_000)]
Attributes = Annotated[tuple[dict[str, Any], ...], FromData()]
Captions = Annotated[dict[str, Any], FromData()]
Table = Annotated[dict[str, Any], FromData()]

Latent = Annotated[int, Range(1, 65536), "numbers in a latent vector"]
Width = Annotated[int, Range(1, 4096), "feature maps of the widest-resolution layer; more is slower and better"]
Dropout = Annotated[float, Range(0, 0.95), "share of hidden units dropped in training"]
Conditional = Annotated[bool, "generate by label (needs labelled data)"]

Objective = Annotated[objectives.Name, "the pair of adversarial losses"]
Smoothing = Annotated[float, Range(0, 0.5), "one-sided label smoothing: the target for real samples is 1 minus this"]
Flipping = Annotated[float, Range(0, 0.5), "probability of presenting a real sample as a fake one"]

OptimizerName = Annotated[optimizers.Name, "the optimizer of both players"]
LearningRate = Annotated[float, Range(1e-7, 1, log=True, search=(1e-5, 1e-2)), "learning rate of both players"]
Beta1 = Annotated[float, Range(0, 0.9999), "Adam's first decay; the momentum of SGD"]
Beta2 = Annotated[float, Range(0, 0.99999), "Adam's second decay; the smoothing of RMSProp"]

Penalty = Annotated[
    float, Range(0, 1e4, log=True, search=(0.01, 100)), "weight of this gradient penalty; 0 leaves it out"
]
PenaltyEvery = Annotated[int, Range(1, 1000), "apply gradient penalties every so many steps, that much stronger"]
Consistency = Annotated[float, Range(0, 1000), "weight of the logits' consistency under augmentation; the paper's: 10"]
Augmentation = Annotated[augment.Name, "what the consistency is under"]
Decay = Annotated[bool, "let both learning rates fall linearly to 0"]
TermWeight = Annotated[float, Range(0, 1000), "weight of this term in both players' losses"]
Weight = Annotated[float, Range(0, 1e4), "weight of this term in the generator's loss"]
Fold = Annotated[Literal[1, 2], "2 works on 2x2 pixels as one place, at a third of the cost"]
Warmup = Annotated[float, Range(0, 1), "share of the planned length without a game; 1 trains no GAN"]
WeightPenalty = Annotated[float, Range(0, 10), "weight of this penalty on both players' weights"]

Doubling = Annotated[
    Literal["even", "transposed"], "how plain networks double feature maps; transposed may leave a weave of pixels"
]
MinibatchDeviation = Annotated[bool, "show the discriminator how much the samples of a batch differ"]

DSteps = Annotated[int, Range(1, 1000), "turns of the discriminator in a row (epochs with --alternate epochs)"]
GSteps = Annotated[int, Range(1, 1000), "turns of the generator in a row (epochs with --alternate epochs)"]
Alternate = Annotated[Literal["steps", "epochs"], "who moves next changes within each step, or after whole epochs"]


@dataclass(frozen=True, kw_only=True)
class Images(Group):
    """What the data tells of its images: their number of channels and their size (height, width)."""

    channels: Channels
    size: Size

    @property
    def facts(self) -> dict[str, Any]:
        """The same by name, for the constructors of networks."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.init}


@dataclass(frozen=True, kw_only=True)
class LabelledImages(Images):
    """Images, and of how many classes they are: 0 where they have no labels, or where a recipe makes no use of them."""

    classes: Classes = 0

    def by_label(self, conditional: bool = True, *, needed_by: str | None = None) -> Self:
        """With their classes where `conditional`, else without. Raises UsageError, in the name of what needs labels,
        where they are wanted and there are none."""
        return replace(self, classes=condition(self.classes, conditional, needed_by=needed_by))


def condition(classes: int, conditional: bool = True, *, needed_by: str | None = None) -> int:
    """How many classes a recipe is conditioned on: all of the data's where `conditional`, else 0.

    needed_by: what cannot do without labels, and is named in the UsageError that there is where the data has none.
    """
    if conditional and needed_by and not classes:
        raise UsageError(
            f"{needed_by} needs labels, and this data has none; put each class into a sub-folder of its own"
        )
    return classes if conditional else 0


@dataclass(frozen=True, kw_only=True)
class Contest(Group):
    """Objective, optimizers and order of play. A recipe names in its default what can be chosen, and composes its
    players from it:

        def __init__(self, *, contest: arg.Contest = arg.Contest(objective="wasserstein", lr=5e-4, d_steps=2), ...): ...

        def optimizers(self):
            return self.contest.optimizers(critic=self.critic, generator=self.generator)

        def turns(self, progress, batches):
            return self.contest.turns(progress, batches, critic=self.critic_losses, generator=self.generator_losses)

        def critic_losses(self, real):
            return self.contest.d_losses(self.critic, real.image, self.fake(real))

        def generator_losses(self, real):
            return self.contest.g_losses(self.critic, self.fake(real), real.image)

    losses: the objective itself. Raises UsageError for choices that do not go together.
    """

    objective: Objective = "non-saturating"
    smoothing: Smoothing = 0.0
    flipping: Flipping = 0.0
    optimizer: OptimizerName = "adam"
    lr: LearningRate = 2e-4
    beta1: Beta1 = 0.5
    beta2: Beta2 = 0.999
    d_steps: DSteps = 1
    g_steps: GSteps = 1
    alternate: Alternate = "steps"
    losses: objectives.Objective = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        chosen = objectives.objective(self.objective, smoothing=self.smoothing, flipping=self.flipping)
        object.__setattr__(self, "losses", chosen)

    @property
    def whole_batch(self) -> bool:
        """Whether the objective needs whole batches."""
        return self.losses.whole_batch

    def optimizers(self, **networks: optimizers.Network | tuple[optimizers.Network, float]) -> Optimizers:
        """One for each player: a network, a list of them, or either with a learning rate of its own."""
        return optimizers.players(self.optimizer, lr=self.lr, beta1=self.beta1, beta2=self.beta2, **networks)

    def turns(self, progress: Progress, batches: Batches[Any], **moves: Move) -> Turns:
        """One step of the game: each player's losses, or (losses, what follows its update), the generator's last."""
        order: dict[str, Any] = {"d_steps": self.d_steps, "g_steps": self.g_steps, "unit": self.alternate}
        return play(progress, batches, moves, **order)

    def d_losses(self, judge: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Losses:
        """The judge's losses on samples (B, ...), with the logits that they rest on."""
        return self.losses.d_losses(judge, real, fake)

    def g_losses(self, judge: Callable[[Tensor], Tensor], fake: Tensor, real: Tensor) -> Losses:
        """The generator's loss on its samples (B, ...); real ones are judged where the objective compares with them."""
        return self.losses.g_losses(judge, fake, real)


TUTORIAL: dict[str, Any] = {
    "lr": 2e-4, "beta1": 0.5, "beta2": 0.999, "flipping": 0.35, "batch_size": 128, "epochs": 500, "sample_every": 100
}  # fmt: skip
"""A preset: how textbooks train their first GAN."""
