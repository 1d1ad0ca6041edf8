"""The result of training."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chainrule.display.text import Text
from chainrule.draw.notebook import cell
from chainrule.metrics import format_value
from chainrule.models import Model
from chainrule.outcome import Outcome
from chainrule.recipe.history import History
from chainrule.recipe.probe import Probes
from chainrule.recipe.recordings import Recordings
from chainrule.recipe.state import Recipe
from chainrule.run_settings import TrainingSettings
from chainrule.symptoms.diagnosis import Diagnosis
from chainrule.symptoms.observed import Observed
from chainrule.symptoms.run_diagnosis import diagnosis_of_run, nothing_kept
from chainrule.training.recorded import Recorded


class Run:
    """A finished training run.

    Attributes
    ----------
    model : the trained `Model` (with early stopping, of the best epoch)
    history : `History`, one record per epoch
    best_epoch : the epoch whose weights the model has (with early stopping the best, otherwise the last); None where
        it has those of none: it diverged within an epoch, or is an ensemble
    metrics : what was measured of the model on training and validation data: in that epoch, or on the model itself
    outcome : `Outcome`, how training ended: ``run.outcome.kind`` is "finished", "stopped early", "diverged" …
    engine : "numpy" or "jax"
    probes : `Probes`, what the layers did on the probed steps, or None
    traces : how often each program was traced and compiled for this run, by its name; {} where nothing had to be
    folder : where the run was written, or None
    notes : what should be known about its data, as sentences, such as the columns of a table that are left out and why
    settings : `FitSettings` (of a population's member `TrainingSettings`) that it was trained with; None of an ensemble
    recordings : `Recordings`, a few moments of it, to look at; None of an ensemble
    recorded : `Recorded`, its training as arrays, with the level of ``record`` it was trained with; None with "none",
        and of members of populations

    >>> import chainrule as cr
    >>> run = cr.fit(cr.Dense(3, "softmax"), cr.data.load("iris"), epochs=2, progress=False)
    >>> len(run.history), run.engine, run.best_epoch
    (2, 'numpy', 2)
    >>> run.metrics["accuracy"] == run.history["accuracy"][-1]
    True
    """

    def __init__(
        self,
        model: Model,
        history: History,
        recipe: Recipe,
        *,
        best_epoch: int | None,
        outcome: Outcome,
        engine: str,
        traces: Mapping[str, int],
        probes: Probes | None = None,
        folder: Path | None = None,
        metrics: Mapping[str, float] | None = None,
        notes: Sequence[str] = (),
        settings: TrainingSettings | None = None,
        recordings: Recordings | None = None,
    ) -> None:
        self.model = model
        self.history = history
        self.recipe = recipe
        self.best_epoch = best_epoch
        self.outcome = outcome
        self.engine = engine
        self.traces = dict(traces)
        self.probes = probes
        self.folder = folder
        self.metrics = history.at(best_epoch) if metrics is None else dict(metrics)
        self.notes = tuple(notes)
        self.settings = settings
        self.recordings = recordings
        self.recorded: Recorded | None = None

    @functools.cached_property
    def diagnosis(self) -> Diagnosis:
        """What the run kept of itself tells: whether something is wrong, what it is, and what to change.

        Made when it is first asked for, of the run's start, its history, and looks at a few of its moments; nothing is
        trained, and it never raises. `chainrule.diagnose` examines the data as well, and tries what may help.

        >>> import chainrule as cr
        >>> run = cr.fit(cr.mlp([4, 8, 3], init="zeros"), cr.data.load("iris"), epochs=2, progress=False)
        >>> run.diagnosis.alarm, run.diagnosis.causes[0].name
        (True, 'init')
        """
        if self.recordings is None or self.settings is None:
            return nothing_kept()
        observed = Observed(self.recipe, self.settings, self.history, self.recordings, self.outcome)
        return diagnosis_of_run(self.model, observed)

    @property
    def stopped(self) -> str | None:
        """Why training ended before the last epoch, in words for people (`Outcome.reason`); None if it did not."""
        return self.outcome.reason

    def __repr__(self) -> str:
        last = {k: round(v, 4) for k, v in (self.history.records or [{}])[-1].items()}
        compiled = "".join(f", {name} compiled {times}x" for name, times in sorted(self.traces.items()))
        return f"Run({len(self.history)} epochs on {self.engine}{compiled}, last: {last})"

    def summary(self) -> Text:
        """Return how training went and what came of it, with the layers of the model, to print.

        >>> import chainrule as cr
        >>> run = cr.fit(cr.Dense(3, "softmax"), cr.data.load("iris"), epochs=2, progress=False)
        >>> print(run.summary().splitlines()[0])
        2 epochs on numpy; the weights are those of epoch 2
        """
        epochs = f"{len(self.history)} epoch{'' if len(self.history) == 1 else 's'} on {self.engine}"
        weights = "of no epoch" if self.best_epoch is None else f"those of epoch {self.best_epoch}"
        lines = [f"{epochs}; the weights are {weights}"]
        lines += [f"stopped: {self.stopped}"] if self.stopped else []
        lines += [", ".join(f"{name} {format_value(name, value)}" for name, value in self.metrics.items())]
        return Text("\n".join([*lines, *self.notes, "", str(self.model)]))

    def _repr_html_(self) -> str:
        """Return how training went for a notebook: the first lines of `summary`, and the curves."""
        lines = self.summary().splitlines()
        return cell(*lines[: lines.index("")], *self.history.figures(self.best_epoch))

    def evaluate(self, x: Any, y: Any = None) -> dict[str, float]:
        """Measure the model on other data, as `Model.evaluate` does, by the loss of the run.

        >>> import chainrule as cr
        >>> digits = cr.data.load("digits")
        >>> net = cr.Sequential(cr.Flatten(), cr.Dense(10, "softmax"))
        >>> run = cr.fit(net, digits, optimizer=cr.Adam(lr=0.01), epochs=5, progress=False)
        >>> run.evaluate(digits.x, digits.y)["accuracy"] > 0.9
        True
        """
        return self.model.evaluate(x, y, loss=self.recipe.loss)
