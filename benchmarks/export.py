"""Is ONNX Runtime at least as fast as PyTorch, and does it give the same samples? Every recipe, both in one process.

    python -m benchmarks.export [--size 28 64] [--batch 16] [--rounds 15]          (`make bench-export`)

Each recipe samples with random weights and its default width, on the same inputs, by turns: PyTorch eager in float32 as
`ganvas sample` runs it, then ONNX Runtime on the exported graph with as many threads. Recipes that enlarge get one
picture of that size instead of a batch. Reported are the median of each
side, the median of the rounds' ratios (above 1: ONNX Runtime is the faster), and the largest difference of a sample.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from benchmarks.trainings import table
from ganvas import recipes
from ganvas.data.batches import Images, Photos, Points
from ganvas.exporting.examples import draws
from ganvas.exporting.graph import largest_difference, onnx_bytes, session_of
from ganvas.inputs import with_names
from ganvas.model import Model
from ganvas.options import checked, read_options
from ganvas.spaces import ImageSpace, PointSpace

LABELS = tuple("0123456789")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs="+", default=[28, 64])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    rows = []
    for name in recipes.names():
        accepts = recipes.find(name).accepts
        spaces: list[ImageSpace | PointSpace] = []
        if Images in accepts or Photos in accepts:
            spaces += [ImageSpace(1 if size == 28 else 3, size, size) for size in arguments.size]
        if Points in accepts:
            spaces.append(PointSpace(2))
        rows += [measured(name, space, arguments.batch, arguments.rounds) for space in spaces]
    print(f"batches of {arguments.batch}, {torch.get_num_threads()} threads, medians of {arguments.rounds} rounds\n")
    print(table(["recipe", "what", "PyTorch ms", "ONNX Runtime ms", "ratio", "largest difference"], rows))


def measured(name: str, space: ImageSpace | PointSpace, batch: int, rounds: int) -> list[str]:
    chosen = recipes.find(name)
    own = {option.name for option in read_options(chosen)}
    facts = {**space.facts(), "classes": len(LABELS), "conditional": True, "scale": 4}
    torch.manual_seed(0)
    recipe = chosen(**checked(chosen, {key: value for key, value in facts.items() if key in own}))
    for weights in recipe.parameters():
        if weights.ndim > 1 and not weights.any():  # a last layer that begins at 0 would hide what comes before it
            nn.init.normal_(weights, std=0.02)
    inputs_named = with_names(recipe.inputs(), {"label": LABELS})
    model = Model(recipe.eval().requires_grad_(False), space, inputs_named, 0)
    graph = onnx_bytes(model, name)
    session = session_of(graph)
    if isinstance(space, ImageSpace) and model.any_size:
        what, inputs = f"{space}, enlarged", draws(model, 1, seed=0, size=(space.height, space.width))
    else:
        what, inputs = str(space), draws(model, batch, seed=0)
    arrays = {key: value.numpy() for key, value in inputs.items()}

    def eager() -> None:
        with torch.no_grad():
            model.recipe.generate(**inputs)

    def runtime() -> None:
        session.run(None, arrays)

    taken: tuple[list[float], list[float]] = ([], [])
    for side in (eager, runtime):
        seconds(side)
    for _ in range(rounds):
        for side, into in zip((eager, runtime), taken, strict=True):
            into.append(seconds(side))
    ratio = statistics.median(one / other for one, other in zip(*taken, strict=True))
    middle = [f"{1000 * statistics.median(each):.2f}" for each in taken]
    return [name, what, *middle, f"{ratio:.2f}", f"{largest_difference(model, graph):.1g}"]


def seconds(side: Callable[[], None]) -> float:
    began = time.perf_counter()
    side()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
