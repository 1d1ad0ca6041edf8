"""Your own layer, activation, loss and operation, checked and trained on both engines.

    python examples/own_parts.py

A layer, activation or loss is a frozen dataclass of settings with a formula; its gradient follows by backpropagation.
An operation with a derivative of its own (a primitive) is needed only where a formula is not made of existing ones, or
where a closed form is faster. `check_gradient` compares any of it with central differences.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

import chainrule as cr


@cr.primitive
def softsign(xp: Any, z: Any) -> Any:
    """z / (1 + |z|): forward with plain arrays of NumPy or JAX (``xp``)."""
    return z / (1 + xp.abs(z))


softsign.derivatives(lambda a, z: (1 - abs(a)) ** 2)  # da/dz from the output a and the input z


@dataclass(frozen=True)
class Softsign(cr.activations.Activation):
    """The operation as an activation: from now on the name "softsign" works in every layer."""

    def __call__(self, z: Any, params: Any = None) -> Any:
        return softsign(z)


@dataclass(frozen=True)
class Gain(cr.Layer):
    """Multiplies every feature by a number of its own, which is learnt."""

    start: float = 1.0

    def init(self, key: Any, shape: tuple[int, ...]) -> tuple[Any, Any, tuple[int, ...]]:
        return {"gain": np.full(shape[-1:], self.start)}, {}, shape

    def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> tuple[Any, Any]:
        return x * params["gain"], state


@dataclass(frozen=True)
class Focal(cr.losses.Loss):
    """-Σ y (1 - a)^γ ln a: cross-entropy that pays less attention to what is already right (Lin et al., 2017)."""

    gamma: float = 2.0

    def __call__(self, a: Any, y: Any) -> Any:
        y = cr.losses.targets_like(a, y)
        return np.sum(-y * (1 - a) ** self.gamma * np.log(a + 1e-7), axis=1)


@cr.primitive
def wrong(xp: Any, z: Any) -> Any:
    return z / (1 + xp.abs(z))


wrong.derivatives(lambda a, z: 1 - abs(a))  # the square is missing


def main(argv: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer epochs")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)

    z = np.array([-2.0, -0.5, 0.3, 4.0])
    checks = {
        "softsign": cr.check_gradient(lambda z: np.sum(softsign(z)), z),
        "wrong": cr.check_gradient(lambda z: np.sum(wrong(z)), z),
        "Gain": cr.check_gradient(
            lambda params, x: np.sum(Gain().apply(params, {}, x, key=None, train=True)[0] ** 2), {"gain": z}, np.eye(4)
        ),
        "Focal": cr.check_gradient(lambda a: np.sum(Focal()(a, np.array([0, 1]))), np.array([[0.7, 0.3], [0.6, 0.4]])),
    }
    for name, check in checks.items():
        print(f"{name}: {check}\n")

    digits = cr.data.load("digits")
    net = cr.Sequential(cr.Flatten(), Gain(), cr.Dense(30, "softsign"), cr.Dense(10, "softmax"))
    losses = {}
    for engine in ("numpy", "jax"):
        before = time.perf_counter()
        run = cr.fit(
            net,
            digits,
            loss=Focal(gamma=1.0),
            epochs=2 if options.quick else 10,
            seed=options.seed,
            engine=engine,
            progress=False,
        )
        losses[engine] = run.history["loss"]
        print(
            f"{engine:5}  last cost {losses[engine][-1]:.5f}, accuracy {run.history['accuracy'][-1]:.1%}, "
            f"{time.perf_counter() - before:.1f} s"
        )
    return {"checks": checks, "losses": losses}


if __name__ == "__main__":
    main()
