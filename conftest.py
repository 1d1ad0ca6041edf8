"""Doctests run in a folder of their own, and what a test run compiles is kept in one: both go away with it."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

import pytest

collect_ignore = ["tests/training/sharing.py", "tests/training/killed.py"]  # run in processes of their own

if "PYTEST_XDIST_WORKER" not in os.environ:  # one for all workers, which inherit the variable
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="chainrule-tests-")
    atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)


@pytest.fixture(autouse=True)
def _doctests_write_elsewhere(request: pytest.FixtureRequest) -> None:
    if isinstance(request.node, pytest.DoctestItem):
        request.getfixturevalue("monkeypatch").chdir(request.getfixturevalue("tmp_path"))
