"""Training on data that is read from a file while it trains: the same numbers as in memory, in bounded memory."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.data.rows import Ready
from chainrule.engine import choose
from chainrule.errors import DataError, DivergedError, SettingError
from chainrule.recipe.prepare import prepare
from chainrule.recipe.prepared_run import SHUFFLE
from chainrule.recipe.run_data import run_data
from chainrule.recipe.step import Batch
from chainrule.training import streaming
from chainrule.training.loader import prefetch
from chainrule.training.streaming import StreamedBlocks, StreamingLoader

rng = np.random.default_rng(0)
x = (rng.normal(size=(203, 4)) * [1, 5, 0.1, 2] + [0, 3, -1, 0]).astype(np.float32)
y = np.array(["a", "b", "c"])[(x[:, 0] > 0).astype(int) + (x[:, 1] > 4)]
NET = cr.Sequential(cr.Dense(6), cr.BatchNorm(), cr.Activation("relu"), cr.Dropout(0.2), cr.Dense(3, "softmax"))
engines = pytest.mark.parametrize("engine", ["numpy", "jax"])


@pytest.fixture
def data(tmp_path: Path, small_blocks: None) -> cr.data.Stream:
    np.save(tmp_path / "x.npy", x)
    return cr.data.stream(tmp_path / "x.npy", y)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 64 rows of 16 bytes in place of 64 MB; 203 rows make four of them, the last with 11 rows."""
    monkeypatch.setattr(streaming, "BLOCK_BYTES", 1024)
    monkeypatch.setattr(streaming, "EVALUATION_BLOCK", 16)
    for cls in (StreamingLoader, StreamedBlocks):
        defaults = tuple(1024 if value == 64 * 2**20 else value for value in cls.__init__.__defaults__)
        monkeypatch.setattr(cls.__init__, "__defaults__", defaults)


def fit(data: Any, **settings: Any) -> Any:
    fixed: dict[str, Any] = {"epochs": 3, "batch_size": 8, "optimizer": cr.SGD(0.1, momentum=0.9)}
    return cr.fit(NET, data, **(fixed | {"engine": "numpy", "progress": False} | settings))


def feed(n: int, batch_size: int, engine: str = "numpy", **words: Any) -> StreamingLoader:
    """Of samples that are their own number, which is their target too; the weight is one more."""
    numbers = np.arange(n, dtype=np.float32)
    source = cr.data.stream(numbers[:, None]).x
    batch = Batch(
        Ready(source, lambda rows: np.asarray(rows, np.float32), "float32"), numbers.astype(np.int32), numbers + 1
    )
    return StreamingLoader(batch, batch_size, cr.random.key(0), choose(engine), **words)


def same(first: Any, second: Any, tolerance: float = 0.0) -> None:
    for kind in ("params", "state"):
        for a, b in zip(tree.leaves(getattr(first.model, kind)), tree.leaves(getattr(second.model, kind)), strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    for column in first.history.columns:
        if column != "seconds":
            np.testing.assert_allclose(second.history[column], first.history[column], rtol=tolerance, err_msg=column)


@pytest.mark.parametrize("n", [1, 7, 8, 64, 70, 128, 203])
@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_every_sample_comes_once_in_an_epoch(n: int, engine: str) -> None:
    streamed = feed(n, 8, engine, block_bytes=4 * 24)  # three batches
    orders = []
    for epoch in (1, 2, 1):
        seen, steps, shapes = [], 0, set()
        for piece in streamed.epoch(epoch):
            batches = Batch(*(np.asarray(a)[: piece.steps] for a in piece.data))
            counts = batches.weight > 0
            np.testing.assert_array_equal(batches.x[..., 0], batches.y)
            np.testing.assert_array_equal(batches.weight, (batches.y + 1) * counts)
            assert counts[:-1].all()  # full batches first, then one short one at most
            assert counts[-1].any()
            seen += batches.y[counts].tolist()
            steps += piece.steps
            shapes.add(tuple(a.shape for a in piece.data))
        assert sorted(seen) == list(range(n))
        assert steps == -(-n // streamed.batch_size)
        assert len(shapes) == 1
        orders.append(seen)
    assert orders[0] == orders[2]
    assert n < 64 or orders[0] != orders[1]


@pytest.mark.parametrize("count", [2, 4])
def test_the_shares_of_a_batch_make_the_whole(count: int) -> None:
    whole = list(feed(203, 8, block_bytes=4 * 40).epoch(3))
    shares = [list(feed(203, 8, block_bytes=4 * 40, share=(i, count)).epoch(3)) for i in range(count)]
    for piece, *parts in zip(whole, *shares, strict=True):
        assert {part.steps for part in parts} == {piece.steps}
        for a, *split in zip(piece.data, *(part.data for part in parts), strict=True):
            np.testing.assert_array_equal(np.concatenate(split, axis=1), a)
    with pytest.raises(SettingError, match=r"8 samples cannot be shared equally by 3"):
        feed(203, 8, share=(0, 3))


def test_a_share_reads_its_own_rows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    streamed = feed(256, 8, block_bytes=4 * 64, share=(1, 4))
    read = streamed.data.x.read
    stretches: list[tuple[int, int]] = []
    monkeypatch.setattr(streamed.data.x, "read", lambda *at: stretches.append(at) or read(*at))
    list(streamed.epoch(1))
    assert sorted(stretches) == [(16, 32), (80, 96), (144, 160), (208, 224)]


@engines
def test_it_equals_a_loop_over_the_same_batches_in_memory(engine: str, data: cr.data.Stream) -> None:
    weights = np.linspace(0.5, 2.0, len(x))
    run = fit(data, engine=engine, sample_weight=weights, class_weight="balanced", validation=0.2, seed=5)
    root = cr.random.key(5)
    model = cr.Model(NET, (4,), seed=5)
    ready = prepare(run_data(NET, (x, y), 0.2, 5), model, True, False, weights, "balanced", root)  # all in memory
    n = len(ready.train.x)
    recipe, state = cr.training.start(
        model,
        optimizer=cr.SGD(0.1, momentum=0.9),
        samples=n,
        batch_size=8,
        epochs=3,
        key=cr.random.fold_in(root, 2**32 - 3),
        task="classification",
    )
    order = feed(n, 8, block_bytes=4 * 64)
    order.key = cr.random.fold_in(root, SHUFFLE)
    costs = []
    for epoch in (1, 2, 3):
        total = weight = 0.0
        for piece in order.epoch(epoch):
            for at, counts in zip(piece.data.y[: piece.steps], piece.data.weight > 0, strict=False):
                batch = Batch(*(a[at] for a in ready.train))
                state, metrics = cr.training.step(recipe, state, batch._replace(weight=batch.weight * counts))
                total, weight = total + metrics.cost, weight + metrics.weight
        costs.append(total / weight)
    np.testing.assert_allclose(run.history["loss"], costs, rtol=1e-5)
    for a, b in zip(tree.leaves(run.model.params), tree.leaves(state.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(run.model.standardizer.mean, ready.inputs.standardizer.mean)
    assert run.history["val_loss"][-1] == pytest.approx(run.evaluate(*held_out(ready, run))["loss"], rel=1e-5)


def held_out(ready: Any, run: Any) -> tuple[Any, Any]:
    return run.model.standardizer.undo(ready.validation.x), np.array(["a", "b", "c"])[ready.validation.y]


def test_both_engines_train_the_same_and_compile_once(data: cr.data.Stream) -> None:
    settings: dict[str, Any] = {"validation": cr.data.stream(x, y), "precision": "float64", "call_every": 5}
    settings["callbacks"] = lambda event: None
    numpy, jax = (fit(data, engine=engine, **settings) for engine in ("numpy", "jax"))
    assert jax.traces == {"train": 1, "measure": 1}
    same(numpy, jax, 1e-9)


def test_all_kinds_of_sources_train_the_same(data: cr.data.Stream, tmp_path: Path) -> None:
    first = fit(data, validation=0.25)
    same(first, fit((np.load(tmp_path / "x.npy", mmap_mode="r"), y), validation=0.25))
    same(first, fit(cr.data.stream(x, y), validation=0.25))
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    table = arrow.table({f"c{j}": x[:, j] for j in range(4)} | {"label": y})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet", row_group_size=50)
    same(first, fit(cr.data.stream(tmp_path / "t.parquet", target="label"), validation=0.25))


@engines
def test_evaluation_and_prediction_read_in_parts(engine: str, data: cr.data.Stream, tmp_path: Path) -> None:
    run = fit(data, engine=engine, validation=data)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    scores = run.evaluate(x, y)
    for rows in ((data,), (mapped, y), (data, y)):
        assert run.evaluate(*rows) == pytest.approx(scores, rel=1e-5)
    assert run.history["val_accuracy"][-1] == pytest.approx(scores["accuracy"])
    for rows in (data, mapped):
        np.testing.assert_allclose(run.model.predict_proba(rows, batch_size=4), run.model.predict_proba(x), rtol=1e-5)
    assert run.model.predict(data).tolist() == run.model.predict(x).tolist()


@engines
def test_going_on_after_an_interruption(engine: str, data: cr.data.Stream, tmp_path: Path) -> None:
    class Crash(Exception):
        pass

    def crash(event: cr.Event) -> None:
        if event.epoch == 2 and not event.end_of_epoch:
            raise Crash

    settings: dict[str, Any] = {"engine": engine, "validation": 0.2, "seed": 1}
    with pytest.raises(Crash):
        fit(data, out=tmp_path / "run", callbacks=crash, call_every=10, **settings)
    same(fit(data, **settings), fit(data, out=tmp_path / "run", resume=True, **settings))


@engines
def test_divergence_is_found_at_its_step(engine: str, data: cr.data.Stream) -> None:
    with pytest.raises(DivergedError) as caught:
        fit(data, engine=engine, optimizer=cr.SGD(1e30), normalize=False)
    again = fit_until(data, caught.value.step - 1, engine)
    for a, b in zip(tree.leaves(caught.value.run.model.params), tree.leaves(again), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
        assert np.isfinite(a).all()
    assert not reading()


def fit_until(data: cr.data.Stream, step: int, engine: str) -> Any:
    """The weights after so many steps of the diverging run."""
    if step == 0:
        return cr.Model(NET, (4,), seed=0).params
    seen: list[Any] = []

    def look(event: cr.Event) -> cr.Decision | None:
        seen.append(event.model().params)
        return cr.Decision(stop="far enough")

    fit(data, engine=engine, optimizer=cr.SGD(1e30), normalize=False, callbacks=look, call_every=step)
    return seen[0]


def reading() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("chainrule-prefetch") and t.is_alive()]


def test_the_thread_ends_when_training_stops_early(data: cr.data.Stream) -> None:
    run = fit(data, callbacks=lambda event: cr.Decision(stop="enough"), call_every=3)
    assert run.stopped == "enough"
    assert not reading()
    pieces = prefetch(iter(range(5)))
    assert next(pieces) == 0
    assert reading()
    pieces.close()
    assert not reading()


def test_an_error_while_reading_reaches_the_caller(data: cr.data.Stream, tmp_path: Path) -> None:
    wrong = np.array(x)
    wrong[150, 2] = np.inf
    np.save(tmp_path / "x.npy", wrong)
    says = r"x\.npy holds values that are not finite: the first \(inf\) in row 150, column 2"
    with pytest.raises(DataError, match=says):
        fit(data)  # by the standardizer, before the training
    with pytest.raises(DataError, match=says):
        fit(data, normalize=False)  # by the thread that reads ahead
    assert not reading()


def test_a_stream_without_targets(data: cr.data.Stream, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no targets"):
        fit(cr.data.stream(tmp_path / "x.npy"))
    with pytest.raises(DataError, match="x has 203 rows and y has 3"):
        fit((np.load(tmp_path / "x.npy", mmap_mode="r"), y[:3]))
    with pytest.raises(DataError, match=r"Training samples have shape \(4,\), validation samples \(3,\)"):
        fit(data, validation=(x[:, :3], y))


class Full:
    """Stands for an engine or a program on a device without room."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise self.error


@pytest.mark.parametrize("kind", ["jax", "numpy"])
def test_data_and_steps_that_do_not_fit_are_explained(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error: Exception = MemoryError("Unable to allocate 1 GiB")
    if kind == "jax":
        import jax

        error = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1073741824 bytes.")
    with monkeypatch.context() as patch:
        patch.setattr(type(choose(kind)), "put", Full(error))
        with pytest.raises(DataError, match=r"x of shape \(203, 4\) takes 3.25 kB.*cr\.data\.stream\('x\.npy', y\)"):
            fit((x, y), engine=kind)
    from chainrule.training.loop import Loop

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_train", Full(error))
        with pytest.raises(SettingError, match=r"batches of 8 samples.*micro_batches=4.*batch_size=4"):
            fit((x, y), engine=kind, micro_batches=2)
        patch.setattr(Loop, "_train", Full(RuntimeError("something else")))
        with pytest.raises(RuntimeError, match="something else"):
            fit((x, y), engine=kind)


def test_a_large_file_takes_little_memory(tmp_path: Path) -> None:
    """256 MB are trained on, validated and predicted with less than 200 MB more than a little data takes."""
    code = f"""
import resource, sys
import numpy as np
import chainrule as cr

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)

def fit(x, y):
    words = dict(epochs=1, batch_size=512, validation=0.1, engine="numpy", progress=False)
    run = cr.fit(cr.Dense(2, "softmax"), (x, y), **words)
    run.model.predict(x)
    run.evaluate(x, y)

path, n = {str(tmp_path / "large.npy")!r}, 65536
file = np.lib.format.open_memmap(path, "w+", "float32", (n, 1024))
del file  # zeros, which take no space on the disk
y = np.arange(n) % 2
fit(np.ones((1024, 1024), "float32"), y[:1024])
before = peak()
fit(np.load(path, mmap_mode="r"), y)
cr.fit(cr.Dense(2, "softmax"), cr.data.stream(path, y), epochs=1, batch_size=512, engine="numpy", progress=False)
print(peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 220, done.stdout
