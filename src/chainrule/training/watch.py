"""``fit(doctor="watch")``: a run is looked at while it goes on, and a fault is told. Nothing of the run changes."""

from __future__ import annotations

import time
from collections.abc import Callable

from chainrule.display.lines import print_line
from chainrule.engine.choice import COSTS
from chainrule.models import Model
from chainrule.models.forward import work
from chainrule.recipe.history import History
from chainrule.recipe.prepare import Prepared
from chainrule.recipe.recordings import ROWS, Recordings
from chainrule.recipe.state import Recipe, State
from chainrule.run_settings import TrainingSettings
from chainrule.symptoms.evidence import Finding
from chainrule.symptoms.observed import Observed
from chainrule.symptoms.run_diagnosis import faults

__all__ = ["Watch"]

#: The share of the time spent so far that looking may take.
SHARE = 0.02

#: About so many passes over the rows does the first look take.
PASSES = 40


class Watch:
    """Looks at a run after epochs 1, 2, 4, 8 and so on, and tells each fault once.

    A look that would take more than 2 % of the time spent so far, with all looks before it, is left out: what it takes
    is what the last one took, and before the first what so many passes take by the measured rule for NumPy.

    Parameters
    ----------
    model, recipe, prepared, first, settings : of the run
    tell : gets each text
    """

    def __init__(
        self,
        model: Model,
        recipe: Recipe,
        prepared: Prepared,
        first: State,
        settings: TrainingSettings,
        tell: Callable[[str], None] = print_line,
    ) -> None:
        self.began = time.perf_counter()
        self.recipe, self.prepared, self.first, self.settings, self.tell = recipe, prepared, first, settings, tell
        passed = work(model.net, model.params, model.state, model.input_shape) * min(ROWS, len(prepared.train.x))
        self.takes, self.spent = COSTS["numpy"].seconds(PASSES, passed), 0.0
        self.known: set[tuple[str, str]] = set()
        self.observed: Observed | None = None

    def after_epoch(self, epoch: int, state: Callable[[], State], history: History) -> None:
        """Look at the state after an epoch, if it is one to be looked at and there is time for it."""
        before = time.perf_counter()
        if epoch & (epoch - 1) or self.spent + self.takes > SHARE * (before - self.began):
            return
        try:
            findings = self._faults(state(), history)
        except Exception:  # such as a lack of memory: the run does not end because it cannot be looked at
            findings = []
        for finding in findings:
            if (key := (finding.symptom, finding.where)) not in self.known:
                self.known.add(key)
                self.tell(f"doctor: {finding.text}")
        self.takes = time.perf_counter() - before
        self.spent += self.takes

    def _faults(self, state: State, history: History) -> list[Finding]:
        recordings = Recordings(self.first, None, state, *self.prepared.samples)
        now = Observed(self.recipe, self.settings, history, recordings, ended=False)
        started = self.observed is None
        self.observed = now if self.observed is None else now.after(self.observed)
        return faults(self.observed, start=started)
