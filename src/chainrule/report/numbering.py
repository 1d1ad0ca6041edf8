"""One numbering of rows: that of the data, as everywhere on the page."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.training.recorded import Recorded, RowValues


def numbered(recorded: Recorded, evaluation: Mapping[str, Any]) -> Recorded:
    """Return a recording whose rows have their numbers in the data; as it is, where the evaluation knows no others.

    Training counts the rows that it is given; ``row_numbers`` of the evaluation says which of the data these are.
    """
    numbers_in_data = evaluation.get("row_numbers")
    if not numbers_in_data:
        return recorded
    training = np.asarray(numbers_in_data["training"])
    validation = np.asarray(numbers_in_data.get("validation", training))
    if "validation" not in numbers_in_data and _is_apart(recorded):
        validation = np.arange(1 + int(recorded.fixed.numbers.max(initial=0)))
    fixed = recorded.fixed
    parts = ((recorded.rows, training), (recorded.validation, validation))
    of_fixed = ((fixed.numbers[~fixed.is_validation], training), (fixed.numbers[fixed.is_validation], validation))
    every = [(rows.numbers, to) for rows, to in parts if rows is not None] + list(of_fixed)
    if any(len(numbers) and numbers.max() >= len(to) for numbers, to in every):
        return recorded  # the evaluation is of other data
    renumbered = fixed.numbers.copy()
    for is_part, (numbers, to) in zip((~fixed.is_validation, fixed.is_validation), of_fixed, strict=True):
        renumbered[is_part] = to[numbers]

    def of(rows: RowValues | None, to: np.ndarray) -> RowValues | None:
        return None if rows is None else dataclasses.replace(rows, numbers=to[rows.numbers])

    return dataclasses.replace(
        recorded,
        rows=of(recorded.rows, training),
        validation=of(recorded.validation, validation),
        fixed=dataclasses.replace(fixed, numbers=renumbered),
    )


def _is_apart(recorded: Recorded) -> bool:
    """Return whether validation rows came with the data: then they are counted for themselves."""
    if recorded.rows is None or recorded.validation is None:
        return False
    return bool(np.isin(recorded.validation.numbers, recorded.rows.numbers).any())
