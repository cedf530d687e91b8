"""The next command, as it can be pasted into a shell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ganvas import recipes
from ganvas.inputs import Input, given_of
from ganvas.options import flag_of
from ganvas.text import command


def how_to_use(run: str | Path, inputs: Mapping[str, Input], recipe: str | None, *, written: bool = False) -> str:
    """What makes something with the run. FILE stands for what must be given. recipe: the file of a user's own recipe,
    which is run only where it is named. written: whether samples are texts, which are printed."""
    given = given_of(inputs)
    own = ("--recipe", recipe) if recipe is not None and recipes.is_path(recipe) else ()
    if any(each.scale > 1 for each in given.values()):
        return command("ganvas", "upscale", "FILE", "--out", "large.png", "--model", run, *own)
    if given:
        flags = [word for name in list(given)[1:] for word in (flag_of(name), "FILE")]
        return command("ganvas", "translate", run, "FILE", *flags, "--out", "translated", *own)
    more = ("-n", 20) if written else ("-n", 64, "--out", "grid.png")
    return command("ganvas", "sample", run, *more, *own)


def how_to_resume(run: str | Path, recipe: str | None) -> str:
    """What goes on with a run that was interrupted."""
    own = (recipe,) if recipe is not None and recipes.is_path(recipe) else ()
    return command("ganvas", "train", *own, "--resume", run)
