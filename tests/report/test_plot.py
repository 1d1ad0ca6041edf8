"""What results show of themselves in a notebook, and figures of a run one by one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr

#: Of what one result shows, in bytes.
LIMIT = 60_000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> cr.Run:
    iris = cr.data.load("iris")
    folder = tmp_path_factory.mktemp("runs") / "iris"
    return cr.fit(cr.mlp([4, 8, 3]), iris, epochs=3, validation=0.2, out=folder, progress=False)


def results(run: cr.Run) -> dict[str, Any]:
    iris, digits = cr.data.load("iris"), cr.data.load("digits")
    net, quick = cr.Dense(3, "softmax"), {"epochs": 2, "engine": "numpy", "validation": 0.2, "progress": False}
    rates = {"small": cr.SGD(lr=0.01), "<b>large": cr.SGD(lr=0.3)}
    return {
        "model": cr.Model(
            cr.Sequential(cr.Flatten(), cr.Dense(40, "relu"), cr.Dense(10, "softmax")), digits.x.shape[1:]
        ),
        "population": cr.fit_population(net, iris, 3, **quick),
        "comparison": cr.compare(rates, net, iris, seeds=2, **quick),
        "search": cr.search(net, iris, {"optimizer.lr": cr.log_uniform(1e-3, 0.3)}, trials=3, **quick),
        "run": run,
        "history": run.history,
        "gradient check": run.model.check_gradient(iris.x[:3], iris.y[:3]),
        "descent": cr.descend(lambda w: w**2, 2.0, cr.SGD(lr=0.1), steps=5),
        "descent of two": cr.descend(lambda w: (w**2).sum(), np.array([2.0, 1.0]), steps=5),
        "figures": cr.plot(run, "curves", "flow", "ratio"),
    }


def test_a_result_shows_itself_without_scripts(run: cr.Run) -> None:
    for name, result in results(run).items():
        shown = result._repr_html_()
        assert len(shown.encode()) < LIMIT, name
        assert not re.search(r"<script(?! type=\"application/json\")", shown), name
        assert ("<svg" in shown) == (name != "gradient check"), name
        assert "<b>" not in shown


def test_the_curves_are_those_of_the_history_and_the_kept_epoch_is_marked(run: cr.Run) -> None:
    loss, accuracy = cr.plot(run)
    training, validation = loss.numbers["series"]
    assert training["y"] == run.history["loss"]
    assert training["x"] == [0.5, 1.5, 2.5]  # a mean over an epoch stands in its middle
    assert validation["y"] == run.history["val_loss"]
    assert validation["x"] == [1, 2, 3]
    assert loss.numbers["marks"] == [[3.0, "kept: epoch 3"]]
    assert accuracy.numbers["percent"]


def test_a_folder_gives_the_same_figures(run: cr.Run) -> None:
    here, there = (cr.plot(source, "curves", "flow") for source in (run, run.folder))
    assert [figure.svg() for figure in here] == [figure.svg() for figure in there]


def test_figures_are_written_to_a_page(run: cr.Run, tmp_path: Path) -> None:
    page = cr.plot(run, "curves").to_html(tmp_path / "curves.html").read_text("utf-8")
    assert page.count('data-testid="figure-') == 2


def test_what_a_gradient_check_shows_tells_what_agrees(run: cr.Run) -> None:
    check = results(run)["gradient check"]
    assert check._repr_html_().count("✓") == len(check.rows)
    assert "!" not in re.sub("<style>.*?</style>", "", check._repr_html_(), flags=re.S)


def test_what_cannot_be_shown_is_said(run: cr.Run) -> None:
    plain = cr.fit(cr.mlp([4, 8, 3]), cr.data.load("iris"), epochs=1, progress=False)
    with pytest.raises(cr.errors.DataError, match="record="):
        cr.plot(plain, "flow")
    with pytest.raises(cr.errors.UnknownNameError, match="flow"):
        cr.plot(plain, "flw")
