"""`ganvas train --config FILE`: what a file says is what the same flags would have said, and no more than that."""

import json
import sys

import pytest

from commands import ganvas, refused
from ganvas.cli.configuring import configured

SAID = {
    "training.yaml": "recipe: vanilla\ndata: ring\nsteps: 4\nbatch-size: 8\nlr: 1e-3\nlooks: false\nkeep: null\n",
    "training.toml": 'recipe = "vanilla"\ndata = "ring"\nsteps = 4\nbatch_size = 8\nlr = 0.001\nlooks = false\n',
    "training.json": json.dumps(
        {
            "recipe": "vanilla",
            "data": {"source": "ring", "options": {}},
            "settings": {"steps": 4, "batch_size": 8, "looks": False},
            "arguments": {"lr": 1e-3},
        }
    ),
}
FLAGS = ["--data=ring", "--steps=4", "--batch-size=8", "--no-looks"]


@pytest.mark.parametrize("name", SAID)
def test_a_file_says_what_flags_say(name, tmp_path):
    (tmp_path / name).write_text(SAID[name])
    words, said = configured(["--config", str(tmp_path / name), "--quiet"])
    assert sorted(words) == sorted([*FLAGS, "--quiet"]) and words[-1] == "--quiet" and said.recipe == "vanilla"
    (lr,) = {str(float(each["lr"])) for each in (said.options, said.arguments) if each}
    assert lr == "0.001" and not said.of_a_run


def test_what_was_trained_is_trained_again_by_the_runs_own_file(tmp_path, capsys):
    (tmp_path / "a.toml").write_text(SAID["training.toml"])
    for config, out in (("a.toml", "a"), ("a/config.json", "b")):
        assert ganvas("train", "--config", tmp_path / config, "--out", tmp_path / out, "--quiet") == 0
    a, b = (json.loads((tmp_path / out / "config.json").read_text()) for out in "ab")
    assert a["arguments"] == b["arguments"] and a["settings"] == b["settings"] and a["data"] == b["data"]
    assert a["arguments"]["lr"] == 0.001 and a["settings"]["steps"] == 4 and a["settings"]["looks"] is False
    weights = [tmp_path / out / "checkpoints" / "step-00000004" / "model.safetensors" for out in "ab"]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    # The command line weighs more, and whoever says how long says all of it.
    capsys.readouterr()
    words = ["--config", tmp_path / "a" / "config.json", "--lr", "0.002", "--epochs", "2", "--looks", "--dry-run"]
    assert ganvas("train", *words) == 0
    plan = capsys.readouterr().out
    assert "--lr 0.002" in plan and "2 passes" in plan and "4 steps" not in plan


def test_size_is_the_readers_and_not_what_the_data_decided(tmp_path, capsys):
    """A run's arguments tell the size that its pictures had; another --data may have another."""
    config = {
        "format": 1,
        "recipe": "dcgan",
        "arguments": {"size": [28, 28], "channels": 1, "classes": 0, "width": 8},
        "settings": {"steps": 2},
        "data": {"source": "digits", "options": {"size": None, "channels": None}},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert ganvas("train", "--config", tmp_path / "config.json", "--size", "16", "--dry-run") == 0
    assert "16x16 gray" in capsys.readouterr().out
    config["data"]["options"]["size"] = [24, 20]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert ganvas("train", "--config", tmp_path / "config.json", "--dry-run") == 0
    assert "24x20 gray" in capsys.readouterr().out


def test_the_recipe_of_the_command_line_weighs_more(tmp_path, capsys):
    (tmp_path / "a.yaml").write_text("recipe: dcgan\ndata: digits\nsteps: 3\n")
    assert ganvas("train", "cgan", "--config", tmp_path / "a.yaml", "--dry-run") == 0
    assert "recipe: cgan" in capsys.readouterr().out


BAD = {
    "unknown": ("a.yaml", "recipe: vanilla\ndata: ring\nsteps: 3\nbatchsize: 3\n", "did you mean 'batch_size'"),
    "of the recipe": ("a.yaml", "recipe: vanilla\ndata: ring\nsteps: 3\nobjectiv: hinge\n", "did you mean 'objective'"),
    "an argument": ("a.json", '{"recipe": "vanilla", "data": "ring", "arguments": {"lrr": 1}}', "did you mean 'lr'"),
    "decided by data": ("a.toml", 'recipe = "dcgan"\ndata = "digits"\nsteps = 1\nclasses = 4\n', "no option 'classes'"),
    "a value": ("a.yaml", "recipe: vanilla\ndata: ring\nsteps: -1\n", "--steps must be 1 or more"),
    "a recipe's value": ("a.yaml", "recipe: vanilla\ndata: ring\nsteps: 1\nlr: fast\n", "--lr takes a number"),
    "a recipe": ("a.yaml", "recipe: vanila\ndata: ring\n", "did you mean 'vanilla'"),
    "a file of code": ("a.yaml", "recipe: evil.py:Evil\ndata: ring\n", "name it here too: ganvas train evil.py:Evil"),
    "twice": ("a.yaml", "data: ring\nsteps: 3\nsettings: {steps: 4}\n", "says 'steps' twice"),
    "no table": ("a.yaml", "data: ring\nsettings: 4\n", "settings are names with values"),
    "a list": ("a.json", "[1, 2]", "holds no names"),
    "a switch": ("a.json", '{"data": "ring", "quiet": "yes"}', "quiet takes true or false"),
    "a budget": ("a.json", '{"data": "ring", "budget": "quik"}', "did you mean 'quick'"),
    "data": ("a.json", '{"data": ["ring"]}', "data takes text"),
    "no JSON": ("a.json", "{", "is no JSON"),
    "no TOML": ("a.toml", "data =", "is no TOML"),
    "no YAML": ("a.yaml", "data: [", "is no YAML"),
    "objects": ("a.yaml", "data: !!python/object/apply:os.system ['touch evil']\n", "is no YAML"),
    "laughs": ("a.yaml", "a: &a [1, 1]\ndata: [*a, *a]\n", "aliases"),
    "depth": ("a.yaml", "data: " + "[" * 3000, "is no YAML"),
    "depth of JSON": ("a.json", '{"data": ' + "[" * 100 + "]" * 100 + "}", "is no JSON"),
    "bytes": ("a.yaml", "\udcff", "is no YAML"),
    "an ending": ("a.txt", "data: ring", ".json, .toml"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_said_is_one_line(case, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name, content, says = BAD[case]
    (tmp_path / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    (tmp_path / "evil.py").write_text("open('evil', 'w').close()")
    line = refused(capsys, "train", "--config", name)
    assert says in line, line
    assert {path.name for path in tmp_path.iterdir()} == {name, "evil.py"}


def test_how_the_flag_is_used_wrongly(tmp_path, capsys, monkeypatch):
    (tmp_path / "a.yaml").write_text("data: ring\n")
    assert "--config takes a file" in refused(capsys, "train", "--config")
    assert "cannot be read: No such file" in refused(capsys, "train", "--config", tmp_path / "b.yaml")
    assert "given once" in refused(capsys, "train", "--config=a.yaml", "--config=b.yaml")
    assert "--resume goes on" in refused(capsys, "train", "--resume", "x", "--config", tmp_path / "a.yaml")
    monkeypatch.setitem(sys.modules, "yaml", None)  # as where it is not installed
    assert 'pip install "ganvas[yaml]"' in refused(capsys, "train", "--config", tmp_path / "a.yaml")
