"""Rows that stay in a file: what is read equals what was written, and what cannot be read is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import Standardizer, stream
from chainrule.data import rows as rows_module
from chainrule.data.rows import Ready
from chainrule.errors import ChainruleError, DataError, FileError, SettingError

rng = np.random.default_rng(0)
table = rng.normal(size=(50, 4)).astype(np.float32)
labels = np.array(["a", "b", "c"])[rng.integers(0, 3, 50)]


def saved(path: Path, array: Any) -> Path:
    np.save(path, array)
    return path


def parquet(path: Path, columns: dict[str, Any], rows: int = 16) -> Path:
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    pyarrow.parquet.write_table(arrow.table(columns), path, row_group_size=rows)
    return path


def named(array: np.ndarray) -> dict[str, Any]:
    return {f"c{j}": column for j, column in enumerate(array.T)}


KINDS = {
    "float32": table,
    "float64": table.astype(np.float64),
    "big endian": table.astype(">f4"),
    "bytes": rng.integers(0, 255, (50, 4)).astype(np.uint8),
    "halves": table.astype(np.float16),
    "images": rng.normal(size=(50, 3, 2, 1)).astype(np.float32),
}


@pytest.mark.parametrize("array", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("how", ["file", "map", "copy on write", "strided map", "array"])
def test_any_rows_equal_those_of_the_array(array: np.ndarray, how: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "x.npy", array)
    source: Any = path
    if how == "strided map":
        source, array = np.load(path, mmap_mode="r")[::2], array[::2]
    elif how != "file":
        source = np.load(path, mmap_mode={"map": "r", "copy on write": "c"}.get(how))
    x = stream(source).x
    usual = cr.data.check_features(np.array(array))
    assert (x.shape, x.dtype) == (usual.shape, usual.dtype)
    for start, stop in ((0, len(array)), (0, 1), (3, 17), (len(array) - 1, len(array)), (5, 5)):
        rows = x.read(start, stop)
        assert type(rows) is np.ndarray
        assert rows.dtype == usual.dtype
        np.testing.assert_array_equal(rows, usual[start:stop])


def test_what_was_written_to_a_copy_on_write_map_is_read(tmp_path: Path) -> None:
    mapped = np.load(saved(tmp_path / "x.npy", table), mmap_mode="c")
    mapped[7] = 1.0
    x = stream(mapped).x
    x.read(0, 50)
    assert x.read(7, 8).tolist() == [[1.0] * 4]


def test_parquet(tmp_path: Path) -> None:
    path = parquet(tmp_path / "t.parquet", named(table[:, :3]) | {"label": labels, "flag": table[:, 3] > 0})
    data = stream(path, target="label")
    assert data.y.tolist() == labels.tolist()
    assert data.x.dtype == np.float32
    usual = np.column_stack([table[:, :3], table[:, 3] > 0])
    for start, stop in ((0, 50), (0, 1), (15, 17), (16, 32), (3, 49), (49, 50), (20, 20)):
        np.testing.assert_array_equal(data.x.read(start, stop), usual[start:stop])
    wide = parquet(tmp_path / "w.parquet", named(table.astype(np.float64)))
    assert stream(wide, labels).x.read(0, 2).dtype == np.float64


def test_chosen_rows_and_ready_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "CHUNK", 12)  # three rows at once
    x = stream(saved(tmp_path / "x.npy", table)).x
    at = np.array([0, 1, 5, 6, 7, 30, 49])
    some = x[at]
    assert some.shape == (7, 4)
    np.testing.assert_array_equal(some.read(0, 7), table[at])
    np.testing.assert_array_equal(some.read(2, 6), table[at[2:6]])
    scale = Standardizer.fit(table)
    np.testing.assert_array_equal(Ready(some, scale.__call__, "float32").read(1, 7), scale(table[at[1:]]))
    assert Ready(some, lambda rows: rows, "float64").read(0, 1).dtype == np.float64


@pytest.mark.parametrize("array", [KINDS["float32"], KINDS["float64"], KINDS["images"]], ids=["f4", "f8", "images"])
def test_the_standardizer_of_a_file_is_that_of_the_array(array: np.ndarray, tmp_path: Path) -> None:
    array = np.tile(array, (300, *[1] * (array.ndim - 1))) * 3 + 7
    x = stream(saved(tmp_path / "x.npy", array)).x
    file, memory = Standardizer.fit(x), Standardizer.fit(array)
    np.testing.assert_array_equal(file.mean, memory.mean)
    np.testing.assert_array_equal(file.std, memory.std)
    axes = tuple(range(array.ndim - 1))
    tolerance = 1e-6 if array.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(file.mean, array.mean(axis=axes, dtype=np.float64), rtol=tolerance)
    np.testing.assert_allclose(file.std, array.std(axis=axes, dtype=np.float64), rtol=tolerance)


def test_the_standardizer_merges_blocks_that_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.data import standardize

    x = np.concatenate([rng.normal(-1e3, 1, (40, 2)), rng.normal(5e3, 20, (27, 2))])
    monkeypatch.setattr(standardize, "CHUNK", 10)  # blocks of five rows
    standardizer = Standardizer.fit(x)
    np.testing.assert_allclose(standardizer.mean, x.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(standardizer.std, x.std(axis=0), rtol=1e-13)


def not_npy(path: Path) -> Path:
    path.write_text("1,2,3")
    return path


def cut(path: Path) -> Path:
    saved(path, table)
    path.write_bytes(path.read_bytes()[:-5])
    return path


def archive(path: Path) -> Path:
    np.savez(path.with_suffix(".npz"), x=table)
    return path.with_suffix(".npz")


@pytest.mark.parametrize(
    ("make", "kind", "says"),
    [
        (lambda p: p, FileError, r"x\.npy does not exist; expected an \.npy file"),
        (lambda p: p.parent, FileError, "is a folder"),
        (not_npy, FileError, r"is not an \.npy file.*found 31 2c"),
        (archive, FileError, r"is an \.npz archive.*np\.save"),
        (cut, FileError, "is truncated: .* takes 928 bytes, it has 923"),
        (lambda p: saved(p, table.astype(object)), FileError, r"Python objects.*astype\('float32'\)"),
        (lambda p: saved(p, np.asfortranarray(table)), FileError, "Fortran.*ascontiguousarray"),
        (lambda p: saved(p, table.astype(str)), DataError, "holds text; expected numbers"),
        (lambda p: saved(p, table * 1j), DataError, "holds complex numbers; expected numbers"),
        (lambda p: saved(p, table[:, 0]), DataError, r"has shape \(50,\)"),
        (lambda p: saved(p, table[:0]), DataError, r"has shape \(0, 4\)"),
        (lambda p: saved(p, table[:49]), DataError, "x has 49 rows and y has 50"),
    ],
)
def test_features_that_cannot_be_streamed(make: Any, kind: type[ChainruleError], says: str, tmp_path: Path) -> None:
    with pytest.raises(kind, match=says):
        stream(make(tmp_path / "x.npy"), labels)


@pytest.mark.parametrize(
    ("columns", "target", "says"),
    [
        (
            {"a": [1.0, 2.0], "word": ["x", "y"], "label": [0, 1]},
            "label",
            "column 'word' holds string.*Leave the column",
        ),
        ({"a": [1.0, 2.0], "label": [0, 1]}, "lable", "no column 'lable'; did you mean 'label'"),
        ({"label": [0, 1]}, "label", r"has shape \(2, 0\)"),
        ({"a": [1.0, None], "label": [0, 1]}, "label", "1 missing value in the column 'a'.*row 1"),
        ({"a": [1.0, float("inf")], "b": [1, 2], "label": [0, 1]}, "label", r"\(inf\) in row 1, column 0 \('a'\)"),
    ],
)
def test_tables_that_cannot_be_streamed(columns: dict[str, Any], target: str, says: str, tmp_path: Path) -> None:
    path = parquet(tmp_path / "t.parquet", columns)
    with pytest.raises(DataError, match=says):
        stream(path, target=target).x.read(0, 2)


def test_a_file_that_is_no_table(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(FileError, match=r"t\.parquet is a damaged Parquet file, or none"):
        stream(not_npy(tmp_path / "t.parquet"), target="label")
    with pytest.raises(FileError, match="does not exist; expected a Parquet file"):
        stream(tmp_path / "none.parquet", target="label")


def test_values_that_are_not_finite_are_found_where_they_are(tmp_path: Path) -> None:
    wrong = np.array(table)
    wrong[33, 2] = np.nan
    x = stream(saved(tmp_path / "x.npy", wrong)).x
    x.read(0, 33)
    with pytest.raises(DataError, match=r"x\.npy .*not finite: .*\(nan\) in row 33, column 2"):
        x.read(30, 40)


def test_targets_and_their_place(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.npy", table)
    assert stream(path, saved(tmp_path / "y.npy", labels)).y.tolist() == labels.tolist()
    with pytest.raises(FileError, match=r"none\.npy does not exist"):
        stream(path, tmp_path / "none.npy")
    with pytest.raises(FileError, match=r"y\.npy is not an \.npy file"):
        stream(path, not_npy(tmp_path / "y.npy"))
    with pytest.raises(SettingError, match="a column of a Parquet file"):
        stream(path, target="label")
    with pytest.raises(SettingError, match="not both"):
        stream(tmp_path / "t.parquet", labels, target="label")


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.npy", table)
    x = stream(path).x
    cut(path)
    with pytest.raises(FileError, match="shorter"):
        x.read(40, 50)
    path.unlink()
    with pytest.raises(FileError, match="cannot be read"):
        x.read(0, 1)
