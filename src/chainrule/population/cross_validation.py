"""`cross_validate`: every row is predicted by networks that have not seen it (lecture 003)."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import random
from chainrule.data import Dataset, PreparedInputs, encode_target
from chainrule.data.rows import Rows
from chainrule.errors import DataError, SettingError
from chainrule.layers import Layer
from chainrule.metrics import metric_of
from chainrule.models import Model
from chainrule.population.fit import fit_population
from chainrule.population.folds import Fold, make_folds
from chainrule.population.networks import network
from chainrule.population.population import Population
from chainrule.schedules import Schedule
from chainrule.statistics import LEVEL, alike, check_confidence, percent
from chainrule.tables.split import split_rows
from chainrule.tables.table import Table
from chainrule.tables.target import target_column
from chainrule.training.memory import check_room
from chainrule.training.run import Run
from chainrule.training.run_data import pair_of, unpack

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["CrossValidation", "cross_validate"]

Array = np.ndarray[Any, Any]

#: The random stream that draws the validation rows of the folds.
INNER = 2**32 - 4

#: Seeds and folds that are shown one by one.
SHOWN_SEEDS, SHOWN_FOLDS = 6, 40


def cross_validate(
    net: Layer | Callable[[Dataset], Layer],
    data: Any,
    folds: int = 5,
    seeds: int | Sequence[int] = 1,
    *,
    repeats: int = 1,
    stratify: Any = "auto",
    groups: Any = None,
    seed: int = 0,
    validation: float | None = None,
    **settings: Any,
) -> CrossValidation:
    """Train on all folds but one and judge on that one, in turn, with one or several seeds; all as one population.

    Whatever is learnt from data (mean and deviation of the inputs; of a `Table` the kinds of columns, imputation,
    categories, all of it) is learnt in each fold anew from the rows that it trains on. The score of a fold is that of
    the trained model on the rows that were held out, measured once, at the end.

    Parameters
    ----------
    net
        A layer, or a function that makes one for a `Dataset` of a fold's training rows: with tables the number of
        inputs may differ from fold to fold. A `Sequential` whose first `Dense` layer has no ``inputs`` takes any.
    data
        ``(x, y)``, a `Dataset` (of which only the training part is used), or a `Table`, as for `fit`, in memory. Of a
        table the rows that have a target are used, but not those that a column says are for the test.
    folds
        The number k of folds.
    seeds
        So many networks for each fold, with the seeds ``seed``, ``seed + 1``, …; or a list of seeds.
    repeats
        How often to do it all, each time with other folds.
    stratify
        Whether every fold gets the classes in the same shares. "auto": if there are classes. An array has another
        class for each row to go by.
    groups
        A value for each row, or the name of a column of a table (which is then no input): rows with the same value are
        held out together.
    seed
        For the folds, which are those of scikit-learn's splitters (see `make_folds`), and the first of the seeds.
    validation
        A share of each fold's training rows that is left out of the training for `EarlyStopping` (or a callback) to
        watch; with classes in the same shares, and groups kept together. The fold that is held out cannot serve for
        that: it would then help to choose the model that it judges. Without it the curves ``val_loss`` … in the
        histories are those of the held-out fold, to look at, unless a callback or a schedule could act on them.
    settings
        Those of `fit` for all networks; ``strategy``, ``out`` and ``resume`` of `fit_population`, which keep the
        networks in a folder and go on with them.

    Returns
    -------
    CrossValidation
        ``scores``, ``mean``, ``deviation``, ``interval()``, ``per_fold``, ``predictions``, ``runs``; printed, a table.

    Raises
    ------
    DataError
        Fewer rows of a class than folds, more folds than rows or groups, a class that a fold does not train on, data
        that is not in memory or was prepared as a whole.
    SettingError
        Fewer than two folds; early stopping without ``validation``.

    Examples
    --------
    >>> import chainrule as cr
    >>> iris = cr.data.load("iris")
    >>> result = cr.cross_validate(cr.Dense(3, "softmax"), iris, folds=3, seeds=2, epochs=20,
    ...     optimizer=cr.Adam(lr=0.1), progress=False)
    >>> result.scores.shape, result.mean > 0.9
    ((3, 2), True)
    >>> result.predictions.shape  # of each flower, by networks that have not seen it
    (150, 3)
    """
    _check_network(net)
    _check_stopping(settings.get("early_stopping"), validation)
    numbers = _numbers(seeds, seed)
    samples = _samples(net, data, groups)
    labels = _labels(stratify, samples)
    rows = samples.rows
    divided = [
        dataclasses.replace(fold, train=rows[fold.train], held_out=rows[fold.held_out])
        for fold in make_folds(len(rows), folds, labels=labels, groups=samples.groups, repeats=repeats, seed=seed)
    ]
    members = []
    for fold in divided:
        given = {"rows": fold.train, "held_out": fold.held_out}
        if validation is not None:
            given = _inner(fold, samples, validation, seed)
        elif _may_act(settings):
            del given["held_out"]
        _check_classes(fold, given["rows"], samples)
        members += [given | {"seed": number} for number in numbers]
    population = fit_population(net, samples.data, members, **settings)
    return _judged(population, samples, divided, numbers)


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What `cross_validate` found.

    Attributes
    ----------
    metric : "accuracy", or for numbers to predict "mae", the mean absolute error
    scores : (folds, seeds), or with repeats (folds, seeds, repeats): the metric on the held-out rows, each network's
        once, at the end of its training; NaN for one that diverged
    losses : the same for the mean cost
    folds : the `Fold` of each split, with the row numbers of the data
    seeds : the seeds
    predictions : (n, outputs), or (n,) for networks with one output: probabilities or values for every row in the order
        of the data, by the networks that have not seen it, averaged over seeds and repeats. NaN for rows that were not
        used, and where all of these networks diverged
    classes : what the columns of the probabilities stand for, or None
    runs : a `Run` for each network: first the seeds of fold 1, then those of fold 2, …, repeat after repeat
    population : `Population`, all networks with their histories

    Examples
    --------
    >>> import chainrule as cr
    >>> result = cr.cross_validate(cr.Dense(3, "softmax"), cr.data.load("iris"), folds=3, seeds=2, epochs=20,
    ...     optimizer=cr.Adam(lr=0.1), progress=False)
    >>> low, high = result.interval()
    >>> low < result.mean < high
    True
    >>> len(result.runs), list(result.per_fold["held_out"])
    (6, [50, 50, 50])
    """

    metric: str
    scores: Array
    losses: Array
    folds: tuple[Fold, ...]
    seeds: tuple[int, ...]
    predictions: Array
    classes: tuple[Any, ...] | None
    population: Population = field(repr=False)

    @functools.cached_property
    def runs(self) -> tuple[Run, ...]:
        """A `Run` for each network: the seeds of fold 1, then those of fold 2, …, repeat after repeat."""
        return tuple(self.population)

    @property
    def of_splits(self) -> Array:
        """The score of each split (fold of a repeat), averaged over the seeds that did not diverge."""
        return _mean(self._by_split(self.scores))

    @property
    def mean(self) -> float:
        """The mean of the splits' scores; those of networks that diverged are left out (see `diverged`)."""
        return float(_mean(self.of_splits[None])[0])

    @property
    def deviation(self) -> float:
        """The standard deviation of the splits' scores (divided by their number - 1): between folds."""
        found = self.of_splits[np.isfinite(self.of_splits)]
        return float(found.std(ddof=1)) if len(found) > 1 else math.nan

    @property
    def seed_deviation(self) -> float:
        """The standard deviation between seeds within a fold: the root of the mean variance. NaN for a single seed."""
        by_split = self._by_split(self.scores)
        variances = [row[np.isfinite(row)].var(ddof=1) for row in by_split if np.isfinite(row).sum() > 1]
        return float(np.sqrt(np.mean(variances))) if variances else math.nan

    @property
    def diverged(self) -> int:
        """How many networks diverged: they have no score."""
        return int(np.isnan(self.scores).sum())

    def interval(self, confidence: float = LEVEL) -> tuple[float, float]:
        """Return the corrected resampled t interval of the mean score of networks trained on so many rows.

        m ± t(J − 1) · √((1/J + n_held_out / n_train) · s²)

        with m the mean and s² the variance (divided by J − 1) of the J splits' scores. The plain interval has 1/J
        alone, as if the splits were independent. They are not: two folds of five share three quarters of their
        training rows, so that the scores differ less from each other than from those on new data, and the plain
        interval is too narrow. The second term allows for it. It is a rule of thumb (no unbiased estimate of the
        variance exists) and mostly errs on the wide side.

        It is about the choice of rows. The seeds are the same in all splits, so what other seeds would give is not in
        it: `seed_deviation` tells how much they matter. NaN where fewer than two splits have a score.

        Source: Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52 (2003); for repeated
        k-fold: Bouckaert and Frank, PAKDD (2004).

        >>> import chainrule as cr
        >>> result = cr.cross_validate(cr.Dense(3, "softmax"), cr.data.load("iris"), epochs=5, progress=False)
        >>> low, high = result.interval(0.99)
        >>> low < result.interval()[0]
        True
        """
        from scipy import stats

        check_confidence(confidence)
        found = np.isfinite(self.of_splits)
        splits = int(found.sum())
        if splits < 2:
            return math.nan, math.nan
        share = np.mean([len(fold.held_out) / len(fold.train) for fold in np.array(self.folds, object)[found]])
        quantile = float(stats.t.ppf(0.5 + confidence / 2, splits - 1))
        reach = quantile * math.sqrt(1 / splits + float(share)) * self.deviation
        return self.mean - reach, self.mean + reach

    @property
    def per_fold(self) -> DataFrame:
        """A row for each split: how many rows it trained on and held out, mean, deviation between seeds, diverged."""
        import pandas as pd

        scores = self._by_split(self.scores)
        return pd.DataFrame(
            {
                "repeat": [fold.repeat for fold in self.folds],
                "fold": [fold.fold for fold in self.folds],
                "train": [len(fold.train) for fold in self.folds],
                "held_out": [len(fold.held_out) for fold in self.folds],
                self.metric: self.of_splits,
                "deviation": [
                    float(np.std(s, ddof=1)) if len(s := row[np.isfinite(row)]) > 1 else math.nan for row in scores
                ],
                "loss": _mean(self._by_split(self.losses)),
                "diverged": np.isnan(scores).sum(axis=1),
            }
        )

    @property
    def per_seed(self) -> DataFrame:
        """A row for each seed: the mean of its scores over the splits, their deviation, and how many diverged."""
        import pandas as pd

        scores = self._by_split(self.scores).T
        return pd.DataFrame(
            {
                "seed": self.seeds,
                self.metric: _mean(scores),
                "deviation": [
                    float(np.std(s, ddof=1)) if len(s := row[np.isfinite(row)]) > 1 else math.nan for row in scores
                ],
                "loss": _mean(self._by_split(self.losses).T),
                "diverged": np.isnan(scores).sum(axis=1),
            }
        )

    def _by_split(self, values: Array) -> Array:
        """(folds, seeds[, repeats]) as (splits, seeds), repeat after repeat, in the order of `folds`."""
        cube = values if values.ndim == 3 else values[..., None]
        return cube.transpose(2, 0, 1).reshape(len(self.folds), len(self.seeds))

    def __str__(self) -> str:
        return "\n".join([*self._headline(), "", *self._table()])

    def _headline(self) -> list[str]:
        repeats = self.folds[-1].repeat
        what = f"{len(self.folds) // repeats} folds"
        what += f" x {len(self.seeds)} seeds" if len(self.seeds) > 1 else ""
        what += f" x {repeats} repeats" if repeats > 1 else ""
        low, high = self.interval()
        figures = alike(self.mean, self.deviation, low, high, self.seed_deviation, scale=self.deviation)
        between = f", ± {figures[4]} between seeds" if math.isfinite(self.seed_deviation) else ""
        lines = [f"{what}: {self.metric} {figures[0]} ± {figures[1]} between folds{between}"]
        if math.isfinite(low):
            lines.append(
                f"{percent(LEVEL)} interval of the mean: {figures[2]} to {figures[3]} (corrected: folds share training "
                "rows)"
            )
        if self.diverged:
            lines.append(
                f"{self.diverged} of {self.scores.size} networks diverged and have no score; the figures are those of "
                "the others, and flatter these settings."
            )
        return lines

    def _table(self) -> list[str]:
        repeats, few = self.folds[-1].repeat, len(self.seeds) <= SHOWN_SEEDS
        head = (["repeat"] if repeats > 1 else []) + ["fold", "trained on", "held out", self.metric]
        head += [f"seed {s}" for s in self.seeds] if few and len(self.seeds) > 1 else []
        head += ["lowest", "highest"] if not few else []
        rows = [head]
        for fold, mean, scores in zip(self.folds, self.of_splits, self._by_split(self.scores), strict=True):
            row = ([str(fold.repeat)] if repeats > 1 else []) + [str(fold.fold)]
            row += [f"{len(fold.train):,}", f"{len(fold.held_out):,}", _shown(mean)]
            if few and len(self.seeds) > 1:
                row += [_shown(score) for score in scores]
            elif not few:
                present = scores[np.isfinite(scores)]
                row += [_shown(f(present) if len(present) else math.nan) for f in (np.min, np.max)]
            rows.append(row)
        if (more := len(rows) - 1 - SHOWN_FOLDS) > 0:
            rows = rows[: SHOWN_FOLDS + 1]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        return lines + ([f"and {more:,} more"] if more > 0 else [])


# --- what is asked for ----------------------------------------------------------------------------------------------


def _check_network(net: Any) -> None:
    if isinstance(net, Model):
        raise SettingError(
            "cross_validate trains networks from the start: a model goes on from weights that may have seen the rows "
            "that are held out. Give its network, model.net."
        )
    if not isinstance(net, Layer) and not callable(net):
        raise SettingError(
            "cross_validate trains a layer, such as cr.Sequential(...) or cr.mlp([...]), or what a function of the "
            f"data makes; got {net!r}."
        )


def _check_stopping(stopping: Any, validation: Any) -> None:
    """Whether early stopping has rows of its own to watch."""
    if isinstance(validation, bool) or not isinstance(validation, int | float | np.number | None):
        raise SettingError(
            "validation is the share of each fold's training rows that early stopping watches, such as 0.1; got "
            f"{type(validation).__name__}. Rows for all folds at once would be seen by none as new."
        )
    if validation is not None and not 0 < validation < 1:
        raise SettingError(f"validation is a share above 0 and below 1, such as 0.1, or None; got {validation:g}.")
    monitor = "val_loss" if stopping is True else getattr(stopping, "monitor", "")
    if validation is None and str(monitor).startswith("val_"):
        raise SettingError(
            f"Early stopping watches {monitor!r}, and there are no rows for it to watch: the fold that is held out "
            "would choose the epoch and then judge it, so that the score would be too good. Give validation=0.1, a "
            'share of each fold\'s training rows, or watch the training data: EarlyStopping(monitor="loss").'
        )


def _may_act(settings: Mapping[str, Any]) -> bool:
    """Return whether something may change a run by what is measured on validation data: a callback or a schedule."""
    schedule = getattr(settings.get("optimizer"), "lr", None)
    acts = isinstance(schedule, Schedule) and type(schedule).after_epoch is not Schedule.after_epoch
    return acts or bool(settings.get("callbacks"))


def _numbers(seeds: Any, seed: int) -> tuple[int, ...]:
    """Return the seeds."""
    if isinstance(seeds, int | np.integer) and not isinstance(seeds, bool):
        check_room({}, int(seeds))
        found = tuple(range(seed, seed + int(seeds)))
    else:
        found = tuple(seeds) if isinstance(seeds, list | tuple | range | np.ndarray) else ()
    whole = all(isinstance(s, int | np.integer) and not isinstance(s, bool) for s in found)
    if not found or not whole or len(set(found)) < len(found):
        raise SettingError(f"seeds is a number of at least 1, or a list of different seeds; got {seeds!r}.")
    return tuple(int(s) for s in found)


@dataclass(frozen=True, eq=False)
class _Samples:
    """The data to divide.

    Attributes
    ----------
    data : what is trained on
    x, y : inputs (of a table its columns) and targets of all rows
    task : as in `Target`
    rows : the numbers of the rows that are used
    groups : the group of each of these, or None
    """

    data: Any
    x: Any
    y: Array
    task: str
    rows: Array
    groups: Any

    def inputs(self, model: Model, rows: Array) -> Any:
        """Return what a model takes for these rows."""
        if not isinstance(self.data, Table):
            return self.x[rows]
        return PreparedInputs(model.inputs.admit(self.x.iloc[rows]), model.preparation)

    def classes(self, rows: Array) -> Array | None:
        """Return the class of each of these rows, if the task has classes."""
        if self.task not in ("classification", "binary"):
            return None
        y = self.y[rows]
        return y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(len(y))


def _samples(net: Any, data: Any, groups: Any) -> _Samples:
    if isinstance(data, Table):
        return _of_table(data, groups)
    if isinstance(data, Dataset) and data.preparation is not None:
        raise DataError(
            f"{data.name} was prepared as a whole: what its inputs are was learnt from rows that a fold holds out, "
            "too. Give the cr.Table itself, which is then prepared in each fold."
        )
    x, y = unpack(data, "cross_validate takes the data as (x, y), a Dataset or a Table")
    if isinstance(x, Rows):
        raise DataError(
            "cross_validate needs the data in memory: folds are rows from all over it, and these are read from a file "
            "in their order. Give arrays, such as np.asarray(x) of a memory-mapped one."
        )
    model = Model(network(net, x, y), x.shape[1:])
    units, activation = model.output_shape[-1], model.last_activation.name
    _, target = encode_target(y, units=units, output_activation=activation)
    if isinstance(groups, str):
        raise DataError(f"groups={groups!r} names a column, and the data is no Table: give one group for each row.")
    return _Samples(pair_of(data), x, y, target.task, np.arange(len(x)), groups)


def _of_table(table: Table, groups: Any) -> _Samples:
    """Return the rows of a table that have a target and are not for the test."""
    table = table.coded()
    if isinstance(groups, str):
        column = target_column(table.frame.columns, groups, what="column")
        if column == table.target:
            raise SettingError(f"groups={groups!r} names the target: rows are not grouped by what is predicted.")
        # Who it is must not be learnt: the group is no input.
        table = dataclasses.replace(table, columns={**table.columns, column: {"use": False}})
        groups = table.frame[column]
    elif groups is not None and np.ndim(groups) > 0 and len(groups) != len(table):
        raise DataError(f"groups needs one value for each of the {len(table):,} rows, got {len(groups):,}.")
    target, y, present = table.targets()
    split = table.split_column()
    if split is not None:
        present &= (table.frame[split].astype(str).str.strip().str.lower() != "test").to_numpy()
    rows = np.flatnonzero(present)
    groups = None if groups is None else np.asarray(groups)[rows]
    # What is to be learnt is the same in all folds, however the targets of one may look.
    style = {"decimal": target.column.decimal, "unit": target.column.unit}
    columns = {**table.columns, table.target: style} if target.task == "regression" else table.columns
    table = dataclasses.replace(table, task=target.task, columns=columns)
    return _Samples(table, table.frame, y, target.task, rows, groups)


def _labels(stratify: Any, samples: _Samples) -> Any:
    """Return the classes that are to be in the same shares in all folds, or None."""
    if not isinstance(stratify, str | bool):
        given = np.asarray(stratify)
        if given.shape[:1] != (len(samples.y),):
            raise DataError(
                f"stratify needs one class for each of the {len(samples.y):,} rows, got the shape {given.shape}."
            )
        return given[samples.rows]
    if isinstance(stratify, str) and stratify != "auto":
        raise SettingError(f'stratify is "auto", True, False, or an array with a class for each row; got {stratify!r}.')
    labels = samples.classes(samples.rows) if stratify else None
    if stratify is True and labels is None:
        raise SettingError(
            f"stratify=True needs classes, and the task is {samples.task}. Give an array with a class for each row, "
            "such as np.digitize(y, np.quantile(y, [0.25, 0.5, 0.75])), or stratify=False."
        )
    return labels


def _check_classes(fold: Fold, trained: Array, samples: _Samples) -> None:
    """Whether a fold trains on all classes: one that it has never seen it could not predict."""
    all_of_them, learnt = samples.classes(samples.rows), samples.classes(trained)
    if all_of_them is None or learnt is None or not len(missing := np.setdiff1d(all_of_them, learnt)):
        return
    reason = " (the groups are held out whole)" if samples.groups is not None else ""
    raise DataError(
        f"Fold {fold.fold} has no row of the class {missing[0].item()!r} to train on and could not learn it{reason}. "
        "Use more folds, folds with the classes in the same shares (stratify), or leave the class out."
    )


def _inner(fold: Fold, samples: _Samples, validation: float, seed: int) -> dict[str, Any]:
    """Return a fold's training rows, divided into those that are trained on and those that early stopping watches."""
    key = random.fold_in(random.fold_in(random.fold_in(random.key(seed), INNER), fold.repeat), fold.fold)
    if samples.groups is None:
        split = split_rows(len(fold.train), samples.classes(fold.train), validation=validation, test=0.0, key=key)
    else:
        group = np.asarray(samples.groups)[np.searchsorted(samples.rows, fold.train)]
        split = split_rows(len(fold.train), validation=validation, test=0.0, group=group, key=key)
    return {"rows": fold.train[split.train], "held_out": fold.train[split.validation]}


# --- what came of it ------------------------------------------------------------------------------------------------


def _judged(
    population: Population, samples: _Samples, folds: Sequence[Fold], seeds: tuple[int, ...]
) -> CrossValidation:
    """Each network's score on the rows that its fold held out, and what it predicts for them."""
    metric = metric_of(samples.task).name
    scores, losses = np.full((2, len(folds), len(seeds)), math.nan)
    total: Array | None = None
    counts = np.zeros(len(samples.y))
    classes: tuple[Any, ...] | None = None
    for i, fold in enumerate(folds):
        inputs: Any = None
        for j in range(len(seeds)):
            run = population[i * len(seeds) + j]
            if (run.stopped or "").startswith("diverged"):
                continue
            if inputs is None:  # the seeds of a fold have learnt the same preparation
                inputs = samples.inputs(run.model, fold.held_out)
            found = run.evaluate(inputs, samples.y[fold.held_out])
            outputs = run.model.predict_proba(inputs)
            if not np.isfinite(outputs).all():
                continue
            scores[i, j], losses[i, j] = found[metric], found["loss"]
            total = np.zeros((len(samples.y), *outputs.shape[1:])) if total is None else total
            total[fold.held_out] += outputs
            counts[fold.held_out] += 1
            classes = run.model.target.classes
    if total is None:
        raise DataError(
            f"All {len(population)} networks diverged: their cost became NaN or infinite. Try a smaller learning rate."
        )
    repeats = folds[-1].repeat

    def shaped(values: Array) -> Array:
        cube = values.reshape(repeats, -1, len(seeds)).transpose(1, 2, 0)
        return cube if repeats > 1 else cube[..., 0]

    with np.errstate(invalid="ignore"):  # rows that no network has predicted: 0 / 0
        predictions = total / counts.reshape(-1, *[1] * (total.ndim - 1))
    if predictions.ndim == 2 and predictions.shape[1] == 1:
        predictions = predictions[:, 0]
    return CrossValidation(
        metric, shaped(scores), shaped(losses), tuple(folds), seeds, predictions, classes, population
    )


def _mean(rows: Array) -> Array:
    """Return the mean of each row's finite values; NaN where there are none."""
    finite = np.isfinite(rows)
    counts = finite.sum(axis=1)
    return np.where(counts > 0, np.where(finite, rows, 0.0).sum(axis=1) / np.maximum(counts, 1), math.nan)


def _shown(score: float) -> str:
    return "diverged" if math.isnan(score) else f"{score:.4g}" if abs(score) >= 1 else f"{score:.4f}"
