"""Files that appear whole: their rights, and what is not written over; lines for people: what a terminal obeys."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from chainrule.display import print_line, printable
from chainrule.errors import FileError
from chainrule.files import check_apart, check_not_read, write_atomic


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
