"""What lectures promise of learning: symmetry and its breaking, XOR from data, units without a derivative, digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree

SQUARE = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
XOR = np.array([0, 1, 1, 0])
rng = np.random.default_rng(0)
x = rng.normal(size=(120, 2))


def fit(net: Any, data: Any, **settings: Any) -> Any:
    return cr.fit(net, data, **({"engine": "numpy", "progress": False} | settings))


@pytest.mark.parametrize("init", ["zeros", cr.initializers.Constant(0.3)])
def test_equal_weights_leave_one_effective_neuron_per_layer(init: Any) -> None:
    """All neurons of a layer get the same gradient, so they stay the same (lectures 000 and 004)."""
    net = cr.mlp([2, 5, 4, 1], hidden="sigmoid", output="sigmoid", init=init)
    run = fit(net, (x, x[:, 0] * x[:, 1] > 0), epochs=30, batch_size=10, optimizer=cr.Adam(0.05))
    start = cr.Model(net, (2,)).params
    for name in ("dense_1", "dense_2"):
        weight, bias = run.model.params[name]["weight"], run.model.params[name]["bias"]
        assert np.abs(weight - start[name]["weight"]).max() > 1e-3  # it was trained
        np.testing.assert_allclose(weight, np.repeat(weight[:, :1], weight.shape[1], axis=1), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(bias, bias[0], rtol=1e-5, atol=1e-6)
    assert np.linalg.matrix_rank(run.model.params["dense_1"]["weight"], tol=1e-4) == 1
    assert run.history["accuracy"][-1] < 0.8  # XOR needs two neurons

    broken = fit(cr.mlp([2, 5, 4, 1], hidden="sigmoid", output="sigmoid"), (x, x[:, 0] > 0), epochs=1)
    assert np.linalg.matrix_rank(broken.model.params["dense_1"]["weight"], tol=1e-4) == 2


def xor(seed: int) -> cr.Run:
    """The recipe of bench/xor.py: 2-2-1, SiLU and sigmoid, Adam with η = 0.1, 200 steps on all four samples."""
    net = cr.mlp([2, 2, 1], hidden="silu", output="sigmoid")
    return fit(net, (SQUARE, XOR), optimizer=cr.Adam(0.1), epochs=200, batch_size=4, seed=seed)


def test_xor_is_learnt_from_data_by_two_hidden_neurons() -> None:
    runs = [xor(seed) for seed in range(5)]
    assert [run.model.predict(SQUARE).tolist() for run in runs] == [XOR.tolist()] * 5


def test_units_without_a_derivative_learn_by_the_straight_through_estimate() -> None:
    y = (x[:, 0] + x[:, 1] > 0.2).astype(int)
    net = cr.Sequential(cr.Dense(8, "step"), cr.Dense(1, "sigmoid"))
    start = cr.Model(net, (2,)).params["dense_1"]["weight"]
    run = fit(net, (x, y), epochs=60, optimizer=cr.Adam(0.03))
    assert run.history["accuracy"][-1] > 0.95
    assert np.abs(run.model.params["dense_1"]["weight"] - start).max() > 0.1
    hidden = run.model.backprop(x, y).a["dense_1"]
    assert set(np.unique(hidden)) <= {0.0, 1.0}

    narrow = cr.Sequential(cr.Dense(8, cr.activations.Step(window=1e-9)), cr.Dense(1, "sigmoid"))
    run = fit(narrow, (x, y), epochs=5, optimizer=cr.Adam(0.03))
    assert np.array_equal(run.model.params["dense_1"]["weight"], start)  # the true derivative teaches nothing


def test_a_single_threshold_unit_learns_and() -> None:
    run = fit(
        cr.Dense(1, "step"), (SQUARE, [0, 0, 0, 1]), loss="quadratic", optimizer=cr.SGD(0.3), epochs=50, batch_size=1
    )
    assert run.model.target.task == "binary"
    assert run.model.predict(SQUARE).tolist() == [0, 0, 0, 1]


def test_a_network_overfits_a_small_subset() -> None:
    """The first thing to try with any network (lecture 003)."""
    few, labels = rng.normal(size=(12, 5)), rng.integers(0, 3, size=12)
    run = fit(cr.mlp([5, 30, 3]), (few, labels), epochs=80, optimizer=cr.Adam(0.02))
    assert run.history["accuracy"][-1] == 1.0
    assert run.history["loss"][-1] < 0.05


@pytest.mark.parametrize("optimizer", [cr.SGD(0.5), cr.SGD(0.1, momentum=0.9), "adam", "rmsprop", cr.AdaGrad(0.1)])
def test_every_optimizer_learns(optimizer: Any) -> None:
    y = (x[:, 0] > x[:, 1]).astype(int)
    run = fit(cr.mlp([2, 8, 2]), (x, y), optimizer=optimizer, epochs=25, batch_size=8)
    assert run.history["accuracy"][-1] > 0.9
    assert run.history["loss"][-1] < 0.7 * run.history["loss"][0]


@pytest.mark.parametrize("batch_size", [1, 10, 120])
def test_stochastic_mini_batch_and_batch_descent_count_their_steps(batch_size: int) -> None:
    steps: list[int] = []
    fit(
        cr.Dense(2, "softmax"),
        (x, x[:, 0] > 0),
        batch_size=batch_size,
        epochs=2,
        callbacks=lambda event: steps.append(int(event.state.step)),
    )
    assert steps == [120 // batch_size, 2 * 120 // batch_size]


def test_every_epoch_sees_every_sample_once_in_another_order() -> None:
    seen: list[np.ndarray] = []
    numbers = np.arange(10.0)[:, None]

    def remember(batch: Any, key: Any) -> Any:
        seen.append(np.asarray(batch.value)[:, 0])
        return batch

    fit(cr.Dense(1), (numbers, numbers), augment=remember, normalize=False, epochs=3, batch_size=4)
    epochs = [np.concatenate(seen[i : i + 3]) for i in (0, 3, 6)]
    assert [len(b) for b in seen] == [4] * 9
    assert all(np.array_equal(epoch[10:], epoch[:2]) for epoch in epochs)  # fill the last batch up, with weight 0
    epochs = [epoch[:10] for epoch in epochs]
    assert all(sorted(order) == list(range(10)) for order in epochs)
    assert len({tuple(order) for order in epochs}) == 3


def test_digits() -> None:
    digits = cr.data.load("digits")
    net = cr.Sequential(
        cr.Conv2D(8, 3, bias=False), cr.BatchNorm(), cr.Activation("relu"), cr.MaxPool2D(2), cr.Flatten(),
        cr.Dropout(0.2), cr.Dense(10, "softmax"),
    )  # fmt: skip
    images = digits.x.reshape(-1, 8, 8, 1)
    run = fit(net, (images, digits.y), validation=0.2, epochs=3, optimizer=cr.Adam(0.01), batch_size=64)
    assert run.history["val_accuracy"][-1] > 0.93


class TestDescend:
    def test_the_parabola_of_lecture_000(self) -> None:
        path = cr.descend(lambda w: w**2, 2.0, cr.SGD(lr=0.125), steps=20)
        expected = 2.0 * 0.75 ** np.arange(21)  # w ← w - 0.125·2w
        np.testing.assert_allclose([float(w) for w in path.points], expected, rtol=1e-12)
        np.testing.assert_allclose(path.values, expected**2, rtol=1e-12)
        assert not path.diverged
        assert float(path.end) == float(path.points[-1])

    def test_a_learning_rate_that_is_too_large(self) -> None:
        assert cr.descend(lambda w: w**2, 2.0, cr.SGD(lr=1.1), steps=10).diverged
        assert cr.descend(lambda w: w**2, 2.0, cr.SGD(lr=1e30), steps=50).diverged

    def test_several_variables_and_any_optimizer(self) -> None:
        def valley(p: Any) -> Any:
            return p["a"] ** 2 + 10 * (p["b"] - 1.0) ** 2

        for optimizer in (cr.SGD(0.05, momentum=0.5), cr.Adam(0.1), cr.RMSProp(0.02), cr.AdaGrad(0.5)):
            path = cr.descend(valley, {"a": 3.0, "b": -2.0}, optimizer, steps=500)
            assert path.values[-1] < 0.1
            assert set(path.end) == {"a", "b"}

    def test_a_schedule_counts_steps(self) -> None:
        path = cr.descend(lambda w: w, 0.0, cr.SGD(cr.schedules.Linear(1.0, 0.0)), steps=4)
        moves = -np.diff([float(w) for w in path.points])
        schedule = cr.schedules.Linear(1.0, 0.0)
        np.testing.assert_allclose(moves, [float(schedule(t, 4)) for t in range(4)], rtol=1e-12)


def test_momentum_of_a_model_survives_in_the_state_only() -> None:
    """Two runs of a warm start are the same: nothing is remembered between calls of fit."""
    model = cr.Model(cr.mlp([2, 3, 2]), (2,))
    first, second = (fit(model, (x, x[:, 0] > 0), epochs=2, optimizer=cr.SGD(0.1, momentum=0.9)) for _ in range(2))
    for a, b in zip(tree.leaves(first.model.params), tree.leaves(second.model.params), strict=True):
        assert np.array_equal(a, b)
