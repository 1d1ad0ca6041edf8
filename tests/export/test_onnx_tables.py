"""The preparation of a table in an ONNX file gives the network what `Preprocessor` gives it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import Target
from chainrule.errors import DataError, SettingError
from chainrule.export import check_onnx, onnx_inputs, to_onnx
from chainrule.export.check import open_session, run_onnx
from chainrule.tables.columns import Column
from chainrule.tables.infer import infer_columns
from chainrule.tables.preprocessor import Preprocessor

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pd = pytest.importorskip("pandas")


def mirror(preparation: Preprocessor) -> cr.Model:
    """A network that gives its inputs as they are, so that every one of them is compared."""
    n = len(preparation.feature_names)
    model = cr.Model(cr.Dense(n, bias=False), input_shape=(n,), preparation=preparation)
    model.params["dense_1"]["weight"] = np.eye(n, dtype=np.float32)
    return model


def table(n: int = 300) -> Any:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "number": rng.normal(1e3, 50, n),
            "skewed": rng.exponential(size=n),
            "steps": np.round(rng.normal(size=n) * 2),
            "flag": rng.choice(["yes", "no", None], n),
            "when": pd.to_datetime("1890-01-01") + pd.to_timedelta(rng.uniform(0, 200 * 365, n), unit="D").floor("s"),
            "city": rng.choice(["Rome", "Oslo", "Bern", None, "3", "4.5", "True", "007"], n),
            "label": rng.choice([*(f"k{i}" for i in range(40)), None], n),
        }
    )
    frame.loc[::7, "number"] = np.nan
    frame.loc[::9, "when"] = pd.NaT
    return frame


def plan(**changes: Any) -> tuple[Column, ...]:
    every = {
        "number": Column("number", "number", indicator=True),
        "skewed": Column("skewed", "number"),
        "steps": Column("steps", "number"),
        "flag": Column("flag", "boolean", indicator=True, fill="most_frequent"),
        "when": Column(
            "when",
            "date",
            indicator=True,
            parts=("year", "elapsed", "month", "day", "weekday", "hour", "minute"),
        ),
        "city": Column("city", "category"),
        "label": Column("label", "category", encode="embedding"),
        "left out": Column("left out", "identifier", use=False),
    }
    return tuple({**every, **changes}.values())


def check(model: cr.Model, frame: Any) -> None:
    file = to_onnx(model)
    for rows in (frame, frame.iloc[:1], None):
        result = check_onnx(model, file, rows)
        assert result.ok, result
        assert result.max_difference < 1e-6


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"outliers": "robust"},
        {"outliers": "clip", "fill": "mean"},
        {"scale": "min_max", "fill": "most_frequent"},
        {"scale": "none", "fill": "zero"},
        {"scale": "quantile"},
        {"scale": "quantile", "outliers": "clip", "fill": "zero"},
    ],
    ids=str,
)
def test_every_way_to_treat_numbers(settings: dict[str, Any]) -> None:
    names = ("number", "skewed", "steps")
    columns = {name: Column(name, "number", **settings) for name in names}
    check(mirror(Preprocessor.fit(table(), plan(**columns))), table())


@pytest.mark.parametrize("rows", [300, 60])  # with 60, many categories are rare
@pytest.mark.parametrize("encode", ["one_hot", "embedding"])
def test_every_way_to_treat_categories(encode: str, rows: int) -> None:
    columns = {name: Column(name, "category", encode=encode) for name in ("city", "label")}
    check(mirror(Preprocessor.fit(table(rows), plan(**columns))), table())


@pytest.mark.parametrize("components", [5, 0.9])
def test_principal_components(components: float) -> None:
    check(mirror(Preprocessor.fit(table(), plan(), components=components)), table())


def test_one_kind_of_column_alone() -> None:
    for column in plan():
        if column.use:
            check(mirror(Preprocessor.fit(table(), (column,))), table())


def test_dates_of_four_centuries() -> None:
    days = np.arange("1799-12-25", "2201-01-10", dtype="datetime64[D]")[::13]
    edges = np.array(["1900-02-28", "1900-03-01", "2000-02-29", "2100-02-28", "2100-03-01", "1969-12-31"], "M8[s]")
    times = np.concatenate([days.astype("M8[s]") + 86_399, edges])
    frame = pd.DataFrame({"when": times})
    date = next(column for column in plan() if column.name == "when")
    check(mirror(Preprocessor.fit(frame, (date,))), frame)


def test_cells_that_are_missing_new_or_odd() -> None:
    frame = pd.DataFrame(
        {
            "number": [np.inf, None, "1e400", "7", -1e300],
            "skewed": [None, "", "?", "1,000", 3],
            "steps": [1e9, -1e9, 0, 0.5, None],
            "flag": ["Yes", "0", True, None, "NA"],
            "when": ["2020-02-29", None, "2020-02-29 23:59", "31.12.1999", "1969-07-20T20:17:40"],
            "city": [" Rome ", "3.0", True, "?", "Paris"],
            "label": ["k1", "nothing", "", None, "NA"],
        }
    )
    model = mirror(Preprocessor.fit(table(), plan()))
    assert check_onnx(model, to_onnx(model), frame).ok


def test_raw_strings_are_found_as_programs_write_them() -> None:
    model = mirror(Preprocessor.fit(table(), (Column("city", "category"),)))
    written = [["Rome"], ["3"], ["3.0"], ["True"], ["true"], [""], ["NA"], ["?"], ["never seen"]]
    outputs = run_onnx(to_onnx(model), {"city": np.array(written, object)})["outputs"]
    read = pd.DataFrame({"city": ["Rome", 3, 3.0, True, True, None, None, None, "never seen"]}, dtype=object)
    assert np.array_equal(outputs, model.predict(read))
    assert len(np.unique(outputs, axis=0)) == 5


def test_inputs_are_the_columns_by_name() -> None:
    session = open_session(to_onnx(mirror(Preprocessor.fit(table(), plan()))))
    inputs = {value.name: (value.type, value.shape) for value in session.get_inputs()}
    double, text = ("tensor(double)", ["batch", 1]), ("tensor(string)", ["batch", 1])
    assert inputs == {
        "number": double,
        "skewed": double,
        "steps": double,
        "flag": double,
        "when": double,
        "city": text,
        "label_input": text,  # the file's output is called label
    }


def test_columns_are_found_in_any_order_and_missing_ones_are_named() -> None:
    model = mirror(Preprocessor.fit(table(), plan()))
    frame = table(5)
    assert check_onnx(model, to_onnx(model), frame[frame.columns[::-1]].assign(more=1)).ok
    with pytest.raises(DataError, match="skewed"):
        onnx_inputs(model, frame.drop(columns="skewed"))


def test_columns_may_have_any_names() -> None:
    names = [
        "x",
        "constant",
        "preparation/Sub",
        "a b/ü",
        "probabilities",
        "outputs",
        "outputs_input",
        "batch",
        "dense_1",
    ]
    frame = pd.DataFrame({name: np.arange(5.0) * (i + 1) for i, name in enumerate(names)})
    model = mirror(Preprocessor.fit(frame, tuple(Column(name, "number") for name in names)))
    check(model, frame)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_whole_pipeline_with_labels(precision: str) -> None:
    preparation = Preprocessor.fit(table(), plan())
    sizes = tuple(n for _, n in preparation.embedded)
    net = cr.Sequential(cr.layers.Embedding(sizes), cr.Dense(8, "relu"), cr.Dense(3, "softmax"))
    target = Target("classification", ("bird", "cat", "dog"), 3)
    shape = (len(preparation.feature_names),)
    model = cr.Model(net, shape, precision=precision, preparation=preparation, target=target, seed=1)
    check(model, table())
    outputs = run_onnx(to_onnx(model), onnx_inputs(model, table()))
    assert outputs["label"].tolist() == model.predict(table()).tolist()


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("titanic", "Survived"),
        ("penguins", "species"),
        ("california_housing", "median_house_value"),
        ("adult", "income"),
    ],
)
def test_the_real_tables(name: str, target: str, data_dir: Path) -> None:
    path = data_dir / "tables" / f"{name}.csv"
    prepared = cr.Table.read(path, target).prepare(key=cr.random.key(0))
    data = prepared.data
    classes = data.classes
    layers: list[Any] = [cr.Dense(32, "relu"), cr.Dense(len(classes), "softmax") if classes else cr.Dense(1)]
    preparation = data.preparation
    if preparation.embedded:
        layers.insert(0, cr.layers.Embedding(tuple(n for _, n in preparation.embedded)))
    meaning = (
        Target("classification", classes, len(classes))
        if classes
        else Target("regression", None, 1).standardized(np.asarray(data.y)[:, None])
    )
    model = cr.Model(cr.Sequential(*layers), data.x.shape[1:], preparation=preparation, target=meaning, seed=1)
    file = to_onnx(model)
    result = check_onnx(model, file, prepared.features)
    assert result.ok, result
    assert result.rows == len(prepared.features) > 300
    assert check_onnx(model, file).ok


def test_a_model_of_too_many_columns_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame({f"x{i}": [1.0, 2.0, 4.0] for i in range(6)})
    model = mirror(Preprocessor.fit(frame, [Column(name, "number") for name in frame.columns]))
    monkeypatch.setattr("chainrule.export.preparation.MOST_COLUMNS", 5)
    with pytest.raises(SettingError, match=r"takes 6 columns.*5 at most"):
        to_onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_what_was_told_of_the_cells_holds_in_the_file() -> None:
    """Texts that stand for missing values or do not, categories told apart by their writing, styles of numbers."""
    train = pd.DataFrame(
        {
            "land": ["NA", "DE", None, ""] * 20,
            "sign": ["+", "-", "?", None] * 20,
            "version": ["3.1", "3.10", "beta", "True"] * 20,
            "size": ["1,5", "2,25", "3,125", "4,5"] * 20,
            "share": ["12%", "0.5", "99%", "0.25"] * 20,
        }
    )
    for missing in (None, [], ["NA", "?"]):
        preparation = Preprocessor.fit(train, infer_columns(train, missing=missing))
        model = mirror(preparation)
        check(model, train)
        other = train.assign(size=["1.5", "2.25", "0.125", "4.5"] * 20, share=0.5)
        check(model, other.iloc[1:])
        inputs = onnx_inputs(model, other)
        assert inputs["size"].ravel()[:2].tolist() == [1.5, 2.25]
        assert inputs["share"].ravel()[0] == 50
        np.testing.assert_allclose(run_onnx(to_onnx(model), inputs)["outputs"], preparation(other), atol=1e-6)
