"""How weights lie in memory while a compiled program runs: narrow matrices on their side.

XLA's loops on the CPU work along the last axis. A weight matrix (in, out) with few outputs makes them short: for 784
inputs and 30 outputs, gradient and update together take 41 µs this way and 28 µs as (out, in)
(bench/results/layout.md). So the program turns such matrices, and their moments, before its first step and back after
its last one; the network is shown them as they are everywhere else.
"""

from __future__ import annotations

from typing import Any

from chainrule import tree
from chainrule.optimizers import is_weight

#: Matrices with fewer outputs than this are turned.
NARROW = 64

Path = tuple[str, ...]

#: The two axes to swap, for the paths of some arrays.
Turns = dict[Path, tuple[int, int]]


def narrow(params: Any, members: bool = False) -> Turns:
    """Return the narrow weight matrices, to be laid on their side; with ``members`` each has a first axis for them."""
    return {
        path: (-2, -1)
        for path, w in tree.leaves_with_path(params)
        if is_weight(path) and w.ndim == 2 + members and w.shape[-1] < NARROW and w.shape[-1] < w.shape[-2]
    }


def reading(params: Any, inputs: int) -> Turns:
    """Return the weights of many members, (members, inputs, outputs), that multiply the inputs themselves.

    Where all members see the same samples, these lie best as (inputs, members, outputs): one product for all.
    """
    return {
        path: (0, 1)
        for path, w in tree.leaves_with_path(params)
        if is_weight(path) and w.ndim == 3 and w.shape[1] == inputs
    }


def transpose(params: Any, turns: Turns) -> Any:
    """Swap these axes of a tree like the parameters; twice gives the tree itself."""
    return tree.map_with_path(lambda p, w: w.swapaxes(*turns[p]) if p in turns else w, params) if turns else params
