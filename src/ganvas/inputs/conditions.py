"""Inputs that say what a sample is to be: a class, what a text says, attributes, cells of a row."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

from ganvas.attributes import STAYS, Attribute, attributes_from_json, attributes_to_json, numbers_of
from ganvas.captions import Encoder, encoder_from_json
from ganvas.errors import UsageError, near_miss
from ganvas.inputs.base import Input, checked, quoted, tensor_of
from ganvas.text import listed, shown

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ganvas.spaces import Space

MOST_CLASSES = 10_000_000
"""In a file that says what its inputs are; more are taken for damage."""

MOST_EXAMPLES = 1000
"""Of captions, in such a file."""

MOST_CAPTIONS = 1000
"""Different ones that are given at once, since some encoders take their time."""


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

        numbers = tensor_of(value)
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
        raise UsageError(f"there is no {quoted(value)}{near_miss(str(value)[:200], self.choices)}")

    def admits(self) -> str:
        return listed(map(shown, self.names), 12) if self.names else f"a number from 0 to {self.count - 1}"

    def schema(self) -> dict[str, Any]:
        one = {"type": ["string", "integer"], "examples": list(self.choices[:1])}
        return one | {"description": f"one of {listed(self.choices, 12)}; by default all in turn"}

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "shape": [], "classes": self.count, "names": list(self.names)}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Category:
        count, names = int(told["classes"]), tuple(map(str, told["names"]))
        if not 1 <= count <= MOST_CLASSES or len(names) not in (0, count):
            raise ValueError(f"{count} classes with {len(names)} names")
        return cls(count, names)


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

        values = tensor_of(value)
        if values is None:
            some = value if isinstance(value, (list, tuple)) and value else [value]
            return torch.tensor([numbers_of(self.attributes, each) for each in some], dtype=torch.float32)
        values = checked(values.float(), self)
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

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Attributes:
        return cls(attributes_from_json(told["attributes"]))


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

        values = tensor_of(value)
        if values is not None:
            return checked(values.float(), self)
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

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Where:
        from ganvas.spaces import space_from_config

        return cls(space_from_config(told["space"]))


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
        numbers = tensor_of(value)
        if numbers is not None:
            return checked(numbers.float(), self)
        texts = value if isinstance(value, (list, tuple)) and value else [value]
        if not all(isinstance(text, str) for text in texts):
            raise UsageError(f"must be {self.admits()}, not {quoted(value)}")
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
        return f"a text such as {quoted(self.examples[0])}"

    def schema(self) -> dict[str, Any]:
        told = {"type": ["string", "array"], "items": {"type": "string"}, "examples": list(self.examples[:3])}
        return told | {"description": f"{self.admits()}; by default {self.unless_given}"}

    def to_json(self) -> dict[str, Any]:
        told = {"kind": self.kind, "shape": list(self.shape)}
        return told | {"encoder": self.encoder.to_json(), "examples": list(self.examples)}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Caption:
        examples = told["examples"]
        if not all(isinstance(text, str) for text in examples) or not 1 <= len(examples) <= MOST_EXAMPLES:
            raise ValueError(f"{len(examples)} captions")
        return cls(encoder_from_json(told["encoder"]), tuple(examples))


@functools.lru_cache(maxsize=8)
def _encoded(encoder: Encoder, examples: tuple[str, ...]) -> Tensor:
    """(n, size) of captions that are asked for again and again."""
    return encoder.encode(examples)
