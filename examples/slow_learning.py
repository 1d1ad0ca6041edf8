"""A neuron that is very wrong and learns slowly: quadratic cost against cross-entropy (lecture 003).

    python examples/slow_learning.py

One sigmoid neuron shall learn to answer 0 for the input 1, with η = 0.15. From w = 0.6, b = 0.9 both costs do well.
From w = b = 2 the neuron answers 0.98 and is saturated: the quadratic cost's δ = (a - y) σ'(z) is tiny, and for a long
time nothing seems to happen. Cross-entropy's δ = a - y does not contain σ'.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.lab.slow import COSTS, train


def curve(values: list[float], width: int = 50) -> str:
    """Values as a line of bars, from 0 to the largest."""
    picked = np.array(values)[np.linspace(0, len(values) - 1, width).astype(int)]
    return "".join("▁▂▃▄▅▆▇█"[int(7 * v / max(values))] for v in picked)


def main(argv: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="no difference here: it takes a second")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--page", help="write the page of the lab with the picture that moves, to this file")
    options = parser.parse_args(argv)

    results = {}
    for w, b in ((0.6, 0.9), (2.0, 2.0)):
        print(f"start w = {w}, b = {b}; cost over {options.epochs} epochs, each curve scaled to its start")
        for name, loss in COSTS.items():
            seen = results[w, name] = train(w, b, loss, 0.15, options.epochs)
            half = f"not within {options.epochs}" if seen["half"] is None else f"after {seen['half']}"
            print(f"  {name:13}  {curve(seen['cost'])}")
            print(
                f"  {'':13}  answer {seen['answers'][0]:.2f} → {seen['answers'][-1]:.2f}, first δ {seen['delta']:.3f}, "
                f"half the cost gone {half} epochs"
            )
        print()
    if options.page:
        print(f"The picture: {cr.lab.slow().to_html(options.page)}")
    return results


if __name__ == "__main__":
    main()
