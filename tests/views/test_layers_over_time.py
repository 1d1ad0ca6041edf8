"""Flow, ratios, activations and first weights, with faults that are planted and must be seen in the numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.training.recorded import Recorded
from chainrule.views.derive.activations import activations
from chainrule.views.derive.first_weights import first_weights
from chainrule.views.derive.flow import flow
from chainrule.views.derive.missing import Missing
from chainrule.views.derive.ratios import ratios
from chainrule.views.derive.stops import affordable, affordable_rows
from recording import record

DIGITS = cr.data.load("digits")
X, Y = DIGITS.x[:400].reshape(400, 64), DIGITS.y[:400]
IRIS = cr.data.load("iris")


@pytest.fixture(scope="module")
def plain() -> Recorded:
    net = cr.mlp([64, 16, 12, 10], hidden="tanh")
    return record(net, X, Y, optimizer=cr.SGD(lr=0.1), probe_every=2)


def test_flow_is_that_of_backprop(plain: Recorded) -> None:
    seen = flow(plain)
    assert seen.layers == ("dense_1", "dense_2", "dense_3")
    assert seen.stops == plain.stops
    at = seen.stops.index(4)
    result = plain.model_at(4).backprop(plain.fixed.x, plain.fixed.y)
    for row, delta in zip(seen.rms, result.delta.values(), strict=True):
        assert row[at] == pytest.approx(np.sqrt(np.mean(delta.astype(float) ** 2)), rel=1e-6)
    assert seen.factor(at) == pytest.approx(np.sqrt(seen.rms[0, at] / seen.rms[2, at]))


def test_flow_falls_by_a_decade_a_layer_where_weights_start_too_small() -> None:
    net = cr.mlp([64, *[20] * 8, 10], hidden="tanh", init=cr.initializers.Normal(0.01))
    seen = flow(record(net, X, Y, epochs=1))
    assert (np.diff(np.log10(seen.rms[:-1, 0])) >= 1).all()
    assert seen.factor(0) < 0.1


def test_ratios_are_those_of_the_probes(plain: Recorded) -> None:
    seen = ratios(plain)
    assert seen.source == "probes"
    assert seen.weights == ("dense_1/weight", "dense_2/weight", "dense_3/weight")
    assert plain.steps_per_epoch == 25
    assert all(step % 25 for step in seen.steps)
    at = plain.probes.steps.index(seen.steps[3])
    size, change = (plain.probes[f"dense_2/weight/{what}"][at] for what in ("size", "change"))
    assert seen.log10[1, 3] == pytest.approx(np.log10(change / size))


def test_ratios_of_snapshots_agree_with_those_of_probes(plain: Recorded) -> None:
    seen, copies = ratios(plain), ratios(dataclasses.replace(plain, probes=None))
    assert copies.source == "snapshots"
    assert copies.steps == (1, 2, 3, 4)
    for step in (1, 3):
        np.testing.assert_allclose(
            copies.log10[:, copies.steps.index(step)], seen.log10[:, seen.steps.index(step)], rtol=1e-4
        )


def test_a_learning_rate_that_is_too_large_is_seen_in_the_ratio() -> None:
    good, bad = (ratios(record(cr.mlp([64, 16, 10]), X, Y, epochs=1, optimizer=cr.SGD(lr=lr))) for lr in (0.1, 10.0))
    assert good.log10[:, 1:].max() < -1
    assert bad.log10.max() > -1


def test_activations_are_those_of_backprop(plain: Recorded) -> None:
    seen = activations(plain)
    assert seen.layers == ("dense_1", "dense_2", "dense_3")
    at = seen.stops.index(8)
    a = plain.model_at(8).backprop(plain.fixed.x, plain.fixed.y).a["dense_2"]
    np.testing.assert_allclose(
        seen.quantiles[1, at], np.quantile(a.astype(float), [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]), rtol=1e-6
    )
    np.testing.assert_array_equal(seen.counts[1, at], np.histogram(a, seen.edges(1, at))[0])
    assert (seen.counts.sum(axis=2)[:2] == [[256 * 16], [256 * 12]]).all()
    assert np.isnan(seen.idle[-1]).all()
    assert (seen.idle[:-1] == 0).all()


def test_dead_units_are_seen() -> None:
    net = cr.Sequential(cr.Dense(20, "relu", bias_init=cr.initializers.Constant(-10.0)), cr.Dense(10, "softmax"))
    seen = activations(record(net, X, Y, epochs=1))
    assert (seen.silent[0] >= 0.95).all()
    assert (seen.saturated[0] == 0).all()


def test_saturated_units_are_seen() -> None:
    net = cr.Sequential(cr.Dense(20, "sigmoid", bias_init=cr.initializers.Constant(50.0)), cr.Dense(10, "softmax"))
    seen = activations(record(net, X, Y, epochs=1))
    assert (seen.saturated[0] == 1).all()
    assert (seen.idle[0] == 1).all()


def test_first_weights_are_pictures_of_pictures() -> None:
    net = cr.Sequential(cr.Flatten(), cr.Dense(40, "relu"), cr.Dense(10, "softmax"))
    recorded = record(net, DIGITS.x[:200], Y[:200], epochs=1)
    seen = first_weights(recorded)
    assert seen.pictures
    assert seen.now.shape == (32, 8, 8, 1)
    assert seen.in_all == 40
    weight = recorded.read_snapshot(recorded.stops[-1]).params["dense_1"]["weight"]
    np.testing.assert_allclose(seen.now[0].ravel(), weight[:, seen.units[0]])
    norms = np.linalg.norm(weight, axis=0)
    assert seen.units[0] == norms.argmax()
    np.testing.assert_allclose(seen.change, seen.now - seen.start)
    result = recorded.model_at(recorded.stops[-1]).backprop(recorded.fixed.x, recorded.fixed.y)
    np.testing.assert_allclose(seen.gradient[3].ravel(), result.grads["dense_1"]["weight"][:, seen.units[3]], atol=1e-7)


def test_first_weights_of_a_table_are_numbers_by_input() -> None:
    seen = first_weights(record(cr.mlp([4, 5, 3]), IRIS.x.astype("float32"), IRIS.y, epochs=1))
    assert not seen.pictures
    assert seen.inputs == ("x0", "x1", "x2", "x3")
    assert seen.now.shape == (5, 4)


NETWORKS = {
    "conv": (
        cr.Sequential(
            *(cr.Conv2D(4, 3), cr.BatchNorm(), cr.Activation("relu"), cr.MaxPool2D(2), cr.Flatten()),
            *(cr.Dropout(0.2), cr.Dense(10, "softmax")),
        ),
        *(DIGITS.x[:96], Y[:96]),
    ),
    "residual": (
        cr.Sequential(cr.Dense(8, "relu"), cr.Residual(cr.Dense(8, "relu")), cr.Dense(1)),
        X[:96],
        Y[:96] * 1.0,
    ),
    "binary": (cr.mlp([64, 6, 1], output="sigmoid"), X[:96], (Y[:96] > 4).astype(int)),
    "multilabel": (cr.mlp([64, 6, 3], output="sigmoid"), X[:96], (Y[:96, None] > [2, 4, 6]).astype(float)),
    "linear": (cr.Dense(2), X[:96], np.stack([Y[:96], -Y[:96]], axis=1).astype(float)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_all_kinds_of_networks_are_looked_at(name: str) -> None:
    recorded = record(*NETWORKS[name], epochs=2, optimizer=cr.SGD(lr=0.01))
    for derive in (flow, activations, ratios, first_weights):
        assert derive(recorded), derive
    seen = flow(recorded)
    assert np.isfinite(seen.rms).all()
    assert seen.rms.shape == (len(seen.layers), len(seen.stops))


def test_a_network_with_nothing_to_show_says_so() -> None:
    recorded = record(cr.Sequential(cr.LayerNorm()), X[:32], X[:32].astype(float), epochs=1)
    answers: list[Any] = [derive(recorded) for derive in (flow, activations, ratios, first_weights)]
    assert all(isinstance(answer, Missing) and answer.why.endswith(".") for answer in answers)


def test_stops_are_fewer_where_they_would_take_long() -> None:
    stops = (0, 1, 2, 3, 4, 6, 8)
    assert affordable(stops, 1e-3) == stops
    assert affordable(stops, 0.5, budget=2.0) == (0, 2, 4, 8)
    assert affordable(stops, 1e3) == (0, 8)
    assert affordable((0,), 1e3) == (0,)


def test_rows_are_fewer_where_they_would_take_long() -> None:
    small, large = (cr.Model(cr.mlp([64, units, 10]), input_shape=(64,)) for units in (8, 4096))
    rows = np.arange(256)
    assert len(affordable_rows(small, rows, 100)) == 256
    assert affordable_rows(large, rows, 1000).tolist() == list(range(0, 256, 8))


def test_a_run_that_diverged_is_looked_at(plain: Recorded) -> None:
    last = plain.stops[-1]

    def read(step: int) -> Any:
        snapshot = plain.read_snapshot(step)
        if step == last:
            snapshot = dataclasses.replace(snapshot, params=cr.tree.map(lambda w: w * np.nan, snapshot.params))
        return snapshot

    diverged = dataclasses.replace(plain, read_snapshot=read)
    assert np.isnan(flow(diverged).rms[:, -1]).all()
    assert flow(diverged).factor() is None
    seen = activations(diverged)
    assert np.isfinite(seen.quantiles[:, :-1]).all()
    assert (seen.counts[:, -1] == 0).all()
