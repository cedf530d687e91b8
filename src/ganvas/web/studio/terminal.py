"""What the studio's terminal says of requests that Gradio cannot use: a line for each.

A page of another version, or a visitor who makes requests up, sends what no field of the page sends. Gradio refuses
that, and prints the whole way to the refusal. Faults of Ganvas keep theirs.
"""

from __future__ import annotations

import logging
import sys
import traceback
from types import ModuleType
from typing import Any

from ganvas.errors import GanvasError
from ganvas.text import cut, shown


def line_of(error: BaseException | None) -> str:
    """A refusal in one line; "" for what is no refusal of Gradio's or of ours."""
    if error is None:
        return ""
    modules = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = any(name.startswith("ganvas.") and not name.endswith(".guard") for name in modules)
    if ours and not isinstance(error, GanvasError):
        return ""
    first = next(iter(str(error).strip().splitlines()), "")
    return f"ganvas: a request that cannot be used: {type(error).__name__}: {cut(shown(first))}"


class Brief:
    """Stands where a module has its `traceback`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(traceback, name)

    def print_exc(self, *given: Any, **named: Any) -> None:
        line = line_of(sys.exception())
        if line:
            print(line, file=sys.stderr, flush=True)
        else:
            traceback.print_exc(*given, **named)


def brief(*modules: ModuleType) -> None:
    """Makes what these modules, and the server, print of refused requests a line each."""
    for module in modules:
        if hasattr(module, "traceback"):
            setattr(module, "traceback", Brief())  # noqa: B010
    logging.getLogger("uvicorn.error").addFilter(_shortened)


def _shortened(record: logging.LogRecord) -> bool:
    line = line_of(record.exc_info[1]) if record.exc_info else ""
    if line:
        record.msg, record.args, record.exc_info, record.exc_text = line, (), None, None
    return True
