"""Training: the step, the loop around it, and what acts between epochs."""

from chainrule.recipe.callbacks import Decision, EarlyStopping, Event
from chainrule.recipe.history import History
from chainrule.recipe.probe import Probes
from chainrule.recipe.recordings import Recordings
from chainrule.recipe.state import Recipe, State, start
from chainrule.recipe.step import Batch, step
from chainrule.training import distributed
from chainrule.training.fit import fit
from chainrule.training.run import Run

__all__ = [
    "Batch",
    "Decision",
    "EarlyStopping",
    "Event",
    "History",
    "Probes",
    "Recipe",
    "Recordings",
    "Run",
    "State",
    "distributed",
    "fit",
    "start",
    "step",
]
