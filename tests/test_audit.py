"""The look for known vulnerabilities, beside stand-ins for pip-audit: what fails a build and what does not."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "audit.py"

ANSWERS = {
    "nothing known": (
        """import json; print(json.dumps({"dependencies": [{"name": "numpy", "version": "2.0", "vulns": []}]}))""",
        0,
        "no known vulnerability in 1 of ",
    ),
    "a vulnerability": (
        """import json, sys
flaw = {"id": "PYSEC-1", "fix_versions": ["2.1"], "aliases": [], "description": ""}
print(json.dumps({"dependencies": [{"name": "numpy", "version": "2.0", "vulns": [flaw]}], "fixes": []}))
sys.exit(1)""",
        1,
        "numpy 2.0 has the known vulnerability PYSEC-1, mended in 2.1",
    ),
    "a package index alone": (
        """import json; print(json.dumps({"dependencies": [{"name": "numpy", "skip_reason": "not found"}]}))""",
        0,
        "the database of vulnerabilities does not answer: they are not looked for",
    ),
    "no network": (
        """import sys; sys.exit("ERROR: connection refused")""",
        0,
        "the database of vulnerabilities does not answer: they are not looked for",
    ),
}


def audited(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run([sys.executable, str(SCRIPT)], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("answer", ANSWERS)
def test_only_a_known_vulnerability_fails(answer: str, tmp_path: Path) -> None:
    source, status, says = ANSWERS[answer]
    (tmp_path / "pip_audit.py").write_text(source)
    done = audited(tmp_path)
    assert (done.returncode, done.stderr) == (status, "")
    assert done.stdout.startswith(says) and done.stdout.count("\n") == 1


def test_where_it_is_not_installed_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'pip_audit' else find(name, *more)\n"
    )
    done = audited(tmp_path)
    assert done.returncode == 0
    assert done.stdout.strip() == "pip-audit is not installed: known vulnerabilities are not looked for"


def test_what_is_looked_at_is_what_ganvas_cannot_do_without() -> None:
    packages = runpy.run_path(str(SCRIPT))["mandatory"]()
    assert {"torch", "numpy", "pillow", "safetensors", "jinja2"} <= packages.keys()
    assert not {"ganvas", "gradio", "fastapi", "pytest", "onnx"} & packages.keys()
    assert all(version and "+" not in version for version in packages.values())
