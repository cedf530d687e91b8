"""The doctor: what ails a run, and what to change. One place decides what is said about a run; the live display, the
report, `ganvas doctor` and `--heal` all say that.

It reads rows of `metrics.jsonl` and no tensors: how the game between the players goes, and, every 100 steps, what a
look at samples gave (`looks.py`). Every finding has its evidence with numbers, its cause in plain words, and flags
to change, only such as the recipe has. The first finding is the main diagnosis: causes come before consequences.

The thresholds were set on one half of the labelled runs of `benchmarks/doctor.py` and judged on the other half;
`docs/doctor.md` has the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ganvas.doctor.measurements import Symptoms, facts_of, symptoms
from ganvas.run import Row, roll_backs

NO_DIVIDING_LINE = ("wasserstein",)
"""Objectives whose logits are scores of their own scale, so that accuracy and probability mean nothing."""

CAVEAT = (
    "The doctor compares a few hundred samples with the data by simple measures; it does not know what looks good. "
    "Look at the pictures."
)

FEW_ITEMS = 2000
"""Training items up to which the number of them is told where some are copied."""

FAR_OFF, EXPLODED, CERTAIN = 5.0, 100.0, 1000.0
"""Divergence: distance of the samples, growth of a gradient norm, size of a logit."""

COPYING = 0.6
"""Memorisation: distance to the nearest training item, relative to that of fresh items."""

FAR_AHEAD, FADED = 0.97, 20.0
"""Overpowering: share of right answers, and how many times weaker the generator's gradients have become."""

FOOLED, GUESSING, POOR, HALF_MISSED = 0.35, 0.66, 0.6, 0.5
"""Weak: share of samples seen through, of all right answers; and samples that are far from the data."""

DEAF, DEAD, UNMOVED = 0.25, 0.001, 0.05
"""Labels: agreement, of 1, that even a high estimate does not reach; share of the samples' variance that they make
where they are not heard at all, and hardly."""

CHECKERED = 4.0
"""Checkerboard: energy at a grid's frequency, as a ratio to real pictures."""

SAME, ALIKE, MISSED = 0.2, 0.4, 0.35
"""Collapse: diversity (total and partial), and share of the data without samples."""

SHIFT = 0.65
"""Oscillation: way of the samples' centre between two looks."""

EARLY_STEPS, EARLY_LOOKS = 300, 3
"""Before so many steps and looks, samples are expected to be poor, and nothing is said about them."""


@dataclass(frozen=True)
class Finding:
    """One thing that is the matter, or that nothing is.

    name: fit for a script, such as "collapse". mood: `bad` needs a change, `note` is worth a look. title: two or three
    words. evidence, cause: sentences. advice: what to try; each names a flag that the recipe has, or what to do.
    """

    name: str
    mood: Literal["good", "note", "bad"]
    title: str
    evidence: str
    cause: str = ""
    advice: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        return f"{self.title}: {self.evidence}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def diagnose(rows: Sequence[Row], config: Mapping[str, Any] | None = None) -> list[Finding]:
    """What can be said of a run, live or over, the main diagnosis first; never empty.

    rows: what `metrics.jsonl` holds, in the order of the steps. config: what `config.json` holds, where known; advice
    then names only flags that the recipe has.
    """
    facts = facts_of(config or {})
    arguments = facts["arguments"]
    judged = (arguments or {}).get("objective") not in NO_DIVIDING_LINE
    case = _Case(symptoms(rows, judged), arguments, facts["items"], facts["few"], facts["steady"], roll_backs(rows))
    found = [finding for look in _EXAMINATIONS if (finding := look(case)) is not None]
    if not any(finding.mood == "bad" for finding in found):
        found.insert(0, _in_order(case))
    return found


@dataclass(frozen=True)
class _Case:
    told: Symptoms
    arguments: Mapping[str, Any] | None
    items: float | None
    few: int
    steady: str
    roll_backs: str

    def signal(self, name: str) -> float:
        """The signal, or a value that is never suspicious (not a number compares false with everything)."""
        value = self.told.signal(name)
        return float("nan") if value is None else value

    def flags(self, **advice: str) -> list[str]:
        """Advice about flags, where the recipe has them."""
        return [text for name, text in advice.items() if self.arguments is None or name in self.arguments]

    @property
    def grown(self) -> bool:
        """Whether enough was seen to judge samples."""
        return self.told.looks >= EARLY_LOOKS and self.told.step >= EARLY_STEPS


def _divergence(case: _Case) -> Finding | None:
    told = case.told
    far, strange = case.signal("distance"), case.signal("not_finite")
    evidence = ""
    if told.failed and told.not_finite_times:
        evidence = f"the numbers stopped being finite {told.not_finite_times} times, and smaller steps did not help"
    elif strange > 0:
        evidence = f"{_percent(strange)} of the samples are not finite"
    elif told.not_finite_times >= 2:
        evidence = f"the numbers stopped being finite {told.not_finite_times} times"
    elif case.grown and far > FAR_OFF:
        evidence = f"samples lie {far:.3g} times the data's whole variance away from it"
    elif told.certainty is not None and told.certainty > CERTAIN:
        evidence = f"the {told.player}'s logits have grown to {told.certainty:.2g}"
    elif told.growth and told.growth[1] > EXPLODED * told.growth[0] and told.growth[1] > 100:
        evidence = f"gradient norms have grown from {told.growth[0]:.2g} to {told.growth[1]:.2g}"
    if not evidence:
        return None
    return Finding(
        "divergence",
        "bad",
        "Divergence",
        evidence,
        "Steps are so large, or so little holds the discriminator back, that every update overshoots the last one.",
        case.flags(
            lr="--lr 5 to 10 times lower", beta1="--beta1 0.5 or 0", r1="--r1 1 or higher", clip="a smaller --clip"
        ),
    )


def _memorisation(case: _Case) -> Finding | None:
    copying = case.signal("copying")
    if not (case.grown and copying < COPYING):
        return None
    items = f"; there are {case.items:,.0f} of them" if case.items and case.items < FEW_ITEMS else ""
    return Finding(
        "memorisation",
        "bad",
        "Memorisation",
        f"samples are copies of training items: beside other items, they lie {copying:.2f} times as far from the "
        f"nearest one as fresh items do (1 = no nearer{items})",
        "The data is so small, or training so long, that the generator has learned the items by heart.",
        ["more data, or mirrored and shifted copies of it", "stop earlier", *case.flags(width="a lower --width")],
    )


def _overpowering(case: _Case) -> Finding | None:
    told = case.told
    if not told.judged or told.right_real is None or told.faded is None:
        return None
    both = (told.right_real + (told.right_real if told.right_fake is None else told.right_fake)) / 2
    once, now = told.faded
    poor = case.signal("distance") > POOR or case.signal("missed") > HALF_MISSED or told.signal("distance") is None
    if not (both > FAR_AHEAD and now < once / FADED and poor):
        return None
    return Finding(
        "overpowering",
        "bad",
        f"An overpowering {told.player}",
        f"it {_how_right(told)}, and the generator's gradients have faded from {once:.2g} to {now:.2g}",
        f"The {told.player} tells all samples apart with certainty, so the generator is told nothing about how to "
        "improve.",
        case.flags(
            objective="--objective non-saturating (or relativistic)"
            if (case.arguments or {}).get("objective") == "minimax"
            else "--objective relativistic",
            d_steps="--d-steps 1",
            r1="a higher --r1 (10 times, say)",
            smoothing="--smoothing 0.1",
            lr="--lr 2 to 5 times lower",
        ),
    )


def _weak(case: _Case) -> Finding | None:
    told = case.told
    if not told.judged or told.right_real is None or not case.grown:
        return None
    fake = told.right_real if told.right_fake is None else told.right_fake
    fooled = fake < FOOLED or (told.right_real + fake) / 2 < GUESSING
    if not (fooled and (case.signal("distance") > POOR or case.signal("missed") > HALF_MISSED)):
        return None
    return Finding(
        "weak",
        "bad",
        f"The {told.player} cannot keep up",
        f"it {_how_right(told)}, though samples are far from the data ({_percent(case.signal('missed'))} of it has "
        "hardly any sample near)",
        f"The {told.player} learns too slowly, or is too small, to see what is wrong with the samples; the generator "
        "learns from a bad teacher.",
        case.flags(
            d_steps="--d-steps 2 or more",
            g_steps="--g-steps 1",
            width="a higher --width",
            r1="a lower --r1",
            dropout="a lower --dropout",
            lr="another --lr",
        ),
    )


def _labels(case: _Case) -> Finding | None:
    agree, error = case.signal("labels_agree"), case.signal("labels_agree_error")
    moved, astray = case.signal("labels_move"), agree + 2 * error < DEAF
    unmoved = moved < DEAD or (moved < UNMOVED and astray)
    # Where all samples are alike, it cannot be told whether they are like their labels' items.
    strays = astray and case.signal("diversity") >= ALIKE
    if not (case.grown and (unmoved or strays)):
        return None
    how = "the label does not move a sample" if unmoved else "the label moves samples, but not to its own items"
    return Finding(
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


def _checkerboard(case: _Case) -> Finding | None:
    # Of all last looks: young networks have it too, and lose it.
    energy = min(case.told.signals.get("checkerboard") or [0.0])
    if not (case.grown and energy > CHECKERED):
        return None
    return Finding(
        "checkerboard",
        "bad",
        "Checkerboard artefacts",
        f"at the frequencies of a 2-, 4- or 8-pixel grid the samples have {energy:.3g} times the energy of real "
        "pictures",
        "Transposed convolutions whose kernel is not a multiple of their stride, or that have only begun to learn, "
        "write more often into some pixels than into others.",
        ["kernels that are a multiple of the stride (4 for 2), or resizing followed by a convolution", "train longer"],
    )


def _collapse(case: _Case) -> Finding | None:
    diversity, within, least = (case.signal(f"diversity{kind}") for kind in ("", "_within", "_least"))
    missed = case.signal("missed")
    if not case.grown:
        return None
    # Of all last looks, so that a run that is on its way out of it is not accused.
    best = {name: max(values) for name, values in case.told.signals.items() if values}
    total = best.get("diversity", 1.0) < SAME or best.get("diversity_within", 1.0) < SAME
    partial = best.get("diversity", 1.0) < ALIKE or best.get("diversity_within", 1.0) < ALIKE
    partial = partial or min(case.told.signals.get("missed") or [0.0]) > MISSED
    partial = partial or best.get("diversity_least", 1.0) < SAME
    if not (total or partial):
        return None
    parts = [f"the mean distance between samples is {_percent(diversity)} of that between real items"]
    if within == within:
        parts.append(f"within a label {_percent(within)}")
    if least < SAME:
        parts.append(f"for one label at least {_percent(least)}")
    if missed == missed:
        parts.append(f"and {_percent(missed)} of the data has hardly any sample near")
    return Finding(
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
        + ([f"the {case.steady} recipe, which was made against this"] if case.steady else []),
    )


def _oscillation(case: _Case) -> Finding | None:
    told, shift = case.told, case.signal("shift")
    if case.grown and shift > SHIFT and not case.signal("diversity") < SAME:
        evidence = f"the samples' centre moves by {shift:.2g} standard deviations of the data in 100 steps"
    elif told.seesaw and told.judged:
        low, high = map(_percent, told.seesaw)
        what = "pairs" if told.paired else "samples"
        evidence = f"the share of {what} that the {told.player} gets right goes to and fro between {low} and {high}"
    else:
        return None
    return Finding(
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
    )


def _little_data(case: _Case) -> Finding | None:
    if case.items is None or case.items >= case.few:
        return None
    return Finding(
        "little data",
        "bad",
        "Too little data",
        f"there are {case.items:,.0f} training items",
        "So few items can be learned by heart by either player: the discriminator then knows them apart from anything "
        "new, and the generator can only repeat them.",
        ["a thousand items or more", "mirrored, shifted and recoloured copies of those there are"],
    )


_EXAMINATIONS: tuple[Callable[[_Case], Finding | None], ...] = (
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
    told = case.told
    if not told.measured:
        return Finding(
            "early", "note", "Too early", "nothing has been measured yet; the first numbers come after 50 steps"
        )
    if not told.player:
        return Finding(
            "unknown", "note", "Little to go by", "the players report no logits, so their balance cannot be read"
        )
    if told.measured < 3:
        return Finding("early", "note", "Too early", "too few measurements so far to say how the game goes")
    balance = (
        f"the {told.player} {_how_right(told)}" if told.judged else f"the {told.player}'s scores have no dividing line"
    )
    diversity, missed = told.signal("diversity"), told.signal("missed")
    if diversity is None or missed is None:
        return Finding("healthy", "good", "Nothing wrong is seen", f"{balance}; the samples were not looked at")
    if not case.grown:
        return Finding("early", "note", "Too early to judge the samples", balance)
    return Finding(
        "healthy",
        "good",
        "Healthy",
        f"{balance}; samples are {_percent(diversity)} as varied as the data and reach {_percent(1 - missed)} of it",
    )


def _how_right(told: Symptoms) -> str:
    if told.right_real is None:
        return "has not moved lately"
    if told.paired:
        return f"scores the real one of a pair higher in {_percent(told.right_real)} of pairs (50% = cannot tell apart)"
    fake = "" if told.right_fake is None else f" and {_percent(told.right_fake)} of generated"
    return f"is right on {_percent(told.right_real)} of real{fake} samples"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"
