"""Tables on the command line: from a file to a network and its predictions."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.models import load_model

QUICK = ("--epochs", "3", "--engine", "numpy")


@pytest.fixture
def pets(folder: Path) -> Path:
    """A table with every kind of column."""
    rng = np.random.default_rng(0)
    n = 200
    dog = rng.random(n) < 0.5
    rows = {
        "id": range(1, n + 1),
        "weight": np.where(rng.random(n) < 0.1, "", np.char.mod("%.1f", np.where(dog, 30, 4) + rng.normal(size=n))),
        "town": rng.choice(["Rome", "Oslo", "Lima"], n),
        "indoors": rng.choice(["yes", "no"], n),
        "born": np.datetime64("2015-01-01") + rng.integers(0, 2000, n),
        "note": [f"a note number {i} of its own" for i in range(n)],
        "pet": np.where(dog, "dog", "cat"),
    }
    path = folder / "pets.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(rows)
        writer.writerows(zip(*rows.values(), strict=True))
    return path


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_table_needs_nothing_but_its_target(pets: Path, chainrule: Any) -> None:
    message = chainrule("train", pets, "--target", "pet", "--out", "run").stderr
    for words in ("identifier", "left out", "one-hot", "standardize", "missing → the median"):
        assert words in message
    assert message.index("what happens") < message.index("epoch")  # shown before anything is trained
    assert (
        message.count("note: Left out: id (called an id, and most values differ; no association with the target") == 1
    )
    result = json.loads(Path("run/result.json").read_text())
    assert result["test"]["accuracy"] > 0.9
    assert result["test_rows"] == 40
    config = tomllib.loads(Path("run/config.toml").read_text())
    assert (config["target"], config["preset"], config["test"]) == ("pet", "table", 0.2)
    model = load_model("run/model.safetensors")
    assert model.preparation is not None
    assert model.preparation.inputs == ("weight", "town", "indoors", "born")


def test_a_score_too_good_to_be_true_is_said_with_what_to_look_at(folder: Path, chainrule: Any) -> None:
    rng = np.random.default_rng(0)
    casual, registered, wind = rng.normal(40, 10, 400), rng.normal(60, 20, 400), rng.normal(size=400)
    pairs = zip(casual, registered, wind, strict=True)
    rows = [f"{a:.3f},{b:.3f},{c:.3f},{a + b:.3f}" for a, b, c in pairs]
    Path("bikes.csv").write_text("casual,registered,wind,total\n" + "\n".join(rows) + "\n")
    words = ("--preset", "linear", "--epochs", "40", "--engine", "numpy", "--lr", "0.05")
    message = chainrule("train", "bikes.csv", "--target", "total", "--out", "run", *words).stderr
    assert "note: The target is a sum of columns: casual + registered" in message
    (warning,) = (line for line in message.splitlines() if line.startswith("warning: too good to be true? R² is 0.99"))
    assert "registered (" in warning
    assert "Too good to be true?" in Path("run/report.html").read_text()


def test_the_config_of_a_run_repeats_it(pets: Path, chainrule: Any) -> None:
    chainrule(
        "train", pets, "--target", "pet", "--out", "one", *QUICK, "--drop", "born", "--column", "indoors=category"
    )
    chainrule("train", "--config", "one/config.toml", "--out", "two")
    one, two = (Path(run, "model.safetensors").read_bytes() for run in ("one", "two"))
    assert one == two
    assert "born" not in load_model("one/model.safetensors").preparation.inputs


def test_an_interrupted_run_goes_on(pets: Path, chainrule: Any) -> None:
    chainrule("train", pets, "--target", "pet", "--out", "whole", "--epochs", "4", "--early-stopping", "0")
    chainrule("train", pets, "--target", "pet", "--out", "part", "--epochs", "4", "--early-stopping", "0")
    chainrule("train", "--resume", "part", "--epochs", "6")
    assert len(Path("part/metrics.jsonl").read_text().splitlines()) == 6


def test_predictions_are_the_same_however_the_columns_lie(pets: Path, chainrule: Any) -> None:
    chainrule("train", pets, "--target", "pet", "--out", "run", *QUICK)
    plain = chainrule("predict", "run", pets, "--probabilities")
    assert "ignored" not in plain.stderr  # the target is no stranger
    rows = rows_of(plain.stdout)
    assert len(rows) == 200
    assert set(rows[0]) == {"index", "prediction", "probability_cat", "probability_dog"}
    with pets.open() as file:
        records = list(csv.DictReader(file))
    names = ["town", "weight", "born", "extra", "indoors"]
    with Path("other.tsv").open("w", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore", delimiter="\t")
        writer.writeheader()
        writer.writerows(row | {"extra": "x"} for row in records)
    assert rows_of(chainrule("predict", "run", "other.tsv", "--probabilities").stdout) == rows


def test_predictions_as_parquet(pets: Path, chainrule: Any) -> None:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    chainrule("train", pets, "--target", "pet", "--out", "run", *QUICK)
    chainrule("predict", "run", pets, "--out", "p.parquet")
    text = rows_of(chainrule("predict", "run", pets).stdout)
    frame = pd.read_parquet("p.parquet")
    assert frame["prediction"].tolist() == [row["prediction"] for row in text]


def test_a_large_table_is_predicted_in_stretches(pets: Path, chainrule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    chainrule("train", pets, "--target", "pet", "--out", "run", *QUICK)
    whole = chainrule("predict", "run", pets, "--probabilities").stdout
    monkeypatch.setattr("chainrule.experiments.prediction.ROWS", 33)
    assert [r["index"] for r in rows_of(chainrule("predict", "run", pets).stdout)] == [str(i) for i in range(200)]
    for a, b in zip(rows_of(whole), rows_of(chainrule("predict", "run", pets, "--probabilities").stdout), strict=True):
        assert float(a["probability_cat"]) == pytest.approx(float(b["probability_cat"]), abs=1e-6)


def test_evaluate_takes_the_rows_that_were_held_out(pets: Path, chainrule: Any) -> None:
    chainrule("train", pets, "--target", "pet", "--out", "run", *QUICK)
    result = json.loads(Path("run/result.json").read_text())
    evaluation = json.loads(chainrule("evaluate", "run", pets, "--json").stdout)
    assert evaluation["rows"] == 40
    assert evaluation["accuracy"] == result["test"]["accuracy"]
    other = pets.rename(pets.with_name("others.csv"))
    assert json.loads(chainrule("evaluate", "run", other, "--json").stdout)["rows"] == 200


def test_numbers_to_predict_come_in_their_own_unit(folder: Path, chainrule: Any) -> None:
    rng = np.random.default_rng(1)
    size = rng.uniform(20, 200, 300)
    lines = [f"{s:.1f},{3000 * s + rng.normal() * 1000:.0f}" for s in size]
    Path("flats.csv").write_text("size,price\n" + "\n".join(lines) + "\n")
    chainrule("train", "flats.csv", "--target", "price", "--out", "run")
    result = json.loads(Path("run/result.json").read_text())
    assert result["test"]["mae"] < 30_000
    Path("new.csv").write_text("size\n100\n")
    assert float(rows_of(chainrule("predict", "run", "new.csv").stdout)[0]["prediction"]) == pytest.approx(3e5, rel=0.1)


def test_a_given_split_is_used(folder: Path, chainrule: Any) -> None:
    rows = [f"{i % 7},{'ab'[i % 7 > 3]},{'test' if i % 4 == 0 else 'train'}" for i in range(200)]
    Path("t.csv").write_text("x,y,split\n" + "\n".join(rows) + "\n")
    message = chainrule("train", "t.csv", "--target", "y", "--out", "run", *QUICK).stderr
    assert "'split' names the parts" in message
    assert json.loads(Path("run/result.json").read_text())["test_rows"] == 50


class TestBadInput:
    def test_no_target(self, pets: Path, chainrule: Any) -> None:
        assert "--target 'pet'" in chainrule("train", pets, code=2).stderr

    def test_an_unknown_target(self, pets: Path, chainrule: Any) -> None:
        assert "'pet'" in chainrule("train", pets, "--target", "pets", code=2).stderr

    def test_a_date_as_target(self, pets: Path, chainrule: Any) -> None:
        assert "holds dates" in chainrule("train", pets, "--target", "born", code=2).stderr

    def test_one_class(self, folder: Path, chainrule: Any) -> None:
        Path("one.csv").write_text("x,y\n" + "1,a\n2,a\n" * 10)
        chainrule("train", "one.csv", "--target", "y", code=2)

    def test_an_empty_file(self, folder: Path, chainrule: Any) -> None:
        Path("empty.csv").write_text("")
        chainrule("train", "empty.csv", "--target", "y", code=2)

    def test_a_missing_column(self, pets: Path, chainrule: Any) -> None:
        chainrule("train", pets, "--target", "pet", "--out", "run", *QUICK)
        Path("new.csv").write_text("town,indoors,born\nRome,yes,2016-01-01\n")
        assert "weight" in chainrule("predict", "run", "new.csv", code=2).stderr

    def test_data_of_another_kind(self, pets: Path, chainrule: Any) -> None:
        chainrule("train", pets, "--target", "pet", "--out", "run", *QUICK)
        assert "trained on a table" in chainrule("predict", "run", "digits", code=2).stderr

    def test_a_column_s_kind_is_misspelt(self, pets: Path, chainrule: Any) -> None:
        assert "category" in chainrule("train", pets, "--target", "pet", "--column", "town=categroy", code=2).stderr


@pytest.fixture
def written_elsewhere(pets: Path) -> Path:
    """The same table as some programs write it: no UTF-8, and with as many commas as semicolons in every line."""
    text = pets.read_text().replace("Rome", "Zürich").replace(",", ";")
    text = text.replace("note;", ",,,,,,;").replace("a note number", ",,,,,,")
    pets.with_name("elsewhere.csv").write_bytes(text.encode("cp1252"))
    return pets.with_name("elsewhere.csv")


SPELT = ("--encoding", "cp1252", "--separator", ";")


def test_train_takes_an_encoding_and_a_separator(written_elsewhere: Path, chainrule: Any) -> None:
    assert "encoding" in chainrule("train", written_elsewhere, "--target", "pet", code=2).stderr
    assert "separator" in chainrule("train", written_elsewhere, "--target", "pet", *SPELT[:2], code=2).stderr
    chainrule("train", written_elsewhere, "--target", "pet", "--out", "run", *QUICK, *SPELT)
    config = tomllib.loads(Path("run/config.toml").read_text())
    assert (config["encoding"], config["separator"]) == ("cp1252", ";")
    assert "town=Zürich" in load_model("run/model.safetensors").preparation.feature_names


def test_predict_takes_an_encoding_and_a_separator(pets: Path, written_elsewhere: Path, chainrule: Any) -> None:
    pets.write_text(pets.read_text().replace("Rome", "Zürich"), encoding="utf-8")
    chainrule("train", pets, "--target", "pet", "--out", "run", *QUICK)
    assert "encoding" in chainrule("predict", "run", written_elsewhere, code=2).stderr
    plain = chainrule("predict", "run", pets, "--probabilities").stdout
    assert chainrule("predict", "run", written_elsewhere, "--probabilities", *SPELT).stdout == plain


def test_evaluate_takes_an_encoding_and_a_separator(written_elsewhere: Path, chainrule: Any) -> None:
    chainrule("train", written_elsewhere, "--target", "pet", "--out", "run", *QUICK, *SPELT)
    other = written_elsewhere.with_name("other.csv")
    other.write_bytes(written_elsewhere.read_bytes())
    assert "encoding" in chainrule("evaluate", "run", other, code=2).stderr
    assert json.loads(chainrule("evaluate", "run", other, "--json", *SPELT).stdout)["rows"] == 200
    # The file of the run itself is read as it was then.
    assert json.loads(chainrule("evaluate", "run", written_elsewhere, "--json").stdout)["rows"] == 40
    assert len(rows_of(chainrule("predict", "run", written_elsewhere).stdout)) == 200


# How cells are read, through the commands.


def written_table(path: Path, rows: int, comma: bool = False) -> Path:
    """Numbers from 1 to 9 with three decimals, and whether they are above 5."""
    values = np.random.default_rng(rows).uniform(1, 9, rows)
    separator, mark = (";", ",") if comma else (",", ".")
    lines = [f"{f'{v:.3f}'.replace('.', mark)}{separator}{'hi' if v > 5 else 'lo'}" for v in values]
    path.write_text("\n".join([f"a{separator}y", *lines]) + "\n")
    return path


def test_a_file_with_the_other_decimal_mark_is_read_right_and_told(chainrule: Any, tmp_path: Path) -> None:
    written_table(tmp_path / "train.csv", 300)
    written_table(tmp_path / "other.csv", 80, comma=True)
    chainrule("train", "train.csv", "--target", "y", "--out", "run", "--epochs", 20, "--engine", "numpy")
    done = chainrule("evaluate", "run", "other.csv", "--json")
    assert json.loads(done.stdout)["accuracy"] > 0.9
    assert "a: numbers have decimal commas here" in done.stderr
    assert "a: numbers have decimal commas here" in chainrule("predict", "run", "other.csv").stderr


def test_predict_answers_for_the_whole_file_wherever_its_cells_stand(
    chainrule: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainrule.experiments.prediction.ROWS", 10)
    written_table(tmp_path / "train.csv", 60)
    chainrule("train", "train.csv", "--target", "y", "--out", "run", "--epochs", 1, "--engine", "numpy")
    for name, bad in (("together", range(10, 20)), ("spread", range(1, 20, 2))):
        cells = ["ERR" if row in bad else "2.5" for row in range(35)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["a", *cells]) + "\n")
        done = chainrule("predict", "run", f"{name}.csv", "--out", f"{name}-p.csv")
        assert (
            f"10 cells counted as missing, being no finite number; the first is in row {bad[0]}: 'ERR'" in done.stderr
        )
        predicted = (tmp_path / f"{name}-p.csv").read_text().splitlines()
        assert [line.split(",")[0] for line in predicted] == ["index", *map(str, range(35))]
    (tmp_path / "none.csv").write_text("\n".join(["a", *["ERR"] * 35]) + "\n")
    done = chainrule("predict", "run", "none.csv", "--out", "none-p.csv", code=2)
    assert "no cell can be read as one: row 0 has 'ERR'" in done.stderr
    assert not (tmp_path / "none-p.csv").exists()


def test_missing_texts_are_said_kept_and_used(chainrule: Any, tmp_path: Path) -> None:
    rows = [f"{i % 7},{['NA', 'DE', '?'][i % 3]}" for i in range(90)]
    (tmp_path / "lands.csv").write_text("\n".join(["a,land", *rows]) + "\n")
    words = ("--target", "land", "--epochs", 1, "--engine", "numpy", "--test", 0.2)
    done = chainrule("train", "lands.csv", *words, "--out", "usual", code=2)
    assert "'NA' (30 cells)" in done.stderr
    assert "--missing" in done.stderr
    done = chainrule("train", "lands.csv", *words, "--missing", "?", "--out", "run")
    assert "'?' (30 cells)" in done.stderr
    assert tomllib.loads((tmp_path / "run" / "config.toml").read_text())["missing"] == ["?"]
    evaluated = json.loads(chainrule("evaluate", "run", "lands.csv", "--json").stdout)
    assert [row["class"] for row in evaluated["classes"]] == ["DE", "NA"]
    (tmp_path / "new.csv").write_text("\n".join(["a,land", *rows[:30]]) + "\n")
    assert json.loads(chainrule("evaluate", "run", "new.csv", "--json").stdout)["rows"] == 20
    chainrule("train", "lands.csv", *words, "--missing", "none", "--out", "all")
    assert len(json.loads(chainrule("evaluate", "all", "new.csv", "--json").stdout)["classes"]) == 3
