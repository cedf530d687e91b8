"""Run folders and files from elsewhere: whatever is in them, the answer is one line, at once, and nothing leaves its
folder. `benchmarks/fuzz.py` tries what nobody has thought of."""

import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save

import ganvas
from ganvas import recipes
from ganvas.api import prepare_resume
from ganvas.cli import main
from ganvas.data.opening import open_data
from ganvas.errors import DataError, GanvasError, RunError
from ganvas.files import MOST_DEPTH, open_regular, parse_json, read_regular
from ganvas.options import REQUIRED, read_options
from ganvas.run import only_trainer, read_config, read_rows
from ganvas.training import checkpoint
from golden.make import HERE

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A good run on points with one checkpoint, of step 300."""
    copy = Path(shutil.copytree(HERE / "format-1" / "vanilla", tmp_path / "run"))
    shutil.rmtree(copy / "best")
    return copy


def place_of(run: Path) -> Path:
    return run / "checkpoints" / "step-00000300"


def refusal(act: Callable[[], Any]) -> str:
    with pytest.raises(GanvasError) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def vouched(place: Path, name: str, content: bytes) -> None:
    """Puts a file into a checkpoint, whose manifest then vouches for it."""
    (place / name).write_bytes(content)
    manifest = json.loads((place / "manifest.json").read_text())
    manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (place / "manifest.json").write_text(json.dumps(manifest))


def newer(run: Path, step: int = 400) -> Path:
    """Another good checkpoint, of a later step."""
    place = Path(shutil.copytree(place_of(run), run / "checkpoints" / f"step-{step:08d}"))
    values = json.loads((place / "values.json").read_text())
    vouched(place, "values.json", json.dumps({**values, "step": step}).encode())
    return place


# -- what is read at all -----------------------------------------------------------------------------------------------


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "to-fifo").symlink_to(tmp_path / "fifo")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        for name in ("fifo", "to-fifo", "device", "folder", "socket"):
            with pytest.raises(OSError, match="it is not a regular file"):
                read_regular(tmp_path / name)
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link", 5, inside=tmp_path) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_regular(tmp_path / "file", 4)
    (tmp_path / "folder" / "out").symlink_to("../file")
    with pytest.raises(OSError, match="leads out of its folder"):
        open_regular(tmp_path / "folder" / "out", inside=tmp_path / "folder")
    assert read_regular(tmp_path / "folder" / "out") == b"12345"


def test_json_has_a_depth() -> None:
    deepest = "[" * MOST_DEPTH + "1" + "]" * MOST_DEPTH
    value = parse_json(deepest)
    for _ in range(MOST_DEPTH):
        (value,) = value
    assert value == 1
    for content in (f"[{deepest}]", '{"a":' * 100_000, "[" * 990 + "]" * 990):
        with pytest.raises(ValueError, match=r"deep|JSON|Expecting"):
            parse_json(content)


@pytest.mark.parametrize("name", ["model.safetensors", "values.json", "manifest.json"])
def test_what_is_no_file_in_a_checkpoint_is_refused_and_not_waited_for(run: Path, name: str, tmp_path: Path) -> None:
    good = (place_of(run) / name).read_bytes()
    (place_of(run) / name).unlink()
    os.mkfifo(place_of(run) / name)
    assert f"{name} cannot be read (it is not a regular file)" in refusal(lambda: ganvas.load(run))
    (place_of(run) / name).unlink()
    (tmp_path / "elsewhere").write_bytes(good)
    (place_of(run) / name).symlink_to(tmp_path / "elsewhere")
    assert f"{name} cannot be read (it is a link that leads out of its folder)" in refusal(lambda: ganvas.load(run))


def test_a_run_that_leads_out_of_itself_is_refused_before_anything_is_written(run: Path, tmp_path: Path) -> None:
    outside = tmp_path / "notes.txt"
    outside.write_text("mine\n")
    (run / "metrics.jsonl").unlink()
    (run / "metrics.jsonl").symlink_to(outside)
    for act in (lambda: read_config(run), lambda: only_trainer(run).__enter__()):
        assert "metrics.jsonl is a link that leads out of the run" in refusal(act)
    (run / "metrics.jsonl").unlink()
    os.mkfifo(run / "metrics.jsonl")
    assert "metrics.jsonl is neither a file nor a folder" in refusal(lambda: read_config(run))
    assert read_rows(run / "metrics.jsonl") == []
    (run / "metrics.jsonl").unlink()
    (run / ".lock").symlink_to(outside)
    assert ".lock is a link that leads out of the run" in refusal(lambda: prepare_resume(run, quiet=True))
    assert outside.read_text() == "mine\n"


def test_an_export_may_be_links_as_the_hub_keeps_it(run: Path, tmp_path: Path) -> None:
    weights = (place_of(run) / "model.safetensors").read_bytes()
    config = json.loads((run / "config.json").read_text())
    config |= {"step": 300, "weights": {"sha256": hashlib.sha256(weights).hexdigest()}}
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "a").write_bytes(weights)
    (tmp_path / "blobs" / "b").write_text(json.dumps(config))
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    (snapshot / "model.safetensors").symlink_to("../blobs/a")
    (snapshot / "config.json").symlink_to("../blobs/b")
    assert ganvas.load(snapshot).step == 300


def test_data_folders_keep_links_to_files_and_pass_over_all_else(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        Image.new("L", (8, 8), 80 * number).save(tmp_path / f"{number}.png")
        (folder / f"{number}.png").symlink_to(tmp_path / f"{number}.png")
    os.mkfifo(folder / "fifo.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    data = open_data(folder, progress=False)
    assert len(data) == 3
    assert "2 entries passed over, links or special files" in data.notes


def test_what_is_no_file_in_a_tar_archive_is_passed_over(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("L", (8, 8), 80).save(file, "PNG")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in ("a.png", "b.png"):
            member = tarfile.TarInfo(name)
            member.size = len(file.getvalue())
            archive.addfile(member, io.BytesIO(file.getvalue()))
        for kind in (tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE):
            member = tarfile.TarInfo(f"{kind.decode()}.png")
            member.type, member.linkname = kind, "/dev/zero"
            archive.addfile(member)
    data = open_data(tmp_path / "a.tar", progress=False)
    assert len(data) == 2 and "5 entries passed over, links or special files" in data.notes


def test_a_name_of_megabytes_in_a_packed_archive_is_not_read(tmp_path: Path) -> None:
    """It packs to nothing, and could as well be of gigabytes."""
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 2 << 20
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        assert archive.fileobj is not None
        archive.fileobj.write(member.tobuf(tarfile.GNU_FORMAT))
        archive.fileobj.write(b"a" * (2 << 20))
        archive.addfile(tarfile.TarInfo("a.png"))
    assert "holds no data that is known here" in refusal(lambda: open_data(tmp_path / "a.tar.gz", progress=False))


# -- config.json -------------------------------------------------------------------------------------------------------


def changed(run: Path, *keys: Any, to: Any) -> None:
    config = json.loads((run / "config.json").read_text())
    inner = config
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = to
    (run / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("keys", "to", "says"),
    [
        (("format",), [1], "has format"),
        (("recipe",), 3, "recipe must be text"),
        (("recipe",), "x" * 5000, "recipe must be text of at most 4,096 characters"),
        (("arguments",), [], "arguments must be an object, not a list"),
        (("settings",), "fast", "settings must be an object"),
        (("data",), None, "data must be an object, not None"),
        (("data", "labels"), [1, 2], r"data\.labels\[0\] must be text"),
        (("data", "labels"), "0123", r"data\.labels must be a list"),
        (("data", "space"), [], r"data\.space must be an object"),
        (("data", "counts", "train"), "all", r"data\.counts\.train must be a whole number"),
        (("data", "counts", "train"), -5, r"data\.counts\.train must be a whole number"),
        (("data", "counts", "train"), 10**400, r"not a huge number"),
        (("inputs",), {"latent": {}}, "inputs must be a list"),
        (("plan",), [{"a": 1}], r"plan\[0\] must be text"),
        (("data", "options"), [[[[]]]] * 2, r"data\.options must be an object"),
    ],
)
def test_a_configuration_is_checked_at_the_door(run: Path, keys: tuple[Any, ...], to: Any, says: str) -> None:
    changed(run, *keys, to=to)
    with pytest.raises(RunError, match=says) as caught:
        read_config(run)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("keys", "to", "says"),
    [
        (("arguments", "shape"), [-2], "shape must be 1 to"),
        (("arguments", "shape"), ["2"], "shape must be 1 to"),
        (("arguments", "shape"), [3], r"contradicts itself: its data has shape \(2,\), not \(3,\)"),
        (("arguments", "latent"), 10**9, "--latent must be 1 to 65536"),
        (("arguments", "latent"), 4000, r"generator\S* has shape \(8, 4\), and is of shape \(8, 4000\)"),
        (("arguments", "layers"), 3, "lacks|is absent|has shape"),
        (("arguments", "nonsense"), 1, "no option 'nonsense'"),
        (("data", "space"), {"kind": "points", "dimensions": 10**12}, "no space that is known here"),
        (("data", "space"), {"kind": "images", "channels": 1, "height": 2, "width": 1}, "contradicts itself"),
    ],
)
def test_a_configuration_that_fits_no_weights_is_refused(run: Path, keys: tuple[Any, ...], to: Any, says: str) -> None:
    changed(run, *keys, to=to)
    with pytest.raises(RunError, match=says):
        ganvas.load(run)


def test_less_than_no_classes_are_refused(tmp_path: Path) -> None:
    run = Path(shutil.copytree(HERE / "format-1" / "r3gan", tmp_path / "run"))
    changed(run, "arguments", "classes", to=-128)
    assert "classes must be 0 to" in refusal(lambda: ganvas.load(run))


def test_a_network_that_a_run_only_claims_takes_no_memory(tmp_path: Path) -> None:
    """4,096 feature maps would be gigabytes of weights; the checkpoint has kilobytes."""
    run = Path(shutil.copytree(HERE / "format-1" / "r3gan", tmp_path / "run"))
    changed(run, "arguments", "width", to=4096)
    # Not by `ru_maxrss`, in which a process has what the one had that started it.
    words = """
import re, sys, ganvas
try: ganvas.load(sys.argv[1])
except ganvas.errors.RunError as error: print(error)
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""
    done = subprocess.run([sys.executable, "-c", words, str(run)], capture_output=True, text=True, check=True)
    said, peak = done.stdout.splitlines()
    assert "and is of shape" in said
    assert int(peak) < 1 << 20  # KiB


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_can_be_made_without_values(name: str, tmp_path: Path) -> None:
    recipe = recipes.find(name)
    facts = {"channels": 3, "size": (32, 32), "shape": (2,), "classes": 4, "scale": 2, "samples": 1024, "rate": 8000}
    facts |= {"source_channels": 3, "symbols": 9}
    facts["captions"] = {"encoder": {"name": "words", "vocabulary": ["red", "hat"]}, "examples": ["a red hat"]}
    facts["attributes"] = [{"name": "age", "low": 20, "high": 90}]
    facts["table"] = {"columns": [{"name": "on", "kind": "yes/no", "choices": ["no", "yes"], "levels": [0.5, 0.5]}]}
    wanted = {o.name: facts[o.name] for o in read_options(recipe) if o.default is REQUIRED or o.name == "classes"}
    if name in ("istftgan", "wavegan"):
        wanted["channels"] = 1
    plan = recipes.blueprint(tmp_path, recipe, wanted)
    made = recipes.made(tmp_path, recipe, wanted)
    assert {n: t.shape for n, t in plan.state_dict().items()} == {n: t.shape for n, t in made.state_dict().items()}
    assert all(each.is_meta for each in plan.parameters() if each.requires_grad)


# -- checkpoints -------------------------------------------------------------------------------------------------------


def test_a_damaged_newest_checkpoint_does_not_hide_the_good_one_before(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = ganvas.load(run)
    place = newer(run)
    assert ganvas.load(run).step == 400 and ganvas.load(run).notes == ()
    vouched(place, "values.json", b'{"step": 400}')
    model = ganvas.load(run)
    assert model.step == 300 and torch.equal(model.sample(5, seed=1), before.sample(5, seed=1))
    with pytest.raises(SystemExit) as ended:
        main(["sample", str(run), "-n", "4", "--out", str(tmp_path / "a.png")])
    assert ended.value.code == 0
    said = capsys.readouterr()
    assert "(step 300, seed" in said.out
    assert said.err.startswith("note: checkpoint step-00000400 is damaged (") and said.err.count("\n") == 1
    assert "values.json is damaged: position is missing), so step-00000300 is used" in said.err
    job = prepare_resume(run, quiet=True)
    assert job.training.steps_done == 300
    assert "position is missing" in job.messages[0]


def test_a_damaged_best_gives_way_to_the_newest(run: Path) -> None:
    shutil.copytree(HERE / "format-1" / "vanilla" / "best", run / "best")
    assert ganvas.load(run).step == 150
    (run / "best" / "model.safetensors").write_bytes(b"")
    model = ganvas.load(run)
    assert model.step == 300 and model.notes[0].startswith("checkpoint best is damaged (")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"step": "300"}, "step must be a whole number"),
        ({"step": 301}, "is of step 301, which its folder is not"),
        ({"position": -1}, "position must be a whole number from 0"),
        ({"seconds": float("nan")}, "seconds must be a number from 0"),
        ({"step_scale": 1e300}, "step_scale must be a number from 0 to 1"),
        ({"roll_backs": True}, "roll_backs must be a whole number"),
        ({"watchers": [1]}, "watchers must be an object"),
        ({"watchers": {"Scorer": 7}}, r"watchers\.Scorer must be an object"),
    ],
)
def test_values_are_checked_at_the_door(run: Path, change: dict[str, Any], says: str) -> None:
    values = json.loads((place_of(run) / "values.json").read_text())
    vouched(place_of(run), "values.json", json.dumps({**values, **change}).encode())
    with pytest.raises(RunError, match=says):
        checkpoint.read(place_of(run))


@pytest.mark.parametrize(
    ("watcher", "memory", "says"),
    [
        ("Recorder", {"picture": "last"}, "the memory of Recorder: picture must be a whole number"),
        ("Scorer", {"best": {"step": 3}}, r"the memory of Scorer: best\.value is missing"),
        ("Scorer", {"flat": {"level": "low", "scores": 1}}, r"flat\.level must be a number"),
        ("Checkpoints", {"held": [1.5]}, r"held\[0\] must be a whole number"),
        ("Looks", {"centre": {"a": 1}}, "centre must be a list"),
        ("Healer", {"healings": [{"rates": {"generator": 5}, "penalties": [], "calmed": True}]}, r"\.generator must"),
    ],
)
def test_memories_are_checked_before_training_goes_on(run: Path, watcher: str, memory: Any, says: str) -> None:
    values = json.loads((place_of(run) / "values.json").read_text())
    values["watchers"][watcher] = memory
    vouched(place_of(run), "values.json", json.dumps(values).encode())
    with pytest.raises(RunError, match=says):
        prepare_resume(run, quiet=True)
    assert ganvas.load(run).step == 300  # whose weights are good all the same


def with_tensors(place: Path, name: str, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    tensors = load_file(place / name)
    change(tensors)
    vouched(place, name, save(tensors))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda each: each.update({min(each): torch.zeros(3, 3)}), r"has shape \(3, 3\), and is of shape"),
        (lambda each: each.pop(min(each)), "lacks generator"),
        (lambda each: each.update({"generator.more": torch.zeros(1)}), "generator.more has shape .* absent"),
        (
            lambda each: each.update({min(each): each[min(each)].long()}),
            "is torch.int64, and torch.float32 in this recipe",
        ),
    ],
)
def test_averaged_weights_are_those_of_the_recipe(run: Path, change: Callable[[Any], Any], says: str) -> None:
    with_tensors(place_of(run), "averaged.safetensors", change)
    with pytest.raises(RunError, match=says):
        ganvas.load(run)


STEP = "discriminator/discriminator.0.linear.weight/step"
MOMENT = "discriminator/discriminator.0.linear.weight/exp_avg"


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("optimizers", {MOMENT: torch.zeros(3)}, r"exp_avg is torch.float32 of shape \(3,\), not"),
        ("optimizers", {MOMENT: None}, "0.linear.weight has no exp_avg"),
        ("optimizers", {STEP: torch.tensor(-1.0)}, "step is -1, and counts steps"),
        ("optimizers", {STEP: torch.tensor(float("nan"))}, "step is nan"),
        ("optimizers", {"generator/nothing/step": torch.tensor(1.0)}, "is of no parameter that generator moves"),
        ("optimizers", {MOMENT.replace("exp_avg", "more"): torch.zeros(3)}, "more is nothing that the optimizer keeps"),
        ("meter", {"generator/fake,generator/real": torch.zeros(2)}, "are no sums of what turns report"),
        ("meter", {"generator/fake": torch.zeros(2)}, "are no sums"),  # of no turns
    ],
)
def test_moments_and_sums_are_what_training_needs(run: Path, name: str, change: dict[str, Any], says: str) -> None:
    def apply(tensors: dict[str, torch.Tensor]) -> None:
        for key, value in change.items():
            tensors.pop(key, None)
            if value is not None:
                tensors[key] = value

    place = newer(run)
    with_tensors(place, f"{name}.safetensors", apply)
    job = prepare_resume(run, quiet=True)
    assert job.training.steps_done == 300  # the good one before
    shutil.rmtree(place_of(run))
    with pytest.raises(RunError, match=says):
        prepare_resume(run, quiet=True)


# -- what nobody has thought of ----------------------------------------------------------------------------------------


def fuzzed(tries: int) -> str:
    """What the suite says; it runs in processes of its own."""
    paths = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fuzz", "--tries", str(tries)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_few_hundred_hostile_files_are_refused_in_one_line() -> None:
    assert "0 findings" in fuzzed(300)


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_ten_thousand_hostile_files_are_refused_in_one_line() -> None:
    assert "0 findings" in fuzzed(10_000)


def test_the_suite_finds_what_it_looks_for(tmp_path: Path) -> None:
    """A traceback, an act, a hang and a crash, each of a kind that is made for that."""
    (tmp_path / "bad.py").write_text(
        "import os, benchmarks.fuzz as fuzz, benchmarks.fuzz_files as files\n"
        "fuzz.HANG = 0.5\n"
        "class Bad:\n"
        "    def __init__(self, folder): pass\n"
        "    def __call__(self, luck):\n"
        "        way = luck.randrange(6)\n"
        "        if way == 0: raise KeyError('a')\n"
        f"        if way == 1: open({str(tmp_path / 'written')!r}, 'w').close()\n"
        "        if way == 2: os.system('true')\n"
        "        if way == 3 and luck.random() < 0.2:\n"
        "            while True: pass\n"
        "        if way == 4 and luck.random() < 0.2: os._exit(7)\n"
        "files.KINDS['images'] = Bad\n"
        "if __name__ == '__main__': fuzz.main()\n"
    )
    words = (
        "import sys, subprocess, bad, benchmarks.fuzz as fuzz\n"
        "real = subprocess.Popen\n"
        "fuzz.subprocess.Popen = lambda words, **more: real([words[0], '-m', 'bad', *words[3:]], **more)\n"
        "print(fuzz.fuzz(60, only=['images']))\n"
    )
    paths = os.pathsep.join([str(tmp_path), str(ROOT / "src"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", words], env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for finding in ("KeyError", "act: writes", "act: os.system", "hang", "crash"):
        assert f"images: {finding}" in done.stdout, done.stdout


def test_an_error_is_one_line_for_a_zip_member_without_a_name(tmp_path: Path) -> None:
    import zipfile

    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "PNG")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("a.png", "", "b.png"):
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.writestr(info, file.getvalue())
    try:
        assert len(open_data(tmp_path / "a.zip", progress=False)) == 2
    except DataError as error:
        pytest.fail(str(error))
