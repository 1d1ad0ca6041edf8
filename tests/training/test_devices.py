"""Several devices and several processes train to the same weights as one, and say clearly what cannot be."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.engine.eager import NumpyEngine
from chainrule.recipe.step import Batch
from chainrule.training.loader import HostLoader, InMemoryLoader

PROGRAM = Path(__file__).with_name("sharing.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cr.__file__).parent.parent), "JAX_PLATFORMS": "cpu"}

#: Relative to the largest value of an array: sums over devices are added up in another order.
TOLERANCE = {"convolution": 1e-12, "dense": 1e-5, "streamed": 1e-5}


def start(folder: Path, *where: Any) -> subprocess.Popen[str]:
    words = [sys.executable, str(PROGRAM), str(folder), *map(str, where)]
    return subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process with four devices computed."""
    folder = tmp_path_factory.mktemp("devices")
    process = start(folder, "one")
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    return folder


@pytest.fixture(scope="module")
def processes(results: Path) -> list[tuple[int, str]]:
    """How the two processes ended (they write beside the results of the one), and what they said."""
    port = free_port()
    both = [start(results, port, index) for index in (0, 1)]
    outputs = [process.communicate(timeout=240)[1] for process in both]
    return [(process.returncode, errors) for process, errors in zip(both, outputs, strict=True)]


def difference(folder: Path, one: str, other: str) -> float:
    """The largest difference of two runs' weights, statistics and metrics, relative to each array's largest value."""
    with np.load(folder / f"{one}.npz") as a, np.load(folder / f"{other}.npz") as b:
        assert len(a.files) == len(b.files) > 2
        return max(float(np.abs(a[name] - b[name]).max() / np.abs(a[name]).max()) for name in a.files)


@pytest.mark.parametrize(("run", "devices"), [("convolution", 4), ("dense", 2), ("streamed", 4)])
def test_any_number_of_devices_gives_the_same_weights(results: Path, run: str, devices: int) -> None:
    assert difference(results, f"{run}-None", f"{run}-{devices}") < TOLERANCE[run]


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("run", TOLERANCE)
def test_two_processes_give_the_same_weights(results: Path, processes: Any, run: str, index: int) -> None:
    assert difference(results, f"{run}-None", f"{run}-process-{index}") < TOLERANCE[run], processes[index]


def test_all_devices_find_the_step_where_the_cost_became_infinite(results: Path, processes: Any) -> None:
    steps = json.loads((results / "report.json").read_text())
    assert steps["1"] == steps["4"] != "finite"
    assert [json.loads((results / f"report-{i}.json").read_text())["diverged"] for i in (0, 1)] == [steps["1"]] * 2


def test_each_process_reads_its_share_and_the_first_one_writes(results: Path, processes: Any) -> None:
    first, second = (json.loads((results / f"report-{i}.json").read_text()) for i in (0, 1))
    # 3 epochs of 11 batches, of which each process reads half; the 2 samples left over are read by both. Before, some
    # stretches are read that tell the data apart: of so small a file everything. Afterwards, some are read to look at.
    assert first["read"] == second["read"] == 90 + 3 * (88 // 2 + 2) + 7 * 12
    assert "model.safetensors" in first["folder"]
    assert second["folder"] == []


@pytest.mark.parametrize("index", [0, 1])
def test_a_run_of_two_processes_goes_on_from_what_the_first_one_wrote(
    results: Path, processes: Any, index: int
) -> None:
    assert difference(results, f"convolution-process-{index}", f"resumed-process-{index}") < 1e-12


def test_different_settings_and_an_error_in_one_process_end_both(results: Path, processes: Any) -> None:
    (first, errors), (second, _) = processes
    message = json.loads((results / "report-1.json").read_text())["different"]
    assert "batch_size = 4, and process 0 8" in message
    assert (first, second) == (1, 1)
    assert "PeerError: Another process of this run has ended" in errors


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ("3", "cannot share a batch of 8 samples equally: use batch_size=6 or 9"),
        ("5", "devices=5: there are cpu (4 devices)"),
        ("0", "devices is at least 1, got 0"),
        ("gpu", "There is no gpu here that JAX can use; there are: cpu (4 devices)"),
        ("cpu:9", "There is no device 'cpu:9'; there are: cpu (4 devices)"),
        ("cuda", "Unknown device 'cuda'"),
    ],
)
def test_wrong_devices_are_errors_that_say_what_there_is(results: Path, devices: str, message: str) -> None:
    assert message in json.loads((results / "report.json").read_text())[devices]


def test_numpy_knows_no_devices() -> None:
    with pytest.raises(cr.errors.SettingError, match="NumPy knows no devices"):
        cr.fit(cr.Dense(3, "softmax"), cr.data.load("iris"), engine="numpy", devices=2, progress=False)


class Second(NumpyEngine):
    """The second of two processes."""

    def local(self, batch_size: int) -> slice:
        return slice(batch_size // 2, batch_size)


def test_blocks_have_the_order_of_resident_data_and_only_their_share() -> None:
    x = np.arange(45.0).reshape(45, 1)
    data = Batch(x, np.arange(45), np.ones(45))
    key = cr.random.key(3)
    (whole,) = InMemoryLoader(data, 4, key, NumpyEngine()).epoch(2)
    assert whole.order is not None
    blocks = HostLoader(data, 4, key, Second(), block_bytes=5 * 2 * 24)  # five steps of two samples in a block
    pieces = list(blocks.epoch(2))
    assert [piece.steps for piece in pieces] == [5, 5, 2]
    assert {piece.data.x.shape for piece in pieces} == {(5, 2, 1)}
    x, y, weight = (np.concatenate([a[: p.steps] for p in pieces for a in [p.data[i]]]) for i in range(3))
    assert np.array_equal(x[..., 0], whole.order[:, 2:])
    assert np.array_equal(y, whole.data.y[:, 2:])
    assert np.array_equal(weight, whole.data.weight[:, 2:])
    assert weight.sum() == 22  # of the last batch's one sample, nothing


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"coordinator": "nowhere"}, 'coordinator is "host:port"'),
        ({"coordinator": "127.0.0.1:9", "processes": 0}, "processes is at least 1"),
        ({"coordinator": "127.0.0.1:9", "processes": 2, "index": 2}, "index is from 0 to 1"),
        ({"start_timeout": 0}, "Timeouts are seconds above 0"),
    ],
)
def test_wrong_places_to_meet_are_errors(words: dict[str, Any], message: str) -> None:
    with pytest.raises(cr.errors.SettingError, match=message):
        cr.distributed.start(**words)
