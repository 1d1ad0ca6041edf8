"""A network with one hidden layer can approximate any continuous function, if it is wide enough (lecture 000).

    python examples/universal_approximation.py

The same function, the same training, more and more hidden neurons: the error falls. (The theorem says that good weights
exist, not that training finds them; hence the best of three seeds.)
"""

from __future__ import annotations

import argparse

import numpy as np

import chainrule as cr


def target(x: np.ndarray) -> np.ndarray:
    return np.sin(3 * x) + 0.5 * np.cos(7 * x)


def network(width: int) -> cr.layers.Layer:
    """1-n-1: steep steps of tanh, at first spread over the whole range of x."""
    steps = cr.Dense(width, "tanh", init=cr.initializers.Normal(3.0), bias_init=cr.initializers.Uniform(-5.0, 5.0))
    return cr.Sequential(steps, cr.Dense(1))


def curve(values: np.ndarray, low: float = -1.5, high: float = 1.5) -> str:
    """Values as a line of bars."""
    return "".join("▁▂▃▄▅▆▇█"[int(np.clip(8 * (v - low) / (high - low), 0, 7))] for v in values)


def main(argv: list[str] | None = None) -> dict[int, float]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed and fewer epochs")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    seeds, epochs, widths = (1, 100, (1, 4, 16)) if options.quick else (3, 200, (1, 2, 4, 8, 16, 32))

    x = np.linspace(-2, 2, 128)[:, None]
    y = target(x[:, 0])
    print(f"f(x) = sin 3x + ½ cos 7x on 128 points of [-2, 2]; 1-n-1 tanh networks, {epochs} epochs, best of {seeds}\n")
    print(f"    n   mean |error|   {curve(y[::2])}  f")
    errors = {}
    for width in widths:
        runs = [
            cr.fit(
                network(width),
                (x, y),
                optimizer=cr.Adam(lr=cr.schedules.Cosine(0.05)),
                epochs=epochs,
                batch_size=32,
                seed=options.seed + seed,
                engine="numpy",
                progress=False,
            )
            for seed in range(seeds)
        ]
        best = min(runs, key=lambda run: run.history["mae"][-1])
        errors[width] = best.evaluate(x, y)["mae"]
        print(f"{width:5}   {errors[width]:12.4f}   {curve(best.model.predict(x)[::2])}")
    return errors


if __name__ == "__main__":
    main()
