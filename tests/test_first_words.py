"""What commands say before anything that takes seconds: PyTorch is forbidden here, and whoever asks for it ends."""

import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden" / "format-1" / "vanilla"
WITHOUT_TORCH = """
import sys
class Forbidden:
    def find_spec(self, name, *rest):
        if name == "torch":
            raise SystemExit(7)
sys.meta_path.insert(0, Forbidden())
from ganvas import cli
cli.main(sys.argv[1:])
"""


def said(*words: object) -> tuple[int, str, str]:
    """How it ended, 7 where it asked for PyTorch; what was said by then, and on stderr."""
    command = [sys.executable, "-c", WITHOUT_TORCH, *map(str, words)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["data", "digits"], "looking at digits"),
        (["data", "--as", "images", GOLDEN], f"looking at {GOLDEN}"),
        (["train", "--data", "digits", "--dry-run"], "looking at digits"),
        (["train", f"--resume={GOLDEN}"], f"reading {GOLDEN}"),
        (["sample", GOLDEN, "-n", "4"], f"loading {GOLDEN}"),
        (["evaluate", "-n", "100", GOLDEN], f"judging {GOLDEN}"),
        (["export", GOLDEN, "--format", "web", "--out", "x.html"], f"exporting {GOLDEN}"),
        (["serve", GOLDEN], f"loading {GOLDEN}"),
        (["recipes", "dcgan"], "reading dcgan"),
    ],
)
def test_what_is_done_is_said_before_pytorch_is_loaded(words, line):
    assert said(*words) == (7, "", f"{line}\n")


@pytest.mark.parametrize(
    "words",
    [
        ["data", "digits", "--json"],
        ["train", "--data", "digits", "--dry-run", "--quiet"],
        ["evaluate", GOLDEN, "--quiet"],
        ["recipes", "dcgan", "--json"],
    ],
)
def test_nothing_is_said_where_it_is_not_wanted(words):
    assert said(*words) == (7, "", "")


def test_what_is_not_there_is_not_announced():
    code, out, err = said("sample", "nowhere")
    assert (code, out) == (2, "") and err.startswith("ganvas: nowhere is not a run") and err.count("\n") == 1


@pytest.mark.parametrize("words", [["doctor", GOLDEN], ["runs", GOLDEN.parent], ["recipes"], ["--help"]])
def test_what_only_reads_a_run_needs_no_pytorch(words):
    code, out, _ = said(*words)
    assert code == 0 and out
