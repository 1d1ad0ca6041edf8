"""From columns to inputs: what is learnt comes from training rows alone, and gives finite numbers for any row."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chainrule.errors import DataError, SettingError, UnknownNameError
from chainrule.tables import transformers
from chainrule.tables.category_inputs import rare_below
from chainrule.tables.columns import Column
from chainrule.tables.inspection import inspect_table
from chainrule.tables.numeric_inputs import CLIP
from chainrule.tables.preprocessor import LIMIT, Preprocessor

PLAN = (
    Column("id", "identifier", use=False),
    Column("age", "number", indicator=True),
    Column("fare", "number", outliers="clip", fill="mean"),
    Column("gain", "number", outliers="robust", fill="zero"),
    Column("rank", "number", scale="min_max", fill="most_frequent"),
    Column("skew", "number", scale="quantile"),
    Column("raw", "number", scale="none"),
    Column("member", "boolean", fill="most_frequent", indicator=True),
    Column("when", "date", parts=("year", "month", "weekday", "hour", "elapsed"), indicator=True),
    Column("city", "category"),
    Column("shop", "category", encode="embedding"),
)


def table(n: int = 400, seed: int = 0) -> pd.DataFrame:
    """Every kind of column, with missing values everywhere."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "id": np.arange(n),
            "age": rng.normal(40, 10, n),
            "fare": rng.lognormal(3, 1, n),
            "gain": np.where(rng.random(n) < 0.9, 0.0, rng.lognormal(8, 1, n)),
            "rank": rng.integers(1, 6, n).astype(float),
            "skew": rng.exponential(1, n),
            "raw": rng.normal(0, 1, n),
            "member": rng.choice([True, False], n).astype(object),
            "when": pd.Timestamp("2020-02-28 13:45") + pd.to_timedelta(rng.integers(0, 1000 * 86400, n), unit="s"),
            "city": rng.choice(["Oslo", "Rome", "Lima", "Bonn"], n, p=[0.5, 0.3, 0.195, 0.005]).astype(object),
            "shop": [f"s{i}" for i in rng.integers(0, 40, n)],
        }
    )
    for name in frame.columns[1:]:
        frame.loc[rng.random(n) < 0.1, name] = None
    return frame


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as a CSV file would give it, every cell as text."""
    import io

    return pd.read_csv(io.StringIO(frame.to_csv(index=False)), dtype=str)


@pytest.fixture(scope="module")
def fitted() -> Preprocessor:
    return Preprocessor.fit(table(), PLAN)


def one(frame: pd.DataFrame, **changes: Any) -> pd.DataFrame:
    """The first row, with other cells."""
    row = frame.iloc[[0]].astype(object)
    for name, value in changes.items():
        row[name] = pd.Series([value], dtype=object, index=row.index)
    return row


# --- what comes out ---------------------------------------------------------------------------------------------


def test_the_inputs_are_finite_float32_numbers_with_a_name_each(fitted: Preprocessor) -> None:
    x = fitted(table(seed=1))
    assert x.dtype == np.float32
    assert x.shape == (400, len(fitted.feature_names))
    assert np.isfinite(x).all()
    assert len(set(fitted.feature_names)) == len(fitted.feature_names)
    assert fitted.inputs == tuple(column.name for column in PLAN[1:])
    (name, codes), last = fitted.embedded[0], fitted.feature_names[-1]
    assert (name, last) == ("shop", "shop")
    assert 0 <= x[:, -1].min() < x[:, -1].max() < codes


def test_each_treatment_against_its_formula(fitted: Preprocessor) -> None:
    frame = table()
    x = dict(zip(fitted.feature_names, fitted(frame).T, strict=True))

    age = frame["age"].fillna(frame["age"].median())
    np.testing.assert_allclose(x["age"], (age - age.mean()) / age.std(ddof=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(x["age missing"], frame["age"].isna())

    q1, q3 = frame["fare"].quantile([0.25, 0.75])
    clipped = frame["fare"].clip(q1 - CLIP * (q3 - q1), q3 + CLIP * (q3 - q1))
    clipped = clipped.fillna(clipped.mean())
    np.testing.assert_allclose(x["fare"], (clipped - clipped.mean()) / clipped.std(ddof=0), rtol=1e-5, atol=1e-6)

    gain = frame["gain"].fillna(0)  # mostly 0, so that its quartiles say nothing
    np.testing.assert_allclose(x["gain"], (gain - gain.median()) / gain.std(ddof=0), rtol=1e-5, atol=1e-6)

    mode = frame["rank"].mode()[0]
    np.testing.assert_allclose(x["rank"], (frame["rank"].fillna(mode) - 1) / 4, rtol=1e-6)
    np.testing.assert_allclose(x["raw"], frame["raw"].fillna(frame["raw"].median()), rtol=1e-6)
    assert abs(x["skew"].mean()) < 0.1
    assert 0.8 < x["skew"].std() < 1.2

    member = frame["member"].fillna(frame["member"].mode()[0])
    np.testing.assert_array_equal(x["member"], np.where(member.astype(bool), 1, -1))

    month = 2 * np.pi * (frame["when"].dt.month - 1) / 12
    np.testing.assert_allclose(x["when month sin"], np.sin(month).fillna(0), atol=1e-6)
    np.testing.assert_allclose(x["when month cos"], np.cos(month).fillna(0), atol=1e-6)
    weekday = 2 * np.pi * frame["when"].dt.day_of_week / 7
    np.testing.assert_allclose(x["when weekday sin"], np.sin(weekday).fillna(0), atol=1e-6)
    hour = 2 * np.pi * frame["when"].dt.hour / 24
    np.testing.assert_allclose(x["when hour cos"], np.cos(hour).fillna(0), atol=1e-6)
    year = frame["when"].dt.year
    year = year.fillna(year.median())
    np.testing.assert_allclose(x["when year"], (year - year.mean()) / year.std(ddof=0), rtol=1e-5, atol=1e-6)

    city = frame["city"].map(lambda v: "(missing)" if pd.isna(v) else "(rare)" if v == "Bonn" else v)
    for name in ("Oslo", "Rome", "Lima", "(missing)", "(rare)"):
        np.testing.assert_array_equal(x[f"city={name}"], city == name)


def test_elapsed_days_count_from_the_first_date_of_the_training_rows() -> None:
    train = pd.DataFrame({"day": ["2020-01-03", "2020-01-01", "2020-01-02T12:00:00"]})
    plan = [Column("day", "date", scale="none", parts=("elapsed", "day", "minute"))]
    preparation = Preprocessor.fit(train, plan)
    np.testing.assert_allclose(preparation(train)[:, 0], [2, 0, 1.5])
    np.testing.assert_allclose(preparation(pd.DataFrame({"day": ["1999-12-31 00:00:00"]}))[0, 0], -7306)


def test_rare_and_unseen_categories_join_and_codes_are_reserved(fitted: Preprocessor) -> None:
    frame = table()
    assert rare_below(400) == 4
    counts = frame["city"].value_counts()
    assert counts["Bonn"] < 4 <= counts["Lima"]
    rare = fitted(one(frame, city="Bonn"))
    np.testing.assert_array_equal(rare, fitted(one(frame, city="never seen")))
    places, unseen = fitted.lookup("city")
    assert unseen is not None
    assert places["Bonn"] == unseen == max(places.values())
    assert places[None] not in (unseen, places["Rome"])

    codes, unseen = fitted.lookup("shop")
    assert unseen == 0
    assert sorted({*codes.values(), 0}) == list(range(fitted.embedded[0][1]))
    for value in (*list(codes)[:5], None):
        assert fitted(one(frame, shop=value))[0, -1] == codes[value]
    assert fitted(one(frame, shop="never seen"))[0, -1] == 0


def test_an_unseen_category_is_a_row_of_zeros_where_none_is_rare() -> None:
    train = pd.DataFrame({"c": ["a", "b", "a", "b"]})
    preparation = Preprocessor.fit(train, [Column("c", "category")])
    assert preparation.feature_names == ("c=a", "c=b")
    np.testing.assert_array_equal(preparation(pd.DataFrame({"c": ["z", None, "b"]})), [[0, 0], [0, 0], [0, 1]])
    assert preparation.lookup("c") == ({"a": 0, "b": 1}, None)


def test_an_indicator_needs_missing_values_in_the_training_rows() -> None:
    plan = [Column("a", "number", indicator=True), Column("b", "number", indicator=True)]
    preparation = Preprocessor.fit(pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, None]}), plan)
    assert preparation.feature_names == ("a", "b", "b missing")


# --- rows and columns ---------------------------------------------------------------------------------------------


def test_pieces_give_what_the_whole_gives(fitted: Preprocessor) -> None:
    frame = table(100, seed=2)
    whole = fitted(frame)
    for size in (1, 7, 64):
        pieces = [fitted(frame.iloc[i : i + size]) for i in range(0, len(frame), size)]
        np.testing.assert_array_equal(np.concatenate(pieces), whole)
    assert fitted(frame.iloc[:0]).shape == (0, whole.shape[1])


def test_components_in_pieces_agree_to_rounding() -> None:
    frame = table()
    preparation = Preprocessor.fit(frame, PLAN, components=6)
    assert preparation.feature_names == (*(f"component {i}" for i in range(1, 7)), "shop")
    whole = preparation(frame)
    pieces = np.concatenate([preparation(frame.iloc[i : i + 9]) for i in range(0, len(frame), 9)])
    np.testing.assert_allclose(pieces, whole, rtol=1e-5, atol=1e-6)
    products = np.cov(whole[:, :6].T)
    np.testing.assert_allclose(products - np.diag(np.diag(products)), 0, atol=1e-5)
    share = Preprocessor.fit(frame, PLAN, components=0.5)
    assert 1 <= len(share.feature_names) - 1 < len(Preprocessor.fit(frame, PLAN).feature_names)


def test_columns_are_found_by_name_and_others_ignored(fitted: Preprocessor) -> None:
    frame = table()
    shuffled = frame[frame.columns[::-1]].assign(more=1.0)
    np.testing.assert_array_equal(fitted(shuffled), fitted(frame))
    np.testing.assert_array_equal(fitted(frame.drop(columns="id")), fitted(frame))
    assert fitted.extra(shuffled) == ("more",)
    assert fitted.extra(frame) == ()


def test_missing_and_double_columns_are_named(fitted: Preprocessor) -> None:
    frame = table()
    with pytest.raises(DataError, match=r"lacks columns .*'fare' \(is it 'Fares'\?\), 'city'\."):
        fitted(frame.rename(columns={"fare": "Fares"}).drop(columns="city"))
    twice = pd.concat([frame, frame[["age"]]], axis=1)
    with pytest.raises(DataError, match="more than one column with the name 'age'"):
        fitted(twice)
    with pytest.raises(DataError, match="pandas DataFrame"):
        fitted(frame.to_numpy())  # type: ignore[arg-type]


def test_text_and_typed_cells_are_the_same() -> None:
    frame = table()
    text = as_text(frame)
    first, second = Preprocessor.fit(frame, PLAN), Preprocessor.fit(text, PLAN)
    assert first.feature_names == second.feature_names
    for preparation in (first, second):
        np.testing.assert_allclose(preparation(frame), preparation(text), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(first(frame), second(frame), rtol=1e-6, atol=1e-6)
    row = one(frame, age=3, member=True, city="Rome")
    np.testing.assert_array_equal(first(row), first(one(frame, age="3", member="yes", city=" Rome ")))


# --- no leaks -----------------------------------------------------------------------------------------------------


def same(a: Preprocessor, b: Preprocessor) -> None:
    (plain_a, arrays_a), (plain_b, arrays_b) = a.to_parts(), b.to_parts()
    assert json.dumps(plain_a) == json.dumps(plain_b)
    assert list(arrays_a) == list(arrays_b)
    for name, array in arrays_a.items():
        assert array.tobytes() == arrays_b[name].tobytes(), name


def test_rows_outside_of_training_change_nothing() -> None:
    frame, rng = table(), np.random.default_rng(5)
    train = np.arange(300)
    noise = frame.copy()
    for name in frame.columns:
        column = noise[name].astype(object)
        column.iloc[300:] = rng.choice(["1e9", "noise", "", "2", "1999-01-01"], 100)
        noise[name] = column
    first = Preprocessor.fit(frame.iloc[train], PLAN)
    second = Preprocessor.fit(noise.iloc[train], PLAN)
    same(first, second)
    np.testing.assert_array_equal(first(frame.iloc[train]), second(noise.iloc[train]))


# --- bad values ---------------------------------------------------------------------------------------------------


HARD: list[list[Any]] = [
    [None, None, None],
    [5.0, 5.0, 5.0],
    [5.0, None, 5.0],
    [1e300, -1e300, 1.0],
    [1e308, 1e308, -1e308],
    [1e-320, 2e-320, 3e-320],
    [np.inf, -np.inf, 1.0],
    [np.inf, None, 1e39],
    ["1e400", "nan", "7"],
    [2**80, 3, 4],
]


@pytest.mark.parametrize("values", HARD, ids=str)
@pytest.mark.parametrize("rows", [1, 3])
def test_any_numbers_give_finite_inputs(values: list[Any], rows: int) -> None:
    plans = [
        Column("a", "number", fill=fill, outliers=outliers, scale=scale, indicator=True)
        for fill in ("median", "mean", "most_frequent", "zero")
        for outliers, scale in (
            ("keep", "standardize"),
            ("clip", "standardize"),
            ("robust", "standardize"),
            ("keep", "min_max"),
            ("clip", "quantile"),
            ("keep", "quantile"),
            ("keep", "none"),
        )
    ]
    frame = pd.DataFrame({"a": pd.Series(values, dtype=object)})
    new = pd.DataFrame({"a": pd.Series([*values, 1e300, -1e300, 0, "inf", None, "8"], dtype=object)})
    for plan in plans:
        preparation = Preprocessor.fit(frame.iloc[:rows], [plan])
        x = preparation(new)
        assert np.isfinite(x).all(), plan
        assert np.abs(x).max() <= LIMIT


@pytest.mark.parametrize("scale", ["standardize", "min_max", "quantile", "none"])
def test_what_never_changes_in_training_never_changes(scale: str) -> None:
    train = pd.DataFrame({"a": [5.0, 5.0, 5.0], "b": [1.0, 2.0, 3.0]})
    plan = [Column("a", "number", scale=scale), Column("b", "number")]
    preparation = Preprocessor.fit(train, plan)
    at = preparation.feature_names.index("a")
    x = preparation(pd.DataFrame({"a": [5.0, 1e9, None], "b": [1.0, 1.0, 1.0]}))
    assert len(set(x[:, at].tolist())) == 1


def test_cells_of_another_kind_are_told(fitted: Preprocessor) -> None:
    frame = table()
    mixed = frame.astype({"age": object})
    mixed.loc[mixed.index[3], "age"] = "unknown"
    missing = frame.copy()
    missing.loc[missing.index[3], "age"] = np.nan
    np.testing.assert_array_equal(fitted(mixed), fitted(missing))
    note = next(note for note in inspect_table(fitted, mixed).notes() if note.startswith("age"))
    assert note == "age: 1 cell counted as missing, being no finite number; the first is in row 3: 'unknown'."
    with pytest.raises(DataError, match=r"'age' held numbers in the training rows.*row 1 has 'old'"):
        fitted(frame.iloc[:3].astype({"age": object}).assign(age=[None, "old", "young"]))
    with pytest.raises(DataError, match="'when' held dates"):
        fitted(one(frame, when="yesterday"))
    with pytest.raises(DataError, match="'member' held truth values"):
        fitted(one(frame, member="perhaps"))


def test_what_training_rows_had_is_no_error_later() -> None:
    train = pd.DataFrame({"a": ["1", "2", "unknown", "4"]})
    preparation = Preprocessor.fit(train, [Column("a", "number")])
    assert preparation(pd.DataFrame({"a": ["unknown"]}))[0, 0] == preparation(pd.DataFrame({"a": [None]}))[0, 0]


def test_notes_name_what_is_unusual() -> None:
    train = pd.DataFrame({"a": ["1", "2", "3"], "c": ["x", "y", "x"]})
    preparation = Preprocessor.fit(train, [Column("a", "number"), Column("c", "category")])
    assert inspect_table(preparation, train).notes() == ()
    notes = inspect_table(
        preparation, pd.DataFrame({"a": [1.0, None, np.inf], "c": ["x", "z", "q"], "d": [1, 2, 3]})
    ).notes()
    assert notes == (
        "Columns that the network was not trained on are ignored: d.",
        "a: 1 cell counted as missing, being no finite number; the first is in row 2: inf.",
        "a: 1 cell without a value; in the training rows all had one.",
        "c: 2 cells with a category that is new, the first 'z'.",
    )


@pytest.mark.parametrize(
    ("column", "error", "message"),
    [
        (Column("a", "text"), SettingError, "kind 'text' cannot be one"),
        (Column("a", "number", fill="middle"), UnknownNameError, "fill for the column 'a': 'middle'"),
        (Column("a", "number", scale="standard"), UnknownNameError, "did you mean 'standardize'"),
        (Column("a", "date"), SettingError, "without parts"),
        (Column("a", "date", parts=("weeks",)), UnknownNameError, "part of the date 'a'"),
        (Column("a", "number", outliers="robust", scale="none"), SettingError, "does not go with scale='none'"),
        (Column("b", "number"), DataError, "'b'. It has: 'a'"),
        (Column("a", "number", use=False), DataError, "No column is left"),
    ],
)
def test_plans_that_cannot_be_carried_out(column: Column, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Preprocessor.fit(pd.DataFrame({"a": ["1", "2"]}), [column])


def test_no_rows_and_too_many_components() -> None:
    with pytest.raises(DataError, match="no rows"):
        Preprocessor.fit(pd.DataFrame({"a": []}), [Column("a", "number")])
    for components in (0, 3, True, 1.5, "all"):
        with pytest.raises(SettingError, match="from 1 to 1 "):
            Preprocessor.fit(pd.DataFrame({"a": [1, 2, 3]}), [Column("a", "number")], components=components)  # type: ignore[arg-type]


# --- files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("components", [None, 5])
def test_stored_and_read_it_gives_the_same_bits(components: int | None) -> None:
    from safetensors.numpy import load, save

    preparation = Preprocessor.fit(table(), PLAN, components=components)
    plain, arrays = preparation.to_parts()
    again = Preprocessor.from_parts(json.loads(json.dumps(plain, allow_nan=False)), load(save(arrays)))
    same(again, preparation)
    frame = as_text(table(seed=3))
    np.testing.assert_array_equal(again(frame), preparation(frame))
    assert again.feature_names == preparation.feature_names
    assert again.embedded == preparation.embedded
    assert again.version == preparation.version
    assert again.lookup("shop") == preparation.lookup("shop")


def test_damaged_parts_give_a_data_error_and_nothing_else(fitted: Preprocessor) -> None:
    plain, arrays = fitted.to_parts()

    def is_refused(plain: Any, arrays: Any) -> bool:
        try:
            Preprocessor.from_parts(plain, arrays)
        except DataError as error:
            return "stored preparation" in str(error)
        return False

    needed = [name for name in arrays if not re.search("var_|n_samples_seen_|data_|explained|singular", name)]
    for name in needed:
        assert is_refused(plain, {k: v for k, v in arrays.items() if k != name}), name
    for name in ("numbers.0.low", "numbers.0.imputer.statistics_", "numbers.0.scaler.mean_"):
        assert is_refused(plain, {**arrays, name: arrays[name][:-1]}), name
    refused = 0
    for path in _paths(plain):
        for value in (None, [], {"array": "nowhere"}):
            damaged = copy.deepcopy(plain)
            _put(damaged, path, value)
            refused += is_refused(damaged, arrays)
    assert refused > 100


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(*path, k) for k, _ in items] + [p for k, v in items for p in _paths(v, (*path, k))]


def _put(value: Any, path: tuple[Any, ...], new: Any) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


def test_other_classes_and_attributes_are_not_read() -> None:
    from sklearn.linear_model import LinearRegression
    from sklearn.preprocessing import StandardScaler

    with pytest.raises(DataError, match="LinearRegression"):
        transformers.to_parts(LinearRegression())
    with pytest.raises(DataError, match="'LinearRegression' are not kept"):
        transformers.from_parts({"class": "LinearRegression", "settings": {}, "learned": {}}, {})
    plain, arrays = transformers.to_parts(StandardScaler().fit([[1.0], [2.0]]))
    plain["learned"]["transform"] = 1
    with pytest.raises(DataError, match="parts that it cannot have"):
        transformers.from_parts(plain, arrays)


# --- real tables --------------------------------------------------------------------------------------------------


TABLES: dict[str, tuple[str, list[Column]]] = {
    "titanic": (
        "Survived",
        [
            Column("Age", "number", indicator=True),
            Column("Fare", "number"),
            Column("SibSp", "number"),
            Column("Pclass", "category"),
            Column("Sex", "category"),
            Column("Embarked", "category"),
        ],
    ),
    "penguins": (
        "species",
        [
            Column("bill_length_mm", "number", indicator=True),
            Column("body_mass_g", "number", outliers="robust"),
            Column("island", "category"),
            Column("sex", "category"),
            Column("year", "category"),
        ],
    ),
    "california_housing": (
        "median_house_value",
        [
            Column("longitude", "number"),
            Column("total_bedrooms", "number", indicator=True),
            Column("population", "number", scale="quantile"),
            Column("median_income", "number", scale="min_max"),
            Column("ocean_proximity", "category"),
        ],
    ),
    "adult": (
        "income",
        [
            Column("age", "number"),
            Column("capital_gain", "number"),
            Column("workclass", "category"),
            Column("education", "category"),
            Column("native_country", "category"),
            Column("sex", "category"),
        ],
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_real_tables_are_prepared_as_by_a_plain_pipeline(name: str, data_dir: Path) -> None:
    """Text cells and our preparation, against pandas' typed cells and scikit-learn's ColumnTransformer."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import MissingIndicator, SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, QuantileTransformer, RobustScaler, StandardScaler

    _, plan = TABLES[name]
    path = data_dir / "tables" / f"{name}.csv"
    text = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    typed = pd.read_csv(path)
    train = np.arange(len(text)) % 5 != 0

    def scaler(column: Column) -> Any:
        if column.scale == "quantile":
            return QuantileTransformer(
                n_quantiles=min(1000, int(train.sum())), output_distribution="normal", subsample=None
            )
        robust = RobustScaler(unit_variance=True) if column.outliers == "robust" else StandardScaler()
        return MinMaxScaler() if column.scale == "min_max" else robust

    parts = []
    for column in plan:
        if column.kind == "number":
            parts.append((column.name, make_pipeline(SimpleImputer(strategy="median"), scaler(column)), [column.name]))
        if column.indicator:
            parts.append((f"{column.name} missing", MissingIndicator(), [column.name]))
        if column.kind == "category":
            typed[column.name] = typed[column.name].astype(object).where(typed[column.name].notna(), None)
            encoder = OneHotEncoder(
                min_frequency=rare_below(int(train.sum())), handle_unknown="infrequent_if_exist", sparse_output=False
            )
            parts.append((column.name, encoder, [column.name]))
    witness = ColumnTransformer(parts).fit(typed[train])
    preparation = Preprocessor.fit(text[train], plan)
    expected, ours = witness.transform(typed[~train]), preparation(text[~train])
    assert ours.shape == expected.shape
    # The plain pipeline goes column by column; ours has the numbers first.
    starts = [name.split("__")[0] for name in witness.get_feature_names_out()]
    order = sorted(range(len(starts)), key=lambda i: preparation.feature_names.index(_first(preparation, starts[i])))
    for i, feature in zip(order, preparation.feature_names, strict=True):
        np.testing.assert_allclose(ours[:, preparation.feature_names.index(feature)], expected[:, i], atol=2e-6)
    noise = text.copy()
    noise[~train] = "noise"
    same(Preprocessor.fit(noise[train], plan), preparation)


def _first(preparation: Preprocessor, start: str) -> str:
    return next(f for f in preparation.feature_names if f == start or f.startswith(f"{start}="))


def test_real_table_with_embeddings_round_trips(data_dir: Path) -> None:
    text = pd.read_csv(data_dir / "tables" / "adult.csv", dtype=str, nrows=3000)
    plan = [replace(c, encode="embedding") if c.kind == "category" else c for c in TABLES["adult"][1]]
    preparation = Preprocessor.fit(text.iloc[:2000], plan)
    assert [name for name, _ in preparation.embedded] == ["workclass", "education", "native_country", "sex"]
    x = preparation(text)
    for j, (_, codes) in enumerate(preparation.embedded):
        column = x[:, len(preparation.feature_names) - 4 + j]
        assert set(np.unique(column)) <= set(range(codes))
    again = Preprocessor.from_parts(*preparation.to_parts())
    np.testing.assert_array_equal(again(text), x)
