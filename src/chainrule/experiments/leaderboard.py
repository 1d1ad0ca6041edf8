"""The trials of a search as they are shown: as a table, in words, and as facts for the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from chainrule.experiments.search_space import SpaceMapping
from chainrule.metrics import format_value
from chainrule.tuning import SearchResult, Stage

#: Trials whose curves the report keeps.
CURVES = 300


def leaderboard_of(mapping: SpaceMapping, result: SearchResult) -> Any:
    """Return the leaderboard with settings as they are typed."""
    board = result.leaderboard
    for axis in mapping.axes:
        name = mapping.names[axis.name]
        if name in board:
            by_trial = {trial.number: mapping.typed(trial.settings).get(axis.name) for trial in result.trials}
            board[name] = board["trial"].map(by_trial)
            board = board.rename(columns={name: axis.name})
    return board


def leaderboard_rows(mapping: SpaceMapping, result: SearchResult, most: int = 10) -> list[list[str]]:
    """Return the best trials as rows of cells, whose first is the heading."""
    board = leaderboard_of(mapping, result).head(most)
    names = [axis.name for axis in mapping.axes if axis.name in board]
    rows = [["", "trial", result.metric, *names, "epochs", "state"]]
    for _, trial in board.iterrows():
        value = trial[result.metric]
        cells = [_cell(trial[name]) for name in names]
        text = "-" if _is_missing(value) else format_value(result.metric, value)
        rows.append([str(trial["rank"]), str(trial["trial"]), text, *cells, str(trial["epochs"]), str(trial["state"])])
    return rows


def search_facts(mapping: SpaceMapping, result: SearchResult, how: str, notes: Sequence[str]) -> dict[str, Any]:
    """Return what the report shows of a search."""
    ranks = {int(row.trial): int(row.rank) for row in result.leaderboard[["trial", "rank"]].itertuples()}
    trials = []
    for trial in result.trials:
        has_curve = result.metric in trial.history.columns and ranks[trial.number] <= CURVES
        trials.append(
            {
                "number": trial.number,
                "rank": ranks[trial.number],
                "params": mapping.typed(trial.settings),
                "score": trial.value,
                "epochs": trial.epochs,
                "seconds": trial.seconds,
                "state": trial.state,
                "curve": [float(f"{v:.6g}") for v in trial.history[result.metric]] if has_curve else [],
            }
        )
    return {
        "metric": result.metric,
        "space": [axis.facts() for axis in mapping.axes],
        "trials": trials,
        "how": how,
        "verdict": None if result.search_gap is None else str(result.search_gap),
        "notes": list(notes),
    }


def describe_search(trials: int, sampler: str, way: str | None, stages: Sequence[Stage], epochs: str) -> str:
    """Return the sampler and the stages, in words; ``epochs``: of each trial, where there are no stages."""
    drawn = {"random": "drawn at random", "grid": "of a grid", "sobol": "of a Sobol sequence", "tpe": "by TPE"}
    begin = f"{trials:,} trials {drawn.get(sampler, sampler)}"
    if way is None:
        return f"{begin}, {epochs}"
    if way == "coarse_to_fine":
        parts = [f"{s.trials} of {s.epochs} {'epoch' if s.epochs == 1 else 'epochs'}" for s in stages]
        return f"{begin}, coarse to fine: {', then '.join(parts)}, each around the best of those before"
    parts = [f"{s.trials} with rungs at epoch {', '.join(map(str, s.rungs))}" for s in stages]
    return f"{begin}, {way}: {'; '.join(parts)}"


def _cell(value: Any) -> str:
    return "" if _is_missing(value) else f"{value:.4g}" if isinstance(value, float) else str(value)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
