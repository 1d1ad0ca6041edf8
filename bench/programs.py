"""The memory that a process holds after training networks of many structures on JAX.

    python bench/programs.py [--structures 60] [--most 64]

Each structure is a small network that is trained for one epoch. ``--most`` is the number of compiled programs that are
kept (`chainrule.engine.compiled.PROGRAMS`); a large one keeps all, as JAX does by itself.
"""

from __future__ import annotations

import argparse
import gc
import os
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule.engine import compiled


def megabytes() -> float:
    """What the process holds now."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Train, and print how the memory grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--structures", type=int, default=60)
    parser.add_argument("--most", type=int, default=compiled.PROGRAMS.most)
    options = parser.parse_args()
    compiled.PROGRAMS.most = options.most
    x = np.random.default_rng(0).normal(size=(256, 8)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    start = 0.0
    for i in range(options.structures + 1):
        cr.fit(cr.mlp([8, 10 + i, 7, 2]), (x, y), epochs=1, engine="jax", progress=False)
        start = start or megabytes()
        if i and i % 10 == 0:
            programs = len(compiled.PROGRAMS)
            print(f"{i:3d} structures  {megabytes() - start:+6.0f} MB  {programs:3d} programs", flush=True)


if __name__ == "__main__":
    main()
