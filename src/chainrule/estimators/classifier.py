"""A network that tells classes apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from chainrule.errors import DataError, SettingError
from chainrule.estimators.base import Net


class NetClassifier(ClassifierMixin, Net):  # type: ignore[misc]
    """A network that tells classes apart, as a scikit-learn estimator.

    Dense layers with ReLU and one softmax output for each class (one sigmoid output for each label if y has rows of
    zeros and ones), trained by Adam on the cross-entropy: ∂C/∂w by backpropagation, with the fused δ = a − y of the
    pair. It goes into pipelines, `GridSearchCV`, `cross_val_score` and the like.

    Parameters
    ----------
    hidden
        Units of the hidden layers.
    net
        A network of your own instead: a layer, its output layer included, or a function of the number of outputs that
        returns one. X may be images (samples, height, width, channels) then. ``hidden``, ``activation`` and
        ``dropout`` are not used.
    activation, dropout
        Of the hidden layers: a name or an object, and the fraction of units that are left out in training.
    columns
        For data frames that are not all numbers: what you know better than the rules by which columns are told apart,
        ``{"Cabin": "category", "Ticket": {"use": False}}`` (see `chainrule.tables`).
    loss, optimizer, epochs, batch_size, validation, l1, l2, and all others
        As in `chainrule.fit`, whose every setting is a parameter here. ``epochs`` is 50 if not given, ``progress``
        False.
    normalize_target
        As in `chainrule.fit`, for `NetRegressor` (and True there if not given).
    early_stopping
        As in `chainrule.fit`; a tenth of the rows is watched if no ``validation`` is given.
    random_state
        scikit-learn's name for ``seed``, and used instead of it where it is given: a number, or a NumPy RandomState.
    precision
        "auto" takes that of X, as scikit-learn does: float32 for float32 data (and data frames that are not all
        numbers), else float64. Otherwise as in `chainrule.fit`; on GPUs "float32" is much faster.

    Attributes
    ----------
    classes_ : the labels, in the order of the columns of `predict_proba`
    model_ : the trained `Model`; ``model_.save(path)`` keeps it
    run_ : the `Run`: history, probes, the epoch whose weights it has
    loss_curve_ : the cost on the training data after each epoch
    n_iter_ : epochs done
    n_features_in_, feature_names_in_ : what X was in `fit` (names if X was a data frame)

    Notes
    -----
    Parameters inside others are reached as in scikit-learn, also where a name stands for an object:
    ``GridSearchCV(clf, {"optimizer__lr": [0.01, 0.001], "early_stopping__patience": [3, 10]})``.

    A sample weight of 2 equals a row that is there twice, and 0 one that is not: exactly so (up to rounding) where one
    batch takes all rows; with smaller batches the order of the rows differs, and with it the result a little.

    Targets with several columns of classes are for ``sklearn.multioutput.MultiOutputClassifier(NetClassifier())``.

    Sparse matrices are filled with their zeros, which takes rows × features numbers of memory.

    Source: the protocol is scikit-learn's (Buitinck et al., "API design for machine learning software", 2013); what is
    trained is that of lectures 003 and 004.

    Example
    -------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_val_score
    >>> import chainrule as cr
    >>> x, y = load_iris(return_X_y=True)
    >>> clf = cr.NetClassifier(hidden=(16,), optimizer=cr.Adam(lr=0.01))
    >>> bool(cross_val_score(clf, x, y, cv=3).mean() > 0.9)
    True
    >>> names = load_iris().target_names[y]
    >>> clf.fit(x, names).predict(x[:2]).tolist()
    ['setosa', 'setosa']
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train from the start.

        Parameters
        ----------
        X : array, sparse matrix or data frame (samples, features)
        y : labels (samples,), or rows of zeros and ones (samples, labels)
        sample_weight : the weight of each sample in the mean cost; 2 is as if it were there twice
        """
        X, y = self._validated(X, y, reset=True)
        labels = self._labels(y)
        X, labels, sample_weight = self._weighted(X, labels, sample_weight)
        classes = _classes(labels)
        run = self._train(X, labels, sample_weight, len(classes), "softmax" if labels.ndim == 1 else "sigmoid")
        known = run.model.target.classes  # of a network with more outputs than there are classes here
        self.classes_ = classes if known is None or len(known) == len(classes) else np.asarray(known)
        self._multilabel = labels.ndim > 1
        return self._keep(run)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train on: one pass over these rows, from where the weights, the optimizer's moments and the step are.

        Parameters
        ----------
        X, y, sample_weight : as in `fit`
        classes : all labels that there will be; needed in the first call
        """
        first = not hasattr(self, "model_")
        X, y = self._validated(X, y, reset=first)
        labels = self._labels(y)
        X, labels, sample_weight = self._weighted(X, labels, sample_weight)
        known = self._all_classes(labels, classes, first)
        if labels.ndim == 1 and (new := np.setdiff1d(labels, known)).size:
            raise DataError(f"y has the label {new.tolist()[0]!r}, which is not among the classes {known.tolist()}.")

        if labels.ndim > 1:
            run = self._train_on(X, labels, sample_weight, len(known), "sigmoid")
        else:
            run = self._train_on(X, labels, sample_weight, len(known), "softmax", known)
        self.classes_, self._multilabel = known, labels.ndim > 1
        return self._keep(run, further=True)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each sample; for several labels at once, 1 where the probability is above
        ½.
        """
        probabilities = self.predict_proba(X)
        if self._multilabel:
            return (probabilities > 0.5).astype(np.int64)
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class (samples, classes), in the order of ``classes_``; or of each label."""
        outputs = self._outputs(X)
        activation = self.model_.last_activation
        if activation.range[0] < 0 or activation.range[1] > 1:
            raise SettingError(
                f"The outputs of this network are no probabilities (its last activation is {activation.name!r}): end "
                "it with 'softmax' or 'sigmoid'."
            )
        if self._multilabel or activation.distribution:
            return outputs
        if outputs.shape[1] == 1:
            return np.hstack([1 - outputs, outputs])
        return outputs / outputs.sum(axis=1, keepdims=True)  # one sigmoid for each class: they need not add up to 1

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _labels(self, y: Any) -> np.ndarray:
        """Return one label for each sample, or one row of zeros and ones."""
        check_classification_targets(y)
        kind = type_of_target(y)
        if kind == "multilabel-indicator":
            return np.asarray(y)
        if kind == "multiclass-multioutput":
            raise DataError(
                "y has several columns of classes, and a network here has one output layer: use "
                "sklearn.multioutput.MultiOutputClassifier(NetClassifier(...)), which trains one for each column."
            )
        return column_or_1d(y, warn=True)

    def _all_classes(self, labels: np.ndarray, named: Sequence[Any] | None, first: bool) -> np.ndarray:
        """Return the classes of all calls of `partial_fit`."""
        if first and named is None:
            if labels.ndim > 1:
                return np.arange(labels.shape[1])
            raise DataError("The first call of partial_fit needs classes=, all labels that there will be.")
        classes: np.ndarray = self.classes_ if named is None else np.unique(named)
        if not first and named is not None and not np.array_equal(classes, self.classes_):
            raise DataError(f"classes is {classes.tolist()}, and in the first call it was {self.classes_.tolist()}.")
        return classes

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _classes(labels: np.ndarray) -> np.ndarray:
    if labels.ndim > 1:
        return np.arange(labels.shape[1])
    classes = np.unique(labels)
    if len(classes) < 2:
        raise DataError(f"y has only one class ({classes.tolist()[0]!r}); at least two are needed to tell them apart.")
    return classes
