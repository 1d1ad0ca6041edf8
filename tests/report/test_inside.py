"""Training from inside, in the page: every number is that of the run's files, and what is missing is said."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import chainrule as cr
from chainrule.evaluation.gather import gather
from chainrule.models.backprop_result import backprop
from chainrule.report import write_report
from chainrule.report.inside_figures import VIEWS, inside
from chainrule.report.page import read_page
from chainrule.training.recorded import Recorded
from chainrule.views.derive.activations import activations
from chainrule.views.derive.boundary import boundary
from chainrule.views.derive.confusions import confusions
from chainrule.views.derive.flow import flow
from chainrule.views.derive.landscape import landscape
from chainrule.views.derive.missing import Missing
from chainrule.views.derive.ratios import ratios
from chainrule.views.derive.samples import samples
from report.browser import Browser

DIGITS = cr.data.load("digits")
NET = cr.Sequential(cr.Flatten(), cr.Dense(24, "relu"), cr.Dense(16, "tanh"), cr.Dense(10, "softmax"))


def fit(out: Path, net: Any = NET, data: Any = None, **settings: Any) -> Path:
    small = {"epochs": 3, "validation": 0.2, "engine": "numpy", "progress": False, "out": out}
    cr.fit(net, (DIGITS.x[:600], DIGITS.y[:600]) if data is None else data, **(small | settings))
    write_report(out)
    return out


def text(folder: Path) -> str:
    return (folder / "report.html").read_text()


def numbers(page: str) -> dict[str, Any]:
    """What each figure was drawn from."""
    figures = re.findall(r'<script type="application/json" data-for="([^"]+)">(.*?)</script>', page)
    return {name: json.loads(values) for name, values in figures}


def unpacked(page: str, figure: str, kind: str) -> bytes:
    """What is packed beside a figure, or in a place."""
    text = re.search(rf'id="{figure}".*?<script type="text/plain" data-{kind}="[^>]*>(.*?)</script>', page, re.S)
    assert text is not None
    return gzip.decompress(base64.b64decode(text[1]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit(tmp_path_factory.mktemp("runs") / "run", epochs=5)


def test_the_sections_come_in_their_order(folder: Path) -> None:
    ids = re.findall(r'<section id="([\w-]+)"', text(folder))
    expected = [
        "curves",
        "steps",
        "flow",
        "ratio",
        "activations",
        "weights",
        "classes-by-epoch",
        "samples",
        "network",
        "landscape",
    ]
    assert [name for name in ids if name in expected] == expected


def test_every_number_is_that_of_the_files(folder: Path) -> None:
    drawn, recorded = numbers(text(folder)), Recorded.read(folder)
    np.testing.assert_array_equal(np.float32(drawn["steps-loss"]["series"][0]["y"]), recorded.steps.loss)
    epochs = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert drawn["steps-loss"]["series"][1]["y"] == [epoch["val_loss"] for epoch in epochs]
    assert drawn["steps-loss"]["series"][1]["x"] == [(at + 1) * recorded.steps_per_epoch for at in range(5)]
    np.testing.assert_allclose(drawn["flow"]["values"], np.log10(flow(recorded).rms), rtol=1e-12)
    assert drawn["flow"]["at"] == list(recorded.stops)
    np.testing.assert_allclose([one["y"] for one in drawn["ratio"]["series"]], ratios(recorded).log10, rtol=1e-12)
    seen = activations(recorded)
    np.testing.assert_allclose(drawn["activations-0"]["values"], seen.quantiles[0], rtol=1e-12)
    np.testing.assert_allclose([one["y"] for one in drawn["idle"]["series"]], seen.idle[:-1], rtol=1e-12)
    counts = confusions(recorded).counts
    right = np.diagonal(counts, axis1=1, axis2=2) / counts.sum(axis=2)
    np.testing.assert_allclose(drawn["classes-by-epoch"]["values"], right.T, rtol=1e-12)
    path = landscape(recorded).path
    points = [one for one in drawn["landscape"]["series"] if len(one["x"]) == 1]
    np.testing.assert_allclose([(one["x"][0], one["y"][0]) for one in points], path, rtol=1e-12, atol=1e-15)
    rows, places = samples(recorded), drawn["rows"]["series"][0]
    chosen = [int(name.removeprefix("row ")) for name in places["text"]]
    at = [int(np.flatnonzero(rows.numbers == row)[0]) for row in chosen]
    np.testing.assert_allclose(places["y"], rows.certainty[at], rtol=1e-6)


def test_the_network_is_drawn_with_the_gradients_of_its_last_stop(folder: Path) -> None:
    recorded = Recorded.read(folder)
    model, fixed = recorded.network_at(recorded.stops[-1]), recorded.fixed
    result = backprop(model.cost_of(recorded.recipe.loss), model.params, fixed.x, fixed.y)
    seen = numbers(text(folder))["network"]
    assert seen["cost"] == pytest.approx(result.loss, rel=1e-6)
    expected = {
        f"params['{layer}']['{name}']": float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
        for layer, parameters in result.grads.items()
        for name, values in parameters.items()
    }
    assert seen["rms_gradients"] == pytest.approx(expected, rel=1e-4)


def test_the_page_of_a_digits_run_is_small(folder: Path) -> None:
    page = text(folder)
    packed = sum(map(len, re.findall(r'<script type="text/plain".*?</script>', page, re.S)))
    assert len(page) - packed < 250_000
    assert len(page) < 600_000


def test_the_matrix_of_every_epoch_is_a_recount_of_what_was_recorded(folder: Path) -> None:
    seen, page = Recorded.read(folder).validation, text(folder)
    frames = json.loads(unpacked(page, "figure-confusion-by-epoch", "steps"))["frames"]
    rows = json.loads(unpacked(page, "rows-of-cells", "rows"))
    assert len(frames) == 5
    for frame, answers, packed in zip(frames, seen.answers, rows["answers"], strict=True):
        recount = np.zeros((10, 10), int)
        np.add.at(recount, (seen.truths, answers), 1)
        written = [int(count.replace(",", "")) for count in re.findall(r">([\d,]+)</text>", frame)]
        assert written == recount.ravel().tolist()
        assert packed == answers.tolist()
    assert rows["numbers"] == seen.numbers.tolist()
    assert sum(what.startswith("<img src") for what in rows["what"]) == 64
    wrong = int((seen.answers[-1] != seen.truths).sum())
    assert page.split('id="rows-of-cells"')[1].split("</table>")[0].count("<tr>") == min(wrong, 24) + 1


def test_the_last_matrix_of_validation_rows_is_that_of_the_evaluation(tmp_path: Path) -> None:
    train, held = ((DIGITS.x[rows], DIGITS.y[rows]) for rows in (slice(300), slice(300, 500)))
    run = cr.fit(NET, train, validation=held, epochs=3, out=tmp_path / "run", engine="numpy", progress=False)
    assert run.best_epoch == 3
    judged = gather(run, train=train, evaluated=held, part="validation")["confusion"]
    assert confusions(Recorded.read(tmp_path / "run")).counts[-1].tolist() == judged


def test_what_moves_is_that_of_each_stop(folder: Path) -> None:
    page, recorded = text(folder), Recorded.read(folder)
    weights = numbers(page)["weights-now"]
    changes = np.frombuffer(unpacked(page, "figure-weights-now", "maps"), np.uint8).reshape(
        len(recorded.stops), 16, 8, 8
    )
    shades = np.cumsum(np.cumsum(changes, axis=0, dtype=np.uint8), axis=3, dtype=np.uint8)
    for at, stop in enumerate(recorded.stops):
        values = recorded.read_snapshot(stop).params["dense_1"]["weight"].T[[int(unit) for unit in weights["labels"]]]
        shown = (shades[at] / 63 * 2 - 1) * weights["limit"]
        inside_scale = np.abs(values).reshape(16, 8, 8) <= weights["limit"]
        assert np.abs(shown - values.reshape(16, 8, 8))[inside_scale].max() <= weights["limit"] / 63 + 1e-6
    content = json.loads(unpacked(page, "figure-activations-0", "steps"))
    seen = activations(recorded)
    assert [frame.count("M") for frame in content["frames"]] == (seen.counts[0] > 0).sum(axis=1).tolist()
    assert content["places"] == list(range(len(recorded.stops)))
    factors = json.loads(unpacked(page, "figure-flow", "steps"))["texts"]
    assert factors[0] == f"After step 0: ×{flow(recorded).factor(0):.2g} a layer"
    epochs = [stop / recorded.steps_per_epoch for stop in recorded.stops]
    assert json.loads(unpacked(page, "figure-loss", "steps"))["places"] == epochs


def test_what_is_seen_is_said(folder: Path) -> None:
    factor = flow(Recorded.read(folder)).factor()
    way = "shrinks" if factor < 1 else "grows"
    assert f"At the last stop δ {way} on the way back by ×" in text(folder)
    assert "Most often forgotten" in text(folder)
    assert "Suspects: highest mean cost over the run." in text(folder)


@pytest.mark.parametrize(
    ("net", "data"),
    [
        (cr.Dense(1), cr.data.load("diabetes")),
        (cr.mlp([4, 6, 1], output="sigmoid"), (cr.data.load("iris").x, (cr.data.load("iris").y > 0).astype(int))),
        (
            cr.Sequential(cr.Conv2D(3, 3, "relu"), cr.BatchNorm(), cr.Flatten(), cr.Dense(10, "softmax")),
            (DIGITS.x[:60], DIGITS.y[:60]),
        ),
    ],
)
def test_every_kind_of_network_has_its_views(tmp_path: Path, net: Any, data: Any) -> None:
    fit(tmp_path / "run", net, data, epochs=2)
    views = inside(Recorded.read(tmp_path / "run"))
    assert set(views) == set(VIEWS)
    missing = {name for name, view in views.items() if isinstance(view, Missing)}
    expected = {(10,): {"classes-by-epoch"}, (8, 8, 1): {"boundary"}}
    assert missing == expected.get(np.shape(Recorded.read(tmp_path / "run").fixed.x)[1:], set())
    assert all(
        figure.text and figure.title for view in views.values() if not isinstance(view, Missing) for figure in view
    )


@pytest.fixture(scope="module")
def petals(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A run on two columns, and its page."""
    iris = cr.data.load("iris")
    net, rows = cr.mlp([2, 8, 5, 3], hidden="tanh"), (iris.x[:, 2:], iris.y)
    run = cr.fit(net, rows, epochs=20, record="light", engine="numpy", progress=False)
    return run, write_report(run, tmp_path_factory.mktemp("petals") / "page.html")


def test_the_boundary_lies_where_the_answer_changes(petals: tuple[Any, Path]) -> None:
    run, page = petals
    (figure,) = inside(run.recorded, "boundary")["boundary"]
    last = figure.numbers["lines"][0]
    assert 'id="figure-boundary"' in page.read_text()
    iris, fixed = cr.data.load("iris"), run.recorded.fixed.numbers
    for step, text in zip(figure.motion.steps, figure.motion.texts, strict=True):
        wrong = run.recorded.model_at(step).predict(iris.x[fixed][:, 2:]) != iris.y[fixed]
        assert text == f"After step {step:,}: {wrong.sum()} of 150 rows are answered wrong."
    np.testing.assert_allclose(figure.numbers["wrong"], iris.x[fixed][:, 2:][wrong], atol=1e-6)
    places = np.array([place for place in zip(last["x"], last["y"], strict=True) if place[1] is not None])
    p = np.sort(run.model.predict_proba(places), axis=1)
    assert len(places) > 40
    assert np.abs(p[:, 2] - p[:, 1]).max() < 0.05  # the two most probable classes tie


def test_maps_that_the_page_unpacks_are_those_of_the_network(petals: tuple[Any, Path], browser: Browser) -> None:
    run, page = petals
    browser.open(page)
    shapes = "maps.map(m => [m.frames, m.count, m.height, m.width])"
    content = "window.chainrule.contentOf('boundary')"
    answer, units = browser.value(f"{content}.then(({{ maps }}) => {shapes})")
    recorded, seen, rng = run.recorded, boundary(run.recorded), np.random.default_rng(0)
    assert answer == [len(recorded.stops), 1, 40, 40]
    assert units == [len(recorded.stops), 13, 20, 20]
    flat = rng.integers(0, np.prod(units), 200).tolist()
    shades = browser.value(f"{content}.then(({{ maps }}) => {flat}.map(i => maps[1].shades[i]))")
    scale = run.model.standardizer
    names = [place.split("/")[0] for place in recorded.read_snapshot(0).params]
    layers: list[Any] = []
    for step in recorded.stops:
        params, a = recorded.read_snapshot(step).params, None
        across, up = np.meshgrid(seen.x[::2], seen.y[::2][::-1])
        a = (np.stack([across, up], axis=-1) - scale.mean) / scale.std
        values = []
        for name in names[:2]:
            a = np.tanh(a @ params[name]["weight"] + params[name]["bias"])
            values.append(a)
        layers.append(np.moveaxis(np.concatenate(values, axis=-1), -1, 0))
    expected = np.array(layers)
    limits = np.abs(expected).max(axis=(0, 2, 3))
    unit = np.array(np.unravel_index(flat, units))[1]
    shown = (np.array(shades) / 63 * 2 - 1) * limits[unit]
    assert np.abs(shown - expected.ravel()[flat]).max() <= (2 * limits / 64).max()
    at = rng.integers(0, np.prod(answer), 200)
    shades = browser.value(f"{content}.then(({{ maps }}) => {at.tolist()}.map(i => maps[0].shades[i]))")
    frame, _, row, column = np.unravel_index(at, answer)
    for shade, f, i, j in zip(shades, frame, row, column, strict=True):
        p = recorded.model_at(recorded.stops[f]).predict_proba([[seen.x[j], seen.y[39 - i]]])[0]
        assert shade // 21 == p.argmax()
        assert abs(shade % 21 / 21 - p.max()) <= 1 / 21 + 1e-6
    assert browser.complaints() == []


def test_a_chosen_unit_is_shown_large(petals: tuple[Any, Path], browser: Browser) -> None:
    browser.open(petals[1])
    buttons = "document.querySelectorAll('#figure-boundary [role=button]')"
    browser.value(f"{buttons}[0].focus()")
    browser("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight")
    large, small = (f"document.querySelectorAll('#figure-boundary image')[{at}].getAttribute('href')" for at in (0, 2))
    assert browser.value(f"{large} === {small}")
    before = browser.value(large)
    browser.value("window.chainrule.show(4)")
    assert browser.value(f"{large} === {small}")
    assert browser.value(large) != before
    assert browser.value("document.querySelector('#figure-boundary output').textContent").startswith("unit dense_1 · 0")
    assert browser.complaints() == []


def test_two_columns_can_be_the_plane(petals: tuple[Any, Path]) -> None:
    run, _ = petals
    (figure,) = cr.plot(run, "boundary", columns=(1, 0))
    assert (figure.numbers["x"], figure.numbers["y"]) == ("x1", "x0")
    x = np.concatenate([one["x"] for one in figure.numbers["series"]])
    np.testing.assert_allclose(np.sort(x), np.sort(cr.data.load("iris").x[:, 3]), atol=1e-6)
    with pytest.raises(cr.errors.SettingError, match="two different places"):
        cr.plot(run, "boundary", columns=(1, 1))
    with pytest.raises(cr.errors.SettingError, match="not among what is plotted"):
        cr.plot(run, "flow", columns=(0, 1))
    with pytest.raises(cr.errors.UnknownNameError, match="column"):
        cr.plot(run, "boundary", columns=("petal", 1))


def test_views_are_derived_on_one_thread(petals: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def derive(_: Any) -> Missing:
        threads.extend(library["num_threads"] for library in threadpool_info())
        return Missing("Only threads are counted.")

    monkeypatch.setitem(VIEWS, "flow", (derive, VIEWS["flow"][1]))
    with threadpool_limits(2):
        inside(petals[0].recorded, "flow")
    assert set(threads) == {1}


def test_rows_are_numbered_as_in_the_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = rng.choice(["ape", "bee"], 80)
    lines = ["a,b,kind", *(f"{a:.3f},{b:.3f},{name}" for (a, b), name in zip(rng.random((80, 2)), names, strict=True))]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    cr.train(tmp_path / "rows.csv", target="kind", validation=0.2, epochs=2, engine="numpy", out=tmp_path / "run")
    recorded = read_page(tmp_path / "run").recorded
    classes = recorded.model.target.classes
    for rows in (recorded.rows, recorded.validation):
        assert [classes[code] for code in rows.truths] == names[rows.numbers].tolist()
    assert not set(recorded.rows.numbers) & set(recorded.validation.numbers)
    truths = np.asarray(recorded.model.target.undo(recorded.fixed.y)).reshape(len(recorded.fixed.y), -1)
    codes = truths.argmax(axis=1) if truths.shape[1] > 1 else truths[:, 0].astype(int)
    assert [classes[code] for code in codes] == names[recorded.fixed.numbers].tolist()


def test_of_a_run_that_recorded_nothing_the_page_says_so(tmp_path: Path) -> None:
    page = text(fit(tmp_path / "run", record="none"))
    assert "The run recorded nothing of its training" in page
    assert "--record none" in page
    assert "figure-flow" not in page


def test_a_damaged_recording_does_not_take_the_page_with_it(tmp_path: Path) -> None:
    folder = fit(tmp_path / "run")
    next((folder / "views").glob("*.json")).write_text("{")
    write_report(folder)
    assert "damaged" in text(folder)
    assert "figure-loss" in text(folder)
    assert "figure-flow" not in text(folder)


def test_a_run_in_memory_shows_its_probes(tmp_path: Path) -> None:
    run = cr.fit(NET, (DIGITS.x[:300], DIGITS.y[:300]), epochs=2, record="light", probe_every=3, progress=False)
    write_report(run, tmp_path / "page.html")
    drawn = numbers((tmp_path / "page.html").read_text())
    assert len(drawn["ratio"]["series"][0]["x"]) > 4
    assert set(inside(run.recorded, "flow", "ratio")) == {"flow", "ratio"}
