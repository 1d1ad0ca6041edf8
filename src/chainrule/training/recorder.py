"""The recorder: what a run leaves of itself, so that its training can be seen afterwards.

It copies weights at a few steps, and what the step has computed anyway: nothing is measured for it, and no bit of the
training changes. Which steps and epochs follows from the sizes of the run alone, never from the clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import random, tree
from chainrule.display.lines import print_line
from chainrule.errors import FileError, SettingError
from chainrule.models import Model
from chainrule.models.saving import flatten
from chainrule.recipe.prepare import Prepared, trained
from chainrule.recipe.prepared_run import PreparedRun
from chainrule.recipe.recordings import some_rows
from chainrule.recipe.state import Metrics, State
from chainrule.recipe.step import Batch
from chainrule.runs.files import VIEWS, VIEWS_HEADER
from chainrule.training.recorded import Recorded, assemble
from chainrule.training.recording import PARTS, STEP, MemoryRecording, Recording, answer_type, codes_of, record_type
from chainrule.training.recording_folder import RecordingFolder, described

Array = np.ndarray

MB = 2**20

#: Bytes that snapshots of weights may take, and those that costs and answers of rows may, by the level of recording.
ROOM = {"light": 32 * MB, "full": 256 * MB}

#: So many snapshots at most, and so many epochs of which costs and answers stay.
SNAPSHOTS, EPOCHS = 40, 200

#: Fixed rows, and the bytes that they may take.
FIXED_ROWS, FIXED_BYTES = 256, 16 * MB

#: The random stream that draws the fixed rows, out of the way of those of the steps.
FIXED = 2**32 - 4


class Recorder:
    """Records a run: called by `chainrule.training.loop.Loop`.

    Parameters
    ----------
    level : "none", "light", or "full" (with what the optimizer remembers); None: "light" with a folder, "none" without;
        of a run that is gone on with, that of its beginning
    run : what is trained, before its first step
    folder : where the run is written
    of_samples : whether the program gives the cost of every sample
    """

    def __init__(
        self, level: str | None, run: PreparedRun, folder: Path | None = None, *, of_samples: bool = True
    ) -> None:
        self.asked, self.run, self.folder = level, run, folder
        self.level = level or ("none" if folder is None else "light")
        self.with_rows = of_samples
        self.recording: Recording | None = None
        self.header: dict[str, Any] = {}
        self.stops: tuple[int, ...] = ()
        self.every = 1
        self.lengths = dict.fromkeys(PARTS, 0)
        self.goes_on = False  # from a checkpoint, and what was recorded after it is there still
        self.before: dict[str, Array] = {}  # the parameters at the stop a step ago
        # Of the epoch that goes on, or of the last one where only some epochs stay.
        self.costs = self.answers = self.validation = np.zeros(0)
        self.epoch = 0  # to which these belong

    def start(self, start: State) -> None:
        """Begin with the state before the first step."""
        if self.level == "none":
            return
        header = self.header = self._plan()
        run, fixed = self.run, _fixed(self.run.prepared, start.key)
        if self.folder is None:
            self.recording = MemoryRecording(header, fixed)
        else:
            self.recording = recording = RecordingFolder(self.folder, header | described(self.run.recipe), fixed)
            self._write(lambda _: recording.start(trained(run.model, run.prepared, *start[:2])))
        self.look(0, lambda: start)

    def resume(self, saved: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint knows of the recording ({}: there was none)."""
        level = saved.get("level", "none")
        if self.asked not in (None, level):
            raise SettingError(
                f"The run was started with record={level!r}, and its beginning cannot be recorded otherwise now: leave "
                f"record={self.asked!r} out."
            )
        self.level = level
        if level == "none" or self.folder is None:
            return
        self.header = self._plan()
        self.lengths, self.goes_on = dict(saved["lengths"]), True
        if "costs" in saved:
            self.epoch, self.costs, self.answers, self.validation = (
                int(saved["epoch"]),
                *(np.array(saved[name]) for name in ("costs", "answers", "validation")),
            )

    def most_steps(self, room: int, step: int) -> int:
        """Return how many of ``room`` steps may be done at once after ``step``: up to the next look."""
        return min(room, *(stop + i - step for stop in self.stops for i in (0, 1) if stop + i > step), room)

    def look(self, step: int, state: Callable[[], State]) -> None:
        """Record the weights after a step if it is a stop, and how far they moved if it is the step after one.

        ``state`` gives the state after it, in NumPy arrays.
        """
        if not {step, step - 1} & {*self.stops}:
            return
        now = state()
        params = flatten({"params": now.params})
        if step - 1 in self.stops and self.recording is not None:
            before = self.before or self.recording.snapshot(step - 1)
            figures = [size for name in sorted(params) for size in _sizes(before[name], params[name])]
            self._append("updates", np.array((step, figures), record_type("updates", self.recording.header)))
            self.before = {}
        if step in self.stops:
            self.before = {name: np.array(values) for name, values in params.items()}
            self._snapshot(step, now)

    def add(self, epoch: int, metrics: Metrics, rows: Array | None) -> None:
        """Record some steps: what they measured, and of which rows (-1: a sample that fills a batch up)."""
        self._go_on()
        if self.recording is None:
            return
        values = np.zeros(len(metrics.cost), STEP)
        with np.errstate(all="ignore"):
            values["loss"] = np.asarray(metrics.cost, np.float64) / metrics.weight
            values["score"] = np.asarray(metrics.score, np.float64) / metrics.count
        values["lr"] = metrics.lr
        self._append("steps", values)
        if not self.with_rows or metrics.costs is None or rows is None:
            return
        at = rows.reshape(-1)
        present = at >= 0
        self.epoch = epoch
        self.costs[at[present]] = np.asarray(metrics.costs).reshape(-1)[present]
        if metrics.answers is not None:
            self.answers[at[present]] = np.asarray(metrics.answers).reshape(-1)[present]

    def end_epoch(self, epoch: int, answers: Array | None) -> None:
        """Record what was answered in an epoch; ``answers`` are those of the validation rows."""
        if self.recording is None or not self.epoch:
            return
        if answers is not None:
            self.validation[:] = answers
        if epoch % self.every == 0:
            self._append_epoch()

    def finish(self, state: State, epoch: int) -> None:
        """Record how the run ended after an epoch, whether or not it is one that stays; ``state``: in NumPy arrays."""
        if self.goes_on and self._is_whole(int(np.asarray(state.step)), epoch):
            return
        self._go_on()
        if self.epoch == epoch > 0:
            self._append_epoch()
        if (step := int(np.asarray(state.step))) not in self.stops:
            self._snapshot(step, state)

    def position(self) -> dict[str, Any]:
        """Return what a checkpoint must know to go on: the lengths, and what is not appended yet."""
        if self.recording is None and not self.goes_on:
            return {}
        position = {"level": self.level, "lengths": dict(self.lengths)}
        if not self.epoch:
            return position
        return position | {
            "epoch": self.epoch,
            **{name: np.array(getattr(self, name)) for name in ("costs", "answers", "validation")},
        }

    def recorded(self, model: Model, probes: Any) -> Recorded | None:
        """Return what was recorded; None where nothing was."""
        if self.recording is None:
            return None
        return assemble(self.recording, model, self.run.recipe, probes)

    def _is_whole(self, step: int, epoch: int) -> bool:
        """Take up the recording of a run that had ended; return whether nothing of it is missing, or it was removed."""
        if self.folder is None or not (self.folder / VIEWS / VIEWS_HEADER).exists():
            return True
        try:
            recording = RecordingFolder.read(self.folder)
            lengths = self.lengths | {"rows": self.lengths["rows"] + (self.epoch == epoch > 0)}
            whole = recording.has(lengths) and (not self.stops or step in recording.stops())
        except FileError:
            return False
        if whole:
            self.recording = recording
        return whole

    def _go_on(self) -> None:
        """Take up the recording of a run that goes on, as it was at its checkpoint."""
        if not self.goes_on or self.folder is None:
            return
        self.goes_on = False
        try:
            recording = RecordingFolder.read(self.folder)
            same = all(recording.header[name] == value for name, value in self.header.items() if name != "missing")
            same = same and recording.go_on(self.lengths, self.every, self.stops)
        except FileError:
            same = False
        if not same:
            self._give_up(f"What {self.folder} had recorded is not there as a whole any more.")
            return
        self.recording = recording
        self.lengths = {part: len(recording.records(part)) for part in PARTS}

    def _snapshot(self, step: int, state: State) -> None:
        parts = {"params": state.params, "state": state.model_state}
        if self.level == "full":
            parts["moments"] = state.opt_state
        if self.stops:
            self._write(lambda recording: recording.add_snapshot(step, flatten(parts)))

    def _append(self, part: str, records: Array) -> None:
        self._write(lambda recording: recording.append(part, records))
        self.lengths[part] += records.size

    def _append_epoch(self) -> None:
        if self.recording is None:
            return
        header = self.recording.header
        record = np.zeros((), record_type("rows", header))
        record["epoch"] = self.epoch
        record["exponent"], record["costs"] = codes_of(self.costs)
        if header["classes"]:
            record["answers"], record["validation"] = self.answers, self.validation
        self._append("rows", record)
        self.epoch = 0

    def _plan(self) -> dict[str, Any]:
        """Decide which steps and epochs are recorded; return the header."""
        run, room = self.run, ROOM[self.level]
        missing: dict[str, str] = {}
        state, params = run.state, flatten({"params": run.state.params})
        values = (state.params, state.model_state, state.opt_state if self.level == "full" else None)
        size = sum(np.asarray(leaf).nbytes for leaf in tree.leaves(values))
        self.stops = stops(run.epochs * run.steps_per_epoch, room // max(1, size))
        if not self.stops:
            missing["stops"] = (
                f"The weights take {size / MB:,.0f} MB, and all their copies may take {room / MB:.0f} MB."
            )
        held_out = run.prepared.validation
        sizes = {"rows": len(run.prepared.train.x), "validation_rows": 0 if held_out is None else len(held_out.x)}
        of_task = {"classification": run.model.output_shape[-1], "binary": 2}
        sizes["classes"] = classes = of_task.get(run.recipe.task, 0)
        each = record_type("rows", sizes).itemsize
        if not self.with_rows:
            missing["rows"] = "The run is shared by several devices, and the costs of rows stay on each."
        elif each > room:
            missing["rows"] = f"Those of an epoch take {each / MB:,.0f} MB, and all may take {room / MB:.0f} MB."
        if "rows" in missing:
            self.with_rows, sizes = False, {"rows": 0, "validation_rows": 0, "classes": classes}
        self.every = 1
        while -(-run.epochs // self.every) > max(1, min(EPOCHS, room // each)):
            self.every *= 2
        kind = answer_type(classes or 1)
        self.costs = np.full(sizes["rows"], np.nan, np.float32)
        self.answers, self.validation = (np.zeros(sizes[name], kind) for name in ("rows", "validation_rows"))
        figures = [f"{path.removeprefix('params/')}/{what}" for path in sorted(params) for what in ("size", "change")]
        lengths = {"steps_per_epoch": run.steps_per_epoch, **sizes}
        return {"level": self.level, **lengths, "figures": figures, "missing": missing}

    def _write(self, write: Callable[[Recording], None]) -> None:
        """Write something; where that fails nothing is recorded any more, and the training goes on."""
        if self.recording is None:
            return
        try:
            write(self.recording)
        except FileError as error:
            self._give_up(str(error))

    def _give_up(self, reason: str) -> None:
        print_line(f"warning: {reason} The training goes on and is not recorded.")
        self.recording, self.stops = None, ()
        if self.folder is not None:
            RecordingFolder(self.folder, {}, {}).clear()


def stops(steps: int, most: int) -> tuple[int, ...]:
    """Return after how many steps the weights of a run of ``steps`` are copied, besides the last: rising by √2.

    There are ``most`` at most with the last; where these are too few, every other one is left out until they suffice.
    So those of a longer run are among those of a shorter one, or after it. () where there is no room for two.

    >>> stops(20, 40), stops(20, 5), stops(20, 1)
    ((0, 1, 2, 3, 4, 6, 8, 11, 16), (0, 1, 4, 16), ())
    """
    most, exponent = min(most, SNAPSHOTS), 0.5
    while most >= 2:
        count = int(math.log2(max(1, steps)) / exponent) + 1
        chosen = [round(2 ** (exponent * i)) for i in range(count)]
        chosen = [0, *sorted({step for step in chosen if step < steps})]
        if len(chosen) < most:
            return tuple(chosen)
        if len(chosen) <= 2:
            return (0,)
        exponent *= 2
    return ()


def _sizes(before: Array, after: Array) -> tuple[float, float]:
    """Return the roots of the mean squares of a parameter before a step, and of its change."""
    size, change = (np.square(values, dtype=np.float64).mean() for values in (before, after - before))
    return math.sqrt(size), math.sqrt(change)


def _fixed(prepared: Prepared, key: Any) -> dict[str, Array]:
    """Return the rows that stay the same, and what is known of all rows."""
    held_out = prepared.validation
    most = FIXED_ROWS if held_out is None else FIXED_ROWS // 2
    parts = [(prepared.train, prepared.rows)] + ([] if held_out is None else [(held_out, prepared.validation_rows)])
    chosen: list[tuple[Batch, Array]] = []
    fixed: dict[str, Array] = {}
    for name, (data, numbers) in zip(("rows", "validation"), parts, strict=False):
        at, batch = some_rows(data, most, random.fold_in(key, FIXED), most_bytes=FIXED_BYTES // 2, stratify=True)
        chosen.append((batch, at if numbers is None else numbers[at]))
        if numbers is not None:
            fixed[f"{name}/numbers"] = numbers.astype(np.int32)
        if (truths := _truths(data.y, prepared.target.task)) is not None:
            fixed[f"{name}/truths"] = truths
    batches, numbers_of = zip(*chosen, strict=True)
    values = Batch(*(np.concatenate(part) for part in zip(*batches, strict=True)))
    is_validation = np.repeat([False, True][: len(chosen)], [len(batch.x) for batch in batches])
    numbers = np.concatenate(numbers_of).astype(np.int32)
    return {**fixed, **values._asdict(), "numbers": numbers, "is_validation": is_validation}


def _truths(y: Array, task: str) -> Array | None:
    """Return the right class of each row; None where it is not one class."""
    if task == "binary":
        return (y > 0.5).reshape(len(y)).astype(np.uint8)
    if task != "classification":
        return None
    labels: Array = y if y.ndim == 1 else y.argmax(axis=-1)
    return labels.astype(np.min_scalar_type(int(labels.max())))
