"""There is one way to judge a model: `Predictions`, of which every figure is a function."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_fscore_support, r2_score

import chainrule as cr
from chainrule.evaluation import Predictions, evaluate
from chainrule.models import Model

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 4)).astype("float32")
LABELS = np.array(["no", "yes", "maybe"])[np.clip((X[:, 0] * 2 + 1.5).astype(int), 0, 2)]

TASKS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "classification": (cr.mlp([4, 5, 3]), LABELS, {}),
    "binary": (cr.mlp([4, 5, 1], output="sigmoid"), LABELS == "yes", {}),
    "multilabel": (cr.mlp([4, 5, 3], output="sigmoid"), (X[:, :3] > 0).astype(int), {}),
    "regression": (cr.mlp([4, 5, 2], output=None), np.stack([X[:, 0], 50 * X[:, 1]], 1), {"normalize_target": True}),
}


@pytest.fixture(params=TASKS)
def case(request: pytest.FixtureRequest) -> tuple[cr.Run, Any]:
    net, y, settings = TASKS[request.param]
    run = cr.fit(net, (X[:60], y[:60]), epochs=4, engine="numpy", progress=False, **settings)
    assert run.model.target.task == request.param
    return run, y


def test_model_run_and_evaluation_give_the_same_figures(case: tuple[cr.Run, Any]) -> None:
    run, y = case
    metrics = run.model.evaluate(X, y)
    assert run.evaluate(X, y) == metrics == evaluate(run.model, X, y).metrics == Predictions(run.model, X, y).metrics
    assert list(metrics) == (
        ["loss", "mae", "rmse", "r2"] if run.model.target.task == "regression" else ["loss", "accuracy"]
    )


def test_rows_are_what_predict_says_of_them(case: tuple[cr.Run, Any]) -> None:
    run, y = case
    predictions, predicted = Predictions(run.model, X, y), run.model.predict(X)
    assert len(predictions) == 90
    if predictions.task == "regression":
        assert np.allclose(predictions.predicted, predicted)
        assert predictions.correct is predictions.confidence is None
        assert predictions.error == pytest.approx(np.abs(predicted - y).mean(axis=1))
        assert predictions.metrics["r2"] == pytest.approx(r2_score(y, predicted))
        return
    correct = (predicted == y).reshape(90, -1).all(axis=1)
    assert predictions.correct is not None
    assert predictions.correct.tolist() == correct.tolist()
    assert predictions.confidence is not None
    probability = run.model.predict_proba(X)
    if predictions.task == "classification":
        assert np.allclose(predictions.confidence, probability.max(axis=1))
        at = [run.model.target.classes.index(label) for label in y]  # type: ignore[union-attr]
        assert np.allclose(predictions.loss, -np.log(probability[np.arange(90), at]), atol=1e-6)


def test_each_class_has_precision_recall_and_f1(case: tuple[cr.Run, Any]) -> None:
    run, y = case
    evaluation = evaluate(run.model, X, y)
    if not evaluation.per_class:
        assert run.model.target.task == "regression"
        return
    predictions = evaluation.predictions
    expected = precision_recall_fscore_support(
        predictions.true, predictions.predicted, labels=range(predictions.count), zero_division=0.0
    )
    for name, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        assert [row[name] for row in evaluation.per_class] == pytest.approx(values.tolist())
    if evaluation.confusion is not None:
        assert np.trace(evaluation.confusion) == predictions.score.sum()
    for row in evaluation.per_class:
        assert str(row["class"]) in evaluation.summary()


def test_a_confident_mistake_has_a_finite_cost() -> None:
    """The last activation and the loss are joined, as in training: exp(-200) is 0 in float32."""
    model = Model(cr.Dense(2, "softmax"), (1,))
    model.params = {"dense_1": {"weight": np.array([[-100.0, 100.0]], "float32"), "bias": np.zeros(2, "float32")}}
    assert Predictions(model, [[1.0]], [0]).loss.tolist() == [200.0]


def test_rows_in_blocks_are_those_at_once(monkeypatch: pytest.MonkeyPatch, case: tuple[cr.Run, Any]) -> None:
    run, y = case
    whole = Predictions(run.model, X, y)
    monkeypatch.setattr("chainrule.models.predictions.BLOCK", 40)
    parts = Predictions(run.model, X, y)
    assert parts.metrics == pytest.approx(whole.metrics, rel=1e-6)
    assert parts.predicted == pytest.approx(whole.predicted, rel=1e-5)


def test_evaluate_takes_what_predict_takes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": X[:, 0], "b": LABELS, "y": X[:, 0] > 0})
    run = cr.fit(cr.mlp([4, 2]), cr.Table.read(frame, target="y"), epochs=2, engine="numpy", progress=False)
    expected = run.model.evaluate(frame, frame.y)
    assert run.model.evaluate(cr.Table.read(frame, target="y")) == run.evaluate(frame, frame.y) == expected
    arrays = cr.fit(cr.Dense(3, "softmax"), (X, LABELS), epochs=2, engine="numpy", progress=False)
    np.save(tmp_path / "x.npy", X)
    stream = cr.data.stream(tmp_path / "x.npy", LABELS)
    assert arrays.model.evaluate(stream) == pytest.approx(arrays.evaluate(X, LABELS), rel=1e-6)
