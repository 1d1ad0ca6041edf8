"""Which loss fits which output."""

from __future__ import annotations

from chainrule.activations import Activation, FunctionActivation, Linear, Sigmoid, Softmax
from chainrule.errors import SettingError
from chainrule.losses.base import Loss
from chainrule.losses.classification import BinaryCrossEntropy, CrossEntropy
from chainrule.losses.regression import Quadratic

__all__ = ["auto", "check_output", "check_pair"]


def auto(activation: Activation, target: str | None = None) -> Loss:
    """Return the loss that ``loss="auto"`` means: lecture 003's partner of the output activation.

    Parameters
    ----------
    activation
        That of the last layer.
    target
        What is predicted: ``"regression"``, or a kind of classes (``"classification"``, ``"binary"``, ...).

    Returns
    -------
    `CrossEntropy` for softmax, `BinaryCrossEntropy` for sigmoid (but not for regression), else `Quadratic`.

    Example
    -------
    >>> import chainrule as cr
    >>> cr.losses.auto(cr.activations.Softmax(), "classification")
    CrossEntropy()
    """
    if isinstance(activation, Softmax):
        return CrossEntropy()
    if isinstance(activation, Sigmoid) and target != "regression":
        return BinaryCrossEntropy()
    return Quadratic()


def check_pair(activation: Activation, target: str, units: int) -> None:
    """Raise `SettingError` if ``loss="auto"`` would learn classes as if they were numbers.

    A network that ends linearly has no partner for class labels, so that "auto" would be the quadratic cost. Whoever
    wants that writes it.

    Example
    -------
    >>> import chainrule as cr
    >>> cr.losses.check_pair(cr.activations.Linear(), "classification", 3)
    Traceback (most recent call last):
        ...
    chainrule.errors.SettingError: The targets are classes, and the outputs of the last layer are 'linear'. ...
    """
    if target == "regression" or not isinstance(auto(activation, target), Quadratic):
        return
    fits = f'Dense({units}, "softmax")' if target == "classification" else f'Dense({units}, "sigmoid")'
    raise SettingError(
        f"The targets are classes, and the outputs of the last layer are {activation.name!r}. End the network with "
        f'{fits}, whose loss follows from it; or choose a loss: loss="quadratic" learns the codes 0 and 1 as numbers.'
    )


def check_output(loss: Loss, activation: Activation) -> None:
    """Raise `SettingError` if the loss cannot judge the outputs of this activation, naming what would fit.

    Functions of the user's own are trusted.

    Example
    -------
    >>> import chainrule as cr
    >>> cr.losses.check_output(cr.losses.CrossEntropy(), cr.activations.Sigmoid())
    Traceback (most recent call last):
        ...
    chainrule.errors.SettingError: The loss 'cross_entropy' needs outputs that are probabilities with sum 1,
    ...
    """
    if isinstance(activation, FunctionActivation):
        return
    low, high = activation.range
    bounded = low >= 0.0 and high <= 1.0
    start, of = f"The loss {loss.name!r} needs outputs", f"those of {activation.name!r} are"
    if loss.outputs == "distribution" and not activation.distribution:
        raise SettingError(f"{start} that are probabilities with sum 1, but {of} not. {_instead(activation, bounded)}")
    if loss.outputs == "probabilities" and not bounded:
        raise SettingError(
            f"{start} between 0 and 1, but {of} between {low:.3g} and {high:.3g}. {_instead(activation, bounded)}"
        )
    if loss.outputs == "signs" and not (low <= -1.0 and high >= 1.0):
        raise SettingError(
            f"{start} from -1 to 1 or beyond, but {of} between {low:.3g} and {high:.3g}. "
            "End the network with a linear or a 'tanh' layer."
        )


def _instead(activation: Activation, bounded: bool) -> str:
    if bounded:
        return "Use loss='binary_cross_entropy' with it, or end the network with 'softmax'."
    fits = " or loss='quadratic' for numbers" if isinstance(activation, Linear) else ""
    return (
        "End the network with 'softmax' (one class out of several, loss='cross_entropy') or 'sigmoid' "
        f"(yes/no answers, loss='binary_cross_entropy'){fits}."
    )
