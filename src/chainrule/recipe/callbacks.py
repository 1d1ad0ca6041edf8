"""What may act between epochs: callbacks get an event and return an explicit decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chainrule import metrics, tree
from chainrule.checks import check_whole, is_number
from chainrule.errors import SettingError, did_you_mean
from chainrule.models import Model
from chainrule.recipe.history import History
from chainrule.recipe.probe import Probes
from chainrule.recipe.state import State
from chainrule.settings import PlainSettings, check_number, plain


@dataclass(frozen=True)
class Event:
    """What a callback gets after an epoch, and within it where `fit` was asked to ``call_every`` so many steps.

    Attributes
    ----------
    epoch, epochs : the epoch (from 1), and epochs asked for
    step : steps done since the start of the run
    end_of_epoch : whether the epoch is done
    metrics : the epoch's record, as in the history; within an epoch the means of the steps since the last call
    history : the records of all epochs that are done
    probes : what the layers do (`Probes`), where `fit` was asked to ``probe_every`` so many steps
    state : the training state, to read
    model : a function that makes a `Model` of the weights at this moment
    member : in a population, what makes this member different from the others; else None

    >>> import chainrule as cr
    >>> def every_weight(event):
    ...     largest = abs(event.model().params["dense_1"]["weight"]).max()
    ...     return cr.Decision(stop="a weight is above 10") if largest > 10 else None
    >>> run = cr.fit(cr.Dense(3, "softmax"), cr.data.load("iris"), epochs=2, callbacks=[every_weight], progress=False)
    >>> run.stopped is None
    True
    """

    epoch: int
    epochs: int
    step: int
    end_of_epoch: bool
    metrics: Mapping[str, float]
    history: History
    probes: Probes | None
    state: State
    model: Callable[[], Model]
    member: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Decision:
    """What a callback wants: to stop, with the reason, or to change continuous settings by their paths.

    >>> import chainrule as cr
    >>> def halve_at_10(event):
    ...     if event.epoch == 10:
    ...         return cr.Decision(settings={"optimizer.lr": 0.05})
    """

    stop: str | None = None
    settings: Mapping[str, float] = field(default_factory=dict)


Callback = Callable[[Event], Decision | None]


@dataclass(frozen=True)
class EarlyStopping(metaclass=PlainSettings):
    """Stop when the monitored value has not improved for ``patience`` epochs (lecture 003).

    Parameters
    ----------
    patience : epochs without improvement that are accepted
    monitor : "val_loss", "val_accuracy", "val_mae", or the same of the training data
    min_delta : an improvement counts if it is larger than this
    restore_best : give the model the weights of the best epoch

    >>> import chainrule as cr
    >>> stopping = cr.EarlyStopping(patience=2)
    >>> stopping.decide([0.5, 0.4, 0.41, 0.42])
    'val_loss has not improved for 2 epochs (best: epoch 2)'
    """

    patience: int = 5
    monitor: str = "val_loss"
    min_delta: float = 0.0
    restore_best: bool = True

    def __post_init__(self) -> None:
        check_whole("EarlyStopping: patience", self.patience)
        check_number("EarlyStopping", "min_delta", self.min_delta, 0.0)
        metrics.find(self.monitor)

    def best_epoch(self, values: list[float]) -> int:
        """Return the last epoch (from 1) that improved on all before by more than ``min_delta``."""
        metric, best, at = metrics.find(self.monitor), float("inf"), 1
        for epoch, value in enumerate(values, 1):
            if metric.cost(value) < best - self.min_delta:
                best, at = metric.cost(value), epoch
        return at

    def decide(self, values: list[float]) -> str | None:
        """Return the reason to stop after these values of the monitored metric, one per epoch; or None."""
        best = self.best_epoch(values)
        if len(values) - best < self.patience:
            return None
        return f"{self.monitor} has not improved for {self.patience} epochs (best: epoch {best})"


def apply_settings(state: State, changes: Mapping[str, float]) -> State:
    """Return the state with continuous settings changed, by dotted path; nothing is compiled again."""
    recipe = state.settings["recipe"]
    known = [".".join(path) for path, _ in tree.leaves_with_path(recipe)]
    for path, value in changes.items():
        if path not in known:
            raise SettingError(f"There is no continuous setting {path!r}{did_you_mean(path, known)}")
        if not is_number(plain(value)):
            raise SettingError(f"The setting {path!r} must be a number, got {value!r}.")
    new = tree.map_with_path(lambda path, old: float(changes.get(".".join(path), old)), recipe)
    return state._replace(settings=state.settings | {"recipe": new})
