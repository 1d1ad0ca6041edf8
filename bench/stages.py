"""What sharing out the epochs of a search costs and gains: three ways beside plain random search.

    python bench/stages.py [--problems adult,mnist] [--seeds 8] [--trials 64] [--quick]

Every way searches with the same numbers of trials and epochs and with the same seeds; a seed draws the trials and, on
Adult, the validation rows. The winner of each search is judged once on test rows, which no search has seen: the best
validation score of many trials is partly luck, and more of it the more trials come to their last epoch. Needs
CHAINRULE_DATA. Writes bench/results/stages.md.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import chainrule as cr
from chainrule.statistics import paired

RESULT = Path(__file__).parent / "results" / "stages.md"
WAYS = (None, "coarse_to_fine", "halving", "hyperband")
EPOCHS = 10

HEAD = """# Ways to share out the epochs of a search

Written by `python bench/stages.py`: {trials} trials of {epochs} epochs at most, {seeds} seeds, mean ± standard
deviation. Seconds are those of a search in a process that has done one before. *Test*: the accuracy of the winner on
rows that no search has seen, and by how much that is above the winner's of plain random search with the same seed (95 %
interval).

| problem | stages | epochs | seconds | best validation accuracy | test | above plain search |
|---|---|---|---|---|---|---|
"""


def adult() -> dict[str, Any]:
    """A table: learning rate, λ and dropout of two layers of 64."""
    frame = pd.read_csv(Path(os.environ["CHAINRULE_DATA"]) / "tables" / "adult.csv")
    parts = [frame[frame["split"] == part].drop(columns="split").reset_index(drop=True) for part in ("train", "test")]
    data, held_out = (cr.Table.read(part, target="income") for part in parts)
    hidden = (layer for _ in range(2) for layer in (cr.Dense(64, "relu"), cr.Dropout(0.1)))
    space = {"optimizer.lr": cr.log_uniform(1e-4, 0.1), "l2": cr.log_uniform(1e-3, 100.0)}
    space |= {f"net.layers.{place}.rate": cr.uniform(0.0, 0.6) for place in (1, 3)}
    net = cr.Sequential(*hidden, cr.Dense(2, "softmax"))
    return {"net": net, "data": data, "space": space, "test": held_out, "optimizer": "adam", "batch_size": 200}


def mnist() -> dict[str, Any]:
    """10,000 images: learning rate, λ and the deviation of the first weights of 784-30-10."""
    images = cr.data.load("mnist")
    x = images.x.reshape(len(images.x), -1)
    space = {"optimizer.lr": cr.log_uniform(0.03, 3.0), "l2": cr.log_uniform(0.1, 100.0)}
    space["net.layers.0.init.std"] = cr.log_uniform(0.01, 1.0)
    first = cr.Dense(30, "sigmoid", init=cr.initializers.Normal(0.1))
    return {
        "net": cr.Sequential(first, cr.Dense(10, "softmax")),
        "data": (x[:10_000], images.y[:10_000]),
        "validation": (x[50_000:], images.y[50_000:]),
        "test": (images.x_test.reshape(len(images.x_test), -1), images.y_test),
        "space": space,
        "optimizer": cr.SGD(1.0),
        "batch_size": 10,
    }


PROBLEMS = {"adult": adult, "mnist": mnist}


def searched(problem: dict[str, Any], way: str | None, seed: int, trials: int) -> tuple[int, float, float, float]:
    """Epochs, seconds, the best validation score, and the winner's on the test rows."""
    before = time.perf_counter()
    settings = {name: value for name, value in problem.items() if name not in ("net", "data", "space")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a search overfits its validation rows is what is measured here
        found = cr.search(
            problem["net"], problem["data"], problem["space"],
            trials=trials, stages=way, epochs=EPOCHS, seed=seed, engine="jax", progress=False, **settings,
        )  # fmt: skip
    seconds = time.perf_counter() - before
    return sum(trial.epochs for trial in found.trials), seconds, found.score, found.search_gap.test


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", default=",".join(PROBLEMS))
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--quick", action="store_true", help="write nothing")
    options = parser.parse_args()
    lines = []
    for name in options.problems.split(","):
        problem = PROBLEMS[name]()
        for way in WAYS:
            searched(problem, way, 99, options.trials)  # compiles
        rows = {
            way: np.array([searched(problem, way, seed, options.trials) for seed in range(options.seeds)])
            for way in WAYS
        }
        for way, found in rows.items():
            epochs, seconds, validation, test = found.T
            gain = paired(test, rows[None][:, 3])
            above = "" if way is None else f"{gain.mean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
            spread = [f"{values.mean():.4f} ± {values.std(ddof=1):.4f}" for values in (validation, test)]
            line = [name, way or "none: plain random search", f"{epochs.mean():.0f}", f"{seconds.mean():.1f}"]
            lines.append(f"| {' | '.join([*line, *spread, above])} |")
            print(lines[-1], flush=True)
    if not options.quick:
        head = HEAD.format(trials=options.trials, epochs=EPOCHS, seeds=options.seeds)
        RESULT.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
