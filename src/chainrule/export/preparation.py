"""The preparation of a table as ONNX nodes: an input for each column, computed with in float64 as `Preprocessor` does.

==========  ==========================  ==============================================================================
column      input of the file, (n, 1)   missing
==========  ==========================  ==============================================================================
number      double                      NaN (infinite numbers count as missing)
boolean     double, 1 or 0              NaN (any other number counts as missing)
date        double, seconds since       NaN
            1970-01-01 00:00 UTC
category    string                      "" and the texts that stood for missing values in training: "NA", "?", ...
==========  ==========================  ==============================================================================

ONNX has no operations that read numbers, truth values or dates from text, nor any that strip or rewrite text:
categories are compared as they are (``"3"`` is also found as ``"3.0"``, ``"True"`` as ``"true"``). `column_inputs`
makes these inputs of a table with the library's own readers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import SettingError
from chainrule.export.graph import Graph, Value
from chainrule.export.quantiles import write_quantiles
from chainrule.tables.categories import categories
from chainrule.tables.columns import Column
from chainrule.tables.numeric_inputs import CIRCLES, Numbers, is_missing
from chainrule.tables.preprocessor import LIMIT, Preprocessor

if TYPE_CHECKING:
    from pandas import DataFrame

#: Names that outputs of the file have.
OUTPUTS = ("probabilities", "outputs", "label")

DAY = 86_400.0

#: So many columns can be inputs of a file: each takes about a millisecond and 25 kB to write.
MOST_COLUMNS = 20_000


def used_columns(preparation: Preprocessor) -> dict[str, Column]:
    """Return the columns that are inputs, under the names that their inputs have in the file."""
    columns: dict[str, Column] = {}
    for column in preparation.columns:
        if column.use:
            name = column.name or "column"
            while name in columns or name in OUTPUTS:
                name += "_input"
            columns[name] = column
    return columns


def column_inputs(preparation: Preprocessor, frame: DataFrame) -> dict[str, np.ndarray]:
    """Return what an ONNX file takes, by the names of its inputs, made of a table.

    Columns are found by name in any order; text is read as it was in training.

    >>> import pandas as pd
    >>> from chainrule.export.preparation import column_inputs
    >>> from chainrule.tables.preprocessor import Preprocessor
    >>> from chainrule.tables.columns import Column
    >>> train = pd.DataFrame({"age": ["20", "40"], "city": ["Rome", "Oslo"]})
    >>> preparation = Preprocessor.fit(train, (Column("age", "number"), Column("city", "category")))
    >>> column_inputs(preparation, pd.DataFrame({"city": [" Rome"], "age": ["1,000"]}))
    {'age': array([[1000.]]), 'city': array([['Rome']], dtype=object)}
    """
    columns = used_columns(preparation)
    cells = preparation.values(frame)
    inputs = {}
    for j, (name, column) in enumerate(columns.items()):
        values = cells[j]
        if column.kind == "category":
            empty = missing_text(preparation, column)
            values = np.array([empty if value is None else value for value in values], object)
        elif column.kind == "date":
            values = np.where(is_missing(values), np.nan, values.astype("datetime64[us]").astype(np.int64) / 1e6)
        inputs[name] = values[:, None]
    return inputs


def random_table(preparation: Preprocessor, rows: int, rng: np.random.Generator) -> DataFrame:
    """Return rows that look like those of the training table, some cells of which are missing or new."""
    import pandas as pd

    drawn: dict[str, Any] = {}
    for block in preparation.numbers:
        x = rng.normal(size=(rows, len(block.names)))
        x = x if block.scaler is None else block.scaler.inverse_transform(x)
        drawn.update(zip(block.names, x.T, strict=True))
    columns: dict[str, Any] = {}
    for column in used_columns(preparation).values():
        if column.kind == "number":
            cells = drawn[column.name].astype(object)
        elif column.kind == "boolean":
            cells = rng.choice([True, False], rows).astype(object)
        elif column.kind == "date":
            seconds = (preparation.origins[column.name] + rng.uniform(0, 1000, rows)) * DAY
            cells = seconds.astype("datetime64[s]").astype(object)
        else:
            known = [text for text in preparation.lookup(column.name)[0] if text is not None]
            cells = rng.choice(np.array([*known, "something new"], object), rows)
        cells[rng.random(rows) < 0.1] = None
        columns[column.name] = cells
    return pd.DataFrame(columns)


def write_preparation(graph: Graph, preparation: Preprocessor) -> tuple[dict[str, Any], Value]:
    """Write all of it; the inputs of the file with their dtypes, and the features, float32 (n, features)."""
    columns = used_columns(preparation)
    if len(columns) > MOST_COLUMNS:
        raise SettingError(
            f"The model takes {len(columns):,} columns, and an ONNX file has an input for each of {MOST_COLUMNS:,} at "
            "most: with more, gigabytes are taken to write and to read it. Write the weights alone (NAME.safetensors), "
            "or train on fewer columns."
        )
    inputs = {name: object if column.kind == "category" else np.float64 for name, column in columns.items()}
    for name in (*inputs, *OUTPUTS):
        graph.reserve(name)
    with graph.scope("preparation"):
        return inputs, graph.cast(_features(graph.in_double(), preparation, columns), "float32")


def _features(graph: Graph, preparation: Preprocessor, columns: dict[str, Column]) -> Value:
    measured: list[Value] = []
    flags: dict[str, Value] = {}
    hot: dict[str, Value] = {}
    codes: dict[str, Value] = {}
    for name, column in columns.items():
        x = Value(name, (1,))
        with graph.scope(column.name):
            if column.kind == "category":
                place, rest = preparation.lookup(column.name)
                code = _code(graph, x, place, rest, column, missing_text(preparation, column))
                if column.encode == "embedding":
                    codes[column.name] = graph.cast(code, np.float64)
                else:
                    hot[column.name] = _one_hot(graph, code, 1 + max(_places(place, rest)))
                continue
            x, missing = _checked(graph, column, x)
            flags[column.name] = missing
            if column.kind == "number":
                measured.append(x)
            elif column.kind == "boolean":
                measured.append(graph.add("Sub", graph.add("Mul", x, 2.0), 1.0))
            else:
                origin = preparation.origins[column.name]
                measured += _parts(graph, x, column.parts, origin)
    parts = []
    for i, block in enumerate(preparation.numbers):
        with graph.scope(f"numbers_{i + 1}"):
            parts.append(_numbers(graph, block, [measured[at] for at in block.at]))
    parts += [graph.cast(flags[name], np.float64) for name in preparation.flagged]
    parts += [hot[name] for name in preparation.one_hot.names]
    dense = _side_by_side(graph, parts)
    if preparation.reduction is not None:
        centred = graph.add("Sub", dense, preparation.reduction.mean_)
        components = preparation.reduction.components_.T
        dense = graph.add("MatMul", centred, components, shape=components.shape[1:])
    inside = [graph.add("Clip", dense, -LIMIT, LIMIT)] if parts else []
    return _side_by_side(graph, inside + [codes[name] for name in preparation.ordinal.names])


def _side_by_side(graph: Graph, parts: list[Value]) -> Value:
    return graph.add("Concat", *parts, axis=1, shape=(sum(part.shape[0] for part in parts),)) if parts else Value("")


def _checked(graph: Graph, column: Column, x: Value) -> tuple[Value, Value]:
    """Return the value with NaN where it counts as missing, and where that is."""
    if column.kind == "boolean":
        missing = graph.add("Not", graph.add("Or", graph.add("Equal", x, 1.0), graph.add("Equal", x, 0.0)))
    else:
        missing = graph.add("Or", graph.add("IsNaN", x), graph.add("IsInf", x))
    return graph.add("Where", missing, math.nan, x), missing


def _numbers(graph: Graph, block: Numbers, values: list[Value]) -> Value:
    """Clip numbers to their bounds, fill the missing ones, and scale."""
    x = _side_by_side(graph, values)
    inside = graph.add("Min", graph.add("Max", x, block.low), block.high)
    filled = np.asarray(block.imputer.statistics_, np.float64)
    x = graph.add("Where", graph.add("IsNaN", x), filled, inside, shape=x.shape)
    kind, scaler = type(block.scaler).__name__, block.scaler
    if kind == "StandardScaler":
        return graph.add("Div", graph.add("Sub", x, scaler.mean_), scaler.scale_)
    if kind == "RobustScaler":
        return graph.add("Div", graph.add("Sub", x, scaler.center_), scaler.scale_)
    if kind == "MinMaxScaler":
        return graph.add("Add", graph.add("Mul", x, scaler.scale_), scaler.min_)
    return x if scaler is None else write_quantiles(graph, scaler, x)


def _places(place: dict[str | None, int], rest: int | None) -> Iterable[int]:
    return [*place.values(), *([] if rest is None else [rest])]


def missing_text(preparation: Preprocessor, column: Column) -> str:
    """Return what stands for a missing value of a category: the empty text, unless that is one of the categories."""
    return "" if "" not in preparation.lookup(column.name)[0] else "\x00"


def _code(graph: Graph, x: Value, place: dict[str | None, int], rest: int | None, column: Column, empty: str) -> Value:
    """Return the number of a category; -1 for one that has none."""
    texts = [text for text in place if text is not None]
    known = (
        {text: place[text] for text in texts}
        if column.exact
        else {written: place[text] for text in texts for written in _spellings(text)}
    )
    none = -1 if rest is None else rest
    known |= {text: place.get(None, none) for text in (*column.missing_texts, empty)}
    return graph.add(
        "LabelEncoder",
        x,
        domain="ai.onnx.ml",
        keys_strings=list(known),
        values_int64s=list(known.values()),
        default_int64=none,
    )


def _spellings(text: str) -> list[str]:
    """Return the text, and other ways in which programs write the same number or truth value."""
    return [text, *(other for other in (f"{text}.0", text.lower()) if categories([other])[0] == text and other != text)]


def _one_hot(graph: Graph, code: Value, width: int) -> Value:
    return graph.cast(graph.add("Equal", code, np.arange(width), shape=(width,)), np.float64)


def _parts(graph: Graph, seconds: Value, parts: Iterable[str], origin: float) -> list[Value]:
    """Return the numbers of dates, as `chainrule.tables.numeric_inputs`, from seconds since 1970; NaN stays NaN."""
    days = _floor(graph, seconds, DAY)
    time = graph.add("Sub", seconds, graph.add("Mul", days, DAY))
    calendar = _calendar(graph, days) if {"year", "month", "day"} & set(parts) else {}
    numbers = []
    for part in parts:
        if part in calendar:
            number = calendar[part]
        elif part == "elapsed":
            number = graph.add("Sub", graph.add("Div", seconds, DAY), origin)
        elif part == "weekday":
            number = _rest(graph, graph.add("Add", days, 3.0), 7.0)
        elif part == "hour":
            number = _floor(graph, time, 3600.0)
        else:
            number = _rest(graph, _floor(graph, time, 60.0), 60.0)
        if part in CIRCLES:
            angle = graph.add("Mul", number, 2 * math.pi / CIRCLES[part][0])
            numbers += [graph.add("Sin", angle), graph.add("Cos", angle)]
        else:
            numbers.append(number)
    return numbers


def _calendar(graph: Graph, days: Value) -> dict[str, Value]:
    """Return the year, and month and day from 0, of days since 1970.

    Years begin in March here, so that a leap day is the last of its year, and are counted from 1 March of the year 0
    (Hinnant, "chrono-compatible low-level date algorithms", 2013).
    """
    since = graph.add("Add", days, 719_468.0)
    day = _rest(graph, since, 146_097.0)  # within 400 years
    leap = graph.add("Sub", _floor(graph, day, 36_524.0), _floor(graph, day, 1460.0))
    leap = graph.add("Sub", leap, _floor(graph, day, 146_096.0))
    year = _floor(graph, graph.add("Add", day, leap), 365.0)
    leap_days = graph.add("Sub", _floor(graph, year, 4.0), _floor(graph, year, 100.0))
    year_day = graph.add("Sub", day, graph.add("Add", graph.add("Mul", year, 365.0), leap_days))
    month = _floor(graph, graph.add("Add", graph.add("Mul", year_day, 5.0), 2.0), 153.0)
    first = _floor(graph, graph.add("Add", graph.add("Mul", month, 153.0), 2.0), 5.0)
    whole = graph.add("Add", year, graph.add("Mul", _floor(graph, since, 146_097.0), 400.0))
    return {
        "year": graph.add("Add", whole, _floor(graph, month, 10.0)),  # January and February are the next year's
        "month": _rest(graph, graph.add("Add", month, 2.0), 12.0),
        "day": graph.add("Sub", year_day, first),
    }


def _floor(graph: Graph, x: Value, divisor: float) -> Value:
    return graph.add("Floor", graph.add("Div", x, divisor))


def _rest(graph: Graph, x: Value, divisor: float) -> Value:
    return graph.add("Sub", x, graph.add("Mul", _floor(graph, x, divisor), divisor))
