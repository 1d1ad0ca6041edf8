"""Who hears what a command is about to do, and what happens meanwhile. Results are returned, not told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chainrule.experiments.plan import Plan
    from chainrule.population import CrossValidation
    from chainrule.tables.prepared import PreparedTable


class Listener:
    """Hears nothing: what Python gets. The command line derives from it a listener that prints.

    Attributes
    ----------
    progress : whether the epochs are shown on standard error

    Example
    -------
    >>> import chainrule as cr
    >>> class Starts(cr.experiments.Listener):
    ...     def on_start(self, plan, details=(), validation_use=None):
    ...         print("begins with", plan.model.count(), "parameters")
    >>> cr.train("iris", epochs=1, listener=Starts()).folder
    begins with 9091 parameters
    """

    def __init__(self, *, progress: bool = False) -> None:
        self.progress = progress

    def on_table(self, prepared: PreparedTable) -> None:
        """Hear what a table's columns are taken for, before anything is trained."""

    def on_start(self, plan: Plan, details: Sequence[str] = (), validation_use: str | None = None) -> None:
        """Hear what is about to be trained.

        Parameters
        ----------
        plan : the settings without gaps, the rows, the network
        details : further lines about it
        validation_use : what validation rows are for, where the settings do not say it
        """

    def on_folder(self, folder: Path) -> None:
        """Hear where the run will be written, before it is."""

    def on_cross_validation(self, result: CrossValidation) -> None:
        """Hear how good the networks of the folds are, before the one of all rows is trained."""

    def on_message(self, text: str) -> None:
        """Hear a sentence about what happens, or about the data."""

    def on_warning(self, text: str) -> None:
        """Hear what should be looked into."""

    def how_to_resume(self, folder: Path, function: str = "train") -> str:
        """Return what goes on with the run in a folder after an interruption."""
        name = "cr.train" if function == "train" else f"cr.experiments.{function}"
        return f"{name}(resume={str(folder)!r})"


#: Hears nothing.
QUIET = Listener()
