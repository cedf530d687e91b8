"""The command line, called in this process."""

import pytest

from ganvas import cli


def ganvas(*words):
    """The exit code."""
    with pytest.raises(SystemExit) as caught:
        cli.main([str(word) for word in words])
    return caught.value.code


def refused(capsys, *words, most=700):
    """The one line that it ends with, of fewer than `most` signs."""
    capsys.readouterr()
    assert ganvas(*words) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("ganvas: ") and len(line) < most
    return line
