"""Checkpoints: everything that exact resume needs, in files that cannot run code.

    checkpoints/step-00001000/
        model.safetensors  averaged.safetensors  optimizers.safetensors  meter.safetensors
        values.json        where the game is: step, data position, watchers' memories, ...
        manifest.json      what this is, and every other file's size and SHA-256

A checkpoint is written into a folder of another name, flushed, and renamed as the last act, so a folder with the
right name was complete once. When it is read its manifest is checked first: a file that was cut, altered or swapped
since is refused by name. Tensors are safetensors, the rest is JSON; nothing is unpickled.

A manifest may come from elsewhere too and vouch for anything. So what the files hold is checked as well: JSON by its
schema (`MANIFEST`, `VALUES`), tensors by what they are for (`check_fits`, `check_resumable`).
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch.optim import Optimizer

from ganvas.errors import RunError, TrainingError
from ganvas.files import flush_folder, parse_json, read_json, read_regular, write_atomically
from ganvas.recipe import Recipe, frozen_names
from ganvas.schema import Misfit, Schema, check, number, record, table, text, whole
from ganvas.text import shown

FORMAT = 1

MOST_JSON = 1 << 24
"""Bytes of a manifest, and of the values."""

MOST_TENSORS = 1 << 40
"""Bytes of a file of tensors."""

MOST_STEPS = 10**12

_TENSOR_FILES = ("model", "averaged", "optimizers", "meter")
EXPORTED = "model.safetensors"
"""The weights in a folder that `ganvas export --format hub` wrote."""

MANIFEST = record(
    {"format": whole(), "files": table(record({"bytes": whole(0, MOST_TENSORS), "sha256": text()}))}, {"recipe": text()}
)
VALUES = record(
    {
        "step": whole(0, MOST_STEPS),
        "position": whole(),
        "seconds": number(0, 1e12),
        "step_scale": number(0, 1),
        "roll_backs": whole(0, 1000),
        "watchers": table(table()),
    },
    {
        "augmentation": record(
            {
                "probability": number(0, 1),
                "sign": number(-1, 1),
                "signs": number(-MOST_STEPS, MOST_STEPS),
                "count": number(0, MOST_STEPS),
            }
        )
    },
)

_NAME = re.compile(r"step-(\d{8,16})")


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
    manifest = _json(checkpoint, "manifest.json")
    if manifest.get("format") != FORMAT:
        raise RunError(f"{checkpoint}/manifest.json has format {manifest.get('format')!r}; this Ganvas reads {FORMAT}")
    _check(MANIFEST, manifest, f"{checkpoint}/manifest.json")
    if recipe is not None and manifest.get("recipe") != recipe:
        raise RunError(f"{checkpoint} is a checkpoint of the recipe {manifest.get('recipe')!r}, not of {recipe!r}")
    contents = {}
    for name in (*(f"{name}.safetensors" for name in _TENSOR_FILES), "values.json"):
        if name not in manifest["files"]:
            raise RunError(f"{checkpoint}/manifest.json does not list {name}")
        size, digest = manifest["files"][name]["bytes"], manifest["files"][name]["sha256"]
        data = _bytes(checkpoint / name, size, checkpoint)
        if len(data) != size:
            raise RunError(f"{checkpoint}/{name} is truncated: {len(data)} bytes of {size}")
        if hashlib.sha256(data).hexdigest() != digest:
            raise RunError(f"{checkpoint}/{name} was altered: its checksum is not the manifest's")
        contents[name] = data
    state: dict[str, Any] = {
        name: _tensors(contents[f"{name}.safetensors"], f"{checkpoint}/{name}.safetensors") for name in _TENSOR_FILES
    }
    try:
        state["values"] = parse_json(contents["values.json"])
    except ValueError as error:
        raise RunError(f"{checkpoint}/values.json is not JSON ({error})") from error
    _check(VALUES, state["values"], f"{checkpoint}/values.json")
    if _NAME.fullmatch(checkpoint.name) and state["values"]["step"] != step_of(checkpoint):
        raise RunError(f"{checkpoint}/values.json is of step {state['values']['step']}, which its folder is not")
    return state


def read_exported(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The weights of an exported folder as a state without a training; its config.json gives step and checksum.

    Raises RunError that says what is wrong.
    """
    step, weights = config.get("step"), config.get("weights")
    if step is None or weights is None:
        raise RunError(f"{folder}/config.json is not complete; it is not a folder that Ganvas exported")
    data = _bytes(folder / EXPORTED, MOST_TENSORS)
    if hashlib.sha256(data).hexdigest() != weights["sha256"]:
        raise RunError(f"{folder}/{EXPORTED} was altered or cut: its checksum is not that of config.json")
    return {"model": _tensors(data, f"{folder}/{EXPORTED}"), "averaged": {}, "values": {"step": step}}


def found(folder: Path) -> list[Path]:
    """The checkpoints in `folder`, the newest first, by name; whether they can be read is for `read` to say."""
    if not folder.is_dir():
        return []
    named = [(int(match[1]), path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(named, reverse=True)]


def step_of(checkpoint: Path) -> int:
    """The step that a checkpoint's name gives."""
    return int(checkpoint.name.rpartition("-")[2])


def newest(
    folder: Path, recipe: str | None = None, fits: Callable[[dict[str, Any], Path], None] = lambda state, place: None
) -> tuple[dict[str, Any] | None, Path | None, list[str]]:
    """The newest state that can be read and that fits, its checkpoint, and a line for each newer one that had to be
    passed over. fits: raises RunError where a state cannot be used."""
    return first_of(found(folder), recipe, fits)


def first_of(
    places: list[Path], recipe: str | None, fits: Callable[[dict[str, Any], Path], None]
) -> tuple[dict[str, Any] | None, Path | None, list[str]]:
    """As `newest`, of these checkpoints in their order."""
    refused: list[str] = []
    for place in places:
        try:
            state = read(place, recipe)
            fits(state, place)
            return state, place, refused
        except RunError as error:
            refused.append(str(error))
    return None, None, refused


def check_fits(state: dict[str, Any], recipe: Recipe, checkpoint: Path) -> None:
    """Raises RunError, naming the first difference, unless the checkpoint's weights are the recipe's, and its averaged
    ones those that the recipe has averaged, or none. Nothing is computed, so `recipe` may be on the meta device."""
    mine = recipe.state_dict()
    unstored = frozen_names(recipe)
    _check_alike(state["model"], mine, {name for name in mine if name not in unstored}, checkpoint)
    if state["averaged"]:
        followed = tuple(f"{name}." for name in recipe.averaged)
        wanted = {name: tensor for name, tensor in mine.items() if name.startswith(followed)}
        _check_alike(state["averaged"], wanted, set(wanted), checkpoint)


def check_resumable(state: dict[str, Any], optimizers: dict[str, Optimizer], recipe: Recipe, checkpoint: Path) -> None:
    """Raises RunError, naming the first fault, unless training can go on with the checkpoint's moments and sums."""
    parameters = dict(recipe.named_parameters())
    owners = {
        id(p): player for player, each in optimizers.items() for group in each.param_groups for p in group["params"]
    }
    kept: dict[tuple[str, str], dict[str, torch.Tensor]] = {}
    for key, tensor in state["optimizers"].items():
        player, _, rest = key.partition("/")
        name, _, slot = rest.rpartition("/")
        if name not in parameters or owners.get(id(parameters[name])) != player:
            raise RunError(f"{checkpoint}: {shown(key)[:200]} is of no parameter that {shown(player)[:80]} moves")
        kept.setdefault((player, name), {})[slot] = tensor
    for (player, name), slots in kept.items():
        _check_moments(slots, optimizers[player], parameters[name], f"{checkpoint}: {player}/{name}")
    for key, sums in state["meter"].items():
        names = key.split(",")
        counted = sums.dim() == 1 and len(sums) == len(names) + 1 and sums.is_floating_point() and float(sums[-1]) >= 1
        if not counted or not all("/" in name for name in names):
            raise RunError(f"{checkpoint}: {shown(key)[:200]} in meter.safetensors are no sums of what turns report")


def _check_moments(slots: dict[str, torch.Tensor], optimizer: Optimizer, parameter: torch.Tensor, where: str) -> None:
    """Only those of PyTorch's own optimizers are known."""
    if not type(optimizer).__module__.startswith("torch."):
        return
    known = _moments(optimizer, parameter)
    for slot, tensor in slots.items():
        if slot not in known:
            raise RunError(f"{where}/{shown(slot)[:80]} is nothing that the optimizer keeps")
        shape, dtype = tuple(known[slot].shape), known[slot].dtype
        if (tuple(tensor.shape), tensor.dtype) != (shape, dtype):
            raise RunError(f"{where}/{slot} is {tensor.dtype} of shape {tuple(tensor.shape)}, not {dtype} of {shape}")
        if not shape and not 0 <= float(tensor) <= MOST_STEPS:
            raise RunError(f"{where}/{slot} is {float(tensor):g}, and counts steps")
    if missing := known.keys() - slots.keys():
        raise RunError(f"{where} has no {min(missing)}")


def _moments(optimizer: Optimizer, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
    """What such an optimizer keeps of such a parameter, told by letting one like it move one like it."""
    known = inspect.signature(type(optimizer)).parameters
    choices = {name: value for name, value in optimizer.param_groups[0].items() if name in known and name != "params"}
    alike = torch.nn.Parameter(torch.zeros(parameter.shape, dtype=parameter.dtype))
    alike.grad = torch.zeros_like(alike)
    moving = type(optimizer)([alike], **choices)
    moving.step()
    return {slot: value for slot, value in moving.state[alike].items() if isinstance(value, torch.Tensor)}


def _check_alike(
    theirs: dict[str, torch.Tensor], mine: dict[str, torch.Tensor], needed: set[str], checkpoint: Path
) -> None:
    for name, tensor in theirs.items():
        if name not in mine or mine[name].shape != tensor.shape:
            was = f"of shape {tuple(mine[name].shape)}" if name in mine else "absent"
            raise RunError(
                f"{checkpoint}: {shown(name)[:200]} has shape {tuple(tensor.shape)}, and is {was} in this recipe"
            )
        if tensor.is_floating_point() != mine[name].is_floating_point():
            raise RunError(
                f"{checkpoint}: {shown(name)[:200]} is {tensor.dtype}, and {mine[name].dtype} in this recipe"
            )
    missing = [name for name in mine if name in needed and name not in theirs]
    if missing:
        raise RunError(f"{checkpoint} lacks {missing[0]}, which this recipe has")


def _contiguous(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _tensors(data: bytes, name: str) -> dict[str, torch.Tensor]:
    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError, OverflowError) as error:
        why = shown(" ".join(str(error).split()))[:200]
        raise RunError(f"{name} is not a safetensors file ({why})") from error


def _bytes(path: Path, most: int, inside: Path | None = None) -> bytes:
    try:
        return read_regular(path, most, inside)
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror})") from error


def _json(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    try:
        content = read_json(path, MOST_JSON, inside=folder)
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise RunError(f"{path} is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise RunError(f"{path} holds {type(content).__name__}, not an object")
    return content


def _check(schema: Schema, content: Any, name: str) -> None:
    try:
        check(schema, content)
    except Misfit as error:
        raise RunError(f"{name} is damaged: {error}") from None
