"""The plan for the columns of a table, as people read it before anything is trained."""

from __future__ import annotations

import collections
from collections.abc import Sequence

from chainrule.tables.columns import Column

__all__ = ["column_notes", "describe", "show_columns"]

_SCALES = {"standardize": "standardize", "min_max": "scale to 0 … 1", "quantile": "to normal quantiles", "none": ""}
#: So many columns of a kind are named in the notes; the others are counted.
NAMED = 10

_FILLS = {"median": "the median", "mean": "the mean", "most_frequent": "the most frequent", "zero": "0"}


def describe(column: Column) -> str:
    """Return what will be done with a column, in a few words.

    >>> describe(Column("age", "number", missing=3, indicator=True, outliers="clip"))
    'clip outliers, standardize; missing → the median + indicator'
    >>> describe(Column("Name", "text", use=False, reason="891 different values in 891 rows"))
    'left out: 891 different values in 891 rows'
    """
    if not column.use:
        return f"left out: {column.reason or column.kind}"
    if column.kind == "category":
        how = "one-hot" if column.encode == "one_hot" else "learned embedding"
        return f"{how}; missing → a category" if column.missing else how
    steps = []
    if column.kind == "date":
        steps.append(", ".join(column.parts))
    elif column.kind == "boolean":
        steps.append("yes 1, no −1")
    else:
        scale = "standardize by quartiles" if column.outliers == "robust" else _SCALES[column.scale]
        steps.append(
            ", ".join(step for step in ("clip outliers" * (column.outliers == "clip"), scale) if step) or "as it is"
        )
    if column.missing:
        steps.append(f"missing → {_FILLS[column.fill]}" + " + indicator" * column.indicator)
    return "; ".join(steps)


def show_columns(columns: Sequence[Column], *, rows: int, most: int = 40) -> list[list[str]]:
    """Return a table of the columns, as rows of cells whose first is the heading.

    Parameters
    ----------
    columns
        The plan, as `chainrule.tables.infer.infer_columns` makes it.
    rows
        Training rows, of which the missing values are a share.
    most
        How many columns are shown one by one; the others are counted by kind in a last row.

    Examples
    --------
    >>> from chainrule.tables.columns import Column
    >>> plan = [Column("age", "number", missing=1, distinct=7, example="31"), Column("town", "category", distinct=2)]
    >>> for row in show_columns(plan, rows=8):
    ...     print(row)
    ['column', 'kind', 'missing', 'different', 'example', 'what happens']
    ['age', 'number', '12.5 %', '7', '31', 'standardize; missing → the median']
    ['town', 'category', '', '2', '', 'one-hot']
    """
    table = [["column", "kind", "missing", "different", "example", "what happens"]]
    for column in columns[:most]:
        action = describe(column)
        if column.use and column.reason and column.kind != "category":
            action += f" ({column.reason})"
        table.append(
            [
                _short(column.name),
                column.kind,
                _share(column.missing, rows),
                f"{column.distinct:,}",
                _short(column.example, 24),
                action,
            ]
        )
    if others := columns[most:]:
        counts = collections.Counter(f"{c.kind}{'' if c.use else ' (left out)'}" for c in others)
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
        table.append([f"… and {len(others):,} more", "", "", "", "", kinds])
    return table


def column_notes(columns: Sequence[Column]) -> list[str]:
    """Return what the plan for the columns leaves out and why, and what is unusual about those that are used, as
    sentences.

    >>> from chainrule.tables.columns import Column
    >>> columns = [Column("id", "identifier", use=False, reason="every value differs"), Column("age", "number")]
    >>> column_notes([*columns, Column("size", "number", reason="decimal commas")])
    ['Left out: id (every value differs).', 'size: decimal commas.']
    """
    left_out = [
        f"{_short(column.name)} ({_short(column.reason or column.kind, 160)})" for column in columns if not column.use
    ]
    notes = [f"Left out: {_listed(left_out, '; ')}."] if left_out else []
    unusual = [f"{_short(column.name)}: {column.reason}." for column in columns if column.use and not _is_usual(column)]
    notes += unusual[:NAMED]
    if len(unusual) > NAMED:
        notes.append(f"{len(unusual) - NAMED:,} more columns have cells that are worth a look.")
    return notes


def _is_usual(column: Column) -> bool:
    counted = f"{column.distinct:,} different value{'s' * (column.distinct != 1)}"
    return column.reason in ("", "as you said", counted, f"{counted}, as you said")


def _listed(names: Sequence[str], separator: str) -> str:
    """Return some names in a row, and how many more there are."""
    more = f"{separator}and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return separator.join(names[:NAMED]) + more


def _share(missing: int, rows: int) -> str:
    """Return the share of missing values; never 0 or 100 % unless it is."""
    if not missing:
        return ""
    percent = 100 * missing / max(rows, 1)
    if missing < rows:
        percent = min(max(percent, 0.1), 99.9)
    return f"{percent:.1f} %"


def _short(text: str, most: int = 32) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"
