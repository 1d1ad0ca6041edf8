"""Optimizers on three surfaces, and the two forms of momentum (lectures 000 and 003).

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


def bowl(w: Any) -> Any:
    """A long valley, 100 times as steep across as along; lowest at (0, 0)."""
    return 0.5 * (0.1 * w[0] ** 2 + 10 * w[1] ** 2)


def beale(w: Any) -> Any:
    """Beale's function: steep walls and a flat, bent floor; lowest at (3, 0.5)."""
    x, y = w[0], w[1]
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def saddle(w: Any) -> Any:
    """A saddle at (0, 0), between two minima at (0, ±√2); the start is almost on its ridge."""
    return w[0] ** 2 - w[1] ** 2 + 0.25 * w[1] ** 4 + 1


SURFACES = {"bowl": (bowl, (8.0, 1.0)), "beale": (beale, (1.0, 1.5)), "saddle": (saddle, (1.5, 1e-3))}
RATES = (0.003, 0.03, 0.1, 0.3, 0.01, 1.0)
OPTIMIZERS = {
    "SGD": cr.SGD(),
    "momentum 0.9": cr.SGD(momentum=0.9),
    "Nesterov 0.9": cr.SGD(momentum=0.9, nesterov=True),
    "AdaGrad": cr.AdaGrad(),
    "RMSProp": cr.RMSProp(),
    "Adam": cr.Adam(),
    "AdamW": cr.AdamW(weight_decay=0.01),  # also pulls towards (0, 0)
}


def walk(f: Any, start: tuple[float, float], optimizer: Any, steps: int) -> Any:
    """The descent from a point; it is called a weight, so that weight decay acts on it."""
    return cr.descend(lambda p: f(p["weight"]), {"weight": np.array(start)}, optimizer, steps)


def arrival(path: Any) -> int | None:
    """The step from which on the value stays below 0.01 (the lowest is 0 on all surfaces), or None."""
    last_above = int(np.flatnonzero(~(path.values < 0.01))[-1])  # NaN counts as above
    return last_above + 1 if last_above < len(path.values) - 1 else None


def main(argv: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer steps and learning rates")
    quick = parser.parse_args(argv).quick
    steps, rates = (100, RATES[:4]) if quick else (300, RATES)

    arrivals: dict[str, dict[str, int | None]] = {}
    for surface, (f, start) in SURFACES.items():
        print(f"{surface}: {f.__doc__}\n  From {start}, {steps} steps:")
        print("  optimizer       best η   arrives at step   end")
        arrivals[surface] = {}
        for name, optimizer in OPTIMIZERS.items():
            paths = {rate: walk(f, start, replace(optimizer, lr=rate), steps) for rate in rates}
            ends = {rate: np.nan_to_num(path.values[-1], nan=np.inf) for rate, path in paths.items()}
            # The earliest arrival; if none arrives, the lowest end.
            best = min(rates, key=lambda r: (arrival(paths[r]) or steps + 1, ends[r]))
            arrivals[surface][name] = arrival(paths[best])
            words = "does not" if arrivals[surface][name] is None else arrivals[surface][name]
            x, y = paths[best].end["weight"]
            print(f"  {name:14}  {best:<6}   {words:>15}   ({x:.3f}, {y:.3f})")
        print()

    print("Momentum, both forms: v ← αv - g, w ← w + ηv (000) and Δ ← βΔ - ηg, w ← w + Δ (003), on the bowl")
    apart = {}
    for words, rate in (("constant η", 0.03), ("decaying η", cr.schedules.Exponential(0.03, rate=0.97))):
        ends = [
            np.array([p["weight"] for p in walk(bowl, (8.0, 1.0), cr.SGD(rate, momentum=0.9, form=form), 100).points])
            for form in ("velocity", "step")
        ]
        apart[words] = float(np.abs(ends[0] - ends[1]).max())
        print(f"  {words}: the paths are at most {apart[words]:.2g} apart")
    return {"steps": arrivals, "apart": apart}


if __name__ == "__main__":
    main()
