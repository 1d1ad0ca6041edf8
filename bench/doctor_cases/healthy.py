"""Runs in which nothing is wrong: usual ones, and odd ones that look as if something were."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import chainrule as cr
from doctor_cases import code
from doctor_cases.bases import Setup
from doctor_cases.faults import (
    Apply,
    _as_activation,
    _hidden,
    adam,
    anywhere,
    classes,
    dense,
    images,
    on,
    plain,
    regression,
    several,
    sgd,
    stopping,
    table,
)


@dataclass(frozen=True)
class Healthy:
    """A change of a healthy recipe after which it is as good; ``odd`` if it looks suspicious."""

    name: str
    odd: bool
    apply: Apply
    suits: Callable[[Setup], bool]


HEALTHY: list[Healthy] = []


def healthy(name: str, *, odd: bool = True, suits: Callable[[Setup], bool] = anywhere) -> Callable[[Apply], Apply]:
    """Register a function that makes a healthy run."""

    def register(apply: Apply) -> Apply:
        HEALTHY.append(Healthy(name, odd, apply, suits))
        return apply

    return register


# --- usual ones ---------------------------------------------------------------------------------------------------


@healthy("as it is", odd=False)
def same(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup


@healthy("some of the rows", odd=False)
def sample(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    x, y = setup.data
    rows = rng.permutation(len(x))[: int((0.9, 0.8, 0.85)[strength] * len(x))]
    return setup.but(data=(x[rows], y[rows]))


@healthy("another rate", odd=False)
def rate(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.with_lr(setup.lr * (0.5, 1.5, 2.0)[strength])


@healthy("another size of batches", odd=False)
def batches(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(batch_size=(16, 48, 64)[strength])


@healthy("a wider network", odd=False, suits=dense)
def wider(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.change_layers(
        lambda layer, last: (
            dataclasses.replace(layer, units=(3 * layer.units) // 2)
            if isinstance(layer, cr.Dense) and not last
            else layer
        )
    )


@healthy("a little penalty", odd=False)
def penalty(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(l2=(0.03, 0.1, 0.3)[strength])


# --- odd ones: optimizers and schedules ---------------------------------------------------------------------------


@healthy("SGD with momentum", suits=adam)
def with_sgd(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(optimizer=cr.SGD((0.05, 0.1, 0.03)[strength], momentum=0.9))


@healthy("plain SGD", suits=lambda setup: plain(setup) and adam(setup))
def plain_sgd(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(optimizer=cr.SGD((0.3, 0.2, 0.1)[strength]), epochs=setup.settings["epochs"] * 2)


@healthy("AdaGrad")
def adagrad(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(optimizer=cr.AdaGrad((0.05, 0.03, 0.1)[strength]))


@healthy("RMSProp")
def rmsprop(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(optimizer=cr.RMSProp((0.003, 0.002, 0.005)[strength]))


@healthy("AdamW")
def adamw(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(optimizer=cr.AdamW(0.005, weight_decay=(0.01, 0.1, 0.3)[strength]))


@healthy("warm-up, then cosine", suits=adam)
def warmup(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    epochs = setup.settings["epochs"]
    peak = cr.schedules.Cosine(setup.lr * 1.5)
    return setup.with_lr(cr.schedules.Warmup(peak, epochs=epochs * (0.1, 0.2, 0.3)[strength]))


@healthy("one cycle", suits=adam)
def one_cycle(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.with_lr(cr.schedules.OneCycle(setup.lr * (2, 3, 2)[strength])).but(early_stopping=None)


@healthy("clipped gradients that do no harm")
def clips(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(optimizer=dataclasses.replace(setup.settings["optimizer"], clip_norm=(1.0, 2.0, 5.0)[strength]))


# --- odd ones: networks -------------------------------------------------------------------------------------------


@healthy("another activation", suits=plain)
def activation(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return _hidden(setup, activation=("tanh", "elu", "gelu")[strength])


@healthy("sigmoids in a small network", suits=lambda setup: plain(setup) and dense(setup) and len(setup.layers) <= 3)
def sigmoids(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return _hidden(setup, activation="sigmoid").with_lr(setup.lr * 2).but(epochs=setup.settings["epochs"] * 2)


@healthy("maxout", suits=lambda setup: plain(setup) and dense(setup))
def maxout(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.change_layers(
        lambda layer, last: (
            cr.Maxout(layer.units, 2 + strength % 2) if isinstance(layer, cr.Dense) and not last else layer
        )
    )


@healthy("dropout: training below validation", suits=lambda setup: dense(setup) and setup.problem.task != "regression")
def drops(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.insert(len(setup.layers) - 1, cr.Dropout((0.3, 0.4, 0.5)[strength]))


@healthy("batch normalization with slow averages", suits=lambda setup: not plain(setup))
def slow_norm(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.change_layers(
        lambda layer, last: (
            dataclasses.replace(layer, momentum=(0.95, 0.8, 0.5)[strength])
            if isinstance(layer, cr.BatchNorm)
            else layer
        )
    )


@healthy("layer normalization", suits=lambda setup: plain(setup) and dense(setup))
def layer_norm(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    at = 1 + sum(isinstance(layer, cr.Flatten) for layer in setup.layers)
    return setup.insert(at, cr.LayerNorm())


@healthy("another initialization", suits=plain)
def initial(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return _hidden(setup, init=("orthogonal", "lecun_normal", "glorot_uniform")[strength])


@healthy("small first weights that grow", suits=lambda setup: plain(setup) and len(setup.layers) <= 3)
def small_first(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return _hidden(setup, init=cr.initializers.Normal(std=(0.02, 0.05, 0.01)[strength]))


@healthy("no biases where none are needed", suits=lambda setup: plain(setup) and images(setup))
def biasless(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return _hidden(setup, bias=False)


@healthy("linear: enough here", suits=on("wine", "breast_cancer", "titanic", "adult", "diabetes", "penguins"))
def linear(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(net=cr.Sequential(setup.layers[-1])).with_lr(setup.lr * 2)


@healthy("a layer of the user's own that is right", suits=dense)
def own_layer(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    if strength == 1 and plain(setup):
        return setup.insert(len(setup.layers) - 1, code.NormRows())
    return _as_activation(setup, code.Gate() if strength == 2 else code.LeakyRight())


@healthy("a factor in the network that does no harm", suits=dense)
def factor(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.insert(len(setup.layers) - 1, code.Times((0.5, 2.0, 3.0)[strength]))


# --- odd ones: losses ---------------------------------------------------------------------------------------------


@healthy("a loss of the user's own that is right", suits=several)
def own_loss(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    task = setup.problem.task
    return setup.but(loss=(code.Smoothed(task, 0.1), code.Focal(task), code.OwnLoss(task))[strength])


@healthy("a loss of numbers of the user's own", suits=regression)
def own_loss_of_numbers(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    task = setup.problem.task
    return setup.but(loss=(code.LogCosh(task), cr.losses.Huber(1.0), code.OwnLoss(task))[strength])


@healthy("a loss times a constant, with Adam", suits=lambda setup: adam(setup))
def scaled_loss(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(loss=code.Scaled(setup.problem.task, (0.1, 10.0, 3.0)[strength]))


@healthy("label smoothing", suits=several)
def smoothing(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(loss=cr.losses.CrossEntropy(label_smoothing=(0.05, 0.1, 0.2)[strength]))


@healthy("balanced class weights", suits=classes)
def balanced(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(class_weight="balanced")


# --- odd ones: batches, epochs ------------------------------------------------------------------------------------


@healthy("small batches", suits=plain)
def small_batches(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(batch_size=(8, 6, 4)[strength]).with_lr(setup.lr * 0.4)


@healthy("large batches", suits=lambda setup: len(setup.data[0]) >= 500)
def large_batches(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(batch_size=(128, 200, 256)[strength], epochs=setup.settings["epochs"] * 2).with_lr(setup.lr * 2.5)


@healthy("fewer epochs, enough")
def fewer(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(epochs=max(4, int((0.7, 0.6, 0.5)[strength] * setup.settings["epochs"])))


@healthy("more epochs with early stopping", suits=stopping)
def more(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(epochs=setup.settings["epochs"] * (2, 3, 4)[strength])


@healthy("no validation rows, no harm")
def unwatched(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(validation=None, early_stopping=None)


@healthy("no early stopping, no harm", suits=stopping)
def unstopped(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(early_stopping=None)


@healthy("mild augmentation")
def mild(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    name = ("shift:1", "rotation:8", "noise:0.1") if setup.images else ("noise:0.05", "noise:0.1", "mixup:0.1")
    return setup.but(augment=name[strength])


# --- odd ones: data -----------------------------------------------------------------------------------------------


@healthy("nine tenths zeros", suits=table)
def sparse(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    """Many columns that are nearly always 0, beside those that tell."""
    count = 9 * setup.data[0].shape[1]

    def widen(rows: Any) -> Any:
        extra = rng.random((len(rows[0]), count)) < 0.02
        return np.concatenate([rows[0], extra], axis=1).astype(np.float32), rows[1]

    return setup.but(data=widen(setup.data), judge=widen(setup.judge))


@healthy(
    "raw but fine inputs", suits=lambda setup: setup.problem.name in ("moons", "rings", "waves", "digits", "mnist")
)
def raw(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(normalize=False)


@healthy("columns that are normalized already", suits=table)
def normalized(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    mean, std = setup.data[0].mean(axis=0), setup.data[0].std(axis=0) + 1e-6

    def change(rows: Any) -> Any:
        return ((rows[0] - mean) / std).astype(np.float32), rows[1]

    return setup.but(data=change(setup.data), judge=change(setup.judge), normalize=False)


@healthy("natural duplicates", suits=on("titanic", "adult"))
def natural(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    """Rounded columns: many rows alike, some with other labels."""

    def change(rows: Any) -> Any:
        step = (2.0, 4.0, 3.0)[strength]
        return (np.round(rows[0] / step) * step if strength == 1 else np.round(rows[0] / 2) * 2).astype(
            np.float32
        ), rows[1]

    keep = setup.data[0].max(axis=0) > 1.5

    def coarse(rows: Any) -> Any:
        x = np.where(keep, change(rows)[0], rows[0])
        return x.astype(np.float32), rows[1]

    return setup.but(data=coarse(setup.data), judge=coarse(setup.judge))


@healthy("one strong column", suits=lambda setup: table(setup) and classes(setup))
def strong(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    """A measurement that tells most of it, as good ones do: not a leak."""

    def add(rows: Any) -> Any:
        x, y = rows
        column = y + (0.45, 0.6, 0.8)[strength] * rng.normal(size=len(y))
        return np.column_stack([x, column]).astype(np.float32), y

    return setup.but(data=add(setup.data), judge=add(setup.judge))


@healthy("heavy tails that belong there", suits=lambda setup: table(setup))
def tails(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    """A column of incomes: log-normal, as nature has it."""
    sigma = (1.0, 1.3, 1.6)[strength]

    def add(rows: Any) -> Any:
        return np.column_stack([rows[0], rng.lognormal(0, sigma, len(rows[0]))]).astype(np.float32), rows[1]

    return setup.but(data=add(setup.data), judge=add(setup.judge))


@healthy("natural imbalance", suits=on("titanic", "adult", "moons", "breast_cancer"))
def uneven(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    """One class is a quarter to a third of the other, and is learnt."""
    x, y = setup.data
    first = np.flatnonzero(y == 1)
    keep = rng.permutation(first)[: int((0.3, 0.27, 0.25)[strength] * (y == 0).sum())]
    rows = np.sort(np.concatenate([np.flatnonzero(y == 0), keep]))
    return setup.but(data=(x[rows], y[rows]), balanced=False)


@healthy("nearly no error", suits=lambda setup: several(setup) and table(setup))
def easy(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    """Classes that lie apart: 99.9 % are right."""
    size = np.abs(setup.data[0]).mean() + 1

    def apart(rows: Any) -> Any:
        y = rows[1]
        corner = np.stack([np.cos(2 * np.pi * y / (y.max() + 1)), np.sin(2 * np.pi * y / (y.max() + 1))], axis=1)
        return np.column_stack([rows[0], size * (4 * corner + rng.normal(size=corner.shape))]).astype(np.float32), y

    return setup.but(data=apart(setup.data), judge=apart(setup.judge))


@healthy("validation rows given apart", odd=False)
def apart(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    x, y = setup.data
    rows = rng.permutation(len(x))
    train, held = np.split(rows, [int(0.8 * len(rows))])
    return setup.but(data=(x[train], y[train]), validation=(x[held], y[held]))


@healthy("double precision", suits=lambda setup: dense(setup) and sgd(setup))
def double(setup: Setup, strength: int, rng: np.random.Generator) -> Setup:
    return setup.but(precision="float64")
