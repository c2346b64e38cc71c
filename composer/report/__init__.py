"""`index.html` of a run: its samples, curves, drawing and settings on one page that needs no server and no network.

The way of a page: the run's folder -> what it holds as plain data (report.facts, measured,
curves, sheets) -> one
HTML file with that data, its style and its script inside (report.page).
"""

from __future__ import annotations

from composer.report.writing import Report, write_report

__all__ = ["Report", "write_report"]
