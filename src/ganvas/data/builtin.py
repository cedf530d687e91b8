"""Data that has a name: sets that need no download, and torchvision's.

No download: `digits` (5,000 of MNIST's; assets/README.md says where they are from), `ring` and `grid` (mixtures of 8
and 25 narrow Gaussians, the standard test for lost modes), `stacked-digits` (three digits as the channels of an image:
1,000 modes). torchvision's, and `stacked-mnist` made of MNIST: found in `data_root`, fetched when they are not there.
torchvision reads CIFAR from pickles; Ganvas unpickles nothing and reads the binary version that its authors publish.
"""

from __future__ import annotations

import contextlib
import io
import socket
import tarfile
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

import numpy as np

from ganvas.data.arrays import Arrays, Part
from ganvas.errors import DataError
from ganvas.text import shown

_POINTS = 50_000
_TIMEOUT = 30.0  # seconds without an answer before a download is given up


def digits() -> list[Part]:
    """5,000 handwritten digits of MNIST, 28x28 gray, 500 of each class."""
    packed = io.BytesIO((files("ganvas.data") / "assets" / "digits.npz").read_bytes())
    with np.load(packed, allow_pickle=False) as found:
        return [Part(found["images"], [str(label) for label in found["labels"]])]


def stacked_digits() -> list[Part]:
    """20,000 images of three `digits` each, as `stacked` says."""
    return [stacked(part, 4 * len(part.values)) for part in digits()]


def stacked(digits: Part, count: int) -> Part:
    """`count` images (H, W, 3) of three digits each, as their channels; labels are their figures, "000" to "999".

    Stacked MNIST (Metz et al. 2017, section 3.3.1): every combination is a mode. The digits are drawn with replacement,
    by a generator whose stream never changes.
    """
    assert digits.labels is not None
    chosen = np.random.RandomState(1000).randint(0, len(digits.values), (count, 3))
    images = digits.values[chosen].transpose(0, 2, 3, 1)
    return Part(images, ["".join(digits.labels[place] for place in triple) for triple in chosen], digits.split)


def ring() -> list[Part]:
    """50,000 points of 8 Gaussians of standard deviation 0.02, evenly on a circle of radius 2."""
    return _mixture("ring", seed=8)


def grid() -> list[Part]:
    """50,000 points of 25 Gaussians of standard deviation 0.05, on the square grid {-2, -1, 0, 1, 2}^2."""
    return _mixture("grid", seed=25)


def mixture(name: str) -> tuple[np.ndarray, float]:
    """The centres, (modes, 2) float64, and the standard deviation of `ring` or `grid`."""
    if name == "ring":
        angles = np.arange(8) * (np.pi / 4)
        return np.stack([2 * np.cos(angles), 2 * np.sin(angles)], axis=1), 0.02
    side = np.arange(-2.0, 3.0)
    return np.array([(x, y) for x in side for y in side]), 0.05


def _mixture(name: str, seed: int) -> list[Part]:
    centres, deviation = mixture(name)
    # RandomState and not default_rng: NumPy promises that its stream never changes.
    random = np.random.RandomState(seed)
    modes = np.arange(_POINTS) % len(centres)
    random.shuffle(modes)
    points = centres[modes] + deviation * random.standard_normal((_POINTS, 2))
    return [Part(points.astype(np.float32), [str(mode) for mode in modes])]


def _idx(set_name: str, **more: Any) -> Callable[[Path], list[Part]]:
    """MNIST and its relatives, all in its file format."""

    def load(root: Path) -> list[Part]:
        import torchvision.datasets as sets

        original = getattr(sets, set_name)
        # An old torchvision left pickles (`processed/training.pt`) beside the files; they are passed over.
        kind = type(set_name, (original,), {"_check_legacy_exist": lambda self: False})
        parts = []
        for split in ("train", "test"):
            data = _there_or_fetched(
                root, lambda split=split, **options: kind(str(root), train=split == "train", **more, **options)
            )
            names = [name.split(" - ")[0] for name in data.classes]
            values = data.data.numpy()
            if set_name == "EMNIST":  # whose files hold every letter lying on its side
                values = values.transpose(0, 2, 1)
            parts.append(Part(values, [names[target] for target in data.targets.tolist()], split))
        return parts

    return load


def _stacked_mnist(root: Path) -> list[Part]:
    return [stacked(part, len(part.values)) for part in _idx("MNIST")(root)]


def _svhn(root: Path) -> list[Part]:
    import torchvision.datasets as sets

    parts = []
    for split in ("train", "test"):
        try:
            data = _there_or_fetched(root, lambda split=split, **options: sets.SVHN(str(root), split=split, **options))
        except ModuleNotFoundError as error:
            raise DataError("svhn comes as MATLAB files: pip install scipy to read them") from error
        parts.append(Part(data.data.transpose(0, 2, 3, 1), [str(label) for label in data.labels], split))
    return parts


def _stl10(root: Path) -> list[Part]:
    import torchvision.datasets as sets

    parts = []
    for split in ("train", "test"):
        data = _there_or_fetched(root, lambda split=split, **options: sets.STL10(str(root), split=split, **options))
        parts.append(Part(data.data.transpose(0, 2, 3, 1), [data.classes[label] for label in data.labels], split))
    return parts


def _cifar(
    archive: str, md5: str, folder: str, files: dict[str, list[str]], classes: str, label_bytes: int
) -> Callable[[Path], list[Part]]:
    """CIFAR's binary version: records of one or two label bytes (the last one counts) and 3x32x32 pixels."""

    def load(root: Path) -> list[Part]:
        if not (root / folder).is_dir() and not (root / archive).is_file():
            _fetch(root, f"https://www.cs.toronto.edu/~kriz/{archive}", archive, md5)
        with _binary(root, folder, archive) as member:
            names = member(classes).decode().split()
            parts = []
            for split, members in files.items():
                records = np.frombuffer(b"".join(map(member, members)), np.uint8).reshape(-1, label_bytes + 3072)
                pixels = records[:, label_bytes:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
                parts.append(Part(pixels, [names[label] for label in records[:, label_bytes - 1]], split))
        return parts

    return load


@contextlib.contextmanager
def _binary(root: Path, folder: str, archive: str) -> Iterator[Callable[[str], bytes]]:
    """What reads a file of the binary version, from its folder or straight from the archive."""
    if (root / folder).is_dir():
        yield lambda name: (root / folder / name).read_bytes()
        return
    with tarfile.open(root / archive) as tar:

        def member(name: str) -> bytes:
            file: IO[bytes] | None = tar.extractfile(f"{folder}/{name}")
            if file is None:
                raise KeyError(name)
            return file.read()

        yield member


def _there_or_fetched(root: Path, make: Callable[..., Any]) -> Any:
    try:
        return make()
    except RuntimeError as error:
        if "not found" not in str(error):
            raise
    with _patience():
        root.mkdir(parents=True, exist_ok=True)
        return make(download=True)


def _fetch(root: Path, url: str, name: str, md5: str) -> None:
    from torchvision.datasets.utils import download_url

    with _patience():
        root.mkdir(parents=True, exist_ok=True)
        download_url(url, str(root), name, md5)


class _NoDownload(Exception):
    pass


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """torchvision waits for ever and prints to stdout, where a script's results go."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except (OSError, RuntimeError) as error:  # URLError is an OSError; a wrong checksum a RuntimeError
        raise _NoDownload(" ".join(str(error).split())[:100]) from error
    finally:
        socket.setdefaulttimeout(before)


_CIFAR10 = _cifar(
    "cifar-10-binary.tar.gz",
    "c32a1d4ab5d03f1284b67883e8d87530",
    "cifar-10-batches-bin",
    {"train": [f"data_batch_{number}.bin" for number in range(1, 6)], "test": ["test_batch.bin"]},
    "batches.meta.txt",
    1,
)
_CIFAR100 = _cifar(
    "cifar-100-binary.tar.gz",
    "03b5dce01913d631647c71ecec9e9cb8",
    "cifar-100-binary",
    {"train": ["train.bin"], "test": ["test.bin"]},
    "fine_label_names.txt",
    2,
)

MIXTURES = ("ring", "grid")
STACKED = {"stacked-digits": "digits", "stacked-mnist": "mnist"}
"""The stacked sets, and the set of single digits that each is made of."""

MADE: dict[str, Callable[[], list[Part]]] = {
    "digits": digits,
    "ring": ring,
    "grid": grid,
    "stacked-digits": stacked_digits,
}

# By name: what reads it, and what must lie in the data root.
FETCHED: dict[str, tuple[Callable[[Path], list[Part]], Sequence[str]]] = {
    "mnist": (_idx("MNIST"), ["MNIST/raw"]),
    "stacked-mnist": (_stacked_mnist, ["MNIST/raw"]),
    "fashion-mnist": (_idx("FashionMNIST"), ["FashionMNIST/raw"]),
    "kmnist": (_idx("KMNIST"), ["KMNIST/raw"]),
    "emnist": (_idx("EMNIST", split="balanced"), ["EMNIST/raw"]),
    "cifar10": (_CIFAR10, ["cifar-10-binary.tar.gz", "cifar-10-batches-bin"]),
    "cifar100": (_CIFAR100, ["cifar-100-binary.tar.gz", "cifar-100-binary"]),
    "svhn": (_svhn, ["train_32x32.mat", "test_32x32.mat"]),
    "stl10": (_stl10, ["stl10_binary"]),
}

NAMES = (*MADE, *FETCHED)


def known_as(text: str) -> str | None:
    """The name of a built-in set, however its letters, dashes and underscores are written."""
    plain = {name.replace("-", ""): name for name in NAMES}
    return plain.get(text.lower().replace("-", "").replace("_", ""))


def open_builtin(name: str, root: Path) -> Arrays:
    """The set of this name; `root` is where torchvision's sets lie, or are put."""
    if name in MADE:
        return Arrays(name, lambda: ["built-in", name, 1], MADE[name], lambda: 2 if name in MIXTURES else 3, name)
    load, needed = FETCHED[name]

    def key() -> object:  # asked again behind the download, when the files are there
        found = sorted(file for place in needed for file in (root / place, *(root / place).glob("*")) if file.is_file())
        stamps = [[str(file.relative_to(root)), file.stat().st_size, file.stat().st_mtime_ns] for file in found]
        return ["torchvision", name, str(root.resolve()), stamps]

    return Arrays(name, key, lambda: _loaded(name, load, root, needed), lambda: None, name)


def _loaded(name: str, load: Callable[[Path], list[Part]], root: Path, needed: Sequence[str]) -> list[Part]:
    where = " or ".join(shown(str(root / place)) for place in needed)
    try:
        return load(root)
    except DataError:
        raise
    except _NoDownload as error:
        raise DataError(
            f"{name} is not in {shown(str(root))} and could not be downloaded ({error}): put its files at {where}, or "
            "say with --data-root where they are"
        ) from error
    except Exception as error:  # whatever torchvision makes of damaged files
        raise DataError(f"the files of {name} at {where} are damaged: delete them and fetch them again") from error
