"""The doctor: what ails a run, and what to change. One place decides what is said about a run; the live display, the
report, `ganvas doctor` and `--heal` all say that.

It reads rows of `metrics.jsonl` and no tensors: how the game between the players goes, and, every 100 steps, what a
look at samples gave (`looks.py`). Every discriminator is examined for itself. Every finding has its evidence with
numbers, its cause in plain words, and flags to change, only such as the recipe has. The first finding is the main
diagnosis: causes come before consequences.

The thresholds were set on one half of the labelled runs of `benchmarks/doctor.py` and judged on the other half;
`docs/doctor.md` has the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from ganvas.doctor.measurements import Facts, Judging, Symptoms, facts_of, symptoms
from ganvas.run import Row

CAVEAT = (
    "The doctor compares a few hundred samples with the data by simple measures; it does not know what looks good. "
    "Look at the pictures."
)

FEW_ITEMS = 2000
"""Training items up to which the number of them is told where some are copied."""

FAR_OFF = 5.0
"""Divergence: distance of the samples from the data, in variances of the data."""

EXPLODED = 100.0
"""Divergence: growth of a gradient norm, and the size that it has at least."""

CERTAIN = 1000.0
"""Divergence: size of a mean logit."""

COPYING = 0.6
"""Memorisation: distance to the nearest training item, relative to that of fresh items."""

FAR_AHEAD = 0.97
"""Overpowering: share of right answers of a discriminator that is never wrong any more."""

FADED = 20.0
"""Overpowering: how many times weaker the gradients of a player that does not judge have become."""

FOOLED = 0.35
"""Weak: share of generated samples (or of pairs) below which a discriminator sees through too few of them."""

GUESSING = 0.66
"""Weak: share of right answers on all samples below which a discriminator hardly does better than a coin."""

POOR = 0.6
"""Weak and overpowering: distance of the samples from the data, in variances of the data, beyond which they are bad
enough for a discriminator to see it."""

FAR = 1.0
"""Health: distance of the samples from the data, in variances of the data, up to which a run can be called healthy:
that of a generator which always makes the data's average item."""

HALF_MISSED = 0.5
"""Weak and overpowering: share of the data without samples that says the same."""

DEAF = 0.25
"""Labels: agreement of samples with their labels, 1 as for real items, that even a high estimate does not reach."""

DEAD = 0.001
"""Labels: share of the samples' variance that labels make where they are not heard at all."""

UNMOVED = 0.05
"""Labels: the same where they are hardly heard, which counts only beside DEAF."""

CHECKERED = 4.0
"""Checkerboard: energy at a grid's frequency, as a ratio to real pictures."""

SAME = 0.2
"""Collapse: diversity, relative to the data, below which samples are all the same."""

ALIKE = 0.4
"""Partial collapse: diversity, relative to the data, below which samples are too much alike."""

MISSED = 0.35
"""Partial collapse: share of the data with hardly any sample near."""

SHIFT = 0.65
"""Oscillation: way of the samples' centre between two looks, in standard deviations of the data."""

EARLY_STEPS = 300
"""Before so many steps, samples are expected to be poor, and nothing is said about them."""

EARLY_LOOKS = 3
"""Before so many looks, too."""


@dataclass(frozen=True)
class Finding:
    """One diagnosis: something that is the matter, or that nothing is.

    name: fit for a script, such as "collapse". mood: `bad` needs a change, `note` is worth a look. title: two or three
    words. evidence, cause: sentences. advice: what to try; each names a flag that the recipe has, or what to do.
    player: whose trouble it is; "" where it is the whole run's.
    """

    name: str
    mood: Literal["good", "note", "bad"]
    title: str
    evidence: str
    cause: str = ""
    advice: list[str] = field(default_factory=list)
    player: str = ""

    @property
    def sentence(self) -> str:
        return f"{self.title}: {self.evidence}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def diagnose(rows: Sequence[Row], config: Mapping[str, Any] | None = None) -> list[Finding]:
    """What can be said of a run, live or over, the main diagnosis first; never empty.

    Where several discriminators ail alike there is a finding for each, by `player`; `in_words` makes one of them.
    rows: what `metrics.jsonl` holds, in the order of the steps. config: what `config.json` holds, where known; advice
    then names only flags that the recipe has.
    """
    case = _Case(symptoms(rows), facts_of(config or {}))
    found = [finding for examine in _EXAMINATIONS for finding in examine(case)]
    if not any(finding.mood == "bad" for finding in found):
        found.insert(0, _in_order(case))
    return found


def in_words(findings: Sequence[Finding]) -> list[Finding]:
    """Findings for people: those of one name are one, which names all the players, and its cause and advice once."""
    alike: dict[str, list[Finding]] = {}
    for finding in findings:
        alike.setdefault(finding.name, []).append(finding)
    return [_joined(group) for group in alike.values()]


def _joined(group: Sequence[Finding]) -> Finding:
    first = group[0]
    if len(group) == 1:
        return first
    names = " and ".join(filter(None, (", ".join(each.player for each in group[:-1]), group[-1].player)))
    return replace(
        first,
        title=" ".join(names if word == first.player else word for word in first.title.split(" ")),
        evidence="; ".join(each.evidence for each in group),
        advice=list(dict.fromkeys(advice for each in group for advice in each.advice)),
        player=names,
    )


@dataclass(frozen=True)
class _Case:
    told: Symptoms
    facts: Facts

    def signal(self, name: str) -> float:
        """The signal, or a value that is never suspicious (not a number compares false with everything)."""
        value = self.told.signal(name)
        return float("nan") if value is None else value

    def flags(self, **advice: str) -> list[str]:
        """Advice about flags, where the recipe has them."""
        known = self.facts.arguments
        return [text for name, text in advice.items() if known is None or name in known]

    def augmented(self) -> list[str]:
        """Advice against items that are learned by heart."""
        return ["--augment ada, which shows the discriminator changed items"] if self.facts.plain else []

    @property
    def grown(self) -> bool:
        """Whether enough was seen to judge samples."""
        return self.told.looks >= EARLY_LOOKS and self.told.step >= EARLY_STEPS

    @property
    def poor(self) -> bool:
        """Whether samples are far from the data, or leave out much of it."""
        return self.signal("distance") > POOR or self.signal("missed") > HALF_MISSED


def _divergence(case: _Case) -> Iterator[Finding]:
    for player, evidence in _divergences(case):
        yield Finding(
            "divergence",
            "bad",
            "Divergence",
            evidence,
            "Steps are so large, or so little holds the discriminator back, that every update overshoots the last one.",
            case.flags(
                lr="--lr 5 to 10 times lower", beta1="--beta1 0.5 or 0", r1="--r1 1 or higher", clip="a smaller --clip"
            ),
            player,
        )


def _divergences(case: _Case) -> list[tuple[str, str]]:
    """(player, evidence), of the first kind that there is."""
    told, times = case.told, case.told.not_finite_times
    far, strange = case.signal("distance"), case.signal("not_finite")
    if told.failed and times:
        return [("", f"the numbers stopped being finite {times} times, and smaller steps did not help")]
    if strange > 0:
        return [("", f"{_percent(strange)} of the samples are not finite")]
    if times >= 2:
        return [("", f"the numbers stopped being finite {times} times")]
    if case.grown and far > FAR_OFF:
        return [("", f"samples lie {far:.3g} times the data's whole variance away from it")]
    sizes = {judge.player: judge.certainty for judge in told.judges if judge.certainty is not None}
    if certain := {player: size for player, size in sizes.items() if size > CERTAIN}:
        return [(player, f"the {player}'s logits have grown to {size:.2g}") for player, size in certain.items()]
    norm = told.growth
    if norm and norm.now > EXPLODED * norm.once and norm.now > EXPLODED:
        return [(norm.player, f"the {norm.player}'s gradient norm has grown from {norm.once:.2g} to {norm.now:.2g}")]
    return []


def _memorisation(case: _Case) -> Iterator[Finding]:
    copying, count = case.signal("copying"), case.facts.items
    if not (case.grown and copying < COPYING):
        return
    items = f"; there are {count:,.0f} of them" if count and count < FEW_ITEMS else ""
    yield Finding(
        "memorisation",
        "bad",
        "Memorisation",
        f"samples are copies of training items: beside other items, they lie {copying:.2f} times as far from the "
        f"nearest one as fresh items do (1 = no nearer{items})",
        "The data is so small, or training so long, that the generator has learned the items by heart.",
        ["more data", *case.augmented(), "stop earlier", *case.flags(width="a lower --width")],
    )


def _overpowering(case: _Case) -> Iterator[Finding]:
    norm = case.told.faded
    if norm is None or not norm.now < norm.once / FADED or not (case.poor or case.told.signal("distance") is None):
        return
    for judge in case.told.judges:
        if judge.right_on_all > FAR_AHEAD:
            yield Finding(
                "overpowering",
                "bad",
                f"An overpowering {judge.player}",
                f"the {judge.player} {_how_right(judge)}, and the {norm.player}'s gradients have faded from "
                f"{norm.once:.2g} to {norm.now:.2g}",
                "All samples are told apart with certainty, so the generator is told nothing about how to improve.",
                case.flags(
                    objective="--objective non-saturating (or relativistic)"
                    if (case.facts.arguments or {}).get("objective") == "minimax"
                    else "--objective relativistic",
                    d_steps="--d-steps 1",
                    r1="a higher --r1 (10 times, say)",
                    smoothing="--smoothing 0.1",
                    lr="--lr 2 to 5 times lower",
                ),
                judge.player,
            )


def _weak(case: _Case) -> Iterator[Finding]:
    if not (case.grown and case.poor):
        return
    for judge in case.told.judges:
        if judge.right_on_samples < FOOLED or judge.right_on_all < GUESSING:
            yield Finding(
                "weak",
                "bad",
                f"The {judge.player} cannot keep up",
                f"the {judge.player} {_how_right(judge)}, though samples are far from the data "
                f"({_percent(case.signal('missed'))} of it has hardly any sample near)",
                "A discriminator that learns too slowly, or is too small, does not see what is wrong with the samples; "
                "the generator learns from a bad teacher.",
                case.flags(
                    d_steps="--d-steps 2 or more",
                    g_steps="--g-steps 1",
                    width="a higher --width",
                    r1="a lower --r1",
                    dropout="a lower --dropout",
                    lr="another --lr",
                ),
                judge.player,
            )


def _labels(case: _Case) -> Iterator[Finding]:
    agree, error = case.signal("labels_agree"), case.signal("labels_agree_error")
    moved, astray = case.signal("labels_move"), agree + 2 * error < DEAF
    unmoved = moved < DEAD or (moved < UNMOVED and astray)
    # Where all samples are alike, it cannot be told whether they are like their labels' items.
    strays = astray and case.signal("diversity") >= ALIKE
    if not (case.grown and (unmoved or strays)):
        return
    how = "the label does not move a sample" if unmoved else "the label moves samples, but not to its own items"
    yield Finding(
        "labels",
        "bad",
        "Labels are ignored",
        f"{how}: samples agree with their labels by {agree:.2f} +- {error:.2f} (1 = as real items do, 0 = not at all)",
        "The label gets lost in the generator, or the discriminator is not told it and so never asks for it.",
        [
            *case.flags(auxiliary="a higher --auxiliary (10 times, say)"),
            "check that both networks are given the label and use it",
            "labels that can be told apart in the data",
        ],
    )


def _checkerboard(case: _Case) -> Iterator[Finding]:
    # Of all last looks: young networks have it too, and lose it.
    energy = min(case.told.signals.get("checkerboard") or [0.0])
    if not (case.grown and energy > CHECKERED):
        return
    yield Finding(
        "checkerboard",
        "bad",
        "Checkerboard artefacts",
        f"at the frequencies of a 2-, 4- or 8-pixel grid the samples have {energy:.3g} times the energy of real "
        "pictures",
        "Transposed convolutions whose kernel is not a multiple of their stride, or that have only begun to learn, "
        "write more often into some pixels than into others.",
        ["kernels that are a multiple of the stride (4 for 2), or resizing followed by a convolution", "train longer"],
    )


def _collapse(case: _Case) -> Iterator[Finding]:
    diversity, within, least = (case.signal(f"diversity{kind}") for kind in ("", "_within", "_least"))
    missed, steady = case.signal("missed"), case.facts.steady
    if not case.grown:
        return
    # Of all last looks, so that a run that is on its way out of it is not accused.
    best = {name: max(values) for name, values in case.told.signals.items() if values}
    total = best.get("diversity", 1.0) < SAME or best.get("diversity_within", 1.0) < SAME
    partial = best.get("diversity", 1.0) < ALIKE or best.get("diversity_within", 1.0) < ALIKE
    partial = partial or min(case.told.signals.get("missed") or [0.0]) > MISSED
    partial = partial or best.get("diversity_least", 1.0) < SAME
    if not (total or partial):
        return
    parts = [f"the mean distance between samples is {_percent(diversity)} of that between real items"]
    if within == within:
        parts.append(f"within a label {_percent(within)}")
    if least < SAME:
        parts.append(f"for one label at least {_percent(least)}")
    if missed == missed:
        parts.append(f"and {_percent(missed)} of the data has hardly any sample near")
    yield Finding(
        "collapse" if total else "partial collapse",
        "bad",
        "Mode collapse" if total else "Partial mode collapse",
        ", ".join(parts),
        "The generator makes "
        + ("the same sample again and again" if total else "only some of what the data holds")
        + ", because that fools the discriminator for now.",
        case.flags(
            lr="--lr 3 to 10 times lower",
            beta1="--beta1 0.5 or 0",
            r1="--r1 1 or higher",
            r2="the same for --r2",
            g_steps="--g-steps 1",
            objective="--objective relativistic",
        )
        + ([f"the {steady} recipe, which was made against this"] if steady else []),
    )


def _oscillation(case: _Case) -> Iterator[Finding]:
    for player, evidence in _oscillations(case):
        yield Finding(
            "oscillation",
            "bad",
            "Oscillation",
            evidence,
            "The players chase each other in circles: each undoes what the other has just learned.",
            case.flags(
                beta1="--beta1 0.5 or 0",
                lr="--lr 3 to 10 times lower",
                r1="--r1 1 or higher",
                optimizer="--optimizer adam",
                g_steps="--g-steps 1",
            ),
            player,
        )


def _oscillations(case: _Case) -> list[tuple[str, str]]:
    """(player, evidence), of the first kind that there is."""
    shift = case.signal("shift")
    if case.grown and shift > SHIFT and not case.signal("diversity") < SAME:
        return [("", f"the samples' centre moves by {shift:.2g} standard deviations of the data in 100 steps")]
    found = []
    for judge in case.told.judges:
        if judge.seesaw:
            low, high = map(_percent, judge.seesaw)
            what = "pairs" if judge.paired else "samples"
            told = f"the share of {what} that the {judge.player} gets right goes to and fro between {low} and {high}"
            found.append((judge.player, told))
    return found


def _little_data(case: _Case) -> Iterator[Finding]:
    count = case.facts.items
    if count is None or count >= case.facts.few:
        return
    yield Finding(
        "little data",
        "bad",
        "Too little data",
        f"there are {count:,.0f} training items",
        "So few items can be learned by heart by either player: the discriminator then knows them apart from anything "
        "new, and the generator can only repeat them.",
        ["a thousand items or more", *case.augmented()],
    )


_EXAMINATIONS: tuple[Callable[[_Case], Iterator[Finding]], ...] = (
    _divergence,
    _memorisation,
    _weak,
    _overpowering,
    _oscillation,
    _labels,
    _collapse,
    _checkerboard,
    _little_data,
)
"""In the order of their weight: what is named first explains what comes after it."""


def _in_order(case: _Case) -> Finding:
    """What to say where nothing is the matter."""
    told, looking = case.told, case.facts.looking
    if not told.measured:
        return Finding("early", "note", "Too early", "nothing has been measured yet; that takes 50 steps")
    if not told.judges:
        return Finding(
            "unknown", "note", "Little to go by", "the players report no logits, so their balance cannot be read"
        )
    if told.measured < 3:
        return Finding("early", "note", "Too early", "too few measurements so far to say how the game goes")
    balance = "; ".join(f"the {judge.player}{_balance(judge)}" for judge in told.judges)
    if looking is not False and not told.looks and told.step < EARLY_STEPS:
        return Finding("early", "note", "Too early", f"{balance}; the samples have not been looked at yet")
    diversity, missed, distance = (told.signal(name) for name in ("diversity", "missed", "distance"))
    if diversity is None or missed is None:
        instead = "leave out --no-looks" if looking is False else "look at the pictures, and evaluate the run"
        return Finding(
            "unseen",
            "note",
            "Nothing wrong is seen in the game",
            f"{balance}; nobody looked at the samples",
            advice=[f"{instead}; collapse, copies, lost labels and checkerboards are seen in samples alone"],
        )
    if not case.grown:
        return Finding("early", "note", "Too early to judge the samples", balance)
    if distance is not None and distance > FAR:
        return Finding(
            "far",
            "note",
            "The samples are still far from the data",
            f"{balance}; they lie {distance:.2g} times the data's variance away from it (1 = as far as its average "
            "item, again and again)",
            "Early in a training that is so. If it stays, the generator does not learn what the data are.",
            ["look at the pictures", "train longer", *case.flags(lr="another --lr")],
        )
    return Finding(
        "healthy",
        "good",
        "Healthy",
        f"{balance}; samples are {_percent(diversity)} as varied as the data and reach {_percent(1 - missed)} of it",
    )


def _balance(judge: Judging) -> str:
    return f" {_how_right(judge)}" if judge.kinds else "'s scores have no dividing line"


def _how_right(judge: Judging) -> str:
    shares = {kind: _percent(share) for kind, share in judge.right.items()}
    if not shares:
        return "has not moved lately"
    if "pair" in shares:
        return f"scores the real one of a pair higher in {shares['pair']} of pairs (50% = cannot tell apart)"
    of = {"real": "real", "fake": "generated"}
    return f"is right on {' and '.join(f'{share} of {of[kind]}' for kind, share in shares.items())} samples"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"
