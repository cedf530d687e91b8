"""An output of a notebook that is written again in place, through IPython's own display, where a notebook runs us."""

from __future__ import annotations

import sys
from typing import Any


class Output:
    """The output of the cell that runs now. It is there from the first `show` on."""

    def __init__(self, display: Any) -> None:
        self._display = display
        self._handle: Any = None

    def show(self, page: str) -> None:
        """HTML in place of what was shown before."""
        html = self._display.HTML(page)
        if self._handle is None:
            self._handle = self._display.display(html, display_id=True)
        else:
            self._handle.update(html)


def output() -> Output | None:
    """None where no notebook runs us. IPython is asked only where it is loaded already: in a terminal of its own it has
    no kernel, and no HTML can be shown."""
    ipython = sys.modules.get("IPython")
    if ipython is None or getattr(ipython.get_ipython(), "kernel", None) is None:
        return None
    from IPython import display

    return Output(display)
