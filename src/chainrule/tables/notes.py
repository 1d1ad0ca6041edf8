"""What should always be known about how a table was read, as sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from chainrule.tables.columns import Column
from chainrule.tables.profile import taken_texts, texts_of

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["missing_notes", "reading_notes"]

#: So many columns are named in one sentence.
NAMED = 5


def reading_notes(columns: Iterable[Column]) -> Iterator[str]:
    """How the cells of columns were read where another reading was possible.

    >>> list(reading_notes([Column("price", "number", note="1.234 is read as 1234")]))
    ['price: 1.234 is read as 1234.']
    """
    notes = [(column.name, column.note) for column in columns if column.use and column.note]
    yield from (f"{name}: {note}." for name, note in notes[:NAMED])
    if others := [name for name, _ in notes[NAMED:]]:
        more = f" and {len(others) - NAMED:,} more" if len(others) > NAMED else ""
        names = ", ".join(others[:NAMED])
        yield f"The cells of {len(others):,} more columns could be read otherwise, too: {names}{more}."


def missing_notes(frame: DataFrame, columns: Sequence[Column]) -> Iterator[str]:
    """Which texts of categories were taken for missing values, though each may be a category."""
    counts: list[str] = []
    for column in columns:
        texts = texts_of(frame[column.name]) if column.use and column.kind == "category" else None
        taken = {text: count for text, count in (texts or {}).items() if text in column.missing_texts}
        if taken:
            counts.append(f"{taken_texts(taken)} in {column.name}")
    if counts:
        more = f" and in {len(counts) - NAMED:,} more columns" if len(counts) > NAMED else ""
        yield f"Taken for missing: {', '.join(counts[:NAMED])}{more}. missing= or --missing says otherwise."
