"""A network that predicts numbers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin

from chainrule.estimators.base import Net


class NetRegressor(MultiOutputMixin, RegressorMixin, Net):  # type: ignore[misc]
    """A network that predicts numbers, as a scikit-learn estimator.

    Dense layers with ReLU and one linear output for each number, trained by Adam on the quadratic cost ½‖a − y‖². The
    target is standardized in training, and predictions are brought back to its own unit (``normalize_target``).

    Parameters, attributes and notes are those of `NetClassifier`; y is numbers, one for each sample or several.
    ``class_weight`` is for classes, and an error here.

    Example
    -------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import train_test_split
    >>> import chainrule as cr
    >>> x, xt, y, yt = train_test_split(*load_diabetes(return_X_y=True), random_state=0)
    >>> reg = cr.NetRegressor(hidden=(16,), optimizer=cr.Adam(lr=0.003), early_stopping=True).fit(x, y)
    >>> reg.score(xt, yt) > 0.2, reg.predict(xt).shape
    (True, (111,))
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train from the start.

        Parameters
        ----------
        X : array, sparse matrix or data frame (samples, features)
        y : numbers (samples,), or several for each sample (samples, outputs)
        sample_weight : the weight of each sample in the mean cost; 2 is as if it were there twice
        """
        X, y = self._validated(X, y, reset=True, numeric=True)
        X, y, sample_weight = self._weighted(X, np.asarray(y, np.float64), sample_weight)
        self._one_axis = y.ndim == 1
        return self._keep(self._train(X, y, sample_weight, 1 if y.ndim == 1 else y.shape[1], "linear"))

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on: one pass over these rows, from where the weights, the optimizer's moments and the step are."""
        first = not hasattr(self, "model_")
        X, y = self._validated(X, y, reset=first, numeric=True)
        X, y, sample_weight = self._weighted(X, np.asarray(y, np.float64), sample_weight)

        run = self._train_on(X, y, sample_weight, 1 if y.ndim == 1 else y.shape[1], "linear")
        self._one_axis = y.ndim == 1
        return self._keep(run, further=True)

    def predict(self, X: Any) -> np.ndarray:
        """Return the number (samples,) of each sample, or its numbers (samples, outputs), as y was in training."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._one_axis else outputs
