"""The learning rate that `cr.find_lr` suggests, beside the best one of a grid: 4 problems with 4 optimizers each.

    python bench/finders.py [--problems digits,regression,mnist-sigmoid,mnist-relu]

For each problem and optimizer: the suggestion; then a short training with each rate of a grid of half decades, 3 seeds
each, and with the suggestion. What counts is the validation cost after it. MNIST (6,000 images) is left out where
CHAINRULE_DATA does not have it. Writes bench/results/finders.md.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.errors import DataError
from chainrule.finders import find_lr
from chainrule.population import fit_population

RESULT = Path(__file__).parent / "results" / "finders.md"
GRID = tuple(float(f"{m}e{e}") for e in range(-5, 1) for m in (1, 3))
SEEDS = (100, 101, 102)
OPTIMIZERS = {"SGD": cr.SGD(), "momentum": cr.SGD(momentum=0.9), "Adam": cr.Adam(), "RMSProp": cr.RMSProp()}

HEAD = """# Suggested learning rates

Written by `python bench/finders.py`. The suggestion of `cr.find_lr` with its 95 % interval over 5 seeds, the best rate
of a grid of half decades, and the mean validation cost after a short training with each (3 other seeds). The rule (a
quarter of the rate at which the cost is lowest) was chosen on problems of these kinds: this is how well it fits them,
not how well it does on others.

| problem | optimizer | suggestion | best of the grid | cost with the suggestion | cost with the best | seconds |
|---|---|---|---|---|---|---|
"""


def problems() -> dict[str, tuple[Any, Any, Any, int]]:
    """By name: network, training data, validation data, epochs."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 8)).astype("float32")
    y = (np.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:3] + 0.1 * rng.normal(size=(3000, 1))).astype("float32")
    digits = cr.data.load("digits")
    flat = digits.x.reshape(len(digits.x), -1)
    found: dict[str, tuple[Any, Any, Any, int]] = {
        "digits": (cr.mlp([64, 64, 64, 10]), (flat[:1200], digits.y[:1200]), (flat[1200:], digits.y[1200:]), 8),
        "regression": (cr.mlp([8, 64, 64, 1], output="linear"), (x[:2000], y[:2000]), (x[2000:], y[2000:]), 8),
    }
    try:
        mnist = cr.data.load("mnist")
    except DataError:
        print("MNIST is not here and is left out.")
        return found
    flat = mnist.x.reshape(len(mnist.x), -1)
    data = (flat[:6000], mnist.y[:6000]), (flat[50_000:55_000], mnist.y[50_000:55_000])
    found["mnist-sigmoid"] = (cr.mlp([784, 30, 10], hidden="sigmoid"), *data, 3)
    found["mnist-relu"] = (cr.mlp([784, 128, 10]), *data, 3)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--problems", default=None)
    asked = parser.parse_args()
    known = problems()
    rows, ratios, losses = [], [], []
    for name in asked.problems.split(",") if asked.problems else known:
        net, train, validation, epochs = known[name]
        for optimizer_name, optimizer in OPTIMIZERS.items():
            start = time.perf_counter()
            found = find_lr(net, train, optimizer=optimizer, engine="jax")
            seconds = time.perf_counter() - start
            assert found.suggestion is not None
            assert found.interval is not None
            rates = (*GRID, found.suggestion)
            members = [{"seed": seed, "optimizer.lr": rate} for rate in rates for seed in SEEDS]
            runs = fit_population(
                net, train, members, validation=validation, optimizer=optimizer, epochs=epochs, engine="jax",
                progress=False,
            )  # fmt: skip
            costs = runs.scores("val_loss").reshape(len(rates), -1).mean(axis=1)
            best = int(np.nanargmin(costs[:-1]))
            low, high = found.interval
            ratios.append(math.log10(found.suggestion / GRID[best]))
            losses.append(costs[-1] / costs[best])
            rows.append(
                f"| {name} | {optimizer_name} | {found.suggestion:.2g} ({low:.2g} to {high:.2g}) | {GRID[best]:g} | "
                f"{costs[-1]:.3f} | {costs[best]:.3f} | {seconds:.1f} |"
            )
            print(rows[-1], flush=True)
    within = sum(abs(ratio) <= math.log10(4) for ratio in ratios)
    end = (
        f"\nThe suggestion is within a factor of 4 of the best rate in {within} of {len(ratios)} cases, and of "
        f"{10 ** max(map(abs, ratios)):.0f} in all. The cost with it is {np.median(losses):.2f} times the best one in "
        f"the median, {max(losses):.2f} times at most.\n"
    )
    print(end)
    if asked.problems is None:
        RESULT.write_text(HEAD + "\n".join(rows) + "\n" + end)


if __name__ == "__main__":
    main()
