"""What people see of a run: the report page, its pictures and charts, and the terminal.

page            `report.html`
pictures        the samples through time, for pages
charts          curves as SVG
terminal        the live display (a watcher)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.lazy import lazily

if TYPE_CHECKING:
    from ganvas.report.charts import Chart, Line, figure
    from ganvas.report.page import write_report
    from ganvas.report.pictures import last_picture, last_strip, noun_of
    from ganvas.report.terminal import Display

__getattr__, __dir__ = lazily(__name__, __file__)
