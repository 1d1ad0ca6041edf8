"""Inputs that were prepared already: the columns of a table as the numbers that the network takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import DataError

__all__ = ["PreparedInputs"]


class PreparedInputs:
    """An array of inputs, marked as prepared: what a model would do to the columns of a table has been done.

    A model that was trained on a table takes tables, whose columns it prepares by name. A plain array says nothing of
    what its columns are, so it is refused; wrapped in this it is taken as it is. The parts of a `Dataset` that was made
    of a table (`train`, `validation`, `test`) come wrapped.

    Parameters
    ----------
    x
        (rows, inputs), as the model's preparation makes them.
    by
        The preparation that made them, where it is known: a model with another one refuses them.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.data import PreparedInputs
    >>> x = PreparedInputs(np.eye(3))
    >>> x.shape, len(x[:2]), np.asarray(x).sum().item()
    ((3, 3), 2, 3.0)
    """

    def __init__(self, x: Any, by: Any = None) -> None:
        if len(getattr(x, "shape", ())) != 2:
            raise DataError(
                f"Prepared inputs are an array (rows, inputs); got {getattr(x, 'shape', type(x).__name__)}."
            )
        self.x: Any = x
        self.by: Any = by
        if isinstance(x, PreparedInputs):
            self.x, self.by = x.x, x.by if by is None else by

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, inputs)."""
        return tuple(self.x.shape)

    @property
    def dtype(self) -> Any:
        """Of the array."""
        return self.x.dtype

    @property
    def ndim(self) -> int:
        """Always 2."""
        return 2

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Any) -> PreparedInputs:
        """Return some of the rows."""
        return PreparedInputs(self.x[rows], self.by)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.x, dtype, copy=copy)

    def __repr__(self) -> str:
        return f"PreparedInputs({self.shape[0]:,} rows of {self.shape[1]:,} inputs)"
