"""What a game adds to an autoencoder: `vaegan` beside `vae`, trained for the same time on the same pictures.

    python -m benchmarks.autoencoders [--data ../shared/data/cifar10-jpeg.zip] [--minutes 40] [--out runs/autoencoders]
    python -m benchmarks.autoencoders --runs runs/my-vae runs/my-vaegan

KID[lite0] tells how samples look beside the test split, which neither has learned from. Reconstructions are of pictures
of that split: the distance is of Lite2's maps, scaled as scores are, places and maps as in LPIPS with all weights 1
(Zhang et al. 2018, equation 1), and PSNR is of pixels. Neither recipe trains with Lite0 or Lite2. The rows `real` say
what is to be had: KID of pictures of the training split, and the distance between pictures and their neighbours in the
list, which have nothing to do with each other. Trainings that are in --out already are taken as they are, and what was
interrupted goes on. --pictures is a folder for samples of both, and for reconstructions below their pictures.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.trainings import table, trained
from ganvas.data.dataset import Data
from ganvas.data.opening import reopen
from ganvas.features import extractor
from ganvas.features.content import unit_distance
from ganvas.features.lite import Lite
from ganvas.metrics.distributions import kernel_distance
from ganvas.model import Model, load
from ganvas.run import read_config
from ganvas.spaces import save_picture

RECIPES = ("vae", "vaegan")
SEED, BLOCK = 1, 64
MOST_RATIO, MOST_DISTANCE = 0.6, 1.1
"""What `vaegan` should reach: of the KID of `vae`, and of its reconstructions' distance."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="../shared/data/cifar10-jpeg.zip")
    parser.add_argument("--minutes", type=float, default=40.0, help="of each training")
    parser.add_argument("--out", type=Path, default=Path("runs/autoencoders"))
    parser.add_argument("--runs", type=Path, nargs=2, metavar=("VAE", "VAEGAN"), help="finished runs to judge instead")
    parser.add_argument("--count", type=int, default=2000, help="samples, and test pictures, that are judged")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    runs = asked.runs or [
        trained(asked.out / name, name, asked.data, {"minutes": asked.minutes, "seed": asked.seed}) for name in RECIPES
    ]
    models = dict(zip(RECIPES, map(load, runs), strict=True))
    data = reopen(read_config(runs[0])["data"], accepts=models["vae"].recipe.accepts, progress=False)
    told = judged(models, data, asked.count)
    if asked.pictures is not None:
        asked.pictures.mkdir(parents=True, exist_ok=True)
        draw(models, data, asked.pictures)
    print(json.dumps(told, indent=2) if asked.json else in_words(told))


def judged(models: Mapping[str, Model], data: Data, count: int) -> dict[str, dict[str, Any]]:
    """Scores by name, of the models and of what is real."""
    lite0, lite2 = extractor("lite0", space=data.space), Lite("lite2")
    held_out, other = items(data, "test", count), items(data, "train", count)
    seen = lite0(data.space.encode(held_out)).features
    size = min(1000, len(held_out))
    found: dict[str, dict[str, Any]] = {
        "real": {
            "kid": kid(seen, lite0(data.space.encode(other)).features, size),
            "distance": apart(lite2, data.space.encode(held_out), data.space.encode(held_out.roll(1, 0))),
            "psnr": psnr(held_out, held_out.roll(1, 0)),
        }
    }
    for name, model in models.items():
        back = reconstructions(model, held_out)
        found[name] = {
            "step": model.step,
            "kid": kid(seen, lite0(data.space.encode(model.sample(count, seed=SEED))).features, size),
            "distance": apart(lite2, data.space.encode(back), data.space.encode(held_out)),
            "psnr": psnr(back, held_out),
        }
    return found


def items(data: Data, split: str, count: int) -> Tensor:
    """So many of the split, spread over all of it: (count, C, H, W) in [-1, 1]."""
    own = data.split(split)
    return own.gather(np.linspace(0, len(own) - 1, min(count, len(own))).astype(np.int64)).value


def kid(real: Tensor, fake: Tensor, size: int) -> float:
    return kernel_distance(real, fake, subset_size=min(size, len(fake)))[0]


@torch.inference_mode()
def reconstructions(model: Model, pictures: Tensor) -> Tensor:
    encode = model.recipe.encode
    if encode is None:
        raise SystemExit(f"{type(model.recipe).__name__} has no encoder")
    return torch.cat([model.decode(encode(part)) for part in pictures.split(BLOCK)])


@torch.inference_mode()
def apart(lite: Lite, made: Tensor, wanted: Tensor) -> float:
    """The mean distance of levels (B, C, H, W) in [0, 255] from others."""
    both = zip(made.split(BLOCK), wanted.split(BLOCK), strict=True)
    each = [unit_distance(*(lite.maps_of(lite.prepare(part.float())) for part in pair)) for pair in both]
    return float(torch.cat(each).mean())


def psnr(made: Tensor, wanted: Tensor) -> float:
    """The mean in decibels, of values in [-1, 1]."""
    return float((10 * torch.log10(4 / (made - wanted).square().flatten(1).mean(1).clamp(min=1e-10))).mean())


def draw(models: Mapping[str, Model], data: Data, folder: Path, columns: int = 12) -> None:
    held_out = items(data, "test", 4 * columns)
    rows = torch.stack([held_out, *(reconstructions(model, held_out) for model in models.values())])
    bands = rows.unflatten(1, (-1, columns)).transpose(0, 1).flatten(0, 2)
    save_picture(data.space.show(bands, columns=columns), folder / "reconstructions.png")
    for name, model in models.items():
        save_picture(data.space.show(model.sample(8 * columns, seed=SEED), columns=columns), folder / f"{name}.png")


def in_words(told: Mapping[str, Mapping[str, Any]]) -> str:
    head = ["", "steps", "KID[lite0] of samples", "reconstruction: distance[lite2]", "PSNR"]
    rows = [
        [name, f"{each['step']:,}" if "step" in each else "", f"{each['kid']:.4f}", f"{each['distance']:.3f}",
         f"{each['psnr']:.2f}"]
        for name, each in told.items()
    ]  # fmt: skip
    vae, vaegan = (told[name] for name in RECIPES)
    ratio, distance = (vaegan[key] / vae[key] for key in ("kid", "distance"))
    verdicts = [
        f"KID beside that of vae: {ratio:.2f} (at most {MOST_RATIO})",
        f"distance beside that of vae: {distance:.2f} (at most {MOST_DISTANCE})",
    ]
    return "\n".join([table(head, rows), *verdicts])


if __name__ == "__main__":
    main()
