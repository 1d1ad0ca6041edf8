"""What columns and targets are told to be, and what is planned for them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chainrule.errors import DataError, SettingError, UnknownNameError
from chainrule.tables.association import association
from chainrule.tables.columns import KINDS, Column, find_column
from chainrule.tables.describe import describe, format_columns
from chainrule.tables.infer import infer_columns
from chainrule.tables.read import read_table
from chainrule.tables.target import learn_target, target_column


def column(cells: Sequence[Any], name: str = "x", override: Any = None, **others: Sequence[Any]) -> Column:
    frame = pd.DataFrame({name: pd.Series(list(cells), dtype=object), **others})
    return infer_columns(frame, overrides={} if override is None else {name: override})[0]


def of_a_file(cells: list[Any]) -> pd.Series:
    """Cells as a text file gives them, which have no types."""
    series = pd.Series(cells, dtype="str")
    series.attrs["separator"] = ","
    return series


def repeat(cells: Sequence[Any], times: int = 20) -> list[Any]:
    return list(cells) * times


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("cells", "kind", "use"),
    [
        (repeat(["yes", "no"]), "boolean", True),
        (repeat([1, 0]), "boolean", True),
        (repeat(["1.0", "0.0"]), "boolean", True),
        (repeat(["T", "f", None]), "boolean", True),
        (repeat(["m", "f"]), "category", True),
        (repeat(["yes", "no", "perhaps"]), "category", True),
        (repeat(["1", "2", "3"]), "number", True),
        (repeat(["1.5", "2.5", "x"], 1) + repeat(["1"], 60), "number", True),
        (repeat(["1.5", "2.5", "x"]), "category", True),
        (repeat(["02139", "10001", "94103"]), "category", True),
        (repeat(["red", "green"]), "category", True),
        (repeat([1, "1", 2.0, "2"]), "number", True),
        ([str(d) for d in pd.date_range("2020-01-01", periods=40)], "date", True),
        ([f"{d:%Y%m%d}" for d in pd.date_range("2020-01-01", periods=40)], "date", True),
        ([int(f"{d:%Y%m%d}") for d in pd.date_range("2020-01-01", periods=40)], "date", True),
        ([datetime.date(2020, 1, 1 + i) for i in range(20)], "date", True),
        (repeat(["3.1", "3.11", "3.12"]), "number", True),
        (list(range(1000, 1100)), "number", True),
        (list(RNG.permutation(200)[:120]), "number", True),
        ([f"u{i}" for i in range(40)], "identifier", False),
        ([f"Mr. No {i}" for i in range(40)], "text", False),
        (list(RNG.integers(0, 10**9, 100)), "number", True),
        ([20, 31, 44, 52, 61], "number", True),
        (repeat(["5"]), "constant", False),
        (repeat(["5", "5.0", 5]), "constant", False),
        (repeat([None]), "constant", False),
        (repeat(["x", None]), "category", True),
        (repeat([[1, 2]]), "text", False),
        (repeat(["\ud800", "b"]), "category", True),
    ],
)
def test_kinds(cells: list[Any], kind: str, use: bool) -> None:
    plan = column(cells)
    assert (plan.kind, plan.use) == (kind, use), plan
    as_text = column([None if cell is None else str(cell) for cell in cells])
    if not isinstance(cells[0], list):
        assert (as_text.kind, as_text.use) == (kind, use), as_text


@pytest.mark.parametrize("name", ["id", "PassengerId", "customer_id", "userID", "uuid", "index"])
def test_numbers_that_are_called_an_id(name: str) -> None:
    assert column(RNG.permutation(10**6)[:60], name).kind == "identifier"
    assert column(repeat([7, 19, 23]), name).kind == "category"
    for other in ("paid", "solid", "idle", "bid", "price_index"):
        assert column(RNG.permutation(10**6)[:60], other).kind == "number"


def planned(values: Any, target: Any, name: str = "week") -> Column:
    return infer_columns(pd.DataFrame({name: values}), target_values=target)[0]


@pytest.mark.parametrize("name", ["week", "id"])
@pytest.mark.parametrize(
    "target",
    [
        lambda x, noise: x + 20 * noise,
        lambda x, noise: (x - 60) ** 2 + 500 * noise,
        lambda x, noise: np.sin(x / 6) + 0.5 * noise,
        lambda x, noise: np.where(x % 2, x, -x) + noise,  # nothing on average: it acts differently on two groups
        lambda x, noise: np.where(abs(x - 60) < 25, "in", "out"),
        lambda x, noise: np.stack([noise, x + 20 * noise], axis=1),
    ],
    ids=["trend", "hump", "season", "two groups", "band of classes", "several targets"],
)
def test_numbers_that_count_the_rows_are_used_where_the_target_goes_with_them(name: str, target: Any) -> None:
    x = np.arange(1, 121)
    column = planned(x, target(x, np.random.default_rng(0).normal(size=120)), name)
    assert (column.kind, column.use) == ("number", True)
    assert "the target goes with it" in column.reason


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_numbers_that_carry_nothing_are_left_out_if_they_count_the_rows_or_are_called_an_id(kind: str) -> None:
    rng = np.random.default_rng(3)
    y = rng.choice(["a", "b", "c"], 200) if kind == "classes" else rng.lognormal(size=200)
    for column in (
        planned(np.arange(200), y),
        planned(np.arange(200) * 2, y),
        planned(rng.permutation(10**6)[:200], y, "id"),
    ):
        assert (column.kind, column.use) == ("identifier", False)
        assert "no association with the target (p = " in column.reason
    assert planned(
        rng.permutation(200), y
    ).use  # a size may be anything; only the order of the rows is an order of rows
    assert planned(np.arange(200) * 3, y).use
    assert planned(np.arange(200) / 2, y).use


def test_texts_in_whose_order_the_target_goes_are_left_out_with_a_hint() -> None:
    x, noise = np.arange(100), np.random.default_rng(0).normal(size=100)
    for names in ([f"W{i}" for i in x], [f"{i:04d}" for i in x]):
        names[7] = None
        column = planned(pd.Series(names, dtype=object), x + 20 * noise)
        assert (column.kind, column.use) == ("identifier", False)
        assert "make a number or a date of them" in column.reason
        assert planned(pd.Series(names, dtype=object), noise).reason == "every value differs"
    assert infer_columns(pd.DataFrame({"week": names}), overrides={"week": "number"}, target_values=x)[0].use


def test_the_test_of_association_has_the_false_alarms_that_it_states() -> None:
    alarms = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=40) if seed % 2 else rng.random(40) < 0.2
        alarms += association(rng.integers(0, 15, 40) if seed % 3 else np.arange(40), y) <= 0.2
    assert 10 <= alarms <= 38  # 24 are expected, and chance makes these 3.2 standard deviations more or fewer


def test_cells_of_another_kind_are_counted_and_said() -> None:
    plan = column([*map(str, range(0, 1000, 5)), "unknown", "unknown", "inf", "1e400", "", "None"])
    assert (plan.kind, plan.missing) == ("number", 6)
    assert plan.reason == "2 cells are no numbers ('unknown'), taken for missing; 2 infinite, taken for missing"
    assert plan.indicator
    plan = column([1.5, 2.5, np.inf, np.nan, *range(0, 1000, 5)])
    assert (plan.missing, plan.reason) == (2, "1 infinite, taken for missing")
    mixed = column(repeat(["1", "2", "3", "many"]))
    assert (mixed.kind, mixed.reason) == ("category", "4 different values; only 75% of the cells are numbers")


def test_decimal_marks_are_told_by_the_column_then_by_the_table() -> None:
    assert column(repeat(["1,5", "2,25"])).decimal == ","
    assert column(repeat(["1.234,5", "2,25"])).decimal == ","
    assert column(repeat(["1,234.5", "2.25"])).decimal == "."
    ambiguous = repeat(["1,234", "5,678"])
    assert column(ambiguous).decimal == "."
    assert column(ambiguous).reason == "commas separate thousands"
    assert column(ambiguous, other=repeat(["0,5", "1,25"])).decimal == ","
    dots = repeat(["1.234", "5.678"])
    assert column(dots).decimal == "."
    assert column(dots, other=repeat(["0,5", "1,25"])).decimal == ","
    assert column(ambiguous, override={"decimal": ","}).decimal == ","


def test_a_semicolon_file_with_decimal_commas(tmp_path: Path) -> None:
    path = tmp_path / "europe.csv"
    path.write_text("preis;menge;ort\n" + "1,234;1.500;Ulm\n2,345;20;Bonn\n0,5;3;Ulm\n" * 10)
    price, amount, _ = infer_columns(read_table(path))
    assert (price.kind, price.decimal, price.distinct) == ("number", ",", 3)
    assert (amount.kind, amount.decimal) == ("number", ",")
    from chainrule.tables.values import values_of

    frame = read_table(path)
    assert values_of(frame["preis"], price)[:3].tolist() == [1.234, 2.345, 0.5]
    assert values_of(frame["menge"], amount)[:3].tolist() == [1500, 20, 3]


def test_signs_beside_numbers() -> None:
    plan = column(repeat(["12 %", "5.5%", "3%"]))
    assert (plan.kind, plan.unit, plan.reason) == ("number", "%", "without the sign '%'")
    assert column(repeat(["$1,000", "$2.50"])).unit == "$"
    assert column(repeat(["$1", "€2", "£3"])).kind == "category"


def test_dates_say_how_they_were_read() -> None:
    assert column(repeat(["13/01/2020", "02/03/2020"])).day_first
    assert not column(repeat(["01/13/2020", "02/03/2020"])).day_first
    unsure = column(repeat(["01/02/2020", "02/03/2020"]))
    assert not unsure.day_first
    assert "cannot be told apart" in unsure.reason
    assert column(repeat(["01/02/2020", "02/03/2020"]), override={"day_first": True}).day_first
    few_bad = column([*(f"2020-01-{d:02}" for d in range(1, 29)), "soon"])
    assert (few_bad.kind, few_bad.missing) == ("date", 1)
    assert "'soon'" in few_bad.reason


def test_the_parts_of_dates_that_vary() -> None:
    days = column([f"2020-01-{d:02}" for d in range(1, 29)])
    assert days.parts == ("day", "weekday", "elapsed")
    hours = column([f"2020-01-01 {h:02}:00" for h in range(24)])
    assert hours.parts == ("hour",)


def test_treatments() -> None:
    rows = [*range(0, 990, 5), 5001, 5003]
    assert column(rows).outliers == "clip"
    assert column(range(0, 1000, 5)).outliers == "keep"
    assert column([0] * 300 + [10_000, 5]).outliers == "keep", (
        "half of the values are the same: clipping leaves nothing"
    )
    few = [*range(0, 995, 5), None]
    assert (column(few).indicator, column([*few, None, None, None]).indicator) == (False, True)
    assert column(repeat(["yes", "no"])).fill == "most_frequent"
    assert column(repeat(range(3)) and repeat([f"c{i}" for i in range(20)])).encode == "one_hot"
    assert column(repeat([f"c{i}" for i in range(21)])).encode == "embedding"


def test_a_column_of_many_texts_that_is_often_empty_is_kept() -> None:
    for different in (300, 400):
        cabin = column([f"C{i % different}" if i % 4 == 0 else None for i in range(400)])
        assert (cabin.kind, cabin.use, cabin.encode) == ("category", True, "one_hot")
    assert column([f"C{i}" for i in range(400)] + [None]).use is False


def test_overrides() -> None:
    numbers = repeat(["1", "2", "3"])
    assert column(numbers, override="category").kind == "category"
    assert column(numbers, override=False).use is False
    assert column(numbers, override="ignore").use is False
    assert column(numbers, override={"scale": "quantile", "fill": "mean"}).scale == "quantile"
    named = column(numbers, override=Column("x", "category", encode="embedding"))
    assert (named.kind, named.encode) == ("category", "embedding")
    assert column(range(100), override=True).kind == "number"
    assert column([f"Mr. No {i}" for i in range(40)], override=True).kind == "category"
    assert column(numbers, override="identifier").use is False
    assert column(repeat(["1", "2", "x"]), override="number").missing == 20


@pytest.mark.parametrize(
    ("override", "error", "message"),
    [
        ("catgory", UnknownNameError, "did you mean 'category'"),
        ({"kid": "number"}, UnknownNameError, "did you mean 'kind'"),
        ({"scale": "standardise"}, UnknownNameError, "did you mean 'standardize'"),
        ({"use": "yes"}, SettingError, "use is true or false"),
        ({"parts": ["years"]}, UnknownNameError, "did you mean 'year'"),
        ({"kind": "text", "use": True}, SettingError, "cannot be used as text"),
        (3, SettingError, "expected a kind"),
        ("date", DataError, "no cell can be read as one"),
        ("number", DataError, "no cell can be read as one"),
        ("boolean", DataError, "no cell can be read as one"),
    ],
)
def test_overrides_that_cannot_be(override: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        column(repeat(["red", "green"]), override=override)


def test_overrides_of_columns_that_are_not_there_or_empty() -> None:
    frame = pd.DataFrame({"Age": ["1", "2"], "none": [None, None]})
    with pytest.raises(DataError, match="no column 'age'; did you mean 'Age'"):
        infer_columns(frame, overrides={"age": "number"})
    with pytest.raises(DataError, match="no value in any training row"):
        infer_columns(frame, overrides={"none": True})
    with pytest.raises(DataError, match="no columns besides the target"):
        infer_columns(frame[["Age"]], target="Age")
    with pytest.raises(DataError, match="no training rows"):
        infer_columns(frame.iloc[:0])


def test_plans_survive_being_written() -> None:
    for column in infer_columns(pd.DataFrame({"d": pd.date_range("2020", periods=30), "x": range(30)})):
        assert Column.from_dict(column.to_dict()) == column


def test_names_of_many_columns_are_not_all_listed() -> None:
    with pytest.raises(DataError) as caught:
        find_column([f"c{i}" for i in range(100_000)], "target")
    assert len(str(caught.value)) < 500
    assert "99,980 more" in str(caught.value)
    with pytest.raises(DataError, match=r"first line of a file .*names"):
        target_column(["5.1", "3.5", "setosa"], "species")


TITANIC = {
    "PassengerId": "identifier",
    "Pclass": "number",
    "Name": "text",
    "Sex": "category",
    "Age": "number",
    "SibSp": "number",
    "Parch": "number",
    "Ticket": "text",
    "Fare": "number",
    "Cabin": "category",
    "Embarked": "category",
}


def test_the_columns_of_the_titanic(data_dir: Path) -> None:
    frame = read_table(data_dir / "tables" / "titanic.csv")
    rows = np.sort(np.random.default_rng(3).permutation(len(frame))[:600])
    for part in (frame, frame.iloc[rows]):
        columns = infer_columns(part, target="Survived", target_values=part["Survived"].to_numpy())
        assert {c.name: c.kind for c in columns} == TITANIC
        assert {c.name for c in columns if c.indicator} == {"Age"}
    typed = infer_columns(pd.read_csv(data_dir / "tables" / "titanic.csv"), target="Survived")
    assert [(c.kind, c.missing, c.distinct, c.outliers) for c in typed] == [
        (c.kind, c.missing, c.distinct, c.outliers) for c in infer_columns(frame, target="Survived")
    ]
    assert learn_target(frame["Survived"])[0].task == "classification"


# The target


@pytest.mark.parametrize(
    ("cells", "task", "values"),
    [
        (repeat(["cat", "dog"]), "classification", repeat(["cat", "dog"])),
        (repeat(["1", "0"]), "classification", repeat(["1", "0"])),
        (of_a_file(repeat(["1", "0"])), "classification", repeat([1, 0])),
        (repeat([True, False]), "classification", repeat([True, False])),
        (repeat([1.0, 2.0, 3.0]), "classification", repeat([1, 2, 3])),
        (repeat(["1.5", "2.5"]), "regression", repeat([1.5, 2.5])),
        (repeat(["1,5", "2,5"]), "regression", repeat([1.5, 2.5])),
        (list(range(0, 90, 3)), "regression", [float(i) for i in range(0, 90, 3)]),
        (repeat(["None", "Mild"]), "classification", repeat(["None", "Mild"])),
        (repeat(["<=50K", ">50K"]), "classification", repeat(["<=50K", ">50K"])),
        ([0, 1, 1, 0], "classification", [0, 1, 1, 0]),
    ],
)
def test_targets(cells: list[Any], task: str, values: list[Any]) -> None:
    target, _ = learn_target(cells)
    assert (target.task, target.read(cells).tolist()) == (task, values)


def test_rows_without_a_target_are_counted_and_stay_in_place() -> None:
    cells = of_a_file([*repeat(["a", "b"]), None, "?"])
    target, note = learn_target(cells)
    assert target.read(cells).tolist()[-3:] == ["b", None, None]
    assert "2 rows without a target are left out" in note
    assert "'?' (1 cell)" in note
    cells = [*np.linspace(0, 1, 60), np.inf, "n.a."]
    target, note = learn_target(cells)
    assert target.task == "regression"
    assert np.flatnonzero(np.isnan(target.read(cells))).tolist() == [60, 61]
    assert "'n.a.'" in note
    assert "2 rows without a target" in note


def test_a_task_can_be_asked_for() -> None:
    assert learn_target(repeat([1, 2, 3]), "regression")[0].read([1]).dtype == np.float64
    assert learn_target(repeat(["1.5", "2.5"]), "classification")[0].classes == ("1.5", "2.5")
    assert "taken for classes" in learn_target(repeat([1, 2, 3]))[1]
    with pytest.raises(UnknownNameError, match="did you mean 'regression'"):
        learn_target([1, 2], "regresion")


@pytest.mark.parametrize(
    ("cells", "task", "message"),
    [
        (repeat([None]), None, "no value in any of the 20 rows"),
        (repeat(["a", None]), None, "only one class, a"),
        (repeat([2.5]), "regression", "only one value, 2.5"),
        ([f"2020-01-{d:02}" for d in range(1, 29)], None, "holds dates (2020-01-01)"),
        (list(pd.date_range("2020", periods=30)), None, "holds dates"),
        ([20200101 + i for i in range(28)], None, "holds dates"),
        ([f"name {i}" for i in range(30)], None, "30 classes in 30 rows"),
        (repeat(["red", "green"]), "regression", "holds 'red'"),
        (repeat([[1, 2]]), None, "of the kind list"),
    ],
)
def test_targets_that_cannot_be_learnt(cells: list[Any], task: str | None, message: str) -> None:
    series = pd.Series(cells, dtype=object, name="y")
    with pytest.raises(DataError, match="target 'y'.*" + re.escape(message)):
        learn_target(series, task)


# What is shown


def test_every_column_is_described() -> None:
    assert describe(Column("x", "number")) == "standardize"
    assert describe(Column("x", "number", outliers="robust", missing=2, fill="mean")) == (
        "standardize by quartiles; missing → the mean"
    )
    assert describe(Column("x", "number", scale="none")) == "as it is"
    assert describe(Column("x", "date", parts=("year", "month"))) == "year, month"
    assert describe(Column("x", "category", encode="embedding", missing=1)) == "learned embedding; missing → a category"
    for kind in KINDS:
        assert describe(Column("x", kind, use=False)) == f"left out: {kind}"


def test_a_wide_table_is_shown_in_short() -> None:
    columns = [Column(f"c{i}", "number" if i % 2 else "category") for i in range(100_000)]
    shown = format_columns(columns, rows=10, most=5)
    assert len(shown) == 7
    assert shown[-1][0] == "… and 99,995 more"
    assert shown[-1][-1] == "49,998 number, 49,997 category" or shown[-1][-1] == "49,997 category, 49,998 number"
    assert len({len(row) for row in shown}) == 1


def test_shares_of_missing_values_are_never_rounded_to_nothing_or_all() -> None:
    columns = [Column("few", "number", missing=1), Column("most", "number", missing=99_999)]
    assert [row[2] for row in format_columns(columns, rows=100_000)[1:]] == ["0.1 %", "99.9 %"]
