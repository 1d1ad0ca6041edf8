"""Numbers mean what they say: each is read as it was written, or it is told that it could be read otherwise."""

from __future__ import annotations

import csv
import io
import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule import random as keys
from chainrule.errors import ChainruleError
from chainrule.tables.columns import Column
from chainrule.tables.infer import infer_columns
from chainrule.tables.inspection import TableInspection, inspect_table
from chainrule.tables.number_style import Evidence, infer_style
from chainrule.tables.preprocessor import Preprocessor
from chainrule.tables.read import read_table
from chainrule.tables.target import learn_target
from chainrule.tables.values import values_of

KEY = keys.key(0)
THOUSANDS = ["", "other", " ", "\u00a0", "\u2009", "\u202f", "'", "’"]


def written(value: float, decimals: int, mark: str, group: str, unit: str = "", minus: str = "-") -> str:
    """A number as people write it."""
    text = f"{abs(value):,.{decimals}f}".replace(",", "_").replace(".", mark)
    text = text.replace("_", {"other": "." if mark == "," else ","}.get(group, group))
    text = f"{unit[1:]}{text}" if unit.startswith("<") else f"{text}{unit}"
    if value >= 0:
        return text
    return f"({text})" if minus == "()" else f"{minus}{text}"


def file_of(folder: Path, columns: dict[str, list[str]], separator: str = ",") -> Path:
    """A text file of these columns; cells with the separator are quoted."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    path = folder / "table.csv"
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


STYLES = st.fixed_dictionaries(
    {
        "mark": st.sampled_from(".,"),
        "group": st.sampled_from(THOUSANDS),
        "unit": st.sampled_from(["", "", "%", " %", "<$", "<€ ", " €", "£"]),
        "minus": st.sampled_from(["-", "\u2212", "()"]),
        "decimals": st.integers(0, 5),
    }
)
VALUES = st.tuples(st.integers(0, 2**31), st.sampled_from([1.0, 30.0, 900.0, 50_000.0, 3e7]))
RELAXED = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def numbers_of(seed: int, size: float, decimals: int, n: int = 40) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.round(rng.uniform(-0.2 * size, size, n), decimals)


@RELAXED
@given(STYLES, VALUES, st.sampled_from([",", ";", "\t"]))
def test_numbers_are_read_as_they_were_written_or_it_is_told(
    tmp_path: Path, style: dict[str, Any], drawn: tuple[int, float], separator: str
) -> None:
    values = numbers_of(*drawn, style["decimals"])
    cells = [written(v, **style) for v in values]
    frame = read_table(file_of(tmp_path, {"x": cells, "k": ["a", "b"] * 20}, separator), separator=separator)
    column = infer_columns(frame)[0]
    if column.kind != "number":
        assert len(np.unique(values)) < 3, (cells[:5], column)
        return
    read = values_of(frame["x"], column)
    assert np.allclose(read, values, rtol=1e-12) or column.note, (cells[:5], read[:5], column)


@RELAXED
@given(STYLES, STYLES, VALUES, st.sampled_from([",", ";"]), st.sampled_from([",", ";"]))
def test_another_file_is_converted_refused_or_told(
    tmp_path: Path, style: dict[str, Any], other: dict[str, Any], drawn: tuple[int, float], first: str, second: str
) -> None:
    other["unit"] = style["unit"]  # another currency is another matter
    values = numbers_of(*drawn, style["decimals"])
    frame = read_table(file_of(tmp_path, {"x": [written(v, **style) for v in values], "k": ["a", "b"] * 20}, first))
    columns = infer_columns(frame)
    if columns[0].kind != "number":
        return
    preparation = Preprocessor.fit(frame, columns)
    new = numbers_of(drawn[0] + 1, drawn[1], other["decimals"])
    file = read_table(file_of(tmp_path, {"x": [written(v, **other) for v in new], "k": ["a", "b"] * 20}, second))
    try:
        read = preparation.values(file)[0]
    except ChainruleError:
        return
    wrong = ~np.isclose(read, new, rtol=1e-12)
    notes = [note for note in inspect_table(preparation, file).notes() if note.startswith("x:")]
    assert not wrong.any() or notes or columns[0].note, (file["x"].tolist()[:5], read[:5], columns[0])


@pytest.mark.parametrize(
    ("texts", "separator", "decimal", "certain"),
    [
        (["1.163.022", "950.000"], ",", ",", False),  # two points can only separate thousands
        (["3,877E-01", "1,200E+00"], ";", ",", False),  # what stands before an exponent are decimals
        (["3.877E-01", "1.200E+00"], ";", ".", False),
        (["0.123", "1.234"], ";", ".", False),  # no thousands begin with 0
        (["2.571", "850"], ";", ",", True),  # groups of three, and nothing of four digits without a mark
        (["2.571", "3.850", "12"], ",", ",", True),
        (["2.571", "12850"], ";", ".", True),  # where thousands have no mark, this one is of decimals
        (["1,234", "5,678"], ";", ",", True),
        (["1,234", "5,678"], ",", ".", True),
        (["1.234", "5.678"], ",", ".", True),
        (["1.500", "245.000", "80.250"], ";", ",", True),  # rounded amounts
        (["€ 1.507", "2.318 €"], ",", ",", True),  # money has no three decimals
        (["1 234,5", "2\u00a0000,25"], "\t", ",", False),
        (["1'234.5", "7"], ";", ".", False),
        (["12", "7", "3,5"], ",", ",", False),
        (["12", "7"], ",", ".", False),
    ],
)
def test_the_decimal_mark_is_told_on_all_evidence(
    texts: list[str], separator: str, decimal: str, certain: bool
) -> None:
    evidence = Evidence()
    evidence.add_texts(dict.fromkeys(texts, 3))
    style = infer_style(evidence, {}, separator)
    assert (style.decimal, bool(style.doubt)) == (decimal, certain)


def test_sure_cells_of_other_columns_decide_for_groups_of_three(tmp_path: Path) -> None:
    for mark, values in ((",", [2571.0, 12850.0]), (".", [2.571, 12.85])):
        path = file_of(tmp_path, {"price": ["2.571", "12.850"] * 9, "size": [f"12{mark}5", f"7{mark}25"] * 9}, "|")
        frame = read_table(path)
        column = infer_columns(frame)[0]
        assert values_of(frame["price"], column).tolist()[:2] == values
        assert column.note == ""
        table = cr.Table.read(path, "price", task="regression")  # the target is told by the other columns, too
        assert table.prepare(validation=0, key=KEY).data.y.ravel()[:2].tolist() == pytest.approx(values)


def test_a_doubt_is_always_shown_and_can_be_overruled(tmp_path: Path) -> None:
    path = file_of(tmp_path, {"a": ["2.571", "850", "31.400"] * 20, "y": ["2.571", "1.250", "3.125"] * 20}, ";")
    ready = cr.Table.read(path, "y", task="regression").prepare(key=KEY)
    assert any("'y'" in note and "could be" in note for note in ready.notes)
    assert any(note.startswith("a: 2.571 is read as 2571") for note in ready.notes)
    choices = {"a": {"decimal": "."}, "y": {"decimal": ","}}
    ready = cr.Table.read(path, "y", task="regression", columns=choices).prepare(validation=0, key=KEY)
    assert not any("could be" in note for note in ready.notes)
    assert ready.data.y.min() == 1250
    assert ready.columns[0].high == 850


@pytest.mark.parametrize("block", range(3))
def test_nothing_depends_on_how_a_table_is_cut(block: int) -> None:
    """What a large file is read as, and what is told of it, is that of the whole."""
    for seed in range(4 * block, 4 * block + 4):
        rng = random.Random(seed)
        n = 40
        train = pd.DataFrame(
            {
                "x": [f"{rng.uniform(0, 9):.3f}" for _ in range(n)],
                "p": [f"{rng.randint(1, 99)}%" for _ in range(n)],
                "flag": [rng.choice(["yes", "no"]) for _ in range(n)],
                "when": [f"2020-01-{rng.randint(1, 28):02d}" for _ in range(n)],
                "town": [rng.choice(["Bonn", "Ulm", "NA"]) for _ in range(n)],
            },
            dtype="str",
        )
        preparation = Preprocessor.fit(train, infer_columns(train))
        pools = {
            "x": rng.choice([["1,5", "2,125"], ["1.5", "2.125"], ["1,234", "5,678"], ["ERR", "1.5"], ["ERR"]]),
            "p": rng.choice([["12%"], ["0.12", "0.5"], ["12%", "0.5"], ["12", "99"], ["soon", "3%"]]),
            "flag": rng.choice([["yes", "no"], ["perhaps", "yes"], ["?"]]),
            "when": rng.choice([["2020-03-01"], ["2020-03-01", "later"]]),
            "town": rng.choice([["Bonn"], ["Bonn", "Rome"], ["NA", ""]]),
        }
        new = pd.DataFrame({name: [rng.choice(pool) for _ in range(n)] for name, pool in pools.items()}, dtype="str")
        new.attrs["separator"] = rng.choice([",", ";"])
        answers = []
        for cuts in ([0, n], sorted({0, n, *(rng.randrange(n) for _ in range(5))}), list(range(n + 1))):
            reading = TableInspection(preparation)
            pieces = [new.iloc[a:b] for a, b in itertools.pairwise(cuts)]
            for piece in pieces:
                reading.add(piece)
            try:
                reading.check()
                refused = ""
            except ChainruleError as error:
                refused = str(error)
            answers.append((reading.columns, reading.notes(), refused))
        assert answers[0] == answers[1] == answers[2]


def shares(folder: Path, cells: list[str]) -> tuple[Any, np.ndarray]:
    frame = read_table(file_of(folder, {"p": cells, "k": ["a", "b"] * (len(cells) // 2)}))
    column = infer_columns(frame)[0]
    return column, values_of(frame["p"], column)


def test_percent_and_fractions_mean_the_same_where_the_cells_say_so(tmp_path: Path) -> None:
    column, values = shares(tmp_path, ["88%", "0.39", "12 %", "0.05"] * 10)
    assert values[:4].tolist() == [88, 39, 12, 5]
    assert "20 of 40 numbers have no sign '%'" in column.note
    column, values = shares(tmp_path, ["88%", "39", "12%", "5"] * 10)  # these are percent, too
    assert values[:4].tolist() == [88, 39, 12, 5]
    assert "20 of 40" in column.note
    column, values = shares(tmp_path, ["88%", "39%"] * 10)
    assert column.note == ""


def test_percent_in_one_file_and_fractions_in_the_next(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    share = rng.uniform(0.02, 0.98, 60).round(2)
    percents, fractions = [f"{100 * v:.0f}%" for v in share], [f"{v}" for v in share]
    for first, second, scale in ((percents, fractions, 100), (fractions, percents, 1)):
        frame = read_table(file_of(tmp_path, {"p": first, "k": ["a", "b"] * 30}))
        preparation = Preprocessor.fit(frame, infer_columns(frame))
        other = read_table(file_of(tmp_path, {"p": second, "k": ["a", "b"] * 30}))
        np.testing.assert_allclose(preparation.values(other)[0], scale * share)
        assert any("sign '%'" in note for note in inspect_table(preparation, other).notes())
        if second is fractions:  # also of a frame with types
            np.testing.assert_allclose(preparation.values(pd.DataFrame({"p": share, "k": "a"}))[0], scale * share)


def test_a_currency_that_training_did_not_have_is_told_or_refused(tmp_path: Path) -> None:
    def read(cells: list[str]) -> pd.DataFrame:
        return read_table(file_of(tmp_path, {"p": cells * 5, "k": ["a", "b"] * 5}))

    bare, dollars, euros = read(["12.50", "7.25"]), read(["$12.50", "$7.25"]), read(["12.50 €", "7.25 €"])
    preparation = Preprocessor.fit(bare, infer_columns(bare))
    assert (
        "p: numbers have the sign '€' here, and none in the training rows." in inspect_table(preparation, euros).notes()
    )
    preparation = Preprocessor.fit(dollars, infer_columns(dollars))
    with pytest.raises(ChainruleError, match=r"'12\.50 €'"):
        preparation(euros)


def test_numbers_in_brackets_are_negative_and_told(tmp_path: Path) -> None:
    column, values = shares(tmp_path, ["(1,234.50)", "$ 7", "-$3.25", "($2)"] * 5)
    assert values[:4].tolist() == [-1234.5, 7, -3.25, -2]
    assert "brackets" in column.note


def test_a_style_that_only_later_rows_betray_is_converted(tmp_path: Path) -> None:
    rows = ["1", "2", "3", "4"] * 20 + ["2,5", "3,25"] * 5
    part = ["train"] * 80 + ["val"] * 10
    path = file_of(tmp_path, {"x": rows, "split": part, "y": ["a", "b"] * 45})
    ready = cr.Table.read(path, "y").prepare(key=KEY)
    (_, x), scale = (ready.data.x, ready.data.x_validation), ready.data.preparation.numbers[0].scaler
    np.testing.assert_allclose(scale.inverse_transform(x)[:2, 0], [2.5, 3.25], rtol=1e-6)


@pytest.mark.parametrize("form", ["{m:02d}.{y}", "{y}-{m:02d}", "{m:02d}/{y}", "{y}/{m:02d}", "{y}.{m:02d}", "{n} {y}"])
def test_months_with_their_years_are_dates(form: str, tmp_path: Path) -> None:
    names = ["Jan", "Feb", "March", "Apr", "May", "Jun", "Jul", "Aug", "Sept", "Oct", "Nov", "December"]
    months = [(y, m) for y in range(2015, 2021) for m in range(1, 13)]
    random.Random(0).shuffle(months)
    cells = [form.format(y=y, m=m, n=names[m - 1]) for y, m in months]
    table = cr.Table.read(file_of(tmp_path, {"month": cells, "y": ["p", "q"] * 36}), "y")
    column = table.prepare(validation=0, key=KEY).columns[0]
    assert (column.kind, column.missing) == ("date", 0)
    assert set(column.parts) == {"year", "month", "elapsed"}
    ready = table.prepare(validation=0, test=0.25, time="month", key=KEY)
    assert min(months[row] for row in ready.rows.test) > max(months[row] for row in ready.rows.train)


def test_numbers_that_look_like_some_month_stay_numbers(tmp_path: Path) -> None:
    path = file_of(tmp_path, {"x": ["1.2015", "3.7", "2.2019", "0.5"] * 5, "y": ["p", "q"] * 10})
    assert infer_columns(read_table(path))[0].kind == "number"
    with pytest.raises(ChainruleError, match="dates"):
        learn_target(read_table(file_of(tmp_path, {"y": ["03.2018", "04.2018", "10.2020"] * 9}))["y"])


@pytest.mark.parametrize("times", [["1,5", "10,25", "9,75", "2,5"], ["1.234.567", "999.000", "2.000.000", "5.000"]])
def test_times_are_numbers_in_their_own_style(times: list[str], tmp_path: Path) -> None:
    table = cr.Table.read(file_of(tmp_path, {"t": times, "y": ["p", "q", "p", "q"]}, ";"), "y")
    ready = table.prepare(validation=0, test=0.25, time="t", key=KEY)
    latest = {"10,25": 1, "2.000.000": 2}
    assert ready.rows.test.tolist() == [next(row for text, row in latest.items() if text in times)]


def test_the_target_is_read_alike_in_all_folds(tmp_path: Path) -> None:
    """Also in the one whose training rows do not have the only sure cell."""
    cells = ["0,5", *(f"1.{i}" for i in range(100, 159))]
    path = file_of(tmp_path, {"a": [str(i % 7) for i in range(60)], "y": cells}, ";")
    table = cr.Table.read(path, "y")
    result = cr.cross_validate(cr.Dense(1), table, folds=3, epochs=1, progress=False, engine="numpy")
    assert [run.model.preparation.target.column.decimal for run in np.ravel(result.runs)] == [","] * 3


def test_a_new_target_is_converted_too(tmp_path: Path) -> None:
    target, _ = learn_target(
        read_table(file_of(tmp_path, {"y": ["1.525,66", "880,10", "2.571,00"] * 9, "k": ["a"] * 27}))["y"]
    )
    assert target.read(["2.571", "1.043"]).tolist() == [2571, 1043]
    points = pd.Series(["1,525.66", "880.1"])
    assert target.read(points).tolist() == [1525.66, 880.1]
    assert "decimal points here" in target.reading(points).note


def test_every_number_of_a_typed_frame_is_what_it_is() -> None:
    frame = pd.DataFrame({"x": [1.234, 2.571, 850.0], "n": [1234, 5, 7]})
    for column in infer_columns(frame):
        assert column.note == ""
        np.testing.assert_array_equal(values_of(frame[column.name], column), frame[column.name])


def test_a_column_keeps_its_style_in_files() -> None:
    column = Column("x", "number", decimal=",", unit="%", bare=100.0, low=1.5, high=99.0, na_values=("-9",), note="n")
    assert Column.from_dict(column.to_dict()) == column
