"""Progress on a terminal and elsewhere."""

import io
import sys

import pytest

from ganvas.progress_bar import bar, steps


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """What stderr is from now on; not a fixture, since pytest takes stderr back between fixtures and their test."""
    written = Terminal()
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "stderr", written)
    return written


def test_steps_show_a_bar_that_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    written = terminal(monkeypatch)
    assert list(steps(iter("abcd"), 4, "reading letters", True)) == list("abcd")
    assert "reading letters" in written.getvalue() and "100%" in written.getvalue()


def test_a_bar_shows_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    written = terminal(monkeypatch)
    with bar(True) as show:
        show("half of it", 3, 6)
    assert "half of it" in written.getvalue() and " 50%" in written.getvalue()


def test_nothing_is_shown_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    written = terminal(monkeypatch)
    assert list(steps("abcd", 4, "reading", False)) == list("abcd")
    with bar(False) as show:
        show("reading", 1, 2)
    assert written.getvalue() == ""


def test_elsewhere_steps_say_one_line_and_a_bar_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(steps("ab", 2, "reading", True)) == ["a", "b"]
    assert list(steps("ab", 2, "reading quietly", True, line=False)) == ["a", "b"]
    with bar(True) as show:
        show("reading", 1, 2)
    captured = capsys.readouterr()
    assert captured.err == "reading\n" and captured.out == ""
