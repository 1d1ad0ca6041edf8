"""Every result says what came of it by ``summary()``, which can be printed; ``best`` is always a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import chainrule as cr
from chainrule.display.text import Text

IRIS = cr.data.load("iris")
SETTINGS: dict[str, Any] = {"epochs": 2, "engine": "numpy", "progress": False}
NET = cr.Dense(3, "softmax")


def trained(**settings: Any) -> cr.Run:
    return cr.fit(NET, IRIS, **SETTINGS, **settings)


def table() -> cr.Table:
    pd = pytest.importorskip("pandas")
    return cr.Table.read(pd.DataFrame({"size": range(20), "kind": ["a", "b"] * 10}), target="kind")


def searched() -> cr.SearchResult:
    return cr.search(NET, IRIS, {"optimizer.lr": cr.log_uniform(1e-3, 0.3)}, trials=2, validation=0.2, **SETTINGS)


RESULTS: dict[str, tuple[Callable[[], Any], str]] = {
    "model": (lambda: trained().model, "15 parameters"),
    "run": (lambda: trained(validation=0.2), "val_accuracy"),
    "trained": (lambda: cr.train("iris", epochs=2, engine="numpy"), "Test: loss"),
    "population": (lambda: cr.fit_population(NET, IRIS, 2, **SETTINGS), "2 members"),
    "cross-validation": (lambda: cr.cross_validate(NET, IRIS, folds=2, **SETTINGS), "2 folds"),
    "comparison": (lambda: cr.compare({"a": {"l2": 0.0}, "b": {"l2": 1.0}}, NET, IRIS, seeds=2, **SETTINGS), "2 seeds"),
    "search": (searched, "optimizer.lr"),
    "gain": (lambda: cr.ensemble_gain([trained(seed=0), trained(seed=1)], IRIS.x, IRIS.y), "of its mean member"),
    "evaluation": (lambda: cr.evaluation.evaluate(trained().model, IRIS.x, IRIS.y), "virginica"),
    "data": (lambda: IRIS, "3 classes"),
    "table": (table, "size"),
    "prepared table": (lambda: table().prepare(key=cr.random.key(0)), "size"),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_summary_can_be_printed(name: str) -> None:
    make, words = RESULTS[name]
    result = make()
    summary = result.summary()
    assert isinstance(summary, Text)
    assert words in summary
    assert repr(summary) == summary
    assert str(summary) in summary._repr_html_().replace("&#x27;", "'").replace("&quot;", '"').replace("&gt;", ">")
    if hasattr(result, "best"):
        assert isinstance(result.best, cr.Run)
        assert result.best.model.predict(IRIS.x[:1]) in IRIS.classes


def test_a_summary_cannot_colour_a_terminal() -> None:
    assert "\x1b" not in repr(Text("\x1b[31mred"))
    assert "&lt;b&gt;" in Text("<b>")._repr_html_()
