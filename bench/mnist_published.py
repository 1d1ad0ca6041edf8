"""The published figures of Nielsen's book on MNIST, reproduced over several seeds.

    python bench/mnist_published.py [--seeds 3] [--rows 1,2,3,4,5]

Needs MNIST's IDX files (CHAINRULE_DATA, or --data-dir). Trains on the first 50,000 training images, validates on the
last 10,000, and tests the weights of the epoch with the best validation accuracy on the 10,000 test images. The book
reports the best epoch of single, sometimes lucky runs; here are mean and deviation. Writes bench/results/mnist_published.md.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr

RESULTS = Path(__file__).parent / "results" / "mnist_published.md"


@dataclass(frozen=True)
class Row:
    """One network of the book, and the accuracy it reports (percent)."""

    what: str
    published: float
    hidden: int
    epochs: int
    lr: float
    loss: str
    output: str = "sigmoid"
    init: Any = cr.initializers.Normal(1.0)
    bias_init: Any = cr.initializers.Normal(1.0)
    l2: float = 0.0

    def net(self) -> cr.layers.Layer:
        return cr.mlp(
            [784, self.hidden, 10],
            hidden="sigmoid",
            output=self.output,
            init=self.init,
            bias_init=self.bias_init,
        )


SCALED = {"init": "lecun_normal"}
ROWS = [
    Row("784-30-10 sigmoid, quadratic cost, N(0,1), η=3.0, 30 epochs", 95.42, 30, 30, 3.0, "quadratic"),
    Row("the same with 100 hidden units", 96.59, 100, 30, 3.0, "quadratic"),
    Row("784-30-10, cross-entropy, N(0,1), η=0.5, 30 epochs", 95.49, 30, 30, 0.5, "binary_cross_entropy"),
    Row("784-100-10, cross-entropy, 1/√n, η=0.1, λ=5, 60 epochs", 98.04, 100, 60, 0.1, "binary_cross_entropy", l2=5.0, **SCALED),
    Row("784-100-10, softmax, 1/√n, η=0.1, 60 epochs", 97.80, 100, 60, 0.1, "cross_entropy", output="softmax", **SCALED),
]  # fmt: skip


def train(row: Row, data: cr.Dataset, seed: int) -> tuple[float, float, float]:
    """Test accuracy at the best validation epoch and after the last epoch, in percent, and the seconds."""
    x = data.x.reshape(len(data.x), -1) * (255 / 256)  # the book's pixels are value / 256
    x_test = data.x_test.reshape(len(data.x_test), -1) * (255 / 256)
    last: dict[int, cr.Model] = {}

    def keep_last(event: cr.Event) -> None:
        if event.epoch == event.epochs:
            last[0] = event.model()

    before = time.perf_counter()
    run = cr.fit(
        row.net(),
        (x[:50_000], data.y[:50_000]),
        validation=(x[50_000:], data.y[50_000:]),
        loss=row.loss,
        optimizer=cr.SGD(lr=row.lr),
        epochs=row.epochs,
        batch_size=10,
        l2=row.l2,
        normalize=False,
        early_stopping=cr.EarlyStopping(patience=row.epochs, monitor="val_accuracy"),
        callbacks=[keep_last],
        seed=seed,
        engine="jax",
        progress=False,
    )
    seconds = time.perf_counter() - before
    best = 100 * run.evaluate(x_test, data.y_test)["accuracy"]
    final = 100 * float(np.mean(last[0].predict(x_test) == data.y_test))
    return best, final, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", default="1,2,3,4,5")
    parser.add_argument("--data-dir")
    options = parser.parse_args()
    data = cr.data.load("mnist", data_dir=options.data_dir)
    lines = [
        "# MNIST: figures of Nielsen's book",
        "",
        f"Written by `python bench/mnist_published.py --seeds {options.seeds}`. Test accuracy in percent, mini-batch 10,",
        "training on 50,000 images; mean ± deviation (n - 1) over the seeds, at the epoch with the best validation accuracy",
        "(10,000 images) and after the last epoch.",
        "",
        "| network | published | best validation epoch | last epoch | each seed | seconds a run |",
        "|---|---|---|---|---|---|",
    ]
    for number in map(int, options.rows.split(",")):
        row = ROWS[number - 1]
        results = np.array([train(row, data, seed) for seed in range(options.seeds)])
        mean, deviation = results.mean(axis=0), results.std(axis=0, ddof=1 if options.seeds > 1 else 0)
        lines.append(
            f"| {row.what} | {row.published:.2f} | {mean[0]:.2f} ± {deviation[0]:.2f} | {mean[1]:.2f} ± {deviation[1]:.2f} "
            f"| {', '.join(f'{r:.2f}' for r in results[:, 0])} | {mean[2]:.0f} |"
        )
        print(lines[-1], flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
