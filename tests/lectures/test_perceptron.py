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
    assert neuron.converged
    # Novikoff: at most (R/γ)² mistakes, for any separating hyperplane's margin γ; here the one it found.
    extended = np.column_stack([np.ones(len(x)), x])
    theta = np.array([neuron.bias, *neuron.weights])
    gamma = np.min(y * (extended @ theta)) / np.linalg.norm(theta)
    assert gamma > 0
    radius = np.max(np.linalg.norm(extended, axis=1))
    assert sum(neuron.mistakes) <= (radius / gamma) ** 2


def test_the_rule_by_hand() -> None:
    """θ ← θ + y x where y θᵀx ≤ 0, with a 1 in front of x (lecture 004)."""
    extended, signs = np.column_stack([np.ones(4), SQUARE]), np.array([-1, -1, -1, 1])
    theta, mistakes = np.zeros(3), []
    while not mistakes or mistakes[-1]:
        mistakes.append(0)
        for sample, sign in zip(extended, signs, strict=True):
            if sign * (theta @ sample) <= 0:
                theta, mistakes[-1] = theta + sign * sample, mistakes[-1] + 1
    neuron = cr.Perceptron().fit(SQUARE, [0, 0, 0, 1])
    assert neuron.mistakes == mistakes
    assert [neuron.bias, *neuron.weights] == theta.tolist() == [-4.0, 3.0, 2.0]
    # From θ = 0 the first sample is a mistake, whatever its class: y θᵀx is 0.
    assert cr.Perceptron().fit([[1.0], [-1.0]], [0, 1]).mistakes == [2, 0]


def test_proves_that_no_hyperplane_separates_the_classes() -> None:
    neuron = cr.Perceptron(passes=30).fit(SQUARE, [0, 1, 1, 0])
    assert neuron.separable is False
    assert not neuron.converged
    assert len(neuron.mistakes) == 30
    assert min(neuron.mistakes) > 0
    assert "No hyperplane separates the classes, as a linear program proves" in neuron.report()
    assert "2 of 4" in neuron.report()
    assert np.sum(neuron.predict(SQUARE) != [0, 1, 1, 0]) == 2


def test_says_when_more_passes_would_separate_the_classes() -> None:
    x, y = separable(0, margin=0.01)
    few = cr.Perceptron(passes=1).fit(x, y)
    assert (few.converged, few.separable) == (False, True)
    assert "more passes" in few.report()
    assert cr.Perceptron().fit(x, y).converged


@pytest.mark.parametrize(("n", "features"), [(12, 2), (60, 5), (1500, 8)])
def test_separability_of_data_that_is_known_to_be_so_or_not(n: int, features: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.normal(size=(n, features)) * 10.0 ** rng.integers(-6, 6, features) + 1e3
    score = x / x.std(axis=0) @ np.ones(features)
    y = (score > np.median(score)).astype(int)
    assert cr.Perceptron(passes=1).fit(x, y).separable
    middle = x.mean(axis=0)  # within the hull of both: with either label on it there is no hyperplane
    both = np.concatenate([x, middle[None], middle[None]])
    assert cr.Perceptron(passes=1).fit(both, [*y, 0, 1]).separable is False


@pytest.mark.parametrize(("gap", "separable"), [(1e-5, True), (0.0, False), (1e-9, None)])
def test_what_rounding_hides_is_not_called_proven(gap: float, separable: bool | None) -> None:
    neuron = cr.Perceptron(passes=3).fit([[0.0], [1.0], [1.0 + gap], [2.0]], [0, 0, 1, 1])
    assert neuron.separable is separable
    assert ("proves" in neuron.report()) == (separable is not None)


def test_constant_features_are_no_hindrance() -> None:
    x = np.column_stack([np.full(4, 7.0), SQUARE])
    assert cr.Perceptron(passes=1).fit(x, [0, 0, 0, 1]).separable
    assert cr.Perceptron(passes=1).fit(x, [0, 1, 1, 0]).separable is False


def test_learns_on_from_weights_that_are_given() -> None:
    right = cr.Perceptron(weights=[2.0, 1.0], bias=-2.5).fit(SQUARE, [0, 0, 0, 1])
    assert right.mistakes == [0]
    assert (right.bias, right.weights.tolist()) == (-2.5, [2.0, 1.0])
    again = cr.Perceptron(weights=[5.0, -5.0]).fit(SQUARE, [0, 0, 0, 1])
    assert again.converged
    assert again.mistakes != cr.Perceptron().fit(SQUARE, [0, 0, 0, 1]).mistakes
    assert again.fit(SQUARE, [0, 0, 0, 1]).mistakes == again.mistakes  # each fit starts from them
    with pytest.raises(ShapeError, match=r"2 weights .*3 features"):
        cr.Perceptron(weights=[1, 2]).fit(np.eye(3), [0, 1, 1])
    with pytest.raises(SettingError, match="one finite number for each feature"):
        cr.Perceptron(weights=[1, np.nan])


def test_partial_fit_is_one_pass_of_fit() -> None:
    whole, parts = cr.Perceptron(passes=1).fit(SQUARE, [0, 0, 0, 1]), cr.Perceptron()
    for sample, label in zip(SQUARE, [0, 0, 0, 1], strict=True):
        parts.partial_fit([sample], [label], classes=[0, 1])
    assert sum(parts.mistakes) == whole.mistakes[0]
    first = cr.Perceptron().partial_fit(SQUARE, [0, 0, 0, 1])
    assert first.mistakes == whole.mistakes
    assert [parts.bias, *parts.weights] == [first.bias, *first.weights]
    passes = 1
    while not first.converged:
        first.partial_fit(SQUARE, [0, 0, 0, 1])
        passes += 1
    full = cr.Perceptron().fit(SQUARE, [0, 0, 0, 1])
    assert (passes, [first.bias, *first.weights]) == (len(full.mistakes), [full.bias, *full.weights])
    with pytest.raises(DataError, match=r"Name both in the first call: partial_fit"):
        cr.Perceptron().partial_fit(SQUARE[:1], [0])
    with pytest.raises(DataError, match="y has the label 2"):
        first.partial_fit(SQUARE, [0, 0, 2, 1])


def test_score_is_the_share_of_right_labels() -> None:
    neuron = cr.Perceptron().fit(SQUARE, ["no", "no", "no", "yes"])
    assert neuron.score(SQUARE, ["no", "no", "no", "yes"]) == 1.0
    assert neuron.score(SQUARE, ["no", "no", "yes", "no"]) == 0.5
    assert cr.Perceptron(passes=np.int64(3)).passes == 3


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
    assert neuron.separable is False
    assert f"Fewest wrong answers in 20 passes: {wrong} of 300" in neuron.report()
    assert wrong < min(neuron.mistakes)
    assert wrong < 0.15 * 300
