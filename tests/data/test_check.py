from __future__ import annotations

import datetime
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chainrule.data import check_features, check_pair, check_target
from chainrule.errors import DataError


@pytest.mark.parametrize(
    ("given_dtype", "expected"),
    [
        *((d, "float32") for d in ("bool", "int8", "uint8", "int64", "uint64", "float16", "float32", ">f4")),
        *((d, "float64") for d in ("float64", ">f8", "longdouble")),
    ],
)
def test_dtypes(given_dtype, expected):
    features = check_features(np.ones((2, 3), given_dtype))
    assert features.dtype == np.dtype(expected)
    assert features.dtype.isnative
    assert (features == 1).all()


@given(hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=4), elements=st.floats(-1e30, 1e30)))
def test_finite_floats_come_through_unchanged(x):
    np.testing.assert_array_equal(check_features(x), x, strict=True)
    np.testing.assert_array_equal(check_features(x.tolist()), x, strict=True)


def test_what_counts_as_an_array():
    pandas = pytest.importorskip("pandas")
    jax = pytest.importorskip("jax")
    expected = np.array([[1.0, 2.0], [3.0, 4.0]])
    rows = [[1.0, 2.0], [3.0, 4.0]]
    for x in (
        *(rows, tuple(map(tuple, rows)), (row for row in rows), [np.array(row) for row in rows]),
        *(pandas.DataFrame(rows), pandas.DataFrame(rows).astype("Float64"), jax.numpy.asarray(rows)),
        *([[Fraction(1), Fraction(2)], [3, 4.0]], np.array(rows, object)),
    ):
        np.testing.assert_array_equal(check_features(x), expected)
    assert check_features(jax.numpy.asarray(rows, jax.numpy.bfloat16)).dtype == np.float32
    mixed = pandas.DataFrame({"a": [True, False], "b": [1.5, 2.5], "c": [1, 2]})
    np.testing.assert_array_equal(check_features(mixed), [[1, 1.5, 1], [0, 2.5, 2]])
    assert check_features(pandas.DataFrame({"a": [True, False], "b": [1, 2]})).dtype == np.float32


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (None, "x is None"),
        ("abc", "x is the text 'abc'"),
        ({"a": [1]}, "x is a value of type dict"),
        (3.0, r"shape \(\)"),
        ([1.0, 2.0], r"shape \(2,\).*reshape\(-1, 1\)"),
        ([], r"shape \(0,\)"),
        ([[]], "x is empty"),
        (np.ones((0, 3)), r"x is empty: its shape is \(0, 3\)"),
        ([[1.0, 2.0], [3.0]], "row 0 has 2 values, row 1 has 1 values; expected the same"),
        ([[1.0, 2.0], 3.0], "row 0 has 2 values, row 1 has a single value"),
        ([[[1], [2]], [[1], [2, 3]]], "lists inside the rows"),
        ([[1.0, np.nan], [np.inf, np.nan]], r"2 NaN and 1 infinite, the first \(nan\) in row 0, column 1"),
        (np.full((2, 2, 2, 1), -np.inf), r"8 infinite, the first \(-inf\) in row 0, position \(0, 0, 0\)"),
        ([[1, 2], [3, "red"]], "the text 'red' in row 1, column 1; expected numbers only.*0/1 columns"),
        ([["1", "2"], ["3", "4"]], r"the text '1' in row 0, column 0.*astype\(float\)"),
        (np.array([["1", "2"], ["3", "x"]]), "the text 'x' in row 1, column 1"),
        (np.array([[b"1", b"y"]]), "the text 'y' in row 0, column 1"),
        ([[1, None], [None, 2]], "2 missing values; the first is in row 0, column 1"),
        ([[1, datetime.date(2020, 1, 1)]], "type date in row 0, column 1"),
        (np.array([["2020-01-01"]], "datetime64[D]"), "x holds dates"),
        (np.ones((2, 2), complex), "x holds complex numbers"),
        (np.ones((2, 2), [("a", float)]), "x holds records"),
        ([[10**400, 1]], "too large for a float"),
        (np.ma.masked_equal([[1.0, 2.0]], 2), "1 masked value"),
    ],
)
def test_bad_features(x, words):
    with pytest.raises(DataError, match=words):
        check_features(x)


def test_data_frames_are_told_by_their_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"age": [1.0, 2.0], "city": ["Graz", "Linz"], "size": [np.nan, 3.0]})
    with pytest.raises(DataError, match=r"1 missing value; the first is in row 0, column 2 \('size'\)"):
        check_features(frame)
    with pytest.raises(DataError, match=r"'Graz' in row 0, column 1 \('city'\)"):
        check_features(frame[["age", "city"]])
    with pytest.raises(DataError, match=r"1 NaN, the first \(nan\) in row 0, column 1 \('size'\)"):
        check_features(frame[["age", "size"]])
    with pytest.raises(DataError, match=r"1 missing value.*row 1, column 0 \('n'\)"):
        check_features(pandas.DataFrame({"n": [1, None]}, dtype="Int64").astype(object))


def test_sparse_matrices_get_the_right_call():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(DataError, match=r"sparse matrix; write x.toarray\(\)"):
        check_features(sparse.eye(3))


@pytest.mark.parametrize(
    ("y", "dtype"),
    [
        ([1, 2], "int64"),
        ([True, False], "bool"),
        (["a", "bc"], "<U2"),
        (np.array(["a", "bc"], object), "<U2"),
        (np.array(["a", "bc"], np.dtypes.StringDType()), "<U2"),
        ([b"a", b"bc"], "<U2"),
        ([1, 2.5], "float64"),
        (np.array([1, 2.5], object), "float64"),
        (np.array([True, np.False_], object), "bool"),
        (np.array([1, 2], object), "int64"),
        (np.array([1.5, 2], np.float16), "float32"),
    ],
)
def test_kinds_of_targets(y, dtype):
    assert check_target(y).dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (5, "single value"),
        (None, "y is None"),
        ([], "y is empty"),
        ([1.0, np.nan], r"1 NaN, the first \(nan\) in row 1"),
        (["a", None], "1 missing value; the first is in row 1"),
        (["a", 1], "mixes the text 'a' with the number 1"),
        ([1, "a"], "mixes the number 1 with the text 'a'"),
        ([2**70, 1], "beyond 64 bits"),
        ([1 + 2j], "complex numbers"),
        ([[1], [1, 2]], "row 0 has 1 values, row 1 has 2"),
        ([datetime.date(2020, 1, 1)], "type date"),
        ([b"\xff"], "not UTF-8"),
    ],
)
def test_bad_targets(y, words):
    with pytest.raises(DataError, match=words):
        check_target(y)


def test_pandas_targets():
    pandas = pytest.importorskip("pandas")
    for dtype in ("object", "str", "category", "string"):
        assert check_target(pandas.Series(["b", "a"], dtype=dtype)).tolist() == ["b", "a"]
    with pytest.raises(DataError, match="1 missing value; the first is in row 1"):
        check_target(pandas.Series(["b", None], dtype="string"))


def test_pairs_need_one_target_for_each_row():
    x, y = check_pair([[1, 2], [3, 4], [5, 6]], ["a", "b", "a"])
    assert (x.shape, y.shape) == ((3, 2), (3,))
    with pytest.raises(DataError, match="x has 3 rows and y has 2"):
        check_pair(x, [0, 1])
    with pytest.raises(DataError, match=r"write x\.T"):
        check_pair(x, [0, 1])
    with pytest.raises(DataError, match=r"write y\.ravel\(\)"):
        check_pair(x, [[0, 1, 1]])
