"""Which engine runs a job: ``engine="numpy" | "jax" | "auto"``."""

from __future__ import annotations

import functools
import importlib.util

from chainrule.engine.compiled import JaxEngine
from chainrule.engine.eager import NumpyEngine
from chainrule.errors import SettingError, unknown_name

Engine = NumpyEngine | JaxEngine

PRECISIONS = ("float32", "float64")

# The cost model of "auto", in seconds, measured on two cores (see docs/engines.md).
COMPILE_SECONDS = 3.0  # what importing JAX and compiling an epoch takes
SECONDS_PER_STEP = 250e-6  # NumPy: recording and walking a graph of some layers
FLOPS_PER_SECOND = 2e10  # NumPy: matrix products and elementwise work of training, together
SPEEDUP = 3.0  # JAX's step against NumPy's, of the same work


def choose(engine: str, *, precision: str = "float32", steps: int = 1, flops_per_step: float = 0.0) -> Engine:
    """The engine of a name; "auto" takes JAX where the time it saves is more than compiling costs.

    NumPy's time is estimated as steps · (250 µs + flops / 20 GFLOP/s); JAX's as 3 s and a third of that.
    """
    if precision not in PRECISIONS:
        raise unknown_name("precision", precision, PRECISIONS)
    if engine not in ("numpy", "jax", "auto"):
        raise unknown_name("engine", engine, ("numpy", "jax", "auto"))
    if engine == "auto":
        eager = steps * (SECONDS_PER_STEP + flops_per_step / FLOPS_PER_SECOND)
        worth_it = eager > COMPILE_SECONDS + eager / SPEEDUP
        engine = "jax" if worth_it and _has_jax() else "numpy"
    if engine == "jax" and not _has_jax():
        raise SettingError('engine="jax" needs the package jax: pip install jax, or use engine="numpy".')
    return _engine(engine, precision)


@functools.cache
def _engine(name: str, precision: str) -> Engine:
    """One object for each engine and precision, so that compiled programs are found again."""
    return JaxEngine(precision) if name == "jax" else NumpyEngine(precision)


@functools.cache
def _has_jax() -> bool:
    return importlib.util.find_spec("jax") is not None
