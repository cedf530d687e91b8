from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

# Workers of pytest-xdist share the cores. Said before anything imports PyTorch, and to the processes that tests start.
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(workers))))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The seconds of each file of tests, fixtures included, the slowest first: `--dist loadfile` ends with the slowest
    file. Of worker processes the reports arrive here, too; what an import takes is in none."""
    seconds: dict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid.partition("::")[0]] += report.duration
    if len(seconds) > 1:
        terminalreporter.section("seconds of each file")
        for file, taken in sorted(seconds.items(), key=lambda each: -each[1]):
            terminalreporter.write_line(f"{taken:7.1f}  {file}")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Prepared data goes to a temporary folder, never to the user's cache."""
    before = os.environ.get("GANVAS_CACHE")
    os.environ["GANVAS_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["GANVAS_CACHE"]
    else:
        os.environ["GANVAS_CACHE"] = before


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data for development: `$GANVAS_SHARED/data`, or `../shared/data` beside the repository."""
    shared = os.environ.get("GANVAS_SHARED") or Path(__file__).resolve().parents[2] / "shared"
    folder = Path(shared) / "data"
    if not folder.is_dir():
        pytest.skip("the shared data is not here (GANVAS_SHARED)")
    return folder
