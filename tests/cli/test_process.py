"""The command as a process: exit codes, what goes where, Ctrl-C, pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import chainrule

SOURCE = Path(chainrule.__file__).parent.parent
COMMAND = [sys.executable, "-m", "chainrule"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONIOENCODING": "utf-8"}


def run(*words: Any, **settings: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, words)], capture_output=True, text=True, env=environment(), check=False, **settings
    )


def test_help_and_version_need_no_numpy() -> None:
    code = (
        "import sys\nfrom chainrule.cli.app import app\n"
        "try: app(sys.argv[1:], prog_name='chainrule')\n"
        "except SystemExit: pass\n"
        "print(*sorted({'numpy', 'rich', 'jax', 'sklearn'} & set(sys.modules)), file=sys.stderr)"
    )
    for words in (["--help"], ["train", "--help"], ["--version"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, env=environment(), check=True
        )
        assert done.stdout
        assert done.stderr.strip() == ""


def test_version() -> None:
    assert run("--version").stdout == f"chainrule {chainrule.__version__}\n"


def test_data_goes_to_standard_output_and_messages_to_standard_error(trained: Path) -> None:
    done = run("predict", trained, "iris")
    assert done.returncode == 0
    assert done.stdout.startswith("index,prediction\n")
    assert "index" not in done.stderr


def test_an_error_is_one_message_and_a_code(trained: Path) -> None:
    done = run("predict", trained, "irsi")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: There is no data set, file or folder 'irsi'; did you mean 'iris'?")
    assert "Traceback" not in done.stderr
    done = run("--debug", "predict", trained, "irsi")
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_a_place_that_cannot_be_written_to_is_an_error() -> None:
    Path("file").write_text("")
    done = run("train", "iris", "--epochs", 1, "--out", "file/run")
    assert done.returncode == 2
    assert "error: Could not make a folder for the run" in done.stderr


def test_a_reader_that_goes_away_gets_no_traceback(trained: Path) -> None:
    words = [*COMMAND, "predict", str(trained), "iris"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another signal there")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_after_an_interrupt_the_run_goes_on_from_its_last_step(number: int, code: int, chainrule: Any) -> None:
    words = [*COMMAND, "train", "iris", "--epochs", "100000", "--engine", "numpy", "--out", "long", "--keep", "2"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment()) as process:
        end = time.monotonic() + 60
        while not Path("long/metrics.jsonl").exists() and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(number)
        _, message = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in message
    done = len(Path("long/metrics.jsonl").read_text().splitlines())
    assert "To go on: chainrule train --resume long" in message
    assert "unfinished" in chainrule("runs", ".").stdout
    resumed = chainrule("train", "--resume", "long", "--epochs", done + 2, "--checkpoint-every", 3, "--keep", 1)
    assert f"Going on with long after epoch {done}." in resumed.stderr
    assert len(Path("long/metrics.jsonl").read_text().splitlines()) == done + 2
    assert len(list(Path("long/checkpoints").glob("step-*"))) == 1


def test_a_run_that_cannot_be_saved_fails() -> None:
    code = (
        "import os, errno, sys\nfrom chainrule.cli import main\nreplace = os.replace\n"
        "def full(source, target):\n"
        "    if str(target).endswith('.safetensors'): raise OSError(errno.ENOSPC, 'No space left on device')\n"
        "    replace(source, target)\n"
        "os.replace = full\nsys.argv[0] = 'chainrule'\nmain()"
    )
    words = [sys.executable, "-c", code, "train", "iris", "--epochs", "2", "--engine", "numpy", "--out", "full"]
    done = subprocess.run(words, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 1
    assert "warning: Could not write full/checkpoints/step-" in done.stderr
    assert "error: The run has ended, but could not be saved. Could not write full/model.safetensors" in done.stderr
    assert "Traceback" not in done.stderr
