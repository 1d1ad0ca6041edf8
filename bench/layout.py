"""How the training program lays out weights, batches and updates: what training/layout.py and epoch.py rest on.

    python bench/layout.py

Each variant is a loop in one compiled program, on the CPU; microseconds per step, the least of several runs, since
everything else on a machine only adds. Writes bench/results/layout.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

RESULTS = Path(__file__).parent / "results" / "layout.md"
LR = 0.1
rng = np.random.default_rng(0)


def normal(*shape: int) -> jax.Array:
    return jnp.asarray(0.05 * rng.normal(size=shape), jnp.float32)


def microseconds(body: Callable[[Any, Any], Any], carry: Any, steps: int = 400, runs: int = 7) -> float:
    """Of one step of ``for i in range(steps): carry = body(i, carry)``."""
    program = jax.jit(lambda c: lax.fori_loop(0, steps, body, c))
    jax.block_until_ready(program(carry))
    found = []
    for _ in range(runs):
        before = time.perf_counter()
        jax.block_until_ready(program(carry))
        found.append(time.perf_counter() - before)
    return 1e6 * min(found) / steps


def matrices() -> list[str]:
    """Product, gradient and update of a weight matrix stored (in, out) or on its side."""
    lines = ["| batch | in | out | stored (in, out) | stored (out, in) | ratio |", "|---|---|---|---|---|---|"]
    for batch in (10, 32, 128):
        for inputs, outputs in (
            (784, 10),
            (784, 16),
            (784, 30),
            (784, 50),
            (784, 64),
            (784, 100),
            (128, 10),
            (128, 64),
        ):
            xs, w, d = normal(8, batch, inputs), normal(inputs, outputs), normal(batch, outputs)

            def plain(i: Any, c: Any, xs: Any = xs) -> Any:
                x, (w, d) = xs[i % 8], c
                return w - LR * (x.T @ d), x @ w

            def turned(i: Any, c: Any, xs: Any = xs) -> Any:
                x, (w, d) = xs[i % 8], c
                return w - LR * (d.T @ x), x @ w.T

            a, b = microseconds(plain, (w, d)), microseconds(turned, (w.T, d))
            lines.append(f"| {batch} | {inputs} | {outputs} | {a:.1f} | {b:.1f} | {a / b:.2f} |")
            print(lines[-1], flush=True)
    return lines


def batches() -> list[str]:
    """A batch's rows taken in each step, or all rows put in order before (the price of that is in the time)."""
    lines = ["| batch | rows taken in each step | put in order before | order alone |", "|---|---|---|---|"]
    n, inputs = 50_000, 784
    x, order = normal(n, inputs), jnp.asarray(rng.permutation(n), jnp.int32)
    w = normal(inputs, 30)
    for batch in (10, 32, 128):
        steps = n // batch

        def program(ahead: bool, steps: int = steps, batch: int = batch) -> Callable[..., Any]:
            def run(x: Any, order: Any) -> Any:
                rows = order[: steps * batch].reshape(steps, batch)
                ready = x.at[rows].get(mode="promise_in_bounds") if ahead else None

                def body(i: Any, c: Any) -> Any:
                    return c + (ready[i] if ahead else x.at[rows[i]].get(mode="promise_in_bounds")) @ w

                return lax.fori_loop(0, steps, body, jnp.zeros((batch, 30)))

            return jax.jit(run)

        found = []
        for took in (
            program(False),
            program(True),
            jax.jit(lambda x, order: x.at[order].get(mode="promise_in_bounds")),
        ):
            jax.block_until_ready(took(x, order))
            times = []
            for _ in range(5):
                before = time.perf_counter()
                jax.block_until_ready(took(x, order))
                times.append(time.perf_counter() - before)
            found.append(1e6 * min(times) / steps)
        lines.append(f"| {batch} | " + " | ".join(f"{v:.1f}" for v in found) + " |")
        print(lines[-1], flush=True)
    return lines


def updates() -> list[str]:
    """Adam's update for each parameter as it is, with narrow matrices turned, or for all in one flat buffer."""
    lines = ["| network | each parameter | narrow ones turned | one flat buffer |", "|---|---|---|---|"]
    for sizes in ((784, 30, 10), (784, 128, 10), (784, 512, 512, 10)):
        params = [normal(*s) for m, n in pairwise(sizes) for s in ((m, n), (n,))]

        def adam(i: Any, c: Any) -> Any:
            def one(w: Any, m: Any, s: Any, g: Any) -> Any:
                m, s = 0.9 * m + 0.1 * (g + i), 0.999 * s + 0.001 * g * g
                return w - 0.001 * m / (jnp.sqrt(s) + 1e-8), m, s

            new = [one(*leaf) for leaf in zip(*c, strict=True)]
            return ([n[0] for n in new], [n[1] for n in new], [n[2] for n in new], c[3])

        turned = [p.T if p.ndim == 2 and p.shape[1] < 64 else p for p in params]
        flat = [jnp.concatenate([p.ravel() for p in params])]
        found = [microseconds(adam, (v, v, [jnp.abs(u) for u in v], v), steps=100) for v in (params, turned, flat)]
        lines.append(f"| {'-'.join(map(str, sizes))} | " + " | ".join(f"{v:.1f}" for v in found) + " |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    parts = {
        "Narrow weight matrices": (
            "Product x w, gradient and update, per step. Matrices with fewer than 64 outputs are turned"
            " (training/layout.py).",
            matrices(),
        ),
        "Batches": (
            "Rows of 50,000 × 784, each step a product with 784 × 30. The program takes the rows in each step: putting"
            " them in order first costs as much as it saves, and twice the memory.",
            batches(),
        ),
        "Updates": (
            "Adam. XLA joins the update of a parameter into one loop either way. With narrow matrices turned, a flat"
            " buffer saves little, and gradients would have to be copied into it.",
            updates(),
        ),
    }
    text = "# Layout\n\nWritten by `python bench/layout.py`. Microseconds per step on the CPU, in one compiled loop.\n"
    for title, (what, lines) in parts.items():
        text += f"\n## {title}\n\n{what}\n\n" + "\n".join(lines) + "\n"
    RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
