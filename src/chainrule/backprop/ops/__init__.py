"""The operations that can be differentiated: ``cr.ops.exp(x)``, ``cr.ops.conv2d(x, w)``.

They take arrays of NumPy or JAX and traced tensors. NumPy's functions on traced tensors reach the operations
of the same name (``np.exp(t)``, ``np.maximum(t, 0)``, ``t @ w``, ``t[:, 0]``).
"""

from chainrule.backprop.ops import activations, arithmetic, convolution, fused, products, reductions, shaping
from chainrule.backprop.ops.activations import *
from chainrule.backprop.ops.arithmetic import *
from chainrule.backprop.ops.convolution import *
from chainrule.backprop.ops.fused import *
from chainrule.backprop.ops.products import *
from chainrule.backprop.ops.reductions import *
from chainrule.backprop.ops.shaping import *
from chainrule.backprop.tensor import shape, table

#: Each operation is named once, in the file of its kind.
__all__: list[str] = []
__all__ += activations.__all__
__all__ += arithmetic.__all__
__all__ += convolution.__all__
__all__ += fused.__all__
__all__ += products.__all__
__all__ += reductions.__all__
__all__ += shaping.__all__

# What operators, methods and NumPy's functions on traced tensors call.
table.update({name: globals()[name] for name in __all__})
table.update(
    abs=absolute,
    fabs=absolute,
    true_divide=divide,
    float_power=power,
    amax=max,
    amin=min,
    fmax=maximum,
    fmin=minimum,
    concat=concatenate,
    permute_dims=transpose,
    acos=arccos,
    asin=arcsin,
    atan=arctan,
    atan2=arctan2,
    acosh=arccosh,
    asinh=arcsinh,
    atanh=arctanh,
    pow=power,
    bitwise_and=logical_and,
    bitwise_or=logical_or,
    invert=logical_not,
    copy=positive,
    shape=shape,
    ndim=lambda x: len(shape(x)),
    size=lambda x: x.size,
)
