"""The command line, called in this process."""

import pytest

from ganvas import cli


def ganvas(*words):
    """The exit code."""
    with pytest.raises(SystemExit) as caught:
        cli.main([str(word) for word in words])
    return caught.value.code


def refused(capsys, *words):
    """The one line that it ends with."""
    capsys.readouterr()
    assert ganvas(*words) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("ganvas: ") and len(line) < 700
    return line
