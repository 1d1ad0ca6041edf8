"""Comparisons: paired by seed, as SciPy tests them, and said in words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.population.comparison import Comparison, compare

NAN = math.nan
NET = cr.mlp([4, 8, 3])


@pytest.fixture(scope="module")
def iris() -> Any:
    return cr.data.load("iris")


def judged(metric: str = "val_accuracy", confidence: float = 0.95, **values: Any) -> Comparison:
    """A comparison of values that are made up."""
    n = len(next(iter(values.values())))
    return Comparison(metric, tuple(range(n)), values, {}, {}, confidence)


def test_every_configuration_gets_the_runs_that_fit_gives(iris: Any) -> None:
    common = {"epochs": 3, "validation": 0.3, "l2": 0.1, "engine": "numpy", "progress": False}
    comparison = compare({"a": cr.SGD(0.1), "b": {"optimizer.lr": 0.5}}, NET, iris, seeds=3, optimizer="sgd", **common)
    for name, rate in (("a", 0.1), ("b", 0.5)):
        for seed in range(3):
            alone = cr.fit(NET, iris, optimizer=cr.SGD(rate), seed=seed, **common)
            assert comparison.values[name][seed] == pytest.approx(alone.history["val_accuracy"][-1], rel=1e-5)
            assert comparison.runs[name][seed].history["loss"] == pytest.approx(alone.history["loss"], rel=1e-5)


def test_differences_are_those_of_paired_t_tests_with_holms_correction(iris: Any) -> None:
    rates = {"slow": cr.SGD(0.003), "middle": cr.SGD(0.1), "fast": cr.SGD(0.5)}
    comparison = compare(rates, NET, iris, seeds=6, epochs=4, validation=0.3, metric="val_loss", progress=False)
    expected = [
        stats.ttest_rel(comparison.values[p.first], comparison.values[p.second]).pvalue for p in comparison.pairs
    ]
    order = np.argsort(expected)
    raised = np.maximum.accumulate(np.minimum(1, np.array(expected)[order] * [3, 2, 1]))
    assert [comparison.pairs[i].p for i in order] == pytest.approx(list(raised), rel=1e-9)
    slow, fast = comparison.values["slow"], comparison.values["fast"]
    assert np.mean(fast) < np.mean(slow)  # a cost: smaller is better
    assert comparison.pair("fast", "slow").better == "fast"
    assert comparison.pair("slow", "fast") is comparison.pair("fast", "slow")
    assert comparison.best_configuration == min(comparison.values, key=lambda name: np.mean(comparison.values[name]))
    for pair in comparison.pairs:
        excluded = not pair.difference.low <= 0 <= pair.difference.high
        assert excluded == (pair.p < 0.05) == (pair.better is not None)


def test_it_says_which_is_better_and_by_how_much() -> None:
    comparison = judged(a=[0.95, 0.96, 0.94, 0.972], b=[0.93, 0.95, 0.93, 0.94])
    assert str(comparison.pairs[0]) == "a is better than b by 0.018 (95 %: 0.001 to 0.035, p = 0.041, 4 seeds)"
    turned = judged("val_mae", a=[0.95, 0.96, 0.94, 0.972], b=[0.93, 0.95, 0.93, 0.94])
    assert str(turned.pairs[0]) == "b is better than a by 0.018 (95 %: 0.001 to 0.035, p = 0.041, 4 seeds)"
    certain = judged(confidence=0.99, a=[0.95, 0.96, 0.94, 0.972], b=[0.93, 0.95, 0.93, 0.94])
    assert str(certain.pairs[0]) == (
        "no evidence of a difference between a and b (difference 0.018, 99 %: -0.013 to 0.049, 4 seeds)"
    )
    assert str(comparison).splitlines() == [
        "val_accuracy, larger is better, 4 seeds",
        "",
        "     mean     std     95 % interval",
        "a  0.9555  0.0137  0.9337 to 0.9773",
        "b  0.9375  0.0096  0.9223 to 0.9527",
        "",
        str(comparison.pairs[0]),
    ]


def test_configurations_that_do_the_same_are_the_same(iris: Any) -> None:
    comparison = compare({"a": {"l2": 0.0}, "b": {}}, NET, iris, seeds=3, epochs=2, validation=0.3, progress=False)
    assert comparison.pairs[0].better is None
    assert str(comparison.pairs[0]) == "a and b are the same for all 3 seeds"


def test_a_difference_that_is_the_same_for_every_seed_is_no_certainty_with_few_of_them() -> None:
    few = judged(a=[0.5, 0.75], b=[0.25, 0.5]).pairs[0]
    assert few.better is None
    assert str(few) == (
        "no evidence of a difference between a and b (difference 0.25, the same for every seed, 2 seeds)"
    )
    many = judged(a=[0.5, 0.75] * 4, b=[0.25, 0.5] * 4).pairs[0]
    assert many.better == "a"
    assert str(many) == "a is better than b by 0.25 (the same for every seed, p = 0.0078, 8 seeds)"


def test_members_that_diverge_are_counted_and_left_out_of_their_pairs() -> None:
    a, b = [0.9, 0.91, NAN, 0.92, 0.9], [0.8, 0.82, 0.81, 0.83, 0.82]
    comparison = judged(a=a, b=b)
    pair = comparison.pairs[0]
    both = [0, 1, 3, 4]
    assert pair.difference.n == 4
    assert pair.p == pytest.approx(stats.ttest_rel([a[i] for i in both], [b[i] for i in both]).pvalue)
    assert pair.better == "a"
    assert str(pair).endswith("4 seeds, 1 of a diverged)")
    assert comparison.summaries["a"].failed == 1
    assert "1 of 5" in str(comparison)


@pytest.mark.parametrize(
    ("a", "b", "better", "words"),
    [
        ([NAN] * 3, [0.5, 0.6, 0.7], "b", "b is better than a: all 3 members of a diverged"),
        ([0.5, 0.6, NAN], [NAN] * 3, "a", "a is better than b: all 3 members of b diverged, and 1 of a"),
        ([NAN] * 3, [NAN] * 3, None, "a and b cannot be compared: all members of both diverged"),
        (
            [0.5, NAN],
            [0.5, 0.6],
            None,
            "a and b cannot be compared: too few seeds finished in both (1, 1 of a diverged)",
        ),
        ([0.9] + [NAN] * 9, [0.5] * 10, "b", "b is better than a: 9 of 10 members of a diverged"),
    ],
)
def test_diverging_is_worse_than_any_value(a: list[float], b: list[float], better: str | None, words: str) -> None:
    pair = judged(a=a, b=b).pairs[0]
    assert (pair.better, str(pair)) == (better, words)


def test_a_configuration_that_diverges_for_every_seed_does_no_harm_to_the_others(iris: Any) -> None:
    rates = {"good": cr.SGD(0.5), "mad": cr.SGD(1e12)}
    comparison = compare(rates, cr.mlp([4, 8, 3], hidden="relu"), iris, seeds=2, epochs=3, progress=False)
    assert [run.outcome.diverged for run in comparison.runs["mad"]] == [True] * 2
    assert comparison.pairs[0].better == comparison.best_configuration == "good"
    assert "2 of 2" in str(comparison)
    assert comparison.to_pandas()["accuracy"].isna().tolist() == [False, False, True, True]
    assert (comparison.curves("loss").query("configuration == 'good'")["n"] == 2).all()


def test_an_object_alone_says_which_setting_it_is(iris: Any) -> None:
    objects = {
        "optimizer": cr.Adam(0.05),
        "schedule": cr.schedules.Cosine(0.2),
        "loss": cr.losses.CrossEntropy(),
        "net": cr.mlp([4, 5, 3]),
        "stopping": cr.EarlyStopping(patience=1),
        "augmentation": cr.augment.Noise(0.5),
        "many": {"optimizer": "sgd", "optimizer.lr": 0.2, "batch_size": 16},
    }
    comparison = compare(objects, NET, iris, seeds=2, epochs=2, validation=0.3, progress=False)
    recipes = {name: runs[0].recipe for name, runs in comparison.runs.items()}
    assert recipes["optimizer"].optimizer == cr.Adam(0.05)
    assert recipes["schedule"].optimizer == cr.Adam(lr=cr.schedules.Cosine(0.2))
    assert comparison.runs["net"][0].model.params["dense_1"]["weight"].shape == (4, 5)
    assert recipes["augmentation"].augment == cr.augment.Noise(0.5)
    assert recipes["many"].optimizer == cr.SGD(0.2)
    assert len(comparison.pairs) == 21


def test_the_metric_of_test_data_is_that_of_the_trained_models(iris: Any) -> None:
    test = (iris.x[::3], iris.y[::3])
    train = (np.delete(iris.x, np.s_[::3], 0), np.delete(iris.y, np.s_[::3], 0))
    rates = {"a": cr.SGD(0.1), "b": cr.SGD(0.5)}
    comparison = compare(rates, NET, train, seeds=2, epochs=2, validation=0.2, test=test, progress=False)
    assert comparison.metric == "test_accuracy"
    for name, runs in comparison.runs.items():
        expected = [np.mean(run.model.predict(test[0]) == test[1]) for run in runs]
        assert comparison.values[name] == pytest.approx(expected)
    assert list(comparison.curves().columns) == ["configuration", "epoch", "mean", "low", "high", "n"]
    mean = np.mean([run.history["val_accuracy"][1] for run in comparison.runs["b"]])
    assert comparison.curves().iloc[3]["mean"] == pytest.approx(mean)


def test_numbers_are_compared_by_their_mean_absolute_error() -> None:
    x = np.linspace(-1, 1, 40, dtype="float32")[:, None]
    rates = {"slow": cr.SGD(0.001), "fast": cr.SGD(0.1)}
    comparison = compare(
        rates, cr.Dense(1), (x, 3 * x), seeds=[5, 6, 7, 9, 1, 2, 3, 4], epochs=20, validation=0.25, progress=False
    )
    assert comparison.metric == "val_mae"
    assert comparison.seeds == (5, 6, 7, 9, 1, 2, 3, 4)
    assert comparison.pairs[0].better == "fast"
    trained = compare(rates, cr.Dense(1), (x, 3 * x), seeds=2, epochs=2, progress=False)
    assert trained.metric == "mae"
    assert str(trained).startswith("mae (on the training data), smaller is better, 2 seeds")


TWO = {"a": cr.SGD(0.1), "b": cr.SGD(0.2)}


@pytest.mark.parametrize(
    ("configurations", "settings", "message"),
    [
        ([cr.SGD(0.1)], {}, "configurations by name, such as"),
        ({"a": cr.SGD(0.1)}, {}, "at least two configurations, got 1"),
        ({"a": cr.SGD(0.1), 2: cr.SGD(0.2)}, {}, "name of a configuration is a text, got 2"),
        ({"a": cr.SGD(0.1), "b": "sgd"}, {}, "Configuration 'b' is 'sgd'; write which setting that is"),
        ({"a": {"seed": 1}, "b": {}}, {}, "Configuration 'a' has a seed"),
        ({"a": {"optimizer.rate": 1}, "b": {}}, {}, "has no setting 'rate'"),
        ({"a": {"batchsize": 1}, "b": {}}, {}, "no setting 'batchsize'; did you mean 'batch_size'"),
        (TWO, {"seeds": 1}, "needs at least 2 seeds, got 1"),
        (TWO, {"seeds": [1, 1]}, "seeds are to differ"),
        (TWO, {"seeds": 2.5}, "seeds is how many"),
        (TWO, {"seeds": True}, "seeds is how many"),
        (TWO, {"metric": "val_acuracy", "validation": 0.2}, "did you mean 'val_accuracy'"),
        (TWO, {"metric": "val_accuracy"}, "Unknown metric 'val_accuracy'"),
        (TWO, {"metric": "mae"}, "Unknown metric 'mae'"),
        (TWO, {"metric": "test_loss"}, "Unknown metric 'test_loss'"),
        (TWO, {"metric": 3}, "Unknown metric 3"),
        (TWO, {"confidence": 95}, "confidence must be a fraction"),
        (TWO, {"test": 0.2}, "test is \\(x, y\\) or a Dataset"),
        (TWO, {"epoch": 2}, "no setting 'epoch'; did you mean 'epochs'"),
    ],
)
def test_bad_input_is_told_before_anything_is_trained(
    iris: Any, configurations: Any, settings: dict[str, Any], message: str
) -> None:
    def fail(event: Any) -> None:
        raise AssertionError("an epoch was trained")

    with pytest.raises(ChainruleError, match=message):
        compare(configurations, NET, iris, **{"callbacks": fail, "progress": False} | settings)


def test_names_that_were_not_compared_are_unknown() -> None:
    comparison = judged(adam=[0.1, 0.2], sgd=[0.2, 0.3])
    with pytest.raises(ChainruleError, match="Unknown configuration 'adm'; did you mean 'adam'"):
        comparison.pair("adm", "sgd")
    with pytest.raises(ChainruleError, match="two configurations, got 'sgd' twice"):
        comparison.pair("sgd", "sgd")
    with pytest.raises(ChainruleError, match="Unknown metric 'los'"):
        comparison.curves("los")
