"""Compiled programs are kept in the user's cache folder, so that the next process need not compile them again."""

from __future__ import annotations

import functools
from typing import Any

from chainrule.files import cache_folder

#: Programs that compile faster than this (seconds) are not worth a file.
WORTH_KEEPING = 0.2


@functools.cache
def use_compilation_cache() -> None:
    """Turn on JAX's persistent compilation cache, unless the user has set it up or turned it off.

    Programs lie in ``$XDG_CACHE_HOME/chainrule/programs`` or ``~/.cache/chainrule/programs``. To keep them elsewhere,
    set JAX_COMPILATION_CACHE_DIR; to keep none, JAX_ENABLE_COMPILATION_CACHE=false.
    """
    import jax

    config: Any = jax.config
    if config.jax_compilation_cache_dir is None and config.jax_enable_compilation_cache:
        config.update("jax_compilation_cache_dir", str(cache_folder() / "programs"))
        config.update("jax_persistent_cache_min_compile_time_secs", WORTH_KEEPING)
