"""Networks with values: `Model`, `ensemble`, and how a model is saved and loaded."""

from chainrule.models.averaging import ensemble
from chainrule.models.model import BackpropResult, Model
from chainrule.models.saving import load_model

__all__ = ["BackpropResult", "Model", "ensemble", "load_model"]
