"""What differs between NumPy and JAX: the array library, loops, convolution lowering, placement."""

from chainrule.engine.choice import PRECISIONS, Engine, Work, choose
from chainrule.engine.namespace import namespace

__all__ = ["PRECISIONS", "Engine", "Work", "choose", "namespace"]
