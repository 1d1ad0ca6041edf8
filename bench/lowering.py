"""Every lowering of a convolution, inside a compiled loop: the figures behind `chainrule.engine.lowering.choose`.

    python bench/lowering.py

Float32, batch 128, the best of three measurements. Writes bench/results/lowering.md.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from chainrule.engine.convolution import resolve_padding
from chainrule.engine.lowering import DIRECTIONS, LOWERINGS, choose

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from report import processor

RESULTS = Path(__file__).parent / "results" / "lowering.md"
BATCH = 128
# side, channels, filters, kernel, stride, padding
SHAPES = [
    (28, 1, 32, 3, 1, "valid"),
    (13, 32, 64, 3, 1, "valid"),
    (14, 32, 64, 3, 1, "same"),
    (32, 3, 16, 3, 1, "same"),
    (32, 16, 16, 3, 1, "same"),
    (16, 32, 32, 3, 1, "same"),
    (8, 64, 64, 3, 1, "same"),
    (32, 16, 32, 3, 2, "same"),
    (16, 32, 64, 3, 2, "same"),
    (32, 16, 32, 1, 2, "same"),
]


def milliseconds(f: Callable[..., Any], *args: Any) -> float:
    """Of one call of f inside a loop whose turns depend on each other, so that none can be left out."""
    result = jax.eval_shape(f, *args)

    def turn(_: Any, carry: Any) -> Any:
        first, *others = carry[0]
        y = f(first, *others)
        return (first.at[(0,) * first.ndim].set(1e-3 * y[(0,) * y.ndim]), *others), y

    loop = jax.jit(lambda args, y, turns: lax.fori_loop(0, turns, turn, (args, y)))
    y = jnp.zeros(result.shape, result.dtype)

    def seconds(turns: int) -> float:
        start = time.perf_counter()
        jax.block_until_ready(loop(args, y, turns))
        return time.perf_counter() - start

    seconds(1)
    turns = max(1, math.ceil(0.1 / seconds(1)))
    return 1e3 * min(seconds(turns) / turns for _ in range(3))


def main() -> None:
    rng = np.random.default_rng(0)
    platform = jax.default_backend()
    lines = [
        "# Lowerings of a convolution",
        "",
        f"Written by `python bench/lowering.py` on {platform}, jax {jax.__version__}. Machine: {processor()}.",
        f"Milliseconds inside a compiled loop, float32, batch {BATCH}; the best in bold, the rule's choice marked *.",
    ]
    for direction in DIRECTIONS:
        names = list(LOWERINGS[direction])
        lines += [
            "",
            f"## {direction}",
            "",
            "| image, kernels | " + " | ".join(names) + " |",
            "|---" * (len(names) + 1) + "|",
        ]
        for side, c, filters, k, s, padding in SHAPES:
            stride, dilation, size = (s, s), (1, 1), (k, k)
            border = resolve_padding(padding, (side, side), size, stride, dilation)
            how = (stride, dilation, border)
            out = (side + sum(border[0]) - k) // s + 1
            x, w, g = (
                jnp.asarray(rng.normal(size=shape).astype(np.float32))
                for shape in ((BATCH, side, side, c), (k, k, c, filters), (BATCH, out, out, filters))
            )
            found = {}
            for name in names:
                function = LOWERINGS[direction][name]
                if direction == "forward":
                    found[name] = milliseconds(lambda x, w, f=function, how=how: f(jnp, x, w, *how), x, w)
                elif direction == "input":
                    image = (side, side)
                    found[name] = milliseconds(lambda g, w, f=function, i=image, how=how: f(jnp, g, w, i, *how), g, w)
                elif name == "native" and platform == "cpu":
                    continue  # seconds a turn
                else:
                    found[name] = milliseconds(lambda x, g, f=function, z=size, how=how: f(jnp, x, g, z, *how), x, g)
            best, chosen = min(found, key=found.__getitem__), choose(direction, platform, (*size, c, filters), stride)
            cells = []
            for name in names:
                text = f"{found[name]:.1f}" if name in found else "> 400"
                text = f"**{text}**" if name == best else text
                cells.append(text + (" *" if name == chosen else ""))
            title = f"{side}×{side}×{c}, {k}×{k} to {filters}, stride {s}, {padding}"
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
            print(lines[-1], flush=True)
    RESULTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
