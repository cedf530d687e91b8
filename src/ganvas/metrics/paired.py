"""Two folders whose pictures belong together by name: results beside what they should be."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganvas.data.containers import Container, Folder, is_archive
from ganvas.data.decode import Damaged, decode, quiet
from ganvas.data.partners import matched
from ganvas.errors import DataError, UsageError, near_miss
from ganvas.features import Extractor, ImageExtractor, default_extractor, extractor
from ganvas.files import at_home
from ganvas.metrics import pairs
from ganvas.metrics.bootstrap import mean_interval
from ganvas.metrics.judgement import Report
from ganvas.metrics.passport import Score, about_extractor, passport
from ganvas.progress_bar import steps
from ganvas.text import counted, listed, natural, quoted, shown, sized

_Measure = Callable[[Tensor, Tensor], Tensor]

OF_PAIRS: dict[str, tuple[str, _Measure, int]] = {
    "psnr": ("PSNR", lambda a, b: pairs.psnr(a, b, 255), 1),
    "ssim": ("SSIM", lambda a, b: pairs.ssim(a, b, 255), 11),
    "ms-ssim": ("MS-SSIM", lambda a, b: pairs.ms_ssim(a, b, 255), 176),
}
"""Name, function of pixel levels, and how many pixels a side must have at least."""

NAMES = (*OF_PAIRS, "perceptual")


def evaluate_pairs(
    results: str | Path,
    targets: str | Path,
    *,
    metrics: Sequence[str] | None = None,
    extractor: str | None = None,
    weights: str | Path | None = None,
    border: int = 0,
    seed: int = 0,
    progress: bool = True,
) -> Report:
    """PSNR, SSIM and MS-SSIM in RGB and in Y (BT.601's luminance), and a perceptual distance: the mean over the pairs.

    results, targets: folders or archives of images with the same names but for the ending. border: pixels left out on
    each side, as papers on super-resolution do by the scale.

    Raises DataError, in one line, where a picture has no partner, has another size than it, or cannot be read.
    """
    wanted = check_metrics(metrics)
    if border < 0:
        raise UsageError(f"--border must be 0 or more, not {border}")
    first, second = _container(results), _container(targets)
    with closing(first), closing(second):
        names = _matched(first, second)
        judge = _judge(extractor, weights) if "perceptual" in wanted else None
        values: dict[str, list[float]] = {}
        small: dict[str, int] = {}
        digests = (hashlib.sha256(), hashlib.sha256())
        both = _both(first, second, names, digests)
        for stem, image, target in steps(both, len(names), f"comparing {len(names):,} pairs", progress):
            if image.shape[-2:] != target.shape[-2:]:
                raise DataError(
                    f"the two pictures named {shown(stem)} have different sizes, {_sized(image)} and "
                    f"{_sized(target)} (height x width)"
                )
            if min(image.shape[-2:]) <= 2 * border:
                raise UsageError(f"--border {border} leaves nothing of {shown(stem)}")
            for key, value in measured(image, target, wanted, border, judge, small):
                values.setdefault(key, []).append(value)
    if small and metrics is not None:
        name, side = next(iter(small.items()))
        raise DataError(
            f"{name} needs pictures of at least {side} pixels a side{' within the border' if border else ''}"
        )
    notes = [f"no {name} of pictures below {side} pixels a side" for name, side in small.items()]
    scores = {}
    for key, found in values.items():
        score = score_of(key, torch.tensor(found, dtype=torch.float64), seed, notes)
        scores[score.key] = score
    extractors: dict[str, dict[str, Any]] = {score.extractor: {} for score in scores.values()}
    if judge is not None:
        extractors[judge.name] = about_extractor(judge)
    made = passport(
        scores,
        judged={
            "kind": "pairs", "name": _name(first), "source": str(results), "fingerprint": digests[0].hexdigest(),
            "count": len(names),
        },
        data={
            "name": _name(second), "source": str(targets), "fingerprint": digests[1].hexdigest(), "split": "pairs",
            "references": len(names), "border": border, "resizing": "none",
        },
        extractors=extractors,
        notes=notes,
        warnings=[],
    )  # fmt: skip
    return Report(scores, made)


def _sized(image: Tensor) -> str:
    return sized((image.shape[-2], image.shape[-1]))


def check_metrics(metrics: Sequence[str] | None) -> list[str]:
    """The metrics of pairs that were asked for, all of them by default. Raises UsageError."""
    for name in metrics or ():
        if name not in NAMES:
            raise UsageError(f"there is no metric {quoted(name)} of pairs{near_miss(name, NAMES)}")
    return list(dict.fromkeys(metrics or NAMES))


def _judge(name: str | None, weights: str | Path | None) -> ImageExtractor:
    name = name or ("inception" if weights is not None else default_extractor())
    if name == "native":
        raise UsageError("the extractor native is trained on labels, and pairs have none; try lite0")
    judge: Extractor = extractor(name, weights=None if weights is None else Path(weights))
    if not isinstance(judge, ImageExtractor):
        raise UsageError(f"the extractor {name} has no feature maps of images to compare; try lite0")
    return judge


def _container(source: str | Path) -> Container:
    path = at_home(source)
    if path.is_dir():
        return Folder(path)
    kind = is_archive(path) if path.is_file() else None
    if kind is None:
        raise DataError(f"{shown(str(source))} is neither a folder nor an archive of images")
    return kind(path)


def _name(container: Container) -> str:
    return container.path.resolve().name


def _matched(first: Container, second: Container) -> dict[str, tuple[str, str]]:
    """The names of each pair, by the first's stem. Raises DataError where one has no partner."""
    mine, other = _stems(first), _stems(second)
    if not mine or not other:
        raise DataError(f"{shown(str((second if mine else first).path))} holds no images")
    found = matched(mine.values(), other.values())
    taken = set(found.values())
    alone = [(first, stem) for stem, name in mine.items() if name not in found] + [
        (second, stem) for stem, name in other.items() if name not in taken
    ]
    if alone:
        counts = f"{_name(first)} holds {counted(len(mine), 'image')} and {_name(second)} {len(other):,}"
        named = listed(f"{shown(stem)} (only in {_name(where)})" for where, stem in alone)
        raise DataError(f"pictures go together by their names; {counts}, and these are alone: {named}")
    return {stem: (mine[stem], found[mine[stem]]) for stem in sorted(mine, key=natural)}


def _stems(container: Container) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in container.names():
        stem = str(PurePosixPath(name).with_suffix(""))
        if stem in found:
            raise DataError(
                f"{_name(container)} holds both {shown(found[stem])} and {shown(name)}: one name, two pictures"
            )
        found[stem] = name
    return found


def _both(
    first: Container, second: Container, names: dict[str, tuple[str, str]], digests: tuple[Any, Any]
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """(stem, image, target): levels (1, C, H, W) uint8, with as many channels on both sides."""
    for stem, pair in names.items():
        found = []
        for container, name, digest in zip((first, second), pair, digests, strict=True):
            found.append(_levels(container, name, digest))
        channels = max(each.shape[1] for each in found)
        yield stem, found[0].expand(-1, channels, -1, -1), found[1].expand(-1, channels, -1, -1)


def _levels(container: Container, name: str, digest: Any) -> Tensor:
    try:
        _, opener = next(iter(container.files({name})))
        with quiet(), opener() as file:
            content = file.read()
            picture = decode(content)
    except Damaged as error:
        raise DataError(
            f"{shown(name)} in {_name(container)} is damaged ({error}): replace it, or leave out the pair"
        ) from None
    digest.update(name.encode("utf-8", "surrogatepass") + b"\0" + hashlib.sha256(content).digest())
    pixels = np.asarray(picture.image)
    return torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1).copy()).permute(2, 0, 1)[None]


def measured(
    image: Tensor,
    target: Tensor,
    wanted: Sequence[str],
    border: int,
    judge: ImageExtractor | None,
    small: dict[str, int],
) -> Iterator[tuple[str, float]]:
    """Each score of one pair, levels (1, C, H, W), by its key; what it is too small for is noted in `small`."""
    a, b = (pairs.shaved(each.float(), border) for each in (image, target))
    sides = {"RGB" if a.shape[1] == 3 else "gray": (a, b)}
    if a.shape[1] == 3:
        sides["Y"] = (pairs.luminance(a / 127.5 - 1), pairs.luminance(b / 127.5 - 1))
    for name in wanted:
        if name == "perceptual":
            assert judge is not None
            with torch.no_grad():
                distance = pairs.perceptual_distance(a / 127.5 - 1, b / 127.5 - 1, judge)
            yield f"perceptual[{judge.name}]", float(distance)
            continue
        title, measure, least = OF_PAIRS[name]
        if min(a.shape[-2:]) < least:
            small[title] = least
            continue
        for colours, (x, y) in sides.items():
            yield f"{title}[{colours}]", float(measure(x, y))


def score_of(key: str, values: Tensor, seed: int, notes: list[str]) -> Score:
    """The mean of a score over pairs, with its interval."""
    name, _, extractor = key.rstrip("]").partition("[")
    better: Any = "lower" if name == "perceptual" else "higher"
    told = values[values.isfinite()]
    if len(told) < len(values):
        equal = len(values) - len(told)
        notes.append(
            f"{key}: {counted(equal, 'pair')} without any difference, where it is infinite, left out of the mean"
        )
    if not len(told):
        return Score(name, extractor, math.inf, None, better, 0, len(values))
    return Score(name, extractor, float(told.mean()), mean_interval(told, seed=seed), better, len(told), len(values))
