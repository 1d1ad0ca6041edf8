"""The data sets of the development set, each in rows that the doctor sees and rows that only the measurement sees.

Half of them are for development, the other half for the last measurement.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr

Rows = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Problem:
    """A data set.

    Attributes
    ----------
    train : the rows that a user has: inputs as they come, with labels or numbers
    judge : other rows, on which a case is judged; the doctor never gets them
    task : "binary", "classification" or "regression"
    outputs : of a network for it
    """

    name: str
    part: str
    train: Rows
    judge: Rows
    task: str
    outputs: int

    @property
    def inputs(self) -> tuple[int, ...]:
        return self.train[0].shape[1:]


def tables() -> Path:
    """Return the folder of tables, in the one that CHAINRULE_DATA names."""
    return Path(os.environ.get("CHAINRULE_DATA", "../shared/data")) / "tables"


def numbers(frame: Any, target: str, drop: list[str]) -> tuple[np.ndarray, Any]:
    """Return a table's columns as numbers (gaps as the median, categories as 0 and 1) and its target."""
    import pandas as pd

    frame = frame[frame[target].notna()]
    y = frame[target].to_numpy()
    frame = frame.drop(columns=[target, *drop])
    wide = pd.get_dummies(frame, dtype=float)
    return wide.fillna(wide.median()).to_numpy(np.float32), y


def titanic() -> Rows:
    import pandas as pd

    frame = pd.read_csv(tables() / "titanic.csv")
    x, y = numbers(frame, "Survived", ["PassengerId", "Name", "Ticket", "Cabin"])
    return x, y.astype(int)


def adult() -> Rows:
    import pandas as pd

    frame = pd.read_csv(tables() / "adult.csv").sample(2400, random_state=0)
    x, y = numbers(frame, "income", ["fnlwgt", "native_country", "education", "split"])
    return x, (y == ">50K").astype(int)


def penguins() -> Rows:
    """The sex of penguins from what they measure: not as easy as their species."""
    import pandas as pd

    x, y = numbers(pd.read_csv(tables() / "penguins.csv"), "sex", ["year", "island"])
    return x, (y == "male").astype(int)


def california() -> Rows:
    import pandas as pd

    frame = pd.read_csv(tables() / "california_housing.csv").sample(2000, random_state=0)
    x, y = numbers(frame, "median_house_value", [])
    return x, (y / 1000).astype(np.float32)  # in thousands of dollars


def mnist(per_part: int = 1200) -> Rows:
    data = cr.data.load("mnist")
    rows = np.random.default_rng(0).choice(len(data.x), 2 * per_part, replace=False)
    images = np.asarray(data.x)[rows].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))  # 14 x 14 pixels are quick
    return images[..., None].astype(np.float32), np.asarray(data.y)[rows].astype(int)


def bundled(name: str) -> Callable[[], Rows]:
    def read() -> Rows:
        data = cr.data.load(name)
        y = np.asarray(data.y)
        return np.asarray(data.x, np.float32), y.astype(np.float32) if name == "diabetes" else y.astype(int)

    return read


def rings() -> Rows:
    """Three rings around the origin in the plane, and two columns of noise: only the distance tells the class."""
    rng = np.random.default_rng(1)
    label = rng.integers(0, 3, 1600)
    radius, angle = 1 + label + 0.28 * rng.normal(size=1600), rng.uniform(0, 2 * np.pi, 1600)
    x = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), rng.normal(size=(1600, 2))])
    return x.astype(np.float32), label


def waves() -> Rows:
    """A number that is a sum of waves and a product of the inputs, with a little noise."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(2000, 6))
    y = np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.5 * x[:, 3] + 0.15 * rng.normal(size=2000)
    return x.astype(np.float32), y.astype(np.float32)


def moons() -> Rows:
    """Two half moons with noise."""
    from sklearn.datasets import make_moons

    x, y = make_moons(1200, noise=0.22, random_state=3)
    return x.astype(np.float32), y.astype(int)


#: name: (half, reader, share of the rows that a user has)
SETS: dict[str, tuple[str, Callable[[], Rows], float]] = {
    "titanic": ("dev", titanic, 0.67),
    "california": ("dev", california, 0.5),
    "digits": ("dev", bundled("digits"), 0.6),
    "wine": ("dev", bundled("wine"), 0.6),
    "rings": ("dev", rings, 0.5),
    "iris": ("dev", bundled("iris"), 0.6),
    "adult": ("test", adult, 0.5),
    "penguins": ("test", penguins, 0.6),
    "mnist": ("test", mnist, 0.5),
    "breast_cancer": ("test", bundled("breast_cancer"), 0.6),
    "diabetes": ("test", bundled("diabetes"), 0.6),
    "waves": ("test", waves, 0.5),
    "moons": ("test", moons, 0.5),
}


@functools.cache
def problem(name: str) -> Problem:
    """Return a data set; raises an error where its file is not here."""
    part, read, share = SETS[name]
    x, y = read()
    order = np.random.default_rng(5).permutation(len(x))
    train, judge = np.split(order, [int(share * len(x))])
    kind = "regression" if y.dtype.kind == "f" else "binary" if len(np.unique(y)) == 2 else "classification"
    outputs = len(np.unique(y)) if kind == "classification" else 1
    return Problem(name, part, (x[train], y[train]), (x[judge], y[judge]), kind, outputs)
