"""``chainrule train --distributed``: processes that meet, that are lost, and that never arrive."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree

TRAIN = ["train", "plane.npz", "--engine", "jax", "--batch-size", "16"]  # a file: nothing is imported for it
QUICK = ["--record", "none", "--doctor", "off"]  # where it is about how processes end
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cr.__file__).parent.parent), "JAX_PLATFORMS": "cpu"}


def start(port: int, index: int, *words: Any) -> subprocess.Popen[str]:
    meet = ["--distributed", "--coordinator", f"127.0.0.1:{port}", "--processes", 2, "--process-id", index]
    line = [str(word) for word in (sys.executable, "-m", "chainrule", *TRAIN, *words, *meet)]
    return subprocess.Popen(line, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(autouse=True)
def plane(folder: Path) -> None:
    """Points that lie on one side of a plane or on the other, in the folder to work in."""
    x = np.random.default_rng(0).normal(size=(150, 4)).astype(np.float32)
    np.savez("plane.npz", x=x, y=(x[:, 0] > x[:, 1]).astype(int))


@pytest.fixture
def port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_two_processes_train_to_the_weights_of_one(port: int, chainrule: Any) -> None:
    both = [start(port, index, "--epochs", 3, "--out", "two") for index in (0, 1)]
    messages = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], messages
    assert "2 processes have met." in messages[0]
    assert "epoch" not in messages[1]
    chainrule(*TRAIN, "--epochs", 3, "--out", "one")
    one, two = (cr.load_model(f"{name}/model.safetensors") for name in ("one", "two"))
    for a, b in zip(tree.leaves(one.params), tree.leaves(two.params), strict=True):
        assert np.abs(a - b).max() < 1e-5 * np.abs(a).max()
    assert Path("two/result.json").exists()


@pytest.mark.parametrize("victim", [1, 0])
def test_a_process_that_is_killed_ends_the_other_with_a_message(port: int, victim: int, chainrule: Any) -> None:
    both = [start(port, index, "--epochs", 100_000, "--out", "run") for index in (0, 1)]
    metrics = Path("run/metrics.jsonl")
    while not (metrics.exists() and len(metrics.read_text().splitlines()) >= 3):
        assert all(process.poll() is None for process in both)
        time.sleep(0.05)
    both[victim].kill()
    before = time.monotonic()
    message = both[1 - victim].communicate(timeout=60)[1]
    assert time.monotonic() - before < 45
    both[victim].communicate()
    assert both[1 - victim].returncode == 1
    assert "error: Another process of this run has ended or cannot be reached." in message
    done = len(metrics.read_text().splitlines())
    resumed = chainrule("train", "--resume", "run", "--epochs", done + 1)
    # The checkpoint is whole. Which epoch it is of depends on the time that epochs took: not each is worth one.
    assert "Going on with run after epoch " in resumed.output
    assert len(metrics.read_text().splitlines()) == done + 1


def test_a_process_that_is_not_heard_of_ends_the_other_with_a_message(port: int) -> None:
    words = ["--epochs", 100_000, "--out", "run", "--heartbeat-timeout", 4, *QUICK]
    both = [start(port, index, *words) for index in (0, 1)]
    metrics = Path("run/metrics.jsonl")
    while not metrics.exists():
        assert all(process.poll() is None for process in both)
        time.sleep(0.05)
    both[1].send_signal(signal.SIGSTOP)
    message = both[0].communicate(timeout=60)[1]
    both[1].kill()
    both[1].communicate()
    assert both[0].returncode == 1
    assert "error: Another process of this run has ended or cannot be reached." in message


def test_a_process_that_never_arrives_is_waited_for_only_so_long(port: int) -> None:
    alone = start(port, 0, "--start-timeout", 2, "--out", "run", *QUICK)
    message = alone.communicate(timeout=60)[1]
    assert alone.returncode == 1
    assert f"Not all processes arrived at 127.0.0.1:{port} within 2 seconds" in message
    assert not Path("run").exists()


def test_an_error_of_the_first_process_ends_both(port: int) -> None:
    Path("taken").mkdir()
    Path("taken/config.toml").touch()
    both = [start(port, index, "--out", "taken", *QUICK) for index in (0, 1)]
    messages = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [2, 2]
    assert all("taken already holds a run" in text for text in messages)


def test_meeting_needs_the_flag(chainrule: Any) -> None:
    result = chainrule("train", "iris", "--processes", 2, code=2)
    assert "--processes belongs to --distributed" in result.output


def test_devices_are_kept_with_the_run(chainrule: Any) -> None:
    chainrule("train", "iris", "--epochs", 1, "--devices", "cpu", "--out", "run")
    assert 'devices = "cpu"' in Path("run/config.toml").read_text()
