"""Training on several devices, for test_devices.py: a program that is run in processes of its own.

python sharing.py FOLDER one            on 1 and on 2 or 4 devices of this process
python sharing.py FOLDER PORT INDEX     as one of two processes, each with two devices
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

folder, *where = Path(sys.argv[1]), *sys.argv[2:]
DEVICES = f"--xla_force_host_platform_device_count={4 if where == ['one'] else 2}"
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {DEVICES}"

import numpy as np  # noqa: E402

import chainrule as cr  # noqa: E402
from chainrule import tree  # noqa: E402
from chainrule.data.rows import ArrayRows  # noqa: E402

warnings.simplefilter("error")
rng = np.random.default_rng(0)
images = rng.normal(size=(46, 6, 6, 1))
labels = (images.mean(axis=(1, 2, 3)) > 0).astype(int) + (images[:, 0, 0, 0] > 0.7)
rows = rng.normal(size=(90, 5)).astype("float32")
sides = np.where(rows[:, 0] - rows[:, 1] > 0, "yes", "no")


def shift(x: Any, key: Any) -> Any:
    """An augmentation that draws a random number for each sample."""
    return x + 0.1 * cr.random.uniform(key, (x.shape[0], 1))


def convolution(**settings: Any) -> cr.Run:
    """Batch normalization, dropout, momentum, clipping, penalties, weights of samples; a last batch of 5 of 8."""
    net = cr.Sequential(
        cr.Conv2D(3, 3, bias=False),
        cr.BatchNorm(),
        cr.Activation("relu"),
        cr.MaxPool2D(2),
        cr.Flatten(),
        cr.Dropout(0.3),
        cr.Dense(3, "softmax"),
    )
    fixed: dict[str, Any] = {
        "optimizer": cr.SGD(cr.schedules.Cosine(0.1), momentum=0.9, clip_norm=1.0),
        "l1": 0.01,
        "l2": 0.1,
        "sample_weight": np.linspace(0.5, 2.0, 46),
        "validation": 0.2,
        "precision": "float64",
    }
    return train(net, (images, labels), fixed | settings)


def dense(**settings: Any) -> cr.Run:
    """Two parts of a batch one after the other, augmentation."""
    net = cr.Sequential(cr.Dense(6, "tanh"), cr.Dense(1, "sigmoid"))
    fixed: dict[str, Any] = {
        "optimizer": cr.AdamW(0.05, weight_decay=0.1),
        "micro_batches": 2,
        "augment": shift,
    }
    return train(net, (rows, sides), fixed | settings)


def streamed(**settings: Any) -> cr.Run:
    """Rows that are read from a file, probes, callbacks inside the epoch."""
    fixed: dict[str, Any] = {"normalize": False, "callbacks": lambda event: None, "call_every": 3, "probe_every": 2}
    return train(cr.Dense(1, "sigmoid"), (np.load(folder / "rows.npy", mmap_mode="r"), sides), fixed | settings)


def train(net: Any, data: Any, settings: dict[str, Any]) -> cr.Run:
    return cr.fit(net, data, **({"epochs": 3, "engine": "jax", "batch_size": 8, "progress": False} | settings))


def keep(name: str, run: cr.Run) -> None:
    """The weights, statistics and history, where the test looks."""
    values = [np.asarray(v) for v in tree.leaves((run.model.params, run.model.state))]
    history = np.array([run.history[c] for c in run.history.columns if c != "seconds"])
    np.savez(folder / f"{name}.npz", *values, history)


def diverge(**settings: Any) -> str:
    """The step and layer at which the cost becomes infinite."""
    try:
        train(cr.Dense(1), (rows, rows[:, 0]), {"optimizer": cr.SGD(1e6)} | settings)
    except cr.errors.DivergedError as error:
        return f"{error.step} {error.layer}"
    return "finite"


RUNS = {"convolution": convolution, "dense": dense, "streamed": streamed}

if where == ["one"]:
    np.save(folder / "rows.npy", rows)
    for name, run in RUNS.items():
        for devices in (None, 2 if name == "dense" else 4):
            keep(f"{name}-{devices}", run(devices=devices))
    report = {"1": diverge(), "4": diverge(devices=4)}
    for wrong in (3, 5, 0, "gpu", "cpu:9", "cuda"):
        try:
            dense(devices=wrong)
        except cr.ChainruleError as error:
            report[str(wrong)] = str(error)
    (folder / "report.json").write_text(json.dumps(report))
else:
    port, index = where
    cr.distributed.start(f"127.0.0.1:{port}", 2, int(index), start_timeout=60)
    read = []
    stored = ArrayRows.stored
    ArrayRows.stored = lambda self, start, stop: (read.append(stop - start), stored(self, start, stop))[1]  # type: ignore
    for name, run in RUNS.items():
        read.clear()
        keep(f"{name}-process-{index}", run())
    report = {"read": sum(read), "diverged": diverge()}
    done = folder / f"run-of-{index}"
    convolution(out=done, callbacks=lambda event: cr.Decision(stop="enough") if event.epoch == 2 else None)
    keep(f"resumed-process-{index}", convolution(out=done if index == "0" else None, resume=True))
    report["folder"] = sorted(path.name for path in done.glob("*"))
    try:
        dense(batch_size=8 if index == "0" else 4)
    except cr.errors.SettingError as error:
        report["different"] = str(error)
    finally:
        (folder / f"report-{index}.json").write_text(json.dumps(report))
    raise RuntimeError("an error of the user's, in one process")
