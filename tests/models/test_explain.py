"""`Model.explain`: every number of a pass with the terms of its sum, beside central differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.errors import ShapeError
from chainrule.models.explain import Stage

IRIS = cr.data.load("iris")
DIGITS = cr.data.load("digits")
CONV = cr.Sequential(
    *(cr.Conv2D(2, 3, "tanh", stride=2), cr.MaxPool2D(2), cr.Flatten(), cr.Dense(5, "tanh")),
    *(cr.BatchNorm(), cr.Dropout(0.5), cr.Dense(10, "softmax")),
)
NETWORKS = {
    "classes": (cr.mlp([4, 5, 4, 3], hidden="tanh"), IRIS.x[:1], IRIS.y[:1], {}),
    "numbers": (cr.mlp([4, 5, 2], hidden="sigmoid", output=None), IRIS.x[:1], np.array([[0.3, -2.0]]), {}),
    "yes or no": (cr.mlp([4, 5, 1], output="sigmoid"), IRIS.x[:1], np.array([1]), {}),
    "labels": (
        cr.mlp([4, 5, 3], output="sigmoid"),
        IRIS.x[:1],
        np.array([[1, 0, 1]]),
        {"loss": "binary_cross_entropy"},
    ),
    "lectures": (cr.mlp([4, 5, 3], hidden="sigmoid", output="sigmoid"), IRIS.x[:1], IRIS.y[:1], {"loss": "quadratic"}),
    "linear": (cr.Sequential(cr.Dense(3), cr.Dense(3)), IRIS.x[:1], np.ones((1, 3)), {}),
    "pictures": (CONV, DIGITS.x[:1], DIGITS.y[:1], {}),
    "residual": (
        cr.Sequential(cr.Dense(4, "tanh"), cr.Residual(cr.Dense(4, "tanh"), cr.Dense(4)), cr.Dense(1)),
        *(IRIS.x[:1], np.array([[2.0]]), {}),
    ),
    "gates": (
        cr.Sequential(cr.Dense(4, "glu"), cr.LayerNorm(), cr.Maxout(3), cr.Dense(3, "softmax")),
        *(IRIS.x[:1], IRIS.y[:1], {}),
    ),
}


@pytest.fixture(params=NETWORKS)
def explained(request: pytest.FixtureRequest) -> tuple[cr.Model, Any]:
    net, x, y, settings = NETWORKS[request.param]
    model = cr.Model(net, input_shape=x.shape[1:], seed=3, precision="float64")
    return model, model.explain(x, y, **settings)


def one(pass_: Any, layer: str, kind: str) -> Stage:
    (stage,) = (s for s in pass_ if (s.layer, s.kind) == (layer, kind))
    return stage


def test_terms_add_up_to_the_numbers(explained: tuple[cr.Model, Any]) -> None:
    _, pass_ = explained
    with_terms = [stage for stage in pass_ if stage.terms is not None]
    assert len(with_terms) >= 5
    for stage in with_terms:
        for at in list(np.ndindex(stage.value.shape))[:25]:
            terms = stage.terms(*at)
            assert terms.factors.shape[0] == len(terms.names) == len(terms.values)
            assert terms.total == pytest.approx(stage.value[at], rel=1e-12, abs=1e-14), (stage, at)


def test_gradients_are_those_of_central_differences(explained: tuple[cr.Model, Any]) -> None:
    model, pass_ = explained
    assert pass_.ties == 0
    assert pass_.check.ok
    assert pass_.checked == model.count()
    for row in pass_.check.rows:
        far = np.abs(row.gradients - row.differences)
        assert (far <= np.maximum(1e-9 * max(1, pass_.cost), 1e-6 * np.abs(row.gradients))).all()


def test_every_gradient_has_a_stage(explained: tuple[cr.Model, Any]) -> None:
    model, pass_ = explained
    of_parameters = [
        s for s in pass_ if s.kind in ("BP3", "BP4") or (s.kind == "gradient" and "output" not in s.equation)
    ]
    assert len(of_parameters) == len(tree.leaves(model.params))


def test_a_pass_is_that_of_backprop() -> None:
    model = cr.Model(cr.mlp([4, 5, 3], hidden="tanh"), input_shape=(4,), precision="float64")
    pass_, reference = model.explain(IRIS.x[60:61], IRIS.y[60:61]), model.backprop(IRIS.x[60:61], IRIS.y[60:61])
    assert pass_.cost == pytest.approx(reference.loss)
    np.testing.assert_allclose(one(pass_, "dense_2", "BP1").value, reference.delta["dense_2"][0])
    np.testing.assert_allclose(one(pass_, "dense_1", "BP2").value, reference.delta["dense_1"][0])
    np.testing.assert_allclose(one(pass_, "dense_1", "BP4").value, reference.grads["dense_1"]["weight"])
    assert one(pass_, "dense_2", "BP1").equation == "δ = a − y"
    assert one(pass_, "dense_1", "BP2").equation == "δ = (W δ′) ⊙ f′(z)"
    assert "BP2" in repr(pass_)
    assert "Gradient check ok" in repr(pass_)


def test_what_feeds_two_layers_is_not_passed_back_by_one_alone() -> None:
    net, x, y, _ = NETWORKS["residual"]
    pass_ = cr.Model(net, input_shape=(4,)).explain(x, y)
    assert one(pass_, "dense_1", "BP2").equation == "δ = ∂C/∂a ⊙ f′(z)"
    assert one(pass_, "residual_1/dense_1", "BP2").equation == "δ = (W δ′) ⊙ f′(z)"


def test_batch_normalization_takes_its_running_statistics() -> None:
    net, x, y, _ = NETWORKS["pictures"]
    model = cr.Model(net, input_shape=(8, 8, 1), precision="float64")
    a = one(model.explain(x, y), "dense_2", "a").value
    np.testing.assert_allclose(a, model.predict_proba(x)[0])


def test_a_wrong_derivative_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cr.ops.tanh, "rules", (lambda y, x: 1.0 - y,))
    net, x, y, _ = NETWORKS["classes"]
    pass_ = cr.Model(net, input_shape=(4,)).explain(x, y)
    assert not pass_.check.ok
    wrong = {row.path for row in pass_.check.rows if row.error > pass_.check.tolerance}
    assert wrong == {f"params.dense_{i}.{kind}" for i in (1, 2) for kind in ("weight", "bias")}


def test_ties_at_a_corner_are_counted() -> None:
    model = cr.Model(cr.mlp([4, 5, 3]), input_shape=(4,))
    assert model.explain(np.zeros((1, 4)), [1]).ties == 5


def test_of_many_parameters_some_are_compared() -> None:
    model = cr.Model(cr.mlp([64, 40, 10], hidden="tanh"), input_shape=(64,))
    pass_ = model.explain(DIGITS.x[:1].reshape(1, 64), DIGITS.y[:1])
    assert [row.checked for row in pass_.check.rows] == [64, 40, 64, 10]
    row = pass_.check.rows[0]
    largest = np.argsort(-np.abs(model.explain(DIGITS.x[:1].reshape(1, 64), DIGITS.y[:1])[-1].value.ravel()))[:10]
    assert set(largest) <= set(row.places)
    assert pass_.check.ok


def test_more_rows_than_one_are_an_error() -> None:
    model = cr.Model(cr.mlp([4, 3]), input_shape=(4,))
    with pytest.raises(ShapeError, match="One row is explained at a time, and there are 2"):
        model.explain(IRIS.x[:2], IRIS.y[:2])


def test_a_pass_shows_itself_in_a_notebook() -> None:
    model = cr.Model(cr.mlp([64, 40, 10], hidden="tanh"), input_shape=(64,), precision="float64")
    pass_ = model.explain(DIGITS.x[:1].reshape(1, 64), DIGITS.y[:1])
    html = pass_._repr_html_()
    assert len(html) < 60_000
    assert "<script" not in html
    assert html.count("<details>") == len(pass_)
    assert "178 gradients and their central differences agree" in html
    assert html.count("✓") > 20
    assert "✗" not in html
    largest = np.abs(one(pass_, "dense_1", "BP2").value).argmax()
    assert f"{one(pass_, 'dense_1', 'BP2').value[largest]:.10g}".replace("-", "−") in html


def test_a_wrong_derivative_is_marked_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cr.ops.tanh, "rules", (lambda y, x: 1.0 - y,))
    net, x, y, _ = NETWORKS["classes"]
    html = cr.Model(net, input_shape=(4,)).explain(x, y)._repr_html_()
    assert "do not agree" in html
    assert "✗" in html
