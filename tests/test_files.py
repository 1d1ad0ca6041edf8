"""Files that appear whole: their rights, what is not written over; paths that lead nowhere; lines for a terminal."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.display.lines import print_line, printable
from chainrule.errors import FileError, SettingError
from chainrule.files import as_path, as_text, check_apart, check_not_read, check_text, write_atomic
from chainrule.report import write_report


@pytest.fixture
def closed() -> Iterator[None]:
    """New files are for their owner alone."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("closed")
def test_new_files_have_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    write_atomic(tmp_path / "secret", "text")
    assert rights(tmp_path / "secret") == 0o600
    os.umask(0o022)
    write_atomic(tmp_path / "open", "text")
    assert rights(tmp_path / "open") == 0o644


def test_a_file_written_anew_keeps_its_rights(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, "one")
    path.chmod(0o640)
    write_atomic(path, "two")
    assert (path.read_text(), rights(path)) == ("two", 0o640)


@pytest.mark.parametrize("link", ["itself", "symbolic", "hard", "through a folder", "relative"])
def test_what_is_read_is_not_written_over_whatever_it_is_called(
    tmp_path: Path, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data, other = tmp_path / "data.csv", tmp_path / "other.csv"
    data.write_text("a\n1\n")
    if link == "symbolic":
        other.symlink_to(data)
    elif link == "hard":
        other.hardlink_to(data)
    elif link == "through a folder":
        (tmp_path / "folder").symlink_to(tmp_path)
        other = tmp_path / "folder" / "data.csv"
    else:
        other = Path("./data.csv") if link == "relative" else data
    with pytest.raises(FileError, match="is read here"):
        check_not_read(other, data)
    check_not_read("new.csv", data, None, "digits", "no\0name")


def test_a_file_in_a_folder_that_is_read_is_not_written_over(tmp_path: Path) -> None:
    picture = tmp_path / "pictures" / "cat" / "1.png"
    picture.parent.mkdir(parents=True)
    picture.touch()
    with pytest.raises(FileError, match=r"1\.png is read here"):
        check_not_read(picture, tmp_path / "pictures")
    check_not_read(picture.with_name("2.png"), tmp_path / "pictures")


def test_a_run_gets_a_folder_apart_from_its_data(tmp_path: Path) -> None:
    pictures, table = tmp_path / "pictures", tmp_path / "tables" / "data.csv"
    (pictures / "cat").mkdir(parents=True)
    table.parent.mkdir()
    table.touch()
    (tmp_path / "link").symlink_to(pictures)
    for folder in (pictures, pictures / "run", tmp_path, tmp_path / "link" / "run"):
        with pytest.raises(FileError, match="a folder of its own"):
            check_apart(folder, pictures)
    with pytest.raises(FileError, match="a folder of its own"):
        check_apart(table.parent, table)
    check_apart(tmp_path / "run", pictures, table, "digits", None)


@pytest.mark.parametrize(
    "character", ["\x1b", "\x07", "\r", "\x7f", "\x9b", "\u202e", "\u2066", "\u200f", "\u2028", "\ud800"]
)
def test_characters_that_a_terminal_obeys_are_escaped(character: str) -> None:
    out = io.StringIO()
    print_line(f"a{character}b", out)
    assert out.getvalue() == f"a\\u{ord(character):04x}b\n"


def test_text_of_every_script_stays_as_it_is() -> None:
    text = "Zoë, 東京, Київ, नमस्ते, 👩\u200d🔬, a\tb\nc"
    assert printable(text) == text


class TestPaths:
    """Names that no system, or no file of settings, can take."""

    def test_links_in_a_circle(self, tmp_path: Path) -> None:
        (tmp_path / "loop").symlink_to("loop")
        for path in tmp_path / "loop", tmp_path / "loop" / "x":
            with pytest.raises(FileError, match="circle"):
                as_path(path)
            with pytest.raises(FileError, match="circle"):
                write_atomic(path, "")

    def test_what_is_not_there_is_a_path(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        for path in tmp_path / "new", tmp_path / "no" / "new", tmp_path / "file" / "x":
            assert as_path(path) == path

    @pytest.mark.parametrize(
        ("path", "words"), [("a\0b", "NUL"), ("~nosuchuser/x", "no user"), ("x" * 300, "too long")]
    )
    def test_paths_that_lead_nowhere(self, path: str, words: str) -> None:
        with pytest.raises(FileError, match=words):
            as_path(path)

    def test_text_that_is_not_utf_8_is_written_as_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(FileError, match=r"caf\\xe9"):
            write_atomic(tmp_path / "x", "caf\udce9")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "value", ["caf\udce9", {"caf\udce9": "text"}, {"a": {"b": ["caf\udce9"]}}, ("x", "caf\udce9")]
    )
    def test_settings_that_are_not_utf_8(self, value: Any) -> None:
        with pytest.raises(SettingError, match=r"name: caf\\xe9 is not UTF-8"):
            check_text({"name": value})

    def test_every_half_of_a_character_becomes_text(self) -> None:
        assert as_text("\ud800\udc41\udcff\u00e9") == "\\ud800\\udc41\\xffé"


DOORS: dict[str, Callable[[str], object]] = {
    "load": cr.data.load,
    "load npz": lambda path: cr.data.load(f"{path}.npz"),
    "data_dir": lambda path: cr.data.load("mnist", path),
    "read_npz": cr.data.read_npz,
    "read_idx": cr.data.read_idx,
    "read_idx_folder": cr.data.read_idx_folder,
    "read_image_folder": cr.data.read_image_folder,
    "stream": lambda path: cr.data.stream(f"{path}.npy", np.zeros(3)),
    "targets": lambda path: cr.data.stream(np.zeros((3, 2)), f"{path}.npy"),
    "table": lambda path: cr.Table.read(f"{path}.csv", "y"),
    "load_model": cr.load_model,
    "save": lambda path: MODEL.save(path),
    "onnx": lambda path: cr.export.check_onnx(MODEL, path),
    "torch": lambda path: cr.export.save_torch_weights(MODEL, path),
    "fit": lambda path: cr.fit(cr.Dense(2, "softmax"), DATA, epochs=1, progress=False, engine="numpy", out=path),
    "population": lambda path: cr.fit_population(
        cr.Dense(2, "softmax"), DATA, 2, epochs=1, progress=False, engine="numpy", out=path
    ),
    "search": lambda path: cr.search(
        cr.Dense(2, "softmax"),
        DATA,
        {"optimizer.lr": cr.log_uniform(1e-3, 0.1)},
        trials=2,
        validation=0.5,
        epochs=1,
        progress=False,
        study=path,
    ),
    "report": write_report,
    "picture": lambda path: cr.augment.preview(np.zeros((4, 5, 5, 1)), "shift:1", path=path),
}
DATA = (np.arange(8.0).reshape(4, 2), [0, 1, 0, 1])
MODEL = cr.Model(cr.Dense(2), 3)


@pytest.mark.parametrize("door", DOORS)
def test_every_door_refuses_paths_that_lead_nowhere(door: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for ending in "", ".npz", ".npy", ".csv":
        (tmp_path / f"loop{ending}").symlink_to(f"loop{ending}")
    for path in "a\0b", "loop":
        with pytest.raises(cr.ChainruleError, match=r"NUL|circle"):
            DOORS[door](path)
