"""Progress: plain lines where there is no terminal, one line that changes where there is one."""

from __future__ import annotations

import io
import sys

import pytest

from chainrule.display import progress as module
from chainrule.training.progress import epoch_progress as progress

RECORD = {"epoch": 1, "loss": 0.5, "accuracy": 0.875, "lr": 0.1, "seconds": 0.25}


def shown(capsys: pytest.CaptureFixture[str], epochs: int, done: int) -> list[str]:
    with progress(epochs) as show:
        for epoch in range(1, done + 1):
            show(RECORD | {"epoch": epoch})
    return capsys.readouterr().err.splitlines()


def test_plain_lines_are_the_first_the_last_and_some_between(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = shown(capsys, epochs=50, done=50)
    assert lines == [
        "epoch  1/50  loss 0.5000  accuracy 87.50 %  lr 0.1  0.25 s",
        "epoch 50/50  loss 0.5000  accuracy 87.50 %  lr 0.1  0.25 s",
    ]
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.0)
    assert len(shown(capsys, epochs=50, done=50)) == 50


def test_a_run_that_ends_early_shows_its_last_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    assert [line.split()[1] for line in shown(capsys, epochs=50, done=7)] == ["1/50", "7/50"]


def test_nothing_is_shown_where_it_is_not_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(2, enabled=False) as show:
        show(RECORD)
    assert capsys.readouterr().err == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_a_terminal_gets_one_line_that_changes(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    with progress(2) as show:
        show(RECORD | {"val_loss": 0.75, "val_accuracy": 0.5})
        show(RECORD | {"val_loss": 0.75, "val_accuracy": 0.5, "epoch": 2})
    text = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert "epoch 2/2  loss 0.5000" in text
    assert "\x1b[3" not in text  # no colours
    assert ("val_accuracy 50.00 %" in text) == (columns >= 80)
