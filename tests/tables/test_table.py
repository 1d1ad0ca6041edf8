"""From a data frame to arrays: parts, leaks, and what `fit` makes of a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import chainrule as cr
from chainrule import random
from chainrule.errors import DataError
from chainrule.recipe.prepare import SPLIT
from chainrule.tables.cells import MANY_ROWS
from chainrule.tables.table import Table
from chainrule.training import fit

KEY = random.key(0)


def frame(n: int = 120, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    return pd.DataFrame(
        {
            "x": y + rng.normal(size=n),
            "town": rng.choice(["Rome", "Oslo", "Lima"], n),
            "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.permutation(n), unit="D"),
            "owner": rng.integers(0, 20, n),
            "part": rng.choice(["train", "val", "test"], n, p=[0.6, 0.2, 0.2]),
            "y": np.where(y > 0, "good", "bad"),
        }
    )


def net(units: int = 2) -> cr.Sequential:
    return cr.Sequential(cr.Dense(8, "relu"), cr.Dropout(0.2), cr.Dense(units, "softmax"))


def test_parts_make_up_the_whole_and_keep_the_classes_shares() -> None:
    table = Table.read(frame(), "y").prepare(validation=0.1, test=0.2, key=KEY)
    parts = (table.rows.train, table.rows.validation, table.rows.test)
    assert sorted(np.concatenate(parts).tolist()) == list(range(120))
    assert [len(part) for part in parts] == [84, 12, 24]
    data = table.data
    assert data.classes == ("bad", "good")
    assert data.x.dtype == np.float32
    assert data.validation is not None
    assert abs(data.y.mean() - data.y_validation.mean()) < 0.05
    assert set(data.validation[1].tolist()) == {"bad", "good"}


def test_groups_stay_together_and_do_not_become_an_input() -> None:
    table = Table.read(frame(), "y").prepare(test=0.2, group="owner", key=KEY)
    owners = frame()["owner"].to_numpy()
    assert not set(owners[table.rows.train]) & set(owners[table.rows.test])
    assert "owner" not in table.data.preparation.inputs


def test_the_latest_rows_are_the_test() -> None:
    table = Table.read(frame(), "y").prepare(test=0.2, time="when", key=KEY)
    when = frame()["when"].to_numpy()
    assert when[table.rows.train].max() < when[table.rows.validation].min()
    assert when[table.rows.validation].max() < when[table.rows.test].min()


@pytest.mark.parametrize("rows", [120, MANY_ROWS + 200], ids=["few rows", "many rows"])
@pytest.mark.parametrize("engine", ["numpy", "jax"])
def test_noise_in_the_test_rows_changes_nothing_that_is_learnt(engine: str, rows: int) -> None:
    """The leak test: neither the preparation nor the weights know anything of the test rows."""
    clean, noisy = frame(rows), frame(rows)
    test = np.flatnonzero(clean["part"] == "test")
    rng = np.random.default_rng(5)
    noisy["x"] = noisy["x"].astype(object)
    noisy.loc[test, "x"] = rng.choice(["1e30", "rubbish", "-7"], len(test))
    noisy.loc[test, "town"] = [f"nowhere {i}" for i in test]
    noisy.loc[test, "y"] = rng.choice(["good", "bad"], len(test))
    runs = []
    for source in (clean, noisy):
        table = Table.read(source, "y").prepare(split="part", key=KEY)
        data = table.data
        runs.append((data.preparation.to_parts(), fit(net(), data, epochs=3, engine=engine, progress=False)))
    (parts, run), (other_parts, other) = runs
    assert parts[0] == other_parts[0]
    for name, values in parts[1].items():
        np.testing.assert_array_equal(values, other_parts[1][name])
    for layer, params in run.model.params.items():
        for name, values in params.items():
            np.testing.assert_array_equal(values, other.model.params[layer][name])


@pytest.mark.parametrize("part", ["first", "some", "twice"])
def test_a_table_whose_texts_are_told_apart_once_gives_the_same(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any rows, with texts that are numbers, dates, truth values, codes, or missing in several ways."""
    n = 400
    rng = np.random.default_rng(1)
    cells = {
        "number": [" 3", "1,234.5", "?", "4 %", "-"],
        "comma": ["3,5", "1.234,5", "0,25"],
        "truth": ["yes", "No ", "YES", ""],
        "date": ["2020-01-31", "31.01.2020", "soon", "2021-07-01 12:30"],
        "day": ["03/04/2020", "13/04/2020"],
        "code": ["007", "123", "450", "045"],
        "town": ["Bonn", " Bonn", "Ulm", "true", "3.0", "3", "None", "NA"],
        "word": [f"w{i}" for i in range(60)],
    }
    texts = pd.DataFrame({name: rng.choice(values, n) for name, values in cells.items()}, dtype="str")
    texts["mixed"] = rng.choice(np.array([1, 2.5, "3", True, None], object), n)
    texts["given"] = pd.Categorical(rng.choice(["low", "high"], n), categories=["low", "high", "never"])
    texts["y"] = rng.choice(["good", "bad"], n)
    rows = {"first": np.arange(200), "some": np.arange(399, 0, -3), "twice": np.repeat(np.arange(50, 150), 2)}[part]
    objects = texts.astype(dict.fromkeys([*cells, "y"], object))
    table, plain = (Table.read(f, "y", columns={"mixed": "category"}) for f in (texts, objects))
    expected, as_text = (t.prepare_rows(rows, np.arange(390, 400)) for t in (plain, table))
    monkeypatch.setattr("chainrule.tables.cells.MANY_ROWS", 1)
    coded = table.coded()
    assert isinstance(coded.frame["town"].dtype, pd.CategoricalDtype)
    for prepared in (as_text, coded.prepare_rows(rows, np.arange(390, 400))):
        assert prepared.columns == expected.columns
        assert prepared.notes == expected.notes
        assert prepared.data.feature_names == expected.data.feature_names
        assert prepared.data.classes == expected.data.classes
        for name in ("x", "y", "x_validation", "y_validation"):
            np.testing.assert_array_equal(getattr(prepared.data, name), getattr(expected.data, name))
        parts, others = prepared.data.preparation.to_parts(), expected.data.preparation.to_parts()
        assert parts[0] == others[0]
        for name, values in parts[1].items():
            np.testing.assert_array_equal(values, others[1][name])


def test_validation_rows_have_no_part_in_the_preparation() -> None:
    clean = frame()
    rows = Table.read(clean, "y").prepare(split="part", key=KEY).rows.validation
    noisy = frame()
    noisy.loc[rows, "x"] = 1e6
    a, b = (Table.read(f, "y").prepare(split="part", key=KEY).data.preparation.to_parts() for f in (clean, noisy))
    assert a[0] == b[0]


def test_a_model_predicts_from_frames_before_and_after_it_was_saved(tmp_path: Path) -> None:
    run = fit(net(), Table.read(frame(), "y"), epochs=2, validation=0.2, progress=False)
    assert "val_accuracy" in run.history.columns
    new = frame(30, seed=9)
    before = run.model.predict_proba(new)
    run.model.save(tmp_path / "m.safetensors")
    loaded = cr.load_model(tmp_path / "m.safetensors")
    shuffled = new[["when", "town", "part", "owner", "x"]].rename(columns={"x": "x"})
    np.testing.assert_array_equal(loaded.predict_proba(shuffled), before)
    assert set(loaded.predict(new)) <= {"good", "bad"}
    with pytest.raises(DataError, match="town"):
        loaded.predict(new.drop(columns="town"))


def test_training_goes_on_with_the_first_preparation() -> None:
    run = fit(net(), Table.read(frame(), "y"), epochs=1, progress=False)
    other = fit(run.model, Table.read(frame(200, seed=3), "y"), epochs=1, progress=False)
    assert other.model.preparation is run.model.preparation


def test_many_categories_are_embedded() -> None:
    rng = np.random.default_rng(0)
    shop = rng.integers(0, 60, 1500)
    rows = pd.DataFrame({"shop": [f"shop {i}" for i in shop], "x": rng.normal(size=1500), "y": np.sin(shop) + 2})
    data = Table.read(rows, "y").prepare(key=KEY).data
    ((name, count),) = data.preparation.embedded
    assert name == "shop"
    layers = cr.Sequential(cr.Embedding((count,)), cr.Dense(32, "relu"), cr.Dense(1))
    run = fit(layers, data, epochs=60, optimizer=cr.Adam(lr=0.01), normalize_target=True, progress=False)
    assert run.history["val_mae"][-1] < 0.25  # 0.64 without the shops


def test_the_flats_of_the_readme_keep_their_size() -> None:
    size = np.arange(30, 130)
    flats = pd.DataFrame({"size": size, "town": ["Rome", "Oslo"] * 50, "price": size * 3000.0})
    layers = cr.Sequential(cr.Dense(32, "relu"), cr.Dense(1))
    words = {"epochs": 50, "optimizer": cr.Adam(lr=0.01), "normalize_target": True, "validation": 0.2}
    run = fit(layers, Table.read(flats, target="price"), **words, progress=False, engine="numpy")
    prices = run.model.predict(pd.DataFrame({"town": ["Rome"] * 3, "size": [30, 70, 120]}))
    np.testing.assert_allclose(prices, [94_605, 211_080, 360_289], rtol=0.01)
    assert any(note.startswith("size: ") for note in run.notes)


def test_what_is_left_out_is_noted_printed_and_kept(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(1)
    rows = frame().assign(id=rng.permutation(10**6)[:120], ticket=[f"t{i}" for i in range(120)])
    table = Table.read(rows, "y")
    run = fit(net(), table, epochs=1, validation=0.2, engine="numpy")
    printed = capsys.readouterr().err
    assert run.notes == table.prepare(validation=0.2, key=random.fold_in(random.key(0), SPLIT)).data.notes
    assert "ticket (every value differs)" in run.notes[0]
    assert "id (called an id" in run.notes[0]
    assert all(f"note: {note}\n" in printed for note in run.notes)
    assert printed.index("note: ") < printed.index("epoch")
    again = fit(net(), table, epochs=1, validation=0.2, engine="numpy", progress=False)
    assert capsys.readouterr() == ("", "")
    assert again.notes == run.notes
    members = cr.fit_population(net(), table, 2, epochs=1, engine="numpy")
    assert capsys.readouterr().err.count("note: Left out: id") == 1
    assert all(any("ticket" in note for note in member.notes) for member in members)
    space = {"optimizer.lr": cr.log_uniform(0.01, 0.1)}
    best = cr.search(net(), table, space, trials=2, epochs=1, engine="numpy", retrain=True).best
    assert capsys.readouterr().err.count("note: Left out: id") == 1
    assert "ticket" in best.notes[0]


def test_numbers_that_the_rules_left_out_can_be_had() -> None:
    rng = np.random.default_rng(1)
    ids = rng.permutation(10**6)[:120]
    rows = frame().assign(id=[f"{i:,}" for i in ids], user_id=ids[::-1], ticket=[f"t{i}" for i in range(120)])
    table = Table.read(rows, "y", columns={"user_id": False}).prepare(validation=0.2, key=KEY)
    numbers = table.numbers_left_out()
    assert numbers is not None
    training = ids[table.rows.train]
    np.testing.assert_allclose(numbers, ((ids - training.mean()) / training.std())[:, None])
    assert Table.read(frame(), "y").prepare(key=KEY).numbers_left_out() is None


def test_rows_without_a_target_are_left_out() -> None:
    rows = frame()
    rows.loc[:9, "y"] = None
    table = Table.read(rows, "y").prepare(validation=0.0, key=KEY)
    assert len(table.data.x) == 110
    assert any("10 rows" in note for note in table.notes)


def test_a_copy_of_the_target_is_suspected() -> None:
    rows = frame()
    rows["copy"] = np.where(rows["y"] == "good", 1.5, 7.25)
    assert any("copy" in note for note in Table.read(rows, "y").prepare(key=KEY).notes)
    assert not any("town" in note for note in Table.read(frame(), "y").prepare(key=KEY).notes)


def test_rows_that_stand_in_two_parts_are_counted() -> None:
    pets = frame(60)
    notes = Table.read(pd.concat([pets, pets]), "y").prepare(test=0.2, key=KEY).notes
    assert any("stand in the training rows, too" in note for note in notes)


def test_an_arrow_table_is_read_like_a_frame() -> None:
    pa = pytest.importorskip("pyarrow")
    a, b = (Table.read(f, "y").prepare(key=KEY).data for f in (frame(), pa.table(frame())))
    np.testing.assert_array_equal(a.x, b.x)


def test_a_class_that_only_the_test_has_is_refused() -> None:
    rows = frame()
    rows.loc[rows["part"] == "test", "y"] = "ugly"
    with pytest.raises(DataError, match="ugly"):
        Table.read(rows, "y").prepare(split="part", key=KEY)
