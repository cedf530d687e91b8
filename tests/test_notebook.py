"""The notebook of docs/ runs from its first cell to its last, on a tiny budget, and shows what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs" / "first-notebook.ipynb"

# The same cells, made quick: lengths shrink, and nothing else changes.
SHORTER = [("minutes=2", "steps=4, batch_size=16, measure=False"), ("minutes=3", "steps=6"), ("n=500", "n=100")]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The code cells with their outputs."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        for longer, shorter in SHORTER if cell.cell_type == "code" else ():
            cell.source = cell.source.replace(longer, shorter)
    folder = tmp_path_factory.mktemp("notebook")
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell: Any, kind: str) -> list[str]:
    return [output.data[kind] for output in cell.outputs if kind in output.get("data", {})]


def test_its_cells_run_and_leave_no_errors(cells: list[Any]) -> None:
    assert len(cells) >= 8 and all(cell.execution_count for cell in cells)
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]


def test_training_is_one_output_that_was_written_again(cells: list[Any]) -> None:
    for cell, told in ((cells[0], "Finished after 4 steps."), (cells[-1], "Finished after 6 steps.")):
        (page,) = (page for page in shown(cell, "text/html") if "<progress" in page)
        assert told in page and page.count("data:image/") == 1
        said = "".join(output.text for output in cell.outputs if output.output_type == "stream")
        assert " steps, " not in said  # no lines of progress beside it


def test_a_run_is_a_table_and_samples_are_pictures(cells: list[Any]) -> None:
    (table,) = shown(cells[1], "text/html")
    assert "on digits, finished after 4 steps" in table and table.count("data:image/") == 1
    assert sum(len(shown(cell, "image/png")) for cell in cells) == 3
    scores = shown(cells[-1], "text/plain")[-1]
    assert re.search(r"'KID\[\w+\]': [\d.]+", scores) and "'loss/generator'" in scores


def test_it_is_stored_small_and_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.outputs and not cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    assert NOTEBOOK.stat().st_size < 10_000
    links = re.findall(r"\]\(([^)]+)\)", "".join(cell.source for cell in notebook.cells))
    assert links and all((NOTEBOOK.parent / link).is_file() for link in links)
