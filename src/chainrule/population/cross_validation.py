"""`cross_validate`: every row is predicted by networks that have not seen it (lecture 003)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.checks import check_fraction
from chainrule.data import Dataset
from chainrule.errors import DataError, SettingError
from chainrule.fields import passes_settings
from chainrule.layers import Layer
from chainrule.metrics import metric_of
from chainrule.models import Model
from chainrule.population.fit import fit_population
from chainrule.population.fold_data import FoldData, fold_data
from chainrule.population.fold_scores import CrossValidation
from chainrule.population.folds import Fold, make_folds
from chainrule.population.population import Population
from chainrule.population.seeds import list_seeds
from chainrule.run_settings import PopulationSettings
from chainrule.schedules import Schedule

__all__ = ["CrossValidation", "cross_validate"]

Array = np.ndarray[Any, Any]


@passes_settings(PopulationSettings)
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
    """Train on all folds but one and evaluate on that one, in turn, with one or several seeds; all as one population.

    Whatever is learnt from data (mean and std of the inputs; of a `Table` the kinds of columns, imputation, categories,
    all of it) is learnt in each fold anew from the rows that it trains on. The score of a fold is that of the trained
    model on the rows that were held out, measured once, at the end.

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
        A fraction of each fold's training rows that is left out of the training for `EarlyStopping` (or a callback) to
        watch; with classes in the same shares, and groups kept together. The fold that is held out cannot serve for
        that: it would then help to choose the model that it judges. Without it the curves ``val_loss`` … in the
        histories are those of the held-out fold, to look at, unless a callback or a schedule could act on them.
    settings
        Those of `fit` for all networks; ``strategy``, ``out`` and ``resume`` of `fit_population`, which keep the
        networks in a folder and go on with them.

    Returns
    -------
    CrossValidation
        ``scores``, ``mean``, ``std``, ``interval()``, ``per_fold``, ``predictions``, ``runs``; printed, a table.

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
    seeds = list_seeds("cross_validate", seeds, seed, least=1)
    samples = fold_data(net, data, groups)
    labels = samples.labels(stratify)
    rows = samples.rows
    divisions = [
        dataclasses.replace(fold, train=rows[fold.train], held_out=rows[fold.held_out])
        for fold in make_folds(len(rows), folds, labels=labels, groups=samples.groups, repeats=repeats, seed=seed)
    ]
    members = []
    for fold in divisions:
        differences = {"rows": fold.train, "held_out": fold.held_out}
        if validation is not None:
            differences = samples.split_fold(fold, validation, seed)
        elif _may_act_on_validation(settings):
            del differences["held_out"]
        samples.check_classes(fold, differences["rows"])
        members += [differences | {"seed": one_seed} for one_seed in seeds]
    population = fit_population(net, samples.data, members, **settings)
    return _score_folds(population, samples, divisions, tuple(seeds))


def _score_folds(
    population: Population, samples: FoldData, folds: Sequence[Fold], seeds: tuple[int, ...]
) -> CrossValidation:
    """Return each network's score on the rows that its fold held out, and what it predicts for them."""
    metric = metric_of(samples.task).name
    scores, losses = np.full((2, len(folds), len(seeds)), math.nan)
    total: Array | None = None
    counts = np.zeros(len(samples.y))
    classes: tuple[Any, ...] | None = None
    for i, fold in enumerate(folds):
        inputs: Any = None
        for j in range(len(seeds)):
            run = population[i * len(seeds) + j]
            if run.outcome.diverged:
                continue
            if inputs is None:  # the seeds of a fold have learnt the same preparation
                inputs = samples.inputs(run.model, fold.held_out)
            measured = run.evaluate(inputs, samples.y[fold.held_out])
            outputs = run.model.predict_proba(inputs)
            if not np.isfinite(outputs).all():
                continue
            scores[i, j], losses[i, j] = measured[metric], measured["loss"]
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
    """Raise `SettingError` unless early stopping has rows to watch that are not held out."""
    if isinstance(validation, bool) or not isinstance(validation, int | float | np.number | None):
        raise SettingError(
            "validation is the fraction of each fold's training rows that early stopping watches, such as 0.1; got "
            f"{type(validation).__name__}. Rows for all folds at once would be seen by none as new."
        )
    if validation is not None:
        check_fraction("validation", validation, note=", such as 0.1, or None")
    monitor = "val_loss" if stopping is True else getattr(stopping, "monitor", "")
    if validation is None and str(monitor).startswith("val_"):
        raise SettingError(
            f"Early stopping watches {monitor!r}, and there are no rows for it to watch: the fold that is held out "
            "would choose the epoch and then judge it, so that the score would be too good. Give validation=0.1, a "
            'fraction of each fold\'s training rows, or watch the training data: EarlyStopping(monitor="loss").'
        )


def _may_act_on_validation(settings: Mapping[str, Any]) -> bool:
    """Return whether something may change a run by what is measured on validation data: a callback or a schedule."""
    schedule = getattr(settings.get("optimizer"), "lr", None)
    acts = isinstance(schedule, Schedule) and type(schedule).after_epoch is not Schedule.after_epoch
    return acts or bool(settings.get("callbacks"))
