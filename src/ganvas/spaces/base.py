"""What every kind of sample answers: how it is kept, looked at, shown, written, read and judged."""

from __future__ import annotations

import base64
import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from PIL import Image

from ganvas.devices import sent
from ganvas.errors import DataError, RunError, UsageError
from ganvas.spaces.pictures import encoded

if TYPE_CHECKING:
    import pandas
    import torch
    from torch import Tensor

    from ganvas.augment import How, Operations

FREE = -1
"""In a shape: any size."""

MOST_PLAYED = 8
"""Samples that a page plays at most."""

GAP = 1
"""White pixels between two samples of a picture."""

MOST_SEEN = 1024
"""Numbers that `look` gives of a sample at most."""

MOST_NUMBERS = 1 << 28
"""Numbers in a sample beyond which it is none that anybody means: 1 GiB of them."""

_SIDE, _ROWS, _COLUMNS, _MOST_LABELS, _IN_A_PLOT = 1280, 8, 8, 16, 2000

_KINDS: dict[str, type[Space]] = {}

kinds: Mapping[str, type[Space]] = MappingProxyType(_KINDS)
"""The spaces that are known, by `kind`."""


@dataclass(frozen=True)
class Field:
    """A column of rows of a table as numbers. values: (n,) float64, of choices their places, NaN where missing.
    choices: how many there are, 0 of a number."""

    values: np.ndarray
    choices: int


@dataclass(frozen=True)
class Space(ABC):
    """What samples of one kind are. A class that derives from it, a frozen dataclass, is known by its `kind`.

    kind: its name in `config.json`. noun: what many samples are called. precision: `bf16` where samples bear it and the
    hardware has it, else `float32`. extractors: names of those that can look at samples, `custom` for a user's own; the
    first is taken where nothing else is asked for. bounds: the least and the largest value, None where there are none.

    suffix, media_type, element: of the file of one sample, and of the HTML element that plays it. endings: of the names
    of files that `read` takes. crisp: whether a page shows small pictures with sharp pixels. rim: pixels around what a
    brush paints in which it fades. canvas: how pages draw samples, and by which they know how one is uploaded; None
    where they cannot. task, change: what the Hub calls making samples from noise, and of others of this kind; None
    where it has no word for it.

    written: whether many samples stand in one file, each on a line (`lines`, below its `head`). worded: whether they
    are texts, sequences of tokens (`tokenised`).
    at_once: numbers in each channel of something given that a page takes through a network while somebody waits.

    block: samples that are drawn together, each block from a seed of its own, so the first n never depend on n; more
    make many samples quicker, and a few slower.
    few: training items below which there is too little data, whatever else is. steady: the recipe that was made against
    mode collapse, "" where there is none for this kind.
    """

    kind: ClassVar[str]
    noun: ClassVar[str]
    precision: ClassVar[Literal["bf16", "float32"]] = "float32"
    extractors: ClassVar[tuple[str, ...]] = ("look",)
    bounds: ClassVar[tuple[float, float] | None] = None
    suffix: ClassVar[str] = ".png"
    endings: ClassVar[tuple[str, ...]] = ()
    media_type: ClassVar[str] = "image/png"
    element: ClassVar[str] = "img"
    crisp: ClassVar[bool] = False
    rim: ClassVar[int] = 0
    canvas: ClassVar[Literal["lines", "pixels", "scatter", "spectrogram"] | None] = None
    task: ClassVar[str | None] = None
    change: ClassVar[str | None] = None
    written: ClassVar[bool] = False
    worded: ClassVar[bool] = False
    at_once: ClassVar[int] = 2_000_000
    block: ClassVar[int] = 64
    few: ClassVar[int] = 0
    steady: ClassVar[str] = ""

    def __init_subclass__(cls, **options: Any) -> None:
        """Registers the class. Raises TypeError where its kind belongs to another class; the same one may come again,
        since a user's file may be run twice."""
        super().__init_subclass__(**options)
        kind = cls.__dict__.get("kind")
        if kind is None:
            return
        known = _KINDS.get(kind)
        if known is not None and _home_of(known) != _home_of(cls):
            raise TypeError(f"the kind {kind!r} is that of {known.__qualname__}: give {cls.__qualname__} another one")
        _KINDS[kind] = cls

    def __post_init__(self) -> None:
        """Raises UsageError for a size that no sample has."""
        if any(side < 1 and side != FREE for side in self.shape) or math.prod(map(abs, self.shape)) > MOST_NUMBERS:
            raise UsageError(f"there are no {self.noun} of shape {self.shape}")

    # -- what a sample is -----------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of one sample, as `generate` gives it. FREE where any size will do, of samples that are given."""

    @abstractmethod
    def __str__(self) -> str:
        """One line for people, such as `images 28x28 gray`."""

    def facts(self) -> dict[str, Any]:
        """What recipes may ask of the data by name."""
        return {"shape": self.shape}

    def options(self) -> dict[str, Any]:
        """The options of `open_data` that bring a source to just this form."""
        return {}

    def within(self, side: int) -> Space:
        """The space of the same samples made smaller, so that their shorter side is no longer than this; itself where
        it is not, and where samples have no sides."""
        return self

    def matching(self, other: Space) -> str:
        """The flags that would bring data of this space and of the other one to one form; "" where none do."""
        return ""

    @classmethod
    def of_config(cls, fields: Mapping[str, Any]) -> Self:
        """The space of what `config.json` holds. Here every field is a whole number; a kind that has others says so.
        Raises whatever Python makes of something else."""
        return cls(**{name: int(value) for name, value in fields.items()})

    @property
    def photos(self) -> bool:
        """Whether photos, gray or in colour, are samples of it."""
        return False

    # -- samples and what is kept of them -------------------------------------------------------------------------

    def stored(self) -> tuple[np.dtype[Any], tuple[int, ...]]:
        """The type and the shape of one row of prepared data."""
        return np.dtype(np.float32), self.shape

    def decode(self, rows: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
        """Rows of prepared data, (B, *stored shape), as samples (B, *shape) float32 on the device."""
        return sent(rows, device)

    def encode(self, samples: Tensor) -> Tensor:
        """Samples (B, *shape) in the form that a file would hold, on the CPU: what is judged."""
        return samples.detach().float().cpu()

    def samples_of(self, encoded: Tensor) -> Tensor:
        """The reverse of `encode`, up to its rounding: float32, on the same device."""
        return encoded.float()

    def tokenised(self, samples: Tensor) -> list[tuple[str, ...]]:
        """Of samples that are `worded`, the tokens of each."""
        raise UsageError(f"{self.noun} are no texts")

    def head(self) -> str:
        """Of samples that are `written`, the line above them in a file; "" for none."""
        return ""

    def lines(self, samples: Tensor) -> list[str]:
        """Of samples that are `written`, each as one line of text."""
        raise UsageError(f"{self.noun} are not written")

    def document(self, samples: Iterable[Tensor]) -> Iterator[str]:
        """Of samples that are `written`, in pieces, the lines of one file."""
        yield from [self.head()] if self.head() else []
        for some in samples:
            yield from self.lines(some)

    # -- rows of tables -------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns of rows of a table; () of all else."""
        return ()

    def fields(self, samples: Tensor) -> Mapping[str, Field]:
        """Of rows of a table, their cells by the names of the columns; {} of all else."""
        return {}

    def frame(self, samples: Tensor) -> pandas.DataFrame:
        """Of rows of a table, a frame of pandas. Raises UsageError for all else."""
        raise UsageError(f"{self.noun} are no rows of a table")

    def conditions(self, value: Any) -> list[float]:
        """What is asked for of some numbers of a sample, NaN for the others. Raises UsageError where nothing can be."""
        raise UsageError(f"nothing can be asked for of {self.noun}")

    def some_conditions(self, n: int) -> Tensor:
        """(n, *shape) at random of what can be asked for, NaN where nothing is."""
        raise UsageError(f"nothing can be asked for of {self.noun}")

    @property
    def demanding(self) -> bool:
        """Whether there is something to demand of samples, so that `admitted` may refuse some."""
        return False

    def admitted(self, samples: Tensor) -> Tensor | None:
        """(B,) bool: which samples may be given to anybody, as they meet what was demanded of all; None for all."""
        return None

    # -- looking --------------------------------------------------------------------------------------------------

    def look(self, samples: Tensor) -> Tensor:
        """(B, *shape) to (B, D <= 1024) float32: cheap features, in which alike samples are near. Here the numbers
        themselves; of more than 1,024, sums of random ones with random signs, which keep distances on average
        (Charikar, Chen and Farach-Colton 2002)."""
        import torch

        flat = samples.float().flatten(1)
        size = flat.shape[1]
        if size <= MOST_SEEN:
            return flat
        random = np.random.RandomState(0)
        place = torch.from_numpy(random.randint(0, MOST_SEEN, size)).to(flat.device)
        sign = torch.from_numpy(random.choice(np.array([-1, 1], np.float32), size)).to(flat.device)
        return flat.new_zeros(len(flat), MOST_SEEN).index_add_(1, place, flat * sign)

    def apart(self, made: Tensor, right: Tensor) -> Tensor | None:
        """(B,): how far samples are from the right ones by what people see or hear of them, where the kind has a
        measure of its own (`WaveSpace.apart`)."""
        return None

    def quantities(self, samples: Tensor) -> dict[str, Tensor]:
        """By name, numbers of samples whose distribution can be compared with that of others, (B, n) each, NaN where
        one has none, as of the pitch of a sound that has no pitch. {} where a kind has none."""
        return {}

    def patterns(self, samples: Tensor) -> dict[int, tuple[float, float]]:
        """Traces of the network in samples, by period: how strong each is, and how far it sticks out. {} where nothing
        of the kind is known."""
        return {}

    @classmethod
    def augments(cls) -> bool:
        """Whether `augmentations` has some, told without any."""
        return cls.augmentations is not Space.augmentations

    def augmentations(self, how: How) -> Operations:
        """What `--augment` can do to samples, by name; {} where nothing is known that leaves them samples."""
        return {}

    def levels(self, encoded: Tensor) -> Tensor:
        """Samples as `encode` gives them, as pictures (B, C, H, W) uint8 for `native`, where that looks at them."""
        return encoded

    def judge(self, labels: bool) -> str:
        """The extractor that scores are told by while a run trains. labels: whether the data has any."""
        return "native" if labels and "native" in self.extractors else self.extractors[0]

    # -- showing --------------------------------------------------------------------------------------------------

    @abstractmethod
    def show(self, samples: Tensor, columns: int | None = None, gap: int = GAP) -> Image.Image:
        """One picture of all the samples, for people. With a `tile`: a grid, in rows of `columns` (None: as square as
        possible), `gap` pixels apart."""

    @property
    def tile(self) -> tuple[int, int] | None:
        """(height, width) of one sample's place in the grid that `show` draws; None where all share one plot."""
        return None

    def pictures(self, samples: Tensor) -> list[Image.Image]:
        """Each sample as a picture of its own."""
        return [self.show(one, columns=1) for one in samples.split(1)]

    def words(self, samples: Tensor) -> list[str]:
        """Each sample in a few words, of what says more in words than in a picture; [] for what is looked at."""
        return []

    def layout(self, classes: int) -> tuple[int, int]:
        """(rows, columns) of a picture of a training: 8 x 8 samples, or 8 of each of at most 16 labels, fewer where
        they are large. A plot has 2,000 in it: (2000, 1)."""
        if self.tile is None:
            return _IN_A_PLOT, 1
        height, width = self.tile
        columns = min(classes, _MOST_LABELS) if classes else _COLUMNS
        return min(_ROWS, max(2, _SIDE // (height + GAP))), min(columns, max(2, _SIDE // (width + GAP)))

    def columns_of(self, picture: Image.Image) -> int:
        """How many columns a picture of `show` has; 1 of a plot."""
        return 1 if self.tile is None else (picture.width + GAP) // (self.tile[1] + GAP)

    def cells(self, picture: Image.Image, columns: int) -> list[Image.Image]:
        """The first samples of a picture of `show` with so many columns, at most 10, cut out; a plot as it is."""
        if self.tile is None:
            return [picture]
        height, width = self.tile
        rows = (picture.height + GAP) // (height + GAP)
        count = min(columns, 10) if rows and columns >= _COLUMNS else min(8, rows * columns)
        corners = [(i % columns * (width + GAP), i // columns * (height + GAP)) for i in range(count)]
        return [picture.crop((left, top, left + width, top + height)) for left, top in corners]

    # -- files ----------------------------------------------------------------------------------------------------

    def file(self, sample: Tensor) -> bytes:
        """The file of one sample (1, *shape), such as `suffix` names. Here its picture."""
        return encoded(self.show(sample, columns=1))

    @property
    def formats(self) -> tuple[str, ...]:
        """What the file of one sample can be, by its ending without the dot; the first where nobody asks."""
        return (self.suffix.removeprefix("."),)

    def file_as(self, sample: Tensor, format: str) -> bytes:
        """As `file`, in one of `formats`. Raises UsageError where that needs a package that is not there."""
        return self.file(sample)

    def played(self, samples: Tensor) -> list[bytes]:
        """Files of the first few samples, which pages play below their picture: at most `MOST_PLAYED`, of 1 MB
        together unless one alone is larger. [] for what is only looked at."""
        return []

    def played_again(self, content: bytes) -> bytes:
        """Such a file decoded and encoded anew, since the folder that it lies in may come from anywhere. Raises
        DataError where it cannot be."""
        raise DataError(f"{self.noun} are not played")

    def brought(self, sample: Tensor, like: Space) -> Tensor:
        """A sample (1, ...) of this space, which leaves its size open, at the scale of samples of the other one; as it
        is where nothing of the kind is known."""
        return sample

    def brought_to(self, sizes: tuple[int, ...], like: Space) -> tuple[int, ...]:
        """The sizes that `brought` gives a sample of these."""
        return sizes

    def reduced(self, sample: Tensor, most: int) -> Tensor:
        """A sample (1, C, ...) of at most `most` numbers in each channel, which is like the whole one. Here the middle
        of it."""
        share = min(1.0, (most / math.prod(sample.shape[2:])) ** (1 / max(1, sample.dim() - 2)))
        for dimension, side in enumerate(sample.shape[2:], 2):
            kept = max(1, int(side * share))
            sample = sample.narrow(dimension, (side - kept) // 2, kept)
        return sample

    def remark(self, sample: Tensor) -> str:
        """What there is to say of something given (n, *shape), in a few words; "" for nothing."""
        return ""

    def amount(self, numbers: int) -> str:
        """So many numbers of each channel of samples, as people say it."""
        return f"{numbers / 1e6:.3g} million numbers"

    def size_of_file(self, content: bytes, most: int) -> int:
        """How much there is in a file that somebody gives, from its header alone: pixels, or whatever the samples are
        made of, where files have any number of them. Raises DataError for more than `most`, and for what is no such
        file; what only decoding shows is for `read` to say."""
        return 1

    def read(self, content: bytes) -> Tensor:
        """A file that somebody gives, as one sample (1, *shape). Raises DataError, in one line, for anything else."""
        raise DataError(f"{self.noun} cannot be read from a file")

    def layers(self, content: bytes) -> Tensor:
        """As `read`, (k, *shape): what in the file is a sample by itself, such as each channel of a sound; `joined`
        makes one file of what becomes of them."""
        return self.read(content)

    def joined(self, samples: Tensor) -> Tensor:
        """One sample (1, ...) for `file`, of those that go with the layers of a file."""
        return samples

    def values(self, sample: Tensor) -> dict[str, Any]:
        """What JSON holds of one sample (1, *shape): its file in base64 under the name of its ending."""
        return {self.suffix.removeprefix("."): base64.b64encode(self.file(sample)).decode()}


def _home_of(kind: type[Space]) -> tuple[str, str]:
    """The file and the name of a class, which are the same however its file was run."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return file or kind.__module__, kind.__qualname__


def stronger(mine: Mapping[int, tuple[float, float]], theirs: Mapping[int, tuple[float, float]]) -> float:
    """How many times stronger the strongest of some `patterns` is than in others, in both of its numbers."""
    return max(min(one / other for one, other in zip(mine[period], theirs[period], strict=True)) for period in theirs)


def space_to_config(space: Space) -> dict[str, Any]:
    return {"kind": space.kind, **asdict(space)}


def space_from_config(config: Mapping[str, Any]) -> Space:
    """The space that `space_to_config` wrote. Raises RunError for anything else."""
    try:
        return _KINDS[config["kind"]].of_config({name: value for name, value in config.items() if name != "kind"})
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, UsageError) as error:
        raise RunError(f"config.json describes no space that is known here: {config!r}") from error
