"""Packs trained runs into the zoo: weights in half precision, hashes, and the scores that the card tells.

    python -m benchmarks.zoo photo-x4 --faithful runs/faithful --perceptual runs/perceptual --scored-on Set5 BSD100
    python -m benchmarks.zoo emoji-style --run runs/third --scored-on emoji --split test

The runs are those of docs/zoo.md. A run of `srgan` or `esrgan` is `--faithful`, with or without a `--perceptual` one;
any other is `--run`. What a card says in words is in `about.json` beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

import ganvas
from ganvas.files import write_atomically, write_json
from ganvas.inputs import inputs_to_json
from ganvas.metrics.super_resolution import evaluate_enlarging
from ganvas.model import Model, load, zoo
from ganvas.run import read_config
from ganvas.upscaling import Upscaler

MOST_BYTES = 5_000_000
METRICS = ("psnr", "ssim", "perceptual")
ZOO = Path(zoo.__file__).parents[1] / "zoo"
ONLY = "only"
"""The style of an entry that has one."""

UNUSED = {"content": "none", "sees": "pixels"}
"""Arguments of networks that training alone needs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--faithful", type=Path)
    parser.add_argument("--perceptual", type=Path)
    parser.add_argument("--scored-on", type=Path, nargs="*", default=[])
    parser.add_argument("--split", help="of the data to score on, for --run")
    parser.add_argument("--metrics", nargs="*", help="for --run (default: all that there are)")
    parser.add_argument("--extractor", help="for --run")
    parsed = parser.parse_args()
    if (parsed.run is None) == (parsed.faithful is None):
        parser.error("give --run, or --faithful")
    folder = ZOO / parsed.name
    folder.mkdir(exist_ok=True)
    run = parsed.run or parsed.faithful
    config = read_config(run)
    card: dict[str, Any] = {
        "format": zoo.FORMAT,
        **json.loads((folder / "about.json").read_text()),
        "recipe": config["recipe"],
        "arguments": config["arguments"] | _unused(config["arguments"], enlarging=parsed.run is None),
        "data": {"space": config["data"]["space"]},
        "styles": {},
    }
    if parsed.run is not None:
        model = load(run)
        card["networks"] = list(model.recipe.averaged)
        card["inputs"] = inputs_to_json(model.inputs)
        whole = {f"{name}.{key}": each for name in card["networks"] for key, each in _weights(model, name).items()}
        card["styles"][ONLY] = _packed(folder, whole, ONLY, model.step)
    else:
        for style in ("faithful", "perceptual"):
            if (of_style := getattr(parsed, style)) is not None:
                model = load(of_style)
                card["styles"][style] = _packed(folder, _weights(model, "generator"), style, model.step)
    write_json(folder / "card.json", card)
    for style, about in card["styles"].items():
        about["scores"] = {data.name: _scored(parsed, style, data, config["data"]) for data in parsed.scored_on}
    write_json(folder / "card.json", card)
    print(json.dumps(card["styles"], indent=2))


def _unused(arguments: Mapping[str, Any], enlarging: bool) -> dict[str, Any]:
    """What an entry has in place of arguments of the training."""
    if enlarging:
        return {"warmup": 1.0}
    return {name: value for name, value in UNUSED.items() if name in arguments}


def _weights(model: Model, network: str) -> dict[str, Tensor]:
    return dict(model.recipe.get_submodule(network).state_dict())


def _packed(folder: Path, weights: Mapping[str, Tensor], style: str, step: int) -> dict[str, Any]:
    content = save({k: v.half().contiguous() if v.is_floating_point() else v for k, v in weights.items()})
    assert len(content) <= MOST_BYTES, f"{len(content):,} bytes are more than {MOST_BYTES:,}"
    path = folder / f"{style}.safetensors"
    write_atomically(path, content)
    return {"file": path.name, "sha256": hashlib.sha256(content).hexdigest(), "step": step}


def _scored(parsed: argparse.Namespace, style: str, data: Path, trained: Mapping[str, Any]) -> dict[str, float]:
    """By data that is read as that of the training was."""
    run = f"{zoo.PREFIX}{parsed.name}"
    if style == ONLY:
        asked = {"split": parsed.split, "metrics": parsed.metrics, "extractor": parsed.extractor}
        scores = ganvas.evaluate(run, data, **asked, progress=False, **trained["options"]).scores
    else:
        scores = evaluate_enlarging(Upscaler(load(run), style=style), data, metrics=METRICS, progress=False).scores
    return {key: round(score.value, 4) for key, score in scores.items()}


if __name__ == "__main__":
    main()
