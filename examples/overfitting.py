"""Overfitting, and what helps: more images, L2, dropout, early stopping (lecture 003).

    python examples/overfitting.py            # 1,000 and 10,000 MNIST images
    python examples/overfitting.py --full     # 1,000 and 50,000, as in the lecture; takes a minute

A network with far more weights than images learns its training images by heart: they are all right, new ones are not.
More images help most; the others narrow the gap or lower the validation cost, each at the price of a setting to choose.
MNIST's files are looked for in the folder CHAINRULE_DATA; without them, the small digits of scikit-learn are used.
"""

from __future__ import annotations

import argparse
from typing import Any

import chainrule as cr
from chainrule.lab.regularize import network


def load(quick: bool, full: bool) -> tuple[Any, Any, tuple[int, int, int]]:
    """Images as rows, labels, and how many images are few, many, and for validation."""
    try:
        data = cr.data.load("digits" if quick else "mnist")
        sizes = (1_000, 50_000, 10_000) if full else (1_000, 10_000, 2_000)
    except cr.errors.DataError:
        data = cr.data.load("digits")
    if data.name == "digits":
        sizes = (100, 1_200, 500)
        print("MNIST not used: the 1,797 small digits that come with scikit-learn instead")
    order = cr.random.permutation(cr.random.key(0), len(data.x))
    return data.x.reshape(len(data.x), -1)[order], data.y[order], sizes


def main(argv: list[str] | None = None) -> dict[Any, dict[str, float]]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the small digits, and fewer variants")
    parser.add_argument("--full", action="store_true", help="50,000 images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", help="write the page of the lab with the picture that moves, to this file")
    options = parser.parse_args(argv)
    x, y, (few, many, held_out) = load(options.quick, options.full)
    epochs = 30 if options.quick else 40
    xv, yv = x[-held_out:], y[-held_out:]

    stopping = cr.EarlyStopping(patience=3)
    variants: dict[str, tuple[Any, dict[str, Any]]] = {
        "nothing": (network(), {}),
        "dropout 0.5": (network(dropout=0.5), {}),
        "early stopping": (network(), {"early_stopping": stopping}),
        "L2, λ = 1": (network(), {"l2": 1.0}),
        "all three": (network(dropout=0.5), {"l2": 1.0, "early_stopping": stopping}),
    }
    if options.quick:
        del variants["L2, λ = 1"], variants["all three"]
    print(f"{x.shape[1]}-100-10, Adam, η = 0.003, at most {epochs} epochs; validation on {held_out:,} other images\n")
    print("images   against overfitting   epochs   training   validation      gap   validation cost")
    results = {}
    for n in (few, many):
        for words, (net, settings) in variants.items():
            run = cr.fit(
                net,
                (x[:n], y[:n]),
                validation=(xv, yv),
                epochs=epochs if n == few else epochs // 5,  # of many more steps
                optimizer=cr.Adam(lr=0.003),
                batch_size=few // 10,
                normalize=False,  # pixels are between 0 and 1; those at the rim are nearly constant
                seed=options.seed,
                progress=False,
                **settings,
            )
            seen, new = run.evaluate(x[:n], y[:n]), run.evaluate(xv, yv)
            results[n, words] = {"training": seen["accuracy"], "validation": new["accuracy"], "cost": new["loss"]}
            gap = seen["accuracy"] - new["accuracy"]
            print(
                f"{n:6,}   {words:19}   {len(run.history):6}   {seen['accuracy']:8.1%}   {new['accuracy']:10.1%}   "
                f"{gap:6.1%}   {new['loss']:15.3f}"
            )
    if options.page:
        print(f"\nThe picture: {cr.lab.regularize().to_html(options.page)}")
    return results


if __name__ == "__main__":
    main()
