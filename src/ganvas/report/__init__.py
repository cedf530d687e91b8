"""What people see of a run: the report page, its pictures and charts, and the terminal.

page            `report.html`
numbers         the last numbers of a game in words
view            a run in words and numbers, which every page of a run shows
pictures        the samples through time, for pages
charts          curves as SVG
templates/      their HTML, with the parts that other rooms' pages share
film            the same as a moving picture
listing         a run in one line, for lists of them
terminal        the live display (a watcher); half_blocks: pictures in it; notebook: where it is in a notebook
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.lazy import lazily

if TYPE_CHECKING:
    from ganvas.report.charts import Chart, Line, figure
    from ganvas.report.film import write_film
    from ganvas.report.half_blocks import print_rows
    from ganvas.report.listing import RunLine, line_of
    from ganvas.report.numbers import last_numbers
    from ganvas.report.page import report_of, write_report
    from ganvas.report.pictures import (
        Picture,
        as_picture,
        clips,
        last_clips,
        last_picture,
        last_strip,
        learned_from,
        noun_of,
        reconstructions,
    )
    from ganvas.report.terminal import Display
    from ganvas.report.view import RunView, run_view

__getattr__, __dir__ = lazily(__name__, __file__)
