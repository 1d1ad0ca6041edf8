"""What a target means for a network: classes, a yes or no, several labels at once, or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from chainrule.data.check import check_target, float_dtype_of
from chainrule.data.standardize import Standardizer
from chainrule.display.text import first_few
from chainrule.errors import DataError

__all__ = ["Target", "decode", "encode_target"]

Array = NDArray[Any]

#: Output activations with which one unit answers yes or no.
_YES_OR_NO = ("sigmoid", "step")


@dataclass(frozen=True)
class Target:
    """What a target is, and how many units the output layer needs for it.

    Attributes
    ----------
    task
        ``"classification"``: one class of several for each sample. ``"binary"``: one of two classes, by one
        sigmoid unit. ``"multilabel"``: any number of labels at once, one sigmoid unit for each.
        ``"regression"``: numbers.
    classes
        What the codes 0 … k-1 stand for. None for multilabel and regression.
    outputs
        Units of the output layer.
    mean, std
        For regression on standardized targets: those of the training targets, one for each output. The network then
        learns (y − mean) / std, and its outputs are brought back to the target's own unit. Else empty.
    coded
        Whether a `Dataset` named the classes: then whole numbers stand for classes by their place. Else a whole number
        is a label like any other.
    names
        Of the columns of a target that came as a data frame of several; then other frames are put in their order.
    """

    task: Literal["classification", "binary", "multilabel", "regression"]
    classes: tuple[Any, ...] | None
    outputs: int
    mean: tuple[float, ...] = field(default=(), repr=False)
    std: tuple[float, ...] = field(default=(), repr=False)
    coded: bool = field(default=False, repr=False)
    names: tuple[str, ...] = field(default=(), repr=False)

    def standardized(self, y: Any, weight: Any = None) -> Self:
        """Return this target, to be learnt as (y − mean) / std with those of the training targets ``y``, (n, outputs).

        >>> import numpy as np
        >>> from chainrule.data import Target
        >>> price = Target("regression", None, 1).standardized(np.array([[100.0], [300.0]]))
        >>> price.scale(np.array([[300.0]])), price.undo(np.array([[0.0]]))
        (array([[1.]]), array([[200.]]))
        """
        scale = Standardizer.fit(np.asarray(y, np.float64), weight)
        return replace(self, mean=tuple(scale.mean.tolist()), std=tuple(scale.std.tolist()))

    def centered(self, y: Any) -> Self:
        """Return this target, to be learnt as y − mean with the mean of the training targets ``y``, (n, outputs)."""
        return replace(self.standardized(y), std=(1.0,) * self.outputs)

    def scale(self, y: Any) -> Any:
        """Return targets as the network learns them; arrays are scaled in float64, since y may be large beside y −
        mean.
        """
        return (y - self._in(self.mean, y)) / self._in(self.std, y) if self.mean else y

    def undo(self, a: Any) -> Any:
        """Return outputs of the network in the target's own unit, arrays in float64: the inverse of `scale`."""
        return a * self._in(self.std, a) + self._in(self.mean, a) if self.mean else a

    @staticmethod
    def _in(numbers: tuple[float, ...], like: Any) -> Array:
        # A traced value keeps its type; an array becomes float64 beside these.
        traced = not isinstance(like, np.ndarray | np.generic) and like.dtype == np.float32
        return np.asarray(numbers, np.float32 if traced else np.float64)


def encode_target(
    y: Any,
    units: int | None = None,
    output_activation: Any = None,
    known: Target | None = None,
) -> tuple[Array, Target]:
    """Return the target as the array that the losses take, and what it is.

    ============================  =====================  ========================  =======================
    target                        output layer           task                      array
    ============================  =====================  ========================  =======================
    whole numbers, text, bools    k units                classification            codes (n,), int32
    the same, two classes         one sigmoid unit       binary                    0 or 1, (n, 1), float32
    whole numbers, bools          one unit, other        regression                numbers (n, 1), float32
    rows with a single 1          k units                classification            rows (n, k), float
    rows that add up to 1         k softmax units        classification            rows (n, k), float
    other rows of zeros and ones  k sigmoid units        multilabel                rows (n, k), float
    floating numbers              any but softmax        regression                (n, 1) or (n, k), float
    ============================  =====================  ========================  =======================

    Labels that are whole numbers from 0 to units - 1 are the codes themselves, also when some class does not
    occur. Other labels are sorted, and each gets the number of its place; then there must be as many classes
    as units. Labels may be whole floating numbers where the output layer tells classes apart.

    Parameters
    ----------
    y
        One value for each sample, (n,) or (n, 1), or one row for each sample, (n, k).
    units
        Units of the output layer; None where the target decides.
    output_activation
        Name (or object with a ``name``) of the activation of the output layer; None where the target decides.
    known
        For all data but the training data: what the training target was. Labels are looked up among its classes; one
        of another type than theirs is the class that is written like it (1 and "1"). A whole number is a code only if
        ``known.coded``, and never where a class is written like it.

    Raises
    ------
    DataError
        The target cannot be learnt by these outputs, or has labels that are not among the known classes.

    Examples
    --------
    >>> from chainrule.data import Target, encode_target
    >>> encode_target(["dog", "cat", "dog"])
    (array([1, 0, 1], dtype=int32), Target(task='classification', classes=('cat', 'dog'), outputs=2))
    >>> codes, target = encode_target(["no", "yes"], units=1, output_activation="sigmoid")
    >>> codes.tolist(), target.task
    ([[0.0], [1.0]], 'binary')
    >>> encode_target([0.5, 2.5])[1]
    Target(task='regression', classes=None, outputs=1)
    >>> encode_target(["bird"], known=Target("classification", ("cat", "dog"), 2))
    Traceback (most recent call last):
        ...
    chainrule.errors.DataError: y has labels that are not among the classes of the training data: 'bird' \
(1 of 1 rows, first in row 0). Known classes: 'cat', 'dog'.
    """
    target = check_target(y)
    activation = None if output_activation is None else str(getattr(output_activation, "name", output_activation))
    if target.ndim > 2:
        raise DataError(f"y has shape {target.shape}; expected one value, (n,), or one row, (n, outputs), a sample.")
    if units == 1 and activation == "softmax":
        raise DataError("One softmax unit always answers 1; write Dense(1, 'sigmoid') or one unit for each class.")
    if known is not None and known.task == "regression":
        return _encode_known_numbers(target, known, activation)
    if target.ndim == 2 and target.shape[1] > 1:
        return _encode_rows(target, units, activation, known)
    values = target.ravel()
    classes = None if known is None else known.classes
    # Numbers stay numbers beside classes that are numbers: a probability is a fine target for a yes or no.
    numeric = classes is None or (values.dtype.kind == "f" and not any(isinstance(c, str) for c in classes))
    if numeric and not _are_labels(values, units, activation):
        return _encode_numbers(values, units, activation)
    return _encode_labels(_whole(values, activation, units), units, activation, known)


def decode(codes: Any, classes: Sequence[Any]) -> Array:
    """Return the labels that codes stand for: ``classes[code]``, in the shape of ``codes``.

    >>> from chainrule.data import decode
    >>> decode([1, 0, 1], ("cat", "dog"))
    array(['dog', 'cat', 'dog'], dtype='<U3')
    """
    at = np.asarray(codes)
    if at.size and (at.dtype.kind not in "biuf" or not np.all(at == np.floor(at))):
        raise DataError(f"Codes are whole numbers from 0 to {len(classes) - 1}, got {at.dtype}.")
    if at.size and (at.min() < 0 or at.max() >= len(classes)):
        raise DataError(f"Codes go from 0 to {len(classes) - 1}, one for each class; got {at.min()} to {at.max()}.")
    return np.asarray(classes)[at.astype(np.intp)]


def _are_labels(values: Array, units: int | None, activation: str | None) -> bool:
    """Return whether values, one for each sample, name classes (or else are numbers to be met)."""
    if values.dtype.kind == "U" or activation == "softmax":
        return True
    if units is not None and units > 1:
        return True  # one value for several outputs can only be a class
    if activation in _YES_OR_NO:
        # Floats are labels if they are two whole numbers; a sigmoid may also learn any number in [0, 1].
        return values.dtype.kind != "f" or (bool((values == np.floor(values)).all()) and len(np.unique(values)) <= 2)
    return units is None and activation is None and values.dtype.kind != "f"


def _whole(values: Array, activation: str | None, units: int | None) -> Array:
    """Return labels given as floating numbers, as whole numbers."""
    if values.dtype.kind != "f":
        return values
    if (broken := values != np.floor(values)).any():
        at = int(np.argmax(broken))
        outputs = f"{units or 'several'} {activation + ' ' if activation else ''}outputs"
        raise DataError(
            f"y has {values[at]} in row {at}: with {outputs} a single value for each sample is a class, and "
            "must be a whole number or text. For regression, give the network one linear output for each "
            "number."
        )
    return values.astype(np.int64)


def _encode_numbers(values: Array, units: int | None, activation: str | None) -> tuple[Array, Target]:
    numbers = _as_float(values)[:, None]
    _check_reachable(numbers, activation)
    return numbers, Target("regression", None, 1)


def _encode_known_numbers(target: Array, known: Target, activation: str | None) -> tuple[Array, Target]:
    """Return numbers to be predicted, whatever they look like: those of a few rows may look like labels."""
    if target.dtype.kind == "U":
        raise DataError(f"y holds text ({target.ravel()[0]!r}), and the model predicts numbers.")
    numbers = _as_float(target.reshape(len(target), -1))
    if numbers.shape[1] != known.outputs:
        raise DataError(f"y has {numbers.shape[1]} numbers for each sample, and the model predicts {known.outputs}.")
    _check_reachable(numbers, activation)
    return numbers, known


def _encode_labels(
    values: Array, units: int | None, activation: str | None, known: Target | None
) -> tuple[Array, Target]:
    binary = activation in _YES_OR_NO and (units == 1 or units is None)
    known_classes = None if known is None else known.classes
    classes = tuple(known_classes) if known_classes is not None else _classes(values, 2 if binary else units)
    if len(classes) < 2:
        raise DataError(f"y has only one class ({_listed(classes)}); at least two are needed to tell them apart.")
    if units == 1 and not binary:
        raise DataError(
            f"y holds classes ({_listed(classes)}), which one {activation or 'linear'} output cannot tell "
            "apart; write "
            f"Dense({len(classes)}, 'softmax')" + (" or Dense(1, 'sigmoid')." if len(classes) == 2 else ".")
        )
    if units == 1 and len(classes) > 2:
        raise DataError(
            f"y has {len(classes)} classes ({_listed(classes)}), and one {activation} output tells two "
            f"apart: {len(classes)} units are needed, Dense({len(classes)}, 'softmax')."
        )
    if units is not None and units > 1 and len(classes) != units:
        raise DataError(_does_not_fit(values, classes, units, activation))
    coded = known is not None and known.coded
    codes = _look_up(values, classes, coded)
    if binary and len(classes) == 2:
        return codes.astype(np.float32)[:, None], Target("binary", classes, 1, coded=coded)
    return codes, Target("classification", classes, len(classes), coded=coded)


def _classes(values: Array, units: int | None) -> tuple[Any, ...]:
    """Return the classes, in the order of their codes."""
    labels = np.unique(values)
    if values.dtype.kind == "b":
        return (False, True)
    if units is not None and values.dtype.kind in "iu" and labels[0] >= 0 and labels[-1] < units:
        return tuple(range(units))
    return tuple(labels.tolist())


def _look_up(values: Array, classes: tuple[Any, ...], coded: bool) -> Array:
    """Return the code of each label: of the class that it is, else of the class that is written like it, else
    itself.
    """
    labels, inverse = np.unique(values, return_inverse=True)
    by_label = {label: i for i, label in enumerate(classes)}
    by_text = {str(label): i for i, label in enumerate(classes)}
    written_alike = len(by_text) == len(classes)

    def code_of(label: Any) -> int | None:
        code = by_label.get(label)
        return by_text.get(str(label)) if code is None and written_alike else code

    codes = [code_of(label) for label in labels.tolist()]
    numbered = any(not isinstance(label, str) or label.strip().lstrip("+-").isdecimal() for label in classes)
    if coded and labels.dtype.kind in "iu" and not numbered:
        codes = [int(label) if 0 <= label < len(classes) else None for label in labels]
    unseen = [label for label, code in zip(labels.tolist(), codes, strict=True) if code is None]
    if unseen:
        rows = np.flatnonzero(np.isin(values, np.array(unseen, values.dtype)))
        raise DataError(
            f"y has labels that are not among the classes of the training data: {_listed(unseen)} "
            f"({len(rows):,} of {len(values):,} rows, first in row {rows[0]}). Known classes: "
            f"{_listed(classes)}."
        )
    return np.array(codes, np.int32)[inverse.ravel()]


def _does_not_fit(values: Array, classes: tuple[Any, ...], units: int, activation: str | None) -> str:
    k = len(classes)
    needed = f"{k} units are needed: Dense({k}, {activation or 'softmax'!r})."
    if values.dtype.kind in "iu":
        # The range first: a single wrong label is likelier than a network of the wrong size.
        outside = (values < 0) | (values >= units)
        if outside.any():
            at = int(np.argmax(outside))
            return (
                f"y has the label {values[at]} in row {at} ({int(outside.sum()):,} of {len(values):,} rows "
                f"are out of range): {units} output units take the labels 0 to {units - 1}. y has {k} "
                f"different labels, from {values.min()} to {values.max()}; for these, {needed}"
            )
    return f"y has {k} classes ({_listed(classes)}) and the output layer {units} units; {needed}"


def _encode_rows(
    target: Array, units: int | None, activation: str | None, known: Target | None
) -> tuple[Array, Target]:
    k, known_classes = target.shape[1], None if known is None else known.classes
    if target.dtype.kind == "U":
        raise DataError(f"y has {k} columns of text; expected one label for each sample, or rows of zeros and ones.")
    if units is not None and k != units:
        layer = "unit" if units == 1 else "units"
        raise DataError(f"y has {k} columns and the output layer {units} {layer}; {k} units are needed.")
    classes = tuple(range(k)) if known_classes is None else tuple(known_classes)
    if len(classes) != k:
        raise DataError(f"y has {k} columns; the training data had {len(classes)} classes: {_listed(classes)}.")
    rows = _as_float(target)
    flags = bool(((rows == 0) | (rows == 1)).all())
    if flags and bool((rows.sum(axis=1) == 1).all()):
        return rows, Target("classification", classes, k)
    if activation == "softmax":
        total = rows.sum(axis=1, dtype=np.float64)
        wrong = (abs(total - 1) > 1e-3) | (rows < 0).any(axis=1)
        if wrong.any():
            at = int(np.argmax(wrong))
            reason = f"adds up to {total[at]:g}" if (rows[at] >= 0).all() else "has a negative value"
            raise DataError(
                f"Row {at} of y {reason}; softmax outputs are the probabilities of classes: expected rows "
                "that add up to 1. For several labels at once use sigmoid outputs, for numbers linear ones."
            )
        return rows, Target("classification", classes, k)
    if flags and activation in (None, *_YES_OR_NO):
        return rows, Target("multilabel", None, k)
    _check_reachable(rows, activation)
    return rows, Target("regression", None, k)


def _check_reachable(numbers: Array, activation: str | None) -> None:
    if activation in _YES_OR_NO and (numbers.min() < 0 or numbers.max() > 1):
        raise DataError(
            f"y goes from {numbers.min():g} to {numbers.max():g}, and a {activation} output only from 0 to "
            "1; use linear outputs, or scale the target to that range."
        )


def _as_float(values: Array) -> Array:
    return values if values.dtype.kind == "f" else values.astype(float_dtype_of(values))


def _listed(labels: Sequence[Any]) -> str:
    return first_few([repr(label) for label in labels])
