"""Who may import whom: the design's layers, read from the source."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "ganvas"
PIECES = {"objectives", "optimizers", "penalties", "networks", "arguments"}
BOTTOM = {"spaces", "errors", "files", "options", "data", "features", "augment"}
CONTRACT = {"recipe", "enlarging"}
ENTRY = {"cli", "commands", "api", "model", "runs", "sampling", "latent", "studio", "__main__", "__init__"}


def modules():
    return {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in SOURCE.rglob("*.py")
    }


def imports(path):
    """The ganvas modules that a file imports when it is imported or used; annotations alone do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    only_for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in only_for_types:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ganvas":
            found |= {f"{node.module}.{alias.name}".removeprefix("ganvas.") for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.removeprefix("ganvas.") for a in node.names if a.name.startswith("ganvas.")}
    return {name.split(".")[0] for name in found}


ALL = modules()


@pytest.mark.parametrize("name", [n for n in ALL if n.startswith("recipes.")])
def test_recipes_import_the_contract_and_the_pieces_and_no_recipe(name):
    assert imports(ALL[name]) <= CONTRACT | PIECES | BOTTOM


@pytest.mark.parametrize("name", [n for n in ALL if n.split(".")[0] in PIECES])
def test_pieces_import_only_the_bottom_layer_and_pieces(name):
    assert imports(ALL[name]) <= PIECES | BOTTOM


@pytest.mark.parametrize("name", [n for n in ALL if n.startswith("data")])
def test_data_knows_nothing_of_training(name):
    assert imports(ALL[name]) <= {"data", "errors", "files", "spaces"}


def test_nothing_below_the_entry_layer_knows_a_recipe():
    for name, path in ALL.items():
        if name.split(".")[0] not in ENTRY | {"recipes"}:
            assert "recipes" not in imports(path), name


def test_the_loop_and_the_contract_do_not_know_who_watches():
    outer = {"api", "cli", "commands", "plan", "report", "record", "display", "sampling"}
    outer |= {"doctor", "healing", "signals", "symptoms", "verdict", "fidelity", "upscale", "zoo"}
    for name in ("train", "checkpoint", *CONTRACT):
        assert not imports(ALL[name]) & outer, name


def test_only_the_entry_layer_exports_and_serves():
    for name, path in ALL.items():
        if name.split(".")[0] not in ENTRY | {"export", "serve"}:
            assert not imports(path) & {"export", "serve", "studio", "latent"}, name
    for name, path in ALL.items():
        if name.startswith("export"):
            assert not imports(path) & {"serve", "studio"}, name
        if name.startswith(("serve", "latent", "model", "api")):
            assert "studio" not in imports(path), name


def test_no_ladder_of_names():
    """Nothing outside the entry layer compares with a recipe's name."""
    names = {path.stem for path in (SOURCE / "recipes").glob("[!_]*.py")}
    for name, path in ALL.items():
        if name.startswith("recipes"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                constants = {
                    c.value for c in ast.walk(node) if isinstance(c, ast.Constant) and isinstance(c.value, str)
                }
                assert not constants & names, f"{name}: {ast.unparse(node)}"


def test_nothing_is_ever_unpickled():
    for name, path in ALL.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert "pickle" not in ast.unparse(node), name
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "joblib.load"):
                # Pretrained weights are published as .pth; `weights_only` executes nothing of what is in it.
                safe = "weights_only=True" in [ast.unparse(keyword) for keyword in node.keywords]
                assert name == "features.weights" and safe, f"{name}: {ast.unparse(node)}"
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert ast.unparse(node.value) == "False", name
