"""Networks with values: `Model`, `ensemble`, and how a model is saved and loaded."""

from chainrule.models.averaging import ensemble
from chainrule.models.backprop_result import BackpropResult
from chainrule.models.loading import load_model
from chainrule.models.model import Model

__all__ = ["BackpropResult", "Model", "ensemble", "load_model"]
