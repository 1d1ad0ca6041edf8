"""What people see, hear and reach who use a page otherwise: by keyboard, by a reader, with other colours."""

from __future__ import annotations

import itertools
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.draw.axes import SHAPES
from chainrule.draw.figure import COLOURS, DASHES, STYLE
from chainrule.report import write_report
from report.browser import Browser

#: What cones of one kind that are missing make of linear red, green and blue (Machado, Oliveira and Fernandes 2009).
DEFICIENCIES = {
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    iris = cr.data.load("iris")
    small = {"engine": "numpy", "record": "light", "progress": False}
    run = cr.fit(cr.mlp([2, 6, 3]), (iris.x[:, 2:], iris.y), epochs=5, validation=0.2, **small)
    rows = (iris.x[:, 2:], iris.y)
    return {
        "report": write_report(run, folder / "report.html", rows),
        "lab": cr.lab.slow().to_html(folder / "slow.html"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["report", "lab"])
def test_axe_finds_nothing_serious(browser: Browser, pages: dict[str, Path], name: str, dark: bool) -> None:
    pytest.importorskip("axe_core_python")
    browser.open(pages[name], dark=dark)
    browser.value(resources.files("axe_core_python").joinpath("axe.min.js").read_text("utf-8"))
    result = json.loads(browser.value("axe.run({resultTypes: ['violations']}).then(JSON.stringify)"))
    serious = [
        (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0]["failureSummary"])
        for one in result["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
    assert {"color-contrast", "image-alt" if name == "report" else "label"} & {one["id"] for one in result["passes"]}


def test_slider_unit_and_cell_are_reached_by_keys(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["report"])
    reached: list[str] = []
    place = "(e => e.id || e.closest('[id]')?.id || e.tagName)(document.activeElement)"
    for _ in range(90):
        browser("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
        reached.append(browser.value(place))
    wanted = ["figure-boundary", "figure-confusion-by-epoch", "figure-loss", "cursor"]
    assert [name for name in wanted if name not in reached] == []
    outline = "getComputedStyle(document.querySelector('#figure-boundary [role=button]:focus-visible')).outlineStyle"
    browser.value("document.querySelector('#figure-boundary [role=button]').focus()")
    browser("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight")
    assert browser.value(outline) == "solid"


def palette(dark: bool) -> list[tuple[float, ...]]:
    """The colours of series and classes."""
    parts = re.findall(r"--cr-(\d): #(\w{6})", STYLE)
    assert len(parts) == 2 * len(COLOURS)
    chosen = parts[len(COLOURS) :] if dark else parts[: len(COLOURS)]
    return [tuple(int(hexed[i : i + 2], 16) / 255 for i in (0, 2, 4)) for _, hexed in chosen]


def lab(rgb: Any, deficiency: str) -> np.ndarray:
    """A colour as it is seen, in CIE L*a*b*."""
    linear = np.where(np.array(rgb) <= 0.04045, np.array(rgb) / 12.92, ((np.array(rgb) + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(DEFICIENCIES[deficiency]) @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    x, y, z = np.cbrt(xyz / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_colours_are_told_apart_by_everyone(deficiency: str, dark: bool) -> None:
    seen = [lab(colour, deficiency) for colour in palette(dark)]
    near = {
        (i, j): round(float(np.linalg.norm(a - b)), 1)
        for (i, a), (j, b) in itertools.combinations(enumerate(seen, 1), 2)
        if np.linalg.norm(a - b) < 15
    }
    assert near == {}


def test_what_colours_tell_is_told_by_shapes_and_dashes_too() -> None:
    assert len(set(SHAPES)) == len(SHAPES) >= 5
    assert len(set(DASHES)) == len(DASHES) == len(COLOURS)
