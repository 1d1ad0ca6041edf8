"""What bench/results says of the networks is true of the networks that the scripts train."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

import chainrule as cr
from chainrule.symptoms import rates
from chainrule.symptoms.catalogue import SYMPTOMS

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


def test_what_is_said_of_the_doctors_rules_was_measured_of_these_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = script("doctor_rules", monkeypatch)
    file = rules.PACKAGE / "symptoms" / "rates.json"
    if not file.exists():  # nothing is said of them: no alarm carries a rate
        assert rates.version() == ""
        assert all(rates.rate_of(symptom) is None for symptom in SYMPTOMS)
        return
    published = json.loads(file.read_text(encoding="utf-8"))
    now = rules.rule_files()
    changed = sorted(name for name in {*now, *published["files"]} if now.get(name) != published["files"].get(name))
    assert not changed, "these rules are newer than their figures: python bench/doctor.py --write measures them"
    assert set(published["rules"]) <= set(SYMPTOMS)
    assert f"Version {published['version']}." in (BENCH / "results" / "doctor.md").read_text(encoding="utf-8")


def test_the_fingerprint_of_a_rule_is_that_of_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    fingerprint = script("doctor_rules", monkeypatch).code_fingerprint
    rule = 'def rule(x):\n    """Say so."""\n    return x > 2\n'
    assert fingerprint(rule) == fingerprint(rule.replace("Say so", "Tell").replace("> 2", "> 2  # two"))
    assert fingerprint(rule) != fingerprint(rule.replace("> 2", "> 3"))


def test_every_healthy_recipe_of_the_doctor_was_measured_with_eight_seeds() -> None:
    figures = json.loads((BENCH / "results" / "doctor_cases.json").read_text(encoding="utf-8"))
    assert all(len(errors) >= 8 for errors in figures["bases"].values())
    for name, case in figures["cases"].items():
        assert case["error"] == pytest.approx(case["ratio"] * max(case["base"], 1e-3), rel=1e-2), name
