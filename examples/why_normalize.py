"""Why inputs are normalized, and what batch normalization adds (lectures 000, 002, 003).

    python examples/why_normalize.py

Inputs: 13 measurements of wines, from 0.1 to 1,700 in size. The largest dominate every z, so that a learning rate that
suits them is far too small for the others. Batch normalization does the same for the values inside of a deep network.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.lab.normalize import deep, epochs_to


def main(argv: list[str] | None = None) -> dict[Any, Any]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer epochs and learning rates")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", help="write the page of the lab with the picture that moves, to this file")
    options = parser.parse_args(argv)
    common = {"seed": options.seed, "engine": "numpy", "progress": False}
    results: dict[Any, Any] = {}

    wine = cr.data.load("wine")
    order = cr.random.permutation(cr.random.key(0), len(wine.x))
    x, y = wine.x[order], wine.y[order]
    (x, xt), (y, yt) = (x[:120], x[120:]), (y[:120], y[120:])
    epochs = 30 if options.quick else 100
    print(f"Wines, 13-16-3, SGD, {epochs} epochs: when is 95 % of the training data right?")
    print("  inputs          η        epochs to 95 %   training   test")
    for words, normalize, rate in (
        ("as they are", False, 1e-5),
        ("as they are", False, 1e-3),
        ("as they are", False, 0.1),
        ("normalized", True, 0.1),
    ):
        run = cr.fit(
            cr.mlp([13, 16, 3]), (x, y), normalize=normalize, epochs=epochs, optimizer=cr.SGD(lr=rate), **common
        )
        reached, test = epochs_to(run, 0.95), run.evaluate(xt, yt)["accuracy"]
        results[words, rate] = reached
        print(f"  {words:12}   {rate:<7g}   {reached or 'never':>14}   {run.history['accuracy'][-1]:8.1%}   {test:.1%}")
    # The last run's model keeps the training data's mean and deviation. Without them, the same weights are lost:
    bare = cr.Model(run.model.net, (13,), params=run.model.params, target=run.model.target)
    results["test"] = [float(np.mean(model.predict(xt) == yt)) for model in (run.model, bare)]
    print(
        f"  that network on the test wines: prepared alike {results['test'][0]:.0%}, "
        f"as they are {results['test'][1]:.0%}"
    )

    digits = cr.data.load("digits")
    data = (digits.x.reshape(len(digits.x), -1), digits.y)
    epochs, rates = (4, (1.0,)) if options.quick else (12, (0.3, 1.0, 3.0))
    print(f"\nDigits, 64-30-30-30-30-10, sigmoid, SGD, {epochs} epochs: when are 90 % right?")
    print("  η      without           with batch normalization")
    for rate in rates:
        runs = [cr.fit(deep(bn), data, epochs=epochs, optimizer=cr.SGD(lr=rate), **common) for bn in (False, True)]
        results["batch", rate] = [epochs_to(run, 0.9) for run in runs]
        cells = [f"{epochs_to(run, 0.9) or 'never':>5} ({run.history['accuracy'][-1]:6.1%})" for run in runs]
        print(f"  {rate:<4}   {cells[0]}   {cells[1]}")
    if options.page:
        print(f"\nThe picture: {cr.lab.normalize(seed=options.seed).to_html(options.page)}")
    return results


if __name__ == "__main__":
    main()
