"""How long and how to train. This module imports no torch: the command line reads it for its help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ganvas.options import Range, Words

GENERAL = ("data", "out", "resume", "go_on", "preset", "start", "dry_run", "quiet", "data_root", "preview", "recipe",
           "help", "config", "budget", "measure", "quick", "good", "best", "seeds", "trials", "hours", "search",
           "score", "extractor", "split", "finalists", "storage")  # fmt: skip
"""Flags of every training, and of a search for better settings, beside these settings."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How long and how to train; everything that is not the recipe's own."""

    steps: Annotated[int | None, Range(1), "stop after this many steps"] = None
    epochs: Annotated[float | None, Range(0.001), "stop after this many passes over the training data"] = None
    minutes: Annotated[float | None, Range(0.01), "stop after this many minutes"] = None
    batch_size: Annotated[
        int, Range(1, 65536, log=True, search=(16, 256)), "samples in one step, over all processes"
    ] = 64
    accumulate: Annotated[int, Range(1, 4096), "split each batch into this many parts to save memory"] = 1
    seed: Annotated[int, Range(0, 2**31 - 1), "the source of all randomness"] = 0
    precision: Annotated[
        Literal["auto", "bf16", "float32"], "auto takes bf16 where the hardware has it natively and the data bears it"
    ] = "auto"
    device: Annotated[str, "auto, cpu, cuda, cuda:1, mps, ..."] = "auto"
    ema: Annotated[float, Range(0), "half-life of the averaged weights, in items; 0 averages nothing"] = 10_000
    checkpoint_every: Annotated[int, Range(1), "steps between checkpoints (and at least every two minutes)"] = 1000
    sample_every: Annotated[int | None, Range(1), "steps between sample pictures; default: spread over the run"] = None
    keep: Annotated[int, Range(1), "checkpoints to keep"] = 3
    score_every: Annotated[int | None, Range(1), "steps between scores, which pick best/; default: none"] = None
    stop_when_flat: Annotated[int | None, Range(1), "stop after this many scores without a clearly better one"] = None
    looks: Annotated[bool, "look at some samples every 100 steps, which tells the doctor most of what it knows"] = True
    augment: Annotated[
        Literal["none", "diff", "ada"],
        "show judges changed samples: all of them (diff), or as many as few items make needed (ada)",
    ] = "none"
    augment_operations: Annotated[Words | None, "which changes, such as colour,cutout; default: the papers'"] = None
    augment_target: Annotated[
        float | None, Range(-1, 1), "ada: the mean sign of what is said of real items, to be kept (default: 0.6)"
    ] = None
    augment_speed: Annotated[
        int | None, Range(1), "ada: items in which the probability goes from 0 to 1 (default: 500000)"
    ] = None
    augment_most: Annotated[
        float | None, Range(0, 1), "ada: the probability's bound; above 0.8 samples get changed too (default: 0.8)"
    ] = None
    log: Annotated[
        Literal["none", "wandb", "mlflow"], "tell Weights & Biases or MLflow, too, by what their environment says"
    ] = "none"
    heal: Annotated[bool, "go back and change the game where the doctor finds it ailing"] = False
