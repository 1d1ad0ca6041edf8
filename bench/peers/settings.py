"""Which settings each side of the speed benchmark tries."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from workloads import Workload

Settings = dict[str, Any]

WORDS: Settings = {
    "threads": "threads {}",
    "steps_per_execution": "steps per execution {}",
    "block": "batches of {}",
    "channels_last": {True: "channels last", False: "channels first"},
    "fused": {True: "fused update", False: "update by tensor"},
    "compile": {"": "eager", "default": "torch.compile", "reduce-overhead": "torch.compile, reduced overhead"},
    "steps": "{} steps a call",
    "jobs": "n_jobs={}",
    "update": "{} update",
    "variant": {"memory": "", "stream": "", "callbacks": "", "probes": ""},
}


def choices(side: str, workload: Workload, device: str) -> dict[str, tuple[Any, ...]]:
    """The values of each setting of a peer, the most promising first; chainrule runs as it is."""
    cpu = device == "cpu"
    if side == "torch":
        found: dict[str, tuple[Any, ...]] = {"threads": (2, 1) if cpu else (1,)}
        if workload.task == "predict":
            found["block"] = (250, 64, 1000, 10_000)
        else:
            found["fused"] = (True, False) if workload.batch < 128 else (True,)
        if workload.convolves:
            found["channels_last"] = (True, False)
        return found | {"compile": ("", "default") if cpu else ("", "default", "reduce-overhead")}
    if side == "keras":
        return {"steps_per_execution": (10, 1, 50) if workload.batch < 128 else (1, 10)}
    if side == "flax":  # on the CPU, XLA's convolutions inside a loop take tens of times longer (jax issue 12868)
        return {"way": ("nnx", "loop") if workload.convolves and cpu else ("nnx", "loop", "scan")}
    if side == "sklearn":
        return {"threads": (2, 1)}
    if side == "nielsen":
        return {"precision": ("float64",), "threads": (2, 1)}  # as the book's code, in NumPy's default
    if side == "roofline":
        return {"way": ("jax", "numpy") if cpu else ("jax",)}
    if side == "memory":
        return {"variant": (side,)}
    return {}


def fastest(offered: dict[str, tuple[Any, ...]], seconds: Callable[[Settings], float]) -> Settings:
    """The best settings found when one after the other is varied, and its best value kept."""
    chosen = {key: values[0] for key, values in offered.items()}
    if all(len(values) == 1 for values in offered.values()):
        return chosen
    least = seconds(chosen)
    for key, values in offered.items():
        for value in values[1:]:
            if (now := seconds(chosen | {key: value})) < least:
                least, chosen = now, chosen | {key: value}
    if least == math.inf:
        raise RuntimeError("no settings worked")
    return chosen


def normalize_name(settings: Settings) -> str:
    """Settings in words."""
    parts = []
    for key, value in settings.items():
        words = WORDS.get(key, "{}")
        parts.append(words.get(value, value) if isinstance(words, dict) else words.format(value))
    return ", ".join(part for part in parts if part)
