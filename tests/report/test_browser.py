"""The page in a real browser, with the network off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.training.recorded import Recorded
from chainrule.views.derive.confusions import confusions
from report.browser import Browser

WIDTHS = (390, 1280)

#: How many marks each figure has.
MARKS = """Object.fromEntries([...document.querySelectorAll("[data-testid^=figure-]")].map(f =>
  [f.dataset.testid.slice(7), f.querySelectorAll("svg path, svg rect, svg image").length]))"""


@pytest.fixture
def folder(finish: Any, made: Any) -> Path:
    x, y = made()
    names = ["<script>alert(1)</script>", "<a href='https://example.org'>x</a>", "plain"]
    optimizer = cr.Adam(lr=cr.schedules.Cosine(0.05))
    return finish(cr.Dense(3, "softmax"), x, np.array(names)[y], epochs=5, optimizer=optimizer)["folder"]


#: How the names of figures of training from inside begin.
INSIDE = (
    "steps-loss",
    "flow",
    "ratio",
    "activations-",
    "weights-",
    "boundary",
    "confusion-by-epoch",
    "classes-by-epoch",
    "rows",
    "landscape",
    "network",
)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True])
def test_no_error_no_request_and_the_right_figures(browser: Browser, folder: Path, width: int, dark: bool) -> None:
    browser.open(folder / "report.html", width, dark=dark)
    assert browser.complaints() == []
    assert browser.requests() == []
    assert browser.value("document.documentElement.scrollWidth") <= width
    drawn = browser.value(MARKS)
    outside = [name for name in drawn if not name.startswith(INSIDE)]
    assert outside == ["loss", "score", "lr", "confusion", "calibration"]
    assert all(any(name.startswith(view) for name in drawn) for view in INSIDE)
    assert min(drawn.values()) > 2
    keys = browser.value(
        "Object.fromEntries([...document.querySelectorAll('[data-key]')].map(e => [e.dataset.key, e.dataset.value]))"
    )
    result = json.loads((folder / "result.json").read_text())["test"]
    epochs = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert {name: float(keys[f"test.{name}"]) for name in result} == result
    assert float(keys["kept.val_loss"]) == epochs[-1]["val_loss"]
    assert float(keys["kept.loss"]) == epochs[-1]["loss"]
    assert browser.value("document.querySelectorAll('main a[href^=http]').length") == 0


def test_without_scripts_all_figures_are_there(browser: Browser, folder: Path) -> None:
    browser.scripts(False)
    try:
        browser.open(folder / "report.html")
        assert browser.value("document.querySelectorAll('.cr-figure output').length") == 0
        assert min(browser.value(MARKS).values()) > 1
        shown = "[...document.querySelectorAll('#figure-loss > svg')].map(s => s.getBoundingClientRect().height > 0)"
        before = browser.value(shown)
        assert sorted(before) == [False, True]
        browser.value("document.querySelector('[data-log-of=loss]').click()")
        assert browser.value(shown) == before[::-1]
        assert browser.complaints() == []
    finally:
        browser.scripts(True)


def test_a_figure_uses_its_card_and_its_text_can_be_read(browser: Browser, folder: Path) -> None:
    for width in WIDTHS:
        browser.open(folder / "report.html", width)
        size = """(() => { const s = document.querySelector("#figure-score svg"), k = s.getScreenCTM().a;
          const [w, h] = s.dataset.box.split(" ").slice(2).map(Number), c = s.parentNode.getBoundingClientRect();
          const size = parseFloat(getComputedStyle(s.querySelector("text")).fontSize);
          return [w * h * k * k / (c.width * c.height), k * size]
        })()"""
        share, text = browser.value(size)
        assert share >= 0.6
        assert 10 <= text <= 16


def test_the_pointer_and_the_arrows_read_values(browser: Browser, folder: Path) -> None:
    browser.open(folder / "report.html")
    read = "document.querySelector('#figure-score output').textContent"
    key = "new KeyboardEvent('keydown', {key: 'ArrowLeft', bubbles: true})"
    browser.value(f"document.querySelector('#figure-score svg').dispatchEvent({key})")
    epochs = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert f"validation {100 * epochs[-1]['val_accuracy']:.2f}" in browser.value(read)
    browser.value(f"document.querySelector('#figure-lr .cr-linear').dispatchEvent({key})")
    rates = browser.value("document.querySelector('#figure-lr output').textContent")
    steps = Recorded.read(folder).steps
    assert steps is not None
    assert float(rates.split()[-1]) == pytest.approx(steps.lr[-2], rel=1e-3)
    browser.value("document.querySelector('#figure-score').scrollIntoView()")
    drawing = "document.querySelector('#figure-score svg').getBoundingClientRect()"
    x, y = browser.value(f"(r => [r.x + r.width / 2, r.y + r.height / 2])({drawing})")
    browser("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    assert browser.value(read).startswith("epoch 2")
    assert browser.complaints() == []


def test_every_cell_of_the_confusion_matrix_is_a_button(browser: Browser, folder: Path) -> None:
    browser.open(folder / "report.html")
    cells = "document.querySelectorAll('#figure-confusion [role=button]')"
    assert browser.value(f"{cells}.length") == 9
    assert browser.value(f"[...{cells}].filter(c => c.getAttribute('tabindex') == 0).length") == 1
    browser.value(f"{cells}[0].focus()")
    for key in ("ArrowRight", "ArrowDown"):
        browser("Input.dispatchKeyEvent", type="keyDown", key=key)
    assert browser.value(f"[...{cells}].indexOf(document.activeElement)") == 4
    counts = json.loads((folder / "evaluation.json").read_text())["confusion"]
    sentence = browser.value("document.querySelector('#figure-confusion output').textContent")
    assert sentence.startswith(f"{counts[1][1]} of {sum(counts[1])} rows")
    assert browser.complaints() == []


def test_the_cursor_moves_the_matrix_and_a_cell_opens_its_rows(browser: Browser, folder: Path) -> None:
    browser.open(folder / "report.html")
    seen = confusions(Recorded.read(folder))
    slider = "document.querySelector('#cursor input')"
    assert browser.value(f"{slider}.getBoundingClientRect().height > 0 && {slider}.value == {slider}.max")
    cells = "[...document.querySelectorAll('#figure-confusion-by-epoch [role=button]')]"
    text = "document.querySelector('#rows-of-cells').innerText"
    for at in (4, 0):
        browser.value(f"window.chainrule.show({seen.steps[at]})")
        counts = browser.value(f"{cells}.map(cell => Number(cell.querySelector('text').textContent))")
        assert counts == seen.counts[at].ravel().tolist()
    right, answered = np.argwhere((seen.counts[0] > 0) & ~np.eye(3, dtype=bool))[0].tolist()
    browser.value(f"{cells}[{3 * right + answered}].focus()")
    browser("Input.dispatchKeyEvent", type="keyDown", key="Enter")
    wait = "new Promise(done => setTimeout(() => done({}), 100))"
    listed = browser.value(wait.format(text))
    rows = seen.rows(right, answered, 0)
    assert listed.startswith(f"{len(rows)} {seen.part} row")
    assert f"row {rows[0]}," in listed
    assert "x0 " in listed
    assert seen.classes[right] in listed
    browser.value(f"{slider}.focus()")
    for key in ("End", "Home"):
        browser("Input.dispatchKeyEvent", type="keyDown", key=key)
        browser("Input.dispatchKeyEvent", type="keyUp", key=key)
    assert browser.value("document.querySelector('#cursor').dataset.step") == "0"
    lined = "[...document.querySelectorAll('.cr-figure:has(.cr-at)')].map(figure => figure.id.slice(7))"
    assert set(browser.value(wait.format(lined))) >= {"loss", "score", "lr", "steps-loss", "flow", "activations-0"}
    assert browser.complaints() == []


def test_a_curve_is_zoomed_by_keys_and_by_dragging(browser: Browser, folder: Path) -> None:
    browser.open(folder / "report.html")
    svg = "document.querySelector('#figure-steps-loss > svg:not([style*=none])')"
    shown = f"{svg}.dataset.x.split(' ').slice(0, 2).map(Number)"
    low, high = browser.value(shown)
    browser.value(f"{svg}.focus()")
    browser("Input.dispatchKeyEvent", type="keyDown", key="+", text="+")
    closer = browser.value(shown)
    assert closer[1] - closer[0] == pytest.approx((high - low) / 2)
    drawn = browser.value(f"[...{svg}.querySelectorAll('g:last-of-type > path')].map(p => p.getAttribute('d').length)")
    assert max(drawn) > 100
    assert browser.value(f"getComputedStyle({svg}.querySelector('[data-still]')).display") == "none"
    browser("Input.dispatchKeyEvent", type="keyDown", key="Escape")
    assert browser.value(shown) == [low, high]
    browser.value(f"{svg}.scrollIntoView({{block: 'center'}})")
    left, top, width, height = browser.value(f"(r => [r.x, r.y, r.width, r.height])({svg}.getBoundingClientRect())")
    places = [{"x": left + share * width, "y": top + height / 2} for share in (0.4, 0.5, 0.7)]
    mouse = {"button": "left", "buttons": 1, "clickCount": 1}
    browser("Input.dispatchMouseEvent", type="mousePressed", **places[0], **mouse)
    browser("Input.dispatchMouseEvent", type="mouseMoved", **places[1], **mouse)
    browser("Input.dispatchMouseEvent", type="mouseReleased", **places[2], **mouse)
    closer = browser.value(shown)
    assert (closer[1] - closer[0]) / (high - low) == pytest.approx(0.33, abs=0.05)
    assert browser.complaints() == []


@pytest.mark.slow
def test_colours_follow_the_scheme_when_it_changes(browser: Browser, folder: Path) -> None:
    colour = "getComputedStyle(document.querySelector('#figure-score svg path:last-of-type')).stroke"
    browser.open(folder / "report.html", dark=False)
    light = browser.value(colour)
    browser.dark(True)
    assert browser.value(colour) != light
    assert browser.complaints() == []


@pytest.mark.slow
def test_the_scale_of_the_loss_can_be_logarithmic(browser: Browser, folder: Path) -> None:
    browser.open(folder / "report.html")
    scale = "document.querySelector('#figure-loss').dataset.scale"
    first = browser.value(scale)
    browser.value("document.querySelector('[data-log-of=loss]').click()")
    assert {first, browser.value(scale)} == {"linear", "log"}
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
    colours = "['body', '.cr-figure'].map(s => getComputedStyle(document.querySelector(s)).color)"
    assert browser.value(colours) != ["rgb(28, 33, 40)"] * 2
    browser("Emulation.setEmulatedMedia", media="print")
    assert browser.value(colours) == ["rgb(28, 33, 40)"] * 2
    browser("Emulation.setEmulatedMedia", media="")
    pdf = browser("Page.printToPDF", printBackground=True)["data"]
    assert len(pdf) > 50_000
    assert browser.complaints() == []


def test_many_classes_and_long_names_fit_on_a_phone(browser: Browser, finish: Any, made: Any) -> None:
    x, y = made(n=600, classes=20)
    names = np.array([f"a class with a long name, number {i}" for i in range(20)])
    browser.open(finish(cr.Dense(20, "softmax"), x, names[y])["folder"] / "report.html", 390)
    assert browser.value("document.documentElement.scrollWidth") <= 390
    height = "document.querySelector('#figure-confusion [role=button]').getBoundingClientRect().height"
    assert browser.value(height) >= 20
