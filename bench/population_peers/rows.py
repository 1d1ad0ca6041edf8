"""The rows of the population benchmark: one description of each, from which every side builds its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

TRAINING = 50_000  # of MNIST's training images; the other 10,000 validate

#: What is searched, each setting between two bounds, evenly in its logarithm: the learning rate, λ of L2, and the
#: deviation of the first layer's initial weights.
SPACE = {"optimizer.lr": (0.03, 3.0), "l2": (0.1, 100.0), "net.layers.0.init.std": (0.01, 1.0)}


@dataclass(frozen=True)
class CostEstimate:
    """What is done, how often, and what it is compared with.

    `targets` are the peers, each with the least ratio wanted of its time over chainrule's (0: none). A peer may do
    a `share` of the units: the time for all is the median of those it did times their number, and what else its process
    took.
    """

    title: str
    task: str
    unit: str
    count: int
    targets: dict[str, float]
    epochs: int
    batch: int
    images: int = TRAINING  # of MNIST, to train on
    trials: int = 64  # of a search that is one unit
    share: dict[str, int] = field(default_factory=dict)
    rounds: int = 3
    tolerance: float = 0.01  # by how much mean scores may differ
    fewer: int = 4  # units of a short measurement, and what else is less in it
    short: dict[str, Any] = field(default_factory=dict)


ROWS = {
    "trials": CostEstimate(
        "64 random trials (lr, L2, initial scale), MNIST 784-30-10, batch 10, 3 epochs",
        "trials",
        "trial",
        64,
        {"torch": 14.0, "torch_two": 7.0, "torch_program": 0.0},
        epochs=3,
        batch=10,
        share={"torch": 6, "torch_two": 6, "torch_program": 6},
        short={"epochs": 1, "images": 10_000},
    ),
    "folds": CostEstimate(
        "5 folds × 4 seeds on Adult, MLP 2×64, Adam, batch 200, 20 epochs",
        "folds",
        "fit",
        20,
        {"sklearn": 5.0},
        epochs=20,
        batch=200,
        fewer=10,
        short={"epochs": 2},
    ),
    "seeds": CostEstimate(
        "32 seeds, MNIST 784-128-10, Adam, batch 32, 3 epochs",
        "seeds",
        "fit",
        32,
        {"single": 2.0},
        epochs=3,
        batch=32,
        share={"single": 4},
        short={"images": 10_000},
    ),
    "stages_adult": CostEstimate(
        "coarse to fine on Adult, MLP 2×64, beside plain random search, until the same score",
        "stages_adult",
        "search",
        1,
        {"random": 2.0},
        epochs=10,
        batch=200,
        rounds=5,
        short={"trials": 16, "epochs": 2},
    ),
    "stages_mnist": CostEstimate(
        "coarse to fine on 10,000 images of MNIST, 784-30-10, beside plain random search, until the same score",
        "stages_mnist",
        "search",
        1,
        {"random": 2.0},
        epochs=10,
        batch=10,
        images=10_000,
        short={"trials": 16, "epochs": 2, "images": 2_000},
    ),
    "gpu": CostEstimate(
        "64, 512 and 4,096 such trials of MNIST on a GPU",
        "gpu",
        "trial",
        4096,
        {},
        epochs=3,
        batch=10,
        rounds=1,
        short={"epochs": 1, "images": 10_000},
    ),
}


@dataclass
class Told:
    """What a side says of its work.

    Attributes
    ----------
    warm : seconds of the whole work, without what is done only once in a process (imports, loading, compiling)
    more : seconds that the process would have taken besides for the whole work; below 0 for what it did twice
    scores : validation accuracy of each unit it did
    settings : what each unit was trained with
    curve : seconds since the process was started, and the best score then
    warm_curve : of a second search, in the same process: seconds since it was called, and the best score then
    note : words for the table
    """

    warm: float
    more: float
    scores: list[float]
    settings: list[dict[str, float]] = field(default_factory=list)
    curve: list[tuple[float, float]] = field(default_factory=list)
    warm_curve: list[tuple[float, float]] = field(default_factory=list)
    note: str = ""


def scaled(work: CostEstimate, seconds: list[float], scores: list[float], processes: int = 1, **others: Any) -> Told:
    """What a side says that did some of the units, one after the other, and in how many seconds each."""
    of = work.count / processes
    unit = float(np.median(seconds))
    return Told(unit * of, unit * (of - len(seconds)), scores, **others)


Task = Callable[[CostEstimate, SimpleNamespace], Told]


def main(**tasks: Task) -> None:
    """Do the job of the command line, and print what there is to tell as JSON."""
    job = SimpleNamespace(**json.loads(sys.argv[1]))
    told = tasks[job.task](CostEstimate(**job.work), job)
    print(json.dumps(vars(told)))


def mnist(
    work: CostEstimate, job: SimpleNamespace
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The training and the validation images, flat and between 0 and 1, with their labels."""
    x, y = (np.load(Path(job.data) / f"{name}.npy", mmap_mode="r") for name in "xy")  # read is what is used
    train, validation = slice(work.images), slice(TRAINING, None)
    return (np.array(x[train]), np.array(y[train])), (np.array(x[validation]), np.array(y[validation]))


def adult(job: SimpleNamespace) -> Any:
    """The rows of Adult that are for training, as a frame without the column that says so."""
    import pandas as pd

    frame = pd.read_csv(Path(job.tables) / "adult.csv")
    return frame[frame["split"] == "train"].drop(columns="split").reset_index(drop=True)


def drawn(number: int, seed: int) -> list[dict[str, float]]:
    """So many random points of the space."""
    rng = np.random.default_rng(seed)
    return [
        {name: float(np.exp(rng.uniform(*np.log(bounds)))) for name, bounds in SPACE.items()} for _ in range(number)
    ]
