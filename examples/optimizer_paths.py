"""Optimizers on five surfaces, and the two forms of momentum (lectures 000 and 003).

    python examples/optimizer_paths.py

Every optimizer gets the learning rate, out of those tried, with which it arrives in the fewest steps: what is compared
is the best each can do on a surface, not how well one setting happens to suit it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.lab.optimizers import OPTIMIZERS, SURFACES, arrival, walk

RATES = (0.003, 0.03, 0.1, 0.3, 0.01, 1.0)


def main(argv: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer steps and learning rates")
    parser.add_argument("--page", help="write the page of the lab with the picture that moves, to this file")
    options = parser.parse_args(argv)
    quick = options.quick
    steps, rates = (100, RATES[:4]) if quick else (300, RATES)

    arrivals: dict[str, dict[str, int | None]] = {}
    for surface, at in SURFACES.items():
        print(f"{surface}: {at.text}\n  From {at.start}, {steps} steps:")
        print("  optimizer       best η   arrives at step   end")
        arrivals[surface] = {}
        for name, optimizer in OPTIMIZERS.items():
            paths = {rate: walk(at.f, at.start, replace(optimizer, lr=rate), steps) for rate in rates}
            ends = {rate: np.nan_to_num(path.values[-1], nan=np.inf) for rate, path in paths.items()}
            # The earliest arrival; if none arrives, the lowest end.
            best = min(rates, key=lambda r: (arrival(paths[r]) or steps + 1, ends[r]))
            arrivals[surface][name] = arrival(paths[best])
            words = "does not" if arrivals[surface][name] is None else arrivals[surface][name]
            x, y = paths[best].end["weight"]
            print(f"  {name:14}  {best:<6}   {words:>15}   ({x:.3f}, {y:.3f})")
        print()

    print("Momentum, both forms: v ← αv - g, w ← w + ηv (000) and Δ ← βΔ - ηg, w ← w + Δ (003), on the bowl")
    apart, bowl = {}, SURFACES["bowl"]
    for words, rate in (("constant η", 0.03), ("decaying η", cr.schedules.Exponential(0.03, rate=0.97))):
        ends = [
            np.array([p["weight"] for p in walk(bowl.f, bowl.start, cr.SGD(rate, momentum=0.9, form=form), 100).points])
            for form in ("velocity", "step")
        ]
        apart[words] = float(np.abs(ends[0] - ends[1]).max())
        print(f"  {words}: the paths are at most {apart[words]:.2g} apart")
    if options.page:
        print(f"\nThe picture: {cr.lab.optimizers().to_html(options.page)}")
    return {"steps": arrivals, "apart": apart}


if __name__ == "__main__":
    main()
