"""`start`: join a run of several processes, on one host or many."""

from __future__ import annotations

from chainrule.engine.distributed import start

__all__ = ["start"]
