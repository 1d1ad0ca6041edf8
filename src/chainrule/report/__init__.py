"""The report of a run: what was measured, judged against simpler rules, as one page that needs nothing else."""

from chainrule.report.page import write_report
from chainrule.report.run_comparison import RunComparison, compare_runs

__all__ = ["RunComparison", "compare_runs", "write_report"]
