"""Networks with values: `Model`, the perceptron, and networks whose weights the lectures give."""

from chainrule.models import networks
from chainrule.models.model import Model, Pass
from chainrule.models.perceptron import Perceptron
from chainrule.models.saving import load_model

__all__ = ["Model", "Pass", "Perceptron", "load_model", "networks"]
