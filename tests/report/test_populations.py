"""The page about several networks: bands over members, folds, the trials of a search."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import FileError
from chainrule.outcome import Outcome
from chainrule.report import write_report
from chainrule.report.search_figures import MOST_LINES
from chainrule.runs.members import band, mean_records, read_members, write_members
from chainrule.runs.trials import Axis, Trials, at_the_edge, read_trials, write_trials
from report.browser import Browser
from report.test_browser import MARKS
from report.test_page import EVIL, page, text_of

LOOKS = ((390, True), (1280, False))


def records(losses: list[float], accuracies: list[float]) -> list[dict[str, float]]:
    pairs = enumerate(zip(losses, accuracies, strict=True), 1)
    return [
        {"epoch": i, "loss": v, "accuracy": a, "val_loss": 2 * v, "val_accuracy": a / 2, "lr": 0.1, "seconds": 0.1}
        for i, (v, a) in pairs
    ]


EPOCHS = [
    records([4.0, 2.0, 1.0, 0.5], [0.2, 0.4, 0.6, 0.8]),
    records([3.0, 2.0, 1.0], [0.4, 0.6, 0.8]),
    records([5.0, 5.0], [0.3, 0.5]),
    records([9.0, math.nan], [0.1, 0.1]),
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    iris = cr.data.load("iris")
    cr.fit(cr.Dense(3, "softmax"), iris, epochs=2, validation=0.2, out=tmp_path / "run", progress=False)
    return tmp_path / "run"


def several(folder: Path, kind: str = "seeds", **more: Any) -> None:
    members: list[dict[str, Any]] = []
    for i, records in enumerate(EPOCHS):
        scores = {"val_accuracy": records[-1]["val_accuracy"], "val_loss": records[-1]["val_loss"]} if i < 3 else {}
        place = {"seed": i} if kind == "seeds" else {"fold": i // 2 + 1, "seed": i % 2}
        ended = Outcome.at_divergence(7, 1) if i == 3 else Outcome()
        members.append(place | {"epochs": len(records), "best_epoch": 1, "scores": scores} | ended.to_dict())
    facts = {"kind": kind, "metric": "val_accuracy", "members": members, "model": f"the ensemble {EVIL}"}
    write_members(folder, facts | more, EPOCHS)
    write_report(folder)


def space() -> list[dict[str, Any]]:
    return [
        {"name": "lr", "low": 1e-4, "high": 1e-1, "log": True},
        {"name": "dropout", "low": 0.0, "high": 0.5},
        {"name": "hidden", "choices": ["64", "128,64", EVIL]},
        {"name": "momentum", "low": 0.0, "high": 0.9},
    ]


def searched(folder: Path, count: int = 40, *, smaller: bool = False, high: float = 1e-1) -> None:
    random = np.random.default_rng(0)
    trials: list[dict[str, Any]] = []
    for i in range(count):
        params: dict[str, Any] = {"lr": float(10 ** random.uniform(-4, -1)), "dropout": float(random.uniform(0, 0.5))}
        params["hidden"] = space()[2]["choices"][i % 3]
        if i % 2:
            params["momentum"] = 0.3
        score = float(1 / (1 + abs(math.log10(params["lr"]) + 1))) if i % 7 else None
        curve = [] if score is None else [0.3 * score, 0.7 * score, score]
        state = "diverged" if score is None else "pruned" if i % 5 == 1 else "complete"
        trials.append({"number": i, "params": params, "score": score, "epochs": 3, "state": state, "curve": curve})
    order = sorted(
        trials,
        key=lambda t: (
            t["state"] != "complete",
            math.inf if t["score"] is None else (t["score"] if smaller else -t["score"]),
        ),
    )
    for rank, trial in enumerate(order, 1):
        trial["rank"] = rank
    metric = "val_loss" if smaller else "val_accuracy"
    facts = {"metric": metric, "space": space(), "trials": trials, "how": f"{count} trials", "notes": [f"It {EVIL}"]}
    write_trials(folder, facts | {"verdict": "accuracy 97 % on the validation part"})
    write_report(folder)


# Members


def test_a_band_goes_from_the_lowest_to_the_highest_and_needs_half_of_the_members() -> None:
    curve = band(EPOCHS[:3], "loss")
    assert curve.epochs == [1, 2, 3]
    assert curve.mean == pytest.approx([4.0, 3.0, 1.0])
    assert (curve.low, curve.high) == ([3.0, 2.0, 1.0], [5.0, 5.0, 1.0])
    assert curve.members == [3, 3, 2]
    assert band([], "loss").epochs == []


def test_the_average_member_has_the_means_of_all_columns() -> None:
    records = mean_records(EPOCHS[:3])
    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert records[0]["val_accuracy"] == pytest.approx(0.15)
    assert records[2]["loss"] == pytest.approx(1.0)


def test_the_page_of_several_seeds_has_bands_and_leaves_out_who_diverged(run: Path) -> None:
    several(run)
    parsed = page(run)
    training, _ = parsed.figures["loss"]["series"]
    assert training["x"] == [0.5, 1.5, 2.5]  # means over an epoch stand at its middle
    assert training["y"] == pytest.approx([4.0, 3.0, 1.0])
    assert (training["high"], training["low"]) == ([5.0, 5.0, 1.0], [3.0, 2.0, 1.0])
    assert parsed.figures["scores"]["series"][0]["y"] == [0.4, 0.4, 0.25]
    assert float(parsed.keys["seconds"][0]) == pytest.approx(1.1)  # of all networks together
    assert parsed.keys["seconds"][1].startswith("1.1")
    text = text_of(parsed)
    assert "Over 4 seeds: validation accuracy 35.00 % ± 8.66 %" in text.replace("\u00a0", " ")
    assert "Diverged: 1 network of 4 became infinite or undefined." in text
    assert f"the ensemble {EVIL}" in text
    assert "The line is the mean of the networks, the band goes from the lowest to the highest." in text


def test_the_page_of_folds_has_the_curves_of_the_run_beside_those_of_the_folds(run: Path) -> None:
    summary = {"val_accuracy": {"mean": 0.3, "std": 0.05, "low": 0.1, "high": 1.2, "values": [0.25, 0.35]}}
    several(run, "folds", summary=summary, judged_on="held-out fold")
    parsed = page(run)
    assert {"loss", "score", "scores", "members-loss", "members-score"} <= set(parsed.figures)
    assert len(parsed.figures["loss"]["series"][0]["y"]) == 2
    names = [series["name"] for series in parsed.figures["members-loss"]["series"]]
    assert names == ["training", "held-out fold"]
    scores = parsed.figures["scores"]
    assert scores["bands"] == [[0.1, 1.0]]  # an accuracy ends at 1
    assert scores["levels"] == [[0.3, "mean"]]
    assert "2-fold cross-validation" in text_of(parsed)


def test_members_are_read_as_they_were_written_and_damage_is_told(run: Path) -> None:
    assert read_members(run) is None
    several(run)
    result = read_members(run)
    assert result is not None
    assert [len(member) for member in result.epochs] == [4, 3, 2, 2]
    (run / "members" / "01" / "metrics.jsonl").write_text("{\n{}\n")
    with pytest.raises(FileError, match=r"metrics\.jsonl is damaged"):
        write_report(run)
    (run / "members" / "01" / "metrics.jsonl").unlink()
    with pytest.raises(FileError, match=r"metrics\.jsonl cannot be read"):
        write_report(run)
    (run / "members.json").write_text('{"format": 99}')
    with pytest.raises(FileError, match="another version"):
        write_report(run)


# Trials


def test_a_value_has_its_place_on_an_axis() -> None:
    assert Axis("lr", 1e-4, 1e-2, log=True).position(1e-3) == pytest.approx(0.5)
    assert Axis("loss", 4.0, 2.0).position(3.5) == pytest.approx(0.25)  # the better end is on the right
    assert Axis("hidden", choices=("a", "b", "c")).position("b") == pytest.approx(0.5)
    assert Axis("lr", 1e-4, 1e-2).position(None) is None


def test_the_page_of_a_search_shows_every_setting(run: Path) -> None:
    searched(run)
    parsed = page(run)
    assert {"progress", "trials", "parallel", "against-0", "against-1", "against-2", "against-3"} <= set(parsed.figures)
    trials = read_trials(run)
    assert trials is not None
    scored = [trial for trial in trials.all if trial["score"] is not None]
    assert len(scored) == 34
    groups = parsed.figures["against-0"]["series"]
    drawn = [group for group in groups if group["name"] not in ("diverged", "best")]
    assert sum(len(group["x"]) for group in drawn) == 34
    assert sorted(x for group in drawn for x in group["x"]) == sorted(trial["params"]["lr"] for trial in scored)
    (crosses,) = [group for group in groups if group["name"] == "diverged"]
    assert len(crosses["x"]) == 6
    assert re.search(r'figure-against-0".*?data-x="[^"]* log"', (run / "report.html").read_text(), re.DOTALL)
    asked = [group for group in parsed.figures["against-3"]["series"] if group["name"] != "best"]
    assert sum(len(group["x"]) for group in asked) == 20  # half were not asked for it
    text = text_of(parsed)
    best = max((trial for trial in scored if trial["state"] == "complete"), key=lambda trial: trial["score"])
    assert f"Best of 40 trials: trial {best['number']}, validation accuracy" in text
    assert "Validation and test: accuracy 97 % on the validation part" in text
    assert f"Warning: It {EVIL}" in text


def test_parallel_lines_go_through_all_settings_of_a_trial(run: Path) -> None:
    searched(run)
    trials = read_trials(run)
    assert trials is not None
    figure = page(run).figures["parallel"]
    (best,) = [group for group in figure["lines"] if group["name"] == "best"]
    (places,) = best["places"]
    params = trials.ranked[0]["params"]
    there = [axis.name for axis, place in zip(trials.axes, places, strict=False) if place is not None]
    assert there == [axis.name for axis in trials.axes if axis.name in params]
    assert places[0] == pytest.approx(math.log10(params["lr"] / 1e-4) / 3)
    assert places[-1] == 1.0


def test_trials_compare_with_those_of_their_budget_only(run: Path) -> None:
    epochs = {0: 1, 1: 1, 2: 1, 3: 3, 4: 3, 5: 9}
    trials = [
        {
            "number": i,
            "params": {"lr": 0.01},
            "score": 0.9 - 0.1 * e - 0.01 * i,
            "epochs": e,
            "curve": [],
            "rank": 6 - i,
        }
        | {"state": "complete" if e == 9 else "pruned", "seconds": 2.0}
        for i, e in epochs.items()
    ]
    facts = {"metric": "val_loss", "space": space()[:1], "trials": trials, "how": "halving", "notes": []}
    write_trials(run, facts)
    write_report(run)
    parsed = page(run)
    assert {one["name"] for one in parsed.figures["progress"]["lines"]} == {
        "best so far of 1 epoch",
        "best so far of 3 epochs",
        "best so far of 9 epochs",
    }
    assert float(parsed.keys["seconds"][0]) == 12.0
    head, *rows = re.findall(r"<tr.*?</tr>", (run / "report.html").read_text().split('id="search"')[1], re.DOTALL)
    assert "rank at its epochs" in head
    assert [re.findall(r"<t[hd][^>]*>([^<]*)", line)[0] for line in rows[:6]] == ["1", "1", "2", "1", "2", "3"]


def test_smaller_scores_are_better_where_they_are_costs(run: Path) -> None:
    searched(run, smaller=True)
    trials = read_trials(run)
    assert trials is not None
    complete = [trial["score"] for trial in trials.ranked if trial["state"] == "complete"]
    assert complete == sorted(complete)
    line = page(run).figures["progress"]["lines"][-1]  # of those that were trained to the end
    assert line["y"] == sorted(line["y"], reverse=True)
    assert line["y"][-1] == complete[0]


def test_thousands_of_trials_fit_on_a_page(run: Path) -> None:
    searched(run, count=4000)
    figures = page(run).figures
    assert max(len(group["places"]) for group in figures["parallel"]["lines"]) <= MOST_LINES
    assert (run / "report.html").stat().st_size < 4_000_000


def test_what_lies_far_away_stands_at_the_edge() -> None:
    scores = [0.1, 0.11, 0.12, 0.13, 0.14, 1e9]
    trials = [
        {"number": i, "rank": i + 1, "params": {"lr": 0.01}, "score": s, "epochs": 1, "state": "complete", "curve": []}
        for i, s in enumerate(scores)
    ]
    low, high = Trials({"metric": "val_loss", "space": [], "trials": trials}).window(trials)
    assert low == 0.1
    assert 0.14 <= high < 1


def test_the_best_at_the_end_of_a_range_are_told() -> None:
    def advice(best: float) -> list[str]:
        trials = [
            {"number": i, "rank": i + 1, "params": {"lr": best if i < 8 else 1e-3}, "score": -i, "state": "complete"}
            for i in range(60)
        ]
        return at_the_edge(Trials({"metric": "val_accuracy", "space": space()[:1], "trials": trials}))

    assert advice(0.099) == ["most of the best trials are at the upper end of lr (0.1); widen its range."]
    assert advice(0.01) == []


def test_a_search_without_a_success_has_a_page(run: Path) -> None:
    trial = {
        "number": 0,
        "rank": 1,
        "params": {"lr": 0.1},
        "score": None,
        "epochs": 0,
        "state": "diverged",
        "curve": [],
    }
    write_trials(run, {"metric": "val_accuracy", "space": space(), "trials": [trial], "how": "1 trial", "notes": []})
    write_report(run)
    assert "No trial succeeded." in text_of(page(run))


# In a browser


@pytest.mark.parametrize(("width", "dark"), LOOKS)
def test_no_error_no_request_and_all_figures(browser: Browser, run: Path, width: int, dark: bool) -> None:
    several(run, "folds")
    searched(run)
    browser.open(run / "report.html", width, dark=dark)
    assert browser.complaints() == []
    assert browser.requests() == []
    assert browser.value("document.documentElement.scrollWidth") <= width
    drawn = browser.value(MARKS)
    assert len(drawn) == 12 + 14  # of the members and the search, and of training from inside
    assert all(drawn.values())
    bands = "[...document.querySelectorAll('#figure-members-loss .cr-log .cr-band')]"
    fills = browser.value(f"{bands}.map(p => getComputedStyle(p).fillOpacity)")
    assert len(fills) == 2
    assert all(0 < float(fill) < 1 for fill in fills)


def test_a_search_reads_back_what_it_wrote(run: Path) -> None:
    assert read_trials(run) is None
    searched(run, count=3)
    search = json.loads((run / "search.json").read_text())
    assert [trial["number"] for trial in search["trials"]] == [0, 1, 2]
    (run / "search.json").write_text("[]")
    with pytest.raises(FileError, match=r"search\.json is damaged"):
        write_report(run)
