"""A shell completes commands, options, and the values that have names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import chainrule

SOURCE = Path(chainrule.__file__).parent.parent
HEAVY = {"jax", "optuna", "pandas", "PIL", "pyarrow", "rich", "scipy", "sklearn"}


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONIOENCODING": "utf-8", **more}


def completed(*words: str, shell: str = "bash") -> list[str]:
    """What a shell is offered for the last of the words, in a process of its own."""
    code = (
        "import sys\nfrom chainrule.cli.app import app\n"
        "try: app(prog_name='chainrule')\n"
        "except SystemExit: pass\n"
        f"print(*sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    number = words[-1] if shell == "fish" else str(len(words))
    asked = {"COMP_WORDS": " ".join(["chainrule", *words]), "COMP_CWORD": number}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment(_CHAINRULE_COMPLETE=f"{shell}_complete", **asked),
    )
    assert done.stderr.strip() == "", "a heavy library was imported"
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("tr",), {"plain,train"}),
        (("train", "--early"), {"plain,--early-stopping"}),
        (("train", "di"), {"plain,digits", "plain,diabetes", "file,di"}),
        (("train", "iris", "--optimizer", "ada"), {"plain,adagrad", "plain,adam", "plain,adamw"}),
        (("train", "iris", "--preset", "c"), {"plain,cnn"}),
        (("train", "iris", "--activation", "sigm"), {"plain,sigmoid"}),
        (("train", "iris", "--loss", "hub"), {"plain,huber"}),
        (("search", "iris", "--sampler", "so"), {"plain,sobol"}),
        (("train", "iris", "--config", "c"), {"file,c"}),
        (("train", "iris", "--out", "r"), {"dir,r"}),
        (("predict", "last"), {"plain,last-year", "file,last"}),
        (("completion", ""), {"plain,bash", "plain,fish", "plain,zsh"}),
    ],
)
def test_words_are_completed(words: tuple[str, ...], offered: set[str]) -> None:
    Path("runs/last-year").mkdir(parents=True)
    assert set(completed(*words)) == offered


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_offered_the_same(shell: str) -> None:
    lines = completed("train", "iris", "--optimizer", "adamw", shell=shell)
    assert any("adamw" in line for line in lines)


def test_names_are_those_that_there_are() -> None:
    from chainrule.cli.completion import KINDS
    from chainrule.engine import PRECISIONS
    from chainrule.experiments.presets import PRESETS
    from chainrule.tuning.samplers import NAMES as SAMPLERS
    from chainrule.tuning.stages import NAMES as STAGES

    assert set(KINDS["presets"]()) == {"auto", *PRESETS}
    assert set(KINDS["precisions"]()) == set(PRECISIONS)
    assert set(KINDS["samplers"]()) == set(SAMPLERS)
    assert set(KINDS["stages"]()) == set(STAGES)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_command_prints_what_the_shell_reads(chainrule: Any, shell: str) -> None:
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("click asks bash for its version")
    assert f"_CHAINRULE_COMPLETE={shell}_complete" in chainrule("completion", shell).stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
@pytest.mark.parametrize(
    ("typed", "completed_to"),
    [("train iris --schedule cos", "cosine"), ("train dig", "digits")],
    ids=["option", "data"],
)
def test_bash_completes_what_is_typed(tmp_path: Path, typed: str, completed_to: str) -> None:
    program = tmp_path / "bin" / "chainrule"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m chainrule "$@"\n')
    program.chmod(0o755)
    code = (
        'eval "$(chainrule completion bash)"\n'
        "complete -p chainrule\n"
        f"COMP_WORDS=(chainrule {typed})\nCOMP_CWORD={len(typed.split())}\n"
        "_chainrule_completion chainrule\nprintf '%s\\n' \"${COMPREPLY[@]}\""
    )
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True, env=environment(PATH=path))
    assert done.stdout.splitlines()[-1] == completed_to
    assert "_chainrule_completion chainrule" in done.stdout
