"""Activation functions: what makes a network more than one linear map.

Each is a recipe that is called with the values z before it: ``cr.activations.LeakyReLU(0.1)(z)``. In layers
they are given by name (``"leaky_relu"``), as an object, or as a plain function. The formulas and
derivatives themselves are operations (``cr.ops.gelu``). `Maxout` is a layer, since it has weights of its
own.

Which one (lecture 003): ReLU for hidden layers first; for the output, linear for regression, sigmoid for
independent yes/no answers, softmax for one class out of several.
"""

from __future__ import annotations

from typing import Any

from chainrule.activations.base import Activation, FunctionActivation, Linear
from chainrule.activations.gated import GELU, GLU, GELUSigmoid, HardSwish, Mish, SiLU, Swish
from chainrule.activations.rectifiers import ELU, SELU, LeakyReLU, PReLU, ReLU, ReLU6, Softplus
from chainrule.activations.squashing import HardSigmoid, Sigmoid, Sign, Softmax, Step, Tanh
from chainrule.settings import find

__all__ = [
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Activation",
    "FunctionActivation",
    "GELUSigmoid",
    "HardSigmoid",
    "HardSwish",
    "LeakyReLU",
    "Linear",
    "Mish",
    "PReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Sign",
    "Softmax",
    "Softplus",
    "Step",
    "Swish",
    "Tanh",
    "get",
]


def get(activation: Any) -> Activation:
    """Return the activation that a user gave: a name, a recipe, a plain function of z, or None for `Linear`.

    Raises
    ------
    UnknownNameError
        For a name that is not known, with the nearest one.

    Example
    -------
    >>> import chainrule as cr
    >>> cr.activations.get("leaky_relu"), cr.activations.get(None)
    (LeakyReLU(), Linear())
    """
    if activation is None:
        return Linear()
    return find(Activation, activation, function=FunctionActivation)
