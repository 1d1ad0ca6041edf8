"""A table with a target: split, prepared on its training rows alone, and ready to train on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import random
from chainrule.display.text import Text
from chainrule.errors import DataError, SettingError
from chainrule.tables.cells import coded
from chainrule.tables.leaks import duplicates, format_duplicates
from chainrule.tables.learning import learn
from chainrule.tables.overrides import leaves_out, unscaled
from chainrule.tables.prepared import PreparedTable, as_dataset
from chainrule.tables.preprocessor import Preprocessor
from chainrule.tables.profile import missing_texts
from chainrule.tables.source import InMemorySource, TableSource, open_source
from chainrule.tables.split import Split, SplitSpec, may_name_parts, split_column
from chainrule.tables.target import TargetColumn, as_array, classes_of, has_target, learn_target, target_column

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of named columns, one of which is to be predicted.

    Attributes
    ----------
    name
        What it is called in reports.
    source
        Where its rows are: in memory, or in a file (`chainrule.tables.source`).
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
    source: TableSource
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
        rows = open_source(source, encoding=encoding, separator=separator)
        known = Path(source).stem if isinstance(source, str | Path) else "table"
        target = target_column(rows.head.columns, target)
        return cls(name or known, rows, target, dict(columns or {}), task, _missing_texts(missing))

    def __post_init__(self) -> None:
        if self.target in self.columns and not _is_style(self.columns[self.target]):
            raise SettingError(
                f"The column {self.target!r} is the target and no input: {self.columns[self.target]!r} cannot be said "
                "of it but its decimal mark and its unit. Whether it holds classes or numbers is said by the task."
            )

    @property
    def frame(self) -> DataFrame:
        """All rows and columns, as they were read; a `DataError` for a table whose rows stay in their file."""
        return self.source.frame

    @property
    def head(self) -> DataFrame:
        """The first rows, as they were read; of a table in memory all of them."""
        return self.source.head

    @property
    def in_memory(self) -> bool:
        """Whether all rows are in memory; else they stay in their file, and are read in pieces."""
        return self.source.in_memory

    def __len__(self) -> int:
        return len(self.source)

    def __bool__(self) -> bool:
        return True  # also where the number of rows is not known

    def __repr__(self) -> str:
        rows = f"{len(self):,} rows" if self.in_memory else "rows in a file"
        return f"Table({self.name!r}: {rows}, {len(self.head.columns):,} columns, target {self.target!r})"

    def summary(self) -> Text:
        """Return what training would do with each column by default, and with how many rows, to print.

        The table is split and its columns are inferred for that, as `prepare` does.

        >>> import pandas as pd
        >>> import chainrule as cr
        >>> frame = pd.DataFrame({"age": [4, 30, 5, 41] * 5, "pet": ["cat", "dog", "cat", "dog"] * 5})
        >>> print(cr.Table.read(frame, target="pet").summary().splitlines()[0])
        table: classification, 2 classes (cat, dog)
        """
        return self.prepare(key=random.key(0)).summary()

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
            Fractions of the rows, drawn in proportion to the classes; 0 for none.
        group
            A column: rows with the same value stay together.
        time
            A column: the latest rows are for the test, those before them for validation.
        split
            A column that names the part of each row: train, validation, test. A column that is called "split" and
            holds nothing else is taken for it.
        components
            Reduce the inputs to so many principal components (a fraction below 1: as many as keep that fraction of the
            variance).
        preparation
            One that was fitted before, to go on with.
        key
            A key of `chainrule.random`.
        """
        spec = SplitSpec(validation, test, group, time, split)
        spec.check(self.head.columns, self.target, self.columns)
        notes = [*self.source.notes]
        frame, whole_rows = self.source.read(self._columns_of_split(spec))
        if not spec.columns and (name := self.split_column(frame)) is not None:
            notes.append(f"The column {name!r} names the parts, so the rows are split by it.")
            spec = replace(spec, split=name)
        learnt = None if preparation is None else preparation.target
        target, values, present = self._targets(frame, _training(frame, self.target, spec.split), notes, learnt)
        frame, values = _where(present, frame, values)
        classes = None if target.task == "regression" else values
        missing = missing_texts(frame.attrs.get("separator"), self.missing)
        rows = spec.split_rows(frame, classes, missing=missing, key=key)
        roles = [name for name in (self.target, spec.split, spec.group) if name is not None]
        place = frame.index.get_indexer(whole_rows.index)  # of each whole row among the rows with a target
        sample, place = _where(place >= 0, whole_rows, place)
        looked_at = rows.among(place)
        if len(sample) < len(frame):
            notes.append(
                f"The columns are inferred from {len(looked_at.train):,} of the {len(rows.train):,} training rows, "
                "drawn by lot, and so are leaks and rows that occur twice."
            )
        target = learnt or _with_classes(target, values, rows)
        preparation = self._learn(
            sample.drop(columns=roles), values[place], looked_at, target, preparation, components, notes
        )
        numbers = frame.index.to_numpy()
        inputs = self.source.inputs(preparation, [numbers[part] for part in rows.parts], whole_rows)
        data = as_dataset(self.name, inputs, values, rows, preparation, notes)
        features = frame.drop(columns=roles) if self.in_memory else None
        return PreparedTable(data, preparation.columns, rows, features, data.notes, len(looked_at.train))

    def prepare_rows(
        self,
        train: Any,
        held_out: Any = None,
        *,
        components: int | float | None = None,
        preparation: Preprocessor | None = None,
    ) -> PreparedTable:
        """Prepare the rows of your choice, as `prepare` does: a fold, a bootstrap sample, the first thousand.

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
        parts = [_row_numbers(part, len(self.frame)) for part in (train, none if held_out is None else held_out)]
        if not len(parts[0]):
            raise DataError(f"{self.name}: no rows were given to train on.")
        notes: list[str] = []
        learnt = None if preparation is None else preparation.target
        target, values, present = self._targets(self.frame, self.frame[self.target].iloc[parts[0]], notes, learnt)
        training, validation = (part[present[part]] for part in parts)
        rows = Split(training, validation, np.zeros(0, np.intp))
        if target.task == "classification":
            unknown = set(values[rows.validation].tolist()) - set(values[rows.train].tolist())
            if unknown:
                raise DataError(
                    f"{self.name}: rows that are held out have the {self.target} {min(unknown)!r}, which no training "
                    "row has. Leave these rows out, or hold out others."
                )
        split = self.split_column()
        features = self.frame.drop(columns=[self.target] if split is None else [self.target, split])
        whole_rows = coded(features)
        target = learnt or _with_classes(target, values, rows)
        preparation = self._learn(whole_rows, values, rows, target, preparation, components, notes)
        inputs = self.source.inputs(preparation, rows.parts, whole_rows)
        data = as_dataset(self.name, inputs, values, rows, preparation, notes)
        return PreparedTable(data, preparation.columns, rows, features, data.notes, len(rows.train))

    def split_column(self, frame: DataFrame | None = None) -> str | None:
        """Return the column that names the part of each row, if there is one and it is not to be left out.

        ``frame`` holds the columns that may be it, of all rows (None: all columns).
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
        inputs = [str(name) for name in self.head.columns if name not in (self.target, *roles)]
        return replace(self, columns=unscaled(inputs, self.columns))

    def coded(self) -> Table:
        """Return the same table with each different text of a column once: quicker where many are prepared of
        its rows.
        """
        return self.with_rows(coded(self.frame))

    def with_rows(self, frame: DataFrame) -> Table:
        """Return the same table with the rows of this data frame."""
        return replace(self, source=InMemorySource(frame))

    def targets(self) -> tuple[TargetColumn, np.ndarray, np.ndarray]:
        """Return what the target is, its value in every row, and whether a row has one (if not, its value means
        nothing).

        What it is, is inferred from all rows but those that a column says are for the test.
        """
        return self._targets(self.frame, _training(self.frame, self.target, self.split_column()), [], None)

    def _targets(
        self, frame: DataFrame, training: Any, notes: list[str], target: TargetColumn | None
    ) -> tuple[TargetColumn, np.ndarray, np.ndarray]:
        """Return what `targets` gives of the rows of a frame; inferred from the cells ``training``, unless known."""
        if target is None:
            target, note = learn_target(
                training,
                self.task,
                missing=self.missing,
                style=self.columns.get(self.target),
                others=lambda: self.source.beside(training.index).drop(columns=self.target),
            )
            if note:
                notes.append(note)
        return target, *_filled(target.read(frame[self.target]))

    def _columns_of_split(self, spec: SplitSpec) -> list[str]:
        """Return the target, and the columns by which the rows are split or may be."""
        roles = (self.target, *spec.columns)
        return [name for name in self.head.columns if name in roles or may_name_parts(name)]

    def _learn(
        self,
        features: DataFrame,
        targets: np.ndarray,
        rows: Split,
        target: TargetColumn,
        preparation: Preprocessor | None,
        components: int | float | None,
        notes: list[str],
    ) -> Preprocessor:
        """Return what is learnt from the training rows, unless it is known; note what is suspicious about the rows."""
        if preparation is None:
            gone = {*self.head.columns} - {*features.columns}  # they say how the rows are split, or are the target
            preparation, learnt_notes = learn(
                features.iloc[rows.train],
                targets[rows.train],
                target.task,
                overrides={name: value for name, value in self.columns.items() if name not in gone},
                components=components,
                missing=self.missing,
            )
            notes += learnt_notes
        if preparation.target is None:
            preparation = replace(preparation, target=target)
        whole = features.assign(**{self.target: targets})  # the same inputs with another answer are another row
        known = whole.iloc[rows.train]
        for part, name in ((rows.validation, "validation"), (rows.test, "test")):
            if len(part) and (same := duplicates(known, whole.iloc[part])):
                notes.append(format_duplicates(same, len(part), name))
        return preparation


def _training(frame: DataFrame, target: str, split: str | None) -> Any:
    """Return the target's cells in the rows that may be learnt from: those that no column says are for the test."""
    cells = frame[target]
    return cells if split is None else cells[frame[split].astype(str).str.strip().str.lower() != "test"]


def _where(mask: np.ndarray, frame: DataFrame, values: np.ndarray) -> tuple[DataFrame, np.ndarray]:
    """Return the rows that the mask marks; where it marks all, nothing is copied."""
    return (frame, values) if mask.all() else (frame[mask], values[mask])


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


def _row_numbers(numbers: Any, n: int) -> np.ndarray:
    """Return numbers of rows, checked."""
    rows = np.asarray(numbers)
    if not rows.size:
        return np.zeros(0, np.intp)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise DataError(f"Rows are given by their numbers, such as [0, 1, 5], got {rows.dtype} of shape {rows.shape}.")
    if rows.min() < 0 or rows.max() >= n:
        wrong = rows.min() if rows.min() < 0 else rows.max()
        raise DataError(f"There is no row {wrong}: the table's {n:,} rows have the numbers 0 to {n - 1}.")
    return rows.astype(np.intp)
