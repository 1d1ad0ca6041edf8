"""Options that are given have an effect, or are refused: one table, which is complete."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.app import app
from chainrule.data import load
from chainrule.errors import SettingError
from chainrule.experiments.usage import ALWAYS, KINDS, NEEDS, OF_DATA, Situation, check_used, kind_of

QUICK = ("--epochs", 1, "--engine", "numpy")
COMMANDS: dict[str, Any] = app.commands


@pytest.fixture
def data() -> dict[str, str]:
    """Data of every kind, by its kind."""
    from PIL import Image

    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3)).astype(np.float32)
    np.savez("arrays.npz", x=x, y=np.arange(60) % 2)
    np.savez("numbers.npz", x=x, y=x[:, 0])
    for i in range(12):
        path = Path("pictures", "ab"[i % 2], f"{i}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(path)
    Path("idx").mkdir()
    Path("idx/train-images-idx3-ubyte").touch()
    Path("table.csv").write_text("x,z,part,y\n" + "".join(f"{i % 7},{i},train,{'ab'[i % 2]}\n" for i in range(60)))
    Path("table.parquet").touch()
    return {
        "npz": "arrays.npz",
        "pictures": "pictures",
        "idx": "idx",
        "bundled": "iris",
        "mirrored": "mnist",
        "text": "table.csv",
        "parquet": "table.parquet",
    }


def test_every_option_of_every_command_is_in_the_table_or_always_used() -> None:
    missing, used = [], set()
    for command, call in COMMANDS.items():
        for parameter in call.params:
            name = parameter.name
            rows = {name, f"{command}.{name}"} & (set(NEEDS) | ALWAYS)
            used |= rows
            if not rows:
                missing.append(f"{command} --{name}")
    assert missing == []
    # Rows of no option would be forgotten ones.
    assert (set(NEEDS) | ALWAYS) - used - {"missing", "image_size"} <= {"version", "debug"}
    assert set(OF_DATA) <= set(NEEDS)


def test_every_kind_of_data_is_told_apart(data: dict[str, str]) -> None:
    assert {kind: kind_of(name) for kind, name in data.items()} == {kind: kind for kind in KINDS}
    assert kind_of("nothing.such") is None


#: The kinds of data for which an option is.
USED = {
    **dict.fromkeys(("target", "task", "column", "drop", "group", "time", "split", "components"), ("text", "parquet")),
    **dict.fromkeys(("encoding", "separator"), ("text",)),
    "data_dir": ("mirrored",),
}


@pytest.mark.parametrize(("option", "kind"), list(itertools.product(USED, KINDS)))
def test_options_of_one_kind_of_data_are_refused_for_others(option: str, kind: str, data: dict[str, str]) -> None:
    values = {option: "value"}
    if kind in USED[option]:
        check_used(Situation(data[kind]), values)
        return
    with pytest.raises(SettingError, match=rf"^--{option.replace('_', '-')} is for .*{data[kind]}.*: .+\.$"):
        check_used(Situation(data[kind]), values)


@pytest.mark.parametrize("command", ["train", "search"])
@pytest.mark.parametrize(
    "words",
    [
        ("--task", "classification"),
        ("--group", "patient"),
        ("--time", "day"),
        ("--split", "part"),
        ("--target", "y"),
        ("--drop", "x"),
        ("--column", "x=date"),
        ("--components", 2),
        ("--encoding", "cp1252"),
        ("--separator", ";"),
        ("--data-dir", "."),
    ],
)
def test_options_of_tables_are_refused_with_arrays(
    chainrule: Any, data: dict[str, str], command: str, words: tuple[Any, ...]
) -> None:
    done = chainrule(command, "arrays.npz", *words, *QUICK, code=2)
    assert f"error: {words[0]} is for" in done.stderr
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("iris", "--preset", "linear", "--dropout", 0.3), "--dropout is for hidden layers"),
        (("iris", "--hidden", "none", "--dropout", 0.3), "--dropout is for hidden layers"),
        (("iris", "--preset", "linear", "--activation", "tanh"), "--activation is for hidden layers"),
        (("iris", "--normalize-target"), "--normalize-target is for numbers"),
        (("diabetes", "--normalize-target", "--output", "sigmoid"), "--normalize-target is for linear outputs"),
        (("diabetes", "--class-weight", "balanced"), "--class-weight is for classes"),
        (("parts.npz", "--test", 0.3), "--test draws rows by lot"),
        (("parts.csv", "--target", "y", "--split", "part", "--test", 0.3), "--test draws rows by lot"),
        (("parts.csv", "--target", "y", "--split", "part", "--validation", 0.3), "--validation draws rows by lot"),
        (("split", "--validation", 0.3), "--validation draws rows by lot"),
        (("iris", "--folds", 2, "--validation", 0.3), "--validation draws rows for early stopping"),
        (("iris", "--save", "best"), "--save chooses the model of several seeds"),
        (("iris", "--folds", 2, "--seeds", 2, "--save", "best"), "--folds trains one model"),
        (("iris", "--seeds", 2, "--checkpoint-every", 5), "--checkpoint-every counts the steps of one network"),
        (("iris", "--seeds", 2, "--checkpoint-minutes", 5), "--checkpoint-minutes"),
        (("iris", "--seeds", 2, "--doctor", "watch"), "--doctor examines the training of one network"),
        (("iris", "--folds", 2, "--doctor", "check"), "--doctor examines the training of one network"),
        (("iris", "--coordinator", "a:1"), "--coordinator belongs to --distributed"),
        (("iris", "--momentum", 0.9), "momentum"),
        (("--config", "net.toml", "--hidden", "8"), "--hidden is for the network of a preset"),
        (("--config", "net.toml", "--preset", "mlp"), "--preset is for the network of a preset"),
        (("--config", "net.toml", "--dropout", 0.5), "--dropout is for the network of a preset"),
        (("arrays.npz", "--config", "columns.toml"), "--group is for the columns of tables"),
    ],
)
def test_what_would_have_no_effect_is_refused(
    chainrule: Any, data: dict[str, str], words: tuple[Any, ...], message: str
) -> None:
    import tomli_w
    from PIL import Image

    x = np.random.default_rng(0).normal(size=(40, 3))
    np.savez("parts.npz", x_train=x, y_train=np.arange(40) % 2, x_test=x, y_test=np.arange(40) % 2)
    parts = ["train", "train", "validation", "test"]
    Path("parts.csv").write_text("x,part,y\n" + "".join(f"{i % 7},{parts[i % 4]},{i % 3 % 2}\n" for i in range(80)))
    for part, i in itertools.product(("train", "validation"), range(8)):
        path = Path("split", part, "ab"[i % 2], f"{i}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), 30 * i, np.uint8)).save(path)
    Path("net.toml").write_text(tomli_w.dumps({"data": "iris", "net": cr.mlp([4, 3]).to_dict()}))
    Path("columns.toml").write_text('group = "patient"\n')
    done = chainrule("train", *words, *QUICK, code=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ("iris", "--preset", "linear", "--dropout", 0),
        ("iris", "--no-normalize-target"),
        ("diabetes", "--normalize-target"),
        ("iris", "--seeds", 2, "--save", "best", "--hidden", 4),
        ("iris", "--preset", "cnn_like", "--activation", "tanh"),
    ],
)
def test_what_is_true_of_the_run_may_be_said(chainrule: Any, words: tuple[Any, ...]) -> None:
    words = tuple("table" if word == "cnn_like" else word for word in words)
    chainrule("train", *words, *QUICK)


def test_settings_of_a_run_may_be_used_again(chainrule: Any) -> None:
    chainrule("train", "iris", "--preset", "linear", *QUICK, "--out", "a")
    chainrule("train", "--config", "a/config.toml", "--out", "b")
    chainrule("train", "digits", "--config", "a/config.toml", "--out", "c")


def test_what_is_searched_has_an_effect(chainrule: Any) -> None:
    words = ("search", "iris", "--preset", "linear", "--trials", 2, *QUICK)
    done = chainrule(*words, "--space", "dropout=0..0.5,lr=1e-3..1e-1", code=2)
    assert "--space: dropout is for hidden layers" in done.stderr


def test_other_commands_refuse_what_they_do_not_use(chainrule: Any, data: dict[str, str]) -> None:
    chainrule("train", "iris", *QUICK, "--hidden", 4, "--out", "run")
    chainrule("train", "diabetes", *QUICK, "--hidden", 4, "--out", "numbers")
    for words, message in (
        (("predict", "run", "iris", "--encoding", "cp1252"), "--encoding is for tables of text"),
        (("predict", "run", "arrays.npz", "--separator", ";"), "--separator is for tables of text"),
        (("predict", "run", "iris", "--data-dir", "."), "--data-dir is for mnist"),
        (("predict", "numbers", "diabetes", "--probabilities"), "--probabilities is for classes"),
        (("evaluate", "run", "iris", "--target", "y"), "--target is for the columns of tables"),
        (("evaluate", "run", "iris", "--encoding", "cp1252"), "--encoding is for tables of text"),
        (("evaluate", "run", "iris", "--data-dir", "."), "--data-dir is for mnist"),
        (("export", "run", "--out", "a.safetensors", "--opset", 18), "--opset is for ONNX"),
        (("export", "run", "--out", "a.safetensors", "--check", "iris"), "--check is for ONNX"),
        (("export", "run", "--data-dir", "."), "--data-dir is for the data of --check"),
        (("augment", "digits", "--augment", "shift:1", "--data-dir", "."), "--data-dir is for mnist"),
    ):
        assert message in chainrule(*words, code=2).stderr, words


def test_no_normalize_leaves_the_columns_of_a_table_as_they_are(chainrule: Any) -> None:
    rng = np.random.default_rng(0)
    rows = "".join(f"{a:.2f},{b:.2f},{'pq'[int(a > 5000)]}\n" for a, b in rng.normal((5000, -20), (1000, 3), (200, 2)))
    Path("t.csv").write_text(f"a,b,y\n{rows}")
    words = ("t.csv", "--target", "y", "--column", "b=number", *QUICK)
    message = chainrule("train", *words, "--no-normalize", "--out", "raw").stderr
    assert "as it is" in message
    assert "standardize" not in message
    model = cr.load_model("raw/model.safetensors")
    assert model.prepare(_frame(1234.5, -7.25)).tolist() == [[1234.5, -7.25]]
    chainrule("train", *words, "--out", "scaled")
    assert abs(cr.load_model("scaled/model.safetensors").prepare(_frame(5000.0, -20.0))).max() < 0.5
    evaluated = json.loads(chainrule("evaluate", "raw", "t.csv", "--json").stdout)
    assert evaluated["rows"] == 40


def test_a_preset_that_scales_no_pixels_scales_columns(chainrule: Any) -> None:
    iris = load("iris")
    rows = "".join(f"{a},{'pq'[int(y > 0)]}\n" for a, y in zip(iris.x[:, 0], iris.y, strict=True))  # type: ignore[index]
    Path("t.csv").write_text(f"a,y\n{rows}")
    words = ("train", "t.csv", "--target", "y", "--preset", "nielsen", *QUICK, "--out")
    assert "standardize" in chainrule(*words, "a").stderr
    assert "standardize" in chainrule("train", "--config", "a/config.toml", "--out", "b").stderr


def _frame(a: float, b: float) -> Any:
    import pandas as pd

    return pd.DataFrame({"a": [a], "b": [b]})
