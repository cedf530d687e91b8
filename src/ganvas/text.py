"""Words and numbers for people: names fit for one line, commands that can be pasted, lists that are not too long,
counts, sizes, JSON in words."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterable
from typing import Any


def natural(text: str) -> tuple[object, ...]:
    """A sorting key that puts 2 before 10."""
    parts = re.split(r"([0-9]{1,18})", text)
    return (*(int(part) if place % 2 else part for place, part in enumerate(parts)), text)


def shown(name: str) -> str:
    """A name fit for one line of text, whatever bytes it came from."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name)


def command(*words: object) -> str:
    """A command line that does what it says when it is pasted into a shell, whatever signs its words hold."""
    if os.name == "nt":
        return subprocess.list2cmdline(map(str, words))
    return " ".join(map(_for_a_shell, map(str, words)))


def _for_a_shell(word: str) -> str:
    if word.isprintable():
        return shlex.quote(word)
    # What cannot be shown, such as a byte that is no letter in a file's name: by its number, as bash and zsh read it.
    try:
        content = os.fsencode(word)
    except UnicodeEncodeError:  # half a letter, which no file's name holds
        content = word.encode("utf-8", "surrogatepass")
    return "$'" + "".join(chr(b) if 32 <= b < 127 and b not in b"\\'" else f"\\x{b:02x}" for b in content) + "'"


def cut(text: str, most: int = 200) -> str:
    """The text, or its beginning and its end where it is longer than `most` letters."""
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[: most - 1 - half]}…{text[-half:]}"


def quoted(value: Any) -> str:
    """A value that somebody gave, for a message about it: in quotes where it is text, on one line, not too long."""
    return repr(cut(value)) if isinstance(value, str) else cut(shown(repr(value)))


def listed(words: Iterable[str], few: int = 3) -> str:
    """`a, b, c and 4 more`."""
    words = list(words)
    rest = f" and {len(words) - few:,} more" if len(words) > few else ""
    return ", ".join(words[:few]) + rest


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def sized(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


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
