"""Several processes: that they begin alike and stay alike, and that a training survives the loss of one."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import yaml
from PIL import Image
from torch import nn
from torch.distributed.run import get_args_parser

import ganvas
from commands import ganvas as command_line
from commands import refused
from games import Linear, few_images, made, ring, training_of
from ganvas import Verdict, Watcher
from ganvas.api import prepare
from ganvas.cli import going_on
from ganvas.errors import TrainingError, UsageError
from ganvas.training.agreement import check_alike, check_weights, checksum
from ganvas.training.checkpointing import Checkpoints
from ganvas.training.meeting import met
from ganvas.training.processes import PATIENCE, Processes
from together import TESTS, together, torchrun

SMALL = ("--width", "8", "--batch-size", "16", "--checkpoint-every", "20", "--quiet")


class Told(Processes):
    """A process that has heard from the others already."""

    def __init__(self, *texts: str, table: list[list[int]] | None = None) -> None:
        super().__init__(0, len(texts) or len(table or ()))
        object.__setattr__(self, "told", texts)
        object.__setattr__(self, "table", table)

    def texts(self, text):
        return list(self.told) or [f"host{rank}" for rank in range(self.world)]

    def joined(self, tensor):
        return torch.tensor(self.table)


def facts(host, **values):
    return json.dumps({"host": host, "facts": values})


# -- alike before they begin -------------------------------------------------------------------------------------------


def test_what_differs_is_named_with_the_ranks_and_their_hosts():
    told = Told(facts("a", lr="1", seed="0"), facts("a", lr="1", seed="0"), facts("b", lr="2", seed="0"))
    with pytest.raises(UsageError) as error:
        check_alike(told, {}, "do so")
    assert str(error.value) == "the processes are not alike: lr is 1 on rank 0 (a) and 2 on rank 2 (b): do so"
    check_alike(Told(facts("a", lr="1"), facts("b", lr="1")), {}, "do so")


def test_a_fact_that_one_process_does_not_know_differs_too():
    with pytest.raises(UsageError, match=r"lr is 1 on rank 0 \(a\) and unknown on rank 1 \(b\)"):
        check_alike(Told(facts("a", lr="1"), facts("b")), {}, "do so")


@pytest.fixture
def other_code(tmp_path):
    """A folder to import a Ganvas from that has one more comment."""
    ours, theirs = Path(ganvas.__file__).parent, tmp_path / "other" / "ganvas"
    shutil.copytree(ours, theirs, copy_function=os.symlink, ignore=shutil.ignore_patterns("__pycache__"))
    changed = theirs / "latent.py"
    changed.unlink()
    changed.write_text((ours / "latent.py").read_text() + "\n# another version\n")
    return theirs.parent


@pytest.mark.parametrize("what", ["code", "data", "arguments"])
def test_a_process_with_something_else_is_refused_before_anything_is_written(tmp_path, other_code, what):
    for name, seed in (("one", 0), ("other", 1)):
        pixels = np.random.default_rng(seed).integers(0, 255, (64, 8, 8, 1), dtype=np.uint8)
        np.save(tmp_path / f"{name}.npy", pixels)
    out = tmp_path / "run"
    words = ["-m", "ganvas", "train", "vanilla", "--out", out, "--steps", "2", *SMALL, "--data"]
    data = [tmp_path / "one.npy", tmp_path / ("other.npy" if what == "data" else "one.npy")]
    rates = [[], ["--lr", "0.01"] if what == "arguments" else []]
    path = os.pathsep.join(filter(None, [str(other_code), os.environ.get("PYTHONPATH")]))
    environments = [{}, {"PYTHONPATH": path} if what == "code" else {}]
    ended = together([[*words, each, *rate] for each, rate in zip(data, rates, strict=True)], environments)
    said = {"code": "Ganvas's code is", "data": "the data's fingerprint is", "arguments": "--lr is 0.001 on"}[what]
    todo = {"code": "install the same", "data": "the same data", "arguments": "the same command"}[what]
    for each in ended:
        assert each.returncode == 2, each.stderr
        (line,) = each.stderr.strip().splitlines()[-1:]
        assert "Traceback" not in each.stderr
        assert line.startswith(f"ganvas: the processes are not alike: {said}") and todo in line
        assert re.search(r"on rank 0 \(\S+\) and .* on rank 1 \(\S+\)", line)
    assert not out.exists()


def test_the_plan_says_how_processes_share_the_work(monkeypatch):
    def lines(world, recipe="dcgan"):
        monkeypatch.setattr(Processes, "join", lambda: Processes(0, world))
        monkeypatch.setattr("ganvas.building.check_code_and_data", lambda *told: None)
        options = {"steps": 3, "batch_size": 16, "accumulate": 2, "device": "cpu", "width": 8}
        told = prepare(recipe, few_images(size=16), options).plan
        return [line for line in told if line.startswith(("processes", "batch norm"))]

    shared, normed = lines(2)
    assert shared.startswith("processes: 2, by gloo: each computes 8 items of a batch")
    assert "each process's own 4 items" in normed and "first process are saved" in normed
    assert len(lines(2, "vanilla")) == 1  # it has no batch norm
    assert not lines(1)


# -- alike as long as they train ---------------------------------------------------------------------------------------


def test_the_checksum_sees_one_bit_and_any_layout():
    tensor = torch.randn(3, 4, 5, 6)
    other = tensor.clone()
    other.view(torch.int32)[1, 2, 3, 4] += 1
    assert checksum(tensor) != checksum(other)
    assert checksum(tensor) == checksum(tensor.contiguous(memory_format=torch.channels_last))
    assert checksum(torch.zeros(())) != checksum(-torch.zeros(()))
    for dtype in (torch.bfloat16, torch.float64):
        assert checksum(tensor.to(dtype)) != checksum(2 * tensor.to(dtype))


def test_drift_is_told_with_the_step_the_player_and_the_ranks():
    players = {"d": [nn.Parameter(torch.ones(2))], "g": [nn.Parameter(torch.ones(2))]}
    with pytest.raises(TrainingError, match=r"at step 50 the weights of g on rank 1 \(host1\), rank 3 \(host3\) are"):
        check_weights(Told(table=[[7, 8], [7, 9], [7, 8], [7, 9]]), players, 50)
    check_weights(Told(table=[[7, 8], [7, 8]]), players, 50)


class Drifts(Watcher):
    """Moves one weight of the second process by a little after 60 steps, as a faulty machine would."""

    def started(self, training):
        state = {**training.recipe.state_dict(), **{f"mean {k}": v for k, v in training.averaged.state_dict().items()}}
        print(json.dumps({name: checksum(tensor).item() for name, tensor in state.items()}), flush=True)

    def stepped(self, training, results):
        if training.steps_done == 60 and not training.processes.first:
            with torch.no_grad():
                training.recipe.discriminator[0].weight[0, 0] += 1e-6
        return Verdict.CONTINUE


def drift():
    """One of two processes, each of which begins with other weights."""
    recipe = made(Linear)
    training = training_of(recipe, ring(), [Drifts()], steps=120)
    with torch.no_grad():
        for tensor in (*recipe.parameters(), *recipe.buffers(), *training.averaged["generator"].parameters()):
            tensor += training.processes.rank
    try:
        training.run()
    except TrainingError as error:
        print(error)
        print(training.steps_done)


def test_the_first_ones_weights_are_everybodys_and_drift_is_caught_at_the_next_look():
    script = f"import sys; sys.path.insert(0, {str(TESTS)!r}); import test_together; test_together.drift()"
    ended = together([["-c", script]] * 2)
    (began, line, step), (other_began, other_line, other_step) = (each.stdout.splitlines() for each in ended)
    assert json.loads(began) == json.loads(other_began)
    assert "seen" in json.loads(began) and "mean generator.weight" in json.loads(began)
    assert line == other_line and step == other_step == "100"
    assert re.match(r"at step 100 the weights of discriminator on rank 1 \(\S+\) are no longer those of rank 0", line)


# -- finding one another -----------------------------------------------------------------------------------------------


def test_processes_that_are_started_again_meet_one_another_and_not_those_of_the_first_time():
    """In a store that still has what the first ones wrote, and where the others come late."""
    store, patience = dist.HashStore(), timedelta(seconds=20)

    def start(late):
        def one(rank):
            time.sleep(late * rank)
            mine = met(store, rank, 3, patience)
            mine.set(f"here {rank}", f"{rank} late by {late}")
            return [mine.get(f"here {other}") for other in range(3)]

        with ThreadPoolExecutor(3) as pool:
            theirs = [f"{rank} late by {late}".encode() for rank in range(3)]
            assert list(pool.map(one, range(3))) == [theirs] * 3

    start(0)
    store.set("hello 2", "of one that was killed before it was answered")
    start(0.1)
    with pytest.raises(RuntimeError, match="process 1 has not come"):
        met(store, 0, 2, timedelta(seconds=0.1))


# -- a process is lost -------------------------------------------------------------------------------------------------

_LEFT_ALONE = """
import os, sys, time
from ganvas.errors import TrainingError
from ganvas.training.processes import Processes
here = Processes.join()
here.wait()
if not here.first:
    {fate}
try:
    here.wait()
except TrainingError as error:
    print(error, flush=True)
os._exit(0)
"""


@pytest.mark.parametrize(
    ("fate", "minutes", "told"),
    [
        ("os._exit(1)", "10", "another one has ended, or its machine cannot be reached"),
        ("time.sleep(25)", "0.25", f"another one has not answered for 0.25 minutes ({PATIENCE} sets how long to wait)"),
    ],
)
def test_a_process_that_is_left_alone_says_so_and_does_not_wait_for_long(fate, minutes, told):
    script = ["-c", _LEFT_ALONE.format(fate=fate)]
    (line,) = together([script] * 2, [{PATIENCE: minutes}] * 2)[0].stdout.splitlines()
    assert line.startswith("process 0 of 2 cannot go on: ") and told in line


def test_patience_must_be_minutes(monkeypatch):
    monkeypatch.setenv(PATIENCE, "soon")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match=f"{PATIENCE} must be a number of minutes above 0, not 'soon'"):
        Processes.join()


_KILLED = """
import os, signal, sys, threading, time
from pathlib import Path
folder = Path(sys.argv[sys.argv.index("--out") + 1]) / "checkpoints"

def kill():
    while not list(folder.glob("step-*")):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)

if os.environ["RANK"] == "{rank}" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
    threading.Thread(target=kill, daemon=True).start()
from ganvas.cli import main
main()
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    ended = torchrun(["-m", "ganvas", *command(out)])
    assert ended.returncode == 0, ended.stderr
    return out


def command(out):
    return ["train", "vanilla", "--data", "ring", "--out", out, "--steps", "200", "--no-looks", *SMALL]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_comes_back_and_the_weights_are_those_of_an_undisturbed_run(tmp_path, undisturbed, rank):
    script, out = tmp_path / "killed.py", tmp_path / "run"
    script.write_text(_KILLED.format(rank=rank))
    ended = torchrun([script, *command(out)], restarts=3)
    assert ended.returncode == 0, ended.stderr
    assert "exitcode: -9" in ended.stderr and "Traceback" not in ended.stderr
    events = [json.loads(line).get("event") for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert any(str(event).startswith("resumed") for event in events), events
    for name in ("model", "averaged", "optimizers"):
        last = f"checkpoints/step-00000200/{name}.safetensors"
        assert (out / last).read_bytes() == (undisturbed / last).read_bytes(), name


# -- the same command again --------------------------------------------------------------------------------------------


def test_a_command_without_a_run_to_go_on_with_is_refused():
    assert not going_on.may_go_on(None, False, {})
    assert not going_on.may_go_on("run", False, {"TORCHELASTIC_RESTART_COUNT": "0"})
    assert going_on.may_go_on("run", True, {})
    assert going_on.may_go_on("run", False, {"TORCHELASTIC_RESTART_COUNT": "1"})
    with pytest.raises(UsageError, match="name it"):
        going_on.may_go_on(None, True, {})
    with pytest.raises(UsageError, match="name the run to go on with by --out"):
        going_on.may_go_on(None, False, {"TORCHELASTIC_MAX_RESTARTS": "3"})


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """The words of a training, and its run after 20 of its 40 steps."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    out = tmp_path / "run"
    words = ["train", "vanilla", "--data", "ring", "--out", out, "--steps", "40", *SMALL]
    stopped = Checkpoints._write

    def stop(self, training):
        stopped(self, training)
        training._asked_to_stop = True

    monkeypatch.setattr(Checkpoints, "_write", stop)
    assert command_line(*words) == 130
    monkeypatch.undo()
    return words, out


def test_the_same_command_goes_on_where_it_is_asked_to_and_where_torchrun_has_restarted_it(begun, monkeypatch, capsys):
    words, out = begun
    assert "holds a run already" in refused(capsys, *words)
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert command_line(*words) == 0
    monkeypatch.delenv("TORCHELASTIC_RESTART_COUNT")
    capsys.readouterr()
    assert command_line(*words, "--go-on") == 0
    assert "finished already, after 40 steps" in capsys.readouterr().out
    events = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [(row["step"], row["event"]) for row in events if "event" in row] == [
        (20, "interrupted"), (20, "resumed"), (40, "finished")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (["--lr", "0.01"], "was begun with --lr 0.001, not 0.01: give the command that it was begun with"),
        (["--steps", "50"], "was begun with --steps 40, not 50"),
        (["--data", "grid"], "does not hold what"),
    ],
)
def test_another_command_does_not_go_on_with_the_run(begun, capsys, change, told):
    words, out = begun
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert told in refused(capsys, *words, *change, "--go-on")
    cgan = ["train", "cgan", *words[2:]]
    assert "was begun with the recipe 'vanilla', not 'cgan'" in refused(capsys, *cgan, "--go-on")
    assert before == {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}


# -- docs/many-machines.md ---------------------------------------------------------------------------------------------


def page_blocks(language):
    text = (TESTS.parent / "docs" / "many-machines.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def slurm():
    (script,) = [block for block in page_blocks("bash") if block.startswith("#!/bin/bash")]
    return script


def jobset():
    (manifest,) = page_blocks("yaml")
    return yaml.safe_load(manifest)


def launched(words, tmp_path):
    """What torchrun reads of its words, and whether Ganvas takes the rest."""
    read = get_args_parser().parse_args(words)
    assert read.module and read.training_script == "ganvas"
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(8):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    told = [word.replace("/shared/photos", str(folder)) for word in read.training_script_args]
    told = [word.replace("/shared/runs", str(tmp_path)) for word in told]
    assert "--go-on" in told and command_line(*told, "--dry-run") == 0
    return read


def test_the_slurm_script_is_well_formed_and_its_command_is_taken(tmp_path):
    subprocess.run(["bash", "-n"], input=slurm(), text=True, check=True)
    (line,) = [line for line in slurm().replace("\\\n", " ").splitlines() if "torchrun" in line]
    words = shlex.split(line)
    read = launched(words[words.index("torchrun") + 1 : words.index("&")], tmp_path)
    assert (read.max_restarts, read.nproc_per_node, read.rdzv_endpoint) == (3, "8", "$first:29500")


def test_the_manifest_is_of_one_piece_and_its_command_is_taken(tmp_path):
    told = jobset()
    assert (told["apiVersion"], told["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    (trainers,) = told["spec"]["replicatedJobs"]
    job = trainers["template"]["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    assert container["command"] == ["torchrun"] and all(isinstance(word, str) for word in container["args"])
    read = launched(container["args"], tmp_path)
    assert int(read.nnodes) == job["parallelism"] == job["completions"]
    assert int(read.nproc_per_node) == container["resources"]["limits"]["nvidia.com/gpu"]
    # The name of a pod is JOBSET-JOB-REPLICA-POD, and it is reached below the name of the JobSet.
    port = container["ports"][0]["containerPort"]
    assert read.rdzv_endpoint == f"{told['metadata']['name']}-{trainers['name']}-0-0.{told['metadata']['name']}:{port}"
    assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in pod["volumes"]}
    assert pod["restartPolicy"] == "Never"
