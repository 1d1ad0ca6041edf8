"""A Python script in a process of its own: what it said, its peak memory, and how long it took."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finished:
    """A process that came to its end."""

    out: str
    peak_mb: float
    seconds: float  # from its start to its end


def environment(device: str, cache: Path, threads: int) -> dict[str, str]:
    """The environment of a child: its device, its threads, and where it keeps compiled programs."""
    return os.environ | {
        "JAX_PLATFORMS": "cuda" if device == "gpu" else "cpu",
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "XDG_CACHE_HOME": str(cache),
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
    }


def run(arguments: list[str], env: dict[str, str], limit: float) -> Finished:
    """Run Python with these arguments for at most so many seconds. Raises RuntimeError with its last line of error."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        before = time.perf_counter()
        child = subprocess.Popen([sys.executable, *arguments], stdout=out, stderr=errors, env=env)
        alarm = threading.Timer(limit, child.kill)
        alarm.start()
        _, status, used = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - before
        alarm.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        if child.returncode:
            said = [line.strip() for line in errors if line.strip()]
            raise RuntimeError(f"stopped after {limit:.0f} s" if seconds > limit else said[-1] if said else "died")
        return Finished(out.read(), used.ru_maxrss / 1024, seconds)
