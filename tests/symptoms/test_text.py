"""A diagnosis in words, as a file and as a page: one screen, safe for a terminal, nothing left out that must not be."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule.errors import FileError
from chainrule.statistics import Difference, summary
from chainrule.symptoms import rates
from chainrule.symptoms.diagnosis import Diagnosis
from chainrule.symptoms.evidence import Cause, Evidence, Finding, Proof, Stage
from chainrule.symptoms.fix import Fix

NOISY = Finding(
    "labels_trusted",
    "alarm",
    "of the 360 rows that are surest, 18 % carry another label than all their likes",
    evidence=(Evidence("share of wrong labels", 0.18, 0.0, 0.04, p=1e-5),),
    causes=("labels_noisy",),
)
LEARNT = Finding(
    "by_heart", "note", "16 rows learnt by heart in 7 steps", evidence=(Evidence("steps", 7.0, high=120.0),)
)
ADVICE = Finding("still_falling", "advice", "twice the epochs may lower the error by a tenth (not material)")
CHECKS = tuple(Finding("tails", "note", f"column {i} has no values far out") for i in range(9))
PROVEN = Proof(
    "trial",
    "proven",
    control=summary([0.09, 0.092, 0.1, 0.085]),
    fixed=summary([0.05, 0.052, 0.054, 0.053]),
    random=summary([0.09, 0.088, 0.092, 0.09]),
    effect=Difference(0.56, 0.18, 0.8, 0.001, 8),
    explained=0.87,
    metric="accuracy",
    folds=4,
)
FIRST = Cause("labels_noisy", 0.8, (NOISY,), where="171 rows", fix=Fix("drop the rows that look wrong"), proof=PROVEN)
IN_VAIN = Cause("lr_high", 0.1, fix=Fix("a tenth of the rate"), proof=Proof("trial", "no effect", metric="accuracy"))
UNTRIED = Cause(
    "too_small", 0.06, fix=Fix("four times the units"), proof=Proof("trial", "not tried", "no time was left")
)
STAGES = (Stage("data", 0.3), Stage("look", 0.0, "the run kept no recordings"))


def diagnosis(**changes: Any) -> Diagnosis:
    ill = Diagnosis((FIRST, IN_VAIN, UNTRIED), (NOISY, LEARNT, ADVICE, *CHECKS), STAGES)
    return dataclasses.replace(ill, **changes)


def flat(text: object) -> str:
    return " ".join(str(text).split())


def test_the_screen_says_what_is_wrong_why_how_it_is_proven_and_what_to_change() -> None:
    screen = flat(diagnosis()).replace(" alarm", "", 1)
    assert screen.startswith("Something is wrong with this run: many targets are wrong (171 rows)")
    assert "share of wrong labels 0.18 (expected 0 to 0.04)" in screen
    assert "why Of the 360 rows" in screen
    assert "error 9.2 % -> 5.2 % (ratio 1.75, 1.20 to 2.23; 4 folds)" in screen
    assert "fix Drop the rows that look wrong." in screen
    assert "Explained in lecture 003." in screen
    assert "alarm" in str(diagnosis()).splitlines()[0]


def test_what_must_not_be_left_out_is_there() -> None:
    """The random arm, what was not tried and why, advice, what was tried in vain, and how often it is false."""
    screen = flat(diagnosis())
    assert "fixes drawn at random: 9.0 %" in screen
    assert "too_small (no time was left)" in screen
    assert "look (the run kept no recordings)" in screen
    assert "Advice: Twice the epochs" in screen
    assert "Tried without effect: lr_high" in screen
    assert "false" in screen
    without_random = dataclasses.replace(FIRST, proof=dataclasses.replace(PROVEN, random=None, verdict="helps"))
    assert "fixes drawn at random: not tried. It helps" in flat(diagnosis(causes=(without_random,)))
    assert "not tried: no trial was made" in flat(diagnosis(causes=(dataclasses.replace(FIRST, proof=None),)))


def test_checks_that_found_nothing_are_counted_and_all_are_shown_when_asked_for() -> None:
    screen, everything = str(diagnosis()), str(diagnosis().summary(everything=True))
    assert "16 rows learnt by heart" in screen
    assert "(6 more: --all)" in flat(screen)
    assert all(finding.text in everything for finding in CHECKS)
    assert "steps 7 (expected at most 120)" in everything
    assert len(screen.splitlines()) <= 24


def test_changes_that_were_tried_are_not_among_what_is_fine() -> None:
    tried = Finding("trial", "note", "Half the rate. Error 30 %: no effect.", against=("lr_low",))
    untried = Finding("trial", "note", "batch_norm: not tried, the budget was spent.")
    screen = flat(diagnosis(findings=(NOISY, LEARNT, tried, untried)))
    assert "Checked and fine: 16 rows learnt by heart in 7 steps." in screen
    assert "Tried without effect: lr_high, lr_low" in screen
    assert "batch_norm (the budget was spent)" in screen


def test_nothing_wrong_takes_one_line_with_what_was_checked_and_what_was_not() -> None:
    healthy = diagnosis(causes=(), findings=(LEARNT, ADVICE))
    first, checked, *rest = str(healthy).splitlines()
    assert first == "Nothing wrong was found."
    assert checked == "Checked and fine: 16 rows learnt by heart in 7 steps."
    assert "Not tried: look (the run kept no recordings)." in rest
    assert str(diagnosis(causes=(), findings=())).startswith("Nothing could be examined.")


def test_undetermined_says_so_and_what_to_test_next() -> None:
    causes = (dataclasses.replace(UNTRIED, probability=0.4), dataclasses.replace(IN_VAIN, probability=0.3))
    undetermined = diagnosis(causes=causes)
    screen = flat(undetermined)
    assert undetermined.undetermined
    assert "no cause is likelier than all others" in screen
    assert "the network is too small (probability 0.40)" in screen
    assert "next try this first. Four times the units." in screen
    assert repr(undetermined) == "Diagnosis(alarm: undetermined, perhaps too_small or lr_high)"
    assert str(diagnosis(causes=())).startswith(f"Something is wrong with this run: {NOISY.text[:20]}")


def test_lines_are_not_too_long_and_obey_nothing_that_comes_from_data() -> None:
    evil = "\x1b[31mred\x07 and\nnew line " + "wide " * 60 + "x" * 300
    cause = dataclasses.replace(FIRST, where=evil, fix=Fix(evil))
    finding = dataclasses.replace(NOISY, text=evil, where=evil)
    ill = diagnosis(causes=(cause,), findings=(finding, dataclasses.replace(LEARNT, text=evil)))
    for everything in (False, True):
        text = ill.summary(everything=everything)
        assert "\x1b" not in text
        assert "\x07" not in text
        assert max(map(len, text.splitlines())) <= 100


def test_a_file_of_it_is_strict_json_and_reads_back(tmp_path: Path) -> None:
    ill = diagnosis()
    ill.save(tmp_path / "d.json")
    plain = json.loads((tmp_path / "d.json").read_text(), parse_constant=pytest.fail)
    assert (plain["alarm"], plain["proven"], plain["undetermined"]) == (True, True, False)
    assert plain["fix"]["text"] == "drop the rows that look wrong"
    assert Diagnosis.load(tmp_path / "d.json") == ill


def test_figures_that_are_not_finite_are_written_and_shown(tmp_path: Path) -> None:
    """An arm whose members all diverged has no mean."""
    diverged = dataclasses.replace(PROVEN, control=summary([math.nan, math.inf]), effect=None)
    ill = diagnosis(causes=(dataclasses.replace(FIRST, proof=diverged),))
    ill.save(tmp_path / "d.json")
    json.loads((tmp_path / "d.json").read_text(), parse_constant=pytest.fail)
    again = Diagnosis.load(tmp_path / "d.json")
    assert str(again) == str(ill)
    assert "error not a number -> 5.2 %" in flat(again)
    again.to_html(tmp_path / "d.html")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"causes": 3}', '{"causes": [], "findings": [{}], "ran": []}'])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "d.json").write_text(content)
    with pytest.raises(FileError, match=r"d\.json"):
        Diagnosis.load(tmp_path / "d.json")


def test_the_rate_of_false_alarms_has_its_count_and_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"version": "7", "rules": {"labels_trusted": {"false": 1, "of": 214}}}
    monkeypatch.setattr(rates, "_file", lambda: counts)
    assert "false in 1 of 214 healthy runs of the benchmark (upper end 2.6 %)" in flat(diagnosis())
    assert "has not been measured yet" in flat(diagnosis(findings=(dataclasses.replace(NOISY, symptom="tails"),)))


def test_the_page_has_everything_and_runs_nothing(tmp_path: Path) -> None:
    evil = '<script>alert("x")</script>'
    ill = diagnosis(causes=(dataclasses.replace(FIRST, where=evil), IN_VAIN, UNTRIED))
    page = ill.to_html(tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page
    assert "http://" not in page
    assert "https://" not in page
    for part in ("fixes drawn at random: 9.0", "no time was left", "Twice the epochs", "Column 8 has no values"):
        assert part in page
    assert page.count("<circle") == 3


def test_intervals_of_errors_of_classes_stay_between_0_and_1(tmp_path: Path) -> None:
    wide = dataclasses.replace(PROVEN, random=summary([0.6, 0.95, 0.9]))
    page = diagnosis(causes=(dataclasses.replace(FIRST, proof=wide),)).to_html(tmp_path / "page.html").read_text()
    assert "to 100.0\u00a0%)" in page
    assert max(float(end) for end in re.findall(r'x[12]="([\d.]+)%"', page)) <= 100.0


def test_at_the_prompt_it_is_one_line_and_its_summary_one_screen() -> None:
    assert repr(diagnosis()) == "Diagnosis(alarm: labels_noisy, proven)"
    assert repr(diagnosis(causes=(), findings=(LEARNT,))) == "Diagnosis(nothing wrong found)"
    assert repr(diagnosis().summary()) == str(diagnosis())
    assert diagnosis()._repr_html_().startswith("<pre")
    assert cr.Diagnosis is Diagnosis
