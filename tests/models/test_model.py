"""`Model`: what it predicts, what it says about wrong inputs, and gradients through it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import Standardizer, Target
from chainrule.errors import DataError, SettingError, ShapeError, UnknownNameError

rng = np.random.default_rng(0)
x = rng.normal(size=(6, 4)).astype(np.float32)


class TestSummary:
    def test_lists_layers_shapes_and_parameters(self) -> None:
        net = cr.Sequential(cr.Conv2D(8, 3, "relu"), cr.MaxPool2D(2), cr.Flatten(), cr.Dense(10, "softmax"))
        model = cr.Model(net, (28, 28, 1))
        lines = model.summary().splitlines()
        rows = [line.split() for line in lines]
        assert lines[-1] == "15,770 parameters, float32"
        assert [row[0] for row in rows[2:-1]] == ["input", "conv2d_1", "max_pool2d_1", "flatten_1", "dense_1"]
        assert "(14, 14, 8)" in lines[4]
        assert rows[3][-1] == "80"
        assert rows[6][-1] == "15,690"
        assert model.count() == 80 + 15_690

    def test_counts_what_batch_normalization_learns_but_not_its_statistics(self) -> None:
        assert cr.Model(cr.BatchNorm(), (5,)).count() == 10


class TestPredictions:
    def test_classification(self) -> None:
        model = cr.Model(cr.mlp([4, 3]), (4,))
        p = model.predict_proba(x)
        assert p.shape == (6, 3)
        np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-6)
        assert np.array_equal(model.predict(x), p.argmax(axis=1))

    def test_labels_come_back_as_they_were_given(self) -> None:
        target = Target("classification", ("ape", "bee", "cat"), 3)
        model = cr.Model(cr.mlp([4, 3]), (4,), target=target)
        codes = model.predict_proba(x).argmax(axis=1)
        assert model.predict(x).tolist() == [("ape", "bee", "cat")[i] for i in codes]

    def test_binary(self) -> None:
        model = cr.Model(cr.Dense(1, "sigmoid"), (4,), target=Target("binary", ("no", "yes"), 1))
        p = model.predict_proba(x)
        assert p.shape == (6, 1)
        assert model.predict(x).tolist() == ["yes" if v > 0.5 else "no" for v in p[:, 0]]

    def test_multilabel(self) -> None:
        model = cr.Model(cr.Dense(3, "sigmoid"), (4,), target=Target("multilabel", None, 3))
        assert np.array_equal(model.predict(x), (model.predict_proba(x) > 0.5).astype(int))

    def test_regression_with_one_and_with_several_outputs(self) -> None:
        one, two = cr.Model(cr.Dense(1), (4,)), cr.Model(cr.Dense(2), (4,))
        assert np.array_equal(one.predict(x), one.predict_proba(x)[:, 0])
        assert np.array_equal(two.predict(x), two.predict_proba(x))

    def test_integers_lists_and_other_precisions_are_taken(self) -> None:
        model = cr.Model(cr.Dense(2), (2,))
        expected = model.predict(np.array([[1.0, 2.0]], np.float32))
        for inputs in ([[1, 2]], np.array([[1, 2]], np.uint8), np.array([[1.0, 2.0]])):
            assert np.array_equal(model.predict(inputs), expected)
            assert model.predict(inputs).dtype == np.float32

    def test_blocks_and_engines_give_the_same(self) -> None:
        model = cr.Model(cr.mlp([4, 8, 3]), (4,))
        whole = model.predict_proba(x, engine="numpy")
        np.testing.assert_allclose(model.predict_proba(x, engine="numpy", batch_size=4), whole, rtol=1e-6)
        np.testing.assert_allclose(model.predict_proba(x, engine="jax"), whole, rtol=1e-5)
        with pytest.raises(UnknownNameError, match="did you mean 'numpy'"):
            model.predict_proba(x, engine="nunpy")

    def test_the_standardizer_is_applied(self) -> None:
        raw = x * 7 + 100
        scale = Standardizer.fit(raw)
        plain, scaled = cr.Model(cr.Dense(2), (4,)), cr.Model(cr.Dense(2), (4,), standardizer=scale)
        np.testing.assert_allclose(scaled.predict(raw), plain.predict(scale(raw)), rtol=1e-5)
        np.testing.assert_allclose(scaled(raw), scaled.predict(raw), rtol=1e-5)

    def test_extreme_inputs_make_no_warnings(self) -> None:
        model = cr.Model(cr.mlp([4, 3, 2], hidden="sigmoid"), (4,))
        assert np.all(np.isfinite(model.predict_proba(x * 1e30)))


class TestCall:
    def test_gradients_with_respect_to_the_input(self) -> None:
        model = cr.Model(cr.mlp([4, 5, 1], hidden="tanh", output=None), (4,), precision="float64")
        point = rng.normal(size=(2, 4))
        gradient = cr.grad(lambda q: model(q).sum())(point)
        for at in np.ndindex(point.shape):
            nudge = np.zeros_like(point)
            nudge[at] = 1e-6
            expected = (model(point + nudge).sum() - model(point - nudge).sum()) / 2e-6
            assert gradient[at] == pytest.approx(expected, rel=1e-6)

    def test_gradients_pass_through_the_standardizer(self) -> None:
        scale = Standardizer(np.array([1.0, 2.0]), np.array([4.0, 5.0]))
        model = cr.Model(cr.Dense(1), (2,), standardizer=scale, precision="float64")
        gradient = cr.grad(lambda q: model(q).sum())(np.zeros((1, 2)))
        np.testing.assert_allclose(gradient[0], model.params["dense_1"]["weight"][:, 0] / [4.0, 5.0], rtol=1e-12)

    def test_inside_jit(self) -> None:
        import jax

        model = cr.Model(cr.mlp([4, 3]), (4,))
        np.testing.assert_allclose(jax.jit(model)(x), model(x), rtol=1e-5)

    def test_the_layer_of_the_documentation(self) -> None:
        @dataclass(frozen=True)
        class Scale(cr.Layer, name="scale_of_test_model"):
            start: float = 1.0

            def init(self, key: Any, shape: Any) -> Any:
                return {"scale": np.full(shape[-1:], self.start)}, {}, shape

            def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
                return x * params["scale"], state

        model = cr.Model(cr.Sequential(Scale(3.0), cr.Dense(2, "softmax")), (4,))
        np.testing.assert_allclose(model.params["scale_of_test_model_1"]["scale"], [3.0] * 4)
        run = cr.fit(model, (x, [0, 1, 0, 1, 0, 1]), epochs=3, progress=False)
        assert not np.array_equal(run.model.params["scale_of_test_model_1"]["scale"], [3.0] * 4)
        del cr.Layer.registry["scale_of_test_model"]

    def test_a_layer_written_with_numpy_runs_on_both_engines(self) -> None:
        @dataclass(frozen=True)
        class SoftThreshold(cr.Layer, name="soft_threshold_of_test_model"):
            at: float = 0.1

            def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
                return np.sign(x) * np.maximum(np.abs(x) - self.at, 0), state

        net = cr.Sequential(cr.Dense(5), SoftThreshold(), cr.Dense(2, "softmax"))
        y = [0, 1, 0, 1, 0, 1]
        numpy, jax = (
            cr.fit(net, (x, y), epochs=3, batch_size=3, engine=engine, progress=False) for engine in ("numpy", "jax")
        )
        np.testing.assert_allclose(jax.history["loss"], numpy.history["loss"], rtol=1e-5)
        np.testing.assert_allclose(jax.model.predict_proba(x), numpy.model.predict_proba(x), rtol=1e-4)
        np.testing.assert_allclose(
            numpy.model.predict_proba(x, engine="jax"), numpy.model.predict_proba(x, engine="numpy"), rtol=1e-5
        )
        del cr.Layer.registry["soft_threshold_of_test_model"]


class TestValues:
    def test_parameters_are_named_by_layer(self) -> None:
        params = cr.Model(cr.Sequential(cr.Dense(3), cr.Residual(cr.Dense(3))), (4,)).params
        assert {k: list(v) for k, v in params.items()} == {"dense_1": ["weight", "bias"], "residual_1": ["dense_1"]}

    def test_initial_values_follow_from_the_seed(self) -> None:
        weights = [cr.Model(cr.Dense(3), (4,), seed=s).params["dense_1"]["weight"] for s in (0, 0, 1)]
        assert np.array_equal(weights[0], weights[1])
        assert not np.array_equal(weights[0], weights[2])

    def test_precision(self) -> None:
        narrow, wide = (cr.Model(cr.Dense(3), (4,), precision=p) for p in ("float32", "float64"))
        assert wide.params["dense_1"]["weight"].dtype == np.float64
        assert np.array_equal(wide.params["dense_1"]["weight"].astype(np.float32), narrow.params["dense_1"]["weight"])
        with pytest.raises(UnknownNameError, match="did you mean 'float32'"):
            cr.Model(cr.Dense(3), (4,), precision="float23")

    def test_given_parameters_are_copied(self) -> None:
        weight = np.ones((2, 1))
        model = cr.Model(cr.Dense(1), (2,), params={"dense_1": {"weight": weight, "bias": [0.0]}}, precision="float64")
        weight[0] = 100.0
        assert model([[1.0, 1.0]] * np.ones((1, 2))).item() == 2.0
        model.params["dense_1"]["weight"][0] = 5.0  # a model's own parameters may be written to
        assert model(np.ones((1, 2))).item() == 6.0

    @pytest.mark.parametrize(
        ("params", "says"),
        [
            ({"dense_1": {"weight": np.ones((3, 1)), "bias": [0.0]}}, r"dense_1\.weight has shape \(3, 1\).*\(2, 1\)"),
            ({"dense_1": {"weight": np.ones((2, 1))}}, r"dense_1: 'bias' is missing"),
            ({"dense_2": {"weight": np.ones((2, 1))}}, r"no 'dense_2'; did you mean 'dense_1'"),
        ],
    )
    def test_parameters_that_do_not_fit(self, params: Any, says: str) -> None:
        with pytest.raises(ShapeError, match=says):
            cr.Model(cr.Dense(1), (2,), params=params)

    def test_a_seed_that_cannot_be(self) -> None:
        for seed in (-1, 1.5, "one", True):
            with pytest.raises(SettingError, match=r"A seed is an integer"):
                cr.Model(cr.Dense(1), (2,), seed=seed)


class TestBadInput:
    model = cr.Model(cr.mlp([4, 3]), (4,))
    images = cr.Model(cr.Sequential(cr.Flatten(), cr.Dense(3)), (5, 5, 1))

    def test_wrong_shapes_say_what_came_and_what_is_expected(self) -> None:
        with pytest.raises(ShapeError, match=r"\(samples, 4\), got \(6, 3\)"):
            self.model.predict(x[:, :3])
        with pytest.raises(ShapeError, match=r"\(samples, 4\), got \(6, 3\)"):
            self.model(x[:, :3])

    def test_a_single_sample_needs_a_batch_axis(self) -> None:
        with pytest.raises(ShapeError, match=r"x\[None\]"):
            self.model.predict(x[0])
        with pytest.raises(ShapeError, match=r"x\[None\]"):
            self.model(x[0])
        with pytest.raises(ShapeError, match=r"x\[None\]"):
            self.images.predict(np.zeros((5, 5, 1)))

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_values_that_are_not_finite_are_counted_and_placed(self, value: float) -> None:
        wrong = x.copy()
        wrong[2, 1] = value
        with pytest.raises(DataError, match=r"not finite: 1 (NaN|infinite).*row 2, column 1"):
            self.model.predict(wrong)

    def test_empty_and_text(self) -> None:
        with pytest.raises(DataError, match="empty"):
            self.model.predict(np.zeros((0, 4)))
        with pytest.raises(DataError, match="text 'a'"):
            self.model.predict([["a", "b", "c", "d"]])
