"""Probes: what every layer does on chosen steps, computed inside the program that trains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule import random, tree
from chainrule.backprop.tensor import collect_marks
from chainrule.checks import check_name
from chainrule.engine import namespace
from chainrule.models.forward import forward
from chainrule.recipe.state import Recipe

Array = Any

#: Of a layer's values before (z) and after (a) its activation, or its output, on the batch.
OF_VALUES = ("mean", "std", "zeros", "gradient")

#: Of a parameter.
OF_PARAMETERS = ("size", "gradient", "change")


class Probes:
    """Figures of every layer and parameter, on the steps that were probed: ``probes["dense_1/z/std"]``.

    For the values of a layer on the batch, ``dense_1/z/…`` before and ``dense_1/a/…`` after its activation
    (``…/output/…`` for layers without one):

    ==============  =========================================================================
    ``mean``        over samples and units
    ``std``   standard deviation, likewise
    ``zeros``       share that is exactly 0 (ReLU units that do not fire)
    ``gradient``    root of the mean square of ∂C/∂value, C the mean cost of the batch (0 where none flows)
    ==============  =========================================================================

    For a parameter, ``dense_1/weight/…``:

    ==============  =========================================================================
    ``size``        root of its mean square before the step
    ``gradient``    root of the mean square of its gradient (with L1 and L2 terms)
    ``change``      root of the mean square of what the step added to it
    ==============  =========================================================================

    With micro-batches the values are those of the last part.

    >>> import chainrule as cr
    >>> run = cr.fit(cr.mlp([4, 8, 3]), cr.data.load("iris"), epochs=2, batch_size=30, probe_every=4, progress=False)
    >>> run.probes.steps
    [1, 5, 9]
    >>> len(run.probes["dense_1/weight/gradient"])
    3
    """

    def __init__(self, every: int | None, names: list[str], steps: list[int] | None = None, rows: Any = ()) -> None:
        #: Steps from one probed step to the next; None where they differ.
        self.every = every
        self.names = names
        #: The steps that were probed (from 1).
        self.steps: list[int] = list(steps or [])
        self.rows: list[list[float]] = [list(row) for row in rows]

    def __getitem__(self, name: str) -> list[float]:
        check_name("probe", name, self.names)
        at = self.names.index(name)
        return [row[at] for row in self.rows]

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __repr__(self) -> str:
        every = "" if self.every is None else f", every {self.every}"
        return f"Probes({len(self.names)} figures on {len(self)} steps{every})"

    def add(self, first: int, rows: np.ndarray) -> None:
        """Take the probed ones of the steps that begin with step ``first`` (from 0)."""
        for step, row in enumerate(rows, first):
            if self.every is not None and step % self.every == 0:
                self.steps.append(step + 1)
                self.rows.append([float(v) for v in row])

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame with one row per probed step."""
        import pandas as pd

        return pd.DataFrame(self.rows, index=pd.Index(self.steps, name="step"), columns=self.names)


def names(recipe: Recipe, params: Any, model_state: Any, input_shape: tuple[int, ...]) -> list[str]:
    """Return the names of all figures: `figures` gives them in this order."""
    x = np.zeros((2, *input_shape), np.float32)  # only the names of its values matter
    with collect_marks() as marks, np.errstate(all="ignore"):
        forward(recipe.net, params, model_state, x, key=random.key(0), train=True)
    paths = ["/".join(path) for path, _ in _sorted(params)]
    return [f"{m}/{f}" for m in marks for f in OF_VALUES] + [f"{p}/{f}" for p in paths for f in OF_PARAMETERS]


def figures(marks: dict[str, tuple[Array, Array | None]], params: Any, gradients: Any, new: Any) -> Array:
    """Return the figures of one step, as one array in the order of `names`."""
    values: list[Array] = []
    for value, gradient in marks.values():
        xp = namespace(value)
        values += [value.mean(), value.std(), (value == 0).mean(), 0.0 if gradient is None else _size(gradient)]
    for (_, w), (_, g), (_, after) in zip(*map(_sorted, (params, gradients, new)), strict=True):
        values += [_size(w), _size(g), _size(after - w)]
    xp = namespace(*values)
    return xp.stack([xp.asarray(v, np.float32) for v in values])


def _sorted(params: Any) -> list[tuple[tuple[str, ...], Array]]:
    """Return the leaves by their paths: JAX sorts the keys of a dict, NumPy's keep the order they were made in."""
    return sorted(tree.leaves_with_path(params), key=lambda leaf: leaf[0])


def _size(values: Array) -> Array:
    """Return the root of the mean square."""
    return namespace(values).sqrt((values * values).mean())
