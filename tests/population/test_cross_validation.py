"""`cross_validate`: no row has a part in what it is judged by, and each fold is the fit that it would be alone."""

from __future__ import annotations

import dataclasses
import math
import types
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.model_selection import KFold, StratifiedKFold

import chainrule as cr
from chainrule import tree
from chainrule.errors import ChainruleError, DataError, SettingError
from chainrule.population.cross_validation import CrossValidation, cross_validate
from chainrule.population.folds import Fold

rng = np.random.default_rng(0)
x = INPUTS = rng.normal(size=(63, 3)) * [1.0, 5.0, 0.2] + [0.0, 10.0, 0.0]
y = CLASSES = (x[:, 0] + 0.3 * rng.normal(size=63) > 0).astype(int)
number = x @ [1.0, 0.5, 2.0] + 0.1 * rng.normal(size=63)
NET = cr.mlp([3, 4, 2], hidden="tanh")


def validate(net: Any = NET, data: Any = (x, y), folds: int = 3, seeds: Any = 1, **settings: Any) -> CrossValidation:
    fixed = {"epochs": 3, "batch_size": 16, "engine": "numpy", "precision": "float64", "progress": False}
    return cross_validate(net, data, folds, seeds, **(fixed | settings))


def same(first: Any, second: Any, rtol: float = 0.0) -> None:
    a, b = tree.leaves(first), tree.leaves(second)
    assert len(a) == len(b)
    for one, other in zip(a, b, strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)


def pets(n: int = 90, seed: int = 0) -> pd.DataFrame:
    """Rows with numbers, gaps, a rare category (it is in some folds only), an owner and a target."""
    r = np.random.default_rng(seed)
    weight = r.normal(size=n)
    town = r.choice(["Rome", "Oslo", "Lima"], n).astype(object)
    town[:2] = "Bergen"  # in the training rows of a fold it is a category of its own, or there are none of it
    weight[::9] = np.nan
    return pd.DataFrame(
        {
            "weight": weight,
            "town": town,
            "owner": r.integers(0, 15, n),
            "pet": np.where(np.nan_to_num(weight) + 0.3 * r.normal(size=n) > 0, "dog", "cat"),
        }
    )


class TestFolds:
    def test_they_are_those_of_scikit_learn(self) -> None:
        result = validate(seed=4)
        theirs = StratifiedKFold(3, shuffle=True, random_state=4).split(x, y)
        assert [fold.held_out.tolist() for fold in result.folds] == [sorted(held) for _, held in theirs]
        result = validate(cr.mlp([3, 4, 1], output="linear"), (x, number), seed=4)
        theirs = KFold(3, shuffle=True, random_state=4).split(x)
        assert [fold.held_out.tolist() for fold in result.folds] == [sorted(held) for _, held in theirs]

    def test_classes_can_be_left_alone_or_be_others(self) -> None:
        plain = KFold(3, shuffle=True, random_state=0).split(x)
        result = validate(stratify=False, epochs=1)
        assert [fold.held_out.tolist() for fold in result.folds] == [sorted(held) for _, held in plain]
        thirds = np.digitize(number, np.quantile(number, [1 / 3, 2 / 3]))
        net = cr.mlp([3, 4, 1], output="linear")
        for fold in validate(net, (x, number), stratify=thirds, epochs=1).folds:
            assert np.bincount(thirds[fold.held_out]).tolist() == [7, 7, 7]

    def test_groups_are_held_out_together_also_from_early_stopping(self) -> None:
        groups = np.arange(63) // 3
        result = validate(groups=groups, validation=0.25, early_stopping=True)
        for fold, member in zip(result.folds, result.population.members, strict=True):
            parts = [set(groups[rows]) for rows in (fold.held_out, member["rows"], member["held_out"])]
            assert sum(map(len, parts)) == len(set.union(*parts)) == 21


@pytest.mark.filterwarnings("ignore:Inputs are far outside")  # that is how the rows were changed
class TestNoLeak:
    @pytest.mark.parametrize("watched", [{}, {"validation": 0.2, "early_stopping": True}], ids=["", "early stopping"])
    def test_noise_in_the_held_out_fold_changes_nothing_that_is_learnt(self, watched: dict[str, Any]) -> None:
        """Arrays: neither the standardizer nor the weights know anything of the rows that are held out."""
        settings: dict[str, Any] = {"stratify": False, "normalize_target": True} | watched
        net = cr.mlp([3, 4, 1], output="linear")
        result = validate(net, (x, number), **settings)
        for i, fold in enumerate(result.folds):
            noisy, other = x.copy(), number.copy()
            noisy[fold.held_out] = rng.normal(size=(21, 3)) * 1e3
            other[fold.held_out] = rng.normal(size=21) * 1e3
            changed = validate(net, (noisy, other), **settings)
            one, another = result.runs[i], changed.runs[i]
            same(one.model.params, another.model.params)
            assert one.model.target == another.model.target
            assert one.model.standardizer is not None
            assert another.model.standardizer is not None
            np.testing.assert_array_equal(one.model.standardizer.mean, another.model.standardizer.mean)
            assert (one.history["val_loss"] == another.history["val_loss"]) == bool(watched)
            assert not math.isclose(result.scores[i, 0], changed.scores[i, 0])

    @pytest.mark.parametrize("watched", [{}, {"validation": 0.2, "early_stopping": True}], ids=["", "early stopping"])
    def test_of_a_table_everything_is_learnt_from_the_folds_training_rows(self, watched: dict[str, Any]) -> None:
        net, frame = cr.Sequential(cr.Dense(4, "tanh"), cr.Dense(2, "softmax")), pets()
        result = validate(net, cr.Table.read(frame, "pet"), **watched)
        for i, fold in enumerate(result.folds):
            noisy, r = frame.copy(), np.random.default_rng(7)
            noisy["weight"] = noisy["weight"].astype(object)
            noisy.loc[fold.held_out, "weight"] = r.choice(["1e30", "-7", ""], len(fold.held_out))
            noisy.loc[fold.held_out, "town"] = [f"nowhere {row}" for row in fold.held_out]
            changed = validate(net, cr.Table.read(noisy, "pet"), **watched)
            assert changed.folds[i].held_out.tolist() == fold.held_out.tolist()
            one, another = result.runs[i], changed.runs[i]
            plain, arrays = one.model.preparation.to_parts()  # type: ignore[union-attr]
            other_plain, other_arrays = another.model.preparation.to_parts()  # type: ignore[union-attr]
            assert plain == other_plain
            for name, values in arrays.items():
                np.testing.assert_array_equal(values, other_arrays[name])
            same(one.model.params, another.model.params)

    def test_noise_in_the_targets_of_a_tables_held_out_rows(self) -> None:
        net, frame = cr.Sequential(cr.Dense(4, "tanh"), cr.Dense(2, "softmax")), pets()
        result = validate(net, cr.Table.read(frame, "pet"), stratify=False)
        for i, fold in enumerate(result.folds):
            noisy = frame.copy()
            noisy.loc[fold.held_out, "pet"] = np.random.default_rng(7).choice(["cat", "dog"], len(fold.held_out))
            changed = validate(net, cr.Table.read(noisy, "pet"), stratify=False)
            same(result.runs[i].model.params, changed.runs[i].model.params)

    def test_what_could_act_on_a_validation_cost_does_not_see_the_held_out_fold(self) -> None:
        watched = validate()
        assert "val_loss" in watched.runs[0].history.columns
        assert watched.runs[0].history["val_accuracy"][-1] == watched.scores[0, 0]
        plateau = cr.SGD(lr=cr.schedules.ReduceOnPlateau(0.1, patience=1))
        seen: list[Any] = []
        for settings in ({"optimizer": plateau}, {"callbacks": lambda event: seen.append(dict(event.metrics))}):
            assert "val_loss" not in validate(**settings).runs[0].history.columns
            assert "val_loss" in validate(validation=0.2, **settings).runs[0].history.columns
        assert seen


class TestEqualsFit:
    @pytest.mark.parametrize("engine", ["numpy", "jax"])
    @pytest.mark.parametrize("n", [63, 61])  # folds of the same size, and of different sizes
    def test_each_network_is_the_one_of_fit_on_the_same_rows(self, engine: str, n: int) -> None:
        x, y = INPUTS[:n], CLASSES[:n]
        settings: dict[str, Any] = {"epochs": 4, "batch_size": 8, "optimizer": cr.Adam(lr=0.02), "l2": 0.1}
        settings["engine"] = engine
        result = cross_validate(NET, (x, y), 3, 2, seed=3, progress=False, **settings)
        for i, fold in enumerate(result.folds):
            for j in (0, 1):
                alone = cr.fit(NET, (x[fold.train], y[fold.train]), seed=3 + j, progress=False, **settings)
                run = result.runs[2 * i + j]
                same(run.model.params, alone.model.params, rtol=1e-5)
                held_out = alone.evaluate(x[fold.held_out], y[fold.held_out])
                assert result.scores[i, j] == pytest.approx(held_out["accuracy"])
                assert result.losses[i, j] == pytest.approx(held_out["loss"], rel=1e-5)

    def test_weights_of_samples_are_those_of_the_folds_rows(self) -> None:
        weight = rng.uniform(0.1, 5.0, 63)
        settings: dict[str, Any] = {"engine": "numpy", "epochs": 3, "progress": False, "class_weight": "balanced"}
        result = cross_validate(NET, (x, y), 3, sample_weight=weight, **settings)
        for fold, run in zip(result.folds, result.runs, strict=True):
            alone = cr.fit(NET, (x[fold.train], y[fold.train]), sample_weight=weight[fold.train], **settings)
            same(run.model.params, alone.model.params, rtol=1e-5)

    def test_of_a_table_too_whose_inputs_differ_from_fold_to_fold(self) -> None:
        frame = pets()
        columns = {"town": {"kind": "category", "encode": "one_hot"}, "owner": False}
        table = cr.Table.read(frame, "pet", columns=columns)
        net = cr.Sequential(cr.Dense(4, "tanh"), cr.Dense(2, "softmax"))
        settings: dict[str, Any] = {"epochs": 3, "engine": "numpy", "progress": False}
        both_from_bergen = np.maximum(np.arange(90) - 1, 0)  # are held out together
        result = cross_validate(net, table, 3, groups=both_from_bergen, **settings)
        assert len({run.model.input_shape for run in result.runs}) > 1
        for fold, run in zip(result.folds, result.runs, strict=True):
            part = cr.Table.read(frame.iloc[fold.train].reset_index(drop=True), "pet", columns=columns)
            alone = cr.fit(net, part, **settings)
            same(run.model.params, alone.model.params, rtol=1e-5)
            np.testing.assert_allclose(
                result.predictions[fold.held_out], alone.model.predict_proba(frame.iloc[fold.held_out]), rtol=1e-4
            )

    def test_with_early_stopping_it_is_the_fit_on_the_rest_of_the_training_rows(self) -> None:
        stopping = cr.EarlyStopping(patience=1)
        result = validate(validation=0.25, early_stopping=stopping, epochs=8, optimizer=cr.Adam(lr=0.3))
        assert any(run.stopped for run in result.runs)
        for fold, member, run in zip(result.folds, result.population.members, result.runs, strict=True):
            assert sorted([*member["rows"], *member["held_out"]]) == fold.train.tolist()
            watched = (x[member["held_out"]], y[member["held_out"]])
            alone = cr.fit(
                NET, (x[member["rows"]], y[member["rows"]]), validation=watched, early_stopping=stopping, epochs=8,
                batch_size=16, optimizer=cr.Adam(lr=0.3), engine="numpy", precision="float64", progress=False,
            )  # fmt: skip
            assert run.best_epoch == alone.best_epoch
            same(run.model.params, alone.model.params, rtol=1e-5)
            share = [np.mean(y[rows]) for rows in (member["rows"], member["held_out"])]
            assert abs(share[0] - share[1]) < 0.1


class TestResult:
    def test_predictions_are_those_of_networks_that_have_not_seen_the_row(self) -> None:
        result = validate(seeds=2, repeats=2)
        assert result.scores.shape == result.losses.shape == (3, 2, 2)
        assert len(result.runs) == 12
        by_hand = np.zeros((63, 2))
        for i, fold in enumerate(result.folds):
            for run in result.runs[2 * i : 2 * i + 2]:
                by_hand[fold.held_out] += run.model.predict_proba(x[fold.held_out]) / 4
        np.testing.assert_allclose(result.predictions, by_hand)
        assert result.classes == (0, 1)
        # Fold 2, second seed, second repeat.
        fold, run = result.folds[4], result.runs[9]
        expected = np.mean(run.model.predict(x[fold.held_out]) == y[fold.held_out])
        assert result.scores[1, 1, 1] == pytest.approx(expected)

    def test_figures(self) -> None:
        scores = np.array([[0.8, 0.9], [0.7, 0.8], [1.0, 0.8]])
        folds = tuple(Fold(1, i, np.arange(20), np.arange(10)) for i in (1, 2, 3))
        result = made(scores, folds)
        by_fold = [0.85, 0.75, 0.9]
        assert result.mean == pytest.approx(np.mean(by_fold))
        assert result.std == pytest.approx(np.std(by_fold, ddof=1))
        assert result.seed_std == pytest.approx(np.sqrt((0.005 + 0.005 + 0.02) / 3))
        # Nadeau and Bengio (2003) by hand: 1/J + n_test / n_train.
        reach = stats.t.ppf(0.95, 2) * np.sqrt((1 / 3 + 10 / 20) * np.var(by_fold, ddof=1))
        assert result.interval(0.9) == pytest.approx((np.mean(by_fold) - reach, np.mean(by_fold) + reach))
        low, high = stats.t.interval(0.9, 2, np.mean(by_fold), np.std(by_fold, ddof=1) / np.sqrt(3))
        assert result.interval(0.9)[0] < low < high < result.interval(0.9)[1]
        assert result.per_fold["accuracy"].tolist() == pytest.approx(by_fold)
        assert result.per_seed["accuracy"].tolist() == pytest.approx([2.5 / 3, 2.5 / 3])
        assert result.per_seed["seed"].tolist() == [0, 1]

    def test_networks_that_diverged_are_counted_and_left_out(self) -> None:
        scores = np.array([[0.8, math.nan], [0.6, 0.8], [math.nan, math.nan]])
        folds = tuple(Fold(1, i, np.arange(20), np.arange(10)) for i in (1, 2, 3))
        result = made(scores, folds)
        assert result.diverged == 3
        assert result.mean == pytest.approx(0.75)
        assert np.isfinite(result.interval()).all()
        assert "3 of 6 networks diverged and have no score" in str(result)
        assert result.per_fold["diverged"].tolist() == [1, 0, 2]
        assert made(scores[2:], folds[2:]).interval() == pytest.approx((math.nan, math.nan), nan_ok=True)

    def test_a_fold_that_diverges_does_no_harm_to_others(self) -> None:
        huge = number.copy()
        huge[5] = 1e200  # its square is beyond float64: the folds that train on it diverge
        result = validate(cr.mlp([3, 4, 1], output="linear"), (x, huge), seeds=2, optimizer=cr.SGD(lr=0.01))
        held_out = [5 in fold.held_out for fold in result.folds]
        assert np.isfinite(result.scores).all(axis=1).tolist() == held_out
        assert result.diverged == 4
        fold = result.folds[held_out.index(True)]
        assert np.isfinite(result.predictions[fold.held_out]).all()
        assert np.isnan(np.delete(result.predictions, fold.held_out)).all()

    def test_printed_it_is_a_table(self) -> None:
        result = validate(seeds=2)
        lines = str(result).splitlines()
        assert lines[0].startswith("3 folds x 2 seeds: accuracy ")
        assert "corrected" in lines[1]
        assert lines[3].split() == ["fold", "trained", "on", "held", "out", "accuracy", "seed", "0", "seed", "1"]
        assert lines[4].split()[:4] == ["1", "42", "21", f"{result.scores[0].mean():.4f}"]
        folds = tuple(Fold(r, k, np.arange(4), np.arange(2)) for r in range(1, 11) for k in (1, 2, 3))
        many = made(np.full((30, 8), 0.5), folds, repeats=10)
        assert "3 folds x 8 seeds x 10 repeats" in str(many)
        assert {"repeat", "lowest", "highest"} <= set(str(many).splitlines()[3].split())
        assert max(map(len, str(many).splitlines())) < 120


def made(scores: np.ndarray, folds: tuple[Fold, ...], repeats: int = 1) -> CrossValidation:
    """A result with these scores, (splits, seeds)."""
    cube = scores.reshape(repeats, -1, scores.shape[1]).transpose(1, 2, 0)
    shaped = cube if repeats > 1 else cube[..., 0]
    none: Any = types.SimpleNamespace()
    return CrossValidation("accuracy", shaped, shaped, folds, tuple(range(scores.shape[1])), np.zeros(3), None, none)


class TestKindsOfData:
    def test_numbers_to_predict(self) -> None:
        result = validate(cr.mlp([3, 4, 1], output="linear"), (x, number), normalize_target=True)
        assert result.metric == "mae"
        assert result.predictions.shape == (63,)
        for i, fold in enumerate(result.folds):
            error = np.abs(result.predictions[fold.held_out] - number[fold.held_out]).mean()
            assert result.scores[i, 0] == pytest.approx(error)

    def test_two_classes_by_one_unit_and_labels_that_are_text(self) -> None:
        labels = np.where(y == 1, "yes", "no")
        result = validate(cr.mlp([3, 4, 1], output="sigmoid"), (x, labels), epochs=20, optimizer=cr.Adam(lr=0.05))
        assert result.predictions.shape == (63,)
        assert result.classes == ("no", "yes")
        assert np.mean((result.predictions > 0.5) == (y == 1)) > 0.8
        assert all(abs(labels[f.held_out].tolist().count("yes") - y.sum() / 3) < 1 for f in result.folds)

    def test_several_labels_and_one_hot_rows(self) -> None:
        several = np.stack([y, 1 - y, x[:, 1] > 10], axis=1).astype(float)
        result = validate(cr.mlp([3, 4, 3], output="sigmoid"), (x, several))
        assert result.predictions.shape == (63, 3)
        one_hot = validate(data=(x, np.eye(2)[y]))
        plain = validate()
        assert [f.held_out.tolist() for f in one_hot.folds] == [f.held_out.tolist() for f in plain.folds]
        np.testing.assert_allclose(one_hot.predictions, plain.predictions)

    def test_a_dataset_and_a_function_that_makes_the_network(self) -> None:
        iris = cr.data.load("iris")
        result = validate(lambda data: cr.mlp([data.x.shape[1], 4, len(data.classes)]), iris)
        assert result.classes == ("setosa", "versicolor", "virginica")
        assert result.predictions.shape == (150, 3)

    def test_a_function_makes_the_network_for_each_folds_categories(self) -> None:
        r = np.random.default_rng(0)
        shop = r.integers(0, 60, 600)
        frame = pd.DataFrame(
            {"shop": [f"shop {s}" for s in shop], "size": r.normal(size=600), "sales": shop % 7 + r.normal(size=600)}
        )
        table = cr.Table.read(frame, "sales", columns={"shop": {"kind": "category", "encode": "embedding"}})
        seen = []

        def net(data: cr.Dataset) -> cr.layers.Layer:
            counts = tuple(count for _, count in data.preparation.embedded)
            seen.append((len(data.x), counts))
            return cr.Sequential(cr.Embedding(counts), cr.Dense(8, "relu"), cr.Dense(1))

        result = cross_validate(net, table, 3, 2, epochs=1, engine="numpy", progress=False, normalize_target=True)
        assert {rows for rows, _ in seen} == {400}
        assert np.isfinite(result.predictions).all()

    def test_rows_without_a_target_and_rows_for_the_test_are_left_out(self) -> None:
        frame = pets()
        frame["split"] = np.where(np.arange(90) < 60, "train", "test")
        frame["pet"] = frame["pet"].astype(object)
        frame.loc[[3, 7], "pet"] = None
        net = cr.Sequential(cr.Dense(4, "tanh"), cr.Dense(2, "softmax"))
        result = validate(net, cr.Table.read(frame, "pet"), groups="owner", folds=3)
        unused = np.flatnonzero(np.isnan(result.predictions[:, 0]))
        assert unused.tolist() == [3, 7, *range(60, 90)]
        assert sorted(np.concatenate([f.held_out for f in result.folds])) == [i for i in range(60) if i not in (3, 7)]
        owners = frame["owner"].to_numpy()
        for fold, run in zip(result.folds, result.runs, strict=True):
            assert not set(owners[fold.train]) & set(owners[fold.held_out])
            assert run.model.preparation is not None
            assert run.model.preparation.inputs == ("weight", "town")

    def test_seeds_may_be_listed_and_are_the_same_however_many_there_are(self) -> None:
        result = validate(seeds=[7, 3])
        assert result.seeds == (7, 3)
        first = validate(seeds=1, seed=0)
        more = validate(seeds=2, repeats=2, seed=0)
        np.testing.assert_allclose(more.scores[:, :1, 0], first.scores, rtol=1e-12)


TEXT = np.array(["a"] * 30 + ["b"] * 31 + ["c"] * 2)


@pytest.mark.parametrize(
    ("error", "words", "settings"),
    [
        (SettingError, "folds must be a whole number of at least 2", {"folds": 1}),
        (DataError, "more folds", {"folds": 64, "stratify": False}),
        (DataError, "The class 'c' has 2 rows, and there are 3 folds", {"data": (x, TEXT), "net": cr.mlp([3, 3])}),
        (DataError, "has no row of the class 'c' to train on.*groups are held out whole",
         {"data": (x, TEXT), "net": cr.mlp([3, 3]), "groups": [*range(61), 99, 99], "stratify": False}),
        (DataError, "There are 2 groups and 3 folds", {"groups": np.arange(63) % 2}),
        (DataError, "groups needs one value for each of the 63 rows", {"groups": [1, 2, 3]}),
        (DataError, "names a column, and the data is no Table", {"groups": "owner"}),
        (SettingError, "choose the epoch and then judge it.*validation=0.1", {"early_stopping": True}),
        (SettingError, "'val_accuracy'", {"early_stopping": cr.EarlyStopping(monitor="val_accuracy")}),
        (SettingError, "validation is the fraction of each fold's", {"validation": (x, y)}),
        (SettingError, "above 0 and below 1", {"validation": 1.5}),
        (SettingError, "at least 1 seed", {"seeds": 0}),
        (SettingError, "seeds are to differ", {"seeds": [1, 1]}),
        (SettingError, "stratify=True needs classes",
         {"stratify": True, "net": cr.mlp([3, 1], output="linear"), "data": (x, number)}),
        (SettingError, 'stratify is "auto"', {"stratify": "classes"}),
        (DataError, "stratify needs one class for each of the 63", {"stratify": [1, 2]}),
        (SettingError, "starts|from the start", {"net": cr.Model(NET, (3,))}),
        (SettingError, "cross_validate trains a layer", {"net": "mlp"}),
        (SettingError, "epoch", {"epoch": 3}),
        (DataError, r"the data as \(x, y\), a Dataset or a Table", {"data": "iris"}),
        (DataError, "needs the data in memory", {"data": cr.data.stream(x, y)}),
    ],
)  # fmt: skip
def test_errors(error: type[ChainruleError], words: str, settings: dict[str, Any]) -> None:
    with pytest.raises(error, match=words):
        validate(**settings)


def test_errors_of_tables(tmp_path: Path) -> None:
    table = cr.Table.read(pets(), "pet")
    net = cr.Sequential(cr.Dense(2, "softmax"))
    with pytest.raises(DataError, match=r"prepared as a whole.*Give the cr.Table itself"):
        validate(net, table.prepare_rows(np.arange(90)).data)
    with pytest.raises(DataError, match="owner"):
        validate(net, table, groups="ownr")
    with pytest.raises(DataError, match=r"groups .* each of the 90 rows, got 3"):
        validate(net, table, groups=[1, 2, 3])
    path = tmp_path / "pets.csv"
    pets().to_csv(path, index=False)
    from chainrule.tables.large import FileSource

    large = dataclasses.replace(table, source=FileSource(path, table.frame))
    with pytest.raises(DataError, match=r"large for this machine's memory.*Take a sample"):
        validate(net, large)


def test_all_networks_diverge() -> None:
    with pytest.raises(DataError, match=r"All 3 networks diverged.*smaller learning rate"):
        validate(cr.mlp([3, 4, 1], output="linear"), (x, number * 1e200), optimizer=cr.SGD(lr=1.0))


class TestRowsOfATable:
    def test_numbers_of_rows_that_may_repeat(self) -> None:
        table = cr.Table.read(pets(), "pet")
        prepared = table.prepare_rows([5, 5, 1, 40, 2, 3, 88, 11, 12, 13], [0, 4])
        assert prepared.rows.train.tolist() == [5, 5, 1, 40, 2, 3, 88, 11, 12, 13]
        np.testing.assert_array_equal(prepared.data.x[0], prepared.data.x[1])
        assert prepared.data.validation is not None
        assert len(prepared.data.validation[0]) == 2
        assert table.prepare_rows(np.arange(30)).data.validation is None

    def test_rows_without_a_target_are_left_out(self) -> None:
        frame = pets()
        frame["pet"] = frame["pet"].astype(object)
        frame.loc[[0, 50], "pet"] = None
        prepared = cr.Table.read(frame, "pet").prepare_rows(np.arange(40), np.arange(40, 60))
        assert 0 not in prepared.rows.train
        assert 50 not in prepared.rows.validation
        assert (len(prepared.data.x), len(prepared.data.x_validation)) == (39, 19)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("words", "rows"),
        [
            ("no row 90", ([0, 90],)),
            ("no row -1", ([-1, 5],)),
            ("by their numbers", ([0.5],)),
            ("no rows were given", ([],)),
            ("'c', which no training row has", (range(89), [89])),
        ],
    )
    def test_errors(self, words: str, rows: Any) -> None:
        frame = pets()
        frame.loc[89, "pet"] = "c"
        with pytest.raises(DataError, match=words):
            cr.Table.read(frame, "pet").prepare_rows(*rows)
