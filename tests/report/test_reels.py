"""A page of the lab in a real browser: played by hand and by itself, and complete without scripts."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule.lab.server import routes
from chainrule.serving import application, listen, run
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


def test_a_form_of_the_lab_is_filled_in_and_answered(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        address = listen()
    over = threading.Event()

    async def until() -> None:
        while not over.is_set():
            await asyncio.sleep(0.02)

    thread = threading.Thread(target=run, args=(application(routes(), address), address, "Test", until))
    thread.start()
    try:
        browser.visit(address.url)
        browser.visit(f"http://127.0.0.1:{address.port}/page/activations", 390)
        first = ready(browser)
        assert first["frames"] == len(cr.lab.activations().frames)
        browser.value(
            "(() => { document.querySelector('[name=functions]').value = 'tanh,ReLU';"
            " document.querySelector('#compute').click(); })()"
        )
        end = time.monotonic() + 30
        while browser.value("window.chainrule.state().frames") != 2:
            assert time.monotonic() < end, browser.value("document.querySelector('#status').textContent")
            time.sleep(0.1)
        assert browser.complaints() == []
        assert browser.value("document.documentElement.scrollWidth") <= 390
        assert not browser.value("document.querySelector('#export').hidden")
    finally:
        over.set()
        thread.join(10)


def test_without_scripts_the_first_frame_stands_there(browser: Browser, page: Path) -> None:
    browser.scripts(False)
    try:
        browser.open(page)
        assert browser.value("document.querySelectorAll('.frame svg').length") == 2
        assert "Scripts are off" in browser.value("document.querySelector('noscript').textContent")
        assert browser.value("document.querySelectorAll('[data-control]:not([disabled])').length") == 0
    finally:
        browser.scripts(True)
