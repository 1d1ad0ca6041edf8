"""The perceptron, trained online by its own rule (lectures 003, 004), and whether there is anything it could learn."""

from __future__ import annotations

import functools
from typing import Any, Self

import numpy as np

from chainrule.checks import check_whole
from chainrule.data import check_features, check_pair
from chainrule.errors import DataError, SettingError, ShapeError
from chainrule.models.inputs import Inputs, frame_of, names_of
from chainrule.settings import plain

#: A gap between the classes that is narrower, as a fraction of the width of the data, counts as none.
ROUNDING = 1e-13


class Perceptron:
    """A threshold neuron: output 1 if w·x + b > 0, else 0 (Rosenblatt, 1957).

    `fit` applies the online rule of lecture 004: for one sample after the other, where y θᵀx ≤ 0 (a mistake),
    θ ← θ + y x, with y = ±1 and a 1 in front of x for the bias. It stops after a pass without a mistake. If a
    hyperplane separates the classes, that happens after finitely many mistakes (Novikoff, 1962); if none does, it never
    happens, and the weights with the fewest wrong answers are kept ("pocket", Gallant, 1990). Which it is, `separable`
    proves.

    Parameters
    ----------
    passes : how often `fit` goes through the samples at most
    weights, bias : where `fit` starts; 0 unless given, as in the lecture

    Attributes (after `fit` or `partial_fit`)
    -----------------------------------------
    weights, bias : the parameters
    mistakes : number of mistakes in each pass
    converged : whether the last pass had none
    separable : whether a hyperplane separates the samples of the last call, see there
    classes : the two labels

    Example
    -------
    >>> import chainrule as cr
    >>> x = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> neuron = cr.Perceptron().fit(x, [0, 0, 0, 1])
    >>> neuron.converged, neuron.predict(x).tolist(), neuron.score(x, [0, 0, 0, 1])
    (True, [0, 0, 0, 1], 1.0)
    >>> print(cr.Perceptron(passes=20).fit(x, [0, 1, 1, 0]).report())  # XOR
    No hyperplane separates the classes, as a linear program proves. Fewest wrong answers in 20 passes: 2 of 4.
    """

    def __init__(self, passes: int = 1000, *, weights: Any = None, bias: float = 0.0) -> None:
        passes = check_whole("Perceptron: passes", plain(passes))
        start = np.zeros(0) if weights is None else np.array(weights, np.float64)
        if start.ndim != 1 or not np.isfinite([*start, bias]).all():
            raise SettingError(
                "Perceptron: weights are one finite number for each feature and bias is one, got "
                f"weights={weights!r} and bias={bias!r}."
            )
        self.passes = passes
        self._start = None if weights is None and not bias else np.array([bias, *start])
        self.weights: np.ndarray = start
        self.bias = float(bias)
        self.mistakes: list[int] = []
        self.converged = False
        self.classes: tuple[Any, Any] | None = None
        self._fewest = 0
        self._seen: tuple[np.ndarray, np.ndarray] | None = None
        self._names: tuple[str, ...] | None = None

    def fit(self, x: Any, y: Any) -> Self:
        """Learn from samples x (n, features) and two labels y, in their order, from the starting weights."""
        self._names = names_of(x)
        x, y = check_pair(x, y)
        labels = np.unique(y)
        if len(labels) != 2:
            raise DataError(f"A perceptron tells two classes apart; y has {len(labels)}: {labels[:5].tolist()}.")
        self.classes, self.mistakes = (labels[0].item(), labels[1].item()), []
        extended, signs = self._samples(x, y)
        theta = best = self._first(extended.shape[1])
        fewest = _wrong(theta, extended, signs)
        row = longest = 0  # right answers in a row: now, and at most
        for _ in range(self.passes):
            mistakes = 0
            for sample, sign in zip(extended, signs, strict=True):
                if sign * (theta @ sample) > 0:
                    row += 1
                else:
                    theta, row = theta + sign * sample, 0
                    mistakes += 1
                if row > longest:  # as good as never before: are they also better on all samples?
                    longest = row
                    if (wrong := _wrong(theta, extended, signs)) < fewest:
                        best, fewest = theta, wrong
            self.mistakes.append(mistakes)
            if not mistakes:
                best, fewest = theta, 0
                break
        return self._learnt(best, fewest, extended, signs)

    def partial_fit(self, x: Any, y: Any, classes: Any = None) -> Self:
        """Learn from some more samples: one pass over them in their order, from the present weights.

        ``classes`` names the two labels, as is needed in the first call if not both occur in it.

        >>> import chainrule as cr
        >>> neuron = cr.Perceptron()
        >>> for x, y in [([[0, 0]], [0]), ([[1, 1]], [1]), ([[0, 0]], [0])]:
        ...     neuron = neuron.partial_fit(x, y, classes=(0, 1))
        >>> neuron.mistakes, neuron.bias, neuron.weights.tolist()
        ([1, 1, 1], -1.0, [1.0, 1.0])
        """
        if self.classes is None:
            self._names = names_of(x)
        x, y = check_pair(self._by_name(x), y)
        if self.classes is None:
            labels = np.unique(y if classes is None else np.asarray(classes))
            if len(labels) != 2:
                raise DataError(
                    f"A perceptron tells two classes apart, and these are {labels[:5].tolist()}. Name both in the "
                    "first call: partial_fit(x, y, classes=(0, 1))."
                )
            self.classes = (labels[0].item(), labels[1].item())
        extended, signs = self._samples(x, y)
        theta = np.array([self.bias, *self.weights]) if self.mistakes else self._first(extended.shape[1])
        mistakes = 0
        for sample, sign in zip(extended, signs, strict=True):
            if sign * (theta @ sample) <= 0:
                theta, mistakes = theta + sign * sample, mistakes + 1
        self.mistakes.append(mistakes)
        return self._learnt(theta, _wrong(theta, extended, signs), extended, signs)

    def _by_name(self, x: Any) -> Any:
        """Return samples whose columns are in the order of training, where they have names."""
        frame = frame_of(x)
        return x if frame is None else Inputs((len(frame.columns),), names=self._names).in_order(frame)

    @functools.cached_property
    def separable(self) -> bool | None:
        """Whether some hyperplane separates the two classes in the samples of the last `fit` or `partial_fit`.

        It does if there is a θ with y θᵀx ≥ 1 for all samples, which a linear program finds. It does not if there are
        λ ≥ 0 that add up to 1 with Σ λ y x = 0, which another one finds (Gordan, 1873): then Σ λ (y θᵀx) is 0 for every
        θ, so not all of its terms can be positive. A gap narrower than 1e-13 of the width of the data counts as none;
        None if neither is found.
        """
        if self._seen is None:
            raise SettingError("This perceptron has not learnt yet: call fit(x, y) first.")
        return True if self.converged else _separable(*self._seen)

    def predict(self, x: Any) -> np.ndarray:
        """Return the label of each sample."""
        if self.classes is None:
            raise SettingError("This perceptron has not learnt yet: call fit(x, y) first.")
        x = check_features(self._by_name(x))
        if x.ndim != 2 or x.shape[1] != len(self.weights):
            raise ShapeError(f"This perceptron takes samples (n, {len(self.weights)}), got shape {x.shape}.")
        return np.where(x @ self.weights + self.bias > 0, self.classes[1], self.classes[0])

    def score(self, x: Any, y: Any) -> float:
        """Return the fraction of samples whose label is right."""
        x, y = check_pair(self._by_name(x), y)
        return float(np.mean(self.predict(x) == y.reshape(-1)))

    def report(self) -> str:
        """Say whether the classes were separated, whether they can be, and after how many passes and mistakes."""
        if self._seen is None:
            return "This perceptron has not learnt yet."
        passes, fewest = len(self.mistakes), f"{self._fewest} of {len(self._seen[1])}"
        if self.converged:
            return f"Separated after {passes} passes and {sum(self.mistakes)} mistakes."
        if self.separable:
            return (
                f"Not separated in {passes} passes (fewest wrong answers: {fewest}), but a hyperplane separates the "
                "classes, as a linear program proves: more passes will find one."
            )
        if self.separable is False:
            return (
                "No hyperplane separates the classes, as a linear program proves. Fewest wrong answers "
                f"in {passes} passes: {fewest}."
            )
        return (
            f"Not separated in {passes} passes (fewest wrong answers: {fewest}). If a hyperplane separates the "
            "classes, the gap between them is too narrow to tell."
        )

    def _samples(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the samples with a 1 in front, and the sign of each: 1 for the second class and -1 for the first."""
        if x.ndim != 2:
            raise ShapeError(f"A perceptron takes samples (n, features), got shape {x.shape}.")
        labels, classes = y.reshape(-1), self.classes
        assert classes is not None
        if len(unknown := np.setdiff1d(labels, classes)):
            raise DataError(f"y has the label {unknown[0].item()!r}; this perceptron tells {classes} apart.")
        if self.mistakes and x.shape[1] != len(self.weights):
            raise ShapeError(f"This perceptron takes samples (n, {len(self.weights)}), got shape {x.shape}.")
        return np.column_stack([np.ones(len(x)), x.astype(float)]), np.where(labels == classes[1], 1.0, -1.0)

    def _first(self, size: int) -> np.ndarray:
        """Return where learning starts: bias and weights."""
        if self._start is None:
            return np.zeros(size)
        start = self._start if len(self._start) > 1 else np.array([self._start[0], *[0.0] * (size - 1)])
        if len(start) != size:
            raise ShapeError(f"Perceptron: {len(start) - 1} weights were given for samples of {size - 1} features.")
        return start

    def _learnt(self, theta: np.ndarray, fewest: int, extended: np.ndarray, signs: np.ndarray) -> Self:
        """Take over what a call has learnt of its samples."""
        self.bias, self.weights = float(theta[0]), theta[1:].copy()
        self.converged, self._fewest, self._seen = self.mistakes[-1] == 0, fewest, (extended, signs)
        self.__dict__.pop("separable", None)  # that was about the samples of the call before
        return self


def _wrong(theta: np.ndarray, extended: np.ndarray, signs: np.ndarray) -> int:
    """Return how many samples get the wrong label: fewer than mistakes, since θᵀx = 0 means the first class."""
    return int(np.sum((extended @ theta > 0) != (signs > 0)))


def _separable(extended: np.ndarray, signs: np.ndarray) -> bool | None:
    """Return whether some θ has y θᵀx > 0 for all samples; None if neither answer can be proven.

    A few samples first, and then always those that the answer for these gets most wrong: what cannot be separated among
    some cannot be separated among all.
    """
    from scipy.optimize import linprog

    centre = extended.mean(axis=0) * (np.arange(extended.shape[1]) > 0)
    width = np.abs(extended - centre).max(axis=0)
    rows = signs[:, None] * ((extended - centre) / np.where(width > 0, width, 1.0))  # no other hyperplanes than before
    count, size = rows.shape
    chosen = np.arange(0, count, max(1, count // (4 * size)))
    while True:
        solution = linprog(np.zeros(size), A_ub=-rows[chosen], b_ub=-np.ones(len(chosen)), bounds=(None, None))
        if solution.x is None:
            return False if _balanced(rows[chosen]) else None
        values = rows @ solution.x
        if (values > 0).all():
            return True
        worst = np.setdiff1d(np.argsort(values)[: 2 * size], chosen)
        if not len(worst):
            return None
        chosen = np.concatenate([chosen, worst])


def _balanced(rows: np.ndarray) -> bool:
    """Return whether shares λ ≥ 0 of the rows, which add up to 1, have the sum 0."""
    from scipy.optimize import linprog

    sums, wanted = np.concatenate([rows.T, np.ones((1, len(rows)))]), np.eye(rows.shape[1] + 1)[-1]
    solution = linprog(np.zeros(len(rows)), A_eq=sums, b_eq=wanted)
    if solution.x is None:
        return False
    # The program is content with an error of 1e-7, which a narrow gap may have, too: so solve exactly for those shares.
    some = sums[:, solution.x > 0]
    weights = np.linalg.lstsq(some, wanted, rcond=None)[0]
    return bool(weights.min() >= -ROUNDING and np.abs(some @ weights - wanted).max() <= ROUNDING)
