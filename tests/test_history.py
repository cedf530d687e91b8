"""What is read off a run's rows, and the names under which the meter writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ganvas.recipe import Results, Scale
from ganvas.run.history import judged, judges, players, read_rows, shares
from ganvas.training.meter import Meter
from ganvas.training.processes import Processes


def stored(folder: Path, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    path = folder / "metrics.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_rows(path)


@pytest.mark.parametrize(
    ("scale", "fake", "expected"),
    [
        # sigmoid(ln 3) = 3/4 and sigmoid(0) = 1/2; 0 is on nobody's side.
        ("decision", [0.0, -1.0986123], {"accuracy_real": 0.5, "probability_real": 0.625, "logit_real": 0.5493061,
                                         "accuracy_fake": 0.5, "probability_fake": 0.375, "logit_fake": -0.5493061}),
        ("score", [0.0, -1.0986123], {"logit_real": 0.5493061, "logit_fake": -0.5493061}),
        ("pair", None, {"accuracy_pair": 0.5, "probability_pair": 0.625, "logit_pair": 0.5493061}),
        ("pair", [9.0, 9.0], {"accuracy_pair": 0.5, "probability_pair": 0.625, "logit_pair": 0.5493061}),
    ],
)  # fmt: skip
def test_the_meter_tells_what_the_scale_of_the_logits_can_say(
    scale: Scale, fake: list[float] | None, expected: dict[str, float]
) -> None:
    meter = Meter(torch.device("cpu"))
    logits = torch.tensor([1.0986123, 0.0]), None if fake is None else torch.tensor(fake)
    results = Results({"term": torch.tensor(2.0)}, *logits, scale, logged={"width": torch.tensor(7.0)})
    meter.add("critic", results, torch.tensor(3.0))
    whole = {"critic/term": 2.0, "critic/gradient_norm": 3.0, "value/critic/width": 7.0}
    whole |= {f"critic/{name}": value for name, value in expected.items()}
    assert meter.read(Processes()).values == pytest.approx(whole)


def test_who_judges_is_told_by_the_logits_of_real_samples_or_of_pairs() -> None:
    row = {
        "step": 1,
        "generator/adversarial": 1.0,
        "generator/logit_fake": 0.5,  # what it was told makes it no judge
        "d_a/logit_real": 1.0,
        "d_a/real": 0.5,
        "d_a/cycle": 0.1,
        "value/generator/accuracy_real": 0.9,  # logged by a recipe
        "learning_rate/d_a": 0.1,
        "signal/diversity": 1.0,
        "d_b/accuracy_pair": 0.7,
        "d_b/pair": 0.2,
    }
    assert judges([row, {"step": 2, "d_c/logit_real": 1.0}]) == ["d_a", "d_b", "d_c"]
    assert players([row]) == {"d_a": ["real", "cycle"], "d_b": ["pair"], "generator": ["adversarial"]}
    assert list(players([row])) == ["d_a", "d_b", "generator"]
    assert judged([row], "d_a", "accuracy") == {} and judged([row], "d_b", "accuracy") == {"pair": "d_b/accuracy_pair"}
    assert judges([]) == [] and players([]) == {}


def test_shares_are_told_of_every_judge_with_a_dividing_line() -> None:
    row = {
        "step": 1,
        "scoring/logit_real": 3.0,
        **{f"d_a/{what}_{kind}": 0.5 for what in ("accuracy", "probability") for kind in ("real", "fake")},
        **{f"d_b/{what}_pair": 0.5 for what in ("accuracy", "probability")},
    }
    found = shares([row])
    assert [(each.player, each.what, list(each.names.values())) for each in found] == [
        ("d_a", "accuracy", ["real", "generated"]),
        ("d_a", "probability", ["real", "generated"]),
        ("d_b", "accuracy", ["pairs"]),
        ("d_b", "probability", ["mean sigmoid of the lead"]),
    ]
    assert [each.title for each in found[::2]] == ["Accuracy of the d_a", "Accuracy of the d_b"]
    assert len({each.title for each in found}) == 4  # charts are told apart by their titles
    assert found[0].keys == {"real": "d_a/accuracy_real", "fake": "d_a/accuracy_fake"}
    assert "real one of a pair" in found[2].about and "real one of a pair" in found[3].about


def judging(player: str, right: float, logits: float = 1.0) -> dict[str, float]:
    views = {"accuracy": (right, right), "probability": (0.6, 0.4), "logit": (logits, -logits)}
    return {f"{player}/{k}_{kind}": v[i] for k, v in views.items() for i, kind in enumerate(("real", "fake"))}


def test_rows_of_the_first_format_have_todays_names(tmp_path: Path) -> None:
    old = {"step": 50, "images": 800, "images_per_second": 9.0, "discriminator/pair": 0.3}
    (row,) = stored(tmp_path, {**old, **judging("discriminator", 0.9)})
    assert row == {"step": 50, "items": 800, "items_per_second": 9.0, "discriminator/pair": 0.3,
                   "discriminator/accuracy_pair": 0.9, "discriminator/probability_pair": 0.6,
                   "discriminator/logit_pair": 1.0}  # fmt: skip


def test_scores_of_the_first_format_are_known_by_their_terms(tmp_path: Path) -> None:
    """It told accuracy of every logit. A Wasserstein critic's terms are its mean logits; those of others are not."""
    scoring = {"critic/real": -2.5, "critic/fake": 0.125, **judging("critic", 0.9),
               "critic/logit_real": 2.5000001, "critic/logit_fake": 0.125, "critic/penalty": 3.0}  # fmt: skip
    deciding = {"d/real": 0.5, "d/fake": 0.6, **judging("d", 0.8)}
    (row,) = stored(tmp_path, {"step": 1, "images": 8, **scoring, **deciding})
    assert "critic/accuracy_real" not in row and "critic/probability_fake" not in row
    assert row["critic/logit_real"] == 2.5000001 and row["critic/penalty"] == 3.0
    assert row["d/accuracy_real"] == 0.8 and row["d/probability_fake"] == 0.4
    hinge = {"step": 1, "images": 8, **judging("d", 0.8, logits=0.4), "d/real": 0.6, "d/fake": 0.6}  # relu(1 - 0.4)
    assert stored(tmp_path, hinge)[0]["d/accuracy_real"] == 0.8
    today = {"step": 1, "items": 8, **scoring}  # today's meter knows the scale
    assert stored(tmp_path, today)[0]["critic/accuracy_real"] == 0.9
