"""Embedding: a learned vector for each category, equal to one-hot inputs with a Dense layer behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.backprop.tensor import unwrap
from chainrule.errors import ChainruleWarning, SettingError, ShapeError
from chainrule.models.forward import forward
from chainrule.testing import check_layer

KEY = cr.random.key(1)
Embedding = cr.layers.Embedding


def built(layer: Any, features: int) -> tuple[Any, Any]:
    params, state, _ = layer.build(KEY, (features,))
    return params, state


def test_vectors_stand_in_the_place_of_their_codes() -> None:
    layer = Embedding((3, 5), (2, 4))
    params, state = built(layer, 4)
    x = np.array([[0.5, -7.0, 2, 0], [1.5, 8.0, 0, 4]])
    out, _ = forward(layer, params, state, x)
    first, second = params["column_1"]["weight"], params["column_2"]["weight"]
    assert out.shape == (2, 2 + 2 + 4)
    np.testing.assert_array_equal(out, [[0.5, -7.0, *first[2], *second[0]], [1.5, 8.0, *first[0], *second[4]]])


def test_only_codes_makes_a_plain_embedding() -> None:
    layer = Embedding((10,), (3,))
    params, state = built(layer, 1)
    out, _ = forward(layer, params, state, np.array([[7.0], [7.0], [1.0]]))
    np.testing.assert_array_equal(out, params["column_1"]["weight"][[7, 7, 1]])


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_gradients_equal_those_of_one_hot_inputs(engine: str, x64: None) -> None:
    """Twice the same category in a batch: its vector gets the sum of both gradients."""
    import jax.numpy as jnp

    layer = Embedding((4,), (3,))
    params, state = built(layer, 2)
    rng = np.random.default_rng(0)
    x, factors = np.array([[0.3, 1], [0.2, 3], [0.1, 1]]), rng.normal(size=(3, 4))
    if engine == "jax":
        x = jnp.asarray(x)

    def cost(params: Any, x: Any) -> Any:
        out, _ = layer.apply(params, state, x, key=None, train=True)
        return (cr.ops.tanh(out) * factors).sum()

    one_hot = np.eye(4)[[1, 3, 1]]
    gradient, of_x = cr.grad(cost, argnums=(0, 1))(params, x)
    expected = cr.grad(lambda w: (cr.ops.tanh(cr.ops.matmul(one_hot, w)) * factors[:, 1:]).sum())(
        params["column_1"]["weight"]
    )
    np.testing.assert_allclose(gradient["column_1"]["weight"], expected, rtol=1e-12, atol=1e-15)
    assert not np.asarray(gradient["column_1"]["weight"])[[0, 2]].any()
    np.testing.assert_array_equal(np.asarray(of_x)[:, 1], 0)
    assert np.asarray(of_x)[:, 0].all()


@pytest.mark.parametrize("layer", [Embedding((2, 3), (4, 2)), Embedding((6,))], ids=str)
def test_layer_keeps_to_the_contract(layer: Any) -> None:
    assert check_layer(layer, (4,)).ok


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_codes_out_of_range_go_to_the_nearest(engine: str) -> None:
    import jax.numpy as jnp

    layer = Embedding((3,), (2,))
    params, state = built(layer, 1)
    x = np.array([[-5.0], [0.4], [1.6], [9.0]], np.float32)
    out, _ = forward(layer, params, state, jnp.asarray(x) if engine == "jax" else x)
    np.testing.assert_allclose(out, params["column_1"]["weight"][[0, 0, 2, 2]], rtol=1e-6)


def test_both_engines_train_it_to_the_same_weights() -> None:
    """Whether two categories are equal cannot be told from numbers; their vectors learn it."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 8, size=(400, 2))
    x = np.column_stack([rng.normal(size=400), codes]).astype(np.float32)
    y = (codes[:, 0] % 2 == codes[:, 1] % 2).astype(int)
    net = cr.Sequential(Embedding((8, 8), (3, 3)), cr.Dense(16, "tanh"), cr.Dense(2, "softmax"))
    settings = {"epochs": 30, "optimizer": cr.Adam(lr=0.02), "seed": 1, "normalize": False, "progress": False}
    runs = [cr.fit(net, (x, y), engine=engine, validation=0.2, **settings) for engine in ("numpy", "jax")]
    for run in runs:
        assert (run.model.predict(x) == y).mean() > 0.97
    a, b = (run.model.params["embedding_1"]["column_1"]["weight"] for run in runs)
    np.testing.assert_allclose(a, b, atol=1e-2)


def test_a_network_with_one_is_saved_and_read(tmp_path: Any) -> None:
    net = cr.Sequential(Embedding((3, 100)), cr.Dense(2, "softmax"))
    model = cr.Model(net, input_shape=(5,))
    model.save(tmp_path / "m.safetensors")
    again = cr.load_model(tmp_path / "m.safetensors")
    x = np.array([[0.1, 0.2, 0.3, 2, 77]])
    assert again.net == model.net
    np.testing.assert_array_equal(again.predict_proba(x), model.predict_proba(x))


def test_auto_follows_its_rule() -> None:
    counts = (1, 2, 3, 10, 42, 100, 1000, 10**6)
    assert Embedding(counts).widths == tuple(min(50, round(1.6 * n**0.56)) for n in counts)
    assert Embedding(counts[:-1]).build(KEY, (7,))[2] == (sum(Embedding(counts[:-1]).widths),)


def test_vectors_start_with_a_length_around_one() -> None:
    params, _ = built(Embedding((2000,), (16,)), 1)
    lengths = np.square(params["column_1"]["weight"]).sum(axis=1)
    assert 0.9 < lengths.mean() < 1.1


def test_bfloat16_is_refused_where_it_would_mix_up_codes() -> None:
    import jax.numpy as jnp

    x = jnp.array([[3.0]], jnp.bfloat16)
    small, large = Embedding((257,), (2,)), Embedding((258,), (2,))
    params, state = built(small, 1)
    out, _ = forward(small, params, state, x)
    np.testing.assert_allclose(out, params["column_1"]["weight"][[3]], rtol=1e-2)
    with pytest.raises(SettingError, match="258 categories, but bfloat16 counts to 256 only"):
        forward(large, built(large, 1)[0], state, x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5,), "categories must be whole numbers of at least 1 in a tuple"),
        (((),), "categories must be"),
        (((3, 0),), "categories must be"),
        (((3, 4), (2,)), "units has 1 numbers for 2 categories"),
        (((3,), "many"), "units must be whole numbers"),
        (((3,), (2.5,)), "units must be whole numbers"),
    ],
)
def test_wrong_settings(arguments: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Embedding(*arguments)


@pytest.mark.parametrize("shape", [(1,), (4, 4)])
def test_wrong_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="last 2 features are codes"):
        Embedding((3, 4)).build(KEY, shape)


# Codes stay as they are where `fit` standardizes


RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(100.0, 20.0, size=(60, 2))
CODES = RNG.integers(0, 5, size=(60, 1))
CLASSES = (CODES[:, 0] % 2).astype(int)
SHORT: dict[str, Any] = {"epochs": 2, "engine": "numpy", "progress": False}


@pytest.mark.parametrize(
    "net",
    [
        cr.Sequential(Embedding((5,), (3,)), cr.Dense(2, "softmax")),
        cr.Sequential(cr.Sequential(cr.Dropout(0.0), Embedding((5,), (3,))), cr.Dense(2, "softmax")),
        cr.Sequential(cr.Concat(Embedding((5,), (3,)), cr.Dense(2)), cr.Dense(2, "softmax")),
        cr.Sequential(cr.layers.Average(Embedding((5,), (3,)), Embedding((5,), (3,))), cr.Dense(2, "softmax")),
    ],
    ids=str,
)
def test_fit_standardizes_the_numbers_and_leaves_the_codes(net: Any) -> None:
    run = cr.fit(net, (np.column_stack([NUMBERS, CODES]), CLASSES), **SHORT)
    scale = run.model.standardizer
    np.testing.assert_allclose(scale.mean, [*NUMBERS.mean(axis=0), 0.0])
    np.testing.assert_allclose(scale.std, [*NUMBERS.std(axis=0), 1.0])


def test_integers_that_are_all_codes_reach_the_layer_as_they_are() -> None:
    net = cr.Sequential(Embedding((5,), (4,)), cr.Dense(2, "softmax"))
    run = cr.fit(net, (CODES, CLASSES), **SHORT | {"epochs": 60, "optimizer": cr.Adam(0.05)})
    assert run.model.standardizer is None
    assert run.evaluate(CODES, CLASSES)["accuracy"] == 1.0
    plain = cr.fit(net, (CODES, CLASSES), normalize=False, **SHORT)
    population = cr.fit_population(net, (CODES, CLASSES), 2, **SHORT)
    assert population[0].history["loss"] == pytest.approx(plain.history["loss"])
    with pytest.raises(SettingError, match="codes of categories"):
        cr.fit(net, (CODES, CLASSES), augment="noise:0.1", **SHORT)


def test_a_layer_of_ones_own_says_what_is_a_code_or_is_asked() -> None:
    @dataclass(frozen=True)
    class Tokens(cr.Layer):
        def init(self, key: Any, shape: Any) -> Any:
            return {"weight": np.ones((5, 2))}, {}, (2 * shape[-1],)

        def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
            rows = cr.ops.take(params["weight"], unwrap(x).astype(int), axis=0)
            return rows.reshape(len(x), -1), state

    @dataclass(frozen=True)
    class Known(Tokens):
        codes = 10**6  # all

    try:
        with pytest.warns(ChainruleWarning, match=r"whole numbers up to 4.*Tokens.*codes: ClassVar.*normalize=False"):
            cr.fit(cr.Sequential(Tokens(), cr.Dense(2, "softmax")), (CODES, CLASSES), **SHORT)
        for settings, layer in (({}, Known()), ({"normalize": False}, Tokens())):
            run = cr.fit(cr.Sequential(layer, cr.Dense(2, "softmax")), (CODES, CLASSES), **SHORT | settings)
            assert run.model.standardizer is None
    finally:
        for name in ("tokens", "known"):
            cr.Layer.registry.pop(name, None)
