"""Points of two classes on a plane, in shapes that networks are tried on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray


def moons(angle: Array, second: Array) -> Array:
    """Return two half circles that reach into each other."""
    upper = np.stack([np.cos(angle / 2), np.sin(angle / 2)], axis=1)
    return np.where(second[:, None], [1.0, 0.5] - upper, upper) - [0.5, 0.25]


def circles(angle: Array, second: Array) -> Array:
    """Return a circle around another one."""
    return np.where(second, 0.45, 1.0)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def spirals(angle: Array, second: Array) -> Array:
    """Return two spirals, one and a half turns each."""
    turn = 1.5 * angle + np.pi * second
    return (0.1 + 0.9 * angle / (2 * np.pi))[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)


def xor(angle: Array, second: Array) -> Array:
    """Return four clouds, of which those that lie opposite are of one class."""
    corner = np.where(angle < np.pi, 1.0, -1.0)
    return 0.7 * np.stack([corner, np.where(second, -corner, corner)], axis=1)


SHAPES: dict[str, Callable[[Array, Array], Array]] = {
    "moons": moons, "circles": circles, "xor": xor, "spirals": spirals
}  # fmt: skip


def toy(shape: str, rows: int, noise: float, seed: int = 0) -> tuple[Array, Array]:
    """Return points (rows, 2) of a shape with noise of some deviation, and their classes 0 and 1.

    >>> x, y = toy("circles", 4, 0.0)
    >>> np.linalg.norm(x, axis=1).round(2).tolist(), y.tolist()
    ([1.0, 0.45, 1.0, 0.45], [0, 1, 0, 1])
    """
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % 2
    return SHAPES[shape](rng.uniform(0, 2 * np.pi, rows), y == 1) + noise * rng.normal(size=(rows, 2)), y
