"""The plan: everything that training will do, said before it does it (`ganvas train --dry-run` stops there)."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ganvas.choosing import SHARE, Choice, rounded
from ganvas.data.dataset import Data, describe
from ganvas.errors import installed
from ganvas.options import read_options
from ganvas.training import hardware
from ganvas.training.loop import Training
from ganvas.version import __version__


def plan(
    training: Training, data: Data, name: str, arguments: Mapping[str, Any], choice: Choice | None = None
) -> list[str]:
    """The lines of the plan, without a trailing newline each. choice: what was chosen where nobody said it."""
    recipe, settings = training.recipe, training.settings
    lines = describe(data)
    changed = [
        f"{option.flag} {arguments[option.name]}"
        for option in read_options(type(recipe))
        if not option.from_data and arguments[option.name] != option.default
    ]
    lines.append(f"recipe: {name}{' with ' + ' '.join(changed) if changed else ''}")
    if data.labels:
        lines.append("condition: " + (f"{recipe.classes} labels" if recipe.classes else "none (labels are not used)"))
    sizes = ", ".join(
        f"{child} {sum(p.numel() for p in module.parameters()):,}" for child, module in recipe.named_children()
    )
    lines.append(f"parameters: {sizes}")
    lines += [f"note: {note}" for note in recipe.notes()]
    lines += training.augmenter.notes()
    parts = f" in {training.parts} parts" if training.parts > 1 else ""
    lines.append(f"batch: {training.batch_size} of {len(data.split('train')):,} training items{parts}")
    if training.batch_size < settings.batch_size:
        lines.append(
            f"warning: fewer training items than --batch-size {settings.batch_size}, so batches shrink to "
            f"{training.batch_size}; expect little variety from so few"
        )
    lines += _processes(training)
    lines.append(f"length: {_length(training, choice.seconds if choice else None)}")
    lines.append(f"hardware: {hardware.describe(training.device)}, {training.precision}")
    averaging = f"half-life {settings.ema:g} {data.space.noun}" if settings.ema else "off"
    lines.append(f"averaged weights: {averaging}; seed {settings.seed}")
    lines += [f"chosen: {why}" for why in (choice.why if choice else ())]
    if not installed("tensorboard"):
        lines.append('note: no TensorBoard events, which need its package: pip install "ganvas[tensorboard]"')
    return lines


def _processes(training: Training) -> list[str]:
    """How several processes share the work; nothing of one alone."""
    world = training.processes.world
    if world == 1:
        return []
    backend, share = training.processes.backend(training.device), training.batch_size // world
    lines = [
        f"processes: {world}, by {backend}: each computes {share:,} items of a batch, the gradients of each turn are "
        "averaged in one exchange, and the weights are compared at every look"
    ]
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in training.recipe.modules()):
        lines.append(
            f"batch norm: of each process's own {training.batch_size // training.parts:,} items, with running "
            "statistics of its own; those of the first process are saved"
        )
    return lines


def environment(training: Training) -> dict[str, str]:
    """The hardware and versions that a run was made with, for `config.json` and the report."""
    return {
        "device": hardware.describe(training.device),
        **({"threads": str(torch.get_num_threads())} if training.device.type == "cpu" else {}),
        "precision": training.precision,
        "processes": str(training.processes.world),
        "ganvas": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
    }


def _length(training: Training, seconds: float | None) -> str:
    """seconds: that a step was measured to take, beside which there is other work."""
    settings, items = training.settings, len(training.data.split("train"))
    steps_a_minute = SHARE * 60 / seconds if seconds else None
    limits = []
    if settings.steps:
        epochs = settings.steps * training.batch_size / items
        limits.append(f"{settings.steps:,} steps ({epochs:.3g} passes of the data at a batch a step)")
        if steps_a_minute:
            limits[-1] += f", about {settings.steps / steps_a_minute:.2g} minutes here"
    if settings.epochs:
        limits.append(f"{settings.epochs:g} passes of the data ({settings.epochs * items:,.0f} items)")
    if settings.minutes:
        limits.append(f"{settings.minutes:g} minutes")
        if steps_a_minute:
            limits[-1] += f", about {rounded(settings.minutes * steps_a_minute):,} steps here"
    return ", or ".join(limits)
