"""How many members to a block, and how many blocks at once: the measurements behind `chainrule.population.plan`.

    python bench/members.py [--nets 784-30-10:10,784-128-10:32] [--quick]

For each network, blocks of several sizes train in lanes of one thread each, or as one program with XLA's own threads.
Prints microseconds per member and step, and writes bench/results/members.md. Needs no data: the samples are random.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule.engine.choice import lanes
from chainrule.population import plan

RESULTS = Path(__file__).parent / "results" / "members.md"
NETS = "784-30-10:10:sgd,784-128-10:32:adam,108-64-64-2:200:adam,784-512-512-10:128:adam"
SIZES = (1, 2, 4, 8, 16, 32)


def microseconds(net: str, size: int, blocks: int, one_order: bool, samples: int) -> float:
    """Time per member and step of so many blocks of a size, without compiling."""
    widths, batch, optimizer = net.split(":")
    shape = [int(n) for n in widths.split("-")]
    rng = np.random.default_rng(0)
    data = (rng.normal(size=(samples, shape[0])).astype(np.float32), rng.integers(0, shape[-1], samples))
    given = [{"seed": 0 if one_order else i, "optimizer.lr": 0.01 + 1e-5 * i} for i in range(size * blocks)]
    crew = cr.Crew(
        cr.mlp(shape), data, epochs=4, batch_size=int(batch), optimizer=optimizer, normalize=False, engine="jax"
    )
    members = crew.enlist(given)
    keep = plan.slots
    plan_slots = lambda *_: size  # noqa: E731
    import chainrule.population.crew as room

    room.slots = plan_slots
    try:
        crew.train(members, until=1)
        before = time.perf_counter()
        crew.train(members, until=4)
    finally:
        room.slots = keep
    return (time.perf_counter() - before) / (3 * len(members) * -(-samples // int(batch))) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", default=NETS)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    from chainrule.engine import choose

    count = sum(threads for _, threads in lanes(choose("jax")))
    sizes = [int(n) for n in options.sizes.split(",")]
    lines = ["| network : batch : optimizer | order | " + " | ".join(f"{count} × {n}" for n in sizes) + " | all in one: "
             + ", ".join(map(str, sizes)) + " |", "|---|---|" + "---|" * (len(sizes) + 1)]  # fmt: skip
    for net in options.nets.split(","):
        for one_order in (True, False):
            cells = [f"{microseconds(net, n, count, one_order, options.samples):.1f}" for n in sizes]
            whole = [f"{microseconds(net, n, 1, one_order, options.samples):.1f}" for n in sizes]
            lines.append(f"| {net} | {'one' if one_order else 'own'} | {' | '.join(cells)} | {', '.join(whole)} |")
            print(lines[-1], flush=True)


if __name__ == "__main__":
    main()
