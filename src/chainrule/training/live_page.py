"""``live``: the page of a run while it goes on, in a process of its own, so that training never waits for a picture."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from chainrule.display.lines import print_line
from chainrule.errors import SettingError


class LivePage:
    """A process that serves the page of a run's folder.

    It ends by itself, 30 s after the run has ended and the last page was closed.
    """

    def __init__(self, folder: Path, port: int | None = None, *, open_browser: bool = False) -> None:
        command = [sys.executable, "-m", "chainrule", "watch", str(folder.resolve()), "--of-training"]
        command += ["--port", str(port)] if port is not None else []
        command += ["--open"] if open_browser else []
        # Apart from this process: Ctrl-C ends the training first, and the page shows how it ended.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Print what the process says, and wait for its end."""
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                print_line(line.rstrip("\n"))
        self._process.wait()

    @property
    def is_running(self) -> bool:
        """Whether the page can be opened."""
        return self._reader.is_alive()

    def wait(self) -> None:
        """Wait until the page was closed, and 30 s more; Ctrl-C ends it."""
        try:
            while self._reader.is_alive():
                self._reader.join(0.2)
        except KeyboardInterrupt:
            self.stop()

    def stop(self) -> None:
        """End it now."""
        with contextlib.suppress(OSError):
            self._process.terminate()
        self._reader.join(5)


def check_port(port: int | None) -> None:
    """Refuse a port that is in use, before anything is trained."""
    if port is None:
        return
    if not 1 <= port <= 65535:
        raise SettingError(f"--port is a number from 1 to 65535, got {port}.")
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise SettingError(f"Port {port} cannot be used ({os.strerror(error.errno or 0)}): take another.") from None
