"""Lines along which a map has one value."""

from __future__ import annotations

import numpy as np

__all__ = ["contour"]

Array = np.ndarray

#: The corners of a cell, counter-clockwise as (row, column), and its edges as pairs of them.
CORNERS = ((0, 0), (0, 1), (1, 1), (1, 0))
EDGES = ((0, 1), (1, 2), (2, 3), (3, 0))


def contour(x: Array, y: Array, grid: Array, level: float) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Return pieces of the line along which a map has a value: straight through each cell, by linear interpolation.

    Marching squares: an edge is crossed where its ends lie on different sides of the level. Cells with a value that is
    not finite have no line; in a saddle the crossings are joined in the order of the edges.

    Parameters
    ----------
    x, y : coordinates of the columns and of the rows
    grid : the values, ``grid[i, j]`` at (x[j], y[i])
    level : the value

    >>> import numpy as np
    >>> contour(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.array([[0.0, 1.0], [0.0, 1.0]]), 0.25)
    [((0.25, 0.0), (0.25, 1.0))]
    """
    pieces = []
    above = grid > level
    mixed = np.stack([above[i : i + len(y) - 1, j : j + len(x) - 1] for i, j in CORNERS])
    finite = np.isfinite(grid)
    whole = np.stack([finite[i : i + len(y) - 1, j : j + len(x) - 1] for i, j in CORNERS]).all(axis=0)
    for row, column in np.argwhere(mixed.any(axis=0) & ~mixed.all(axis=0) & whole).tolist():
        places = []
        for start, stop in EDGES:
            (i, j), (k, m) = ((row + CORNERS[at][0], column + CORNERS[at][1]) for at in (start, stop))
            if above[i, j] != above[k, m]:
                share = (level - grid[i, j]) / (grid[k, m] - grid[i, j])
                places.append((float(x[j] + share * (x[m] - x[j])), float(y[i] + share * (y[k] - y[i]))))
        pieces += list(zip(places[::2], places[1::2], strict=True))
    return pieces
