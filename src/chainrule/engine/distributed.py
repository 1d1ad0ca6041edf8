"""A run of several processes, on one host or many: how they find each other, and what happens when one is lost.

Every process runs the same program on its share of each batch; JAX's coordinator (in process 0) tells them of each
other. Process 0 alone writes and speaks.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, PeerError, SettingError

#: Seconds until a process that has not arrived, or is not heard of, counts as lost.
START_TIMEOUT, HEARTBEAT_TIMEOUT = 60, 30

#: Seconds that process 0, which the others hang on, waits before it ends with an error: they may have one of their own.
PARTING = 2.0

LOST = (
    "Another process of this run has ended or cannot be reached. What was saved up to the last checkpoint is kept: "
    "start all processes again to go on from there (resume=True, or --resume DIR)"
)


def start(
    coordinator: str | None = None,
    processes: int | None = None,
    index: int | None = None,
    *,
    start_timeout: float = START_TIMEOUT,
    heartbeat_timeout: int = HEARTBEAT_TIMEOUT,
) -> tuple[int, int]:
    """Join a run of several processes: called once in each, before anything else uses JAX.

    Afterwards `fit` shares every batch among the devices of all processes. Each must call it with the same data and
    settings. Processes talk to each other openly, so the network between them must be one that you trust; nothing
    listens unless this is called, and process 0 listens only at the coordinator's address.

    Parameters
    ----------
    coordinator : "host:port" of process 0, a free port there
    processes, index : how many processes there are, and which this is, from 0. What is None is asked of the cluster's
        environment (Slurm, Open MPI, Kubernetes, TPU), as JAX does it
    start_timeout : seconds within which all processes must have arrived
    heartbeat_timeout : seconds without a sign of life after which a process counts as lost. Then this process prints
        why and ends with exit code 1. (A process that ends breaks its connections: on CPUs that is noticed at once, and
        is a `PeerError`.)

    Returns
    -------
    (index, processes) of this process.

    Raises
    ------
    SettingError : for arguments that cannot be right, or that the environment does not tell
    PeerError : if not all processes have arrived in time

    Example
    -------
    >>> import chainrule as cr
    >>> cr.distributed.start("127.0.0.1:0", processes=2, index=2)
    Traceback (most recent call last):
        ...
    chainrule.errors.SettingError: index is from 0 to 1 for 2 processes, got 2.
    """
    _check(coordinator, processes, index, start_timeout, heartbeat_timeout)
    import jax

    if jax.distributed.is_initialized():
        raise SettingError("This process belongs to a run of several processes already: start is called once.")
    settings: Any = jax.config
    settings.update("jax_enable_preemption_service", False)  # it would keep SIGTERM from ending the process
    bind = os.environ.get("JAX_COORDINATOR_BIND_ADDRESS", coordinator)  # by default it would be every address
    failed: list[Exception] = []
    global _rank_and_size
    _rank_and_size = (index or 0, processes or 2)  # so that nothing asks JAX before it knows

    def join() -> None:
        try:
            jax.distributed.initialize(
                coordinator,
                processes,
                index,
                initialization_timeout=int(start_timeout) + 60,  # it would end the process: ours comes first
                heartbeat_timeout_seconds=heartbeat_timeout,
                shutdown_timeout_seconds=3600,  # the others wait while process 0 evaluates the test part
                coordinator_bind_address=bind,
            )
        except Exception as error:
            failed.append(error)

    _end_at_once()
    thread = threading.Thread(target=join, daemon=True)
    thread.start()
    thread.join(start_timeout)
    if thread.is_alive():
        where = f"at {coordinator} " if coordinator else ""
        raise PeerError(
            f"Not all processes arrived {where}within {start_timeout:g} seconds"
            f"{f' (this is process {index} of {processes})' if index is not None else ''}. Start {processes or 'all'} "
            "of them with the same coordinator and number of processes, each with an index of its own; a firewall "
            "between them must let them through."
        )
    if failed:
        raise SettingError(
            f"A run of several processes could not be started: {str(failed[0]).splitlines()[0]} "
            "Say where process 0 is, how many there are, and which this is: coordinator, processes, index "
            "(--coordinator HOST:PORT --processes N --process-id I)."
        )
    _rank_and_size = (jax.process_index(), jax.process_count())
    return _rank_and_size


def _check(coordinator: str | None, processes: int | None, index: int | None, *timeouts: float) -> None:
    host, _, port = (coordinator or "host:1").rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise SettingError(f'coordinator is "host:port" of process 0, such as "10.0.0.1:9999"; got {coordinator!r}.')
    if processes is not None and processes < 1:
        raise SettingError(f"processes is at least 1, got {processes}.")
    if index is not None and processes is not None and not 0 <= index < processes:
        raise SettingError(f"index is from 0 to {processes - 1} for {processes} processes, got {index}.")
    if min(timeouts) <= 0:
        raise SettingError(f"Timeouts are seconds above 0, got {min(timeouts):g}.")


def rank_and_size() -> tuple[int, int]:
    """Return (index, processes): which process of the run this is, and of how many; (0, 1) for an ordinary run."""
    if _rank_and_size is not None:
        return _rank_and_size
    if "jax" not in sys.modules:
        return 0, 1
    import jax

    return (jax.process_index(), jax.process_count()) if jax.distributed.is_initialized() else (0, 1)


def is_first() -> bool:
    """Return whether this process writes and speaks for the run."""
    return rank_and_size()[0] == 0


def on_first(f: Callable[[], Any]) -> Any:
    """Call f in process 0 only: its result there, None elsewhere; an error there is an error everywhere."""
    if rank_and_size()[1] == 1:
        return f()
    result, error = None, None
    if is_first():
        try:
            result = f()
        except ChainruleError as caught:
            error = caught
    text = _send(str(error).encode() if error is not None else b"").decode()
    if error is not None:
        raise error
    if text:
        raise ChainruleError(f"Process 0 says: {text}")
    return result


def from_first(f: Callable[[], Any]) -> Any:
    """Return ``f()`` of process 0, a value that JSON can hold, in every process."""
    if rank_and_size()[1] == 1:
        return f()
    value = on_first(f)
    return json.loads(_send(json.dumps(value).encode() if is_first() else b""))


def check_same(what: Mapping[str, str]) -> None:
    """Raise unless all processes were told the same: else each would wait for something that the others do not do."""
    first = from_first(lambda: dict(what))
    for name, value in what.items():
        if first.get(name) != value:
            raise SettingError(
                f"This process was given {name} = {value}, and process 0 {first.get(name)}: all processes of a run "
                "take the same settings and data."
            )


def gathered(*numbers: int) -> list[tuple[int, ...]]:
    """Return the numbers of every process, in their order: only those of this one for an ordinary run."""
    if rank_and_size()[1] == 1:
        return [numbers]
    from jax.experimental import multihost_utils

    try:
        rows = multihost_utils.process_allgather(np.array(numbers, np.int32))
    except Exception as error:  # of several kinds, as the moment has it
        raise PeerError(f"{LOST}.\n(JAX says: {str(error).splitlines()[0][:200]})") from None
    return [tuple(int(n) for n in row) for row in np.asarray(rows).reshape(-1, len(numbers))]


@contextlib.contextmanager
def file_of_first(path: Path | None) -> Iterator[Path]:
    """Give a path to the file that process 0 has under ``path``: that path itself there, elsewhere a copy."""
    if rank_and_size()[1] == 1 or is_first():
        assert path is not None
        if rank_and_size()[1] > 1:
            _send(path.read_bytes() if path.is_file() else b"")
        yield path
        return
    content = _send(b"")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "run" / "of_process_0" / "checkpoint"
        copy.parent.mkdir(parents=True)
        if content:
            copy.write_bytes(content)
        yield copy


@contextlib.contextmanager
def losing_a_peer() -> Iterator[None]:
    """Turn what JAX raises when another process is gone into a `PeerError`."""
    if rank_and_size()[1] == 1:
        yield
        return
    import jax

    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        raise PeerError(f"{LOST}.\n(JAX says: {str(error).splitlines()[0][:200]})") from None


def _send(content: bytes) -> bytes:
    """Return the bytes that process 0 gives, in every process."""
    from jax.experimental import multihost_utils

    with losing_a_peer():
        length = int(multihost_utils.broadcast_one_to_all(np.int32(len(content))))
        room = 1 << max(10, length.bit_length())  # few sizes, so few programs to compile
        buffer = np.zeros(room, np.uint8)
        if is_first():
            buffer[:length] = np.frombuffer(content, np.uint8)
        return np.asarray(multihost_utils.broadcast_one_to_all(buffer), np.uint8)[:length].tobytes()


def leave(code: int) -> None:
    """End this process with an exit code if it belongs to a run of several: others may wait for it, it not for them.

    (An ordinary end waits until all processes have come to theirs.)
    """
    index, processes = rank_and_size()
    if processes == 1:
        return
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    if index == 0:
        time.sleep(PARTING)
    os._exit(code)


def _end_at_once() -> None:
    """Let a process that fails, or has lost the others, end without waiting for them.

    JAX's coordination ends a process that has lost the others by abort(), in a thread of its own (client.h of XLA),
    out of reach of Python's exceptions and signal handlers; so C is given a handler that says why and ends with exit
    code 1.
    """
    import ctypes

    def lost(number: int) -> None:
        with contextlib.suppress(Exception):
            print(f"error: {LOST}.", file=sys.stderr, flush=True)
        os._exit(1)

    def uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        show(kind, error, trace)
        leave(130 if issubclass(kind, KeyboardInterrupt) else 1)

    global _handler  # C keeps no reference to it
    show, sys.excepthook = sys.excepthook, uncaught
    _handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(lost)
    with contextlib.suppress(AttributeError, OSError, TypeError):  # where there is no C library to ask
        ctypes.CDLL(None).signal(int(signal.SIGABRT), _handler)


_rank_and_size: tuple[int, int] | None = None
_handler: Any = None
