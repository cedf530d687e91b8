r"""Packs trained runs into the zoo: weights in half precision, hashes, and the scores that the card tells.

    python -m benchmarks.zoo photo-x4 --faithful runs/faithful --perceptual runs/perceptual --share 0.9 \
      --scored-on Set5 BSD100

The runs are those of docs/zoo.md. Without --perceptual the entry has one style. --share: how far the perceptual weights
go from those of --faithful to those of --perceptual (network interpolation; Wang et al. 2018, section 3.4).
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from ganvas import zoo
from ganvas.files import write_atomically, write_json
from ganvas.metrics.enlarged import evaluate_enlarging
from ganvas.model import load
from ganvas.networks.interpolation import between
from ganvas.runs import read_config
from ganvas.upscale import Upscaler, open_model

MOST_BYTES = 4_000_000
METRICS = ("psnr", "ssim", "perceptual")
ZOO = Path(zoo.__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--faithful", type=Path, required=True)
    parser.add_argument("--perceptual", type=Path)
    parser.add_argument("--share", type=float, default=1.0)
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
    faithful, step = _trained(parsed.faithful)
    card["styles"]["faithful"] = _packed(folder, "faithful", faithful, {"step": step})
    if parsed.perceptual is not None:
        reached, step = _trained(parsed.perceptual)
        weights = between(faithful, reached, parsed.share)
        card["styles"]["perceptual"] = _packed(folder, "perceptual", weights, {"step": step, "share": parsed.share})
    write_json(folder / "card.json", card)
    for style, about in card["styles"].items():
        about["scores"] = {data.name: _scored(parsed.name, style, data) for data in parsed.scored_on}
    write_json(folder / "card.json", card)
    print(json.dumps(card["styles"], indent=2))


def _trained(run: Path) -> tuple[dict[str, Tensor], int]:
    model = load(run)
    return model.recipe.get_submodule("generator").state_dict(), model.step


def _packed(folder: Path, style: str, weights: dict[str, Tensor], about: dict[str, Any]) -> dict[str, Any]:
    halves = {
        name: tensor.half().contiguous() if tensor.is_floating_point() else tensor for name, tensor in weights.items()
    }
    content = save(halves)
    assert len(content) <= MOST_BYTES, f"{len(content):,} bytes are more than {MOST_BYTES:,}"
    path = folder / f"{style}.safetensors"
    write_atomically(path, content)
    return {"file": path.name, "sha256": hashlib.sha256(content).hexdigest(), **about}


def _scored(name: str, style: str, data: Path) -> dict[str, float]:
    upscaler = Upscaler(open_model(f"{zoo.PREFIX}{name}"), style=style)
    report = evaluate_enlarging(upscaler, data, metrics=METRICS, progress=False)
    return {key: round(score.value, 4) for key, score in report.scores.items() if score.name != "speed"}


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
