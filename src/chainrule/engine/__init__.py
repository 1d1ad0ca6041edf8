"""What differs between NumPy and JAX: the array library, loops, convolution lowering, placement."""

from chainrule.engine.choice import PRECISIONS, CostEstimate, Engine, choose
from chainrule.engine.namespace import namespace

__all__ = ["PRECISIONS", "CostEstimate", "Engine", "choose", "namespace"]
