"""What a run recorded is read from its folder, while it goes on and afterwards; foreign and damaged files are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.errors import FileError
from chainrule.training.recorded import Recorded

IRIS = cr.data.load("iris")


def fit(out: Path, **settings: Any) -> cr.Run:
    fixed = {"epochs": 3, "validation": 0.2, "l2": 0.1, "engine": "numpy", "progress": False, "record": "full"}
    return cr.fit(cr.mlp([4, 8, 3]), IRIS, out=out, **(fixed | settings))


def test_a_folder_has_what_the_run_has(tmp_path: Path) -> None:
    run = fit(tmp_path, augment="noise:0.1", probe_every=5)
    memory, read = run.recorded, Recorded.read(tmp_path)
    assert memory is not None
    assert memory.probes is run.probes
    assert read.probes is not None
    assert read.probes.steps == [1, 2, 3, 4, 5, 7, 9, 12]
    assert read.recipe == memory.recipe == run.recipe
    assert (read.stops, read.steps_per_epoch, read.missing) == (memory.stops, 4, {})
    for part in ("fixed", "steps", "rows", "validation"):
        for name, values in vars(getattr(memory, part)).items():
            np.testing.assert_array_equal(getattr(getattr(read, part), name), values)
    for step in read.stops:
        for one, other in zip(*(tree.leaves(vars(r.read_snapshot(step))) for r in (memory, read)), strict=True):
            np.testing.assert_array_equal(one, other)
    assert read.model_at(12).target.classes == ("setosa", "versicolor", "virginica")
    assert np.array_equal(read.network_at(12).predict_proba(read.fixed.x), run.model.run_network(read.fixed.x))


def test_a_run_that_goes_on_can_be_read(tmp_path: Path) -> None:
    seen = []

    def look(event: cr.Event) -> None:
        read = Recorded.read(tmp_path)
        assert read.steps is not None
        assert read.rows is not None
        assert np.array_equal(read.model.predict_proba(IRIS.x), read.model_at(read.stops[-1]).predict_proba(IRIS.x))
        seen.append((len(read.steps.loss), len(read.rows.epochs), read.stops[-1]))

    fit(tmp_path, callbacks=look)
    assert seen == [(4, 1, 4), (8, 2, 8), (12, 3, 11)]


def test_a_value_that_is_being_written_is_not_there_yet(tmp_path: Path) -> None:
    fit(tmp_path)
    for name in ("steps.f32", "rows.u8"):
        with open(tmp_path / "views" / name, "ab") as file:
            file.write(b"12345")
    read = Recorded.read(tmp_path)
    assert read.steps is not None
    assert read.rows is not None
    assert (len(read.steps.loss), len(read.rows.epochs)) == (12, 3)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("recorded.json", None, r'has no recording of its training .*record="light"'),
        ("recorded.json", b"{", r"recorded\.json is damaged"),
        ("recorded.json", b"[]", r"recorded\.json is damaged"),
        ("recorded.json", b'{"format": 99}', r"recorded\.json has the format 99, expected 1"),
        ("recorded.json", b'{"format": 1, "level": "light"}', r"damaged: steps_per_epoch is None"),
        ("fixed.safetensors", b"", r"fixed\.safetensors is not a readable"),
        ("steps.f32", None, r"steps\.f32 cannot be read"),
        ("at-00000003.safetensors", b"0" * 90, r"at-00000003\.safetensors is not a readable"),
        ("at-00000003.safetensors", None, r"There is no file .*at-00000003"),
    ],
)
def test_damaged_and_foreign_files(name: str, content: bytes | None, message: str, tmp_path: Path) -> None:
    fit(tmp_path)
    path = tmp_path / "views" / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(FileError, match=message):
        Recorded.read(tmp_path).read_snapshot(3)


def test_a_header_whose_recipe_is_unknown(tmp_path: Path) -> None:
    fit(tmp_path)
    path = tmp_path / "views" / "recorded.json"
    header = json.loads(path.read_text())
    for recipe in ({}, {"loss": 3}, header["recipe"] | {"loss": {"type": "nothing"}}, header["recipe"] | {"l3": 1}):
        path.write_text(json.dumps(header | {"recipe": recipe}))
        with pytest.raises(FileError, match="its recipe cannot be read"):
            Recorded.read(tmp_path)
