"""What is found out about a run, against scikit-learn and SciPy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge

import chainrule as cr
from chainrule.evaluation import baselines as baseline_of
from chainrule.evaluation.gather import gather
from chainrule.models.predictions import BINS
from chainrule.runs.evaluation import write_evaluation
from chainrule.statistics import wilson


def test_classes_are_judged_as_scikit_learn_judges_them(finish: Any, made: Any) -> None:
    x, y = made()
    facts = finish(cr.Dense(3, "softmax"), x, np.array(["ant", "bee", "cow"])[y])
    model, (x, y) = facts["run"].model, facts["judged"]
    a, predicted = model.predict_proba(x).astype(float), model.predict(x)
    assert facts["confusion"] == metrics.confusion_matrix(y, predicted).tolist()
    table = metrics.precision_recall_fscore_support(y, predicted, zero_division=0.0)
    for name, column in zip(("precision", "recall", "f1", "support"), table, strict=True):
        assert [row[name] for row in facts["per_class"]] == pytest.approx(column.tolist())
    assert [row["class"] for row in facts["per_class"]] == ["ant", "bee", "cow"]
    assert facts["metrics"]["accuracy"] == metrics.accuracy_score(y, predicted)
    assert facts["metrics"]["loss"] == pytest.approx(metrics.log_loss(y, a / a.sum(axis=1, keepdims=True)), rel=1e-5)
    share, sure = calibration_curve(predicted == y, a.max(axis=1), n_bins=BINS)
    calibration = facts["calibration"]
    assert [b["share"] for b in calibration["bins"]] == pytest.approx(share.tolist())
    assert [b["probability"] for b in calibration["bins"]] == pytest.approx(sure.tolist())
    counts = np.array([b["rows"] for b in calibration["bins"]])
    assert calibration["ece"] == pytest.approx((counts * abs(share - sure)).sum() / len(y))


def test_one_unit_is_calibrated_for_its_class(finish: Any, made: Any) -> None:
    x, y = made(classes=2)
    facts = finish(cr.Dense(1, "sigmoid"), x, np.array(["no", "yes"])[y])
    x, y = facts["judged"]
    share, sure = calibration_curve(y == "yes", facts["run"].model.predict_proba(x)[:, 0], n_bins=BINS)
    assert [b["share"] for b in facts["calibration"]["bins"]] == pytest.approx(share.tolist())
    assert [b["probability"] for b in facts["calibration"]["bins"]] == pytest.approx(sure.tolist())
    assert "yes" in facts["calibration"]["about"]
    assert np.sum(facts["confusion"]) == len(y)


def test_baselines_are_those_of_scikit_learn_fitted_on_training_rows_alone(finish: Any, made: Any) -> None:
    x, y = made()
    facts = finish(cr.Dense(3, "softmax"), x, y)
    model, (x, y), (x_test, y_test) = facts["run"].model, facts["train"], facts["judged"]
    linear = LogisticRegression(max_iter=300, tol=1e-3).fit(model.prepare(x).astype(float), y)
    always = DummyClassifier().fit(x, y)
    values = {rule["name"]: rule["value"] for rule in facts["baselines"]}
    assert values == {
        f"always “{always.predict(x[:1])[0]}”": always.score(x_test, y_test),
        "logistic regression": linear.score(model.prepare(x_test).astype(float), y_test),
    }
    some = np.arange(0, 100)
    again = gather(facts["run"], train=(x, y), evaluated=(x_test, y_test), train_rows=some)
    linear.fit(model.prepare(x[some]).astype(float), y[some])
    assert again["baselines"][1]["value"] == linear.score(model.prepare(x_test).astype(float), y_test)
    assert again["baselines"][1]["rows"] == 100


def test_numbers_are_judged_as_scikit_learn_judges_them(finish: Any) -> None:
    data = cr.data.load("diabetes")
    facts = finish(cr.Dense(1), data.x, data.y, epochs=20)
    model, (x, y), (x_test, y_test) = facts["run"].model, facts["train"], facts["judged"]
    predicted = model.predict(x_test).astype(float)
    outputs = facts["outputs"][0]
    assert outputs["mae"] == pytest.approx(metrics.mean_absolute_error(y_test, predicted))
    assert outputs["rmse"] == pytest.approx(metrics.root_mean_squared_error(y_test, predicted))
    assert outputs["r2"] == pytest.approx(metrics.r2_score(y_test, predicted))
    assert outputs["quantiles"]["25"] == pytest.approx(np.quantile(predicted - y_test, 0.25))
    assert sum(outputs["errors"]["counts"]) == len(y_test)
    ridge = Ridge().fit(model.prepare(x), y).predict(model.prepare(x_test))
    assert facts["baselines"][1]["value"] == pytest.approx(metrics.mean_absolute_error(y_test, ridge), rel=1e-4)
    assert facts["baselines"][0]["value"] == pytest.approx(np.abs(y_test - y.mean()).mean(), rel=1e-5)
    errors = np.abs(predicted - y_test)
    low, high = stats.t.interval(0.95, len(errors) - 1, errors.mean(), stats.sem(errors))
    assert (facts["interval"]["low"], facts["interval"]["high"]) == pytest.approx((low, high))


@pytest.mark.parametrize(("right", "n"), [(0, 10), (3, 10), (10, 10), (970, 1000)])
def test_the_interval_of_a_share_is_wilsons(right: int, n: int) -> None:
    expected = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right, n) == pytest.approx((expected.low, expected.high))


def test_labels_at_once_are_judged_one_by_one(finish: Any, made: Any) -> None:
    x, _ = made()
    y = (x[:, :3] > 0).astype(int)
    y[:, 2] = 0  # never
    facts = finish(cr.Dense(3, "sigmoid"), x, y)
    x, y = facts["judged"]
    predicted = facts["run"].model.predict(x)
    table = metrics.precision_recall_fscore_support(y, predicted, zero_division=0.0)
    assert [row["f1"] for row in facts["per_class"]] == pytest.approx(table[2].tolist())
    assert facts["metrics"]["accuracy"] == pytest.approx(metrics.accuracy_score(y, predicted))
    assert facts["confusion"] is None
    assert [rule["name"] for rule in facts["baselines"]] == ["always the same labels", "logistic regression"]


def test_several_numbers_at_once(finish: Any, made: Any) -> None:
    x, _ = made()
    y = x @ np.random.default_rng(1).normal(size=(4, 8)).astype("float32")
    facts = finish(cr.Dense(8), x, y)
    predicted, true = facts["run"].model.predict(facts["judged"][0]), facts["judged"][1]
    assert facts["outputs_in_all"] == 8
    assert [output["mae"] for output in facts["outputs"]] == pytest.approx(
        abs(predicted - true).mean(axis=0)[:6].tolist(), rel=1e-5
    )


def test_a_thousand_classes(finish: Any, made: Any) -> None:
    x, y = made(n=4000, classes=1000)
    facts = finish(cr.Dense(1000, "softmax"), x, y, epochs=1)
    assert facts["confusion"] is None
    assert len(facts["per_class"]) == 1000
    assert len(facts["confused"]) == 20
    assert sum(row["support"] for row in facts["per_class"]) == len(facts["judged"][0])


def test_the_worst_rows_are_those_with_the_highest_cost(finish: Any, made: Any) -> None:
    x, y = made()
    facts = finish(cr.Dense(3, "softmax"), x, y, names=["a", "b", "c", "d"])
    a, (x, y) = facts["run"].model.predict_proba(facts["judged"][0]), facts["judged"]
    order = np.argsort(a[np.arange(len(y)), y], kind="stable")[:24]
    assert [row["row"] for row in facts["worst"]] == order.tolist()
    assert list(facts["worst"][0]["values"]) == ["a", "b", "c", "d"]
    assert facts["worst"][0]["true"] == str(y[order[0]])


def test_pictures_show_the_pixels(finish: Any) -> None:
    import base64
    import io

    from PIL import Image

    digits = cr.data.load("digits")
    facts = finish(cr.Sequential(cr.Flatten(), cr.Dense(10, "softmax")), digits.x[:300], digits.y[:300])
    worst = facts["worst"][0]
    image = Image.open(io.BytesIO(base64.b64decode(worst["picture"].split(",")[1])))
    assert np.asarray(image).tolist() == np.round(255 * facts["judged"][0][worst["row"], :, :, 0]).tolist()


def test_streamed_rows_give_the_same_facts(tmp_path: Path, made: Any) -> None:
    x, y = made()
    run = cr.fit(cr.Dense(3, "softmax"), (x, y), epochs=2, progress=False)
    np.save(tmp_path / "x.npy", x)
    stream = cr.data.stream(tmp_path / "x.npy", y)
    plain, streamed = (gather(run, train=(rows, y), evaluated=(rows, y)) for rows in (x, stream))
    for facts in (plain, streamed):
        for rule in facts["baselines"]:
            del rule["seconds"]
        del facts["timings"]
    assert plain == streamed


def test_large_data_is_worked_on_in_blocks_and_the_baseline_on_some_rows(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = made()
    run = cr.fit(cr.Dense(3, "softmax"), (x, y), epochs=2, progress=False)
    whole = gather(run, train=(x, y), evaluated=(x, y))
    monkeypatch.setattr("chainrule.models.predictions.BLOCK", 100)
    monkeypatch.setattr(baseline_of, "WORK", 1200)
    monkeypatch.setattr(baseline_of, "LARGE", 0)
    parts = gather(run, train=(x, y), evaluated=(x, y))
    assert parts["confusion"] == whole["confusion"]
    assert parts["calibration"] == whole["calibration"]
    assert parts["baselines"][1]["rows"] == 100
    assert "Fitted on 100 rows." in parts["baselines"][1]["note"]


def test_a_linear_model_that_does_not_settle_says_so(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = made()
    run = cr.fit(cr.Dense(3, "softmax"), (x, y), epochs=2, progress=False)
    monkeypatch.setattr(baseline_of, "ITERATIONS", 2)
    assert "Stopped after 2 iterations" in gather(run, train=(x, y), evaluated=(x, y))["baselines"][1]["note"]


def test_numbers_that_the_network_does_not_get_are_given_to_the_baselines(made: Any) -> None:
    x, y = made(200, classes=2)
    run = cr.fit(cr.Dense(2, "softmax"), (x, y), epochs=1, progress=False)
    rng = np.random.default_rng(0)
    telling = (2 * y - 1 + 0.1 * rng.normal(size=200))[:, None]
    plain = gather(run, train=(x, y), evaluated=(x[:80], y[:80]))
    more = gather(run, train=(x, y), evaluated=(x[:80], y[:80]), left_out=(telling, telling[:80]))
    assert more["metrics"] == plain["metrics"]
    assert more["baselines"][0]["value"] == plain["baselines"][0]["value"]
    assert plain["baselines"][1]["value"] < more["baselines"][1]["value"] == 1.0


def test_what_is_not_finite_becomes_null(tmp_path: Path, made: Any) -> None:
    x, y = made()
    run = cr.fit(cr.Dense(3, "softmax"), (x, y), epochs=1, progress=False)
    run.model.params["dense_1"]["weight"][:] = np.nan
    facts = gather(run, train=(x, y), evaluated=(x, y))
    path = write_evaluation(tmp_path, facts)
    text = path.read_text()
    assert "NaN" not in text
    assert json.loads(text)["metrics"]["loss"] is None
    assert json.loads(text)["network"]["finite"] is False
