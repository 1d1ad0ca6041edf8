"""What differs between NumPy and JAX: the array library, loops, convolution lowering, placement."""

from chainrule.engine.choice import Engine, Work, choose
from chainrule.engine.namespace import namespace

__all__ = ["Engine", "Work", "choose", "namespace"]
