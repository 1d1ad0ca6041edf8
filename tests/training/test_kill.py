"""A training process is killed at random moments, also while it writes: no file is half-written, nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr

SCRIPT = Path(__file__).with_name("killed.py")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


def metrics(run: Path) -> list[Any]:
    return [json.loads(line) | {"seconds": 0} for line in (run / "metrics.jsonl").read_text().splitlines()]


def recording(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (run / "views").iterdir()}


def killed(folder: Path, engine: str, kills: int, seed: int) -> list[dict[str, Any]]:
    """Runs that were killed so often in total, each gone on with to its end; every time its files were checked."""
    environment = os.environ | {
        "PYTHONPATH": str(Path(cr.__file__).parent.parent),
        "XDG_CACHE_HOME": str(folder),
        "XLA_FLAGS": "",  # programs as users have them
    }
    words = [sys.executable, str(SCRIPT), str(folder), engine, str(kills), str(seed)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    chains = json.loads(done.stdout)
    whole = folder / "whole"
    for i in range(len(chains)):
        run = folder / f"run-{i}"
        assert (run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
        assert metrics(run) == metrics(whole)
        best = "checkpoints/best.safetensors"
        assert (run / best).read_bytes() == (whole / best).read_bytes()
        assert recording(run) == recording(whole)
    return [life for chain in chains for life in chain]


@pytest.mark.parametrize(("engine", "kills"), [("numpy", 44), ("jax", 6)])
def test_each_of_50_kills_is_survived(engine: str, kills: int, tmp_path: Path) -> None:
    lives = killed(tmp_path, engine, kills, seed=1)
    assert len(lives) == kills
    assert len({life["step"] for life in lives}) > kills / 3  # at many different places of the run
    if engine == "numpy":
        assert any(life["parts"] for life in lives)  # some hit a file that was being written


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "kills"), [("numpy", 400), ("jax", 100)])
def test_each_of_500_kills_is_survived(engine: str, kills: int, tmp_path: Path) -> None:
    assert len(killed(tmp_path, engine, kills, seed=2)) == kills
