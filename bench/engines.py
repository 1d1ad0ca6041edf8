"""What a training step costs on each engine, and what compiling costs: the figures behind engine="auto".

    python bench/engines.py

Random data of MNIST's shape. Seconds of the first epoch on JAX minus a later one are the cost of compiling. Writes
bench/results/engines.md.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule.engine.choice import COSTS

RESULTS = Path(__file__).parent / "results" / "engines.md"
STEPS, EPOCHS = 40, 4
CASES = {
    "784-30-10, SGD, batch 10": (cr.mlp([784, 30, 10], hidden="sigmoid"), cr.SGD(lr=0.1), 10),
    "784-128-10, Adam, batch 32": (cr.mlp([784, 128, 10]), cr.Adam(), 32),
    "784-512-512-10, Adam, batch 128": (cr.mlp([784, 512, 512, 10]), cr.Adam(), 128),
    "two conv (32, 64), pools, dense 128, Adam, batch 128": (
        cr.Sequential(
            cr.Reshape((28, 28, 1)),
            cr.Conv2D(32, 3, activation="relu"),
            cr.MaxPool2D(2),
            cr.Conv2D(64, 3, activation="relu"),
            cr.MaxPool2D(2),
            cr.Flatten(),
            cr.Dense(128, "relu"),
            cr.Dense(10, "softmax"),
        ),
        cr.Adam(),
        128,
    ),
    "conv 3x3x16, pool, dense, Adam, batch 32": (
        cr.Sequential(
            cr.Reshape((28, 28, 1)),
            cr.Conv2D(16, 3, activation="relu"),
            cr.MaxPool2D(2),
            cr.Flatten(),
            cr.Dense(10, "softmax"),
        ),
        cr.Adam(),
        32,
    ),
}


def seconds(name: str, engine: str) -> list[float]:
    """The seconds of each epoch of 100 steps."""
    net, optimizer, batch = CASES[name]
    rng = np.random.default_rng(0)
    x = rng.random((STEPS * batch, 784), np.float32)
    y = rng.integers(0, 10, len(x))
    run = cr.fit(
        net,
        (x, y),
        optimizer=optimizer,
        batch_size=batch,
        epochs=EPOCHS,
        engine=engine,
        normalize=False,
        progress=False,
    )
    return run.history["seconds"]


def main() -> None:
    lines = [
        "# The cost of a step on each engine",
        "",
        "Written by `python bench/engines.py`. Milliseconds a step (median of later epochs), beside the estimate of",
        '`engine="auto"` from the operations and values of a step, and the seconds that the first epoch on JAX takes',
        "longer.",
        "",
        "| network | Mop a step | M values a step | NumPy ms (estimate) | JAX ms (estimate) | compiling s |",
        "|---|---|---|---|---|---|",
    ]
    for name, (net, _, batch) in CASES.items():
        model = cr.Model(net, (784,))
        work = model.work() * (3 * batch)
        guess = [1e3 * (COSTS[e].seconds(1, work) - COSTS[e].start) for e in ("numpy", "jax")]
        eager, compiled = seconds(name, "numpy"), seconds(name, "jax")
        numpy_ms, jax_ms = (1e3 * statistics.median(s[1:]) / STEPS for s in (eager, compiled))
        compiling = compiled[0] - statistics.median(compiled[1:])
        lines.append(
            f"| {name} | {work.flops / 1e6:.1f} | {work.values / 1e6:.2f} | {numpy_ms:.2f} ({guess[0]:.2f}) "
            f"| {jax_ms:.2f} ({guess[1]:.2f}) | {compiling:.1f} |"
        )
        print(lines[-1], flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
