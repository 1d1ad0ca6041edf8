"""What a run records of itself: it changes no bit of the training, and comes to the same bytes however a run is cut."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.errors import DivergedError, FileError, SettingError
from chainrule.run_settings import RECORD
from chainrule.training import recorder
from chainrule.training.recorded import Recorded
from chainrule.training.recorder import stops
from chainrule.training.recording import codes_of, costs_of
from chainrule.training.recording_folder import RecordingFolder

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 4)).astype(np.float32)
Y = np.array(["a", "b", "c"])[rng.integers(0, 3, size=90)]
NET = cr.Sequential(cr.Dense(6), cr.BatchNorm(), cr.Activation("relu"), cr.Dropout(0.3), cr.Dense(3, "softmax"))
engines = pytest.mark.parametrize("engine", ["numpy", "jax"])


class Crash(Exception):
    pass


def fit(out: Path | None = None, data: Any = (X, Y), net: Any = NET, **settings: Any) -> cr.Run:
    fixed = {"epochs": 4, "batch_size": 8, "validation": 0.2, "engine": "numpy", "progress": False}
    return cr.fit(net, data, out=out, **(fixed | settings))


def recorded(run: cr.Run) -> Recorded:
    assert run.recorded is not None
    return run.recorded


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "views").iterdir())}


@engines
def test_recording_changes_no_bit(engine: str) -> None:
    runs = [fit(engine=engine, record=level) for level in RECORD]
    for run in runs[1:]:
        for kind in ("params", "state"):
            leaves = [tree.leaves(getattr(r.model, kind)) for r in (runs[0], run)]
            assert all(map(np.array_equal, *leaves))
        assert run.history["loss"] == runs[0].history["loss"]
    assert runs[0].recorded is None
    assert [recorded(run).read_snapshot(8).moments is None for run in runs[1:]] == [True, False]


def test_the_default_follows_the_folder(tmp_path: Path) -> None:
    assert fit().recorded is None
    assert recorded(fit(tmp_path / "run")).stops == (0, 1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 36)
    assert fit(tmp_path / "none", record="none").recorded is None
    assert not (tmp_path / "none" / "views").exists()
    with pytest.raises(cr.ChainruleError, match=r"record.*'lite'.*light"):
        fit(record="lite")


@engines
def test_the_values_are_those_of_the_run(engine: str) -> None:
    run = fit(engine=engine, record="light", record_steps=True)
    seen = recorded(run)
    assert seen.steps is not None
    np.testing.assert_allclose(seen.steps.loss, run.history.steps["loss"], rtol=1e-6)
    np.testing.assert_allclose(seen.steps.score, run.history.steps["accuracy"], rtol=1e-6)
    np.testing.assert_allclose(seen.steps.lr, run.history.steps["lr"], rtol=1e-6)
    rows, validation = seen.rows, seen.validation
    assert rows is not None
    assert validation is not None
    assert rows.epochs.tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(rows.costs.mean(axis=1), run.history["loss"], rtol=0.045)
    np.testing.assert_allclose((rows.answers == rows.truths).mean(axis=1), run.history["accuracy"], rtol=1e-6)
    right = (validation.answers == validation.truths).mean(axis=1)
    np.testing.assert_allclose(right, run.history["val_accuracy"], rtol=1e-6)
    assert np.array_equal(np.array(["a", "b", "c"])[rows.truths], Y[rows.numbers])
    assert np.array_equal(np.array(["a", "b", "c"])[validation.truths], Y[validation.numbers])
    assert sorted([*rows.numbers, *validation.numbers]) == list(range(90))
    last = seen.model_at(36)
    assert np.array_equal(last.predict_proba(X), run.model.predict_proba(X))
    assert np.array_equal(validation.answers[-1], last.predict_proba(X[validation.numbers]).argmax(axis=1))


@engines
def test_how_far_the_step_after_a_stop_moves_is_that_of_the_probes(engine: str, tmp_path: Path) -> None:
    probes = fit(tmp_path, engine=engine, probe_every=1).probes
    assert probes is not None
    updates = Recorded.read(tmp_path).probes
    assert updates is not None
    assert updates.steps == [1, 2, 3, 4, 5, 7, 9, 12, 17, 24, 33]
    for name in updates:
        assert updates[name] == pytest.approx([probes[name][step - 1] for step in updates.steps], rel=1e-4, abs=1e-9)


def test_the_fixed_rows_are_rows_of_both_parts() -> None:
    x, y = rng.normal(size=(2000, 3)).astype(np.float32), np.repeat([0, 1], [1900, 100])
    run = fit(data=(x, y), net=cr.Dense(1, "sigmoid"), record="light", epochs=1, batch_size=500)
    fixed = recorded(run).fixed
    assert fixed.is_validation.sum() == 128
    assert len(fixed.x) == 256
    np.testing.assert_array_equal(fixed.x, run.model.prepare(x[fixed.numbers]))
    for part in (fixed.is_validation, ~fixed.is_validation):
        assert fixed.y[part].sum() in (6, 7)  # of 128, in proportion to the classes
    again = recorded(fit(data=(x, y), net=cr.Dense(1, "sigmoid"), record="light", epochs=1, seed=1)).fixed
    assert not np.array_equal(again.numbers, fixed.numbers)


def test_stops_follow_from_sizes() -> None:
    assert stops(100, 40) == (0, 1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91)
    assert len(stops(2**31, 40)) < 40
    for most in (2, 3, 5, 9, 40):
        for steps in (1, 2, 7, 1000, 10**6):
            few, more = stops(steps, most), stops(8 * steps, most)
            assert len(few) < most
            assert {step for step in more if step < steps} <= set(few)
    assert stops(100, 1) == ()


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e9])
def test_costs_of_any_size_are_kept_to_an_eighth_of_a_power(scale: float) -> None:
    costs = scale * rng.lognormal(sigma=3.0, size=1000)
    exponent, codes = codes_of(costs)
    again = costs_of(codes, exponent)
    assert np.abs(np.log2(again / costs)).max() <= 1 / 16 + 1e-6
    exponent, codes = codes_of(np.array([np.nan, -1.0, np.inf, 0.0, scale]))
    assert np.isnan(costs_of(codes, exponent)).tolist() == [True, True, True, False, False]
    assert costs_of(codes, exponent)[3] == 0.0


@engines
def test_an_interrupted_run_leaves_the_same_bytes(engine: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"engine": engine, "record": "full", "checkpoint_every": 5, "call_every": 7}
    fit(tmp_path / "whole", callbacks=lambda event: None, **settings)

    def crash(event: cr.Event) -> None:
        if event.step == 25:
            raise Crash

    with pytest.raises(Crash):
        fit(tmp_path / "run", callbacks=crash, **settings)
    interrupted = recorded_steps(tmp_path / "run")
    assert interrupted == 25  # and the checkpoint is of step 20, within the epoch
    fit(tmp_path / "run", callbacks=lambda event: None, resume=True, **settings)
    assert files(tmp_path / "run") == files(tmp_path / "whole")


def recorded_steps(folder: Path) -> int:
    steps = Recorded.read(folder).steps
    assert steps is not None
    return len(steps.loss)


def test_more_epochs_leave_the_bytes_of_a_run_that_had_them_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "EPOCHS", 3)
    monkeypatch.setattr(recorder, "SNAPSHOTS", 9)
    whole = fit(tmp_path / "whole", epochs=7)
    fit(tmp_path / "run", epochs=3)
    fit(tmp_path / "run", epochs=7, resume=True)
    rows = recorded(whole).rows
    assert rows is not None
    assert rows.epochs.tolist() == [4, 7]
    assert recorded(whole).stops == (0, 1, 2, 4, 8, 16, 32, 63)
    assert files(tmp_path / "run") == files(tmp_path / "whole")


def test_without_its_files_a_run_goes_on_and_is_not_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = fit(epochs=6)
    for name, damage in {
        "removed": shutil.rmtree,
        "shorter": lambda views: (views / "rows.u8").write_bytes(b""),
        "damaged": lambda views: (views / "recorded.json").write_text("{"),
    }.items():
        fit(tmp_path / name, epochs=3)
        damage(tmp_path / name / "views")
        run = fit(tmp_path / name, epochs=6, resume=True)
        assert run.history["loss"] == whole.history["loss"]
        assert run.recorded is None
        assert "is not recorded" in capsys.readouterr().err
        assert not list((tmp_path / name).glob("views/*"))


def test_going_on_with_a_complete_run_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(recorder, "EPOCHS", 3)  # the last epoch is not one that would stay
    run = fit(tmp_path / "run", epochs=5)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "views").iterdir()}
    again = fit(tmp_path / "run", epochs=5, resume=True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "views").iterdir()} == before
    assert recorded(again).stops == recorded(run).stops
    whole = files(tmp_path / "run")
    (tmp_path / "run" / "views" / "at-00000045.safetensors").unlink()  # it was killed before it wrote the last one
    fit(tmp_path / "run", epochs=5, resume=True)
    assert files(tmp_path / "run") == whole
    shutil.rmtree(tmp_path / "run" / "views")
    assert fit(tmp_path / "run", epochs=5, resume=True).recorded is None
    assert capsys.readouterr().err == ""


def test_the_level_is_that_of_the_beginning(tmp_path: Path) -> None:
    fit(tmp_path / "run", epochs=1, record="full")
    with pytest.raises(SettingError, match=r"started with record='full'.*record='light' out"):
        fit(tmp_path / "run", epochs=2, record="light", resume=True)
    assert recorded(fit(tmp_path / "run", epochs=2, resume=True)).read_snapshot(18).moments is not None
    fit(tmp_path / "plain", epochs=1, record="none")
    assert fit(tmp_path / "plain", epochs=2, resume=True).recorded is None


def test_what_does_not_fit_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "ROOM", {"light": 60})
    seen = recorded(fit(record="light"))
    assert seen.stops == ()
    assert seen.rows is None
    assert seen.steps is not None
    assert set(seen.missing) == {"stops", "rows"}


def test_a_disk_that_is_full_ends_the_recording_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    append = RecordingFolder.append

    def full(recording: RecordingFolder, part: str, records: Any) -> None:
        if part == "rows" and records.size:
            raise FileError("Could not write rows.u8: No space left on device.")
        append(recording, part, records)

    monkeypatch.setattr(RecordingFolder, "append", full)
    run = fit(tmp_path / "run")
    assert run.history["loss"] == fit().history["loss"]
    assert run.recorded is None
    assert "No space left on device. The training goes on and is not recorded." in capsys.readouterr().err


@engines
def test_data_without_classes_and_data_in_files(engine: str, tmp_path: Path) -> None:
    target = X[:, :1] * 1e6
    run = fit(data=(X, target), net=cr.Dense(1), record="light", engine=engine, optimizer="sgd")
    rows = recorded(run).rows
    assert rows is not None
    assert rows.answers is None
    assert recorded(run).validation is None
    np.testing.assert_allclose(rows.costs.mean(axis=1), run.history["loss"], rtol=0.045)
    np.save(tmp_path / "x.npy", X)
    run = fit(data=cr.data.stream(tmp_path / "x.npy", Y), record="light", engine=engine)
    rows = recorded(run).rows
    assert rows is not None
    np.testing.assert_allclose((rows.answers == rows.truths).mean(axis=1), run.history["accuracy"], rtol=1e-6)
    assert np.array_equal(np.array(["a", "b", "c"])[rows.truths], Y[rows.numbers])


def test_a_run_that_diverged_is_recorded_up_to_there() -> None:
    with pytest.raises(DivergedError) as raised:
        fit(data=(X, X[:, :1]), net=cr.Dense(1), optimizer=cr.SGD(1e3), record="light", epochs=40)
    seen = recorded(raised.value.run)
    assert seen.stops[-1] == raised.value.step - 1
    assert np.isfinite(tree.leaves(seen.read_snapshot(seen.stops[-1]).params)[0]).all()


def test_the_header_is_plain(tmp_path: Path) -> None:
    fit(tmp_path / "run", augment="noise:0.1", micro_batches=2, l2=0.5)
    header = json.loads((tmp_path / "run" / "views" / "recorded.json").read_text())
    assert (header["rows"], header["validation_rows"], header["classes"]) == (72, 18, 3)
