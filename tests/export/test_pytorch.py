"""Weights in PyTorch's layout, by its formulas in NumPy and JAX (PyTorch itself runs in bench/pytorch_weights.py)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.data import Standardizer
from chainrule.errors import SettingError
from chainrule.export import save_torch_weights, to_torch_state_dict
from chainrule.models import ensemble

RNG = np.random.default_rng(0)


def model_of(net: Any, shape: tuple[int, ...], **settings: Any) -> cr.Model:
    """A model none of whose values is what it starts with, in float64."""
    model = cr.Model(net, input_shape=shape, precision="float64", **settings)
    model.params = tree.map(lambda v: v + 0.3 * RNG.normal(size=v.shape), model.params)
    model.state = tree.map(lambda v: v + 0.5 * RNG.random(size=v.shape), model.state)
    return model


class Torch:
    """PyTorch's functions by their definitions, with the values of a state dict. Images are (n, c, h, w)."""

    def __init__(self, values: dict[str, np.ndarray]) -> None:
        self.values, self.used = values, set[str]()

    def __getitem__(self, name: str) -> np.ndarray:
        self.used.add(name)
        return self.values[name]

    def linear(self, name: str, x: Any) -> Any:
        return x @ self[f"{name}.weight"].T + self[f"{name}.bias"]

    def conv2d(self, name: str, x: Any, padding: str = "SAME", stride: int = 1) -> Any:
        import jax

        with jax.enable_x64(True):
            z = jax.lax.conv_general_dilated(x, self[f"{name}.weight"], (stride, stride), padding)
        return np.asarray(z) + self[f"{name}.bias"][:, None, None]

    def batch_norm(self, name: str, x: Any) -> Any:
        wide = (-1, 1, 1) if x.ndim == 4 else (-1,)
        weight, bias, mean, variance = (
            self[f"{name}.{part}"].reshape(wide) for part in ("weight", "bias", "running_mean", "running_var")
        )
        assert self[f"{name}.num_batches_tracked"].dtype == np.int64
        return (x - mean) / np.sqrt(variance + 1e-5) * weight + bias

    def layer_norm(self, name: str, x: Any) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        return self[f"{name}.weight"] * centred / np.sqrt(x.var(-1, keepdims=True) + 1e-5) + self[f"{name}.bias"]

    def prelu(self, name: str, x: Any) -> Any:
        slope = self[f"{name}.weight"].reshape((-1, 1, 1) if x.ndim == 4 else (-1,))
        return np.where(x > 0, x, slope * x)


def relu(x: Any) -> Any:
    return np.maximum(x, 0)


def flat(x: Any) -> Any:
    return x.reshape(len(x), -1)


def compare(model: cr.Model, x: np.ndarray, theirs: Any) -> None:
    """``theirs`` gets the state dict and the samples with their channels first, and must use all values."""
    torch = Torch(to_torch_state_dict(model))
    moved = np.moveaxis(x, -1, 1) if x.ndim == 4 else x
    out = theirs(torch, moved)
    np.testing.assert_allclose(out, model.predict_proba(x, engine="numpy"), rtol=1e-10, atol=1e-12)
    assert torch.used == set(torch.values)


def test_a_convolutional_network_with_images_in_both_orders() -> None:
    images = RNG.normal(size=(3, 6, 5, 2))
    net = cr.Sequential(
        cr.Conv2D(4, 3, "relu"),
        cr.BatchNorm(),
        cr.Conv2D(3, 3, "prelu", stride=2, padding="valid"),
        cr.Dropout(0.3),
        cr.Flatten(),
        cr.BatchNorm(),
        cr.Activation("prelu"),
        cr.Dense(7, "relu"),
        cr.LayerNorm(),
        cr.Dense(2),
    )
    model = model_of(net, (6, 5, 2), standardizer=Standardizer.fit(images))

    def theirs(t: Torch, x: Any) -> Any:
        x = (x - t["standardizer.mean"]) / t["standardizer.std"]
        x = t.batch_norm("batch_norm_1", relu(t.conv2d("conv2d_1", x)))
        x = t.prelu("conv2d_2_prelu", t.conv2d("conv2d_2", x, "VALID", 2))
        x = t.prelu("activation_1", t.batch_norm("batch_norm_2", flat(x)))
        return t.linear("dense_2", t.layer_norm("layer_norm_1", relu(t.linear("dense_1", x))))

    compare(model, images, theirs)


def test_a_table_with_embeddings_and_residuals() -> None:
    x = np.concatenate([RNG.normal(size=(5, 3)), RNG.integers(0, 4, (5, 2))], axis=1)
    net = cr.Sequential(
        cr.layers.Embedding((4, 4), (2, 3)),
        cr.Residual(cr.Dense(8, "swish"), cr.Sequential(cr.Dense(8))),
        cr.Maxout(2, pieces=3),
    )

    def theirs(t: Torch, x: Any) -> Any:
        codes = x[:, 3:].astype(int)
        vectors = [t[f"embedding_1.column_{j + 1}.weight"][codes[:, j]] for j in range(2)]
        x = np.concatenate([x[:, :3], *vectors], axis=1)
        z = t.linear("residual_1.dense_1", x)
        z = z / (1 + np.exp(-t["residual_1.dense_1_swish.beta"] * z))
        x = x + t.linear("residual_1.sequential_1.dense_1", z)
        return t.linear("maxout_1", x).reshape(len(x), 2, 3).max(-1)

    compare(model_of(net, (5,)), x, theirs)


def test_what_is_flattened_beside_each_other_is_put_in_order_too() -> None:
    branches = (cr.Sequential(cr.Conv2D(2, 3), cr.Flatten()), cr.Sequential(cr.GlobalAvgPool2D(), cr.Dense(4)))
    net = cr.Sequential(cr.Concat(*branches), cr.Dense(3))

    def theirs(t: Torch, x: Any) -> Any:
        left = flat(t.conv2d("concat_1.sequential_1.conv2d_1", x))
        right = t.linear("concat_1.sequential_2.dense_1", x.mean((2, 3)))
        return t.linear("dense_1", np.concatenate([left, right], axis=1))

    compare(model_of(net, (4, 3, 2)), RNG.normal(size=(3, 4, 3, 2)), theirs)


def test_an_ensemble_of_networks_that_standardize_differently() -> None:
    images = RNG.normal(size=(8, 4, 3, 2)) * 5 + 2
    net = cr.Sequential(cr.Conv2D(2, 3, "relu"), cr.Flatten(), cr.Dense(2))
    scales = [Standardizer.fit(images[:5]), Standardizer.fit(images[3:])]
    together = ensemble([model_of(net, (4, 3, 2), standardizer=scale) for scale in scales])

    def theirs(t: Torch, x: Any) -> Any:
        x = (x - t["standardizer.mean"]) / t["standardizer.std"]
        total = 0.0
        for name in ("average_1.sequential_1", "average_1.sequential_2"):
            z = x * t[f"{name}.rescale_1.scale"] + t[f"{name}.rescale_1.shift"]
            z = relu(t.conv2d(f"{name}.sequential_1.conv2d_1", z))
            total = total + t.linear(f"{name}.sequential_1.dense_1", flat(z))
        return total / 2

    compare(together, images, theirs)


@pytest.mark.parametrize(
    ("net", "name"),
    [
        (cr.Sequential(cr.Conv2D(2, 3), cr.Flatten()), "The network: Sequential"),
        (cr.layers.Average(cr.Flatten(), cr.Sequential(cr.Flatten(), cr.Dense(24))), "average_1: Average"),
        (cr.Sequential(cr.Flatten(), cr.Residual(cr.Dense(24)), cr.Dense(2)), "residual_1: Residual"),
        (cr.Sequential(cr.Flatten(), cr.Reshape((4, 6)), cr.Dense(2)), "reshape_1: Reshape"),
        (cr.Sequential(cr.Reshape((4, 6)), cr.Flatten(), cr.Dense(2)), "reshape_1: Reshape"),
        (cr.Sequential(cr.Flatten(), cr.Activation("glu"), cr.Dense(2)), "activation_1: Activation"),
        (cr.Sequential(cr.Flatten(), cr.Activation("softmax"), cr.Dense(2)), "activation_1: Activation"),
    ],
    ids=str,
)
def test_what_no_order_of_weights_makes_up_for_is_named(net: Any, name: str) -> None:
    with pytest.raises(SettingError, match=f"{name} .*Put a Dense layer after Flatten"):
        to_torch_state_dict(cr.Model(net, input_shape=(4, 3, 2)))


def test_a_layer_of_ones_own_keeps_its_values_as_they_are() -> None:
    @dataclass(frozen=True)
    class Scaled(cr.Layer):
        def init(self, key: Any, shape: tuple[int, ...]) -> Any:
            return {"scale": np.full(shape, 2.0)}, {"seen": np.zeros(())}, shape

        def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
            return x * params["scale"], state

    arrays = to_torch_state_dict(cr.Model(cr.Sequential(Scaled(), cr.Dense(1)), input_shape=(3,)))
    cr.Layer.registry.pop(Scaled.name)
    assert set(arrays) == {"scaled_1.scale", "scaled_1.seen", "dense_1.weight", "dense_1.bias"}


def test_a_file_of_weights_is_read_by_safetensors(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    model = model_of(cr.Sequential(cr.Conv2D(2, 3), cr.Flatten(), cr.Dense(3)), (4, 3, 2))
    save_torch_weights(model, tmp_path / "weights.safetensors")
    read, expected = load_file(tmp_path / "weights.safetensors"), to_torch_state_dict(model)
    assert read.keys() == expected.keys()
    assert all(np.array_equal(read[name], value) for name, value in expected.items())
