"""How far a run's settings are from what is usual: what is far is looked at first. It decides nothing by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from chainrule import activations, losses, optimizers
from chainrule.layers import BatchNorm, Dropout, Layer
from chainrule.schedules import Schedule
from chainrule.schedules.base import rate_at
from chainrule.symptoms.learning_rates import nominal_rate, peak_rate, usual_rate
from chainrule.symptoms.net_changes import Part, hidden_stages, parts
from chainrule.symptoms.subject import Subject

__all__ = ["suspicion"]

#: How many times likelier a cause is before anything was looked at, where its setting is far from what is usual, where
#: it is not quite so, and where it is as usual.
FAR, NEAR, USUAL = 6.0, 1.5, 0.5

#: The output activation of each task.
OUTPUTS = {"classification": "softmax", "binary": "sigmoid", "multilabel": "sigmoid", "regression": "linear"}


#: Between what settings of optimizers usually are.
BOUNDS = {
    "eps": (0.0, 1e-4),
    "momentum": (0.0, 0.98),
    "beta1": (0.0, 0.98),
    "beta2": (0.9, 1.0),
    "decay": (0.3, 1.0),
    "clip_norm": (0.1, 1e9),
}


def suspicion(cause: str, subject: Subject) -> float:
    """Return how many times likelier a cause is by the settings alone; 1 where they do not tell.

    >>> import chainrule as cr
    >>> from chainrule.run_settings import TrainingSettings
    >>> from chainrule.symptoms.subject import subject_of
    >>> from chainrule.symptoms.unusual import suspicion
    >>> subject = subject_of(cr.mlp([4, 8, 3]), cr.data.load("iris"), TrainingSettings(optimizer=cr.Adam(lr=5.0)))
    >>> suspicion("lr_high", subject), suspicion("lr_low", subject)
    (6.0, 0.5)
    """
    try:
        return RULES[cause](subject) if cause in RULES else 1.0
    except Exception:  # parts of the user's own
        return 1.0


def _grade(far: bool, near: bool = False) -> float:
    return FAR if far else NEAR if near else USUAL


def _rate_ratio(subject: Subject) -> float:
    """Return the learning rate beside the one that is usual."""
    optimizer = optimizers.get(subject.settings.optimizer)
    usual = usual_rate(optimizer, subject.run.epochs * subject.run.steps_per_epoch)
    return 1.0 if usual is None else peak_rate(optimizer, subject.run.epochs) / usual


def _schedule(subject: Subject) -> float:
    optimizer, epochs = optimizers.get(subject.settings.optimizer), subject.run.epochs
    if not isinstance(optimizer.lr, Schedule):
        return USUAL
    rates = [float(np.asarray(rate_at(optimizer.lr, float(t), float(epochs)))) for t in np.linspace(0, epochs, 101)]
    share = float(np.mean(rates)) / max(nominal_rate(optimizer, epochs), 1e-30)
    return _grade(share < 0.15, share < 0.3)


def _optimizer(subject: Subject) -> float:
    optimizer = optimizers.get(subject.settings.optimizer)
    bounds = {
        "eps": (0.0, 1e-4),
        "momentum": (0.0, 0.98),
        "beta1": (0.0, 0.98),
        "beta2": (0.9, 1.0),
        "decay": (0.3, 1.0),
    }
    odd = any(
        getattr(optimizer, name, None) is not None and not low <= float(getattr(optimizer, name)) <= high
        for name, (low, high) in bounds.items()
    )
    return _grade(
        odd or (optimizer.clip_norm is not None and optimizer.clip_norm < 0.1), optimizer.clip_norm is not None
    )


def _penalty(subject: Subject) -> float:
    rows, optimizer = len(subject.run.prepared.train.x), optimizers.get(subject.settings.optimizer)
    strength = max(float(subject.settings.l1) / rows, float(subject.settings.l2) / rows)
    decay = float(optimizer.weight_decay or 0.0)
    return _grade(strength > 0.02 or decay > 0.5, strength > 0.003 or decay > 0.05)


def _dropout(subject: Subject) -> float:
    most = max((float(part.layer.rate) for part in _parts(subject) if isinstance(part.layer, Dropout)), default=0.0)
    return _grade(most > 0.6, most > 0.4)


def _activation(subject: Subject) -> float:
    hidden = [part.function for part in _parts(subject) if not part.output]
    names = [function.name for function in hidden if function is not None]
    far = not names or any(name in ("softmax", "step", "sign") for name in names) or names.count("sigmoid") > 3
    return _grade(far and bool(hidden), any(activations.get(name).saturates == "both sides" for name in names))


def _batch_norm(subject: Subject) -> float:
    layers: list[BatchNorm] = [part.layer for part in _parts(subject) if isinstance(part.layer, BatchNorm)]
    return _grade(any(layer.momentum > 0.99 or layer.eps > 1e-2 for layer in layers))


def _patience(subject: Subject) -> float:
    stopping = subject.run.stopping
    return (
        USUAL if stopping is None else _grade(stopping.patience < 2 or stopping.min_delta > 0.05, stopping.patience < 4)
    )


def _inputs(subject: Subject) -> float:
    rms = float(np.sqrt(np.mean(np.asarray(subject.batch().x, np.float64) ** 2)))
    if rms == 0.0:  # no scale makes anything of them
        return USUAL
    return _grade(not 0.05 < rms < 20.0, not 0.2 < rms < 5.0)


def _targets(subject: Subject) -> float:
    y = np.asarray(subject.run.prepared.train.y, np.float64)
    return _grade(not 0.05 < float(y.std()) < 20.0 or abs(float(y.mean())) > 5.0 * float(y.std()) + 1e-12)


def _too_small(subject: Subject) -> float:
    widths = [part.width for part in _parts(subject) if part.weighted and not part.output]
    return _grade(bool(widths) and min(widths) < 4, not widths or min(widths) < 8)


def _too_large(subject: Subject) -> float:
    return _grade(subject.run.model.count() > 300 * len(subject.run.prepared.train.x))


def _loss(subject: Subject) -> float:
    if subject.settings.loss == "auto":
        return USUAL
    return _grade(losses.get(subject.settings.loss) != losses.auto(subject.run.model.last_activation, subject.task))


def _parts(subject: Subject) -> list[Part]:
    return parts(subject.net) if isinstance(subject.net, Layer) else parts(subject.net.net)


RULES: Mapping[str, Callable[[Subject], float]] = {
    "lr_high": lambda subject: _grade(_rate_ratio(subject) > 15.0, _rate_ratio(subject) > 4.0),
    "lr_low": lambda subject: _grade(_rate_ratio(subject) < 1 / 15, _rate_ratio(subject) < 1 / 4),
    "schedule": _schedule,
    "optimizer": _optimizer,
    "batch_large": lambda subject: _grade(subject.run.steps_per_epoch < 3, subject.run.steps_per_epoch < 8),
    "batch_small": lambda subject: _grade(subject.run.batch_size < 3, subject.run.batch_size < 8),
    "epochs_few": lambda subject: _grade(
        subject.run.epochs * subject.run.steps_per_epoch < 100, subject.run.epochs * subject.run.steps_per_epoch < 400
    ),
    "patience": _patience,
    "regularization": _penalty,
    "dropout": _dropout,
    "loss": _loss,
    "output": lambda subject: _grade(subject.run.model.last_activation.name != OUTPUTS[subject.task]),
    "activation": _activation,
    "init": lambda subject: FAR,  # it applies where weights start otherwise than they do by default
    "bias": lambda subject: NEAR,
    "augmentation": lambda subject: 2.0 * NEAR,
    "batch_norm": _batch_norm,
    "inputs_unscaled": _inputs,
    "targets_unscaled": _targets,
    "too_small": _too_small,
    "too_large": _too_large,
    "too_deep": lambda subject: _grade(
        isinstance(subject.net, Layer) and len(hidden_stages(subject.net)) > 7,
        isinstance(subject.net, Layer) and len(hidden_stages(subject.net)) > 4,
    ),
}
