"""``chainrule train``: settings, data, network, `fit`, and a last look at the test part."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.cli.data import Part, fingerprint_of, path_of
from chainrule.cli.judge import judge_and_report
from chainrule.cli.messages import say
from chainrule.cli.resume import complete, going_on, saving, say_where, settings_to_resume
from chainrule.cli.settings import settings_from
from chainrule.cli.task import Task, find_task
from chainrule.cli.tell import say_start, score
from chainrule.cli.usage import Situation, check_used
from chainrule.data import Dataset
from chainrule.data.sources import is_image_data
from chainrule.engine import distributed
from chainrule.errors import ChainruleError, DivergedError, SettingError
from chainrule.files import check_apart, check_not_read
from chainrule.presets import TrainSettings
from chainrule.report import write_report
from chainrule.runs.folder import OF_A_RUN, create_run_dir, write_result
from chainrule.training import Run, fit

RUNS = Path("runs")


@dataclass(frozen=True)
class Trained:
    """What `train_run` did: the run, what it was told, and the data it worked on."""

    run: Run
    settings: TrainSettings
    data: Dataset
    test: Part | None
    scores: dict[str, float] | None  # on the test part

    @property
    def folder(self) -> Path:
        """The run's folder."""
        assert self.run.folder is not None
        return self.run.folder


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
    from chainrule.cli.folds import train_folds
    from chainrule.cli.members import train_members

    if distributed.place()[1] > 1:
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


def train_run(
    settings: TrainSettings,
    typed: Collection[str] = (),
    *,
    out: Path | None = None,
    resume: bool = False,
    progress: bool = True,
    callbacks: Sequence[Any] = (),
) -> Trained:
    """Load, build, fit, and evaluate the test part once, at the end."""
    return train_task(find_task(settings, typed), out=out, resume=resume, progress=progress, callbacks=callbacks)


def train_task(
    task: Task,
    *,
    out: Path | None = None,
    resume: bool = False,
    progress: bool = True,
    callbacks: Sequence[Any] = (),
    tell: bool = True,
) -> Trained:
    """`train_run` from where the data is loaded."""
    settings, data, test = task.settings, task.data, task.test
    if tell and distributed.is_first():
        say_start(settings, data, task.part, test, task.model)
    with contextlib.ExitStack() as stack:
        claimed = create_run_dir(out, RUNS, data.name, resume=resume)
        folder: Path | None = distributed.on_first(lambda: stack.enter_context(claimed))
        if folder is not None:
            stack.enter_context(going_on(folder))
        try:
            run = fit(
                task.model.net,
                task.training,
                **task.words,
                callbacks=callbacks,
                engine=settings.engine,
                devices=settings.devices,
                out=folder,
                resume=resume,
                checkpoint_every=settings.checkpoint_every,
                checkpoint_minutes=settings.checkpoint_minutes,
                keep=settings.keep,
                progress=progress,
                config=dataclasses.asdict(settings),
            )
        except DivergedError as error:
            if folder is None:
                raise
            with contextlib.suppress(ChainruleError):  # the curves up to there; what counts now is the error
                write_result(folder, result(error.run, None, None))
                write_report(folder)
            raise DivergedError(
                f"{error}\nThe last good weights: {folder / 'model.safetensors'}",
                step=error.step,
                layer=error.layer,
                run=error.run,
            ) from None
        scores = None
        if folder is not None:
            scores = run.evaluate(test.x, test.y) if test is not None else None
            with saving(run):
                if not (folder / "result.json").exists():  # if it is there, nothing was left to train
                    write_result(folder, result(run, scores, test, fingerprint_of(task.part, settings.data)))
            judge_and_report(run, data, task.part, test, settings, task.table)
    return Trained(run, settings, data, test, scores)


def result(
    run: Any, scores: Mapping[str, float] | None, test: Part | None, data: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return how a run ended, and the fingerprint of the rows that it was trained on, for ``result.json``."""
    diverged, early = run.stopped == "diverged", run.stopped is not None
    return {
        "state": "diverged" if diverged else "stopped early" if early else "finished",
        "reason": run.stopped,
        "epochs": len(run.history),
        "best_epoch": run.best_epoch,
        "metrics": run.metrics,
        "engine": run.engine,
        "compiled": run.traces,
        "parameters": run.model.count(),
        "test": scores,
        "test_rows": len(test.x) if test is not None and scores is not None else None,
        "data": dict(data or {}),
    }


def say_result(trained: Trained) -> None:
    """What came of it."""
    run = trained.run
    if run.stopped:
        say(f"Stopped early: {run.stopped}.")
    for name in ("val_accuracy", "val_mae"):
        if name in run.metrics:
            value = score(name, run.metrics[name])
            say(
                f"Validation {name.removeprefix('val_')} {value} after epoch {run.best_epoch}, whose weights are saved."
            )
    say_test(trained.scores, trained.test)
    if run.traces:
        programs = ", ".join(f"{name} {times}" for name, times in sorted(run.traces.items()))
        say(f"Compiled for {run.engine}: {programs}.")
    say_folder(trained.folder)


def say_test(scores: Mapping[str, float] | None, test: Part | None, what: str = "Test") -> None:
    """How the model does on the test part, if there is one."""
    if scores is not None and test is not None:
        said = ", ".join(f"{name} {score(name, value)}" for name, value in scores.items())
        say(f"{what}: {said} ({len(test.x):,} rows that it was not trained on).")


def say_folder(folder: Path) -> None:
    """Where all of it is."""
    say(f"The run is in {folder}")
    if (folder / "report.html").exists():
        say(f"The report: {folder / 'report.html'}")
