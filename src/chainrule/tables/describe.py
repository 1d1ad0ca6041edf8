"""The plan for the columns of a table, and how its cells were read, as people read it before anything is trained."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from chainrule.display.text import first_few
from chainrule.tables.columns import Column
from chainrule.tables.profile import format_missing_texts, texts_of

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["column_notes", "describe", "format_columns", "missing_notes", "reading_notes"]

#: So many columns of a kind are named in the notes, and so many in one sentence; the others are counted.
NAMED, FIRST = 10, 5

_SCALES = {"standardize": "standardize", "min_max": "scale to 0 … 1", "quantile": "to normal quantiles", "none": ""}
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


def format_columns(columns: Sequence[Column], *, rows: int, most: int = 40) -> list[list[str]]:
    """Return a table of the columns, as rows of cells whose first is the heading.

    Parameters
    ----------
    columns
        The plan, as `chainrule.tables.infer.infer_columns` makes it.
    rows
        Training rows, of which the missing values are a fraction.
    most
        How many columns are shown one by one; the others are counted by kind in a last row.

    Examples
    --------
    >>> from chainrule.tables.columns import Column
    >>> plan = [Column("age", "number", missing=1, distinct=7, example="31"), Column("town", "category", distinct=2)]
    >>> for row in format_columns(plan, rows=8):
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
                _shorten(column.name),
                column.kind,
                _format_fraction(column.missing, rows),
                f"{column.distinct:,}",
                _shorten(column.example, 24),
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
        f"{_shorten(column.name)} ({_shorten(column.reason or column.kind, 160)})"
        for column in columns
        if not column.use
    ]
    notes = [f"Left out: {_format_names(left_out, '; ')}."] if left_out else []
    unusual = [
        f"{_shorten(column.name)}: {column.reason}." for column in columns if column.use and not _is_usual(column)
    ]
    notes += unusual[:NAMED]
    if len(unusual) > NAMED:
        notes.append(f"{len(unusual) - NAMED:,} more columns have cells that are worth a look.")
    return notes


def _is_usual(column: Column) -> bool:
    counted = f"{column.distinct:,} different value{'s' * (column.distinct != 1)}"
    return column.reason in ("", "as you said", counted, f"{counted}, as you said")


def _format_names(names: Sequence[str], separator: str) -> str:
    """Return some names in a row, and how many more there are."""
    more = f"{separator}and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return separator.join(names[:NAMED]) + more


def _format_fraction(missing: int, rows: int) -> str:
    """Return the fraction of missing values in percent; never 0 or 100 % unless it is."""
    if not missing:
        return ""
    percent = 100 * missing / max(rows, 1)
    if missing < rows:
        percent = min(max(percent, 0.1), 99.9)
    return f"{percent:.1f} %"


def _shorten(text: str, most: int = 32) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def reading_notes(columns: Iterable[Column]) -> Iterator[str]:
    """Yield how the cells of columns were read where another reading was possible.

    >>> list(reading_notes([Column("price", "number", note="1.234 is read as 1234")]))
    ['price: 1.234 is read as 1234.']
    """
    notes = [(column.name, column.note) for column in columns if column.use and column.note]
    yield from (f"{name}: {note}." for name, note in notes[:FIRST])
    if others := [name for name, _ in notes[FIRST:]]:
        yield f"The cells of {len(others):,} more columns could be read otherwise, too: {first_few(others, FIRST)}."


def missing_notes(frame: DataFrame, columns: Sequence[Column]) -> Iterator[str]:
    """Yield which texts of categories were taken for missing values, though each may be a category."""
    columns_with: list[str] = []
    for column in columns:
        texts = texts_of(frame[column.name]) if column.use and column.kind == "category" else None
        counts = {text: count for text, count in (texts or {}).items() if text in column.missing_texts}
        if counts:
            columns_with.append(f"{format_missing_texts(counts)} in {column.name}")
    if columns_with:
        more = f" and in {len(columns_with) - FIRST:,} more columns" if len(columns_with) > FIRST else ""
        yield f"Taken for missing: {', '.join(columns_with[:FIRST])}{more}. missing= or --missing says otherwise."
