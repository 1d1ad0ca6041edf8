"""The one door into a model: what training learnt of its inputs is done to all inputs that come later."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.data import PreparedInputs, Standardizer, check_features, check_target
from chainrule.data.dataset import BYTE
from chainrule.data.limits import Limits, Outside
from chainrule.data.rows import Ready, Rows
from chainrule.data.streams import as_stream
from chainrule.errors import DataError, InputWarning, ShapeError
from chainrule.tables.read import as_frame, has_named_columns
from chainrule.tables.selection import columns_by_name
from chainrule.tables.target import as_array, has_target

if TYPE_CHECKING:
    from chainrule.tables.preprocessor import Preprocessor

Array = Any


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a model knows of its inputs.

    Attributes
    ----------
    shape : of one sample
    preparation : what makes them of the columns of a table; None for inputs that are numbers from the start
    names : of the columns, where training data came as a data frame of numbers
    limits : the range of each feature or channel in training, before it was standardized
    byte_scale : what the bytes of images are divided by: 255, or 1 where training took them as they are
    standardizer : what is applied last (training mean and standard deviation)
    """

    shape: tuple[int, ...]
    preparation: Preprocessor | None = None
    names: tuple[str, ...] | None = None
    limits: Limits | None = None
    byte_scale: int = 1
    standardizer: Standardizer | None = None

    # --- what comes in ----------------------------------------------------------------------------------------

    def admit(self, x: Any) -> Array | Rows:
        """Return inputs of any kind as checked numbers in the shape and the unit of the training data.

        A data frame's columns are taken by name. Bytes of images are divided by 255 where those of training were. A
        stream is returned as its `Rows`.

        Raises
        ------
        DataError
            A plain array for a model that prepares the columns of a table, inputs that another preparation made,
            columns that are missing, values that are no finite numbers.
        ShapeError
            Samples of another shape.
        """
        frame = frame_of(x)
        if self.preparation is not None:
            x = self._prepared(x, frame)
        elif isinstance(x, PreparedInputs):
            x = x.x
        elif frame is not None:
            x = self.in_order(frame)
        if (stream := as_stream(x)) is not None:
            self.check_shape(stream.x)
            return stream.x
        if isinstance(x, Rows):
            self.check_shape(x)
            return x
        if getattr(x, "shape", None) == self.shape:
            self.check_shape(x)
        pixels = are_bytes(x)
        if self.preparation is None:
            x = check_features(x)
        if len(self.shape) == 3 and self.shape[-1] == 1 and x.shape[1:] == self.shape[:-1]:
            x = x[..., None]  # grey pictures without their channel
        self.check_shape(x)
        return self._scaled(x, pixels)

    def admit_traced(self, x: Any) -> Any:
        """Return a traced value in the shape that the network takes; of a table it must be said that it is prepared."""
        if self.preparation is not None and not isinstance(x, PreparedInputs):
            raise DataError(self._refused(f"a traced value of shape {tuple(x.shape)}"))
        x = x.x if isinstance(x, PreparedInputs) else x
        self.check_shape(x)
        return x

    def ready(self, x: Any, precision: str) -> Array | Rows:
        """Return inputs of any kind as the network gets them: admitted, standardized, and in its precision.

        Values that are far outside of the training range are told by an `InputWarning`.
        """
        x = self.admit(x)
        if outside := self.outside(x):
            warnings.warn(outside.sentence(self.feature_names), InputWarning, stacklevel=4)
        return self.finish(x, precision)

    def finish(self, x: Array | Rows, precision: str) -> Array | Rows:
        """Return what `admit` gave, standardized (in its own precision), and then in that of the network."""
        divisor = np.float32(self.byte_scale if isinstance(x, Rows) and x.pixels else 1)

        def finished(rows: Array) -> Array:
            rows = rows if divisor == 1 else rows / divisor
            return np.asarray(rows if self.standardizer is None else self.standardizer(rows), precision)

        return Ready(x, finished, precision) if isinstance(x, Rows) else finished(x)

    def undo(self, x: Array) -> Array:
        """Return rows as the network gets them in their own unit, float64, categories as they are.

        Principal components of a table stay as they are, too: several columns are in each.
        """
        x = np.array(x, np.float64)
        if self.standardizer is not None:
            x = x * self.standardizer.std + self.standardizer.mean
        preparation, start = self.preparation, 0
        if preparation is None or preparation.reduction is not None:
            return x
        for block in preparation.numbers:
            stop = start + len(block.names)
            x[:, start:stop] = block.undo(x[:, start:stop])
            start = stop
        return x

    def outside(self, x: Array) -> Outside | None:
        """Return which of the admitted inputs are far outside of the training range, where that is known."""
        if self.limits is None or isinstance(x, Rows):
            return None
        return self.limits.outside(x)

    @property
    def blank(self) -> bool:
        """Whether nothing is known yet but the shape."""
        return all(part is None for part in (self.preparation, self.names, self.limits, self.standardizer))

    @property
    def feature_names(self) -> Sequence[str] | None:
        """What each input is called, where that is known."""
        return self.names if self.preparation is None else self.preparation.feature_names

    def read_target(self, y: Any) -> np.ndarray:
        """Return targets as a checked array; cells of a table are read as they were in training."""
        column = None if self.preparation is None else self.preparation.target
        if column is None or not (_holds_text(y) or (column.labels == "text" and np.ndim(y) == 1)):
            return check_target(y)
        values = column.read(y)
        if not (present := has_target(values)).all():
            raise DataError(
                f"{len(present) - int(present.sum()):,} of {len(present):,} rows have no {column.name}, the first is "
                f"row {int(np.argmin(present))}. Leave these rows out."
            )
        return as_array(values.tolist())

    # --- what is learnt ---------------------------------------------------------------------------------------

    def learn(self, x: Any, normalize: bool, weight: Any = None, pixels: bool = False, codes: int = 0) -> Inputs:
        """Return these, with the range of admitted training inputs and, if asked for, their mean and deviation.

        The last ``codes`` features stay as they are. Images from 0 to 1 are pixels that were divided by 255, unless
        they came as bytes (``pixels``).
        """
        standardizer = self.standardizer
        if normalize and self.preparation is None and standardizer is None:
            fitted, limits = Standardizer.fit_with_limits(x, weight)
            standardizer = fitted.without_last(codes)
        elif isinstance(x, Rows):
            return self
        else:
            limits = Limits.fit(x)
        divided = len(self.shape) > 1 and limits.fractions and not pixels
        return replace(self, standardizer=standardizer, limits=limits, byte_scale=BYTE if divided else 1)

    def widened(self, x: Array | Rows) -> Inputs:
        """Return these, with a range that holds admitted inputs that are trained on, too."""
        if self.limits is None or isinstance(x, Rows):
            return self
        return replace(self, limits=self.limits.merged(Limits.fit(x)))

    # --- steps ------------------------------------------------------------------------------------------------

    def check_shape(self, x: Any) -> None:
        """Raise a `ShapeError` unless this is a batch of samples of the right shape."""
        shape = getattr(x, "shape", None)
        if shape is None or tuple(shape[1:]) != self.shape:
            raise ShapeError(
                f"The model takes a batch of shape (samples, {', '.join(map(str, self.shape))}), got "
                f"{tuple(shape) if shape is not None else type(x).__name__}."
                + (" A single sample needs a batch axis: x[None]." if shape == self.shape else "")
            )

    def in_order(self, frame: Any) -> Any:
        """Return a data frame of numbers with its columns in the order of training, by their names.

        They are taken as they stand where training gave no names, or mere numbers that none of them has.
        """
        if self.names is None:
            return frame
        numbered = self.names == tuple(map(str, range(len(self.names))))
        known = set(self.names) & set(map(str, frame.columns))
        return frame if numbered and not known else columns_by_name(frame, self.names)

    def _prepared(self, x: Any, frame: Any) -> Array:
        """Return the columns of a table as the numbers that the preparation makes of them."""
        assert self.preparation is not None
        if frame is not None:
            return self.preparation(frame)
        if not isinstance(x, PreparedInputs):
            raise DataError(self._refused(_described(x)))
        if x.by is not None and not x.by.same_as(self.preparation):
            raise DataError(self._refused("inputs that another preparation made, which was learnt from other rows"))
        self.check_shape(x)
        return x.x

    def _refused(self, what: str) -> str:
        """Return what a model of a table says to what has no columns."""
        assert self.preparation is not None
        names = self.preparation.inputs
        columns = ", ".join(map(repr, names[:10])) + ", …" * (len(names) > 10)
        return (
            f"The model was trained on a table and prepares its columns itself, by name: {columns}. Give a data frame "
            f"with these columns, not {what}; or, for inputs that are prepared already, cr.data.PreparedInputs(x)."
        )

    def _scaled(self, x: Array, pixels: bool) -> Array:
        """Return images in the unit of training: what was divided by 255 there is divided here."""
        if len(self.shape) < 2 or self.limits is None or not x.size:
            return x
        low, high = float(x.min()), float(x.max())
        brightest = float(self.limits.high.max())
        if self.byte_scale != 1:
            if pixels and high <= 1 < 2 * brightest:  # zeros and ones, as masks have them
                return x
            if pixels:
                return x / np.float32(BYTE)
            if low >= 0 and 1 < high <= BYTE and high > brightest and bool((x == np.floor(x)).all()):
                warnings.warn(
                    f"Pixels are whole numbers up to {high:g}, in training they went from 0 to {brightest:.3g}: they "
                    f"are taken for bytes and divided by {BYTE}.",
                    InputWarning,
                    stacklevel=5,
                )
                return x / np.float32(BYTE)
        elif pixels and brightest > 2 * BYTE:
            warnings.warn(
                f"Pixels are bytes, and in training they went up to {brightest:g}: they seem to be of another depth. "
                "They are taken as they are.",
                InputWarning,
                stacklevel=5,
            )
        elif brightest > BYTE / 4 and low >= 0 and 0 < high <= 1 and bool((x != np.floor(x)).any()):
            warnings.warn(
                f"Pixels go from {low:.3g} to {high:.3g}, in training they went up to {self.limits.high.max():g}: they "
                f"seem to have been divided by {BYTE}, which those of the training data were not. They are taken as "
                "they are.",
                InputWarning,
                stacklevel=5,
            )
        return x


def are_bytes(x: Any) -> bool:
    """Return whether values are unsigned bytes."""
    return x.pixels if isinstance(x, Rows) else getattr(x, "dtype", None) == np.uint8


def frame_of(x: Any) -> Any:
    """Return a table with named columns (of pandas, polars, PyArrow) as a data frame of pandas; None for all else."""
    return as_frame(x) if has_named_columns(x) else None


def names_of(x: Any) -> tuple[str, ...] | None:
    """Return the names of the columns of a data frame; None for arrays, and where they are not unique."""
    frame = frame_of(x)
    return None if frame is None or not frame.columns.is_unique else tuple(map(str, frame.columns))


def target_in_order(y: Any, names: Sequence[str]) -> Any:
    """Return targets whose columns are in the order of training, where those and these have names."""
    frame = frame_of(y)
    return y if frame is None or not names else columns_by_name(frame, names)


def _holds_text(y: Any) -> bool:
    """Return whether targets are cells of text, or of several kinds."""
    kind = getattr(getattr(y, "dtype", None), "kind", None)
    return kind in ("O", "U", "T") if kind else isinstance(y, list | tuple) and any(isinstance(v, str) for v in y)


def _described(x: Any) -> str:
    shape = getattr(x, "shape", None)
    return type(x).__name__ if shape is None else f"{type(x).__name__} of shape {tuple(shape)}"
