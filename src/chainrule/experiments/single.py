"""One network: settings, data, `fit`, and a last look at the test part."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.cli.tell import say_start
from chainrule.data import Dataset
from chainrule.engine import distributed
from chainrule.errors import ChainruleError, DivergedError
from chainrule.experiments.data import Part, fingerprint_of
from chainrule.experiments.evaluate import judge_and_report, scores_of
from chainrule.experiments.plan import Task, find_task
from chainrule.experiments.presets import TrainSettings
from chainrule.experiments.resume import going_on, saving
from chainrule.report import write_report
from chainrule.runs.files import MODEL, RESULT
from chainrule.runs.folder import create_run_dir, write_result
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
                f"{error}\nThe last good weights: {folder / MODEL}",
                step=error.step,
                layer=error.layer,
                run=error.run,
            ) from None
        scores = None
        if folder is not None:
            scores = scores_of(run, test.x, test.y) if test is not None else None
            with saving(run):
                if not (folder / RESULT).exists():  # if it is there, nothing was left to train
                    write_result(folder, result(run, scores, test, fingerprint_of(task.part, settings.data)))
            judge_and_report(run, data, task.part, test, settings, task.table)
    return Trained(run, settings, data, test, scores)


def result(
    run: Any, scores: Mapping[str, float] | None, test: Part | None, data: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return how a run ended, and the fingerprint of the rows that it was trained on, for ``result.json``."""
    return {
        **run.outcome.to_dict(),
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
