"""The healthy recipes that every case is made from: a network on a data set with settings that are good there."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

import chainrule as cr
from doctor_cases.problems import Problem, Rows, problem


@dataclass(frozen=True, eq=False)
class Setup:
    """What `fit` is called with, and the rows on which it is judged.

    Attributes
    ----------
    balanced : whether every class counts alike in the error (for classes that are rare)
    """

    problem: Problem
    net: Any
    data: Rows
    settings: dict[str, Any]
    judge: Rows
    balanced: bool = False

    def but(self, **changes: Any) -> Setup:
        """Return it with other parts; names that are no parts are settings of `fit`."""
        parts = {field.name for field in dataclasses.fields(self)}
        settings = self.settings | {name: value for name, value in changes.items() if name not in parts}
        return dataclasses.replace(
            self, settings=settings, **{name: value for name, value in changes.items() if name in parts}
        )

    @property
    def lr(self) -> float:
        return float(self.settings["optimizer"].lr)

    def with_lr(self, lr: Any) -> Setup:
        """Return it with another learning rate."""
        return self.but(optimizer=dataclasses.replace(self.settings["optimizer"], lr=lr))

    @property
    def layers(self) -> list[Any]:
        return list(self.net.layers)

    @property
    def images(self) -> bool:
        return self.data[0].ndim == 4

    @property
    def convolutional(self) -> bool:
        return any(isinstance(layer, cr.Conv2D) for layer in self.net.layers)

    def change_layers(self, change: Any) -> Setup:
        """Return it with every layer replaced by ``change(layer, is the last with weights)``."""
        last = max(i for i, layer in enumerate(self.net.layers) if isinstance(layer, cr.Dense))
        return self.but(net=cr.Sequential(*(change(layer, i == last) for i, layer in enumerate(self.net.layers))))

    def insert(self, at: int, *layers: Any) -> Setup:
        """Return it with layers put before a position."""
        given = self.layers
        return self.but(net=cr.Sequential(*given[:at], *layers, *given[at:]))


def output(of: Problem) -> cr.Dense:
    return cr.Dense(of.outputs, {"binary": "sigmoid", "classification": "softmax", "regression": None}[of.task])


def flat(of: Problem) -> list[Any]:
    return [cr.Flatten()] if len(of.inputs) == 3 else []


def mlp(*units: int, hidden: str = "relu") -> Any:
    return lambda of: cr.Sequential(*flat(of), *(cr.Dense(n, hidden) for n in units), output(of))


def norm(*units: int) -> Any:
    def build(of: Problem) -> Any:
        hidden = [
            layer for n in units for layer in (cr.Dense(n), cr.BatchNorm(), cr.Activation("relu"), cr.Dropout(0.1))
        ]
        return cr.Sequential(*flat(of), *hidden, output(of))

    return build


def cnn(channels: int) -> Any:
    def build(of: Problem) -> Any:
        return cr.Sequential(
            cr.Conv2D(channels, 3, activation="relu"),
            cr.MaxPool2D(2),
            cr.Conv2D(2 * channels, 3, activation="relu"),
            cr.Flatten(),
            cr.Dense(32, "relu"),
            output(of),
        )

    return build


#: name: (data set, network, settings); the optimizer is Adam unless told otherwise.
BASES: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "titanic-small": ("titanic", mlp(16), {"lr": 0.01, "epochs": 25}),
    "digits-cnn": ("digits", cnn(8), {"lr": 0.004, "epochs": 14}),
    "california-small": ("california", mlp(32, 32), {"lr": 0.005, "epochs": 40}),
    "rings-deep": ("rings", mlp(24, 24, 24, 24), {"lr": 0.005, "epochs": 40}),
    "digits-wide": ("digits", mlp(256), {"lr": 0.003, "epochs": 25}),
    "titanic-norm": ("titanic", norm(24), {"lr": 0.01, "epochs": 25}),
    "california-deep": ("california", mlp(24, 24, 24, 24), {"lr": 0.004, "epochs": 40}),
    "digits-norm": ("digits", norm(64), {"lr": 0.01, "epochs": 20}),
    "rings-sgd": ("rings", mlp(48), {"optimizer": cr.SGD(0.05, momentum=0.9), "epochs": 60}),
    "wine-small": ("wine", mlp(16), {"lr": 0.01, "epochs": 40, "batch_size": 16}),
    "iris-small": ("iris", mlp(16), {"lr": 0.01, "epochs": 50, "batch_size": 16, "early_stopping": None}),
    "adult-small": ("adult", mlp(24), {"lr": 0.005, "epochs": 12}),
    "mnist-cnn": ("mnist", cnn(8), {"lr": 0.004, "epochs": 12}),
    "waves-wide": ("waves", mlp(128, 128), {"lr": 0.01, "epochs": 50}),
    "mnist-deep": ("mnist", mlp(64, 64, 64, 64), {"lr": 0.002, "epochs": 20}),
    "moons-small": ("moons", mlp(32, 32), {"lr": 0.01, "epochs": 40}),
    "adult-norm": ("adult", norm(32), {"lr": 0.005, "epochs": 12}),
    "diabetes-small": ("diabetes", mlp(16), {"lr": 0.01, "epochs": 25, "batch_size": 16}),
    "mnist-sgd": ("mnist", mlp(100), {"optimizer": cr.SGD(0.1, momentum=0.9), "epochs": 20}),
    "waves-norm": ("waves", norm(64, 64), {"lr": 0.01, "epochs": 50}),
    "penguins-small": ("penguins", mlp(16), {"lr": 0.01, "epochs": 40, "batch_size": 16}),
    "cancer-deep": ("breast_cancer", mlp(32, 32, 32), {"lr": 0.003, "epochs": 25, "batch_size": 16}),
}


def base(name: str) -> Setup:
    """Return a healthy recipe by its name."""
    data, network, settings = BASES[name]
    of = problem(data)
    settings = dict(settings)
    lr = settings.pop("lr", None)
    if lr is not None:
        settings["optimizer"] = cr.Adam(lr)
    defaults: dict[str, Any] = {"batch_size": 32, "validation": 0.2, "early_stopping": cr.EarlyStopping(patience=8)}
    if of.task == "regression":
        defaults["normalize_target"] = True
    train = tuple(np.asarray(part) for part in of.train)
    return Setup(of, network(of), train, defaults | settings, of.judge)  # type: ignore[arg-type]
