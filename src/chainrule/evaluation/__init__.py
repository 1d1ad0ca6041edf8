"""How good a model is: its predictions, class by class, beside simple rules, and the rows that it gets most wrong."""

from chainrule.evaluation.ensemble_gain import EnsembleGain, ensemble_gain
from chainrule.evaluation.evaluation import Evaluation, evaluate
from chainrule.models.predictions import Predictions

__all__ = ["EnsembleGain", "Evaluation", "Predictions", "ensemble_gain", "evaluate"]
