"""The command line as a user meets it: what it does, and one clear line for whatever cannot be done."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import ganvas, refused
from ganvas import cli, recipes
from ganvas.cli.hints import how_to_resume
from ganvas.data.opening import open_data
from ganvas.errors import lacks_memory
from ganvas.metrics.samples import of_source
from ganvas.model import folders_of
from ganvas.text import command
from processes import another_process

TINY = ["--steps", "4", "--batch-size", "8", "--precision", "float32", "--quiet"]


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A conditional run on two labels, of four steps."""
    root = tmp_path_factory.mktemp("cli")
    for label, level in (("cats", 60), ("dogs", 200)):
        (root / "photos" / label).mkdir(parents=True)
        for number in range(12):
            Image.new("L", (8, 8), level + number).save(root / "photos" / label / f"{number}.png")
    assert ganvas("train", "r3gan", "--data", root / "photos", "--out", root / "run", "--width", "8", *TINY) == 0
    return root / "run"


def test_a_run_holds_what_the_design_promises(run):
    names = {path.name for path in run.iterdir()}
    assert {"config.json", "metrics.jsonl", "checkpoints", "samples", "report.html", "tensorboard"} <= names
    config = json.loads((run / "config.json").read_text())
    assert config["recipe"] == "r3gan" and config["data"]["labels"] == ["cats", "dogs"]
    assert config["arguments"]["width"] == 8 and config["settings"]["steps"] == 4


def test_how_a_training_ended_is_said_once(tmp_path, capsys):
    words = ["train", "vanilla", "--data", "ring", "--out", tmp_path / "run", *TINY]
    assert ganvas(*words[:-1]) == 0
    told = capsys.readouterr()
    assert (told.err + told.out).lower().count("finished after 4 steps") == 1
    assert f"open {tmp_path / 'run' / 'report.html'}\n" in told.out
    assert ganvas("train", "--resume", tmp_path / "run", "--steps", "6", "--quiet") == 0
    told = capsys.readouterr()
    assert told.err == "" and told.out.startswith(f"finished after 6 steps: open {tmp_path / 'run' / 'report.html'}\n")
    assert ganvas("train", "--resume", tmp_path / "run") == 0
    told = capsys.readouterr()
    assert (told.err + told.out).lower().count("finished") == 1 and "is finished already, after 6 steps" in told.out
    (tmp_path / "run" / "report.html").unlink()  # as where it was killed before it wrote that
    assert ganvas("train", "--resume", tmp_path / "run") == 0
    told = capsys.readouterr()
    assert (told.err + told.out).lower().count("finished") == 1 and (tmp_path / "run" / "report.html").exists()


def test_a_run_finds_its_data_again_wherever_it_is_resumed(run, tmp_path, monkeypatch):
    """A built-in set that shares its name with a folder, and a folder inside an archive named by a relative path."""
    monkeypatch.chdir(tmp_path)
    assert ganvas("train", "vanilla", "--data", "ring", "--out", "ring", *TINY) == 0
    with zipfile.ZipFile("photos.zip", "w") as archive:
        for path in (run.parent / "photos").rglob("*.png"):
            archive.write(path, Path("deep") / path.parent.name / path.name)
    assert ganvas("train", "r3gan", "--data", "photos.zip/deep", "--out", "deep", "--width", "8", *TINY) == 0
    assert json.loads(Path("ring/config.json").read_text())["data"]["source"] == "ring"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for name in ("ring", "deep"):
        assert ganvas("train", "--resume", f"../{name}", "--steps", "6", "--quiet") == 0


def test_a_dry_run_prints_the_plan_and_writes_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ganvas("train", "dcgan", "--data", "digits", "--dry-run", "--lr", "0.001") == 0
    plan = capsys.readouterr().out
    for expected in ("digits", "28x28 gray", "4,518", "--lr 0.001", "parameters: generator", "50 passes"):
        assert expected in plan
    assert list(tmp_path.iterdir()) == []


def test_the_default_recipe_is_the_demos(capsys):
    assert ganvas("train", "--data", "digits", "--no-measure", "--dry-run") == 0
    assert f"recipe: {recipes.DEFAULT}\ncondition: 10 labels" in capsys.readouterr().out


def test_the_plan_says_that_tensorboard_is_missing_and_how_to_get_it(capsys, monkeypatch):
    told = 'note: no TensorBoard events, which need its package: pip install "ganvas[tensorboard]"'
    assert ganvas("train", "vanilla", "--data", "ring", "--dry-run") == 0
    assert "TensorBoard" not in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # as where it is not installed
    assert ganvas("train", "vanilla", "--data", "ring", "--dry-run") == 0
    assert told in capsys.readouterr().out.splitlines()


def test_presets_can_be_overruled(capsys):
    assert ganvas("train", "dcgan", "--data", "digits", "--preset", "tutorial", "--flipping", "0.1", "--dry-run") == 0
    plan = capsys.readouterr().out
    assert "--flipping 0.1" in plan and "batch: 128" in plan and "500 passes" in plan
    assert ganvas("train", "dcgan", "--data", "digits", "--preset", "tutorial", "--steps", "7", "--dry-run") == 0
    assert "length: 7 steps" in capsys.readouterr().out


def test_sampling_is_reproducible_and_by_label(run, tmp_path, capsys):
    for name in ("a", "b"):
        assert ganvas("sample", run, "-n", "10", "--seed", "3", "--out", tmp_path / f"{name}.png") == 0
    a, b = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in "ab")
    assert np.array_equal(a, b)
    assert a.shape == (5 * 9 - 1, 2 * 9 - 1)  # five rows, a column for each of two labels, one pixel apart
    assert ganvas("sample", run, "-n", "5", "--seed", "3", "--out", tmp_path / "all") == 0
    assert {str(p.relative_to(tmp_path / "all")) for p in (tmp_path / "all").rglob("*.png")} == {
        "cats/00000.png", "dogs/00001.png", "cats/00002.png", "dogs/00003.png", "cats/00004.png",
    }  # fmt: skip
    assert ganvas("sample", run, "-n", "3", "--label", "dogs", "--out", tmp_path / "dogs") == 0
    assert len(list((tmp_path / "dogs" / "dogs").glob("*.png"))) == 3
    assert "seed" in capsys.readouterr().out


def test_a_grid_has_no_column_for_each_of_very_many_labels(tmp_path):
    images = np.zeros((80, 8, 8), np.uint8)
    images[:, 0] = 200
    np.savez(tmp_path / "many.npz", images=images, labels=np.arange(80) % 40)
    words = ["--steps", "2", "--batch-size", "4", "--width", "8", "--out", tmp_path / "run"]
    assert ganvas("train", "cgan", "--data", tmp_path / "many.npz", *words) == 0
    assert ganvas("sample", tmp_path / "run", "-n", "9", "--out", tmp_path / "grid.png") == 0
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.size == (3 * 9 - 1, 3 * 9 - 1)  # a square, not 40 columns


def test_the_first_samples_do_not_depend_on_how_many_are_drawn(run):
    import torch

    import ganvas as package

    model = package.load(run)
    assert torch.equal(model.sample(100, seed=5)[:70], model.sample(70, seed=5))
    assert not torch.equal(model.sample(64, seed=5), model.sample(64, seed=6))
    assert model.sample(3, label=["dogs", "cats", "dogs"]).shape == (3, 1, 8, 8)


def test_bad_samples_are_refused(run, tmp_path, capsys):
    assert "did you mean 'dogs'" in refused(capsys, "sample", run, "--label", "dgos")
    assert "-n must be 1 or more" in refused(capsys, "sample", run, "-n", "0", "--out", tmp_path / "x.png")
    assert "whole number" in refused(capsys, "sample", run, "-n", "many")
    assert "at most 10,000" in refused(capsys, "sample", run, "-n", "1000000000", "--out", tmp_path / "x.png")
    assert "--truncation" in refused(capsys, "sample", run, "--truncation", "-1", "--out", tmp_path / "x.png")
    assert ".png" in refused(capsys, "sample", run, "--out", tmp_path / "x.tiff")
    (tmp_path / "mine.png").write_text("mine")
    assert "--overwrite" in refused(capsys, "sample", run, "--out", tmp_path / "mine.png")
    assert (tmp_path / "mine.png").read_text() == "mine"
    assert "is not a run" in refused(capsys, "sample", tmp_path / "nowhere")
    assert "which run" in refused(capsys, "sample")


def test_a_finished_run_is_left_alone_and_a_larger_total_goes_on(run, capsys):
    before = sorted((run / "checkpoints").iterdir())
    assert ganvas("train", "--resume", run) == 0
    assert "finished already" in capsys.readouterr().out
    assert sorted((run / "checkpoints").iterdir()) == before
    assert ganvas("train", "--resume", run, "--steps", "6", "--quiet") == 0
    assert (run / "checkpoints" / "step-00000006").is_dir()


BAD_TRAINING = {
    "no data": ([], "--data"),
    "unknown source": (["--data", "digts"], "did you mean 'digits'"),
    "missing folder": (["--data", "no/such/folder"], "no/such/folder"),
    "unknown recipe": (["dcgn", "--data", "digits"], "did you mean 'dcgan'"),
    "unknown flag": (["dcgan", "--data", "digits", "--flippin", "0.1"], "did you mean '--flipping'"),
    "unknown value": (["dcgan", "--data", "digits", "--objective", "hing"], "did you mean 'hinge'"),
    "zero steps": (["dcgan", "--data", "digits", "--steps", "0"], "--steps must be 1 or more, not 0"),
    "negative rate": (["dcgan", "--data", "digits", "--lr", "-1"], "--lr must be 1e-07 to 1, not -1"),
    "rate of nan": (["dcgan", "--data", "digits", "--lr", "nan"], "--lr takes a number"),
    "points for images": (["dcgan", "--data", "ring"], "holds points"),
    "unlabelled data": (["cgan", "--data", "{images}"], "needs labels"),
    "condition without labels": (["dcgan", "--conditional", "--data", "{images}"], "needs labels"),
    "unknown preset": (["dcgan", "--data", "digits", "--preset", "papr"], "did you mean 'paper'"),
    "flips of pairs": (["dcgan", "--data", "digits", "--objective", "relativistic", "--flipping", "0.1"], "no labels"),
    "odd parts": (["dcgan", "--data", "digits", "--batch-size", "7", "--accumulate", "2"], "does not divide"),
    "bad size": (["--data", "digits", "--size", "big"], "--size"),
    "bad device": (["--data", "digits", "--device", "abacus"], "--device abacus"),
    "resume of nothing": (["--resume", "{tmp}/nothing"], "is not a run"),
    "resume with other flags": (["--resume", "{run}", "--lr", "0.1"], "--resume"),
    "resume of another recipe": (["dcgan", "--resume", "{run}"], "recipe r3gan, not dcgan"),
    "out holds a run": (["--data", "digits", "--out", "{run}"], "holds a run already"),
    "out holds files": (["--data", "digits", "--out", "{run}/samples"], "holds other files"),
    "out is a file": (["--data", "digits", "--out", "{run}/config.json"], "is a file"),
    "no such own recipe": (["gan.py:Mine", "--data", "digits"], "no file gan.py"),
}


@pytest.mark.parametrize("case", BAD_TRAINING)
def test_bad_training_is_refused_in_one_line(case, run, tmp_path, capsys):
    words, expected = BAD_TRAINING[case]
    images = tmp_path / "images.npy"
    np.save(images, np.zeros((8, 8, 8), dtype=np.uint8))
    before = sorted(run.rglob("*"))
    words = [word.format(images=images, run=run, tmp=tmp_path) for word in words]
    assert expected in refused(capsys, "train", *words)
    assert sorted(run.rglob("*")) == before
    assert [path.name for path in tmp_path.iterdir()] == ["images.npy"]


@pytest.mark.parametrize("words", [["trane"], ["--frob"], ["recipes", "dcgn"], ["data"], ["data", "digts"]])
def test_other_mistakes_are_refused_in_one_line(words, capsys):
    refused(capsys, *words)


def test_data_that_changed_since_the_run_began_is_refused(tmp_path, capsys):
    np.save(tmp_path / "a.npy", np.arange(16 * 64, dtype=np.uint8).reshape(16, 8, 8))
    assert ganvas("train", "vanilla", "--data", tmp_path / "a.npy", "--out", tmp_path / "run", *TINY) == 0
    np.save(tmp_path / "a.npy", np.zeros((16, 8, 8), dtype=np.uint8) + 7)
    assert "not what it was" in refused(capsys, "train", "--resume", tmp_path / "run", "--steps", "9")


def test_damaged_checkpoints_are_named_and_passed_over(tmp_path, capsys):
    out = tmp_path / "run"
    words = ["vanilla", "--data", "ring", "--out", out, "--checkpoint-every", "2", *TINY]
    assert ganvas("train", *words) == 0
    newest = out / "checkpoints" / "step-00000004" / "model.safetensors"
    newest.write_bytes(newest.read_bytes()[:100])
    capsys.readouterr()
    assert ganvas("train", "--resume", out, "--steps", "5") == 0
    said = capsys.readouterr().out
    assert "model.safetensors is truncated" in said and "going on from" in said and "step-00000002" in said
    for path in (out / "checkpoints").glob("*/manifest.json"):
        path.write_text("{}")
    assert "no checkpoint" in refused(capsys, "train", "--resume", out, "--steps", "9")
    assert "no checkpoint" in refused(capsys, "sample", out)


def test_a_run_without_a_checkpoint_starts_again(tmp_path, capsys):
    import shutil

    out = tmp_path / "run"
    assert ganvas("train", "vanilla", "--data", "ring", "--out", out, *TINY) == 0
    shutil.rmtree(out / "checkpoints")
    assert ganvas("train", "--resume", out) == 0
    assert "starting again" in capsys.readouterr().out
    assert (out / "checkpoints" / "step-00000004").is_dir()


def test_a_full_disk_at_a_checkpoint_is_one_line_and_loses_nothing(tmp_path, capsys, monkeypatch):
    from ganvas.training import checkpoint

    out = tmp_path / "run"
    assert ganvas("train", "vanilla", "--data", "ring", "--out", out, *TINY) == 0

    def full(path, content):
        from ganvas.errors import TrainingError

        raise TrainingError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr(checkpoint, "write_atomically", full)
    assert "No space left" in refused(capsys, "train", "--resume", out, "--steps", "8", "--quiet")
    monkeypatch.undo()
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["step-00000004"]
    assert ganvas("train", "--resume", out, "--steps", "8", "--quiet") == 0


WATCHED = """
import atexit, contextlib, os, time
from pathlib import Path
import torch.distributed as dist

def threads():
    for path in Path("/proc/self/task").glob("*/comm"):
        with contextlib.suppress(OSError):  # it has just ended
            yield path.read_text().strip()

def tell():
    for _ in range(100):  # one that was joined may be listed for a moment still
        left = [name for name in threads() if "gloo" in name]
        if not left:
            break
        time.sleep(0.05)
    line = f"{'still in' if dist.is_initialized() else 'left'} the group {left}\\n"
    os.write(1, line.encode())  # in one piece, as the other process writes there too

atexit.register(tell)
from ganvas.cli import main
main()
"""


def test_torchrun_trains_in_two_processes_that_write_once_and_leave_their_group(tmp_path):
    script, out = tmp_path / "watched.py", tmp_path / "run"
    script.write_text(WATCHED)
    words = ["train", "vanilla", "--data", "ring", "--out", str(out), "--width", "8", *TINY]
    ended = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script), *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("left the group []") == 2, ended.stdout  # a thread left behind may abort Python's end
    assert json.loads((out / "config.json").read_text())["hardware"]["processes"] == "2"
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["step-00000004"]


def test_two_trainers_of_one_run_are_refused(run, capsys):
    with another_process(f"from ganvas.run import only_trainer\nwith only_trainer(Path({str(run)!r})):\n    meet()"):
        assert "another process" in refused(capsys, "train", "--resume", run, "--steps", "50")


OWN = """
import torch
from torch import nn
from ganvas import Losses, Recipe, Turn
from ganvas.inputs import Normal

class Mine(Recipe):
    def __init__(self, *, shape: tuple[int, ...] = (2,)) -> None:
        super().__init__()
        self.generator = nn.Linear(2, 2)
        self.critic = nn.Linear(2, 1)

    def optimizers(self):
        players = {"critic": self.critic, "generator": self.generator}
        return {name: torch.optim.Adam(network.parameters()) for name, network in players.items()}

    def turns(self, progress, batches):
        real = next(batches)
        yield Turn("critic", self.critic_losses, real)
        yield Turn("generator", self.generator_losses, real)

    def critic_losses(self, real):
        return Losses({"adversarial": self.critic(self.fake(real)).mean() - self.critic(real.value).mean()})

    def generator_losses(self, real):
        return Losses({"adversarial": -self.critic(self.fake(real)).mean()})

    def inputs(self):
        return {"latent": Normal((2,))}

    def generate(self, *, latent):
        return self.generator(latent)
"""


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """A function that runs one line in a shell and returns its exit code; `ganvas` is the one that is tested."""
    programs = tmp_path_factory.mktemp("programs")
    script = f'#!/bin/sh\nexec {command(sys.executable)} -c "from ganvas.cli import main; main()" "$@"\n'
    (programs / "ganvas").write_text(script)
    (programs / "ganvas").chmod(0o755)

    def run(line, **options):
        environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
        return subprocess.run(["bash", "-c", line], env=environment, check=False, **options).returncode

    return run


def test_the_command_that_is_printed_runs_as_it_stands(tmp_path, capsys, shell):
    """For paths of any signs, and for a recipe of one's own."""
    folder = tmp_path / "Fotos größe [neu] 100% $HOME 'x'"
    folder.mkdir()
    (folder / "my gan.py").write_text(OWN)
    name, out = f"{folder / 'my gan.py'}:Mine", folder / "a run & more"
    assert ganvas("train", name, "--data", "ring", "--out", out, *TINY) == 0
    printed = capsys.readouterr().out.strip().splitlines()[-1]
    assert printed.startswith("use it with: ganvas sample ") and "--recipe" in printed
    assert shell(printed.removeprefix("use it with: "), cwd=tmp_path) == 0
    assert (tmp_path / "grid.png").is_file()
    resume = how_to_resume(out, name)
    assert shell(resume + " --steps 5 --quiet", cwd=tmp_path) == 0
    told = refused(capsys, "sample", out, most=2000)  # the path stands in it more than once
    again, _, sample = told.partition("as in: ")[2].partition(", or: ")
    assert again == resume and shell(sample + " --out again.png", cwd=tmp_path) == 0
    assert (tmp_path / "again.png").is_file()
    assert f"go on with it by {command('--resume', out)}, or" in refused(
        capsys, "train", name, "--data", "ring", "--out", out
    )


@pytest.mark.parametrize(
    "word",
    ["two words", "it's", '$HOME `x` "y" \\', "größe 日本 100%", "", "*", "caf\udce9's", "a\nb\tc", "~", "#1", "!1"],
)
def test_words_of_commands_reach_a_program_as_they_are(word, tmp_path):
    line = command(sys.executable, "-c", "import os, sys; os.write(1, os.fsencode(sys.argv[1]))", word)
    assert subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout == os.fsencode(word)


def test_after_a_training_the_right_command_is_named(tmp_path, capsys):
    for number in range(4):
        Image.fromarray(np.full((16, 32, 3), 50 * number, np.uint8)).save(tmp_path / f"{number}.png")
    photos = ["--scale", "2", "--size", "8", "--content", "none", "--discriminator-width", "4", "--blocks", "1"]
    for recipe, words, hint in (
        ("srgan", photos, "ganvas upscale FILE --out large.png --model {}"),
        ("pix2pix", ["--size", "8"], "ganvas translate {} FILE --out translated"),
    ):
        out = tmp_path / "runs" / recipe
        given = ["--data", tmp_path, "--out", out, "--width", "8", "--steps", "1", "--batch-size", "2", "--quiet"]
        assert ganvas("train", recipe, *given, "--precision", "float32", *words) == 0
        line = hint.format(out)
        assert capsys.readouterr().out.strip().splitlines()[-1] == f"use it with: {line}"
        made = line.replace("FILE", str(tmp_path / "1.png")).replace("large.png", f"{tmp_path / recipe}.png")
        assert ganvas(*made.replace("--out translated", f"--out {tmp_path / 'translated'}").split()[1:]) == 0
        assert (tmp_path / f"{recipe}.png").exists() or (tmp_path / "translated" / "1.png").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--quiet", "vanilla", "--data", "ring"],
        ["--data", "ring", "--dry-run", "vanilla"],
        ["--steps", "3", "--no-looks", "vanilla", "--data=ring"],
        ["--data", "digits", "--conditional", "dcgan"],
        ["--out", "vanilla", "--data", "ring", "vanilla"],
    ],
)
def test_flags_may_come_before_the_recipe(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    more = [] if "--dry-run" in words else ["--dry-run"]
    assert ganvas("train", *words, *more) == 0
    recipe = "dcgan" if "dcgan" in words else "vanilla"
    plan = capsys.readouterr().out
    assert plan == "" if "--quiet" in words else f"recipe: {recipe}" in plan
    wrong = [word + "x" if word == recipe and words[at - 1] != "--out" else word for at, word in enumerate(words)]
    if "--conditional" not in words:  # which only a recipe that is found can tell to be a switch
        assert f"there is no recipe '{recipe}x'; did you mean" in refused(capsys, "train", *wrong, *more)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii:strict"])
def test_what_the_output_cannot_hold_is_escaped(encoding, tmp_path):
    data = tmp_path / "Fotos größe [neu] 100%"
    for label in ("日本語", "Zoë & cats"):
        (data / label).mkdir(parents=True)
        for number in range(8):
            Image.new("L", (8, 8), 9 * number).save(data / label / f"{number}.png")
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    name = encoding.partition(":")[0]
    escaped = "日本語".encode(name, "backslashreplace").decode(name)

    def done(*words):
        words = [sys.executable, "-m", "ganvas", *words]
        return subprocess.run(words, capture_output=True, env=environment, cwd=tmp_path, check=False)

    told = done("data", data)
    said = f"looking at {data}\n".encode(name, "backslashreplace")
    assert told.returncode == 0 and told.stderr == said and escaped in told.stdout.decode(name)
    refusal = done("data", "ないもの")
    assert refusal.returncode == 2 and len(refusal.stderr.splitlines()) == 1
    assert "ないもの".encode(name, "backslashreplace") in refusal.stderr
    if name == "ascii":
        return
    trained = done("train", "dcgan", "--conditional", "--data", data, "--width", "8", "--out", "日本語", *TINY[:-1])
    assert trained.returncode == 0, trained.stderr
    assert escaped in trained.stdout.decode(name) and b"finished after 4 steps" in trained.stderr.lower()


def test_a_run_may_lie_where_names_are_not_utf8(tmp_path, capsys):
    out = os.fsdecode(os.fsencode(tmp_path) + b"/r\xe9")
    assert ganvas("train", "vanilla", "--data", "ring", "--out", out, *TINY) == 0
    told = capsys.readouterr()
    tensorboard = "note: no TensorBoard events, whose package takes no path like "
    assert tensorboard in told.err and told.out.endswith(f"{command('ganvas', 'sample', out)} -n 64 --out grid.png\n")
    assert ganvas("sample", out, "-n", "4", "--out", f"{out}.png") == 0 and Path(f"{out}.png").is_file()
    assert ganvas("train", "--resume", out, "--steps", "5", "--quiet") == 0


def test_an_error_is_one_line_whatever_name_it_tells(capsys, tmp_path):
    assert "a\\nb\\x1b[31m is not a run" in refused(capsys, "sample", tmp_path / "a\nb\x1b[31m")
    assert "\\udce9 is not a run" in refused(capsys, "doctor", tmp_path / "\udce9")


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (MemoryError(), True),
        (RuntimeError("could not create a primitive"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
        (OSError(2, "No such file or directory"), False),
    ],
)
def test_memory_that_ran_out_is_told_from_defects(error, short):
    assert lacks_memory(error) == short


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_too_little_memory_is_one_line_with_advice(tmp_path):
    code = (
        "import resource, sys\n"
        "from ganvas import api, cli, recipes\n"
        "recipes.find('dcgan')\n"
        "pages = int(open('/proc/self/statm').read().split()[0])\n"
        "limit = pages * resource.getpagesize() + 300 * 2**20\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "cli.main(sys.argv[1:])\n"
    )
    words = ["train", "dcgan", "--data", "digits", "--out", tmp_path / "run", "--batch-size", "4000", "--steps", "2"]
    more = ["--width", "128", "--device", "cpu", "--precision", "float32", "--quiet"]
    done = subprocess.run([sys.executable, "-c", code, *words, *more], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("ganvas: too little memory (") and "a smaller --batch-size, or --accumulate" in line


def test_a_recipe_of_ones_own_trains_but_never_runs_unasked(tmp_path, capsys):
    file, out = tmp_path / "my_gan.py", tmp_path / "run"
    file.write_text(OWN)
    name = f"{file}:Mine"
    assert ganvas("train", name, "--data", "ring", "--out", out, *TINY) == 0
    file.write_text(OWN + "\nimport pathlib; pathlib.Path(__file__ + '.ran').touch()\n")
    for words in (["train", "--resume", out], ["sample", out]):
        assert "name it again" in refused(capsys, *words)
    assert not Path(f"{file}.ran").exists()
    assert ganvas("train", name, "--resume", out, "--steps", "6", "--quiet") == 0
    assert ganvas("sample", out, "--recipe", name, "-n", "5", "--out", tmp_path / "x.png") == 0


def test_mistakes_in_a_recipe_of_ones_own_name_the_line(tmp_path, capsys):
    file = tmp_path / "my_gan.py"
    file.write_text("x = 1\ny = undefined\n")
    assert "line 2: NameError" in refused(capsys, "train", f"{file}:Mine", "--data", "ring")
    file.write_text("x = 1\n")
    assert "defines no recipe" in refused(capsys, "train", f"{file}:Mine", "--data", "ring")
    file.write_text(OWN)
    assert f"{file}:Mine" in refused(capsys, "train", f"{file}:Other", "--data", "ring")


def test_a_hostile_config_is_refused(run, tmp_path, capsys):
    import shutil

    for content in ("", "[]", "{}", '{"format": 9}', '{"format": 1}', '{"format": 1, "recipe": "r3gan"}',
                    '{"format": 1, "recipe": "os:system"}', '{"format": 1, "recipe": "../../x.py:Y"}'):  # fmt: skip
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        shutil.copytree(run, tmp_path / "run")
        (tmp_path / "run" / "config.json").write_text(content)
        refused(capsys, "sample", tmp_path / "run")
        refused(capsys, "train", "--resume", tmp_path / "run")


SIGNS = ["a&b", "a_b", "A_B"]


def test_each_label_has_a_folder_also_where_case_does_not_count(tmp_path, capsys):
    for label in SIGNS:
        (tmp_path / "signs" / label).mkdir(parents=True)
        for number in range(4):
            Image.new("L", (8, 8), 40 * number).save(tmp_path / "signs" / label / f"{number}.png")
    words = ["--data", tmp_path / "signs", "--out", tmp_path / "run", "--width", "8", *TINY]
    assert ganvas("train", "dcgan", "--conditional", *words) == 0
    assert ganvas("sample", tmp_path / "run", "--balanced", "3", "--seed", "1", "--out", tmp_path / "made") == 0
    assert "labels under other names: 'a_b' in a_b-2, 3 of each" in capsys.readouterr().out
    told = json.loads((tmp_path / "made.json").read_text(encoding="utf-8"))["labels"]
    folders = {label: about["folder"] for label, about in told.items()}
    assert folders == {"A_B": "A_B", "a&b": "a&b", "a_b": "a_b-2"}
    assert {folder.name: len(list(folder.iterdir())) for folder in (tmp_path / "made").iterdir()} == dict.fromkeys(
        folders.values(), 3
    )
    made, data = (open_data(tmp_path / each, progress=False) for each in ("made", "signs"))
    told = [data.labels[number] for number in of_source(made, None, labels=data.labels).labels]
    assert sorted(told) == [label for label in data.labels for _ in range(3)] and made.labels != data.labels
    assert ganvas("sample", tmp_path / "run", "-n", "3", "--seed", "1", "--out", tmp_path / "few") == 0
    first = json.loads((tmp_path / "run" / "config.json").read_text(encoding="utf-8"))["data"]["labels"]
    for number, label in enumerate(first):
        few, made = (tmp_path / each / folders[label] / f"{number:05d}.png" for each in ("few", "made"))
        assert few.read_bytes() == made.read_bytes()


@pytest.mark.parametrize(
    ("labels", "folders"),
    [
        (["cats", "dogs", "Zoë & cats", "日本語", "हिन्दी", "a.b", "1"],) * 2,
        (["a/b", "a_b", "a:b"], ["a_b-2", "a_b", "a_b-3"]),
        (["x", "X", "x-2"], ["x", "X-2", "x-2-2"]),
        (["é", "e\u0301"], ["é", "e\u0301-2"]),
        (["..", "", ".hidden", "end.", "end "], ["label-__", "label-", "_hidden", "end_", "end_-2"]),
        (["con", "Nul.txt", "com", "\x00", "\udce9"], ["label-con", "label-Nul.txt", "com", "label-_", "label-_-2"]),
        (["l" * 300, "l" * 301], ["l" * 60, "l" * 60 + "-2"]),
    ],
)
def test_folders_of_labels_are_safe_and_all_different(labels, folders):
    assert folders_of(labels) == folders


def test_labels_never_lead_out_of_the_sample_folder(run, tmp_path):
    import shutil

    shutil.copytree(run, tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["data"]["labels"] = ["../../evil", ".."]
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    assert ganvas("sample", tmp_path / "run", "-n", "4", "--out", tmp_path / "deep" / "out") == 0
    made = {path.relative_to(tmp_path / "deep" / "out").parts[0] for path in tmp_path.rglob("0*.png")}
    assert len(made) == 2 and not (tmp_path / "evil").exists()


LONG = {"letters": "x" * 5000, "words": "ab " * 1700, "figures": "9" * 4000, "escapes": "ab\n\x1b[31m" * 1000}


@pytest.mark.parametrize("long", LONG.values(), ids=LONG)
def test_what_a_user_gave_is_echoed_short_and_on_one_line(long, run, tmp_path, capsys):
    train, judge, sample = ["train", "vanilla", "--data", "ring", "--dry-run"], ["evaluate", run], ["sample", run]
    flags = ("--lr", "--objective", "--preset", "--steps", "--start", "--size", "--device", "--out")
    for words in (
        [long], ["train", long], ["train", "--data", long], ["train", "--resume", long], [*train, f"--{long}"],
        [*train, long], *([*train, flag, long] for flag in flags), ["recipes", long], ["doctor", long],
        ["data", long], ["data", "ring", "--kind", long], ["sample", long], [*sample, "--label", long],
        [*sample, "-n", long], ["export", run, "--format", long], ["evaluate", long, "--data", "ring"],
        *([*judge, flag, long] for flag in ("--metrics", "--extractor", "--split", "--json")),
        ["evaluate", "--compare", long, long], ["upscale", long, "--out", tmp_path / "large.png"],
    ):  # fmt: skip
        if words == [*train, "--steps", LONG["figures"]]:
            continue  # that many steps can be planned
        line = refused(capsys, *words)
        assert len(line) < 650 and line.isprintable(), words[:-1]


def test_help_and_import_need_no_torch():
    helps = ([], ["train"], ["sample"], ["data"], ["evaluate"], ["export"], ["upscale"], ["doctor"], ["serve"])
    asked = [f"from ganvas import cli\ntry: cli.main({[*words, '--help']})\nexcept SystemExit: pass" for words in helps]
    for code in ("import ganvas", *asked):
        subprocess.run(
            [sys.executable, "-c", f"{code}\nimport sys; assert 'torch' not in sys.modules"],
            check=True,
            stdout=subprocess.DEVNULL,
        )


HELP = ["--help", "--version", *(f"{name} --help" for name in cli.COMMANDS), "recipes", "recipes --json"]
OF_RECIPES = [words for name in recipes.names() for words in (f"train {name} --help", f"recipes {name}")]


@pytest.mark.parametrize("words", [*HELP, *OF_RECIPES])
def test_help_exists_for_everything(words, capsys):
    """And is no template any more: a single % stands for itself."""
    assert ganvas(*words.split()) == 0
    told = capsys.readouterr().out
    assert told.strip() and "%%" not in told and "%(" not in told


def test_help_of_a_runs_own_flags_is_no_template(run, capsys):
    assert ganvas("sample", run, "--help") == 0
    told = capsys.readouterr().out
    assert "--label" in told and "%%" not in told and "%(" not in told


def test_data_tells_what_it_sees(capsys):
    assert ganvas("data", "digits", "--json") == 0
    seen = json.loads(capsys.readouterr().out)
    assert sum(seen["counts"].values()) == 5000 and len(seen["labels"]) == 10
    assert ganvas("data", "ring") == 0
    assert "2 coordinates" in capsys.readouterr().out


def test_the_python_interface_mirrors_the_command_line(tmp_path):
    """In a process of its own: names must resolve in whatever order they are used first."""
    code = f"""
import ganvas, numpy as np
from ganvas.recipes.vanilla import Vanilla
from ganvas.training.loop import Training
images = np.arange(20 * 64, dtype=np.uint8).reshape(20, 8, 8)
run = ganvas.train(Vanilla, data=images, out={str(tmp_path / "a")!r}, steps=2, width=8, quiet=True)
assert ganvas.load(run).sample(3, seed=1).shape == (3, 1, 8, 8)
run = ganvas.train("vanilla", data="ring", out={str(tmp_path / "b")!r}, steps=2, width=8, quiet=True)
assert ganvas.load(run).sample(3).shape == (3, 2)
ganvas.resume(run, steps=3, quiet=True)
whole = ganvas.train("vanilla", data="ring", out={str(tmp_path / "c")!r}, steps=3, width=8, quiet=True)
assert (ganvas.load(run).sample(3, seed=1) == ganvas.load(whole).sample(3, seed=1)).all()
own = ganvas.train(Vanilla, data=images, out={str(tmp_path / "d")!r}, steps=2, width=8, quiet=True)
assert ganvas.resume(own, data=images, steps=3, recipe=Vanilla, quiet=True) == own
for name, value, says in (("step", 4, "did you mean 'steps'"), ("width", 16, "cannot"), ("steps", 0, "1 or more")):
    try:
        ganvas.resume(run, quiet=True, **{{name: value}})
    except ganvas.GanvasError as error:
        assert says in str(error), error
    else:
        raise AssertionError(name)
for name in ganvas.__all__:
    getattr(ganvas, name)
try:
    ganvas.train("vanilla", data="ring", stepz=2)
except ganvas.GanvasError as error:
    assert "did you mean 'steps'" in str(error), error
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))
