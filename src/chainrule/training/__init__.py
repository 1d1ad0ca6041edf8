"""Training: the step, the loop around it, and what acts between epochs."""

from chainrule.training import distributed
from chainrule.training.callbacks import Decision, EarlyStopping, Event
from chainrule.training.fit import fit
from chainrule.training.history import History
from chainrule.training.probe import Probes
from chainrule.training.run import Run
from chainrule.training.state import Recipe, State, start
from chainrule.training.step import Batch, step

__all__ = [
    "Batch",
    "Decision",
    "EarlyStopping",
    "Event",
    "History",
    "Probes",
    "Recipe",
    "Run",
    "State",
    "distributed",
    "fit",
    "start",
    "step",
]
