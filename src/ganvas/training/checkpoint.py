"""Checkpoints: everything that exact resume needs, in files that cannot run code.

    checkpoints/step-00001000/
        model.safetensors  averaged.safetensors  optimizers.safetensors  meter.safetensors
        values.json        where the game is: step, data position, watchers' memories, ...
        manifest.json      what this is, and every other file's size and SHA-256

A checkpoint is written into a folder of another name, flushed, and renamed as the last act, so a folder with the
right name was complete once. When it is read its manifest is checked first: a file that was cut, altered or swapped
since is refused by name. Tensors are safetensors, the rest is JSON; nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from ganvas.errors import RunError, TrainingError
from ganvas.files import flush_folder, write_atomically
from ganvas.recipe import Recipe, frozen_names

FORMAT = 1

_TENSOR_FILES = ("model", "averaged", "optimizers", "meter")
EXPORTED = "model.safetensors"
"""The weights in a folder that `ganvas export --format hub` wrote."""

_NAME = re.compile(r"step-(\d{8,})")


def write(folder: Path, state: dict[str, Any], about: dict[str, Any]) -> Path:
    """Writes `state` (of `Training.state`) as a checkpoint inside `folder`, complete or not at all.

    about: what the manifest says beside the checksums (the recipe). Raises TrainingError when the disk refuses.
    """
    final = folder / f"step-{state['values']['step']:08d}"
    temporary = folder / f".{final.name}.{os.getpid()}.tmp"
    contents = {f"{name}.safetensors": save(_contiguous(state[name])) for name in _TENSOR_FILES}
    contents["values.json"] = json.dumps(state["values"], indent=1).encode()
    files = {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in contents.items()}
    contents["manifest.json"] = json.dumps({"format": FORMAT, **about, "files": files}, indent=1).encode()
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for name, data in contents.items():
            write_atomically(temporary / name, data)
        flush_folder(temporary)
        if final.exists():
            shutil.rmtree(final)
        os.rename(temporary, final)
        flush_folder(folder)
    except OSError as error:
        raise TrainingError(f"cannot write the checkpoint {final}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return final


def read(checkpoint: Path, recipe: str | None = None) -> dict[str, Any]:
    """The state that `write` stored. Raises RunError that names the file and what is wrong with it.

    recipe: the recipe's name that the manifest must give, where the caller knows it.
    """
    manifest = _json(checkpoint / "manifest.json")
    if manifest.get("format") != FORMAT:
        raise RunError(f"{checkpoint}/manifest.json has format {manifest.get('format')!r}; this Ganvas reads {FORMAT}")
    if recipe is not None and manifest.get("recipe") != recipe:
        raise RunError(f"{checkpoint} is a checkpoint of the recipe {manifest.get('recipe')!r}, not of {recipe!r}")
    contents = {}
    expected = manifest.get("files")
    for name in (*(f"{name}.safetensors" for name in _TENSOR_FILES), "values.json"):
        try:
            size, digest = expected[name]["bytes"], expected[name]["sha256"]  # type: ignore[index]
        except (KeyError, TypeError):
            raise RunError(f"{checkpoint}/manifest.json does not list {name}") from None
        try:
            data = (checkpoint / name).read_bytes()
        except OSError as error:
            raise RunError(f"{checkpoint}/{name} cannot be read ({error.strerror})") from error
        if len(data) != size:
            raise RunError(f"{checkpoint}/{name} is truncated: {len(data)} bytes of {size}")
        if hashlib.sha256(data).hexdigest() != digest:
            raise RunError(f"{checkpoint}/{name} was altered: its checksum is not the manifest's")
        contents[name] = data
    state: dict[str, Any] = {}
    for name in _TENSOR_FILES:
        try:
            state[name] = load(contents[f"{name}.safetensors"])
        except SafetensorError as error:
            raise RunError(f"{checkpoint}/{name}.safetensors is not a safetensors file ({error})") from error
    state["values"] = json.loads(contents["values.json"])
    return state


def read_exported(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The weights of an exported folder as a state without a training; its config.json gives step and checksum.

    Raises RunError that says what is wrong.
    """
    try:
        step, digest = int(config["step"]), config["weights"]["sha256"]
    except (KeyError, TypeError, ValueError):
        raise RunError(f"{folder}/config.json is not complete; it is not a folder that Ganvas exported") from None
    try:
        data = (folder / EXPORTED).read_bytes()
    except OSError as error:
        raise RunError(f"{folder}/{EXPORTED} cannot be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise RunError(f"{folder}/{EXPORTED} was altered or cut: its checksum is not that of config.json")
    try:
        return {"model": load(data), "averaged": {}, "values": {"step": step}}
    except SafetensorError as error:
        raise RunError(f"{folder}/{EXPORTED} is not a safetensors file ({error})") from error


def found(folder: Path) -> list[Path]:
    """The checkpoints in `folder`, the newest first, by name; whether they can be read is for `read` to say."""
    if not folder.is_dir():
        return []
    named = [(int(match[1]), path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(named, reverse=True)]


def step_of(checkpoint: Path) -> int:
    """The step that a checkpoint's name gives."""
    return int(checkpoint.name.rpartition("-")[2])


def newest(folder: Path, recipe: str | None = None) -> tuple[dict[str, Any] | None, Path | None, list[str]]:
    """The newest state that can be read, its checkpoint, and a line for each newer one that had to be passed over."""
    refused: list[str] = []
    for checkpoint in found(folder):
        try:
            return read(checkpoint, recipe), checkpoint, refused
        except RunError as error:
            refused.append(str(error))
    return None, None, refused


def check_fits(state: dict[str, Any], recipe: Recipe, checkpoint: Path) -> None:
    """Raises RunError, naming the first difference, unless the checkpoint's tensors are the recipe's."""
    mine = {n: tuple(t.shape) for n, t in recipe.state_dict().items()}
    unstored = frozen_names(recipe)
    for name, tensor in state["model"].items():
        if mine.get(name) != tuple(tensor.shape):
            was = f"of shape {mine[name]}" if name in mine else "absent"
            raise RunError(f"{checkpoint}: {name} has shape {tuple(tensor.shape)}, and is {was} in this recipe")
    missing = [name for name in mine if name not in state["model"] and name not in unstored]
    if missing:
        raise RunError(f"{checkpoint} lacks {missing[0]}, which this recipe has")


def _contiguous(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise RunError(f"{path} is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise RunError(f"{path} holds {type(content).__name__}, not an object")
    return content
