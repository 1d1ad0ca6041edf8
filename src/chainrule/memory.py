"""How much memory there is, and an error before more than that is taken."""

from __future__ import annotations

import contextlib
from pathlib import Path

from chainrule.errors import ChainruleError, DataError, FileError

__all__ = ["check_memory", "check_numbers", "check_unpacked", "format_bytes", "free_memory", "is_out_of_memory"]

#: What a packed file may unpack to, in sizes of itself, where that is more than LARGE bytes.
MOST_TIMES, LARGE = 200, 1 << 30

#: From so many numbers on it is looked whether there is room for them; making one, at random, takes so many bytes.
MANY, BYTES = 1 << 24, 40


def check_memory(what: str, count: float, advice: str, error: type[ChainruleError] = DataError) -> None:
    """Raise an error if ``count`` bytes are more than this process can still take.

    >>> from chainrule.memory import check_memory
    >>> check_memory("9 photos", 1e18, "Give a smaller size.")
    Traceback (most recent call last):
        ...
    chainrule.errors.DataError: 9 photos: 1,000,000,000.0 GB are needed in memory, and ... Give a smaller size.
    """
    free = free_memory()
    if free is not None and count > free:
        raise error(
            f"{what}: {format_bytes(count)} are needed in memory, and {format_bytes(max(free, 0))} are free. {advice}"
        )


def check_numbers(count: int) -> None:
    """Raise MemoryError before more is taken for numbers, such as weights, than there is.

    A system that hands out more memory than it has ends the process later instead.
    """
    if count > MANY and (free := free_memory()) is not None and count * BYTES > free:
        raise MemoryError(
            f"{count:,} numbers take {format_bytes(4.0 * count)}, and {format_bytes(float(count * BYTES))} while they "
            f"are made; {format_bytes(max(free, 0.0))} are free"
        )


def check_unpacked(path: Path, count: int) -> None:
    """Raise a `FileError` for a packed file that unpacks to ``count`` bytes, if that can only be to fill the memory.

    That is more than LARGE bytes, and more than MOST_TIMES the file's own size.
    """
    packed = path.stat().st_size
    if count > LARGE and count > MOST_TIMES * packed:
        raise FileError(
            f"{path}: {format_bytes(packed)} would unpack to {format_bytes(count)}, more than {MOST_TIMES} times as "
            "much; so a file is made that is to fill the memory, and it is not read. If it is right, unpack it first."
        )


def free_memory() -> float | None:
    """Return the bytes that this process can still take: what the machine, its container and ``ulimit -v`` leave it.

    None where the system does not say. Sources: proc(5), MemAvailable; cgroups(7); getrlimit(2), RLIMIT_AS.
    """
    limits = [free for free in (_of_machine(), _of_container(), _of_process()) if free is not None]
    return min(limits, default=None)


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether Python, NumPy or JAX (whose error is a RuntimeError) had no room."""
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error) or "out of memory" in str(error).lower()


def format_bytes(count: float) -> str:
    """Return a number of bytes in words.

    >>> from chainrule.memory import format_bytes
    >>> format_bytes(3_932_160_000)
    '3.9 GB'
    """
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"


def _of_machine() -> float | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    return None


def _of_container() -> float | None:
    """Control groups in their second version; what files take in them is given back when it is needed."""
    folder = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError, IndexError):
        limit = int((folder / "memory.max").read_text())  # "max" where there is none
        files = [line for line in (folder / "memory.stat").read_text().splitlines() if line.startswith("inactive_file")]
        return float(limit - int((folder / "memory.current").read_text()) + int(files[0].split()[1]))
    return None


def _of_process() -> float | None:
    with contextlib.suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            return float(limit - pages * resource.getpagesize())
    return None
