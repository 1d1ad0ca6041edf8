"""Results in a notebook that is executed, and progress that stays in one place."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import chainrule as cr
from chainrule.display import progress

CELLS = (
    "import chainrule as cr; iris = cr.data.load('iris'); net = cr.mlp([4, 8, 3])",
    "run = cr.fit(net, iris, epochs=30, validation=0.2, record='light', engine='numpy')",
    "run",
    "run.history",
    "run.model.trace(iris.x[:2], iris.y[:2])",
    "cr.fit_population(net, iris, 2, epochs=2, progress=False)",
    "cr.plot(run, 'flow', 'boundary')",
    "cr.Model(cr.Sequential(cr.Flatten(), cr.Dense(3, 'softmax')), (8, 8, 1))",
)


class Display(ModuleType):
    """What IPython gives to display with; it counts."""

    def __init__(self) -> None:
        super().__init__("IPython.display")
        self.places, self.updates = 0, list[str]()

    HTML = staticmethod(str)

    def display(self, content: str, *, display_id: bool) -> Any:
        assert display_id
        self.places += 1
        self.updates.append(content)
        return SimpleNamespace(update=self.updates.append)


def test_progress_in_a_notebook_has_one_place_that_keeps_its_height(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, shell = Display(), ModuleType("IPython")
    monkeypatch.setattr(shell, "get_ipython", lambda: SimpleNamespace(kernel=1), raising=False)
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    iris = cr.data.load("iris")
    cr.fit(cr.Dense(3, "softmax"), iris, epochs=200, engine="numpy", record="none")
    assert shown.places == 1
    assert 2 <= len(shown.updates) < 60  # at most two a second, and the last
    assert "epoch 200/200" in shown.updates[-1]
    assert {update.split(";")[0] for update in shown.updates} == {'<div style="height: 1.8em'}
    shown.updates.clear()
    with progress.progress(2, lambda text: text) as show:
        show(1, "<b>")
    assert "&lt;b&gt;" in shown.updates[-1]


@pytest.mark.slow
def test_an_executed_notebook_shows_every_result_without_scripts() -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    exporters = pytest.importorskip("nbconvert.exporters")
    pytest.importorskip("ipykernel")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    training, *results = notebook.cells[1:]
    assert [output.output_type for output in training.outputs if output.output_type != "stream"] == ["display_data"]
    assert "epoch 30/30" in training.outputs[-1].data["text/html"]
    for cell in results:
        (output,) = cell.outputs
        page = output.data["text/html"]
        assert "<svg" in page, cell.source
        assert "<script" not in page, cell.source
        assert len(page.encode()) < 120_000, cell.source
    html, _ = exporters.HTMLExporter(template_name="basic").from_notebook_node(notebook)
    assert html.count("<svg") >= len(results)
