"""Folds: every row is held out once, classes keep their shares, groups stay together; as scikit-learn does it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import model_selection

from chainrule.errors import ChainruleError, DataError, SettingError
from chainrule.population.folds import make_folds

rng = np.random.default_rng(0)
LABELS = rng.choice(["a", "b", "c"], 61, p=[0.6, 0.3, 0.1])
GROUPS = rng.integers(0, 14, 61)


@pytest.mark.parametrize("labels", [None, LABELS], ids=["", "labels"])
@pytest.mark.parametrize("groups", [None, GROUPS], ids=["", "groups"])
def test_every_row_is_held_out_once_in_each_repeat(labels: Any, groups: Any) -> None:
    folds = make_folds(61, 4, labels=labels, groups=groups, repeats=3, seed=5)
    assert [(f.repeat, f.fold) for f in folds] == [(r, k) for r in (1, 2, 3) for k in (1, 2, 3, 4)]
    for repeat in (1, 2, 3):
        held_out = np.concatenate([f.held_out for f in folds if f.repeat == repeat])
        assert sorted(held_out.tolist()) == list(range(61))
    for fold in folds:
        assert sorted([*fold.train, *fold.held_out]) == list(range(61))
        assert (np.diff(fold.train) > 0).all()
    assert any(a.held_out.tolist() != b.held_out.tolist() for a, b in zip(folds[:4], folds[4:8], strict=True))


@pytest.mark.parametrize(
    ("splitter", "labels", "groups"),
    [
        (model_selection.KFold, None, None),
        (model_selection.StratifiedKFold, LABELS, None),
        (model_selection.GroupKFold, None, GROUPS),
        (model_selection.StratifiedGroupKFold, LABELS, GROUPS),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_folds_are_those_of_scikit_learn(splitter: Any, labels: Any, groups: Any) -> None:
    folds = make_folds(61, 4, labels=labels, groups=groups, repeats=2, seed=3)
    theirs = [
        (train, held_out)
        for seed in (3, 4)
        for train, held_out in splitter(4, shuffle=True, random_state=seed).split(np.zeros((61, 1)), labels, groups)
    ]
    for fold, (train, held_out) in zip(folds, theirs, strict=True):
        assert fold.train.tolist() == sorted(train.tolist())
        assert fold.held_out.tolist() == sorted(held_out.tolist())


def test_classes_keep_their_shares_and_groups_stay_together() -> None:
    for fold in make_folds(61, 3, labels=LABELS):
        for name in "abc":
            held_out, whole = (list(labels).count(name) for labels in (LABELS[fold.held_out], LABELS))
            assert abs(held_out - whole / 3) < 1
    for fold in make_folds(61, 3, groups=GROUPS):
        assert not set(GROUPS[fold.train]) & set(GROUPS[fold.held_out])


def test_the_kind_of_labels_and_groups_does_not_matter() -> None:
    as_numbers = make_folds(61, 3, labels=(LABELS == "a").astype(int), groups=GROUPS)
    as_text = make_folds(61, 3, labels=list(np.where(LABELS == "a", "x", "w")), groups=list(map(str, GROUPS)))
    as_objects = make_folds(61, 3, labels=(LABELS == "a").astype(object)[:, None], groups=GROUPS.astype(object))
    # Texts sort otherwise than numbers, so groups are dealt out otherwise: but the labels alone make no difference.
    for a, b in zip(make_folds(61, 3, labels=LABELS), make_folds(61, 3, labels=LABELS.astype(object)), strict=True):
        assert a.held_out.tolist() == b.held_out.tolist()
    assert len(as_numbers) == len(as_text) == len(as_objects) == 3


@pytest.mark.parametrize(
    ("error", "words", "wrong"),
    [
        (SettingError, "folds must be a whole number of at least 2", {"folds": 1}),
        (SettingError, "folds must be a whole number", {"folds": 2.5}),
        (SettingError, "folds must be a whole number", {"folds": True}),
        (SettingError, "repeats must be a whole number of at least 1", {"repeats": 0}),
        (SettingError, "seed must be a whole number of at least 0", {"seed": -1}),
        (DataError, r"more folds \(62\) than rows \(61\).*at most 61 folds", {"folds": 62}),
        (DataError, "'c' has 2 rows, and there are 5 folds.*at most 2 folds.*stratify=False",
         {"labels": ["a"] * 59 + ["c"] * 2}),
        (DataError, "'d' has 1 row, .*1 other class has", {"labels": ["a"] * 58 + ["c"] * 2 + ["d"]}),
        (DataError, "There are 3 groups and 5 folds.*at most 3", {"groups": [0, 1, 2] * 20 + [0]}),
        (DataError, r"groups needs one value for each of the 61 rows, got the shape \(60,\)", {"groups": [0, 1] * 30}),
        (DataError, "groups is missing in 1 of the 61 rows, the first is row 4",
         {"groups": [*"abcd", None, *"abcdefgh" * 7]}),
        (DataError, "groups is missing in 1", {"groups": [float("nan"), *range(60)]}),
        (DataError, "labels needs one value", {"labels": np.zeros((61, 2))}),
    ],
)  # fmt: skip
def test_errors(error: type[ChainruleError], words: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(error, match=words):
        make_folds(**({"n": 61} | wrong))


def test_groups_that_leave_a_fold_empty() -> None:
    groups = np.repeat(range(5), [9, 20, 25, 13, 10])
    with pytest.raises(DataError, match=r"no rows: .*too few or too unequal"):
        make_folds(77, 5, labels=groups < 3, groups=groups)


@settings(max_examples=60)
@given(st.data())
def test_whatever_is_given_there_are_folds_or_an_error_of_ours(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 30))
    labels = data.draw(st.none() | st.lists(st.sampled_from([0, 1, 2]), min_size=n, max_size=n))
    groups = data.draw(st.none() | st.lists(st.sampled_from("abcde"), min_size=n, max_size=n))
    k = data.draw(st.integers(2, 6))
    try:
        folds = make_folds(n, k, labels=labels, groups=groups, seed=data.draw(st.integers(0, 9)))
    except ChainruleError:
        return
    assert sorted(np.concatenate([f.held_out for f in folds]).tolist()) == list(range(n))
    assert all(len(f.train) and len(f.held_out) for f in folds)
