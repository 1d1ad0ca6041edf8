"""The target of a table: labels keep their type, and any other table is read as the training rows were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import chainrule as cr
from chainrule import random
from chainrule.errors import DataError
from chainrule.tables.read import as_frame, read_table
from chainrule.tables.target import TargetColumn, learn_target

KEY = random.key(0)


def learnt(cells: Any) -> TargetColumn:
    return learn_target(pd.Series(cells, name="y"))[0]


LABELS = {
    "truth values": (pd.Series([True, False] * 20), (False, True)),
    "nullable truth values": (pd.Series([True, False, None] * 15, dtype="boolean"), (False, True)),
    "truth values as objects": (pd.Series([True, False, None] * 15, dtype=object), (False, True)),
    "whole numbers": (pd.Series([3, 1, 2] * 15), (1, 2, 3)),
    "nullable whole numbers": (pd.Series([3, 1, None] * 15, dtype="Int64"), (1, 3)),
    "bytes": (pd.Series(np.array([3, 1, 2] * 15, np.uint8)), (1, 2, 3)),
    "whole numbers with gaps": (pd.Series([3.0, 1.0, np.nan] * 15), (1, 3)),
    "text": (pd.Series(["b", "a", None] * 15, dtype="str"), ("a", "b")),
    "text of digits": (pd.Series(["1", "0"] * 20), ("0", "1")),
    "text of truth values": (pd.Series(["True", "False"] * 20), ("False", "True")),
    "categories": (pd.Series(pd.Categorical(["lo", "hi", None] * 15)), ("hi", "lo")),
    "categories of numbers": (pd.Series(pd.Categorical([10, 20] * 20)), (10, 20)),
    "categories of truth values": (pd.Series(pd.Categorical([True, False] * 20)), (False, True)),
    "words that other programs take for missing": (
        pd.Series(["None", "nan", "?", "NA"] * 10),
        ("?", "NA", "None", "nan"),
    ),
}


@pytest.mark.parametrize("kind", [name for name in LABELS if name != "words that other programs take for missing"])
def test_labels_keep_the_type_of_the_column(kind: str) -> None:
    cells, classes = LABELS[kind]
    frame = pd.DataFrame({"a": np.arange(len(cells)) % 7 + 0.5, "y": cells})
    net = cr.Sequential(cr.Dense(len(classes), "softmax"))
    run = cr.fit(net, cr.Table.read(frame, "y"), epochs=1, progress=False, engine="numpy")
    target = run.model.preparation.target
    assert target.classes == run.model.target.classes == classes
    assert [type(label) for label in target.classes] == [type(label) for label in classes]
    predicted = run.model.predict(frame)
    assert {type(label) for label in predicted.tolist()} == {type(classes[0])}
    known = cells.notna().to_numpy()
    assert target.read(frame["y"])[known].tolist() == cells[known].tolist()
    assert all(label is None for label in target.read(frame["y"])[~known])


@pytest.mark.parametrize("kind", ["truth values", "whole numbers", "text", "text of digits", "categories of numbers"])
def test_labels_are_the_same_from_a_file_as_from_the_frame(kind: str, tmp_path: Any) -> None:
    cells, _ = LABELS[kind]
    target = learnt(cells)
    pd.DataFrame({"a": 1, "y": cells}).to_csv(tmp_path / "t.csv", index=False)
    read = target.read(read_table(tmp_path / "t.csv")["y"])
    assert read.tolist() == target.read(cells).tolist()
    assert [type(label) for label in read.tolist()] == [type(label) for label in target.read(cells).tolist()]


def test_labels_that_are_unknown_stay_as_they_are_written_and_are_listed_alone() -> None:
    target = learnt([1, 2, 3] * 10)
    labels = target.read(["1", "unknown", "2.0", "7", None])
    assert labels.tolist() == [1, "unknown", 2, 7, None]
    with pytest.raises(DataError, match=r"2 of 5 rows have .* of 'y' .*: 'unknown', 7 \(row 1 first\).*1, 2, 3\."):
        target.check(labels)
    assert learnt([True, False] * 9).read(["true", "0", "maybe"]).tolist() == [True, False, "maybe"]


def test_labels_of_other_types_are_the_classes_that_they_are_written_as() -> None:
    rng = np.random.default_rng(0)
    for written, typed in ((["true", "false"], [True, False]), (["0.5", "1.5"], [0.5, 1.5])):
        frame = pd.DataFrame({"a": rng.normal(size=60), "y": written * 30})
        table = cr.Table.read(frame, "y", task="classification")
        run = cr.fit(cr.Sequential(cr.Dense(2, "softmax")), table, epochs=1, progress=False, engine="numpy")
        assert run.model.target.classes == tuple(sorted(written))
        assert run.evaluate(frame, pd.Series(typed * 30)) == run.evaluate(frame, frame["y"])
    note = learn_target(pd.Series([0.5, 1.5] * 20), "classification")[1]
    assert "text, '0.5'" in note


def test_texts_of_one_column_are_never_merged() -> None:
    target = learnt(["3.1", "3.10", "4.0-beta"] * 10)
    assert target.classes == ("3.1", "3.10", "4.0-beta")
    assert target.read(["3.10", 3.1, "3.100"]).tolist() == ["3.10", "3.1", "3.100"]
    assert learnt(["01", "1", "x"] * 10).classes == ("01", "1", "x")
    assert learnt(["low", "3.0"] * 10).read(["3", 3, 3.0]).tolist() == ["3.0"] * 3  # there is but one that it can be


def test_a_target_is_kept_with_the_model_and_reads_numbers_as_in_training(tmp_path: Any) -> None:
    path = tmp_path / "train.csv"
    path.write_text("a;y\n" + "".join(f"{i % 9};1.{i % 10}25,50\n" for i in range(60)))
    run = cr.fit(cr.Dense(1), cr.Table.read(path, "y"), epochs=1, progress=False, engine="numpy")
    run.model.save(tmp_path / "m.safetensors")
    target = cr.load_model(tmp_path / "m.safetensors").preparation.target
    assert target == run.model.preparation.target
    assert target.read(["2.571", "3", "1.525,66"]).tolist() == [2571.0, 3.0, 1525.66]


def test_a_target_goes_through_files_as_it_is() -> None:
    for target in (learnt([True, False] * 9), learnt([1.5, 2.5, 2.0]), learnt(["a", "b"] * 9)):
        assert TargetColumn.from_dict(target.to_dict()) == target


def test_training_goes_on_with_the_first_target() -> None:
    frame = pd.DataFrame({"a": np.arange(60) % 7, "y": ["p", "q", "r"] * 20})
    run = cr.fit(cr.Dense(3, "softmax"), cr.Table.read(frame, "y"), epochs=1, progress=False, engine="numpy")
    two = frame[frame["y"] != "r"]
    assert cr.Table.read(two, "y").prepare(preparation=run.model.preparation, key=KEY).data.classes == ("p", "q", "r")
    with pytest.raises(DataError, match="'s'"):
        cr.Table.read(frame.assign(y="s"), "y").prepare(preparation=run.model.preparation, key=KEY)


def test_tables_of_other_libraries_are_frames() -> None:
    pa = pytest.importorskip("pyarrow")
    frame = pd.DataFrame({" a ": [1, 2], "k": ["u", "v"]})
    table = pa.table(frame)

    class Polars:  # which has names, and gives its columns through Arrow's protocol
        columns = (" a ", "k")

        def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
            return table.__arrow_c_stream__(requested_schema)

    for source in (frame, table, Polars()):
        assert as_frame(source).to_dict("list") == {"a": [1, 2], "k": ["u", "v"]}
    for source in (np.ones((2, 2)), [[1]], {"a": [1]}, None, pa.chunked_array([[1]]), frame["k"]):
        assert as_frame(source) is None


def test_a_model_predicts_from_the_tables_it_trains_on() -> None:
    pa = pytest.importorskip("pyarrow")
    frame = pd.DataFrame({" a ": np.arange(40) % 7, "k": ["u", "v"] * 20, "y": ["p", "q"] * 20})
    run = cr.fit(cr.Dense(2, "softmax"), cr.Table.read(pa.table(frame), "y"), epochs=1, progress=False, engine="numpy")
    assert run.model.predict(pa.table(frame)).tolist() == run.model.predict(frame).tolist()
