"""`--format hub`: a folder in the shape that Hugging Face's Hub expects, which `ganvas.load` reads too.

model.safetensors     all networks; the generator's weights are the averaged ones
config.json           recipe, arguments, data, step; no path of the machine that trained it
samples.png           64 samples of seed 0; none where something must be given
README.md             the model card
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save

from ganvas.errors import TrainingError
from ganvas.exporting.card import card
from ganvas.exporting.examples import compared
from ganvas.exporting.run import Exportable
from ganvas.files import write_atomically, write_json
from ganvas.model import Model
from ganvas.recipe import frozen_names
from ganvas.spaces import save_picture
from ganvas.training import EXPORTED

SHOWN = 64


def write_hub(source: Exportable, out: Path, check: Callable[[float], None]) -> None:
    """Writes the folder beside its place, loads it again, and moves it there if its samples are the model's."""
    model, recipe = source.model, source.model.recipe
    frozen = frozen_names(recipe)
    tensors = {name: t.detach().cpu().contiguous() for name, t in recipe.state_dict().items() if name not in frozen}
    weights = save(tensors, metadata={"format": "pt"})
    config = {
        **source.config(),
        "library_name": "ganvas",
        "step": model.step,
        "weights": {"file": EXPORTED, "sha256": hashlib.sha256(weights).hexdigest()},
    }
    beside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        write_atomically(beside / EXPORTED, weights)
        write_json(beside / "config.json", config)
        if not model.given:
            save_picture(model.space.show(model.sample(SHOWN, seed=0), columns=model.columns()), beside / "samples.png")
        write_atomically(beside / "README.md", card(source, config, out.resolve().name))
        check(_difference(model, source.load(beside)))
        _move(beside, out)
    except OSError as error:
        raise TrainingError(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _difference(one: Model, other: Model) -> float:
    """The largest between what the two make of the same inputs."""
    with torch.no_grad():
        pairs = [[each.recipe.generate(**drawn) for each in (one, other)] for drawn in compared(one)]
    return max(float((mine - theirs).abs().max()) for mine, theirs in pairs)


def _move(beside: Path, out: Path) -> None:
    """`beside` takes the place of `out`, where an earlier export or an empty folder is moved out of the way first."""
    before = out.with_name(f".{out.name}.{os.getpid()}.before")
    if out.exists():
        os.rename(out, before)
    os.rename(beside, out)
    shutil.rmtree(before, ignore_errors=True)
