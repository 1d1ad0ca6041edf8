"""The command line takes the file of an ensemble like that of any model."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.models import ensemble


def test_an_ensemble_predicts_is_judged_and_exported(chainrule: Any) -> None:
    iris = cr.data.load("iris")
    runs = [cr.fit(cr.mlp([4, 6, 3]), iris, epochs=2, validation=0.2, seed=seed, progress=False) for seed in range(3)]
    together = ensemble(runs)
    together.save("together.safetensors")
    np.savez("new.npz", x=iris.x[:7])
    done = chainrule("predict", "together.safetensors", "new.npz", "--probabilities")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    probabilities = np.array([[float(row[f"probability_{name}"]) for name in iris.classes or ()] for row in rows])
    average = np.mean([run.model.predict_proba(iris.x[:7]) for run in runs], axis=0)
    np.testing.assert_allclose(probabilities, average, atol=1e-6)
    assert [row["prediction"] for row in rows] == together.predict(iris.x[:7]).tolist()
    evaluation = json.loads(chainrule("evaluate", "together.safetensors", "iris", "--json").stdout)
    assert evaluation["rows"] == len(iris.x)
    right = together.predict(iris.x) == np.array(iris.classes)[iris.y]
    assert evaluation["accuracy"] == pytest.approx(right.mean())
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    chainrule("export", "together.safetensors", "--out", "together.onnx")
    assert cr.export.check_onnx(together, "together.onnx", iris.x).ok
