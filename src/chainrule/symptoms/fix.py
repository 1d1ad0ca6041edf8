"""A change that may take a cause away: of settings, of the network, of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from chainrule.symptoms.plain import Plain

__all__ = ["DataChange", "Fix"]


@dataclass(frozen=True)
class DataChange(Plain):
    """A change of the data.

    Attributes
    ----------
    kind : "drop_columns", "drop_rows", "clip" or "scale"
    columns : names or positions of the inputs it is about; of "clip" and "scale" () is the target
    rows : numbers of training rows, counted from 0 in the data as it was given
    low, high : of "clip", the least and the largest value of each column; of "scale", what is subtracted and what it is
        then divided by
    """

    kind: str
    columns: tuple[str | int, ...] = ()
    rows: tuple[int, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True)
class Fix(Plain):
    """A change that may take a cause away.

    Attributes
    ----------
    text : what to do, as a sentence
    changes : what to set, in the words of a member of `fit_population`: ``"optimizer.lr"``, ``"net"``, ``"normalize"``
    data : changes of the data, in their order
    """

    text: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    data: tuple[DataChange, ...] = ()

    parts: ClassVar[Mapping[str, type]] = {"data": DataChange}
