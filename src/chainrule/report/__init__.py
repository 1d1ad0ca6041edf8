"""The report of a run: what was measured, judged against simpler rules, as one page that needs nothing else."""

from chainrule.report.page import write_report

__all__ = ["write_report"]
