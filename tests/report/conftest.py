"""Runs to report on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.evaluation.gather import gather
from chainrule.report import write_report
from chainrule.runs.evaluation import write_evaluation
from chainrule.runs.folder import write_result
from report.browser import Browser, find_chromium

Finish = Callable[..., dict[str, Any]]


@pytest.fixture
def finish(tmp_path: Path) -> Finish:
    """Train a network on x and y, judge it on the last third of the rows, and write its report to a folder."""

    def call(net: cr.Layer, x: Any, y: Any, *, epochs: int = 3, validation: float = 0.2, **more: Any) -> dict[str, Any]:
        cut = 2 * len(x) // 3
        train, test = (x[:cut], y[:cut]), (x[cut:], y[cut:])
        keys = ("rows", "columns", "names", "notes")
        shown = {key: more.pop(key) for key in keys if key in more}
        out = more.pop("out", tmp_path / "run")
        run = cr.fit(net, train, epochs=epochs, validation=validation or None, out=out, progress=False, **more)
        write_result(out, {"state": "finished", "epochs": epochs, "test": run.evaluate(*test)})
        facts = gather(run, train=train, evaluated=test, **shown)
        write_evaluation(out, facts)
        write_report(out)
        return facts | {"folder": out, "run": run, "judged": test, "train": train}

    return call


@pytest.fixture
def made() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Rows of ``classes`` clouds that overlap, and their classes."""

    def call(n: int = 300, classes: int = 3, features: int = 4, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng(0)
        y = random.integers(0, classes, n)
        y[:classes] = y[n // 2 : n // 2 + classes] = y[-classes:] = np.arange(classes)
        centres = random.normal(size=(classes, features))
        return (centres[y] + spread * random.normal(size=(n, features))).astype("float32"), y

    return call


def read(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "evaluation.json").read_text())


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("needs Chromium: none was found by its name in PATH")
    with Browser(program, tmp_path_factory.mktemp("chromium")) as opened:
        yield opened
