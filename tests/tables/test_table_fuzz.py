"""Damaged and odd tables: each is read right or refused with a message, in reasonable time, and never otherwise.

What is right is told by the cells that were written, or by the csv module and pyarrow reading the same bytes.
"""

from __future__ import annotations

import csv
import datetime
import decimal
import gzip
import io
import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chainrule.errors import ChainruleError
from chainrule.tables.describe import format_columns
from chainrule.tables.infer import infer_columns
from chainrule.tables.read import read_chunks, read_table
from chainrule.tables.target import learn_target
from chainrule.tables.values import values_of

WORDS = [
    "red",
    "blue",
    "",
    "NA",
    "None",
    "a b",
    "Ä",
    "日本",
    "x,y",
    "a;b",
    "tab\there",
    'say "hi"',
    "two\nlines",
    " in ",
    "007",
]
NUMBERS = [
    "0",
    "1",
    "-3",
    "2.5",
    "1e3",
    "1e400",
    "inf",
    "nan",
    "1,5",
    "1.234,5",
    "12 %",
    "$3",
    "1 000",
    "0x10",
    "1_000",
]
OTHERS = ["yes", "No", "TRUE", "f", "2020-01-31", "31/12/2020", "2020-02-31", "20200131", "12:30", "?", "-", "'", "\\N"]


@contextmanager
def soon(limit: float = 20.0) -> Iterator[None]:
    """Fails what takes longer than anyone would wait for a small file (generous, for a machine that is busy)."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < limit


def refused(read: Callable[[], Any]) -> Any:
    """What a call returns; None where it refuses with a message."""
    problem = ""
    with soon():
        try:
            return read()
        except ChainruleError as error:
            problem = str(error)
    assert 20 < len(problem) < 3_000, problem
    return None


def looked_at(frame: pd.DataFrame) -> None:
    """Goes through all that is done with a table before it is prepared."""

    def plan() -> None:
        columns = infer_columns(frame)
        assert [column.name for column in columns] == list(frame.columns)
        assert len(format_columns(columns, rows=len(frame))) == min(len(columns), 40) + 1 + (len(columns) > 40)
        for j, column in enumerate(columns):
            values = values_of(frame.iloc[:, j], column)
            assert len(values) == len(frame)
            if column.use and column.kind in ("number", "boolean"):
                assert not np.isinf(values).any()
                assert np.isnan(values).sum() == column.missing
                assert len(np.unique(values[~np.isnan(values)])) == column.distinct

    refused(plan)
    for name in frame.columns[:3]:
        learnt = refused(lambda name=name: learn_target(frame[name]))
        if learnt is not None:
            target, _ = learnt
            values = target.read(frame[name])
            assert len(values) == len(frame)
            assert target.task == "classification" or not np.isinf(values).any()


def cells_of(frame: pd.DataFrame) -> list[list[Any]]:
    return [[None if pd.isna(cell) else cell for cell in row] for row in frame.to_numpy(dtype=object)]


def as_read(cell: str) -> str | None:
    """A cell as it should be read."""
    text = cell.strip()
    return text or None


# Tables that are in order, written in every way: they are read as they were meant.


def random_table(rng: random.Random) -> tuple[list[str], list[list[str]]]:
    width, height = rng.randint(1, 6), rng.randint(1, 25)
    names = rng.sample(["age", "Größe", "x,1", "a b", 'q"uote', "id", "日付", "n.1", "0", "2020", "semi;colon"], width)
    pools = [rng.choice([WORDS, NUMBERS, OTHERS, WORDS + NUMBERS + OTHERS]) for _ in names]
    rows = [[rng.choice(pool) for pool in pools] for _ in range(height)]
    return names, rows


def written(names: list[str], rows: list[list[str]], rng: random.Random) -> tuple[bytes, str]:
    """A table as the bytes of a file, and the ending of its name."""
    ending, separators = rng.choice([(".csv", ",;|"), (".csv", ","), (".tsv", "\t"), (".txt", ",;\t|")])
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=rng.choice(separators),
        quoting=rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
        lineterminator=rng.choice(["\n", "\r\n", "\r"]),
    )
    writer.writerows([names, *rows])
    whole = text.getvalue().rstrip("\r\n") if rng.random() < 0.2 else text.getvalue()
    data = whole.encode(rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32"]))
    return (gzip.compress(data, mtime=0), ending + ".gz") if rng.random() < 0.2 else (data, ending)


@pytest.mark.parametrize("block", [0, 1, *(pytest.param(block, marks=pytest.mark.slow) for block in (2, 3))])
def test_a_table_is_read_as_it_was_written_or_refused(block: int, tmp_path: Path) -> None:
    right = 0
    for seed in range(100 * block, 100 * block + 100):
        rng = random.Random(seed)
        names, rows = random_table(rng)
        data, ending = written(names, rows, rng)
        path = tmp_path / f"table{ending}"
        path.write_bytes(data)
        frame = refused(lambda path=path: read_table(path))
        if frame is None:
            continue
        right += 1
        assert list(frame.columns) == names, seed
        assert cells_of(frame) == [[as_read(cell) for cell in row] for row in rows], seed
        chunks = list(read_chunks(path, rows=rng.randint(1, 30)))
        pd.testing.assert_frame_equal(pd.concat(chunks, ignore_index=True), frame)
        looked_at(frame)
    assert right >= 90  # a reader that refused everything would pass, too


# Bytes of such files, damaged.


def damaged(data: bytes, rng: random.Random) -> bytes:
    content = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        at = rng.randrange(len(content)) if content else 0
        how = rng.randrange(9)
        if how == 0 and content:
            content[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            del content[at:]
        elif how == 2:
            del content[at : at + rng.randint(1, 20)]
        elif how == 3:
            content[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 5)))
        elif how == 4:
            content[at:at] = rng.choice(
                [b'"', b'""', b",", b";", b"\t", b"\n", b"\r", b"\r\n\r\n", b"\0", b"\xff\xfe", b"\xef\xbb\xbf"]
            )
        elif how == 5:
            content[at:at] = content[at : at + rng.randint(1, 60)]
        elif how == 6:
            content[:] = content.replace(b'"', b"")
        elif how == 7:
            content[:] = content[:at] + rng.choice([b"inf", b"1e999", b"9" * 400, b"-", b"NaN", b"\xe9"]) + content[at:]
        else:
            content[:] = content.replace(b",", b";", rng.randint(1, 3))
    return bytes(content)


def by_the_csv_module(path: Path, separator: str) -> list[list[str]]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    mark = {b"\xff\xfe\x00\x00": "utf-32", b"\x00\x00\xfe\xff": "utf-32"}.get(data[:4])
    mark = mark or {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}.get(data[:2], "utf-8-sig")
    text = io.StringIO(data.decode(mark), newline="")
    if data.decode(mark).startswith("sep="):
        text.readline()
    rows = list(csv.reader(text, delimiter=separator, strict=True, skipinitialspace=True))
    width = len(next(row for row in rows if row))
    return [row for row in rows if len(row) > 1 or (row and (width == 1 or row[0].strip()))]


@pytest.mark.parametrize("block", range(6))
def test_a_damaged_text_file_is_refused_or_read_as_the_csv_module_reads_it(block: int, tmp_path: Path) -> None:
    for seed in range(100 * block, 100 * block + 100):
        rng = random.Random(10_000 + seed)
        data, ending = written(*random_table(rng), rng)
        path = tmp_path / f"table{ending}"
        path.write_bytes(damaged(data, rng))
        frame = refused(lambda path=path: read_table(path))
        if frame is None:
            continue
        names, *rows = by_the_csv_module(path, frame.attrs["separator"])
        assert [name for name in frame.columns if name != "index"] == [
            name for cell in names if (name := cell.strip().lstrip("\ufeff"))
        ], seed
        assert cells_of(frame) == [[as_read(cell) for cell in row] for row in rows], seed
        looked_at(frame)


# Files that no reader can make sense of: each of them must be refused.


def hopeless() -> Iterator[tuple[str, bytes]]:
    rng = random.Random(1)
    good = "name,age,town\nAnn,31,Bonn\nBob,44,Ulm\nCy,5,Ulm\n"
    lines = good.encode().splitlines(keepends=True)
    for i in (1, 2, 3):
        for line in (lines[i].replace(b",", b"", 1), b"more," + lines[i], b'"' + lines[i]):
            yield "csv", b"".join([*lines[:i], line, *lines[i + 1 :]])
    structures = ["", "\n", "\n\n  \n", "name,age\n", "name,age", "a,a\n1,2\n", "a,,c\n1,2,3\n", "a,b,\n1,2,\n"]
    for text in [*structures, ",\n1,2\n", 'a,b\n"1"2,3\n']:
        yield "csv", text.encode()
        yield "tsv", text.replace(",", "\t").encode()
        yield "csv", text.encode("utf-8-sig")
    for text in ("größe,x\nä,1\n", "x,y\ncafé,1\n", "x;y\n5 €;ü\n"):
        for encoding in ("cp1252", "utf-16-le", "utf-16-be"):
            yield "csv", text.encode(encoding)
    yield "csv", "名前,年\n山田,3\n".encode("shift-jis")
    yield "csv", b"a,b\n1,\x00\n"
    yield "csv", b'a,b\n1,"' + b"x" * 1_000_000
    yield "csv", b"a,b\n1," + b"x" * 1_000_000 + b"\n"
    yield "csv", b"x\n1,5\n2,5\n"
    yield "csv", b"a;b,c;d\n1;2,3;4\n"
    for magic in (b"PAR1", b"PK\x03\x04", b"\x1f\x8b", b"\x89PNG\r\n", b"%PDF-1.7", b"SQLite format 3\0", b"\x7fELF"):
        yield "csv", magic + bytes(rng.randrange(128, 256) for _ in range(300))
    for size in (1, 7, 100, 5_000, 100_000):
        junk = rng.randbytes(size)
        yield "csv", b"\xff" + junk
        yield "csv.gz", junk
        yield "csv.gz", gzip.compress(b"a,b\n1,2\n" * 50, mtime=0)[: 10 + min(size, 15)]
        yield "parquet", junk
        yield "parquet", b"PAR1" + junk + b"PAR1"
        yield "parquet", b"PAR1" + junk + (2**31 - 1).to_bytes(4, "little") + b"PAR1"


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    cases = list(hopeless())
    for i, (ending, data) in enumerate(cases):
        path = tmp_path / f"table{i}.{ending}"
        path.write_bytes(data)
        frame = refused(lambda path=path: read_table(path))
        assert frame is None, (ending, data[:80])
    assert len(cases) >= 90


# Parquet.


def parquet_bytes(rng: random.Random) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    n = rng.randint(1, 60)
    columns = {
        "text": pa.array([rng.choice([None, "ä", "b", "c" * 50]) for _ in range(n)]),
        "number": pa.array([rng.choice([None, 1.5, math.inf, -2.0]) for _ in range(n)], pa.float64()),
        "count": pa.array([rng.choice([None, 3, 2**60]) for _ in range(n)], pa.int64()),
        "yes": pa.array([rng.choice([None, True, False]) for _ in range(n)], pa.bool_()),
        "day": pa.array([datetime.date(2020, 1, 1 + i % 28) for i in range(n)]),
        "time": pa.array([datetime.datetime(2020, 1, 1, i % 24) for i in range(n)], pa.timestamp("us", "UTC")),
        "list": pa.array([[1, 2]] * n),
        "kind": pa.array([rng.choice("xyz") for _ in range(n)]).dictionary_encode(),
        "price": pa.array([decimal.Decimal("1.25")] * n),
    }
    chosen = rng.sample(sorted(columns), rng.randint(1, 6))
    sink = io.BytesIO()
    compression = rng.choice(["none", "snappy", "zstd", "gzip"])
    table = pa.table({name: columns[name] for name in chosen})
    pq.write_table(
        table, sink, compression=compression, write_page_checksum=True, row_group_size=rng.choice([10, 1000])
    )
    return sink.getvalue()


@pytest.mark.parametrize("block", [0, 1, *(pytest.param(block, marks=pytest.mark.slow) for block in (2, 3))])
def test_a_damaged_parquet_file_is_refused_or_read_as_it_was(block: int, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    for seed in range(75 * block, 75 * block + 75):
        rng = random.Random(20_000 + seed)
        good = parquet_bytes(rng)
        whole, broken = tmp_path / "whole.parquet", tmp_path / "broken.parquet"
        whole.write_bytes(good)
        data = bytearray(good)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        else:
            for _ in range(rng.choice([1, 1, 3, 20])):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        broken.write_bytes(bytes(data))
        expected = read_table(whole)
        looked_at(expected)
        table = refused(lambda broken=broken: read_table(broken))
        if table is not None and list(table.columns) == list(expected.columns):
            looked_at(table)
            assert table.astype(str).equals(expected.astype(str)), seed


# Frames with anything in them, and the same table with and without types.


def random_cell(rng: random.Random) -> Any:
    return rng.choice(
        [None, math.nan, math.inf, -math.inf, 0, 1, -7, 2**70, 1.5, 1e308, True, False, "yes", "3", "", "?", "a" * 5000,
         b"bytes", [1, 2], {"a": 1}, (1,), decimal.Decimal("NaN"), decimal.Decimal("1e500"), datetime.date(2020, 1, 2),
         datetime.datetime(9999, 12, 31), datetime.timedelta(days=1), datetime.time(12), 1 + 2j, np.float32(0.1),
         np.datetime64("2020-01-01"), pd.NaT, pd.NA, pd.Timestamp("2020-01-01", tz="Asia/Tokyo"), "\0"]
    )  # fmt: skip


@pytest.mark.parametrize("block", range(2))
def test_a_frame_of_anything_is_looked_at_or_refused(block: int) -> None:
    for seed in range(100 * block, 100 * block + 100):
        rng = random.Random(30_000 + seed)
        rows = rng.randint(0, 20)
        pools = [[random_cell(rng) for _ in range(rng.randint(1, 6))] for _ in range(rng.randint(0, 5))]
        names = [rng.choice(["a", "b", 3, None, "", ("x", "y"), 1.5, "id", "日"]) for _ in pools]
        frame = pd.DataFrame(
            {i: pd.Series([rng.choice(pool) for _ in range(rows)], dtype=object) for i, pool in enumerate(pools)}
        )
        frame.columns = pd.Index(names, dtype=object)
        if rng.random() < 0.5:
            frame = frame.infer_objects()
        table = refused(lambda frame=frame: read_table(frame))
        if table is not None:
            looked_at(table)


def random_series(rng: random.Random, n: int) -> pd.Series:
    kind = rng.randrange(7)
    if kind == 0:
        return pd.Series([rng.choice([math.nan, rng.gauss(0, 1e3), round(rng.random(), 2)]) for _ in range(n)])
    if kind == 1:
        return pd.Series([rng.choice([-1, 0, 1, rng.randrange(10**6)]) for _ in range(n)])
    if kind == 2:
        return pd.Series([rng.random() < 0.5 for _ in range(n)])
    if kind == 3:
        return pd.Series([rng.choice([None, "red", "green", "a,b", "Ä"]) for _ in range(n)])
    if kind == 4:
        day = datetime.datetime(2020, 1, 1)
        return pd.Series(
            [day + datetime.timedelta(days=rng.randrange(500), hours=rng.choice([0, 5])) for _ in range(n)]
        )
    if kind == 5:
        return pd.Series([rng.choice([None, 1, 2, 3]) for _ in range(n)], dtype="Int64")
    return pd.Series([f"code {rng.randrange(30)}" for _ in range(n)], dtype="category")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_means_the_same_with_and_without_types(ending: str, tmp_path: Path) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    for seed in range(60):
        rng = random.Random(40_000 + seed)
        n = rng.randint(5, 60)
        frame = pd.DataFrame({f"c{j}": random_series(rng, n) for j in range(rng.randint(1, 5))})
        path = tmp_path / f"table.{ending}"
        frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path, index=False)
        from_file, typed = read_table(path), read_table(frame)
        columns = infer_columns(typed)
        untyped = infer_columns(from_file)
        for j, (column, other) in enumerate(zip(columns, untyped, strict=True)):
            assert (column.kind, column.use, column.missing, column.distinct) == (
                other.kind, other.use, other.missing, other.distinct), (seed, column, other)  # fmt: skip
            one, two = values_of(typed.iloc[:, j], column), values_of(from_file.iloc[:, j], other)
            if one.dtype == object:
                assert one.tolist() == two.tolist(), seed
            else:
                np.testing.assert_array_equal(one, two)
