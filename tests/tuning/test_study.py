"""Where searches are kept: what is stored, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest

import chainrule as cr
from chainrule.errors import FileError, SettingError
from chainrule.tuning import choice, log_uniform, search
from chainrule.tuning.storage import quiet


def stored(path: Path) -> optuna.Study:
    with quiet():
        storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
        return optuna.load_study(study_name="chainrule", storage=storage)


def test_a_search_may_be_made_longer(tmp_path: Path, line: dict[str, Any]) -> None:
    space, path = {"optimizer.lr": log_uniform(0.01, 1.0)}, tmp_path / "search.journal"
    search(**line, space=space, trials=3, epochs=1, study=path)
    result = search(**line, space=space, trials=7, epochs=1, study=path)
    assert [t.settings for t in result.trials] == [
        t.settings for t in search(**line, space=space, trials=7, epochs=1).trials
    ]


def test_what_was_trained_before_counts_for_the_budget(tmp_path: Path, line: dict[str, Any]) -> None:
    settings = line | {"space": {"optimizer.lr": log_uniform(0.01, 1.0)}, "trials": 20, "epochs": 2, "batch": 2}
    search(**settings, study=tmp_path / "search.journal", max_epochs=8)
    events: list[Any] = []
    result = search(**settings, study=tmp_path / "search.journal", max_epochs=8, callbacks=events.append)
    assert (len(result.trials), events) == (4, [])
    assert len(search(**settings, study=tmp_path / "search.journal", max_epochs=12).trials) == 6


def test_databases_and_studies_of_optuna_do_as_well(tmp_path: Path, line: dict[str, Any]) -> None:
    space, url = {"optimizer.lr": log_uniform(0.01, 1.0)}, f"sqlite:///{tmp_path / 'search.db'}"
    first = search(**line, space=space, trials=2, epochs=1, study=url, name="one")
    more = search(**line, space=space, trials=4, epochs=1, study=url, name="one")
    assert [t.settings for t in more.trials][:2] == [t.settings for t in first.trials]
    other = search(**line, space=space, trials=1, epochs=2, study=url, name="two")  # another experiment beside it
    assert len(other.trials) == 1
    study = optuna.create_study(direction="minimize")
    assert search(**line, space=space, trials=2, epochs=1, study=study).study is study
    with pytest.raises(SettingError, match="The metric of this search is to minimize"):
        search(**line, space=space, trials=2, epochs=1, study=optuna.create_study(direction="maximize"))


def test_only_plain_objects_of_optuna_are_stored(tmp_path: Path, line: dict[str, Any]) -> None:
    space = {"optimizer": choice(cr.SGD(0.5), cr.SGD(0.1, momentum=0.5)), "l2": log_uniform(1e-6, 1e-3)}
    settings = {name: value for name, value in line.items() if name != "optimizer"}
    search(**settings, space=space, trials=3, epochs=1, study=tmp_path / "search.journal")
    table = stored(tmp_path / "search.journal").trials_dataframe()
    assert set(table["params_optimizer"]) <= {"SGD(0.5)", "SGD(0.1, 0.5)", "SGD(0.1, momentum=0.5)"}
    assert table["state"].tolist() == ["COMPLETE"] * 3


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"epochs": 2}, "epochs: 1 there, 2 now"),
        ({"space": {"optimizer.lr": log_uniform(0.01, 2.0)}}, r"space: optimizer.lr: log_uniform\(0.01, 1.0\) there"),
        ({"seed": 1}, "seed: 0 there, 1 now"),
        ({"l2": 0.5}, "l2: nothing there, 0.5 now"),
        ({"net": cr.Sequential(cr.Dense(1))}, "network: "),
        ({"metric": "val_loss"}, "metric: val_mae there, val_loss now"),
        ({"stages": "halving", "epochs": 3, "trials": 3}, "stages: None there, 'halving' now"),
    ],
)
def test_a_study_of_another_experiment_is_refused(
    change: dict[str, Any], difference: str, tmp_path: Path, line: dict[str, Any]
) -> None:
    settings = line | {"space": {"optimizer.lr": log_uniform(0.01, 1.0)}, "trials": 2, "epochs": 1}
    search(**settings, study=tmp_path / "search.journal")
    with pytest.raises(SettingError, match=rf"holds a study 'chainrule' of another experiment:[\s\S]*{difference}"):
        search(**settings | change, study=tmp_path / "search.journal")


def test_other_data_is_another_experiment(tmp_path: Path, line: dict[str, Any]) -> None:
    space, (x, y) = {"optimizer.lr": log_uniform(0.01, 1.0)}, line["data"]
    search(**line, space=space, trials=1, epochs=1, study=tmp_path / "search.journal")
    with pytest.raises(SettingError, match=r"of another experiment:\n  data: y: .*\nChoose"):
        search(**line | {"data": (x, y + 0.001)}, space=space, trials=1, epochs=1, study=tmp_path / "search.journal")


def test_a_study_that_something_else_made_is_refused(line: dict[str, Any]) -> None:
    foreign = optuna.create_study(direction="minimize")
    foreign.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    with pytest.raises(SettingError, match="that no search of chainrule has made"):
        search(**line, space={"optimizer.lr": log_uniform(0.01, 1.0)}, trials=1, epochs=1, study=foreign)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("{folder}", "is a folder; give the path of a file in it"),
        ("{folder}/text/search.journal", "cannot be reached: File exists"),
        ("{folder}/text", "is no journal of a search"),
        ("sqlite:///{folder}/nowhere/search.db", "cannot be reached: .*unable to open database file"),
        ("postgresql://me:secret@localhost:1/x", r"postgresql://me:\*\*\*@localhost:1/x cannot be reached"),
        ("nonsense://x", "cannot be reached"),
        ("redis://localhost", "cannot be reached"),
    ],
)
def test_a_storage_that_cannot_be_reached(url: str, message: str, tmp_path: Path, line: dict[str, Any]) -> None:
    (tmp_path / "text").write_text("lr,score\n0.1,0.9\n")
    with pytest.raises(FileError, match=message) as error:
        search(**line, space={"optimizer.lr": log_uniform(0.01, 1.0)}, study=url.format(folder=tmp_path))
    assert "secret" not in str(error.value)


def test_what_is_no_storage_is_refused(line: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="study is the path of a journal file"):
        search(**line, space={"optimizer.lr": log_uniform(0.01, 1.0)}, study=3)  # type: ignore[arg-type]


def test_half_a_line_at_the_end_of_a_journal_is_taken_away(tmp_path: Path, line: dict[str, Any]) -> None:
    space, path = {"optimizer.lr": log_uniform(0.01, 1.0)}, tmp_path / "search.journal"
    search(**line, space=space, trials=2, epochs=1, study=path)
    with path.open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":"a')
    assert len(search(**line, space=space, trials=3, epochs=1, study=path).trials) == 3
    assert len(stored(path).trials) == 3


def test_a_storage_that_goes_away_is_told(tmp_path: Path, line: dict[str, Any]) -> None:
    path = tmp_path / "search.journal"

    def take_away(event: Any) -> None:
        path.unlink(missing_ok=True)
        path.mkdir(exist_ok=True)

    with pytest.raises(FileError, match=r"study cannot be written to: .*Is a directory"):
        search(**line, space={"optimizer.lr": log_uniform(0.01, 1.0)}, trials=2, study=path, callbacks=take_away)
