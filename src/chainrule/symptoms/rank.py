"""How likely each cause is, by what was found and by what came of the fixes that were tried."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.symptoms.evidence import Proof
from chainrule.symptoms.fix import Fix

__all__ = ["Trial"]


@dataclass(frozen=True)
class Trial:
    """What came of trying the fixes of a cause.

    Attributes
    ----------
    cause : a name of `chainrule.symptoms.catalogue.CAUSES`
    fix : the one of its fixes that helped most
    smallest : T, the share of bootstrap draws in which this fix is the smallest sufficient one: reaches .8 of the best
        gain with the fewest settings changed
    explained : the share of the gap to the reference that goes away with it, below 0 where it makes things worse
    proof : what `Cause.proof` will be; None where the fix was tried and not proven
    """

    cause: str
    fix: Fix
    smallest: float
    explained: float
    proof: Proof | None = None
