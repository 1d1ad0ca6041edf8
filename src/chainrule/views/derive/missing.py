"""What stands in the place of a view that cannot be made."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.training.recorded import Recorded

__all__ = ["Missing", "without_rows", "without_stops"]


@dataclass(frozen=True)
class Missing:
    """Why a view cannot be made, as a sentence; it counts as false.

    >>> from chainrule.views.derive.missing import Missing
    >>> bool(Missing("The run recorded no answers."))
    False
    """

    why: str

    def __bool__(self) -> bool:
        return False


def without_stops(recorded: Recorded) -> Missing:
    """Return why there are no weights to look at."""
    return Missing(_sentence("The run recorded no weights", recorded.missing.get("stops")))


def without_rows(recorded: Recorded) -> Missing:
    """Return why there is nothing that was answered for the rows."""
    return Missing(_sentence("The run recorded neither costs nor answers of its rows", recorded.missing.get("rows")))


def _sentence(what: str, why: str | None) -> str:
    return f"{what}. {why}" if why else f"{what}."
