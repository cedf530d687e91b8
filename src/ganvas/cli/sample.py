"""`ganvas sample`: pictures from a trained run."""

from __future__ import annotations

from pathlib import Path

from ganvas.cli.parsing import Parser, number_of
from ganvas.errors import UsageError

EXAMPLES = """examples:
  ganvas sample runs/demo -n 64 --out grid.png
  ganvas sample runs/demo -n 100 --label 7 --seed 1 --out sevens/
  ganvas sample runs/demo --balanced 500 --out synthetic"""


def run(words: list[str]) -> int:
    parser = Parser(
        prog="ganvas sample",
        usage="ganvas sample RUN [-n N] [--label L] [--seed S] [--truncation T] [--out grid.png|FOLDER]\n"
        "       ganvas sample RUN --balanced N --out FOLDER [--seed S] [--truncation T]",
        description="Pictures from a trained run: one grid into a file, or single pictures into a folder.",
        epilog=EXAMPLES,
    )
    parser.add_argument("run", metavar="RUN", nargs="?", help="a run folder")
    parser.add_argument("-n", metavar="N", help="how many (default: 64)")
    parser.add_argument(
        "--balanced", metavar="N", help="N of every label into a labelled folder, its passport beside it"
    )
    parser.add_argument("--label", metavar="L", help="only this label (default: all labels in turn)")
    parser.add_argument("--seed", metavar="S", help="the same seed gives the same pictures (default: a new one)")
    parser.add_argument("--truncation", metavar="T", help="cut the latent distribution off at T, such as 1.5")
    parser.add_argument("--out", metavar="PATH", help="a .png, .jpg or .webp file, or a folder")
    parser.add_argument("--recipe", metavar="FILE:CLASS", help="the file of a recipe of your own, which will be run")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parsed = parser.parse_strictly(words)
    if parsed.run is None:
        raise UsageError("say which run to sample, as in: ganvas sample runs/demo")
    seed = None if parsed.seed is None else number_of("--seed", parsed.seed, int)
    truncation = None if parsed.truncation is None else number_of("--truncation", parsed.truncation, float)
    from ganvas.model import files

    if parsed.balanced is not None:
        if parsed.out is None:
            raise UsageError("--balanced takes the folder to write, as in: --balanced 500 --out synthetic")
        if parsed.n is not None or parsed.label is not None or parsed.overwrite:
            raise UsageError("--balanced makes as many of every label in a new folder: no -n, --label or --overwrite")
        print(
            files.balanced_to(
                Path(parsed.run),
                Path(parsed.out),
                each=number_of("--balanced", parsed.balanced, int),
                seed=seed,
                truncation=truncation,
                recipe=parsed.recipe,
            )
        )
        return 0
    print(
        files.sample_to(
            Path(parsed.run),
            Path(parsed.out or "grid.png"),
            n=64 if parsed.n is None else number_of("-n", parsed.n, int),
            label=parsed.label,
            seed=seed,
            truncation=truncation,
            recipe=parsed.recipe,
            overwrite=parsed.overwrite,
        )
    )
    return 0
