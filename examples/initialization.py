"""How the weights start decides whether a deep network learns (lectures 000, 002, 003).

    python examples/initialization.py

Equal weights: all neurons of a layer stay equal. Too small: the activations vanish on the way up, δ on the way down.
Too large: tanh saturates, and where f' ≈ 0 it passes no gradient on (elsewhere δ grows); ReLU's values and δ explode.
Xavier (Glorot) keeps both in range for tanh, He for ReLU.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.lab.initialization import STARTS, digits, distinct, flat, look


def histogram(values: Any, low: float, high: float, bins: int = 21) -> str:
    """How often which value occurs, as bars; what lies outside of the range counts at its ends."""
    counts, _ = np.histogram(np.clip(values, low, high), bins, (low, high))
    return "".join(" ▁▂▃▄▅▆▇█"[int(np.ceil(8 * c / counts.max()))] for c in counts)


def main(argv: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smaller network")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", help="write the page of the lab with the picture that moves, to this file")
    options = parser.parse_args(argv)
    depth, width = (6, 50) if options.quick else (8, 100)
    x, y = digits()
    figures: dict[Any, Any] = {}

    print("Equal weights, after 3 epochs: distinct neurons in each layer of 64-20-20-10")
    for words in ("all 0", "all 0.1", "He"):
        net = cr.mlp([64, 20, 20, 10], init=STARTS[words])
        run = cr.fit(
            net,
            (x, y),
            optimizer=cr.SGD(lr=0.1),
            epochs=3,
            seed=options.seed,
            engine="numpy",
            precision="float64",  # so that rounding does not make equal neurons differ
            progress=False,
        )
        figures[words] = [distinct(p["weight"]) for p in run.model.params.values()]
        figures[words, "accuracy"] = run.history["accuracy"][-1]
        print(f"  {words:8}  {figures[words]}   accuracy {figures[words, 'accuracy']:.1%}")

    for hidden in ("tanh", "relu"):
        for words in ("too small", "too large", "Xavier", "He"):
            print(f"\n{hidden}, {depth} layers of {width}, {words}")
            print("  layer   activations -1 … 1           std   f' ≈ 0   log₁₀|δ| -12 … 6           std of δ")
            _, seen = look(hidden, depth, width, STARTS[words], options.seed)
            stds = {"a": [], "delta": []}
            for layer in range(depth):
                a, delta = seen.a[layer], seen.delta[layer]
                stds["a"].append(float(a.std()))
                stds["delta"].append(float(delta.std()))
                size = histogram(np.log10(np.abs(delta[delta != 0])), -12, 6)
                print(
                    f"  {layer + 1:5}   {histogram(a, -1, 1)}   {a.std():8.2g}   {flat(hidden, seen.z[layer]):6.0%}"
                    f"   {size}   {delta.std():8.2g}"
                )
            figures[hidden, words] = stds
    if options.page:
        print(f"\nThe picture: {cr.lab.initialization().to_html(options.page)}")
    return figures


if __name__ == "__main__":
    main()
