"""The perceptron, trained online by its own rule (lectures 003, 004)."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.data import check_features, check_pair
from chainrule.errors import DataError, SettingError, ShapeError


class Perceptron:
    """A threshold neuron: output 1 if w·x + b > 0, else 0 (Rosenblatt, 1957).

    `fit` applies the online rule: for one sample after the other, on a mistake θ ← θ + y x, with y = ±1 and a 1
    in front of x for the bias; it stops after a pass without a mistake. If the classes can be separated by a
    hyperplane, that happens after finitely many mistakes (Novikoff, 1962); if not, it never does, and the
    weights with the fewest mistakes are kept ("pocket", Gallant, 1990).

    Attributes (after `fit`)
    ------------------------
    weights, bias : the parameters
    mistakes : number of mistakes in each pass
    separable : True if a pass had no mistake; None if ``passes`` ran out, which proves nothing by itself
    classes : the two labels

    Example
    -------
    >>> import chainrule as cr
    >>> x = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> neuron = cr.Perceptron().fit(x, [0, 0, 0, 1])
    >>> neuron.separable, neuron.predict(x).tolist()
    (True, [0, 0, 0, 1])
    >>> print(cr.Perceptron(passes=20).fit(x, [0, 1, 1, 0]).report())  # XOR
    No pass without a mistake in 20 passes: the data is probably not linearly separable (fewest mistakes: 2 of 4).
    """

    def __init__(self, passes: int = 1000) -> None:
        if isinstance(passes, bool) or not isinstance(passes, int) or passes < 1:
            raise SettingError(f"Perceptron: passes must be a whole number of at least 1, got {passes!r}.")
        self.passes = passes
        self.weights: np.ndarray = np.zeros(0)
        self.bias = 0.0
        self.mistakes: list[int] = []
        self.separable: bool | None = None
        self.classes: tuple[Any, Any] = (0, 1)
        self._fewest = 0
        self._samples = 0

    def fit(self, x: Any, y: Any) -> Perceptron:
        """Learn from samples x (n, features) and two labels y, in their order, from zero weights."""
        x, y = check_pair(x, y)
        if x.ndim != 2:
            raise ShapeError(f"A perceptron takes samples (n, features), got shape {x.shape}.")
        labels = np.unique(y)
        if len(labels) != 2:
            raise DataError(f"A perceptron tells two classes apart; y has {len(labels)}: {labels[:5].tolist()}.")
        self.classes = (labels[0].item(), labels[1].item())
        signs = np.where(y.reshape(-1) == labels[1], 1.0, -1.0)
        extended = np.column_stack([np.ones(len(x)), x.astype(float)])
        theta = best = np.zeros(extended.shape[1])
        self.mistakes, self.separable, self._samples = [], None, len(x)
        self._fewest = self._count(best, extended, signs)
        row, longest = 0, 0  # right answers in a row: now, and at most
        for _ in range(self.passes):
            mistakes = 0
            for sample, sign in zip(extended, signs, strict=True):
                if (theta @ sample > 0) == (sign > 0):
                    row += 1
                else:
                    theta, row = theta + sign * sample, 0
                    mistakes += 1
                if row > longest:  # as good as never before: are they also better on all samples?
                    longest = row
                    if (wrong := self._count(theta, extended, signs)) < self._fewest:
                        best, self._fewest = theta, wrong
            self.mistakes.append(mistakes)
            if not mistakes:
                best, self._fewest, self.separable = theta, 0, True
                break
        self.bias, self.weights = float(best[0]), best[1:]
        return self

    def predict(self, x: Any) -> np.ndarray:
        """The label of each sample."""
        if not self.mistakes:
            raise SettingError("This perceptron has not learnt yet: call fit(x, y) first.")
        x = check_features(x)
        if x.ndim != 2 or x.shape[1] != len(self.weights):
            raise ShapeError(f"This perceptron takes samples (n, {len(self.weights)}), got shape {x.shape}.")
        return np.where(x @ self.weights + self.bias > 0, self.classes[1], self.classes[0])

    def report(self) -> str:
        """In words: whether the classes were separated, and after how many passes and mistakes."""
        if self.separable:
            return f"Separated after {len(self.mistakes)} passes and {sum(self.mistakes)} mistakes."
        return (
            f"No pass without a mistake in {len(self.mistakes)} passes: the data is probably not linearly "
            f"separable (fewest mistakes: {self._fewest} of {self._samples})."
        )

    @staticmethod
    def _count(theta: np.ndarray, extended: np.ndarray, signs: np.ndarray) -> int:
        return int(np.sum((extended @ theta > 0) != (signs > 0)))
