"""What the doctor says of a run is a section of its page, and shows in a browser at any width, light and dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule.errors import FileError
from chainrule.statistics import summary
from chainrule.symptoms import Cause, Evidence, Finding, Fix, Proof, Stage
from report.browser import Browser

EVIL = '<img src=x onerror="alert(1)">'


@pytest.fixture
def ill() -> cr.Diagnosis:
    finding = Finding("by_heart", "alarm", f"16 rows are not learnt {EVIL}", EVIL, (Evidence("error", 0.8, 0.0, 0.1),))
    proof = Proof(
        "trial", "proven", control=summary([0.5, 0.4]), fixed=summary([0.1, 0.12]), random=summary([0.4, 0.5])
    )
    cause = Cause("lr_high", 0.9, (finding,), where=f"optimizer.lr {EVIL}", fix=Fix("a tenth of it"), proof=proof)
    return cr.Diagnosis((cause,), (finding,), (Stage("by heart", 0.4),))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    cr.fit(cr.Dense(3, "softmax"), cr.data.load("iris"), epochs=2, out=tmp_path / "run", progress=False)
    return tmp_path / "run"


def test_the_section_is_there_when_the_doctor_was_asked(run: Path, ill: cr.Diagnosis) -> None:
    without = cr.report.write_report(run).read_text()
    assert 'id="diagnosis"' not in without
    ill.save(run / "diagnosis.json")
    page = cr.report.write_report(run).read_text()
    assert 'id="diagnosis"' in page
    assert "the learning rate is too high" in page
    assert EVIL not in page


def test_a_damaged_diagnosis_is_named(run: Path) -> None:
    (run / "diagnosis.json").write_text("{")
    with pytest.raises(FileError, match=r"diagnosis\.json"):
        cr.report.write_report(run)


def test_a_run_that_goes_on_has_no_diagnosis_any_more(tmp_path: Path, ill: cr.Diagnosis) -> None:
    how: dict[str, Any] = {"out": tmp_path / "run", "progress": False}
    cr.fit(cr.Dense(3, "softmax"), cr.data.load("iris"), epochs=2, **how)
    ill.save(tmp_path / "run" / "diagnosis.json")
    cr.fit(cr.Dense(3, "softmax"), cr.data.load("iris"), epochs=3, resume=True, **how)
    assert not (tmp_path / "run" / "diagnosis.json").exists()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_of_its_own_fits_and_can_be_read(
    browser: Browser, tmp_path: Path, ill: cr.Diagnosis, width: int, dark: bool
) -> None:
    page = ill.to_html(tmp_path / "page.html")
    browser.size(width)
    browser.dark(dark)
    browser.events.clear()
    browser("Page.navigate", url=page.resolve().as_uri())
    while browser.value("document.readyState != 'complete' || !document.querySelector('.diagnosis')"):
        pass
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.value("document.querySelectorAll('svg circle').length") == 3
    assert browser.value("document.querySelectorAll('img, script').length") == 0
    colours = "(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))"
    assert browser.value(colours) == (
        ["rgb(230, 233, 237)", "rgb(20, 23, 27)"] if dark else ["rgb(28, 33, 40)", "rgb(250, 250, 250)"]
    )
    assert browser.complaints() == []
    assert browser.requests() == []
