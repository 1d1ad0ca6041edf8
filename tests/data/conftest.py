"""Small data on disk, and no network."""

from __future__ import annotations

import gzip
import struct
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

KINDS = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}


def idx_bytes(array: np.ndarray) -> bytes:
    """The contents of an IDX file: the inverse of `read_idx`, written from the format's description."""
    header = struct.pack(f">HBB{array.ndim}I", 0, KINDS[array.dtype.name], array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture
def write_idx() -> Callable[[Path, Any], Path]:
    """Writes an array as an IDX file, compressed if the path ends in .gz."""

    def write(path: Path, array: Any) -> Path:
        data = idx_bytes(np.asarray(array))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
        return path

    return write


@pytest.fixture
def small_mnist(write_idx: Callable[[Path, Any], Path]) -> Callable[[Path], Path]:
    """Fills a folder with six training and two test images of 2 x 3 pixels."""

    def fill(folder: Path, suffix: str = ".gz") -> Path:
        images = np.arange(6 * 2 * 3, dtype=np.uint8).reshape(6, 2, 3) * 7
        write_idx(folder / f"train-images-idx3-ubyte{suffix}", images)
        write_idx(folder / f"train-labels-idx1-ubyte{suffix}", np.array([3, 1, 4, 1, 5, 9], np.uint8))
        write_idx(folder / f"t10k-images-idx3-ubyte{suffix}", images[:2] + 1)
        write_idx(folder / f"t10k-labels-idx1-ubyte{suffix}", np.array([1, 2], np.uint8))
        return folder

    return fill


@pytest.fixture(autouse=True)
def no_network_and_no_data_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests of this room never reach the network, nor what lies on this machine, unless they say so."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise OSError("no network in tests")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CHAINRULE_DATA", raising=False)
