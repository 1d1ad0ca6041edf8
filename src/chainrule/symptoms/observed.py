"""A run that was, or that still goes on, as the signs take it: its history, its moments, and looks at them."""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule import tree
from chainrule.backprop.tensor import unwrap
from chainrule.engine.choice import COSTS
from chainrule.models.forward import work
from chainrule.outcome import Outcome
from chainrule.recipe.history import History
from chainrule.recipe.recordings import Recordings
from chainrule.recipe.state import Recipe, State, filled
from chainrule.recipe.step import Batch, evaluate
from chainrule.run_settings import TrainingSettings
from chainrule.symptoms.look import Look, look

__all__ = ["Learnt", "Observed", "row_answers"]

#: A look is about so many passes; it is to take so many seconds at most, but for so many rows at least.
PASSES, SECONDS, LEAST_ROWS = 12, 0.25, 64

#: Nothing is learnt where the inputs lower the cost by less than this share, or by fewer standard errors.
LEAST_GAIN, LEAST_ERRORS = 0.01, 2.0


@dataclass(frozen=True, eq=False)
class Observed:
    """A run, as far as it has come.

    Attributes
    ----------
    recipe, settings : how it is trained
    history, outcome : what was measured after every epoch, and how it ended
    recordings : its moments, and some rows
    ended : whether it has ended
    """

    recipe: Recipe
    settings: TrainingSettings
    history: History
    recordings: Recordings
    outcome: Outcome = field(default_factory=Outcome)
    ended: bool = True

    @functools.cached_property
    def first(self) -> Look:
        """The look at the first state."""
        return self._look(self.recordings.first)

    @functools.cached_property
    def early(self) -> Look | None:
        """The look at the state after the first epoch, where that was kept and is not the last."""
        early = self.recordings.early
        return None if early is None or early.step == int(self.recordings.last.step) else self._look(early)

    @functools.cached_property
    def last(self) -> Look:
        """The look at the last state."""
        return self._look(self.recordings.last)

    def after(self, before: Observed) -> Observed:
        """Return the run with the look at its first state that was taken ``before``, if one was."""
        new = dataclasses.replace(self)
        if "first" in before.__dict__:
            new.__dict__["first"] = before.first
        return new

    @functools.cached_property
    def rows(self) -> Batch:
        """The training rows that are looked at: those that were kept, or some of them where passes are long."""
        rows, first = self.recordings.rows, self.recordings.first
        passed = work(self.recipe.net, first.params, first.model_state, rows.x.shape[1:])
        seconds = COSTS["numpy"].seconds(PASSES, passed) / PASSES
        size = int(min(len(rows.x), max(LEAST_ROWS, SECONDS / (PASSES * max(seconds - COSTS["numpy"].step, 1e-9)))))
        at = np.linspace(0, len(rows.x) - 1, size).round().astype(int)
        return rows if size == len(rows.x) else Batch(*(values[at] for values in rows))

    def _look(self, state: State) -> Look:
        return look(self.recipe, state, self.rows, batch_size=int(self.settings.batch_size))

    @functools.cached_property
    def moved(self) -> dict[str, float]:
        """How far each weight has moved from the first state to the last, beside its first size (rms)."""
        last = dict(tree.leaves_with_path(self.recordings.last.params))
        first = tree.leaves_with_path(self.recordings.first.params)
        return {"/".join(path): _change(w, last[path]) for path, w in first if path[-1] == "weight"}

    @functools.cached_property
    def learnt(self) -> Learnt | None:
        """What the answers owe to the inputs, in the last state; None where that cannot be said."""
        rows = self.rows
        if len(rows.x) < 8:
            return None
        others = rows._replace(x=np.roll(rows.x, len(rows.x) // 2, axis=0))
        costs, _ = row_answers(self.recipe, self.recordings.last, rows)
        exchanged, _ = row_answers(self.recipe, self.recordings.last, others)
        if not np.isfinite(costs).all() or not np.isfinite(exchanged).all():
            return None
        difference = exchanged - costs
        mean, error = float(difference.mean()), float(difference.std(ddof=1) / math.sqrt(len(difference)))
        size = float(np.abs(exchanged).mean())
        return Learnt(mean / size if size else 0.0, mean / error if error else 0.0 if mean == 0 else math.inf)


@dataclass(frozen=True)
class Learnt:
    """What the answers owe to the inputs, of rows in pairs in prediction mode.

    Attributes
    ----------
    gain : the share of the cost with the inputs of other rows that goes away with their own
    errors : the same in standard errors
    """

    gain: float
    errors: float

    @property
    def nothing(self) -> bool:
        """Whether it is less than a hundredth of the cost, or than two standard errors."""
        return self.gain < LEAST_GAIN or self.errors < LEAST_ERRORS


def _change(before: Any, after: Any) -> float:
    before, after = np.asarray(before, np.float64), np.asarray(after, np.float64)
    size, change = (float(np.sqrt(np.mean(np.square(v)))) if v.size else 0.0 for v in (before, after - before))
    return change / size if size > 0 else math.inf if change > 0 else 0.0


def row_answers(recipe: Recipe, state: State, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Return cost and score of each row, in prediction mode."""
    plain = dataclasses.replace(filled(recipe, state.settings), augment=None, compute=None)
    with np.errstate(all="ignore"):
        costs, scores, _ = evaluate(plain, state.params, state.model_state, batch)
    return np.asarray(unwrap(costs), np.float64), np.asarray(scores, np.float64)
