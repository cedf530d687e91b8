"""How well does a model enlarge photos? Each photo is shrunk as benchmarks do, enlarged again, and compared."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganvas.data.bicubic import resized, shrunk
from ganvas.data.decode import Damaged, decode, fit, quiet
from ganvas.data.image_files import Files
from ganvas.data.partners import matched
from ganvas.data.photos import PhotoReader
from ganvas.data.rows import stem_of
from ganvas.data.sources import find_files
from ganvas.errors import DataError, UsageError
from ganvas.features import ImageExtractor, extractor
from ganvas.features.lite import at_hand
from ganvas.metrics.judgement import Report
from ganvas.metrics.paired import check_metrics, measured, score_of
from ganvas.metrics.passport import Score, about_extractor, number, passport
from ganvas.progress_bar import steps
from ganvas.text import natural, shown, sized
from ganvas.upscaling import Upscaler

JUDGE = "lite2"
"""The extractor of the perceptual distance, unless another is named: not one that content losses look at by default."""


@dataclass(frozen=True)
class Pair:
    """high: (H, W, C) uint8; low: (H / scale, W / scale, C) uint8."""

    name: str
    high: np.ndarray
    low: np.ndarray


def evaluate_enlarging(
    upscaler: Upscaler,
    data: str | Path,
    *,
    low: str | Path | None = None,
    metrics: Sequence[str] | None = None,
    judge: str | None = None,
    border: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Report:
    """PSNR, SSIM and MS-SSIM in Y (BT.601's luminance) and in RGB, a perceptual distance, and, where no metrics are
    named, megapixels per second.

    data: a folder or archive of photos, shrunk here; files `NAME_HR` and `NAME_LR` in it are pairs already, and so are
    those of `low` with the same names. judge: the extractor of the perceptual distance, by default `JUDGE`; where that
    is not installed and no metrics are named, the distance is left out, which a note says. border: pixels left out on
    each side, by default as many as the scale.
    Raises DataError or UsageError, each of one line.
    """
    wanted, notes = check_metrics(metrics), []
    if metrics is None and judge is None and not at_hand(JUDGE):
        wanted.remove("perceptual")
        notes.append(f'no perceptual distance, which needs the extractor {JUDGE}: pip install "ganvas[{JUDGE}]"')
    border = upscaler.scale if border is None else border
    looking = extractor(judge or JUDGE) if "perceptual" in wanted else None
    if looking is not None and not isinstance(looking, ImageExtractor):
        raise UsageError(f"the extractor {judge} has no feature maps of images to compare; try {JUDGE}")
    pixelwise = [name for name in wanted if name != "perceptual"]
    values: dict[str, list[float]] = {}
    plain: dict[str, list[float]] = {}
    small: dict[str, int] = {}
    seconds = pixels = count = 0.0
    digest = hashlib.sha256()
    files = find_files(data, "photos", PhotoReader.wants)
    with closing(files), quiet():
        names = partners(files)
        for pair in steps(pairs_of(files, names, low, upscaler.scale, digest), len(names), "enlarging", progress):
            if min(pair.high.shape[:2]) <= 2 * border:
                raise UsageError(f"--border {border} leaves nothing of {shown(pair.name)}")
            if not count:
                upscaler.enlarge(pair.low)  # the first time prepares
            began = time.perf_counter()
            made = upscaler.enlarge(pair.low)
            seconds += time.perf_counter() - began
            pixels += made.shape[0] * made.shape[1]
            count += 1
            target = _tensor(pair.high)
            for key, value in measured(_tensor(made), target, wanted, border, looking, small):
                values.setdefault(key, []).append(value)
            beside = resized(pair.low, (pair.high.shape[0], pair.high.shape[1]))
            for key, value in measured(_tensor(beside), target, pixelwise, border, None, small):
                plain.setdefault(key, []).append(value)
    notes += [f"no {name} of pictures below {side} pixels a side" for name, side in small.items()]
    scores = {}
    for key, found in values.items():
        score = score_of(key, torch.tensor(found, dtype=torch.float64), seed, notes)
        scores[score.key] = score
    if metrics is None:
        speed = Score("speed", "megapixels/s", pixels / 1e6 / seconds, None, "higher", int(count), int(count))
        scores[speed.key] = speed
        notes.append(f"speed: {torch.get_num_threads()} threads, {upscaler.precision}, files not read or written")
    if plain:
        means = ", ".join(f"{key} {number(float(np.mean(found)))}" for key, found in plain.items())
        notes.append(f"bicubic interpolation, by the same code: {means}")
    extractors: dict[str, dict[str, Any]] = {score.extractor: {} for score in scores.values()}
    if looking is not None:
        extractors[looking.name] = about_extractor(looking)
    made_passport = passport(
        scores,
        judged={
            "kind": "enlarging", "name": upscaler.model.name, "style": upscaler.style, "scale": upscaler.scale,
            "precision": upscaler.precision, "count": int(count),
        },
        data={
            "name": files.name, "source": str(data), "fingerprint": digest.hexdigest(), "split": "all",
            "references": int(count), "border": border, "resizing": "none" if low else "bicubic, antialiased",
        },
        extractors=extractors,
        notes=notes,
        warnings=[],
    )  # fmt: skip
    return Report(scores, made_passport)


def partners(files: Files) -> dict[str, tuple[str, str | None]]:
    """By name: the file in high resolution, and the one in low resolution where it lies beside it."""
    names = files.container.names()
    if not names:
        raise DataError(f"{shown(files.name)} holds no photos")
    stems = {stem_of(name): name for name in names}
    highs, lows = ([name for stem, name in stems.items() if stem.endswith(end)] for end in ("_HR", "_LR"))
    pairs: dict[str, tuple[str, str | None]] = {
        stem_of(high).removesuffix("_HR"): (high, low) for high, low in matched(highs, lows).items()
    }
    found = pairs or {stem: (name, None) for stem, name in stems.items()}
    return {name: found[name] for name in sorted(found, key=natural)}


def pairs_of(
    files: Files, names: dict[str, tuple[str, str | None]], low: str | Path | None, scale: int, digest: Any
) -> Iterator[Pair]:
    others = None if low is None else find_files(low, "photos", PhotoReader.wants)
    known = () if others is None else others.container.names()
    lows = matched([high for high, _ in names.values()], known, scale)
    try:
        for name, (high_name, low_name) in names.items():
            high = _read(files, high_name, digest)
            if others is not None:
                if high_name not in lows:
                    raise DataError(f"{shown(others.name)} has no low-resolution version of {shown(name)}")
                small = _read(others, lows[high_name], digest)
            elif low_name is not None:
                small = _read(files, low_name, digest)
            else:
                high = high[: high.shape[0] // scale * scale, : high.shape[1] // scale * scale]
                if not high.size:
                    raise DataError(f"{shown(name)} is smaller than {scale} pixels")
                small = shrunk(high, scale)
            if (small.shape[0] * scale, small.shape[1] * scale) != high.shape[:2]:
                raise DataError(
                    f"the low-resolution version of {shown(name)} is {sized((small.shape[0], small.shape[1]))}, and "
                    f"must be 1/{scale} of {sized((high.shape[0], high.shape[1]))} (height x width)"
                )
            yield Pair(name, high, small)
    finally:
        if others is not None:
            others.close()


def _read(files: Files, name: str, digest: Any) -> np.ndarray:
    _, content = next(iter(files.contents([name])))
    try:
        if isinstance(content, Damaged):
            raise content
        image = decode(content).image
    except Damaged as error:
        raise DataError(
            f"{shown(name)} in {shown(files.name)} is damaged ({error}): replace it, or leave it out"
        ) from None
    digest.update(name.encode("utf-8", "surrogatepass") + b"\0" + hashlib.sha256(content).digest())
    return fit(image, (image.height, image.width), 1 if image.mode == "L" else 3)


def _tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]
