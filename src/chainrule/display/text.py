"""Text for people: what `summary` of a result gives."""

from __future__ import annotations

import html

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
