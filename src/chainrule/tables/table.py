"""A table with a target: split, prepared on its training rows alone, and ready to train on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.data import Dataset
from chainrule.errors import DataError, SettingError
from chainrule.files import as_path
from chainrule.tables.columns import Column
from chainrule.tables.infer import leaves_out, unscaled
from chainrule.tables.leaks import duplicates, duplicates_note
from chainrule.tables.learning import learn
from chainrule.tables.preparation import Preprocessor
from chainrule.tables.profile import missing_texts
from chainrule.tables.read import read_table
from chainrule.tables.split import Split, split_rows
from chainrule.tables.target import TargetColumn, as_array, classes_of, has_target, learn_target, target_column
from chainrule.tables.values import coded, values_of

if TYPE_CHECKING:
    from pandas import DataFrame

#: Columns of these names are taken for the split if all their values name parts.
SPLIT_NAMES = ("split", "subset", "partition", "fold")
PARTS = ("train", "training", "validation", "valid", "val", "dev", "test")


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of named columns, one of which is to be predicted.

    Attributes
    ----------
    name
        What it is called in reports.
    frame
        All columns, as they were read.
    target
        The column to predict.
    columns
        What you know better than the rules of `infer_columns`: a kind for each column's name, or a table of fields of
        `Column`: ``{"Cabin": "category", "Ticket": {"use": False}}``.
    task
        ``"classification"`` or ``"regression"``; None: by the target's values.
    missing
        The texts that stand for missing values, besides empty cells. None: the usual ones in text files ("NA", "?",
        "-", ...: `chainrule.tables.columns.MISSING`), none in data frames.

    Examples
    --------
    >>> import pandas as pd
    >>> import chainrule as cr
    >>> frame = pd.DataFrame({"age": [4, 30, 5, 41] * 5, "pet": ["cat", "dog", "cat", "dog"] * 5})
    >>> table = cr.Table.read(frame, target="pet")
    >>> run = cr.fit(cr.Dense(2, "softmax"), table, optimizer=cr.Adam(lr=0.1), progress=False)
    >>> run.model.predict(pd.DataFrame({"age": [3, 35]})).tolist()
    ['cat', 'dog']
    """

    name: str
    frame: DataFrame
    target: str
    columns: Mapping[str, Any] = field(default_factory=dict)
    task: str | None = None
    missing: tuple[str, ...] | None = None

    @classmethod
    def read(
        cls,
        source: Any,
        target: str,
        *,
        columns: Mapping[str, Any] | None = None,
        task: str | None = None,
        missing: Iterable[str] | None = None,
        name: str | None = None,
        encoding: str | None = None,
        separator: str | None = None,
    ) -> Table:
        """Read a table: a ``.csv``, ``.tsv`` or ``.parquet`` file, a pandas DataFrame or a PyArrow Table.

        A file that is large for this machine's memory is read in pieces (`chainrule.tables.large`). ``encoding`` and
        ``separator`` are those of a text file, as in `chainrule.tables.read.read_table`. ``missing`` names the texts
        that stand for missing values where the usual ones do not: ``missing=[]`` in a file in which "NA" is Namibia,
        ``missing=["-999"]`` for such a number.

        Raises `FileError` for what cannot be read and `DataError` for a target that is not there (with the nearest
        names).
        """
        from chainrule.tables.large import HEAD, LargeTable, is_large

        large = is_large(source)
        frame = read_table(source, nrows=HEAD if large else None, encoding=encoding, separator=separator)
        known = Path(source).stem if isinstance(source, str | Path) else "table"
        target = target_column(frame.columns, target)
        parts = (name or known, frame, target, dict(columns or {}), task, _missing_texts(missing))
        return LargeTable(*parts, as_path(source), encoding, separator) if large else cls(*parts)

    def __post_init__(self) -> None:
        if self.target in self.columns and not _is_style(self.columns[self.target]):
            raise SettingError(
                f"The column {self.target!r} is the target and no input: {self.columns[self.target]!r} cannot be said "
                "of it but its decimal mark and its unit. Whether it holds classes or numbers is said by the task."
            )

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        return f"Table({self.name!r}: {len(self):,} rows, {len(self.frame.columns):,} columns, target {self.target!r})"

    def prepare(
        self,
        *,
        validation: float = 0.1,
        test: float = 0.0,
        group: str | None = None,
        time: str | None = None,
        split: str | None = None,
        components: int | float | None = None,
        preparation: Preprocessor | None = None,
        key: Any,
    ) -> PreparedTable:
        """Split the rows, look at the training rows, and make numbers of all of them.

        What happens to a column (`infer_columns`), its mean, its categories: everything is learnt from the training
        rows alone, so that nothing that validation or test rows hold can change it.

        Parameters
        ----------
        validation, test
            Shares of the rows, drawn in proportion to the classes; 0 for none.
        group
            A column: rows with the same value stay together.
        time
            A column: the latest rows are for the test, those before them for validation.
        split
            A column that names the part of each row: train, validation, test. A column that is called "split" and
            holds nothing else is taken for it.
        components
            Reduce the inputs to so many principal components (a share below 1: as many as keep that share of the
            variance).
        preparation
            One that was fitted before, to go on with.
        key
            A key of `chainrule.random`.
        """
        return self._prepare(SplitSpec(validation, test, group, time, split), components, preparation, key)

    def prepare_rows(
        self,
        train: Any,
        held_out: Any = None,
        *,
        components: int | float | None = None,
        preparation: Preprocessor | None = None,
    ) -> PreparedTable:
        """As `prepare`, with the rows of your choice: a fold, a bootstrap sample, the first thousand.

        Everything (kinds of columns, imputation, categories, classes) is learnt from the rows ``train`` alone. Rows
        without a target are left out; a column that names the parts of a split is no input.

        Parameters
        ----------
        train, held_out
            Numbers of rows to train on, and of those to validate on (None for none), counted from 0 as in ``frame``. A
            row that is named twice counts twice.
        components, preparation
            As in `prepare`.

        Raises
        ------
        DataError
            A row that the table does not have, no row with a target, or a class that no training row has.

        Examples
        --------
        >>> import numpy as np, pandas as pd
        >>> import chainrule as cr
        >>> frame = pd.DataFrame({"age": [4, 30, 5, 41] * 5, "pet": ["cat", "dog", "cat", "dog"] * 5})
        >>> table = cr.Table.read(frame, target="pet")
        >>> table.prepare_rows(np.arange(16), np.arange(16, 20)).rows
        Split(16 train, 4 validation, 0 test)
        """
        none: list[int] = []
        parts = [_row_numbers(part, len(self)) for part in (train, none if held_out is None else held_out)]
        if not len(parts[0]):
            raise DataError(f"{self.name}: no rows were given to train on.")
        notes: list[str] = []
        target, found, present = self.targets(parts[0], notes, None if preparation is None else preparation.target)
        split = self.split_column()
        features = self.frame.drop(columns=[self.target] if split is None else [self.target, split])
        kept = [part[present[part]] for part in parts]
        if target.task == "classification" and (new := set(found[kept[1]].tolist()) - set(found[kept[0]].tolist())):
            raise DataError(
                f"{self.name}: rows that are held out have the {self.target} {min(new)!r}, which no training row has. "
                "Leave these rows out, or hold out others."
            )
        rows = Split(kept[0], kept[1], np.zeros(0, np.intp))
        if preparation is None or preparation.target is None:
            target = _with_classes(target, found, rows)
        return self._prepared(target, found, features, rows, preparation, components, notes)

    def split_column(self, frame: Any = None) -> str | None:
        """Return the column that names the part of each row, if there is one and it is not to be left out.

        ``frame``: these rows, if there are more than `frame` holds.
        """
        name = split_column(self.frame if frame is None else frame)
        return None if name is None or leaves_out(self.columns.get(name)) else name

    def pair(self) -> tuple[DataFrame, Any]:
        """Return the columns besides the target, and the target's cells as they were read: what a trained model
        takes.
        """
        return self.frame.drop(columns=self.target), self.frame[self.target]

    def unscaled(self, *roles: str | None) -> Table:
        """Return the same table, whose numbers stay as they are, but for columns of which it is said how they are
        scaled.

        ``roles`` are columns that are no inputs, such as the one of the groups.
        """
        inputs = [str(name) for name in self.frame.columns if name not in (self.target, *roles)]
        return replace(self, columns=unscaled(inputs, self.columns))

    def coded(self) -> Table:
        """Return the same table with each different text of a column once: quicker where many are prepared of
        its rows.
        """
        return replace(self, frame=coded(self.frame))

    def targets(
        self, train: Any = None, notes: list[str] | None = None, target: TargetColumn | None = None
    ) -> tuple[TargetColumn, np.ndarray, np.ndarray]:
        """Return what the target is, its value in every row, and whether a row has one (if not, its value means
        nothing).

        It is told from the rows with the numbers ``train`` (None: from all but those for the test), unless it is known.
        """
        column = self.frame[self.target]
        rows = _training(self.frame, column, self.split_column()) if train is None else column.iloc[train]
        target = self._learn_target(rows, [] if notes is None else notes, target, self.frame)
        return target, *_filled(target.read(column))

    def _prepare(
        self, division: SplitSpec, components: int | float | None, preparation: Preprocessor | None, key: Any
    ) -> PreparedTable:
        """Return what `prepare` makes."""
        notes: list[str] = []
        target = None if preparation is None else preparation.target
        target, found, features, rows = self._divide(self.frame, division, key, notes, target)
        return self._prepared(target, found, features, rows, preparation, components, notes)

    def _prepared(
        self,
        target: TargetColumn,
        found: np.ndarray,
        features: DataFrame,
        rows: Split,
        preparation: Preprocessor | None,
        components: int | float | None,
        notes: list[str],
    ) -> PreparedTable:
        """Return the parts of a table in memory."""
        known = coded(features)
        preparation = self._learn(known, rows, found, target, preparation, components, notes)
        parts = (rows.train, rows.validation, rows.test)
        inputs = (preparation(known.iloc[part]) if len(part) else None for part in parts)
        data = self._dataset(inputs, found, rows, preparation, notes)
        return PreparedTable(data, preparation.columns, rows, features, data.notes, len(rows.train))

    def _divide(
        self, frame: DataFrame, division: SplitSpec, key: Any, notes: list[str], target: TargetColumn | None
    ) -> tuple[TargetColumn, np.ndarray, DataFrame, Split]:
        """Return the target, its value in each row that has one, the columns that may be learnt from, and the split."""
        group, time, split = division.group, division.time, division.split
        division.check(frame.columns, self.target, self.columns)
        if not division.columns and (split := self.split_column(frame)) is not None:
            notes.append(f"The column {split!r} names the parts, so the rows are split by it.")
        known = target
        target, found, frame = self._target(frame, split, notes, known)
        rows = split_rows(
            len(frame),
            None if target.task == "regression" else found,
            validation=division.validation,
            test=division.test,
            group=None if group is None else frame[group],
            time=None if time is None else frame[time],
            column=None if split is None else frame[split],
            missing=missing_texts(frame.attrs.get("separator"), self.missing),
            key=key,
        )
        target = known or _with_classes(target, found, rows)
        return target, found, frame.drop(columns=[name for name in (split, group) if name is not None]), rows

    def _learn(
        self,
        features: DataFrame,
        rows: Split,
        found: np.ndarray,
        target: TargetColumn,
        preparation: Preprocessor | None,
        components: int | float | None,
        notes: list[str],
    ) -> Preprocessor:
        """Return what the training rows tell, unless it is known; and what is suspicious about the rows."""
        training = features.iloc[rows.train]
        if preparation is None:
            gone = set(self.frame.columns) - set(features.columns)  # they say how the rows are split, or are the target
            overrides = {name: value for name, value in self.columns.items() if name not in gone}
            how: dict[str, Any] = {"overrides": overrides, "components": components, "missing": self.missing}
            preparation, learnt = learn(training, found[rows.train], target.task, **how)
            notes += learnt
        if preparation.target is None:
            preparation = replace(preparation, target=target)
        whole = features.assign(**{self.target: found})  # the same inputs with another answer are another row
        known = whole.iloc[rows.train]
        for part, name in ((rows.validation, "validation"), (rows.test, "test")):
            if len(part) and (same := duplicates(known, whole.iloc[part])):
                notes.append(duplicates_note(same, len(part), name))
        return preparation

    def _learn_target(self, rows: Any, notes: list[str], target: TargetColumn | None, frame: DataFrame) -> TargetColumn:
        """Return what the target is, told from the cells of training rows, unless it is known."""
        if target is None:
            target, note = learn_target(
                rows,
                self.task,
                missing=self.missing,
                style=self.columns.get(self.target),
                others=lambda: self._others(rows, frame),
            )
            if note:
                notes.append(note)
        return target

    def _others(self, rows: Any, frame: DataFrame) -> DataFrame:
        """Return the other columns of rows of the target."""
        return frame.loc[rows.index].drop(columns=self.target)

    def _target(
        self, frame: Any, split: str | None, notes: list[str], target: TargetColumn | None
    ) -> tuple[TargetColumn, np.ndarray, Any]:
        """Return what the target is, its values, and the other columns, of the rows that have one.

        Rows that a column says are for the test have no say in what it is.
        """
        column = frame[self.target]
        target = self._learn_target(_training(frame, column, split), notes, target, frame)
        values, present = _filled(target.read(column))
        features = frame.drop(columns=self.target)
        return (target, values, features) if present.all() else (target, values[present], features[present])

    def _dataset(
        self,
        inputs: Iterable[np.ndarray | None],
        found: np.ndarray,
        rows: Split,
        preparation: Preprocessor,
        notes: Sequence[str],
    ) -> Dataset:
        """Return the data set of the inputs of the three parts, which are not made before the targets are checked."""
        target = preparation.target
        assert target is not None
        codes = None if target.classes is None else {label: code for code, label in enumerate(target.classes)}
        targets: list[np.ndarray | None] = []
        for part, name in ((rows.train, "training"), (rows.validation, "validation"), (rows.test, "test")):
            values = found[part]
            if codes is not None:
                labels = values.tolist()
                if unknown := [label for label in labels if label not in codes]:
                    raise DataError(
                        f"{self.name}: the {name} rows have the {self.target} {unknown[0]!r}, which no "
                        "training row has. Leave these rows out, or split otherwise."
                    )
                values = np.array([codes[label] for label in labels], np.int32)
            targets.append(values if len(part) else None)
        y, y_validation, y_test = targets
        x, x_validation, x_test = inputs
        assert x is not None
        assert y is not None
        return Dataset(
            self.name,
            x,
            y,
            x_test,
            y_test,
            target.classes,
            tuple(preparation.feature_names),
            target.task,
            x_validation,
            y_validation,
            preparation,
            tuple(notes),
        )


@dataclass(frozen=True)
class SplitSpec:
    """How the rows of a table are to be split: the words of `Table.prepare`."""

    validation: float
    test: float
    group: str | None
    time: str | None
    split: str | None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that have a say in it."""
        return tuple(name for name in (self.split, self.group, self.time) if name is not None)

    def check(self, names: Iterable[Any], target: str, asked: Mapping[str, Any]) -> None:
        """Whether the columns are there, and none has two parts to play; ``asked``: what is said about the inputs."""
        for part in ("group", "time", "split"):
            name = getattr(self, part)
            if name is None:
                continue
            target_column(names, name, what="column")
            if name == target:
                raise SettingError(
                    f"{part}={name!r} names the target, and rows cannot be split by what is to be predicted: name "
                    "another column, or leave it out."
                )
            if part != "time" and name in asked and not leaves_out(asked[name]):
                raise SettingError(
                    f"The column {name!r} is the {part} and no input, so what is said about it ({asked[name]!r}) "
                    "has no effect: leave one of the two out."
                )
        if len(self.columns) > 1:
            parts = [part for part in ("group", "time", "split") if getattr(self, part) is not None]
            raise SettingError(f"Split by one of group, time and split, got {' and '.join(parts)}.")


@dataclass(frozen=True, eq=False)
class PreparedTable:
    """What `Table.prepare` made.

    Attributes
    ----------
    data : the arrays, a `Dataset` with the parts that there are
    columns : what was found in each column, and what was done with it
    rows : the row numbers of each part
    features : the columns before they were prepared, without the target; None where they stay in the file
    notes : what the user should know: suspected leaks, rows without a target, how it was split
    looked_at : the number of training rows that the columns were told from
    """

    data: Dataset
    columns: tuple[Column, ...]
    rows: Split
    features: DataFrame | None
    notes: tuple[str, ...]
    looked_at: int

    def numbers_left_out(self) -> np.ndarray | None:
        """Return numbers that the rules left out as identifiers, (rows, columns), of all rows; None if there are none.

        They are standardized by the training rows, and a missing one is 0. What a user has left out is not among them.
        """
        if self.features is None:
            return None
        parts = []
        for column in self.columns:
            if column.kind != "identifier" or "as you" in column.reason:
                continue
            values = values_of(self.features[column.name], replace(column, kind="number"))
            training = values[self.rows.train]
            training = training[np.isfinite(training)]
            if len(training) > 1 and (std := training.std()) > 0:
                parts.append(np.nan_to_num((values - training.mean()) / std, posinf=0.0, neginf=0.0))
        return np.stack(parts, axis=1) if parts else None


def _training(frame: Any, target: Any, split: str | None) -> Any:
    """Return the targets of the rows that may tell what is to be learnt: those that no column says are for the test."""
    return target if split is None else target[frame[split].astype(str).str.strip().str.lower() != "test"]


def _with_classes(target: TargetColumn, values: np.ndarray, rows: Split) -> TargetColumn:
    """Return the target with the classes of the rows that train and those that validate, which are known before the
    test.
    """
    if target.task == "regression":
        return target
    return replace(target, classes=classes_of(values[np.r_[rows.train, rows.validation]].tolist()))


def _filled(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return targets as an array of one kind, some other row's in the place of a missing one; and which rows
    have one.
    """
    present = has_target(values)
    if values.dtype == object and not present.all():
        values = as_array(np.where(present, values, values[present][0]).tolist())
    return values, present


def _missing_texts(missing: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return the texts that a user says stand for missing values, checked."""
    if missing is None:
        return None
    texts = (missing,) if isinstance(missing, str) else tuple(missing)
    if wrong := [text for text in texts if not isinstance(text, str)]:
        raise SettingError(
            f"missing lists the texts that stand for missing values, such as ['NA', '-999'], got {wrong[0]!r}."
        )
    return tuple(text.strip() for text in texts)


def _is_style(known: Any) -> bool:
    """Return whether what is said about a column is only how its numbers are written."""
    return isinstance(known, Mapping) and {*known} <= {"decimal", "unit"}


def _row_numbers(given: Any, n: int) -> np.ndarray:
    """Return numbers of rows, checked."""
    rows = np.asarray(given)
    if not rows.size:
        return np.zeros(0, np.intp)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise DataError(f"Rows are given by their numbers, such as [0, 1, 5], got {rows.dtype} of shape {rows.shape}.")
    if rows.min() < 0 or rows.max() >= n:
        wrong = rows.min() if rows.min() < 0 else rows.max()
        raise DataError(f"There is no row {wrong}: the table's {n:,} rows have the numbers 0 to {n - 1}.")
    return rows.astype(np.intp)


def split_column(frame: Any) -> str | None:
    """Return the column that names the part of each row, if there is one."""
    for name in frame.columns:
        if str(name).strip().lower() in SPLIT_NAMES:
            words = frame[name].dropna().astype(str).str.strip().str.lower().unique()
            if len(words) > 1 and set(words) <= set(PARTS):
                return str(name)
    return None
