"""Arrays of the engines are their own."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.engine import choose
from chainrule.engine.compiled import HANDED_OVER


@pytest.mark.parametrize("size", [3, HANDED_OVER // 4, HANDED_OVER])  # floats: below, at and above the bound
def test_changing_what_was_placed_changes_nothing(size: int) -> None:
    engine = choose("jax")
    room = np.zeros(size + 16, np.float32)
    start = (-room.ctypes.data // 4) % 16  # where JAX would use the memory as it is: at a multiple of 64 bytes
    array = room[start : start + size]
    placed = engine.put({"x": array, "n": np.float32(0)})
    array[:] = 1.0
    fetched = engine.fetch(placed)
    assert not fetched["x"].any()
    assert (fetched["x"].dtype, fetched["n"].dtype, fetched["n"].shape) == (np.float32, np.float32, ())


def test_precision_is_that_of_the_engine() -> None:
    for precision in ("float32", "float64"):
        engine = choose("jax", precision=precision)
        placed = engine.fetch(engine.put([np.ones(3, precision), np.zeros((2, 2**19), precision)]))
        assert [a.dtype for a in placed] == [np.dtype(precision)] * 2
