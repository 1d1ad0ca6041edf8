"""Trains in child processes and kills them (SIGKILL) at random moments, for test_kill.py; prints what it found as JSON.

python killed.py FOLDER ENGINE KILLS SEED
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import tomllib
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.training import checkpoint
from chainrule.training.recorded import Recorded

folder, engine, kills, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
random = np.random.default_rng(seed)
x = np.random.default_rng(0).normal(size=(70, 4)).astype(np.float32)
y = np.array(["a", "b", "c"])[np.random.default_rng(1).integers(0, 3, size=70)]
NET = cr.Sequential(cr.Dense(8), cr.BatchNorm(), cr.Activation("relu"), cr.Dropout(0.2), cr.Dense(3, "softmax"))
EPOCHS = {"numpy": 60, "jax": 60}[engine]

# So that a child starts at once. JAX may be imported before a fork, but not used: only then it starts threads.
import safetensors.numpy  # noqa: E402, F401

import chainrule.optimizers  # noqa: E402
import chainrule.training.loop  # noqa: E402

if engine == "jax":
    import jax
    import jax.numpy  # noqa: F401


def train(out: Path, **settings: Any) -> None:
    cr.fit(
        NET,
        (x, y),
        optimizer=cr.Adam(cr.schedules.ReduceOnPlateau(0.02, patience=2)),
        epochs=EPOCHS,
        batch_size=8,
        validation=0.2,
        engine=engine,
        out=out,
        resume=out.exists(),
        early_stopping=cr.EarlyStopping(patience=1000),
        record_steps=True,
        progress=False,
        **settings,
    )


def child(out: Path, **settings: Any) -> int:
    """A process of its own that trains."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            with open(folder / "errors.txt", "a") as log:
                os.dup2(log.fileno(), 2)
            train(out, **settings)
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    return pid


def ended(pid: int) -> int | None:
    """The exit code of a child, if it has ended."""
    ended_pid, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended_pid else None


def check(out: Path) -> dict[str, Any]:
    """Every file under its final name can be read, and is whole; how many were left half-written under others."""
    files = [path for path in out.rglob("*") if path.is_file()] if out.exists() else []
    for path in files:
        name = path.name
        if name.endswith(".part") and name.startswith("."):
            continue
        if name == "config.toml":
            tomllib.loads(path.read_text())
        elif name == "environment.json":
            json.loads(path.read_text())
        elif name == "metrics.jsonl":
            records = [json.loads(line) for line in path.read_text().splitlines()]
            assert [r["epoch"] for r in records] == list(range(1, len(records) + 1))
        elif name.startswith("step-"):
            assert checkpoint.read(path)[1]["step"] == int(name[5:13])
        elif name in ("best.safetensors", "model.safetensors", "network.safetensors"):
            cr.load_model(path)
        elif path.parent.name == "views":
            assert name in (
                "recorded.json",
                "fixed.safetensors",
                "steps.f32",
                "rows.u8",
                "updates.f32",
            ) or name.startswith("at-")
        else:
            raise AssertionError(f"{path} should not be there")
    if (out / "views" / "recorded.json").exists():
        recorded = Recorded.read(out)
        assert [recorded.read_snapshot(step).step for step in recorded.stops] == list(recorded.stops)
    return {"parts": sum(path.name.endswith(".part") for path in files)}


def newest(out: Path) -> int:
    return max((step for step, _ in checkpoint.files(out)), default=-1)


def kill_once(out: Path) -> tuple[bool, dict[str, Any]]:
    """One life of the process: whether it ended by itself before the moment came, and what it left."""
    before, pid, start = newest(out), child(out, checkpoint_every=1), time.monotonic()
    if random.random() < 0.8:  # while it trains and writes; else at any moment from its start on
        while newest(out) <= before and time.monotonic() - start < 60:
            if (code := ended(pid)) is not None:
                return True, {"code": code}
            time.sleep(0.001)
        moment = time.monotonic() + random.random() * 0.15
    else:
        moment = time.monotonic() + random.random() * (0.1 if engine == "numpy" else 2.0)
    while time.monotonic() < moment:
        if (code := ended(pid)) is not None:
            return True, {"code": code}
        time.sleep(0.0005)
    os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code != -signal.SIGKILL, {"code": code, "step": newest(out), **check(out)}


warnings.simplefilter("ignore")
folder.mkdir(exist_ok=True)
whole = child(folder / "whole")
assert os.waitstatus_to_exitcode(os.waitpid(whole, 0)[1]) == 0, (folder / "errors.txt").read_text()

lives: list[list[dict[str, Any]]] = []
done = 0
while done < kills:
    out, chain = folder / f"run-{len(lives)}", []
    lives.append(chain)
    while done < kills:
        over, left = kill_once(out)
        if over:
            assert left["code"] == 0, (folder / "errors.txt").read_text()
            break
        chain.append(left)
        done += 1
    last = child(out)
    assert os.waitstatus_to_exitcode(os.waitpid(last, 0)[1]) == 0, (folder / "errors.txt").read_text()
    assert check(out)["parts"] == 0
print(json.dumps(lives))
