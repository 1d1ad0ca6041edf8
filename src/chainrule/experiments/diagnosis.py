"""The doctor for all that a command can name: data with the presets' network, a run's folder, and what Python has."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.doctor.diagnose import diagnose as examine
from chainrule.errors import ChainruleError, DataError, FileError, SettingError
from chainrule.experiments.calls import errors_for_python, settings_of_call, typed_names
from chainrule.experiments.data import fingerprint_of
from chainrule.experiments.find import find_folder
from chainrule.experiments.folder import RUNS
from chainrule.experiments.folds import rows_to_train
from chainrule.experiments.plan import Plan, make_plan
from chainrule.experiments.presets import network
from chainrule.experiments.result import Trained
from chainrule.experiments.settings import ExperimentSettings, read_settings
from chainrule.files import as_path
from chainrule.layers import Layer
from chainrule.models import Model, load_model
from chainrule.outcome import Outcome
from chainrule.recipe.history import History
from chainrule.recipe.state import recipe_of
from chainrule.report import write_report
from chainrule.run_settings import FitSettings
from chainrule.runs.files import (
    BEST,
    CHECKPOINTS,
    CONFIG,
    DIAGNOSIS,
    ENVIRONMENT,
    METRICS,
    MODEL,
    REPORT,
    RESULT,
    SEARCH_CONFIG,
)
from chainrule.symptoms.diagnosis import Diagnosis
from chainrule.symptoms.evidence import Stage
from chainrule.symptoms.preflight import STAGES, Examination, diagnosis_of
from chainrule.symptoms.refusal import refusal
from chainrule.training import Run, checkpoint, fit
from chainrule.training.record import Record, read_folder

__all__ = ["diagnose", "diagnose_data", "diagnose_folder", "is_run", "save_diagnosis"]


#: The stages of the checks before training.
CHECKS = tuple(name for name, _ in STAGES)


def diagnose(
    subject: Any,
    data: Any = None,
    target: str | None = None,
    *,
    seed: int = 0,
    budget: float = 60.0,
    trials: bool = True,
    confidence: float = 0.95,
    progress: bool = True,
    **settings: Any,
) -> Diagnosis:
    """Find out what is wrong with a training run, why, and what to change; the "why" is proven by trying the fix.

    First checks of data, code and start, then looks at the run where there is one, then trials: the untouched run, a
    reference and single fixes, trained on folds of the rows. A cause is *proven* where its fix beats the untouched run
    and fixes drawn at random, on other seeds and other folds. Rows for the test are never touched, and nothing that is
    given is changed.

    Parameters
    ----------
    subject
        A network (or a function of the data that makes one) or a model, with ``data``; a `Run`, with the data that it
        was trained on; what `train` gave back; the folder of a run, or its name in ``runs/`` (network, settings and
        data are those of its ``config.toml``); or data alone, as `train` takes it, for the network that `train` would
        make of it.
    data
        What is trained on, as `fit` takes it. Of a folder: what its data is where that is not known, or has moved.
    target
        The column of a table that is to be predicted.
    seed
        Of the trials and of the run; the same seed gives the same trials, as far as the budget reaches.
    budget
        Seconds of trials. What does not fit is listed as not tried.
    trials
        False: checks and looks alone.
    confidence
        Of the intervals.
    progress
        Show on standard error what is being tried.
    settings
        Those of `fit`; for data alone those of `train`. Of a `Run` and a folder they are known.

    Returns
    -------
    Diagnosis
        ``alarm``, ``causes`` (the first is the answer), ``fix``, ``proven``, ``undetermined``, ``findings``, ``ran``.
        Printed, it is one screen. Data and settings that `fit` refuses are a finding, not an error.

    Raises
    ------
    ChainruleError
        For wrong use of this function: no such file, settings that there are not.

    Examples
    --------
    >>> import chainrule as cr
    >>> iris = cr.data.load("iris")
    >>> diagnosis = cr.diagnose(cr.mlp([4, 8, 3]), iris, optimizer=cr.SGD(lr=0.0001), trials=False, progress=False)
    >>> diagnosis.proven
    False
    """
    how: dict[str, Any] = {
        "seed": seed,
        "budget": budget,
        "trials": trials,
        "confidence": confidence,
        "progress": progress,
    }
    with errors_for_python():
        if isinstance(subject, Trained):
            _has_its_own("what train gave back", data, target, settings)
            return _examine(_of_plan(subject.plan, subject.run), how)
        if isinstance(subject, Run):
            if data is None:
                raise SettingError("Give the data that the run was trained on, too: cr.diagnose(run, data).")
            return examine(subject, data, **how, **settings)
        if isinstance(subject, str | os.PathLike) and is_run(subject):
            _has_its_own("a run's folder", None, target, settings)
            return diagnose_folder(subject, data, **how)
        if data is not None or isinstance(subject, Layer | Model):
            if data is None:
                raise SettingError("Give the data that the network is to learn from, too: cr.diagnose(net, data).")
            if target is not None:
                raise SettingError("target is for data that is given alone: write cr.Table.read(frame, target=...).")
            return examine(subject, data, **how, **settings)
        values, in_memory = settings_of_call(subject, target, settings | {"seed": seed}, "diagnose")
        return diagnose_data(ExperimentSettings(**values), typed_names(values), data=in_memory, **how)


def diagnose_data(
    settings: ExperimentSettings, typed: Collection[str] = (), *, data: Any = None, **how: Any
) -> Diagnosis:
    """Examine what ``chainrule train`` would train, as settings say; ``typed`` names those that were asked for."""
    try:
        plan = make_plan(settings, typed, data=data)
    except DataError as error:
        return _refused(error)
    return _examine(_of_plan(plan), how)


def diagnose_folder(run: str | os.PathLike[str], data: Any = None, **how: Any) -> Diagnosis:
    """Examine the run of a folder.

    ``data``: where the data is, or the data itself, where the folder does not say it or says it no longer. Where there
    is none, what the run kept is all that is looked at, and the result says so.
    """
    folder = find_folder(run)
    record = read_folder(folder)
    settings = ExperimentSettings(**read_settings(folder / CONFIG))
    in_memory = None
    if isinstance(data, str | os.PathLike):
        settings = dataclasses.replace(settings, data=os.fspath(data))
    elif data is not None:
        in_memory = data
    if settings.data is None and in_memory is None:
        return _without_data(record, "its config.toml does not name its data: give it, as data=... or --data DATA")
    try:
        plan = make_plan(settings, data=in_memory)
    except ChainruleError as error:
        if data is not None:  # asked for here, so it must be right
            raise
        return _without_data(record, f"its data cannot be read any more: {error}")
    model = _model_of(folder)
    why = _why_not_looked_at(record, plan, model)
    if why:
        return _examine(_of_plan(plan), how, Stage("look", 0.0, why))
    return _examine(_of_plan(plan, _reopened(record, plan) or _run_of(record, model, plan.fit_kwargs)), how)


def is_run(subject: str | os.PathLike[str]) -> bool:
    """Return whether this names the folder of a run, rather than data."""
    path = as_path(subject)
    names = (CONFIG, SEARCH_CONFIG)
    if path.is_dir():
        return any((path / name).exists() for name in names)
    return not path.exists() and any((RUNS / path / name).exists() for name in names)


def save_diagnosis(run: str | os.PathLike[str], diagnosis: Diagnosis) -> list[Path]:
    """Write a diagnosis to the folder of its run, and its section into the page where there is one."""
    folder = find_folder(run)
    diagnosis.save(folder / DIAGNOSIS)
    written = [folder / DIAGNOSIS]
    if (folder / REPORT).exists():
        with contextlib.suppress(FileError):  # another file of the run is damaged: the diagnosis is what counts
            written.append(write_report(folder))
    return written


@dataclass(frozen=True)
class _Case:
    """What is examined: a network or a run, its data, and the settings of `fit`."""

    subject: Any
    data: Any
    settings: Mapping[str, Any]


def _of_plan(plan: Plan, run: Run | None = None) -> _Case:
    """Return what a plan would train, or has trained; the rows for the test stay out of it.

    Of a table in memory the columns are examined, and each fold prepares its own.
    """
    settings = plan.settings
    kwargs = dict(plan.fit_kwargs) | {"engine": settings.engine, "devices": settings.devices}
    kwargs.pop("seed", None)
    net: Any = plan.model.net
    data: Any = plan.training_data
    drawn_by_lot = settings.group is None and settings.time is None and settings.components is None
    if plan.table is not None and plan.table.features is not None and drawn_by_lot and run is None:
        data = rows_to_train(plan, plan.table)
        net = functools.partial(network, settings)
        kwargs["validation"] = settings.validation or None
    return _Case(net if run is None else run, data, kwargs if run is None else {})


def _examine(case: _Case, how: Mapping[str, Any], *more: Stage) -> Diagnosis:
    diagnosis = examine(case.subject, case.data, **{**case.settings, **how})
    return dataclasses.replace(diagnosis, ran=(*diagnosis.ran, *more)) if more else diagnosis


def _has_its_own(what: str, data: Any, target: str | None, settings: Mapping[str, Any]) -> None:
    """Refuse what would make another run of it."""
    names = [name for name, value in {"data": data, "target": target, **settings}.items() if value is not None]
    if names:
        raise SettingError(f"{names[0]} has no effect: {what} has its own. Leave it out.")


def _model_of(folder: Path) -> Model | None:
    try:
        return load_model(folder / MODEL)
    except (ChainruleError, OSError):
        return None


def _why_not_looked_at(record: Record, plan: Plan, model: Model | None) -> str:
    """Return why the run itself is not looked at, but only what it would train; "" where it is."""
    if model is None:
        return "the run has no model that can be read"
    if plan.settings.folds is None and (plan.settings.seeds or 1) > 1:
        return "the run has several networks: one of them is examined as it would be trained"
    before, now = record.result.get("data"), fingerprint_of(plan.training, plan.settings.data)
    if before and _content(before) != _content(now):
        return "the data has changed since the run: the checks and the trials are of the data as it is now"
    if plan.model.net != model.net:
        return "the model has another network than its settings describe now"
    return ""


def _content(fingerprint: Mapping[str, str]) -> dict[str, str]:
    """Return what a fingerprint says of the rows, not where they are."""
    return {name: value for name, value in fingerprint.items() if name != "place"}


def _reopened(record: Record, plan: Plan) -> Run | None:
    """Return the run with its moments, as `fit` gives back a run that has ended; None where it cannot.

    That is done in a copy: nothing of the folder changes.
    """
    settings = plan.settings
    stopped = record.outcome is not None and record.outcome.kind == "stopped early"
    if not (record.has_model and (stopped or len(record.epochs) == settings.epochs)):
        return None
    try:
        last, _ = checkpoint.newest(record.path)
        if last is None:
            return None
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / CHECKPOINTS).mkdir()
            for each in (
                CONFIG,
                METRICS,
                MODEL,
                ENVIRONMENT,
                RESULT,
                f"{CHECKPOINTS}/{last.name}",
                f"{CHECKPOINTS}/{BEST}",
            ):
                if (record.path / each).exists():
                    shutil.copy2(record.path / each, folder / each)
            run = fit(
                plan.model.net,
                plan.training_data,
                **plan.fit_kwargs,
                engine=settings.engine,
                devices=settings.devices,
                out=folder,
                resume=True,
                progress=False,
            )
        run.folder = record.path
        return run
    except (ChainruleError, OSError):
        return None


def _run_of(record: Record, model: Model | None, kwargs: Mapping[str, Any]) -> Run:
    """Return the run as far as a folder keeps it: model, history and settings, without recordings."""
    assert model is not None
    names = {field.name for field in dataclasses.fields(FitSettings)}
    settings = FitSettings(**{name: value for name, value in kwargs.items() if name in names})
    recipe = recipe_of(model, settings.loss, settings.optimizer, l1=settings.l1, l2=settings.l2)
    return Run(
        model,
        History(record.epochs),
        recipe,
        best_epoch=record.kept_epoch,
        outcome=record.outcome or Outcome(),
        engine=str(record.result.get("engine", "numpy")),
        traces={},
        folder=record.path,
        metrics=record.metrics,
        settings=settings,
    )


def _without_data(record: Record, why: str) -> Diagnosis:
    """Return what can be told of a run by what it kept alone."""
    model = _model_of(record.path)
    left_out = tuple(Stage(name, 0.0, why) for name in (*CHECKS, "trials"))
    if model is None:
        return Diagnosis((), (), (*left_out, Stage("look", 0.0, "the run has no model that can be read")))
    run = _run_of(record, model, {})
    return dataclasses.replace(run.diagnosis, ran=(*run.diagnosis.ran, *left_out))


def _refused(error: Exception) -> Diagnosis:
    """Return the diagnosis of data that cannot be used at all."""
    stages = tuple(Stage(name, 0.0, "the data cannot be used") for name in (*CHECKS, "trials"))
    return diagnosis_of(Examination(None, (refusal(error),), stages, True))
