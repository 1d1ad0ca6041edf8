"""The page: everything in one file, whatever the run was like."""

from __future__ import annotations

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import chainrule as cr
from chainrule.errors import FileError
from chainrule.report import write_report
from chainrule.report.figures import learning_rate_of_steps
from chainrule.report.prediction_sections import WORST
from chainrule.runs.evaluation import write_evaluation
from chainrule.runs.folder import write_result
from chainrule.training.recorded import Recorded, StepValues

EVIL = "<script>alert(1)</script>"


class Parsed(HTMLParser):
    """The text outside of scripts, the scripts, the attributes, and whether all elements are closed in order."""

    VOID = ("meta", "link", "img", "br", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self.figures: dict[str, Any] = {}
        self.drawings: dict[str, int] = {}
        self.attributes: list[tuple[str, str, str | None]] = []
        self.ids: list[str] = []
        self.keys: dict[str, tuple[str | None, str]] = {}
        self.cell: tuple[str, str | None] | None = None
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attributes]
        values = dict(attributes)
        self.ids += [values["id"]] if values.get("id") else []
        self.cell = (values["data-key"], values.get("data-value")) if values.get("data-key") else None
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")
            self.figure = values.get("data-for")
        if str(values.get("data-testid")).startswith("figure-"):
            self.drawings[str(values["data-testid"]).removeprefix("figure-")] = 0
        if tag == "svg":
            self.drawings[next(reversed(self.drawings))] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
            if self.figure is not None:
                self.figures[self.figure] = json.loads(self.scripts[-1])
        elif not self.open or self.open[-1] != "style":
            self.text.append(data)
            if self.cell is not None:
                self.keys[self.cell[0]] = (self.cell[1], data)
                self.cell = None


def page(folder: Path) -> Parsed:
    parsed = Parsed((folder / "report.html").read_text())
    assert len(parsed.ids) == len(set(parsed.ids))
    for tag, name, value in parsed.attributes:
        assert not name.startswith("on")
        if name in ("src", "href"):
            assert value is not None
            assert value.startswith(("data:", "#")), (tag, value)
    targets = [value[1:] for _, name, value in parsed.attributes if name == "href" and str(value).startswith("#")]
    assert set(targets) <= set(parsed.ids)
    assert parsed.drawings.keys() == parsed.figures.keys()
    assert all(parsed.drawings.values())
    return parsed


def text_of(parsed: Parsed) -> str:
    return " ".join(" ".join(parsed.text).split())


def test_key_figures_are_those_of_the_files(finish: Any, made: Any) -> None:
    facts = finish(cr.Dense(3, "softmax"), *made(), epochs=4)
    keys = page(facts["folder"]).keys
    result = json.loads((facts["folder"] / "result.json").read_text())
    epochs = [json.loads(line) for line in (facts["folder"] / "metrics.jsonl").read_text().splitlines()]
    for name, value in result["test"].items():
        assert float(keys[f"test.{name}"][0]) == value
    assert int(keys["kept_epoch"][0]) == len(epochs)
    assert float(keys["kept.val_loss"][0]) == epochs[-1]["val_loss"]
    assert float(keys["kept.val_accuracy"][0]) == epochs[-1]["val_accuracy"]
    assert float(keys["kept.loss"][0]) == epochs[-1]["loss"]
    assert keys["test.accuracy"][1] == f"{100 * result['test']['accuracy']:.2f}\u00a0%"
    assert int(keys["parameters"][0]) == facts["run"].model.count() == 15


def test_the_scores_are_those_of_the_weights_that_early_stopping_kept(finish: Any, made: Any) -> None:
    stopping = cr.EarlyStopping(patience=30, monitor="val_accuracy")
    x, y = made(n=150, spread=3.0)
    facts = finish(cr.mlp([4, 32, 3]), x, y, epochs=12, early_stopping=stopping, optimizer=cr.Adam(lr=0.05))
    run, parsed = facts["run"], page(facts["folder"])
    assert run.best_epoch not in (run.history.best_epoch(), len(run.history))  # neither the lowest loss nor the last
    assert run.metrics == {k: v for k, v in run.history.records[run.best_epoch - 1].items() if k in run.metrics}
    assert int(parsed.keys["kept_epoch"][0]) == run.best_epoch
    assert float(parsed.keys["kept.val_accuracy"][0]) == run.metrics["val_accuracy"]
    assert {f"the model: epoch {run.best_epoch}", f"lowest validation loss: epoch {run.history.best_epoch()}"} == {
        text for _, text in parsed.figures["score"]["marks"]
    }


def test_every_text_of_the_data_is_escaped(finish: Any, made: Any) -> None:
    x, y = made()
    labels = np.array([EVIL, '"><img src=x onerror=alert(1)>', "{{script}} </script> %{x} \u202e"])[y]
    cut = 2 * len(x) // 3
    rows = pd.DataFrame({f"<b>{i}": x[cut:, i] for i in range(3)} | {EVIL: [EVIL] * (len(x) - cut)})
    facts = finish(cr.Dense(3, "softmax"), x, labels, rows=rows, notes=[EVIL])
    parsed = page(facts["folder"])
    text = text_of(parsed)
    assert text.count(EVIL) > 20
    assert "{{script}} </script> %{x} �" in text
    packed = [script for script in parsed.scripts if script.startswith("H4sI")]
    assert len(parsed.scripts) == 1 + len(parsed.figures) + len(packed)
    unpacked = [gzip.decompress(base64.b64decode(script)) for script in packed]
    contents = [json.loads(content) for content in unpacked if content.startswith(b"{")]
    html = "".join(piece for content in contents for piece in [*content.get("frames", ()), *content.get("what", ())])
    assert "&lt;script" in html
    assert "<script" not in html
    assert "<img src=x" not in html
    assert all("<" not in script for script in parsed.scripts[:-1])
    names = [name for tag, name, _ in parsed.attributes if tag == "img"]
    assert "onerror" not in names


def test_the_policy_allows_this_pages_scripts_and_nothing_from_outside(finish: Any, made: Any) -> None:
    import hashlib

    parsed = page(finish(cr.Dense(3, "softmax"), *made())["folder"])
    policy = next(value for _, name, value in parsed.attributes if name == "content" and "default-src" in str(value))
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    digest = base64.b64encode(hashlib.sha256(parsed.scripts[-1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_short_run(finish: Any, made: Any, epochs: int) -> None:
    parsed = page(finish(cr.Dense(3, "softmax"), *made(), epochs=epochs)["folder"])
    assert parsed.keys["kept_epoch"][1].endswith(f"of {epochs}")


def test_no_validation_part(finish: Any, made: Any) -> None:
    parsed = page(finish(cr.Dense(3, "softmax"), *made(), validation=0.0)["folder"])
    assert re.search(r"the loss is [\d.]+ on training rows and [\d.]+ on 100 test rows", text_of(parsed))
    assert [series["name"] for series in parsed.figures["loss"]["series"]] == ["training"]


def test_labels_at_once_one_unit_and_several_numbers(finish: Any, made: Any, tmp_path: Path) -> None:
    x, y = made(classes=2)
    one = page(finish(cr.Dense(1, "sigmoid"), x, y, out=tmp_path / "one")["folder"])
    assert "calibration" in one.figures
    several = page(finish(cr.Dense(3, "sigmoid"), x, (x[:, :3] > 0).astype(int), out=tmp_path / "several")["folder"])
    assert "with all labels right" in text_of(several)
    numbers = page(finish(cr.Dense(2), x, x[:, :2] * 3, out=tmp_path / "numbers")["folder"])
    assert {"predicted-0", "errors-0", "predicted-1", "errors-1"} <= set(numbers.figures)


def test_a_thousand_classes_show_the_weakest_and_the_most_confused(finish: Any, made: Any) -> None:
    folder = finish(cr.Dense(1000, "softmax"), *made(n=4000, classes=1000), epochs=1)["folder"]
    text = text_of(page(folder))
    assert "The pairs that were confused most often, of 1,000 classes" in text
    assert "The 15 classes with the lowest F1" in text
    assert (folder / "report.html").stat().st_size < 1_000_000


def test_figures_that_are_not_finite(finish: Any, made: Any) -> None:
    folder = finish(cr.Dense(3, "softmax"), *made(), epochs=4)["folder"]
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    broken = [lines[0], lines[1].replace('"val_loss": ', '"val_loss": null, "was": '), lines[2]]
    broken += [re.sub(r'"(val_)?(loss|accuracy)": [0-9.e-]+', r'"\1\2": Infinity', lines[3])]
    (folder / "metrics.jsonl").write_text("\n".join(broken))
    write_result(folder, {"state": "finished", "test": {"loss": None, "accuracy": None}})
    write_report(folder)
    parsed = page(folder)
    assert not any("Infinity" in script for script in parsed.scripts[:-1])
    assert parsed.keys["test.loss"] == (None, "not a number")
    assert parsed.figures["loss"]["series"][1]["y"][1] is None


def test_a_run_that_diverged(tmp_path: Path, made: Any) -> None:
    x, y = made()
    y = y * 1e3
    with pytest.raises(cr.errors.DivergedError) as caught:
        cr.fit(cr.Dense(1), (x, y.astype(float)), optimizer=cr.SGD(lr=10.0), epochs=50, out=tmp_path, progress=False)
    write_result(tmp_path, {"state": "diverged", "reason": "diverged", "test": None})
    write_report(tmp_path)
    assert caught.value.run is not None
    assert "The run diverged" in text_of(page(tmp_path))


def test_a_run_of_fit_has_curves_and_settings(tmp_path: Path, made: Any) -> None:
    cr.fit(cr.Dense(3, "softmax"), made(), epochs=3, validation=0.2, out=tmp_path, progress=False)
    assert write_report(tmp_path) == tmp_path / "report.html"
    parsed = page(tmp_path)
    assert {"loss", "score", "steps-loss", "flow"} <= set(parsed.figures)
    assert "After 3 epochs, validation accuracy is" in text_of(parsed)
    assert "learning_rate" in text_of(parsed) or "lr =" in text_of(parsed)


def test_many_epochs_are_thinned_and_extremes_stay(tmp_path: Path, made: Any) -> None:
    cr.fit(cr.Dense(3, "softmax"), made(), epochs=2, validation=0.2, out=tmp_path, progress=False)
    random = np.random.default_rng(0)
    values = 1 / np.arange(1, 10_001) + 0.001 * random.random(10_000)
    values[1234], values[7000] = 9.0, -1.0
    names = ("loss", "val_loss", "accuracy", "val_accuracy")
    rest = {"lr": 0.1, "seconds": 0.1}
    lines = [json.dumps({"epoch": i + 1} | dict.fromkeys(names, v) | rest) for i, v in enumerate(values)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    write_report(tmp_path)
    parsed = page(tmp_path)
    curve = parsed.figures["loss"]["series"][1]
    packed = np.frombuffer(gzip.decompress(base64.b64decode(curve["packed"])), "<f4")
    np.testing.assert_array_equal(packed, values.astype("<f4"))
    assert (curve["first"], curve["each"], curve["of"]) == (1, 1, 10_000)
    assert parsed.keys["kept_epoch"][0] == "10000"
    assert (tmp_path / "report.html").stat().st_size < 1_000_000


def test_the_report_is_written_again_from_the_files_alone(finish: Any, made: Any) -> None:
    folder = finish(cr.Dense(3, "softmax"), *made())["folder"]
    first = (folder / "report.html").read_text()
    (folder / "report.html").unlink()
    write_report(folder)
    assert (folder / "report.html").read_text() == first


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "evaluation.json is damaged"), ("[]", "evaluation.json is damaged"), ('{"format": 1}', "is damaged")],
)
def test_a_damaged_evaluation_is_told(finish: Any, made: Any, content: str, message: str) -> None:
    folder = finish(cr.Dense(3, "softmax"), *made())["folder"]
    (folder / "evaluation.json").write_text(content)
    with pytest.raises(FileError, match=message):
        write_report(folder)


def test_an_evaluation_of_another_version_is_told(finish: Any, made: Any) -> None:
    facts = finish(cr.Dense(3, "softmax"), *made())
    write_evaluation(facts["folder"], {"format": 99})
    with pytest.raises(FileError, match="another version"):
        write_report(facts["folder"])


def test_axes_have_names_and_units_and_the_loss_says_what_it_is(finish: Any, made: Any, tmp_path: Path) -> None:
    x, y = made()
    classes = page(finish(cr.Dense(3, "softmax"), x, y, out=tmp_path / "classes")["folder"]).figures
    assert (classes["loss"]["x"], classes["loss"]["y"]) == ("epoch", "cross-entropy (nats)")
    assert classes["loss"]["series"][0]["x"] == [0.5, 1.5, 2.5]  # a mean over an epoch stands at its middle
    assert classes["loss"]["series"][1]["x"] == [1, 2, 3]
    target = x[:, :1] * 300 + 20
    more = {"normalize_target": True, "out": tmp_path / "numbers"}
    numbers = page(finish(cr.Dense(1), x, target, **more)["folder"]).figures
    assert numbers["loss"]["y"].endswith(" (of the standardized target)")
    assert (numbers["predicted-0"]["x"], numbers["predicted-0"]["y"]) == ("true value", "predicted value")


def test_the_loss_of_one_who_knows_the_shares_of_the_classes_only(finish: Any, made: Any) -> None:
    x, y = made(n=300, classes=3)
    facts = finish(cr.Dense(3, "softmax"), x, y, validation=0.0)
    shares = np.bincount(facts["train"][1]) / len(facts["train"][1])
    ((level, _),) = page(facts["folder"]).figures["loss"]["levels"]
    assert level == pytest.approx(float(-np.log(shares[facts["judged"][1]]).mean()))


def test_the_rows_of_highest_cost_are_mistakes_and_right_answers_apart(finish: Any, made: Any) -> None:
    facts = finish(cr.Dense(3, "softmax"), *made(spread=2.0))
    section = (facts["folder"] / "report.html").read_text().split('id="worst"')[1].split("</section>")[0]
    wrong = [one for one in facts["worst"] if one["true"] != one["said"]]
    mistakes = section.split("Right answers")[0]
    assert mistakes.count("<tbody>") == 1 + (len(wrong) > WORST)
    assert mistakes.split("</tbody>")[0].count("<tr") == 1 + min(WORST, len(wrong))  # the heading, and the first few
    assert f"<summary>{len(wrong) - WORST} more</summary>" in mistakes


def test_compiling_is_named_where_something_was_compiled(finish: Any, made: Any, tmp_path: Path) -> None:
    for engine in ("numpy", "jax"):
        folder = finish(cr.Dense(3, "softmax"), *made(), engine=engine, epochs=1, out=tmp_path / engine)["folder"]
        assert ("compiling included" in text_of(page(folder))) == (engine == "jax")


def test_the_learning_rate_of_every_step() -> None:
    rates = np.linspace(0.1, 0.01, 50, dtype=np.float32)
    figure = learning_rate_of_steps(StepValues(loss=rates, score=rates, lr=rates))
    assert figure.numbers["x"] == "step"
    np.testing.assert_allclose(figure.numbers["series"][0]["y"], rates, rtol=1e-6)
    assert not figure.starts_logarithmic


def test_the_numbers_of_every_figure_are_those_of_the_files(finish: Any, made: Any, tmp_path: Path) -> None:
    x, y = made()
    optimizer = cr.Adam(lr=cr.schedules.Cosine(0.05))
    folder = finish(cr.Dense(3, "softmax"), x, y, optimizer=optimizer, out=tmp_path / "classes")["folder"]
    figures, facts = page(folder).figures, json.loads((folder / "evaluation.json").read_text())
    epochs = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for name, column in (("loss", "loss"), ("score", "accuracy")):
        drawn = [series["y"] for series in figures[name]["series"]]
        assert drawn == [[epoch[part + column] for epoch in epochs] for part in ("", "val_")]
    steps = Recorded.read(folder).steps
    assert steps is not None
    np.testing.assert_allclose(figures["lr"]["series"][0]["y"], steps.lr, rtol=1e-6)
    assert figures["confusion"]["counts"] == facts["confusion"]
    bins = [(one["x"][0], one["y"][0], one["low"][0], one["high"][0]) for one in figures["calibration"]["series"]]
    assert bins == [(b["probability"], b["share"], *b["interval"]) for b in facts["calibration"]["bins"]]
    folder = finish(cr.Dense(1), x, x[:, :1] * 3, out=tmp_path / "numbers")["folder"]
    figures, facts = page(folder).figures, json.loads((folder / "evaluation.json").read_text())
    (output,) = facts["outputs"]
    points = figures["predicted-0"]["series"][0]
    assert list(map(list, zip(points["x"], points["y"], strict=True))) == output["points"]
    assert (figures["errors-0"]["edges"], figures["errors-0"]["counts"]) == tuple(output["errors"].values())[::-1]
