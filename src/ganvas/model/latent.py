"""Ways through a latent space: between two samples, and along the directions that matter most.

    model = ganvas.load("runs/digits")
    first, second = drawn(model, seed=1, label="3"), drawn(model, seed=2, label="8")
    film = walk(model, first, second, torch.linspace(0, 1, 24))  # (24, C, H, W)

    directions = closed_form_directions(model, count=5)
    picture = decode(model, moved(first, directions, [2.0, 0, 0, 0, 0]))

    ink = label_directions(model, lambda samples: samples.mean((1, 2, 3))[:, None], label="3")
    bolder = decode(model, moved(model.invert(my_picture).inputs, ink, [2.0]))

A model is known by the inputs that its recipe declares, so any recipe that draws a latent vector can be walked,
whatever its other inputs (`drawn(model, seed=1, source=picture)`). One that draws none, such as those that enlarge
images, is refused. Directions belong to the first latent vector: noise at finer sizes is walked but has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.errors import UsageError
from ganvas.inputs import Normal, Shift
from ganvas.model.trained import Model
from ganvas.training import seed_from

_PARALLEL = 0.999
"""Cosine between two vectors that are taken to have one direction, but for rounding."""


@dataclass(frozen=True)
class Directions:
    """Directions in a latent space, those that matter most first; those of labels in the labels' order.

    input: which of `draw`'s inputs they move. vectors: (count, size), each of length 1, so that a sample's place along
    each is from N(0, 1), and about -3 to 3 is where samples are. shares: (count,), of all that changes, what each
    accounts for; of a label's direction, how much of that label's variance it explains.
    """

    input: str
    vectors: Tensor
    shares: Tensor


def drawn(model: Model, seed: int, *, truncation: float | None = None, **given: Any) -> dict[str, Tensor]:
    """What `generate` makes the first sample of `model.sample(n, seed=seed, ...)` from: each input, as a batch of 1.
    given: values of inputs by name, as `Model.sample` takes them. Raises UsageError as it does."""
    values = model.checked(1, given, truncation)
    with torch.random.fork_rng():
        return {name: each[:1] for name, each in model.block(0, seed, truncation, values).items()}


def decode(model: Model, inputs: dict[str, Tensor]) -> Tensor:
    """The samples of these inputs: (n, C, H, W) float32 in [-1, 1] for images, (n, D) for points."""
    return model.decode(inputs)


# -- between two samples ----------------------------------------------------------------------------------------


def interpolate(first: Tensor, second: Tensor, shares: Tensor) -> Tensor:
    """Normal latents on the way from one to another: (1, ...), (1, ...) and shares (n,) in [0, 1] to (n, ...).

    Spherical interpolation (Shoemake 1985; White 2016, section 2.1): in many dimensions nearly all of N(0, 1) lies on a
    sphere, which a straight line would leave. Where the two have one direction the line is taken.
    """
    a, b = first.flatten(1).double(), second.flatten(1).double()
    share = shares.to(a).unsqueeze(1)
    angle = torch.arccos((nn.functional.cosine_similarity(a, b, eps=1e-12)).clamp(-1, 1))
    if float(angle.sin()) < 1e-6:
        mixed = torch.lerp(a, b, share)
    else:
        mixed = (((1 - share) * angle).sin() * a + (share * angle).sin() * b) / angle.sin()
    result: Tensor = mixed.to(first.dtype).unflatten(1, first.shape[1:])
    return result


def walk(model: Model, first: dict[str, Tensor], second: dict[str, Tensor], shares: Tensor) -> Tensor:
    """Samples on the way from `first` to `second`, both as `drawn` gives them: (n, C, H, W) for shares (n,) in [0, 1].

    Normal inputs go on spheres, others straight. Labels fade into each other where the networks embed them; elsewhere
    they change half-way.
    """
    count = len(shares)
    inputs, labels = {}, []
    for name, each in model.inputs.items():
        a, b = first[name], second[name]
        if isinstance(each, Normal):
            inputs[name] = interpolate(a, b, shares)
        elif a.is_floating_point():
            inputs[name] = torch.stack([torch.lerp(a[0], b[0], float(share)) for share in shares])
        else:
            inputs[name] = a.expand(count, *a.shape[1:])
            labels += [] if torch.equal(a, b) else [name]
    if not labels:
        return decode(model, inputs)
    with _fading(model, {name: (first[name], second[name]) for name in labels}, shares) as faded:
        samples = decode(model, inputs)
    if faded:
        return samples
    late = shares.to(model.recipe.device) >= 0.5
    return decode(model, inputs | {name: torch.where(late, second[name], first[name]) for name in labels})


@contextmanager
def _fading(model: Model, labels: dict[str, tuple[Tensor, Tensor]], shares: Tensor) -> Iterator[list[str]]:
    """Inside, embeddings of a first label become mixtures with the second one's; the list names those that did."""
    faded: list[str] = []

    def mix(module: nn.Embedding, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
        for name, (a, b) in labels.items():
            if given[0].shape == shares.shape and bool((given[0] == a).all()):
                faded.append(name)
                other = nn.functional.embedding(b.to(given[0].device), module.weight)
                return torch.lerp(output, other.expand_as(output), shares.to(output).unsqueeze(1))
        return output

    hooks = [m.register_forward_hook(mix) for m in model.recipe.modules() if isinstance(m, nn.Embedding)]
    try:
        yield faded
    finally:
        for hook in hooks:
            hook.remove()


# -- directions -------------------------------------------------------------------------------------------------


def moved(inputs: dict[str, Tensor], directions: Directions, amounts: Sequence[float]) -> dict[str, Tensor]:
    """The inputs, moved along each direction by its amount, in standard deviations of the latents."""
    latent = inputs[directions.input]
    way = torch.tensor(list(amounts), dtype=latent.dtype) @ directions.vectors[: len(amounts)].to(latent.dtype)
    return inputs | {directions.input: latent + way.to(latent.device)}


def closed_form_directions(model: Model, count: int = 5, **given: Any) -> Directions:
    """The directions along which the first outputs change most: the eigenvectors of W^T W, W being the weights with
    which layers see the latent vector as it is, by the size of their eigenvalues (SeFa: Shen and Zhou 2021, eq. 6 and
    7). Of a model whose w can be shifted they are in w, which all its layers see.

    No samples are drawn. given: what must be given, by name. Raises UsageError where the recipe draws no latent vector,
    or layers have bent it before a weight sees it.
    """
    name, size = _steered(model)
    vectors, seeing = _seeing(model, name, 32, given)
    gram = torch.zeros(size, size, dtype=torch.float64)
    for layer, seen in seeing:
        flat = seen.flatten(1)
        places = (flat != 0).any(0).nonzero().flatten()
        if len(places) != size or not _parallel(flat[:, places], vectors):
            continue
        basis = torch.zeros(size + 1, flat.shape[1], device=flat.device)  # the last one is zero: for the bias
        basis[torch.arange(size), places] = 1
        with torch.no_grad():
            made = layer(basis.unflatten(1, seen.shape[1:])).flatten(1).double().cpu()
        weight = made[:-1] - made[-1:]
        gram += weight @ weight.t()
    if not bool(gram.any()):
        raise UsageError(
            "the first weights of this model do not see its latent vector as it was drawn, so there is no closed form; "
            "take principal directions"
        )
    values, found = torch.linalg.eigh(gram)
    return _sorted(name, found.t(), values, count)


def principal_directions(
    model: Model, count: int = 5, *, samples: int = 1024, seed: int = 0, **given: Any
) -> Directions:
    """The latent directions of the principal components of the first layer's activations (GANSpace: Härkönen et al.
    2020, section 2.1): of `samples` draws, each component's scores are regressed on the latent vectors.

    Activations are what the second layer with weights is given, the first layer's output where there is no second.
    given: values that all draws have, by the input's name; a class is by default the first one. Raises UsageError where
    the recipe draws no latent vector.
    """
    name, _ = _latent(model)
    count_of_draws = min(samples, model.space.block) if model.given else samples  # what is given may be large
    vectors, activations = _activations(model, name, count_of_draws, seed, given)
    centred = activations.flatten(1).double()
    centred = centred - centred.mean(0)
    # The smaller of the two products has the same eigenvalues, and gives the scores at once but for their sizes.
    if centred.shape[1] > len(centred):
        values, scores = torch.linalg.eigh(centred @ centred.t())
    else:
        values, components = torch.linalg.eigh(centred.t() @ centred)
        scores = centred @ components
    # The scores' columns are orthogonal, so the regression is one product each; only its direction counts.
    ways = scores.t() @ vectors.double()
    return _sorted(name, ways, values, count)


def label_directions(
    model: Model, score: Callable[[Tensor], Tensor], *, samples: int = 1024, seed: int = 0, **given: Any
) -> Directions:
    """A direction for each known label: along it the label's score rises most. Of `samples` draws, the scores are
    regressed on the latent vectors (Shen et al. 2020, section 3.1, whose boundary is a classifier's instead).

    score: of samples (n, *shape) as `Model.sample` gives them, a number for each label, (n, labels): a classifier's
    logits, or anything that can be measured. given: as `principal_directions` has it. Raises UsageError where the
    recipe draws no latent vector, and for a score that is the same for all samples.
    """
    name, _ = _latent(model)
    base = drawn(model, seed, **given)
    vectors = _vectors(model, name, samples, seed)
    scores = []
    for part in vectors.split(model.space.block):
        rows = {key: each.expand(len(part), *each.shape[1:]) for key, each in base.items()}
        scores.append(score(model.decode(rows | {name: part})))
    return regressed_directions(model, vectors, torch.cat(scores))


def regressed_directions(model: Model, latents: Tensor, scores: Tensor) -> Directions:
    """The same of latents (n, size) and scores (n, labels) that are known: those of `Model.invert` for pictures of
    one's own, with their labels as 0 and 1, n being several times the size. Raises UsageError as `label_directions`."""
    name, latent = _latent(model)
    if latents.shape[1:] != latent.shape or scores.dim() != 2 or len(scores) != len(latents):
        raise UsageError(
            f"latents must be (n, {latent.shape[0]}) and scores (n, labels), not {tuple(latents.shape)} and "
            f"{tuple(scores.shape)}"
        )
    x, y = latents.double().cpu(), scores.double().cpu()
    x, y = x - x.mean(0), y - y.mean(0)
    total = y.square().sum(0)
    if not bool((total > 0).all()):
        raise UsageError("a score that is the same for all samples has no direction")
    ways = torch.linalg.lstsq(x, y, driver="gelsd").solution
    shares = 1 - (y - x @ ways).square().sum(0) / total
    return Directions(name, nn.functional.normalize(ways.t()).float(), shares.float())


def _latent(model: Model) -> tuple[str, Normal]:
    """The input that directions move, with its name. Raises UsageError where there is none."""
    for name, each in model.inputs.items():
        if isinstance(each, Normal) and len(each.shape) == 1:
            return name, each
    raise UsageError(f"{type(model.recipe).__name__} draws no normal latent vector, so it has no directions")


def _steered(model: Model) -> tuple[str, int]:
    """The input that directions move, a shift where there is one, and how many numbers they have. Raises UsageError
    where there is none."""
    for name, each in model.inputs.items():
        if isinstance(each, Shift):
            return name, each.shape[-1]
    name, latent = _latent(model)
    return name, latent.shape[0]


def _seeing(
    model: Model, name: str, count: int, given: Mapping[str, Any]
) -> tuple[Tensor, list[tuple[nn.Module, Tensor]]]:
    """Vectors (count, size) of this input, and each layer with weights whose input depends on them, with how far that
    input (count, ...) is from what it is for zeros. All other inputs are those of one draw."""
    base = drawn(model, 0, **given)
    size = model.inputs[name].shape
    with torch.random.fork_rng():
        seed_from(0, 1)
        vectors = torch.randn(count, size[-1]).to(model.recipe.device)
    rows = torch.cat([vectors, torch.zeros_like(vectors[:1])])
    rows = rows.unflatten(0, (-1, *[1] * (len(size) - 1))).expand(-1, *size)
    met: list[tuple[nn.Module, Tensor]] = []

    def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        value = inputs[0]
        if len(value) == count + 1 and bool((value != value[-1:]).any()):
            met.append((module, (value[:-1] - value[-1:]).detach()))

    hooks = [m.register_forward_pre_hook(look) for m in model.recipe.modules() if _weighs(m)]
    model.recipe.eval()
    try:
        with torch.no_grad():
            inputs = {key: each.expand(count + 1, *each.shape[1:]) for key, each in base.items()} | {name: rows}
            model.recipe.generate(**{key: each.to(model.recipe.device) for key, each in inputs.items()})
    finally:
        for hook in hooks:
            hook.remove()
    return vectors, met


def _vectors(model: Model, latent: str, count: int, seed: int) -> Tensor:
    """So many draws of this input."""
    with torch.random.fork_rng():
        seed_from(seed, 1)
        return model.inputs[latent].draw(count, model.recipe.device)


class _Enough(Exception):
    """What was looked for has been seen."""


def _activations(model: Model, latent: str, count: int, seed: int, given: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """Latents (count, size), and the activations (count, ...) that go on from the first layer with weights whose input
    depends on them. All other inputs are those of one draw."""
    base = drawn(model, seed, **given)
    vectors = _vectors(model, latent, count, seed)
    inputs = {name: each.expand(count, *each.shape[1:]) for name, each in base.items()} | {latent: vectors}
    met: list[tuple[nn.Module, Tensor]] = []
    output: list[Tensor] = []

    def look(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        value = given[0]
        if bool((value != value[:1]).any()):
            met.append((module, value.detach().clone()))
            if len(met) == 2:
                raise _Enough

    def keep(module: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        if met and module is met[0][0]:
            output.append(made.detach().clone())

    layers = [m for m in model.recipe.modules() if _weighs(m)]
    hooks = [m.register_forward_pre_hook(look) for m in layers] + [m.register_forward_hook(keep) for m in layers]
    model.recipe.eval()
    try:
        with torch.no_grad():
            model.recipe.generate(**{name: each.to(model.recipe.device) for name, each in inputs.items()})
    except _Enough:
        pass
    finally:
        for hook in hooks:
            hook.remove()
    if not met:
        raise UsageError(f"no layer of {type(model.recipe).__name__} sees its latent vector, so it has no directions")
    return vectors, met[1][1] if len(met) == 2 else output[0]


def _weighs(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return isinstance(weight, Tensor) and weight.dim() >= 2 and not isinstance(module, nn.Embedding)


def _parallel(seen: Tensor, vectors: Tensor) -> bool:
    return bool((nn.functional.cosine_similarity(seen.double(), vectors.double()) > _PARALLEL).all())


def _sorted(name: str, ways: Tensor, values: Tensor, count: int) -> Directions:
    """The `count` directions with the largest values; each points to where its largest number is positive."""
    if count < 1:
        raise UsageError(f"at least one direction must be asked for, not {count}")
    values = values.clamp(min=0)
    order = values.argsort(descending=True)[: min(count, ways.shape[1])]
    chosen = nn.functional.normalize(ways[order])
    signs = chosen.gather(1, chosen.abs().argmax(1, keepdim=True)).sign()
    return Directions(
        name, (chosen * signs).float().cpu(), (values[order] / values.sum().clamp(min=1e-12)).float().cpu()
    )
