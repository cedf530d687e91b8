"""How near filled holes come to what was there, in Lite2's features under the mask, beside OpenCV's fills.

    pip install --no-deps opencv-python-headless
    ganvas train inpainting --data ../shared/data/super-resolution.zip/train --minutes 60 --out runs/inpainting
    python -m benchmarks.inpainting runs/inpainting --data ../shared/data/super-resolution.zip/BSD100

Two sets of masks, each of a quarter of every photo: `small`, the masks of the training laid side by side, and `large`,
one mask of the photo's size, with holes wider than any of the training. The distance at a place of a feature map counts
by how much of it is masked. Lite2 is not what the recipe trains with (Lite0, by default); the photos are held out.
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, normalize

from ganvas.data.image_files import Files
from ganvas.data.masks import random_mask
from ganvas.data.photos import PhotoReader
from ganvas.data.sources import find_files
from ganvas.features.lite import Lite
from ganvas.model import Model, load
from ganvas.networks.filling import surroundings
from ganvas.spaces import FREE, ImageSpace, save_picture

SHARE = (0.24, 0.26)
MULTIPLE = 32
"""Photos are cut to multiples of so many pixels, by which Lite2 halves them."""

PHOTO = ImageSpace(3, FREE, FREE)
Fill = Callable[[Tensor, np.ndarray], Tensor]
"""A photo (1, 3, H, W) and a mask (H, W) bool to the filled photo."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--data", default="../shared/data/super-resolution.zip/BSD100")
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--pictures", type=Path, help="a folder for some of the fills, to look at")
    parser.add_argument("--json", action="store_true")
    parsed = parser.parse_args()
    model, lite = load(parsed.run), Lite("lite2")
    side = model.space.facts()["size"][0]
    files = find_files(parsed.data, "photos", PhotoReader.wants)
    assert isinstance(files, Files)
    names = files.names()[: parsed.photos]
    fills = {parsed.run: ours(model), "what is around": smooth(side)} | opencv()
    found: dict[str, dict[str, list[float]]] = {}
    for number, (_, content) in enumerate(files.contents(names)):
        assert isinstance(content, bytes)
        photo = _cut(PHOTO.read(content))
        for kind, mask in masks(number, side, *photo.shape[2:]).items():
            made = {name: fill(photo, mask) for name, fill in fills.items()}
            for name, each in made.items():
                apart = distance(each, photo, mask, lite)
                found.setdefault(kind, {}).setdefault(name, []).append(apart)
            if parsed.pictures is not None and number % 10 == 0:
                holed = photo.where(torch.from_numpy(~mask), 1.0)
                shown = torch.cat([holed, *made.values(), photo])
                save_picture(PHOTO.show(shown, columns=3), parsed.pictures / f"{number:03d}-{kind}.png")
    told = table(found, parsed.run)
    print(json.dumps(told, indent=2) if parsed.json else _in_words(told, len(names), model.step))


def masks(number: int, side: int, height: int, width: int) -> dict[str, np.ndarray]:
    """Those of the photo with this number, (height, width) bool."""
    small = np.zeros((height, width), bool)
    for top in range(0, height, side):
        for left in range(0, width, side):
            piece = small[top : top + side, left : left + side]
            piece |= random_mask((number, top, left), piece.shape[0], piece.shape[1], share=SHARE)
    return {"small": small, "large": random_mask((number,), height, width, share=SHARE)}


def ours(model: Model) -> Fill:
    def fill(photo: Tensor, mask: np.ndarray) -> Tensor:
        return model.transform(photo, mask=torch.where(torch.from_numpy(mask), 1.0, -1.0)[None]).clamp(-1, 1)

    return fill


def smooth(side: int) -> Fill:
    """Where the network begins."""

    def fill(photo: Tensor, mask: np.ndarray) -> Tensor:
        hole = torch.from_numpy(mask)[None, None]
        return torch.where(hole, surroundings(photo, hole, side), photo)

    return fill


def opencv() -> dict[str, Fill]:
    """Telea 2004, and Bertalmio, Bertozzi and Sapiro 2001, at two radii."""
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError:
        raise SystemExit("OpenCV is missing: pip install --no-deps opencv-python-headless") from None

    def fill(photo: Tensor, mask: np.ndarray, *, method: int, radius: int) -> Tensor:
        levels = PHOTO.to_uint8(photo)[0]
        return PHOTO.decode(cv2.inpaint(levels, mask.astype(np.uint8) * 255, radius, method)[None])

    ways = {"telea": cv2.INPAINT_TELEA, "navier-stokes": cv2.INPAINT_NS}
    return {
        f"opencv {name} {radius}": partial(fill, method=method, radius=radius)
        for name, method in ways.items()
        for radius in (3, 8)
    }


@torch.inference_mode()
def distance(made: Tensor, photo: Tensor, mask: np.ndarray, lite: Lite) -> float:
    """As LPIPS (Zhang et al. 2018, equation 1) with all weights 1, and places weighed by the masked part of them."""
    masked, total = torch.from_numpy(mask).float()[None, None], 0.0
    pairs = zip(*(lite.maps_of(lite.scaled((each + 1) * 127.5)) for each in (made, photo)), strict=True)
    for one, other in pairs:
        apart = (normalize(one, dim=1) - normalize(other, dim=1)).square().sum(1, keepdim=True)
        weight = adaptive_avg_pool2d(masked, (apart.shape[2], apart.shape[3]))
        total += float((apart * weight).sum() / weight.sum())
    return total


def table(found: dict[str, dict[str, list[float]]], run: str) -> dict[str, dict[str, float]]:
    """Means by masks and way of filling, and how the run stands beside the best of OpenCV's."""
    told = {}
    for kind, ways in found.items():
        means = {name: float(np.mean(values)) for name, values in ways.items()}
        best = min(value for name, value in means.items() if name.startswith("opencv"))
        told[kind] = means | {"run / best of OpenCV's": means[run] / best}
    return told


def _cut(photo: Tensor) -> Tensor:
    height, width = (side // MULTIPLE * MULTIPLE for side in photo.shape[2:])
    return photo[:, :, :height, :width].contiguous()


def _in_words(told: dict[str, dict[str, float]], count: int, step: int) -> str:
    lines = [f"{count} photos, a quarter masked, weights of step {step:,}: distance in Lite2's features under the mask"]
    for kind, means in told.items():
        lines += [f"{kind} holes", *(f"  {name:28} {value:.3f}" for name, value in means.items())]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
