"""Ctrl-C and SIGTERM in every phase of a training command: its code, and a sentence that says what goes on."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")

WORDS = ("iris", "--hidden", 4, "--epochs", 3)
KINDS = {"train": (), "seeds": ("--seeds", 2), "folds": ("--folds", 2)}
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.fixture
def signal_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """The signal comes when a function is called; after that the function is as it was."""

    def arrange(place: str, number: int) -> None:
        module, _, name = place.rpartition(".")
        home = importlib.import_module(module)
        real = getattr(home, name)

        def interrupting(*arguments: Any, **words: Any) -> Any:
            monkeypatch.setattr(home, name, real)
            signal.raise_signal(number)
            return real(*arguments, **words)

        monkeypatch.setattr(home, name, interrupting)

    return arrange


def outcome(run: Path) -> Any:
    records = [json.loads(line) | {"seconds": 0} for line in (run / "metrics.jsonl").read_text().splitlines()]
    result = json.loads((run / "result.json").read_text())
    result["metrics"] = {name: value for name, value in result["metrics"].items() if name != "seconds"}
    return (run / "model.safetensors").read_bytes(), records, result


AT_THE_END = (
    "chainrule.experiments.evaluation.evaluate_run",
    "chainrule.experiments.evaluation.write_evaluation",
    "chainrule.report.page.render",
)


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("train", "chainrule.training.decisions.is_best"),
        ("train", "chainrule.experiments.single.save_result"),
        *((kind, place) for kind in KINDS for place in AT_THE_END[:: 1 if kind == "train" else 2]),
        ("seeds", "chainrule.experiments.seeds.ensemble_gain"),
        ("seeds", "chainrule.experiments.seeds.write_members"),
        ("folds", "chainrule.population.cross_validation.CrossValidation"),
        ("folds", "chainrule.experiments.folds.write_members"),
    ],
)
def test_a_signal_in_any_phase_is_heeded_and_the_run_goes_on(
    chainrule: Any, signal_in: Any, kind: str, place: str, number: int
) -> None:
    words = ("train", *WORDS, "--engine", "numpy", *KINDS[kind])
    signal_in(place, number)
    ended = chainrule(*words, "--out", "a", code=CODES[number])
    assert "To go on: chainrule train --resume a" in ended.stderr
    assert not Path("a/report.html").exists()
    chainrule("train", "--resume", "a")
    assert Path("a/report.html").exists()
    chainrule(*words, "--out", "b")
    assert outcome(Path("a")) == outcome(Path("b"))


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("place", ["chainrule.experiments.commands.make_plan", "chainrule.experiments.single.fit"])
def test_before_anything_is_saved_it_says_to_start_again(
    chainrule: Any, signal_in: Any, number: int, place: str
) -> None:
    words = ("train", *WORDS, "--engine", "numpy", "--out", "a")
    signal_in(place, number)
    message = chainrule(*words, code=CODES[number]).stderr
    assert "Interrupted" in message
    assert "--resume" not in message
    chainrule(*words)


def catches_signals(pid: int) -> bool:
    """Whether a process has a handler for SIGTERM, as Linux says it."""
    try:
        match = re.search(r"^SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return False
    return match is not None and bool(int(match[1], 16) & 1 << signal.SIGTERM - 1)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("engine", ["numpy", "jax"])
@pytest.mark.parametrize("kind", KINDS)
def test_signals_at_random_moments_of_a_process(kind: str, engine: str) -> None:
    """Series of processes, each sent a signal at a random moment of its life, until one of them ends by itself."""
    random = np.random.default_rng(0)
    command = [sys.executable, "-m", "chainrule", "train"]
    words = [*WORDS, "--engine", engine, *KINDS[kind]]
    environment = {**os.environ, "PYTHONPATH": str(Path(cr.__file__).parent.parent)}

    def process(*typed: Any) -> subprocess.Popen[str]:
        return subprocess.Popen([*command, *map(str, typed)], stderr=subprocess.PIPE, text=True, env=environment)

    before = time.monotonic()
    with process(*words, "--out", "whole") as whole:
        whole.communicate()
    lasts = time.monotonic() - before
    for series in range(3):
        out, code = Path(f"run-{series}"), None
        while code != 0:
            begun = (out / "config.toml").exists() or (out / "members/config.toml").exists()
            with process(*(("--resume", out) if begun else (*words, "--out", out))) as running:
                while running.poll() is None and not catches_signals(running.pid):
                    time.sleep(0.01)  # Python itself takes a moment until it starts the command
                time.sleep(random.random() * lasts)
                number = int(random.choice([*CODES]))
                running.send_signal(number)
                message, code = running.communicate()[1], running.returncode
            assert code in (0, CODES[number]), message
            assert "Traceback" not in message
            assert "ignored" not in message
            if code:
                assert "Interrupted" in message
        assert outcome(out) == outcome(Path("whole"))
        assert (out / "report.html").exists()
