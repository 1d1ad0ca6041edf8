"""The live page in a browser: what arrives, and that what the reader did stays."""

from __future__ import annotations

import time
from collections.abc import Callable

from live.conftest import Growing, Page, until
from report.browser import Browser

Serve = Callable[..., Page]


def visit(browser: Browser, page: Page, width: int = 1280) -> None:
    browser.size(width)
    browser.events.clear()
    browser("Page.navigate", url=page.address.url)
    until(lambda: browser.value("document.readyState == 'complete' && !!document.querySelector('#live')"))


def shows(browser: Browser, epochs: int) -> bool:
    return bool(
        browser.value(f"document.querySelector('#verdict h2')?.textContent.startsWith('After {epochs} epochs')")
    )


def test_epochs_arrive_and_what_the_reader_did_stays(growing: Growing, serve: Serve, browser: Browser) -> None:
    page = serve(growing.folder)
    visit(browser, page)
    assert shows(browser, 2)
    until(lambda: browser.value("!!document.querySelector('#samples')"))  # all that is derived first
    assert browser.value("location.search") == "", "the key does not stay in the address"
    browser.value(
        """(() => {
        const figure = document.querySelector("#figure-loss");
        figure.querySelector("details").open = true;
        const plot = figure.querySelector("svg.cr-linear, svg[data-box]");
        plot.focus();
        plot.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
        const words = document.querySelector("#curves p.about").firstChild;
        getSelection().setBaseAndExtent(words, 4, words, 12);
        document.querySelector("#curves").scrollIntoView({ behavior: "instant" });
        document.querySelector("#curves").marked = true;
        window.chosen = getSelection().toString();
        window.read = figure.querySelector("output").textContent;
        window.place = figure.getBoundingClientRect().top;
        })()"""
    )
    before = time.monotonic()
    growing.epoch()
    until(lambda: shows(browser, 3))
    took = time.monotonic() - before
    after = browser.value(
        """(() => {
        const figure = document.querySelector("#figure-loss");
        return {
          isNew: !document.querySelector("#curves").marked,
          open: figure.querySelector("details").open,
          focus: document.activeElement.closest(".cr-figure")?.id,
          chosen: getSelection().toString() === window.chosen && window.chosen.length === 8,
          read: figure.querySelector("output").textContent.slice(0, 7) === window.read.slice(0, 7),
          hasRead: window.read.length > 7,
          moved: Math.abs(figure.getBoundingClientRect().top - window.place),
        };
        })()"""
    )
    assert after.pop("moved") < 2
    assert after == {"isNew": True, "open": True, "focus": "figure-loss", "chosen": True, "read": True, "hasRead": True}
    assert took < 10, "1.5 s on a quiet machine"
    growing.end()
    until(lambda: browser.value("document.querySelector('#live').dataset.kind == 'ended'"))
    assert browser.complaints() == []
    assert [url for url in browser.requests() if not url.startswith("http://127.0.0.1:")] == []


def test_a_server_that_was_killed_and_is_back(growing: Growing, serve: Serve, browser: Browser) -> None:
    page = serve(growing.folder)
    visit(browser, page, width=390)
    assert not browser.value("document.documentElement.scrollWidth > innerWidth")
    until(lambda: browser.value("performance.getEntriesByType('resource').length > 0"))
    page.live.is_over = lambda: True  # type: ignore[method-assign]
    until(lambda: browser.value("document.querySelector('#live strong').textContent.startsWith('No answer since')"))
    growing.epoch()
    serve(growing.folder, page.address.port)
    until(lambda: shows(browser, 3))
    assert browser.value("document.querySelector('#live strong').textContent") == "Running"
