"""Packs trained runs into the zoo: weights in half precision, hashes, and the scores that the card tells.

    python -m benchmarks.zoo photo-x4 --faithful runs/faithful --perceptual runs/perceptual --scored-on Set5 BSD100

The runs are those of docs/zoo.md. Without --perceptual the entry has one style.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from ganvas.files import write_atomically, write_json
from ganvas.metrics.super_resolution import evaluate_enlarging
from ganvas.model import load, zoo
from ganvas.run import read_config
from ganvas.upscaling import Upscaler

MOST_BYTES = 4_000_000
METRICS = ("psnr", "ssim", "perceptual")
ZOO = Path(zoo.__file__).parents[1] / "zoo"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--faithful", type=Path, required=True)
    parser.add_argument("--perceptual", type=Path)
    parser.add_argument("--scored-on", type=Path, nargs="*", default=[])
    parsed = parser.parse_args()
    folder = ZOO / parsed.name
    folder.mkdir(exist_ok=True)
    told = json.loads((folder / "about.json").read_text())
    config = read_config(parsed.faithful)
    card: dict[str, Any] = {
        "format": zoo.FORMAT,
        **told,
        "recipe": config["recipe"],
        "arguments": config["arguments"] | {"warmup": 1.0},
        "data": {"space": config["data"]["space"]},
        "styles": {},
    }
    for style in ("faithful", "perceptual"):
        run = getattr(parsed, style)
        if run is not None:
            card["styles"][style] = _packed(folder, run, style)
    write_json(folder / "card.json", card)
    for style, about in card["styles"].items():
        about["scores"] = {data.name: _scored(parsed.name, style, data) for data in parsed.scored_on}
    write_json(folder / "card.json", card)
    print(json.dumps(card["styles"], indent=2))


def _packed(folder: Path, run: Path, style: str) -> dict[str, Any]:
    model = load(run)
    halves = {
        name: tensor.half().contiguous() if tensor.is_floating_point() else tensor
        for name, tensor in model.recipe.get_submodule("generator").state_dict().items()
    }
    content = save(halves)
    assert len(content) <= MOST_BYTES, f"{len(content):,} bytes are more than {MOST_BYTES:,}"
    path = folder / f"{style}.safetensors"
    write_atomically(path, content)
    return {"file": path.name, "sha256": hashlib.sha256(content).hexdigest(), "step": model.step}


def _scored(name: str, style: str, data: Path) -> dict[str, float]:
    upscaler = Upscaler(load(f"{zoo.PREFIX}{name}"), style=style)
    report = evaluate_enlarging(upscaler, data, metrics=METRICS, progress=False)
    return {key: round(score.value, 4) for key, score in report.scores.items()}


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
