"""The JAX engine: traces the very same training step and lets XLA compile it, many steps in one program."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import tree


class JaxEngine:
    """Arrays of JAX. `compile` is ``jax.jit``; the loop over steps is ``lax.scan``. JAX's gradients are not used."""

    name = "jax"

    def __init__(self, precision: str = "float32") -> None:
        self.precision = precision

    def place(self, values: Any) -> Any:
        """Arrays where the engine works on them."""
        import jax.numpy as jnp

        with self._precision():
            return tree.map(jnp.asarray, values)

    def fetch(self, values: Any) -> Any:
        """NumPy arrays of the engine's arrays."""
        return tree.map(np.asarray, values)

    def compile(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """The function as one compiled program for each shape of its arguments."""
        import jax

        compiled = jax.jit(f)

        @functools.wraps(f)
        def run(*args: Any) -> Any:
            with self._precision():
                return compiled(*args)

        return run

    def scan(self, body: Callable[[Any, Any], tuple[Any, Any]], carry: Any, xs: Any) -> tuple[Any, Any]:
        """``for x in xs: carry, y = body(carry, x)`` as one loop of the program."""
        from jax import lax

        return lax.scan(body, carry, xs)

    def _precision(self) -> Any:
        import jax

        # Float64 is allowed inside only: a user's other JAX code keeps its own setting.
        return jax.enable_x64(self.precision == "float64")
