"""The perceptron's rule: it converges where it can, within the bound that theory gives, and says where it cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DataError, SettingError, ShapeError

SQUARE = [[0, 0], [0, 1], [1, 0], [1, 1]]


def separable(seed: int, margin: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Points with a distance of at least a margin from a line."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(300, 2))
    direction = rng.normal(size=2)
    direction /= np.linalg.norm(direction)
    distance = x @ direction + 0.2
    keep = np.abs(distance) > margin
    return x[keep], np.where(distance[keep] > 0, 1, -1)


@pytest.mark.parametrize("seed", range(5))
def test_converges_on_separable_data_within_the_bound_on_mistakes(seed: int) -> None:
    x, y = separable(seed)
    neuron = cr.Perceptron().fit(x, y)
    assert neuron.separable
    assert np.array_equal(neuron.predict(x), y)
    assert neuron.mistakes[-1] == 0
    # Novikoff: at most (R/γ)² mistakes, for any separating hyperplane's margin γ; here the one it found.
    extended = np.column_stack([np.ones(len(x)), x])
    theta = np.array([neuron.bias, *neuron.weights])
    gamma = np.min(y * (extended @ theta)) / np.linalg.norm(theta)
    if gamma > 0:
        radius = np.max(np.linalg.norm(extended, axis=1))
        assert sum(neuron.mistakes) <= (radius / gamma) ** 2


def test_the_rule_by_hand() -> None:
    """θ ← θ + y x on a mistake, with a 1 in front of x and output 1 for θ·x > 0."""
    extended, signs = np.column_stack([np.ones(4), SQUARE]), np.array([-1, -1, -1, 1])
    theta, mistakes = np.zeros(3), []
    while not mistakes or mistakes[-1]:
        mistakes.append(0)
        for sample, sign in zip(extended, signs, strict=True):
            if (theta @ sample > 0) != (sign > 0):
                theta, mistakes[-1] = theta + sign * sample, mistakes[-1] + 1
    neuron = cr.Perceptron().fit(SQUARE, [0, 0, 0, 1])
    assert neuron.mistakes == mistakes
    assert [neuron.bias, *neuron.weights] == theta.tolist() == [-2.0, 2.0, 1.0]


def test_says_when_the_classes_could_not_be_separated() -> None:
    neuron = cr.Perceptron(passes=30).fit(SQUARE, [0, 1, 1, 0])
    assert neuron.separable is None
    assert len(neuron.mistakes) == 30
    assert min(neuron.mistakes) > 0
    assert "probably not linearly separable (fewest mistakes: 2 of 4)" in neuron.report()
    assert np.sum(neuron.predict(SQUARE) != [0, 1, 1, 0]) == 2


@pytest.mark.parametrize("labels", [(0, 1), (-1, 1), ("no", "yes"), (False, True)])
def test_labels_of_any_kind(labels: tuple[Any, Any]) -> None:
    y = [labels[0], labels[1], labels[1], labels[1]]
    neuron = cr.Perceptron().fit(SQUARE, y)
    assert neuron.predict(SQUARE).tolist() == y
    assert neuron.classes == labels
    assert neuron.report().startswith("Separated after")


def test_bad_input() -> None:
    with pytest.raises(SettingError, match="has not learnt yet"):
        cr.Perceptron().predict(SQUARE)
    with pytest.raises(DataError, match="two classes apart; y has 3"):
        cr.Perceptron().fit(SQUARE, [0, 1, 2, 2])
    with pytest.raises(DataError, match="two classes apart; y has 1"):
        cr.Perceptron().fit(SQUARE, [1, 1, 1, 1])
    with pytest.raises(SettingError, match="passes must be a whole number"):
        cr.Perceptron(passes=0)
    with pytest.raises(DataError, match="not finite"):
        cr.Perceptron().fit([[np.nan, 1], [1, 2]], [0, 1])
    neuron = cr.Perceptron().fit(SQUARE, [0, 0, 0, 1])
    with pytest.raises(ShapeError, match=r"samples \(n, 2\), got shape \(1, 3\)"):
        neuron.predict([[1, 2, 3]])


def test_keeps_the_best_weights_it_met_where_the_classes_overlap() -> None:
    x, y = separable(3, margin=0.0)
    flipped = np.where(np.random.default_rng(1).random(len(y)) < 0.1, -y, y)
    neuron = cr.Perceptron(passes=20).fit(x, flipped)
    wrong = int(np.sum(neuron.predict(x) != flipped))
    assert neuron.separable is None
    assert f"fewest mistakes: {wrong} of 300" in neuron.report()
    assert wrong < min(neuron.mistakes)
    assert wrong < 0.15 * 300
