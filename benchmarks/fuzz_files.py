"""What `benchmarks/fuzz.py` tries: hostile files of every kind that Ganvas reads, each a function of a random state.

A kind is made once in a folder of its own and then tried again and again. A try makes one hostile input from a good one
and has Ganvas read it as a user would. It raises what Ganvas raises.
"""

from __future__ import annotations

import bz2
import copy
import gzip
import hashlib
import io
import json
import lzma
import os
import random
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden" / "format-1"
"""Good run folders."""


class Kind(Protocol):
    """A kind of hostile input. It is made with a folder that is its own."""

    def __call__(self, luck: random.Random) -> None:
        """One try. Raises whatever Ganvas does."""


# -- mutations ---------------------------------------------------------------------------------------------------------

_NUMBERS = (0, 1, -1, 2, -128, 127, 255, 256, 65_536, 2**31 - 1, -(2**31), 2**32, 2**63, -(2**64), 10**12, 10**30)
_FLOATS = (0.5, -0.5, 1e-308, 1e308, -1e308, float("nan"), float("inf"), float("-inf"))
_TEXTS = (
    "",
    "a",
    "x" * 5000,
    "\0",
    "\ud800",
    "../../etc/passwd",
    "/dev/zero",
    "zoo:photo-x4",
    "<script>",
    "nan",
    "1e9",
)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if depth % 2 else {"a": value}
    return value


def strange(luck: random.Random) -> Any:
    """A value that is seldom meant."""
    pool: tuple[Any, ...] = luck.choice(
        (_NUMBERS, _FLOATS, _TEXTS, (None, True, False, [], {}, [[]], {"a": 1}, [1, "a"]))
    )
    return nested(luck.choice((30, 60, 300))) if luck.random() < 0.03 else luck.choice(pool)


def changed_json(value: Any, luck: random.Random) -> Any:
    """The value with one to three changes somewhere in it."""
    value = copy.deepcopy(value)
    for _ in range(luck.choice((1, 1, 2, 3))):
        places = list(_places(value))
        if not places:
            return strange(luck)
        holder, key = luck.choice(places)
        match luck.randrange(6):
            case 0 if isinstance(holder, dict):
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[luck.choice(("", "a/b", "x" * 300, f"{key} ", "\0"))] = holder.pop(key)
            case 2 if isinstance(holder, list):
                holder.extend([holder[key]] * luck.choice((1, 2, 1000)))
            case 3:
                holder[key] = [holder[key]] if luck.random() < 0.5 else {"a": holder[key]}
            case 4 if isinstance(holder[key], (int, float)) and not isinstance(holder[key], bool):
                holder[key] = luck.choice((-holder[key], holder[key] + 1, holder[key] * 1000, holder[key] / 3))
            case _:
                holder[key] = strange(luck)
    return value


def _places(value: Any) -> Any:
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys)[:200]:
        yield value, key
        yield from _places(value[key])


def written_json(value: Any, luck: random.Random) -> bytes:
    """As bytes, now and then not even JSON, or deeper than Python reads."""
    chance = luck.random()
    if chance < 0.02:
        return b'{"a":' * 100_000
    if chance < 0.04:
        return b"[" * 5000 + b"]" * 5000
    try:
        content = json.dumps(value).encode()
    except (ValueError, RecursionError):
        return b"{}"
    return changed_bytes(content, luck) if chance < 0.15 else content


def changed_bytes(content: bytes, luck: random.Random) -> bytes:
    """The content with one to eight changes: bits, bytes, numbers, pieces cut out, doubled, moved, or the end lost."""
    data = bytearray(content)
    for _ in range(luck.choice((1, 1, 2, 3, 8))):
        if not data:
            return bytes(data)
        place = luck.randrange(min(len(data), luck.choice((64, 512, len(data)))))
        size = luck.choice((1, 2, 4, 16, 200))
        match luck.randrange(7):
            case 0:
                data[place] ^= 1 << luck.randrange(8)
            case 1:
                data[place] = luck.choice((0, 1, 0x7F, 0x80, 0xFF, luck.randrange(256)))
            case 2:
                form = luck.choice(("<I", ">I", "<H", ">H", "<Q"))
                number = luck.choice((0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)) & (
                    256 ** struct.calcsize(form) - 1
                )
                data[place : place + struct.calcsize(form)] = struct.pack(form, number)
            case 3:
                del data[place : place + size]
            case 4:
                data[place:place] = data[place : place + size]
            case 5:
                data[place:place] = bytes(luck.randrange(256) for _ in range(size))
            case _:
                del data[luck.randrange(len(data)) :]
    return bytes(data)


# -- images ------------------------------------------------------------------------------------------------------------


def pictures(seed: int = 0, side: int = 24) -> dict[str, bytes]:
    """Small good image files, by the name of format and mode."""
    generator = np.random.default_rng(seed)
    noise = Image.fromarray(generator.integers(0, 256, (side, side + 4, 3), np.uint8))
    found: dict[str, bytes] = {}
    for kind, modes in {
        "PNG": ("L", "LA", "P", "RGB", "RGBA", "1", "I;16"),
        "JPEG": ("L", "RGB", "CMYK"),
        "GIF": ("P", "L"),
        "BMP": ("RGB", "1", "P"),
        "TIFF": ("RGB", "L", "F", "I;16", "CMYK", "RGBA"),
        "WEBP": ("RGB", "RGBA"),
        "PPM": ("RGB", "L"),
        "TGA": ("RGB", "RGBA"),
        "PCX": ("RGB", "L"),
        "ICO": ("RGBA",),
        "SGI": ("RGB", "L"),
        "QOI": ("RGB", "RGBA"),
        "JPEG2000": ("RGB", "L"),
        "AVIF": ("RGB",),
    }.items():
        for mode in modes:
            file = io.BytesIO()
            try:
                picture = noise.convert("L").convert(mode) if mode == "I;16" else noise.convert(mode)
                more = {"save_all": True, "append_images": [picture.rotate(90)]} if kind == "GIF" else {}
                picture.save(file, kind, **more)
            except (OSError, ValueError, KeyError):  # this Pillow cannot write it
                continue
            found[f"{kind} {mode}"] = file.getvalue()
    return found


class Images:
    """Image files, as data and as something that is given."""

    def __init__(self, folder: Path) -> None:
        self.seeds = list(pictures().values())

    def __call__(self, luck: random.Random) -> None:
        from ganvas.data.decode import decode, header, keeping_alpha, quiet
        from ganvas.spaces import ImageSpace

        content = changed_bytes(luck.choice(self.seeds), luck)
        way = luck.randrange(4)
        with quiet():
            if way == 0:
                header(io.BytesIO(content))
            elif way == 1:
                decode(content, luck.choice((None, 8, 64)))
            elif way == 2:
                keeping_alpha(content)
            else:
                ImageSpace(3, 16, 16).read(content)


# -- arrays ------------------------------------------------------------------------------------------------------------

_DESCRIPTIONS = (
    *("|u1", "<f4", "<f8", ">f4", "<f2", "<i8", "|b1", "<U0", "<U8", "|V0", "|V8", "|O", "|S0", "|S3", "<c16"),
    *("<M8[s]", "|V99999999", "f4,f4", "<f16", "", "x", "<U999999999"),
)
_SIDES = (0, 1, 2, 3, 4, 8, 12, 100, 10**6, 10**12, 2**31, 2**63, -1, 10**30)


def npy(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def npy_of(header: str, body: bytes, version: int = 1) -> bytes:
    text = header.encode("latin1", "replace") + b"\n"
    return (
        b"\x93NUMPY"
        + bytes((version, 0))
        + struct.pack("<H" if version == 1 else "<I", len(text) & 0xFFFF)
        + text
        + body
    )


class Arrays:
    """`.npy` and `.npz` files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        generator = np.random.default_rng(0)
        gray = generator.integers(0, 256, (12, 6, 6), np.uint8)
        self.arrays = [
            gray,
            gray[..., None].repeat(3, 3),
            gray / 255.0,
            generator.normal(size=(12, 2)).astype(np.float32),
        ]
        self.arrays.append(np.asfortranarray(self.arrays[1]))
        self.labels = [np.arange(12) % 3, np.array(list("abc" * 4)), np.array([b"a", b"b"] * 6)]

    def _npy(self, luck: random.Random) -> bytes:
        array = luck.choice(self.arrays)
        if luck.random() < 0.5:
            return changed_bytes(npy(array), luck)
        shape = tuple(luck.choice(_SIDES) for _ in range(luck.choice((0, 1, 2, 3, 4, 4, 5))))
        if luck.random() < 0.4:
            shape = array.shape
        described = luck.choice(_DESCRIPTIONS)
        header = f"{{'descr': {described!r}, 'fortran_order': {luck.choice((True, False, 1))}, 'shape': {shape}, }}"
        if luck.random() < 0.1:
            header = "(" * luck.choice((50, 5000)) + header
        return npy_of(header, array.tobytes()[: luck.choice((0, 100, 10**6))], luck.choice((1, 1, 1, 2, 3)))

    def __call__(self, luck: random.Random) -> None:
        if luck.random() < 0.5:
            read_data(self.folder, "a.npy", self._npy(luck), luck)
            return
        file = io.BytesIO()
        packing = luck.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        with zipfile.ZipFile(file, "w", packing) as archive:
            for name in luck.choice((("images", "labels"), ("x_train", "y_train", "x_test"), ("data",), ("a", "b"))):
                good = npy(luck.choice(self.labels if name[0] in "ly" else self.arrays))
                archive.writestr(f"{name}.npy", good if luck.random() < 0.6 else self._npy(luck))
        content = file.getvalue()
        read_data(self.folder, "a.npz", content if luck.random() < 0.6 else changed_bytes(content, luck), luck)


def read_data(folder: Path, name: str, content: bytes, luck: random.Random) -> None:
    """The file as a source of data, read like `ganvas data` does."""
    from ganvas.data.opening import open_data

    (folder / name).write_bytes(content)
    try:
        data = open_data(folder / name, progress=False)
        split = data.split("train")
        split.gather(np.arange(min(2, len(split))))
        str(data), data.to_json()
    finally:
        for left in Path(os.environ["GANVAS_CACHE"]).glob("data/*"):
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)


# -- archives ----------------------------------------------------------------------------------------------------------

_PACKERS: tuple[Callable[[bytes], bytes], ...] = (lambda plain: plain, gzip.compress, bz2.compress, lzma.compress)
_GOOD = ("a/1.png", "a/2.png", "b/3.png", "train/5.png", "test/6.png", "7.png", "caf\xe9.png")
_BAD = (
    *("", ".", "..", "../x.png", "/x.png", "c:\\x.png", "a\\4.png", "a/", "\0.png", "x" * 300 + ".png", "\ud800.png"),
    *("dataset.json", "8.wav"),
)


def a_name(luck: random.Random) -> str:
    return luck.choice(_BAD if luck.random() < 0.1 else _GOOD)


class Archives:
    """Zip and tar archives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pictures = [pictures(seed, 8)["PNG RGB"] for seed in range(6)]

    def _zip(self, luck: random.Random) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", luck.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
            for _ in range(luck.choice((0, 2, 6, 9))):
                info = zipfile.ZipInfo(a_name(luck).replace("\ud800", "?"))
                if luck.random() < 0.2:
                    info.external_attr = luck.choice((0o120777, 0o010644, 0o020644, 0o040755)) << 16
                archive.writestr(info, luck.choice(self.pictures))
        return file.getvalue()

    def _tar(self, luck: random.Random) -> bytes:
        file = io.BytesIO()
        form = luck.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT))
        with tarfile.open(fileobj=file, mode="w", format=form) as archive:
            for _ in range(luck.choice((0, 2, 6, 9))):
                member = tarfile.TarInfo(a_name(luck))
                member.type = luck.choice((tarfile.REGTYPE,) * 6 + (b"1", b"2", b"3", b"4", b"5", b"6", b"S"))
                member.linkname = luck.choice(("", "a/1.png", "/etc/passwd", "../.."))
                content = luck.choice(self.pictures)
                member.size = len(content) if member.isreg() else 0
                if form == tarfile.PAX_FORMAT and luck.random() < 0.2:
                    keys = ("size", "path", "mtime", "GNU.sparse.map", "GNU.sparse.size", "GNU.sparse.major")
                    member.pax_headers = {luck.choice(keys): str(strange(luck)).replace("\ud800", "?")}
                try:
                    archive.addfile(member, io.BytesIO(content))
                except (ValueError, UnicodeError, KeyError):
                    continue
        return luck.choice(_PACKERS)(file.getvalue())

    def __call__(self, luck: random.Random) -> None:
        content = luck.choice((self._zip, self._tar))(luck)
        read_data(self.folder, "a.zip", content if luck.random() < 0.4 else changed_bytes(content, luck), luck)


# -- runs --------------------------------------------------------------------------------------------------------------


class Run:
    """A copy of a good run, one file of which is hostile for each try."""

    names: Sequence[str] = ("r3gan", "vanilla", "infogan", "srgan")

    def __init__(self, folder: Path) -> None:
        self.runs = {}
        for name in self.names:
            shutil.copytree(GOLDEN / name, folder / name)
            self.runs[name] = folder / name
            shutil.rmtree(folder / name / "best", ignore_errors=True)
        self.config = {name: json.loads((run / "config.json").read_text()) for name, run in self.runs.items()}


class Configurations(Run):
    """`config.json` of run folders, as everything reads it."""

    def __call__(self, luck: random.Random) -> None:
        name = luck.choice(self.names)
        run = self.runs[name]
        (run / "config.json").write_bytes(written_json(changed_json(self.config[name], luck), luck))
        if luck.random() < 0.5:
            use(run, luck)
        else:
            look_at(run)


class Metrics(Run):
    """`metrics.jsonl` of run folders, as the report, the doctor and the studio read it."""

    names = ("r3gan", "vanilla")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        lines = {name: (run / "metrics.jsonl").read_text().splitlines() for name, run in self.runs.items()}
        self.rows = {name: [json.loads(line) for line in each] for name, each in lines.items()}

    def __call__(self, luck: random.Random) -> None:
        name = luck.choice(self.names)
        rows = [changed_json(row, luck) if luck.random() < 0.3 else row for row in self.rows[name]]
        many = rows * luck.choice((1, 1, 5))
        (self.runs[name] / "metrics.jsonl").write_bytes(b"\n".join(written_json(row, luck) for row in many))
        look_at(self.runs[name])


class Checkpoints(Run):
    """Checkpoints whose manifest vouches for what they hold, sampled from and resumed."""

    names = ("vanilla", "r3gan", "infogan")
    resumed = "vanilla"  # on points, which are prepared quickly

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.places = {name: next(run.glob("checkpoints/step-*")) for name, run in self.runs.items()}
        self.good = {
            name: {file.name: file.read_bytes() for file in place.iterdir()} for name, place in self.places.items()
        }

    def __call__(self, luck: random.Random) -> None:
        from safetensors.torch import load, save

        name = luck.choice(self.names)
        files = dict(self.good[name])
        hit = luck.choice([file for file in files if file != "manifest.json"])
        if hit == "values.json":
            files[hit] = written_json(changed_json(json.loads(files[hit]), luck), luck)
        elif luck.random() < 0.3:
            files[hit] = changed_bytes(files[hit], luck)
        else:
            files[hit] = save(changed_tensors(load(files[hit]), luck))
        manifest = json.loads(files["manifest.json"])
        for file, content in files.items():
            if file in manifest["files"] and luck.random() < 0.98:
                manifest["files"][file] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        files["manifest.json"] = json.dumps(manifest).encode()
        if luck.random() < 0.15:
            files["manifest.json"] = written_json(changed_json(manifest, luck), luck)
        for file, content in files.items():
            (self.places[name] / file).write_bytes(content)
        if name == self.resumed and luck.random() < 0.6:
            resume(self.runs[name])
        else:
            use(self.runs[name], luck)


def changed_tensors(tensors: dict[str, Any], luck: random.Random) -> dict[str, Any]:
    import torch

    for _ in range(luck.choice((1, 1, 2))):
        if not tensors:
            return {"a": torch.zeros(2)}
        name = luck.choice(list(tensors))
        tensor = tensors[name]
        match luck.randrange(7):
            case 0:
                del tensors[name]
            case 1:
                tensors[luck.choice(("", "a/b/c", f"{name}x", "generator/x/step", "x" * 300))] = tensor.clone()
            case 2:
                tensors[name] = tensor.flatten()[: luck.choice((0, 1, 2))].clone()
            case 3:
                tensors[name] = tensor.unsqueeze(0).clone()
            case 4:
                tensors[name] = tensor.to(
                    luck.choice((torch.int64, torch.float16, torch.float64, torch.bool, torch.uint8))
                )
            case 5:
                tensors[name] = torch.full_like(tensor, luck.choice((0, 1, -1, 100)))
            case _:
                value = luck.choice((float("nan"), float("inf"), -1e30, 1e38))
                tensors[name] = torch.full_like(tensor, value) if tensor.is_floating_point() else tensor.long() - 1000
    return tensors


def use(run: Path, luck: random.Random) -> None:
    """Samples of it, as `ganvas sample` draws them."""
    import torch

    import ganvas
    from ganvas.model.about import shared_config

    model = ganvas.load(run)
    shared_config(run)
    shapes = {name: [8 if side < 0 else side for side in each.shape] for name, each in model.given.items()}
    given: dict[str, Any] = {name: torch.zeros(1, *shape) for name, shape in shapes.items()}
    samples = model.sample(2, seed=1, **given)
    model.space.show(samples, columns=model.columns())
    model.space.file(samples[:1])


def look_at(run: Path) -> None:
    """As the doctor, the report and the studio do."""
    from ganvas.doctor import diagnose, in_words
    from ganvas.report import write_report
    from ganvas.run import outcome, read_config, read_rows, roll_backs
    from ganvas.web.studio.run_list import Run as Shown
    from ganvas.web.studio.run_panel import panel

    rows = read_rows(run / "metrics.jsonl")
    outcome(rows), roll_backs(rows)
    write_report(run)
    config = read_config(run)
    in_words(diagnose(rows, config))
    panel(Shown(run.name, run, "finished", config, rows))


def resume(run: Path) -> None:
    """Goes on with it for a step or two."""
    from ganvas.api import prepare_resume

    job = prepare_resume(run, quiet=True, changes={"steps": 302})
    job.training.run()


# -- passports ---------------------------------------------------------------------------------------------------------


class Passports:
    """What `ganvas evaluate --json` wrote, compared with another one."""

    def __init__(self, folder: Path) -> None:
        from ganvas.metrics.passport import Score, passport, write_passport

        about = {"weights": "ab" * 32, "resizing": "none", "precision": "float32"}
        score = Score("FID", "lite0", 12.5, None, "lower", 1000, 1000)
        pair = Score("recall", "lite0", 0.5, None, "higher", 1000, 1000, {"interval": [0.4, 0.6], "k": 3})
        self.good = passport(
            {"FID[lite0]": score, "recall[lite0]": pair},
            judged={"name": "runs/demo", "count": 1000, "step": 7, "truncation": None},
            data={"name": "digits", "fingerprint": "cd" * 32, "split": "train", "count": 5000},
            extractors={"lite0": about},
            notes=["a note"],
            warnings=["a warning"],
        )
        self.first, self.second = folder / "a.json", folder / "b.json"
        write_passport(self.first, self.good)

    def __call__(self, luck: random.Random) -> None:
        from ganvas.metrics.compare import compare
        from ganvas.metrics.passport import check_writable

        self.second.write_bytes(written_json(changed_json(self.good, luck), luck))
        check_writable(self.second, overwrite=luck.random() < 0.5)
        compare(*luck.choice(((self.first, self.second), (self.second, self.first), (self.second, self.second))))


KINDS: dict[str, Callable[[Path], Kind]] = {
    "images": Images,
    "arrays": Arrays,
    "archives": Archives,
    "configurations": Configurations,
    "checkpoints": Checkpoints,
    "passports": Passports,
    "metrics": Metrics,
}
SHARES = {"images": 8, "arrays": 5, "archives": 4, "configurations": 2, "checkpoints": 1, "passports": 4, "metrics": 1}
"""How many of the tries are of each kind: more of those that are quick."""
