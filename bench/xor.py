"""XOR learnt from its four samples by a 2-2-1 network: in how many of 100 seeds are all four answers right?

    python bench/xor.py [--seeds 100] [--rows 1,2,...]

Every seed is one training run from its own initial weights: full batches, no restarts, nothing stopped early. The
first row is the recipe to use; the others change one thing of it, or are what textbooks start with. Writes
bench/results/xor.md.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # products of 2 x 2 matrices: threads would only wait

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr

RESULTS = Path(__file__).parent / "results" / "xor.md"
X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
Y = np.array([0, 1, 1, 0])
ADAM = cr.Adam(lr=0.1)


@dataclass(frozen=True)
class Recipe:
    """One way to train a 2-2-1 network with a sigmoid output."""

    hidden: str = "silu"
    init: str = "auto"
    loss: str = "binary_cross_entropy"
    optimizer: Any = ADAM
    epochs: int = 200

    def net(self) -> cr.layers.Layer:
        return cr.mlp([2, 2, 1], hidden=self.hidden, output="sigmoid", init=self.init)


RECIPES = [
    Recipe(),
    Recipe(optimizer=cr.SGD(lr=1.0)),
    Recipe(hidden="elu"),
    Recipe(hidden="sigmoid"),
    Recipe(hidden="tanh"),
    Recipe(hidden="relu"),
    Recipe(init="zeros"),
    Recipe(hidden="sigmoid", init="normal", loss="quadratic", optimizer=cr.SGD(lr=3.0), epochs=500),
]


def right(number: int, seed: int) -> int:
    """How many of the four answers are right after training."""
    recipe = RECIPES[number]
    run = cr.fit(
        recipe.net(),
        (X, Y),
        loss=recipe.loss,
        optimizer=recipe.optimizer,
        epochs=recipe.epochs,
        batch_size=4,
        seed=seed,
        engine="numpy",
        progress=False,
    )
    return int(np.sum(run.model.predict(X) == Y))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--rows", default=",".join(str(n) for n in range(1, len(RECIPES) + 1)))
    options = parser.parse_args()
    lines = [
        "# XOR from its four samples, 2-2-1 network",
        "",
        f"Written by `python bench/xor.py --seeds {options.seeds}`. A seed succeeds if all four answers are right",
        "after the last epoch. Every epoch is one step on all four samples, standardized to ±1 by `fit`; biases start",
        "at 0 and the output is a sigmoid. `auto` draws the weights from the initializer that fits the activation",
        "(`he_normal` for SiLU, ELU and ReLU, `glorot_uniform` for tanh and sigmoid), `normal` from N(0, 1). The first",
        "row is the recipe to use.",
        "",
        "| hidden | init | loss | optimizer | epochs | seeds with all four right | with three |",
        "|---|---|---|---|---|---|---|",
    ]
    with ProcessPoolExecutor() as pool:
        for number in (int(n) - 1 for n in options.rows.split(",")):
            recipe = RECIPES[number]
            counts = list(pool.map(right, [number] * options.seeds, range(options.seeds)))
            lines.append(
                f"| {recipe.hidden} | {recipe.init} | {recipe.loss} | `{recipe.optimizer!r}` | {recipe.epochs} "
                f"| {counts.count(4)} of {options.seeds} | {counts.count(3)} |"
            )
            print(lines[-1], flush=True)
    lines += [
        "",
        "SiLU falls before it rises, so one hidden neuron alone can tell 01 and 10 from both 00 and 11. A monotone",
        "neuron cannot: two have to divide the work, and training can end in a minimum where they do not. From zero",
        "weights every gradient of a weight is zero, and nothing is learnt (lectures 000, 004).",
    ]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
