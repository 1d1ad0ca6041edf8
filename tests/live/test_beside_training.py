"""The page of a run that is trained: ``--live``, ``fit(live=True)`` and the process that serves it."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

import chainrule as cr
from chainrule.cli.live import PrinterWithPage, listening
from chainrule.errors import SettingError
from chainrule.serving import listen
from chainrule.training.live_page import check_port
from live.conftest import until

TRAIN = "train iris --live --epochs 100000 --engine numpy --hidden 8 --record light --out run".split()


def test_a_command_serves_its_run_and_ctrl_c_ends_both(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment["PYTHONPATH"] = str(Path(cr.__file__).parent.parent)
    command = [sys.executable, "-m", "chainrule", *TRAIN]
    with contextlib.ExitStack() as stack:
        training = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
        stack.enter_context(training)
        stack.callback(training.kill)
        assert training.stderr is not None
        lines = ""
        while not (address := re.search(r"Live: .*:(\d+)/\?key=([\w-]+)", lines)):
            lines += (line := training.stderr.readline())
            assert line, lines
        port, key = address.groups()

        def epochs() -> int:
            connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
            with contextlib.closing(connection):
                connection.request("GET", f"/?key={key}")
                answer = connection.getresponse()
                html = answer.read().decode()
            assert answer.status == 200
            done = re.search(r"epoch ([\d,]+) of 100,000", html)
            return int(done[1].replace(",", "")) if done else 0

        first = until(epochs)
        until(lambda: epochs() > first)
        training.send_signal(signal.SIGINT)
        rest = training.stderr.read()
        assert training.wait(20) == 130
        assert "keeps the run up to step" in rest
        assert "Traceback" not in rest
        with pytest.raises(ConnectionError):
            until(epochs, 5)


def test_fit_serves_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any) -> None:
    served: list[Path] = []
    monkeypatch.setattr(sys.modules["chainrule.training.fit"], "LivePage", served.append)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def fit(**more: Any) -> cr.Run:
        return cr.fit(cr.Dense(3, "softmax"), cr.data.load("iris"), epochs=1, progress=False, live=True, **more)

    run = fit()
    assert served == [run.folder]
    assert run.folder is not None
    assert run.folder.parent == tmp_path
    assert f"The run is written to {run.folder} for its page" in capsys.readouterr().err
    fit(out=tmp_path / "chosen")
    assert served[1] == tmp_path / "chosen"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", ["train", "search"])
def test_options_of_the_page_need_the_page(command: str) -> None:
    for name, value in (("port", 8000), ("open", True)):
        with (
            pytest.raises(SettingError, match=f"--{name} is for the page of --live: add it"),
            listening(command, {name: value}),
        ):
            pass


def test_a_port_in_use_is_told_before_training() -> None:
    address = listen()
    with address.listener:
        with pytest.raises(SettingError, match=f"Port {address.port} cannot be used"):
            check_port(address.port)
        with (
            pytest.raises(SettingError, match="cannot be used"),
            listening("train", {"live": True, "port": address.port}),
        ):
            raise AssertionError("nothing is trained")


class NoProcess:
    """In the place of the process that serves a page: notes what is done with it."""

    is_running = True

    def __init__(self, *_: Any, **__: Any) -> None:
        self.done: list[str] = []

    def wait(self) -> None:
        self.done.append("waited")

    def stop(self) -> None:
        self.done.append("stopped")


@pytest.mark.parametrize(
    ("error", "is_empty", "done"),
    [
        (None, False, ["waited"]),
        (KeyboardInterrupt(), False, ["stopped"]),
        (SettingError("wrong"), False, []),
        (SettingError("wrong"), True, ["stopped"]),
    ],
)
def test_when_the_page_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Any, is_empty: bool, done: list[str]
) -> None:
    monkeypatch.setattr("chainrule.cli.live.LivePage", NoProcess)
    if not is_empty:
        (tmp_path / "config.toml").touch()
    page: Any = None
    with contextlib.suppress(KeyboardInterrupt, SettingError), listening("train", {"live": True}) as listener:
        assert isinstance(listener, PrinterWithPage)
        listener.on_folder(tmp_path)
        page = listener.page
        if error is not None:
            raise error
    assert page.done == done
