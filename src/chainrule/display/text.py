"""Text for people: what `summary` of a result gives."""

from __future__ import annotations

import html
from collections.abc import Sequence

from chainrule.display.lines import printable


class Text(str):
    """A text that shows itself as it is, at the prompt and in a notebook; `print` it elsewhere.

    It is a `str`, so it can be searched, split and written to a file.

    >>> from chainrule.display.text import Text
    >>> Text("two\\nlines")
    two
    lines
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return printable(self)

    def _repr_html_(self) -> str:
        """Return the text for a notebook, in letters of equal width."""
        return f'<pre style="line-height: 1.25">{html.escape(printable(self))}</pre>'


def first_few(texts: Sequence[str], most: int = 10) -> str:
    """Return the first of some texts in a row, and how many more there are.

    >>> first_few(["cat", "dog", "cow"]), first_few(["cat", "dog", "cow"], 2)
    ('cat, dog, cow', 'cat, dog and 1 more')
    """
    text = ", ".join(texts[:most])
    return text if len(texts) <= most else f"{text} and {len(texts) - most:,} more"
