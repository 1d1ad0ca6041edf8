"""The folder for compiled programs."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest

from chainrule.engine import cache


def test_a_cache_folder_whose_name_is_not_utf_8_keeps_no_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jax = pytest.importorskip("jax")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / os.fsdecode(b"caf\xe9")))
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    try:
        cache.use_compilation_cache.__wrapped__()
        assert jax.config.jax_compilation_cache_dir is None
    finally:
        jax.config.update("jax_compilation_cache_dir", before)


@pytest.mark.parametrize("fails", ["get_executable_and_time", "put_executable_and_time"])
def test_files_of_the_cache_that_cannot_be_used_are_no_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    jax = pytest.importorskip("jax")
    from jax._src import compilation_cache

    calls = []

    def damaged(*_: object, **__: object) -> None:
        calls.append(fails)
        raise OSError("damaged, or on a full disk")

    monkeypatch.setattr(compilation_cache, fails, damaged)
    cache.use_compilation_cache()
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            cache.ignore_cache_warnings()
            factor = 3.0 if fails.startswith("get") else 5.0  # a program that is not in the cache yet
            assert jax.jit(lambda x: x * factor + 0.25)(1.0) == factor + 0.25
    finally:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", cache.WORTH_KEEPING)
    assert calls
