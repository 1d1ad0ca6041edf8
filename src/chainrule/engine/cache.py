"""Compiled programs are kept in the user's cache folder, so that the next process need not compile them again."""

from __future__ import annotations

import functools
import platform
import warnings
import zlib
from pathlib import Path
from typing import Any

from chainrule.files import as_text, cache_folder

#: Programs that compile faster than this (seconds) are not worth a file.
WORTH_KEEPING = 0.2


@functools.cache
def use_compilation_cache() -> None:
    """Turn on JAX's persistent compilation cache, unless the user has set it up or turned it off.

    Programs lie in ``$XDG_CACHE_HOME/chainrule/programs`` or ``~/.cache/chainrule/programs``, in a folder for each kind
    of processor. To keep them elsewhere, set JAX_COMPILATION_CACHE_DIR; to keep none,
    JAX_ENABLE_COMPILATION_CACHE=false.
    """
    import jax

    ignore_cache_warnings()
    config: Any = jax.config
    folder = str(cache_folder() / "programs" / _processor())
    if folder != as_text(folder):
        return  # JAX takes no folder with a name that is not UTF-8: programs are compiled anew
    if config.jax_compilation_cache_dir is None and config.jax_enable_compilation_cache:
        config.update("jax_compilation_cache_dir", folder)
        config.update("jax_persistent_cache_min_compile_time_secs", WORTH_KEEPING)


def ignore_cache_warnings() -> None:
    """Have JAX's warnings about files of its cache ignored: what cannot be read or kept is compiled, and that is all.

    To be called again where the filters of warnings are changed.
    """
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry", UserWarning)


def _processor() -> str:
    """Return the kind of processor: a home folder may be shared by machines, and a program uses what its own can do."""
    lines: list[str] = []
    if (info := Path("/proc/cpuinfo")).is_file():
        lines = [s for s in info.read_text().splitlines() if s.startswith(("flags", "Features", "model name"))]
    features = "\n".join([platform.processor(), *sorted(set(lines))])
    return f"{platform.machine()}-{zlib.crc32(features.encode()):08x}"
