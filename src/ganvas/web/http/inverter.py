"""What is sent is looked for among all that the model can make: `Model.invert`, and what follows of it when something
is changed. Both wait in the queue of uploads, and an inversion hands on its turn after each step.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from ganvas.errors import DataError, UsageError, near_miss
from ganvas.inputs import Input, searched_of
from ganvas.model import Inversion, Model, changed
from ganvas.text import quoted
from ganvas.web.http.uploads import Turn, Uploads


def invertible(model: Model) -> bool:
    """Whether it makes of what is drawn what files hold, and nothing need be given."""
    return not model.given and bool(searched_of(model.inputs)) and bool(model.space.endings)


class Inverter:
    """What `/v1/invert` and `/v1/edit` ask. most_pixels: of a picture that is sent, or amplitudes. on_done: called with
    the seconds of each inversion."""

    def __init__(
        self,
        model: Model,
        uploads: Uploads,
        *,
        most_pixels: int,
        on_done: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self.model, self.uploads, self.most_pixels, self.on_done = model, uploads, most_pixels, on_done

    def submit(self, content: bytes, seconds: float, seed: int, known: Mapping[str, Any]) -> Future[IO[bytes]]:
        """What `as_json` tells of the inversion of a file. seconds: that it takes. known: values of inputs, which stay.
        A future that is cancelled stops the work at the next step.

        Raises Full, and UsageError; the future's error is UsageError too where only decoding shows what is wrong.
        """
        self.uploads.check_room()
        try:
            self.model.space.size_of_file(content, self.most_pixels)
        except DataError as error:
            raise UsageError(f"file: {error}") from None
        self.model.checked(1, known)

        def work(turn: Turn) -> IO[bytes]:
            with turn:
                found = self.model.invert(content, seconds=seconds, seed=seed, tick=turn.hand_on, **known)
            return io.BytesIO(as_json(self.model, found, seed))

        return self.uploads.submit(0, work, self.on_done, seconds=seconds)

    def edit(self, inputs: Mapping[str, Any], changes: Mapping[str, Any]) -> Future[IO[bytes]]:
        """The file of a sample of these inputs, with changes as `ganvas edit --set` takes them. inputs: as `as_json`
        tells them. Raises and fails as `submit` does."""
        self.uploads.check_room()
        values = values_of(self.model.inputs, inputs)

        def work(turn: Turn) -> IO[bytes]:
            with turn:
                made = changed(self.model, values, changes)
            return io.BytesIO(self.model.space.file(made))

        return self.uploads.submit(0, work, seconds=0.0)


def as_json(model: Model, found: Inversion, seed: int) -> bytes:
    """`{"told", "measure", "scores", "draws", "steps", "seed", "sample", "inputs", "classes"}`: how far it is off, in
    words and in numbers, the picture rebuilt as base64 PNG, and the numbers that it is made of."""
    inputs = {name: values[0].tolist() for name, values in found.inputs.items()}
    classes = {name: each.choices[int(found.inputs[name])] for name, each in model.inputs.items() if each.choices}
    about = {
        "told": found.told(),
        "measure": found.measure,
        "scores": found.scores(),
        "draws": found.draws,
        "steps": int(found.steps[0]),
        "seed": seed,
        "sample": model.space.values(found.samples),
        "inputs": inputs,
        "classes": classes,
    }
    return json.dumps(about).encode()


def values_of(inputs: Mapping[str, Input], told: Mapping[str, Any]) -> dict[str, Tensor]:
    """(1, *shape) by name, of what `as_json` tells of them. Raises UsageError for anything else."""
    for name in told:
        if name not in inputs:
            raise UsageError(f"inputs: there is no {quoted(name[:80])}{near_miss(name[:80], inputs)}")
    for name in inputs:
        if name not in told:
            raise UsageError(f"inputs: {name} is missing; send all of them, as /v1/invert gave them")
    return {name: _value(name, each, told[name]) for name, each in inputs.items()}


def _value(name: str, each: Input, told: Any) -> Tensor:
    kind = each.draw(1, torch.device("cpu")).dtype
    try:
        numbers = np.array(told, dtype=np.float64)
        values = torch.from_numpy(np.where(np.isfinite(numbers), numbers, np.nan)).to(kind)
        whole = kind.is_floating_point or bool((values.numpy() == numbers).all())
    except (TypeError, ValueError, OverflowError, RecursionError):
        values, whole = torch.tensor(np.nan), False
    if not whole or not bool(values.isfinite().all()):
        raise UsageError(f"inputs: {name} must be numbers, as /v1/invert gave them")
    try:
        values = each.parse(values)
    except UsageError as error:
        raise UsageError(f"inputs: {name}: {error}") from None
    if len(values) != 1:
        raise UsageError(f"inputs: {name}: give those of one sample, not of {len(values):,}")
    return values
