"""``--augment`` and ``chainrule augment``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from chainrule.augment import names


def test_train_takes_and_keeps_an_augmentation(chainrule: Any) -> None:
    words = ("--hidden", 8, "--epochs", 1, "--augment", "shift:1,rotation:5")
    output = chainrule("train", "digits", *words, "--out", "run").output
    assert "augment   shift:1,rotation:5" in output
    assert tomllib.loads(Path("run/config.toml").read_text())["augment"] == "shift:1,rotation:5"
    assert Path("run/augment.png").stat().st_size > 1000
    chainrule("train", "digits", "--config", "run/config.toml", "--out", "again")
    model = Path("run/model.safetensors").read_bytes()
    assert Path("again/model.safetensors").read_bytes() == model
    chainrule("train", "--resume", "run", "--epochs", 2)


def test_a_configuration_may_hold_a_table(chainrule: Any) -> None:
    Path("a.toml").write_text('epochs = 1\nhidden = [8]\n[augment]\ntype = "noise"\nstrength = 0.5\n')
    output = chainrule("train", "iris", "--config", "a.toml", "--out", "run").output
    assert "Noise(0.5)" in output


def test_wrong_names_are_told_before_training(chainrule: Any) -> None:
    assert "did you mean 'shift'" in chainrule("train", "digits", "--augment", "shfit:1", code=2).output
    assert "is for images" in chainrule("train", "iris", "--augment", "shift:1", code=2).output
    assert not list(Path("runs").glob("*"))


def test_help_names_them_all(chainrule: Any) -> None:
    output = chainrule("train", "--help").output
    assert [name for name in names() if name not in output] == []


def test_a_picture_of_an_augmentation(chainrule: Any) -> None:
    output = chainrule("augment", "digits", "--augment", "rotation:30", "--out", "a.png", "--rows", 2).output
    assert "a.png" in output
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    assert "made of images" in chainrule("augment", "iris", "--augment", "noise", code=2).output


def test_a_table_has_no_pictures(chainrule: Any) -> None:
    Path("x.csv").write_text("a,b\n1,2\n")
    output = chainrule("augment", "x.csv", "--augment", "noise:1", code=2).output
    assert "x.csv is a table" in output
    assert "chainrule train" in output
