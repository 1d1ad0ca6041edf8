"""The JAX engine: traces the very same training step and lets XLA compile it, many steps in one program."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import tree
from chainrule.engine.cache import use_compilation_cache

Body = Callable[[Any, Any], tuple[Any, Any]]


class JaxEngine:
    """Arrays of JAX. `compile` is ``jax.jit``, `loop` is ``lax.fori_loop``. JAX's gradients are not used."""

    name = "jax"

    def __init__(self, precision: str = "float32") -> None:
        self.precision = precision
        #: How often each program was traced (and compiled, or found in the cache), by its name.
        self.traces: Counter[str] = Counter()
        use_compilation_cache()

    @property
    def turns_matrices(self) -> bool:
        """Whether narrow weight matrices are faster on their side (see `chainrule.training.layout`)."""
        import jax

        return bool(jax.default_backend() == "cpu")

    def place(self, values: Any) -> Any:
        """Arrays where the engine works on them."""
        import jax.numpy as jnp

        with self._precision():
            return tree.map(jnp.asarray, values)

    def copy(self, values: Any) -> Any:
        """Arrays that stay as they are when the originals are given away (`compile`'s ``donate``)."""
        import jax.numpy as jnp

        with self._precision():
            return tree.map(lambda v: jnp.array(v, copy=True), values)

    def fetch(self, values: Any) -> Any:
        """NumPy arrays of the engine's arrays."""
        return tree.map(np.asarray, values)

    def compile(self, f: Callable[..., Any], donate: tuple[int, ...] = ()) -> Callable[..., Any]:
        """The function as one compiled program for each shape of its arguments.

        The arguments at the positions in ``donate`` are given away: the program writes its results over them.
        """
        import jax

        @functools.wraps(f)
        def traced(*args: Any) -> Any:
            self.traces[f.__name__] += 1  # runs while JAX traces, not when the program runs
            return f(*args)

        compiled = jax.jit(traced, donate_argnums=donate)

        @functools.wraps(f)
        def run(*args: Any) -> Any:
            with self._precision():
                return compiled(*args)

        return run

    def loop(self, body: Body, carry: Any, length: int, first: Any, last: Any) -> tuple[Any, Any]:
        """``for i in range(first, last): carry, results[i] = body(i, carry)``, with results of a fixed length.

        One loop of the program; ``first`` and ``last`` may be traced, so that one program runs any part of an epoch.
        """
        import jax
        from jax import lax

        once = jax.jit(body)  # so that asking for the shapes and looping trace it once
        _, shapes = jax.eval_shape(once, np.int32(0), carry)
        empty = tree.map(lambda s: jax.numpy.zeros((length, *s.shape), s.dtype), shapes)

        def run(i: Any, state: Any) -> Any:
            carry, results = state
            carry, new = once(i, carry)
            return carry, tree.map(lambda row, v: row.at[i].set(v, mode="promise_in_bounds"), results, new)

        found: tuple[Any, Any] = lax.fori_loop(first, last, run, (carry, empty))
        return found

    def cond(self, condition: Any, f: Callable[..., Any], g: Callable[..., Any], *args: Any) -> Any:
        """``f(*args) if condition else g(*args)``, decided while the program runs."""
        from jax import lax

        return lax.cond(condition, f, g, *args)

    def rows(self, values: Any, at: Any) -> Any:
        """``values[at]`` for positions that are known to exist: without the checks of an index that may not."""
        return values.at[at].get(mode="promise_in_bounds")

    def _precision(self) -> Any:
        import jax

        # Float64 is allowed inside only: a user's other JAX code keeps its own setting.
        return jax.enable_x64(self.precision == "float64")
