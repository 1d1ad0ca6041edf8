"""Neurons that compute: the perceptron's rule, logic gates, XNOR, an adder from NAND, and XOR (lectures 003, 004).

python examples/gates.py
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.lab.gates import TRUTHS, X, train


def main(argv: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="no difference here: it takes a second")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", help="write the page of the lab with the picture that moves, to this file")
    options = parser.parse_args(argv)

    print("The perceptron learns online: on a mistake θ ← θ + y·x")
    neurons = {}
    for name in ("AND", "OR", "XOR"):
        neuron = neurons[name] = cr.Perceptron(passes=50).fit(X, TRUTHS[name])
        print(f"  {name:4} {neuron.report()}")

    print("\nGiven weights (lecture 004), σ(b + w·x):   00  01  10  11")
    tables = {}
    for name in ("and", "or", "nor", "nand"):
        model = cr.networks.gate(name)
        (w1,), (w2,) = model.params["dense_1"]["weight"]
        (b,) = model.params["dense_1"]["bias"]
        tables[name] = model.predict(X).tolist()
        print(f"  {name.upper():5} {b:4g} {w1:4g} {w2:4g}                      {'   '.join(map(str, tables[name]))}")
    tables["not"] = cr.networks.gate("not").predict([[0], [1]]).tolist()
    tables["xnor"] = cr.networks.xnor().predict(X).tolist()
    tables["xor"] = cr.networks.xor().predict(X).astype(int).tolist()
    print(f"  XNOR  from AND, NOR and OR                 {'   '.join(map(str, tables['xnor']))}")
    print(f"  XOR   ReLU, weights of lecture 003         {'   '.join(map(str, tables['xor']))}")

    a, b = np.array([0, 1, 19, 100, 255]), np.array([0, 1, 23, 55, 255])
    sums = cr.networks.add(a, b)
    print("\nAdder, nothing but NAND: " + ", ".join(f"{i} + {j} = {s}" for i, j, s in zip(a, b, sums, strict=True)))

    print("\nXOR learnt from its four samples, 2-2-1, SiLU (bench/results/xor.md counts the seeds that succeed):")
    run = train(TRUTHS["XOR"], options.seed)
    for epoch in (1, 20, 50, 100, 200):
        print(f"  epoch {epoch:3}   cost {run.history['loss'][epoch - 1]:.4f}")
    learnt = run.model.predict_proba(X)[:, 0]
    print("  answers  " + "  ".join(f"{x[0]}{x[1]}: {p:.2f}" for x, p in zip(X, learnt, strict=True)))
    if options.page:
        print(f"\nThe picture: {cr.lab.gates(seed=options.seed).to_html(options.page)}")
    return {"neurons": neurons, "tables": tables, "sums": sums, "learnt": learnt}


if __name__ == "__main__":
    main()
