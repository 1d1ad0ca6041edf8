"""One member of a population: what makes it different, and where its training stands."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import augment, losses, optimizers
from chainrule.data import PreparedInputs
from chainrule.errors import DataError, SettingError
from chainrule.keywords import unknown_keywords
from chainrule.layers import Dense, Layer, Maxout, Sequential
from chainrule.models import Model
from chainrule.population.networks import network
from chainrule.settings import plain, replace, structure
from chainrule.tables.table import Table
from chainrule.training.checkpoint import Checkpoint, Position
from chainrule.training.decisions import kept_epoch, resumed, watched
from chainrule.training.history import History
from chainrule.training.memory import check_room
from chainrule.training.prepare import Prepared, trained
from chainrule.training.prepared_run import FitSettings, PreparedRun, job, streams
from chainrule.training.run import Run
from chainrule.training.run_data import RunData, run_data
from chainrule.training.state import Recipe, State

#: What a member may be given besides the settings of `fit` and the paths into its recipe.
PARTS = ("net", "rows", "held_out")

#: Paths begin with one of these; the others of a name are found in what the name stands for.
ROOTS = ("net", "loss", "optimizer", "augment", "early_stopping")

#: Optimizers by which a weight of 0 that never has a gradient stays 0; what others do is not known.
ZEROS_STAY = (optimizers.SGD, optimizers.AdaGrad, optimizers.RMSProp, optimizers.Adam, optimizers.AdamW)

JOB_SETTINGS = tuple(f.name for f in dataclasses.fields(FitSettings))


@dataclass(eq=False)
class Member:
    """A run among others.

    Attributes
    ----------
    given : what makes it different from the others, with its seed
    job : what is trained
    epoch : epochs done
    history : `History`
    stopped : why it ended before its last epoch, or None
    best_epoch : the best one so far
    seconds : spent on it: its share of the time of the members that it trained with
    folder : where it is kept, or None

    >>> import chainrule as cr
    >>> trainer = cr.PopulationTrainer(cr.Dense(3, "softmax"), cr.data.load("iris"), epochs=5)
    >>> (member,) = trainer.add_members([{"seed": 7}])
    >>> trainer.train([member], until=2)
    >>> member.epoch, member.done, len(member.history)
    (2, False, 2)
    """

    given: Mapping[str, Any]
    job: PreparedRun
    engine: str = ""
    epoch: int = 0
    history: History = field(default_factory=History)
    stopped: str | None = None
    best_epoch: int = 0
    seconds: float = 0.0
    state: State = None  # type: ignore[assignment]  # as NumPy arrays, while no block has it
    best: Any = None
    folder: Path | None = None

    def __post_init__(self) -> None:
        self.state = self.job.state
        self.best = (self.state.params, self.state.layers)
        self.validated = self.job.prepared.validation is not None
        self.watched = watched(self.job.stopping, self.validated)

    def __repr__(self) -> str:
        return f"Member({dict(self.given)}, {self.epoch} of {self.job.epochs} epochs, stopped={self.stopped!r})"

    @property
    def done(self) -> bool:
        """Whether there is nothing left to train."""
        return self.stopped is not None or self.epoch >= self.job.epochs

    @property
    def diverged(self) -> bool:
        """Whether its cost became NaN or infinite."""
        return self.stopped is not None and self.stopped.startswith("diverged")

    @property
    def program(self) -> Any:
        """What must be equal for members to train as one program: everything but values and which samples."""
        work, train, validation = self.job, self.job.prepared.train, self.job.prepared.validation
        shape = ("any",) if self.can_pad else work.model.input_shape
        kinds = [train.x.dtype.str, *((a.shape[1:], a.dtype.str) for a in train[1:])]
        size = min(work.batch_size, len(train.x))
        sizes = (size, work.steps_per_epoch, validation is None)
        return structure(self.recipe), shape, work.model.precision, sizes, str(kinds)

    @functools.cached_property
    def can_pad(self) -> bool:
        """Whether inputs that are always 0, with first weights of 0, would change nothing: these then stay 0.

        The folds of a table have different numbers of inputs where a rare category occurs in some of them only. So
        they are one program nevertheless.
        """
        _, first = first_layer(self.job.recipe.net)
        plain = type(first) in (Dense, Maxout) and len(self.job.model.input_shape) == 1
        return plain and self.job.recipe.augment is None and type(self.job.recipe.optimizer) in ZEROS_STAY

    @functools.cached_property
    def recipe(self) -> Recipe:
        """What its program is of: the recipe, for any number of inputs if it `can_pad`."""
        path, first = first_layer(self.job.recipe.net)
        if not self.can_pad or not isinstance(first, Dense):
            return self.job.recipe
        return replace(self.job.recipe, f"net{path}.inputs", None)

    @property
    def own(self) -> State:
        """The state before the first step, for the shapes of its arrays."""
        return self.job.state._replace(settings=None)

    def restores(self) -> bool:
        """Return whether the weights of its best epoch are wanted in the end, and not the last ones."""
        return self.job.stopping is not None and self.job.stopping.restore_best

    @property
    def kept_epoch(self) -> int | None:
        """The epoch whose weights its model has, as it stands; None before the first, and if it diverged."""
        return None if self.diverged else kept_epoch(self.job.stopping, len(self.history), self.best_epoch)

    @property
    def metrics(self) -> dict[str, float]:
        """What was measured of its model, as it stands."""
        return self.history.at(self.kept_epoch)

    def checkpoint(self) -> Checkpoint | None:
        """Return all that it is after its last epoch; None while it has no state of that moment."""
        if self.state is None or int(np.asarray(self.state.step)) != self.epoch * self.job.steps_per_epoch:
            return None
        # Early stopping decides anew, with the patience that it then has; what callbacks decided stays.
        early = resumed(self.job.stopping, self.history, self.best_epoch)
        stopped = None if self.stopped == early else self.stopped
        probes: dict[str, Any] = {"steps": [], "rows": []}
        place = Position(self.epoch + 1)
        return Checkpoint(self.state, place, self.history, probes, self.best, self.best_epoch, self.engine, stopped)

    def go_on_from(self, found: Checkpoint) -> None:
        """Be what a checkpoint says."""
        self.state, self.history, self.best = found.state, found.history, found.best
        self.epoch, self.best_epoch = found.place.epoch - 1, found.best_epoch
        self.seconds = sum(record["seconds"] for record in self.history.records)
        self.engine = found.engine
        self.stopped = found.stopped or resumed(self.job.stopping, self.history, self.best_epoch)

    def run(self) -> Run:
        """Return the run as it stands, as `fit` gives it: with early stopping, the weights of the best epoch."""
        if self.state is None:
            raise SettingError("The weights of this member were dropped.")
        restored = self.restores() and self.kept_epoch is not None
        params, layers = self.best if restored else (self.state.params, self.state.layers)
        return Run(
            trained(self.job.model, self.job.prepared, params, layers),
            self.history,
            self.job.recipe,
            best_epoch=self.kept_epoch,
            stopped=self.stopped,
            engine=self.engine,
            traces={},
            folder=self.folder,
            notes=self.job.prepared.notes,
        )

    def drop_state(self) -> None:
        """Forget the weights; the history stays. A member that is not done is then stopped."""
        if not self.done:
            self.stopped = "dropped"
        self.state = self.best = None  # type: ignore[assignment]


def first_layer(net: Layer) -> tuple[str, Layer]:
    """Return the layer that gets the inputs, and the path to it."""
    path = ""
    while isinstance(net, Sequential) and net.layers:
        path, net = f"{path}.layers.0", net.layers[0]
    return path, net


class MemberFactory:
    """Makes members of what they are given; data that several have in common is prepared once.

    Parameters
    ----------
    net, data : as for `fit`
    common : settings of `fit` that all have, unless they are given others
    """

    def __init__(self, net: Any, data: Any, common: FitSettings) -> None:
        self.net, self.data, self.common = net, data, common
        self._data: dict[Any, RunData] = {}
        self._prepared: dict[Any, Prepared] = {}

    def member(self, given: Mapping[str, Any]) -> Member:
        """Return a member of its differences; raises `SettingError` for one that there is not."""
        if not isinstance(given, Mapping):
            raise SettingError(f'A member is a mapping such as {{"seed": 1, "optimizer.lr": 0.1}}, got {given!r}.')
        changes = {key: value for key, value in given.items() if key in JOB_SETTINGS}
        settings = dataclasses.replace(self.common, **changes)
        net = given.get("net", self.net)
        for path, value in given.items():
            if path not in JOB_SETTINGS and path not in PARTS:
                net, settings = self._set(net, settings, path, value)
        data, key = self._data_of(net, settings, given)
        net = network(net, data.x, data.y, data.inputs.preparation)
        if settings.sample_weight is not None and given.get("rows") is not None:
            settings = dataclasses.replace(settings, sample_weight=np.asarray(settings.sample_weight)[given["rows"]])
        given = {name: plain(value) for name, value in given.items()}
        return Member(given | {"seed": settings.seed}, self._job(net, data, settings, key))

    def _set(self, net: Any, settings: FitSettings, path: str, value: Any) -> tuple[Any, FitSettings]:
        """Network and settings with the setting at a path changed."""
        root, _, rest = path.partition(".")
        if root not in ROOTS or not rest:
            known = [*JOB_SETTINGS, *PARTS, *(f"{name}.…" for name in ROOTS)]
            raise unknown_keywords("A member", [path], known)
        if root == "net":
            if isinstance(net, Model):
                raise SettingError(f"{path!r}: a network that goes on from its weights keeps its settings.")
            return replace(net, rest, value), settings
        found = getattr(settings, root)
        if root == "optimizer":
            found = optimizers.get(found)
        elif root == "loss" and found != "auto":
            found = losses.get(found)
        elif root == "augment" and found is not None:
            found = augment.get(found)
        if found is None or isinstance(found, str | bool):
            raise SettingError(f"{path!r}: {root} is {found!r} here and has no settings: give an object.")
        return net, dataclasses.replace(settings, **{root: replace(found, rest, value)})

    def _data_of(self, net: Any, settings: FitSettings, given: Mapping[str, Any]) -> tuple[RunData, Any]:
        """Return the data of a member, all of it or some rows, and what tells it from that of others."""
        rows, held_out, validation = given.get("rows"), given.get("held_out"), settings.validation
        if held_out is not None and rows is None:
            raise SettingError('A member with "held_out" needs "rows", the samples that it is trained on.')
        drawn = validation is None or isinstance(validation, float | int | np.number)
        known = net if isinstance(net, Model) else None
        key = (
            *(None if part is None else np.asarray(part).tobytes() for part in (rows, held_out)),
            validation if drawn else id(validation),
            settings.seed if validation and drawn and isinstance(self.data, Table) else None,
            id(known),
        )
        if key not in self._data:
            if rows is not None and not isinstance(self.data, Table):
                data = self._rows(known, rows, held_out, validation)
            elif rows is not None:
                prepared = self._coded.prepare_rows(rows, held_out).data
                data = run_data(known, prepared, None if held_out is not None else validation, settings.seed)
            else:
                data = run_data(known, self.data, validation, settings.seed)
            self._data[key] = data
        return self._data[key], key

    @functools.cached_property
    def _coded(self) -> Table:
        """The table, for many members with rows of their own."""
        return self.data.coded()

    def _rows(self, net: Model | None, rows: Any, held_out: Any, validation: Any) -> RunData:
        """Return some rows of the data to train on, and others to validate on."""
        whole = run_data(net, self.data, None, 0)
        at = positions(rows, len(whole.x), "rows")
        if held_out is not None:
            others = positions(held_out, len(whole.x), "held_out")
            x = whole.x[others]
            validation = (PreparedInputs(x) if whole.inputs.preparation is not None else x, whole.y[others])
        return dataclasses.replace(whole, x=whole.x[at], y=whole.y[at], validation=validation)

    def _job(self, net: Any, data: RunData, settings: FitSettings, data_key: Any) -> PreparedRun:
        """Return the job; what `prepare` makes is made once for all members for whom it must be the same."""
        drawn = isinstance(data.validation, float | int | np.number) and data.validation
        last = getattr(net, "layers", (net,))[-1:]
        key = (
            data_key,
            settings.seed if drawn else None,
            settings.normalize,
            settings.normalize_target,
            None if settings.sample_weight is None else np.asarray(settings.sample_weight).tobytes(),
            repr(settings.class_weight),
            settings.precision,
            id(net) if isinstance(net, Model) else (repr(last), getattr(net, "codes", None)),
        )
        found = job(net, data, settings, self._prepared.get(key))
        if streams(found):
            raise DataError(
                "A population is trained on data in memory; this is read from a file while it is used. Train its "
                "members one after the other with cr.fit, or give a part of the data as arrays."
            )
        self._prepared[key] = found.prepared
        return found


def positions(rows: Any, n: int, name: str) -> np.ndarray:
    """Return positions of samples, checked."""
    found = np.asarray(rows)
    if found.dtype == bool and found.shape == (n,):
        found = np.flatnonzero(found)
    if found.ndim != 1 or found.dtype.kind not in "iu" or not found.size:
        raise DataError(f"{name} are positions of samples, a list of whole numbers; got {rows!r}.")
    if found.min() < 0 or found.max() >= n:
        raise DataError(f"{name} are positions from 0 to {n - 1}; got {found.min()} to {found.max()}.")
    return found


def listed(members: int | Sequence[Mapping[str, Any]], seed: int) -> list[Mapping[str, Any]]:
    """Return the members asked for: a number of seeds, or a list of differences."""
    if isinstance(members, int | np.integer) and not isinstance(members, bool):
        if members < 1:
            raise SettingError(f"members is a number of at least 1, or a list of differences; got {members}.")
        check_room({}, int(members))
        return [{"seed": seed + i} for i in range(int(members))]
    if isinstance(members, str | Mapping) or not isinstance(members, Sequence) or not members:
        raise SettingError(
            "members is a number of seeds, or a list of what makes each different, such as "
            f'[{{"seed": 0}}, {{"optimizer.lr": 0.1}}]; got {members!r}.'
        )
    return list(members)
