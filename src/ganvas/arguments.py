"""The arguments that many recipes share, each with its range and its help text, so that a flag means one thing.

A recipe gives them their defaults: `lr: LearningRate = 2e-4`.
"""

from typing import Annotated, Literal

from ganvas import augment, objectives, optimizers
from ganvas.options import FromData, Range

Channels = Annotated[int, FromData()]
Size = Annotated[tuple[int, int], FromData()]
Shape = Annotated[tuple[int, ...], FromData()]
Classes = Annotated[int, FromData()]
Scale = Annotated[int, FromData()]

Latent = Annotated[int, Range(1, 65536), "numbers in a latent vector"]
Width = Annotated[int, Range(1, 4096), "feature maps of the widest-resolution layer; more is slower and better"]
Dropout = Annotated[float, Range(0, 0.95), "share of hidden units dropped in training"]
Conditional = Annotated[bool, "generate by label (needs labelled data)"]

Objective = Annotated[objectives.Name, "the pair of adversarial losses"]
Smoothing = Annotated[float, Range(0, 0.5), "one-sided label smoothing: the target for real samples is 1 minus this"]
Flipping = Annotated[float, Range(0, 0.5), "probability of presenting a real sample as a fake one"]

OptimizerName = Annotated[optimizers.Name, "the optimizer of both players"]
LearningRate = Annotated[float, Range(1e-7, 1, log=True), "learning rate of both players"]
Beta1 = Annotated[float, Range(0, 0.9999), "Adam's first decay; the momentum of SGD"]
Beta2 = Annotated[float, Range(0, 0.99999), "Adam's second decay; the smoothing of RMSProp"]

Penalty = Annotated[float, Range(0, 1e4), "weight of this gradient penalty; 0 leaves it out"]
PenaltyEvery = Annotated[int, Range(1, 1000), "apply gradient penalties every so many steps, that much stronger"]
Consistency = Annotated[float, Range(0, 1000), "weight of the logits' consistency under augmentation; the paper's: 10"]
Augmentation = Annotated[augment.Name, "what the consistency is under"]
Decay = Annotated[bool, "let both learning rates fall linearly to 0"]
TermWeight = Annotated[float, Range(0, 1000), "weight of this term in both players' losses"]
WeightPenalty = Annotated[float, Range(0, 10), "weight of this penalty on both players' weights"]

Upsample = Annotated[Literal["last", "first"], "first: enlarge by bicubic interpolation before all layers, at a price"]
Degrade = Annotated[
    Literal["bicubic", "real"], "how low resolution comes about: as in benchmarks, or with blur, noise and JPEG"
]
Content = Annotated[
    Literal["lite0", "lite2", "vgg19", "none"], "the network in whose features images are compared after the warm-up"
]
Warmup = Annotated[float, Range(0, 1), "share of the planned length with the pixel loss alone; 1 trains no GAN"]
WarmupRate = Annotated[float, Range(1e-7, 1, log=True), "learning rate of the warm-up"]
AdversarialRate = Annotated[float, Range(1e-7, 1, log=True), "learning rate of both players after the warm-up"]
PixelWeight = Annotated[float, Range(0, 1e4), "weight of the pixel loss after the warm-up"]
ContentWeight = Annotated[float, Range(0, 1e4), "weight of the distance in the features of --content"]
AdversarialWeight = Annotated[float, Range(0, 1e4), "weight of the adversarial loss in the generator's turn"]
PhotoJudge = Annotated[Literal["paper", "patch"], "paper: one judgement of each photo; patch: one of every place in it"]
GridWeight = Annotated[
    float, Range(0, 1e4), "weight of the loss on a grid that repeats with every pixel of the low resolution"
]
PixelLoss = Annotated[Literal["l1", "l2"], "absolute or squared differences of pixels"]
Blocks = Annotated[int, Range(1, 64), "residual blocks of the generator"]
Fold = Annotated[Literal[1, 2], "2 works at half the low resolution in wider layers, which CPUs are quicker at"]

MinibatchDeviation = Annotated[bool, "show the discriminator how much the samples of a batch differ"]

DSteps = Annotated[int, Range(1, 1000), "turns of the discriminator in a row (epochs with --alternate epochs)"]
GSteps = Annotated[int, Range(1, 1000), "turns of the generator in a row (epochs with --alternate epochs)"]
Alternate = Annotated[Literal["steps", "epochs"], "who moves next changes within each step, or after whole epochs"]
