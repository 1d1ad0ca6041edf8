"""Tables of many kinds, trained on and then used in every way: all ways agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.cli.app import app
from chainrule.export import check_onnx, to_onnx

QUICK: dict[str, Any] = {"progress": False, "engine": "numpy"}
ROWS = 60
SLOW = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]}


def german(value: float) -> str:
    return f"{value:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".")


#: From a number around 0 that decides the target to the cells of a column, as a file or a program may have them.
COLUMNS: dict[str, Any] = {
    "floats": lambda v: 1000 + 50 * v,
    "float32": lambda v: (v * 1e-3).astype(np.float32),
    "integers": lambda v: np.round(100 * v).astype(np.int64),
    "text of numbers": lambda v: np.array([f"{x:.4f}" for x in v], object),
    "decimal commas": lambda v: np.array([german(1000 * x) for x in v], object),
    "per cent": lambda v: np.array([f"{x:.2f}%" for x in v], object),
    "truth values": lambda v: v > 0,
    "yes and no": lambda v: np.where(v > 0, "yes", "no").astype(object),
    "categories": lambda v: pd.Categorical(np.where(v > 0.5, "high", np.where(v < -0.5, "low", "mid"))),
    "dates": lambda v: pd.Timestamp("2020-01-01") + pd.to_timedelta(np.round(v * 100), unit="D"),
    "nullable": lambda v: pd.array(np.round(v * 10).astype(int), dtype="Int64"),
}

#: The target of the same number, and what predictions of it are.
TARGETS: dict[str, Any] = {
    "text": lambda v: np.where(v > 0, "ill", "well").astype(object),
    "truth values": lambda v: v > 0,
    "integers": lambda v: np.where(v > 0, 7, 3),
    "text of integers": lambda v: np.where(v > 0, "2", "10").astype(object),
    "categories": lambda v: pd.Categorical(np.where(v > 0, "b", "a"), categories=["b", "a"]),
    "numbers": lambda v: 1e6 + 3.7 * v,
    "german numbers": lambda v: np.array([german(5000 + 1234.5 * x) for x in v], object),
}


@st.composite
def tables(draw: Any) -> tuple[pd.DataFrame, list[str]]:
    kinds = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=4, unique=True))
    target = draw(st.sampled_from(sorted(TARGETS)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frame = pd.DataFrame({kind: COLUMNS[kind](rng.normal(size=ROWS)) for kind in kinds})
    frame["noise"] = rng.normal(size=ROWS)
    frame["the target"] = TARGETS[target](rng.normal(size=ROWS))
    order = draw(st.permutations(frame.columns.tolist()))
    return frame, list(order)


@settings(max_examples=12, **SLOW)
@given(tables())
def test_all_ways_to_use_a_model_of_a_table_agree(made: tuple[pd.DataFrame, list[str]]) -> None:
    frame, order = made
    table = cr.Table.read(frame, target="the target")
    prepared = table.prepare(validation=0.0, key=cr.random.key(0))
    units = 1 if prepared.data.task == "regression" else len(prepared.data.classes or ())
    net = cr.Sequential(cr.Dense(4, "tanh"), cr.Dense(units, None if units == 1 else "softmax"))
    run = cr.fit(net, table, epochs=2, normalize_target=units == 1, **QUICK)
    model, features, target = run.model, frame.drop(columns="the target"), frame["the target"]
    other = frame[order]

    outputs, predicted = model.predict_proba(features), model.predict(features)
    np.testing.assert_array_equal(model.predict_proba(other), outputs)
    np.testing.assert_array_equal(model(other), outputs)
    judged = run.evaluate(other, target)
    assert run.evaluate(table) == judged
    if units == 1:
        wanted = prepared.data.y.astype(float)
        assert judged["mae"] == pytest.approx(np.abs(predicted - wanted).mean(), rel=1e-4)
    else:
        assert judged["accuracy"] == pytest.approx(np.mean([a == b for a, b in zip(predicted, target, strict=True)]))
        assert {type(label) for label in predicted.tolist()} == {type(label) for label in target.tolist()}
    assert model.backprop(other, target).loss == pytest.approx(judged["loss"], rel=1e-4)
    more = cr.fit(model, (other.drop(columns="the target"), target), epochs=1, optimizer=cr.SGD(lr=1e-12), **QUICK)
    assert more.history["loss"][0] == pytest.approx(judged["loss"], rel=1e-4)
    np.testing.assert_array_equal(cr.ensemble([run, run]).predict(other), predicted)
    assert check_onnx(model, to_onnx(model), other).ok


@settings(max_examples=4, **SLOW)
@given(tables())
def test_the_command_line_agrees(tmp_path: Path, made: tuple[pd.DataFrame, list[str]]) -> None:
    frame, order = made
    folder = tmp_path / f"{np.random.default_rng().integers(2**60)}"
    folder.mkdir()
    frame.to_csv(folder / "train.csv", index=False, sep=";")
    frame[order].to_csv(folder / "other.csv", index=False, sep=";")
    call("train", folder / "train.csv", "--target", "the target", "--out", folder / "run", "--epochs", 2,
         "--engine", "numpy", "--hidden", 4)  # fmt: skip
    model = cr.load_model(folder / "run" / "model.safetensors")
    table = cr.Table.read(folder / "other.csv", target="the target")
    call("predict", folder / "run", folder / "other.csv", "--out", folder / "predictions.csv")
    written = pd.read_csv(folder / "predictions.csv", dtype=str)["prediction"].tolist()
    assert written == [str(label) for label in model.predict(table.frame).tolist()]
    shown = call("evaluate", folder / "run", folder / "other.csv")
    metrics = {line.split()[0]: line.split()[1] for line in shown.splitlines()[:2]}
    score = "mae" if model.target.task == "regression" else "accuracy"
    expected = model.evaluate(table)[score]
    assert float(metrics[score].replace(",", "")) == pytest.approx(
        expected * (1 if score == "mae" else 100), abs=0.006, rel=1e-3
    )


def call(*words: Any) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.stdout
