"""A page of the lab in a real browser: played by hand and by itself, and complete without scripts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from report.browser import Browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reel = cr.lab.descent(starts=(2, 4), rates=(0.05, 0.125, 0.5, 1.2))
    return reel.to_html(tmp_path_factory.mktemp("lab") / "descent.html")


def ready(browser: Browser) -> Any:
    end = time.monotonic() + 20
    while not (state := browser.value("window.chainrule.state()"))["ready"]:
        assert time.monotonic() < end, "the frames were not unpacked"
        time.sleep(0.05)
    return state


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_is_played(browser: Browser, page: Path, width: int, dark: bool) -> None:
    browser.open(page, width, dark=dark)
    first = ready(browser)
    finding = "document.querySelector('.finding').textContent"
    assert browser.value(finding) == "From w = 2 the descent arrives at the minimum."
    browser.value(
        "(() => { const s = [...document.querySelectorAll('[type=range]')].at(-1); s.value = s.max;"
        " s.dispatchEvent(new Event('input')); })()"
    )
    assert browser.value(finding).startswith("From w = 2 the descent moves away. It leaves the picture at step")
    assert browser.value("document.querySelector('output').textContent") == "1.2"
    assert browser.value("window.chainrule.state().frame") > first["frame"]
    browser.value("document.querySelector('[data-play]').click()")
    assert browser.value("window.chainrule.state().playing")
    assert browser.complaints() == []
    assert browser.requests() == []
    assert browser.value("document.documentElement.scrollWidth") <= width


def test_without_scripts_the_first_frame_stands_there(browser: Browser, page: Path) -> None:
    browser.scripts(False)
    try:
        browser.open(page)
        assert browser.value("document.querySelectorAll('.frame svg').length") == 2
        assert "Scripts are off" in browser.value("document.querySelector('noscript').textContent")
        assert browser.value("document.querySelectorAll('[data-control]:not([disabled])').length") == 0
    finally:
        browser.scripts(True)
