"""One network: `fit`, and a last look at the rows for the test."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from chainrule.engine import distributed
from chainrule.errors import ChainruleError, DivergedError
from chainrule.experiments.evaluation import evaluate_and_report, scores_of
from chainrule.experiments.folder import Out, open_folder
from chainrule.experiments.listener import QUIET, Listener
from chainrule.experiments.plan import Plan
from chainrule.experiments.result import Trained, save_result
from chainrule.experiments.resume import going_on, saving
from chainrule.report import write_report
from chainrule.runs.files import MODEL, RESULT
from chainrule.training import fit


def train_single(
    plan: Plan,
    *,
    out: Out = None,
    resume: bool = False,
    listener: Listener = QUIET,
    callbacks: Sequence[Any] = (),
    announce: bool = True,
) -> Trained:
    """Train the network of a plan, and evaluate it once, at the end, on the rows for the test.

    ``announce``: whether the listener hears that it starts. Of several processes the first writes and evaluates.
    """
    settings = plan.settings
    if announce and distributed.is_first():
        listener.on_start(plan)
    with contextlib.ExitStack() as stack:
        opened = open_folder(out, plan.data.name, resume=resume)
        folder = distributed.on_first(lambda: stack.enter_context(opened))
        if folder is not None:
            stack.enter_context(going_on(folder, listener))
            listener.on_folder(folder)
        try:
            run = fit(
                plan.model.net,
                plan.training_data,
                **plan.fit_kwargs,
                callbacks=callbacks,
                engine=settings.engine,
                devices=settings.devices,
                out=folder,
                resume=resume,
                checkpoint_every=settings.checkpoint_every,
                checkpoint_minutes=settings.checkpoint_minutes,
                keep=settings.keep,
                doctor=settings.doctor,
                record=settings.record,
                progress=listener.progress,
                config=settings.to_dict(),
            )
        except DivergedError as error:
            if folder is None:
                raise
            with contextlib.suppress(ChainruleError):  # the curves up to there; what counts now is the error
                save_result(folder, error.run)
                write_report(folder)
            raise DivergedError(
                f"{error}\nThe last good weights: {folder / MODEL}",
                step=error.step,
                layer=error.layer,
                run=error.run,
            ) from None
        test = None
        if plan.test is not None and distributed.is_first():
            test = scores_of(run, plan.test.x, plan.test.y)
        if folder is not None:
            with saving(run):
                if not (folder / RESULT).exists():  # if it is there, nothing was left to train
                    save_result(folder, run, plan, test)
            evaluate_and_report(run, plan, listener)
    return Trained(run, plan, test, folder)
