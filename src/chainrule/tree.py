"""Trees: any nesting of dict, list, tuple and named tuple, with arrays (or anything else) as leaves.

The training state, parameters and gradients are such trees. `None` is a tree without leaves. JAX has the
same idea (pytrees); these few functions serve the NumPy engine without importing it, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["leaves", "leaves_with_path", "map", "map_with_path"]

#: What is not a leaf.
_BRANCHES = (dict, list, tuple, type(None))


def map(f: Callable[..., Any], tree: Any, *others: Any) -> Any:  # noqa: A001 - tree.map reads best
    """Apply ``f`` to every leaf of ``tree`` (and to the matching leaves of ``others``); keep the nesting.

    >>> from chainrule import tree
    >>> tree.map(lambda a, b: a + b, {"w": 1, "b": (2, 3)}, {"w": 10, "b": (20, 30)})
    {'w': 11, 'b': (22, 33)}
    """
    if isinstance(tree, dict):
        # One tree and two are written out only because that is faster: this runs in every training step.
        if not others:
            return {k: map(f, v) if isinstance(v, _BRANCHES) else f(v) for k, v in tree.items()}
        if len(others) == 1:
            other = others[0]
            return {k: map(f, v, other[k]) if isinstance(v, _BRANCHES) else f(v, other[k]) for k, v in tree.items()}
        return {k: map(f, v, *(o[k] for o in others)) for k, v in tree.items()}
    if isinstance(tree, (list, tuple)):
        parts = [map(f, *xs) for xs in zip(tree, *others, strict=True)]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return None if tree is None else f(tree, *others)


def leaves_with_path(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every leaf with the keys that lead to it, in order.

    >>> from chainrule import tree
    >>> list(tree.leaves_with_path({"a": [5, 6]}))
    [(('a', '0'), 5), (('a', '1'), 6)]
    """
    if tree is None:
        return
    if isinstance(tree, dict):
        for key, child in tree.items():
            yield from leaves_with_path(child, (*path, str(key)))
    elif isinstance(tree, list | tuple):
        names = getattr(tree, "_fields", range(len(tree)))
        for key, child in zip(names, tree, strict=True):
            yield from leaves_with_path(child, (*path, str(key)))
    else:
        yield path, tree


def leaves(tree: Any) -> list[Any]:
    """Return the leaves of a tree, in order."""
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, (list, tuple)):
        return [] if tree is None else [tree]
    return [leaf for child in tree for leaf in leaves(child)]


def map_with_path(f: Callable[..., Any], tree: Any, *others: Any, path: tuple[str, ...] = ()) -> Any:
    """Apply `map` with the keys that lead to the leaf as the first argument of ``f``."""
    if tree is None:
        return None
    if isinstance(tree, dict):
        return {k: map_with_path(f, v, *(o[k] for o in others), path=(*path, str(k))) for k, v in tree.items()}
    if isinstance(tree, list | tuple):
        names = getattr(tree, "_fields", range(len(tree)))
        parts = [map_with_path(f, *xs, path=(*path, str(name))) for name, *xs in zip(names, tree, *others, strict=True)]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return f(path, tree, *others)
