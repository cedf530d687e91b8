"""Old runs stay readable for good: run folders that an earlier Ganvas wrote, as they were left on somebody's disk.

`tests/golden/make.py` says how they were made. They are never made again: where one of these tests fails, people's
runs have become unreadable, and it is the reader that has to learn the old format.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import ganvas
from ganvas.cli import main
from ganvas.doctor import diagnose
from ganvas.report import write_report
from ganvas.run.folder import read_config
from ganvas.run.history import read_rows
from ganvas.training import checkpoint
from golden.make import CALLS, HERE, made

RUNS = sorted(path.parent for path in HERE.glob("format-*/*/config.json"))
SAMPLED = [run for run in RUNS if run.name in CALLS]


def copied(run: Path, folder: Path) -> Path:
    return Path(shutil.copytree(run, folder / run.name))


def named(run: Path) -> str:
    return f"{run.parent.name}-{run.name}"


def expected(run: Path) -> np.ndarray:
    with np.load(run / "expected.npz", allow_pickle=False) as stored:
        return stored["samples"]


def rounding(run: Path, samples: np.ndarray) -> float:
    """How far apart two processors may be that add in another order.

    Each layer sums up to `terms` products, each rounded by 2^-24 of its size, so that a result of the size of the
    samples may be off by layers * terms * 2^-24 of it. Ten times that, because what is summed may be larger than the
    sum. Weights of another step differ by a hundred times more.
    """
    weights = [p for p in ganvas.load(run).recipe.generator.parameters() if p.ndim > 1]
    terms = max(weight[0].numel() for weight in weights)
    return 10 * len(weights) * terms * 2.0**-24 * float(np.abs(samples).max())


def test_every_format_has_its_golden_runs():
    formats = {run.parent.name: {other.name for other in RUNS if other.parent == run.parent} for run in RUNS}
    assert formats == {"format-1": {"r3gan", "vanilla", "infogan", "srgan"}}
    assert all(read_config(run)["format"] == int(run.parent.name.removeprefix("format-")) for run in RUNS)


@pytest.mark.parametrize("run", SAMPLED, ids=named)
def test_a_golden_run_gives_the_samples_that_it_gave(run: Path) -> None:
    samples = expected(run)
    assert samples.dtype == np.float32 and samples.std(axis=0).mean() > 0.05  # they are not all alike
    np.testing.assert_allclose(made(run.name, run), samples, rtol=0, atol=rounding(run, samples))


@pytest.mark.parametrize("run", [run for run in RUNS if run not in SAMPLED], ids=named)
def test_a_golden_run_enlarges_as_it_did_in_both_styles(run: Path) -> None:
    """Rounding decides only of values that lie between two levels, nearer to the middle than it reaches."""
    levels, found = expected(run), made(run.name, run)
    assert (levels[0] != levels[1]).mean() > 0.3  # the styles are two
    assert np.abs(found - levels).max() <= 1
    assert (found != levels).mean() <= 2 * rounding(run, levels)


def test_best_is_what_is_loaded_where_a_score_picked_one():
    steps = {run.name: ganvas.load(run).step for run in RUNS if run.parent.name == "format-1"}
    assert steps == {"r3gan": 100, "vanilla": 150, "infogan": 100, "srgan": 100}


@pytest.mark.parametrize("run", RUNS, ids=named)
def test_the_doctor_reads_golden_runs(run: Path) -> None:
    """From the signals, from the steps, and from the number of items: one finding of each, far from its threshold."""
    names = [finding.name for finding in diagnose(read_rows(run / "metrics.jsonl"), read_config(run))]
    assert {"vanilla": "oscillation", "srgan": "little data"}.get(run.name, "early") in names


@pytest.mark.parametrize("run", RUNS, ids=named)
def test_the_report_shows_golden_runs(run: Path, tmp_path: Path) -> None:
    page = write_report(copied(run, tmp_path)).read_text()
    data = {"vanilla": "ring", "srgan": "photos"}.get(run.name, "digits")
    step = 300 if run.name == "vanilla" else 100
    assert f"{run.name} <span>on</span> {data}" in page
    assert f"Finished after {step} steps" in page and f"<dd>{16 * step:,}</dd>" in page
    assert f"Generated samples at step {step}" in page and "Generated samples at step 0" in page
    last = [row for row in read_rows(run / "metrics.jsonl") if "generator/gradient_norm" in row][-1]
    shares = [value for key, value in last.items() if key.startswith("discriminator/accuracy_")]
    assert shares and f"{shares[0]:.0%}" in page


@pytest.mark.parametrize("run", [run for run in RUNS if run.name == "vanilla"], ids=named)
def test_a_golden_run_is_trained_on(run: Path, tmp_path: Path) -> None:
    resumed = copied(run, tmp_path)
    before, _, _ = checkpoint.newest(run / "checkpoints")
    with pytest.raises(SystemExit) as ended:
        main(["train", "--resume", str(resumed), "--steps", "301", "--quiet"])
    assert ended.value.code == 0
    after, path, _ = checkpoint.newest(resumed / "checkpoints")
    assert path.name == "step-00000301" and after["values"]["position"] == 301 * 16
    assert after["values"]["watchers"]["Scorer"]["best"]["step"] == 150
    assert {float(v) for name, v in after["optimizers"].items() if name.endswith("/step")} == {301.0}
    for name, weight in before["model"].items():
        # No step of Adam's is longer than lr (1 - beta1) / sqrt(1 - beta2) (Kingma and Ba 2015, section 2.1).
        assert 0 < (after["model"][name] - weight).abs().max() < 1e-3 * 0.5 / 0.001**0.5, name
    old, new = (each.joinpath("metrics.jsonl").read_text().splitlines() for each in (run, resumed))
    assert new[: len(old)] == old
    rows = [json.loads(line) for line in new[len(old) :]]
    assert rows[0]["event"] == "resumed" and rows[0]["step"] == 300
    assert rows[-1]["event"] == "finished" and rows[-1]["step"] == 301
