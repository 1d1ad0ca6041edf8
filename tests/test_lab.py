"""The pages of the lab: every number is what the formulas of the lectures give, and a browser can play them."""

from __future__ import annotations

import base64
import functools
import gzip
import importlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.display.numbers import number
from chainrule.lab.optimizers import OPTIMIZERS, SURFACES
from chainrule.lab.parameters import from_texts

#: Of a page, in bytes: it can be sent as an attachment.
LIMIT = 300_000


#: Of the pages that are tested: fewer values than a page has without them.
SMALL: dict[str, dict[str, Any]] = {
    "descent": {"rates": (0.001, 0.05, 0.125, 0.5, 0.9, 1.0, 1.1)},
    "optimizers": {"surfaces": ("bowl", "saddle"), "rates": (0.1, 0.3)},
    "anatomy": {"optimizers": ("SGD", "Adam"), "weights": ("of a busy input", "of a rare input"), "steps": 12},
    "backprop": {"rows": 2, "stops": 2},
    "initialization": {"activations": ("tanh", "relu"), "depths": 8},
    "slow": {"weights": (0.6, 2.0), "biases": 2},
    "perceptron": {"gaps": (0.4, -0.5), "mistakes": 8},
    "gates": {"gates": ("AND", "XOR"), "moments": 7},
    "boundary": {"shapes": "circles", "hidden": [(), (4,)], "stops": 2, "rows": 60, "epochs": 15},
    "capacity": {"rows": 20, "noise": 0.3, "l2": (0, 0.01), "degrees": (1, 7, 15)},
    "regularize": {"rows": 60, "dropout": (0, 0.5), "l2": 0, "seeds": 2, "steps": 50, "width": 16},
    "normalize": {"depths": 4, "rates": 1, "rows": 100, "epochs": 2},
    "landscape": {"stops": 3},
}


@functools.cache
def iris_run() -> Any:
    return cr.fit(cr.mlp([4, 4, 3], hidden="tanh"), cr.data.load("iris"), epochs=3, record="light", progress=False)


@functools.cache
def made(name: str) -> Any:
    of_a_run = {"run": iris_run()} if name in ("backprop", "landscape") else {}
    return getattr(cr.lab, name)(**SMALL.get(name, {}), **of_a_run)


def frame_at(reel: Any, *values: str) -> Any:
    """The frame at these values of the controls."""
    places = [list(control.values).index(value) for control, value in zip(reel.controls, values, strict=True)]
    return reel.frames[reel.at(places)]


@pytest.mark.slow
@pytest.mark.parametrize("name", cr.lab.QUESTIONS)
def test_the_page_without_any_parameters_is_small_enough_to_be_sent(name: str) -> None:
    assert len(getattr(cr.lab, name)().html().encode()) < LIMIT


@pytest.fixture(params=cr.lab.QUESTIONS)
def reel(request: pytest.FixtureRequest) -> Any:
    return made(request.param)


@pytest.fixture
def descent() -> Any:
    return made("descent")


def numbers(frame: Any) -> dict[str, str]:
    return dict(frame.numbers)


def test_a_page_is_one_small_file_that_asks_nothing_of_the_network(reel: Any, tmp_path: Path) -> None:
    page = reel.to_html(tmp_path / "page.html").read_text("utf-8")
    assert len(page.encode()) < LIMIT
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "default-src 'none'" in page
    assert ("<svg" in page) == (reel.name != "backprop")
    assert reel.lesson.question == cr.lab.QUESTIONS[reel.name]
    assert reel.frames[reel.start].text in page.replace("\u00a0", " ").replace("&#x27;", "'")


def test_a_page_holds_a_drawing_for_every_position(reel: Any) -> None:
    packed = re.search(r'data-frames="">([^<]+)<', reel.html())
    assert packed
    frames = json.loads(gzip.decompress(base64.b64decode(packed[1])))
    assert len(frames) == len(reel.frames) == np.prod([len(control.values) for control in reel.controls])
    assert all(("<svg" in frame or "<details" in frame) and 'class="finding"' in frame for frame in frames)


def test_the_path_on_the_square_is_the_formula(descent: Any) -> None:
    """On L(w) = w² a step of plain descent multiplies w by 1 − 2η."""
    for start in ("-3", "2", "4"):
        for rate in ("0.125", "0.9", "1.1"):
            path = frame_at(descent, "w²", "0", start, rate).figures[0].numbers["series"][1]
            expected = float(start) * (1 - 2 * float(rate)) ** np.arange(61)
            np.testing.assert_allclose(path["x"], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("curve", "momentum", "start", "rate", "words"),
    [
        ("w²", "0", "2", "0.5", "arrives at the minimum"),
        ("w²", "0", "2", "1", "jumps to and fro for ever"),
        ("w²", "0", "2", "1.1", "moves away"),
        ("w²", "0", "2", "0.001", "is still on its way"),
        ("two valleys", "0", "4", "0.05", "stays in the other valley"),
        ("two valleys", "0.9", "4", "0.05", "arrives at the minimum"),
    ],
)
def test_where_a_descent_leads_is_said(
    descent: Any, curve: str, momentum: str, start: str, rate: str, words: str
) -> None:
    assert words in frame_at(descent, curve, momentum, start, rate).text


def test_minima_of_the_surfaces_are_where_the_crosses_stand() -> None:
    for name, surface in SURFACES.items():
        for minimum in surface.minima:
            at = np.array(minimum, float)
            assert abs(float(surface.f(at))) < 1e-12, name
            np.testing.assert_allclose(cr.grad(surface.f)(at), 0, atol=1e-6)


def test_every_optimizer_is_shown_on_every_surface() -> None:
    reel = made("optimizers")
    for frame in reel.frames:
        assert [path["name"] for path in frame.figures[0].numbers["paths"]] == list(OPTIMIZERS)
    assert "momentum 0.9 after" in frame_at(reel, "bowl", "0.1").text


def test_activations_say_where_they_saturate() -> None:
    reel = made("activations")
    shown = dict(zip(reel.controls[0].values, reel.frames, strict=True))
    assert numbers(shown["sigmoid"])["largest f′"] == "0.25"
    assert numbers(shown["tanh"])["f′(0)"] == "1"
    assert "nothing before it would learn" in shown["step"].text
    z = np.array(shown["ELU with α = 1"].figures[0].numbers["series"][0]["x"])
    a = np.array(shown["ELU with α = 1"].figures[0].numbers["series"][0]["y"])
    np.testing.assert_allclose(a, np.where(z > 0, z, np.exp(z) - 1), atol=1e-5)


def test_initialization_tells_what_each_start_does() -> None:
    reel = made("initialization")

    def text(hidden: str, start: str) -> str:
        return str(frame_at(reel, hidden, start).text)

    assert "No gradient reaches" in text("tanh", "all 0")
    assert "counts as one neuron" in text("tanh", "all 0.1")
    assert "shrinks by a factor" in text("tanh", "too small")
    assert "keep their size" in text("tanh", "Xavier")
    assert "keep their size" in text("relu", "He")
    assert "grows by a factor" in text("relu", "too large")


def test_the_steps_that_are_made_of_a_gradient_are_those_of_the_formulas() -> None:
    anatomy = importlib.import_module("chainrule.lab.anatomy")
    recorded = anatomy.gradients(12)
    for weight in ("of a busy input", "of a rare input"):
        m = s = 0.0
        g = recorded[weight]
        for t, value in enumerate(g, 1):
            m, s = 0.9 * m + 0.1 * value, 0.999 * s + 0.001 * value**2
            step = (m / (1 - 0.9**t)) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8)
            assert anatomy.replay("Adam", g).steps[t - 1] == pytest.approx(step, rel=1e-9, abs=1e-15)
        np.testing.assert_allclose(anatomy.replay("SGD", g).steps, g, rtol=1e-12)
    rms = [np.sqrt(np.mean(recorded[weight] ** 2)) for weight in ("of a busy input", "of a rare input")]
    frame = frame_at(made("anatomy"), "SGD", "of a busy input", "12")
    assert frame.text.count(f"{rms[0] / rms[1]:.3g} times") == 2
    assert dict(frame.numbers)["the step, in units of η"] == number(recorded["of a busy input"][11])


def test_the_slow_neuron_is_that_of_the_formulas() -> None:
    reel = made("slow")
    for value, frame in zip(reel.controls[0].values, reel.frames, strict=True):
        w, b = float(value), 2.0
        first = 1 / (1 + np.exp(-(w + b)))
        assert float(numbers(frame)["first δ, cross-entropy"]) == pytest.approx(first, rel=1e-3)
        assert float(numbers(frame)["first δ, quadratic"]) == pytest.approx(first * first * (1 - first), rel=1e-3)
        for _ in range(4):
            a = 1 / (1 + np.exp(-(w + b)))
            w, b = w - 0.15 * a, b - 0.15 * a
        shown = frame.figures[0].numbers["series"][1]
        assert shown["y"][1] == pytest.approx(1 / (1 + np.exp(-(w + b))), abs=1e-4)
    assert re.search("quadratic cost after 2[0-9][0-9] epochs", reel.frames[-1].text)


def test_a_reel_wants_a_frame_for_each_position(descent: Any) -> None:
    with pytest.raises(cr.errors.SettingError, match="84, got 83"):
        replace(descent, frames=descent.frames[1:])


def test_the_pass_of_a_run_is_that_of_its_weights(tmp_path: Path) -> None:
    """The cost at the last moment is that of the model, and every gradient agrees with its difference."""
    iris = cr.data.load("iris")
    run = cr.fit(cr.mlp([4, 3, 3]), iris, epochs=3, out=tmp_path / "run", progress=False)
    assert run.recorded is not None
    reel = cr.lab.backprop(run=run, stops=2)
    assert reel.frames == cr.lab.backprop(run=tmp_path / "run", stops=2).frames
    row = int(reel.controls[0].values[0].split()[-1])
    last = numbers(reel.frames[len(reel.controls[1].values) - 1])
    cost = run.model.evaluate(iris.x[row : row + 1], iris.y[row : row + 1])["loss"]
    assert float(last["cost of the row"].replace(",", "")) == pytest.approx(cost, rel=1e-3)
    assert all(numbers(frame)["gradients that agree with differences"] == "27 of 27" for frame in reel.frames)
    assert "BP4" in reel.frames[0].more


def test_a_run_that_recorded_nothing_has_no_pass() -> None:
    run = cr.fit(cr.mlp([4, 3, 3]), cr.data.load("iris"), epochs=1, progress=False)
    with pytest.raises(cr.errors.DataError, match="record="):
        cr.lab.backprop(run=run)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rates": 20.0}, "rates must be a number from 0 to 10, got 20.0"),
        ({"rates": ["fast"]}, "got 'fast'"),
        ({"rates": [0.1, 0.1]}, "a value twice: 0.1,0.1"),
        ({"rates": []}, "1 to 40 values"),
        ({"steps": 2.5}, "whole number from 1 to 300"),
        ({"curves": "wave"}, "Known: two valleys, w²"),
        ({"rates": list(np.linspace(0, 1, 40)), "starts": [-3, -2, -1, 1, 2, 3]}, "960 pictures"),
        ({"momentum": 0.9}, "momentum"),
    ],
)
def test_what_a_page_cannot_do_is_said_before_it_is_computed(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(cr.errors.ChainruleError, match=message):
        cr.lab.descent(**wrong)


def test_what_is_typed_is_what_python_is_given() -> None:
    group = importlib.import_module("chainrule.lab.descent").Settings
    typed = from_texts(group, {"curves": "w²", "rates": "0.1, 1", "starts": "-2", "steps": "7", "momenta": 0.5})
    assert typed == group(curves=("w²",), rates=[0.1, 1], starts=-2.0, steps=7, momenta=(0.5,))
    assert typed.rates == (0.1, 1.0)
    assert {type(rate) for rate in typed.rates} == {float}


def test_the_polynomial_of_lowest_cost_is_that_of_least_squares() -> None:
    capacity = importlib.import_module("chainrule.lab.capacity")
    x, y = capacity.sample(20, 0.3)
    for degree in (1, 7, 15):
        fitted = capacity.fit_polynomial(x, y, degree)
        expected = np.polynomial.Legendre.fit(x, y, degree, domain=(-2, 2))
        np.testing.assert_allclose(fitted(x), expected(x), rtol=1e-6, atol=1e-6)
        assert fitted.training == pytest.approx(np.abs(expected(x) - y).mean(), rel=1e-6)
        assert fitted.gradient < 1e-10
    reel = made("capacity")
    errors = {row["name"]: row["y"] for row in frame_at(reel, "0", "15").figures[1].numbers["series"]}
    assert errors["on these rows"][0] > 3 * errors["on these rows"][1] > 3 * errors["on these rows"][2]
    assert errors["from the true curve"][2] > 3 * errors["from the true curve"][1]  # overfitting
    assert "Degree 7, with fewer weights" in frame_at(reel, "0", "15").text


def test_a_perceptron_stays_within_its_bounds() -> None:
    perceptron = importlib.import_module("chainrule.lab.perceptron")
    for gap in (0.4, 0.02):
        x, y = perceptron.points(gap, 30)
        way = perceptron.learn(x, y, most=100)
        k, lengths = np.arange(len(way.thetas)), np.linalg.norm(way.thetas, axis=1)
        assert way.done
        assert (k * way.margin <= lengths + 1e-9).all()
        assert (lengths <= np.sqrt(k) * way.longest + 1e-9).all()
        assert len(way.rows) <= way.bound
        neuron = cr.Perceptron().fit(x, y)
        np.testing.assert_allclose(way.thetas[-1], [neuron.bias, *neuron.weights])
        assert sum(neuron.mistakes) == len(way.rows)
        signed = np.column_stack([np.ones(30), x]) * (2 * y - 1)[:, None]
        tried = np.random.default_rng(0).normal(size=(20_000, 3))
        margins = (tried / np.linalg.norm(tried, axis=1, keepdims=True) @ signed.T).min(axis=1)
        assert 0.7 * way.margin < margins.max() <= way.margin + 1e-9
    assert "never stops" in frame_at(made("perceptron"), "-0.5", "8").text


def test_xor_needs_two_layers() -> None:
    reel = made("gates")
    assert "all four rows are right" in frame_at(reel, "AND", "one neuron", "6").text
    assert "No line separates them" in frame_at(reel, "XOR", "one neuron", "6").text
    learnt = frame_at(reel, "XOR", "two layers", "6")
    assert learnt.text == "After 200 steps all four rows are right."
    shown = [float(value.split()[0]) for value in numbers(learnt).values()]
    np.testing.assert_allclose(shown, [0, 1, 1, 0], atol=0.05)


def test_maps_are_what_the_network_predicts() -> None:
    module = importlib.import_module("chainrule.lab.boundary")
    iris = cr.data.load("iris")
    run = cr.fit(cr.mlp([4, 5, 3], hidden="tanh"), iris, epochs=5, record="light", progress=False)
    seen = module.boundary_of(run, (2, 3), stops=2)
    scale = run.model.standardizer
    point = np.median(scale(iris.x), axis=0) * scale.std + scale.mean
    for i, j in ((0, 0), (7, 31), (39, 20)):
        point[2], point[3] = seen.x[j], seen.y[i]
        np.testing.assert_allclose(seen.answers[-1][:, i, j], run.model.predict_proba(point[None])[0], atol=1e-5)
    reel = cr.lab.boundary(data=iris, columns="petal length (cm),petal width (cm)", hidden=[(5,)], epochs=2, stops=2)
    assert "rows are answered wrong" in reel.frames[-1].text
    assert numbers(reel.frames[-1])["optimizer"] == "Adam"  # there is nothing to choose
    straight = frame_at(made("boundary"), "none", "1")
    assert "Without a hidden layer" in straight.text


def test_regularization_narrows_the_gap_between_the_costs() -> None:
    reel, module = made("regularize"), importlib.import_module("chainrule.lab.regularize")
    x, y = module.digits()
    alone = cr.fit(
        module.network(16, 0.5), (x[:60], y[:60]), validation=(x[-500:], y[-500:]), epochs=17, batch_size=20, seed=1,
        optimizer=cr.Adam(lr=0.003), normalize=False, progress=False,
    )  # fmt: skip
    validation = frame_at(reel, "0.5").figures[0].numbers["series"][1]
    ends = validation["low"][-1], validation["high"][-1]
    assert min(abs(end - alone.history["val_loss"][-1]) for end in ends) < 1e-3  # one of the two seeds
    ratios = [float(frame.text.split(", ")[1].split()[0]) for frame in reel.frames]
    assert ratios[0] > ratios[1]


def test_batch_normalization_learns_where_a_deep_network_does_not() -> None:
    reel = made("normalize")
    digits = cr.data.load("digits")
    x, y = digits.x.reshape(len(digits.x), -1)[:100], digits.y[:100]
    run = cr.fit(
        cr.mlp([64, 30, 30, 30, 30, 10], hidden="sigmoid"), (x, y), epochs=2, batch_size=30, seed=0, engine="numpy",
        optimizer=cr.SGD(lr=1.0), progress=False,
    )  # fmt: skip
    without, having = (series["y"] for series in reel.frames[0].figures[0].numbers["series"])
    np.testing.assert_allclose(without, run.history["accuracy"], atol=1e-3)
    assert having[-1] > without[-1] + 0.1


def test_the_costs_of_the_landscape_are_those_of_the_run() -> None:
    iris, run = cr.data.load("iris"), iris_run()
    frames = made("landscape").frames[:3]  # of the plane of the path
    last = numbers(frames[-1])
    assert float(last["true cost"]) == pytest.approx(run.model.evaluate(iris.x, iris.y)["loss"], rel=1e-3)
    assert last["distance from the last weights"] == last["of it off the plane"] == "0"
    way = frames[0].figures[0].numbers["paths"][0]
    assert float(numbers(frames[0])["distance from the last weights"]) ** 2 == pytest.approx(
        float(numbers(frames[0])["of it off the plane"]) ** 2 + way["x"][0] ** 2 + way["y"][0] ** 2, rel=1e-2
    )


@pytest.mark.parametrize(
    ("page", "wrong", "message"),
    [
        ("boundary", {"data": "iris", "noise": 0.1}, "noise is for points that are drawn"),
        ("boundary", {"target": "species"}, "target is for data of one's own"),
        ("boundary", {"data": "iris", "columns": "petal"}, "petal"),
        ("boundary", {"data": "diabetes"}, "numbers to predict"),
        ("boundary", {"data": "digits"}, "rows of at least two numbers"),
        ("boundary", {"hidden": [(8, 100)]}, "1 to 32 units"),
        ("landscape", {"run": "runs/x", "epochs": 3}, "epochs is for networks that are trained here"),
    ],
)
def test_a_parameter_without_effect_is_refused(page: str, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(cr.errors.ChainruleError, match=message):
        getattr(cr.lab, page)(**wrong)
