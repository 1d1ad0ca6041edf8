"""What someone who knows scikit-learn does with the estimators."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_diabetes, load_digits, load_iris, make_multilabel_classification
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import chainrule as cr
from chainrule import NetClassifier, NetRegressor

X, Y = load_iris(return_X_y=True)
NAMES = load_iris().target_names[Y]
SMALL: dict[str, Any] = {"hidden": (8,), "epochs": 20, "optimizer": cr.Adam(lr=0.02)}


def test_every_setting_of_fit_is_a_parameter() -> None:
    with_the_data = {"data", "sample_weight"}
    for_the_command_line = {"config"}
    settings = set(inspect.signature(cr.fit).parameters) - with_the_data - for_the_command_line
    for kind in (NetClassifier, NetRegressor):
        assert settings - set(kind().get_params(deep=False)) == set()


@pytest.mark.parametrize(
    ("setting", "value"),
    [("epochs", 3), ("batch_size", 150), ("l2", 50.0), ("seed", 7), ("normalize", False), ("record_steps", True)],
)
def test_a_parameter_does_what_it_does_in_fit(setting: str, value: Any) -> None:
    """The estimator with defaults and one other setting is `fit` with the same."""
    common: dict[str, Any] = {"epochs": 2, setting: value}
    clf = NetClassifier(hidden=(8,), **common).fit(X, NAMES)
    net = cr.Sequential(cr.Dense(8, "relu"), cr.Dense(3, "softmax"))
    run = cr.fit(net, (X, NAMES), precision="float64", progress=False, **common)
    assert clf.loss_curve_ == run.history["loss"]
    assert clf.n_iter_ == len(run.history)
    np.testing.assert_array_equal(clf.predict_proba(X), run.model.predict_proba(X))


# Parameters


def test_clone_copies_recipes_and_forgets_what_was_learned() -> None:
    clf = NetClassifier(**SMALL, early_stopping=cr.EarlyStopping(patience=2), net=cr.Dense(3, "softmax")).fit(X, Y)
    copy = clone(clf)
    assert copy.get_params() == clf.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(X)


def test_settings_of_recipes_are_nested_parameters() -> None:
    clf = NetClassifier(optimizer=cr.SGD(lr=cr.schedules.Cosine(0.1)))
    assert clf.get_params()["optimizer__lr__lr"] == 0.1
    assert "optimizer__lr" not in clf.get_params(deep=False)
    before = clf.optimizer
    clf.set_params(optimizer__momentum=0.9, optimizer__lr__lr=0.5, epochs=3)
    assert clf.optimizer == cr.SGD(lr=cr.schedules.Cosine(0.5), momentum=0.9)
    assert before == cr.SGD(lr=cr.schedules.Cosine(0.1)), "a recipe never changes"
    assert clf.epochs == 3
    net = cr.Sequential(cr.Dense(8, "relu"), cr.Dense(3, "softmax"))
    assert NetClassifier(net=net).set_params(net__layers__0__units=5).net.layers[0].units == 5


def test_a_name_stands_for_its_recipe_where_a_setting_is_given() -> None:
    clf = NetClassifier().set_params(optimizer="sgd", optimizer__lr=0.5, early_stopping__patience=7)
    assert clf.optimizer == cr.SGD(lr=0.5)
    assert clf.early_stopping == cr.EarlyStopping(patience=7)


def test_wrong_parameter_names_are_errors_that_help() -> None:
    with pytest.raises(ValueError, match="Invalid parameter 'epoch'"):
        NetClassifier().set_params(epoch=3)
    with pytest.raises(cr.ChainruleError, match=r"no setting 'rate'.*Known: .*lr"):
        NetClassifier().set_params(optimizer__rate=3)
    with pytest.raises(cr.ChainruleError, match="loss is 'auto', which has no settings"):
        NetClassifier().set_params(loss__delta=3)


def test_random_state_stands_for_the_seed() -> None:
    by_seed = NetClassifier(**SMALL, seed=5).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(NetClassifier(**SMALL, random_state=5).fit(X, Y).predict_proba(X), by_seed)
    states = [NetClassifier(**SMALL, random_state=np.random.RandomState(i)).fit(X, Y) for i in (1, 1, 2)]
    first, same, other = (clf.predict_proba(X) for clf in states)
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 1e-3


def test_precision_is_that_of_the_data_unless_it_is_asked_for() -> None:
    for data, asked, precision in [
        (X, "auto", "float64"),
        (X.astype("float32"), "auto", "float32"),
        (X, "float32", "float32"),
    ]:
        clf = NetClassifier(hidden=(4,), epochs=1, precision=asked).fit(data, Y)
        assert clf.model_.precision == precision
        assert clf.predict_proba(data).dtype == precision
    with pytest.raises(cr.ChainruleError, match=r"Unknown precision 'float23'.*auto"):
        NetClassifier(precision="float23").fit(X, Y)


# Targets


@pytest.mark.parametrize(
    "labels",
    [NAMES, NAMES.astype(object), NAMES.tolist(), Y + 5, Y.astype(float), pd.Series(NAMES, dtype="category")],
    ids=["text", "objects", "list", "numbers", "floats", "categories"],
)
def test_labels_come_back_as_they_were_given(labels: Any) -> None:
    clf = NetClassifier(**SMALL).fit(X, labels)
    assert set(clf.predict(X)) <= set(np.asarray(labels).tolist())
    assert clf.score(X, labels) > 0.9
    np.testing.assert_array_equal(clf.classes_, np.unique(np.asarray(labels)))
    np.testing.assert_allclose(np.exp(clf.predict_log_proba(X)), clf.predict_proba(X), atol=1e-12)
    assert set(clf.model_.predict(X).tolist()) <= set(np.asarray(labels).tolist()), "the model knows the labels, too"


def test_booleans_are_classes() -> None:
    clf = NetClassifier(**SMALL).fit(X, Y > 0)
    assert clf.classes_.tolist() == [False, True]
    assert clf.score(X, Y > 0) > 0.95


def test_multilabel_targets() -> None:
    x, y = make_multilabel_classification(n_samples=200, n_features=8, n_classes=4, random_state=0)
    clf = NetClassifier(**SMALL | {"epochs": 100}).fit(x, y)
    p = clf.predict_proba(x)
    assert p.shape == y.shape
    assert not np.allclose(p.sum(axis=1), 1), "one probability for each label, not one distribution"
    np.testing.assert_array_equal(clf.predict(x), (p > 0.5).astype(int))
    assert (clf.predict(x) == y).mean() > 0.85
    assert clf.model_.last_activation.name == "sigmoid"


def test_several_columns_of_classes_are_for_one_network_each() -> None:
    y = np.stack([Y, (Y + 1) % 3], axis=1)
    with pytest.raises(cr.ChainruleError, match="MultiOutputClassifier"):
        NetClassifier(**SMALL).fit(X, y)
    assert (MultiOutputClassifier(NetClassifier(**SMALL)).fit(X, y).predict(X) == y).mean() > 0.9


def test_targets_in_any_unit_are_learned_alike() -> None:
    """The target is standardized in training; without that, a network starts far from a mean of a million."""
    x, y = load_diabetes(return_X_y=True)
    plain = NetRegressor(**SMALL).fit(x, y).predict(x)
    far = NetRegressor(**SMALL).fit(x, 1e6 + 1000 * y).predict(x)
    np.testing.assert_allclose(far, 1e6 + 1000 * plain, rtol=1e-9)
    assert r2_score(y, plain) > 0.4
    raw = NetRegressor(**SMALL, normalize_target=False).fit(x, 1e6 + 1000 * y).predict(x)
    assert r2_score(1e6 + 1000 * y, raw) < 0


def test_several_numbers_at_once_keep_their_shape() -> None:
    x, y = load_diabetes(return_X_y=True)
    both = np.stack([y, -1000 * y], axis=1)
    reg = NetRegressor(**SMALL).fit(x, both)
    assert reg.predict(x).shape == both.shape
    assert reg.score(x, both) > 0.4
    assert NetRegressor(**SMALL).fit(x, y[:, None]).predict(x).shape == (len(y), 1)
    assert NetRegressor(**SMALL).fit(x, y).predict(x).shape == (len(y),)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Y * 0, "only one class"),
        (Y + 0.5, "continuous"),
        (np.where(Y > 0, np.nan, 1.0), "NaN"),
        (Y[:9], "inconsistent"),
    ],
)
def test_targets_that_are_no_classes(target: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NetClassifier(**SMALL).fit(X, target)


# Weights


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (NetClassifier, {}),
        (NetClassifier, {"l2": 5.0, "l1": 1.0}),
        (NetClassifier, {"class_weight": "balanced"}),
        (NetClassifier, {"class_weight": {0: 3.0}}),
        (NetRegressor, {"l2": 5.0}),
    ],
)
def test_a_weight_is_a_number_of_copies(kind: Any, settings: dict[str, Any]) -> None:
    """Also for the scale of inputs and targets, the penalties' n, and the counts behind "balanced" classes."""
    weight = np.random.default_rng(0).integers(0, 4, len(X))
    copies = np.repeat(np.arange(len(X)), weight)
    weighted = kind(hidden=(8,), epochs=15, batch_size=500, optimizer=cr.SGD(lr=0.1), **settings).fit(X, Y, weight)
    repeated = clone(weighted).fit(X[copies], Y[copies])
    of = (lambda m: m.predict_proba(X)) if kind is NetClassifier else (lambda m: m.predict(X))
    np.testing.assert_allclose(of(weighted), of(repeated), rtol=1e-9)
    assert np.abs(of(weighted) - of(clone(weighted).fit(X, Y))).max() > 1e-4


def test_class_weights_move_the_decision() -> None:
    noisy = np.random.default_rng(0).normal(size=(300, 2))
    y = np.arange(300) % 2
    shares = [NetClassifier(**SMALL, class_weight=w).fit(noisy, y).predict(noisy).mean() for w in ({0: 9.0}, {1: 9.0})]
    assert shares[0] < 0.2 < 0.8 < shares[1]


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(3), "one number for each of the 150 samples"),
        (np.zeros(150), "zero for all samples"),
        (np.full(150, -1.0), "none may be below 0"),
        (["a"] * 150, "one number for each"),
    ],
)
def test_weights_that_cannot_be_used(weight: Any, message: str) -> None:
    with pytest.raises(cr.ChainruleError, match=message):
        NetClassifier(**SMALL).fit(X, Y, sample_weight=weight)


# partial_fit


def test_passes_of_partial_fit_are_epochs_of_fit_with_the_optimizer_going_on() -> None:
    """With one batch of all rows the order does not matter, and Adam's moments and step must be those of `fit`."""
    settings: dict[str, Any] = {"hidden": (8,), "batch_size": 150, "optimizer": cr.Adam(lr=0.01)}
    clf = NetClassifier(**settings)
    for _ in range(6):
        clf.partial_fit(X, NAMES, classes=np.unique(NAMES))
    whole = NetClassifier(**settings, epochs=6).fit(X, NAMES)
    np.testing.assert_allclose(clf.predict_proba(X), whole.predict_proba(X), rtol=1e-9)
    np.testing.assert_allclose(clf.loss_curve_, whole.loss_curve_, rtol=1e-9)
    assert clf.n_iter_ == 6


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_partial_fit_learns_from_parts_that_lack_classes(engine: str) -> None:
    clf = NetClassifier(**SMALL, engine=engine)
    order = np.random.default_rng(0).permutation(150)
    clf.partial_fit(X[order][:50], NAMES[order][:50], classes=np.unique(NAMES))
    for _ in range(15):
        for start in range(0, 150, 50):  # one class at a time
            clf.partial_fit(X[start : start + 50], NAMES[start : start + 50])
        clf.partial_fit(X[order], NAMES[order])
    assert clf.score(X, NAMES) > 0.9
    assert clf.classes_.tolist() == np.unique(NAMES).tolist()


def test_partial_fit_goes_on_after_fit_and_after_pickling() -> None:
    x, y = load_diabetes(return_X_y=True)
    reg = NetRegressor(**SMALL | {"epochs": 2}).fit(x, y)
    before = reg.score(x, y)
    for _ in range(10):
        reg.partial_fit(x, y)
    assert reg.score(x, y) > before
    assert reg.n_iter_ == 12
    copy = pickle.loads(pickle.dumps(reg))
    np.testing.assert_array_equal(copy.partial_fit(x, y).predict(x), reg.partial_fit(x, y).predict(x))
    np.testing.assert_array_equal(
        reg.fit(x, y).predict(x), NetRegressor(**SMALL | {"epochs": 2}).fit(x, y).predict(x), "fit starts anew"
    )


def test_partial_fit_says_what_it_needs() -> None:
    with pytest.raises(cr.ChainruleError, match=r"first call .* needs classes="):
        NetClassifier(**SMALL).partial_fit(X, Y)
    clf = NetClassifier(**SMALL).partial_fit(X, Y, classes=[0, 1, 2])
    with pytest.raises(cr.ChainruleError, match="label 9, which is not among the classes"):
        clf.partial_fit(X, Y * 0 + 9)
    with pytest.raises(cr.ChainruleError, match="in the first call it was"):
        clf.partial_fit(X, Y, classes=[0, 1])
    with pytest.raises(cr.ChainruleError, match="use fit for early stopping"):
        NetClassifier(early_stopping=True).partial_fit(X, Y, classes=[0, 1, 2])
    with pytest.raises(cr.ChainruleError, match="needs to see all rows"):
        NetClassifier(class_weight="balanced").partial_fit(X, Y, classes=[0, 1, 2])


# Networks of one's own


def test_a_network_of_ones_own() -> None:
    net = cr.Sequential(cr.Dense(6, "tanh"), cr.BatchNorm(), cr.Dense(3, "softmax"))
    assert NetClassifier(net=net, epochs=30, optimizer=cr.Adam(lr=0.02)).fit(X, Y).score(X, Y) > 0.9
    grows = NetClassifier(net=lambda outputs: cr.mlp([4, 9, outputs]), epochs=1)
    assert [m.net.layers[-1].units for m in (grows.fit(X, Y).model_, grows.fit(X, Y > 0).model_)] == [3, 2]
    with pytest.raises(cr.ChainruleError, match="net is a layer"):
        NetClassifier(net=3).fit(X, Y)


def test_one_sigmoid_output_gives_two_probabilities() -> None:
    clf = NetClassifier(net=cr.Dense(1, "sigmoid"), epochs=30, optimizer=cr.Adam(lr=0.05)).fit(
        X, np.where(Y > 0, "big", "small")
    )
    p = clf.predict_proba(X)
    assert p.shape == (150, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert clf.score(X, np.where(Y > 0, "big", "small")) > 0.9
    part = NetClassifier(net=cr.Dense(1, "sigmoid")).partial_fit(X, Y > 0, classes=[False, True])
    assert part.model_.target.task == "binary"


def test_one_sigmoid_for_each_class_is_brought_to_a_sum_of_1() -> None:
    clf = NetClassifier(net=cr.Dense(3, "sigmoid"), epochs=30, optimizer=cr.Adam(lr=0.05)).fit(X, Y)
    np.testing.assert_allclose(clf.predict_proba(X).sum(axis=1), 1)
    assert clf.score(X, Y) > 0.8
    with pytest.raises(cr.ChainruleError, match="no probabilities"):
        NetClassifier(net=cr.Dense(3, "tanh"), loss="quadratic", epochs=1).fit(X, Y).predict_proba(X)


def test_images_for_a_network_that_takes_them() -> None:
    digits = load_digits()
    images = (digits.images / 16)[..., None].astype("float32")
    net = cr.Sequential(cr.Conv2D(4, 3, activation="relu"), cr.MaxPool2D(2), cr.Flatten(), cr.Dense(10, "softmax"))
    clf = NetClassifier(net=net, epochs=8, optimizer=cr.Adam(lr=0.01)).fit(images[:600], digits.target[:600])
    assert clf.score(images[600:900], digits.target[600:900]) > 0.8
    with pytest.raises(ValueError, match="dim 4"):
        NetClassifier(**SMALL).fit(images, digits.target)


# Kinds of data


def people(n: int = 240) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 10, n).round(1),
            "city": rng.choice(["Rome", "Oslo", "Paris"], n),
            "since": pd.date_range("2020-01-01", periods=n),
            "member": rng.random(n) > 0.5,
        }
    )
    y = np.where((frame["age"] > 40) ^ (frame["city"] == "Rome"), "yes", "no")
    frame.loc[::17, "age"] = np.nan
    return frame, y


def test_data_frames_of_text_dates_and_gaps_just_work() -> None:
    frame, y = people()
    clf = NetClassifier(**SMALL | {"epochs": 80}, early_stopping=True).fit(frame, y)
    assert clf.score(frame, y) > 0.9
    assert clf.feature_names_in_.tolist() == ["age", "city", "since", "member"]
    assert clf.n_features_in_ == 4
    assert "val_loss" in clf.run_.history.records[0]
    new = pd.DataFrame({"age": [30.0], "city": ["Lima"], "since": ["2020-03-01"], "member": [True]})
    assert clf.predict(new).shape == (1,), "a category that is new is no error"
    np.testing.assert_array_equal(clf.model_.predict(frame), clf.predict(frame))
    with pytest.raises(cr.ChainruleError, match="give a data frame"):
        clf.predict(frame.to_numpy())
    with pytest.raises(ValueError, match="same order"):
        clf.predict(frame[frame.columns[::-1]])


def test_columns_can_be_told_and_large_categories_embedded() -> None:
    frame, y = people()
    clf = NetClassifier(**SMALL | {"epochs": 60}, columns={"city": {"encode": "embedding"}, "since": {"use": False}})
    clf.fit(frame, y, sample_weight=np.arange(len(y)) % 3)
    assert clf.model_.net.layers[0].name == "embedding"
    assert "since" not in clf.model_.preparation.inputs
    assert clf.score(frame, y) > 0.85
    clf = clone(clf)
    for _ in range(60):
        clf.partial_fit(frame, y, classes=["no", "yes"])
    assert clf.score(frame, y) > 0.85


def test_what_is_held_out_of_a_frame_changes_nothing_that_is_learned() -> None:
    frame, _ = people()
    y = frame["age"].fillna(40.0).to_numpy()
    other = frame.assign(age=1e6, city="Atlantis")
    first = NetRegressor(**SMALL).set_params(validation=(frame, y)).fit(frame, y).predict(frame)
    noise = NetRegressor(**SMALL).set_params(validation=(other, y)).fit(frame, y).predict(frame)
    np.testing.assert_array_equal(first, noise)


def test_an_id_is_left_out_of_a_frame_if_it_carries_nothing_and_the_run_says_so(capsys: Any) -> None:
    frame, _ = people()
    rng = np.random.default_rng(3)
    frame["id"] = rng.permutation(10**6)[: len(frame)]
    y = rng.normal(size=len(frame))
    net = NetRegressor(**SMALL).fit(frame, y)
    assert "id" not in net.model_.preparation.inputs
    assert "id (called an id" in net.run_.notes[0]
    net.fit(frame, y + frame["id"].to_numpy() / 1e5)
    assert "id" in net.model_.preparation.inputs
    assert net.run_.notes[0].startswith("id: called an id")
    assert capsys.readouterr() == ("", "")


def test_frames_of_numbers_are_arrays() -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    clf = NetClassifier(**SMALL).fit(frame, NAMES)
    assert clf.model_.preparation is None
    np.testing.assert_array_equal(clf.predict_proba(frame), NetClassifier(**SMALL).fit(X, NAMES).predict_proba(X))


def test_sparse_columns_from_a_pipeline() -> None:
    city = np.array([["Rome"], ["Oslo"], ["Paris"]] * 40)
    y = (city[:, 0] == "Rome").astype(int)
    assert make_pipeline(OneHotEncoder(), NetClassifier(**SMALL)).fit(city, y).score(city, y) == 1.0


# Early stopping


def test_early_stopping_holds_out_a_tenth_in_proportion_to_the_classes() -> None:
    clf = NetClassifier(hidden=(16,), epochs=300, optimizer=cr.Adam(lr=0.02), early_stopping=True).fit(X, Y)
    assert clf.n_iter_ < 300
    assert clf.run_.stopped is not None
    assert "val_loss" in clf.run_.history.records[0]
    model = NetClassifier(**SMALL, early_stopping=cr.EarlyStopping(monitor="loss")).fit(X, Y)
    assert "val_loss" not in model.run_.history.records[0], "who watches training data needs no other"


# Among scikit-learn's tools


def test_pipeline_and_grid_search_over_nested_settings() -> None:
    pipe = make_pipeline(StandardScaler(), NetClassifier(hidden=(8,), epochs=15))
    search = GridSearchCV(pipe, {"netclassifier__optimizer__lr": [1e-6, 0.02], "netclassifier__hidden": [(8,)]}, cv=3)
    search.fit(X, NAMES)
    assert search.best_params_["netclassifier__optimizer__lr"] == 0.02
    assert search.score(X, NAMES) > 0.9


def test_cross_validation_in_processes() -> None:
    scores = cross_val_score(NetClassifier(**SMALL, engine="numpy"), X, NAMES, cv=3, n_jobs=2)
    assert scores.min() > 0.85


def test_calibration_voting_bagging_and_importance() -> None:
    x, xt, y, yt = train_test_split(X, NAMES, random_state=0, stratify=NAMES)
    net = NetClassifier(**SMALL)
    assert CalibratedClassifierCV(net, cv=2).fit(x, y).score(xt, yt) > 0.8
    vote = VotingClassifier([("net", net), ("linear", LogisticRegression(max_iter=500))], voting="soft")
    assert vote.fit(x, y).score(xt, yt) > 0.85
    bag = BaggingClassifier(clone(net).set_params(epochs=60), 2, random_state=0).fit(x, y)
    assert bag.score(xt, yt) > 0.85
    seeds = {member.random_state for member in bag.estimators_}
    assert len(seeds) == 2, "each network of a bag starts from weights of its own"
    weights = [m.predict_proba(xt[:1]) for m in bag.estimators_]
    assert np.abs(weights[0] - weights[1]).max() > 1e-6
    importance = permutation_importance(net.fit(x, y), xt, yt, n_repeats=3, random_state=0).importances_mean
    assert importance[2:].max() > importance[:2].max(), "petals tell irises apart"


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_pickled_estimators_predict_the_same(engine: str) -> None:
    clf = NetClassifier(**SMALL, engine=engine, record_steps=True, probe_every=5, early_stopping=True).fit(X, NAMES)
    copy = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(copy.predict_proba(X), clf.predict_proba(X))
    assert copy.loss_curve_ == clf.loss_curve_
    assert copy.run_.evaluate(X, NAMES) == clf.run_.evaluate(X, NAMES)


def test_both_engines_agree() -> None:
    by_engine = [NetClassifier(**SMALL, engine=engine).fit(X, Y).predict_proba(X) for engine in ("numpy", "jax")]
    np.testing.assert_allclose(*by_engine, rtol=1e-6)


def test_the_run_is_written_where_it_is_asked_for(tmp_path: Any) -> None:
    NetClassifier(**SMALL, out=tmp_path / "run").fit(X, NAMES)
    model = cr.load_model(tmp_path / "run" / "model.safetensors")
    np.testing.assert_array_equal(model.predict(X), NetClassifier(**SMALL).fit(X, NAMES).predict(X))
