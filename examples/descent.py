"""Gradient descent on a curve: the learning rate, and what it cannot do (lectures 000 and 004).

    python examples/descent.py

L(w) = w² is convex: with a learning rate below 1 every start leads to the minimum, above 1 every step makes it worse.
A curve with two valleys keeps plain descent in the one where it starts; momentum may carry it over.
"""

from __future__ import annotations

import argparse
from typing import Any

import chainrule as cr
from chainrule.lab.descent import MINIMUM, square, two_valleys


def main(argv: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    parser.add_argument("--page", help="write the page of the lab with the picture that moves, to this file")
    options = parser.parse_args(argv)
    steps = 60 if options.quick else 200

    print(f"L(w) = w² from w = 2, {steps} steps of w ← w - η·2w\n")
    print("     η   first steps                                   end")
    rates = {}
    for rate in (0.01, 0.125, 0.5, 0.9, 1.0, 1.1):
        path = rates[rate] = cr.descend(square, 2.0, cr.SGD(lr=rate), steps=steps)
        first = "  ".join(f"{float(w):6.3f}" for w in path.points[:5])
        if path.diverged:
            words = "diverges"
        elif path.values[-1] == path.values[0]:
            words = "jumps to and fro for ever"
        else:
            words = "arrives" if path.values[-1] < 1e-6 else "still on its way"
        print(f"{rate:6}   {first}   {float(path.end):10.3g}   {words}")

    print("\nFrom anywhere, η = 0.125:")
    starts = (-100.0, -3.0, 0.5, 40.0)
    convex = {w: float(cr.descend(square, w, cr.SGD(lr=0.125), steps=steps).end) for w in starts}
    print("  " + "   ".join(f"{w:g} → {end:.2g}" for w, end in convex.items()))

    print(f"\nL(w) = 0.1 w⁴ - w² + 0.5 w: lowest at {MINIMUM:.2f}, with a second valley at 2.10")
    print(" start   plain descent   with momentum 0.9")
    valleys = {}
    for start in (-4.0, -1.0, 1.0, 3.0, 4.0):
        ends = [
            float(cr.descend(two_valleys, start, cr.SGD(lr=0.03, momentum=m), steps=5 * steps).end) for m in (None, 0.9)
        ]
        valleys[start] = ends
        words = ["best" if abs(w - MINIMUM) < 0.01 else "stuck" for w in ends]
        print(f"{start:6g}   {ends[0]:7.3f} {words[0]:6}  {ends[1]:7.3f} {words[1]}")
    if options.page:
        print(f"\nThe picture: {cr.lab.descent().to_html(options.page)}")
    return {"rates": rates, "convex": convex, "valleys": valleys}


if __name__ == "__main__":
    main()
