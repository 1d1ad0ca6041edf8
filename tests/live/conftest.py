"""A run that goes on while tests look at it: one that has ended, without its end."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule import serving
from chainrule.live import server
from chainrule.live.server import Live, source_of
from chainrule.runs.files import METRICS, MODEL, OUTCOME
from report.browser import Browser, find_chromium

EPOCHS = 6


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that has ended, with all that a command writes."""
    folder = tmp_path_factory.mktemp("runs") / "flowers"
    cr.train("iris", epochs=EPOCHS, hidden=(8,), out=folder)
    return folder


@dataclass
class Growing:
    """A run that has done some epochs, and does the next one when it is asked to."""

    folder: Path
    whole: Path

    def epoch(self) -> None:
        done = len((self.folder / METRICS).read_text().splitlines())
        line = (self.whole / METRICS).read_text().splitlines()[done]
        with open(self.folder / METRICS, "a") as file:
            file.write(line + "\n")

    def end(self) -> None:
        for name in (METRICS, MODEL, *OUTCOME):
            shutil.copy(self.whole / name, self.folder / name)


@pytest.fixture
def growing(finished: Path, tmp_path: Path) -> Growing:
    """The run after its second epoch."""
    run = Growing(tmp_path / "flowers", finished)
    shutil.copytree(finished, run.folder, ignore=shutil.ignore_patterns(METRICS, MODEL, *OUTCOME))
    (run.folder / METRICS).touch()
    run.epoch()
    run.epoch()
    return run


@dataclass
class Page:
    """The page of a server, asked for as a browser would."""

    address: serving.Address
    live: Live

    def __call__(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.address.port, timeout=20)
        connection.request("GET", path, headers={"Cookie": f"{self.address.cookie}={self.address.key}"})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    @contextlib.contextmanager
    def stream(self, path: str = "/events") -> Iterator[Callable[[], dict[str, Any]]]:
        """Open the stream of events; gives a function that waits for the next one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.address.port, timeout=20)
        connection.request("GET", path, headers={"Cookie": f"{self.address.cookie}={self.address.key}"})
        answer = connection.getresponse()

        def next_event() -> dict[str, Any]:
            while True:
                line = answer.readline().decode()
                assert line, "the stream has ended"
                if line.startswith("data: "):
                    return json.loads(line.removeprefix("data: "))

        try:
            yield next_event
        finally:
            answer.close()
            connection.close()


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Page]]:
    """Start the server of a folder's live page, in a thread; it ends with the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(server, "PAUSE", 0.05)
    lives, threads = [], []

    def call(folder: Path, port: int | None = None) -> Page:
        live, address = Live(source_of(folder), waits_for_page=True), serving.listen(port)
        app = serving.application(live.routes(), address)
        thread = threading.Thread(target=serving.run, args=(app, address, "Live", live.until))
        thread.start()
        lives.append(live)
        threads.append(thread)
        return Page(address, live)

    yield call
    for live in lives:
        live.is_over = lambda: True  # type: ignore[method-assign]
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("needs Chromium: none was found by its name in PATH")
    with Browser(program, tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)
    return value
