"""How often an alarm is false: counted on the healthy runs of the development set.

``rates.json`` beside this file holds the counts, by symptom::

    {"version": "2026-12-01", "rules": {"by_heart": {"false": 0, "of": 214}, ...}}
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

from chainrule.statistics import wilson

__all__ = ["Rate", "rate_of", "version"]


@dataclass(frozen=True)
class Rate:
    """A rule's false alarms.

    Attributes
    ----------
    false, of : the healthy runs in which it raised an alarm, and all of them
    upper : the upper end of the 95 % interval of that share (Wilson)

    >>> from chainrule.symptoms.rates import Rate
    >>> print(Rate(0, 214))
    0 of 214 healthy runs of the benchmark (upper end 1.8 %)
    """

    false: int
    of: int

    @property
    def upper(self) -> float:
        """The upper end of the 95 % interval of the share of false alarms."""
        return wilson(self.false, self.of)[1]

    def __str__(self) -> str:
        return f"{self.false} of {self.of:,} healthy runs of the benchmark (upper end {100 * self.upper:.1f} %)"


def rate_of(symptom: str) -> Rate | None:
    """Return how often alarms of a symptom are false; None where that is not measured yet."""
    counts = _file().get("rules", {}).get(symptom)
    return Rate(counts["false"], counts["of"]) if counts and counts["of"] else None


def version() -> str:
    """Return the version of the table, "" where there is none yet."""
    return str(_file().get("version", ""))


@functools.cache
def _file() -> dict[str, Any]:
    path = resources.files("chainrule.symptoms").joinpath("rates.json")
    return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}
