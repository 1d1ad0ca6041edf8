"""The checks of the data, in the order in which they run, and the rows and columns that they would change."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from chainrule.symptoms.data.columns import (
    leaking_columns,
    one_column,
    outlier_bounds,
    outlying_rows,
    scale,
    tails,
    target_bounds,
)
from chainrule.symptoms.data.labels import labels_related, labels_trusted, suspicious_rows, wrong_rows
from chainrule.symptoms.data.neighbours import neighbours
from chainrule.symptoms.data.parts import classes, parts_alike
from chainrule.symptoms.data.readable import readable
from chainrule.symptoms.data.rows_twice import duplicate_rows, rows_twice
from chainrule.symptoms.evidence import Finding
from chainrule.symptoms.subject import Subject

__all__ = [
    "CHECKS",
    "duplicate_rows",
    "leaking_columns",
    "outlier_bounds",
    "outlying_rows",
    "suspicious_rows",
    "target_bounds",
    "wrong_rows",
]

CHECKS: tuple[tuple[str, Callable[[Subject], Iterable[Finding]]], ...] = (
    ("readable", readable),
    ("labels_related", labels_related),
    ("labels_trusted", labels_trusted),
    ("one_column", one_column),
    ("rows_twice", rows_twice),
    ("parts_alike", parts_alike),
    ("tails", tails),
    ("classes", classes),
    ("scale", scale),
    ("neighbours", neighbours),
)
