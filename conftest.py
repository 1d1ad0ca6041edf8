"""Doctests run in a folder of their own, and what JAX compiles is kept in one: both go away with it."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile

import pytest

collect_ignore = ["tests/training/sharing.py", "tests/training/killed.py"]  # run in processes of their own

if "PYTEST_XDIST_WORKER" not in os.environ:  # one for all workers, which inherit the variable
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="chainrule-tests-")
    atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)


# Otherwise each of the many processes that tests start compiles the whole package, and each worker all tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(autouse=True)
def _doctests_write_elsewhere(request: pytest.FixtureRequest) -> None:
    if isinstance(request.node, pytest.DoctestItem):
        request.getfixturevalue("monkeypatch").chdir(request.getfixturevalue("tmp_path"))
