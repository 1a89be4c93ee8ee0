"""The static report: one HTML page about a release, for a reader without any tool.

A figure is points, a table of the same points with their sources, and words (``figure``); what the
points are is SQL on the release (``alibaba``, ``peers``, ``market``, ``record``). ``drawing`` makes
SVG of them and ``page`` the page. Only tables of the release are read and no clock, so a release
gives the same page whenever it is rendered.
"""

from orchestration.report.page import render_report

__all__ = ["render_report"]
