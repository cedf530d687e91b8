"""What of a run may leave this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganvas.errors import RunError
from ganvas.inputs import inputs_from_json, names_of
from ganvas.model import zoo
from ganvas.run import FORMAT, read_config
from ganvas.version import __version__


def shared_config(run: str | Path) -> dict[str, Any]:
    """What of a run's configuration may leave this machine: none of its paths, and nothing about its hardware. Of
    `zoo:NAME`, what its card says."""
    if zoo.is_zoo(run):
        return _of_zoo(zoo.entry(run).card)
    run = Path(run)
    config = read_config(run)
    try:
        file, _, name = str(config["recipe"]).rpartition(":")
        data = {key: config["data"][key] for key in ("name", "fingerprint", "labels", "space", "counts")}
        return {
            "format": FORMAT,
            "ganvas": config["ganvas"],
            "recipe": f"{Path(file).name}:{name}" if file else name,
            "arguments": config["arguments"],
            **({"inputs": config["inputs"]} if "inputs" in config else {}),
            "settings": config["settings"],
            "data": data,
        }
    except (KeyError, TypeError):
        raise RunError(f"{run}/config.json is not complete; it is not a run that Ganvas wrote") from None


def _of_zoo(card: dict[str, Any]) -> dict[str, Any]:
    names = names_of(inputs_from_json(card.get("inputs", [])))
    data = {
        "name": card["trained_on"],
        "fingerprint": None,
        "labels": list(names.get("label", ())),
        "space": card["data"]["space"],
        "counts": {},
    }
    return {
        "format": FORMAT,
        "ganvas": __version__,
        "recipe": card["recipe"],
        "arguments": card["arguments"],
        "settings": {},
        "data": data,
    }
