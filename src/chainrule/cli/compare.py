"""``chainrule compare``: runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chainrule.cli.messages import print_message, print_result
from chainrule.experiments.find import find_folder
from chainrule.report import compare_runs


def compare(runs: Sequence[str], out: Path | None) -> None:
    """Print what differs and how good each run is; write the page where it is asked for."""
    comparison = compare_runs(*map(find_folder, runs))
    print_result(comparison.summary())
    if out is not None:
        print_message(f"The page: {comparison.to_html(out)}")
