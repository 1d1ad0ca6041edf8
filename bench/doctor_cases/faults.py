"""Faults that are planted in healthy recipes, each in three strengths."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import chainrule as cr
from doctor_cases import code
from doctor_cases.bases import Setup

Apply = Callable[[Setup, int, np.random.Generator], Setup]


@dataclass(frozen=True)
class Fault:
    """A fault that can be planted.

    Attributes
    ----------
    cause : the name of the cause
    variant : which form of it
    right : names that count as right: the cause, and others whose fix takes it away as well
    apply : plants it in a strength of 0 (least) to 2
    suits : whether a recipe can have it
    judged : "by error" (it must be material), or "by name": what it does is not in the error of other rows
    """

    cause: str
    variant: str
    right: tuple[str, ...]
    apply: Apply
    suits: Callable[[Setup], bool]
    judged: str = "by error"


FAULTS: list[Fault] = []


def anywhere(setup: Setup) -> bool:
    return True


def fault(
    cause: str,
    variant: str,
    *also: str,
    suits: Callable[[Setup], bool] = anywhere,
    judged: str = "by error",
) -> Callable[[Apply], Apply]:
    """Register a function that plants a fault; ``also`` are other causes that count as right."""

    def register(apply: Apply) -> Apply:
        FAULTS.append(Fault(cause, variant, (cause, *also), apply, suits, judged))
        return apply

    return register


def classes(setup: Setup) -> bool:
    return setup.problem.task != "regression"


def several(setup: Setup) -> bool:
    return setup.problem.task == "classification"


def regression(setup: Setup) -> bool:
    return setup.problem.task == "regression"


def table(setup: Setup) -> bool:
    return not setup.images


def images(setup: Setup) -> bool:
    return setup.images


def adam(setup: Setup) -> bool:
    return isinstance(setup.settings["optimizer"], cr.Adam)


def sgd(setup: Setup) -> bool:
    return isinstance(setup.settings["optimizer"], cr.SGD)


def dense(setup: Setup) -> bool:
    return not setup.convolutional


def normed(setup: Setup) -> bool:
    return any(isinstance(layer, cr.BatchNorm) for layer in setup.layers)


def plain(setup: Setup) -> bool:
    return not normed(setup)


def on(*names: str) -> Callable[[Setup], bool]:
    return lambda setup: setup.problem.name in names


def stopping(setup: Setup) -> bool:
    return setup.settings["early_stopping"] is not None


def both(*conditions: Callable[[Setup], bool]) -> Callable[[Setup], bool]:
    return lambda setup: all(condition(setup) for condition in conditions)


def mixed(y: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return targets of which a share is that of another row (labels: another label)."""
    wrong = rng.random(len(y)) < share
    if y.dtype.kind == "f":
        return np.where(wrong, rng.permutation(y), y)
    labels = np.unique(y)
    others = (np.searchsorted(labels, y) + rng.integers(1, len(labels), len(y))) % len(labels)
    return np.where(wrong, labels[others], y)


# --- data ---------------------------------------------------------------------------------------------------------


@fault("nan", "inputs", judged="by name")
def nan_inputs(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    x, y = setup.data
    x = x.copy()
    count = (1, max(2, x.size // 1000), x.size // 50)[strength]
    x.flat[rng.choice(x.size, count, replace=False)] = (np.nan, np.inf, np.nan)[strength]
    return setup.but(data=(x, y))


@fault("nan", "targets", suits=regression, judged="by name")
def nan_targets(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    x, y = setup.data
    y = y.copy()
    y[rng.choice(len(y), (1, 5, 50)[strength], replace=False)] = (np.nan, np.inf, np.nan)[strength]
    return setup.but(data=(x, y))


@fault("labels_unrelated", "shuffled")
def labels_unrelated(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    x, y = setup.data
    order = rng.permutation(len(y))
    if strength == 0:  # the inputs were sorted by a column, the targets were not
        order = np.argsort(x.reshape(len(x), -1).sum(axis=1), kind="stable")
    return setup.but(data=(x, np.roll(y, 7) if strength == 1 else y[order]))


@fault("labels_noisy", "flipped")
def labels_noisy(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    x, y = setup.data
    return setup.but(data=(x, mixed(y, (0.15, 0.25, 0.35)[strength], rng)))


@fault("labels_noisy", "one class", suits=several)
def labels_swapped(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    x, y = setup.data
    chosen = (y % 2 == 0) & (rng.random(len(y)) < (0.3, 0.5, 0.7)[strength])
    return setup.but(data=(x, np.where(chosen, (y + 1) % (y.max() + 1), y)))


@fault("leak", "the target as a column", suits=table, judged="by name")
def leak(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    def with_column(rows: Any, known: bool) -> Any:
        x, y = rows
        column = y.astype(np.float64) if known else rng.permutation(y).astype(np.float64)
        noise = (0.1, 0.03, 0.0)[strength] * column.std()
        column = column + noise * rng.normal(size=len(column))
        return np.insert(x, x.shape[1] // 2, column, axis=1).astype(np.float32), y

    return setup.but(data=with_column(setup.data, True), judge=with_column(setup.judge, False))


@fault("too_little_data", "few rows", "too_large")
def too_little_data(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    x, y = setup.data
    rows = rng.permutation(len(x))[: (40, 24, 14)[strength]]
    if classes(setup):  # of every class two at least
        rows = np.unique(np.concatenate([rows, *(np.flatnonzero(y == label)[:2] for label in np.unique(y))]))
    epochs = max(setup.settings["epochs"], 60)
    return setup.but(data=(x[rows], y[rows]), epochs=epochs, early_stopping=None)


@fault("outliers", "inputs", suits=table)
def outliers(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    x, y = setup.data
    x = x.copy()
    far = (1e2, 1e3, 1e4)[strength] * x.std(axis=0, keepdims=True)
    chosen = rng.random(x.shape) < 0.01
    return setup.but(data=(np.where(chosen, x + far * rng.choice([-1, 1], x.shape), x).astype(np.float32), y))


@fault("outliers", "sentinel", suits=table)
def sentinel(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    x, y = setup.data
    chosen = rng.random(x.shape) < (0.02, 0.05, 0.1)[strength]
    return setup.but(data=(np.where(chosen, -99999.0, x).astype(np.float32), y))


@fault("outliers", "targets", suits=regression)
def outlying_targets(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    x, y = setup.data
    chosen = rng.random(len(y)) < 0.01
    return setup.but(data=(x, np.where(chosen, y + (30, 100, 1000)[strength] * y.std(), y).astype(np.float32)))


@fault("imbalance", "a rare class", suits=classes)
def imbalance(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    x, y = setup.data
    share = (0.1, 0.06, 0.03)[strength]
    rare = y == np.unique(y)[-1]
    keep = max(4, int(share * (~rare).sum() / (len(np.unique(y)) - 1)))
    rows = np.concatenate([np.flatnonzero(~rare), rng.permutation(np.flatnonzero(rare))[:keep]])
    return setup.but(data=(x[rows], y[rows]), balanced=True)


@fault("overlap", "validation rows in training", "duplicates", judged="by name")
def overlap(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    x, y = setup.data
    rows = rng.permutation(len(x))
    train, held = np.split(rows, [int(0.8 * len(rows))])
    copied = rng.choice(train, int((0.3, 0.6, 1.0)[strength] * len(held)), replace=False)
    held = np.concatenate([held[len(copied) :], copied])
    return setup.but(data=(x[train], y[train]), validation=(x[held], y[held]))


@fault("duplicates", "rows twice", "overlap", judged="by name")
def duplicates(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    x, y = setup.data
    times = (0.5, 1.0, 3.0)[strength]
    rows = np.concatenate([np.arange(len(x)), rng.choice(len(x), int(times * len(x)))])
    rows = rng.permutation(rows)
    return setup.but(data=(x[rows], y[rows]))


@fault("shift", "another scale", judged="by name")
def shift(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    x, y = setup.data
    rows = rng.permutation(len(x))
    train, held = np.split(rows, [int(0.8 * len(rows))])
    other = x[held]
    if strength == 0:
        other = other * 1.6
    elif strength == 1:
        other = other + 1.5 * x.std()
    else:  # the training rows were divided by 255 (or brought to deviation 1), these were not
        other = other * 255 if setup.images else other * 100 + 3
    return setup.but(data=(x[train], y[train]), validation=(other.astype(np.float32), y[held]))


@fault("shift", "in order", suits=table, judged="by name")
def ordered(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    x, y = setup.data
    first = x.reshape(len(x), -1) @ rng.normal(size=(x[0].size,)) / x.std()
    noise = (1.0, 0.5, 0.0)[strength] * first.std()
    rows = np.argsort(first + noise * rng.normal(size=len(x)))
    train, held = np.split(rows, [int(0.8 * len(rows))])
    return setup.but(data=(x[train], y[train]), validation=(x[held], y[held]))


@fault("scrambled_pixels", "a permutation", suits=both(images, lambda setup: setup.convolutional))
def scrambled(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    size = setup.data[0][0].size
    order = np.arange(size)
    chosen = rng.permutation(size)[: int((0.7, 0.85, 1.0)[strength] * size)]
    order[chosen] = rng.permutation(chosen)

    def move(rows: Any) -> Any:
        x, y = rows
        return x.reshape(len(x), -1)[:, order].reshape(x.shape), y

    return setup.but(data=move(setup.data), judge=move(setup.judge))


# --- scaling ------------------------------------------------------------------------------------------------------


@fault("inputs_unscaled", "columns of unlike size", "batch_norm", "lr_low", suits=both(table, plain))
def unscaled(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    reach = (1.0, 2.0, 3.0)[strength]
    factors = 10.0 ** rng.uniform(-reach, reach, setup.data[0].shape[1])
    offset = rng.normal(size=factors.shape) * (0, 2, 5)[strength]
    mean, std = setup.data[0].mean(axis=0), setup.data[0].std(axis=0) + 1e-6

    def change(rows: Any) -> Any:
        return (((rows[0] - mean) / std + offset) * factors).astype(np.float32), rows[1]

    return setup.but(data=change(setup.data), judge=change(setup.judge), normalize=False)


@fault("inputs_unscaled", "far from 0", "batch_norm", suits=plain)
def far_from_zero(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    times, offset = ((255.0, 0.0), (1.0, 30.0), (1.0, 300.0))[strength]

    def change(rows: Any) -> Any:
        return (rows[0] * times + offset).astype(np.float32), rows[1]

    return setup.but(data=change(setup.data), judge=change(setup.judge), normalize=False)


@fault("inputs_unscaled", "scaled twice", "lr_low", "epochs_few", "batch_norm", suits=plain)
def scaled_twice(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    mean, std = setup.data[0].mean(axis=0), setup.data[0].std(axis=0).mean()

    def change(rows: Any) -> Any:
        return ((rows[0] - mean) / std * (1e-2, 1e-3, 1e-4)[strength]).astype(np.float32), rows[1]

    return setup.but(data=change(setup.data), judge=change(setup.judge), normalize=False)


@fault("targets_unscaled", "large targets", suits=regression)
def targets_unscaled(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    target = setup.data[1]
    times, offset = ((100.0, 0.0), (1000.0, 0.0), (100.0, 1000.0))[strength]

    def change(rows: Any) -> Any:
        return rows[0], ((rows[1] - target.mean()) / target.std() * times + times + offset).astype(np.float32)

    return setup.but(data=change(setup.data), judge=change(setup.judge), normalize_target=False)


# --- recipe -------------------------------------------------------------------------------------------------------


@fault("lr_high", "times")
def lr_high(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.with_lr(setup.lr * (30, 100, 1000)[strength])


@fault("lr_low", "divided", "epochs_few")
def lr_low(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.with_lr(setup.lr / (30, 100, 1000)[strength])


@fault("schedule", "falls at once", "lr_low", "epochs_few")
def falls(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    factor, every = ((0.3, 1.0), (0.1, 1.0), (0.01, 0.5))[strength]
    return setup.with_lr(cr.schedules.StepDecay(setup.lr, factor=factor, every=every)).but(early_stopping=None)


@fault("schedule", "warms up for ever", "lr_low", "epochs_few")
def warms_up(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    epochs = setup.settings["epochs"] * (20.0, 100.0, 1000.0)[strength]
    return setup.with_lr(cr.schedules.Warmup(setup.lr, epochs=epochs)).but(early_stopping=None)


@fault("optimizer", "epsilon", "lr_low", "epochs_few", suits=adam)
def epsilon(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    eps = (1.0, 10.0, 100.0)[strength]
    return setup.but(optimizer=dataclasses.replace(setup.settings["optimizer"], eps=eps))


@fault("optimizer", "momentum", "lr_high", suits=sgd)
def momentum(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(
        optimizer=dataclasses.replace(setup.settings["optimizer"], momentum=(0.995, 0.999, 0.9999)[strength])
    )


@fault("optimizer", "beta", "lr_high", suits=adam)
def beta(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    beta1, beta2 = ((0.999, 0.999), (0.9, 0.0), (0.9999, 0.5))[strength]
    return setup.but(optimizer=dataclasses.replace(setup.settings["optimizer"], beta1=beta1, beta2=beta2))


@fault("optimizer", "clipped", "lr_low", "epochs_few", suits=sgd)
def clipped(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(optimizer=dataclasses.replace(setup.settings["optimizer"], clip_norm=(1e-2, 1e-3, 1e-4)[strength]))


@fault("batch_large", "all rows", "epochs_few", "lr_low")
def batch_large(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    epochs = (0.6, 0.4, 0.25)[strength]
    return setup.but(batch_size=len(setup.data[0]), epochs=max(2, int(epochs * setup.settings["epochs"])))


@fault("batch_small", "one row", "lr_high", suits=plain)
def batch_small(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    keep = np.arange(min(400, len(setup.data[0])))
    small = setup.but(data=(setup.data[0][keep], setup.data[1][keep]), batch_size=1)
    return small.with_lr(setup.lr * (3, 5, 8)[strength]).but(epochs=min(15, setup.settings["epochs"]))


@fault("epochs_few", "few", "lr_low")
def epochs_few(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(epochs=(3, 2, 1)[strength], early_stopping=None)


@fault("overtrained", "no stopping", "no_validation", "patience", "too_large", "regularization", "dropout",
       suits=both(dense, plain))  # fmt: skip
def overtrained(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return _long(setup, strength, rng).but(early_stopping=None)


@fault("no_validation", "none", "overtrained", "patience", "too_large", "regularization", "dropout",
       suits=both(dense, plain))  # fmt: skip
def no_validation(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return _long(setup, strength, rng).but(early_stopping=None, validation=None)


def _long(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    """Return it with few noisy rows, a wide network, and many epochs."""
    rows = rng.permutation(len(setup.data[0]))[: (300, 200, 140)[strength]]
    x, y = setup.data
    wide = setup.change_layers(
        lambda layer, last: (
            dataclasses.replace(layer, units=4 * layer.units) if isinstance(layer, cr.Dense) and not last else layer
        )
    )
    return wide.but(data=(x[rows], y[rows]), epochs=(100, 150, 200)[strength])


@fault("patience", "stops at once", "epochs_few", "lr_low", "overtrained", suits=stopping)
def patience(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    least = (0.1, 0.3, 10.0)[strength]
    return setup.but(early_stopping=cr.EarlyStopping(patience=1, min_delta=least))


@fault("regularization", "l2")
def l2(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(l2=len(setup.data[0]) * (0.1, 0.3, 3.0)[strength])


@fault("regularization", "l1")
def l1(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(l1=len(setup.data[0]) * (0.01, 0.03, 0.3)[strength])


@fault("regularization", "weight decay", "optimizer", suits=adam)
def weight_decay(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(optimizer=cr.AdamW(setup.lr, weight_decay=(10.0, 30.0, 90.0)[strength]))


@fault("dropout", "before every layer", suits=dense)
def dropout(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    rate = (0.7, 0.85, 0.95)[strength]
    layers: list[Any] = []
    for i, layer in enumerate(setup.layers):
        if isinstance(layer, cr.Dense) and i > (1 if setup.images else 0):
            layers.append(cr.Dropout(rate))
        if not isinstance(layer, cr.Dropout):
            layers.append(layer)
    return setup.but(net=cr.Sequential(*layers))


@fault("augmentation", "noise")
def noise(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(augment=cr.augment.Noise((2.0, 4.0, 10.0)[strength]))


@fault("augmentation", "turned and moved", suits=images)
def turned(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(augment=(None, "rotation:180", "shift:5", "rotation:180,shift:4,shear:40")[strength + 1])


@fault("augmentation", "columns exchanged", suits=table)
def exchanged(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(augment=cr.augment.Swap((0.5, 0.7, 0.9)[strength]))


@fault("loss", "another one", "code_scale", "lr_low", "epochs_few", suits=several)
def loss(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(loss=("quadratic", "mean_absolute_error", "hinge")[strength])


@fault("loss", "of a number", suits=regression)
def loss_of_number(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(loss=cr.losses.Huber((0.05, 0.01, 0.002)[strength]))


@fault("output", "of classes", "loss", suits=several)
def output(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    name = ("tanh", "relu", "sigmoid")[strength]
    kind = ("quadratic", "quadratic", "mean_absolute_error")[strength]
    return _output(setup, name).but(loss=kind)


@fault("output", "of numbers", "targets_unscaled", suits=regression)
def output_of_number(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return _output(setup, ("relu", "sigmoid", "tanh")[strength]).but(normalize_target=False)


def _output(setup: Setup, name: str) -> Setup:
    return setup.change_layers(
        lambda layer, last: (
            dataclasses.replace(layer, activation=name) if last and isinstance(layer, cr.Dense) else layer
        )
    )


def _hidden(setup: Setup, **changes: Any) -> Setup:
    """Return it with other settings of all hidden layers that have weights."""

    def change(layer: Any, last: bool) -> Any:
        fields = {field.name for field in dataclasses.fields(layer)} if dataclasses.is_dataclass(layer) else set()
        if last or not set(changes) <= fields or not isinstance(layer, cr.Dense | cr.Conv2D):
            return layer
        return dataclasses.replace(layer, **changes)

    return setup.change_layers(change)


@fault("activation", "linear", "too_small", suits=both(on("rings", "waves", "moons", "california"), plain))
def linear(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    def change(layer: Any, last: bool) -> Any:
        if last or not isinstance(layer, cr.Dense):
            return layer
        return dataclasses.replace(layer, activation=(None, None, "linear")[strength])

    return setup.change_layers(change)


@fault("activation", "saturating", "init", "batch_norm", suits=plain)
def saturating(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    name = (cr.activations.Sign(window=0.02), "hard_sigmoid", cr.activations.Step(window=0.02))[strength]
    initial = ("auto", cr.initializers.Normal(std=3.0), "auto")[strength]
    return _hidden(setup, activation=name, init=initial)


@fault("init", "zeros")
def zeros(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    initial = (cr.initializers.Constant(0.3), cr.initializers.Constant(0.05), "zeros")[strength]
    changed = _hidden(setup, init=initial)
    return changed.change_layers(
        lambda layer, last: dataclasses.replace(layer, init=initial) if last and isinstance(layer, cr.Dense) else layer
    )


@fault("init", "too large", "batch_norm", suits=plain)
def large_weights(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return _hidden(setup, init=cr.initializers.Normal(std=(3.0, 10.0, 50.0)[strength]))


@fault("init", "too small", "lr_low", "epochs_few", "batch_norm", suits=both(plain, lambda s: len(s.layers) >= 4))
def small_weights(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return _hidden(setup, init=cr.initializers.Normal(std=(1e-3, 1e-4, 1e-5)[strength]))


@fault("init", "dead units", "activation", suits=plain)
def dead(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return _hidden(setup, bias_init=cr.initializers.Constant((-4.0, -8.0, -20.0)[strength]))


@fault("bias", "none", "activation", suits=both(on("rings", "moons", "waves"), plain))
def bias(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    away = (0.0, 1.0, 2.0)[strength]

    def change(rows: Any) -> Any:
        return (rows[0] + away).astype(np.float32), rows[1]

    changed = setup.but(data=change(setup.data), judge=change(setup.judge), normalize=strength == 0)
    return changed.change_layers(lambda layer, last: dataclasses.replace(layer, bias=False) if isinstance(layer, cr.Dense) else layer)  # fmt: skip  # noqa: E501


@fault("batch_norm", "stale averages", suits=normed)
def stale(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return _norm(setup, momentum=(0.998, 0.9995, 0.99999)[strength])


@fault("batch_norm", "epsilon", "lr_low", "epochs_few", suits=normed)
def norm_epsilon(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return _norm(setup, eps=(1e2, 1e4, 1e6)[strength])


def _norm(setup: Setup, **changes: float) -> Setup:
    return setup.change_layers(
        lambda layer, last: dataclasses.replace(layer, **changes) if isinstance(layer, cr.BatchNorm) else layer
    )


@fault("too_small", "units", suits=dense)
def too_small(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    units = (3, 2, 1)[strength]
    return setup.change_layers(
        lambda layer, last: (
            dataclasses.replace(layer, units=units) if isinstance(layer, cr.Dense) and not last else layer
        )
    )


@fault("too_large", "wide and long", "overtrained", "no_validation", "patience", "regularization", "dropout",
       "lr_high", "too_little_data", suits=both(dense, plain, table))  # fmt: skip
def too_large(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    units, rows = (512, 512, 1024)[strength], (150, 100, 70)[strength]
    chosen = rng.permutation(len(setup.data[0]))[:rows]
    last = setup.layers[-1]
    net = cr.Sequential(cr.Dense(units, "relu"), cr.Dense(256, "relu"), last)
    return setup.but(net=net, data=(setup.data[0][chosen], setup.data[1][chosen]), epochs=40, early_stopping=None)


@fault("too_deep", "sigmoids", "activation", "init", "batch_norm", suits=both(dense, plain))
def too_deep(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    depth = (5, 8, 12)[strength]
    first = [layer for layer in setup.layers if isinstance(layer, cr.Flatten)]
    net = cr.Sequential(*first, *(cr.Dense(24, "sigmoid") for _ in range(depth)), setup.layers[-1])
    return setup.but(net=net)


@fault("too_deep", "tanh, wrongly initialized", "init", "activation", "batch_norm", suits=both(dense, plain))
def deep_tanh(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    depth = (12, 20, 30)[strength]
    first = [layer for layer in setup.layers if isinstance(layer, cr.Flatten)]
    small = cr.initializers.Normal(std=0.05)
    net = cr.Sequential(*first, *(cr.Dense(20, "tanh", init=small) for _ in range(depth)), setup.layers[-1])
    return setup.but(net=net)


# --- code of the user's own ---------------------------------------------------------------------------------------


def _before_output(setup: Setup, *layers: Any) -> Setup:
    return setup.insert(len(setup.layers) - 1, *layers)


def _as_activation(setup: Setup, layer: Any) -> Setup:
    """Return it with a layer in place of the activation of every hidden Dense layer."""
    layers: list[Any] = []
    for i, each in enumerate(setup.layers):
        if isinstance(each, cr.Dense) and i < len(setup.layers) - 1 and each.activation is not None:
            layers += [dataclasses.replace(each, activation=None), layer]
        elif isinstance(each, cr.Activation):
            layers.append(layer)
        else:
            layers.append(each)
    return setup.but(net=cr.Sequential(*layers))


@fault("code_gradient", "of a layer", judged="by name")
def wrong_gradient(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return _as_activation(setup, (code.LeakyHalf(), code.SquareWrong(), code.LeakySign())[strength])


@fault("code_cut", "in a layer", "code_gradient")
def cut(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    if strength == 0:
        return _before_output(setup, code.CutScale(8))
    return _before_output(setup, (code.Rounded(0.5), code.Cut())[strength - 1])


@fault("code_cut", "in the loss", "code_loss", "code_gradient")
def cut_loss(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(loss=code.CutLoss(setup.problem.task))


@fault("code_axis", "of a layer")
def axis(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return _before_output(setup, (code.Neighbour(0.5), code.SoftmaxOverBatch(), code.Neighbour(1.0))[strength])


@fault("code_axis", "of the loss", "code_loss")
def loss_axis(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    task = setup.problem.task
    return setup.but(loss=(code.BatchMean(task), code.Shifted(task), code.BatchMean(task))[strength])


@fault("code_axis", "centred over the batch", judged="by name")
def centred(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    layers = [code.CentredOverBatch()] * (1, 1, 2)[strength]
    return _before_output(setup, *layers)


@fault("code_loss", "does not point to the targets", "code_axis")
def code_loss(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    task = setup.problem.task
    return setup.but(loss=(code.Rolled(task), code.Shifted(task), code.Uphill(task))[strength])


@fault("code_scale", "of the loss", "loss", "code_loss", "lr_low", "epochs_few", suits=sgd)
def loss_scale(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(loss=code.Scaled(setup.problem.task, (1e-2, 1e-3, 1e-4)[strength]))


@fault("code_scale", "of the loss, too large", "loss", "code_loss", "lr_high", suits=sgd)
def loss_scale_up(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(loss=code.Scaled(setup.problem.task, (30.0, 100.0, 1000.0)[strength]))


@fault("code_scale", "of a layer", "init", "lr_high", "lr_low", "epochs_few", "batch_norm", suits=plain)
def layer_scale(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return _before_output(setup, code.Times((1e-3, 100.0, 1000.0)[strength]))
