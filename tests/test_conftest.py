"""What `conftest.py` adds to every run of the tests."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FILES = {
    "test_quick.py": "def test_nothing():\n    pass\n",
    "test_fixture.py": (
        "import time\nimport pytest\n"
        "@pytest.fixture\ndef slow():\n    time.sleep(0.5)\n    yield\n    time.sleep(0.5)\n"
        "def test_one(slow):\n    pass\n"
    ),
    "test_failing.py": "import time\ndef test_one():\n    time.sleep(0.4)\n    assert False\n",
}


@pytest.mark.parametrize("processes", [(), ("-n", "2", "--dist", "loadfile")], ids=["one", "several"])
def test_the_seconds_of_each_file_are_told_the_slowest_first(tmp_path: Path, processes: tuple[str, ...]) -> None:
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    command = [sys.executable, "-m", "pytest", *processes, "-c", os.devnull, "--rootdir", ".", "."]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    told = re.findall(r"^ +(\d+\.\d)  (test_\w+\.py)$", result.stdout, re.MULTILINE)
    assert [name for _, name in told] == ["test_fixture.py", "test_failing.py", "test_quick.py"], result.stdout
    seconds = {name: float(text) for text, name in told}
    assert seconds["test_fixture.py"] >= 1 and seconds["test_failing.py"] >= 0.4
