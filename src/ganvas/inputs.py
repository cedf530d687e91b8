"""What a recipe's `generate` takes, declared: the one place that everything outside reads.

    {"latent": Normal((100,)), "label": Category(10)}             a conditional GAN
    {"source": Given(ImageSpace(3, 64, 64))}                      image translation
    {"latent": Normal((62,)), "category": Category(10), "codes": Uniform((2,))}
    {"source": Given(...), "change": Attributes((Attribute("smile"),)), "strength": Number(0, 2, default=1)}
    {"latent": Normal((64,)), "caption": Caption(Words(...), examples)}              text to image
    {"latent": Normal((64,)), "where": Where(TableSpace(...))}                       rows of a table

Drawing, truncation, flags of the command line, the server's schema, the studio's fields and the inputs of exported
files follow from the declaration. Nothing looks at argument names or at what was drawn. Importing this needs no torch,
so that the flags of a run can be told from its `config.json`.
"""

from __future__ import annotations

import functools
import keyword
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

from ganvas.attributes import STAYS, Attribute, attributes_from_json, attributes_to_json, numbers_of
from ganvas.captions import Encoder, encoder_from_json
from ganvas.errors import DataError, RunError, UsageError, near_miss
from ganvas.text import counted, listed, shown

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ganvas.spaces import Space

RESERVED = frozenset(
    {"balanced", "draws", "file", "format", "help", "n", "out", "overwrite", "recipe", "request", "run", "seconds"}
    | {"seed", "self", "size", "steps", "tick", "truncation", "values"}
)
"""Names that no input has, because samples are asked for by them."""

DRAWN = "drawn"
"""What happens to most inputs that nobody gives."""

MOST_CLASSES = 10_000_000
"""In a file that says what its inputs are; more are taken for damage."""

MOST_EXAMPLES = 1000
"""Of captions, in such a file."""

MOST_CAPTIONS = 1000
"""Different ones that are given at once, since some encoders take their time."""


class Input(ABC):
    """One input of `generate`. Its tensors are (n, *shape), the values of one sample below the first dimension.

    kind: its name in JSON. file: whether people give it as a file, and not as text. lines: whether several are given
    as the lines of a file. smooth: whether values that are near to one another give samples that are, so that a search
    can go downhill.
    """

    kind: ClassVar[str]
    file: ClassVar[bool] = False
    lines: ClassVar[bool] = False
    smooth: ClassVar[bool] = False

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of one sample's values; FREE where any size will do."""

    @property
    def choices(self) -> tuple[str, ...]:
        """What there is to choose from, in words; () where there is no list of it."""
        return ()

    @property
    def suggestions(self) -> tuple[str, ...]:
        """Values that a form can suggest, in words: the choices, where there are any."""
        return self.choices

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of what it is made of, of which `parse` takes a mapping; () where it is one thing."""
        return ()

    @abstractmethod
    def draw(self, n: int, device: torch.device, first: int = 0) -> Tensor:
        """(n, *shape) from the global random state. first: how many samples were drawn before these. Raises UsageError
        where it can only be given."""

    def example(self, n: int, device: torch.device) -> Tensor:
        """(n, *shape) from the global random state: what an export is tried with. By default what is drawn."""
        return self.draw(n, device)

    def truncated(self, values: Tensor, share: float) -> Tensor:
        """Values that lie at `share` (0 to 1) of their way from the mean of what is drawn; as they are by default."""
        return values

    def nearest(self, values: Tensor) -> Tensor:
        """(n, *shape): of what is drawn, the nearest to these values; as they are by default."""
        return values

    @abstractmethod
    def parse(self, value: Any) -> Tensor:
        """(k, *shape): what somebody means by this value, k being 1 where it is one for all samples. It is the text of
        a flag or a form, a value of JSON, the content of a file as bytes, or in Python a tensor or an array.

        Raises UsageError that says what is admitted.
        """

    def remark(self, value: Any) -> str:
        """What somebody should know who has given this value, which `parse` takes; "" where there is nothing."""
        return ""

    def offered(self) -> dict[str, list[float]]:
        """By its title, numbers of values that can be chosen where `parse` is not at hand; {} where the declaration
        tells enough to make any."""
        return {}

    def admits(self) -> str:
        """What people can give, in words for a help text; "" where it is only ever drawn."""
        return ""

    @property
    def unless_given(self) -> str:
        """What is taken where nothing is given, in words for a help text; "" where it must be given."""
        return DRAWN

    def schema(self) -> dict[str, Any]:
        """The JSON schema of its value in a request."""
        return {"description": self.admits()}

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """What a program without PyTorch needs to know of it."""


@dataclass(frozen=True)
class Normal(Input):
    """Numbers from N(0, 1).

    sphere: they are brought to unit mean square, so that all draws lie on a sphere; the generator then sees by the
    length how far a truncated one is from the mean.
    """

    kind: ClassVar[str] = "normal"
    smooth: ClassVar[bool] = True
    size: tuple[int, ...]
    sphere: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return self.size

    def draw(self, n: int, device: torch.device, first: int = 0) -> Tensor:
        import torch

        values = torch.empty(n, *self.size, device=device).normal_()
        return self.nearest(values) if self.sphere else values

    def nearest(self, values: Tensor) -> Tensor:
        """On the sphere; without one, not farther from the mean than nearly all draws: their lengths have a standard
        deviation of at most 1 around the root of how many numbers there are."""
        square = values.square().flatten(1).mean(1)
        if self.sphere:
            share = square.add(1e-8).rsqrt()
        else:
            count = math.prod(self.size)
            share = ((math.sqrt(count) + 3) / (square * count).sqrt().clamp(min=1e-8)).clamp(max=1)
        return values * share.reshape(-1, *(1 for _ in self.size))

    def truncated(self, values: Tensor, share: float) -> Tensor:
        """On the straight line to the mean, which is 0 (the truncation trick: Karras et al. 2019, appendix B)."""
        return values * share

    def parse(self, value: Any) -> Tensor:
        """A tensor, (*shape) or (k, *shape)."""
        values = _tensor(value)
        if values is None:
            raise UsageError("a latent is drawn, and not given as text; --seed chooses it")
        return _checked(values.float(), self)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "shape": list(self.size), **({"sphere": True} if self.sphere else {})}


@dataclass(frozen=True)
class Noise(Normal):
    """Numbers from N(0, 1) that decide what is random in the details. A search for what makes a sample leaves them as
    they were drawn: with one number for each pixel it would draw the sample in them."""

    smooth: ClassVar[bool] = False

    def to_json(self) -> dict[str, Any]:
        return super().to_json() | {"details": True}


@dataclass(frozen=True)
class Shift(Input):
    """Numbers that are 0 unless given: how far to go from where the other inputs have placed a sample in an inner
    space, such as StyleGAN's w. Searches go on in it, and directions are told in its last dimension, the same for all
    others."""

    kind: ClassVar[str] = "shift"
    smooth: ClassVar[bool] = True
    size: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.size

    @property
    def unless_given(self) -> str:
        return "0"

    def draw(self, n: int, device: torch.device, first: int = 0) -> Tensor:
        """Zeros: as it would be without."""
        import torch

        return torch.zeros(n, *self.size, device=device)

    def example(self, n: int, device: torch.device) -> Tensor:
        """Numbers from N(0, 1), since zeros would show nothing."""
        import torch

        return torch.empty(n, *self.size, device=device).normal_()

    def parse(self, value: Any) -> Tensor:
        """A tensor, (*shape) or (k, *shape)."""
        values = _tensor(value)
        if values is None:
            raise UsageError("a shift is found by inversion or along directions, and not given as text")
        return _checked(values.float(), self)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "shape": list(self.size)}


@dataclass(frozen=True)
class Uniform(Input):
    """Numbers that are evenly distributed between `low` and `high`."""

    kind: ClassVar[str] = "uniform"
    smooth: ClassVar[bool] = True
    size: tuple[int, ...]
    low: float = -1.0
    high: float = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        return self.size

    @property
    def count(self) -> int:
        """How many numbers one sample takes."""
        return math.prod(self.size)

    def draw(self, n: int, device: torch.device, first: int = 0) -> Tensor:
        import torch

        return (self.high - self.low) * torch.rand(n, *self.size, device=device) + self.low

    def nearest(self, values: Tensor) -> Tensor:
        return values.clamp(self.low, self.high)

    def parse(self, value: Any) -> Tensor:
        """Numbers: with commas between them in text, a list in JSON, a tensor (*shape) or (k, *shape)."""
        values = _numbers(value, self.size)
        if not bool(((values >= self.low) & (values <= self.high)).all()):
            raise UsageError(f"must be {self.admits()}, not {_told(value)}")
        return values.float()

    def admits(self) -> str:
        few = "a number" if self.count == 1 else f"{self.count} numbers with commas between them, each"
        return f"{few} from {self.low:g} to {self.high:g}"

    def schema(self) -> dict[str, Any]:
        number = {"type": "number", "minimum": self.low, "maximum": self.high}
        told = f"{counted(self.count, 'number')} from {self.low:g} to {self.high:g}; by default drawn"
        if not self.size:
            return {**number, "description": told}
        bounds = {"minItems": self.count, "maxItems": self.count}
        return {"type": "array", "items": number, **bounds, "description": told}

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "shape": list(self.size), "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Number(Input):
    """A number from `low` to `high` that is never drawn: it is `default` where nobody gives it."""

    kind: ClassVar[str] = "number"
    low: float
    high: float
    default: float

    @property
    def shape(self) -> tuple[int, ...]:
        return ()

    @property
    def unless_given(self) -> str:
        return f"{self.default:g}"

    def draw(self, n: int, device: torch.device, first: int = 0) -> Tensor:
        """The default, n times."""
        import torch

        return torch.full((n,), float(self.default), device=device)

    def example(self, n: int, device: torch.device) -> Tensor:
        """Numbers of the whole range, since one that never differs would show nothing."""
        import torch

        return self.low + (self.high - self.low) * torch.rand(n, device=device)

    def parse(self, value: Any) -> Tensor:
        """A number, as text too; k of them as a list or a tensor (k,)."""
        values = _numbers(value, ())
        if not bool(((values >= self.low) & (values <= self.high)).all()):
            raise UsageError(f"must be {self.admits()}, not {_told(value)}")
        return values.float()

    def admits(self) -> str:
        return f"a number from {self.low:g} to {self.high:g}"

    def schema(self) -> dict[str, Any]:
        told = {"type": "number", "minimum": self.low, "maximum": self.high, "default": self.default}
        return told | {"description": f"{self.admits()}; by default {self.unless_given}"}

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "shape": [], "low": self.low, "high": self.high, "default": self.default}


@dataclass(frozen=True)
class Attributes(Input):
    """Named properties that a sample is to have, one number each; NaN where one is to stay as it is, which is how they
    are drawn."""

    kind: ClassVar[str] = "attributes"
    attributes: tuple[Attribute, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.attributes),)

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.attributes)

    @property
    def unless_given(self) -> str:
        return "what is not named stays as it is"

    def draw(self, n: int, device: torch.device, first: int = 0) -> Tensor:
        """NaN: nothing changes."""
        import torch

        return torch.full((n, *self.shape), STAYS, device=device)

    def example(self, n: int, device: torch.device) -> Tensor:
        """Every third stays, and the others are of their whole range."""
        import torch

        places = torch.arange(n * len(self.attributes)).reshape(n, -1) % 3 == 0
        columns = [each.low + (each.high - each.low) * torch.rand(n) for each in self.attributes]
        values = [
            column.round() if each.choices else column for column, each in zip(columns, self.attributes, strict=True)
        ]
        return torch.stack(values, 1).masked_fill(places, STAYS).to(device)

    def parse(self, value: Any) -> Tensor:
        """A mapping such as `{"smile": 1, "hair": "pink"}`, text such as `smile=1,hair=pink`, or k of these in a list;
        a tensor (K,) or (k, K) of numbers, with NaN for what stays."""
        import torch

        values = _tensor(value)
        if values is None:
            some = value if isinstance(value, (list, tuple)) and value else [value]
            return torch.tensor([numbers_of(self.attributes, each) for each in some], dtype=torch.float32)
        values = _checked(values.float(), self)
        for column, each in zip(values.cpu().unbind(1), self.attributes, strict=True):
            for number in column.tolist():
                each.check(number)
        return values

    def admits(self) -> str:
        return f"name=value with commas between them: {self._told()}"

    def schema(self) -> dict[str, Any]:
        of_each = {each.name: each.schema() for each in self.attributes}
        told = {"type": ["object", "string"], "properties": of_each, "additionalProperties": False}
        return told | {"description": f"attributes to change: {self._told()}; {self.unless_given}"}

    def _told(self) -> str:
        return listed((f"{shown(each.name)} ({each.admits()})" for each in self.attributes), 40)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "shape": list(self.shape), "attributes": attributes_to_json(self.attributes)}


@dataclass(frozen=True)
class Where(Input):
    """Cells that a row of a table is to have; NaN where one is free, which is how they are drawn."""

    kind: ClassVar[str] = "where"
    space: Space

    @property
    def shape(self) -> tuple[int, ...]:
        return self.space.shape

    @property
    def parts(self) -> tuple[str, ...]:
        return self.space.names

    @property
    def unless_given(self) -> str:
        return "all are free"

    def draw(self, n: int, device: torch.device, first: int = 0) -> Tensor:
        """NaN: nothing is asked for."""
        import torch

        return torch.full((n, *self.shape), math.nan, device=device)

    def example(self, n: int, device: torch.device) -> Tensor:
        """Some columns of each, so that an export is tried with them."""
        return self.space.some_conditions(n).to(device)

    def parse(self, value: Any) -> Tensor:
        """A mapping such as `{"country": "DE", "age": 30}`, text such as `country=DE,age=30`, or k of these in a list;
        a tensor (*shape) or (k, *shape) of a sample's numbers, with NaN for what is free."""
        import torch

        values = _tensor(value)
        if values is not None:
            return _checked(values.float(), self)
        some = value if isinstance(value, (list, tuple)) and value else [value]
        return torch.tensor([self.space.conditions(each) for each in some], dtype=torch.float32)

    def admits(self) -> str:
        return f"column=value with commas between them, of {listed(map(shown, self.parts), 40)}"

    def schema(self) -> dict[str, Any]:
        told = {"type": ["object", "string", "array"], "items": {"type": ["object", "string"]}}
        return told | {"description": f"what cells are to hold: {self.admits()}; by default {self.unless_given}"}

    def to_json(self) -> dict[str, Any]:
        from ganvas.spaces import space_to_config

        return {"kind": self.kind, "shape": list(self.shape), "space": space_to_config(self.space)}


@dataclass(frozen=True)
class Category(Input):
    """One of `count` classes, int64 without further dimensions; when drawn, each in turn.

    names: of the classes, where the data knows them; () leaves them as numbers.
    """

    kind: ClassVar[str] = "class"
    count: int
    names: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        return ()

    @property
    def choices(self) -> tuple[str, ...]:
        """Its names, or its numbers where it has none."""
        return self.names or tuple(str(number) for number in range(self.count))

    @property
    def unless_given(self) -> str:
        return "all in turn"

    def draw(self, n: int, device: torch.device, first: int = 0) -> Tensor:
        """Every class in turn, so that any n samples are as balanced as n allows."""
        import torch

        return torch.arange(first, first + n, device=device) % self.count

    def parse(self, value: Any) -> Tensor:
        """A name, or a number from 0 where the classes have no names; or k of them. In JSON and Python a class that has
        a name can be given by its number too, unless names are numbers themselves. A tensor holds numbers of classes.
        """
        import torch

        numbers = _tensor(value)
        if numbers is None:
            some = value if isinstance(value, (list, tuple)) else [value]
            return torch.tensor([self._number(each) for each in some], dtype=torch.int64)
        if (
            numbers.is_floating_point()
            or numbers.dim() > 1
            or not bool(((numbers >= 0) & (numbers < self.count)).all())
        ):
            raise UsageError(f"a tensor of classes holds whole numbers from 0 to {self.count - 1}, one a sample")
        return numbers.reshape(-1).long()

    def _number(self, value: Any) -> int:
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        if (whole or isinstance(value, str)) and str(value) in self.choices:
            return self.choices.index(str(value))
        if whole and 0 <= value < self.count and not any(name.isdecimal() for name in self.names):
            return int(value)
        raise UsageError(f"there is no {_told(value)}{near_miss(str(value)[:200], self.choices)}")

    def admits(self) -> str:
        return listed(map(shown, self.names), 12) if self.names else f"a number from 0 to {self.count - 1}"

    def schema(self) -> dict[str, Any]:
        one = {"type": ["string", "integer"], "examples": list(self.choices[:1])}
        return one | {"description": f"one of {listed(self.choices, 12)}; by default all in turn"}

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "shape": [], "classes": self.count, "names": list(self.names)}


@dataclass(frozen=True)
class Caption(Input):
    """What a text says, as the numbers that its encoder makes of it; when drawn, each of the examples in turn.

    examples: captions of the training, at least one.
    """

    kind: ClassVar[str] = "caption"
    lines: ClassVar[bool] = True
    encoder: Encoder
    examples: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.encoder.size,)

    @property
    def suggestions(self) -> tuple[str, ...]:
        return self.examples

    @property
    def unless_given(self) -> str:
        return "captions of the training in turn"

    def draw(self, n: int, device: torch.device, first: int = 0) -> Tensor:
        import torch

        places = torch.arange(first, first + n) % len(self.examples)
        return _encoded(self.encoder, self.examples)[places].to(device)

    def parse(self, value: Any) -> Tensor:
        """A text, or k of them in a list; numbers that an encoder has made, as a tensor."""
        numbers = _tensor(value)
        if numbers is not None:
            return _checked(numbers.float(), self)
        texts = value if isinstance(value, (list, tuple)) and value else [value]
        if not all(isinstance(text, str) for text in texts):
            raise UsageError(f"must be {self.admits()}, not {_told(value)}")
        different = list(dict.fromkeys(texts))
        if len(different) > MOST_CAPTIONS:
            raise UsageError(f"at most {MOST_CAPTIONS:,} different captions at once, not {len(different):,}")
        place_of = {text: place for place, text in enumerate(different)}
        return self.encoder.encode(different)[[place_of[text] for text in texts]]

    def remark(self, value: Any) -> str:
        texts = value if isinstance(value, (list, tuple)) else [value]
        return next(filter(None, (self.encoder.remark(text) for text in texts if isinstance(text, str))), "")

    def offered(self) -> dict[str, list[float]]:
        if self.encoder.bag:
            return {}
        values = _encoded(self.encoder, self.examples).double().mul(1e4).round().div(1e4).tolist()
        return dict(zip(self.examples, values, strict=True))

    def admits(self) -> str:
        return f"a text such as {_told(self.examples[0])}"

    def schema(self) -> dict[str, Any]:
        told = {"type": ["string", "array"], "items": {"type": "string"}, "examples": list(self.examples[:3])}
        return told | {"description": f"{self.admits()}; by default {self.unless_given}"}

    def to_json(self) -> dict[str, Any]:
        told = {"kind": self.kind, "shape": list(self.shape)}
        return told | {"encoder": self.encoder.to_json(), "examples": list(self.examples)}


@functools.lru_cache(maxsize=8)
def _encoded(encoder: Encoder, examples: tuple[str, ...]) -> Tensor:
    """(n, size) of captions that are asked for again and again."""
    return encoder.encode(examples)


@dataclass(frozen=True)
class Given(Input):
    """Something of a space, which must be given: a picture to change, a caption.

    scale: the output is this many times as high and wide. reach: how many of its own pixels away an output pixel can
    see, so that a large one can be made in tiles that overlap by that much (what normalisations see of the whole is
    held: `Recipe.for_pieces_of`); None where it must be seen whole. multiple: tiles must begin at multiples of this
    many pixels. any_scale: the recipe itself sees to what is of another scale than its training was on, which otherwise
    is brought to that first.
    """

    kind: ClassVar[str] = "given"
    file: ClassVar[bool] = True
    space: Space
    scale: int = 1
    reach: int | None = None
    multiple: int = 1
    any_scale: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return self.space.shape

    @property
    def unless_given(self) -> str:
        return ""

    def draw(self, n: int, device: torch.device, first: int = 0) -> Tensor:
        raise UsageError(f"must be given: {self.space}")

    def parse(self, value: Any) -> Tensor:
        """The content of a file; a tensor or an array of floats (*shape) or (k, *shape); or an array as prepared data
        has it, which of pictures is (H, W, C) or (k, H, W, C) uint8."""
        if isinstance(value, bytes):
            try:
                return self.space.read(value)
            except DataError as error:
                raise UsageError(str(error)) from None
        values = _tensor(value)
        if values is None:
            raise UsageError(f"must be {self.space}: the content of a file, a tensor or an array, not {_told(value)}")
        stored, row = self.space.stored()
        if not values.is_floating_point() and str(values.dtype).removeprefix("torch.") == stored.name:
            rows = values.cpu().numpy()
            rows = rows[None] if _fits(rows.shape, row) else rows
            if _fits(rows.shape[1:], row):
                return self.space.decode(rows)
            raise UsageError(f"must be {self.space}, not of shape {tuple(values.shape)}")
        return _checked(values.float(), self)

    def admits(self) -> str:
        return f"a file: {self.space}"

    def to_json(self) -> dict[str, Any]:
        from ganvas.spaces import space_to_config

        told = {"kind": self.kind, "shape": list(self.shape), "space": space_to_config(self.space), "scale": self.scale}
        told |= {} if self.reach is None else {"reach": self.reach, "multiple": self.multiple}
        return told | ({"any_scale": True} if self.any_scale else {})


def label(classes: int) -> dict[str, Input]:
    """The input `label` of a conditional recipe; none for 0 classes. For `{"latent": ..., **label(self.classes)}`."""
    return {"label": Category(classes)} if classes else {}


def given_of(inputs: Mapping[str, Input]) -> dict[str, Given]:
    """The inputs that must be given, by name."""
    return {name: each for name, each in inputs.items() if isinstance(each, Given)}


def searched_of(inputs: Mapping[str, Input], known: Iterable[str] = ()) -> dict[str, Input]:
    """The inputs in which a search can go downhill, by name, but for those whose values are known."""
    return {name: each for name, each in inputs.items() if each.smooth and name not in known}


def with_names(inputs: Mapping[str, Input], names: Mapping[str, tuple[str, ...]]) -> dict[str, Input]:
    """The inputs with the names of their classes, by the name of the input, where the data has as many."""
    return {
        name: replace(each, names=names[name])
        if isinstance(each, Category) and len(names.get(name, ())) == each.count
        else each
        for name, each in inputs.items()
    }


def names_of(inputs: Mapping[str, Input]) -> dict[str, tuple[str, ...]]:
    """The names of classes, by the name of the input: the reverse of `with_names`."""
    return {name: each.names for name, each in inputs.items() if isinstance(each, Category) and each.names}


def check_names(names: Iterable[str]) -> None:
    """Raises TypeError for the name of an input that no keyword or flag can have, or that samples are asked for by."""
    for name in names:
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_") or name in RESERVED:
            raise TypeError(f"an input of `generate` cannot be called {name[:80]!r}; rename it")


def inputs_to_json(inputs: Mapping[str, Input]) -> list[dict[str, Any]]:
    """For `config.json` and exported files, in their order."""
    return [{"name": name, **each.to_json()} for name, each in inputs.items()]


def inputs_from_json(told: Any) -> dict[str, Input]:
    """What `inputs_to_json` wrote. Raises RunError for anything else."""
    try:
        inputs = {str(each["name"]): _FROM_JSON[each["kind"]](each) for each in told}
        check_names(inputs)
        return inputs
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RunError(f"these are no inputs that are known here: {shown(str(told)[:200])}") from error


def _given(told: Mapping[str, Any]) -> Given:
    from ganvas.spaces import space_from_config

    reach = told.get("reach")
    whole = (int(told["scale"]), None if reach is None else int(reach), int(told.get("multiple", 1)))
    if min(whole[0], whole[2]) < 1 or (whole[1] or 0) < 0:
        raise ValueError(f"scale, reach and multiple of {whole}")
    return Given(space_from_config(told["space"]), *whole, any_scale=bool(told.get("any_scale", False)))


def _space(told: Mapping[str, Any]) -> Space:
    from ganvas.spaces import space_from_config

    return space_from_config(told["space"])


def _category(told: Mapping[str, Any]) -> Category:
    count, names = int(told["classes"]), tuple(map(str, told["names"]))
    if not 1 <= count <= MOST_CLASSES or len(names) not in (0, count):
        raise ValueError(f"{count} classes with {len(names)} names")
    return Category(count, names)


def _number(told: Mapping[str, Any]) -> Number:
    low, high, default = (float(told[name]) for name in ("low", "high", "default"))
    if not (math.isfinite(high - low) and low <= default <= high):
        raise ValueError(f"a number from {low} to {high}, by default {default}")
    return Number(low, high, default)


def _caption(told: Mapping[str, Any]) -> Caption:
    examples = told["examples"]
    if not all(isinstance(text, str) for text in examples) or not 1 <= len(examples) <= MOST_EXAMPLES:
        raise ValueError(f"{len(examples)} captions")
    return Caption(encoder_from_json(told["encoder"]), tuple(examples))


_FROM_JSON = {
    "normal": lambda told: (Noise if told.get("details") else Normal)(
        tuple(map(int, told["shape"])), bool(told.get("sphere", False))
    ),
    "shift": lambda told: Shift(tuple(map(int, told["shape"]))),
    "uniform": lambda told: Uniform(tuple(map(int, told["shape"])), float(told["low"]), float(told["high"])),
    "number": _number,
    "attributes": lambda told: Attributes(attributes_from_json(told["attributes"])),
    "caption": _caption,
    "class": _category,
    "where": lambda told: Where(_space(told)),
    "given": _given,
}


def _tensor(value: Any) -> Tensor | None:
    """A tensor or an array as a tensor; None for anything else."""
    import numpy as np
    import torch

    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return torch.from_numpy(np.require(value, requirements=("C", "W")))  # Pillow's arrays are read-only
    return value if isinstance(value, torch.Tensor) else None


def _numbers(value: Any, size: tuple[int, ...]) -> Tensor:
    """(k, *size) float64 of text with commas, of lists or of a tensor; NaN where it is nothing of the kind."""
    import torch

    try:
        words = [float(word) for word in value.split(",")] if isinstance(value, str) else value
        values = torch.as_tensor(words, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return torch.tensor(math.nan)
    if values.numel() == math.prod(size) and values.dim() <= 1:
        return values.reshape(1, *size)
    return values if values.dim() and len(values) and tuple(values.shape[1:]) == size else torch.tensor(math.nan)


def _fits(shape: Iterable[int], wanted: tuple[int, ...]) -> bool:
    """Whether a shape is the wanted one, a negative side of which stands for any."""
    sides = tuple(shape)
    return len(sides) == len(wanted) and all(w in (s, -1) and s > 0 for s, w in zip(sides, wanted, strict=True))


def _checked(values: Tensor, each: Input) -> Tensor:
    """(*shape) or (k, *shape) as (k, *shape). Raises UsageError."""
    if _fits(values.shape, each.shape):
        return values.unsqueeze(0)
    if _fits(values.shape[1:], each.shape) and len(values):
        return values
    wanted = ", ".join("any" if side < 0 else str(side) for side in each.shape)
    raise UsageError(f"must be of shape ({wanted}), or (n, {wanted}) for n samples, not {tuple(values.shape)}")


def _told(value: Any) -> str:
    """A value of unknown origin in an error's line."""
    text = repr(value)
    return shown(text if len(text) <= 80 else text[:79] + "…")
