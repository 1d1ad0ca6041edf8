"""Several networks, averaged: what that gains over one of them, and how sure it is (lecture 003).

    python examples/several_networks.py           # 20 networks on 5,000 MNIST images
    python examples/several_networks.py --quick   # 8 networks on the small digits

Networks that differ by their seed alone make partly different mistakes. Their averaged probabilities make fewer, and
most of that is gained by the first few. The average is one model: it predicts, is saved and exported like any other.
MNIST's files are looked for in the folder CHAINRULE_DATA; without them, the small digits of scikit-learn are used.
"""

from __future__ import annotations

import argparse
from typing import Any

import chainrule as cr


def load(quick: bool) -> tuple[Any, Any, tuple[int, int, int]]:
    """Images as rows, labels; how many images are for training and for the test, and how many hidden neurons fit."""
    try:
        data, sizes = cr.data.load("digits" if quick else "mnist"), (5_000, 10_000, 30)
    except cr.errors.DataError:
        data = cr.data.load("digits")
    if data.name == "digits":
        sizes = (500, 1_000, 10)
        print("MNIST not used: the 1,797 small digits that come with scikit-learn instead")
    order = cr.random.permutation(cr.random.key(0), len(data.x))
    return data.x.reshape(len(data.x), -1)[order], data.y[order], sizes


def main(argv: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="8 networks on the small digits")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    x, y, (train, test, hidden) = load(options.quick)
    xt, yt = x[-test:], y[-test:]
    numbers = (2, 8) if options.quick else (2, 5, 10, 20)

    net = cr.Sequential(cr.Dense(hidden, "sigmoid"), cr.Dense(10, "softmax"))
    settings: dict[str, Any] = {"optimizer": cr.Adam(lr=0.01), "normalize": False, "seed": options.seed}
    population = cr.fit_population(net, (x[:train], y[:train]), max(numbers), epochs=10, progress=False, **settings)
    gains = {n: cr.ensemble_gain(population[:n], xt, yt) for n in numbers}

    print(f"{x.shape[1]}-{hidden}-10, {train:,} training images; right of {test:,} other images\n")
    print("networks   mean of them   averaged     gain   95 % interval")
    for n, gain in gains.items():
        interval = f"{gain.low:.2%} to {gain.high:.2%}"
        print(f"{n:8}   {gain.mean_member:12.2%}   {gain.ensemble:8.2%}   {gain.gain:6.2%}   {interval}")
    together = population.ensemble()
    print(f"\nas one model: {together.count():,} parameters, in {len(population)} networks side by side\n")
    print(gains[max(numbers)])
    return {"gains": gains, "together": together, "test": (xt, yt)}


if __name__ == "__main__":
    main()
