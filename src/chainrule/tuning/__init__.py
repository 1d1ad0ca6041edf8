"""Search for good settings: spaces, samplers, stages, studies; every batch of trials is trained as a population."""

from __future__ import annotations

from chainrule.tuning.distributions import choice, integer, log_uniform, uniform
from chainrule.tuning.result import SearchResult, Trial
from chainrule.tuning.search import search
from chainrule.tuning.show import SearchProgress
from chainrule.tuning.space import Space
from chainrule.tuning.stages import Stage

__all__ = [
    "SearchProgress",
    "SearchResult",
    "Space",
    "Stage",
    "Trial",
    "choice",
    "integer",
    "log_uniform",
    "search",
    "uniform",
]
