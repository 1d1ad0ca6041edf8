"""`fit`: from a recipe and data to a trained model, as a loop that can be read."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.augment import preview
from chainrule.data.rows import Rows
from chainrule.display.lines import print_line
from chainrule.display.progress import print_notes
from chainrule.engine import distributed
from chainrule.engine.devices import check_split
from chainrule.errors import SettingError
from chainrule.fields import takes_settings
from chainrule.layers import Layer
from chainrule.models import Model
from chainrule.recipe.prepared_run import describe, prepare_run, streams
from chainrule.recipe.run_data import RunData, pair_of, run_data
from chainrule.run_settings import FitSettings
from chainrule.runs.files import PREVIEW
from chainrule.runs.folder import RunFolder
from chainrule.tables.table import Table
from chainrule.training import checkpoint
from chainrule.training.checking import check_before
from chainrule.training.engine_choice import engine_for
from chainrule.training.fingerprint import fingerprint
from chainrule.training.live_page import LivePage
from chainrule.training.loader import HostLoader, InMemoryLoader
from chainrule.training.loop import Loop
from chainrule.training.recorder import Recorder
from chainrule.training.run import Run
from chainrule.training.streaming import StreamingLoader
from chainrule.training.watch import Watch


@takes_settings(FitSettings)
def fit(net: Layer | Model, data: Any, settings: FitSettings) -> Run:
    """Train a network.

    Parameters
    ----------
    net
        A layer (mostly `Sequential` or `mlp`), or a `Model` to go on from its weights.
    data
        ``(x, y)``, a `Dataset`, or for data larger than memory a `chainrule.data.stream` (a `numpy.memmap` as x is
        streamed too), or a `Table`, which is split and prepared as `Table.prepare` says. y: integer or text labels,
        one-hot rows, 0/1 columns, or numbers to predict.
    {settings}

    Returns
    -------
    Run
        ``run.model``, ``run.history``, ``run.evaluate(x, y)``.

    Raises
    ------
    ChainruleError
        For data or settings that cannot be used; `PeerError` when another process of the run is lost; `DivergedError`
        when the cost becomes NaN or infinite, with the last good weights in its ``run``.

    Example
    -------
    >>> import chainrule as cr
    >>> digits = cr.data.load("digits")
    >>> net = cr.Sequential(cr.Flatten(), cr.Dense(30, "relu"), cr.Dense(10, "softmax"))
    >>> run = cr.fit(net, digits, epochs=15, validation=0.2, progress=False)
    >>> run.history["val_accuracy"][-1] > 0.9
    True
    """
    out, resume, engine, devices = _folder(settings), settings.resume, settings.engine, settings.devices
    if resume and out is None and distributed.is_first():
        raise SettingError("resume=True needs out=, the folder of the run to go on with.")
    if isinstance(data, Table) and not settings.normalize:
        data = data.unscaled()
    arranged = run_data(net, data, settings.validation, settings.seed)
    prepared_run = prepare_run(net, arranged, settings)
    if resume and engine == "auto":
        engine = distributed.from_first(lambda: checkpoint.engine(Path(out or ""))) or engine
    model, recipe, prepared, n = (
        prepared_run.model,
        prepared_run.recipe,
        prepared_run.prepared,
        len(prepared_run.prepared.train.x),
    )
    if settings.doctor == "check":
        check_before(net, data, settings)
    if settings.probe_every is not None:
        prepared_run.state.settings["run"]["probe_every"] = settings.probe_every
    if devices is None and distributed.rank_and_size()[1] > 1:
        devices = "all"
    steps = prepared_run.epochs * prepared_run.steps_per_epoch
    chosen = engine_for(model, recipe, engine, devices, steps=steps, batch_size=min(prepared_run.batch_size, n))

    check_split(min(prepared_run.batch_size, n), chosen.shards)
    described: Mapping[str, Any] = {}

    def make_folder() -> RunFolder | None:
        nonlocal described
        if out is None:
            return None
        # Described first: a network or loss made of functions cannot be written down.
        described = settings.config or describe(prepared_run, engine, devices)
        folder = RunFolder(out, resume=resume)
        picture = folder.path / PREVIEW
        if recipe.augment is not None and len(model.input_shape) == 3 and not picture.exists():
            x = arranged.x
            some = x.read(0, min(n, 256)) if isinstance(x, Rows) else x[:256]
            preview(some, recipe.augment, seed=settings.seed, normalize=settings.normalize, path=picture)
        return folder

    folder = distributed.on_first(make_folder)
    if settings.live and folder is not None:
        LivePage(folder.path)
    data_identity: dict[str, str] = {}
    if out is not None or distributed.rank_and_size()[1] > 1:
        data_identity = _identity(arranged, settings.sample_weight)
        standardized = prepared.inputs.standardizer is not None
        data_identity |= {"normalize": str(standardized), "class_weight": repr(settings.class_weight)}
    loader: type[StreamingLoader | HostLoader | InMemoryLoader] = (
        HostLoader if distributed.rank_and_size()[1] > 1 else InMemoryLoader
    )
    if streams(prepared_run):
        loader = StreamingLoader
    progress = settings.progress and distributed.is_first()
    watch = None
    if settings.doctor == "watch" and progress:
        watch = Watch(model, recipe, prepared, prepared_run.state, settings)
    recorder = None
    if distributed.is_first() and (settings.record or folder or resume) != "none":
        path = None if folder is None else folder.path
        recorder = Recorder(settings.record, prepared_run, path, of_samples=chosen.shards == 1)
    loop = Loop(
        model,
        recipe,
        prepared,
        chosen,
        loader(prepared.train, prepared_run.batch_size, prepared_run.order, chosen),
        prepared_run.epochs,
        stopping=prepared_run.stopping,
        callbacks=settings.callbacks,  # type: ignore[arg-type]  # a tuple by now
        call_every=settings.call_every,
        record_steps=settings.record_steps,
        probe_every=settings.probe_every,
        folder=folder,
        checkpoint_every=settings.checkpoint_every,
        checkpoint_minutes=settings.checkpoint_minutes,
        keep=settings.keep,
        data_identity=data_identity,
        settings=settings,
        watch=watch,
        recorder=recorder,
    )
    if progress:
        print_notes(prepared.notes)
    with distributed.losing_a_peer():
        return loop.run(prepared_run.state, resume, progress, described)


def _folder(settings: FitSettings) -> str | Path | None:
    """Return where the run is written: a live page needs a place to read from."""
    if not settings.live or settings.out is not None or settings.resume or not distributed.is_first():
        return settings.out
    folder = tempfile.mkdtemp(prefix="chainrule-")
    print_line(f"The run is written to {folder} for its page; out= chooses another place.")
    return folder


def _identity(data: RunData, sample_weight: Any) -> dict[str, str]:
    """Return what the data is known by when the run is gone on with."""
    parts, validation = {"x": data.x, "y": data.y, "sample_weight": sample_weight}, data.validation
    if validation is None or isinstance(validation, float | int | np.number):
        return fingerprint(**parts) | {"validation": repr(validation)}
    held_out = zip(("x of the validation", "y of the validation"), pair_of(validation), strict=True)
    return fingerprint(**parts, **dict(held_out))
