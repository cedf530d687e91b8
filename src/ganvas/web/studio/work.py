"""Long work on the chosen run, done by a process of its own: a button that begins it, one that stops it, a line that
says how far it is or why it failed, and what it made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ganvas.errors import UsageError, near_miss
from ganvas.html import render
from ganvas.text import quoted
from ganvas.web.studio.context import Desk
from ganvas.web.studio.errors import in_page, told
from ganvas.web.studio.processes import Jobs


@dataclass(frozen=True)
class Work:
    """tab: its name. jobs: where the processes are. go, stop: the buttons. line: what is said of it."""

    desk: Desk
    tab: str
    jobs: Jobs
    go: gr.Button
    stop: gr.Button
    line: gr.HTML

    @classmethod
    def build(cls, desk: Desk, tab: str, jobs: Jobs, label: str) -> Work:
        """Its buttons and its line, where it is called."""
        with gr.Row(elem_classes="actions"):
            go = gr.Button(label, variant="primary", scale=0, min_width=180, elem_id=f"{tab}-go")
            stop = gr.Button(
                "Stop", variant="stop", visible=False, size="sm", scale=0, min_width=130, elem_id=f"{tab}-stop"
            )
        return cls(desk, tab, jobs, go, stop, gr.HTML(elem_id=f"{tab}-line"))

    def connect(
        self,
        words: Callable[..., list[str]],
        fields: Sequence[Any],
        made: Callable[[str], tuple[str, Callable[[], list[Any]]]],
        outputs: Sequence[Any],
    ) -> None:
        """words: of the command, for the name of the run and the fields' values. made: what changes whenever something
        new was made of the run, and the outputs' values then."""
        seen = gr.State("")
        everything = [*outputs, self.line, self.go, self.stop, seen]
        desk, unchanged = self.desk, [gr.skip()] * (len(outputs) + 4)

        def look(name: Any, before: Any) -> Any:
            if name not in desk.shelf.names():
                return unchanged
            mark, values = made(name)
            mark = f"{name} {self.jobs.mark(name)} {mark}"
            if mark == before:
                return unchanged
            live = self.jobs.live(name)
            buttons = [gr.Button(interactive=not live), gr.Button(visible=live)]
            return [*([gr.skip()] * len(outputs) if live else values()), self._told(name, live), *buttons, mark]

        def glance(tab: Any, name: Any, before: Any) -> Any:
            return look(name, before) if tab == self.tab else unchanged

        def begin(name: Any, *values: Any) -> None:
            run = desk.shelf.path(name).name
            self.jobs.start(run, words(run, *values))

        def end(name: Any) -> None:
            self.jobs.stop(desk.shelf.path(name).name)

        quietly: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        desk.tabs[self.tab].select(told(look), [desk.run, seen], everything, **quietly)
        for event in (desk.timer.tick, desk.run.change):
            event(told(glance), [desk.open_tab, desk.run, seen], everything, trigger_mode="once", **quietly)
        for button, action, given in ((self.go, begin, [desk.run, *fields]), (self.stop, end, [desk.run])):
            done = button.click(told(action), given, None, **quietly)
            done.then(told(look), [desk.run, seen], everything, **quietly)

    def _told(self, name: str, live: bool) -> str:
        hidden, line = self.desk.shelf.hidden, self.jobs.last_line(name)
        error = "" if live else in_page(hidden(self.jobs.last_error(name)))
        return render("web/studio/work.html.jinja", live=live, line=hidden(line), noun=self.jobs.noun, error=error)


def one_of(value: Any, known: Sequence[str], noun: str) -> str:
    """The value, where it is one of those. Raises UsageError."""
    if value not in known:
        raise UsageError(f"there is no {noun} {quoted(value)} here{near_miss(str(value), known)}")
    return str(value)
