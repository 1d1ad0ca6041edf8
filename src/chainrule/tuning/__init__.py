"""Search for good settings: spaces, samplers, stages, studies; every batch of trials is trained as a population."""

from __future__ import annotations

from chainrule.tuning.judge import Verdict
from chainrule.tuning.result import Search, Tried
from chainrule.tuning.searching import search
from chainrule.tuning.show import Standing
from chainrule.tuning.space import Space, choice, integer, log_uniform, uniform
from chainrule.tuning.stages import Stage

__all__ = [
    "Search",
    "Space",
    "Stage",
    "Standing",
    "Tried",
    "Verdict",
    "choice",
    "integer",
    "log_uniform",
    "search",
    "uniform",
]
