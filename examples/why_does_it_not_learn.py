"""Small faults, and what the doctor says of each before anything is trained (lectures 002, 003).

    python examples/why_does_it_not_learn.py

Zero gradient means no learning, and it has several causes; a wrong loss learns the wrong thing; a rate may be a
thousand times too high. Each network below has one fault, the last has none. The doctor names the cause, and its fix is
applied: the accuracy before and after shows whether it was that.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import chainrule as cr


def upside_down(a: Any, y: Any) -> Any:
    """Cross-entropy with the wrong sign."""
    return np.sum(y * np.log(a + 1e-9), axis=1)


Constant, Normal = cr.initializers.Constant, cr.initializers.Normal

#: Name, network, settings that are at fault.
CASES: list[tuple[str, cr.Layer, dict[str, Any]]] = [
    ("all weights zero", cr.mlp([4, 8, 3], init="zeros"), {}),
    ("dead ReLU", cr.mlp([4, 8, 3], bias_init=Constant(-60.0)), {}),
    ("saturated", cr.mlp([4, 8, 8, 3], hidden="sigmoid", init=Normal(300.0)), {}),
    ("ten sigmoid layers", cr.mlp([4, *[16] * 10, 3], hidden="sigmoid"), {}),
    ("rate of 300", cr.mlp([4, 8, 3]), {"optimizer": cr.SGD(lr=300.0)}),
    ("wrong sign of the loss", cr.mlp([4, 8, 3]), {"loss": upside_down}),
    ("nothing", cr.mlp([4, 8, 3]), {}),
]


def main(argv: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three of the faults")
    options = parser.parse_args(argv)

    iris = cr.data.load("iris")
    usual: dict[str, Any] = {"optimizer": cr.Adam(lr=0.01), "epochs": 60}
    results = {}
    for name, net, fault in [CASES[0], CASES[4], CASES[-1]] if options.quick else CASES:
        settings = usual | fault
        diagnosis = cr.preflight(net, iris, **settings)
        before = accuracy(net, iris, settings)
        after = before
        if diagnosis.fix is not None:
            after = accuracy(*diagnosis.fix.apply(net, iris, settings))
        cause = diagnosis.causes[0].name if diagnosis.causes else None
        results[name] = {"cause": cause, "before": before, "after": after}
        print(f"{name}: {f'{cause} ({cr.symptoms.CAUSES[cause].text})' if cause else 'no alarm'}")
        if diagnosis.fix is not None:
            print(f"  {diagnosis.fix.text}")
        print(f"  accuracy {before:.2f}{f' -> {after:.2f}' if diagnosis.fix is not None else ''}")
    print("\nThe whole answer for the first one:\n")
    print(cr.preflight(CASES[0][1], iris, **usual))
    return results


def accuracy(net: cr.Layer, data: Any, settings: dict[str, Any]) -> float:
    """Train, and return the share of right answers on the training rows; always the same answer has a third."""
    try:
        run = cr.fit(net, data, **settings, engine="numpy", progress=False)
    except cr.errors.DivergedError as error:
        run = error.run
    return float(run.model.evaluate(data.x, data.y)["accuracy"])


if __name__ == "__main__":
    main()
