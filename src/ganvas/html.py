"""Words of unknown origin on a page: whatever JSON holds, written out and escaped."""

from __future__ import annotations

import json
from html import escape
from typing import Any


def plain(value: Any, missing: str = "none", depth: int = 4) -> str:
    """Any JSON value in words: at most 300 characters of it, and of lists in lists at most `depth`."""
    if value is None:
        text = missing
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, float):
        text = f"{value:g}"
    elif isinstance(value, (list, dict)) and not depth:
        text = "…"
    elif isinstance(value, list):
        text = ", ".join(plain(item, missing, depth - 1) for item in value[:30])
    elif isinstance(value, dict):
        text = ", ".join(f"{key} {plain(item, missing, depth - 1)}" for key, item in list(value.items())[:30])
    else:
        text = str(value)
    return text if len(text) <= 300 else text[:299] + "…"


def text_of(value: Any, missing: str = "none") -> str:
    """The same, fit to stand in HTML."""
    return escape(plain(value, missing))


def mapping(value: Any) -> dict[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def script_data(value: Any) -> str:
    """JSON that can stand inside a <script> and not end it."""
    return json.dumps(value).replace("<", "\\u003c")
