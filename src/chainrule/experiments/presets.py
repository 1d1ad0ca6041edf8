"""Presets: networks and settings by stated rules, for someone who wants to start from a name.

A setting that is not given is decided by the preset, and by the data where the preset leaves it open: `complete`
fills every gap, so that a run's ``config.toml`` holds what was really used.

==========  =================================================================================================
preset      what it is
==========  =================================================================================================
auto        table for rows of features; cnn for images of 16 x 16 pixels and more; mlp for smaller ones
table       learned vectors (`Embedding`) for columns of many categories, then two Dense layers, ReLU: below 5,000
            training rows 128 and 64 units with dropout of 0.3, else 256 and 128 with dropout of 0.1; AdamW with a
            weight decay of 0.01 in batches of at least 32, the learning rate going from 0.002 (0.004) to 0 along a
            cosine, for about 1,500 (8,000) steps, at least 20 and at most 200 (60) epochs. From 5,000 rows on the
            weights are those of the epoch with the least validation cost, and training stops after a quarter of the
            epochs without a better one; below, so few rows validate that their cost says little of the best epoch
mlp         Flatten (for images), Dense layers of 128 and 64 units, ReLU; 30 epochs of Adam
cnn         two blocks of convolution (16 and 32 filters; 5 x 5, or 3 x 3 for images below 20 pixels) and 2 x 2
            max pooling, then a Dense layer of 128 units, ReLU; 10 epochs of Adam, the learning rate going from 0.002 to
            0 along a cosine
linear      no hidden layer: softmax regression or linear regression; 30 epochs of Adam
nielsen     the first networks of Nielsen's book (lecture 003): 30 hidden sigmoid units, sigmoid outputs, quadratic
            cost, weights and biases from N(0, 1), pixels as they are; 30 epochs of SGD with a learning rate of
            3.0 (0.5 with binary_cross_entropy) in batches of 10
==========  =================================================================================================

Whatever the preset: classes get one softmax output each, numbers linear outputs; the loss is the one that fits the
output; numbers to predict are standardized (and predicted in their own unit). A batch is the power of two up to a
hundredth of the rows, but at least 16 and at most 128. Tables and bundled data without a test part of their own give a
fifth of their rows for the test. A tenth of the training rows is for validation where something needs them: early
stopping, a schedule that follows the cost, the choice of the best seed, a search, the report where there is no test
part, or (from 5,000 rows on, where they cost little) its word on overfitting. Else all rows are trained on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule import activations, layers, losses
from chainrule.checks import check_name
from chainrule.data import Dataset
from chainrule.data.sources import BUNDLED
from chainrule.errors import SettingError
from chainrule.experiments.settings import ExperimentSettings
from chainrule.fields import settings_of
from chainrule.layers import Layer
from chainrule.losses import Loss
from chainrule.optimizers import Optimizer
from chainrule.recipe.callbacks import EarlyStopping
from chainrule.run_settings import TrainingSettings
from chainrule.schedules import Schedule

__all__ = ["PRESETS", "complete", "network", "normalize_name", "optimizer"]

#: What each preset decides. A learning rate of None is the optimizer's own default.
PRESETS: dict[str, dict[str, Any]] = {
    "mlp": {"hidden": (128, 64)},
    "table": {"optimizer": "adamw", "weight_decay": 0.01, "schedule": "cosine"},
    "cnn": {"hidden": (128,), "epochs": 10, "lr": 0.002, "schedule": "cosine"},
    "linear": {"hidden": ()},
    "nielsen": {
        "hidden": (30,),
        "activation": "sigmoid",
        "output": "sigmoid",
        "loss": "quadratic",
        "init": "normal",
        "optimizer": "sgd",
        "batch_size": 10,
        "normalize": False,
    },
}

_ALL: dict[str, Any] = {
    "activation": "relu",
    "init": "auto",
    "dropout": 0.0,
    "optimizer": "adam",
    "schedule": "constant",
    "epochs": 30,
    "early_stopping": 0,
    "normalize": True,
    "normalize_target": True,
}

#: From so many training rows on, the preset "table" takes the larger network.
LARGE_TABLE = 5_000

#: The fraction of the training rows for validation, where something needs them.
VALIDATION = 0.1

_OF_THE_NETWORK = ("preset", "hidden", "activation", "output", "init")


def use_of_validation(settings: ExperimentSettings, rows: int, tested: bool) -> str | None:
    """Return what validation rows are for, in words; None where nothing needs them.

    Parameters
    ----------
    settings : with gaps or without
    rows : for training and validation together
    tested : whether there is a test part

    Example
    -------
    >>> from chainrule.experiments.presets import use_of_validation
    >>> from chainrule.experiments.settings import ExperimentSettings
    >>> use_of_validation(ExperimentSettings(early_stopping=5), rows=120, tested=True)
    'to choose the epoch'
    >>> use_of_validation(ExperimentSettings(), rows=120, tested=True) is None
    True
    """
    if settings.early_stopping:
        return "to choose the epoch"
    schedule = Schedule.registry.get(str(_table(settings.schedule or "constant")["type"]))
    if getattr(schedule, "after_epoch", Schedule.after_epoch) is not Schedule.after_epoch:
        return "for the learning rate to follow"
    if settings.save == "best":
        return "to choose the network"
    if not tested:
        return "to judge the network"
    return "to see whether it overfits" if rows >= LARGE_TABLE else None


def validation_fraction(settings: ExperimentSettings, rows: int, tested: bool) -> float:
    """Return the fraction of training rows for validation: as asked for, or a tenth where something needs them."""
    if settings.validation is not None:
        return settings.validation
    return VALIDATION if use_of_validation(settings, rows, tested) is not None else 0.0


def complete(requested: ExperimentSettings, data: Dataset) -> ExperimentSettings:
    """Return the settings with every gap filled, by the preset and by the data.

    >>> import chainrule as cr
    >>> from chainrule.experiments.presets import complete
    >>> from chainrule.experiments.settings import ExperimentSettings
    >>> settings = complete(ExperimentSettings(data="iris"), cr.data.load("iris"))
    >>> settings.preset, settings.hidden, settings.loss, settings.lr, settings.batch_size
    ('table', (128, 64), 'cross_entropy', 0.002, 32)
    """
    preset = _choose(data) if requested.preset == "auto" else requested.preset
    test = requested.test
    if test is None:
        test = 0.2 if data.x_test is None and normalize_name(requested.data) in BUNDLED else 0.0
    tested, rows = data.x_test is not None or test > 0, len(data.x) * (1 - (test if data.x_test is None else 0))
    validation = validation_fraction(requested, round(rows), tested)
    if requested.validation is None and (
        data.validation is not None or data.preparation is not None
    ):  # these are split
        validation = 0.0 if data.validation is None else VALIDATION
    requested = dataclasses.replace(requested, validation=validation)
    rules: dict[str, Any] = {"batch_size": _batch_size(len(data.x))} | _ALL
    if requested.net is not None:  # it says what a preset would say about the network
        rules = {k: v for k, v in rules.items() if k not in _OF_THE_NETWORK} | {"loss": "auto"}
    else:
        _check_fits(preset, data)
        rules |= {"preset": preset, "output": _output(data)} | PRESETS[preset]
        if preset == "table":
            rules |= _for_table(
                len(data.x), requested.batch_size or max(32, rules["batch_size"]), bool(requested.validation)
            )
        if requested.optimizer not in (None, rules["optimizer"]):  # what is right for one is wrong for another
            rules = {k: v for k, v in rules.items() if k not in ("lr", "weight_decay")}
    if data.preparation is not None:  # a table's columns are scaled one by one
        rules["normalize"] = True
    rules["test"] = test
    chosen = {k: v for k, v in vars(requested).items() if v is not None and (k, v) != ("preset", "auto")}
    settings = dataclasses.replace(requested, **(rules | chosen))
    if data.task != "regression" or settings.output != "linear":
        settings = dataclasses.replace(settings, normalize_target=False)
    if settings.loss is None:
        activation = activations.get(settings.output)
        losses.check_pair(activation, data.task, _units(settings, data))
        fitting = losses.auto(activation, data.task)
        settings = dataclasses.replace(settings, loss=fitting.name)
    return settings if settings.lr is not None else dataclasses.replace(settings, lr=_rate(requested, settings))


def network(settings: ExperimentSettings, data: Dataset) -> Layer:
    """Return the network that complete settings describe, for the data.

    >>> import chainrule as cr
    >>> from chainrule.experiments.presets import complete, network
    >>> from chainrule.experiments.settings import ExperimentSettings
    >>> iris = cr.data.load("iris")
    >>> network(complete(ExperimentSettings(hidden=(8,)), iris), iris)
    Sequential(Dense(8, 'relu'), Dropout(0.3), Dense(3, 'softmax'))
    """
    if settings.net is not None:
        return Layer.from_dict(dict(settings.net))
    size = 5 if min(data.x.shape[1:3], default=0) >= 20 else 3
    kwargs: dict[str, Any] = {"init": settings.init}
    parts: list[Layer] = []
    if settings.preset == "cnn":
        for filters in (16, 32):
            parts += [layers.Conv2D(filters, size, settings.activation, **kwargs), layers.MaxPool2D(2)]
    if data.x.ndim > 2:
        parts.append(layers.Flatten())
    if embedded := getattr(data.preparation, "embedded", ()):
        parts.append(layers.Embedding(tuple(count for _, count in embedded)))
    if settings.preset == "nielsen":
        kwargs["bias_init"] = "normal"
    for units in settings.hidden or ():
        parts.append(layers.Dense(units, settings.activation, **kwargs))
        if settings.dropout:
            parts.append(layers.Dropout(settings.dropout))
    return layers.Sequential(*parts, layers.Dense(_units(settings, data), settings.output, **kwargs))


def optimizer(settings: ExperimentSettings) -> Optimizer:
    """Return the optimizer with its learning rate, or with the schedule that starts from it.

    >>> from chainrule.experiments.presets import optimizer
    >>> from chainrule.experiments.settings import ExperimentSettings
    >>> optimizer(ExperimentSettings(optimizer="sgd", lr=0.5, schedule="cosine")).lr
    Cosine(0.5)
    """
    plain = _table(settings.optimizer or "adam")
    if settings.lr is not None:
        plain["lr"] = settings.lr
    for name in ("momentum", "weight_decay"):
        if getattr(settings, name) is not None:
            plain[name] = getattr(settings, name)
    built = Optimizer.from_dict(plain)
    plain = _table(settings.schedule or "constant")
    if plain["type"] == "constant":
        return built
    check_name("schedule", plain["type"], Schedule.registry)
    start = dataclasses.fields(Schedule.registry[plain["type"]])[0].name  # type: ignore[arg-type]
    return dataclasses.replace(built, lr=Schedule.from_dict({start: built.lr} | plain))


def fit_kwargs(settings: ExperimentSettings, data: Dataset) -> dict[str, Any]:
    """Return what `fit` is told by complete settings of what is trained: names and numbers become objects here.

    >>> import chainrule as cr
    >>> from chainrule.experiments.presets import complete, fit_kwargs
    >>> from chainrule.experiments.settings import ExperimentSettings
    >>> iris = cr.data.load("iris")
    >>> fit_kwargs(complete(ExperimentSettings(early_stopping=5), iris), iris)["early_stopping"].patience
    5
    """
    names = [name for name, each in settings_of(TrainingSettings).items() if each.options]
    return {name: getattr(settings, name) for name in names} | {
        "loss": find_loss(settings),
        "optimizer": optimizer(settings),
        "validation": None if data.validation is not None else settings.validation or None,
        "normalize": bool(settings.normalize),
        "normalize_target": bool(settings.normalize_target),
        "class_weight": class_weight(settings, data),
        "early_stopping": early_stopping(settings),
    }


def find_loss(settings: ExperimentSettings) -> Loss | str:
    """Return the loss by its name, or from the table of a file."""
    if isinstance(settings.loss, Mapping):
        return losses.Loss.from_dict(dict(settings.loss))
    return "auto" if settings.loss in (None, "auto") else losses.get(settings.loss)


def early_stopping(settings: ExperimentSettings) -> EarlyStopping | None:
    """Return early stopping from a number of epochs, or from the table of a file."""
    if not settings.early_stopping:
        return None
    if isinstance(settings.early_stopping, Mapping):
        try:
            return EarlyStopping(**settings.early_stopping)
        except TypeError:
            known = ", ".join(field.name for field in dataclasses.fields(EarlyStopping))
            raise SettingError(
                f"early_stopping has the settings {known}; got {dict(settings.early_stopping)}."
            ) from None
    return EarlyStopping(patience=settings.early_stopping)


def class_weight(settings: ExperimentSettings, data: Dataset) -> Mapping[Any, float] | str | None:
    """Return weights of classes by their labels: in a file the labels are text."""
    if not isinstance(settings.class_weight, Mapping):
        return settings.class_weight
    labels = {str(label): label for label in data.classes or ()}
    return {labels.get(name, name): weight for name, weight in settings.class_weight.items()}


def _choose(data: Dataset) -> str:
    if data.x.ndim == 2:
        return "table"
    return "cnn" if data.x.ndim == 4 and min(data.x.shape[1:3]) >= 16 else "mlp"


def _check_fits(preset: str, data: Dataset) -> None:
    if preset == "cnn" and data.x.ndim != 4:
        raise SettingError(
            f"The preset 'cnn' is for images, and one sample of {data.name} has shape {data.x.shape[1:]}; "
            "use the preset 'mlp'."
        )
    if preset == "nielsen" and data.task == "regression":
        raise SettingError(
            f"The preset 'nielsen' tells classes apart, and {data.name} has numbers to predict; use 'mlp'."
        )


def _output(data: Dataset) -> str:
    """Return softmax for one class of several; sigmoid where a row has several zeros and ones; linear for numbers."""
    if data.task == "regression":
        return "linear"
    return "softmax" if data.y.ndim == 1 else "sigmoid"


def _for_table(rows: int, batch_size: int, validated: bool) -> dict[str, Any]:
    """Return what the preset "table" decides by the number of rows."""
    steps = -(-rows // batch_size)
    if rows < LARGE_TABLE:
        epochs = min(200, max(20, 1_500 // steps))
        small = {"hidden": (128, 64), "dropout": 0.3, "lr": 0.002}
        return small | {"batch_size": batch_size, "epochs": epochs, "early_stopping": 0}
    epochs = min(60, max(20, 8_000 // steps))
    return {
        "batch_size": batch_size,
        "epochs": epochs,
        "hidden": (256, 128),
        "dropout": 0.1,
        "lr": 0.004,
        "early_stopping": epochs // 4 if validated else 0,
    }


def _batch_size(rows: int) -> int:
    return min(128, max(16, 2 ** ((rows // 100).bit_length() - 1)))


def _rate(requested: ExperimentSettings, settings: ExperimentSettings) -> float | None:
    """Return the learning rate: the preset's, if the optimizer is the preset's too, or the optimizer's default."""
    if settings.preset == "nielsen" and requested.optimizer in (None, "sgd"):
        return 0.5 if settings.loss == "binary_cross_entropy" else 3.0
    rate = optimizer(dataclasses.replace(settings, schedule="constant")).lr
    return rate if isinstance(rate, int | float) else None


def _units(settings: ExperimentSettings, data: Dataset) -> int:
    if data.y.ndim == 2:
        return int(data.y.shape[1])
    if data.task == "regression":
        return 1
    k = len(data.classes or np.unique(data.y))
    return 1 if k == 2 and settings.output == "sigmoid" and settings.preset != "nielsen" else k


def _table(recipe: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe as a table of its settings; a file may hold its name alone."""
    if not isinstance(recipe, str) and "type" not in recipe:
        raise SettingError(f'A table of settings needs a type, as in {{type = "NAME", ...}}; got {dict(recipe)}.')
    return {"type": normalize_name(recipe)} if isinstance(recipe, str) else dict(recipe)


def normalize_name(name: str | None) -> str:
    """Return a name as it is spelt here: ``"Breast-Cancer"`` is ``"breast_cancer"``."""
    return (name or "").strip().lower().replace("-", "_").replace(" ", "_")
