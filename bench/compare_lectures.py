"""Three claims of the lectures on MNIST, each over 20 seeds with paired differences: is it so, and by how much?

    python bench/compare_lectures.py [--only slow,starts,optimizers] [--seeds 20] [--quick]

Needs MNIST in CHAINRULE_DATA. Writes bench/results/compare.md after each comparison; those that were not asked for stay
as they are. ``--quick`` takes 3 seeds and 2,000 images, and prints only.

1. slow: a sigmoid network that starts saturated learns slowly with the quadratic cost, and not with the cross-entropy
   (lecture 003). 784-30-10, weights from N(0, 1), both with their best rate.
2. starts: how the weights start (lectures 000, 002, 003, 004). A ReLU network with four hidden layers.
3. optimizers: gradient descent and its improvements (lectures 000, 003). 784-30-10, each with its best rate.

A best rate is that of the best mean over 4 other seeds, of a grid in half decades, with the same number of epochs: so
no side is judged by a rate that suits another one.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.population import Comparison, compare, fit_population

RESULT = Path(__file__).parent / "results" / "compare.md"
PARTS = RESULT.with_suffix(".json")

#: Seeds that rates are chosen with; the comparisons take others.
CHOOSING = (1000, 1001, 1002, 1003)

#: Rates to choose from, in half decades.
LARGE, MIDDLE, SMALL = (0.1, 0.3, 1.0, 3.0, 10.0), (0.01, 0.03, 0.1, 0.3, 1.0), (0.0003, 0.001, 0.003, 0.01, 0.03)
SATURATED = (0.3, 1.0, 3.0, 10.0, 30.0)

HEAD = """# The lectures' comparisons, with intervals

Written by `python bench/compare_lectures.py`. MNIST, 50,000 images to train on and 10,000 others to judge by; every
configuration with the same seeds, which set the initial weights and the order. Differences are paired by seed; p values
and intervals hold for all pairs of a comparison together (Holm). The curves are means over the seeds with their 95 %
intervals.
"""


@dataclass(frozen=True)
class CostEstimate:
    """How much is done: the data, the seeds, and how many epochs (of the whole data)."""

    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    seeds: int
    quick: bool

    def compare(self, configurations: Mapping[str, Any], net: Any, **settings: Any) -> Comparison:
        common = {"validation": self.validation, "engine": "jax", "progress": False}
        return compare(configurations, net, self.train, seeds=self.seeds, **common, **settings)

    def best_rate(self, name: str, net: Any, rates: Sequence[float], **settings: Any) -> float:
        """The rate of a grid with the best mean accuracy over the seeds to choose with."""
        members = [{"seed": seed, "optimizer.lr": rate} for rate in rates for seed in CHOOSING]
        common = {"validation": self.validation, "engine": "jax", "progress": False}
        found = fit_population(net, self.train, members, **common, **settings)
        means = np.nan_to_num(found.scores("val_accuracy").reshape(len(rates), -1).mean(axis=1), nan=0.0)
        best = int(means.argmax())
        if best in (0, len(rates) - 1) and not self.quick:
            print(f"  {name}: the best rate, {rates[best]:g}, is at the end of its grid")
        return rates[best]


def slow(work: CostEstimate) -> tuple[str, Comparison]:
    """A saturated sigmoid with the quadratic cost and with the cross-entropy."""
    net = cr.mlp([784, 30, 10], hidden="sigmoid", output="sigmoid", init=cr.initializers.Normal(1.0))
    settings = {"optimizer": "sgd", "batch_size": 10, "epochs": 5, "normalize": False}
    costs = {"quadratic cost": "quadratic", "cross-entropy": "binary_cross_entropy"}
    rates = {name: work.best_rate(name, net, SATURATED, loss=loss, **settings) for name, loss in costs.items()}
    configurations = {
        f"{name}, η = {rates[name]:g}": {"loss": costs[name], "optimizer.lr": rates[name]} for name in costs
    }
    same = rates["cross-entropy"]
    if rates["quadratic cost"] != same:
        configurations[f"quadratic cost, η = {same:g}"] = {"loss": "quadratic", "optimizer.lr": same}
    title = "Saturated sigmoids: 784-30-10, weights from N(0, 1), gradient descent, batches of 10, 5 epochs"
    return title, work.compare(configurations, net, **settings)


def starts(work: CostEstimate) -> tuple[str, Comparison]:
    """A deep ReLU network from weights that are equal, too small, too large, and right."""
    sizes = (784, 50, 50, 50, 50, 10)
    deviations: dict[str, Callable[[int, int], float]] = {
        "zeros": lambda n, m: 0.0,
        "N(0, 0.01²)": lambda n, m: 0.01,
        "N(0, 1)": lambda n, m: 1.0,
        "LeCun, N(0, 1/n)": lambda n, m: (1 / n) ** 0.5,
        "Glorot, N(0, 2/(n+m))": lambda n, m: (2 / (n + m)) ** 0.5,
        "He, N(0, 2/n)": lambda n, m: (2 / n) ** 0.5,
    }

    def net(deviation: Callable[[int, int], float]) -> cr.Sequential:
        # All as normal distributions, of n inputs and m outputs: networks that differ in values only are one program.
        pairs = list(itertools.pairwise(sizes))
        activations = ["relu"] * (len(pairs) - 1) + ["softmax"]
        return cr.Sequential(
            *(
                cr.Dense(m, activation, init=cr.initializers.Normal(deviation(n, m)))
                for (n, m), activation in zip(pairs, activations, strict=True)
            )
        )

    nets = {name: net(deviation) for name, deviation in deviations.items()}
    title = "How weights start: 784-50-50-50-50-10 with ReLU, gradient descent with η = 0.05, batches of 32, 3 epochs"
    return title, work.compare(nets, nets["zeros"], optimizer=cr.SGD(0.05), batch_size=32, epochs=3)


def optimizers(work: CostEstimate) -> tuple[str, Comparison]:
    """Gradient descent and its improvements, each with its best rate."""
    net = cr.mlp([784, 30, 10], hidden="sigmoid")
    settings = {"batch_size": 32, "epochs": 5}
    grids: dict[str, tuple[cr.optimizers.Optimizer, Sequence[float]]] = {
        "SGD": (cr.SGD(), LARGE),
        "momentum": (cr.SGD(momentum=0.9), MIDDLE),
        "Nesterov": (cr.SGD(momentum=0.9, nesterov=True), MIDDLE),
        "AdaGrad": (cr.AdaGrad(), MIDDLE),
        "RMSProp": (cr.RMSProp(), SMALL),
        "Adam": (cr.Adam(), SMALL),
        "AdamW": (cr.AdamW(), SMALL),
    }
    configurations = {}
    for name, (optimizer, grid) in grids.items():
        rate = work.best_rate(name, net, grid, optimizer=optimizer, **settings)
        configurations[f"{name}, η = {rate:g}"] = {"optimizer": optimizer, "optimizer.lr": rate}
    title = "Optimizers: 784-30-10 with sigmoids, batches of 32, 5 epochs, each with its best rate"
    return title, work.compare(configurations, net, **settings)


COMPARISONS: dict[str, Callable[[CostEstimate], tuple[str, Comparison]]] = {
    "slow": slow,
    "starts": starts,
    "optimizers": optimizers,
}


def section(title: str, found: Comparison, seconds: float) -> str:
    """A comparison as a part of the page."""
    runs = sum(len(of) for of in found.runs.values())
    last = f"{runs} runs; {seconds:.0f} s with those that chose the rates."
    return "\n".join([f"## {title}", "", "```text", str(found), "```", "", *curves(found), "", last, ""])


def curves(found: Comparison) -> list[str]:
    """Mean accuracy after each epoch, with its interval, as a table."""
    frame = found.curves("val_accuracy")
    epochs = sorted(set(frame["epoch"]))
    lines = ["| after epoch | " + " | ".join(map(str, epochs)) + " |", "|---|" + "---|" * len(epochs)]
    for name in found.runs:
        of = frame[frame["configuration"] == name].set_index("epoch")
        cells = []
        for epoch in epochs:
            mean, low, high, n = of.loc[epoch, ["mean", "low", "high", "n"]] if epoch in of.index else (0, 0, 0, 0)
            cells.append("" if n == 0 else f"{mean:.4f}" if n == 1 else f"{mean:.4f} ({low:.4f} to {high:.4f})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def load(seeds: int, quick: bool) -> CostEstimate:
    data = cr.data.load("mnist")
    x, y = data.x.reshape(len(data.x), -1), data.y
    n = 2000 if quick else 50_000
    return CostEstimate((x[:n], y[:n]), (x[50_000:], y[50_000:]), 3 if quick else seeds, quick)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default=",".join(COMPARISONS), help="some of " + ", ".join(COMPARISONS))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    names = asked.only.split(",")
    if unknown := set(names) - set(COMPARISONS):
        parser.error(f"there is no comparison {sorted(unknown)[0]!r}: --only takes {', '.join(COMPARISONS)}")
    work = load(asked.seeds, asked.quick)
    for name in names:
        start = time.perf_counter()
        title, found = COMPARISONS[name](work)
        text = section(title, found, time.perf_counter() - start)
        print(text, flush=True)
        if not asked.quick:
            parts = json.loads(PARTS.read_text()) if PARTS.exists() else {}
            parts[name] = text
            PARTS.write_text(json.dumps(parts, indent=1, ensure_ascii=False) + "\n")
            RESULT.write_text("\n".join([HEAD, *(parts[part] for part in COMPARISONS if part in parts)]))


if __name__ == "__main__":
    main()
