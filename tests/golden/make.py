"""How the golden runs were made: `python tests/golden/make.py` writes `format-N`, of the format that runs have now.

`format-1` was written by Ganvas 0.1.0 and must stay as it is: it stands for the runs that people have. A later format
gets a folder of its own beside it, and the script refuses to write one that is there.

Each run is tiny and complete but for `report.html` and TensorBoard's events. `expected.npz` beside its `config.json`
holds `samples`, float32: what `made` gave in float32 on the processor that trained the run. What a configuration says
of the machine is replaced, since it is nobody's business.
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

import ganvas
from ganvas.api import play, prepare
from ganvas.data.dataset import Data
from ganvas.data.opening import open_data
from ganvas.run.folder import FORMAT
from ganvas.testing import tiny_photos

HERE = Path(__file__).resolve().parent
LEFT_OUT = ("report.html", "tensorboard", ".lock")
COMMON: dict[str, Any] = {"batch_size": 16, "device": "cpu", "precision": "float32", "keep": 1, "steps": 100}
RUNS: dict[str, dict[str, Any]] = {
    "r3gan": {"width": 4, "latent": 8, "sample_every": 100},
    "vanilla": {"width": 8, "latent": 4, "sample_every": 100, "score_every": 150, "steps": 300},
    "infogan": {"width": 4, "latent": 8, "sample_every": 100},
    "srgan": {
        "scale": 2, "width": 4, "blocks": 1, "discriminator_width": 2, "content": "none", "warmup": 0.5,
        "adversarial_lr": 1e-3, "sample_every": 50,
    },
}  # fmt: skip
CALLS: dict[str, dict[str, Any]] = {
    "r3gan": {"n": 6, "seed": 3, "label": ["7", "0", "1", "2", "9", "7"]},
    "vanilla": {"n": 70, "seed": 4},
    "infogan": {"n": 5, "seed": 5},
}
"""How each is sampled; 70 samples come from two blocks of latent vectors."""


def data_of(name: str) -> Data:
    if name == "srgan":
        return tiny_photos()
    if name == "vanilla":
        return open_data("ring", progress=False)
    return open_data("digits", size=(15, 12) if name == "r3gan" else (8, 8), progress=False)


def made(name: str, run: Path) -> np.ndarray:
    """What a golden run gives: samples in [-1, 1], (n, C, H, W) or (n, 2); of `srgan` a picture enlarged in both
    styles, in levels of 0 to 255, (2, 32, 24, 3)."""
    if name in CALLS:
        return ganvas.load(run).sample(**CALLS[name]).numpy()
    rows, columns = np.mgrid[:16, :12]
    picture = np.stack([16 * rows, 21 * columns, 255 * ((rows + columns) % 5 < 2)], axis=2).astype(np.uint8)
    styles = ("faithful", "perceptual")
    return np.stack([ganvas.upscale(picture, model=run, style=style) for style in styles]).astype(np.float32)


def write(name: str, run: Path) -> None:
    play(prepare(name, data_of(name), COMMON | RUNS[name]), out=run, quiet=True)
    for left_out in LEFT_OUT:
        path = run / left_out
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    text = (run / "config.json").read_text()
    if name == "srgan":
        source = json.loads(text)["data"]["source"]
        text = text.replace(source, "photos").replace(Path(source).name, "photos")
    (run / "config.json").write_text(text.replace(platform.platform(terse=True), platform.system()))
    np.savez_compressed(run / "expected.npz", samples=made(name, run))


if __name__ == "__main__":
    folder = HERE / f"format-{FORMAT}"
    if folder.exists():
        sys.exit(f"{folder} is there already, and golden runs are never written again")
    for each in RUNS:
        write(each, folder / each)
