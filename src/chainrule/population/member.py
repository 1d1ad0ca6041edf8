"""One member of a population: what makes it different from the others, and how far it has been trained."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import optimizers
from chainrule.errors import SettingError
from chainrule.layers import Dense, Layer, Maxout, Sequential
from chainrule.outcome import Outcome
from chainrule.recipe.history import History
from chainrule.recipe.prepare import trained
from chainrule.recipe.prepared_run import PreparedRun
from chainrule.recipe.recordings import Recordings
from chainrule.recipe.state import Recipe, State
from chainrule.settings import replace, structure
from chainrule.training.checkpoint import Checkpoint, Position
from chainrule.training.decisions import kept_epoch, resumed, watched
from chainrule.training.run import Run

#: Optimizers by which a weight of 0 that never has a gradient stays 0; what others do is not known.
ZEROS_STAY = (optimizers.SGD, optimizers.AdaGrad, optimizers.RMSProp, optimizers.Adam, optimizers.AdamW)


@dataclass(eq=False)
class Member:
    """A run among others.

    Attributes
    ----------
    differences : what makes it different from the others, with its seed
    prepared_run : what is trained
    engine : the name of the engine that trains it; "" before it is trained
    epoch : epochs done
    history : `History`
    outcome : `Outcome`, how it ended; None while it is trained, and after its last epoch
    best_epoch : the best one so far
    seconds : spent on it: its share of the time of the members that it trained with
    state : weights and all else that changes, as NumPy arrays; None while a batch of members has it
    best : weights and statistics of the best epoch
    folder : where it is saved, or None

    >>> import chainrule as cr
    >>> trainer = cr.PopulationTrainer(cr.Dense(3, "softmax"), cr.data.load("iris"), epochs=5)
    >>> (member,) = trainer.add_members([{"seed": 7}])
    >>> trainer.train([member], until=2)
    >>> member.epoch, member.done, len(member.history)
    (2, False, 2)
    """

    differences: Mapping[str, Any]
    prepared_run: PreparedRun
    engine: str = ""
    epoch: int = 0
    history: History = field(default_factory=History)
    outcome: Outcome | None = None
    best_epoch: int = 0
    seconds: float = 0.0
    state: State = None  # type: ignore[assignment]  # see above
    best: Any = None
    folder: Path | None = None

    def __post_init__(self) -> None:
        self.state = self.prepared_run.state
        self.best = (self.state.params, self.state.model_state)
        self.validated = self.prepared_run.prepared.validation is not None
        self.watched = watched(self.prepared_run.stopping, self.validated)

    def __repr__(self) -> str:
        epochs = f"{self.epoch} of {self.prepared_run.epochs} epochs"
        return f"Member({dict(self.differences)}, {epochs}, stopped={self.stopped!r})"

    @property
    def done(self) -> bool:
        """Whether there is nothing left to train."""
        return self.outcome is not None or self.epoch >= self.prepared_run.epochs

    @property
    def diverged(self) -> bool:
        """Whether its cost became NaN or infinite."""
        return self.outcome is not None and self.outcome.diverged

    @property
    def stopped(self) -> str | None:
        """Why it ended before its last epoch, in words; None if it did not."""
        return None if self.outcome is None else self.outcome.reason

    @property
    def program(self) -> Any:
        """What must be equal for members to train as one program: everything but values and which samples."""
        prepared_run, train, validation = (
            self.prepared_run,
            self.prepared_run.prepared.train,
            self.prepared_run.prepared.validation,
        )
        shape = ("any",) if self.can_pad else prepared_run.model.input_shape
        kinds = [train.x.dtype.str, *((a.shape[1:], a.dtype.str) for a in train[1:])]
        size = min(prepared_run.batch_size, len(train.x))
        sizes = (size, prepared_run.steps_per_epoch, validation is None)
        return structure(self.recipe), shape, prepared_run.model.precision, sizes, str(kinds)

    @functools.cached_property
    def can_pad(self) -> bool:
        """Whether inputs that are always 0, with first weights of 0, would change nothing: these then stay 0.

        The folds of a table have different numbers of inputs where a rare category occurs in some of them only. So
        they are one program nevertheless.
        """
        _, first = first_layer(self.prepared_run.recipe.net)
        plain = type(first) in (Dense, Maxout) and len(self.prepared_run.model.input_shape) == 1
        return (
            plain
            and self.prepared_run.recipe.augment is None
            and type(self.prepared_run.recipe.optimizer) in ZEROS_STAY
        )

    @functools.cached_property
    def recipe(self) -> Recipe:
        """What its program is of: the recipe, for any number of inputs if it `can_pad`."""
        path, first = first_layer(self.prepared_run.recipe.net)
        if not self.can_pad or not isinstance(first, Dense):
            return self.prepared_run.recipe
        return replace(self.prepared_run.recipe, f"net{path}.inputs", None)

    @property
    def initial_state(self) -> State:
        """The state before the first step, without settings: it has the shapes of all arrays."""
        return self.prepared_run.state._replace(settings=None)

    def restores(self) -> bool:
        """Return whether its model gets the weights of the best epoch, not those of the last one."""
        return self.prepared_run.stopping is not None and self.prepared_run.stopping.restore_best

    @property
    def model_epoch(self) -> int | None:
        """The epoch whose weights its model has by now; None before the first, and if it diverged."""
        return None if self.diverged else kept_epoch(self.prepared_run.stopping, len(self.history), self.best_epoch)

    @property
    def metrics(self) -> dict[str, float]:
        """What was measured of its model at that epoch."""
        return self.history.at(self.model_epoch)

    def checkpoint(self) -> Checkpoint | None:
        """Return a checkpoint of its last epoch; None while it has no state of that moment."""
        if self.state is None or int(np.asarray(self.state.step)) != self.epoch * self.prepared_run.steps_per_epoch:
            return None
        # Early stopping decides anew, with the patience that it then has; what callbacks decided stays.
        early = resumed(self.prepared_run.stopping, self.history, self.best_epoch)
        outcome = None if self.stopped == early else self.outcome
        probes: dict[str, Any] = {"steps": [], "rows": []}
        place = Position(self.epoch + 1)
        return Checkpoint(self.state, place, self.history, probes, self.best, self.best_epoch, self.engine, outcome)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take the member to where a checkpoint was made."""
        self.state, self.history, self.best = checkpoint.state, checkpoint.history, checkpoint.best
        self.epoch, self.best_epoch = checkpoint.position.epoch - 1, checkpoint.best_epoch
        self.seconds = sum(record["seconds"] for record in self.history.records)
        self.engine = checkpoint.engine
        reason = resumed(self.prepared_run.stopping, self.history, self.best_epoch)
        self.outcome = checkpoint.outcome or (None if reason is None else Outcome.after(reason))

    def run(self) -> Run:
        """Return the run so far, as `fit` gives it: with early stopping, the weights of the best epoch."""
        if self.state is None:
            raise SettingError("The weights of this member were dropped.")
        restored = self.restores() and self.model_epoch is not None
        params, layers = self.best if restored else (self.state.params, self.state.model_state)
        return Run(
            trained(self.prepared_run.model, self.prepared_run.prepared, params, layers),
            self.history,
            self.prepared_run.recipe,
            best_epoch=self.model_epoch,
            outcome=self.outcome or Outcome("finished" if self.done else "unfinished"),
            engine=self.engine,
            traces={},
            folder=self.folder,
            notes=self.prepared_run.prepared.notes,
            settings=self.prepared_run.settings,
            recordings=Recordings(self.prepared_run.state, None, self.state, *self.prepared_run.prepared.samples),
        )

    def drop_state(self) -> None:
        """Forget the weights; the history stays. A member that is not done is then stopped."""
        if not self.done:
            self.outcome = Outcome("dropped", "dropped")
        self.state = self.best = None  # type: ignore[assignment]


def first_layer(net: Layer) -> tuple[str, Layer]:
    """Return the layer that gets the inputs, and the path to it."""
    path = ""
    while isinstance(net, Sequential) and net.layers:
        path, net = f"{path}.layers.0", net.layers[0]
    return path, net
