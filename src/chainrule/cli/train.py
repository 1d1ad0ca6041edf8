"""``chainrule train``: settings, data, network, `fit`, and a last look at the test part."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from chainrule import metrics
from chainrule.cli.messages import say
from chainrule.data.sources import is_image_data
from chainrule.engine import distributed
from chainrule.errors import SettingError
from chainrule.experiments.data import Part, path_of
from chainrule.experiments.presets import TrainSettings
from chainrule.experiments.resume import complete, going_on, say_where, settings_to_resume
from chainrule.experiments.settings import settings_from
from chainrule.experiments.single import RUNS, Trained, train_run
from chainrule.experiments.usage import Situation, check_used
from chainrule.files import check_apart, check_not_read
from chainrule.runs.files import OF_A_RUN, REPORT


def train(given: Mapping[str, Any], *, config: Path | None, out: Path | None, resume: Path | None) -> None:
    """Train as the command line says, and tell what came of it."""

    def read() -> dict[str, Any]:
        found = settings_from(given, config) if resume is None else settings_to_resume(given, resume, config, out)
        return dataclasses.asdict(found)

    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in distributed.from_first(read).items()}
    settings = TrainSettings(**plain)
    check_place(out, settings, config, resume=resume is not None)
    if resume is not None and (text := distributed.from_first(functools.partial(complete, resume, settings))):
        if distributed.is_first():
            say(text)
        return
    if settings.folds is not None or (settings.seeds or 1) > 1:
        many(settings, tuple(given), out=out, resume=resume)
        return
    if resume is not None and distributed.is_first():
        say_where(resume)
    trained = train_run(settings, tuple(given), out=resume or out, resume=resume is not None)
    if distributed.is_first():
        with going_on(trained.folder):
            say_result(trained)
            say(f"Next: chainrule evaluate {trained.folder} {trained.settings.data}")


def check_place(out: Path | None, settings: TrainSettings, *others: str | Path | None, resume: bool = False) -> None:
    """Refuse a folder for a run whose files would mix with the data, or be written over what is read."""
    if resume:
        return
    data = path_of(settings.data)
    if out is not None or (settings.data is not None and is_image_data(settings.data)):
        check_apart(out or RUNS, data)  # a folder of runs would be a class of pictures
    if out is not None:
        for name in OF_A_RUN:
            check_not_read(out / name, data, *others)


def many(settings: TrainSettings, typed: Collection[str], *, out: Path | None, resume: Path | None) -> None:
    """Several seeds, folds, or both."""
    from chainrule.experiments.folds import train_folds
    from chainrule.experiments.seeds import train_members

    if distributed.rank_and_size()[1] > 1:
        raise SettingError("Several seeds or folds train in one process; leave out --distributed.")
    if settings.folds is None:
        train_members(settings, typed, out=resume or out, resume=resume is not None)
    else:
        train_folds(settings, typed, out=resume or out, resume=resume is not None)


def meet(wanted: bool, given: Mapping[str, Any]) -> None:
    """Wait for the other processes of the run, if there are to be any."""
    if not wanted:
        check_used(Situation(), given)
        return
    index, processes = distributed.start(**{"index" if name == "process_id" else name: v for name, v in given.items()})
    if index == 0:
        say(f"{processes} processes have met.")


def say_result(trained: Trained) -> None:
    """What came of it."""
    run = trained.run
    if run.stopped:
        say(f"Stopped early: {run.stopped}.")
    if (name := metrics.score_in(run.metrics, "val_")) is not None:
        value, score = metrics.format_value(name, run.metrics[name]), metrics.base_name(name)
        say(f"Validation {score} {value} after epoch {run.best_epoch}, whose weights are saved.")
    say_test(trained.scores, trained.test)
    if run.traces:
        programs = ", ".join(f"{name} {times}" for name, times in sorted(run.traces.items()))
        say(f"Compiled for {run.engine}: {programs}.")
    say_folder(trained.folder)


def say_test(scores: Mapping[str, float] | None, test: Part | None, what: str = "Test") -> None:
    """How the model does on the test part, if there is one."""
    if scores is not None and test is not None:
        said = ", ".join(f"{name} {metrics.format_value(name, value)}" for name, value in scores.items())
        say(f"{what}: {said} ({len(test.x):,} rows that it was not trained on).")


def say_folder(folder: Path) -> None:
    """Where all of it is."""
    say(f"The run is in {folder}")
    if (folder / REPORT).exists():
        say(f"The report: {folder / REPORT}")
