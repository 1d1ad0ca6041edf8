"""Lines along which a map has one value."""

from __future__ import annotations

import numpy as np

__all__ = ["contour"]

Array = np.ndarray

Place = tuple[float, float]

#: The corners of a cell as (row, column), and its edges as pairs of them. Two cells go along their common edge in one
#: direction, so that they cross it at the same place to the last digit.
CORNERS = ((0, 0), (0, 1), (1, 1), (1, 0))
EDGES = ((0, 1), (1, 2), (3, 2), (0, 3))


def contour(x: Array, y: Array, grid: Array, level: float) -> list[Array]:
    """Return the lines along which a map has a value, each as places (n, 2), straight through each cell.

    Marching squares (Lorensen and Cline, 1987, in two dimensions): an edge of a cell is crossed where its ends lie on
    different sides of the level, by linear interpolation. Cells with a value that is not finite have no line; in a
    saddle the crossings are joined in the order of the edges.

    Parameters
    ----------
    x, y : coordinates of the columns and of the rows
    grid : the values, ``grid[i, j]`` at (x[j], y[i])
    level : the value

    >>> import numpy as np
    >>> contour(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.array([[0.0, 1.0], [0.0, 1.0]]), 0.25)[0].tolist()
    [[0.25, 0.0], [0.25, 1.0]]
    """
    pieces: list[tuple[Place, Place]] = []
    above = grid > level
    corners = [(slice(i, i + len(y) - 1), slice(j, j + len(x) - 1)) for i, j in CORNERS]
    count = sum(above[at].astype(int) for at in corners)
    whole = np.logical_and.reduce([np.isfinite(grid)[at] for at in corners])
    for row, column in np.argwhere((count > 0) & (count < 4) & whole).tolist():
        places = []
        for start, stop in EDGES:
            (i, j), (k, m) = ((row + CORNERS[at][0], column + CORNERS[at][1]) for at in (start, stop))
            if above[i, j] != above[k, m]:
                share = (level - grid[i, j]) / (grid[k, m] - grid[i, j])
                places.append((float(x[j] + share * (x[m] - x[j])), float(y[i] + share * (y[k] - y[i]))))
        pieces += list(zip(places[::2], places[1::2], strict=True))
    return _joined(pieces)


def _joined(pieces: list[tuple[Place, Place]]) -> list[Array]:
    """Return pieces that meet at their ends as lines."""
    at: dict[Place, list[int]] = {}
    for number, ends in enumerate(pieces):
        for place in ends:
            at.setdefault(place, []).append(number)
    lines, used = [], set()
    for number, (first, last) in enumerate(pieces):
        if number in used:
            continue
        used.add(number)
        line = [first, last]
        for _ in range(2):  # on from its end, then from its start
            while (more := next((n for n in at[line[-1]] if n not in used), None)) is not None:
                used.add(more)
                a, b = pieces[more]
                line.append(b if a == line[-1] else a)
            line.reverse()
        lines.append(np.array(line))
    return lines
