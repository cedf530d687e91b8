"""Makes the pictures of README.md in docs/pictures from a finished run of the default recipe on `digits`.

    ganvas train --data digits --out runs/demo
    python scripts/make_pictures.py runs/demo

    strip.png          the same samples through the training
    grid.png           ten fresh samples of each label
    report.webp        the top of the run's report, which is made anew, as Chromium shows it
    enlarged.webp      a photo of 113 x 75 pixels, enlarged four times: bicubic interpolation, and `zoo:photo-x4`

The photo is `chelsea` of scikit-image (Stefan van der Walt, CC0). Needs what `make setup` installs, and Chromium.
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright
from skimage.data import chelsea

from ganvas.data.bicubic import resized, shrunk
from ganvas.files import write_atomically
from ganvas.model import load
from ganvas.report import write_report
from ganvas.run import timeline
from ganvas.upscaling import Upscaler

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
SCALE = 4


def strip(run: Path) -> Image.Image:
    return Image.open(run / timeline.FOLDER / timeline.STRIP)


def grid(run: Path) -> Image.Image:
    model = load(run)
    return model.space.show(model.sample(10 * len(model.labels), seed=1), columns=len(model.labels))


def report(run: Path) -> Image.Image:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as running:
        copy = shutil.copytree(run, Path(folder) / run.resolve().name)
        browser = running.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1160, "height": 1230})
        page.goto(write_report(copy).as_uri())
        content = page.screenshot()
        browser.close()
    return Image.open(io.BytesIO(content))


def enlarged() -> Image.Image:
    photo = chelsea()
    high = photo[: photo.shape[0] // SCALE * SCALE, : photo.shape[1] // SCALE * SCALE]
    low = shrunk(high, SCALE)
    sides = [resized(low, high.shape[:2]), Upscaler(load("zoo:photo-x4")).enlarge(low)]
    gap = np.full((high.shape[0], 6, 3), 255, np.uint8)
    return Image.fromarray(np.concatenate([sides[0], gap, sides[1]], 1))


def saved(picture: Image.Image, name: str) -> None:
    buffer = io.BytesIO()
    if name.endswith(".png"):
        picture.save(buffer, "PNG", optimize=True)
    else:
        picture.convert("RGB").save(buffer, "WEBP", quality=86, method=6)
    write_atomically(PICTURES / name, buffer.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run
    saved(strip(run), "strip.png")
    saved(grid(run), "grid.png")
    saved(report(run), "report.webp")
    saved(enlarged(), "enlarged.webp")
    for path in sorted(PICTURES.iterdir()):
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
