"""What an ensemble gains: the figures by NumPy alone, and an ensemble that helps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DataError, SettingError, UnknownNameError
from chainrule.evaluation.ensemble_gain import EnsembleGain, ensemble_gain
from chainrule.models import Model, ensemble
from chainrule.statistics import summary

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 4))
LABELS = np.array(["no", "yes", "maybe"])[rng.integers(0, 3, 120)]


def trained(net: Any, y: Any, n: int = 3, **settings: Any) -> list[Model]:
    fixed = {"epochs": 3, "validation": 0.3, "engine": "numpy", "progress": False} | settings
    return [cr.fit(net, (X, y), seed=seed, **fixed).model for seed in range(n)]


@pytest.mark.parametrize(
    ("net", "y", "settings", "score"),
    [
        (cr.mlp([4, 5, 3]), LABELS, {}, "accuracy"),
        (cr.mlp([4, 5, 1], output="sigmoid"), LABELS == "yes", {}, "accuracy"),
        (cr.mlp([4, 5, 3], output="sigmoid"), rng.integers(0, 2, (120, 3)), {}, "accuracy"),
        (cr.mlp([4, 5, 1], output=None), 500 * X[:, 0] + 3, {"normalize_target": True}, "mae"),
    ],
    ids=["classes", "binary", "labels", "numbers"],
)
def test_values_are_those_of_evaluating_each_model(net: Any, y: Any, settings: Any, score: str) -> None:
    members = trained(net, y, **settings)
    together = ensemble(members)
    for metric in (score, "loss"):
        result = ensemble_gain(members, X, y, metric)
        assert result.ensemble == pytest.approx(together.evaluate(X, y)[metric], rel=1e-5)
        if metric == "loss" and settings:  # the cost of standardized targets: by the ensemble's own numbers, not theirs
            values = [np.square((m.predict(X) - y) / together.target.std[0]).mean() / 2 for m in members]
        else:
            values = [member.evaluate(X, y)[metric] for member in members]
        assert result.members.values == pytest.approx(values, rel=1e-5)
        assert result.mean_member == pytest.approx(np.mean(values), rel=1e-5)
        sign = -1 if metric in ("loss", "mae") else 1
        assert result.gain == pytest.approx(sign * (result.ensemble - result.mean_member), abs=1e-12)
        assert result.metric == metric
        assert result.samples == 120
    assert ensemble_gain(members, X, y) == ensemble_gain(members, X, y, score)


def test_the_interval_is_a_paired_bootstrap_over_samples() -> None:
    members = trained(cr.mlp([4, 5, 3]), LABELS)
    result = ensemble_gain(members, X, LABELS, confidence=0.9, seed=3)
    outputs = np.array([member.predict_proba(X) for member in members])
    codes = np.searchsorted(members[0].target.classes, LABELS)
    right = (outputs.argmax(-1) == codes).astype(float)
    averaged = (outputs.mean(0).argmax(-1) == codes).astype(float)
    draws = np.random.default_rng(99)
    gains = []
    for _ in range(4000):
        rows = draws.integers(0, 120, 120)
        gains.append(averaged[rows].mean() - right[:, rows].mean())
    low, high = np.quantile(gains, [0.05, 0.95])
    width = high - low
    assert width > 0
    assert result.low == pytest.approx(low, abs=0.06 * width)
    assert result.high == pytest.approx(high, abs=0.06 * width)
    assert result == ensemble_gain(members, X, LABELS, confidence=0.9, seed=3)
    wider = ensemble_gain(members, X, LABELS, confidence=0.99, seed=3)
    assert wider.low < result.low < result.high < wider.high


def test_the_quadratic_cost_gains_half_the_variance_of_the_members() -> None:
    """Krogh and Vedelsby (1995): the mean cost of the members less that of their average is their spread."""
    y = np.stack([X[:, 0] + X[:, 1], X[:, 2]], axis=1)
    members = trained(cr.mlp([4, 5, 2], output=None), y, n=4)
    outputs = np.array([member.predict_proba(X).astype(float) for member in members])
    result = ensemble_gain(members, X, y, "loss")
    assert result.gain == pytest.approx(outputs.var(axis=0).sum(axis=1).mean() / 2, rel=1e-4)
    assert result.evident
    assert ensemble_gain(trained(cr.mlp([4, 5, 3]), LABELS), X, LABELS, "loss").low > 0  # as for every convex cost


def test_an_ensemble_helps_on_digits() -> None:
    digits = cr.data.load("digits")
    net = cr.Sequential(cr.Flatten(), cr.Dense(8, "tanh"), cr.Dense(10, "softmax"))
    train, test = (digits.x[:600], digits.y[:600]), (digits.x[600:], digits.y[600:])
    runs = [cr.fit(net, train, epochs=20, seed=seed, engine="numpy", progress=False) for seed in range(5)]
    result = ensemble_gain(runs, *test)
    assert result.evident
    assert result.gain > 0.01
    assert str(result).endswith("the ensemble is better")
    assert f"{result.samples:,} samples" in str(result)


def test_a_population_is_one_model_and_what_diverged_is_left_out() -> None:
    net, rates = cr.mlp([4, 5, 3]), [0.1, 1e30, 0.2]
    members = [{"seed": seed, "optimizer.lr": rate} for seed, rate in enumerate(rates)]
    settings = {"optimizer": cr.SGD(0.1), "epochs": 2, "validation": 0.3, "progress": False}
    population = cr.fit_population(net, (X, LABELS), members, **settings)
    average = np.mean([population[i].model.predict_proba(X) for i in (0, 2)], axis=0)
    with pytest.warns(UserWarning, match=r"Left out .*: member 1 \(diverged at step"):
        together = ensemble(population)
    np.testing.assert_allclose(together.predict_proba(X), average, atol=1e-6)
    with pytest.warns(UserWarning, match="Left out"):
        again = population.ensemble()
    np.testing.assert_allclose(again.predict_proba(X), average, atol=1e-6)
    with pytest.warns(UserWarning, match="Left out"):
        assert len(ensemble_gain(population, X, LABELS).members.values) == 2


def test_one_member_or_the_same_one_twice_gains_nothing() -> None:
    member = trained(cr.mlp([4, 5, 3]), LABELS, n=1)[0]
    for members in ([member], [member, member]):
        result = ensemble_gain(iter(members), X, LABELS)
        assert (result.gain, result.low, result.high) == (0.0, 0.0, 0.0)
        assert not result.evident
        assert "no evidence of a gain" in str(result)


def test_what_was_found_is_told_in_plain_words() -> None:
    def sentence(gain: float, low: float, high: float) -> str:
        return str(EnsembleGain("accuracy", 0.9 + gain, summary([0.89, 0.91]), 0.9, gain, low, high, 1500))

    assert sentence(0.02, 0.012, 0.031) == (
        "accuracy 0.9200 of the ensemble of 2, 0.9000 of its mean member\n"
        "gain 0.0200 (95 %: 0.0120 to 0.0310, 1,500 samples): the ensemble is better"
    )
    assert sentence(0.002, -0.012, 0.014).endswith("(95 %: -0.012 to 0.014, 1,500 samples): no evidence of a gain")
    assert sentence(-0.02, -0.03, -0.011).endswith(": the ensemble is worse")


def test_wrong_input_is_named() -> None:
    members = trained(cr.mlp([4, 5, 3]), LABELS, n=2)
    with pytest.raises(UnknownNameError, match=r"metric of classification 'mae'.*accuracy, loss"):
        ensemble_gain(members, X, LABELS, "mae")
    with pytest.raises(SettingError, match=r"confidence .*above 0 and below 1"):
        ensemble_gain(members, X, LABELS, confidence=95)
    with pytest.raises(DataError, match="x has 100 samples and y 120"):
        ensemble_gain(members, X[:100], LABELS)
    with pytest.raises(SettingError, match="takes several trained models"):
        ensemble_gain(members[0], X, LABELS)
    with pytest.raises(DataError, match="not among the classes"):
        ensemble_gain(members, X, np.where(LABELS == "no", "never", LABELS))
