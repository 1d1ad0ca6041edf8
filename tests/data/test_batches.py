from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import random
from chainrule.data import batch_order, batches
from chainrule.errors import DataError, SettingError


@given(n=st.integers(1, 200), size=st.integers(1, 250), seed=st.integers(0, 2**64 - 1))
def test_an_epoch_visits_every_sample_once(n, size, seed):
    order = batch_order(random.key(seed), n)
    pieces = batches(order, size)
    assert pieces.shape == (-(-n // size), size)
    assert sorted(pieces.ravel()[:n].tolist()) == list(range(n))
    filled_up = pieces.ravel()[n:]
    assert filled_up.tolist() == [order[i % n] for i in range(len(filled_up))]


def test_the_order_comes_from_the_key_on_both_engines():
    jax = pytest.importorskip("jax")
    order = batch_order(random.key(1), 100)
    assert order.tolist() == batch_order(jax.numpy.asarray(random.key(1)), 100).tolist()
    assert order.tolist() != batch_order(random.key(2), 100).tolist()
    assert order.tolist() != list(range(100))
    assert order.dtype == np.int32


def test_without_shuffling_the_order_is_kept():
    jax = pytest.importorskip("jax")
    for key in (random.key(1), jax.numpy.asarray(random.key(1))):
        assert batch_order(key, 5, shuffle=False).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("size", [0, -1, 2.5, "4", None, True])
def test_bad_batch_sizes(size):
    with pytest.raises(SettingError, match="at least 1"):
        batches(np.arange(5), size)


def test_no_samples():
    with pytest.raises(DataError, match="0 samples"):
        batch_order(random.key(0), 0)
