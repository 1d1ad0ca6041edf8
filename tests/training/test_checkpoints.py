"""Checkpoints: going on from any step to the same bits, what is kept, what if a file is damaged or cannot be made."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.engine import choose
from chainrule.errors import FileError, SettingError, UnsavedError
from chainrule.files import locked, write_atomic
from chainrule.recipe.step import Batch
from chainrule.training import checkpoint, checkpointer, chunk_size, loop, streaming
from chainrule.training.fingerprint import fingerprint
from chainrule.training.loader import HostLoader, InMemoryLoader
from chainrule.training.streaming import StreamingLoader

rng = np.random.default_rng(0)
x = rng.normal(size=(46, 5)).astype(np.float32)
y = np.array(["a", "b", "c"])[rng.integers(0, 3, size=46)]
NET = cr.Sequential(cr.Dense(6), cr.BatchNorm(), cr.Activation("relu"), cr.Dropout(0.3), cr.Dense(3, "softmax"))
engines = pytest.mark.parametrize("engine", ["numpy", "jax"])


class Crash(Exception):
    """Stands for a process that is killed just after it has written a checkpoint."""


def noise(x: Any, key: Any) -> Any:
    return x + 0.1 * cr.random.uniform(key, x.shape)


def fit(out: Path | None = None, data: Any = (x, y), **settings: Any) -> Any:
    fixed: dict[str, Any] = {"epochs": 5, "batch_size": 8, "engine": "numpy", "progress": False}
    return cr.fit(NET, data, out=out, **(fixed | settings))


def same(one: Any, other: Any) -> None:
    """To the last bit, except how long it took."""
    for kind in ("params", "state"):
        pairs = zip(*(tree.leaves_with_path(getattr(run.model, kind)) for run in (one, other)), strict=True)
        for (path, a), (_, b) in pairs:
            assert np.array_equal(a, b), path
    assert [r | {"seconds": 0} for r in other.history] == [r | {"seconds": 0} for r in one.history]
    assert other.history.steps == one.history.steps
    assert list(other.history.steps) == list(one.history.steps)
    assert (other.best_epoch, other.stopped) == (one.best_epoch, one.stopped)
    if one.probes is not None:
        assert (other.probes.steps, other.probes.rows) == (one.probes.steps, one.probes.rows)


def crash_after(monkeypatch: pytest.MonkeyPatch, saves: int) -> None:
    """The run ends as if killed after so many checkpoints."""
    save, left = checkpoint.save, [saves]

    def counting(*arguments: Any) -> Path:
        path = save(*arguments)
        left[0] -= 1
        if left[0] == 0:
            raise Crash
        return path

    monkeypatch.setattr(checkpoint, "save", counting)


def in_pieces(out: Path, *saves: int, **settings: Any) -> Any:
    """A run that is killed again and again, each time after so many checkpoints."""
    for i, count in enumerate(saves):
        with pytest.MonkeyPatch.context() as patch:
            crash_after(patch, count)
            with pytest.raises(Crash):
                fit(out, resume=i > 0, **settings)
    return fit(out, resume=True, **settings)


def steps(out: Path) -> list[int]:
    return [step for step, _ in checkpoint.files(out)]


# Going on to the same bits


@engines
def test_everything_that_a_run_can_have_goes_on_from_within_an_epoch(engine: str, tmp_path: Path) -> None:
    def act(event: cr.Event) -> cr.Decision | None:
        seen.append((event.step, event.end_of_epoch, {k: v for k, v in event.metrics.items() if k != "seconds"}))
        return cr.Decision(settings={"l2": 0.5}) if event.step == 8 else None

    settings: dict[str, Any] = {
        "engine": engine,
        "optimizer": cr.SGD(cr.schedules.ReduceOnPlateau(0.2, patience=1, threshold=0.2), momentum=0.9),
        "validation": 0.2,
        "augment": noise,
        "micro_batches": 2,
        "batch_size": 10,  # leaves no sample alone in a part
        "l2": 0.1,
        "class_weight": "balanced",
        "early_stopping": cr.EarlyStopping(patience=20),
        "callbacks": act,
        "call_every": 2,
        "probe_every": 3,
        "record_steps": True,
        "epochs": 6,
    }
    seen: list[Any] = []
    whole, expected = fit(**settings), seen
    seen = []
    resumed = in_pieces(tmp_path, *((3, 4, 1, 6) if engine == "numpy" else (3, 8)), checkpoint_every=1, **settings)
    same(whole, resumed)
    assert seen == expected  # nothing was done twice: each piece went on where the one before ended
    assert len(set(whole.history["lr"])) > 1
    again = cr.load_model(tmp_path / "model.safetensors")
    assert np.array_equal(again.predict_proba(x), whole.model.predict_proba(x))
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert records == resumed.history.records


@pytest.mark.parametrize(("engine", "precision"), [("numpy", "float64"), ("jax", "float32")])
def test_moments_and_schedules_go_on(engine: str, precision: str, tmp_path: Path) -> None:
    settings = {"engine": engine, "precision": precision, "optimizer": cr.AdamW(cr.schedules.OneCycle(0.05))}
    same(fit(**settings), in_pieces(tmp_path, 2, 3, checkpoint_every=2, **settings))


def test_optax_goes_on(tmp_path: Path) -> None:
    optax = pytest.importorskip("optax")
    settings = {"engine": "jax", "optimizer": optax.adam(0.01), "epochs": 3, "record": "none"}
    with pytest.MonkeyPatch.context() as patch:  # a transformation made of functions has no name in config.toml
        patch.setattr(sys.modules["chainrule.training.fit"], "describe", lambda *arguments: {})
        same(fit(**settings), in_pieces(tmp_path, 3, checkpoint_every=3, **settings))


@engines
def test_a_stream_goes_on_within_a_block(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming.StreamingLoader.__init__, "__defaults__", (None, 400))  # blocks of two batches
    np.save(tmp_path / "x.npy", x)
    data = cr.data.stream(tmp_path / "x.npy", y)
    settings = {"engine": engine, "validation": 0.2, "epochs": 4}
    read = streaming.StreamingLoader._chunk
    pieces: list[int] = []
    monkeypatch.setattr(StreamingLoader, "_chunk", lambda self, *at: pieces.append(at[1]) or read(self, *at))
    whole, count = fit(data=data, **settings), len(pieces)
    pieces.clear()
    same(whole, in_pieces(tmp_path / "run", 2, 4, 3, data=data, checkpoint_every=1, **settings))
    assert len(pieces) <= count + 2 * 3  # a block begun, and one read ahead, for each crash


@engines
@pytest.mark.parametrize("feed", [InMemoryLoader, HostLoader, StreamingLoader])
def test_the_end_of_an_epoch_is_the_same_without_its_beginning(engine: str, feed: Any) -> None:
    numbers = np.arange(46, dtype=np.float32)[:, None]
    inputs = cr.data.stream(numbers).x if feed is StreamingLoader else numbers
    words = {} if feed is InMemoryLoader else {"block_bytes": 8 * 4 * 2 * (1 if feed is StreamingLoader else 3)}
    data = Batch(inputs, numbers[:, 0].astype(np.int32), np.ones(46, np.float32))
    made = feed(data, 8, cr.random.key(0), choose(engine), **words)

    def samples(skip: int) -> list[Any]:
        rows = []
        for piece in made.epoch(3, skip):
            assert piece.before + piece.steps > skip
            for i in range(max(0, skip - piece.before), piece.steps):
                rows.append((piece.before + i, np.asarray(piece.data.y[i]).tolist()))
        return rows

    whole = samples(0)
    assert [at for at, _ in whole] == list(range(6))
    for skip in range(6):
        assert samples(skip) == whole[skip:]


@engines
def test_where_an_epoch_is_cut_into_calls_changes_nothing(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, Any] = {"engine": engine, "validation": 0.2, "record_steps": True, "probe_every": 2}
    calls: list[int] = []
    train = loop.Loop._train
    monkeypatch.setattr(
        loop.Loop, "_train", lambda *arguments: calls.append(arguments[4] - arguments[3]) or train(*arguments)
    )
    monkeypatch.setattr(chunk_size, "SECONDS", 1e-9)
    one_by_one = fit(**settings)
    assert set(calls) == {1}
    calls.clear()
    monkeypatch.setattr(chunk_size, "SECONDS", 1e9)
    whole = fit(**settings)
    assert calls == [1, 4, 5, 5, 5, 5]  # the first step alone: it is compiled for it
    same(one_by_one, whole)


def test_a_run_within_an_epoch_cannot_end_before_it(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        crash_after(patch, 8)
        with pytest.raises(Crash):
            fit(tmp_path, checkpoint_every=1)
    with pytest.raises(SettingError, match=r"in epoch 2 already.*epochs=1"):
        fit(tmp_path, epochs=1, resume=True)
    assert fit(tmp_path, epochs=2, resume=True).history["epoch"] == [1, 2]


def test_another_early_stopping_that_takes_another_epoch_for_the_best(tmp_path: Path) -> None:
    settings = {"validation": 0.2, "optimizer": cr.SGD(0.5), "epochs": 8}
    run = fit(tmp_path, early_stopping=cr.EarlyStopping(patience=20), **settings)
    other = cr.EarlyStopping(patience=20, min_delta=100.0)
    assert run.best_epoch != 1
    with pytest.raises(
        SettingError, match=f"best epoch is 1, but the weights that were kept are those of epoch {run.best_epoch}"
    ):
        fit(tmp_path, early_stopping=other, resume=True, **(settings | {"epochs": 9}))


# What is kept


def test_the_last_ones_and_the_best_are_kept(tmp_path: Path) -> None:
    run = fit(tmp_path, validation=0.2, checkpoint_every=4, keep=2, optimizer=cr.SGD(0.5), epochs=6)
    assert steps(tmp_path) == [30, 28]
    assert {p.name for p in (tmp_path / "checkpoints").iterdir()} == {
        "best.safetensors", "step-00000028.safetensors", "step-00000030.safetensors"
    }  # fmt: skip
    best = run.history.best_epoch("val_loss")
    short = fit(validation=0.2, optimizer=cr.SGD(0.5), epochs=best)
    model = cr.load_model(tmp_path / "checkpoints" / "best.safetensors")
    assert np.array_equal(model.predict_proba(x), short.model.predict_proba(x))


def test_without_validation_the_last_is_the_best(tmp_path: Path) -> None:
    fit(tmp_path, checkpoint_every=3, keep=100)
    assert steps(tmp_path) == [30, 27, 24, 21, 18, 15, 12, 9, 6, 3]
    assert not (tmp_path / "checkpoints" / "best.safetensors").exists()


def test_checkpoints_by_time(tmp_path: Path) -> None:
    fit(tmp_path, checkpoint_minutes=1e-9, keep=100, epochs=1)
    assert steps(tmp_path)[0] == 6
    assert 1 in steps(tmp_path)  # after every call of the program, the first of which is one step
    fit(tmp_path / "none", checkpoint_minutes=None, keep=100, epochs=1)
    assert steps(tmp_path / "none") == [6]


def test_short_epochs_are_not_spent_on_writing(tmp_path: Path) -> None:
    before = time.perf_counter()
    run = fit(tmp_path, epochs=100, keep=1000)
    took = time.perf_counter() - before
    assert len(steps(tmp_path)) <= 2 + took / checkpointer.GAP
    assert [json.loads(s) for s in (tmp_path / "metrics.jsonl").read_text().splitlines()] == run.history.records


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    fit(tmp_path, epochs=1)
    left = [tmp_path / ".metrics.jsonl.abcdefgh.part", tmp_path / "checkpoints" / ".step-00000009.safetensors.x.part"]
    for path in left:
        path.write_bytes(b"half")
    (tmp_path / "notes.part").touch()  # not ours
    fit(tmp_path, resume=True)
    assert not any(path.exists() for path in left)
    assert (tmp_path / "notes.part").exists()


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_anew(tmp_path: Path, capsys: Any) -> None:
    def crash(*arguments: Any) -> None:
        raise Crash

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Loop, "_train", crash)
        with pytest.raises(Crash):
            fit(tmp_path / "run")
    assert (tmp_path / "run" / "config.toml").exists()
    same(fit(), fit(tmp_path / "run", resume=True))
    assert f"There is no checkpoint in {tmp_path / 'run'} yet: starting from the beginning." in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".config.toml.abc.part").touch()
    same(fit(), fit(tmp_path / "empty", resume=True))


def test_one_folder_is_written_to_by_one_run_at_a_time(tmp_path: Path) -> None:
    fit(tmp_path, epochs=1)
    with locked(tmp_path), pytest.raises(FileError, match="is being written to by another run"):
        fit(tmp_path, resume=True)
    fit(tmp_path, epochs=2, resume=True)


# Damage


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three checkpoints: after 26, 28 and 30 steps."""
    fit(tmp_path / "run", checkpoint_every=2, validation=0.2)
    assert steps(tmp_path / "run") == [25, 24, 22]
    return tmp_path / "run"


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "gone"])
def test_the_one_before_a_damaged_one_is_taken(damage: str, run: Path, capsys: Any) -> None:
    for _, path in checkpoint.files(run)[:2]:
        content = bytearray(path.read_bytes())
        if damage == "flip":
            content[-100] ^= 4
        path.write_bytes({"cut": content[:-1], "flip": content, "empty": b"", "gone": b""}[damage])
        if damage == "gone":
            path.unlink()
    same(fit(validation=0.2, epochs=6), fit(run, resume=True, validation=0.2, epochs=6))
    message = capsys.readouterr().err
    damaged = sorted(path.name for path in (run / "checkpoints").glob("*.damaged"))
    if damage == "gone":
        assert message == ""
        assert damaged == []
    else:
        assert message.count("Going on from the one before it.") == 2
        assert damaged == ["step-00000024.safetensors.damaged", "step-00000025.safetensors.damaged"]


def test_if_all_are_damaged_that_is_said(run: Path) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    for _, path in checkpoint.files(run):
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(FileError, match=r"No checkpoint of .* can be read(.|\n)*step-00000025(.|\n)*step-00000022"):
        fit(run, resume=True, validation=0.2, epochs=6)
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before


def test_every_flipped_bit_and_every_cut_is_found(run: Path, tmp_path: Path) -> None:
    content = checkpoint.files(run)[0][1].read_bytes()
    header = int.from_bytes(content[:8], "little") + 8
    random = np.random.default_rng(1)
    places = [*range(8), *random.integers(8, header, 150).tolist(), *random.integers(header, len(content), 50).tolist()]
    detected, path = 0, tmp_path / "step-00000001.safetensors"
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        try:
            tensors, recipe = checkpoint.read(path)
        except FileError:
            detected += 1
        else:  # of what fills up, such as a space in the header
            assert checkpoint.checksum(json.dumps(recipe), tensors) in content.decode("latin-1")
    assert detected > 0.95 * len(places)
    for end in random.integers(0, len(content), 50):
        path.write_bytes(content[:end])
        with pytest.raises(FileError):
            checkpoint.read(path)


# Files that cannot be written


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A disk without room for the files whose names contain one of ``names``, in so many ``tries``."""
    disk: dict[str, Any] = {"names": (), "tries": 10**9}
    replace = os.replace

    def replacing(source: str, target: Any) -> None:
        if any(name in Path(target).name for name in disk["names"]) and disk["tries"] > 0:
            disk["tries"] -= 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(os, "replace", replacing)
    return disk


def test_a_full_disk_does_not_end_the_training(tmp_path: Path, full: Any, capsys: Any) -> None:
    run = tmp_path / "run"

    def fill_up(event: cr.Event) -> None:
        full["names"] = ("step-",) if event.epoch >= 2 else ()

    same(fit(), fit(run, checkpoint_every=2, callbacks=fill_up, call_every=1))
    message = capsys.readouterr().err
    assert message.count("No space left on device") == 1
    assert "Training goes on, and what was saved before stays" in message
    assert steps(run)[0] == 6
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 5
    assert (run / "model.safetensors").exists()
    assert not list(run.rglob("*.part"))
    full["names"] = ()
    same(fit(), fit(run, resume=True))  # what was there before is still good


def test_room_that_is_made_is_used(tmp_path: Path, full: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpointer, "RETRY", 0.0)
    full["names"], full["tries"] = ("step-",), 3
    fit(tmp_path, checkpoint_every=2)
    message = capsys.readouterr().err
    assert (message.count("No space left"), message.count("The run is saved again.")) == (1, 1)
    assert steps(tmp_path) == [30, 28, 26]


def test_a_model_that_cannot_be_saved_is_an_error_that_has_it(tmp_path: Path, full: Any) -> None:
    full["names"] = ("model.safetensors",)
    with pytest.raises(UnsavedError, match=r"could not be saved\. .*No space left") as caught:
        fit(tmp_path)
    same(fit(), caught.value.run)
    full["names"] = ()
    same(fit(), fit(tmp_path, resume=True))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="for the superuser no folder is read-only")
def test_a_folder_that_becomes_read_only(tmp_path: Path, capsys: Any) -> None:
    def lock(event: cr.Event) -> None:
        if event.epoch == 2:
            (tmp_path / "checkpoints").chmod(0o500)

    try:
        same(fit(), fit(tmp_path, checkpoint_every=1, callbacks=lock))
    finally:
        (tmp_path / "checkpoints").chmod(0o700)
    assert capsys.readouterr().err.count("Permission denied") == 1


def test_a_folder_that_vanishes_is_made_again(tmp_path: Path) -> None:
    run = tmp_path / "run"

    def remove(event: cr.Event) -> None:
        if event.epoch == 2:
            shutil.rmtree(run)

    same(fit(), fit(run, checkpoint_every=2, callbacks=remove))
    assert {"config.toml", "environment.json", "metrics.jsonl", "model.safetensors", "checkpoints"} == {
        path.name for path in run.iterdir()
    }
    same(fit(epochs=7), fit(run, epochs=7, resume=True))


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomic(path, "before")

    def fail(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(FileError, match="No space left on device"):
                write_atomic(path, "after")
        assert path.read_text() == "before"
        assert [p.name for p in tmp_path.iterdir()] == ["file"]


# Other data


def test_other_data_is_refused(tmp_path: Path) -> None:
    weight = np.ones(46)
    fit(tmp_path / "run", sample_weight=weight, validation=(x[:9], y[:9]))
    changed, swapped = x.copy(), x.copy()
    changed[17, 3] = np.nextafter(changed[17, 3], 9)
    swapped[[3, 4]] = swapped[[4, 3]]
    others = np.where(np.arange(46) == 5, np.where(y == "a", "b", "a"), y)
    settings: dict[str, Any] = {"data": (x, y), "sample_weight": weight, "validation": (x[:9], y[:9])}
    for what, change in (
        ("x", {"data": (changed, y)}),
        ("x", {"data": (swapped, y)}),
        ("y", {"data": (x, others)}),
        ("sample_weight", {"sample_weight": weight + (np.arange(46) == 9)}),
        ("x of the validation", {"validation": (x[1:10], y[:9])}),
    ):
        with pytest.raises(SettingError, match=f"was started on other data: {what} was .* Resume with the same data"):
            fit(tmp_path / "run", resume=True, epochs=6, **(settings | change))
    fit(tmp_path / "run", resume=True, epochs=6, **settings)


def test_other_data_in_a_file_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", x)
    fit(tmp_path / "run", data=cr.data.stream(tmp_path / "x.npy", y))
    np.save(tmp_path / "x.npy", x[::-1])
    with pytest.raises(SettingError, match="was started on other data: x was"):
        fit(tmp_path / "run", data=cr.data.stream(tmp_path / "x.npy", y), resume=True)


def test_large_arrays_are_told_apart_by_every_value_and_by_their_order() -> None:
    large = rng.integers(0, 255, size=(3000, 1501)).astype(np.float32)
    prints = {tuple(fingerprint(x=large).values())}
    for change in ("value", "rows", "columns", "shape", "type"):
        other = large.copy()
        if change == "value":
            other[1777, 1200] += 1
        elif change == "rows":
            other[[1700, 1701]] = other[[1701, 1700]]
        elif change == "columns":
            other = other[:, [1, 0, *range(2, 1501)]]
        prints |= {
            tuple(fingerprint(x={"shape": other.T, "type": other.astype(np.float64)}.get(change, other)).values())
        }
    assert len(prints) == 6
    assert prints >= {tuple(fingerprint(x=large.copy()).values())}


def test_settings_of_checkpoints_may_change(tmp_path: Path) -> None:
    fit(tmp_path, epochs=2, checkpoint_every=3, keep=5)
    same(fit(), fit(tmp_path, resume=True, checkpoint_every=7, checkpoint_minutes=1.0, keep=1))
    assert steps(tmp_path) == [30]


@pytest.mark.parametrize(("version", "message"), [(2, "older chainrule"), (99, "newer chainrule")])
def test_a_checkpoint_of_another_version_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int, message: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "CHECKPOINT_FORMAT", version)
        fit(tmp_path, epochs=1)
    with pytest.raises(FileError, match=rf"{message}.*\(format {version}"):
        checkpoint.read(checkpoint.files(tmp_path)[0][1])
