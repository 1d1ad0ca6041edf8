"""The NumPy engine: runs the training step line by line."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import tree


class NumpyEngine:
    """Arrays of NumPy, loops of Python. Good for looking inside and for small jobs: nothing is compiled."""

    name = "numpy"

    def __init__(self, precision: str = "float32") -> None:
        self.precision = precision

    def place(self, values: Any) -> Any:
        """Arrays where the engine works on them."""
        return tree.map(np.asarray, values)

    def fetch(self, values: Any) -> Any:
        """NumPy arrays of the engine's arrays."""
        return values

    def compile(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """The function as the engine runs it: overflow gives inf without a warning, as in a compiled program."""

        @functools.wraps(f)
        def run(*args: Any) -> Any:
            with np.errstate(all="ignore"):
                return f(*args)

        return run

    def scan(self, body: Callable[[Any, Any], tuple[Any, Any]], carry: Any, xs: Any) -> tuple[Any, Any]:
        """``for x in xs: carry, y = body(carry, x)``; returns the last carry and all y, stacked."""
        results = []
        for x in xs:
            carry, y = body(carry, x)
            results.append(y)
        return carry, tree.map(lambda *ys: np.stack(ys), *results) if results else None
