"""Tables of text."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from chainrule.display.lines import printable


def text_table(rows: Sequence[Sequence[str]], left: Collection[int] = (0,), *, drop_empty: bool = False) -> str:
    """Return rows of cells, the heading first, as aligned columns.

    Parameters
    ----------
    rows
        The cells; what a terminal would obey is escaped.
    left
        The numbers of the columns that stand to the left; the others stand to the right.
    drop_empty
        Leave out columns (besides the first) that have no text below their heading.

    >>> print(text_table([["", "loss", "note"], ["a", "0.5", ""]], drop_empty=True))
       loss
    a   0.5
    """
    rows = [[printable(cell).replace("\n", "\\n").replace("\t", "\\t") for cell in row] for row in rows]
    columns = list(zip(*rows, strict=True))
    used = [i for i, column in enumerate(columns) if not drop_empty or i == 0 or any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    lines = ("  ".join(row[i].ljust(widths[i]) if i in left else row[i].rjust(widths[i]) for i in used) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
