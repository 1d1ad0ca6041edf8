"""How many members to a batch, and how many batches at once: the measurements behind `chainrule.population.plan`.

    python bench/members.py [--nets 784-30-10:10:sgd,784-128-10:32:adam] [--sizes 1,8] [--quick]

For each network, batches of several sizes are trained by workers of one thread each, or as one program with XLA's own
threads. Prints microseconds per member and step, and writes bench/results/members.md. Needs no data.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule.engine import choose
from chainrule.engine.choice import workers

RESULTS = Path(__file__).parent / "results" / "members.md"
NETS = "784-30-10:10:sgd,784-128-10:32:adam,108-64-64-2:200:adam,784-512-512-10:128:adam"
SIZES = "1,2,4,8,16"
EPOCHS = 3

TEXT = """# Members to a batch

Written by `python bench/members.py`: microseconds per member and step, without compiling, on random samples. 2 × 8 are
two batches of 8 members, each with a worker of its own (a thread, whose programs keep to it); 1 × 8 is one batch that
has the machine for itself. "one" order: all members see the same samples in the same order; "own": each has its own.

{table}

The rule (`chainrule.population.plan`) keeps {count} workers busy with batches whose states stay in a core's cache.
"""


def microseconds(net: str, size: int, batches: int, one_order: bool, samples: int) -> float:
    """Return the time per member and step of so many batches of a size, without compiling."""
    widths, batch_size, optimizer = net.split(":")
    shape = [int(n) for n in widths.split("-")]
    rng = np.random.default_rng(0)
    data = (rng.normal(size=(samples, shape[0])).astype(np.float32), rng.integers(0, shape[-1], samples))
    differences = [{"seed": 0 if one_order else i, "optimizer.lr": 0.01 + 1e-5 * i} for i in range(size * batches)]
    common = {"epochs": 1 + EPOCHS, "batch_size": int(batch_size), "optimizer": optimizer, "normalize": False}
    trainer = cr.PopulationTrainer(cr.mlp(shape), data, engine="jax", strategy=size, **common)
    members = trainer.add_members(differences)
    trainer.train(members, until=1)
    before = time.perf_counter()
    trainer.train(members)
    return (time.perf_counter() - before) / (EPOCHS * len(members) * -(-samples // int(batch_size))) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", default=NETS)
    parser.add_argument("--sizes", default=SIZES)
    parser.add_argument("--samples", type=int, default=6_400)
    parser.add_argument("--quick", action="store_true", help="write nothing")
    options = parser.parse_args()
    count = sum(threads for _, threads in workers(choose("jax")))
    sizes = [int(n) for n in options.sizes.split(",")]
    lines = [
        f"| network, batch, optimizer | order | {' | '.join(f'{count} × {n}' for n in sizes)} | "
        f"{' | '.join(f'1 × {n}' for n in sizes)} |",
        "|---|---|" + "---|" * (2 * len(sizes)),
    ]
    for net in options.nets.split(","):
        for one_order in (True, False):
            times = [microseconds(net, n, batches, one_order, options.samples) for batches in (count, 1) for n in sizes]
            cells = " | ".join(f"{value:.1f}" for value in times)
            lines.append(f"| {net.replace(':', ', ')} | {'one' if one_order else 'own'} | {cells} |")
            print(lines[-1], flush=True)
    if not options.quick:
        RESULTS.write_text(TEXT.format(table="\n".join(lines), count=count), encoding="utf-8")


if __name__ == "__main__":
    main()
