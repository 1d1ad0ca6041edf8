"""What bench/results says of the networks is true of the networks that the scripts train."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

import chainrule as cr

BENCH = Path(__file__).parent.parent / "bench"


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_the_augmented_networks_are_not_called_the_books(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = script("mnist_augmented", monkeypatch)
    text = (BENCH / "results" / "mnist_augmented.md").read_text(encoding="utf-8")
    assert bench.report() in text  # written by the script from what is stored
    assert "not the book's networks" in text
    for line in text.splitlines():
        if line.startswith("| two conv-pool"):
            assert "| 217,670 | 85,670 |" in line
    # The rows that are to be the book's have its networks, and its λ: 0.1 divided by the number of batches of 10.
    for name, count in (("one_book", 289_630), ("sigmoid_book", 85_670), ("relu_book", 85_670)):
        assert bench.ROWS[name].parameters() == count
    assert bench.ROWS["relu_book"].l2 / 50_000 == pytest.approx(0.1 / (50_000 / 10))


def test_what_the_books_figures_are_measured_on_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = script("mnist_published", monkeypatch)
    text = (BENCH / "results" / "mnist_published.md").read_text(encoding="utf-8")
    measures = {}
    for row in bench.ROWS:
        assert f"| {row.what} | {row.published:.2f} | {row.measure} |" in text
        measures[row.published] = row.measure
    assert measures[98.04].startswith("**validation**")
    assert "peak over epochs" in measures[95.42]
    assert cr.Model(bench.ROWS[0].net(), (784,)).count() == 23_860
