"""Files that the page offers for download, kept where Gradio keeps its own, which clears them away."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ganvas.files import write_atomically
from ganvas.web.studio.run_list import Shelf


def keep(shelf: Shelf, name: str, content: bytes) -> Path:
    """Writes the content under this name, in a folder of its own, and returns where."""
    folder = shelf.cache / hashlib.sha256(content).hexdigest()
    path = folder / named(name)
    if not path.exists():
        write_atomically(path, content)
    return path


def named(name: str) -> str:
    """A name that any system takes for a file."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)
