"""Networks as scikit-learn estimators: `NetClassifier` and `NetRegressor`."""

from chainrule.estimators.classifier import NetClassifier
from chainrule.estimators.regressor import NetRegressor

__all__ = ["NetClassifier", "NetRegressor"]
