"""The page in a real browser, with the network off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from report.browser import Browser

WIDTHS = (390, 1280)


@pytest.fixture
def folder(finish: Any, made: Any) -> Path:
    x, y = made()
    names = ["<script>alert(1)</script>", "<a href='https://example.org'>x</a>", "plain"]
    optimizer = cr.Adam(lr=cr.schedules.Cosine(0.05))
    return finish(cr.Dense(3, "softmax"), x, np.array(names)[y], epochs=5, optimizer=optimizer)["folder"]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True])
def test_no_error_no_request_and_the_right_figures(browser: Browser, folder: Path, width: int, dark: bool) -> None:
    browser.open(folder / "report.html", width, dark=dark)
    assert browser.complaints() == []
    assert browser.requests() == []
    assert browser.value("document.documentElement.scrollWidth") <= width
    drawn = browser.value(
        "[...document.querySelectorAll('[data-figure]')].map(p => p.querySelectorAll('.trace').length)"
    )
    assert drawn == [2, 2, 1, 2]
    keys = browser.value(
        "Object.fromEntries([...document.querySelectorAll('[data-key]')].map(e => [e.dataset.key, e.dataset.value]))"
    )
    result = json.loads((folder / "result.json").read_text())["test"]
    epochs = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert {name: float(keys[f"test.{name}"]) for name in result} == result
    assert float(keys["kept.val_loss"]) == epochs[-1]["val_loss"]
    assert float(keys["kept.loss"]) == epochs[-1]["loss"]
    assert browser.value("document.querySelectorAll('main a[href^=http]').length") == 0


@pytest.mark.slow
def test_what_is_drawn_is_what_was_measured(browser: Browser, folder: Path) -> None:
    browser.open(folder / "report.html")
    epochs = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    drawn = browser.value("document.querySelector('[data-figure=loss]').data.map(t => t.y)")
    assert drawn == [[epoch[name] for epoch in epochs] for name in ("loss", "val_loss")]


@pytest.mark.slow
def test_colours_follow_the_scheme_when_it_changes(browser: Browser, folder: Path) -> None:
    colour = "getComputedStyle(document.querySelector('[data-figure=loss] .lines .js-line:last-child')).stroke"
    browser.open(folder / "report.html", dark=False)
    light = browser.value(colour)
    browser.dark(True)
    browser.value("new Promise(done => setTimeout(done, 300))")
    assert browser.value(colour) != light
    assert browser.complaints() == []


@pytest.mark.slow
def test_the_scale_of_the_loss_can_be_logarithmic(browser: Browser, folder: Path) -> None:
    browser.open(folder / "report.html")
    axis = "document.querySelector('[data-figure=loss]').layout.yaxis.type"
    assert browser.value(axis) == "linear"
    browser.value("document.querySelector('[data-log-of=loss]').click()")
    assert browser.value(axis) == "log"
    assert browser.complaints() == []


@pytest.mark.slow
def test_a_foreign_script_does_not_run(browser: Browser, folder: Path, tmp_path: Path) -> None:
    text = (folder / "report.html").read_text().replace("</main>", "</main><script>window.foreign = 1</script>")
    (tmp_path / "changed.html").write_text(text)
    browser.open(tmp_path / "changed.html")
    assert browser.value("window.foreign === undefined")


@pytest.mark.slow
def test_it_prints_in_light_colours(browser: Browser, folder: Path) -> None:
    browser.open(folder / "report.html", dark=True)
    browser.value("dispatchEvent(new Event('beforeprint'))")
    assert browser.value("getComputedStyle(document.body).color") == "rgb(28, 33, 40)"
    browser.value("dispatchEvent(new Event('afterprint'))")
    assert browser.value("getComputedStyle(document.body).color") != "rgb(28, 33, 40)"
    pdf = browser("Page.printToPDF", printBackground=True)["data"]
    assert len(pdf) > 50_000
    assert browser.complaints() == []
