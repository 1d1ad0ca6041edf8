"""Backpropagation with every number in sight (lectures 002, 003).

    python examples/see_backprop.py [--html graph.html]

The graph of one neuron with value and gradient at every node; δ of every layer of a network beside BP1 and BP2 written
out; and the numerical gradient: simple, approximate, extremely slow.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import chainrule as cr


def neuron(w: Any, b: Any, x: Any, y: Any) -> Any:
    """The quadratic cost of one sigmoid neuron."""
    return 0.5 * (cr.ops.sigmoid(w * x + b) - y) ** 2


def main(argv: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smaller network for the numerical gradient")
    parser.add_argument("--html", help="also write the neuron's graph as a picture to this file")
    options = parser.parse_args(argv)

    graph = cr.trace(neuron)(2.0, 2.0, 1.0, 0.0)
    print(graph)
    if options.html:
        graph.to_html(options.html)

    sizes = [8, 10, 6, 3] if options.quick else [8, 40, 40, 3]
    model = cr.Model(cr.mlp(sizes, hidden="sigmoid"), (8,), seed=0, precision="float64")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 8)), np.arange(20) % 3
    seen = model.backprop(x, y)
    print(f"\nδ of each layer of {'-'.join(map(str, sizes))}, 20 samples, and by hand")
    by_hand = [seen.a[-1] - np.eye(3)[y]]  # BP1 of softmax with cross-entropy
    for layer in (1, 0):
        w, a = model.params[f"dense_{layer + 2}"]["weight"], seen.a[layer]
        by_hand.insert(0, by_hand[0] @ w.T * a * (1 - a))  # BP2: back through W, times σ'
    apart = []
    for (name, delta), hand in zip(seen.delta.items(), by_hand, strict=True):
        apart.append(float(abs(delta - hand).max()))
        print(f"  {name}   shape {delta.shape!s:9}  mean |δ| {abs(delta).mean():.5f}   apart by {apart[-1]:.1e}")

    def cost(params: Any) -> Any:
        a = x
        for name in params:
            z = a @ params[name]["weight"] + params[name]["bias"]
            a = z if name == "dense_3" else cr.ops.sigmoid(z)
        return np.mean(cr.losses.CrossEntropy().from_logits(a, y))

    begin = time.perf_counter()
    gradient = cr.grad(cost)(model.params)
    middle = time.perf_counter()
    check = cr.check_gradient(cost, model.params)
    seconds = {"backpropagation": middle - begin, "numerical": time.perf_counter() - middle}
    print(f"\n{check}\n")
    print(f"{model.count()} gradients: " + ", ".join(f"{k} {1000 * v:.1f} ms" for k, v in seconds.items()))
    return {"graph": graph, "apart": apart, "check": check, "seconds": seconds, "gradient": gradient}


if __name__ == "__main__":
    main()
