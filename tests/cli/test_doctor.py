"""`chainrule doctor`: for data and for runs, with its files and exit codes; and what is no use together is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import doctor as command
from chainrule.symptoms import Cause, Finding, Fix, Stage

CHECKS_ALONE = ("--no-trials",)
QUICK = ("--engine", "numpy", "--epochs", 2, "--hidden", 4)

ALARM = Finding("by_heart", "alarm", "16 rows are not learnt by heart", causes=("lr_high",))
ILL = cr.Diagnosis(
    (Cause("lr_high", 0.9, (ALARM,), fix=Fix("a tenth of the rate")),), (ALARM,), (Stage("checks", 0.1),)
)


@pytest.fixture
def ill(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Whatever is examined is ill; gives what was asked for."""
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(command, "diagnose_data", lambda settings, typed, **how: asked.append(how) or ILL)
    monkeypatch.setattr(command, "diagnose_folder", lambda run, data, **how: asked.append({"data": data} | how) or ILL)
    return asked


def test_data_is_examined_as_train_would_train_it(chainrule: Any) -> None:
    done = chainrule("doctor", "iris", *CHECKS_ALONE, *QUICK)
    assert done.stdout.startswith("Nothing ")
    assert "Not tried: trials" in done.stdout
    assert not Path("runs").exists()


def test_the_text_goes_to_standard_output_and_files_are_written(chainrule: Any, ill: Any) -> None:
    done = chainrule("doctor", "iris", "--json", "d.json", "--html", "d.html", "--budget", 7)
    assert done.stdout == f"{ILL.summary()}\n"
    assert ill[0]["budget"] == 7.0
    assert json.loads(Path("d.json").read_text())["alarm"] is True
    assert "the learning rate is too high" in Path("d.html").read_text()


def test_strict_ends_with_1_on_an_alarm_and_only_then(chainrule: Any, ill: Any) -> None:
    chainrule("doctor", "iris", code=0)
    chainrule("doctor", "iris", "--strict", code=1)


def test_a_healthy_run_ends_with_0_also_if_strict(chainrule: Any) -> None:
    chainrule("doctor", "iris", "--strict", *CHECKS_ALONE, *QUICK, code=0)


def test_a_run_gets_its_diagnosis_and_a_section_of_its_page(chainrule: Any, trained: Path) -> None:
    assert 'id="diagnosis"' not in (trained / "report.html").read_text()
    done = chainrule("doctor", trained, *CHECKS_ALONE)
    assert done.stdout.startswith("Nothing ")
    assert cr.Diagnosis.load(trained / "diagnosis.json").alarm is False
    assert 'id="diagnosis"' in (trained / "report.html").read_text()
    assert f"Written: {trained / 'diagnosis.json'}" in done.stderr
    chainrule("report", trained)
    assert 'id="diagnosis"' in (trained / "report.html").read_text()


def test_a_run_is_found_by_its_name_in_runs(chainrule: Any) -> None:
    chainrule("train", "iris", *QUICK, "--out", "runs/one")
    chainrule("doctor", "one", *CHECKS_ALONE)
    assert Path("runs/one/diagnosis.json").exists()


def test_a_run_whose_data_has_gone_says_what_is_left(chainrule: Any) -> None:
    Path("people.csv").write_text("a,b,y\n" + "".join(f"{i % 7},{i % 11},{'yn'[i % 11 > 5]}\n" for i in range(120)))
    chainrule("train", "people.csv", "--target", "y", *QUICK, "--out", "run")
    Path("people.csv").rename("moved.csv")
    done = chainrule("doctor", "run", *CHECKS_ALONE)
    assert "its data cannot be read any more" in " ".join(done.stdout.split())
    assert "data, code, start, by heart, trials" in " ".join(done.stdout.split())
    done = chainrule("doctor", "run", "--data", "moved.csv", *CHECKS_ALONE)
    assert "cannot be read" not in done.stdout


def test_a_run_whose_data_has_changed_is_not_looked_at_with_it(chainrule: Any) -> None:
    rows = "".join(f"{i % 7},{i % 11},{'yn'[i % 11 > 5]}\n" for i in range(120))
    Path("people.csv").write_text(f"a,b,y\n{rows}")
    chainrule("train", "people.csv", "--target", "y", *QUICK, "--out", "run")
    Path("people.csv").write_text(f"a,b,y\n{rows}5,6,y\n")
    done = chainrule("doctor", "run", *CHECKS_ALONE)
    assert "the data has changed since the run" in " ".join(done.stdout.split())


def test_nothing_of_a_run_changes_but_its_diagnosis_and_page(chainrule: Any, trained: Path) -> None:
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    chainrule("doctor", trained, *CHECKS_ALONE)
    after = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    changed = {path.name for path in after if after[path] != before.get(path)}
    assert changed == {"diagnosis.json", "report.html"}


def test_train_stops_for_a_fault_before_the_first_step_where_it_is_asked_to(chainrule: Any) -> None:
    done = chainrule("train", "iris", "--init", "zeros", "--doctor", "check", *QUICK, code=1)
    assert "the first weights do not let it learn" in done.stderr
    assert "Traceback" not in done.output
    chainrule("train", "iris", "--doctor", "check", *QUICK)


def test_train_tells_what_the_run_shows_to_be_wrong(chainrule: Any) -> None:
    done = chainrule("train", "iris", "--init", "zeros", *QUICK, "--out", "ill")
    assert "warning: " in done.stderr
    assert "gradient" in done.stderr
    assert "chainrule doctor ill" in done.stderr
    silent = chainrule("train", "iris", "--init", "zeros", *QUICK, "--out", "off", "--doctor", "off")
    assert "No gradient" not in silent.stderr
    fine = chainrule("train", "iris", *QUICK, "--out", "fine")
    assert "warning" not in fine.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("iris", "--data", "iris"), "--data says where the data of a RUN is"),
        (("iris", "--no-trials", "--budget", 5), "--budget is for trials"),
        (("iris", "--guide", "--json", "d.json"), "--json is for a diagnosis"),
        (("iris", "--guide", "--no-trials"), "--no-trials is for a diagnosis"),
        (("iris", "--guide", "--all"), "--all is for a diagnosis"),
        (("iris", "--budget", -1), "budget"),
        (("iris", "--target", "y"), "--target is for the columns of tables"),
        (("nothing.csv",), "nothing.csv does not exist"),
        (("trained", "--lr", 3), "--lr would make another run of it"),
        (("trained", "--config", "trained/config.toml"), "--config is for DATA"),
        (("trained", "--guide"), "--guide walks through the steps for DATA"),
        (("iris", "--config", "trained/config.toml", "--json", "trained/config.toml"), "config.toml"),
        (("trained", "--data", "nothing.csv", "--no-trials"), "nothing.csv"),
    ],
)
def test_wrong_usage_is_one_message_and_2(chainrule: Any, trained: Path, words: Any, message: str) -> None:
    done = chainrule("doctor", *words, code=2)
    assert done.stderr.count("error:") == 1
    assert message in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize("y", [np.zeros(40, int), np.arange(40) % 2, np.full(40, np.nan)])
@pytest.mark.parametrize("rows", [10, 40])
def test_poor_data_is_a_result_and_no_traceback(chainrule: Any, y: np.ndarray, rows: int) -> None:
    """One class, ten rows, targets that are missing."""
    x = np.random.default_rng(0).normal(size=(40, 3))
    np.savez("poor.npz", x=x[:rows], y=y[:rows])
    done = chainrule("doctor", "poor.npz", *CHECKS_ALONE, *QUICK)
    assert "Traceback" not in done.output
    assert done.stdout


def test_ctrl_c_gives_what_there_is_and_130(chainrule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    left = cr.Diagnosis((), (ALARM,), (Stage("trials", 3.0, "interrupted"),))
    monkeypatch.setattr(command, "diagnose_data", lambda *_, **__: left)
    done = chainrule("doctor", "iris", code=130)
    assert "16 rows are not learnt by heart" in done.stdout
    assert "Not tried: trials (interrupted)" in done.stdout


def test_the_guide_prints_each_step_with_a_command_that_can_be_typed(chainrule: Any) -> None:
    done = chainrule("doctor", "iris", "--guide", "--hidden", 16, "--epochs", 3, "--engine", "numpy", "--budget", 30)
    for name in ("baseline", "by heart", "subset", "rate", "penalty", "stopping", "search"):
        assert f"  {name}: " in done.stdout
    commands = [line.split("-> ")[1] for line in done.stdout.splitlines() if "-> chainrule" in line]
    assert len(commands) == 7
    assert commands[0] == "chainrule train iris --epochs 3 --engine numpy --preset linear"
    assert commands[-1].startswith("chainrule search iris ")
    chainrule(*commands[0].split()[1:])
    chainrule(*commands[-2].split()[1:])


def test_help_and_completion_need_no_numpy() -> None:
    code = (
        "import sys\nfrom chainrule.cli.app import app\n"
        "try:\n    app(['doctor', '--help'])\nexcept SystemExit:\n    pass\n"
        "print({'numpy', 'jax'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
    assert "DATA|RUN" in done.stdout
