"""Runs beside one another: which is better, whether that is beyond noise, and what differs between them.

reading         runs as they are read here, in groups of those that differ by their seed alone
noise           which differences are beyond noise
scoring         the scores that can be compared, and why others cannot
comparison      `compare`, its tables for a terminal, Markdown and scripts
page            the same as a page, with samples and curves
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.lazy import lazily

if TYPE_CHECKING:
    from ganvas.comparing.comparison import Comparison, beyond, check_out, compare, told_of
    from ganvas.comparing.noise import RULES, Summary, Value, Verdict, summed_up, verdict
    from ganvas.comparing.page import tables_of
    from ganvas.comparing.reading import PASSPORT, Group, Read

__getattr__, __dir__ = lazily(__name__, __file__)
