"""The range of the training inputs, and what of other inputs lies far outside of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import DataError

__all__ = ["FAR", "Limits", "Outside", "is_coarse"]

#: A value is far outside if it is more than so many widths of the training range away from that range. A factor
#: of 100 or 1,000 between units is; a value that training happened not to show is not.
FAR = 5.0

#: float32 is too coarse for values if its step at their size is more than this fraction of their standard deviation.
COARSE = 1e-3

#: So many features are named at most.
MOST_NAMED = 3


def is_coarse(largest: Any, std: Any) -> NDArray[np.bool_]:
    """Return whether float32 cannot tell values apart that differ by little: they are large beside their deviation.

    >>> import numpy as np
    >>> from chainrule.data.limits import is_coarse
    >>> is_coarse(np.array([1e9, 1e3]), np.array([1.0, 1.0]))
    array([ True, False])
    """
    step = np.spacing(np.abs(np.asarray(largest)).astype(np.float32)).astype(np.float64)
    return np.asarray((step > COARSE * np.asarray(std)) & (np.asarray(std) > 0))


@dataclass(frozen=True, eq=False)
class Outside:
    """Values far outside of the training range, feature by feature. Those of several blocks of rows add up.

    Attributes
    ----------
    limits : the training range
    rows : how many rows there are
    counts : of each feature (or channel), how many rows have a value far outside
    low, high : the smallest and the largest value of each
    """

    limits: Limits
    rows: int
    counts: NDArray[np.int64]
    low: NDArray[Any]
    high: NDArray[Any]

    def __add__(self, other: Outside) -> Outside:
        low, high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        return Outside(self.limits, self.rows + other.rows, self.counts + other.counts, low, high)

    def __bool__(self) -> bool:
        return bool(self.counts.any())

    def sentence(self, names: Sequence[str] | None = None) -> str:
        """Return what is to be told: which features, how many rows, from where to where."""
        worst = np.argsort(-self.counts, kind="stable")
        worst = worst[self.counts[worst] > 0]
        parts = []
        for j in worst[:MOST_NAMED]:
            name = repr(names[j]) if names is not None and j < len(names) else f"input {j}"
            parts.append(
                f"{name} goes from {self.low[j]:.6g} to {self.high[j]:.6g} (far outside in {self.counts[j]:,} of "
                f"{self.rows:,} rows), in training from {self.limits.low[j]:.6g} to {self.limits.high[j]:.6g}"
            )
        more = f"; and {len(worst) - MOST_NAMED:,} more" if len(worst) > MOST_NAMED else ""
        return (
            f"Inputs are far outside of the range of the training data: {'; '.join(parts)}{more}. Are they in the same "
            "unit, and scaled in the same way? Outputs for such inputs mean little."
        )


@dataclass(frozen=True, eq=False)
class Limits:
    """The smallest and the largest value of each feature, or channel of images, among the training inputs.

    >>> import numpy as np
    >>> from chainrule.data.limits import Limits
    >>> limits = Limits.fit(np.array([[0.0, 10.0], [1.0, 30.0]]))
    >>> limits.low, limits.high
    (array([ 0., 10.]), array([ 1., 30.]))
    >>> limits.outside(np.array([[0.5, 40.0], [255.0, 20.0]])).counts
    array([1, 0])
    """

    low: NDArray[Any]
    high: NDArray[Any]

    @classmethod
    def fit(cls, x: Any) -> Self:
        """Return the limits of the last axis of an array."""
        axes = tuple(range(x.ndim - 1))
        return cls(x.min(axis=axes).astype(np.float64), x.max(axis=axes).astype(np.float64))

    @property
    def fractions(self) -> bool:
        """Whether all values were from 0 to 1, as those of pixels divided by 255."""
        return bool(self.low.min() >= 0 and self.high.max() <= 1 and self.high.max() > 0)

    def outside(self, x: NDArray[Any]) -> Outside:
        """Return the values that are more than `FAR` widths of the training range away from it.

        A feature that was (nearly) constant in training is measured by the median width of all features.
        """
        width = self.high - self.low
        width = np.maximum(width, np.median(width[width > 0])) if (width > 0).any() else np.maximum(abs(self.high), 1.0)
        axes = tuple(range(x.ndim - 1))
        low, high = x.min(axis=axes), x.max(axis=axes)
        lowest, highest = self.low - FAR * width, self.high + FAR * width
        counts = np.zeros(len(width), np.int64)
        for j in np.flatnonzero((low < lowest) | (high > highest)):
            column = x[..., j].reshape(len(x), -1)
            counts[j] = ((column < lowest[j]) | (column > highest[j])).any(axis=1).sum()
        return Outside(self, len(x), counts, low, high)

    def merged(self, other: Limits) -> Limits:
        """Return the limits of both."""
        return Limits(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to save: ``low`` and ``high``."""
        return {"low": self.low, "high": self.high}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> Self:
        """Return the limits that `to_arrays` described; wrong arrays are a `DataError`."""
        low, high = (np.asarray(arrays.get(name, ())) for name in ("low", "high"))
        if low.ndim != 1 or low.shape != high.shape or not low.size or {low.dtype.kind, high.dtype.kind} != {"f"}:
            raise DataError("The range of the inputs needs a low and a high number for each feature.")
        if not (np.isfinite(low).all() and np.isfinite(high).all() and (low <= high).all()):
            raise DataError("The range of the inputs needs finite numbers, the low ones below the high ones.")
        return cls(low, high)

    def __repr__(self) -> str:
        return f"Limits({math.prod(self.low.shape):,} features)"
