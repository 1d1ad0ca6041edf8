"""Whether rows occur more than once, and whether validation rows are among those that are trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data import Stream
from chainrule.data.rows import Rows
from chainrule.models import Model
from chainrule.recipe.run_data import run_data
from chainrule.statistics import wilson
from chainrule.symptoms.data.examined import encoded_targets, examined, listed, per_subject, row_numbers, share
from chainrule.symptoms.evidence import Evidence, Finding
from chainrule.symptoms.subject import Subject
from chainrule.tables.split import PARTS
from chainrule.tables.table import Table

__all__ = ["duplicate_rows", "rows_twice"]

Array = NDArray[Any]

#: Rows with a twin, and validation rows found in training (beyond twice the training rows' own share): above is at
#: fault.
TWINS, FOUND = 0.2, 0.05

#: Rows that are like no others but for one part of their columns: of copies so many have a twin (lower end), of rows of
#: few different values hardly any (of the Titanic 3 %, of its columns rounded to a step of 4 13 %).
COPIES, PARTS_OF_COLUMNS = 0.3, 10

#: The share of rows that must be like no others: in a grid of few values (1 % are) these have twins by nature, too.
APART = 0.1

#: So many numbers are compared at most, else the rows that are examined.
CELLS = 2 * 10**7


@dataclass(frozen=True, eq=False)
class Twins:
    """Which rows are the same.

    Attributes
    ----------
    copies : the rows whose like comes before them, counted from 0 in the data as it was given; training rows only
    twins : how many training rows have a twin
    apart : how many are like no others but for a part of their columns
    apart_twins : how many of these have a twin
    train : how many training rows there are
    in_training, validation : validation rows that are among the training rows, and all of them
    in_validation : the training rows that validation rows are the same as
    """

    copies: NDArray[np.intp]
    twins: int
    apart: int
    apart_twins: int
    train: int
    in_training: int
    validation: int
    in_validation: NDArray[np.intp]

    @property
    def copied(self) -> bool:
        """Whether rows with a twin are copies, and not alike because their columns have few values."""
        return self.apart >= APART * self.train and wilson(self.apart_twins, self.apart)[0] > COPIES


def rows_twice(subject: Subject) -> Iterator[Finding]:
    """Find rows that occur more than once, and validation rows that are trained on.

    Statistic: the share of training rows with a twin (all inputs and the target the same; of a table, all cells), and
    the share of the given validation rows that are found among the training rows. Rows that `fit` draws for validation
    have the same twins as others, so for them the first tells all.

    Null: rows of few different values have twins by nature, but then they have further likes but for one part of their
    columns (a tenth of them), too: of the rows that have no such likes hardly any has a twin. Copies are made of any
    row. So twins are duplicates where of these rows (a tenth of all at least), too, more than .3 have one (Wilson's
    lower end); more than .2 of all rows are an alarm. Validation rows: .05 and twice the training rows' own share of
    twins.

    Source: Barz and Denzler (2020), duplicates between CIFAR's parts.
    """
    if not np.ptp(examined(subject).x, axis=0).any():
        return  # inputs that are the same in every row are no copies: they say nothing
    twins = _twins(subject)
    twin_share, shared = twins.twins / max(twins.train, 1), twins.in_training / max(twins.validation, 1)
    apart = Evidence(
        "of the rows like no others but for a part of their columns, those with a twin",
        twins.apart_twins / max(twins.apart, 1),
        None,
        COPIES,
    )
    bound = FOUND + 2 * twin_share
    evidence: tuple[Evidence, ...]
    if twins.validation:
        evidence = (Evidence("validation rows that are among the training rows", shared, None, bound),)
        if shared > bound and twins.validation >= 10:
            of_them = share(twins.in_training, twins.validation)
            text = (
                f"{twins.in_training:,} of the {twins.validation:,} validation rows ({of_them}) are in the training "
                f"data, too (of which {share(twin_share, 1)} have a twin among themselves), so the score on them says "
                "little about new rows."
            )
            yield Finding("rows_twice", "alarm", text, "validation rows", evidence, ("overlap",))
    evidence = (Evidence("training rows with a twin", twin_share, None, TWINS), apart)
    if twin_share > TWINS and twins.copied and twins.train >= 10:
        text = (
            f"{twins.twins:,} of the {twins.train:,} rows ({share(twins.twins, twins.train)}) occur more than once, "
            f"and they are copies: of the {twins.apart:,} that are like no others but for a part of their columns, "
            f"{share(twins.apart_twins, twins.apart)} do. {listed(twins.copies).capitalize()}."
        )
        yield Finding("rows_twice", "alarm", text, "rows", evidence, ("duplicates", "overlap"))
    elif twin_share > TWINS:
        text = (
            f"{share(twin_share, 1)} of the rows have a twin, as rows of few different values do "
            f"(of the {twins.apart:,} that are like no others but for a part of their columns, "
            f"{share(twins.apart_twins, twins.apart)} have one)."
        )
        yield Finding("rows_twice", "note", text, "", evidence)
    elif not (twins.validation and shared > bound):
        among = f", and {share(shared, 1)} of the validation rows are among them" if twins.validation else ""
        text = f"Rows occur once: {share(twin_share, 1)} of the {twins.train:,} have a twin{among}."
        yield Finding("rows_twice", "note", text, "", evidence, (), ("duplicates", "overlap"))


def duplicate_rows(subject: Subject) -> NDArray[np.intp]:
    """Return the training rows to drop, so that each occurs once and none is a validation row, counted from 0 in the
    data as it was given: later copies, and rows that are the same as one of the given validation rows.
    """
    twins = _twins(subject)
    return np.union1d(twins.copies, twins.in_validation)


@per_subject
def _twins(subject: Subject) -> Twins:
    keys, numbers, of_validation = _fingerprints(subject)
    whole = keys.sum(axis=1, dtype=np.uint64)
    _, first, place, counts = np.unique(whole, return_index=True, return_inverse=True, return_counts=True)
    likes = counts[place.ravel()]
    has_twin = likes > 1
    near = np.zeros(len(keys), np.bool_)
    for part in range(keys.shape[1]):
        _, place, counts = np.unique(whole - keys[:, part], return_inverse=True, return_counts=True)
        near |= counts[place.ravel()] > likes
    copies = numbers[np.setdiff1d(np.arange(len(keys)), first)]
    in_training = int(np.isin(of_validation, whole).sum())
    in_validation = numbers[np.isin(whole, of_validation)]
    return Twins(
        copies,
        int(has_twin.sum()),
        int((~near).sum()),
        int((~near & has_twin).sum()),
        len(keys),
        in_training,
        len(of_validation),
        in_validation,
    )


Fingerprints = tuple[NDArray[np.uint64], NDArray[np.intp], NDArray[np.uint64]]


def _fingerprints(subject: Subject) -> Fingerprints:
    """Return a number for each part of the columns of each row, and last for its targets: equal rows have equal ones
    (and others, but for one chance in 2⁶⁴, not). Then where the rows stand in the data as it was given, and the sum of
    such numbers for each validation row that was given.
    """
    data, settings = subject.data, subject.settings
    drawn = settings.validation is None or isinstance(settings.validation, float | int | np.number)
    if isinstance(data, Table) and data.in_memory and drawn:
        return _of_cells(data)
    seen = examined(subject)
    x, y = seen.x, seen.y
    numbers = None
    if not isinstance(data, Table | Stream):  # all rows, not just those that are examined
        rows = run_data(subject.net if isinstance(subject.net, Model) else None, data, None, settings.seed)
        if not isinstance(rows.x, Rows) and len(rows.x) > len(x) and rows.x.size <= CELLS:
            x = np.asarray(subject.run.prepared.inputs.finish(rows.x, subject.run.model.precision))
            x = x.reshape(len(x), -1)
            y = encoded_targets(subject, rows.y)
            numbers = np.arange(len(x))
    if numbers is None:
        numbers = row_numbers(subject)
    of_validation = np.zeros(0, np.uint64)
    if seen.validation is not None:
        of_validation = _hashed(*seen.validation).sum(axis=1, dtype=np.uint64)
    return _hashed(x, y), numbers, of_validation


def _hashed(x: Array, y: Array) -> NDArray[np.uint64]:
    """Return numbers for each part of the columns, and for the targets: Σ bits · w modulo 2⁶⁴ with random odd w."""
    parts = np.array_split(np.arange(x.shape[1]), min(PARTS_OF_COLUMNS, x.shape[1]))
    starts = [int(part[0]) for part in parts]
    draw = np.random.default_rng(0)
    of_inputs, of_targets = (draw.integers(1, 2**63, width, np.uint64) * 2 + 1 for width in (x.shape[1], y.shape[1]))
    keys = np.empty((len(x), len(parts) + 1), np.uint64)
    for start in range(0, len(x), 4096):
        block = slice(start, start + 4096)
        keys[block, :-1] = np.add.reduceat(_bits(x[block]) * of_inputs, starts, axis=1)
        keys[block, -1] = (_bits(y[block]) * of_targets).sum(axis=1, dtype=np.uint64)
    return keys


def _bits(values: Array) -> NDArray[np.uint64]:
    """Return the bits of float32 numbers, the same for 0 and -0."""
    return (np.ascontiguousarray(values, np.float32) + np.float32(0)).view(np.uint32).astype(np.uint64)


def _of_cells(table: Table) -> Fingerprints:
    """Return the fingerprints of a table's rows, by all their cells."""
    import pandas as pd

    frame, name = table.frame, table.split_column()
    part = np.full(len(frame), "train", object)
    if name is not None:
        part = frame[name].astype(str).str.strip().str.lower().map(PARTS).to_numpy()
        frame = frame.drop(columns=name)
    order = [*(column for column in frame.columns if column != table.target), table.target]
    keys = np.stack([_cells(pd, frame[column]) for column in order], axis=1)
    numbers = np.flatnonzero(part == "train")
    return keys[numbers], numbers, keys[part == "validation"].sum(axis=1, dtype=np.uint64)


def _cells(pd: Any, column: Any) -> NDArray[np.uint64]:
    """Return a number for each cell; the same cell in two columns has two."""
    cells = column.astype(str) if column.dtype == object else column
    hashed = pd.util.hash_pandas_object(cells, index=False).to_numpy(np.uint64)
    salt = np.uint64(pd.util.hash_array(np.array([str(column.name)], object))[0] | 1)
    return np.asarray(hashed * salt)
