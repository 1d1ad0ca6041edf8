"""A population that is kept in a folder goes on after Ctrl-C, SIGTERM, SIGKILL and on a full disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import tree
from chainrule.engine import choice
from chainrule.errors import FileError, SettingError
from chainrule.runs.folder import member_folder
from chainrule.signals import Interrupted, Terminated
from chainrule.training import checkpoint
from chainrule.training.record import read_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")

rng = np.random.default_rng(0)
x = rng.normal(size=(46, 5)).astype(np.float32)
y = rng.integers(0, 3, size=46)
NET = cr.Sequential(cr.Dense(6, "tanh"), cr.Dropout(0.3), cr.Dense(3, "softmax"))
MEMBERS: list[dict[str, Any]] = [{"seed": 1}, {"seed": 2, "optimizer.lr": 0.05}, {"seed": 3, "batch_size": 16}]
engines = pytest.mark.parametrize("engine", ["numpy", "jax"])


def train(out: Path | None = None, members: Any = MEMBERS, data: Any = (x, y), **settings: Any) -> Any:
    fixed: dict[str, Any] = {"epochs": 6, "batch_size": 8, "engine": "numpy", "progress": False, "validation": 0.2}
    return cr.fit_population(NET, data, members, out=out, **(fixed | settings))


def same(ours: Any, theirs: Any, tolerance: float = 0.0) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert (one.stopped, one.best_epoch) == (other.stopped, other.best_epoch)
        for a, b in zip(tree.leaves(one.model.params), tree.leaves(other.model.params), strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
        for a, b in zip(one.history, other.history, strict=True):
            assert b | {"seconds": 0} == pytest.approx(a | {"seconds": 0}, rel=tolerance)


def test_what_becomes_of_the_rate_when_more_epochs_follow_a_schedule_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings: dict[str, Any] = {"members": 3, "optimizer": cr.SGD(cr.schedules.Linear(0.4))}
    train(tmp_path / "a", epochs=2, **settings)
    assert capsys.readouterr().err == ""
    train(tmp_path / "a", epochs=4, resume=True, **settings)
    message = capsys.readouterr().err
    assert message.count("over 4 epochs now, not 2: after epoch 2 it is 0.2, where it had come to 0.") == 1
    assert message.startswith("Network 0: ")


def raising(number: int, at: int = 2) -> Callable[[cr.Event], None]:
    """A callback during which the process is sent a signal."""

    def callback(event: cr.Event) -> None:
        if event.epoch == at and event.member is not None and event.member["seed"] == 2:
            os.kill(os.getpid(), number)

    return callback


@engines
@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, Interrupted), (signal.SIGTERM, Terminated)])
def test_members_go_on_after_a_signal(engine: str, number: int, error: Any, tmp_path: Path) -> None:
    with pytest.raises(error, match=r"3 networks are kept in .*, up to epoch .*same call with resume=True"):
        train(tmp_path / "a", engine=engine, epochs=20, callbacks=raising(number))
    epochs = [checkpoint.read(checkpoint.files(tmp_path / "a" / f"0{i}")[0][1])[1]["position"]["epoch"] for i in (0, 1)]
    assert 3 <= max(epochs) < 21  # two epochs are done and the third comes, and the end does not
    same(train(engine=engine, epochs=20), train(tmp_path / "a", engine=engine, epochs=20, resume=True), tolerance=1e-6)


@engines
def test_without_a_folder_a_signal_ends_the_training_soon(engine: str) -> None:
    seen: list[int] = []
    trainer = cr.PopulationTrainer(
        NET, (x, y), engine=engine, epochs=50, callbacks=(raising(signal.SIGINT), lambda e: seen.append(e.epoch))
    )
    members = trainer.add_members(MEMBERS[:2])
    with pytest.raises(KeyboardInterrupt):
        trainer.train(members)
    assert max(seen) < 10
    trainer.train(members, until=10)  # where each is, is known
    assert [member.epoch for member in members] == [10, 10]
    same(
        [m.run() for m in members],
        cr.fit_population(NET, (x, y), MEMBERS[:2], epochs=10, engine=engine, progress=False),
        1e-6,
    )


KILLED = """
import sys, time
import numpy as np
import chainrule as cr
rng = np.random.default_rng(0)
x, y = rng.normal(size=(46, 5)).astype(np.float32), rng.integers(0, 3, size=46)
net = cr.Sequential(cr.Dense(6, "tanh"), cr.Dropout(0.3), cr.Dense(3, "softmax"))
members = [{"seed": 1}, {"seed": 2, "optimizer.lr": 0.05}, {"seed": 3, "batch_size": 16}]
def tell(event):
    print(event.epoch, flush=True)
    time.sleep(0.1)
cr.fit_population(net, (x, y), members, out=sys.argv[1], epochs=6, batch_size=8, validation=0.2, engine="numpy",
                  progress=False, callbacks=tell)
"""


def test_members_go_on_after_a_kill(tmp_path: Path) -> None:
    out = tmp_path / "a"
    with subprocess.Popen([sys.executable, "-c", KILLED, str(out)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while process.stdout.readline().strip() != "4":
            pass
        process.kill()
    files = [path for i in range(3) for _, path in checkpoint.files(out / f"0{i}")]
    assert files  # something was kept on the way
    for path in files:
        checkpoint.read(path)  # and whole
    same(train(), train(out, resume=True))


@engines
def test_early_stopping_and_schedules_go_on(engine: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "engine": engine,
        "early_stopping": cr.EarlyStopping(patience=2, min_delta=0.02),
        "optimizer": cr.Adam(cr.schedules.ReduceOnPlateau(0.03, patience=1)),
        "members": 4,
    }
    train(tmp_path / "a", epochs=3, **settings)
    again = train(tmp_path / "a", epochs=12, resume=True, **settings)
    whole = train(epochs=12, **settings)
    assert any(run.stopped for run in whole)
    same(whole, again, tolerance=1e-6)


def test_a_population_may_grow(tmp_path: Path) -> None:
    train(tmp_path / "a", epochs=2, members=2)
    same(train(epochs=4, members=3), train(tmp_path / "a", epochs=4, members=3, resume=True))


def test_the_folder_of_a_member_is_that_of_a_run(tmp_path: Path) -> None:
    runs = train(tmp_path / "a")
    assert tomllib.loads((tmp_path / "a/config.toml").read_text())["members"] == 3
    assert read_folder(tmp_path / "a").result == {"state": "finished", "reason": None, "members": 3, "epochs": 6}
    for i, run in enumerate(runs):
        folder = member_folder(tmp_path / "a", i)
        assert run.folder == folder
        config = tomllib.loads((folder / "config.toml").read_text())
        assert (config["seed"], config["optimizer"]["lr"]) == (i + 1, 0.05 if i == 1 else 0.001)
        assert len((folder / "metrics.jsonl").read_text().splitlines()) == 6
        assert np.array_equal(cr.load_model(folder / "model.safetensors").predict(x), run.model.predict(x))


def test_a_damaged_checkpoint_is_left_for_the_one_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(tmp_path / "a", epochs=3)
    train(tmp_path / "a", epochs=4, resume=True)
    (_, newest), _ = checkpoint.files(tmp_path / "a/00")
    newest.write_bytes(newest.read_bytes()[:-9] + b"something")
    same(train(), train(tmp_path / "a", resume=True))
    assert "Going on from the one before it" in capsys.readouterr().err


def test_a_full_disk_is_told_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: Any) -> None:
        raise FileError("Could not write it: no space left on device.")

    monkeypatch.setattr(checkpoint, "save", full)
    same(train(), train(tmp_path / "a"))
    assert "no space left on device. Training goes on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"data": (x + 1, y)}, "was started on other data"),
        ({"members": [{"seed": 7}]}, "seed = 1, and is to go on with 7"),
        ({"l2": 0.5, "loss": "quadratic"}, "was started with"),
    ],
)
def test_another_population_is_refused(other: dict[str, Any], message: str, tmp_path: Path) -> None:
    train(tmp_path / "a", epochs=1, members=[{"seed": 1}])
    before = (tmp_path / "a/00/metrics.jsonl").read_bytes()
    with pytest.raises(SettingError, match=message):
        train(tmp_path / "a", resume=True, **({"members": [{"seed": 1}]} | other))
    assert (tmp_path / "a/00/metrics.jsonl").read_bytes() == before


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    train(tmp_path / "a", epochs=1, members=1)
    with pytest.raises(FileError, match="already holds a run"):
        train(tmp_path / "a", epochs=1, members=1)
    with pytest.raises(FileError, match="There is no run to go on with"):
        train(tmp_path / "b", resume=True)
    with pytest.raises(SettingError, match="resume=True needs out="):
        train(resume=True)


def test_a_cross_validation_goes_on(tmp_path: Path) -> None:
    def validate(**more: Any) -> Any:
        settings: dict[str, Any] = {"folds": 3, "seeds": 2, "epochs": 4, "engine": "numpy", "progress": False}
        return cr.cross_validate(NET, (x, y), **(settings | more))

    with pytest.raises(KeyboardInterrupt):
        validate(out=tmp_path / "a", callbacks=raising(signal.SIGINT, at=3), seed=1)
    seen: list[int] = []
    again = validate(out=tmp_path / "a", resume=True, seed=1, callbacks=lambda event: seen.append(event.epoch))
    assert len(seen) < 6 * 4  # what was done is not done again
    assert np.array_equal(again.scores, validate(seed=1).scores)


@engines
def test_what_a_callback_stopped_stays_stopped(engine: str, tmp_path: Path) -> None:
    def enough(event: cr.Event) -> Any:
        assert event.member is not None
        return cr.Decision(stop="enough") if event.member["seed"] == 1 and event.epoch == 2 else None

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "a", engine=engine, callbacks=(enough, raising(signal.SIGINT, at=4)), epochs=40)
    again = train(tmp_path / "a", engine=engine, callbacks=enough, epochs=6, resume=True)
    assert [(len(run.history), run.stopped) for run in again] == [(2, "enough"), (6, None), (6, None)]
    assert {run.engine for run in again} == {engine}


def test_what_diverged_is_not_trained_again(tmp_path: Path) -> None:
    members: list[dict[str, Any]] = [{"seed": 1}, {"seed": 2, "optimizer": cr.SGD(1e38)}]
    first = train(tmp_path / "a", members=members, epochs=3)
    seen: list[Any] = []
    again = train(tmp_path / "a", members=members, epochs=3, resume=True, callbacks=lambda e: seen.append(e.member))
    assert first[1].stopped is not None
    assert first[1].stopped == again[1].stopped
    assert not seen


def test_who_diverges_after_it_was_kept_stays_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(event: cr.Event) -> Any:
        return cr.Decision(settings={"optimizer.lr": 1e38}) if event.epoch == 2 else None

    monkeypatch.setattr("chainrule.training.checkpointer.GAP", 0.0)
    monkeypatch.setattr("chainrule.training.checkpointer.FRACTION", 1.0)  # kept after every epoch
    first = train(tmp_path / "a", members=1, callbacks=explode)
    assert (len(first[0].history), (first[0].stopped or "")[:8]) == (2, "diverged")
    seen: list[Any] = []
    again = train(tmp_path / "a", members=1, resume=True, callbacks=lambda e: seen.append(e.epoch))
    assert (again[0].stopped, seen) == (first[0].stopped, [])
    assert read_folder(tmp_path / "a").result["state"] == "diverged"


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_kill_while_the_folders_are_made_blocks_nothing(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chainrule.runs import folder

    write, seen = folder.write_config, []

    def dying(*arguments: Any) -> None:
        seen.append(arguments)
        if len(seen) == at:
            raise SystemExit  # as good as a kill: nothing that comes after it is done
        write(*arguments)

    monkeypatch.setattr(folder, "write_config", dying)
    with pytest.raises(SystemExit):
        train(tmp_path / "a")
    monkeypatch.undo()
    begun = (tmp_path / "a/config.toml").exists()
    assert begun == (at > 1)
    same(train(), train(tmp_path / "a", resume=begun))


def test_a_refused_population_has_changed_nothing(tmp_path: Path) -> None:
    train(tmp_path / "a", epochs=1, members=2)
    (tmp_path / "a/00/checkpoints/.left.part").write_bytes(b"half")
    before = {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()}
    with pytest.raises(SettingError, match="seed = 1, and is to go on with 9"):
        train(tmp_path / "a", epochs=4, members=[{"seed": 0}, {"seed": 9}], resume=True)
    assert before == {path: path.read_bytes() for path in (tmp_path / "a").rglob("*") if path.is_file()}
    train(tmp_path / "a", epochs=2, members=2, resume=True)
    assert not list((tmp_path / "a").rglob("*.part"))


def validate(members: Any = None, **settings: Any) -> Any:
    return cr.cross_validate(NET, (x, y), folds=2, progress=False, batch_size=8, **settings).population


def fit(members: Any = None, **settings: Any) -> Any:
    return [cr.fit(NET, (x, y), progress=False, batch_size=8, **settings)]


@pytest.mark.parametrize("call", [fit, train, validate])
def test_the_engine_stays_that_of_the_run(call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chosen anew it would be another one: more epochs are worth compiling for, a few that are left are not."""
    cost = choice.COSTS["numpy"]
    monkeypatch.setitem(choice.COSTS, "jax", cost._replace(step=cost.step / 2, start=30 * cost.step))
    if call is fit:
        assert call(engine="auto", epochs=20)[0].engine == "jax"
    call(engine="auto", epochs=2, out=tmp_path / "a")
    again = call(engine="auto", epochs=20, out=tmp_path / "a", resume=True)
    assert {run.engine for run in again} == {"numpy"}
    same(call(engine="numpy", epochs=20), again)
