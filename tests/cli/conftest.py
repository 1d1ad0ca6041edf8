"""A folder to work in, small data, and the command line as a function."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from chainrule.cli.app import app
from chainrule.data import load

Command = Callable[..., Any]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def chainrule() -> Command:
    """``chainrule("train", "iris")`` as typed; checks the exit code (0, or ``code=...``)."""

    def call(*words: Any, code: int = 0) -> Any:
        result = CliRunner().invoke(app, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    return call


@pytest.fixture
def trained(chainrule: Command) -> Path:
    """A run of two epochs on iris."""
    chainrule("train", "iris", "--epochs", 2, "--hidden", 8, "--out", "trained")
    return Path("trained")


@pytest.fixture
def flowers() -> Path:
    """iris as an .npz file with a test part and labels as text."""
    iris = load("iris")
    names = np.array(iris.classes)
    x, y = iris.x, names[iris.y]
    np.savez("flowers.npz", x_train=x[::2], y_train=y[::2], x_test=x[1::2], y_test=y[1::2])
    return Path("flowers.npz")


@pytest.fixture
def idx_folder() -> Path:
    """Some digits as a folder of IDX files, with a test part."""
    digits, folder = load("digits"), Path("small")
    folder.mkdir()
    pixels = np.round(digits.x[:200, ..., 0] * 255)
    for part, rows in (("train", slice(150)), ("t10k", slice(150, 200))):
        write_idx(folder / f"{part}-images-idx3-ubyte", pixels[rows])
        write_idx(folder / f"{part}-labels-idx1-ubyte", digits.y[:200][rows])
    return folder


def write_idx(path: Path, values: Any) -> None:
    array = np.asarray(values, np.uint8)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes())
