"""Which engine runs a job: ``engine="numpy" | "jax" | "auto"``."""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Callable
from typing import Any, NamedTuple

from chainrule.checks import check_name
from chainrule.engine.compiled import JaxEngine
from chainrule.engine.devices import find_devices
from chainrule.engine.eager import NumpyEngine
from chainrule.errors import SettingError

Engine = NumpyEngine | JaxEngine

#: What products and activations are computed in, and what weights and statistics are kept in.
PRECISIONS = {"float32": "float32", "bfloat16": "float32", "float64": "float64"}


class CostEstimate(NamedTuple):
    """What a piece of work is made of: operations in matrix products and convolutions, and values written."""

    flops: float = 0.0
    values: float = 0.0

    def __mul__(self, factor: float) -> CostEstimate:  # type: ignore[override]
        return CostEstimate(self.flops * factor, self.values * factor)


class Cost(NamedTuple):
    """Seconds that work takes on an engine."""

    start: float  # importing and compiling
    step: float  # whatever the size
    flop: float
    value: float

    def seconds(self, steps: int, work: CostEstimate) -> float:
        """Return the seconds of a number of steps with so much work each."""
        return self.start + steps * (self.step + work.flops * self.flop + work.values * self.value)


# Measured on two cores by bench/engines.py (bench/results/engines.md).
COSTS = {
    "numpy": Cost(start=0.0, step=400e-6, flop=1 / 40e9, value=1.5e-9),
    "jax": Cost(start=2.0, step=80e-6, flop=1 / 100e9, value=0.3e-9),
}


def choose(
    engine: str,
    *,
    precision: str = "float32",
    steps: int = 1,
    work: Callable[[], CostEstimate] = CostEstimate,
    devices: str | int | None = None,
) -> Engine:
    """Return the engine of a name; "auto" takes the one that will be done first, by `COSTS`.

    Parameters
    ----------
    engine : "numpy", "jax" or "auto"
    precision : "float32", "float64", or "bfloat16" (JAX only)
    steps, work : how many steps, and a function that says what each is made of (see `chainrule.models.forward.work`);
        it is called for "auto" only
    devices : see `chainrule.engine.devices.find_devices`; if they are given, the engine is "jax"
    """
    check_name("precision", precision, PRECISIONS)
    check_name("engine", engine, (*COSTS, "auto"))
    if precision == "bfloat16":
        if engine == "numpy":
            raise SettingError('NumPy has no bfloat16: use engine="jax", or precision="float32".')
        engine = "jax"
    if devices is not None:
        if engine == "numpy":
            raise SettingError('NumPy knows no devices: use engine="jax", or leave devices out.')
        engine = "jax"
    if engine == "auto":
        each = work()
        names = COSTS if _has_jax() else ["numpy"]
        engine = min(names, key=lambda name: COSTS[name].seconds(steps, each))
    if engine == "jax" and not _has_jax():
        raise SettingError('engine="jax" needs the package jax: pip install jax, or use engine="numpy".')
    return _engine(engine, PRECISIONS[precision], find_devices(devices) if engine == "jax" else ())


def workers(engine: Engine) -> tuple[tuple[Engine, int], ...]:
    """Return where parts of a population train at the same time: engines, and how many threads call programs of each.

    On the CPU as many threads as there are cores, each program on one of them; one thread for each other device.
    """
    if not isinstance(engine, JaxEngine):
        return ((engine, 1),)
    if engine.sharding is not None and len(engine.sharding.devices) > 1:
        return tuple((_engine("jax", engine.precision, (device,)), 1) for device in engine.sharding.devices)
    if engine.platform == "cpu" and (cores := count_cores()) > 1:
        devices = engine.sharding.devices if engine.sharding is not None else ()
        return ((_engine("jax", engine.precision, devices, alone=True), cores),)
    return ((engine, 1),)


def count_cores() -> int:
    """Return how many cores this process may use; of the machine, where the system does not say (macOS, Windows)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def _engine(name: str, precision: str, devices: tuple[Any, ...], alone: bool = False) -> Engine:
    """Return one object for each engine, precision and devices, so that compiled programs are found again."""
    return JaxEngine(precision, devices, alone) if name == "jax" else NumpyEngine(precision)


@functools.cache
def _has_jax() -> bool:
    return importlib.util.find_spec("jax") is not None
