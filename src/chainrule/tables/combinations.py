"""Whether a few columns together give the target away: a sum that is the target, or one that decides its class.

Numbers, truth values (0 and 1) and dates (in days) are looked at, in rows that have all of them:

- numbers: the least-squares fit to every other row, R² on the rows between. Above `EXACT` the target is taken for a sum
  of the columns; if all are positive their logarithms are tried too, which finds products and ratios;
- classes: whether a threshold on a sum of at most `FEW` columns tells a class from the others, all but `ERRORS` of what
  the more frequent of the two leaves open, in at least `ROWS_OF_CLASSES` rows. The sum is that of a logistic regression
  (Newton's method), on the columns with the largest standardized coefficients of the least-squares fit.

Then columns are left out as long as that stays true. Source of the fit: Hastie, Tibshirani and Friedman, *The Elements
of Statistical Learning* (2009), 3.2 and 4.4.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLUMNS", "EXACT", "combinations"]

Array = NDArray[Any]

#: The first columns that are looked at; and rows below which nothing is said, of numbers and of classes.
COLUMNS, ROWS, ROWS_OF_CLASSES = 100, 60, 500

#: R² from which a number is a sum of columns, the fraction of errors up to which a threshold on a sum decides a class,
#: and the fraction from which the least-squares fit must tell it for a threshold to be looked for.
EXACT, ERRORS, PROMISING = 0.9999, 0.002, 0.6

#: At most so many columns decide a class; so many are named; so many classes are tried, the most frequent first.
FEW, NAMED, CLASSES = 4, 8, 5

#: Newton steps of a logistic regression.
STEPS = 30


def combinations(names: Sequence[str], x: Any, y: Any, task: str) -> list[str]:
    """Return what combinations of columns give the target away, as sentences; most often there are none.

    Parameters
    ----------
    names, x
        Columns and their values, (rows, columns), NaN where one is missing.
    y
        A number or the code of a class for each row.
    task
        ``"classification"`` or ``"regression"``.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.tables.combinations import combinations
    >>> x = np.random.default_rng(0).random((200, 3))
    >>> combinations(["casual", "registered", "wind"], x, x[:, 0] + x[:, 1], "regression")[0]
    'The target is a sum of columns: casual + registered (R² 1.0000). If they are known only after the target, leave \
them out.'
    """
    x, y = np.asarray(x, np.float64)[:, :COLUMNS], np.asarray(y)
    columns, rows = _complete(x)
    if len(columns) < 2 or len(rows) < ROWS or len(np.unique(y[rows])) < 2:
        return []
    columns = columns[: len(rows) // 4]
    x, y, names = x[np.ix_(rows, columns)], y[rows], [names[j] for j in columns]
    return _of_numbers(names, x, y.astype(np.float64)) if task == "regression" else _of_classes(names, x, y)


def _complete(x: Array) -> tuple[Array, Array]:
    """Return columns that vary, and the rows that have all of them: of columns with gaps as many as leave half of the
    rows.
    """
    missing = ~np.isfinite(x)
    order = np.argsort(missing.sum(axis=0), kind="stable")
    gaps = np.logical_or.accumulate(missing[:, order], axis=1)
    complete = np.sort(order[gaps.mean(axis=0) <= 0.5])
    rows = np.flatnonzero(~missing[:, complete].any(axis=1))
    return (complete[np.ptp(x[np.ix_(rows, complete)], axis=0) > 0], rows) if len(rows) else (complete[:0], rows)


def _standardized(x: Array) -> tuple[Array, Array, Array]:
    mean, std = x.mean(axis=0), x.std(axis=0)
    std = np.where(std > 0, std, 1.0)
    return (x - mean) / std, mean, std


def _of_numbers(names: list[str], x: Array, y: Array) -> list[str]:
    notes: list[str] = []
    if (note := _sum(names, x, y)) is not None:
        notes.append(note)
    positive = np.flatnonzero((x > 0).all(axis=0))
    if not notes and len(positive) > 1 and (y > 0).all():
        factors = [names[j] for j in positive]
        if (note := _sum(factors, np.log(x[:, positive]), np.log(y), logarithms=True)) is not None:
            notes.append(note)
    return notes


def _sum(names: list[str], x: Array, y: Array, *, logarithms: bool = False) -> str | None:
    """Return the sentence for a target that is a sum (of logarithms: a product) of several columns."""
    z, mean, std = _standardized(x)
    fit, held_out = z[::2], z[1::2]
    center = y[::2].mean()
    rest = float(((y[1::2] - y[1::2].mean()) ** 2).sum())
    if not rest > 0:
        return None

    def solve(use: Sequence[int]) -> tuple[float, Array]:
        weights = np.linalg.lstsq(np.c_[fit[:, use], np.ones(len(fit))], y[::2] - center, rcond=None)[0]
        wrong = y[1::2] - center - np.c_[held_out[:, use], np.ones(len(held_out))] @ weights
        return 1 - float((wrong**2).sum()) / rest, weights

    r2, weights = solve(range(len(names)))
    if r2 <= EXACT:
        return None
    use = _fewest(np.abs(weights[:-1]), len(names), lambda some: solve(some)[0] > EXACT)
    if use is None or len(use) < 2:
        return None
    r2, weights = solve(use)
    slopes, named = weights[:-1] / std[use], [names[j] for j in use]
    constant = center + weights[-1] - float(slopes @ mean[use])
    if logarithms:
        what, terms = "product", _product(slopes, named)
    else:
        what, terms = "sum", _terms(slopes, named) + (f" {constant:+.4g}" if abs(constant) > 0.01 * y.std() else "")
    return (
        f"The target is a {what} of columns: {terms} (R² {np.floor(1e4 * r2) / 1e4:.4f}). If they are known only after "
        "the target, leave them out."
    )


def _of_classes(names: list[str], x: Array, y: Array) -> list[str]:
    if len(y) < ROWS_OF_CLASSES:
        return []
    labels, counts = np.unique(y, return_counts=True)
    notes: list[str] = []
    tried = labels[np.argsort(-counts, kind="stable")][: CLASSES if len(labels) > 2 else 1]
    for label in tried:
        if (rule := _threshold(names, x, y == label)) is not None:
            whole = "the class" if len(labels) == 2 else "a class"
            notes.append(
                f"A threshold on a sum of columns decides {whole}: {rule}. If they are known only after the target, "
                "leave them out."
            )
            break
    return notes


def _threshold(names: list[str], x: Array, is_class: Array) -> str | None:
    """Return the sum of a few columns whose sign tells a class from the others."""
    z, mean, std = _standardized(x)
    base = max(is_class.mean(), 1 - is_class.mean())

    def gain(hits: float) -> float:
        return (hits - base) / (1 - base)

    linear = np.linalg.lstsq(np.c_[z, np.ones(len(z))], np.where(is_class, 1.0, -1.0), rcond=None)[0]
    if gain(_best_hits(z @ linear[:-1], is_class)) < PROMISING:
        return None

    def solve(use: Sequence[int]) -> tuple[float, Array]:
        weights = _logistic(np.c_[z[:, use], np.ones(len(z))], is_class)
        return gain(float(np.mean((np.c_[z[:, use], np.ones(len(z))] @ weights > 0) == is_class))), weights

    use = _fewest(np.abs(linear[:-1]), FEW, lambda some: solve(some)[0] >= 1 - ERRORS)
    if use is None or len(use) < 2:
        return None
    weights = solve(use)[1]
    slopes = weights[:-1] / std[use]
    unit = np.abs(slopes).min() * np.sign(slopes[0])
    border = (float(slopes @ mean[use]) - weights[-1]) / unit
    return f"{_terms(slopes / unit, [names[j] for j in use])} {'>' if unit > 0 else '<'} {border:.4g}"


def _best_hits(score: Array, is_class: Array) -> float:
    """Return the fraction of rows that the best threshold on a score gets right."""
    gained = np.cumsum(np.where(is_class[np.argsort(score, kind="stable")], -1, 1))  # by a threshold after each row
    return float(np.count_nonzero(is_class) + max(0, gained.max())) / len(score)


def _logistic(x: Array, y: Array) -> Array:
    """Return weights of a logistic regression, by Newton's method; of classes that a line separates, of a steep one."""
    weights = np.zeros(x.shape[1])
    for _ in range(STEPS):
        score = x @ weights
        p = 1 / (1 + np.exp(-np.clip(score, -30, 30)))
        spread = np.maximum(p * (1 - p), 1e-10)
        hessian = (x * spread[:, None]).T @ x + 1e-10 * np.eye(x.shape[1])
        weights = weights + np.linalg.solve(hessian, x.T @ (y - p))
        if ((x @ weights > 0) == y).all():
            break
    return weights


def _fewest(weights: Array, most: int, holds: Callable[[list[int]], bool]) -> list[int] | None:
    """Return the columns with the largest weights for which it holds, as few as leave it so; None: for no such
    columns.
    """
    order = np.argsort(-weights, kind="stable").tolist()
    size = 1
    while not holds(order[:size]):
        if size >= min(most, len(order)):
            return None
        size = min(size * 2 if size >= 4 else size + 1, most, len(order))
    use = order[:size]
    for column in reversed(order[:size]):
        fewer = [other for other in use if other != column]
        if fewer and holds(fewer):
            use = fewer
    return sorted(use)


def _terms(slopes: Array, names: list[str]) -> str:
    """Return ``casual + 2 × registered - 0.5 × other``."""
    parts = []
    for slope, name in zip(slopes[:NAMED], names, strict=False):
        size = f"{abs(slope):.4g}"
        parts.append(f"{'- ' if slope < 0 else '+ '}{'' if size == '1' else size + ' × '}{name}")
    more = f" and {len(names) - NAMED:,} more columns" if len(names) > NAMED else ""
    text = " ".join(parts)
    return (text[2:] if text.startswith("+ ") else text.replace("- ", "-", 1)) + more


def _product(powers: Array, names: list[str]) -> str:
    """Return ``price × area^2 / rooms`` up to a factor."""
    parts = []
    for power, name in zip(powers[:NAMED], names, strict=False):
        size = f"{abs(power):.4g}"
        parts.append(f"{'/' if power < 0 else '×'} {name}{'' if size == '1' else '^' + size}")
    more = f" and {len(names) - NAMED:,} more columns" if len(names) > NAMED else ""
    text = " ".join(parts)
    return (text[2:] if text.startswith("× ") else f"1 {text}") + more
