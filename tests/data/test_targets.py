from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chainrule.data import Target, decode, encode_target
from chainrule.errors import DataError


def classification(*classes):
    return Target("classification", classes, len(classes))


@pytest.mark.parametrize(
    ("y", "units", "activation", "codes", "target"),
    [
        (["b", "a", "b"], None, None, [1, 0, 1], classification("a", "b")),
        (["b", "a", "c"], 3, "softmax", [1, 0, 2], classification("a", "b", "c")),
        ([7, 3, 7], None, None, [1, 0, 1], classification(3, 7)),
        ([7, 3, 7], 2, "softmax", [1, 0, 1], classification(3, 7)),
        ([-1, 1], 2, "softmax", [0, 1], classification(-1, 1)),
        ([0, 2, 2], 4, "softmax", [0, 2, 2], classification(0, 1, 2, 3)),  # absent classes keep their place
        ([0, 2], 4, "sigmoid", [0, 2], classification(0, 1, 2, 3)),
        ([0, 2], 4, "linear", [0, 2], classification(0, 1, 2, 3)),
        ([1], 3, "softmax", [1], classification(0, 1, 2)),
        ([True, False], 2, "softmax", [1, 0], classification(False, True)),
        ([True, False], None, None, [1, 0], classification(False, True)),
        ([[0], [2], [1]], 3, "softmax", [0, 2, 1], classification(0, 1, 2)),
        ([0.0, 2.0], 3, "softmax", [0, 2], classification(0, 1, 2)),  # whole floating numbers
        ([0.0, 2.0], None, "softmax", [0, 1], classification(0, 2)),
        (np.array([0, 255], np.uint8), None, None, [0, 1], classification(0, 255)),
        (["a", "b", "c"], None, "sigmoid", [0, 1, 2], classification("a", "b", "c")),
    ],
)
def test_one_class_of_several(y, units, activation, codes, target):
    encoded, actual = encode_target(y, units, activation)
    assert actual == target
    assert encoded.tolist() == codes
    assert encoded.dtype == np.int32
    assert decode(encoded, actual.classes).tolist() == [target.classes[c] for c in codes]


@pytest.mark.parametrize("units", [1, None])
@pytest.mark.parametrize(
    ("y", "encoded", "classes"),
    [
        ([0, 1, 1], [[0], [1], [1]], (0, 1)),
        ([0.0, 1.0, 1.0], [[0], [1], [1]], (0, 1)),
        ([[0.0], [1.0]], [[0], [1]], (0, 1)),
        ([-1, 1, 1], [[0], [1], [1]], (-1, 1)),
        (["yes", "no"], [[1], [0]], ("no", "yes")),
        ([True, False], [[1], [0]], (False, True)),
        ([1, 1], [[1], [1]], (0, 1)),
        ([True, True], [[1], [1]], (False, True)),
    ],
)
def test_yes_or_no(units, y, encoded, classes):
    actual, target = encode_target(y, units, "sigmoid")
    assert target == Target("binary", classes, 1)
    assert (actual.tolist(), actual.dtype) == (encoded, np.float32)


@pytest.mark.parametrize(
    ("y", "units", "activation", "shape"),
    [
        ([0.5, 2.0], None, None, (2, 1)),
        ([1.0, 2.0], None, None, (2, 1)),
        ([1.0, 2.0], 1, "linear", (2, 1)),
        ([[1.0], [2.0]], 1, "linear", (2, 1)),
        ([1, 2], 1, "linear", (2, 1)),
        ([1, 2], 1, None, (2, 1)),
        ([True, False], 1, "tanh", (2, 1)),
        ([0.25, 1.0], 1, "sigmoid", (2, 1)),
        ([[0.5, 3.0], [2.0, 4.0]], 2, "linear", (2, 2)),
        ([[0.5, 3.0], [2.0, 4.0]], None, None, (2, 2)),
        ([[5, 3], [2, 4]], 2, "linear", (2, 2)),
        ([[0.5, 0.25], [1.0, 0.0]], 2, "sigmoid", (2, 2)),
        ([[0, 1], [1, 1]], 2, "linear", (2, 2)),
    ],
)
def test_numbers(y, units, activation, shape):
    encoded, target = encode_target(y, units, activation)
    assert target == Target("regression", None, shape[1])
    assert encoded.shape == shape
    np.testing.assert_array_equal(encoded.ravel(), np.ravel(y))


def test_floating_targets_keep_their_precision():
    assert encode_target(np.array([0.1, 0.2]), 1, "linear")[0].dtype == np.float64
    assert encode_target(np.array([0.1, 0.2], np.float32), 1, "linear")[0].dtype == np.float32
    assert encode_target([1, 2], 1, "linear")[0].dtype == np.float32


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "linear", None])
@pytest.mark.parametrize("dtype", ["bool", "int64", "float64"])
def test_rows_with_a_single_1_are_classes(activation, dtype):
    rows = np.eye(3)[[2, 0, 1, 1]].astype(dtype)
    encoded, target = encode_target(rows, 3, activation)
    assert target == classification(0, 1, 2)
    np.testing.assert_array_equal(encoded, rows)
    assert encoded.dtype == ("float64" if dtype == "float64" else "float32")


def test_rows_of_several_labels():
    rows = [[0, 1, 1], [0, 0, 0]]
    for units, activation in ((3, "sigmoid"), (None, None), (None, "sigmoid")):
        encoded, target = encode_target(rows, units, activation)
        assert target == Target("multilabel", None, 3)
        assert (encoded.tolist(), encoded.dtype) == (rows, np.float32)


def test_rows_of_probabilities_for_softmax():
    encoded, target = encode_target([[0.25, 0.75], [0.5, 0.5]], 2, "softmax")
    assert target == classification(0, 1)
    assert encoded.tolist() == [[0.25, 0.75], [0.5, 0.5]]


def test_an_activation_may_be_an_object_with_a_name():
    class Sigmoid:
        name = "sigmoid"

    assert encode_target([0, 1], 1, Sigmoid())[1].task == "binary"


@pytest.mark.parametrize(
    ("y", "units", "activation", "words"),
    [
        (
            list("abc"),
            2,
            "softmax",
            r"3 classes \('a', 'b', 'c'\).*2 units; 3 units are needed: Dense\(3, 'softmax'\)",
        ),
        (list("ab"), 3, "softmax", r"2 classes .*3 units; 2 units are needed"),
        (
            [0, 1, 10],
            2,
            "softmax",
            "label 10 in row 2 .*2 output units take the labels 0 to 1.*3 units are needed",
        ),
        ([3, -1, 12], 10, "softmax", "label -1 in row 1 .2 of 3 rows are out of range"),
        ([0, 1, 2], 1, "sigmoid", "3 classes .*one sigmoid output tells two apart: 3 units are needed"),
        (list("aa"), None, None, r"only one class \('a'\)"),
        ([4, 4], 1, "sigmoid", "only one class"),
        (
            list("ab"),
            1,
            "linear",
            r"one linear output cannot tell apart; write Dense\(2, 'softmax'\) or Dense\(1, 'sig",
        ),
        ([0, 1], 1, "softmax", "always answers 1"),
        ([0.5, 1.0], 3, "softmax", "0.5 in row 0: with 3 softmax outputs .*whole number"),
        ([1.0, 2.5], 3, "linear", "2.5 in row 1: with 3 linear outputs"),
        ([1.0, 2.5], 1, "sigmoid", "from 1 to 2.5, and a sigmoid output only from 0 to 1"),
        ([[0.5, 2.0]], 2, "sigmoid", "from 0.5 to 2"),
        ([[0.5, 2.0]], 2, "softmax", "Row 0 of y adds up to 2.5; softmax"),
        ([[0.5, 0.5], [-1.0, 2.0]], 2, "softmax", "Row 1 of y has a negative value"),
        ([[1, 1, 0]], 3, "softmax", "adds up to 2.*sigmoid outputs"),
        ([[1, 0, 0]], 2, "softmax", "3 columns and the output layer 2 units; 3 units are needed"),
        ([[1, 0, 0]], 1, "sigmoid", "3 columns and the output layer 1 unit;"),
        ([["a", "b"]], None, None, "2 columns of text"),
        (np.zeros((2, 2, 2)), None, None, r"shape \(2, 2, 2\)"),
        ([], None, None, "y is empty"),
        ([0, np.nan], 2, "softmax", "1 NaN"),
    ],
)
def test_bad_targets(y, units, activation, words):
    with pytest.raises(DataError, match=words):
        encode_target(y, units, activation)


def test_the_classes_of_the_training_data_hold_for_other_data():
    known = classification("a", "b", "c")
    assert encode_target(["c", "a"], 3, "softmax", known)[0].tolist() == [2, 0]
    assert encode_target(["b"], 1, "sigmoid", Target("binary", ("a", "b"), 1))[0].tolist() == [[1]]
    assert encode_target([5.0, 9.0], 3, "softmax", classification(1, 5, 9))[0].tolist() == [1, 2]
    assert encode_target([[0, 1, 0]], 3, "softmax", known)[1] == known
    assert encode_target([0.25], 1, "sigmoid", Target("binary", (0, 1), 1))[0].tolist() == [[0.25]]
    with pytest.raises(
        DataError, match=r"not among the classes .*: 'd', 'e' \(3 of 4 rows, first in row 1\).*'a', 'b'"
    ):
        encode_target(list("adde"), 3, "softmax", known)
    with pytest.raises(DataError, match="2 columns; the training data had 3 classes"):
        encode_target([[0, 1]], None, None, known)


def test_whole_numbers_are_codes_only_where_a_dataset_named_the_classes():
    named = Target("classification", ("a", "b", "c"), 3, coded=True)
    assert encode_target([0, 2], 3, "softmax", named)[0].tolist() == [0, 2]
    with pytest.raises(DataError, match=r"not among the classes .*: 3 "):
        encode_target([3], 3, "softmax", named)
    with pytest.raises(DataError, match=r"not among the classes .*: 0, 2 "):
        encode_target([0, 2], 3, "softmax", classification("a", "b", "c"))


@pytest.mark.parametrize("coded", [False, True])
def test_a_whole_number_is_the_class_that_is_written_like_it(coded):
    known = Target("classification", ("1", "2", "none"), 3, coded=coded)
    assert encode_target([2, 1], 3, "softmax", known)[0].tolist() == [1, 0]
    assert encode_target([2.0, 1.0], 3, "softmax", known)[0].tolist() == [1, 0]
    with pytest.raises(DataError, match=r"not among the classes .*: 0 \(1 of 2"):
        encode_target([0, 1], 3, "softmax", known)


@pytest.mark.parametrize(
    ("classes", "labels", "codes"),
    [
        ((1, 2, 3), ["3", "1"], [2, 0]),
        ((False, True), ["True", "False"], [1, 0]),
        ((False, True), [1, 0], [1, 0]),
        ((False, True), np.array([True, False]), [1, 0]),
        (("False", "True"), np.array([True, False]), [1, 0]),
    ],
)
def test_labels_of_another_type_are_the_classes_written_like_them(classes, labels, codes):
    known = classification(*classes)
    assert encode_target(labels, len(classes), "softmax", known)[0].tolist() == codes


def test_what_was_a_regression_stays_one_whatever_a_few_rows_look_like():
    known = Target("regression", None, 1)
    assert encode_target([0, 1], 1, "sigmoid", known)[0].tolist() == [[0.0], [1.0]]
    with pytest.raises(DataError, match="text"):
        encode_target(["a"], 1, "linear", known)


def test_whole_numbers_that_float32_would_merge_are_kept_apart():
    encoded, _ = encode_target([16_777_216, 16_777_217], 1, "linear")
    assert encoded.dtype == np.float64
    assert encoded.ravel().tolist() == [16_777_216, 16_777_217]


def test_a_fraction_is_no_class_of_text():
    with pytest.raises(DataError, match=r"0\.5"):
        encode_target([0.5], 1, "sigmoid", Target("binary", ("a", "b"), 1))


@given(
    st.lists(st.one_of(st.integers(-(2**40), 2**40)), min_size=2) | st.lists(st.text("abc€", max_size=3), min_size=2)
)
def test_decoding_gives_the_labels_back(y):
    assume(len(set(y)) > 1)
    codes, target = encode_target(y)
    assert set(codes.tolist()) == set(range(target.outputs))
    assert list(target.classes) == sorted(set(y))
    assert decode(codes, target.classes).tolist() == y


def test_decode_refuses_codes_without_a_class():
    assert decode([[0.0], [1.0]], ("no", "yes")).tolist() == [["no"], ["yes"]]
    assert decode([], ("no", "yes")).tolist() == []
    for codes, words in (
        ([2], "0 to 1, one for each class; got 2"),
        ([-1], "got -1"),
        ([0.5], "whole numbers"),
        (["no"], "whole"),
    ):
        with pytest.raises(DataError, match=words):
            decode(codes, ("no", "yes"))
