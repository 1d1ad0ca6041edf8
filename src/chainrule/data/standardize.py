"""Zero mean and unit variance for every input (lectures 000 and 003)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from chainrule.data.check import check_features
from chainrule.data.limits import Limits
from chainrule.data.rows import CHUNK, Rows
from chainrule.errors import DataError, ShapeError

__all__ = ["Standardizer"]


@dataclass(frozen=True, eq=False)
class Standardizer:
    """x ↦ (x − mean) / std, with the mean and standard deviation of the training data.

    Fit it on the training part only, and apply the same one to validation and test data: their own mean and
    standard deviation would tell the network something about them, and shift them against what it has learnt.

    Attributes
    ----------
    mean, std
        One number for each feature, shape (features,), or for each channel of images, shape (channels,).

    Examples
    --------
    >>> from chainrule.data import Standardizer
    >>> scale = Standardizer.fit([[1.0, 5.0], [3.0, 5.0]])
    >>> scale.mean, scale.std
    (array([2., 5.]), array([1., 1.]))
    >>> scale([[4.0, 5.0]])
    array([[2., 0.]])
    """

    mean: NDArray[Any]
    std: NDArray[Any]

    @classmethod
    def fit(cls, x: Any, weight: Any = None) -> Self:
        """Measure mean and standard deviation (by n) of each feature of (n, features), or channel of (n, h, w, c).

        With a weight for each sample, a weight of 2 is as if the sample were there twice, and 0 as if it were not.
        ``x`` may also be `chainrule.data.rows.Rows`, which are read once, from start to end. Sums are taken in float64;
        the result has the dtype of ``x``. A feature that never changes has its value as mean and deviation 1, so that
        it becomes exactly 0, whatever its size.
        """
        return cls.fit_with_limits(x, weight)[0]

    @classmethod
    def fit_with_limits(cls, x: Any, weight: Any = None) -> tuple[Self, Limits]:
        """Return what `fit` gives, and the smallest and the largest value of each feature or channel, in one pass."""
        if isinstance(x, Rows):
            blocks = (x.read(start, stop) for start, stop in x.stretches())
        else:
            x = check_features(x)
            step = max(1, CHUNK // math.prod(x.shape[1:]))
            blocks = (x[i : i + step] for i in range(0, len(x), step))
        # The mean and the sum of squares around it, merged block by block (Chan, Golub and LeVeque 1979). For images
        # over the samples first, then over the pixels (the variance of all is the mean of the variances plus the
        # variance of the means): NumPy is several times faster at sums over the first axis of long rows.
        count, done = 0.0, 0
        means, squares, low, high = (np.full(math.prod(x.shape[1:]), v) for v in (0.0, 0.0, np.inf, -np.inf))
        for block in blocks:
            rows, size, w = block.reshape(len(block), -1), float(len(block)), None
            if weight is not None:
                w = np.asarray(weight[done : done + len(block)], np.float64)
                rows, w, done = rows[w > 0], w[w > 0], done + len(block)
                if not len(w):
                    continue
                size = w.sum()
            low, high = np.minimum(low, rows.min(axis=0)), np.maximum(high, rows.max(axis=0))
            rows = rows.astype(np.float64)
            mean = rows.mean(axis=0) if w is None else w @ rows / size
            rows -= mean
            shift, total = mean - means, count + size
            means = means + shift * (size / total)
            around = np.square(rows, out=rows)
            squares = squares + (around.sum(axis=0) if w is None else w @ around) + shift**2 * (count * size / total)
            count = total
        pixels, dtype = (-1, x.shape[-1]), x.dtype
        limits = Limits(low.reshape(pixels).min(axis=0), high.reshape(pixels).max(axis=0))
        means, variances = means.reshape(pixels), (squares / count).reshape(pixels)
        std = np.sqrt(variances.mean(axis=0) + means.var(axis=0)).astype(dtype)
        # Rounding can leave a constant feature a tiny deviation, or a mean beside its value, so it is known by its
        # extremes.
        constant = limits.low == limits.high
        center = np.where(constant, limits.low, means.mean(axis=0)).astype(dtype)
        return cls(center, np.where(constant | (std == 0), dtype.type(1), std)), limits

    def without_last(self, count: int) -> Self | None:
        """Return the same for all features but the last so many, which stay as they are; None if none is left.

        >>> from chainrule.data import Standardizer
        >>> Standardizer.fit([[1.0, 7.0], [3.0, 9.0]]).without_last(1)([[3.0, 9.0]])
        array([[1., 9.]])
        """
        if count >= len(self.mean):
            return None
        codes = np.arange(len(self.mean)) >= len(self.mean) - count
        kind = self.mean.dtype.type
        return type(self)(np.where(codes, kind(0), self.mean), np.where(codes, kind(1), self.std))

    def __call__(self, x: Any) -> Any:
        """Return (x − mean) / std, for arrays of NumPy or JAX and for traced values."""
        x = self._checked(x)
        return (x - self.mean) / self.std

    def undo(self, x: Any) -> Any:
        """Return the inverse: x · std + mean.

        >>> from chainrule.data import Standardizer
        >>> Standardizer.fit([[1.0], [3.0]]).undo([[0.0], [2.0]])
        array([[2.],
               [4.]])
        """
        x = self._checked(x)
        return x * self.std + self.mean

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to save: ``mean`` and ``std``."""
        return {"mean": self.mean, "std": self.std}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> Self:
        """Return the standardizer that `to_arrays` described; wrong arrays are a `DataError`."""
        if missing := {"mean", "std"} - set(arrays):
            raise DataError(f"A standardizer needs the arrays mean and std; missing: {', '.join(sorted(missing))}.")
        mean, std = np.asarray(arrays["mean"]), np.asarray(arrays["std"])
        if mean.ndim != 1 or mean.shape != std.shape or {mean.dtype.kind, std.dtype.kind} != {"f"}:
            raise DataError(
                "A standardizer needs one mean and one deviation for each feature; got shapes "
                f"{mean.shape} ({mean.dtype}) and {std.shape} ({std.dtype})."
            )
        if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
            raise DataError("A standardizer needs finite means and finite deviations above 0.")
        return cls(mean, std)

    def __repr__(self) -> str:
        return f"Standardizer({len(self.mean)} {'feature' if len(self.mean) == 1 else 'features'})"

    def _checked(self, x: Any) -> Any:
        x = x if hasattr(x, "shape") else np.asarray(x)
        if not x.shape or x.shape[-1] != len(self.mean):
            raise ShapeError(
                f"Got data of shape {tuple(x.shape)}, and the standardizer was fitted on {len(self.mean)} "
                "features (or channels): the last axis must have that many."
            )
        return x
