"""The NumPy engine: runs the training step line by line."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule import tree

#: A step of a loop, (i, carry) -> carry, result; and another one for every n-th step: (step, n, offset).
Body = Callable[[Any, Any], tuple[Any, Any]]
Every = tuple[Body, Any, Any]


class NumpyEngine:
    """Arrays of NumPy, loops of Python. Good for looking inside and for small jobs: nothing is compiled."""

    name = "numpy"

    #: Whether a function is compiled for each shape of its arguments.
    compiles = False

    #: Whether narrow weight matrices are faster on their side (see `chainrule.training.layout`).
    turns_matrices = False

    def __init__(self, precision: str = "float32") -> None:
        self.precision = precision
        #: How often each program was compiled, by its name: never here.
        self.traces: Counter[str] = Counter()

    #: Parts that a batch is split into, one for each device.
    shards = 1

    def local(self, batch_size: int) -> slice:
        """Return the columns of a batch that this process gives: all of them."""
        return slice(batch_size)

    def put(self, values: Any, sharded: bool = False) -> Any:
        """Put arrays where the engine works on them."""
        return tree.map(np.asarray, values)

    def copy(self, values: Any) -> Any:
        """Return arrays that stay as they are when the originals are given away (`compile`'s ``donate``)."""
        return values

    def fetch(self, values: Any) -> Any:
        """Return NumPy arrays of the engine's arrays."""
        return values

    def compile(self, f: Callable[..., Any], donate: tuple[int, ...] = ()) -> Callable[..., Any]:
        """Return the function as the engine runs it: overflow gives inf without a warning, as in a compiled program."""

        @functools.wraps(f)
        def run(*args: Any) -> Any:
            with np.errstate(all="ignore"):
                return f(*args)

        return run

    def loop(
        self, body: Body, carry: Any, length: int, first: int, last: int, every: Every | None = None
    ) -> tuple[Any, Any]:
        """Run ``for i in range(first, last): carry, results[i] = body(i, carry)``, with results of a fixed length.

        ``every`` is (another body, n, offset): it takes the steps whose number i + offset is a multiple of n.
        """
        results = None
        for i in range(first, last):
            chosen = every[0] if every is not None and (i + every[2]) % every[1] == 0 else body
            carry, new = chosen(i, carry)
            if results is None:
                results = tree.map(lambda v: np.zeros((length, *np.shape(v)), np.asarray(v).dtype), new)
                rows = tree.leaves(results)
            for row, value in zip(rows, tree.leaves(new), strict=True):
                row[i] = value
        return carry, results

    def together(self, f: Callable[..., Any], axes: Sequence[Any], out: Any) -> Callable[..., Any]:
        """Refuse: members train one by one here."""
        raise NotImplementedError("NumPy has no programs of many members.")

    def rows(self, values: Any, at: Any) -> Any:
        """Return ``values[at]`` for positions that are known to exist."""
        return values[at]
