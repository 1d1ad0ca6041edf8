"""What a search finds, and how: samplers, stages, structure, the result."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
import pytest

import chainrule as cr
from chainrule.errors import DivergedError
from chainrule.signals import Interrupted, Terminated
from chainrule.tuning import SearchProgress, Stage, choice, integer, log_uniform, search, uniform

RATES = {"optimizer.lr": log_uniform(0.01, 1.9)}


def points(result: Any) -> list[Mapping[str, Any]]:
    return [trial.settings for trial in result.trials]


def epochs(result: Any) -> int:
    return sum(trial.epochs for trial in result.trials)


def test_the_best_trial_is_the_one_nearest_to_the_known_answer(line: dict[str, Any]) -> None:
    result = search(**line, space=RATES, trials=12, epochs=2)
    rates = np.array([trial.settings["optimizer.lr"] for trial in result.trials])
    assert result.settings["optimizer.lr"] == rates[np.argmin(abs(1 - rates))]
    table = result.leaderboard
    assert table["rank"].tolist() == list(range(1, 13))
    assert table["val_mae"].is_monotonic_increasing
    assert list(table.columns) == ["rank", "trial", "val_mae", "optimizer.lr", "epochs", "seconds", "state"]
    assert result.score == result.study.best_value == table["val_mae"][0]
    assert result.best.history["val_mae"][-1] == result.score


def test_a_trial_is_what_fit_gives_for_its_settings(line: dict[str, Any]) -> None:
    result = search(**line, space=RATES, trials=3, epochs=3)
    settings = {name: value for name, value in line.items() if name not in ("net", "data", "optimizer")}
    for trial in result.trials:
        run = cr.fit(line["net"], line["data"], optimizer=cr.SGD(trial.settings["optimizer.lr"]), epochs=3, **settings)
        assert trial.history["val_loss"] == pytest.approx(run.history["val_loss"], rel=1e-5)
        assert trial.value == pytest.approx(run.history["val_mae"][-1], rel=1e-5)


def test_every_curve_is_kept_in_the_study(line: dict[str, Any]) -> None:
    result = search(**line, space=RATES, trials=3, epochs=4)
    for trial, stored in zip(result.trials, result.study.trials, strict=True):
        assert [stored.intermediate_values[epoch] for epoch in (1, 2, 3, 4)] == trial.history["val_mae"]
        assert {"loss", "mae", "val_loss", "val_mae", "lr"} <= stored.user_attrs["curves"].keys()
        assert stored.user_attrs["seed"] == 0
        assert stored.user_attrs["seconds"] > 0
    assert len(result.to_pandas()) == 12


@pytest.mark.parametrize("sampler", ["random", "sobol", "grid", "tpe"])
def test_samplers_follow_from_the_seed(sampler: str, line: dict[str, Any]) -> None:
    space = RATES | {"l2": log_uniform(1e-6, 1e-3), "optimizer.momentum": choice(0.0, 0.1)}
    results = [search(**line, space=space, trials=18, epochs=1, batch=6, sampler=sampler, seed=s) for s in (0, 0, 1)]
    assert points(results[0]) == points(results[1])
    assert (points(results[0]) == points(results[2])) == (sampler == "grid")
    assert len({tuple(point.values()) for point in points(results[0])}) == 18


def test_a_grid_has_as_many_values_as_the_trials_have_room_for(line: dict[str, Any]) -> None:
    space = {"optimizer.lr": log_uniform(0.01, 1.0), "optimizer.momentum": choice(0.0, 0.1)}
    result = search(**line, space=space, trials=7, epochs=1, sampler="grid")
    assert sorted(tuple(point.values()) for point in points(result)) == [
        (pytest.approx(lr), momentum) for lr in (0.01, 0.1, 1.0) for momentum in (0.0, 0.1)
    ]


def test_sobol_points_fill_the_space_evenly(line: dict[str, Any]) -> None:
    result = search(**line, space={"optimizer.lr": uniform(0.0, 1.0)}, trials=16, epochs=1, sampler="sobol")
    rates = sorted(point["optimizer.lr"] for point in points(result))
    assert [int(16 * rate) for rate in rates] == list(range(16))  # one in each sixteenth


def test_tpe_comes_nearer_and_nearer(line: dict[str, Any]) -> None:
    space = {"optimizer.lr": log_uniform(1e-4, 1.9)}
    result = search(**line, space=space, trials=60, epochs=1, sampler="tpe", batch=4)
    distance = [abs(1 - point["optimizer.lr"]) for point in points(result)]
    assert np.median(distance[-20:]) < 0.5 * np.median(distance[:10])


def test_a_sampler_of_optuna_may_be_given(line: dict[str, Any]) -> None:
    result = search(**line, space=RATES, trials=4, epochs=1, sampler=optuna.samplers.RandomSampler(seed=3))
    expected = np.random.RandomState(3)
    assert len(result.trials) == 4
    assert points(result)[0]["optimizer.lr"] == pytest.approx(np.exp(expected.uniform(np.log(0.01), np.log(1.9))))


def test_coarse_to_fine_trains_less_and_comes_closer(line: dict[str, Any]) -> None:
    space = {"optimizer.lr": log_uniform(1e-4, 1.9)}
    plain = search(**line, space=space, trials=24, epochs=5)
    result = search(**line, space=space, trials=24, epochs=5, stages="coarse_to_fine")
    assert epochs(result) == 12 * 1 + 6 * 1 + 6 * 5
    assert epochs(plain) == 24 * 5
    assert points(result)[:12] == points(plain)[:12]
    for before, closer in ((points(result)[:12], points(result)[12:18]), (points(result)[12:18], points(result)[18:])):
        best = sorted((abs(1 - point["optimizer.lr"]), point["optimizer.lr"]) for point in before)[:3]
        rates = [rate for _, rate in best]
        margin = (max(rates) / min(rates)) ** 0.1
        fine = np.array([point["optimizer.lr"] for point in closer])
        assert np.all((fine > 0.8 * min(rates) / margin) & (fine < 1.25 * max(rates) * margin))
    assert result.score < plain.score
    assert result.leaderboard["stage"].tolist().count(2) == 6


def test_halving_keeps_the_best_third_and_finds_the_same(line: dict[str, Any]) -> None:
    plain = search(**line, space=RATES, trials=27, epochs=9)
    result = search(**line, space=RATES, trials=27, epochs=9, stages="halving")
    assert epochs(result) == 27 * 1 + 9 * 2 + 3 * 6
    assert result.settings == plain.settings
    assert result.winner.history["val_loss"] == pytest.approx(plain.winner.history["val_loss"], rel=1e-5)
    states = [trial.state for trial in result.study.trials]
    assert states.count(optuna.trial.TrialState.PRUNED) == 24
    assert sorted(trial.epochs for trial in result.trials) == [1] * 18 + [3] * 6 + [9] * 3
    stopped = next(trial for trial in result.trials if trial.state == "pruned" and trial.epochs == 3)
    assert stopped.stopped == "not among the best 3 of 9 after epoch 3"


def test_hyperband_goes_from_bold_to_careful(line: dict[str, Any]) -> None:
    result = search(**line, space=RATES, trials=22, epochs=9, stages="hyperband")
    stages = [[trial.epochs for trial in result.trials if trial.stage == i] for i in range(3)]
    assert [len(stage) for stage in stages] == [10, 7, 5] or sum(map(len, stages)) == 22
    assert [min(stage) for stage in stages] == [1, 3, 9]
    assert all(max(stage) == 9 for stage in stages)


def test_stages_of_ones_own(line: dict[str, Any]) -> None:
    stages = [Stage(4, (1, 2), factor=2), Stage(2, (3,), narrow=0.5)]
    result = search(**line, space=RATES, trials=6, epochs=3, stages=stages)
    assert sorted(trial.epochs for trial in result.trials) == [1, 1, 2, 2, 3, 3]


def network(layers: int, width: int = 4, activation: str = "relu") -> cr.Layer:
    return cr.mlp([4, *[width] * layers, 3], hidden=activation)


def test_structure_is_searched_with_a_function(flowers: dict[str, Any]) -> None:
    space = {
        "layers": integer(0, 2),
        "width": integer(2, 16, log=True).when("layers", 1, 2),
        "activation": choice("relu", "tanh"),
        "optimizer": choice("sgd", "adam"),
        "optimizer.momentum": uniform(0.0, 0.9).when("optimizer", "sgd"),
        "batch_size": choice(16, 64),
    }
    result = search(**flowers | {"net": network}, space=space, trials=8, epochs=1)
    for trial in result.trials:
        assert ("optimizer.momentum" in trial.settings) == (trial.settings["optimizer"] == "sgd")
        assert ("width" in trial.settings) == (trial.settings["layers"] > 0)
    assert len({trial.settings["layers"] for trial in result.trials}) > 1
    made, values = result.model.net, result.settings
    assert len(made.layers) == values["layers"] + 1
    if values["layers"]:
        assert made.layers[0].units == values["width"]


def test_a_function_may_look_at_the_data(flowers: dict[str, Any]) -> None:
    def net(data: cr.Dataset, width: int) -> cr.Layer:
        return cr.mlp([data.x.shape[1], width, 3])

    result = search(**flowers | {"net": net}, space={"width": integer(2, 9)}, trials=3, epochs=1)
    assert result.model.net.layers[0].units == result.settings["width"]


def test_paths_into_the_network_are_searched(flowers: dict[str, Any]) -> None:
    space = {"net.layers.0.units": integer(2, 9), "net.layers.0.activation": choice("relu", "tanh")}
    result = search(**flowers, space=space, trials=3, epochs=1)
    assert result.model.net.layers[0].units == result.settings["net.layers.0.units"]


def test_a_trial_with_early_stopping_counts_with_its_best_epoch(line: dict[str, Any]) -> None:
    space = {"optimizer.lr": choice(0.5, 2.5)}  # the second one swings wider and wider
    result = search(
        **line, space=space, trials=2, epochs=8, sampler="grid", early_stopping=cr.EarlyStopping(patience=2)
    )
    wide = next(trial for trial in result.trials if trial.settings["optimizer.lr"] == 2.5)
    assert wide.epochs == 3
    assert wide.best_epoch == 1
    assert wide.value == wide.history["val_mae"][0]
    assert wide.stopped == "val_loss has not improved for 2 epochs (best: epoch 1)"


def test_a_trial_that_diverges_harms_no_other(flowers: dict[str, Any]) -> None:
    space = {"optimizer": choice(cr.SGD(0.1), cr.SGD(1e30))}
    result = search(**flowers, space=space, trials=2, epochs=3, sampler="grid")
    assert result.leaderboard["state"].tolist() == ["complete", "diverged"]
    assert result.settings == {"optimizer": cr.SGD(0.1)}
    assert "diverged at step" in str(next(t for t in result.trials if t.state == "diverged").stopped)


def test_all_trials_diverging_is_an_error_with_the_ranges(flowers: dict[str, Any]) -> None:
    space = {"optimizer.lr": log_uniform(1e30, 1e33), "l2": choice(0.0, 1.0)}
    with pytest.raises(
        DivergedError, match=r"All 4 trials diverged.*optimizer.lr from 1?\S+e\+3. to .*; l2 from 0 to 1"
    ):
        search(**flowers, space=space, trials=4, epochs=2, optimizer=cr.SGD(), seed=1)


def test_the_best_is_trained_once_more_on_all_rows(line: dict[str, Any]) -> None:
    stopping = cr.EarlyStopping(patience=2)
    result = search(**line, space={"optimizer.lr": choice(1.0, 2.5)}, trials=2, epochs=6, sampler="grid", retrain=True,
                   early_stopping=stopping)  # fmt: skip
    assert "val_loss" not in result.best.history.columns
    assert len(result.best.history) == result.winner.best_epoch
    fraction = line | {"validation": 0.25}
    again = search(**fraction, space=RATES, trials=2, epochs=1, retrain=True)
    assert again.best.recipe.optimizer.lr == again.settings["optimizer.lr"]
    assert again.best.model.standardizer.mean == pytest.approx(np.mean(line["data"][0]), abs=1e-5)


def test_the_test_part_is_judged_once(flowers: dict[str, Any]) -> None:
    iris = flowers["data"]
    rng = np.random.default_rng(0).permutation(150)
    train, test = (iris.x[rng[:110]], iris.y[rng[:110]]), (iris.x[rng[110:]], iris.y[rng[110:]])
    result = search(**flowers | {"data": train}, space={"optimizer.lr": log_uniform(0.01, 0.1)}, trials=4, epochs=15,
                   test=test)  # fmt: skip
    assert result.search_gap is not None
    assert result.search_gap.test == result.best.evaluate(*test)["accuracy"]
    assert result.gap == pytest.approx(result.score - result.search_gap.test)
    assert result.search_gap.optimism > 0
    assert "points" in str(result.search_gap)
    data = cr.Dataset.from_arrays("iris", *train, *test)
    same = search(**flowers | {"data": data}, space={"optimizer.lr": log_uniform(0.01, 0.1)}, trials=4, epochs=15)
    assert same.gap == result.gap
    assert search(**flowers | {"data": data}, space={"optimizer.lr": log_uniform(0.01, 0.1)}, trials=1, epochs=1,
                  test=False).search_gap is None  # fmt: skip


def test_a_search_that_fits_its_validation_rows_is_warned_about() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 20)), rng.integers(0, 2, 60)
    unseen = rng.normal(size=(300, 20)), rng.integers(0, 2, 300)
    net = cr.mlp([20, 64, 2])
    with pytest.warns(UserWarning, match=r"overfits the validation part: accuracy .*test score"):
        result = search(net, (x, y), {"optimizer.lr": log_uniform(0.01, 0.03)}, trials=3, epochs=20, validation=(x, y),
                       test=unseen, engine="numpy", progress=False)  # fmt: skip
    assert result.search_gap is not None
    assert result.search_gap.overfits
    assert result.gap is not None
    assert result.gap > 0.2


def test_no_warning_where_the_gap_is_chance(line: dict[str, Any]) -> None:
    x, y = line["data"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        noise = np.random.default_rng(1).normal(size=80)
        data = (x[:60], (y + noise)[:60])
        settings = line | {"data": data, "validation": 0.3}
        result = search(**settings, space=RATES, trials=4, epochs=2, test=(x[60:], (y + noise)[60:]))
    assert result.search_gap is not None
    assert not result.search_gap.overfits


def test_the_budget_may_be_epochs_or_time(line: dict[str, Any]) -> None:
    result = search(**line, space=RATES, trials=20, epochs=2, batch=4, max_epochs=16)
    assert epochs(result) == 16
    assert len(result.trials) == 8
    assert {trial.state for trial in result.trials} == {"complete"}
    short = search(**line, space=RATES, trials=100_000, epochs=1, batch=2, timeout=0.2)
    assert 2 <= len(short.trials) < 10_000
    cut = search(**line, space=RATES, trials=4, epochs=50, max_epochs=8)
    done = [trial for trial in cut.trials if trial.state == "complete"]
    assert epochs(cut) == 8
    assert all(trial.stopped == "the time or the epochs of the search were spent" for trial in done)


def test_a_search_can_be_watched(line: dict[str, Any]) -> None:
    seen: list[SearchProgress] = []
    events = []
    result = search(**line, space=RATES, trials=6, epochs=2, batch=3, watch=seen.append, callbacks=events.append)
    assert seen[-1].finished == seen[-1].trials == 6
    assert seen[-1].epochs == 12
    assert (seen[-1].value, seen[-1].trial) == (result.score, result.winner.number)
    assert "6 of 6 trials, 12 epochs, best val_mae" in str(seen[-1])
    assert len(events) == 12


def test_progress_is_told_on_standard_error(line: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    search(**line | {"progress": True}, space=RATES, trials=3, epochs=1)
    out = capsys.readouterr()
    assert out.out == ""
    assert "3 of 3 trials" in out.err


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, Interrupted), (signal.SIGTERM, Terminated)])
def test_a_signal_keeps_what_is_finished(line: dict[str, Any], number: int, error: type[BaseException]) -> None:
    study = optuna.create_study(direction="minimize")

    def interrupt(event: cr.Event) -> None:
        if sum(trial.state.is_finished() for trial in study.trials) >= 2:
            os.kill(os.getpid(), number)

    with pytest.raises(error, match="of 6 trials are finished"):
        search(**line, space=RATES, trials=6, epochs=2, batch=2, study=study, callbacks=interrupt)
    finished = [trial.number for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]
    assert len(finished) >= 2
    result = search(**line, space=RATES, trials=6, epochs=2, batch=2, study=study)
    whole = search(**line, space=RATES, trials=6, epochs=2, batch=2)
    assert sorted(map(str, points(result))) == sorted(map(str, points(whole)))
    assert result.score == whole.score
