"""What visitors are told when something cannot be done: the one line, in the page, and never a traceback."""

from __future__ import annotations

import functools
import re
import sys
import traceback
from collections.abc import Callable
from typing import Any

import gradio as gr
from markupsafe import escape

from ganvas.errors import GanvasError
from ganvas.options import Option, Range

SEEDS = Range(0, 2**31 - 1)


_COMMAND = re.compile(r"\bganvas [a-z]+\b")
_PART = re.compile(r"(?:[;,] [^;:,]{1,30})?: |; | \(|, or ")


def in_page(what: object) -> str:
    """The words without the advice to type a command, which nobody in a page can follow."""
    text = str(what)
    if (found := _COMMAND.search(text)) is None:
        return text
    parts = list(_PART.finditer(text, 0, found.start()))
    return text[: parts[-1].start()] if parts else text


def said(what: object) -> str:
    """The words as Gradio's messages take them, which are HTML."""
    return escape(in_page(what))


def told(action: Callable[..., Any]) -> Callable[..., Any]:
    """The action for use as an event of the page."""

    @functools.wraps(action)
    def wrapped(*values: Any) -> Any:
        try:
            return action(*values)
        except GanvasError as error:
            raise gr.Error(said(error), title="That cannot be done", print_exception=False) from None
        except Exception:
            traceback.print_exc(file=sys.stderr)
            line = "Something went wrong that should not; whoever started the studio finds more where it prints."
            raise gr.Error(line, title="A fault in Ganvas", print_exception=False) from None

    return wrapped


def whole(name: str, value: Any, bounds: Range) -> int:
    """The value as a whole number within the bounds. Raises UsageError."""
    number: int = Option(name, int, None, range=bounds).check(value)
    return number


def real(name: str, value: Any, bounds: Range) -> float:
    """The value as a number within the bounds. Raises UsageError."""
    number: float = Option(name, float, None, range=bounds).check(value)
    return number
