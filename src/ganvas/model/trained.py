"""A trained GAN, ready to use: what its recipe declares, with the names that the data gave."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ganvas.data.photos import SCALES
from ganvas.errors import RunError, UsageError, near_miss
from ganvas.inputs import Given, Input, given_of, inputs_from_json, names_of, with_names
from ganvas.model import zoo
from ganvas.model.inversion import Inversion, invert
from ganvas.model.tiles import MARGINS, TILE, multiple_of, strips
from ganvas.networks.interpolation import between
from ganvas.options import checked, read_options
from ganvas.recipe import Recipe
from ganvas.recipes import blueprint, made, recipe_of, stored_arguments
from ganvas.run import read_config
from ganvas.spaces import FREE, Space, space_from_config
from ganvas.text import counted, quoted, shown
from ganvas.training import checkpoint, seed_from

if TYPE_CHECKING:
    import pandas
    from PIL import Image

FRUITLESS, RARE = 64_000, 2_000
"""Samples that are made in vain before one that is admitted is given up, and for each that was found."""

SAMPLING, TRANSFORMING, ENLARGING = "sample", "transform", "enlarge"
"""What models are for."""

MOST_COLUMNS = 32
"""Samples in a row of a grid that has a column for each label."""


@dataclass(frozen=True, eq=False)
class Model:
    """A trained GAN, ready to use: `ganvas.load` makes it.

    space: of what it makes. inputs: what `generate` takes, by name, with the names of classes that the data gave.
    step: of its weights. name: as it was opened, a run's folder or `zoo:NAME`. weights: named sets of weights of the
    first network in `recipe.averaged`, {} where there is one set only; style: which of them it has, by its name, or as
    a number between the first (0) and the second (1). notes: what was not as it should be when it was loaded, a line
    each. trained_on: the fingerprint of its training data, "" where that is not known.
    """

    recipe: Recipe
    space: Space
    inputs: Mapping[str, Input]
    step: int
    name: str = "this model"
    weights: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    style: str | float | None = None
    notes: tuple[str, ...] = ()
    trained_on: str = ""

    def __post_init__(self) -> None:
        self.recipe.settle()

    def __repr__(self) -> str:
        recipe, made = type(self.recipe).__name__, ", ".join(self.inputs) or "nothing"
        return f"Model({shown(self.name)}: {recipe} at step {self.step:,}, {self.space.noun} from {made})"

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the labels that it was trained with, () where it is not conditioned on them."""
        return self.inputs["label"].choices if "label" in self.inputs else ()

    @property
    def given(self) -> dict[str, Given]:
        """The inputs that must be given, by name: none where it makes samples of nothing but noise and classes."""
        return given_of(self.inputs)

    @property
    def use(self) -> str:
        """What it is for, by which a page, a card or a judge is chosen: `ENLARGING` where a photo of any size, and
        nothing else, is given and comes back larger, in tiles since the recipe says how far its network can see;
        `TRANSFORMING` where something else is given; else `SAMPLING`."""
        given = list(self.given.values())
        if not given:
            return SAMPLING
        first = given[0]
        photos = first.space.photos and first.scale in SCALES and first.reach is not None
        return ENLARGING if photos and len(self.inputs) == 1 else TRANSFORMING

    @property
    def any_size(self) -> bool:
        """Whether something that is given may have any size, and what is made of it then has its own."""
        return any(FREE in each.shape for each in self.given.values())

    def columns(self, given: Mapping[str, Any] | None = None) -> int | None:
        """Of a grid of samples: one for each class of the first input whose classes come in turn, since it is not
        given. None where there is none, or so many classes that the grid would be a ribbon."""
        turns = [len(each.choices) for name, each in self.inputs.items() if each.choices and name not in (given or {})]
        return turns[0] if turns and turns[0] <= MOST_COLUMNS else None

    # -- samples --------------------------------------------------------------------------------------------------

    def sample(self, n: int, *, seed: int | None = None, truncation: float | None = None, **given: Any) -> Tensor:
        """(n, C, H, W) float32 in [-1, 1] for images, (n, D) for points; on the CPU.

        seed: the same seed gives the same samples, and the first ones whatever n is; None takes a new one. truncation:
        0 to 1; the smaller, the nearer each sample is to the average one and the less variety there is; 1 is as drawn.
        given: values of inputs by name, one for all samples or n of them: a class by its name or number, numbers, a
        tensor. Classes that are not given come in turn, everything else is drawn.

        Raises UsageError for an input that there is not, one that must be given and is not, and for any other value
        than an input admits.
        """
        return torch.cat(list(self.blocks(n, seed=seed, truncation=truncation, **given)))

    def grid(
        self,
        n: int = 64,
        *,
        seed: int | None = None,
        truncation: float | None = None,
        columns: int | None = None,
        **given: Any,
    ) -> Image.Image:
        """One picture of n samples, as `sample` draws them: a grid, or one plot of points. columns: of the grid, by
        default one for each class that comes in turn, else as square as possible."""
        samples = self.sample(n, seed=seed, truncation=truncation, **given)
        return self.space.show(samples, columns=columns or self.columns(given))

    def to_pil(self, samples: Tensor) -> list[Image.Image]:
        """Each of the samples, as `sample` gives them, as a picture of its own."""
        return self.space.pictures(samples)

    def blocks(
        self, n: int, *, seed: int | None = None, truncation: float | None = None, **given: Any
    ) -> Iterator[Tensor]:
        """The same samples in pieces, as many as their space draws together, so that any n fits into memory."""
        values = self.checked(n, given, truncation)
        seed = int.from_bytes(os.urandom(4), "little") if seed is None else seed
        return self._blocks(n, seed, truncation, values)

    def sample_frame(
        self, n: int, *, seed: int | None = None, truncation: float | None = None, **given: Any
    ) -> pandas.DataFrame:
        """Rows of a table as a frame of pandas, with the types that the columns had; see `sample`. Raises UsageError
        for a model of something else."""
        return self.space.frame(self.sample(n, seed=seed, truncation=truncation, **given))

    def transform(
        self,
        values: Any,
        *,
        seed: int | None = None,
        truncation: float | None = None,
        tick: Callable[[], None] = lambda: None,
        **given: Any,
    ) -> Tensor:
        """What it makes of `values`, the first input that must be given: (n, *shape) float32 on the CPU.

        values: (n, C, H, W) floats in [-1, 1] of pictures, or one (C, H, W). An array or tensor as prepared data has it
        works too, which of pictures is uint8 (n, H, W, C) or (H, W, C). Other inputs are given or drawn as `sample` has
        it. What is large is made in tiles without seams where the recipe says how far its network can see.
        tick: called whenever some of the work is done.

        Raises UsageError where nothing can be given to this model, and for values that do not fit.
        """
        checked = self._checked_with(values, truncation, given)
        seed = int.from_bytes(os.urandom(4), "little") if seed is None else seed
        return torch.cat(list(self._blocks(len(checked[next(iter(self.given))]), seed, truncation, checked, tick)))

    def strips(
        self,
        values: Any,
        *,
        seed: int | None = None,
        truncation: float | None = None,
        tick: Callable[[], None] = lambda: None,
        **given: Any,
    ) -> Iterator[Tensor]:
        """What `transform` makes of one sample, as strips across its third dimension (1, C, rows, ...), from above: of
        a large one no more is in memory at a time than a strip."""
        checked = self._checked_with(values, truncation, given)
        seed = int.from_bytes(os.urandom(4), "little") if seed is None else seed
        with torch.random.fork_rng():
            inputs = {name: each[:1] for name, each in self.block(0, seed, truncation, checked).items()}
        yield from self.pieces(inputs, tick)

    def _checked_with(self, values: Any, truncation: float | None, given: Mapping[str, Any]) -> dict[str, Tensor]:
        """All that is given, where `values` are the first input that must be."""
        first = next(iter(self.given), None)
        if first is None:
            raise UsageError(f"{type(self.recipe).__name__} makes samples of nothing that is given; take `sample`")
        if first in given:
            raise UsageError(f"the values are {quoted(first)} already; give them once")
        parsed = self.parsed(first, values)
        return self.checked(len(parsed), {first: parsed, **given}, truncation)

    def invert(
        self,
        values: Any,
        *,
        steps: int | None = None,
        seconds: float | None = None,
        draws: int = 1000,
        seed: int = 0,
        tick: Callable[[], None] = lambda: None,
        **given: Any,
    ) -> Inversion:
        """The inputs whose samples come nearest to `values`, with how near they come (`Inversion`).

        values: (n, C, H, W) floats in [-1, 1] of pictures, or one (C, H, W), as prepared data has it, or the content of
        a file. The best of `draws` are where a descent under a perceptual distance begins. steps: its length, by
        default 200; the same steps and seed give the same. seconds: instead, for each of the values, everything
        included. given: values of inputs that are known, which stay: a class by its name. Classes that are not given
        are tried in turn. tick: called after each step, and each time that some draws are compared.

        Raises UsageError for values that are no samples of this model's space, and where it draws nothing to search.
        """
        try:
            targets = Given(self.space).parse(values)
        except UsageError as error:
            raise UsageError(f"what is to be inverted: {error}") from None
        known = self.checked(len(targets), given)
        return invert(
            self.recipe, self.space, targets, known, steps=steps, seconds=seconds, draws=draws, seed=seed, tick=tick
        )

    def checked(self, n: int, given: Mapping[str, Any], truncation: float | None = None) -> dict[str, Tensor]:
        """What is given for `n` samples, as tensors: (1, *shape) for all of them, or (n, *shape). None counts as not
        given. Raises UsageError for all that `sample` refuses."""
        if n < 1:
            raise UsageError(f"-n must be 1 or more, not {n}")
        check_truncation(truncation)
        values = {}
        for name, value in given.items():
            if value is None:
                continue
            values[name] = self.parsed(name, value)
            if len(values[name]) not in (1, n):
                raise UsageError(f"{name}: give one or {n}, not {len(values[name])}")
        self.recipe.draw(0, {name: each[:0] for name, each in values.items()}, truncation)  # raises what else is wrong
        return values

    def parsed(self, name: str, value: Any) -> Tensor:
        """A value of the input of this name as `Input.parse` has it. Raises UsageError, which names it."""
        if name not in self.inputs:
            raise UsageError(f"{type(self.recipe).__name__} has no input {quoted(name)}{near_miss(name, self.inputs)}")
        try:
            return self.inputs[name].parse(value)
        except UsageError as error:
            raise UsageError(f"{name}: {error}") from None

    def classes(self, n: int, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """(n,) int64: the number of each sample's class, by the name of the input. values: as `checked` gives them."""
        return {
            name: values[name].expand(n) if name in values else each.draw(n, torch.device("cpu"))
            for name, each in self.inputs.items()
            if each.choices
        }

    def block(self, index: int, seed: int, truncation: float | None, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The inputs of the samples from `index` times their space's `block` on: of so many, or of as many as are
        given of what must be given.

        values: as `checked` gives them. The global random state is another one afterwards.
        """
        size, device = self.space.block, self.recipe.device
        start, part = index * size, slice(index * size, (index + 1) * size)
        given = {
            name: (_for_all(each, size) if len(each) == 1 else each[part]).to(device) for name, each in values.items()
        }
        seed_from(seed, index)
        drawn = self.recipe.draw(size, given, truncation, first=start)
        if not self.given:  # all blocks have one size, because a network's rounding errors depend on it
            return {name: _filled(each, size) for name, each in drawn.items()}
        rows = min(map(len, drawn.values()))
        return {name: each[:rows] for name, each in drawn.items()}

    def decode(self, inputs: Mapping[str, Tensor], tick: Callable[[], None] = lambda: None) -> Tensor:
        """The samples of these inputs, (n, *shape) each: (n, ...) float32 on the CPU.

        What is made of something given is made one by one, in tiles where it is large and the recipe says how far its
        network can see. tick: called for each.
        """
        self.recipe.eval()
        if not self.given:
            with torch.no_grad():
                return self._generated(self.recipe, inputs)
        n = len(next(iter(inputs.values())))
        each = [{name: value[i : i + 1] for name, value in inputs.items()} for i in range(n)]
        return torch.cat([self._made(one, tick) for one in each])

    def _blocks(
        self,
        n: int,
        seed: int,
        truncation: float | None,
        values: Mapping[str, Tensor],
        tick: Callable[[], None] = lambda: None,
    ) -> Iterator[Tensor]:
        done, index, size = 0, 0, self.space.block
        while done < n:
            start = index * size
            with torch.random.fork_rng():
                inputs = self.block(index, seed, truncation, values)
                if self.given:
                    inputs = {name: each[: n - start] for name, each in inputs.items()}
                samples = self.decode(inputs, tick)
            admitted = self.space.admitted(samples)
            if admitted is not None:
                samples = samples[admitted]
            samples = samples[: n - done]
            done, index = done + len(samples), index + 1
            if index * size >= FRUITLESS + RARE * done:
                raise UsageError(
                    f"of {index * size:,} {self.space.noun} that {self.name} made {done:,} met what is demanded of "
                    "them: demand less, or train longer"
                )
            yield samples

    def _made(self, inputs: dict[str, Tensor], tick: Callable[[], None]) -> Tensor:
        """One sample (1, ...) of inputs (1, ...) of which some are given."""
        pieces = list(self.pieces(inputs, tick))
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=2)

    def pieces(self, inputs: Mapping[str, Tensor], tick: Callable[[], None] = lambda: None) -> Iterator[Tensor]:
        """One sample (1, ...) on the CPU, of inputs (1, ...) of which some are given, as strips across its third
        dimension, from above: of a large one no more is in memory at a time than a strip. tick: called for each tile.
        """
        self.recipe.eval()
        given = self.given
        sizes = inputs[next(iter(given))].shape[2:]
        tileable = all(each.reach is not None and inputs[name].shape[2:] == sizes for name, each in given.items())
        first = next(iter(given.values()))
        margin = max((multiple_of(each, each.reach or 0) for each in given.values()), default=0)
        tile = multiple_of(first, max(TILE, MARGINS * margin))
        at_once = (TILE * 3 // 2) ** len(sizes)  # about what a tile is with its margins
        if not tileable or math.prod(sizes) <= at_once:
            with torch.no_grad():
                made = self._generated(self.recipe, inputs)
            tick()
            yield made
            return
        with torch.no_grad():
            small = {k: given[k].space.reduced(v, at_once) if k in given else v for k, v in inputs.items()}
            recipe = self.recipe.for_pieces_of({name: each.to(self.recipe.device) for name, each in small.items()})

        def make(window: tuple[slice, ...]) -> Tensor:
            with torch.no_grad():
                return self._generated(
                    recipe, {k: v[(slice(None), slice(None), *window)] if k in given else v for k, v in inputs.items()}
                )

        yield from strips(sizes, make, scale=first.scale, tile=tile, margin=margin, tick=tick)

    @staticmethod
    def _generated(recipe: Recipe, inputs: Mapping[str, Tensor]) -> Tensor:
        made: Tensor = recipe.applied(**{name: each.to(recipe.device) for name, each in inputs.items()})
        return made.float().cpu()

    # -- weights --------------------------------------------------------------------------------------------------

    def styled(self, style: str | float | None) -> Model:
        """The same model with one of its sets of `weights`, or with weights between the first (0) and the second (1):
        style is a name, a number, or either as text; None leaves it as it is. Raises UsageError."""
        if style is None:
            return self
        chosen, weights = self._weights(style)
        recipe = own_network(self.recipe)
        recipe.get_submodule(recipe.averaged[0]).load_state_dict(weights)
        return replace(self, recipe=recipe, style=chosen)

    def _weights(self, style: str | float) -> tuple[str | float, Mapping[str, Tensor]]:
        names = list(self.weights)
        if not names:
            raise UsageError(f"{self.name} has one set of weights, so there is no style {quoted(style)}")
        if style in self.weights:
            return style, self.weights[str(style)]
        span = (
            f"0 ({names[0]}) to 1 ({names[1]})"
            if len(names) > 1
            else f"{quoted(names[0])}, the only one of {self.name}"
        )
        try:
            share = float(style)
        except ValueError:
            raise UsageError(
                f"--style must be {' or '.join(names)}, not {quoted(style)}{near_miss(str(style), names)}"
            ) from None
        if not 0 <= share <= 1 or (share > 0 and len(names) == 1):
            raise UsageError(f"--style must be {span}, not {style}")
        if share in (0, 1):
            return share, self.weights[names[int(share)]]
        return share, between(self.weights[names[0]], self.weights[names[1]], share)


def check_truncation(truncation: float | None) -> None:
    if truncation is not None and not 0 <= truncation <= 1:
        raise UsageError(f"--truncation must be 0 to 1, where 1 is as drawn, not {truncation}")


def load(run: str | Path, *, recipe: str | type[Recipe] | None = None, device: str = "cpu") -> Model:
    """The model of a run, of `zoo:NAME`, or of a folder that `ganvas export --format hub` wrote. Of a run it takes the
    averaged weights of `best/` where a score picked one, else of the newest checkpoint.

    recipe: must name `path/to/file.py:Class` again, or be the class, for a run that was trained with a user's own
    recipe, since loading runs that file.

    Raises RunError for a folder that is not a run, or whose checkpoints cannot be used.
    """
    if zoo.is_zoo(run):
        return _of_zoo(run, device)
    run = Path(run)
    config = read_config(run)
    name, chosen = recipe_of(run, config, recipe)
    try:
        names = _names(config)
        space = space_from_config(config["data"]["space"])
        arguments = checked(chosen, stored_arguments(chosen, config["arguments"]))
    except (KeyError, TypeError):
        raise RunError(f"{run}/config.json is not complete; it is not a run that Ganvas wrote") from None
    except UsageError as error:
        raise RunError(f"{run}/config.json: {error}") from error
    of_data = {option.name for option in read_options(chosen) if option.from_data}
    for fact, value in space.facts().items():
        if fact in of_data and arguments[fact] != value:
            raise RunError(f"{run}/config.json contradicts itself: its data has {fact} {value}, not {arguments[fact]}")
    state, notes = _stored(run, config, name, blueprint(run, chosen, arguments))
    built = made(run, chosen, arguments)
    built.load_state_dict({**state["model"], **state["averaged"]}, strict=False)
    styles = built.styles()
    return Model(
        recipe=built.to(device).eval().requires_grad_(False),
        space=space,
        inputs=with_names(built.inputs(), names),
        step=int(state["values"]["step"]),
        name=str(run),
        weights=styles,
        style=next(reversed(styles), None),
        notes=notes,
        trained_on=str(config["data"].get("fingerprint", "")),
    )


def _names(config: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Of classes, by the name of the input. Runs of before there were inputs in it name their labels."""
    if "inputs" in config:
        return names_of(inputs_from_json(config["inputs"]))
    return {"label": tuple(str(label) for label in config["data"]["labels"])}


def _of_zoo(name: str, device: str) -> Model:
    """An entry of the zoo in the first of its styles."""
    entry = zoo.entry(name)
    card = entry.card
    _, chosen = recipe_of(Path(name), card, None)
    built = chosen(**checked(chosen, stored_arguments(chosen, card["arguments"])))
    weights = {style: entry.weights(style) for style in entry.styles}
    first = entry.styles[0]
    if entry.networks:
        whole = weights.pop(first)
        for network in entry.networks:
            own = {
                key.removeprefix(f"{network}."): each for key, each in whole.items() if key.startswith(f"{network}.")
            }
            built.get_submodule(network).load_state_dict(own)
    else:
        built.get_submodule(built.averaged[0]).load_state_dict(weights[first])
    return Model(
        recipe=built.to(device).eval().requires_grad_(False),
        space=space_from_config(card["data"]["space"]),
        inputs=with_names(built.inputs(), names_of(inputs_from_json(card.get("inputs", [])))),
        step=int(card["styles"][first]["step"]),
        name=name,
        weights=weights,
        style=first if weights else None,
    )


def own_network(recipe: Recipe) -> Recipe:
    """A copy whose first averaged network is its own; all tensors that are not of this network are shared."""
    network = recipe.get_submodule(recipe.averaged[0])
    own = {id(tensor) for tensor in (*network.parameters(), *network.buffers())}
    shared = {id(t): t for t in (*recipe.parameters(), *recipe.buffers()) if id(t) not in own}
    return copy.deepcopy(recipe, shared)


def _for_all(values: Tensor, size: int) -> Tensor:
    """(1, ...) as the rows of a block, which share its memory."""
    return values.expand(size, *values.shape[1:])


def _filled(values: Tensor, size: int) -> Tensor:
    """A whole block, in which the last row is repeated."""
    lacking = size - len(values)
    return torch.cat([values, values[-1:].expand(lacking, *values.shape[1:])]) if lacking else values


def _stored(run: Path, config: dict[str, Any], name: str, plan: Recipe) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The state whose weights are used, and a note where better ones could not be. Raises RunError.

    plan: the recipe without values. What does not fit it is found out before anything of the size that
    `config.json` claims takes memory.
    """

    def fits(state: dict[str, Any], place: Path) -> None:
        checkpoint.check_fits(state, plan, place)

    if (run / checkpoint.EXPORTED).exists():
        state = checkpoint.read_exported(run, config)
        fits(state, run)
        return state, ()
    places = [*([run / "best"] if (run / "best").is_dir() else []), *checkpoint.found(run / "checkpoints")]
    found, path, refused = checkpoint.first_of(places, name, fits)
    if found is None or path is None:
        why = "; ".join(refused) or "it has none yet: train on with --resume"
        raise RunError(f"no checkpoint of {run} can be used ({why})")
    if not refused:
        return found, ()
    others = f", and {counted(len(refused) - 1, 'other')} too" if len(refused) > 1 else ""
    return found, (f"checkpoint {places[0].name} is damaged ({refused[0]}){others}, so {path.name} is used",)
