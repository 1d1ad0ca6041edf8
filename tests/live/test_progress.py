"""How far a run is, as its page says while it goes on."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule.live.server import source_of
from chainrule.report.page import parts_of, read_page


class Stop(Exception):
    """Ends a run on the way."""


def progress(folder: Path) -> str:
    source = source_of(folder)
    source.look(is_shown=False)
    return source.state.text


def test_of_several_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    parts: dict[str, str] = {}

    def finish(self: Any) -> None:
        seen.append(progress(tmp_path / "run"))
        parts.update(parts_of(read_page(tmp_path / "run")))
        raise Stop

    monkeypatch.setattr("chainrule.population.checkpointer.Checkpointer.finish", finish)
    with contextlib.suppress(Stop):
        cr.train("iris", seeds=2, epochs=2, hidden=(4,), engine="numpy", out=tmp_path / "run")
    assert seen == ["epoch 2 of 2 in 2 networks"]
    assert '<th scope="col">highest</th>' in parts["curves"], "a band over both"
    assert "seed 0" in parts["members"]
    assert "seed 1" in parts["members"]


def test_of_a_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def write(folder: Any, searched: Any) -> None:
        seen.append(progress(tmp_path / "run"))
        raise Stop

    monkeypatch.setattr("chainrule.experiments.search_run._write", write)
    with contextlib.suppress(Stop):
        cr.experiments.search("iris", space="lr=1e-3..1e-1", trials=3, epochs=1, hidden=(4,), out=tmp_path / "run")
    assert seen == ["3 of 3 trials have ended"]
