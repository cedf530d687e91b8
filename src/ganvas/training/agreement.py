"""Processes that train together are alike: in their code and their data before they begin, and in their weights for as
long as they train.

A machine with an older copy of the code, or with a folder that has changed since, would not fail: it would pull the
weights its own way. So what each process is about to run is compared with what the first one runs, the first one's
weights are everybody's at the start, and at every look a checksum tells whether they still are.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.errors import TrainingError, UsageError
from ganvas.files import parse_json
from ganvas.options import flag_of
from ganvas.recipe import Recipe
from ganvas.text import cut, listed, shown
from ganvas.training.averaging import MovingAverage
from ganvas.training.processes import Processes
from ganvas.version import __version__

_WHOLE_NUMBERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def check_code_and_data(
    processes: Processes, recipe: type[Recipe], fingerprint: str, options: Mapping[str, Any]
) -> None:
    """Raises UsageError, in every process, where one of them runs other code than the first one, has other data or was
    told something else. fingerprint: of the data. options: all that was chosen, by name."""
    if processes.world == 1:
        return
    code = {"Ganvas's code": _code(), "PyTorch": torch.__version__, "the recipe's file": _file_of(recipe)}
    check_alike(processes, code, "install the same on all machines")
    check_alike(processes, {"the data's fingerprint": fingerprint[:12]}, "give all machines the same data")
    told = {flag_of(name): value for name, value in options.items()}
    check_alike(processes, told, "start all processes with the same command")


def check_alike(processes: Processes, facts: Mapping[str, Any], advice: str) -> None:
    """Raises UsageError, in every process, where a fact of one is not that of the first one: which, where, and what to
    do, which is `advice`."""
    if processes.world == 1:
        return
    mine = {"host": socket.gethostname(), "facts": {name: _brief(value) for name, value in facts.items()}}
    told = [parse_json(text.encode()) for text in processes.texts(json.dumps(mine))]
    first = told[0]["facts"]
    names = dict.fromkeys(name for each in told for name in each["facts"])
    differing = {name: _others([each["facts"].get(name, "unknown") for each in told]) for name in names}
    for name, ranks in differing.items():
        if ranks:
            other = told[ranks[0]]["facts"].get(name, "unknown")
            raise UsageError(
                f"the processes are not alike: {name} is {first.get(name, 'unknown')} on {_named(told, [0])} and "
                f"{other} on {_named(told, ranks)}: {advice}"
            )


def share_weights(processes: Processes, recipe: Recipe, averaged: MovingAverage, frozen: set[str]) -> None:
    """Gives all processes the first one's weights and buffers, and its averaged ones. frozen: names of those that are
    read from a file of known contents, and not sent."""
    for name, tensor in (*recipe.state_dict().items(), *averaged.state_dict().items()):
        if name not in frozen:
            processes.copy_from_first(tensor)


def check_weights(processes: Processes, players: Mapping[str, Sequence[nn.Parameter]], step: int) -> None:
    """Raises TrainingError, in every process, where the weights of one are no longer those of the first one. It makes
    the device wait, and sends one number a player.

    Buffers are left out: each process has BatchNorm's running statistics of its own items.
    """
    if processes.world == 1:
        return
    mine = torch.stack([torch.stack([checksum(each) for each in parameters]).sum() for parameters in players.values()])
    table = processes.joined(mine[None].cpu()).tolist()
    for player, sums in zip(players, zip(*table, strict=True), strict=True):
        if ranks := _others(sums):
            told = [{"host": host} for host in processes.texts(socket.gethostname())]
            raise TrainingError(
                f"at step {step} the weights of {player} on {_named(told, ranks)} are no longer those of "
                f"{_named(told, [0])}: begin again, which goes on from the last checkpoint of rank 0; where it comes "
                "back, use processors of one kind, since others round otherwise, and look for a fault in that machine"
            )


def checksum(tensor: Tensor) -> Tensor:
    """() the sum of the tensor's bits, read as whole numbers, which any change of one of its numbers changes."""
    return tensor.detach().view(_WHOLE_NUMBERS[tensor.element_size()]).sum(dtype=torch.int64)


def _others(values: Sequence[Any]) -> list[int]:
    """The ranks whose value is not the first one's."""
    return [rank for rank, value in enumerate(values) if value != values[0]]


def _named(told: Sequence[Mapping[str, Any]], ranks: Sequence[int]) -> str:
    return listed(f"rank {rank} ({cut(shown(str(told[rank]['host'])), 40)})" for rank in ranks)


def _brief(value: Any) -> str:
    """A value to compare and to show: long ones are told by their hash."""
    text = shown(str(value))
    return text if len(text) <= 40 else f"{text[:16]}… ({hashlib.sha256(text.encode()).hexdigest()[:8]})"


@functools.cache
def _code() -> str:
    """The version, and the SHA-256 of all sources of the package that was imported."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return f"{__version__} {digest.hexdigest()[:12]}"


def _file_of(recipe: type[Recipe]) -> str:
    """The SHA-256 of the file that the recipe is in; "none" for one that was written into a session."""
    try:
        return hashlib.sha256(Path(inspect.getfile(recipe)).read_bytes()).hexdigest()[:12]
    except (OSError, TypeError):
        return "none"
