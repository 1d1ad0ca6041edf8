"""The recording of a run in its folder: ``views/``, which can be deleted at any time.

Files that grow are appended to and flushed after every call of the training program, so a page can show them while the
run goes on; what a checkpoint says of their lengths makes them right when the run does.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.augment import Augmentation
from chainrule.errors import ChainruleError, FileError
from chainrule.files import as_path, remove_parts, write_atomic
from chainrule.losses import Loss
from chainrule.models import Model, load_model
from chainrule.models.saving import read_tensors, to_bytes
from chainrule.optimizers import Optimizer
from chainrule.recipe.state import Recipe, recipe_of
from chainrule.runs.files import (
    MODEL,
    VIEWS,
    VIEWS_FIXED,
    VIEWS_FORMAT,
    VIEWS_HEADER,
    VIEWS_NETWORK,
    VIEWS_ROWS,
    VIEWS_SNAPSHOT,
    VIEWS_STEPS,
    VIEWS_UPDATES,
)
from chainrule.runs.folder import json_object, read_file
from chainrule.training.recording import PARTS, record_type

Array = np.ndarray

#: The files of the parts that grow.
FILES = {"steps": VIEWS_STEPS, "rows": VIEWS_ROWS, "updates": VIEWS_UPDATES}

#: What a header must hold, and of which type.
HEADER = {
    "level": str, "steps_per_epoch": int, "rows": int, "validation_rows": int, "classes": int,
    "figures": list, "missing": dict, "recipe": dict,
}  # fmt: skip


class RecordingFolder:
    """A recording in the folder of a run."""

    def __init__(self, run: Path, header: Mapping[str, Any], fixed: Mapping[str, Array]) -> None:
        self.run, self.folder, self.header, self.fixed = run, run / VIEWS, header, fixed

    def start(self, network: Model) -> None:
        """Begin to write, in place of a recording that is there; ``network`` is the model before its first step."""
        self.clear()
        write_atomic(self.folder / VIEWS_NETWORK, network.to_bytes(), durable=False)
        write_atomic(self.folder / VIEWS_FIXED, to_bytes({"kind": "fixed rows"}, self.fixed), durable=False)
        for part in PARTS:
            self.append(part, np.zeros(0, record_type(part, self.header)))
        content = json.dumps({"format": VIEWS_FORMAT, **self.header}, indent=2)
        write_atomic(self.folder / VIEWS_HEADER, content + "\n", durable=False)

    @classmethod
    def read(cls, run: str | Path) -> RecordingFolder:
        """Read a recording: its header and what stays the same. `FileError` where there is none, or a damaged one."""
        run = as_path(run)
        path = run / VIEWS / VIEWS_HEADER
        if not path.exists():
            raise FileError(
                f"{run} has no recording of its training ({VIEWS}/{VIEWS_HEADER}). Runs with a folder are recorded "
                'with record="light" (chainrule train: --record light, which is the default).'
            )
        header = read_file(path, json_object)
        if (version := header.get("format")) != VIEWS_FORMAT:
            raise FileError(f"{path} has the format {version!r}, expected {VIEWS_FORMAT}: read it with its chainrule.")
        wrong = [name for name, kind in HEADER.items() if type(header.get(name)) is not kind]
        wrong += [name for name in ("rows", "validation_rows", "classes") if name not in wrong and header[name] < 0]
        if wrong:
            raise FileError(f"{path} is damaged: {wrong[0]} is {header.get(wrong[0])!r}.")
        fixed = read_tensors(run / VIEWS / VIEWS_FIXED)[0]
        if lacking := {"x", "y", "weight", "numbers", "is_validation"} - set(fixed):
            raise FileError(f"{run / VIEWS / VIEWS_FIXED} is damaged: {min(lacking)} is missing.")
        return cls(run, header, fixed)

    @property
    def is_finished(self) -> bool:
        """Whether the trained model is there."""
        return (self.run / MODEL).exists()

    def read_model(self) -> Model:
        """Return the trained model; while the run goes on, the model before its first step."""
        return load_model(self.run / MODEL if self.is_finished else self.folder / VIEWS_NETWORK)

    def read_recipe(self, model: Model) -> Recipe:
        """Return the recipe of the run for its model."""
        try:
            plain = dict(self.header["recipe"])
            loss, optimizer = Loss.from_dict(plain.pop("loss")), Optimizer.from_dict(plain.pop("optimizer"))
            augment = plain.pop("augment")
            augment = None if augment is None else Augmentation.from_dict(augment)
            return recipe_of(model, loss, optimizer, augment=augment, **plain)
        except (ChainruleError, AttributeError, LookupError, TypeError) as error:
            raise FileError(f"{self.folder / VIEWS_HEADER} is damaged: its recipe cannot be read ({error}).") from None

    def append(self, part: str, records: Array) -> None:
        path = self.folder / FILES[part]
        try:
            with open(path, "ab") as file:
                file.write(records.tobytes())
        except OSError as error:
            raise FileError(f"Could not write {path}: {error.strerror}.") from None

    def records(self, part: str) -> Array:
        path, kind = self.folder / FILES[part], record_type(part, self.header)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise FileError(f"{path} cannot be read: {error.strerror}.") from None
        return np.frombuffer(content, kind, len(content) // kind.itemsize)  # a last one may be half-written

    def add_snapshot(self, step: int, arrays: Mapping[str, Array]) -> None:
        content = to_bytes({"kind": "snapshot", "step": step}, arrays)
        write_atomic(self.folder / VIEWS_SNAPSHOT.format(step), content, durable=False)

    def stops(self) -> tuple[int, ...]:
        prefix, suffix = VIEWS_SNAPSHOT.split("{:08d}")
        names = [path.name[len(prefix) : -len(suffix)] for path in self.folder.glob(VIEWS_SNAPSHOT.format(0)[:3] + "*")]
        return tuple(sorted(int(name) for name in names if name.isdecimal()))

    def snapshot(self, step: int) -> dict[str, Array]:
        return read_tensors(self.folder / VIEWS_SNAPSHOT.format(step))[0]

    def go_on(self, lengths: Mapping[str, int], every: int, stops: Collection[int]) -> bool:
        """Take away what was recorded after a moment; return whether all from before it is there.

        Parameters
        ----------
        lengths : so many records the parts had then
        every : of the epochs, every so many stay
        stops : snapshots after these steps stay, and the updates of the steps that follow them
        """
        try:
            for part, length in lengths.items():
                path, size = self.folder / FILES[part], length * record_type(part, self.header).itemsize
                if path.stat().st_size < size:
                    return False
                with open(path, "r+b") as file:
                    file.truncate(size)
            for part in ("rows", "updates"):
                records = self.records(part)
                is_kept = records["epoch"] % every == 0 if part == "rows" else np.isin(records["step"] - 1, [*stops])
                if not is_kept.all():
                    write_atomic(self.folder / FILES[part], records[is_kept].tobytes(), durable=False)
            for step in self.stops():
                if step > lengths["steps"] or step not in stops:
                    (self.folder / VIEWS_SNAPSHOT.format(step)).unlink()
            remove_parts(self.folder)
        except (OSError, FileError):
            return False
        return True

    def has(self, lengths: Mapping[str, int]) -> bool:
        """Return whether the parts have so many records, and no more."""
        return all(len(self.records(part)) == length for part, length in lengths.items())

    def clear(self) -> None:
        """Remove the recording."""
        names = (VIEWS_HEADER, VIEWS_FIXED, VIEWS_NETWORK, *FILES.values())
        snapshots = (VIEWS_SNAPSHOT.format(step) for step in self.stops())
        remove_parts(self.folder)
        for name in (*names, *snapshots):
            with contextlib.suppress(OSError):
                (self.folder / name).unlink()


def described(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as plain values for the header."""
    plain = {
        "loss": recipe.loss.to_dict(),
        "optimizer": recipe.optimizer.to_dict(),
        "l1": recipe.l1,
        "l2": recipe.l2,
        "task": recipe.task,
        "micro_batches": recipe.micro_batches,
        "compute": recipe.compute,
        "augment": None if recipe.augment is None else recipe.augment.to_dict(),
    }
    return {"recipe": plain}
