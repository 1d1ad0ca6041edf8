"""Regression on standardized targets: learnt in standard units, told in the target's own."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import SettingError

DIABETES = cr.data.load("diabetes")
NET = cr.mlp([10, 8, 1], hidden="relu", output="linear")


@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_is_the_run_on_targets_standardized_by_hand(engine: str) -> None:
    y = DIABETES.y.astype(np.float64)
    mean, std = y.mean(), y.std()
    settings = {"epochs": 3, "progress": False, "engine": engine, "precision": "float64"}
    by_hand = cr.fit(NET, (DIABETES.x, (y - mean) / std), **settings)
    run = cr.fit(NET, (DIABETES.x, y), normalize_target=True, **settings)
    np.testing.assert_allclose(run.history["loss"], by_hand.history["loss"], rtol=1e-12)
    np.testing.assert_allclose(run.history["mae"], np.multiply(by_hand.history["mae"], std), rtol=1e-12)
    np.testing.assert_allclose(
        run.model.predict(DIABETES.x), by_hand.model.predict(DIABETES.x) * std + mean, rtol=1e-12
    )
    scores = run.evaluate(DIABETES.x, y)
    assert scores["mae"] == pytest.approx(np.abs(run.model.predict(DIABETES.x) - y).mean(), rel=1e-12)
    assert scores["r2"] == pytest.approx(1 - np.mean((run.model.predict(DIABETES.x) - y) ** 2) / y.var(), rel=1e-9)


def test_each_output_has_its_own_unit_and_validation_does_not_set_it() -> None:
    y = np.stack([DIABETES.y, 1000 * DIABETES.y + 7], axis=1).astype(np.float64)
    net = cr.mlp([10, 8, 2], hidden="relu", output="linear")
    run = cr.fit(net, (DIABETES.x[:300], y[:300]), validation=(DIABETES.x[300:], y[300:] + 1e6), epochs=2,
                 normalize_target=True, progress=False)  # fmt: skip
    np.testing.assert_allclose(run.model.target.mean, y[:300].mean(axis=0), rtol=1e-6)
    errors = np.abs(run.model.predict(DIABETES.x[300:]) - (y[300:] + 1e6)).mean()
    assert run.history["val_mae"][-1] == pytest.approx(errors, rel=1e-4)


def test_a_saved_model_predicts_in_the_target_s_unit(tmp_path) -> None:
    run = cr.fit(NET, DIABETES, epochs=2, normalize_target=True, progress=False)
    run.model.save(tmp_path / "m.safetensors")
    loaded = cr.load_model(tmp_path / "m.safetensors")
    assert loaded.target == run.model.target
    np.testing.assert_array_equal(loaded.predict(DIABETES.x), run.model.predict(DIABETES.x))
    assert 50 < loaded.predict(DIABETES.x).mean() < 250
    np.testing.assert_allclose(np.asarray(loaded(DIABETES.x))[:, 0], loaded.predict(DIABETES.x), rtol=1e-5)


def test_training_goes_on_in_the_same_unit() -> None:
    first = cr.fit(NET, DIABETES, epochs=20, normalize_target=True, progress=False)
    again = cr.fit(first.model, (DIABETES.x, DIABETES.y + 1000), epochs=1, normalize_target=True, progress=False)
    assert again.model.target == first.model.target


def test_other_data_does_not_compile_again() -> None:
    cr.fit(NET, DIABETES, epochs=1, normalize_target=True, progress=False, engine="jax")
    run = cr.fit(NET, (DIABETES.x, DIABETES.y * 3 + 1), epochs=1, normalize_target=True, progress=False, engine="jax")
    assert run.traces == {}


def test_outputs_that_cannot_take_any_value_are_refused() -> None:
    with pytest.raises(SettingError, match="normalize_target needs linear outputs"):
        cr.fit(cr.Dense(1, "relu"), DIABETES, normalize_target=True, progress=False)
