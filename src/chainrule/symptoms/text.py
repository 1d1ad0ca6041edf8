"""A diagnosis in words, for the terminal: one screen."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.symptoms.evidence import Cause, Finding, Stage

__all__ = ["format_diagnosis"]


def format_diagnosis(causes: Sequence[Cause], findings: Sequence[Finding], ran: Sequence[Stage]) -> str:
    """Return a diagnosis as lines of text."""
    return "\n".join(map(str, findings))
