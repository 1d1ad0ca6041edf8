"""`fit`: from a recipe and data to a trained model, as a loop that can be read."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import losses, optimizers, random
from chainrule.data import (
    Dataset,
    Standardizer,
    Target,
    batch_order,
    check_pair,
    encode_target,
    stratified_split,
)
from chainrule.engine import Engine, choose
from chainrule.errors import DataError, DivergedError, SettingError
from chainrule.layers import Layer, split_output
from chainrule.losses import Loss
from chainrule.models import Model
from chainrule.models.forward import flops
from chainrule.models.model import cast
from chainrule.optimizers import Optimizer
from chainrule.schedules import Schedule
from chainrule.settings import check_number, values, with_values
from chainrule.training import checkpoint
from chainrule.training.callbacks import Callback, Decision, EarlyStopping, Event, apply_settings
from chainrule.training.divergence import blame, first_bad_step, replay
from chainrule.training.epoch import programs, start_settings
from chainrule.training.folder import RunFolder
from chainrule.training.history import History
from chainrule.training.progress import progress as show_progress
from chainrule.training.run import Run, as_batch, measure, named_metrics, place_blocks
from chainrule.training.state import Metrics, Recipe, State
from chainrule.training.step import Batch

# The random streams of a run; layers fold in small numbers, these are out of their way.
SHUFFLE, SPLIT, STEPS = 2**32 - 1, 2**32 - 2, 2**32 - 3


@dataclass(frozen=True)
class Prepared:
    """The data of a run, ready for the engine, and what was learned from it."""

    train: Batch
    validation: Batch | None
    standardizer: Standardizer | None
    target: Target


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
    early_stopping: EarlyStopping | bool | None = None,
    callbacks: Sequence[Callback] = (),
    sample_weight: Any = None,
    class_weight: Mapping[Any, float] | str | None = None,
    micro_batches: int = 1,
    seed: int = 0,
    engine: str = "auto",
    precision: str = "float32",
    out: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
    config: Mapping[str, Any] | None = None,
) -> Run:
    """Train a network.

    Parameters
    ----------
    net
        A layer (mostly `Sequential` or `mlp`), or a `Model` to go on from its weights.
    data
        ``(x, y)`` or a `Dataset`. y: integer or text labels, one-hot rows, 0/1 columns, or numbers to predict.
    loss
        A name, an object, or a function ``(a, y) -> cost of each sample``. "auto" follows the output layer:
        softmax and categorical cross-entropy, sigmoid and binary cross-entropy, linear and quadratic cost.
    optimizer
        A name, an object (its ``lr`` is a number or a schedule), or an optax transformation (JAX engine).
    epochs, batch_size
        Passes over the training data, and samples per step. The last batch of an epoch may be shorter.
    validation
        ``(x, y)``, or a fraction of the training data, drawn at random and in proportion to the classes.
    l1, l2
        λ of the penalties λ/n Σ|w| and λ/(2n) Σw² on weights (not biases); n is the number of training samples.
    augment
        A function ``(x, key) -> x`` applied to the inputs of every training batch.
    normalize
        Subtract the training part's mean and divide by its deviation (per feature; per channel for images); kept
        with the model and applied to everything it predicts.
    early_stopping
        An `EarlyStopping` (True: with its defaults). Needs validation data unless it monitors training data.
    callbacks
        Functions that get an `Event` after every epoch and may return a `Decision`.
    sample_weight, class_weight
        Weights of samples in the mean cost; of classes as {label: weight}, or "balanced" (n / (classes · count)).
    micro_batches
        Compute each step's gradient in so many parts, one after the other, and add them up: the result of the
        whole batch with less memory.
    seed
        The whole run follows from it: initial weights, split, order, dropout.
    engine
        "numpy", "jax", or "auto": NumPy where compiling would cost more than it saves.
    precision
        "float32" or "float64".
    out, resume
        A folder to write the run to; with ``resume`` go on from its last finished epoch.
    progress
        Show the epochs on standard error.
    config
        Settings to write to ``config.toml`` instead of those given here (used by the command line).

    Returns
    -------
    Run
        ``run.model``, ``run.history``, ``run.evaluate(x, y)``.

    Raises
    ------
    ChainruleError
        For data or settings that cannot be used; `DivergedError` when the cost becomes NaN or infinite, with the
        last good weights in its ``run``.

    Example
    -------
    >>> import chainrule as cr
    >>> digits = cr.data.load("digits")
    >>> net = cr.Sequential(cr.Flatten(), cr.Dense(30, "relu"), cr.Dense(10, "softmax"))
    >>> run = cr.fit(net, digits, epochs=15, validation=0.2, progress=False)
    >>> run.history["val_accuracy"][-1] > 0.9
    True
    """
    _check_counts(epochs=epochs, batch_size=batch_size, micro_batches=micro_batches)
    check_number("fit", "l1", l1, 0.0)
    check_number("fit", "l2", l2, 0.0)
    stopping = EarlyStopping() if early_stopping is True else early_stopping or None
    root = random.key(seed)
    x, y = _unpack(data)
    model = net if isinstance(net, Model) else Model(net, x.shape[1:], seed=seed, precision=precision)
    prepared = _prepare(x, y, model, validation, normalize, sample_weight, class_weight, root)
    if stopping is not None and stopping.monitor.startswith("val_") and prepared.validation is None:
        raise SettingError(
            f"EarlyStopping watches {stopping.monitor!r}, but there is no validation data: give "
            'validation=0.2 (a fraction) or validation=(x, y), or EarlyStopping(monitor="loss").'
        )
    recipe = _recipe(model, prepared.target, loss, optimizer, l1, l2, micro_batches, augment)
    n = len(prepared.train.x)
    work = flops(model.net, model.params, model.input_shape) * min(batch_size, n)
    chosen = choose(engine, precision=model.precision, steps=epochs * -(-n // batch_size), flops_per_step=work)
    if chosen.name == "numpy" and isinstance(recipe.optimizer, optimizers.Optax):
        if engine == "numpy":
            raise SettingError('An optax transformation runs on JAX only: use engine="jax".')
        chosen = choose("jax", precision=model.precision)

    state = State(
        params=model.params,
        layers=model.state,
        moments=cast(recipe.optimizer.init(model.params), model.precision),
        step=0,
        key=random.fold_in(root, STEPS),
        settings=start_settings(recipe, samples=n, batch_size=batch_size, epochs=epochs),
    )
    loop = _Loop(model, recipe, prepared, chosen, batch_size, epochs, random.fold_in(root, SHUFFLE))
    folder = RunFolder(out, resume=resume) if out is not None else None
    if resume and folder is None:
        raise SettingError("resume=True needs out=, the folder of the run to go on with.")
    described = config or _describe(
        model, recipe, epochs, batch_size, validation, normalize, stopping, seed, chosen, precision
    )
    return loop.run(state, stopping, callbacks, folder, resume, progress, described)


class _Loop:
    """The training loop of one run: an epoch at a time on the engine, and what happens in between."""

    def __init__(
        self,
        model: Model,
        recipe: Recipe,
        prepared: Prepared,
        engine: Engine,
        batch_size: int,
        epochs: int,
        shuffle_key: Any,
    ) -> None:
        self.model, self.recipe, self.prepared, self.engine = model, recipe, prepared, engine
        self.batch_size, self.epochs, self.shuffle_key = min(batch_size, len(prepared.train.x)), epochs, shuffle_key
        self.program = programs(recipe, self.batch_size, engine)
        self.data = engine.place(prepared.train)
        self.blocks = place_blocks(prepared.validation, engine) if prepared.validation is not None else []

    def run(
        self,
        state: State,
        stopping: EarlyStopping | None,
        callbacks: Sequence[Callback],
        folder: RunFolder | None,
        resume: bool,
        progress: bool,
        config: Mapping[str, Any],
    ) -> Run:
        """Train until the last epoch, a decision to stop, or divergence."""
        history, best, stopped = History(), (state.params, state.layers), None
        if folder is not None and resume:
            state, history.records, best = checkpoint.load(folder.checkpoint, state)
        elif folder is not None:
            folder.start(config)
        state = self._place(state)
        with show_progress(self.epochs, progress) as show:
            for epoch in range(len(history) + 1, self.epochs + 1):
                before = time.perf_counter()
                state, metrics = self._epoch(state, epoch, history, folder)
                record = {"epoch": epoch, **self._record(metrics, state), "seconds": time.perf_counter() - before}
                history.records.append(record)
                show(record)
                if stopping is None or stopping.best_epoch(history[stopping.monitor]) == epoch:
                    best = (state.params, state.layers)
                state, stopped = self._decide(state, history, stopping, callbacks)
                if folder is not None:
                    folder.write_metrics(history.records)
                    fetched = self.engine.fetch((state._replace(settings=None), best))
                    checkpoint.save(folder.checkpoint, fetched[0]._replace(settings=state.settings), history.records, fetched[1])
                if stopped:
                    break
        chosen = best if stopping is not None and stopping.restore_best else (state.params, state.layers)
        at = stopping.best_epoch(history[stopping.monitor]) if stopping and stopping.restore_best else len(history)
        return self._finish(chosen, history, at, stopped, folder)

    def _epoch(self, state: State, epoch: int, history: History, folder: RunFolder | None) -> tuple[State, Metrics]:
        """One pass over the training data, in an order of its own."""
        order = batch_order(random.fold_in(self.shuffle_key, epoch), len(self.prepared.train.x))
        end, metrics = self.program.train(state, self.data, self.engine.place(order))
        bad = first_bad_step(metrics)
        if bad is None:
            return end._replace(settings=state.settings), metrics
        raise self._diverged(state, order, bad, history, folder)

    def _record(self, metrics: Metrics, state: State) -> dict[str, float]:
        """The epoch's means on training data and, if there is any, on validation data."""
        sums = [float(np.sum(np.asarray(v, np.float64))) for v in (metrics.cost, metrics.score, metrics.weight)]
        record = named_metrics(self.recipe, *sums)
        if self.blocks:
            settings = state.settings
            seen = measure(self.program, state.params, state.layers, settings, self.blocks)
            record |= {f"val_{k}": v for k, v in named_metrics(self.recipe, *seen).items()}
        return record | {"lr": float(np.asarray(metrics.lr)[-1])}

    def _decide(
        self, state: State, history: History, stopping: EarlyStopping | None, callbacks: Sequence[Callback]
    ) -> tuple[State, str | None]:
        """Let early stopping, the schedule and the callbacks act: new settings, and the reason to stop."""
        reason = stopping.decide(history[stopping.monitor]) if stopping is not None else None
        schedule = self.recipe.optimizer.lr
        if isinstance(schedule, Schedule):
            current = with_values(schedule, state.settings["recipe"]["optimizer"]["lr"])
            changed = current.after_epoch(history["val_loss" if self.blocks else "loss"])
            if changed is not None:
                state = apply_settings(state, {f"optimizer.lr.{k}": v for k, v in values(changed).items()})
        for callback in callbacks:
            seen = state
            event = Event(
                epoch=len(history),
                epochs=self.epochs,
                metrics=history.records[-1],
                history=history,
                state=state,
                model=lambda seen=seen: self._model((seen.params, seen.layers)),  # type: ignore[misc]
            )
            decision = callback(event)
            if decision is None:
                continue
            if not isinstance(decision, Decision):
                raise SettingError(
                    f"A callback returns None or cr.Decision(stop=..., settings=...), got {decision!r}."
                )
            state = apply_settings(state, decision.settings)
            reason = reason or decision.stop
        return state, reason

    def _finish(
        self, chosen: Any, history: History, epoch: int, stopped: str | None, folder: RunFolder | None
    ) -> Run:
        run = Run(
            self._model(chosen),
            history,
            self.recipe,
            best_epoch=epoch,
            stopped=stopped,
            engine=self.engine.name,
            folder=folder.path if folder is not None else None,
        )
        if folder is not None:
            run.model.save(folder.path / "model.safetensors")
        return run

    def _diverged(
        self, state: State, order: np.ndarray, bad: int, history: History, folder: RunFolder | None
    ) -> DivergedError:
        """Find the step and the layer, keep the weights from before it, and say what to try."""
        state = replay(self.program, state, self.data, order, bad, self.batch_size)
        rows = order[bad * self.batch_size : (bad + 1) * self.batch_size]
        batch = Batch(*(a[rows] for a in self.prepared.train))
        layer = blame(self.recipe, state, batch, self.engine)
        run = self._finish((state.params, state.layers), history, len(history), "diverged", folder)
        number = int(np.asarray(state.step)) + 1
        return DivergedError(
            f"The cost became NaN or infinite at step {number} (epoch {len(history) + 1}), first in {layer}. "
            "The weights from before that step are kept. Try a smaller learning rate, or clip_norm=1.0 in the optimizer.",
            step=number,
            layer=layer,
            run=run,
        )

    def _model(self, chosen: Any) -> Model:
        params, layers = self.engine.fetch(chosen)
        model = self.model
        return Model(
            model.net,
            model.input_shape,
            precision=model.precision,
            params=params,
            state=layers,
            standardizer=self.prepared.standardizer,
            target=self.prepared.target,
        )

    def _place(self, state: State) -> State:
        placed = self.engine.place((state.params, state.layers, state.moments, state.key))
        step = state.step if self.engine.name == "numpy" else self.engine.place(np.int32(state.step))
        return State(*placed[:3], step, placed[3], state.settings)


def _unpack(data: Any) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(data, Dataset):
        data = (data.x, data.y)
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise DataError(f"fit takes the data as (x, y) or a Dataset, got {type(data).__name__}.")
    return check_pair(*data)


def _prepare(
    x: np.ndarray,
    y: np.ndarray,
    model: Model,
    validation: Any,
    normalize: bool,
    sample_weight: Any,
    class_weight: Any,
    root: Any,
) -> Prepared:
    """Split, encode and standardize. Whatever is learned from the data is learned from the training part."""
    known = model.target.classes if model.target_is_known else None
    units, activation = model.output_shape[-1], model.last_activation.name
    encoded, target = encode_target(y, units=units, output_activation=activation, classes=known)
    weight = _weights(encoded, target, sample_weight, class_weight)
    held_out: tuple[np.ndarray, np.ndarray] | None = None
    if isinstance(validation, float | int) and not isinstance(validation, bool):
        if validation:
            stratify = target.task in ("classification", "binary")
            rows, others = stratified_split(encoded, validation, random.fold_in(root, SPLIT), stratify=stratify)
            held_out = (x[others], encoded[others])
            x, encoded, weight = x[rows], encoded[rows], weight[rows]
    elif validation is not None:
        xv, yv = _unpack(validation)
        if xv.shape[1:] != x.shape[1:]:
            raise DataError(
                f"Training samples have shape {x.shape[1:]}, validation samples {xv.shape[1:]}; they must be equal."
            )
        held_out = (xv, encode_target(yv, units=units, output_activation=activation, classes=target.classes)[0])
    standardizer = model.standardizer
    if standardizer is None and normalize:
        standardizer = Standardizer.fit(x)
    ready = (lambda a: a) if standardizer is None else standardizer
    precision = model.precision
    return Prepared(
        train=as_batch(ready(x), encoded, weight, precision),
        validation=as_batch(ready(held_out[0]), held_out[1], None, precision) if held_out else None,
        standardizer=standardizer,
        target=target,
    )


def _weights(y: np.ndarray, target: Target, sample_weight: Any, class_weight: Any) -> np.ndarray:
    """The weight of each sample in the mean cost."""
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, float)
    if weight.shape != (len(y),) or not np.all(np.isfinite(weight)) or np.any(weight < 0) or not weight.sum():
        raise DataError(
            f"sample_weight needs {len(y)} numbers of at least 0 that are not all 0, got shape {weight.shape}."
        )
    if class_weight is None:
        return weight
    if target.task not in ("classification", "binary") or target.classes is None:
        raise SettingError("class_weight is for classification with one class per sample.")
    labels = y.argmax(axis=1) if target.task == "classification" and y.ndim == 2 else y.reshape(-1).astype(int)
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise SettingError(f'class_weight is "balanced" or {{label: weight}}, got {class_weight!r}.')
        counts = np.bincount(labels, minlength=len(target.classes))
        factors = len(labels) / (len(target.classes) * np.maximum(counts, 1))
    else:
        unknown = [label for label in class_weight if label not in target.classes]
        if unknown:
            raise SettingError(f"class_weight names {unknown[0]!r}; the classes are {target.classes}.")
        factors = np.array([float(class_weight.get(label, 1.0)) for label in target.classes])
    return weight * factors[labels]


def _recipe(
    model: Model,
    target: Target,
    loss: Any,
    optimizer: Any,
    l1: float,
    l2: float,
    micro_batches: int,
    augment: Any,
) -> Recipe:
    body, output = split_output(model.net)
    function = losses.auto(model.last_activation, target.task) if loss == "auto" else losses.get(loss)
    losses.check_output(function, model.last_activation)
    fused = function.pair == output.name and body is not model.net
    return Recipe(
        net=body if fused else model.net,
        loss=function,
        optimizer=optimizers.get(optimizer),
        l1=float(l1),
        l2=float(l2),
        fused=fused,
        task=target.task,
        threshold=0.0 if fused else model.threshold,
        micro_batches=micro_batches,
        augment=augment,
    )


def _describe(
    model: Model,
    recipe: Recipe,
    epochs: int,
    batch_size: int,
    validation: Any,
    normalize: bool,
    stopping: EarlyStopping | None,
    seed: int,
    engine: Engine,
    precision: str,
) -> dict[str, Any]:
    """The settings of a run as plain values, for ``config.toml``."""
    return {
        "epochs": epochs,
        "batch_size": batch_size,
        "validation": validation if isinstance(validation, float | int) else None,
        "normalize": normalize,
        "l1": recipe.l1,
        "l2": recipe.l2,
        "seed": seed,
        "engine": engine.name,
        "precision": precision,
        "net": model.net.to_dict(),
        "loss": recipe.loss.to_dict(),
        "optimizer": recipe.optimizer.to_dict(),
        "early_stopping": vars(stopping) if stopping is not None else None,
    }


def _check_counts(**counts: Any) -> None:
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise SettingError(f"fit: {name} must be a whole number of at least 1, got {value!r}.")


