"""Tables from files and frames: read right, or refused with a message that says what to do."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chainrule.errors import ChainruleError, DataError, FileError
from chainrule.tables.infer import infer_columns
from chainrule.tables.read import is_table, read_chunks, read_table, table_columns
from chainrule.tables.values import values_of

PETS = "name,weight,kind\nRex,30.5,dog\nTom,,cat\n"


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(content: str | bytes, name: str = "pets.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def cells(frame: pd.DataFrame) -> dict[str, list[Any]]:
    return {name: [None if pd.isna(cell) else cell for cell in frame[name]] for name in frame.columns}


EXPECTED = {"name": ["Rex", "Tom"], "weight": ["30.5", None], "kind": ["dog", "cat"]}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_separator_encoding_and_line_ends_are_told(
    file: Callable[..., Path], separator: str, encoding: str, newline: str
) -> None:
    text = PETS.replace(",", separator).replace("\n", newline)
    for name, data in (("a.csv", text.encode(encoding)), ("a.txt.gz", gzip.compress(text.encode(encoding)))):
        assert cells(read_table(file(data, name))) == EXPECTED


def test_quotes_line_breaks_and_spaces(file: Callable[..., Path]) -> None:
    path = file('a, b ,c\n"x, ""y""\nz" ,  1,\n'.replace('" ,', '",'))
    assert cells(read_table(path)) == {"a": ['x, "y"\nz'], "b": ["1"], "c": [None]}


@pytest.mark.parametrize("mark", ["", " ", "NA", "N/A", "nan", "NaN", "null", "?", "-", "--"])
def test_marks_of_missing_values(file: Callable[..., Path], mark: str) -> None:
    """Empty cells are missing from the start; what other texts mean depends on the column they are in."""
    frame = read_table(file(f"x,y\n{mark},1\nred,2\nblue,3\n"))
    assert cells(frame) == {"x": [mark.strip() or None, "red", "blue"], "y": ["1", "2", "3"]}
    (column, _) = infer_columns(frame)
    assert (column.missing, values_of(frame["x"], column).tolist()) == (1, [None, "red", "blue"])


def test_none_stays_text_because_it_may_be_a_category(file: Callable[..., Path]) -> None:
    assert cells(read_table(file("x,y\nNone,1\n")))["x"] == ["None"]


def test_no_type_is_guessed(file: Callable[..., Path]) -> None:
    frame = read_table(file("zip,yes,day\n00123,True,2020-01-01\n"))
    assert cells(frame) == {"zip": ["00123"], "yes": ["True"], "day": ["2020-01-01"]}


def test_european_decimal_commas_are_not_taken_for_separators(file: Callable[..., Path]) -> None:
    assert cells(read_table(file("x;y\n1,5;2,5\n3,5;4,5\n"))) == {"x": ["1,5", "3,5"], "y": ["2,5", "4,5"]}


def test_the_first_line_of_a_spreadsheet_may_state_the_separator(file: Callable[..., Path]) -> None:
    path = file("sep=;\na;b,c\n1;2,3\n")
    assert list(read_table(path).columns) == ["a", "b,c"]
    with pytest.raises(FileError, match="line 3, has 1 cell; expected 2"):
        read_table(file("sep=;\na;b\n1\n"))


def test_the_row_numbers_of_pandas_get_a_name(tmp_path: Path) -> None:
    path = tmp_path / "with_index.csv"
    pd.DataFrame({"x": [5, 6]}).to_csv(path)
    assert cells(read_table(path)) == {"index": ["0", "1"], "x": ["5", "6"]}


def test_one_column(file: Callable[..., Path]) -> None:
    assert cells(read_table(file("x\n1\n2\n"))) == {"x": ["1", "2"]}
    assert cells(read_table(file("x\na, b\n", "text.tsv"))) == {"x": ["a, b"]}


def test_blank_lines_do_not_count(file: Callable[..., Path]) -> None:
    assert cells(read_table(file("\n" + PETS.replace("Tom", "\n  \nTom") + "\n\n"))) == EXPECTED


REFUSED = {
    "": "is empty",
    "\n\n": "is empty",
    "a,b\n": "has column names but no rows",
    "a,b,a\n1,2,3\n": "more than one column called a",
    "a,,c\n1,2,3\n": "column 2 has no name",
    "a,b,\n1,2,\n": "separator at the end of the line",
    "a,b\n1,2\n3\n": "line 3, has 1 cell; expected 2",
    "a,b\n1,2\n\n3,4,5\n": "line 4, has 3 cells; expected 2.*must be in double quotes",
    'a,b\n1,2\n3,"x\ny': "line 3.*opened in this row and not closed",
    'a,b\n1,"x"y\n': "line 2: a cell goes on after its closing quote",
    "a,b\n1,\0\n": "line 2, holds NUL",
    "a;b,c;d\n1;2,3;4\n": r"a comma \(separator=','\) or a semicolon",
    "x\n1,5\n": "line 2, has 2 cells; expected 1",
    "a,b\n1," + "x" * 1_000_000: "line 2: a cell has more than 131,072 characters",
}


@pytest.mark.parametrize("content", REFUSED, ids=lambda text: repr(text[:20]))
def test_what_cannot_be_read_right_is_refused(file: Callable[..., Path], content: str) -> None:
    path = file(content)
    with pytest.raises(ChainruleError, match=REFUSED[content]) as caught:
        read_table(path)
    assert str(path) in str(caught.value)


def test_an_ambiguous_separator_can_be_said(file: Callable[..., Path]) -> None:
    path = file("a;b,c;d\n1;2,3;4\n")
    assert list(read_table(path, separator=",").columns) == ["a;b", "c;d"]
    assert table_columns(path, separator=";") == ("a", "b,c", "d")
    with pytest.raises(DataError, match="'x' is not read as a separator"):
        read_table(path, separator="x")


def test_another_encoding_is_named_with_its_place_and_can_be_said(file: Callable[..., Path]) -> None:
    path = file("name,town\nAnn,Bonn\nBéa,Köln\n".encode("cp1252"))
    with pytest.raises(FileError, match=r"line 3, byte 2 \(0xe9\), is not UTF-8.*cp1252"):
        read_table(path)
    assert cells(read_table(path, encoding="cp1252"))["town"] == ["Bonn", "Köln"]
    with pytest.raises(DataError, match="no text encoding 'klingon'"):
        read_table(path, encoding="klingon")
    with pytest.raises(FileError, match="Is it UTF-16"):
        read_table(file("a,b\n1,2\n".encode("utf-16-le")))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PAR1" + bytes(100), "is a Parquet file"),
        (b"PK\x03\x04" + bytes(100), "is a zip or a spreadsheet"),
        (gzip.compress(PETS.encode(), mtime=0), "is compressed with gzip"),
        (b"\x89PNG\r\n\x1a\n", "is a picture"),
    ],
)
def test_files_of_another_kind_are_recognized(file: Callable[..., Path], data: bytes, message: str) -> None:
    with pytest.raises(FileError, match=message):
        read_table(file(data))


def test_paths_that_are_none(tmp_path: Path, file: Callable[..., Path]) -> None:
    with pytest.raises(FileError, match="does not exist"):
        read_table(tmp_path / "absent.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FileError, match="is a folder"):
        read_table(tmp_path / "folder.csv")
    with pytest.raises(FileError, match=r"ending '.xlsx'.*as CSV"):
        read_table(file(b"PK", "book.xlsx"))
    for wrong in ("", "\0.csv", "x" * 5_000 + ".csv", b"pets.csv"):
        with pytest.raises((FileError, DataError)):
            read_table(wrong)
    with pytest.raises(DataError, match=r"got dict.*pandas.DataFrame"):
        read_table({"x": [1]})
    assert is_table("A.CSV")
    assert not is_table("a.npz")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(file: Callable[..., Path]) -> None:
    path = file(PETS)
    path.chmod(0)
    with pytest.raises(FileError, match="cannot be read: Permission denied"):
        read_table(path)


def test_a_damaged_gzip_file(file: Callable[..., Path]) -> None:
    with pytest.raises(FileError, match="damaged or truncated gzip"):
        read_table(file(gzip.compress(PETS.encode() * 100)[:-20], "a.csv.gz"))


def test_chunks_and_first_rows_are_those_of_the_whole(file: Callable[..., Path], tmp_path: Path) -> None:
    text = "x,y\n" + "".join(f"{i},{'' if i % 7 == 0 else i * i}\n" for i in range(100))
    paths = [file(text)]
    pytest.importorskip("pyarrow")
    paths.append(tmp_path / "a.parquet")
    pd.DataFrame({"x": range(100), "y": ["a", None] * 50}).to_parquet(paths[1], row_group_size=30)
    for path in paths:
        whole = read_table(path)
        chunks = list(read_chunks(path, rows=32))
        assert max(len(chunk) for chunk in chunks) <= 32
        pd.testing.assert_frame_equal(pd.concat(chunks, ignore_index=True), whole)
        pd.testing.assert_frame_equal(read_table(path, nrows=45), whole.iloc[:45])
        assert table_columns(path) == ("x", "y")
    for wrong in (0, -1):
        with pytest.raises(DataError, match="expected 1 or more"):
            read_table(paths[0], nrows=wrong)
        with pytest.raises(DataError, match="expected 1 or more"):
            read_chunks(paths[0], rows=wrong)


def test_chunks_do_not_read_ahead(file: Callable[..., Path]) -> None:
    """An error far down does not keep the rows before it from being used."""
    chunks = read_chunks(file("x,y\n" + "1,2\n" * 100 + "1\n"), rows=50)
    assert [len(next(chunks)), len(next(chunks))] == [50, 50]
    with pytest.raises(FileError, match="line 102"):
        next(chunks)


def test_parquet_keeps_types_and_drops_the_index_of_pandas(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"n": [1, 2], "t": ["a", None], "b": [True, False]}, index=[7, 9])
    path = tmp_path / "a.parquet"
    frame.to_parquet(path)
    written = read_table(path)
    assert list(written.columns) == ["n", "t", "b"]
    assert [kind.kind for kind in written.dtypes] == ["i", "O", "b"]
    assert list(written.index) == [0, 1]


def test_damaged_parquet_files(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    pd.DataFrame({"n": range(1000)}).to_parquet(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(FileError, match="damaged Parquet file, or none"):
        read_table(path)
    path.write_bytes(b"")
    with pytest.raises(FileError, match="is empty"):
        read_table(path)
    pd.DataFrame({"n": []}).to_parquet(path)
    with pytest.raises(DataError, match="no rows"):
        read_table(path)


def test_frames_and_arrow_tables() -> None:
    frame = pd.DataFrame({1: [1, 2], " b ": ["x", None]}, index=["p", "q"])
    assert list(read_table(frame).columns) == ["1", "b"]
    assert list(read_table(frame).index) == [0, 1]
    assert list(frame.columns) == [1, " b "], "the user's own frame stays as it was"
    pyarrow = pytest.importorskip("pyarrow")
    assert cells(read_table(pyarrow.table({"x": [1, 2, 3]}), nrows=2)) == {"x": [1, 2]}
    for wrong in (pd.DataFrame(), pd.DataFrame({"a": []}), pd.DataFrame([[1, 2]], columns=["a", "a"])):
        with pytest.raises(DataError):
            read_table(wrong)
    with pytest.raises(DataError, match="2 levels"):
        read_table(pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])))


def test_a_very_wide_table_is_read_in_seconds(file: Callable[..., Path]) -> None:
    width = 100_000
    names = ",".join(f"c{i}" for i in range(width))
    path = file(names + "\n" + ("1," * width)[:-1] + "\n" + ("?," * width)[:-1] + "\n")
    start = time.monotonic()
    frame = read_table(path)
    assert frame.shape == (2, width)
    assert frame.iloc[0, -1] == "1"
    assert (frame.iloc[1] == "?").all()
    assert time.monotonic() - start < 20
    with pytest.raises(DataError, match="200,001 columns; at most 200,000"):
        read_table(file(",".join(map(str, range(200_001))) + "\n"))


@pytest.mark.parametrize(("name", "shape"), [("titanic", (891, 12)), ("adult", (48842, 16)), ("penguins", (344, 8))])
def test_real_tables(data_dir: Path, name: str, shape: tuple[int, int]) -> None:
    path = data_dir / "tables" / f"{name}.csv"
    frame = read_table(path)
    reference = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert frame.shape == shape == reference.shape
    present = frame.notna().to_numpy()
    np.testing.assert_array_equal(frame.to_numpy(dtype=object)[present], reference.to_numpy(dtype=object)[present])
    assert set(reference.to_numpy(dtype=object)[~present]) <= {"", "NA", "?"}
