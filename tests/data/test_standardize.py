from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import Standardizer
from chainrule.errors import DataError, ShapeError


@pytest.mark.parametrize("shape", [(50, 3), (10, 4, 5, 3)])
def test_training_data_gets_mean_0_and_deviation_1_per_feature(shape):
    x = np.random.default_rng(0).normal(size=shape) * [1, 10, 0.01] + [5, -3, 100]
    scale = Standardizer.fit(x)
    z = scale(x)
    axes = tuple(range(x.ndim - 1))
    np.testing.assert_allclose(z.mean(axis=axes), 0, atol=1e-10)
    np.testing.assert_allclose(z.std(axis=axes), 1, rtol=1e-10)
    np.testing.assert_allclose(scale.undo(z), x, rtol=1e-12)
    # The same transformation for other data, not one of their own.
    np.testing.assert_allclose(scale(x[:1] + 1), (x[:1] + 1 - scale.mean) / scale.std)


def test_it_agrees_with_scikit_learn():
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    x = np.random.default_rng(1).gamma(2.0, size=(40, 5))
    np.testing.assert_allclose(
        Standardizer.fit(x)(x), preprocessing.StandardScaler().fit_transform(x), rtol=1e-10, atol=1e-12
    )


@given(
    value=st.floats(-(2.0**100), 2.0**100, width=32),
    n=st.integers(1, 40),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_constant_features_have_deviation_1(value, n, dtype):
    scale = Standardizer.fit(np.full((n, 1), value, dtype))
    assert scale.std.tolist() == [1]
    assert np.isfinite(scale(np.full((2, 1), value, dtype))).all()


def test_float32_stays_float32_and_is_summed_in_float64():
    x = (1e4 + np.random.default_rng(2).normal(size=(100_000, 1))).astype(np.float32)
    scale = Standardizer.fit(x)
    assert scale(x).dtype == scale.mean.dtype == np.float32
    np.testing.assert_allclose(scale.std, x.astype(np.float64).std(), rtol=1e-6)


def test_it_works_on_jax_arrays_and_traced_values():
    import jax

    from chainrule.backprop import value_and_grad

    scale = Standardizer.fit(np.array([[1.0, 4.0], [3.0, 8.0]], np.float32))
    x = np.array([[2.0, 2.0]], np.float32)
    np.testing.assert_allclose(jax.jit(scale)(x), scale(x))
    np.testing.assert_allclose(value_and_grad(lambda x: scale(x).sum())(x)[1], 1 / scale.std[None])


def test_saving_and_loading():
    scale = Standardizer.fit([[1.0, 2.0], [3.0, 7.0]])
    again = Standardizer.from_arrays(scale.to_arrays())
    np.testing.assert_array_equal(again.mean, scale.mean)
    np.testing.assert_array_equal(again.std, scale.std)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"mean": np.ones(2)}, "missing: std"),
        ({"mean": np.ones(2), "std": np.ones(3)}, r"\(2,\).*\(3,\)"),
        ({"mean": np.ones(2), "std": np.zeros(2)}, "above 0"),
        ({"mean": np.array([np.nan]), "std": np.ones(1)}, "finite"),
        ({"mean": np.array(["a"]), "std": np.ones(1)}, "<U1"),
    ],
)
def test_damaged_arrays(arrays, words):
    with pytest.raises(DataError, match=words):
        Standardizer.from_arrays(arrays)


def test_bad_data():
    with pytest.raises(DataError, match="1 NaN"):
        Standardizer.fit([[1.0], [np.nan]])
    with pytest.raises(ShapeError, match=r"shape \(2, 3\).* 2 features"):
        Standardizer.fit([[1.0, 2.0], [3.0, 4.0]])(np.ones((2, 3)))
    with pytest.raises(ShapeError):
        Standardizer.fit([[1.0], [3.0]])(2.0)
