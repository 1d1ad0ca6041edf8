"""Single layers: statistics, dropout, shortcuts, names, and what is said about settings that cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.errors import SettingError, ShapeError, UnknownNameError
from chainrule.layers import split_output
from chainrule.layers.samples import counting
from chainrule.models.forward import forward

KEY = cr.random.key(11)
rng = np.random.default_rng(0)


class TestBatchNorm:
    def test_running_statistics_are_averages_of_the_batches(self) -> None:
        layer = cr.layers.BatchNorm(momentum=0.8)
        params, state, _ = layer.build(KEY, (3,))
        mean, variance = np.zeros(3), np.ones(3)
        for seed in range(3):
            x = np.random.default_rng(seed).normal(2.0, 3.0, size=(6, 3))
            _, state = forward(layer, params, state, x, train=True)
            mean = 0.8 * mean + 0.2 * x.mean(axis=0)
            variance = 0.8 * variance + 0.2 * x.var(axis=0, ddof=1)
        np.testing.assert_allclose(state["mean"], mean, rtol=1e-12)
        np.testing.assert_allclose(state["variance"], variance, rtol=1e-12)

    def test_predictions_use_the_running_statistics_and_leave_them(self) -> None:
        layer = cr.layers.BatchNorm()
        params = {"gamma": np.array([2.0, 1.0]), "beta": np.array([0.5, 0.0])}
        state = {"mean": np.array([1.0, -1.0]), "variance": np.array([4.0, 9.0])}
        x = rng.normal(size=(4, 2))
        out, new = forward(layer, params, state, x)
        expected = params["gamma"] * (x - state["mean"]) / np.sqrt(state["variance"] + 1e-5) + params["beta"]
        np.testing.assert_allclose(out, expected, rtol=1e-12)
        assert all(np.array_equal(new[k], state[k]) for k in state)

    def test_images_have_one_mean_per_channel(self) -> None:
        layer = cr.layers.BatchNorm(momentum=0.0)
        params, state, _ = layer.build(KEY, (4, 5, 2))
        x = rng.normal(size=(3, 4, 5, 2))
        out, state = forward(layer, params, state, x, train=True)
        np.testing.assert_allclose(state["mean"], x.mean(axis=(0, 1, 2)), rtol=1e-12)
        np.testing.assert_allclose(state["variance"], x.var(axis=(0, 1, 2), ddof=1), rtol=1e-12)
        np.testing.assert_allclose(out.mean(axis=(0, 1, 2)), 0.0, atol=1e-12)
        np.testing.assert_allclose(out.var(axis=(0, 1, 2)), 1.0, rtol=1e-4)

    def test_one_value_of_a_feature_has_no_variance(self) -> None:
        layer = cr.layers.BatchNorm()
        params, state, _ = layer.build(KEY, (3,))
        with pytest.raises(ShapeError, match=r"two values of each feature.*larger batches.*LayerNorm"):
            forward(layer, params, state, np.ones((1, 3)), train=True)
        assert forward(layer, params, state, np.ones((1, 3)))[0].shape == (1, 3)  # a prediction of one is fine
        image = rng.normal(size=(1, 4, 4, 3))
        out, _ = forward(layer, params, state, image, train=True)
        np.testing.assert_allclose(out.mean(axis=(0, 1, 2)), 0.0, atol=1e-12)

    def test_the_averages_leave_out_a_batch_in_which_one_sample_counts(self) -> None:
        layer = cr.layers.BatchNorm()
        params, state, _ = layer.build(KEY, (3,))
        x = rng.normal(size=(4, 3))
        for counts, moves in ((0, False), (1, False), (2, True)):
            with counting((np.arange(4) < counts).astype(float)):
                _, new = forward(layer, params, state, x, train=True)
            assert np.array_equal(new["variance"], state["variance"]) == (not moves)
            assert np.array_equal(new["mean"], state["mean"]) == (not moves)


class TestDropout:
    x = np.full((200, 300), 3.0, np.float32)

    def drop(self, rate: float, key: Any = KEY, x: Any = None) -> Any:
        return forward(cr.layers.Dropout(rate), {}, {}, self.x if x is None else x, key=key, train=True)[0]

    @pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
    def test_drops_the_stated_share_and_keeps_the_mean(self, rate: float) -> None:
        out = self.drop(rate)
        share = np.mean(out == 0)
        spread = np.sqrt(rate * (1 - rate) / out.size)
        assert abs(share - rate) < 4 * spread
        remaining = out[out != 0]
        np.testing.assert_allclose(remaining, 3.0 / (1 - rate), rtol=1e-6)  # inverted scaling
        assert abs(out.mean() - 3.0) < 4 * 3.0 * spread / (1 - rate)

    def test_the_mask_follows_from_the_key_and_is_the_same_on_both_engines(self) -> None:
        import jax.numpy as jnp

        ours = self.drop(0.3)
        assert np.array_equal(ours, self.drop(0.3))
        assert not np.array_equal(ours, self.drop(0.3, cr.random.key(12)))
        theirs = self.drop(0.3, jnp.asarray(KEY), jnp.asarray(self.x))
        assert np.array_equal(ours != 0, np.asarray(theirs) != 0)
        np.testing.assert_allclose(theirs, ours, rtol=1e-6)

    def test_predictions_are_left_alone(self) -> None:
        out, _ = forward(cr.layers.Dropout(0.9), {}, {}, self.x)
        assert np.array_equal(out, self.x)

    def test_a_rate_of_zero_changes_nothing(self) -> None:
        assert np.array_equal(self.drop(0.0), self.x)

    def test_two_layers_of_one_network_drop_different_units(self) -> None:
        one = cr.Sequential(cr.Dropout(0.5))
        two = cr.Sequential(cr.Dropout(0.5), cr.Dropout(0.5))
        once = forward(one, {}, {}, self.x, key=KEY, train=True)[0]
        twice = forward(two, {}, {}, self.x, key=KEY, train=True)[0]
        assert np.mean(once != 0) == pytest.approx(0.5, abs=0.01)
        assert np.mean(twice != 0) == pytest.approx(0.25, abs=0.01)

    def test_without_a_key_nothing_is_dropped(self) -> None:
        """So `Model.backprop` shows the whole network as it is in training."""
        out, _ = forward(cr.layers.Dropout(0.5), {}, {}, self.x, train=True)
        assert np.array_equal(out, self.x)

    @pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, "half", True])
    def test_rates_that_cannot_be(self, rate: Any) -> None:
        with pytest.raises(SettingError, match="Dropout"):
            cr.Dropout(rate)


class TestContainers:
    def test_layers_are_named_by_kind_and_number(self) -> None:
        net = cr.Sequential(cr.Dense(2), cr.Dropout(), cr.Dense(2), cr.Conv2D(1, 1), cr.Sequential(cr.Dense(1)))
        assert net.names == ("dense_1", "dropout_1", "dense_2", "conv2d_1", "sequential_1")

    def test_layers_may_come_in_a_list(self) -> None:
        layers = [cr.Dense(2), cr.Dense(3)]
        assert cr.Sequential(layers) == cr.Sequential(*layers) == cr.Sequential(tuple(layers))

    def test_sequences(self) -> None:
        net = cr.Sequential(cr.Dense(2), cr.Dense(3))
        assert len(net) == 2
        assert net[-1] == cr.Dense(3)
        assert [layer.units for layer in net] == [2, 3]

    def test_an_item_that_is_no_layer(self) -> None:
        with pytest.raises(SettingError, match=r"item 1 must be a layer.*Call it: Dense\(\.\.\.\)"):
            cr.Sequential(cr.Dense(2), cr.Dense)
        with pytest.raises(SettingError, match="item 0 must be a layer, got 'relu'"):
            cr.Sequential("relu")

    def test_equal_parameters_of_different_layers_start_differently(self) -> None:
        params = cr.Model(cr.Sequential(cr.Dense(4), cr.Dense(4)), (4,)).params
        assert not np.array_equal(params["dense_1"]["weight"], params["dense_2"]["weight"])

    def test_a_shortcut_that_does_not_fit_says_what_to_write(self) -> None:
        with pytest.raises(ShapeError, match=r"residual_1: .*\(4,\) and \(3,\).*shortcut=Dense\(3\)"):
            cr.Model(cr.Sequential(cr.Residual(cr.Dense(3))), (4,))
        assert cr.Model(cr.Residual(cr.Dense(3), shortcut=cr.Dense(3)), (4,)).output_shape == (3,)

    def test_residual_adds_its_input(self) -> None:
        model = cr.Model(cr.Residual(cr.Dense(3, init="zeros")), (3,))
        x = rng.normal(size=(2, 3)).astype(np.float32)
        assert np.array_equal(model(x), x)

    def test_concat_says_which_shapes_do_not_fit(self) -> None:
        with pytest.raises(ShapeError, match=r"concat_1: Concat joins the last axis.*\(4, 4, 1\).*\(2, 2, 1\)"):
            cr.Model(cr.Concat(cr.Conv2D(1, 3), cr.Conv2D(1, 3, stride=2)), (4, 4, 1))

    def test_mlp(self) -> None:
        assert cr.mlp([4, 5, 2], hidden="tanh", output=None, init="he_normal") == cr.Sequential(
            cr.Dense(5, "tanh", inputs=4, init="he_normal"), cr.Dense(2, None, init="he_normal")
        )
        with pytest.raises(SettingError, match=r"number of inputs and of outputs"):
            cr.mlp([4])


def weights_of(net: Any, shape: tuple[int, ...] = (8, 8, 4)) -> dict[str, np.ndarray]:
    """Every weight of a network by its path."""
    params = cr.Model(cr.Sequential(net), shape, precision="float64").params
    return {".".join(path[:-1]): w for path, w in tree.leaves_with_path(params) if path[-1] == "weight"}


class TestInitialization:
    """ "auto" fits the activation that the outputs meet, whether a setting of the layer or a layer behind it."""

    @pytest.mark.parametrize(
        "between",
        [
            (),
            (cr.BatchNorm(),),
            (cr.LayerNorm(), cr.Dropout(0.1)),
            (cr.MaxPool2D(2), cr.Flatten()),
            (cr.AvgPool2D(2), cr.layers.Rescale()),
            (cr.GlobalAvgPool2D(),),
            (cr.Sequential(cr.BatchNorm()),),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("name", ["relu", "selu"])
    def test_an_activation_layer_counts_like_the_setting(self, between: Any, name: str) -> None:
        as_setting = weights_of(cr.Sequential(cr.Conv2D(16, 3, name)))
        behind = weights_of(cr.Sequential(cr.Conv2D(16, 3), *between, cr.Activation(name)))
        alone = weights_of(cr.Sequential(cr.Conv2D(16, 3)))
        assert list(as_setting) == list(behind) == list(alone)
        for path, w in behind.items():
            assert np.array_equal(as_setting[path], w)
            assert not np.array_equal(alone[path], w)

    def test_the_variance_is_that_of_he_in_a_residual_block_and_around_it(self) -> None:
        """The block of docs/api.md, and He's own: the last convolution and the shortcut meet the ReLU after the sum."""
        body = (cr.Conv2D(64, 3), cr.BatchNorm(), cr.Activation("relu"), cr.Conv2D(64, 3), cr.BatchNorm())
        inside = weights_of(cr.Residual(cr.Conv2D(4, 3), cr.BatchNorm(), cr.Activation("relu")))
        assert len(inside) == 1
        block = cr.Sequential(cr.Residual(*body, shortcut=cr.Conv2D(64, 1)), cr.Activation("relu"))
        weights = weights_of(block)
        assert len(weights) == 3
        for w in [*inside.values(), *weights.values()]:
            fan_in = np.prod(w.shape[:-1])
            assert w.var() * fan_in == pytest.approx(2.0, rel=0.25)
        (alone, *_) = weights_of(cr.Residual(*body[:3], cr.Conv2D(4, 3), cr.BatchNorm())).values()
        assert alone.var() * 36 == pytest.approx(2.0, rel=0.25)

    def test_branches_and_nested_networks(self) -> None:
        dense = cr.Dense(4, init="auto")
        for net in (
            cr.Sequential(cr.Concat(dense, cr.Sequential(dense, cr.BatchNorm())), cr.Activation("relu")),
            cr.Sequential(cr.layers.Average(dense, dense), cr.Activation("relu")),
            cr.Sequential(dense, cr.Sequential(cr.BatchNorm(), cr.Sequential(cr.Activation("relu"), cr.Dropout(0.1)))),
            cr.Sequential(
                cr.Sequential(dense, cr.Dropout(0.5)), cr.Residual(cr.Activation("relu"), cr.Dense(4, "tanh"))
            ),
        ):
            resolved = repr(net.fit_init(None))
            assert resolved.count("Dense(4, init='he_normal')") == repr(net).count("Dense(4)")
        differ = cr.Concat(cr.Activation("relu"), cr.Activation("tanh"))
        assert cr.Sequential(dense, differ).fit_init(None) == cr.Sequential(dense, differ)

    @pytest.mark.parametrize(
        "net",
        [
            cr.Sequential(cr.Dense(3, init="orthogonal"), cr.Activation("relu")),
            cr.Sequential(cr.Dense(3, "tanh"), cr.Activation("relu")),
            cr.Sequential(cr.Dense(3), cr.Dense(3, init="zeros"), cr.Activation("relu")),
            cr.Sequential(cr.Dense(3), cr.Embedding((4,)), cr.Activation("relu")),
        ],
        ids=str,
    )
    def test_what_is_given_or_does_not_meet_it_stays(self, net: Any) -> None:
        assert net.fit_init(None) == net

    def test_the_recipe_and_its_file_stay_as_they_were(self) -> None:
        net = cr.Sequential(cr.Dense(3), cr.Activation("relu"))
        model = cr.Model(net, (2,))
        assert model.net == net == cr.Layer.from_dict(net.to_dict())
        assert net[0].init == "auto"


class TestSplitOutput:
    @pytest.mark.parametrize("name", ["softmax", "sigmoid"])
    def test_takes_the_activation_of_the_last_layer(self, name: str) -> None:
        net = cr.Sequential(cr.Dense(3, "relu"), cr.Dense(2, name))
        body, activation = split_output(net)
        assert body == cr.Sequential(cr.Dense(3, "relu"), cr.Dense(2, "linear"))
        assert activation == cr.activations.get(name)
        assert body.names == net.names

    def test_reaches_into_nested_networks_and_activation_layers(self) -> None:
        net = cr.Sequential(cr.Dense(3), cr.Sequential(cr.Dense(2), cr.Activation("softmax")))
        body, activation = split_output(net)
        assert activation.name == "softmax"
        assert body == cr.Sequential(cr.Dense(3), cr.Sequential(cr.Dense(2), cr.Activation("linear")))

    @pytest.mark.parametrize("name", [None, "relu", "tanh"])
    def test_leaves_the_others(self, name: str | None) -> None:
        net = cr.Sequential(cr.Dense(2, name))
        body, activation = split_output(net)
        assert body is net
        assert activation.name == "linear"

    def test_the_split_network_computes_the_same(self) -> None:
        net = cr.Sequential(cr.Dense(3, "relu"), cr.Dense(2, "softmax"))
        model = cr.Model(net, (4,), precision="float64")
        body, activation = split_output(net)
        x = rng.normal(size=(5, 4))
        assert np.array_equal(activation(forward(body, model.params, {}, x)[0]), model(x))


class TestBadInput:
    @pytest.mark.parametrize(
        "make",
        [
            lambda: cr.Dense(0),
            lambda: cr.Dense(2.5),
            lambda: cr.Dense(True),
            lambda: cr.Conv2D(0, 3),
            lambda: cr.Conv2D(3, 0),
            lambda: cr.Conv2D(3, 3, stride=0),
            lambda: cr.Conv2D(3, 3, padding="full"),
            lambda: cr.Conv2D(3, (3, 3, 3)),
            lambda: cr.MaxPool2D(0),
            lambda: cr.Maxout(3, pieces=0),
            lambda: cr.BatchNorm(momentum=1.5),
            lambda: cr.BatchNorm(eps=-1.0),
            lambda: cr.LayerNorm(eps="tiny"),
            lambda: cr.Reshape([2, 2]),
            lambda: cr.Reshape((2, 0)),
            lambda: cr.Reshape(4),
        ],
    )
    def test_settings_that_cannot_be_name_the_layer_and_the_setting(self, make: Any) -> None:
        with pytest.raises(SettingError, match=r"^[A-Z]\w+: \w+ (must be|is one number or two).* got "):
            make()

    @pytest.mark.parametrize(
        ("make", "nearest"),
        [
            (lambda: cr.Dense(3, "rleu"), "relu"),
            (lambda: cr.Dense(3, init="he_norml"), "he_normal"),
            (lambda: cr.Conv2D(3, 3, "sofmax"), "softmax"),
            (lambda: cr.Activation("tan"), "tanh"),
        ],
    )
    def test_unknown_names_offer_the_nearest(self, make: Any, nearest: str) -> None:
        with pytest.raises(UnknownNameError, match=f"did you mean '{nearest}'"):
            make()

    @pytest.mark.parametrize(
        ("net", "shape", "says"),
        [
            (cr.mlp([784, 10]), (28, 28), r"dense_1: .*expects 784 inputs.*\(28, 28\).*Flatten"),
            (cr.mlp([4, 3]), (5,), r"dense_1: .*expects 4 inputs.*\(5,\)"),
            (cr.Conv2D(2, 3), (28, 28), r"conv2d_1: .*x\[\.\.\., None\].*\(28, 28\)"),
            (cr.Conv2D(2, 5, padding="valid"), (3, 3, 1), r"conv2d_1: .*window of 5 .*height of 3"),
            (cr.MaxPool2D(5, padding="valid"), (3, 3, 1), r"max_pool2d_1: .*window of 5 .*height of 3"),
            (cr.Reshape((3, 3)), (8,), r"reshape_1: .*8 values.*\(8,\)"),
            (cr.Activation("glu"), (3,), r"activation_1: .*halves the features.*\(3,\)"),
            (cr.Sequential(cr.Flatten(), cr.Conv2D(2, 3)), (4, 4, 1), r"conv2d_1: .*\(16,\)"),
        ],
    )
    def test_a_shape_that_does_not_fit_names_the_layer_and_both_shapes(self, net: Any, shape: Any, says: str) -> None:
        with pytest.raises(ShapeError, match=says):
            cr.Model(net, shape)

    def test_a_layer_that_declares_a_wrong_shape_shows_where_it_does_not_fit(self) -> None:
        @dataclass(frozen=True)
        class Liar(cr.Layer, name="liar_of_test_layers"):
            def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
                return x[:, :2], state

        model = cr.Model(cr.Sequential(Liar(), cr.Dense(3)), (4,))
        with pytest.raises(ShapeError, match=r"dense_1: .*\(5, 2\) and \(4, 3\)"):
            model.predict(np.ones((5, 4)))
        del cr.Layer.registry["liar_of_test_layers"]

    def test_a_layer_that_returns_something_else_is_told_what_to_return(self) -> None:
        class Half(cr.Layer, name="half_of_test_layers"):
            def init(self, key: Any, shape: Any) -> Any:
                return {}, {}

        class NoState(cr.Layer, name="no_state_of_test_layers"):
            def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
                return x

        with pytest.raises(SettingError, match=r"Half\.init must return \(parameters, state, output shape\)"):
            cr.Model(Half(), (4,))
        with pytest.raises(SettingError, match=r"NoState\.apply must return \(output, state\)"):
            cr.Model(NoState(), (4,)).predict(np.ones((2, 4)))
        del cr.Layer.registry["half_of_test_layers"], cr.Layer.registry["no_state_of_test_layers"]

    def test_a_layer_without_apply_says_so(self) -> None:
        class Empty(cr.Layer, name="empty_of_test_layers"):
            pass

        with pytest.raises(NotImplementedError, match=r"Empty does not define apply\(\)"):
            cr.Model(Empty(), (4,)).predict(np.ones((1, 4)))
        del cr.Layer.registry["empty_of_test_layers"]
