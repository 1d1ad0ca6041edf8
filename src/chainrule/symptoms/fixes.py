"""What takes a cause away: for each cause its fixes, the first to try first. A new cause is one entry in `REMEDIES`."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from chainrule import activations, augment, initializers, losses, optimizers
from chainrule.augment import Augmentation, Compose, FunctionAugmentation
from chainrule.errors import SettingError
from chainrule.fields import settings_of
from chainrule.layers import Activation, BatchNorm, Conv2D, Dense, Dropout, Flatten, Layer, Maxout
from chainrule.models import Model
from chainrule.optimizers import SGD, Adam, Optimizer
from chainrule.recipe.callbacks import EarlyStopping
from chainrule.run_settings import TrainingSettings
from chainrule.schedules import Constant, Cosine, Schedule
from chainrule.settings import is_ours, replace
from chainrule.symptoms.catalogue import CAUSES
from chainrule.symptoms.data_fixes import DATA_REMEDIES
from chainrule.symptoms.evidence import Finding
from chainrule.symptoms.fix import Fix
from chainrule.symptoms.learning_rates import nominal_rate, peak_rate, scaled_rate, usual_rate
from chainrule.symptoms.net_changes import (
    Part,
    before_output,
    hidden_stages,
    parts,
    rebuilt,
    with_batch_norm,
    with_parts,
    with_stages,
    with_widths,
)
from chainrule.symptoms.subject import Subject
from chainrule.tables.table import Table

__all__ = ["REMEDIES", "fixes_for", "simple_fixes"]

Findings = Sequence[Finding]

#: The activation of the outputs for each task; the loss follows from it.
OUTPUTS = {"classification": "softmax", "binary": "sigmoid", "multilabel": "sigmoid", "regression": None}

#: Epochs without improvement that are accepted, by the fixes of early stopping.
PATIENCE = 8

#: Initializers that make all weights alike.
ALIKE = ("zeros", "ones", "constant")

#: Classes are uneven where the rarest has less than this share of what it would have among even ones.
UNEVEN = 0.8

#: A network that is trained for fewer steps than this may need more of them.
LEAST_STEPS = 600


def fixes_for(cause: str, subject: Subject, findings: Findings = ()) -> tuple[Fix, ...]:
    """Return what may take a cause away, the first to try first: only what applies here and changes something.

    Causes that nothing takes away (targets that have nothing to do with the inputs) have no fix, and so have those that
    cannot be at fault here (dropout where there is none).

    Parameters
    ----------
    cause
        A name of `chainrule.symptoms.catalogue.CAUSES`.
    subject
        What is examined.
    findings
        What was found. Where there is any, faults of the data that it does not speak for are not looked for again.

    Example
    -------
    >>> import chainrule as cr
    >>> from chainrule.run_settings import TrainingSettings
    >>> from chainrule.symptoms.fixes import fixes_for
    >>> from chainrule.symptoms.subject import subject_of
    >>> subject = subject_of(cr.mlp([4, 8, 3]), cr.data.load("iris"), TrainingSettings(optimizer=cr.Adam(lr=1.0)))
    >>> fixes_for("lr_high", subject)[0].changes
    {'optimizer.lr': 0.01}
    >>> fixes_for("dropout", subject)
    ()
    """
    if cause not in CAUSES:
        raise SettingError(f"There is no cause {cause!r}: the causes are {', '.join(CAUSES)}.")
    fixes: list[Fix] = []
    before = settings_before(subject.net, subject.data, subject.settings)
    try:
        for fix in REMEDIES[cause](subject, findings) if cause in _possible(findings) else ():
            if works(fix, subject) and all(fix.changes != other.changes or fix.data != other.data for other in fixes):
                fixes.append(dataclasses.replace(fix, before=before))
    except Exception:
        pass  # a part of the user's own that does not take another setting: what was yielded before it stays
    return tuple(fixes)


def _possible(findings: Findings) -> Collection[str]:
    """Return the causes that have a fix; of faults of the data, which take time to find, those spoken for."""
    spoken_for = {cause for finding in findings for cause in finding.causes}
    return REMEDIES if not findings else {*REMEDIES} - ({*DATA_REMEDIES} - spoken_for)


def simple_fixes(subject: Subject, findings: Findings = ()) -> tuple[Fix, ...]:
    """Return the fixes of all causes, from which one is drawn at random to see what any change would do."""
    fixes = [fix for cause in CAUSES for fix in fixes_for(cause, subject, findings)]
    different: list[Fix] = []
    for fix in fixes:
        if all(fix.changes != other.changes or fix.data != other.data for other in different):
            different.append(fix)
    return tuple(different)


def settings_before(net: Any, data: Any, settings: TrainingSettings) -> dict[str, Any]:
    """Return the network and the settings of a run that are not the usual ones, but for those that are arrays."""
    changed: dict[str, Any] = {"data": "table"} if isinstance(data, Table) else {}
    if isinstance(net, Layer):
        changed["net"] = net
    for name, setting in settings_of(TrainingSettings).items():
        value = getattr(settings, name)
        if name in ("validation", "sample_weight") and not isinstance(value, float | int):
            continue
        if type(value) is not type(setting.default) or value != setting.default:
            changed[name] = value
    return changed | {"optimizer": optimizers.get(settings.optimizer)}


def works(fix: Fix, subject: Subject) -> bool:
    """Return whether a run could be made with a fix, and whether it changes anything."""
    settings = subject.settings
    current = {name: getattr(settings, name) for name in fix.changes if "." not in name and name != "net"}
    if not fix.data and "net" not in fix.changes and current == fix.changes:
        return False
    if not {"net", "loss"} & {*fix.changes}:
        return bool(fix.changes or fix.data)
    net = fix.changes.get("net", subject.net)
    if net == subject.net and "loss" not in fix.changes:
        return False
    loss = fix.changes.get("loss", settings.loss)
    try:
        if isinstance(net, Layer):
            with initializers.shapes_only():
                net = Model(net, subject.run.model.input_shape)
        if isinstance(loss, str) and loss == "auto":
            losses.check_pair(net.last_activation, subject.task, net.output_shape[-1])
        net.pair(loss, subject.task)
    except Exception:  # layers of the user's own may raise anything
        return False
    return bool(net.output_shape == subject.run.model.output_shape or "loss" in fix.changes)


# --- the learning rate and the optimizer --------------------------------------------------------------------------


def lr_high(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Yield lower rates: a tenth, a hundredth, a thousandth; nearest to what is usual first."""
    return _rates(subject, (0.1, 0.01, 0.001), lambda usual, lr: usual < 0.5 * lr)


def lr_low(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Yield higher rates: ten, a hundred, a thousand times; nearest to what is usual first."""
    return _rates(subject, (10.0, 100.0, 1000.0), lambda usual, lr: usual > 2.0 * lr)


def _rates(subject: Subject, factors: Sequence[float], fits: Callable[[float, float], bool]) -> Iterator[Fix]:
    optimizer = _optimizer(subject)
    peak, usual = peak_rate(optimizer, subject.run.epochs), _usual(subject, optimizer)
    if not peak > 0.0:
        if usual is not None and factors[0] > 1.0:
            yield Fix(f"A learning rate of {usual:g} instead of 0.", {"optimizer.lr": usual})
        return
    if usual is not None:
        factors = sorted(factors, key=lambda factor: abs(math.log(peak * factor / usual)))
        factors = [factor for factor in factors if 1e-3 < peak * factor / usual < 1e3] or factors[:1]
        if fits(usual, peak) and abs(math.log10(peak * factors[0] / usual)) > 0.15:
            factors = (usual / peak, *factors)
    for factor in factors:
        lr = scaled_rate(optimizer.lr, factor)
        lr = float(f"{peak * factor:.6g}") if lr is None else lr
        at = " at the peak of its schedule" if isinstance(lr, Schedule) else ""
        text = f"A learning rate of {peak * factor:.3g} instead of {peak:.3g}{at}."
        yield Fix(text, {"optimizer.lr": lr})


def schedule(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Hold the rate at its peak; or let it come down over the whole run."""
    optimizer = _optimizer(subject)
    if not isinstance(optimizer.lr, Schedule) or isinstance(optimizer.lr, Constant):
        return
    peak = nominal_rate(optimizer, subject.run.epochs)
    usual = _usual(subject, optimizer)
    if peak > 0.0:
        yield Fix(f"A constant learning rate of {peak:.3g}, the peak of the schedule.", {"optimizer.lr": peak})
        if not isinstance(optimizer.lr, Cosine):
            lr = Cosine(peak)
            yield Fix(f"A rate that comes down from {peak:.3g} over the whole run.", {"optimizer.lr": lr})
    if usual is not None and not 0.2 * usual < peak < 5.0 * usual:
        yield Fix(f"A constant learning rate of {usual:.3g}.", {"optimizer.lr": usual})


def optimizer(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Yield the defaults of its class, with its rate; then Adam."""
    current = _optimizer(subject)
    default: Optimizer | None = None
    if is_ours(type(current)) and type(current).name != "optax":
        rest = {"weight_decay": current.weight_decay} if current.weight_decay is not None else {}
        default = type(current)(lr=current.lr, **rest)
        momentum = getattr(current, "momentum", None)
        if isinstance(current, SGD) and momentum is not None and momentum != 0.9:
            with_momentum = replace(default, "momentum", 0.9)
            yield Fix(f"A momentum of 0.9 instead of {momentum:g}.", {"optimizer": with_momentum})
        if default != current:
            yield Fix(f"{type(current).__name__} with its usual settings.", {"optimizer": default})
    adam = Adam(lr=_usual(subject, Adam()) or 0.001)
    if type(current) is not Adam or default != current:  # else it is its rate that is changed
        yield Fix(f"Adam with its usual settings, and a learning rate of {adam.lr:g}.", {"optimizer": adam})


def _usual(subject: Subject, optimizer: Optimizer) -> float | None:
    """Return the rate that is usual for a run of so many steps."""
    return usual_rate(optimizer, subject.run.epochs * subject.run.steps_per_epoch)


def _optimizer(subject: Subject) -> Optimizer:
    return optimizers.get(subject.settings.optimizer)


# --- steps --------------------------------------------------------------------------------------------------------


def batch_large(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Make smaller batches, so more steps in the same passes."""
    rows = len(subject.run.prepared.train.x)
    batch = min(subject.run.batch_size, rows)
    for size in (32, 8) if rows < 1000 else (32,):
        if batch > size + 1:
            yield _batches(subject, size, batch, "more steps")


def batch_small(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Make larger batches, whose gradients are less noisy."""
    rows = len(subject.run.prepared.train.x)
    batch = min(subject.run.batch_size, rows)
    if batch < 32 and rows > batch:
        yield _batches(subject, 32, batch, "less noise in each step")


def _batches(subject: Subject, size: int, batch: int, why: str) -> Fix:
    rows = len(subject.run.prepared.train.x)
    if any(isinstance(part.layer, BatchNorm) for part in _parts(subject)):
        size = next((more for more in range(size, size + 8) if rows % more != 1), size)
    return Fix(f"Batches of {size} rows instead of {batch}, for the same epochs: {why}.", {"batch_size": size})


def epochs_few(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Train for four times the epochs, and as many as a small network needs; then sixteen times."""
    epochs, steps = subject.run.epochs, subject.run.steps_per_epoch
    needed = min(math.ceil(LEAST_STEPS / steps), 50 * epochs)
    first = max(4 * epochs, needed)
    for more in (first, 16 * epochs) if first < 8 * epochs else (first,):
        yield Fix(f"{more} epochs instead of {epochs}.", {"epochs": more})


def overtrained(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Stop early."""
    if subject.run.stopping is None:
        yield from _stopping(subject)


def no_validation(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Hold out a part of the rows for validation, and stop early by it."""
    if subject.run.prepared.validation is None:
        yield from _stopping(subject)


def _stopping(subject: Subject) -> Iterator[Fix]:
    """Yield early stopping by the validation cost; then by the score, which may improve while the cost rises."""
    score = "val_mae" if subject.task == "regression" else "val_accuracy"
    for stopping, words in (
        (EarlyStopping(patience=PATIENCE), "cost"),
        (EarlyStopping(patience=3 * PATIENCE, monitor=score), "score"),
    ):
        changes: dict[str, Any] = {"early_stopping": stopping}
        text = f"Stop after {stopping.patience} epochs without a better validation {words}, and keep the best weights."
        if subject.run.prepared.validation is None:
            changes = {"validation": 0.2} | changes
            text = f"A fifth of the rows for validation. {text}"
        yield Fix(text, changes)


def patience(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Let early stopping wait long enough, and keep the best weights."""
    stopping = subject.run.stopping
    if stopping is None:
        return
    monitor = stopping.monitor
    if not monitor.startswith("val_") and subject.run.prepared.validation is not None:
        monitor = "val_loss"
    for epochs in (PATIENCE, 3 * PATIENCE):
        better = EarlyStopping(patience=epochs, monitor=monitor)
        if better != stopping:
            text = f"Early stopping after {epochs} epochs without a better {monitor} instead of {stopping.patience}"
            yield Fix(f"{text}; the best weights are kept.", {"early_stopping": better})


# --- what holds the network back ----------------------------------------------------------------------------------


def regularization(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Drop the penalty on the weights; then try a tenth and a hundredth of it."""
    settings, optimizer = subject.settings, _optimizer(subject)
    penalties = {"l1": float(settings.l1), "l2": float(settings.l2)}
    default = next(field.default for field in dataclasses.fields(optimizer) if field.name == "weight_decay")
    if optimizer.weight_decay is not None and optimizer.weight_decay != default:
        penalties["optimizer.weight_decay"] = float(optimizer.weight_decay)
    penalties = {name: value for name, value in penalties.items() if value > 0.0}
    if penalties:
        names = " and ".join(f"{name.rpartition('.')[2]} {value:g}" for name, value in penalties.items())
        yield Fix(f"No penalty on the weights instead of {names}.", dict.fromkeys(penalties, 0.0))
        for share, words in ((0.1, "A tenth"), (0.01, "A hundredth")):
            smaller = {name: float(f"{share * value:.6g}") for name, value in penalties.items()}
            yield Fix(f"{words} of the penalty on the weights ({names}).", smaller)


def dropout(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Drop nothing; then half of it."""
    rates = {part.at("rate"): part.layer.rate for part in _parts(subject) if isinstance(part.layer, Dropout)}
    rates = {path: rate for path, rate in rates.items() if rate > 0.0}
    if rates:
        most = max(rates.values())
        yield Fix(f"No dropout instead of rates up to {most:g}.", dict.fromkeys(rates, 0.0))
        yield Fix(f"Half of the dropout (up to {most:g}).", {path: 0.5 * rate for path, rate in rates.items()})


def augmentation(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Leave training samples as they are; then make half as strong ones."""
    if subject.settings.augment is None:
        return
    yield Fix("No augmentation.", {"augment": None})
    halves = _halved(augment.get(subject.settings.augment))
    if halves is not None:
        yield Fix("Augmentation of half the strength.", {"augment": halves})


def _halved(augmentation: Augmentation) -> Augmentation | None:
    """Return changes of half the strength; None for what has no strengths."""
    if isinstance(augmentation, Compose):
        parts = [_halved(part) for part in augmentation.parts]
        if all(part is None for part in parts):
            return None
        both = zip(parts, augmentation.parts, strict=True)
        return Compose(tuple(part if half is None else half for half, part in both))
    if isinstance(augmentation, FunctionAugmentation):
        return None
    strengths = {
        field.name: 0.5 * value
        for field in dataclasses.fields(augmentation)
        if "float" in str(field.type) and isinstance(value := getattr(augmentation, field.name), int | float)
    }
    return dataclasses.replace(augmentation, **strengths) if strengths else None


def class_weight(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Let classes count alike, however rare."""
    target = subject.run.prepared.target
    if target.task not in ("classification", "binary") or target.classes is None:
        return
    counts = _counts(subject)
    if subject.settings.class_weight == "balanced" or min(counts) * len(counts) > UNEVEN * sum(counts):
        return
    yield Fix("Rare classes count more, so that all count alike.", {"class_weight": "balanced"})


def _counts(subject: Subject) -> list[int]:
    y = np.asarray(subject.run.prepared.train.y)
    labels = y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1).astype(int)
    return np.bincount(labels).tolist()


# --- scales -------------------------------------------------------------------------------------------------------


def inputs_unscaled(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Normalize inputs; where they are normalized and still lie far from 0 and 1, batch normalization in front."""
    if not subject.settings.normalize:
        yield Fix("Normalized inputs: mean 0, deviation 1 in the training rows.", {"normalize": True})
    net = _net(subject)
    if net is None or net.codes or isinstance(parts(net)[0].layer, BatchNorm):
        return
    x = np.asarray(subject.batch().x, np.float64)
    rms = float(np.sqrt(np.mean(x**2)))
    if rms > 0.0 and (not subject.settings.normalize or not 0.3 < rms < 3.0):
        yield Fix("Batch normalization in front of the network.", {"net": _in_front(net, BatchNorm())})


def _in_front(net: Layer, layer: Layer) -> Layer:
    first = parts(net)[0].path
    return rebuilt(net, lambda part: (layer, part.layer) if part.path == first else (part.layer,))


def targets_unscaled(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Let numbers to predict be learnt on a scale of mean 0 and deviation 1."""
    if subject.task != "regression" or subject.settings.normalize_target or isinstance(subject.net, Model):
        return
    text = "Targets that are learnt with mean 0 and deviation 1; predictions stay in their own unit."
    if subject.run.model.last_activation.name == "linear":
        yield Fix(text, {"normalize_target": True})
    elif (net := _with_output(subject)) is not None:
        yield Fix(f"{text} The outputs are linear.", {"net": net, "normalize_target": True, "loss": "auto"})


# --- loss and outputs ---------------------------------------------------------------------------------------------


def loss(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Take the loss that belongs to the outputs; then outputs that belong to the task."""
    chosen = subject.settings.loss
    function = None if isinstance(chosen, str) and chosen == "auto" else losses.get(chosen)
    if function is None:
        return
    fits = losses.auto(subject.run.model.last_activation, subject.task)
    if function != fits:
        yield Fix(f"The loss that belongs to the outputs ({fits.name}) instead of {function.name}.", {"loss": "auto"})
    yield from output(subject, findings)


def output(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Make outputs that belong to the task, and take the loss that belongs to them."""
    function = OUTPUTS[subject.task]
    if (net := _with_output(subject)) is not None:
        words = f"{function or 'linear'} outputs, as the task is {subject.task}, and the loss that belongs to them."
        yield Fix(words[0].upper() + words[1:], {"net": net, "loss": "auto"})


def _with_output(subject: Subject) -> Layer | None:
    """Return the network with the outputs of the task; None where they are so, or the layer is no `Dense` one."""
    net, function = _net(subject), OUTPUTS[subject.task]
    if net is None or subject.run.model.last_activation == activations.get(function):
        return None
    ends = [part for part in parts(net) if part.output]
    changes: dict[str, Layer] = {}
    for at, part in enumerate(ends):
        last = at == len(ends) - 1
        if isinstance(part.layer, Activation):
            changes[part.path] = Activation((function if last else None) or "linear")
        elif isinstance(part.layer, Dense | Conv2D):
            changes[part.path] = replace(part.layer, "activation", function if last else None)
        else:
            return None
    return with_parts(net, changes)


# --- the network --------------------------------------------------------------------------------------------------


def activation(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Put ReLU into all hidden layers, with the first weights that fit; then what never stops the gradient."""
    net = _net(subject)
    hidden = [part for part in _parts(subject) if not part.output and not part.custom and _may_be_activated(part, net)]
    if net is None or not hidden:
        return
    for name in ("relu", "leaky_relu", "tanh"):
        changes = {part.path: _activated(part.layer, name) for part in hidden}
        changes = {part.path: changes[part.path] for part in hidden if changes[part.path] != part.layer}
        if changes and not (name == "tanh" and len(hidden) > 3):
            before = ", ".join(dict.fromkeys(part.function.name if part.function else "linear" for part in hidden))
            yield Fix(f"{name} in the hidden layers instead of {before}.", {"net": with_parts(net, changes)})


def _may_be_activated(part: Part, net: Layer | None) -> bool:
    """Return whether a part's activation may be replaced: it has one, or nothing makes up for it."""
    if part.function is not None:
        return part.function.pieces == 1
    if net is None or not isinstance(part.layer, Dense | Conv2D):
        return False
    listed = parts(net)
    after = itertools.islice(listed, [other.path for other in listed].index(part.path) + 1, None)
    following = next((other for other in after if not other.layer.transparent), None)
    in_sequence = part.path.startswith("layers.") and part.path.count(".") == 1
    return in_sequence and following is not None and isinstance(following.layer, Dense | Conv2D)


def _activated(layer: Any, name: str) -> Layer:
    """Return a layer with another activation, and with first weights that fit it; those that are all alike stay, since
    they are another fault.
    """
    if activations.get(layer.activation).name == name:
        return layer
    new = replace(layer, "activation", name)
    if isinstance(layer, Activation) or initializers.get(layer.init, layer.activation).name in ALIKE:
        return new
    return replace(new, "init", "auto")


def init(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Start from the first weights that fit the activations, and biases of 0."""
    net = _net(subject)
    if net is None:
        return
    changes: dict[str, Layer] = {}
    for part in parts(net):
        new: Any = part.layer
        for field in dataclasses.fields(part.layer):
            if field.name in ("init", "bias_init") and field.default is not dataclasses.MISSING:
                new = replace(new, field.name, field.default)
        if new != part.layer:
            changes[part.path] = new
    if changes:
        before = ", ".join(dict.fromkeys(str(_init_of(layer)) for layer in map(dict(_by_path(net)).get, changes)))
        text = f'First weights that fit the activations (init="auto"), biases of 0, instead of {before}.'
        yield Fix(text, {"net": with_parts(net, changes)})


def _by_path(net: Layer) -> Iterator[tuple[str, Layer]]:
    return ((part.path, part.layer) for part in parts(net))


def _init_of(layer: Any) -> Any:
    default = {field.name: field.default for field in dataclasses.fields(layer)}
    names = ("init", "bias_init")
    return next(getattr(layer, name) for name in names if getattr(layer, name, None) != default.get(name))


def bias(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Put biases into all layers, but in front of a normalization, which takes them away."""
    net, listed = _net(subject), _parts(subject)
    missing: dict[str, Layer] = {
        part.path: replace(part.layer, "bias", True)
        for part, following in itertools.zip_longest(listed, listed[1:])
        if getattr(part.layer, "bias", None) is False
        and isinstance(part.layer, Dense | Conv2D | Maxout)
        and not (following is not None and isinstance(following.layer, BatchNorm) and part.function is None)
    }
    if net is not None and missing:
        yield Fix("Biases in all layers.", {"net": with_parts(net, missing)})


def batch_norm(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Restore the usual settings of batch normalization; where there is none, insert it in each hidden layer."""
    net = _net(subject)
    changes = {
        part.at(name): default
        for part in _parts(subject)
        if isinstance(part.layer, BatchNorm)
        for name, default in (("momentum", 0.9), ("eps", 1e-5))
        if getattr(part.layer, name) != default
    }
    if changes:
        yield Fix("Batch normalization with momentum 0.9 and ε 1e-5.", changes)
    if net is None or min(subject.run.batch_size, len(subject.run.prepared.train.x)) < 4:
        return
    if not any(isinstance(part.layer, BatchNorm) for part in _parts(subject)):
        yield Fix("Batch normalization before each hidden activation.", {"net": with_batch_norm(net)})


def too_small(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Make four times the units in each hidden layer, and no fewer than 32; then 16 times. Without any, insert one."""
    net = _net(subject)
    if net is None:
        return
    hidden = [part for part in parts(net) if part.weighted and not part.output]
    if not hidden:
        flat = () if len(subject.run.model.input_shape) == 1 else (Flatten(),)
        if not any(isinstance(part.layer, Flatten) for part in parts(net)):
            yield Fix("A hidden layer of 64 units.", {"net": before_output(net, *flat, Dense(64, "relu"))})
        yield Fix("A hidden layer of 64 units.", {"net": before_output(net, Dense(64, "relu"))})
        return
    for factor, least in ((4, 32), (16, 64)):
        wider = _widened(net, factor, least)
        yield Fix(f"{factor} times the units in the hidden layers{_widths(hidden, wider)}.", {"net": wider})


def _widened(net: Layer, factor: int, least: int) -> Layer:
    return with_widths(net, lambda width: max(factor * width, least if width < 8 else 0))


def too_large(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Make a quarter of the units in each hidden layer; then a sixteenth."""
    net = _net(subject)
    hidden = [part for part in _parts(subject) if part.weighted and not part.output and part.width > 8]
    if net is None or not hidden:
        return
    for factor, words in ((4, "A quarter"), (16, "A sixteenth")):
        smaller = with_widths(net, lambda width, factor=factor: max(width // factor, min(width, 8)))  # type: ignore[misc]
        yield Fix(f"{words} of the units in the hidden layers{_widths(hidden, smaller)}.", {"net": smaller})


def _widths(hidden: Sequence[Part], net: Layer) -> str:
    """Return how the widths of the hidden layers change, for few of them."""
    new = [part.width for part in parts(net) if part.weighted and not part.output]
    if len(hidden) > 4 or len(new) != len(hidden):
        return ""
    return f" ({', '.join(map(str, new))} instead of {', '.join(str(part.width) for part in hidden)})"


def too_deep(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Keep half of the hidden layers; then two, then one. Few first where the activations let the gradient fade."""
    net = _net(subject)
    if net is None or (count := len(hidden_stages(net))) < 3:
        return
    saturating = any(part.function is not None and part.function.saturates == "both sides" for part in parts(net)[:-1])
    few = (2, 1, count // 2) if saturating else (count // 2, 2, 1)
    for layers in dict.fromkeys(few):
        text = f"{layers} hidden layer{'s' if layers > 1 else ''} instead of {count}."
        yield Fix(text, {"net": with_stages(net, layers)})


# --- code of the user's own ---------------------------------------------------------------------------------------


def code(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Take layers and activations of the user's own out, one by one, then all."""
    net = _net(subject)
    if net is None:
        return
    custom = [part for part in parts(net) if part.custom]
    for gone in [*([part] for part in custom), *([custom] if len(custom) > 1 else [])]:
        paths = {part.path for part in gone}
        names = ", ".join(dict.fromkeys(type(part.layer).__name__ for part in gone))
        text = f"The network without {names}."
        yield Fix(text, {"net": rebuilt(net, lambda part, paths=paths: () if part.path in paths else (part.layer,))})  # type: ignore[misc]
    functions = {
        part.path: _activated(part.layer, "relu")
        for part in parts(net)
        if not part.output and part.function is not None and not is_ours(type(_named(part.function)))
    }
    if functions:
        yield Fix("relu instead of an activation of your own.", {"net": with_parts(net, functions)})


def _named(function: Any) -> Any:
    """Return what a user wrote: the function inside an activation that was made of one."""
    return getattr(function, "function", function)


def code_loss(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Take a loss of this package instead of the user's own."""
    chosen = subject.settings.loss
    if isinstance(chosen, str):
        return
    function = losses.get(chosen)
    if not is_ours(type(_named(function))):
        fits = losses.auto(subject.run.model.last_activation, subject.task)
        yield Fix(f"The loss that belongs to the outputs ({fits.name}) instead of your own.", {"loss": "auto"})
        yield from output(subject, findings)


def code_any(subject: Subject, findings: Findings) -> Iterator[Fix]:
    """Take out the loss, then the layers of the user's own; layers first where the findings name one."""
    named = any(finding.where and finding.where != "loss" for finding in findings if finding.level == "alarm")
    for remedy in (code, code_loss) if named else (code_loss, code):
        yield from remedy(subject, findings)


# --- the list -----------------------------------------------------------------------------------------------------


def _net(subject: Subject) -> Layer | None:
    """Return the network whose layers can be changed; None for a model to go on from, which keeps them."""
    return subject.net if isinstance(subject.net, Layer) else None


def _parts(subject: Subject) -> list[Part]:
    net = _net(subject)
    return [] if net is None else parts(net)


Remedy = Callable[[Subject, Findings], Iterable[Fix]]

#: What is done about each cause: a function that yields what to try, in that order. The others have no fix.
REMEDIES: dict[str, Remedy] = {
    **DATA_REMEDIES,
    "imbalance": class_weight,
    "inputs_unscaled": inputs_unscaled,
    "targets_unscaled": targets_unscaled,
    "lr_high": lr_high,
    "lr_low": lr_low,
    "schedule": schedule,
    "optimizer": optimizer,
    "batch_large": batch_large,
    "batch_small": batch_small,
    "epochs_few": epochs_few,
    "overtrained": overtrained,
    "no_validation": no_validation,
    "patience": patience,
    "regularization": regularization,
    "dropout": dropout,
    "augmentation": augmentation,
    "loss": loss,
    "output": output,
    "activation": activation,
    "init": init,
    "bias": bias,
    "batch_norm": batch_norm,
    "too_small": too_small,
    "too_large": too_large,
    "too_deep": too_deep,
    "code_gradient": code_any,
    "code_cut": code_any,
    "code_axis": code_any,
    "code_loss": code_loss,
    "code_scale": code_any,
}
