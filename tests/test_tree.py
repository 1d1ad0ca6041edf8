"""Trees: any nesting of dict, list, tuple and named tuple."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from chainrule import tree


class Point(NamedTuple):
    x: object
    y: object


NESTED = {"b": [1, (2, 3)], "a": Point(4, {"c": 5}), "none": None, "empty": {}}


def test_map_keeps_the_nesting() -> None:
    assert tree.map(lambda v: v * 10, NESTED) == {
        "b": [10, (20, 30)],
        "a": Point(40, {"c": 50}),
        "none": None,
        "empty": {},
    }
    assert isinstance(tree.map(lambda v: v, NESTED)["a"], Point)
    assert tree.map(lambda v: v + 1, 1) == 2


def test_map_over_several_trees_goes_by_key() -> None:
    other = {"empty": {}, "none": None, "a": Point(40, {"c": 50}), "b": [10, (20, 30)]}
    assert tree.map(lambda a, b: b - a, NESTED, other) == {
        "b": [9, (18, 27)],
        "a": Point(36, {"c": 45}),
        "none": None,
        "empty": {},
    }
    with pytest.raises(KeyError):
        tree.map(lambda a, b: a, {"a": 1}, {"b": 1})
    with pytest.raises(ValueError, match="shorter"):
        tree.map(lambda a, b: a, [1, 2], [1])


def test_leaves_come_in_order_with_their_path() -> None:
    assert list(tree.leaves_with_path(NESTED)) == [
        (("b", "0"), 1),
        (("b", "1", "0"), 2),
        (("b", "1", "1"), 3),
        (("a", "x"), 4),
        (("a", "y", "c"), 5),
    ]
    assert tree.leaves(NESTED) == [1, 2, 3, 4, 5]
    assert tree.leaves(None) == []
    assert tree.leaves(7) == [7]


def test_map_with_path() -> None:
    assert tree.map_with_path(lambda path, v: f"{'/'.join(path)}={v}", NESTED) == {
        "b": ["b/0=1", ("b/1/0=2", "b/1/1=3")],
        "a": Point("a/x=4", {"c": "a/y/c=5"}),
        "none": None,
        "empty": {},
    }
    assert tree.map_with_path(lambda path, a, b: (path[-1], a + b), {"w": 1}, {"w": 2}) == {"w": ("w", 3)}


def test_arrays_are_leaves() -> None:
    array = np.arange(6).reshape(2, 3)
    assert tree.leaves([array])[0] is array
    assert tree.map(np.sum, {"w": array}) == {"w": 15}


def test_it_is_the_same_nesting_as_jaxs() -> None:
    import jax

    assert jax.tree.map(lambda v: v * 10, NESTED) == tree.map(lambda v: v * 10, NESTED)
