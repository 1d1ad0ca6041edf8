"""Networks with values: `Model`, `ensemble`, the perceptron, and networks whose weights the lectures give."""

from chainrule.models import networks
from chainrule.models.averaging import ensemble
from chainrule.models.model import Model, Pass
from chainrule.models.perceptron import Perceptron
from chainrule.models.saving import load_model

__all__ = ["Model", "Pass", "Perceptron", "ensemble", "load_model", "networks"]
