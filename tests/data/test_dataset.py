from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from chainrule.data import Dataset
from chainrule.errors import DataError

X = np.arange(8.0).reshape(4, 2)


@pytest.mark.parametrize(
    ("y", "codes", "classes"),
    [
        ([10, 30, 10, 20], [0, 2, 0, 1], (10, 20, 30)),
        (["b", "a", "b", "b"], [1, 0, 1, 1], ("a", "b")),
        ([True, False, True, True], [1, 0, 1, 1], (False, True)),
        ([[0, 1], [1, 0], [0, 1], [0, 1]], [1, 0, 1, 1], (0, 1)),
        ([[5], [6], [5], [5]], [0, 1, 0, 0], (5, 6)),
    ],
)
def test_labels_become_codes(y, codes, classes):
    data = Dataset.from_arrays("some", X, y)
    assert (data.task, data.y.tolist(), data.classes) == ("classification", codes, classes)
    assert data.y.dtype == np.int32


def test_floating_targets_are_regression():
    data = Dataset.from_arrays("some", X, [0.5, 1.0, 2.0, 3.0])
    assert (data.task, data.classes) == ("regression", None)
    assert data.y.tolist() == [0.5, 1, 2, 3]
    assert "targets from 0.5 to 3" in data.summary()


def test_rows_of_several_labels_stay_rows():
    rows = [[0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1]]
    data = Dataset.from_arrays("some", X, rows)
    assert (data.task, data.classes, data.y.tolist()) == ("classification", None, rows)


def test_bytes_with_three_axes_are_images_and_others_are_not():
    images = np.full((4, 3, 3), 51, np.uint8)
    data = Dataset.from_arrays("some", images, [0, 1, 0, 1])
    assert data.x.shape == (4, 3, 3, 1)
    np.testing.assert_allclose(data.x, 0.2, rtol=1e-6)
    assert images.max() == 51  # the array given is not changed
    assert Dataset.from_arrays("some", images[:, 0], [0, 1, 0, 1]).x.max() == 51
    assert Dataset.from_arrays("some", images.astype(np.float64), [0, 1, 0, 1]).x.max() == 51


def test_train_and_test_pairs():
    data = Dataset.from_arrays("some", X, [0, 1, 0, 1], X[:1], [2])
    assert data.train[0] is data.x
    assert data.test[1].tolist() == [2]
    assert data.classes == (0, 1, 2)


def test_repr_and_summary_say_what_is_there():
    data = Dataset.from_arrays("pets", X, ["b", "a", "b", "a"], X[:1], ["a"], feature_names=["legs", "age"])
    assert repr(data) == "Dataset('pets': classification, 4 rows of 2 features, 2 classes, 1 for the test)"
    assert data.summary().splitlines() == [
        "pets: classification, 2 classes (a, b)",
        "training  4 rows of 2 features, float64",
        "test      1 row of 2 features, float64",
        "features  legs, age",
    ]


def test_it_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Dataset.from_arrays("some", X, [0, 1, 0, 1]).x = X


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"y": [0, 1]}, "x has 4 rows and y has 2"),
        ({"x_test": X}, "both features and targets"),
        ({"x_test": X[:, :1], "y_test": [0] * 4}, r"\(2,\), one test sample \(1,\)"),
        ({"x_test": X, "y_test": [[0, 1, 1]] * 4}, "one test target"),
        ({"x_test": X, "y_test": ["a"] * 4}, "y holds labels .* y_test holds text"),
        ({"x_test": X, "y_test": [0.5] * 4}, "y_test holds numbers"),
        ({"x_test": [[1.0, np.nan]], "y_test": [0]}, "x_test holds values that are not finite: 1 NaN"),
        ({"classes": ["a"]}, "codes 0 to 0; got 0, 1"),
        ({"classes": ["a", "b"], "y": ["a", "b", "a", "b"]}, "must be the codes 0 to 1; got a, b"),
    ],
)
def test_bad_input(arguments, words):
    with pytest.raises(DataError, match=words):
        Dataset.from_arrays("some", **{"x": X, "y": [0, 1, 0, 1], **arguments})
