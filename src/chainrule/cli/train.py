"""``chainrule train``: settings, data, network, `fit`, and a last look at the test part."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.cli.data import Part, load_data, train_and_test
from chainrule.cli.messages import percent, say
from chainrule.cli.settings import read_settings, settings_from
from chainrule.data import Dataset
from chainrule.engine import distributed
from chainrule.errors import DivergedError, FileError, SettingError
from chainrule.models import Model
from chainrule.models.saving import read_tensors
from chainrule.presets import TrainSettings, complete, network, optimizer
from chainrule.training import EarlyStopping, Run, fit
from chainrule.training.folder import claim_folder, read_folder, write_config, write_result

RUNS = Path("runs")

#: What may be given with --resume: nothing that would make another run of it.
WITH_RESUME = ("data", "data_dir", "epochs", "engine", "devices")


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
    data = load_data(settings.data, settings.data_dir)
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
        if resume and folder is not None:
            write_config(folder, dataclasses.asdict(settings))
            (folder / "result.json").unlink(missing_ok=True)
        try:
            run = fit(
                net,
                (part.x, part.y),
                loss=loss,
                optimizer=moves,
                epochs=settings.epochs,
                batch_size=settings.batch_size,
                validation=settings.validation or None,
                l1=settings.l1,
                l2=settings.l2,
                normalize=bool(settings.normalize),
                early_stopping=stopping,
                callbacks=callbacks,
                seed=settings.seed,
                engine=settings.engine,
                devices=settings.devices,
                precision=settings.precision,
                out=folder,
                resume=resume,
                progress=progress,
                config=dataclasses.asdict(settings),
            )
        except KeyboardInterrupt:
            raise KeyboardInterrupt(interrupted(folder) if folder is not None else "Interrupted.") from None
        except DivergedError as error:
            if folder is None:
                raise
            write_result(folder, result(error.run, None, None))
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
    if not (folder / "checkpoints" / "last.safetensors").exists():
        raise FileError(
            f"No epoch of {folder} is finished, so there is nothing to go on from. Start anew with its settings: "
            f"chainrule train --config {folder / 'config.toml'}"
        )
    read_tensors(folder / "checkpoints" / "last.safetensors")  # before anything in the folder changes
    settings = TrainSettings(**(read_settings(folder / "config.toml") | dict(given)))
    done = len(record.epochs)
    if record.result.get("state") == "stopped early":
        raise SettingError(f"{folder} has stopped early: {record.result.get('reason')}.")
    if settings.epochs is not None and done >= settings.epochs:
        raise SettingError(f"{folder} has done {done} epochs already. To go on, ask for more: --epochs {2 * done}.")
    say(f"Going on with {folder} after epoch {done}.")
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


def say_start(settings: TrainSettings, data: Dataset, part: Part, test: Part | None, model: Model) -> None:
    """What is about to happen, before it takes its time."""
    rows = f"{len(part.x):,} rows, {100 * settings.validation:g} % of them for validation"
    say(f"{data.name}: {data.task} of {_shape(data)}")
    say(f"  training  {rows if settings.validation else f'{len(part.x):,} rows, no validation'}")
    say(f"  test      {f'{len(test.x):,} rows, {test.text}' if test else 'none'}")
    say(f"  network   {describe_net(model.net.to_dict())} ({model.count():,} parameters)")
    moves = optimizer(settings)
    rate = f"{moves.lr:g}" if isinstance(moves.lr, int | float) else repr(moves.lr)
    epochs = "1 epoch" if settings.epochs == 1 else f"{settings.epochs} epochs"
    say(f"  descent   {epochs} of {moves.name}, lr {rate}, batches of {settings.batch_size}")


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


def interrupted(folder: Path) -> str:
    """After Ctrl-C: what is kept, and how to go on."""
    done = len(read_folder(folder).epochs) if (folder / "config.toml").exists() else 0
    if not done:
        return "Interrupted before the first epoch was done."
    return f"Interrupted. {folder} keeps the run up to epoch {done}. To go on: chainrule train --resume {folder}"


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
