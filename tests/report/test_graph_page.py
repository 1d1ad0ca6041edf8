"""The picture of a computational graph in a real browser, without scripts."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from report.browser import Browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    net = cr.Sequential(cr.Dense(8, "relu"), *(cr.Residual(cr.Dense(8, "tanh")) for _ in range(5)), cr.Dense(2))
    path = tmp_path_factory.mktemp("graph") / "graph.html"
    cr.Model(net, (4,)).trace(np.ones((3, 4)), np.zeros((3, 2))).to_html(path)
    return path


@pytest.mark.parametrize("width", [390, 1280])
def test_a_layer_opens_and_a_box_shows_its_numbers_by_keyboard(browser: Browser, page: Path, width: int) -> None:
    browser.scripts(False)
    try:
        browser.open(page, width, dark=width == 390)
        assert browser.complaints() == []
        assert browser.value("document.documentElement.scrollWidth") <= width
        open_ones = "[...document.querySelectorAll('details[open] > summary')].map(e => e.textContent)"
        assert browser.value(open_ones) == []
        layer = "[...document.querySelectorAll('a')].find(a => a.textContent.startsWith('residual_2'))"
        press(browser, layer)
        wait_for(browser, f"{open_ones}.join() == 'residual_2: 4 operations'")
        box = "[...document.querySelectorAll('details[open] a')].find(a => a.textContent.includes('add'))"
        press(browser, box)
        shown = "document.querySelector('.cr-nodes p:target')"
        wait_for(browser, shown)
        assert "residual_2" in browser.value(f"{shown}.textContent")
        assert browser.value(f"getComputedStyle({shown}).backgroundColor") != "rgba(0, 0, 0, 0)"
        inside = f"(() => {{ const r = {shown}.getBoundingClientRect(); return [r.top, innerHeight - r.top]; }})()"
        assert min(browser.value(inside)) > 0  # what was asked for can be seen
    finally:
        browser.scripts(True)


def press(browser: Browser, link: str) -> None:
    """Follow a link by Enter."""
    browser.value(f"{link}.focus()")
    for kind in ("keyDown", "keyUp"):
        browser("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")


def wait_for(browser: Browser, expression: str) -> None:
    """Wait until an expression is true: frames and their callbacks stand still without scripts."""
    end = time.monotonic() + 20.0
    while not browser.value(f"Boolean({expression})"):
        assert time.monotonic() < end, expression
        time.sleep(0.05)
