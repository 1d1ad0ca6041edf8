"""The numbers of a table: what is measured in each row, and what is learnt to fill and to scale it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from chainrule.tables.columns import Column

__all__ = ["CIRCLES", "CLIP", "LARGEST", "Numbers", "first_day", "fit_numbers", "is_missing", "to_numeric"]

Array = NDArray[Any]

#: Outliers are clipped to so many quartile distances below the first and above the third quartile ("far out", Tukey
#: 1977).
CLIP = 3.0

#: Numbers beyond are taken for this large, so that sums of squares stay finite in float64.
LARGEST = 1e100

#: The parts of a date that turn in a circle: how many there are, and the first.
CIRCLES = {"month": (12, 1), "day": (31, 1), "weekday": (7, 0), "hour": (24, 0), "minute": (60, 0)}

#: What is done with a number: (fill, outliers, scale).
Treatment = tuple[str, str, str]


@dataclass(frozen=True, eq=False)
class Numbers:
    """Numbers that are treated alike: x ↦ scaler(imputer(x)), with x clipped to [low, high].

    Attributes
    ----------
    names : of the inputs
    at : their places among all measured numbers
    low, high : the clip bounds of each
    imputer : scikit-learn's SimpleImputer
    scaler : StandardScaler, RobustScaler, MinMaxScaler or QuantileTransformer; None leaves the numbers as they are
    """

    names: tuple[str, ...]
    at: tuple[int, ...]
    low: Array
    high: Array
    imputer: Any
    scaler: Any

    def __call__(self, numeric: Array) -> Array:
        """Return the inputs, float64 (rows, names), for all that was measured."""
        x = self.imputer.transform(np.clip(numeric[:, self.at], self.low, self.high))
        return x if self.scaler is None else np.asarray(self.scaler.transform(x))

    def undo(self, x: Array) -> Array:
        """Return inputs in the unit of their numbers; what was missing as what it was filled with."""
        return x if self.scaler is None else np.asarray(self.scaler.inverse_transform(x))

    @classmethod
    def fit(cls, names: Sequence[str], at: Sequence[int], numeric: Array, treatment: Treatment) -> Self:
        """Learn clip bounds, fill and scale from the training rows."""
        from sklearn.impute import SimpleImputer

        fill, outliers, scale = treatment
        x = numeric[:, at]
        low, high = _clip_bounds(x, clip=outliers == "clip")
        x = np.clip(x, low, high)
        strategy = {"strategy": "constant", "fill_value": 0.0} if fill == "zero" else {"strategy": fill}
        imputer = SimpleImputer(**strategy, keep_empty_features=True).fit(x)
        x = imputer.transform(x)
        # Where training rows have one value only, nothing is learnt about any other: the bounds close.
        constant = (x == x[0]).all(axis=0)
        low, high = np.where(constant, x[0], low), np.where(constant, x[0], high)
        return cls(tuple(names), tuple(int(i) for i in at), low, high, imputer, _scaler(scale, outliers, x))


def fit_numbers(used: Sequence[Column], numeric: Array) -> Iterable[Numbers]:
    """Learn from what was measured; numbers with the same treatment are put together."""
    groups: dict[Treatment, list[tuple[str, int]]] = {}
    inputs = (number for column in used for number in _inputs(column))
    for at, (name, treatment) in enumerate(inputs):
        groups.setdefault(treatment, []).append((name, at))
    for treatment, members in groups.items():
        names, places = zip(*members, strict=True)
        yield Numbers.fit(names, places, numeric, treatment)


def to_numeric(used: Sequence[Column], values: Sequence[Array], origins: Mapping[str, float]) -> Array:
    """Return all numbers of all columns before they are treated, (rows, numbers); NaN where one is missing."""
    parts: list[Array] = []
    for column, cells in zip(used, values, strict=True):
        if column.kind == "number":
            parts.append(cells)
        elif column.kind == "boolean":
            parts.append(2 * cells - 1)
        elif column.kind == "date":
            for part in column.parts:
                parts += _part(cells, part, origins[column.name])
    return np.stack(parts, axis=1) if parts else np.zeros((len(values[0]), 0))


def _inputs(column: Column) -> Iterable[tuple[str, Treatment]]:
    """Yield the name and the treatment of each number that `to_numeric` takes from a column."""
    treatment = (column.fill, column.outliers, column.scale)
    if column.kind == "number":
        yield column.name, treatment
    elif column.kind == "boolean":
        yield column.name, (column.fill, "keep", "none")
    elif column.kind == "date":
        for part in column.parts:
            if part in CIRCLES:
                yield f"{column.name} {part} sin", ("zero", "keep", "none")
                yield f"{column.name} {part} cos", ("zero", "keep", "none")
            else:
                yield f"{column.name} {part}", treatment


def _part(dates: Array, part: str, origin: float) -> list[Array]:
    """Return a part of dates: one number, or sine and cosine of one that turns in a circle."""
    days, months = dates.astype("datetime64[D]"), dates.astype("datetime64[M]")
    if part == "year":
        number = dates.astype("datetime64[Y]").astype(np.int64) + 1970.0
    elif part == "elapsed":
        number = _days(dates) - origin
    elif part == "month":
        number = months.astype(np.int64) % 12 + 1.0
    elif part == "day":
        number = (days - months.astype("datetime64[D]")).astype(np.int64) + 1.0
    elif part == "weekday":
        number = (days.astype(np.int64) + 3.0) % 7  # 1970 began on a Thursday; Monday is 0
    elif part == "hour":
        number = (dates - days).astype("timedelta64[h]").astype(np.float64)
    else:
        number = (dates - days).astype("timedelta64[m]").astype(np.float64) % 60
    number = np.where(np.isnat(dates), np.nan, number)
    if part not in CIRCLES:
        return [number]
    period, first = CIRCLES[part]
    angle = 2 * np.pi * (number - first) / period
    return [np.sin(angle), np.cos(angle)]


def first_day(dates: Array) -> float:
    """Return the day of the first date, since 1970."""
    present = dates[~np.isnat(dates)]
    return float(_days(present).min()) if len(present) else 0.0


def _days(dates: Array) -> Array:
    """Return days since 1970, with fractions."""
    return dates.astype("datetime64[us]").astype(np.int64) / 86_400e6


def is_missing(values: Array) -> NDArray[np.bool_]:
    """Return where numbers, truth values or dates are missing."""
    return np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)


def _clip_bounds(x: Array, clip: bool) -> tuple[Array, Array]:
    """Return the lowest and the highest value that each number may have."""
    low, high = np.full(x.shape[1], -LARGEST), np.full(x.shape[1], LARGEST)
    if clip:
        for j, column in enumerate(x.T):
            present = np.clip(column[~np.isnan(column)], -LARGEST, LARGEST)
            q1, q3 = np.quantile(present, [0.25, 0.75]) if len(present) else (0.0, 0.0)
            if q3 > q1:  # else half of the values are the same, and clipping would leave nothing but this one
                low[j], high[j] = q1 - CLIP * (q3 - q1), q3 + CLIP * (q3 - q1)
    return low, high


def _scaler(scale: str, outliers: str, x: Array) -> Any:
    from sklearn import preprocessing

    if scale == "none":
        return None
    if scale == "min_max":
        return preprocessing.MinMaxScaler().fit(x)
    if scale == "quantile":
        quantiles = {"n_quantiles": min(1000, len(x)), "subsample": None, "random_state": 0}
        return preprocessing.QuantileTransformer(output_distribution="normal", **quantiles).fit(x)
    if outliers != "robust":
        return preprocessing.StandardScaler().fit(x)
    # With unit_variance a normal distribution gets a standard deviation of 1, as by standardizing. Where the quartiles
    # are the same (a column that is mostly 0), the standard deviation takes the place of their distance.
    scaler = preprocessing.RobustScaler(unit_variance=True).fit(x)
    q1, q3 = np.quantile(x, [0.25, 0.75], axis=0)
    std = x.std(axis=0)
    scaler.scale_ = np.where(q1 < q3, scaler.scale_, np.where(std > 0, std, 1.0))
    return scaler
