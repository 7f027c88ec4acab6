"""The report: one self-contained HTML page made from a run directory."""

from experiments.report.page import write_report
from experiments.report.rundir import ReportError

__all__ = ["ReportError", "write_report"]
