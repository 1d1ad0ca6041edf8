"""How many members train as one batch, and how many batches train at the same time.

One rule covers every platform: members are put into batches, and the batches of a population wait in line for workers
(a core, or a device). One vectorized program is one batch of all members; several single programs on threads are
batches of one member; members sharded over devices are batches of each device. How large a batch should be was
measured: `bench/members.py`, bench/results/members.md.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.engine import Engine
from chainrule.engine.eager import NumpyEngine
from chainrule.errors import SettingError, unknown_name
from chainrule.population.member import Member
from chainrule.settings import plain
from chainrule.tree import leaves

#: "auto" is the measured rule of `capacity`; "vectorized" is one batch of all, "single" batches of one.
STRATEGIES = ("auto", "vectorized", "single")

#: Weights, moments and gradients of a batch on the CPU should stay in the cache of a core: bytes, measured.
CACHE_BYTES = 8 * 2**20

#: More members than this to a batch gain little on the CPU (measured), and batches of many sizes then share one
#: program: the 64 trials of a plain search as well as the 16 of a stage.
MOST = 8

#: A fraction of the memory of a device that the members of a batch may take, and the memory if it is not known.
MEMORY_SHARE, MEMORY = 0.25, 8 * 2**30

#: About what it takes to compile a program.
COMPILE_SECONDS = 2.0


def check_strategy(strategy: str | int) -> None:
    """Raise `SettingError` unless it is a name, or a number of members to a batch."""
    strategy = plain(strategy)
    if isinstance(strategy, str) and strategy not in STRATEGIES:
        raise unknown_name("strategy", strategy, STRATEGIES)
    if (
        isinstance(strategy, bool)
        or not isinstance(strategy, str | int)
        or (not isinstance(strategy, str) and strategy < 1)
    ):
        raise SettingError(
            f"strategy is one of {', '.join(STRATEGIES)}, or a number of members to a batch; got {strategy!r}."
        )


def capacity(members: list[Member], engine: Engine, workers: int, strategy: str | int) -> int:
    """Return how many members to train as one batch.

    On the CPU as many as keep their state (weights, moments, and as much again for gradients) in a core's cache, and
    at most 8; on other devices as many as fit a quarter of the memory. Then as few as keep all workers busy.
    """
    if isinstance(engine, NumpyEngine) or strategy == "single":
        return 1
    if strategy == "vectorized":
        return len(members)
    if isinstance(strategy, int | np.integer):
        return min(int(strategy), len(members))
    size = member_bytes(members[0])
    if engine.platform == "cpu":
        most = max(1, min(MOST, CACHE_BYTES // max(1, size)))
    else:
        most = max(1, int(MEMORY_SHARE * _memory(engine)) // max(1, size + data_bytes(members[0])))
    batches = math.ceil(len(members) / most)
    batches = math.ceil(batches / workers) * workers if len(members) >= workers else len(members)
    return math.ceil(len(members) / batches)


def cheapest_capacity(size: int, members: list[Member], workers: int, compiled: set[int], until: int | None) -> int:
    """Return this capacity, or one for which a program is compiled already if that takes less time."""
    seconds = max((m.history.records[-1]["seconds"] for m in members if m.history.records), default=math.inf)
    if not math.isfinite(seconds):
        return size
    epochs = _epochs_left(members, until)

    def cost(size: int) -> float:
        rounds = math.ceil(math.ceil(len(members) / size) / workers)
        return rounds * workers * size * seconds * epochs + (0.0 if size in compiled else COMPILE_SECONDS)

    return min((size, *compiled), key=cost)


def reduced_capacity(size: int, members: list[Member], until: int | None) -> int:
    """Return this capacity, or half, a quarter, … of it where that saves more than it costs to compile."""
    reduced = size
    while reduced >= 2 * len(members) and reduced > 1:
        reduced = (reduced + 1) // 2
    if reduced == size or not members[0].history.records:
        return size
    seconds = members[0].history.records[-1]["seconds"] * size  # of an epoch of a full batch
    return reduced if _epochs_left(members, until) * seconds * (1 - reduced / size) > COMPILE_SECONDS else size


def _epochs_left(members: list[Member], until: int | None) -> int:
    return max(min(until or m.prepared_run.epochs, m.prepared_run.epochs) - m.epoch for m in members)


def member_bytes(member: Member) -> int:
    """Return the bytes that a member's steps read and write: weights, gradients, moments."""
    state = member.prepared_run.state
    size = sum(leaf.nbytes for leaf in leaves((state.params, state.params, state.model_state, state.opt_state)))
    return int(size)


def data_bytes(member: Member) -> int:
    """Return the bytes of the order in which a member sees its samples in an epoch."""
    return 4 * len(member.prepared_run.prepared.train.x)


def _memory(engine: Any) -> int:
    """Return the bytes of a device's memory."""
    import jax

    device = engine.sharding.devices[0] if engine.sharding is not None else jax.devices()[0]
    return int((device.memory_stats() or {}).get("bytes_limit", MEMORY))
