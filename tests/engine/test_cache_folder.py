"""The folder for compiled programs."""

from __future__ import annotations

import os
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
