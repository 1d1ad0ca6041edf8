"""Whether the rows can be read: how many there are, and that all values are finite."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.symptoms.data.examined import examined
from chainrule.symptoms.evidence import Evidence, Finding
from chainrule.symptoms.subject import Subject

__all__ = ["readable"]

#: Columns that say the same in all rows and are named.
NAMED = 5


def readable(subject: Subject) -> Iterator[Finding]:
    """Find values that are missing or infinite where the network gets them, and inputs that say nothing.

    Exact. What `fit` refuses never comes here: `preflight` makes a finding of its error.
    """
    data = examined(subject)
    bad = ~np.isfinite(data.x)
    rows = np.flatnonzero(bad.any(axis=1) | ~np.isfinite(data.y).all(axis=1))
    if len(rows):
        exact = (Evidence("rows with values that are not finite", float(len(rows)), 0.0, 0.0, None, "rows"),)
        text = f"{len(rows):,} rows have values that are missing or infinite as the network gets them."
        yield Finding("readable", "alarm", text, "rows", exact, ("nan",))
        return
    constant = np.flatnonzero(np.ptp(data.x, axis=0) == 0)
    evidence = (
        Evidence("rows", float(len(data)), None, None, None, "rows"),
        Evidence("inputs that are the same in every row", float(len(constant))),
    )
    text = f"All values of {len(data):,} rows and {data.x.shape[1]:,} inputs are finite."
    if len(constant) and len(data.shape) == 1:
        some = ", ".join(data.name(int(j)) for j in constant[:NAMED])
        more = f" and {len(constant) - NAMED:,} more" if len(constant) > NAMED else ""
        text += f" The same in every row, so of no use: {some}{more}."
    yield Finding("readable", "note", text, "", evidence, (), ("nan",))
