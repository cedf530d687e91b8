"""`ganvas edit`: pictures changed by a trained run, by what it declares to take or by inversion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ganvas.cli.given import add_given, given_of_words, inputs_of, joined
from ganvas.cli.parsing import Parser, number_of, say_what_begins
from ganvas.cli.translate import ALONE, add_files, found_by, of_photos, told
from ganvas.errors import UsageError
from ganvas.inputs import Input, given_of
from ganvas.text import listed, quoted, shown

EXAMPLES = """examples:
  ganvas edit runs/stargan-avatars face.png --set smile=1 --set hair_colour=pink --out changed.png
  ganvas edit runs/ageing-faces photos/ --set age=60 --strength 1.2 --out older/
  ganvas edit runs/inpainting-photos photo.png --mask mask.png --out filled.png
  ganvas edit runs/r3gan-digits seven.png --invert --out again.png       how near the run comes to a picture of yours
  ganvas edit runs/r3gan-digits seven.png --invert --set direction2=3 --set label=9 --out nine.png
  ganvas edit runs/stargan-avatars --help                                tells what can be set with this run"""


def run(words: list[str]) -> int:
    say_what_begins("loading", words, (*ALONE, "--invert"), {"--quiet"})
    inputs = inputs_of(words, (*ALONE, "--invert"))
    first = next(iter(given_of(inputs)), None)
    others = {name: each for name, each in inputs.items() if name != first}
    parsed = _parser(others, first is None).parse_strictly(joined(words, others))
    if parsed.run is None:
        raise UsageError("say which run edits, as in: ganvas edit runs/stargan-avatars face.png --set smile=1 --out x")
    if not parsed.sources:
        raise UsageError(f"say what to edit behind {parsed.run}: files, or folders of them")
    if parsed.out is None:
        raise UsageError("say where to write: --out changed.png, or a folder")
    if first is None and not parsed.invert:
        raise UsageError(
            f"{parsed.run} makes samples of nothing that is given; add --invert, which finds what it would make your "
            "picture of"
        )
    if first is not None and parsed.invert:
        raise UsageError(f"{parsed.run} changes what it is given as it is; leave out --invert")
    if first is not None and (parsed.steps or parsed.seconds):
        raise UsageError("--steps and --seconds are the length of an inversion; leave them out")
    photos = of_photos(parsed)
    if first is None and photos != {"size": "photo", "report": None}:
        raise UsageError("--own-size, --training-size and --report go with runs that are given pictures")
    changes = _changes(parsed.set)
    given = given_of_words(parsed, others)
    if first is not None and not changes and not given:
        known = listed(map(shown, _settable(others)), 40) or "nothing"
        raise UsageError(f"say what to change: --set NAME=VALUE (here {known}), or take ganvas translate")
    seed = None if parsed.seed is None else number_of("--seed", parsed.seed, int)
    steps = None if parsed.steps is None else number_of("--steps", parsed.steps, int)
    seconds = None if parsed.seconds is None else number_of("--seconds", parsed.seconds, float)
    from ganvas.model import edit_by_inversion, kinds_between, kinds_of, load, together, translate_files

    model = load(parsed.run, recipe=parsed.recipe)
    progress = not parsed.quiet
    if first is not None:
        wanted = together(model, changes, given)
        found = found_by(parsed, kinds_of(model), model.notes)
        outcomes = translate_files(found, model, seed=seed, given=wanted, **photos, progress=progress)
    else:
        found = found_by(parsed, kinds_between(model.space, model.space), model.notes)
        outcomes = edit_by_inversion(
            found, model, changes, seed=seed or 0, steps=steps, seconds=seconds, given=given, progress=progress
        )
    return told(outcomes, parsed, model.step, "edited")


def _changes(words: Sequence[str]) -> dict[str, str]:
    """`name=value` words by their name. Raises UsageError."""
    changes: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise UsageError(f"--set takes NAME=VALUE, as in --set smile=1, not {quoted(word)}")
        if name.strip() in changes:
            raise UsageError(f"--set {name.strip()} is given twice")
        changes[name.strip()] = value.strip()
    return changes


def _settable(inputs: Mapping[str, Input]) -> list[str]:
    """The names that --set takes."""
    told = {name: each for name, each in inputs.items() if each.admits() and not each.file}
    return [part for name, each in told.items() for part in (each.parts or (name,))]


def _parser(inputs: Mapping[str, Input], inverts: bool) -> Parser:
    parser = Parser(
        prog="ganvas edit",
        usage="ganvas edit RUN IN... --set NAME=VALUE [--set ...] --out PATH [what else is given]\n"
        "       ganvas edit RUN IN... --invert [--set NAME=VALUE ...] [--steps N | --seconds S] --out PATH",
        description="Pictures of your own, changed. A run that takes pictures changes what --set says of them. For\n"
        "one that makes pictures of noise, --invert finds the noise it would make yours of and says how near that\n"
        "comes; --set changes it from there.",
        epilog=EXAMPLES,
    )
    add_files(parser)
    names = _settable(inputs) + (["direction1 to direction16"] if inverts and inputs else [])
    here = f"; here {listed(map(shown, names), 40)}" if names else ""
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help=f"what to change; can be given again{here}".replace("%", "%%"),
    )
    parser.add_argument("--invert", action="store_true", help="find what the run would make it of, and change that")
    parser.add_argument("--steps", metavar="N", help="of an inversion (default: 200; the same seed finds the same)")
    parser.add_argument("--seconds", metavar="S", help="of an inversion of one picture, instead of --steps")
    add_given(parser, inputs)
    return parser
