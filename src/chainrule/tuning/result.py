"""The result of a search."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import metrics
from chainrule.display.numbers import number
from chainrule.display.text import Text
from chainrule.draw.axes import Axis
from chainrule.draw.line import Series
from chainrule.draw.notebook import cell, table
from chainrule.draw.scatter import Points, scatter
from chainrule.evaluation.search_gap import SearchGap
from chainrule.models import Model
from chainrule.recipe.history import History
from chainrule.training.run import Run

if TYPE_CHECKING:
    from optuna.study import Study
    from pandas import DataFrame

#: Trials that `SearchResult.summary` shows.
LEADING = 10


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes
    ----------
    number : its number in the study
    settings : what it was trained with, by name
    value : the metric at the epoch whose weights it ended with; None if it did not get there
    state : "complete", "pruned" (stopped for better ones), "diverged", "failed" or "running" (in another process)
    epochs, seconds : what it was trained for
    best_epoch : the epoch whose weights it ended with: with early stopping the best, otherwise the last
    history : `History`, the curves of all metrics
    stopped : why it ended before its last epoch, or None
    stage : the number of the stage
    """

    number: int
    settings: Mapping[str, Any]
    value: float | None
    state: str
    epochs: int
    best_epoch: int
    seconds: float
    history: History
    stopped: str | None
    stage: int


class SearchResult:
    """The result of a search.

    Attributes
    ----------
    trials : every `Trial` with its curves, by number
    settings : those of the best trial
    score : its value of the metric
    metric : such as "val_accuracy"
    study : the Optuna study
    search_gap : `SearchGap`, validation and test score of the best; None without a test part
    seconds : that this call took

    >>> import chainrule as cr
    >>> best = cr.search(
    ...     cr.mlp([4, 8, 3]), cr.data.load("iris"), {"optimizer.lr": cr.log_uniform(1e-3, 0.3)},
    ...     trials=4, epochs=2, progress=False)
    >>> len(best.leaderboard), list(best.settings), best.score == best.study.best_value
    (4, ['optimizer.lr'], True)
    """

    def __init__(
        self,
        trials: list[Trial],
        best: Trial,
        metric: str,
        study: Study,
        run: Callable[[], Run],
        *,
        ranking: list[int],
        seconds: float = 0.0,
        staged: bool = False,
    ) -> None:
        self.trials, self.metric, self.study = trials, metric, study
        self.settings, self.score = dict(best.settings), float(best.value or 0.0)
        self.search_gap: SearchGap | None = None
        self.seconds = seconds
        self._best, self._run, self._ranking, self._staged = best, run, ranking, staged

    @functools.cached_property
    def best(self) -> Run:
        """The run of the best trial; with ``retrain`` that on training and validation rows together.

        The weights of a trial of another process, or of an earlier call, are made again by training it once more.
        """
        return self._run()

    @property
    def model(self) -> Model:
        """The model of the best run."""
        return self.best.model

    @property
    def winner(self) -> Trial:
        """The best trial."""
        return self._best

    @property
    def gap(self) -> float | None:
        """How much better the winner is on validation rows than on test rows; None without a test part."""
        return None if self.search_gap is None else self.search_gap.gap

    @property
    def leaderboard(self) -> DataFrame:
        """A table with a row for each trial, the best first: rank, trial, metric, settings, epochs, seconds, state.

        Trials without a value come last; settings that a trial was not asked for are missing.
        """
        import pandas as pd

        by_number = {trial.number: trial for trial in self.trials}
        names = list(dict.fromkeys(name for trial in self.trials for name in trial.settings))
        rows = []
        for rank, at in enumerate(self._ranking, 1):
            trial = by_number[at]
            row: dict[str, Any] = {"rank": rank, "trial": at, self.metric: trial.value}
            row |= {name: trial.settings.get(name) for name in names}
            row |= {"epochs": trial.epochs, "seconds": trial.seconds, "state": trial.state}
            rows.append(row | ({"stage": trial.stage} if self._staged else {}))
        frame = pd.DataFrame(rows)
        frame[self.metric] = frame[self.metric].astype(float)
        return frame

    def to_pandas(self) -> DataFrame:
        """Return a table with a row for each epoch of each trial: the curves."""
        import pandas as pd

        return pd.DataFrame([{"trial": trial.number, **record} for trial in self.trials for record in trial.history])

    def summary(self) -> Text:
        """Return the best settings and the trials that lead, to print."""
        lines = [repr(self), "", self.leaderboard.head(LEADING).to_string(index=False)]
        if (more := len(self.trials) - LEADING) > 0:
            lines.append(f"and {more:,} more")
        return Text("\n".join(lines + ([str(self.search_gap)] if self.search_gap is not None else [])))

    def _repr_html_(self) -> str:
        """Return the trials that lead, and the value of each trial, for a notebook."""
        leading = self.leaderboard.head(LEADING)
        rows = [[_cell(value) for value in row] for row in leading.itertuples(index=False)]
        there = [trial for trial in self.trials if trial.value is not None]
        x = [float(trial.number) for trial in there]
        y = [float(trial.value or 0.0) for trial in there]
        best = np.minimum.accumulate(y) if metrics.find(self.metric).smaller_is_better else np.maximum.accumulate(y)
        figure = scatter(
            "trials", "What each trial came to", [Points("trial", x, y)],
            Axis("trial", whole=True), Axis(self.metric, percent=metrics.is_fraction(self.metric)),
            lines=[] if self._staged else [Series("best so far", x, best.tolist())],
        )  # fmt: skip
        gap = None if self.search_gap is None else str(self.search_gap)
        more = f"and {len(self.trials) - LEADING:,} more" if len(self.trials) > LEADING else None
        return cell(repr(self), table(list(leading.columns), rows), more, gap, figure if there else None)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        best = f"{self.metric} {metrics.format_value(self.metric, self.score)}"
        return f"SearchResult({len(self.trials)} trials, {best} with {settings})"


def _cell(value: Any) -> str:
    """Return a value of the leaderboard as people read it."""
    return number(value) if isinstance(value, float) else str(value)
