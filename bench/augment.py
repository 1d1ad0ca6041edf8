"""What each augmentation costs: milliseconds for a batch of 64 images of 28 x 28 x 1, inside a compiled loop.

    python bench/augment.py

Writes bench/results/augment.md.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from chainrule import augment, random

RESULTS = Path(__file__).parent / "results" / "augment.md"
JOINED = ("rotation,zoom,shear", "shift,rotation,elastic")
STEPS, ROUNDS = 50, 5

x = np.random.default_rng(0).normal(size=(64, 28, 28, 1)).astype(np.float32)
key = random.key(0)


def compiled(change: Callable[..., Any]) -> float:
    """Milliseconds a step of a loop that does nothing else, the best of some rounds."""

    @jax.jit
    def run(x: Any, key: Any) -> Any:
        def body(i: Any, total: Any) -> Any:
            return total + change(x + total[0, 0, 0, 0] * 1e-6, random.fold_in(key, i))

        return jax.lax.fori_loop(0, STEPS, body, jax.numpy.zeros_like(x))

    return best(lambda: run(x, key).block_until_ready()) / STEPS


def eager(change: Callable[..., Any]) -> float:
    """Milliseconds of a call with NumPy."""
    return best(lambda: change(x, key))


def best(call: Callable[[], Any]) -> float:
    call()
    times = []
    for _ in range(ROUNDS):
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
    return 1000 * min(times)


def main() -> None:
    nothing = compiled(lambda x, key: x)
    lines = ["| augmentation | compiled (XLA) | NumPy |", "|---|---|---|"]
    for name in (*augment.names(), *JOINED):
        made = augment.get(name)
        lines.append(f"| {name} | {max(compiled(made) - nothing, 0):.2f} | {eager(made):.2f} |")
        print(lines[-1], flush=True)
    text = f"""# What augmentation costs

Written by `python bench/augment.py`: milliseconds for a batch of 64 images of 28 × 28 × 1, float32, the best of
{ROUNDS} rounds; for XLA inside a loop of {STEPS} steps, less what the loop costs without it. JAX {jax.__version__},
{os.cpu_count()} cores ({platform.machine()}). Warps that follow each other are one interpolation, so several cost
little more than one.

{chr(10).join(lines)}
"""
    RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
