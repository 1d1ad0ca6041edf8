"""``chainrule train``: settings, data, network, `fit`, and a last look at the test part."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule import augment
from chainrule.cli.data import TABLE_TEST, Part, load_data, train_and_test, training_table
from chainrule.cli.judge import judge_and_report
from chainrule.cli.messages import percent, say
from chainrule.cli.messages import table as lined_up
from chainrule.cli.settings import read_settings, settings_from
from chainrule.data import Dataset
from chainrule.engine import distributed
from chainrule.errors import ChainruleError, DivergedError, SettingError
from chainrule.models import Model
from chainrule.presets import TrainSettings, complete, network, optimizer
from chainrule.report import write_report
from chainrule.tables.read import is_table
from chainrule.tables.show import show_columns
from chainrule.tables.table import PreparedTable
from chainrule.training import EarlyStopping, Run, checkpoint, fit
from chainrule.training.folder import claim_folder, read_folder, write_result
from chainrule.training.signals import Terminated

RUNS = Path("runs")

#: What may be given with --resume: nothing that would make another run of it.
WITH_RESUME = ("data", "data_dir", "epochs", "engine", "devices", "checkpoint_every", "checkpoint_minutes", "keep")


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
    trained = train_run(settings, out=resume or out, resume=resume is not None)
    if distributed.is_first():
        say_result(trained)
        say(f"Next: chainrule evaluate {trained.folder} {trained.settings.data}")


def meet(wanted: bool, given: Mapping[str, Any]) -> None:
    """Wait for the other processes of the run, if there are to be any."""
    if not wanted:
        if given:
            raise SettingError(f"--{next(iter(given)).replace('_', '-')} belongs to --distributed; add it.")
        return
    index, processes = distributed.start(**{"index" if name == "process_id" else name: v for name, v in given.items()})
    if index == 0:
        say(f"{processes} processes have met.")


def train_run(
    settings: TrainSettings,
    *,
    out: Path | None = None,
    resume: bool = False,
    progress: bool = True,
    callbacks: Sequence[Any] = (),
) -> Trained:
    """Load, build, fit, and evaluate the test part once, at the end."""
    if settings.data is None:
        raise SettingError('Which data? Name it: chainrule train digits (or in the config file: data = "digits").')
    table, name = None, settings.data
    if is_table(name):
        table = training_table(settings)
        settings = dataclasses.replace(settings, test=TABLE_TEST if settings.test is None else settings.test)
        if distributed.is_first():
            say_table(table)
    data = table.data if table is not None else load_data(name, settings.data_dir)
    settings = complete(settings, data)
    assert settings.epochs is not None
    assert settings.batch_size is not None
    part, test = train_and_test(data, settings)
    net = network(settings, data)
    model = Model(net, data.x.shape[1:], seed=settings.seed, precision=settings.precision)
    loss, moves, stopping = find_loss(settings), optimizer(settings), early_stopping(settings)
    if distributed.is_first():
        say_start(settings, data, part, test, model)
    with contextlib.ExitStack() as stack:
        claimed = claim_folder(out, RUNS, data.name, resume=resume)
        folder: Path | None = distributed.on_first(lambda: stack.enter_context(claimed))
        try:
            run = fit(
                net,
                part.of(data),
                loss=loss,
                optimizer=moves,
                epochs=settings.epochs,
                batch_size=settings.batch_size,
                validation=None if data.validation is not None else settings.validation or None,
                l1=settings.l1,
                l2=settings.l2,
                augment=settings.augment,
                normalize=bool(settings.normalize),
                normalize_target=bool(settings.normalize_target),
                class_weight=class_weight(settings, data),
                early_stopping=stopping,
                callbacks=callbacks,
                seed=settings.seed,
                engine=settings.engine,
                devices=settings.devices,
                precision=settings.precision,
                out=folder,
                resume=resume,
                checkpoint_every=settings.checkpoint_every,
                checkpoint_minutes=settings.checkpoint_minutes,
                keep=settings.keep,
                progress=progress,
                config=dataclasses.asdict(settings),
            )
        except KeyboardInterrupt:
            raise KeyboardInterrupt(interrupted(folder) if folder is not None else "Interrupted.") from None
        except Terminated:
            raise Terminated(interrupted(folder) if folder is not None else "Terminated.") from None
        except DivergedError as error:
            if folder is None:
                raise
            write_result(folder, result(error.run, None, None))
            with contextlib.suppress(ChainruleError):  # the curves up to there; what counts now is the error
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
        write_result(folder, result(run, scores, test))
        judge_and_report(run, data, part, test, settings, table)
    return Trained(run, settings, data, test, scores)


def settings_to_resume(given: Mapping[str, Any], folder: Path, config: Path | None, out: Path | None) -> TrainSettings:
    """The settings in a run's folder, if there is something left to do in it."""
    if config is not None or out is not None:
        raise SettingError(
            "--resume goes on in a run's own folder with its own settings: leave out --config and --out."
        )
    for name in given:
        if name not in WITH_RESUME:
            raise SettingError(
                f"--resume takes the settings of the run; --{name.replace('_', '-')} would make another run of it. "
                f"For a new run with its settings: --config {folder / 'config.toml'}."
            )
    record = read_folder(folder)
    if "data" not in record.config:
        raise SettingError(
            f"{folder} was started in Python, and its data is not known here. Go on with it there: "
            f"fit(..., out={str(folder)!r}, resume=True)."
        )
    newest, _ = checkpoint.newest(folder)  # before anything in the folder changes
    settings = TrainSettings(**(read_settings(folder / "config.toml") | dict(given)))
    place = checkpoint.read(newest)[1]["place"] if newest is not None else {"epoch": 1, "done": 0}
    done = place["epoch"] - 1
    if record.result.get("state") == "stopped early":
        raise SettingError(f"{folder} has stopped early: {record.result.get('reason')}.")
    if settings.epochs is not None and done >= settings.epochs and record.result:
        raise SettingError(f"{folder} has done {done} epochs already. To go on, ask for more: --epochs {2 * done}.")
    if newest is not None:
        steps = f" ({place['done']:,} steps of epoch {done + 1} are done, too.)" if place["done"] else ""
        say(f"Going on with {folder} after epoch {done}.{steps}")
    return settings


def find_loss(settings: TrainSettings) -> Any:
    """The loss by its name, or from the table of a file."""
    from chainrule import losses

    if isinstance(settings.loss, Mapping):
        return losses.Loss.from_dict(dict(settings.loss))
    return "auto" if settings.loss in (None, "auto") else losses.get(settings.loss)


def early_stopping(settings: TrainSettings) -> EarlyStopping | None:
    """Early stopping from a number of epochs, or from the table of a file."""
    if not settings.early_stopping:
        return None
    if isinstance(settings.early_stopping, Mapping):
        try:
            return EarlyStopping(**settings.early_stopping)
        except TypeError:
            known = ", ".join(f.name for f in dataclasses.fields(EarlyStopping))
            raise SettingError(
                f"early_stopping has the settings {known}; got {dict(settings.early_stopping)}."
            ) from None
    return EarlyStopping(patience=settings.early_stopping)


def class_weight(settings: TrainSettings, data: Dataset) -> Any:
    """Weights of classes by their labels: in a file the labels are text."""
    if not isinstance(settings.class_weight, Mapping):
        return settings.class_weight
    labels = {str(label): label for label in data.classes or ()}
    return {labels.get(name, name): weight for name, weight in settings.class_weight.items()}


def result(run: Any, scores: Mapping[str, float] | None, test: Part | None) -> dict[str, Any]:
    """How a run ended, for ``result.json``."""
    diverged, early = run.stopped == "diverged", run.stopped is not None
    return {
        "state": "diverged" if diverged else "stopped early" if early else "finished",
        "reason": run.stopped,
        "epochs": len(run.history),
        "best_epoch": run.best_epoch,
        "engine": run.engine,
        "compiled": run.traces,
        "parameters": run.model.count(),
        "test": scores,
        "test_rows": len(test.x) if test is not None and scores is not None else None,
    }


def say_table(table: PreparedTable) -> None:
    """What was found in each column and what happens to it, before anything is trained."""
    say(lined_up(show_columns(table.columns, rows=table.looked_at), left=(0, 1, 4, 5)))
    for note in table.notes:
        say(f"note: {note}")


def say_start(settings: TrainSettings, data: Dataset, part: Part, test: Part | None, model: Model) -> None:
    """What is about to happen, before it takes its time."""
    validation = "no validation"
    if data.validation is not None:
        validation = f"{len(data.validation[0]):,} more for validation"
    elif settings.validation:
        validation = f"{100 * settings.validation:g} % of them for validation"
    say(f"{data.name}: {data.task} of {_shape(data)}")
    say(f"  training  {len(part.x):,} rows, {validation}")
    say(f"  test      {f'{len(test.x):,} rows, {test.text}' if test else 'none'}")
    say(f"  network   {describe_net(model.net.to_dict())} ({model.count():,} parameters)")
    moves = optimizer(settings)
    rate = f"{moves.lr:g}" if isinstance(moves.lr, int | float) else repr(moves.lr)
    epochs = "1 epoch" if settings.epochs == 1 else f"{settings.epochs} epochs"
    if settings.augment is not None:
        say(f"  augment   {settings.augment if isinstance(settings.augment, str) else augment.get(settings.augment)}")
    decay = f", weight decay {settings.weight_decay:g}" if settings.weight_decay else ""
    say(f"  descent   {epochs} of {moves.name}, lr {rate}{decay}, batches of {settings.batch_size}")
    if isinstance(settings.early_stopping, int) and settings.early_stopping:
        say(f"  stopping  after {settings.early_stopping} epochs without a better validation cost; the best stays")


def say_result(trained: Trained) -> None:
    """What came of it."""
    run, history = trained.run, trained.run.history
    if run.stopped:
        say(f"Stopped early: {run.stopped}.")
    for name in ("val_accuracy", "val_mae"):
        if name in history.columns:
            at = history.best(name)
            say(f"Best validation {name.removeprefix('val_')} {_score(name, history[name][at - 1])}, after epoch {at}.")
    if trained.scores is not None and trained.test is not None:
        said = ", ".join(f"{name} {_score(name, value)}" for name, value in trained.scores.items())
        say(f"Test: {said} ({len(trained.test.x):,} rows that it was not trained on).")
    if run.traces:
        programs = ", ".join(f"{name} {times}" for name, times in sorted(run.traces.items()))
        say(f"Compiled for {run.engine}: {programs}.")
    say(f"The run is in {trained.folder}")
    if (trained.folder / "report.html").exists():
        say(f"The report: {trained.folder / 'report.html'}")


def interrupted(folder: Path) -> str:
    """After Ctrl-C: what is kept, and how to go on."""
    kept = checkpoint.files(folder)
    if not kept:
        return "Interrupted before anything was saved."
    return f"Interrupted. {folder} keeps the run up to step {kept[0][0]:,}. To go on: chainrule train --resume {folder}"


def describe_net(net: Mapping[str, Any]) -> str:
    """A network's recipe on one line: its layers with their sizes and activations."""
    parts = []
    for layer in net.get("layers", [net]):
        words = [
            str(layer.get(key)) for key in ("units", "filters", "rate", "activation") if layer.get(key) is not None
        ]
        parts.append(" ".join([str(layer.get("type", "?")), *words]))
    return ", ".join(parts)


def _shape(data: Dataset) -> str:
    shape = " x ".join(map(str, data.x.shape[1:]))
    what = f"images of {shape}" if data.x.ndim == 4 else f"rows of {shape} features"
    return what + (f", {len(data.classes)} classes" if data.classes else "")


def _score(name: str, value: float) -> str:
    return percent(value) if name.endswith("accuracy") else f"{value:.4g}"
