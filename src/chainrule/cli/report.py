"""``chainrule report``: the page about a run."""

from __future__ import annotations

from chainrule.cli.messages import print_result
from chainrule.experiments.find import find_folder
from chainrule.report import write_report


def report(run: str) -> None:
    """Write the page again from the files of the run, and print where it is."""
    print_result(write_report(find_folder(run)))
