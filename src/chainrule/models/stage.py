"""One quantity of a pass, with its equation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chainrule.models.linear_terms import Terms

Array = Any


@dataclass(frozen=True, eq=False)
class Stage:
    """One quantity of a pass.

    Attributes
    ----------
    layer : the layer's name, "" for the input and the cost
    kind : "input", "z", "a", "output" (of a layer without z), "cost", "BP1" (δ of the last layer), "BP2" (δ of another
        one), "BP3" (gradient of a bias), "BP4" (of a weight), or "gradient" (of anything else)
    equation : how it comes about; "from the graph" where that is more than one formula
    value : the numbers, without the axis of the rows
    terms : gives the terms of the sum that makes one of the numbers, by its index; None where it is no such sum
    """

    layer: str
    kind: str
    equation: str
    value: Array
    terms: Callable[..., Terms] | None = field(default=None, repr=False)
