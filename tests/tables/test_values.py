"""Cells as values of a kind: the same whether they were read as text or came with a type."""

from __future__ import annotations

import datetime
import decimal
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chainrule.tables.categories import booleans, categories
from chainrule.tables.cells import cells
from chainrule.tables.columns import Column
from chainrule.tables.dates import dates
from chainrule.tables.numbers import numbers
from chainrule.tables.values import values_of

NAN = math.nan


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("3", 3.0),
        (" -2.50 ", -2.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("1,234,567.5", 1234567.5),
        ("1 234", 1234.0),
        ("1\u202f234,5", NAN),
        ("1'234.5", 1234.5),
        ("\u22123", -3.0),
        ("007", 7.0),
        (True, 1.0),
        (decimal.Decimal("1.5"), 1.5),
        (np.float32(0.5), 0.5),
        (2**70, float(2**70)),
        ("1_000", NAN),
        ("0x10", NAN),
        ("٣", NAN),
        ("12,34", NAN),
        ("1,23,456", NAN),
        ("1.2.3", NAN),
        ("inf", NAN),
        ("-Infinity", NAN),
        ("1e400", NAN),
        (10**400, NAN),
        (math.inf, NAN),
        ("nan", NAN),
        ("None", NAN),
        ("12 %", NAN),
        ("", NAN),
        (None, NAN),
    ],
)
def test_a_number(cell: Any, number: float) -> None:
    np.testing.assert_array_equal(numbers([cell]), [number])
    np.testing.assert_array_equal(numbers(["x", cell, "1"]), [NAN, number, 1.0])


def test_every_number_is_read_to_its_last_bit() -> None:
    values = np.random.default_rng(0).standard_normal(1000) * 10.0 ** np.random.default_rng(1).integers(-300, 300, 1000)
    assert (numbers(pd.Series(values).astype(str)) == values).all()
    assert (numbers([repr(v) for v in values.tolist()] + ["x"])[:-1] == values).all()


def test_decimal_commas_and_signs() -> None:
    np.testing.assert_array_equal(
        numbers(["3,5", "1.234,5", "1.234", "1.5", "7"], decimal=","), [3.5, 1234.5, 1234.0, NAN, 7]
    )
    np.testing.assert_array_equal(numbers(["12 %", "-3%", "5", "$4"], unit="%"), [12, -3, 5, NAN])
    np.testing.assert_array_equal(numbers(["$1,000.50", "-$2", "$ 3"], unit="$"), [1000.5, -2, 3])


@pytest.mark.parametrize("as_type", ["float64", "Float64", "object", "category", "string"])
def test_numbers_of_every_type_of_series(as_type: str) -> None:
    series = pd.Series([1.5, None, 3.0]).astype(as_type)
    np.testing.assert_array_equal(numbers(series), [1.5, NAN, 3.0])


def test_truth_values() -> None:
    values = ["yes", "NO", " T ", "f", 1, 0, 1.0, "0", True, np.False_, "2", None, "None"]
    np.testing.assert_array_equal(booleans(values), [1, 0, 1, 0, 1, 0, 1, 0, 1, 0, NAN, NAN, NAN])
    np.testing.assert_array_equal(booleans(pd.Series([True, None], dtype="boolean")), [1, NAN])


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("3", "3"),
        (3, "3"),
        (3.0, "3"),
        ("3.00", "3"),
        ("-0.0", "0"),
        (0.1, "0.1"),
        (np.float32(0.1), "0.1"),
        ("0.10", "0.1"),
        ("007", "007"),
        ("1e3", "1e3"),
        (" red ", "red"),
        ("Red", "Red"),
        (True, "True"),
        ("TRUE", "True"),
        (b"red", "red"),
        ("None", "None"),
        (datetime.date(2020, 1, 2), "2020-01-02"),
        (pd.Timestamp("2020-01-02"), "2020-01-02"),
        (pd.Timestamp("2020-01-02 03:04"), "2020-01-02 03:04:00"),
        ("NA", None),
        (math.nan, None),
        (pd.NA, None),
    ],
)
def test_a_category(cell: Any, text: str | None) -> None:
    assert categories([cell]).tolist() == [text]


def test_categories_of_many_typed_numbers() -> None:
    values = np.tile([1.0, 2.5, NAN], 100)
    assert categories(pd.Series(values)).tolist() == ["1", "2.5", None] * 100
    assert categories(pd.Series([1, 2, None], dtype="Int64")).tolist() == ["1", "2", None]


@pytest.mark.parametrize(
    ("cell", "date"),
    [
        ("2020-01-31", "2020-01-31"),
        ("2020-01-31T12:30:00Z", "2020-01-31T12:30"),
        ("2020-01-31 12:30:00+02:00", "2020-01-31T10:30"),
        ("2020-01-31 12:30", "2020-01-31T12:30"),
        ("2020/1/3", "2020-01-03"),
        ("2020-02", "2020-02-01"),
        ("20200131", "2020-01-31"),
        (20200131, "2020-01-31"),
        ("31.01.2020", "2020-01-31"),
        ("3 January 2020", "2020-01-03"),
        ("03-Sep-2020", "2020-09-03"),
        ("Sept. 3, 2020", "2020-09-03"),
        ("1/31/20 11:05 PM", "2020-01-31T23:05"),
        ("1/31/1969 12:00 am", "1969-01-31"),
        (datetime.date(2020, 1, 31), "2020-01-31"),
        (pd.Timestamp("2020-01-31", tz="Europe/Berlin"), "2020-01-30T23:00"),
        ("2020-02-30", None),
        ("31/01/2020", None),
        ("2020", None),
        ("12:30", None),
        ("soon", None),
        ("0000-00-00", None),
        (3.7, None),
    ],
)
def test_a_date(cell: Any, date: str | None) -> None:
    np.testing.assert_array_equal(dates([cell]), np.array([date or "NaT"], "datetime64[us]"))


def test_the_order_of_day_and_month() -> None:
    assert dates(["03/04/2020"])[0] == np.datetime64("2020-03-04")
    assert dates(["03/04/2020"], day_first=True)[0] == np.datetime64("2020-04-03")
    assert dates(["03.04.2020"])[0] == np.datetime64("2020-04-03")


def test_typed_dates() -> None:
    series = pd.Series(pd.to_datetime(["2020-01-31 01:00", None]))
    expected = np.array(["2020-01-31T01:00", "NaT"], "datetime64[us]")
    np.testing.assert_array_equal(dates(series), expected)
    np.testing.assert_array_equal(dates(series.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")), expected)


def test_cells_are_not_changed_in_place() -> None:
    values = np.array([" a ", None, "?"], object)
    assert cells(values).tolist() == ["a", None, None]
    assert values.tolist() == [" a ", None, "?"]


def test_values_by_the_plan() -> None:
    assert values_of(["2,5"], Column("x", "number", decimal=","))[0] == 2.5
    assert values_of(["yes"], Column("x", "boolean"))[0] == 1
    assert values_of(["1/2/2020"], Column("x", "date", day_first=True))[0] == np.datetime64("2020-02-01")
    assert values_of([3.0], Column("x", "category")).tolist() == ["3"]
