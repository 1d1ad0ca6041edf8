"""A data set: features and targets for training, and for the test if it has a part of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from chainrule.data.check import check_features, check_target
from chainrule.data.prepared import PreparedInputs
from chainrule.data.targets import decode
from chainrule.display.text import Text, first_few
from chainrule.errors import DataError

__all__ = ["Dataset"]

Array = NDArray[Any]

#: What the bytes of images are divided by.
BYTE = 255


@dataclass(frozen=True, eq=False)
class Dataset:
    """Features and targets, ready for `fit`.

    Attributes
    ----------
    name
        What it is called in reports.
    x
        float32 or float64, (n, features), or images (n, height, width, channels).
    y
        The targets: codes 0 … k-1 of shape (n,) for classification, numbers of shape (n,) or (n, outputs)
        for regression. Rows of several zeros and ones at once (many labels for one sample) stay rows.
    x_test, y_test
        The same for the test part, None where the data has none.
    classes
        What the codes stand for: ``classes[y[i]]`` is the label of sample i. None for regression.
    feature_names
        A name for each column of ``x``, where they are known.
    task
        ``"classification"`` or ``"regression"``.
    x_validation, y_validation
        A part for validation, where the data has one.
    byte_scale
        What the bytes of images were divided by to make ``x`` of them: 255, or 1 where nothing was divided.
    preparation
        What made ``x`` of the columns of a table (a `Preprocessor`); it is kept with a model that is
        trained on the data. None for data that was numbers from the start.
    notes
        What should be known about the data, as sentences: columns that are left out, suspected leaks. `fit` shows them
        and keeps them as ``run.notes``.

    Examples
    --------
    >>> from chainrule.data import Dataset
    >>> data = Dataset.from_arrays("pets", [[4.0], [30.0], [5.0]], ["cat", "dog", "cat"])
    >>> data
    Dataset('pets': classification, 3 rows of 1 feature, 2 classes, no test part)
    >>> data.y, data.classes
    (array([0, 1, 0], dtype=int32), ('cat', 'dog'))
    """

    name: str
    x: Array
    y: Array
    x_test: Array | None = None
    y_test: Array | None = None
    classes: tuple[Any, ...] | None = None
    feature_names: tuple[str, ...] | None = None
    task: Literal["classification", "regression"] = "classification"
    x_validation: Array | None = None
    y_validation: Array | None = None
    preparation: Any = None
    notes: tuple[str, ...] = ()
    byte_scale: int = 1

    def labels(self, y: Array) -> Array:
        """Return the labels that codes stand for; targets that are not codes as they are.

        >>> from chainrule.data import Dataset
        >>> Dataset.from_arrays("pets", [[4.0], [30.0]], ["cat", "dog"]).labels([1, 1]).tolist()
        ['dog', 'dog']
        """
        return np.asarray(y) if self.classes is None or np.ndim(y) > 1 else decode(y, self.classes)

    @classmethod
    def from_arrays(
        cls,
        name: str,
        x: Any,
        y: Any,
        x_test: Any = None,
        y_test: Any = None,
        *,
        classes: Sequence[Any] | None = None,
        feature_names: Sequence[str] | None = None,
    ) -> Self:
        """Check the arrays and build a data set: images get a channel axis, labels become codes.

        Unsigned bytes with three or more axes are images and are divided by 255; other features keep their
        values. A target of floating numbers is regression; whole numbers, text, booleans and rows with a
        single 1 are classification. ``classes`` names the codes 0 … k-1 of a target that is coded already.

        Raises
        ------
        DataError
            Features or targets that cannot be used, lengths or shapes that differ.
        """
        if (x_test is None) != (y_test is None):
            raise DataError(f"{name}: a test part needs both features and targets, got only one of them.")
        train = _part(x, y, "x", "y")
        test = None if x_test is None else _part(x_test, y_test, "x_test", "y_test")
        if test is not None and test[0].shape[1:] != train[0].shape[1:]:
            raise DataError(
                f"{name}: one training sample has shape {train[0].shape[1:]}, one test sample "
                f"{test[0].shape[1:]}; expected the same."
            )
        if test is not None and test[1].shape[1:] != train[1].shape[1:]:
            raise DataError(
                f"{name}: one training target has shape {train[1].shape[1:]}, one test target "
                f"{test[1].shape[1:]}; expected the same."
            )
        if test is not None and _group(train[1]) != _group(test[1]):
            raise DataError(
                f"{name}: y holds {_group(train[1])} ({train[1].dtype}), y_test holds {_group(test[1])} "
                f"({test[1].dtype}); expected the same."
            )
        targets = [train[1]] if test is None else [train[1], test[1]]
        if all(_one_hot(t) for t in targets):
            targets = [t.argmax(axis=1) for t in targets]
        regression = targets[0].dtype.kind == "f"
        if not regression and targets[0].ndim == 1:
            targets, classes = _to_codes(name, targets, classes)
        return cls(
            name,
            train[0],
            targets[0],
            None if test is None else test[0],
            None if test is None else targets[1],
            None if classes is None or regression else tuple(classes),
            None if feature_names is None else tuple(str(n) for n in feature_names),
            "regression" if regression else "classification",
            byte_scale=BYTE if _divided(x) else 1,
        )

    @property
    def train(self) -> tuple[Any, Array]:
        """Features and labels to train on: ``fit(net, data.train)``.

        Labels are what the codes in ``y`` stand for. Features that were made of a table are `PreparedInputs`, so that a
        model takes them as they are.
        """
        return self._pair(self.x, self.y)

    @property
    def validation(self) -> tuple[Any, Array] | None:
        """Features and labels of the validation part, as those of `train`; or None."""
        if self.x_validation is None or self.y_validation is None:
            return None
        return self._pair(self.x_validation, self.y_validation)

    @property
    def test(self) -> tuple[Any, Array] | None:
        """Features and labels of the test part, as those of `train`; or None."""
        return None if self.x_test is None or self.y_test is None else self._pair(self.x_test, self.y_test)

    def inputs(self, x: Any) -> Any:
        """Return some of its features, marked as prepared if they were made of a table."""
        return x if self.preparation is None else PreparedInputs(x, self.preparation)

    def _pair(self, x: Array, y: Array) -> tuple[Any, Array]:
        return self.inputs(x), self.labels(y)

    def summary(self) -> Text:
        """Return a few lines to print: what there is to learn, and from how much.

        >>> from chainrule.data import load
        >>> print(load("iris").summary())
        iris: classification, 3 classes (setosa, versicolor, virginica)
        training  150 rows of 4 features, float32
        features  sepal length (cm), sepal width (cm), petal length (cm), petal width (cm)
        """
        what = (
            f", {_count(len(self.classes), 'class')} ({first_few(tuple(map(str, self.classes)))})"
            if self.classes
            else ""
        )
        if self.task == "regression":
            what = f", targets from {self.y.min():g} to {self.y.max():g}"
        lines = [f"{self.name}: {self.task}{what}"]
        lines.append(f"training  {_describe(self.x)}, {self.x.dtype}")
        if self.x_validation is not None:
            lines.append(f"validation  {_describe(self.x_validation)}")
        if self.x_test is not None:
            lines.append(f"test      {_describe(self.x_test)}, {self.x_test.dtype}")
        if self.feature_names:
            lines.append(f"features  {first_few(self.feature_names)}")
        return Text("\n".join(lines))

    def __repr__(self) -> str:
        classes = f", {_count(len(self.classes), 'class')}" if self.classes else ""
        test = "no test part" if self.x_test is None else f"{len(self.x_test):,} for the test"
        return f"Dataset({self.name!r}: {self.task}, {_describe(self.x)}{classes}, {test})"


def as_features(x: Any, name: str = "x") -> Array:
    """Return features, checked; images as (n, height, width, channels), those of unsigned bytes in [0, 1]."""
    features = check_features(x, name)
    if _divided(x):
        features /= np.float32(BYTE)  # in place: turning bytes into floats has made a copy
    return features[..., None] if features.ndim == 3 else features


def _divided(x: Any) -> bool:
    """Return whether these are images of bytes."""
    return getattr(x, "dtype", None) == np.uint8 and x.ndim >= 3


def _part(x: Any, y: Any, x_name: str, y_name: str) -> tuple[Array, Array]:
    """Return features and targets of one part, checked."""
    features = as_features(x, x_name)
    target = check_target(y, y_name)
    if target.ndim == 2 and target.shape[1] == 1:
        target = target.ravel()
    if len(features) != len(target):
        raise DataError(
            f"{x_name} has {len(features):,} rows and {y_name} has {len(target):,}: every row needs one target."
        )
    return features, target


def _one_hot(rows: Array) -> bool:
    """Return whether each row has a single 1 and zeros otherwise."""
    if rows.ndim != 2 or rows.dtype.kind not in "biuf":
        return False
    return bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all())


def _group(target: Array) -> str:
    return {"f": "numbers", "U": "text"}.get(target.dtype.kind, "labels")


def _to_codes(name: str, targets: list[Array], classes: Sequence[Any] | None) -> tuple[list[Array], tuple[Any, ...]]:
    """Return labels as codes 0 … k-1. Classes are counted over both parts, so that they have the same codes."""
    if classes is None:
        labels = np.unique(np.concatenate(targets))
        return [np.searchsorted(labels, t).astype(np.int32) for t in targets], tuple(labels.tolist())
    for target in targets:
        if target.dtype.kind not in "biu" or target.min() < 0 or target.max() >= len(classes):
            raise DataError(
                f"{name}: {len(classes)} class names were given, so labels must be the codes 0 to "
                f"{len(classes) - 1}; got {first_few([str(v) for v in np.unique(target).tolist()])}."
            )
    return [t.astype(np.int32) for t in targets], tuple(classes)


def _describe(x: Array) -> str:
    if x.ndim == 4:
        return f"{_count(len(x), 'image')} of {' x '.join(map(str, x.shape[1:]))}"
    shape = _count(x.shape[1], "feature") if x.ndim == 2 else f"shape {x.shape[1:]}"
    return f"{_count(len(x), 'row')} of {shape}"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "es" if noun.endswith("s") else "s")
