"""Run folders: what `config.json` says, and where a new one may be written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganvas.errors import RunError, near_miss
from ganvas.files import read_json
from ganvas.schema import check, perhaps, record, several, table, text, whole
from ganvas.text import command, quoted

FORMAT = 1
LOCK = ".lock"
"""The file in a run whose lock its trainer holds."""
FIRST = "first.json"
"""The file in a run that holds the numbers of the first steps, as a row of `metrics.jsonl`, before that has one."""
TRAINER = "trainer.json"
"""The file in a run that says which process trains it, as long as one does."""

_BEGUN = (LOCK, TRAINER, f".{TRAINER}.", ".config.json.")
"""What the names of files begin with that a training leaves which is killed before it has written anything."""

_EXPORTED = "model.safetensors"  # as `ganvas.training` has it, which needs torch

SCORES = "scores.json"
"""The file in a run that the studio keeps the scores of its last evaluation in."""

MOST_BYTES = 1 << 24
"""Of `config.json`."""

OWN = (
    *("config.json", "metrics.jsonl", FIRST, "report.html", "data.png", LOCK, TRAINER),
    *("samples", "checkpoints", "best", ".best", "tensorboard"),
)
"""What a training writes in a run."""

CONFIG = record(
    {"format": whole()},
    {
        "ganvas": text(),
        "recipe": text(),
        "arguments": table(),
        "inputs": several(table(), 1000),
        "settings": table(),
        "data": record(
            {},
            {
                "source": text(),
                "name": text(),
                "kind": text(),
                "options": table(),
                "fingerprint": perhaps(text()),
                "labels": several(text()),
                "space": table(),
                "counts": table(whole()),
            },
        ),
        "start": text(),
        "plan": several(text(1 << 16), 10_000),
        "hardware": table(),
        "created": text(),
        "step": whole(),
        "weights": record({"sha256": text()}),
    },
)
"""What `config.json` says of a run, or of an export."""


def read_config(run: Path) -> dict[str, Any]:
    """A run's `config.json`. Raises RunError for a folder that is not a run, with the nearest one beside it."""
    path = run / "config.json"
    if not path.is_file():
        others = [each.parent.name for each in run.parent.glob("*/config.json")] if run.parent.is_dir() else []
        hint = near_miss(run.name, others) if others else ""
        raise RunError(f"{run} is not a run: it has no config.json{hint}")
    check_folder(run)
    try:
        # The Hub's cache has links to the files of an export, which is only read.
        config = read_json(path, MOST_BYTES, inside=None if is_export(run) else run)
        if not isinstance(config, dict) or "format" not in config:
            raise ValueError("it has no format")
        if config["format"] != FORMAT:
            raise RunError(f"{path} has format {quoted(config['format'])}; this Ganvas reads {FORMAT}")
        check(CONFIG, config)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise RunError(f"{path} cannot be read as a run's configuration ({why})") from error
    return config


def is_export(run: Path) -> bool:
    """Whether the folder is what `ganvas export` wrote, which nobody trains on."""
    return (run / _EXPORTED).exists()


def check_folder(run: Path) -> None:
    """Raises RunError where what a training writes in a run is a link out of it, or neither a file nor a folder: a run
    may come from anywhere, and what is read and written there must be of that run."""
    for name in () if is_export(run) else OWN:
        path = run / name
        if path.is_symlink() and not path.resolve().is_relative_to(run.resolve()):
            raise RunError(f"{path} is a link that leads out of the run: put there what it leads to")
        if path.exists() and not path.is_file() and not path.is_dir():
            raise RunError(f"{path} is neither a file nor a folder: remove it")


def check_out(out: Path) -> None:
    """Raises RunError unless a new run may be written to `out`."""
    if out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file, not a folder for a run; choose another --out")
    if (out / "config.json").is_file():
        raise RunError(
            f"{out} holds a run already; go on with it by {command('--resume', out)}, or choose another --out"
        )
    if out.is_dir() and any(not path.name.startswith(_BEGUN) for path in out.iterdir()):
        raise RunError(f"{out} holds other files; choose another --out, so that nothing of yours is overwritten")
