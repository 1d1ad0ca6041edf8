"""`fit`: from a recipe and data to a trained model, as a loop that can be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import optimizers
from chainrule.augment import preview
from chainrule.data.rows import Rows
from chainrule.display.progress import print_notes
from chainrule.engine import choose, distributed
from chainrule.engine.devices import check_split
from chainrule.errors import SettingError
from chainrule.keywords import checks_keywords
from chainrule.layers import Layer
from chainrule.losses import Loss
from chainrule.models import Model
from chainrule.optimizers import Optimizer
from chainrule.runs.files import PREVIEW
from chainrule.runs.folder import RunFolder
from chainrule.settings import check_number
from chainrule.tables.table import Table
from chainrule.training import checkpoint
from chainrule.training.callbacks import Callback, EarlyStopping
from chainrule.training.fingerprint import fingerprint
from chainrule.training.loader import HostLoader, InMemoryLoader
from chainrule.training.loop import Loop
from chainrule.training.prepared_run import FitSettings, count, describe, job, streams
from chainrule.training.run import Run
from chainrule.training.run_data import RunData, pair_of, run_data
from chainrule.training.streaming import StreamingLoader


@checks_keywords
def fit(
    net: Layer | Model,
    data: Any,
    *,
    loss: str | Loss = "auto",
    optimizer: str | Optimizer | Any = "adam",
    epochs: int = 10,
    batch_size: int = 32,
    validation: Any = None,
    l1: float = 0.0,
    l2: float = 0.0,
    augment: Any = None,
    normalize: bool = True,
    normalize_target: bool = False,
    early_stopping: EarlyStopping | bool | None = None,
    callbacks: Callback | Sequence[Callback] = (),
    call_every: int | None = None,
    record_steps: bool = False,
    probe_every: int | None = None,
    sample_weight: Any = None,
    class_weight: Mapping[Any, float] | str | None = None,
    micro_batches: int = 1,
    seed: int = 0,
    engine: str = "auto",
    devices: str | int | None = None,
    precision: str = "float32",
    out: str | Path | None = None,
    resume: bool = False,
    checkpoint_every: int | None = None,
    checkpoint_minutes: float | None = 10.0,
    keep: int = 3,
    progress: bool = True,
    config: Mapping[str, Any] | None = None,
) -> Run:
    """Train a network.

    Parameters
    ----------
    net
        A layer (mostly `Sequential` or `mlp`), or a `Model` to go on from its weights.
    data
        ``(x, y)``, a `Dataset`, or for data larger than memory a `chainrule.data.stream` (a `numpy.memmap` as x is
        streamed too), or a `Table`, which is split and prepared as `Table.prepare` says. y: integer or text labels,
        one-hot rows, 0/1 columns, or numbers to predict.
    loss
        A name, an object, or a function ``(a, y) -> cost of each sample``. "auto" follows the output layer:
        softmax and categorical cross-entropy, sigmoid and binary cross-entropy, linear and quadratic cost.
    optimizer
        A name, an object (its ``lr`` is a number or a schedule), or an optax transformation (JAX engine).
    epochs, batch_size
        Passes over the training data, and samples per step. The last batch of an epoch may be shorter.
    validation
        ``(x, y)`` (or a `Dataset` or stream), or a fraction of the training data, drawn at random and in proportion to
        the classes.
    l1, l2
        λ of the penalties λ/n Σ|w| and λ/(2n) Σw² on weights (not biases); n is the number of training samples
        (the sum of their weights).
    augment
        Changes training samples at random, anew in every epoch: names with strengths (``"shift:2,rotation:10"``), an
        object (``cr.augment.Mixup(0.2)``), a function ``(x, key) -> x``, or several in a list; see `chainrule.augment`.
    normalize
        Subtract the training part's mean and divide by its deviation (per feature; per channel for images); kept
        with the model and applied to everything it predicts. False for a `Table`: its numbers stay as they are, but for
        columns of which it says how they are scaled. Codes that an `Embedding` layer takes stay as they are.
    normalize_target
        For regression with linear outputs: learn (y − mean) / deviation, with those of the training targets. The loss
        is then that of standardized targets; predictions and the mean absolute error are in the target's own unit.
    early_stopping
        An `EarlyStopping` (True: with its defaults). Needs validation data unless it monitors training data.
    callbacks
        Functions (or one) that get an `Event` after every epoch and may return a `Decision`.
    call_every
        Call them after every so many steps, too.
    record_steps
        Keep loss, score and learning rate of every step in ``run.history.steps``.
    probe_every
        On every so many steps keep figures of each layer and parameter in ``run.probes`` (see `Probes`), computed in
        the same pass.
    sample_weight, class_weight
        Weights of samples in the mean cost; of classes as {label: weight}, or "balanced" (n / (classes · count)).
    micro_batches
        Compute each step's gradient in so many parts, one after the other, and add them up: the result of the
        whole batch with less memory (but batch normalization takes the statistics of each part).
    seed
        The whole run follows from it: initial weights, split, order, dropout.
    engine
        "numpy", "jax", or "auto": NumPy where compiling would cost more than it saves; of a run that is gone on with,
        the one by which it was trained so far.
    devices
        None: one device, JAX's first. "all", or a number n for the first n: every batch is split among them, and
        batch_size must be a multiple of n. The same seed gives the same weights on any number, up to rounding. Also
        "cpu", "gpu", "tpu" or "gpu:2": one device of that kind. The engine is "jax" then. In a run of several
        processes (`cr.distributed.start`) None is all devices of all processes.
    precision
        "float32", "float64" or "bfloat16": matrix products and activations in bfloat16, weights, statistics, cost
        and update in float32 (Micikevicius et al., 2018). It is meant for GPUs: XLA's bfloat16 products on the CPU are
        slower than its float32 ones. Needs the JAX engine.
    out, resume
        A folder to write the run to; with ``resume`` go on from its last checkpoint, to the same bits as without the
        interruption (on the same machine and engine). It may have more epochs than before; a schedule that depends on
        their number then follows the new one, and what the learning rate becomes is told. What is missing of a run that
        has ended is written then; a run that is complete is given back, and nothing in its folder changes. Of several
        processes only the first needs and writes it.
    checkpoint_every, checkpoint_minutes, keep
        Write a checkpoint after every so many steps, and when the last one is so many minutes old (None: not by it),
        besides those at the end of epochs. The last ``keep`` stay, and the best model. The first Ctrl-C (or SIGTERM)
        ends the run after the step it is at, with a checkpoint, as `KeyboardInterrupt` (`SystemExit`); the second at
        once.
    progress
        Show the epochs on standard error, and before them what should be known about the data (``run.notes``).
    config
        Settings to write to ``config.toml`` instead of those given here (used by the command line).

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
    call_every = None if call_every is None else count("call_every", call_every)
    probe_every = None if probe_every is None else count("probe_every", probe_every)
    checkpoint_every = None if checkpoint_every is None else count("checkpoint_every", checkpoint_every)
    if checkpoint_minutes is not None:
        check_number("fit", "checkpoint_minutes", checkpoint_minutes, 0.0, open_low=True)
    keep = count("keep", keep)
    if resume and out is None and distributed.is_first():
        raise SettingError("resume=True needs out=, the folder of the run to go on with.")
    settings = FitSettings(
        loss=loss,
        optimizer=optimizer,
        epochs=epochs,
        batch_size=batch_size,
        validation=validation,
        l1=l1,
        l2=l2,
        augment=augment,
        normalize=normalize,
        normalize_target=normalize_target,
        early_stopping=early_stopping,
        sample_weight=sample_weight,
        class_weight=class_weight,
        micro_batches=micro_batches,
        seed=seed,
        precision=precision,
    )
    if isinstance(data, Table) and not normalize:
        data = data.unscaled()
    arranged = run_data(net, data, settings.validation, settings.seed)
    todo = job(net, arranged, settings)
    if resume and engine == "auto":
        engine = distributed.from_first(lambda: checkpoint.engine(Path(out or ""))) or engine
    model, recipe, prepared, n = todo.model, todo.recipe, todo.prepared, len(todo.prepared.train.x)
    if probe_every is not None:
        todo.state.settings["run"]["probe_every"] = probe_every
    callbacks = _callbacks(callbacks)
    if devices is None and distributed.place()[1] > 1:
        devices = "all"
    chosen = choose(
        engine,
        devices=devices,
        precision="bfloat16" if recipe.compute else model.precision,
        steps=todo.epochs * todo.steps_per_epoch,
        work=lambda: model.work() * (3 * min(todo.batch_size, n)),
    )
    if chosen.name == "numpy" and isinstance(recipe.optimizer, optimizers.Optax):
        if engine == "numpy":
            raise SettingError('An optax transformation runs on JAX only: use engine="jax".')
        chosen = choose("jax", precision=model.precision, devices=devices)

    check_split(min(todo.batch_size, n), chosen.shards)
    described: Mapping[str, Any] = {}

    def make_folder() -> RunFolder | None:
        nonlocal described
        if out is None:
            return None
        # Described first: a network or loss made of functions cannot be written down.
        described = config or describe(todo, engine, devices)
        folder = RunFolder(out, resume=resume)
        picture = folder.path / PREVIEW
        if recipe.augment is not None and len(model.input_shape) == 3 and not picture.exists():
            x = arranged.x
            some = x.read(0, min(n, 256)) if isinstance(x, Rows) else x[:256]
            preview(some, recipe.augment, seed=seed, normalize=normalize, path=picture)
        return folder

    folder = distributed.on_first(make_folder)
    given: dict[str, str] = {}
    if out is not None or distributed.place()[1] > 1:
        given = _identity(arranged, sample_weight)
        standardized = prepared.inputs.standardizer is not None
        given |= {"normalize": str(standardized), "class_weight": repr(settings.class_weight)}
    feed: type[StreamingLoader | HostLoader | InMemoryLoader] = (
        HostLoader if distributed.place()[1] > 1 else InMemoryLoader
    )
    if streams(todo):
        feed = StreamingLoader
    loop = Loop(
        model,
        recipe,
        prepared,
        chosen,
        feed(prepared.train, todo.batch_size, todo.order, chosen),
        todo.epochs,
        stopping=todo.stopping,
        callbacks=callbacks,
        call_every=call_every,
        record_steps=record_steps,
        probe_every=probe_every,
        folder=folder,
        checkpoint_every=checkpoint_every,
        checkpoint_minutes=checkpoint_minutes,
        keep=keep,
        given=given,
    )
    progress = progress and distributed.is_first()
    if progress:
        print_notes(prepared.notes)
    with distributed.losing_a_peer():
        return loop.run(todo.state, resume, progress, described)


def _callbacks(given: Any) -> tuple[Callback, ...]:
    """Callbacks as a tuple; a single one may be given alone."""
    callbacks = tuple(given) if isinstance(given, list | tuple) else (given,)
    for callback in callbacks:
        if not callable(callback):
            raise SettingError(f"A callback is a function of one event, got {callback!r}.")
    return callbacks


def _identity(data: RunData, sample_weight: Any) -> dict[str, str]:
    """Return what the data is known by when the run is gone on with."""
    parts, validation = {"x": data.x, "y": data.y, "sample_weight": sample_weight}, data.validation
    if validation is None or isinstance(validation, float | int | np.number):
        return fingerprint(**parts) | {"validation": repr(validation)}
    held_out = zip(("x of the validation", "y of the validation"), pair_of(validation), strict=True)
    return fingerprint(**parts, **dict(held_out))
