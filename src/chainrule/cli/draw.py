"""Images as characters: gray levels by block elements, two characters a pixel so that pixels are square."""

from __future__ import annotations

from typing import Any

import numpy as np

#: From dark to light, on a dark ground; the second where the terminal's encoding has no blocks.
BLOCKS, PLAIN = " ░▒▓█", " .+*#"


def shades(encoding: str | None) -> str:
    """Return the characters that an encoding can show."""
    try:
        BLOCKS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return PLAIN
    return BLOCKS


def picture(image: Any, characters: str = BLOCKS) -> list[str]:
    """Return a gray image with values in [0, 1], shape (height, width) or (height, width, 1), as lines of text.

    >>> from chainrule.cli.draw import picture
    >>> picture([[0.0, 1.0], [0.5, 0.0]])
    ['  ██', '▒▒  ']
    """
    gray = np.asarray(image, float)
    gray = gray[..., 0] if gray.ndim == 3 else gray
    levels = np.rint(np.clip(gray, 0, 1) * (len(characters) - 1)).astype(int)
    return ["".join(2 * characters[level] for level in row) for row in levels]


def side_by_side(blocks: list[list[str]], width: int, gap: int = 3) -> str:
    """Set blocks of lines in as many columns as the width has room for, evenly filled; at least one.

    >>> from chainrule.cli.draw import side_by_side
    >>> print(side_by_side([["ab", "cd"], ["e"], ["f"]], width=8))
    ab   e
    cd
    <BLANKLINE>
    f
    """
    wide = max((len(line) for block in blocks for line in block), default=0)
    fit = max(1, (width + gap) // (wide + gap))
    bands = -(-len(blocks) // fit)
    columns = -(-len(blocks) // bands) if bands else 1
    text = []
    for start in range(0, len(blocks), columns):
        band = blocks[start : start + columns]
        for i in range(max(map(len, band))):
            cells = [(block[i] if i < len(block) else "").ljust(wide) for block in band]
            text.append((" " * gap).join(cells).rstrip())
        text.append("")
    return "\n".join(text[:-1])
