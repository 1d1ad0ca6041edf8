"""The trials of a search as they are shown: as a table, in words, and as facts for the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.cli.messages import say
from chainrule.display.text_table import text_table as table
from chainrule.experiments.search_space import SpaceMapping
from chainrule.metrics import format_value
from chainrule.runs.trials import Trials, at_the_edge
from chainrule.tuning import SearchResult, Stage

#: Trials that are printed, and trials whose curves the report keeps.
LEADERS, CURVES = 10, 300


def frame(translation: SpaceMapping, found: SearchResult) -> Any:
    """Return the leaderboard with settings as they are typed."""
    board = found.leaderboard
    for axis in translation.axes:
        name = translation.names[axis.name]
        if name in board:
            by_trial = {trial.number: translation.typed(trial.settings).get(axis.name) for trial in found.trials}
            board[name] = board["trial"].map(by_trial)
            board = board.rename(columns={name: axis.name})
    return board


def leaderboard(translation: SpaceMapping, found: SearchResult) -> str:
    """Return the best trials as a table."""
    board = frame(translation, found).head(LEADERS)
    names = [axis.name for axis in translation.axes if axis.name in board]
    rows = [["", "trial", found.metric, *names, "epochs", "state"]]
    for _, one in board.iterrows():
        value = one[found.metric]
        cells = [
            "" if _missing(one[name]) else f"{one[name]:.4g}" if isinstance(one[name], float) else str(one[name])
            for name in names
        ]
        shown = "-" if _missing(value) else format_value(found.metric, value)
        rows.append([str(one["rank"]), str(one["trial"]), shown, *cells, str(one["epochs"]), str(one["state"])])
    return table(rows)


def facts_of(translation: SpaceMapping, found: SearchResult, how: str, notes: Sequence[str]) -> dict[str, Any]:
    """Return what the report shows of a search."""
    ranks = {int(one.trial): int(one.rank) for one in found.leaderboard[["trial", "rank"]].itertuples()}
    trials = []
    for trial in found.trials:
        kept = found.metric in trial.history.columns and ranks[trial.number] <= CURVES
        trials.append(
            {
                "number": trial.number,
                "rank": ranks[trial.number],
                "params": translation.typed(trial.settings),
                "score": trial.value,
                "epochs": trial.epochs,
                "state": trial.state,
                "curve": [float(f"{v:.6g}") for v in trial.history[found.metric]] if kept else [],
            }
        )
    return {
        "metric": found.metric,
        "space": [axis.facts() for axis in translation.axes],
        "trials": trials,
        "how": how,
        "verdict": None if found.search_gap is None else str(found.search_gap),
        "notes": list(notes),
    }


def how(trials: int, sampler: str, way: str | None, stages: Sequence[Stage], epochs: str) -> str:
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


def say_found(translation: SpaceMapping, found: SearchResult, facts: Mapping[str, Any]) -> None:
    """What came of it."""
    winner = found.winner
    chosen = ", ".join(
        f"{name} {v:.4g}" if isinstance(v, float) else f"{name} {v}"
        for name, v in translation.typed(winner.settings).items()
    )
    value = f"{found.metric} {format_value(found.metric, found.score)}"
    say(f"Best of {len(found.trials)} trials: trial {winner.number}, {value}, with {chosen}.")
    if found.search_gap is not None:
        say(f"Test: {found.search_gap}")
    for note in facts["notes"]:
        say(f"warning: {note}")
    for note in at_the_edge(Trials(facts)):
        say(f"note: {note}")


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
