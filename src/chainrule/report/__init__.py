"""The report of a run: what was measured, judged against simpler rules, as one page that needs nothing else."""

from chainrule.report.facts import gather, write_evaluation
from chainrule.report.page import write_report

__all__ = ["gather", "write_evaluation", "write_report"]
