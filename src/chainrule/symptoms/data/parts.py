"""Whether training and validation rows are alike, and whether there are rows of every class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.symptoms.data.examined import Examined, examined, share
from chainrule.symptoms.data.order import TOLD_APART, Order, order_of_rows
from chainrule.symptoms.evidence import Evidence, Finding
from chainrule.symptoms.subject import Subject

__all__ = ["classes", "parts_alike"]

Array = NDArray[Any]

#: Deviations of random re-splits, and of the training rows, beyond which a shift is at fault; the second is what
#: a network notices. And of logarithms of deviations: a factor of 2.
DEVIATIONS, MATERIAL, FACTOR = 8.0, 1.0, float(np.log(2.0))

#: Random re-splits; rows below which a part says nothing.
SPLITS, FEWEST = 20, 10

#: Correlation of a column with the number of the row beyond which it drifts through the training rows, too.
DRIFTS = 0.3

#: The rarest class beside an even share; rows of a class; rows for each output or class.
RARE, ROWS_OF_CLASS, ROWS = 0.1, 10, 50

#: Many classes with a few rows each (faces, characters) are not too few where there are so many rows in all.
FEW_IN_ALL = 100


def parts_alike(subject: Subject) -> Iterator[Finding]:
    """Find validation rows that are unlike the training rows: another scale, another source.

    Statistic: over inputs and targets, the difference of the means of the two parts in deviations of the training rows,
    and that of the logarithms of their deviations. Rows that `fit` draws for validation are alike by construction.

    Null: the same for 20 random re-splits of all rows into parts of these sizes; the largest over columns of theirs
    gives mean and deviation of what chance does. Alarm where a difference is 8 of these deviations above their mean
    **and** material (a deviation, a factor of 2), in a column that does not drift through the training rows as well
    (rows in order of time differ by nature: advice). Rows that are in an order (`order_of_rows`) of which the
    validation rows are the end are an alarm where these are harder than those of 8 random re-splits, for trees, and no
    input is a time.

    Source: Rabanser, Günnemann and Lipton (2019), failing loudly.
    """
    data = examined(subject)
    if data.validation is None:
        return
    train, other = (np.concatenate(part, axis=1) for part in ((data.x, data.y), data.validation))
    if min(len(train), len(other)) < FEWEST:
        return
    keep = np.r_[data.quantities, np.ones(data.y.shape[1], np.bool_)] & (np.ptp(np.r_[train, other], axis=0) > 0)
    columns = np.flatnonzero(keep)
    if not len(columns):
        return
    train, other = train[:, columns], other[:, columns]
    means, spreads = _differences(train, other)
    together = np.r_[train, other]
    random = np.random.default_rng(0)
    by_chance = []
    for _ in range(SPLITS):
        order = random.permutation(len(together))
        of_split = _differences(together[order[: len(train)]], together[order[len(train) :]])
        by_chance.append([of_split[0].max(), of_split[1].max()])
    level, deviation = np.mean(by_chance, axis=0), np.std(by_chance, axis=0) + 1e-9
    z = np.stack([(means - level[0]) / deviation[0], (spreads - level[1]) / deviation[1]])
    size = np.stack([means / MATERIAL, spreads / FACTOR])
    beyond = (z > DEVIATIONS) & (size > 1)
    largest = np.where(z > DEVIATIONS, size, 0.0)
    kind, j = np.unravel_index(int(largest.argmax() if largest.any() else size.argmax()), size.shape)
    column = int(columns[j])
    name = data.name(column) if column < data.x.shape[1] else "the target"
    evidence = (
        Evidence("largest difference of means, in deviations", float(means.max()), 0.0, float(max(MATERIAL, level[0]))),
        Evidence("largest difference of log deviations", float(spreads.max()), 0.0, float(max(FACTOR, level[1]))),
        Evidence("deviations of random re-splits", float(z.max()), None, DEVIATIONS),
    )
    sorted_rows = order_of_rows(subject)
    if sorted_rows is not None and (sorted_rows.matters or (sorted_rows.goes_on and not beyond.any())):
        yield _end_of_an_order(sorted_rows, evidence)
        return
    if not beyond.any():
        text = f"Training and validation rows are alike: means differ by {means.max():.2g} deviations at most."
        if not (z > DEVIATIONS).any():
            yield Finding("parts_alike", "note", text, "", evidence, (), ("shift",))
        else:
            text = f"Training and validation rows differ a little: {name} by {_difference(means, spreads, kind, j)}."
            yield Finding("parts_alike", "note", text, "", evidence)
        return
    shifted = np.flatnonzero(beyond.any(axis=0))
    drifting = [c for c in shifted if _drifts(train[:, c])]
    drifts = len(drifting) == len(shifted)
    text = (
        f"Training and validation rows are not alike: {name} differs by {_difference(means, spreads, kind, j)}, random "
        f"parts by {level[kind]:.2g} at most (columns: {len(shifted)} of {len(columns)})."
    )
    if drifts:
        text += " It drifts through the training rows as well, as it does in order of time."
    where = str(data.names[column]) if column < data.x.shape[1] else "target"
    yield Finding("parts_alike", "advice" if drifts else "alarm", text, where, evidence, ("shift",))


def _end_of_an_order(order: Order, evidence: tuple[Evidence, ...]) -> Finding:
    """Return the finding of validation rows that are the end of an order."""
    text = (
        "The rows are in an order, and the validation rows are its end: inputs tell the place of a row (correlation "
        f"{order.place:.2f}) and validation rows from others (area under the curve {order.told_apart:.2f}), and these "
        f"{'are harder' if order.matters else 'are not much harder'}: the error of trees is {order.error:.3g}, for "
        f"random parts {order.by_chance:.3g} (at most {order.most:.3g}). Shuffle the rows before they are cut, unless "
        "they are in order of time."
    )
    more = (
        Evidence("validation rows told from training rows, area under the curve", order.told_apart, 0.0, TOLD_APART),
        Evidence("error of trees on the validation rows", order.error, 0.0, order.most),
    )
    level = "alarm" if order.matters else "advice"
    return Finding("parts_alike", level, text, "validation rows", (*evidence, *more), ("shift",))


def _differences(train: Array, other: Array) -> tuple[Array, Array]:
    """Return how far the columns of two parts differ: means, in deviations; and logarithms of deviations."""
    a, b = train.std(axis=0), other.std(axis=0)
    least = 1e-6 + 1e-3 * np.maximum(a, b)
    both = np.sqrt((a**2 + b**2) / 2) + 1e-12
    means = np.abs(train.mean(axis=0) - other.mean(axis=0)) / np.minimum(np.maximum(a, least), both)
    rare = (a < 1e-9) | (b < 1e-9)  # constant in one part: the means tell
    spreads = np.where(rare, 0.0, np.abs(np.log(np.maximum(a, least) / np.maximum(b, least))))
    return np.where(rare, np.abs(train.mean(axis=0) - other.mean(axis=0)) / both, means), spreads


def _drifts(values: Array) -> bool:
    """Return whether a column goes up or down with the number of the row."""
    from scipy.stats import spearmanr

    if not np.ptp(values):
        return False
    return bool(abs(float(spearmanr(np.arange(len(values)), values).statistic)) > DRIFTS)


def _difference(means: Array, spreads: Array, kind: Any, j: Any) -> str:
    if kind == 0:
        return f"{means[j]:.2g} deviations"
    return f"a factor of {np.exp(spreads[j]):.2g} in its deviation"


def classes(subject: Subject) -> Iterator[Finding]:
    """Find rare classes, and too few rows.

    Statistic: rows of the rarest class over an even share (n / classes), its number of rows, and rows in all for each
    class or output. Exact, but what follows from it is not: rare classes and few rows are natural, so below .1, 10
    and 50 this is advice, and trials decide. Fewer than 10 rows for each class (20 of numbers), and fewer than 100 in
    all, are an alarm, unless they are all that there can be, as in tables of truth.

    Source: He and Garcia (2009), learning from imbalanced data.
    """
    data = examined(subject)
    yield from _few(data)
    if data.labels is None:
        return
    counts = np.bincount(data.labels, minlength=len(data.classes or ()))
    present = counts[counts > 0]
    names = data.classes or tuple(range(len(counts)))
    rarest = int(np.where(counts > 0, counts, len(data) + 1).argmin())
    part = float(present.min() * len(present) / len(data))
    evidence = (
        Evidence("rows of the rarest class over an even share", part, RARE, 1.0),
        Evidence("rows of the rarest class", float(present.min()), ROWS_OF_CLASS, None, None, "rows"),
    )
    absent = [name for name, count in zip(names, counts, strict=False) if not count]
    if absent and len(present) > 1:
        text = f"No row has the class {', '.join(map(repr, absent[:5]))}."
        gone = (Evidence("classes without rows", float(len(absent)), 0.0, 0.0),)
        yield Finding("classes", "advice", text, "target", gone, ("imbalance",))
    rare = f"the class {names[rarest]!r} has {present.min():,} of {len(data):,} rows"
    if part < RARE and len(present) > 1:
        text = (
            f"Classes are uneven: {rare} ({share(float(present.min()), len(data))}); class_weight='balanced' helps it."
        )
        yield Finding("classes", "advice", text, "target", evidence, ("imbalance",))
    elif present.min() >= ROWS_OF_CLASS and len(present) > 1:
        text = f"There are rows of every class: {rare}, the fewest."
        yield Finding("classes", "note", text, "", evidence, (), ("imbalance", "too_little_data"))
    if present.min() < ROWS_OF_CLASS and len(data) >= ROWS * len(present):
        text = f"A class has few rows: {rare}."
        yield Finding("classes", "advice", text, "target", evidence, ("imbalance", "too_little_data"))


def _few(data: Examined) -> Iterator[Finding]:
    answers = 1 if data.labels is None else max(2, len(np.unique(data.labels)))
    if len(data) >= ROWS * answers:
        return
    text = f"There are only {len(data):,} rows" + (f" for {answers} classes." if answers > 1 else ".")
    evidence = (Evidence("rows for each class", len(data) / answers, float(ROWS), None, None, "rows"),)
    too_few = len(data) < min(ROWS_OF_CLASS * max(2, answers), FEW_IN_ALL) and not _are_all_there_can_be(data)
    if too_few:
        text = f"{text[:-1]}: what is learnt from them says little about others."
    yield Finding("classes", "alarm" if too_few else "advice", text, "rows", evidence, ("too_little_data",))


def _are_all_there_can_be(data: Examined) -> bool:
    """Return whether every combination of the values of the inputs is there, as in tables of truth."""
    different = np.unique(data.x, axis=0)
    combinations = np.prod([len(np.unique(column)) for column in data.x.T], dtype=float)
    return bool(len(different) == combinations)
