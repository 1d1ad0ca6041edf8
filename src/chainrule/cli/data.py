"""Which rows of the data a command works on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chainrule import random
from chainrule.cli.messages import show_log
from chainrule.data import Dataset, load, stratified_split
from chainrule.data.npz import read_npz_features
from chainrule.presets import TrainSettings, spelt

#: The random stream of the test part, apart from those of `fit`.
TEST = 2**32 - 4


@dataclass(frozen=True)
class Part:
    """Some rows of a data set: their numbers in it, features, labels as they were given, and how to call them."""

    rows: np.ndarray
    x: np.ndarray
    y: np.ndarray
    text: str


def load_data(name: str, data_dir: str | Path | None) -> Dataset:
    """The data of a name or path; ``mnist`` and ``fashion_mnist`` are fetched if they are nowhere on this machine."""
    show_log()
    return load(name, data_dir, download=True)


def train_and_test(data: Dataset, settings: TrainSettings) -> tuple[Part, Part | None]:
    """The training rows (with those for validation), and those for the test: the data's own, or held out."""
    everything = _part(data, np.arange(len(data.x)), "all of them")
    if data.x_test is not None:
        return everything, own_test(data)
    if not settings.test:
        return everything, None
    rows, test = stratified_split(
        data.y,
        settings.test,
        random.fold_in(random.key(settings.seed), TEST),
        stratify=data.task == "classification" and data.y.ndim == 1,
    )
    held_out = f"held out at random (seed {settings.seed}): {data.name} has no test part of its own"
    return _part(data, rows, "the rest"), _part(data, test, held_out)


def judged(data: Dataset, given: str, settings: TrainSettings | None) -> Part:
    """The rows to judge a trained network on: those it has not seen, as far as they are known."""
    if data.x_test is not None:
        return own_test(data)
    same = settings is not None and settings.data is not None and _is_same(settings.data, given)
    if same and settings is not None:
        training, test = train_and_test(data, settings)
        return test or dataclasses.replace(training, text="all of them; the network was trained on these")
    return _part(data, np.arange(len(data.x)), "all of them")


def own_test(data: Dataset) -> Part:
    """The test part that the data came with."""
    assert data.x_test is not None
    assert data.y_test is not None
    return Part(np.arange(len(data.x_test)), data.x_test, data.labels(data.y_test), f"the test part of {data.name}")


def _is_same(data: str, other: str) -> bool:
    """Whether two names or paths are of the same data."""
    one, two = (Path(name).expanduser().resolve() for name in (data, other))
    return spelt(data) == spelt(other) or one == two


def _part(data: Dataset, rows: np.ndarray, text: str) -> Part:
    return Part(rows, data.x[rows], data.labels(data.y[rows]), text)


def features_to_predict(
    given: str, data_dir: str | Path | None, settings: TrainSettings | None
) -> tuple[np.ndarray, np.ndarray, str]:
    """The numbers and features of the rows to predict, and how to call them; an .npz file needs no targets."""
    if Path(given).suffix.lower() == ".npz":
        x, name = read_npz_features(given)
        return np.arange(len(x)), x, f"its array {name!r}"
    part = judged(load_data(given, data_dir), given, settings)
    return part.rows, part.x, part.text
