"""`report.html`: a run told on one page that needs nothing else, neither files beside it nor a network.

The page is made from the run folder alone, and a run folder may come from anywhere. So every text is escaped, every
picture is decoded and encoded anew, numbers that are no numbers are left out, and the page's own policy lets no script
run but the one whose hash it carries.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganvas.errors import RunError
from ganvas.files import read_json, write_atomically
from ganvas.html import render
from ganvas.report.charts import figure
from ganvas.report.pictures import film, learned_from, reconstructions, time_strip
from ganvas.report.view import run_view
from ganvas.run import is_over, mapping, read_rows


def write_report(run: Path) -> Path:
    """Writes `report.html` into the run folder, live or over, and returns its path.

    Raises RunError as `report_of` does, and TrainingError where the disk refuses.
    """
    path = run / "report.html"
    write_atomically(path, report_of(run))
    return path


def report_of(run: Path) -> str:
    """The page, of the run as it is now. Raises RunError where the folder has no readable `config.json`."""
    config = _read_config(run / "config.json")
    view = run_view(config, read_rows(run / "metrics.jsonl"), is_over(run))
    return render(
        "report/page.html.jinja",
        view=view,
        film=film(run, config),
        strip=time_strip(run, config),
        rebuilt=reconstructions(run, config),
        learned=learned_from(run, config),
        charts=[figure(chart, view.marks) for charts in view.charts.values() for chart in charts],
    )


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = read_json(path)
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror}): is {path.parent} a run folder?") from error
    except ValueError as error:
        raise RunError(f"{path} is not JSON ({error}), so there is nothing to report") from error
    return mapping(config)
