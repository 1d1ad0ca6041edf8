"""Changes as options of ``chainrule train``, where there are such."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from chainrule import activations, augment
from chainrule.augment import Augmentation, Compose
from chainrule.fields import settings_of
from chainrule.layers import Conv2D, Dense, Dropout, Flatten, Layer, Sequential
from chainrule.losses import Loss
from chainrule.optimizers import Optimizer
from chainrule.recipe.callbacks import EarlyStopping
from chainrule.run_settings import TrainingSettings
from chainrule.schedules import Constant, Schedule
from chainrule.symptoms.net_changes import parts

__all__ = ["NoOption", "options_of"]

#: Settings of optimizers that the command line has, by its options.
OF_OPTIMIZERS = {"momentum": "--momentum", "weight_decay": "--weight-decay"}


class NoOption(Exception):
    """A change that the command line cannot make."""


def options_of(changes: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """Return the options that make these changes; raises `NoOption` where there are none.

    Parameters
    ----------
    changes : in the words of a member of a population
    before : the network and the optimizer as they were, where that is known

    >>> import chainrule as cr
    >>> from chainrule.symptoms.command_line import options_of
    >>> options_of({"optimizer.lr": 0.01, "batch_size": 32}, {})
    ['--lr', '0.01', '--batch-size', '32']
    """
    options: list[str] = []
    rates = {path: value for path, value in changes.items() if path.startswith("net.") and path.endswith(".rate")}
    if rates:
        options += _dropout(rates, before.get("net"))
    for path, value in changes.items():
        if path not in rates:
            options += _options(path, value, before)
    return options


def _options(path: str, value: Any, before: Mapping[str, Any]) -> list[str]:
    if path == "optimizer.lr":
        return _rate(value, before.get("optimizer"))
    root, _, setting = path.partition(".")
    if root == "optimizer" and setting in OF_OPTIMIZERS:
        return [OF_OPTIMIZERS[setting], _number(value)]
    if path == "optimizer":
        return _optimizer(value)
    if path == "net":
        return _net(value, before.get("net"))
    if path == "loss":
        return _loss(value)
    if path == "early_stopping":
        return _stopping(value)
    if path == "augment":
        return ["--augment", _augment(value)]
    known = settings_of(TrainingSettings)
    if path not in known or not known[path].options:
        raise NoOption(path)
    option = f"--{path.replace('_', '-')}"
    if isinstance(value, bool):
        return [option if value else f"--no-{path.replace('_', '-')}"]
    if isinstance(value, int | float | str):
        return [option, _number(value) if not isinstance(value, str) else value]
    raise NoOption(path)


def _number(value: Any) -> str:
    if value is None or isinstance(value, bool) or not isinstance(value, int | float):
        raise NoOption(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _rate(lr: Any, optimizer: Any) -> list[str]:
    """Return the options of a learning rate; of a schedule, where the command line has none of its settings."""
    if not isinstance(lr, Schedule):
        constant = ["--schedule", "constant"] if isinstance(getattr(optimizer, "lr", None), Schedule) else []
        return ["--lr", _number(lr), *constant]
    kind: Any = type(lr)
    rate = getattr(lr, dataclasses.fields(kind)[0].name)
    if not isinstance(rate, int | float) or isinstance(lr, Constant) or lr != kind(rate):
        raise NoOption(lr)
    return ["--lr", _number(rate), "--schedule", lr.name]


def _optimizer(optimizer: Any) -> list[str]:
    if not isinstance(optimizer, Optimizer) or type(optimizer).registry.get(optimizer.name) is not type(optimizer):
        raise NoOption(optimizer)
    with_options = {name: getattr(optimizer, name) for name in OF_OPTIMIZERS if hasattr(optimizer, name)}
    if optimizer != type(optimizer)(lr=optimizer.lr, **with_options):
        raise NoOption(optimizer)  # ε, β and the like
    options = ["--optimizer", optimizer.name, *_rate(optimizer.lr, None)]
    for name, value in with_options.items():
        if value is not None:
            options += [OF_OPTIMIZERS[name], _number(value)]
    return options


def _loss(loss: Any) -> list[str]:
    if isinstance(loss, str):
        return ["--loss", loss]
    if isinstance(loss, Loss) and loss.registry.get(loss.name) is type(loss) and loss == type(loss)():
        return ["--loss", loss.name]
    raise NoOption(loss)


def _stopping(stopping: Any) -> list[str]:
    if stopping is None or stopping is False:
        return ["--early-stopping", "0"]
    patience = EarlyStopping().patience if stopping is True else stopping.patience
    if stopping is not True and stopping != EarlyStopping(patience=patience):
        raise NoOption(stopping)
    return ["--early-stopping", str(patience)]


def _augment(augmentation: Any) -> str:
    if augmentation is None:
        raise NoOption(augmentation)  # it is left out, which no option can say
    augmentation = augment.get(augmentation)
    several = augmentation.parts if isinstance(augmentation, Compose) else (augmentation,)
    words = [_strength(each) for each in several]
    if augment.get(",".join(words)) != augmentation:
        raise NoOption(augmentation)
    return ",".join(words)


def _strength(augmentation: Augmentation) -> str:
    if augmentation.registry.get(augmentation.name) is not type(augmentation):
        raise NoOption(augmentation)
    strengths = [field.name for field in dataclasses.fields(augmentation) if "float" in str(field.type)]
    return f"{augmentation.name}:{getattr(augmentation, strengths[0]):g}" if strengths else augmentation.name


# --- the network ----------------------------------------------------------------------------------------------------


def _dropout(rates: Mapping[str, Any], net: Any) -> list[str]:
    """Return the option of dropout, which all hidden layers have alike."""
    if len({*rates.values()}) > 1 or not isinstance(net, Layer) or _of_preset(net) is None:
        raise NoOption(rates)
    return ["--dropout", _number(next(iter(rates.values())))]


def _net(net: Any, before: Any) -> list[str]:
    """Return the options by which the network of a preset becomes another one."""
    new, old = (_of_preset(each) if isinstance(each, Layer) else None for each in (net, before))
    if new is None or old is None or new == old:
        raise NoOption(net)
    options: list[str] = []
    for name, value in new.items():
        if value == old[name]:
            continue
        if value is None:
            raise NoOption(net)
        options += [f"--{name}", value]
    return options


def _of_preset(net: Layer) -> dict[str, str | None] | None:
    """Return the options that a preset would make this network of; None for one that no preset makes."""
    if not isinstance(net, Sequential | Dense):
        return None
    listed = [part.layer for part in parts(net)]
    dense: list[Any] = [layer for layer in listed if isinstance(layer, Dense)]
    others = [layer for layer in listed if not isinstance(layer, Dense | Dropout | Flatten | Conv2D)]
    if not dense or others or any(isinstance(layer, Conv2D) for layer in listed) or not isinstance(listed[-1], Dense):
        return None
    hidden, output = dense[:-1], dense[-1]
    plain = all(layer.bias and layer.bias_init == "zeros" for layer in dense)
    rates = [layer.rate for layer in listed if isinstance(layer, Dropout)]
    if not plain or (rates and (len(rates) != len(hidden) or len({*rates}) > 1)):
        return None
    functions = {_function(layer.activation) for layer in hidden}
    inits = {layer.init if isinstance(layer.init, str) else None for layer in dense}
    return {
        "hidden": ",".join(str(layer.units) for layer in hidden) or "none",
        "activation": functions.pop() if len(functions) == 1 else None,
        "output": _function(output.activation),
        "init": inits.pop() if len(inits) == 1 else None,
        "dropout": f"{rates[0]:g}" if rates else "0",
    }


def _function(activation: Any) -> str | None:
    function = activations.get(activation)
    return (
        function.name
        if function.registry.get(function.name) is type(function) and function == type(function)()
        else None
    )
