"""Words and numbers for people: names fit for one line, lists that are not too long, counts, sizes."""

from __future__ import annotations

import re
from collections.abc import Iterable


def natural(text: str) -> tuple[object, ...]:
    """A sorting key that puts 2 before 10."""
    parts = re.split(r"([0-9]{1,18})", text)
    return (*(int(part) if place % 2 else part for place, part in enumerate(parts)), text)


def shown(name: str) -> str:
    """A name fit for one line of text, whatever bytes it came from."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name)


def listed(words: Iterable[str], few: int = 3) -> str:
    """`a, b, c and 4 more`."""
    words = list(words)
    rest = f" and {len(words) - few:,} more" if len(words) > few else ""
    return ", ".join(words[:few]) + rest


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def sized(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
