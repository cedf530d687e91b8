"""Makes src/ganvas/exporting/assets/onnxruntime-web from the packages that Microsoft publishes, for the pages that
`ganvas export --format web` writes.

    python scripts/vendor_onnxruntime_web.py          (needs npm and pip; `make runtime` calls it)

The JavaScript is changed in two places only, so that it runs as a plain script inside a page, from `file://` too: it
does not ask where it was loaded from, and its exports become one global name. The WebAssembly is compressed, not
changed. The licence and the notices of third parties come from the Python package of the same version, since npm's has
neither. `SOURCE.json` says what was taken, with checksums that the test suite compares.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

VERSION = "1.30.0"
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
FOLDER = Path(__file__).parents[1] / "src" / "ganvas" / "exporting" / "assets" / "onnxruntime-web"


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        package, wheel = fetched(Path(temporary))
    script = package["package/dist/ort.wasm.bundle.min.mjs"].decode()
    files = {
        "ort.js": as_script(script).encode(),
        "ort.wasm.gz": gzip.compress(package["package/dist/ort-wasm-simd-threaded.wasm"], 9, mtime=0),
        "LICENSE": wheel["onnxruntime/LICENSE"],
        "ThirdPartyNotices.txt.gz": gzip.compress(wheel["onnxruntime/ThirdPartyNotices.txt"], 9, mtime=0),
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (FOLDER / name).write_bytes(content)
    about = {
        "package": "onnxruntime-web",
        "version": VERSION,
        "integrity": INTEGRITY,
        "licence": "MIT",
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    (FOLDER / "SOURCE.json").write_text(json.dumps(about, indent=2) + "\n")
    print(f"{FOLDER}: " + ", ".join(f"{name} {len(content):,} bytes" for name, content in files.items()))


def fetched(folder: Path) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The files of both packages, by name; npm's is what its integrity says."""
    subprocess.run(["npm", "pack", "--silent", f"onnxruntime-web@{VERSION}"], cwd=folder, check=True)
    (archive,) = folder.glob("*.tgz")
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != INTEGRITY:
        sys.exit(f"onnxruntime-web {VERSION} is not what it was: sha512-{digest}")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(folder)]
    subprocess.run([*pip, f"onnxruntime=={VERSION}"], check=True)
    (wheel,) = folder.glob("*.whl")
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as tar:
        package = {
            member.name: tar.extractfile(member).read()  # type: ignore[union-attr]
            for member in tar.getmembers()
            if member.name in ("package/dist/ort.wasm.bundle.min.mjs", "package/dist/ort-wasm-simd-threaded.wasm")
        }
    with zipfile.ZipFile(wheel) as zipped:
        names = ("onnxruntime/LICENSE", "onnxruntime/ThirdPartyNotices.txt")
        return package, {name: zipped.read(name) for name in names}


def as_script(module: str) -> str:
    """The ES module as a plain script that sets `globalThis.ort`."""
    found = re.search(r"export\{([^}]*)\};?\s*(//# sourceMappingURL=\S+\s*)?$", module)
    if found is None or "import.meta" not in module:
        sys.exit("onnxruntime-web is built in another way than this script knows")
    exported = dict(reversed(pair.split(" as ")) for pair in found[1].split(",") if " as " in pair)
    wanted = ", ".join(f"{name}: {exported[name]}" for name in ("InferenceSession", "Tensor", "env"))
    body = module[: found.start()].replace("import.meta.url", '"about:blank"')
    return f"(() => {{\n{body}\nglobalThis.ort = {{{wanted}}};\n}})();\n"


if __name__ == "__main__":
    main()
