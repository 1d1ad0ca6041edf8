"""Figures: what is drawn is what was measured, in a page, in a notebook and as a file."""

from __future__ import annotations

import base64
import gzip
import json
import math
import re
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest

from chainrule.draw.axes import Axis, Scale
from chainrule.draw.fan import fan
from chainrule.draw.figure import STYLE, Figure
from chainrule.draw.heat import Shade, heat
from chainrule.draw.images import coloured, images, png
from chainrule.draw.line import Level, Mark, Series, Stretch, line, smooth

#: Curves stand in groups of their own, by which a page hides and shows them.
CURVES = "{0}g/{0}g/{0}path".format("{http://www.w3.org/2000/svg}")

EVIL = '</script><b onload="x">&'


def curve(**more: Any) -> Figure:
    training = Series("training", [0.5, 1.5, 2.5], [2.0, 0.5, 0.1])
    validation = Series("validation", [1, 2, 3], [1.0, None, 0.2])
    axis = Axis("cross-entropy", "nats", log=None)
    return line("loss", "Does it learn?", [training, validation], Axis("epoch", whole=True), axis, **more)


def every() -> list[Figure]:
    quantiles = [[-1.0, 0.0, 1.0], [-2.0, 0.5, 3.0]]
    return [
        curve(marks=[Mark(2, "the model: epoch 2")], levels=[Level(1.5, "always “3”")], bands=[Stretch(0.1, 0.2)]),
        heat("flow", EVIL, [[1.0, math.nan], [0.1, 0.2]], [1, 2], [EVIL, "b"], Axis("step", log=True), Shade("δ")),
        fan("spread", EVIL, [1, 2], [0, 0.5, 1], quantiles, Axis("step"), Axis(EVIL)),
        images("weights", EVIL, np.arange(12.0).reshape(3, 2, 2), [EVIL, "b", "c"]),
    ]


@pytest.mark.parametrize("figure", every(), ids=lambda figure: figure.name)
def test_a_figure_is_complete_without_scripts(figure: Figure) -> None:
    drawing = ET.fromstring(figure.svg())
    assert drawing.get("role") == "img"
    assert drawing.get("aria-label") == figure.text
    assert float(drawing.get("viewBox", "").split()[2]) == 360
    page = figure.html()
    assert f'data-testid="figure-{figure.name}"' in page
    assert "<details>" in page
    assert "<b onload" not in page
    numbers = re.search(r'<script type="application/json" data-for="\w+">(.*?)</script>', page)
    assert numbers is not None
    assert json.loads(numbers[1])["kind"]
    notebook = figure._repr_html_()
    assert "<script" not in notebook
    assert len(notebook) < 60_000
    assert "prefers-color-scheme" in notebook


def test_the_numbers_are_those_that_were_given() -> None:
    first, second = json.loads(re.findall(r"<script[^>]*>(.*?)</script>", curve().html())[0])["series"]
    assert first == {"name": "training", "x": [0.5, 1.5, 2.5], "y": [2.0, 0.5, 0.1]}
    assert second["y"] == [1.0, None, 0.2]


def test_a_curve_is_drawn_where_its_values_are() -> None:
    figure = line("a", "a", [Series("a", [0, 1, 2], [0.0, 10.0, 5.0])], Axis(low=0, high=2), Axis(low=0, high=10))
    drawing = ET.fromstring(figure.svg())
    left, top, width, height = map(float, drawing.get("data-box", "").split())
    d = next(drawing.iterfind(CURVES)).get("d", "")
    points = [tuple(map(float, point.split())) for point in re.findall(r"[\d.]+ [\d.]+", d)]
    wanted = [(left, top + height), (left + width / 2, top), (left + width, top + height / 2)]
    np.testing.assert_allclose(points, wanted, atol=0.06)


def test_the_loss_is_logarithmic_where_it_spans_more_than_a_decade_and_both_are_there() -> None:
    figure = curve()
    assert figure.starts_logarithmic
    assert figure.html().count("<svg") == 2
    assert 'data-scale="log"' in figure.html()
    flat = line("a", "a", [Series("a", [1, 2], [1.0, 2.0])], y=Axis(log=None))
    assert not flat.starts_logarithmic
    assert 'data-scale="linear"' in flat.html()
    zero = line("a", "a", [Series("a", [1, 2], [1.0, 0.0])], y=Axis(log=None))
    assert zero.logarithmic is None
    assert "data-scale" not in zero.html()


def test_of_many_points_no_spike_is_lost_and_the_median_is_thick() -> None:
    values = np.ones(50_000)
    values[12_345], values[40_000] = 90.0, -50.0
    figure = line("a", "a", [Series("a", range(50_000), values.tolist())], y=Axis(low=-100, high=100))
    drawing = ET.fromstring(figure.svg())
    top, height = (float(drawing.get("data-box", "").split()[i]) for i in (1, 3))
    raw, middle = (p.get("d", "") for p in drawing.iterfind(CURVES))
    heights = [float(y) for y in re.findall(r"[\d.]+ ([\d.]+)", raw)]
    assert min(heights) == pytest.approx(top + 0.05 * height, abs=0.1)
    assert max(heights) == pytest.approx(top + 0.75 * height, abs=0.1)
    assert len(set(re.findall(r"[\d.]+ ([\d.]+)", middle))) == 1  # a single spike does not move the median
    assert len(figure.html()) < 200_000
    (one,) = figure.numbers["series"]
    assert (one["first"], one["each"], one["of"]) == (0, 1, 50_000)
    packed = np.frombuffer(gzip.decompress(base64.b64decode(one["packed"])), "<f4")
    np.testing.assert_array_equal(packed, values)
    assert "median over 2\u00a0% of the run" in figure.html()


def test_a_curve_that_has_no_room_in_a_page_travels_by_its_extremes() -> None:
    values = np.random.default_rng(0).random(40_000)
    figure = line("a", "a", [Series("a", range(40_000), values.tolist())])
    (one,) = figure.numbers["series"]
    assert {values.min(), values.max()} <= set(one["y"])
    assert (len(one["y"]), one["of"]) == (1000, 40_000)
    assert "the lowest and highest value of each of 500 stretches" in figure.note


def test_the_median_of_a_window_is_half_as_wide_at_the_ends() -> None:
    x, y = smooth(range(1000), list(map(float, range(1000))))
    assert (x[0], y[0]) == (0.0, 5.0)  # of the values 0 to 10
    assert y[80] == pytest.approx(x[80], abs=1)


@pytest.mark.parametrize(
    ("axis", "values", "ticks"),
    [
        (Axis(), [0, 1], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (Axis(whole=True), [1, 4], ["1", "2", "3", "4"]),
        (Axis(percent=True), [0.91, 0.95], ["91 %", "92 %", "93 %", "94 %", "95 %"]),
        (Axis(percent=True), [1, 1], ["96 %", "98 %", "100 %"]),
        (Axis(log=True), [1e-4, 1e-1], ["10⁻⁴", "0.001", "0.01", "0.1"]),
        (Axis(log=True), [16, 128], ["20", "50", "100"]),
        (Axis(), [-2000, 1000], ["−2,000", "−1,500", "−1,000", "−500", "0", "500", "1,000"]),
        (Axis(), [3, 3], ["1.5", "2.0", "2.5", "3.0", "3.5", "4.0", "4.5"]),
        (Axis(ticks=[(0, "a"), (1, "b")]), [0, 1], ["a", "b"]),
    ],
)
def test_ticks_are_round(axis: Axis, values: list[float], ticks: list[str]) -> None:
    assert [text for _, text in Scale(axis, values, 0, 100).ticks(7)] == ticks


@pytest.mark.parametrize("span", [1e-12, 1e-3, 1.0, 7.3, 1e9, 1e30])
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("most", [3, 6])
def test_ticks_are_few_and_inside(span: float, log: bool, most: int) -> None:
    scale = Scale(Axis(log=log), [1.0, 1.0 + span], 0, 100)
    ticks = scale.ticks(most)
    assert len(ticks) <= most + 1
    assert all(-0.2 <= scale(value) <= 100.2 for value, _ in ticks)


def test_a_heat_map_has_a_cell_for_each_value_that_is_there() -> None:
    figure = heat("a", "a", [[1.0, math.nan, 3.0], [0.0, 2.0, 2.0]], [1, 2, 3], ["b", "c"])
    drawn = re.findall(r"M[\d. ]+h[\d.]+", figure.svg())
    assert len(drawn) == 5
    assert figure.rows[0] == ("b", "1", "not a number", "3")


def test_pictures_are_those_of_the_numbers() -> None:
    pillow = pytest.importorskip("PIL.Image")
    import base64
    import io

    pixels = coloured(np.array([[-1.0, 0.0], [0.5, 1.0]]), 1.0)
    picture = pillow.open(io.BytesIO(base64.b64decode(png(pixels).partition(",")[2])))
    assert np.array_equal(np.asarray(picture.convert("RGB")), pixels)


#: What people without one kind of cones see of linear RGB (Machado, Oliveira and Fernandes, 2009).
VISION = {
    "all cones": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("vision", VISION)
def test_the_colours_of_series_are_told_apart(mode: int, vision: str) -> None:
    def linear(name: str) -> np.ndarray:
        values = np.array([int(name[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)

    def lab(rgb: np.ndarray) -> np.ndarray:
        xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb
        f = np.where((xyz := xyz / [0.9505, 1, 1.089]) > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
        return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])

    colours = [linear(name) for name in re.findall(r"--cr-\d: (#\w+)", STYLE)][6 * mode : 6 * mode + 6]
    seen = [lab(np.clip(np.array(VISION[vision]) @ colour, 0, 1)) for colour in colours]
    assert min(np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]) >= 15
    ground = linear(re.findall(r"--cr-surface: (#\w+)", STYLE)[mode])
    bright = [float([0.2126, 0.7152, 0.0722] @ colour) + 0.05 for colour in (ground, *colours)]
    assert all(max(bright[0], one) / min(bright[0], one) >= 3 for one in bright[1:])
