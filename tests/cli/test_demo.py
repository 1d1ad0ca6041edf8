"""`chainrule demo`: what a newcomer sees first."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.cli import draw


@pytest.mark.usefixtures("from_inside")
def test_the_demo_learns_and_shows_it(chainrule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = chainrule("demo", "--out", "first")
    rows = re.findall(r"^ +(\d+) +([\d.]+) +([\d.]+) +([\d.]+) % +([\d.]+) %$", done.stdout, re.M)
    assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
    assert float(rows[-1][1]) < 0.2 * float(rows[0][1])
    test = json.loads(Path("first/result.json").read_text())["test"]["accuracy"]
    assert test > 0.94
    assert f"Test accuracy {100 * test:.2f} %" in done.stdout
    assert done.stdout.count("says") == 6
    assert done.stdout.count("WRONG: it is") == 2
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert "\x1b" not in done.output
    assert "The run is in first" in done.stderr
    assert "chainrule evaluate first digits" in done.stderr
    page = Path("first/report.html").resolve()
    assert page.as_uri() in done.stderr
    assert all(f'data-testid="figure-{view}"' in page.read_text("utf-8") for view in ("flow", "ratio", "landscape"))


def test_pictures_have_the_shades_that_the_terminal_can_show() -> None:
    ramp = np.linspace(0, 1, 5)[None, :, None]
    assert draw.picture(ramp, draw.shades("utf-8")) == ["  ░░▒▒▓▓██"]
    assert draw.picture(ramp, draw.shades("ascii")) == ["  ..++**##"]
    assert draw.shades(None) == draw.shades("no such encoding") == draw.PLAIN


@pytest.mark.parametrize(("width", "columns"), [(5, 1), (16, 1), (35, 2), (79, 3), (200, 6)])
def test_pictures_stand_side_by_side_where_there_is_room(width: int, columns: int) -> None:
    text = draw.side_by_side([["x" * 16]] * 6, width)
    counts = [len(line.split()) for line in text.splitlines() if line]
    assert counts == [columns] * (6 // columns)
