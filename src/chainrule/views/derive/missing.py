"""What stands in the place of a view that cannot be made."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Missing"]


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
