"""Ctrl-C and SIGTERM: the first one ends the run saved after the step it is at, the second one at once."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.signals import Interrupted, Terminated, asked_to_end, handled
from chainrule.training import checkpoint, chunk_size

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")

rng = np.random.default_rng(0)
x = rng.normal(size=(46, 5)).astype(np.float32)
y = rng.integers(0, 3, size=46)
NET = cr.Sequential(cr.Dense(6, "tanh"), cr.Dropout(0.3), cr.Dense(3, "softmax"))
BOTH = (signal.SIGINT, signal.SIGTERM)
engines = pytest.mark.parametrize("engine", ["numpy", "jax"])


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Whatever a run does, the handlers are those of Python again."""
    before = [signal.getsignal(number) for number in BOTH]
    assert before == [signal.default_int_handler, signal.SIG_DFL]
    yield
    assert [signal.getsignal(number) for number in BOTH] == before


def fit(out: Path | None = None, **settings: Any) -> Any:
    fixed: dict[str, Any] = {"epochs": 4, "batch_size": 8, "engine": "numpy", "progress": False, "validation": 0.2}
    return cr.fit(NET, (x, y), out=out, **(fixed | settings))


def same(one: Any, other: Any) -> None:
    for a, b in zip(tree.leaves(one.model.params), tree.leaves(other.model.params), strict=True):
        assert np.array_equal(a, b)
    assert [r | {"seconds": 0} for r in other.history] == [r | {"seconds": 0} for r in one.history]


def send(step: int, number: int = signal.SIGINT, times: int = 1) -> dict[str, Any]:
    """The signal comes while a callback is called after a step."""

    def callback(event: cr.Event) -> None:
        if event.step == step:
            for _ in range(times):
                signal.raise_signal(number)
            went_on.append(event.step)

    went_on.clear()
    return {"callbacks": callback, "call_every": 1}


went_on: list[int] = []


@engines
@pytest.mark.parametrize("step", [2, 5, 8])  # within an epoch of 5 steps, at its end, within the next
def test_the_first_one_ends_the_run_saved(engine: str, step: int, tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match=f"after step {step}, in epoch .* keeps it. To go on: .*resume=True"):
        fit(tmp_path, engine=engine, **send(step))
    assert went_on == [step]
    assert checkpoint.files(tmp_path)[0][0] == step
    assert not (tmp_path / "model.safetensors").exists()
    same(fit(engine=engine), fit(tmp_path, engine=engine, resume=True))


def test_it_is_a_keyboard_interrupt_and_a_system_exit(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, **send(3))
    with pytest.raises(SystemExit) as caught:
        fit(tmp_path, resume=True, **send(7, signal.SIGTERM))
    assert isinstance(caught.value, Terminated)
    assert caught.value.code == 143
    assert "after step 7" in str(caught.value)
    same(fit(), fit(tmp_path, resume=True))


@pytest.mark.parametrize("number", BOTH)
def test_the_second_one_ends_it_at_once(number: int, tmp_path: Path) -> None:
    with pytest.raises((KeyboardInterrupt, SystemExit), match="Stopped at once"):
        fit(tmp_path, **send(3, number, times=2))
    assert went_on == []
    assert checkpoint.files(tmp_path) == []
    same(fit(), fit(tmp_path, resume=True))


def test_without_a_folder_it_ends_after_the_step() -> None:
    with pytest.raises(KeyboardInterrupt, match=r"after step 3, in epoch 1\. .*no folder"):
        fit(**send(3))


def test_after_the_last_step_the_run_is_finished_first(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, **send(20))
    whole = fit()
    assert cr.load_model(tmp_path / "model.safetensors").predict(x).tolist() == whole.model.predict(x).tolist()
    same(whole, fit(tmp_path, resume=True))


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise cr.errors.FileError("no room.")

    monkeypatch.setattr(checkpoint, "save", fail)
    with pytest.raises(KeyboardInterrupt, match="It could not be saved in"):
        fit(tmp_path, **send(3))


def test_handlers_of_the_user_stay(tmp_path: Path) -> None:
    got: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: got.append(number))
    try:
        same(fit(), fit(**send(3)))
    finally:
        signal.signal(signal.SIGINT, before)
    assert got == [signal.SIGINT]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as with nohup
    try:
        same(fit(), fit(**send(3)))
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_nothing_is_installed() -> None:
    seen: list[Any] = []

    def train() -> None:
        fit(callbacks=lambda event: seen.append(signal.getsignal(signal.SIGINT)), epochs=1)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_a_run_within_a_run_ends_too(tmp_path: Path) -> None:
    def inner(event: cr.Event) -> None:
        if event.epoch == 2:
            fit(tmp_path / "inner", **send(2))

    with pytest.raises(Interrupted, match="inner keeps it"):
        fit(tmp_path / "outer", callbacks=inner, checkpoint_every=1)
    same(fit(), fit(tmp_path / "outer", resume=True))


def test_errors_leave_the_handlers_as_they_were() -> None:
    def fail(event: cr.Event) -> None:
        raise RuntimeError("of the callback")

    with pytest.raises(RuntimeError, match="of the callback"):
        fit(callbacks=fail)


def test_what_nobody_heeds_arrives_at_the_end() -> None:
    seen = []

    def ask() -> None:
        with asked_to_end() as asked:
            signal.raise_signal(signal.SIGINT)
            seen.append(asked.signal)

    with pytest.raises(KeyboardInterrupt):
        ask()
    assert seen == [signal.SIGINT]


def wait() -> None:
    """Wait for a signal; each step is one at which Python may run a handler."""
    for _ in range(2000):
        time.sleep(0.001)
    pytest.fail("the signal was lost")


def in_a_finalizer(number: int) -> None:
    class Dying:
        def __del__(self) -> None:
            signal.raise_signal(number)

    Dying()
    wait()


def in_a_collection(number: int) -> None:
    """As JAX has it: a callback that the garbage collector calls."""

    def collecting(phase: str, facts: Any) -> None:
        gc.callbacks.remove(collecting)
        signal.raise_signal(number)

    gc.callbacks.append(collecting)
    gc.collect()
    wait()


def in_a_callback_of_c(number: int) -> None:
    called_from_c = ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(number))
    called_from_c()
    wait()


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, Interrupted), (signal.SIGTERM, Terminated)])
@pytest.mark.parametrize("where", [in_a_finalizer, in_a_collection, in_a_callback_of_c])
def test_where_python_would_drop_it_it_comes_again(where: Any, number: int, error: Any, capfd: Any) -> None:
    with pytest.raises(error), handled():
        where(number)
    assert capfd.readouterr().err == ""  # no "Exception ignored in"


def test_what_else_python_drops_is_shown_as_ever(capfd: Any) -> None:
    class Wrong:
        def __del__(self) -> None:
            raise ValueError("in the finalizer")

    shown: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", lambda lost: shown.append(str(lost.exc_value)))
        with handled():
            Wrong()
    assert shown == ["in the finalizer"]


LONG = """
import sys
import numpy as np
import chainrule as cr
from chainrule.training import loop

train = loop.Loop._train
def saying(self, state, piece, first, last):
    print(first, flush=True)
    return train(self, state, piece, first, last)
loop.Loop._train = saying

rng = np.random.default_rng(0)
x = rng.normal(size=(200_000, 20)).astype("float32")
net = cr.mlp([20, 256, 2])
cr.fit(net, (x, x[:, 0] > 0), batch_size=4, epochs=1, engine=sys.argv[1], out=sys.argv[2], progress=False)
"""


@pytest.mark.parametrize(("engine", "number", "code"), [("jax", signal.SIGINT, 1), ("numpy", signal.SIGTERM, 143)])
def test_a_long_epoch_does_not_keep_it_waiting(engine: str, number: int, code: int, tmp_path: Path) -> None:
    """An epoch takes many seconds, in one program; a call of it lasts about a second."""
    environment = {**os.environ, "PYTHONPATH": str(Path(cr.__file__).parent.parent)}
    words = [sys.executable, "-c", LONG, engine, str(tmp_path / "run")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 64:  # it is compiled, and the calls have become longer
            assert process.poll() is None
        process.send_signal(number)
        before = time.monotonic()
        _, message = process.communicate(timeout=60)
        took = time.monotonic() - before
    assert took < 10 * chunk_size.SECONDS
    if number == signal.SIGINT:
        assert process.returncode in (code, 130, -signal.SIGINT)  # an uncaught KeyboardInterrupt
        assert "keeps it. To go on: the same call of fit with resume=True" in message
    else:
        assert process.returncode == code
    (step, path), *_ = checkpoint.files(tmp_path / "run")
    assert 64 <= step < 50_000
    assert checkpoint.read(path)[1]["position"]["done"] == step
