"""Export: the chosen run as something that other programs use, to be downloaded."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import gradio as gr

from ganvas.exporting import FORMATS
from ganvas.web.studio import film
from ganvas.web.studio.context import Desk
from ganvas.web.studio.downloads import named
from ganvas.web.studio.work import Work, one_of

TITLES = {
    "web": "a web page that works by itself, without any server",
    "onnx": "a network for other programs (ONNX)",
    "hub": "a folder for Hugging Face's Hub, as a zip",
}


def build(desk: Desk) -> None:
    kind = gr.Radio(
        [(TITLES.get(each, each), each) for each in TITLES if each in FORMATS],
        value=next(iter(TITLES)),
        label="As",
        info="Each is compared with the run's own samples before it is written",
        elem_id="export-format",
    )
    work = Work.build(desk, "export", desk.shelf.exports, "Export")
    file = gr.DownloadButton("Download", visible=False, size="sm", elem_id="exported")

    def words(name: str, format: Any) -> list[str]:
        format = one_of(format, list(TITLES), "format")
        out = _out(desk.shelf.made(name), name, format)
        out.parent.mkdir(parents=True, exist_ok=True)
        return [str(desk.shelf.path(name)), f"--format={format}", f"--out={out}", "--overwrite"]

    def made(name: str) -> tuple[str, Any]:
        found = _made(desk, name)
        when = found.stat().st_mtime_ns if found else 0
        return str(when), lambda: [_offered(found, name)]

    work.connect(words, [kind], made, [file])
    film.build(desk)


def _made(desk: Desk, name: str) -> Path | None:
    """What the last export of the run wrote; None where that is not there."""
    words = desk.shelf.exports.words(name)
    format = next((word.removeprefix("--format=") for word in words if word.startswith("--format=")), "")
    out = _out(desk.shelf.made(name), name, format)
    return out if format in TITLES and out.exists() and not desk.shelf.exports.live(name) else None


def _offered(found: Path | None, name: str) -> Any:
    if found is None:
        return gr.DownloadButton(value=None, visible=False)
    path = found if found.is_file() else _zipped(found)
    size = path.stat().st_size / 1e6
    return gr.DownloadButton(f"Download {path.name} ({size:,.1f} MB)", value=str(path), visible=True)


def _zipped(folder: Path) -> Path:
    """The folder as a zip beside it, made where there is none as new."""
    path = folder.with_name(f"{folder.name}.zip")
    if not path.is_file() or path.stat().st_mtime < folder.stat().st_mtime:
        made = Path(shutil.make_archive(str(folder.with_name(f".{folder.name}")), "zip", folder.parent, folder.name))
        made.replace(path)
    return path


def _out(folder: Path, name: str, format: str) -> Path:
    ending = FORMATS[format][0] if format in FORMATS else ""
    return folder / named(f"{name}{ending or '-hub'}")
