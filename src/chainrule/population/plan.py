"""How many members train as one program, and how many such programs run at the same time.

One rule covers every platform: members are put into blocks, and the blocks of a population wait in line for lanes (a
core, or a device). One vectorized program is one block of all members; several single programs on threads are blocks of
one member; members sharded over devices are blocks of each device. How large a block should be was measured:
`bench/members.py`, bench/results/members.md.
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

#: "auto" is the measured rule of `slots`; "vectorized" is one block of all, "single" blocks of one.
STRATEGIES = ("auto", "vectorized", "single")

#: Weights, moments and gradients of a block on the CPU should stay in the cache of a core: bytes, measured.
CACHE_BYTES = 8 * 2**20

#: More members than this to a block gain little on the CPU (measured), and batches of many sizes then share one
#: program: the 64 trials of a plain search as well as the 16 of a stage.
MOST = 8

#: A share of the memory of a device that the members of a block may take, and the memory if it is not known.
MEMORY_SHARE, MEMORY = 0.25, 8 * 2**30


def check_strategy(strategy: str | int) -> None:
    """Raise unless it is a name, or a number of members to a block."""
    strategy = plain(strategy)
    if isinstance(strategy, str) and strategy not in STRATEGIES:
        raise unknown_name("strategy", strategy, STRATEGIES)
    if (
        isinstance(strategy, bool)
        or not isinstance(strategy, str | int)
        or (not isinstance(strategy, str) and strategy < 1)
    ):
        raise SettingError(
            f"strategy is one of {', '.join(STRATEGIES)}, or a number of members to a block; got {strategy!r}."
        )


def slots(members: list[Member], engine: Engine, workers: int, strategy: str | int) -> int:
    """Members to a block.

    On the CPU as many as keep their state (weights, moments, and as much again for gradients) in a core's cache, and
    at most 8; on other devices as many as fit a quarter of the memory. Then as few as fill the lanes evenly.
    """
    if isinstance(engine, NumpyEngine) or strategy == "single":
        return 1
    if strategy == "vectorized":
        return len(members)
    if isinstance(strategy, int | np.integer):
        return min(int(strategy), len(members))
    each = max(map(member_bytes, members[:1]))
    if engine.platform == "cpu":
        most = max(1, min(MOST, CACHE_BYTES // max(1, each)))
    else:
        most = max(1, int(MEMORY_SHARE * _memory(engine)) // max(1, each + data_bytes(members[0])))
    blocks = math.ceil(len(members) / most)
    blocks = math.ceil(blocks / workers) * workers if len(members) >= workers else len(members)
    return math.ceil(len(members) / blocks)


def member_bytes(member: Member) -> int:
    """Return the size of what a member's steps read and write: weights, gradients, moments."""
    state = member.job.state
    size = sum(leaf.nbytes for leaf in leaves((state.params, state.params, state.layers, state.moments)))
    return int(size)


def data_bytes(member: Member) -> int:
    """Return the size of a member's own order of an epoch."""
    return 4 * len(member.job.prepared.train.x)


def _memory(engine: Any) -> int:
    import jax

    device = engine.layout.devices[0] if engine.layout is not None else jax.devices()[0]
    return int((device.memory_stats() or {}).get("bytes_limit", MEMORY))
