"""Whether a column gives the target away, has values far from all others, or is on another scale than the rest."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.layers import BatchNorm, Layer, Sequential
from chainrule.models import Model
from chainrule.symptoms.data.examined import Examined, examined, per_subject, row_numbers, share
from chainrule.symptoms.evidence import Evidence, Finding
from chainrule.symptoms.subject import Subject, sample_rows
from chainrule.tables.leaks import ALONE, power, strongest
from chainrule.tables.table import Table

__all__ = ["leaking_columns", "one_column", "outlier_bounds", "scale", "tails"]

Array = NDArray[Any]

#: A tenth of the way between the middles of two classes, around its half, and the share of the rows there: of a cut
#: through normal or uniform numbers it is 10 %, of a column made of the target hardly any.
NEAR, CUT = 0.1, 0.05

#: Rows and inputs that `power` is taken of, and rows below which nothing is said.
ROWS, INPUTS, FEWEST = 2000, 100, 30

#: The same of numbers: measurements of one thing go together to .95 and more by nature.
ALONE_OF_NUMBERS = 0.98

#: What the best column leaves open, beside the second: less, and it stands out.
STANDS_OUT = 0.1

#: The correlation of columns that count as one.
SAME = 0.99

#: Worth a look: a column that tells so much, and leaves open so little beside the second.
MUCH, STANDS_OUT_OF_MUCH = 0.85, 0.2

#: A gap between the extreme values and the others, in the span of these: with ten different values among them and a
#: hundred rows or more, and with fewer. The largest of 200 rows of Adult is 6.4 (capital gains, where 99,999 stands for
#: all above 41,310).
GAP, GAP_OF_FEW, MANY_VALUES, MANY_ROWS = 8.0, 30.0, 10, 100

#: Rows beyond the gap: at least so many, at least this share, at most that.
AT_LEAST, RARE, NOT_RARE = 3, 0.002, 0.1

#: The share of the variance that the most extreme 2 % of the targets have: above, a few decide (advice).
FEW_DECIDE = 0.9

#: Mean square of the inputs (root), and median of mean / deviation, as the network gets them: worth a look, an alarm.
#: Images as raw bytes have 100, the raw columns of iris 4.5.
LARGE, TOO_LARGE, SHIFTED, TOO_SHIFTED = 30.0, 300.0, 3.0, 15.0

#: Decades between the deviations of the columns (advice), and the smallest root mean square that is not.
DECADES, SMALL = 3.0, 0.001


def one_column(subject: Subject) -> Iterator[Finding]:
    """Find a column that gives the target away.

    Statistic: how much of the target each column explains alone (`chainrule.tables.leaks.power`: the answer of the row
    whose value is next; the mean over outputs), best against second.

    Null: two easy classes are told apart by several columns alike (penguins), so the best must leave less than a tenth
    of what the second leaves open, and explain 95 % itself, of numbers 98 % (85 %
    and a fifth are advice). Classes that are a cut through one column (above a
    threshold) have rows on both sides of it, columns made of the target a gap: with 5 % of the rows or more near the
    middle between classes it is a cut. Of a single column nothing is said.

    Source: Kaufman, Rosset and Perlich (2011), leakage in data mining.
    """
    alone = _best_alone(subject)
    if alone is None:
        return
    names, best, second, stands_out = alone
    name = names[0]
    evidence = (
        Evidence("of the target, explained by the best column", best, None, ALONE),
        Evidence("explained by the second column", second),
    )
    if not stands_out:
        text = f"No column alone gives the target away: {_called(name)} tells most, {share(max(best, 0.0), 1)} of it."
        against = ("leak",) if best < ALONE else ()
        if not against:
            text = f"The targets are easy: columns tell them alone, {_called(name)} {share(best, 1)}."
        yield Finding("one_column", "note", text, "", evidence, (), against)
        return
    if best < _alone(subject):
        text = (
            f"The column {_called(name)} alone tells {share(best, 1)} of the target, and the second "
            f"{share(second, 1)}: is it known before the target is?"
        )
        yield Finding("one_column", "advice", text, str(name), evidence, ("leak",))
        return
    text = (
        f"The column {_called(name)} alone tells {share(best, 1)} of the target, and the second {share(second, 1)}: if "
        "it is known only after the target, leave it out."
    )
    yield Finding("one_column", "alarm", text, str(name), evidence, ("leak",))


def _alone(subject: Subject) -> float:
    """Return what a column that gives the target away explains at least."""
    return ALONE_OF_NUMBERS if subject.task == "regression" else ALONE


@per_subject
def _best_alone(subject: Subject) -> tuple[tuple[str | int, ...], float, float, bool] | None:
    """Return the column that tells most of the target alone and its copies, how much that is, how much the next column
    tells, and whether it stands out; None where there are no two columns.
    """
    powers = _powers(subject)
    if len(powers) < 2:
        return None
    name, best = powers[0]
    copies, second = [name], powers[1][1]
    for other, explained in powers[1:]:
        second = explained
        if not _are_same(examined(subject), name, other):
            break
        copies.append(other)
    much = STANDS_OUT if best >= ALONE else STANDS_OUT_OF_MUCH
    stands_out = best >= MUCH and 1 - best < much * (1 - second) and not _is_cut(subject, name)
    return tuple(copies), best, second, stands_out


def _are_same(data: Examined, name: str | int, other: str | int) -> bool:
    """Return whether two columns are the same but for their scale, up to a little noise."""
    if name not in data.names or other not in data.names:
        return False
    columns = data.x[:, [data.names.index(name), data.names.index(other)]]
    return bool((columns.std(axis=0) > 0).all() and abs(np.corrcoef(columns.T)[0, 1]) > SAME)


def _is_cut(subject: Subject, name: str | int) -> bool:
    """Return whether classes are a number's cut into stretches: rows lie on both sides of each cut, next to it."""
    data = examined(subject)
    if data.labels is None or name not in data.names:
        return False
    values = data.x[:, data.names.index(name)]
    middles = np.sort([np.median(values[data.labels == label]) for label in np.unique(data.labels)])
    near = 0
    for low, high in itertools.pairwise(middles):
        near += int((np.abs(values - (low + high) / 2) < (high - low) * NEAR).sum())
    return near > CUT * len(values)


def leaking_columns(subject: Subject) -> tuple[str | int, ...]:
    """Return the names or positions of the columns that give the target away alone, of which there should be none."""
    alone = _best_alone(subject)
    return alone[0] if alone is not None and alone[3] else ()


@per_subject
def _powers(subject: Subject) -> list[tuple[str | int, float]]:
    """Return how much of the target columns explain alone, the best two first."""
    data = examined(subject)
    if len(data) < FEWEST or not np.ptp(data.y, axis=0).any():
        return []
    table = subject.data
    preparation = subject.rows.inputs.preparation
    if isinstance(table, Table) and table.in_memory and preparation is not None:
        target, values, present = table.targets()
        present = present & _not_for_the_test(table)
        frame = table.frame.drop(columns=table.target)[present]
        return [*strongest(frame, preparation.columns, values[present], target.task, most=20)]
    rows = sample_rows(len(data), ROWS)
    x, y = data.x[rows], data.y[rows]
    columns = np.flatnonzero(np.ptp(x, axis=0) > 0)
    if data.labels is not None:
        targets, task = [data.labels[rows]], "classification"
    else:
        flags = bool(((y == 0) | (y == 1)).all())
        task = "classification" if flags else "regression"
        targets = [y[:, k].astype(np.intp) if flags else y[:, k] for k in range(min(y.shape[1], 10))]
    if len(columns) > INPUTS:
        columns = columns[np.argsort(-_related(x[:, columns], y), kind="stable")[:INPUTS]]
    targets = [target for target in targets if np.ptp(target)]
    powers = [
        (data.names[j], float(np.mean([power(_ranks(x[:, j]), target, task) for target in targets]))) for j in columns
    ]
    return sorted(powers, key=lambda pair: -pair[1])


def _not_for_the_test(table: Table) -> NDArray[np.bool_]:
    """Return which rows no column says are for the test."""
    name = table.split_column()
    if name is None:
        return np.ones(len(table.frame), np.bool_)
    return np.asarray(~table.frame[name].astype(str).str.strip().str.lower().isin(["test", "testing"]))


def _ranks(x: Array) -> Array:
    """Return the places of values among the different ones, so that scale and outliers do not matter."""
    return np.unique(x, return_inverse=True)[1].ravel().astype(np.float64)


def _related(x: Array, y: Array) -> Array:
    """Return the largest squared correlation of each input with an output."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    sizes = np.sqrt((x**2).sum(axis=0))[:, None] * np.sqrt((y**2).sum(axis=0))[None] + 1e-300
    return np.asarray(np.abs(x.T @ y / sizes).max(axis=1))


@dataclass(frozen=True)
class Outlying:
    """Extreme values of a column beyond a gap.

    Attributes
    ----------
    column : its place, or -1 - k of output k
    low, high : the range of the others, in the unit of what was given
    gap : from the others to the nearest of them, in spans of these
    rows : the places of the rows
    value : the most frequent of them
    """

    column: int
    low: float
    high: float
    gap: float
    rows: NDArray[np.intp]
    value: float


def tails(subject: Subject) -> Iterator[Finding]:
    """Find values that lie far from all others: stand-ins for missing ones (-999), slips of the decimal point.

    Statistic: the gap between the extreme values of a column (or of a target) and all others, in spans of these, where
    3 rows or more, and .2 to 10 % of them, lie beyond. Inputs as the network gets them, so that a table's clipped
    columns are fine. And the share of a target's variance that the most extreme 2 % of the rows have.

    Null: heavy tails have no gap before their last .2 %: the k-th of n values with tails of exponent a is more than
    g times the next with probability g^(−a·k), for incomes (a ≈ 1.5), g = 9, k = 3: 5·10⁻⁵. Above 8 spans it is an
    alarm; of fewer than a hundred rows or ten different values (counts), above 30. Of a column that is mostly one value
    the others are looked at. Heavy tails are advice.

    Source: Rényi (1953) for ratios of order statistics.
    """
    outlying = _outlying(subject)
    data = examined(subject)
    if len(data) < FEWEST:
        return
    for at in outlying[:3]:
        of = f"column {data.name(at.column)}" if at.column >= 0 else _target(data, at.column)
        text = (
            f"In {len(at.rows):,} rows ({share(len(at.rows), len(data))}) the {of} is far from all others: "
            f"{at.value:g}, and the others go from {at.low:g} to {at.high:g}. Is that a missing value, or another unit?"
        )
        name = str(data.names[at.column]) if at.column >= 0 else "target"
        evidence = (
            Evidence("gap to all others, in spans of these", at.gap, None, GAP),
            Evidence("rows beyond it", float(len(at.rows)), None, None, None, "rows"),
        )
        yield Finding("tails", "alarm", text, name, evidence, ("outliers",))
    if data.labels is None and not outlying and not _are_flags(data.y):
        decide = _decide(data.y)
        if decide > FEW_DECIDE:
            text = (
                f"The most extreme 2 % of the targets have {share(decide, 1)} of their variance, so a few rows decide "
                "what is learnt: learn the logarithm, or use the loss huber."
            )
            few = (Evidence("variance of the most extreme 2 %", decide, None, FEW_DECIDE),)
            yield Finding("tails", "advice", text, "target", few, ("outliers",))
            return
    if not outlying:
        text = f"No value is far from all others in {share(RARE, 1)} of the rows or more."
        yield Finding("tails", "note", text, "", (), (), ("outliers",))


def outlier_bounds(subject: Subject) -> tuple[tuple[str | int, ...], tuple[float, ...], tuple[float, ...]]:
    """Return the columns with values far from all others, and the smallest and the largest of these others.

    Names or positions of columns; () of columns with bounds of length one is a target, see `target_bounds`. In the unit
    of what was given; of a table, of its cells.
    """
    inputs = [at for at in _outlying(subject) if at.column >= 0]
    data = examined(subject)
    preparation = subject.rows.inputs.preparation
    if isinstance(subject.data, Table) and preparation is not None and subject.data.in_memory:
        return _bounds_of_cells(subject, inputs)
    return (
        tuple(data.names[at.column] for at in inputs),
        tuple(at.low for at in inputs),
        tuple(at.high for at in inputs),
    )


def target_bounds(subject: Subject) -> tuple[float, float] | None:
    """Return the smallest and the largest target that is not far from all others; None where none is."""
    targets = [at for at in _outlying(subject) if at.column < 0]
    return (min(at.low for at in targets), max(at.high for at in targets)) if targets else None


def outlying_rows(subject: Subject) -> NDArray[np.intp]:
    """Return the rows with a value far from all others, counted from 0 in the data as it was given."""
    outlying = _outlying(subject)
    if not outlying:
        return np.zeros(0, np.intp)
    return row_numbers(subject)[np.unique(np.concatenate([at.rows for at in outlying]))]


def _bounds_of_cells(
    subject: Subject, outlying: list[Outlying]
) -> tuple[tuple[str | int, ...], tuple[float, ...], tuple[float, ...]]:
    """Return the bounds of the columns of a table, from the cells of the rows that are not beyond the gap."""
    preparation = subject.rows.inputs.preparation
    assert preparation is not None
    frame = subject.data.frame.iloc[row_numbers(subject)]
    values = dict(zip(preparation.inputs, preparation.values(frame), strict=True))
    kinds = {column.name: column.kind for column in preparation.columns}
    data = examined(subject)
    bounds: dict[str | int, tuple[float, float]] = {}
    for at in outlying:
        name = data.names[at.column]
        if kinds.get(str(name)) != "number":
            continue
        others = np.delete(values[str(name)].astype(np.float64), at.rows)
        others = others[np.isfinite(others)]
        bounds[name] = (float(others.min()), float(others.max()))
    return tuple(bounds), tuple(low for low, _ in bounds.values()), tuple(high for _, high in bounds.values())


@per_subject
def _outlying(subject: Subject) -> list[Outlying]:
    """Return the columns with extreme values beyond a gap, the widest first."""
    data = examined(subject)
    n = len(data)
    if n < FEWEST:
        return []
    most = max(AT_LEAST, int(NOT_RARE * n))
    outlying = []
    preparation = subject.rows.inputs.preparation
    quantities = np.flatnonzero(data.quantities)
    if len(data.shape) == 1:
        if preparation is not None:  # flags and shares are no quantities
            quantities = quantities[: sum(len(block.names) for block in preparation.numbers)]
        for column in quantities:
            if (at := _beyond(data.x[:, column], most)) is not None:
                rows, gap = at
                outlying.append(_described(int(column), data.raw[:, column], rows, gap))
    if data.labels is None and not _are_flags(data.y):
        for output in range(data.y.shape[1]):
            if (at := _beyond(data.y[:, output], most)) is not None:
                rows, gap = at
                outlying.append(_described(-1 - output, data.y[:, output], rows, gap))
    return sorted(outlying, key=lambda at: -at.gap)


def _described(column: int, values: Array, rows: NDArray[np.intp], gap: float) -> Outlying:
    others = np.delete(values, rows)
    beyond, counts = np.unique(values[rows], return_counts=True)
    return Outlying(column, float(others.min()), float(others.max()), gap, rows, float(beyond[counts.argmax()]))


def _beyond(values: Array, most: int) -> tuple[NDArray[np.intp], float] | None:
    """Return the rows beyond a gap at either end, and its size in spans of the others; None where there is none.

    Of a column that is mostly one value (sparse inputs are 0), the other values are compared with each other: the span
    of all would be that of the few that happen to lie near it.
    """
    different, counts = np.unique(values, return_counts=True)
    rest = np.flatnonzero(values != different[counts.argmax()])
    if len(rest) < 0.5 * len(values):
        at = _beyond_gap(values[rest], most) if len(rest) >= MANY_ROWS / 2 else None
        return None if at is None else (rest[at[0]], at[1])
    return _beyond_gap(values, most)


def _beyond_gap(values: Array, most: int) -> tuple[NDArray[np.intp], float] | None:
    n = len(values)
    least = max(AT_LEAST, int(np.ceil(RARE * n)))
    most = min(most, n - 2)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    low, high = _cut(ordered, most), n - _cut(-ordered[::-1], most)
    others = ordered[low:high]
    rows = np.r_[order[:low], order[high:]]
    if not least <= len(rows) <= most:
        return None
    span = float(others[-1] - others[0])
    if span <= 0:
        return None
    gaps = [ordered[low] - ordered[low - 1]] if low else []
    gaps += [ordered[high] - ordered[high - 1]] if high < n else []
    gap = float(min(gaps)) / span
    many = len(np.unique(others[:: max(1, len(others) // 2000)])) >= MANY_VALUES and n >= MANY_ROWS
    bound = GAP if many else GAP_OF_FEW
    return (rows, gap) if gap > bound else None


def _cut(ordered: Array, most: int) -> int:
    """Return how many of the smallest values lie below a wide gap, at most so many; 0 where there is none."""
    gaps = np.diff(ordered[: most + 1])
    inner = ordered[-most - 1] - ordered[1 : len(gaps) + 1]  # without the other end, which may be far, too
    wide = np.flatnonzero((gaps > GAP * np.maximum(inner, 0.0)) & (inner > 0))
    return int(wide[-1]) + 1 if len(wide) else 0


def _decide(y: Array) -> float:
    """Return the largest share of an output's variance that its most extreme 2 % have."""
    squares = np.sort((y - np.median(y, axis=0)) ** 2, axis=0)
    total = squares.sum(axis=0)
    few = squares[-max(1, len(y) // 50) :].sum(axis=0)
    return float(np.max(np.where(total > 0, few / np.where(total > 0, total, 1.0), 0.0)))


def scale(subject: Subject) -> Iterator[Finding]:
    """Find inputs and targets that the network gets on a scale far from 0 and 1.

    Statistic: root mean square of the inputs, the median over inputs of |mean| / deviation, decades between their
    deviations; root mean square of the targets (numbers). After all that `fit` does to them (`normalize`,
    `normalize_target`), so it is the user's own scale only where that is off.

    Reference: first weights are drawn for inputs of mean square 1 (Glorot and Bengio, 2010; He et al., 2015). Above 30
    and 3 is advice; 300 and 15 is an alarm, 3 times what trains well as it is (bytes of images: 100; iris: 4.5). Not
    asked where batch normalization comes first.

    Source: lecture 002; LeCun et al. (1998), Efficient BackProp, 4.3.
    """
    data = examined(subject)
    if not _scales_itself(subject.net) and data.quantities.any():
        yield from _scale_of_inputs(data)
    if subject.task == "regression":
        yield from _scale_of_targets(subject)


def _scale_of_inputs(data: Examined) -> Iterator[Finding]:
    x = data.x[:, data.quantities]
    spread = x.std(axis=0)
    varying = spread > 0
    size = float(np.sqrt(np.mean(x**2)))
    if not varying.any():
        return
    if len(data.shape) > 1:  # one mean and deviation for each channel, as they are scaled
        channels = x.reshape(-1, data.shape[-1])
        shifts = np.abs(channels.mean(axis=0)) / np.maximum(channels.std(axis=0), 1e-12)
    else:
        shifts = np.abs(x[:, varying].mean(axis=0)) / spread[varying]
    shift = float(np.median(shifts))
    decades = float(np.log10(spread[varying].max() / spread[varying].min()))
    evidence = (
        Evidence("root mean square of the inputs", size, None, LARGE),
        Evidence("mean over deviation of the inputs, median", shift, None, SHIFTED),
        Evidence("decades between the deviations of the inputs", decades, None, DECADES),
    )
    parts = []
    if size > LARGE:
        j = int(np.argmax(np.sqrt(np.mean(data.x**2, axis=0)) * data.quantities))
        parts.append(f"their root mean square is {size:.3g} instead of 1 (the largest is {data.name(j)})")
    if shift > SHIFTED:
        parts.append(f"they lie {shift:.3g} deviations from 0 instead of around it")
    if parts:
        alarm = size > TOO_LARGE or shift > TOO_SHIFTED
        text = f"The inputs are not scaled: {', and '.join(parts)}. Write normalize=True."
        yield Finding("scale", "alarm" if alarm else "advice", text, "inputs", evidence, ("inputs_unscaled",))
        return
    if size < SMALL:
        text = f"The inputs are tiny: their root mean square is {size:.2g} instead of 1. Write normalize=True."
        yield Finding("scale", "advice", text, "inputs", evidence, ("inputs_unscaled",))
        return
    if decades > DECADES and len(data.shape) == 1 and spread.max() > 10 * np.sqrt(0.1):
        text = (
            f"The deviations of the inputs differ by a factor of 10^{decades:.1f}: the large ones are learnt first. "
            "Write normalize=True."
        )
        yield Finding("scale", "advice", text, "inputs", evidence, ("inputs_unscaled",))
        return
    text = f"The inputs are scaled: root mean square {size:.2g}, {shift:.2g} deviations from 0."
    yield Finding("scale", "note", text, "", evidence, (), ("inputs_unscaled",))


def _scale_of_targets(subject: Subject) -> Iterator[Finding]:
    y = np.asarray(subject.run.prepared.train.y, np.float64)
    if not np.ptp(y, axis=0).any():
        return
    size = float(np.sqrt(np.mean(y**2)))
    evidence = (Evidence("root mean square of the targets", size, SMALL, LARGE),)
    if SMALL <= size <= LARGE:
        text = f"The targets are scaled: root mean square {size:.2g}."
        yield Finding("scale", "note", text, "", evidence, (), ("targets_unscaled",))
        return
    text = (
        f"The targets are not scaled: their root mean square is {size:.3g} instead of 1. Write normalize_target=True."
    )
    level = "alarm" if size > TOO_LARGE else "advice"
    yield Finding("scale", level, text, "target", evidence, ("targets_unscaled",))


def _scales_itself(net: Layer | Model) -> bool:
    """Return whether the first layer with an effect on scales is batch normalization."""
    layer = net.net if isinstance(net, Model) else net
    while isinstance(layer, Sequential) and layer.layers:
        layer = next((each for each in layer.layers if isinstance(each, BatchNorm) or not each.transparent), layer[0])
    return isinstance(layer, BatchNorm)


def _target(data: Examined, column: int) -> str:
    return "target" if data.y.shape[1] == 1 else f"target {-1 - column}"


def _called(name: str | int) -> str:
    return repr(name) if isinstance(name, str) else f"number {name}"


def _are_flags(y: Array) -> bool:
    return bool(((y == 0) | (y == 1)).all())
