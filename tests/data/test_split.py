from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chainrule import random
from chainrule.data import stratified_split
from chainrule.errors import DataError

KEY = random.key(3)


@given(
    y=st.lists(st.integers(0, 5), min_size=2, max_size=60),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 1000),
    stratify=st.booleans(),
)
def test_both_parts_together_are_the_whole_and_sorted(y, fraction, seed, stratify):
    size = int(len(y) * fraction + 0.5)
    assume(0 < size < len(y))
    train, validation = stratified_split(y, fraction, random.key(seed), stratify)
    assert sorted([*train, *validation]) == list(range(len(y)))
    assert len(validation) == size
    assert list(train) == sorted(train)
    assert list(validation) == sorted(validation)


@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    fraction=st.floats(0.05, 0.95),
    seed=st.integers(0, 100),
)
def test_classes_keep_their_shares(counts, fraction, seed):
    y = np.repeat(np.arange(len(counts)), counts)
    n, counts = len(y), np.array(counts)
    size = int(n * fraction + 0.5)
    several = counts >= 2
    # Room for one of each class in both parts; singles stay in the training part.
    assume(n > 1 and max(1, several.sum()) <= size <= (counts - 1).sum())
    _, validation = stratified_split(y, fraction, random.key(seed))
    drawn = np.bincount(y[validation], minlength=len(counts))
    assert (drawn[several] >= 1).all()
    assert (drawn[several] <= counts[several] - 1).all()
    assert (drawn[~several] == 0).all()
    if (counts * size / n >= 1).all() and (counts * (1 - size / n) >= 1).all():
        assert (abs(drawn - counts * size / n) < 1).all()


def test_shares_are_exact_where_they_can_be():
    y = np.repeat([0, 1, 2], [60, 30, 10])
    _, validation = stratified_split(y, 0.2, KEY)
    assert np.bincount(y[validation]).tolist() == [12, 6, 2]


@pytest.mark.parametrize("encode", [list, np.array, lambda y: np.eye(3)[y], lambda y: np.array(["a", "b", "c"])[y]])
def test_every_form_of_a_target_gives_the_same_split(encode):
    y = np.arange(30) % 3
    expected = stratified_split(y, 0.3, KEY)
    parts = stratified_split(encode(y), 0.3, KEY)
    assert [part.tolist() for part in parts] == [part.tolist() for part in expected]


def test_the_key_decides_on_every_engine():
    jax = pytest.importorskip("jax")
    y = np.arange(40) % 4
    first = stratified_split(y, 0.25, KEY)[1]
    assert first.tolist() == stratified_split(y, 0.25, jax.numpy.asarray(KEY))[1].tolist()
    assert first.tolist() != stratified_split(y, 0.25, random.key(4))[1].tolist()


def test_every_row_has_its_chance():
    seen = set()
    for seed in range(60):
        seen |= set(stratified_split(np.arange(12) % 3, 0.25, random.key(seed))[1].tolist())
    assert seen == set(range(12))


def test_numbers_are_split_without_classes():
    y = np.linspace(0, 1, 50)
    _, validation = stratified_split(y, 0.2, KEY)
    assert validation.tolist() == stratified_split(y, 0.2, KEY, stratify=False)[1].tolist()
    whole = np.arange(50.0)
    assert stratified_split(whole, 0.2, KEY)[1].tolist() == validation.tolist()


def test_more_classes_than_rows_for_validation():
    # 10 classes of 2 rows, 3 rows for validation: three classes, and not always the first ones.
    y = np.repeat(np.arange(10), 2)
    chosen = {tuple(y[stratified_split(y, 0.15, random.key(seed))[1]]) for seed in range(10)}
    assert all(len(set(classes)) == 3 for classes in chosen)
    assert len(chosen) > 5


def test_classes_of_one_row_give_theirs_if_nothing_else_is_left():
    _, validation = stratified_split([0, 1, 2, 3], 0.5, KEY)
    assert len(validation) == 2
    y = np.array([0, 0, 0, 1, 2])
    train, _ = stratified_split(y, 0.6, KEY)
    assert 0 in y[train]


@pytest.mark.parametrize(
    ("y", "fraction", "words"),
    [
        ([0, 1], 0, "between 0 and 1, got 0"),
        ([0, 1], 1.0, "between 0 and 1, got 1.0"),
        ([0, 1], 10_000, "got 10000"),
        ([0, 1], True, "got True"),
        ([0, 1], "half", "got 'half'"),
        ([0, 1], np.nan, "got nan"),
        ([0] * 20, 0.01, "no rows for validation: of 20 rows it takes 0. Give at least 0.05"),
        ([0] * 20, 0.99, "no rows for training"),
        ([0], 0.5, "no rows"),
        ([], 0.5, "y is empty"),
    ],
)
def test_impossible_fractions(y, fraction, words):
    with pytest.raises(DataError, match=words):
        stratified_split(y, fraction, KEY)
