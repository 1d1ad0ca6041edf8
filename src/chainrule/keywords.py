"""Arguments by the names that Keras, PyTorch and scikit-learn give them: what they are called here.

One table and one check for all calls: recipes (`chainrule.settings.PlainSettings`), functions and estimators
(`checks_keywords`), the settings of populations, and those in files.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable
from typing import Any, ParamSpec, TypeVar, cast

from chainrule.errors import KeywordError, did_you_mean

__all__ = ["check_keywords", "checks_keywords", "instead", "unknown_keywords"]

P = ParamSpec("P")
R = TypeVar("R")

_LEFT_OUT = "-"  # begins a phrase that says why nothing takes its place
_RATE = "optimizer=cr.Adam(lr=…)"
_SHAPE = f"{_LEFT_OUT}; the shape of the inputs is found from the data"
_HIDDEN = "the network itself, such as cr.mlp([4, 100, 3])"

#: What to write for a word: the first of these that the call has as an argument, else the last, which is a phrase.
ELSEWHERE: dict[str, tuple[str, ...]] = {
    # how it is trained
    "lr": (_RATE,),
    "learning_rate": ("lr", "optimizer.lr", _RATE),
    "learning_rate_init": ("lr", _RATE),
    "initial_learning_rate": ("lr", _RATE),
    "eta0": ("lr", _RATE),
    "base_lr": ("lr", _RATE),
    "momentum": ("optimizer=cr.SGD(lr=…, momentum=…)",),
    "weight_decay": ("optimizer=cr.AdamW(weight_decay=…)",),
    "decay": ("weight_decay", "lr=cr.schedules.Exponential(…)"),
    "solver": ("optimizer", "optimizer=…"),
    "clipnorm": ("clip_norm", "clip_norm=… in the optimizer"),
    "global_clipnorm": ("clip_norm", "clip_norm=… in the optimizer"),
    "max_grad_norm": ("clip_norm", "clip_norm=… in the optimizer"),
    "gradient_clip_val": ("clip_norm", "clip_norm=… in the optimizer"),
    "beta_1": ("beta1", "beta1=… in the optimizer"),
    "beta_2": ("beta2", "beta2=… in the optimizer"),
    "betas": ("beta1=… and beta2=…",),
    "epsilon": ("eps", "eps=…"),
    "rho": ("decay", "decay=…"),
    "max_iter": ("epochs", "epochs=… in fit"),
    "max_epochs": ("epochs", "epochs=… in fit"),
    "n_epochs": ("epochs", "epochs=… in fit"),
    "num_epochs": ("epochs", "epochs=… in fit"),
    "nb_epoch": ("epochs", "epochs=… in fit"),
    "bs": ("batch_size", "batch_size=… in fit"),
    "minibatch_size": ("batch_size", "batch_size=… in fit"),
    "validation_split": ("validation", "validation=… in fit"),
    "validation_data": ("validation", "validation=… in fit"),
    "validation_fraction": ("validation", "validation=… in fit"),
    "eval_set": ("validation", "validation=… in fit"),
    "verbose": ("progress", f"{_LEFT_OUT}; only training shows its progress, progress=False turns it off"),
    "verbosity": ("progress", f"{_LEFT_OUT}; only training shows its progress, progress=False turns it off"),
    "random_state": ("seed", "seed=… in fit"),
    "random_seed": ("seed", "seed=… in fit"),
    "criterion": ("loss", "loss=… in fit"),
    "loss_fn": ("loss", "loss=… in fit"),
    "loss_function": ("loss", "loss=… in fit"),
    "device": ("devices", "devices=… in fit"),
    "dtype": ("precision", "precision=…"),
    "patience": ("early_stopping=cr.EarlyStopping(patience=…)",),
    "n_iter_no_change": ("patience", "early_stopping=cr.EarlyStopping(patience=…)"),
    "tol": ("min_delta", "early_stopping=cr.EarlyStopping(min_delta=…)"),
    "restore_best_weights": ("restore_best", "early_stopping=cr.EarlyStopping(restore_best=…)"),
    "mode": (f"{_LEFT_OUT}; whether less or more is better follows from the metric",),
    "metrics": (f"{_LEFT_OUT}; accuracy, or for numbers the mean absolute error, is always measured",),
    "shuffle": (f"{_LEFT_OUT}; the samples come in another order in every epoch",),
    "warm_start": (f"{_LEFT_OUT}; partial_fit goes on from where it is",),
    "x": ("the data as one pair, fit(net, (x, y))",),
    "y": ("the data as one pair, fit(net, (x, y))",),
    "X": ("the data as one pair, fit(net, (X, y))",),
    "model": ("net", "net=…"),
    "from_logits": (f"{_LEFT_OUT}; the loss is joined with the last activation by itself",),
    # what it is
    "alpha": ("slope", "l2", "l2=… in fit"),
    "negative_slope": ("slope", "slope=…"),
    "penalty": ("l1=… or l2=… in fit",),
    "kernel_regularizer": ("l1=… or l2=… in fit",),
    "hidden_layer_sizes": ("hidden", _HIDDEN),
    "hidden_layers": ("hidden", _HIDDEN),
    "hidden_units": ("hidden", _HIDDEN),
    "input_shape": (_SHAPE,),
    "input_dim": ("categories", _SHAPE),
    "in_features": ("inputs", _SHAPE),
    "in_channels": (_SHAPE,),
    "num_embeddings": ("categories", "categories=…"),
    "embedding_dim": ("units", "units=…"),
    "output_dim": ("units", "units=…"),
    "out_features": ("units", "units=…"),
    "num_units": ("units", "units=…"),
    "out_channels": ("filters", "filters=…"),
    "kernel_size": ("size", "size=…"),
    "pool_size": ("size", "size=…"),
    "strides": ("stride", "stride=…"),
    "dilation_rate": ("dilation", "dilation=…"),
    "use_bias": ("bias", "bias=…"),
    "kernel_initializer": ("init", "init=…"),
    "weight_initializer": ("init", "init=…"),
    "weight_init": ("init", "init=…"),
    "embeddings_initializer": ("init", "init=…"),
    "bias_initializer": ("bias_init", "bias_init=…"),
    "nonlinearity": ("activation", "activation=…"),
    "p": ("rate", "rate=…"),
    "drop_prob": ("rate", "dropout", "cr.Dropout(rate)"),
    "dropout_rate": ("rate", "dropout", "cr.Dropout(rate)"),
    "drop_rate": ("rate", "dropout", "cr.Dropout(rate)"),
    "target_shape": ("shape", "shape=…"),
    "stddev": ("std", "std=…"),
    "name": (f"{_LEFT_OUT}; layers are called by their kind, dense_1, dense_2 and so on",),
}


def unknown_keywords(owner: str, names: Iterable[str], known: Collection[str]) -> KeywordError:
    """Return an error that says what to write in place of words that ``owner`` does not take.

    >>> from chainrule.keywords import unknown_keywords
    >>> print(unknown_keywords("Dropout", ["p"], ["rate"]))
    Dropout has no setting 'p': write rate=….
    """
    return KeywordError(" ".join(f"{owner} has no setting {name!r}{instead(name, known)}" for name in names))


def instead(word: str, known: Collection[str]) -> str:
    """Return what to write for a word that is not known, to end an error message with."""
    if word not in ELSEWHERE:
        return did_you_mean(word, known)
    *names, phrase = ELSEWHERE[word]
    name = next((name for name in [*names, phrase] if name in known), None)
    if name is None and phrase.startswith(_LEFT_OUT):
        return f": leave it out{phrase.removeprefix(_LEFT_OUT)}."
    return f": write {phrase if name is None else f'{name}=…'}."


@functools.cache
def accepted(function: Any) -> frozenset[str] | None:
    """Return the arguments of a function or class that may be given by name; None if any may."""
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return frozenset(p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))


def check_keywords(owner: str, function: Any, names: Collection[str]) -> None:
    """Raise `KeywordError` for words that a function or class does not take."""
    known = accepted(function)
    if known is not None and (unknown := [name for name in names if name not in known]):
        raise unknown_keywords(owner, unknown, known)


def checks_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function, or the ``__init__`` of a class, that says what to write in place of words that it does not
    take.

    >>> from chainrule.keywords import checks_keywords
    >>> @checks_keywords
    ... def train(epochs=10):
    ...     return epochs
    >>> train(max_iter=3)
    Traceback (most recent call last):
        ...
    chainrule.errors.KeywordError: train has no setting 'max_iter': write epochs=….
    """
    is_init = function.__name__ == "__init__"
    in_order = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        owner = type(args[0]).__name__ if is_init and args else function.__name__
        check_keywords(owner, function, kwargs)
        if len(args) > len(in_order):
            pair = " Inputs and targets are one pair, (x, y)." if "data" in in_order else ""
            raise KeywordError(f"{owner} takes {', '.join(in_order)} without names; got {len(args)} values.{pair}")
        return function(*args, **kwargs)

    return cast("Callable[P, R]", call)
