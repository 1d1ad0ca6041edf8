"""Figures of training from inside while it goes on: derived one after the other, beside the curves, not before them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from chainrule.draw.figure import Figure
from chainrule.report.inside_figures import VIEWS, inside
from chainrule.training.recorded import Recorded
from chainrule.views.derive.missing import Missing

#: The share of the time that deriving may take while the run goes on: the run has the processors first.
SHARE = 0.2

#: Views of what was answered for each row in each epoch; the others change with the stops.
OF_EPOCHS = ("classes-by-epoch", "samples")


class Views:
    """The figures of each view that were derived so far."""

    def __init__(self) -> None:
        self.figures: Mapping[str, list[Figure] | Missing] = {}
        self.recorded: Recorded | None = None
        self.model: Any = None
        self._derived_from: dict[str, Any] = {}
        self._pause_until = 0.0

    def take(self, recorded: Recorded, model: Any) -> Mapping[str, list[Figure] | Missing]:
        """Note what is recorded by now, and the stamp of the trained model; return the figures that there are."""
        self.recorded, self.model = recorded, model
        return self.figures

    def derive(self, *, is_over: bool) -> bool:
        """Derive the next view whose recording has changed, if there is time for it; return whether one was derived."""
        if not is_over and time.monotonic() < self._pause_until:
            return False
        for name, now in self._changed():
            before = time.monotonic()
            assert self.recorded is not None
            self.figures = {**self.figures, **inside(self.recorded, name)}
            self._derived_from[name] = now
            self._pause_until = time.monotonic() + (time.monotonic() - before) * (1 / SHARE - 1)
            return True
        return False

    @property
    def are_complete(self) -> bool:
        """Whether there is nothing left to derive."""
        return not self._changed()

    def _changed(self) -> list[tuple[str, Any]]:
        """Return the views whose recording has changed since they were derived, and what it is now."""
        if self.recorded is None:
            return []
        now = [(name, (_state_of(self.recorded, name), self.model)) for name in VIEWS]
        return [(name, state) for name, state in now if self._derived_from.get(name) != state]


def _state_of(recorded: Recorded, view: str) -> Any:
    """Return what changes when there is more to see in a view."""
    if view in OF_EPOCHS:
        return None if recorded.rows is None else len(recorded.rows.epochs)
    return recorded.stops, None if recorded.probes is None else len(recorded.probes.steps)
