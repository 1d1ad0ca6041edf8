"""The recording of a run: its parts as bytes and arrays, and where they are kept while it goes on.

It has a header of plain values, some rows that stay the same (``fixed``), parts to which records are appended, and
snapshots of the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

Array = np.ndarray

#: The values of a step.
STEP = np.dtype([("loss", "<f4"), ("score", "<f4"), ("lr", "<f4")])

#: The code of the highest cost of an epoch; each one less is 1/8 of a power of two. 0 is a cost of 0, or less than the
#: lowest code says; NOT_A_COST one that has no logarithm.
HIGHEST, NOT_A_COST = 254, 255


#: What grows: the values of every step; what was answered for rows in an epoch; how far single steps moved the weights.
PARTS = ("steps", "rows", "updates")


class Recording(Protocol):
    """What a recorder appends to: memory, or a folder."""

    header: Mapping[str, Any]
    fixed: Mapping[str, Array]

    def append(self, part: str, records: Array) -> None:
        """Append records to one of the `PARTS`."""

    def records(self, part: str) -> Array:
        """Return all records of a part, of its `record_type`."""

    def add_snapshot(self, step: int, arrays: Mapping[str, Array]) -> None:
        """Add the weights after a step."""

    def stops(self) -> tuple[int, ...]:
        """Return the steps of the snapshots, rising."""

    def snapshot(self, step: int) -> dict[str, Array]:
        """Return the weights after a step."""


class MemoryRecording:
    """A recording in memory."""

    def __init__(self, header: Mapping[str, Any], fixed: Mapping[str, Array]) -> None:
        self.header, self.fixed = header, fixed
        self._content = {part: bytearray() for part in PARTS}
        self._snapshots: dict[int, dict[str, Array]] = {}

    def append(self, part: str, records: Array) -> None:
        self._content[part] += records.tobytes()

    def records(self, part: str) -> Array:
        return np.frombuffer(bytes(self._content[part]), record_type(part, self.header))

    def add_snapshot(self, step: int, arrays: Mapping[str, Array]) -> None:
        self._snapshots[step] = {name: np.array(values) for name, values in arrays.items()}

    def stops(self) -> tuple[int, ...]:
        return tuple(sorted(self._snapshots))

    def snapshot(self, step: int) -> dict[str, Array]:
        return self._snapshots[step]


def record_type(part: str, header: Mapping[str, Any]) -> np.dtype[Any]:
    """Return the type of a record of one of the `PARTS`.

    >>> record_type("rows", {"rows": 3, "validation_rows": 2, "classes": 10}).itemsize  # 4 + 2 + 3 + 3 + 2 bytes
    14
    """
    if part == "steps":
        return STEP
    if part == "updates":
        return np.dtype([("step", "<u4"), ("figures", "<f4", (len(header["figures"]),))])
    fields: list[tuple[Any, ...]] = [("epoch", "<u4"), ("exponent", "<i2"), ("costs", "u1", (header["rows"],))]
    if classes := header["classes"]:
        code = answer_type(classes).str
        fields += [("answers", code, (header["rows"],)), ("validation", code, (header["validation_rows"],))]
    return np.dtype(fields)


def answer_type(classes: int) -> np.dtype[Any]:
    """Return the type of the number of a class."""
    return np.dtype(np.min_scalar_type(classes - 1)).newbyteorder("<")


def codes_of(costs: Array) -> tuple[int, Array]:
    """Return costs as an exponent and one byte each: the highest cost is 2 to the exponent, rounded up.

    >>> exponent, codes = codes_of(np.array([3.0, 0.5, 0.0]))
    >>> exponent, [round(cost, 3) for cost in costs_of(codes, exponent).tolist()]
    (2, [3.084, 0.5, 0.0])
    """
    with np.errstate(all="ignore"):
        logarithms = np.log2(costs)  # -inf of 0, NaN of what is below
    is_cost = logarithms < np.inf
    highest = np.max(logarithms, initial=-np.inf, where=is_cost)
    exponent = int(np.ceil(highest)) if np.isfinite(highest) else 0
    codes = np.clip(np.rint(8.0 * (np.where(is_cost, logarithms, 0.0) - exponent)) + HIGHEST, 0, HIGHEST)
    return exponent, np.where(is_cost, codes, NOT_A_COST).astype(np.uint8)


def costs_of(codes: Array, exponent: Any) -> Array:
    """Return the costs of `codes_of`, as float32; those of several epochs with an exponent each."""
    exponents = np.asarray(exponent, np.float32)[..., None] if np.ndim(exponent) else np.float32(exponent)
    costs: Array = np.exp2((codes.astype(np.float32) - HIGHEST) / 8 + exponents)
    costs[codes == 0] = 0.0
    costs[codes == NOT_A_COST] = np.nan
    return costs
