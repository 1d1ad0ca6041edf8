"""Claims of the lectures over 20 seeds: is it so, by how much, and could it be chance? (lectures 000, 002, 003)

    python examples/honest_comparison.py           # 20 seeds
    python examples/honest_comparison.py --quick   # 6 seeds, half of the digits

One run of each side proves little: another seed may turn the result round. `compare` gives every side the same seeds
and looks at the differences seed by seed. It names the better one where chance alone would rarely make such
differences, and says that there is no evidence where it well might. Here on the small digits; on MNIST, with the best
rate of each optimizer: bench/compare_lectures.py and bench/results/compare.md.
"""

from __future__ import annotations

import argparse
from typing import Any

import chainrule as cr

Normal = cr.initializers.Normal


def main(argv: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="6 seeds, half of the digits")
    options = parser.parse_args(argv)
    seeds = 6 if options.quick else 20
    digits = cr.data.load("digits")
    every = 2 if options.quick else 1
    data = (digits.x.reshape(len(digits.x), -1)[::every], digits.y[::every])
    common = {"seeds": seeds, "validation": 0.3, "batch_size": 32, "progress": False}
    comparisons = {}

    print("Slow learning: sigmoids that start saturated, with weights from N(0, 1)")
    comparisons["slow"] = cr.compare(
        {"quadratic cost": {"loss": "quadratic"}, "cross-entropy": {"loss": "binary_cross_entropy"}},
        cr.mlp([64, 20, 10], hidden="sigmoid", output="sigmoid", init=Normal(1.0)),
        data,
        optimizer=cr.SGD(1.0),
        epochs=5,
        **common,
    )
    print(f"{comparisons['slow']}\n")

    print("How weights start: four hidden layers of ReLU")
    starts = {"N(0, 0.01²)": Normal(0.01), "Glorot": "glorot_normal", "He": "he_normal"}
    comparisons["starts"] = cr.compare(
        {name: cr.mlp([64, 30, 30, 30, 30, 10], init=init) for name, init in starts.items()},
        cr.mlp([64, 30, 30, 30, 30, 10]),
        data,
        optimizer=cr.SGD(0.05),
        epochs=10,
        **common,
    )
    print(f"{comparisons['starts']}\n")

    print("Optimizers, at one rate each")
    comparisons["optimizers"] = cr.compare(
        {"SGD": cr.SGD(0.3), "momentum": cr.SGD(0.03, momentum=0.9), "Adam": cr.Adam(0.003)},
        cr.mlp([64, 30, 10], hidden="sigmoid"),
        data,
        epochs=5,
        **common,
    )
    print(comparisons["optimizers"])
    return comparisons


if __name__ == "__main__":
    main()
