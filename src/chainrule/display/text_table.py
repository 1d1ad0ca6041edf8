"""Tables of text."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from chainrule.display.lines import printable


def text_table(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> str:
    """Return rows of cells as aligned columns: those whose numbers are in ``left`` to the left, the others to the
    right.

    >>> print(text_table([["", "loss"], ["a", "0.5"]]))
       loss
    a   0.5
    """
    rows = [[printable(cell).replace("\n", "\\n").replace("\t", "\\t") for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(w) if i in left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
