"""`best.yaml`: the best settings of a study, as `ganvas train --config` takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ganvas.text import shown
from ganvas.thinking import Asked


def best_yaml(recipe: str, source: str, asked: Asked, options: Mapping[str, Any], about: str) -> str:
    """YAML, whose values are JSON, which YAML holds. options: by name. about: what they are, in one line."""
    said = {"recipe": recipe, "data": source, "preset": asked.preset, "start": asked.start, **options}
    lines = [f"# {shown(about)}", "# ganvas train --config best.yaml"]
    return (
        "\n".join([*lines, *(f"{name.replace('_', '-')}: {_value(v)}" for name, v in said.items() if v is not None)])
        + "\n"
    )


def _value(value: Any) -> str:
    """1e-05 has a point, without which YAML 1.1 takes it for text."""
    if isinstance(value, float):
        text = repr(value)
        mantissa, sign, power = text.partition("e")
        return f"{mantissa}{'' if '.' in mantissa else '.0'}{sign}{power}" if sign else text
    return json.dumps(value if isinstance(value, (bool, int, str)) else str(value))
