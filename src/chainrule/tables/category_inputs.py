"""The categories of a table: which ones have an input or a code of their own, and where the others go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Categories", "rare_below"]

Array = NDArray[Any]


def rare_below(rows: int) -> int:
    """Return categories in fewer training rows than this count as one: 1 % of the rows, but at most 10 of them.

    >>> rare_below(50), rare_below(344), rare_below(100_000)
    (1, 4, 10)
    """
    return min(10, -(-rows // 100))


@dataclass(frozen=True, eq=False)
class Categories:
    """Columns of categories that are encoded in one way.

    Attributes
    ----------
    names : of the columns
    encoder : scikit-learn's OneHotEncoder, for one input per category; its OrdinalEncoder, for codes; None if there are
        no such columns
    """

    names: tuple[str, ...]
    encoder: Any

    @classmethod
    def fit(cls, names: Sequence[str], texts: Array, *, codes: bool) -> Self:
        """Learn the categories of the training rows, (rows, columns); a missing value (None) is one of them."""
        from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

        common = {"min_frequency": rare_below(len(texts)), "dtype": np.float64}
        if not names:
            return cls((), None)
        if codes:
            encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, **common)
        else:
            encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", sparse_output=False, **common)
        # scikit-learn counts texts one by one in Python, numbers at once: it is shown each category's place.
        ranks, values = zip(*(_ranked(column) for column in texts.T), strict=True)
        encoder.fit(np.stack(ranks, axis=1))
        encoder.categories_ = list(values)
        return cls(tuple(names), encoder)

    def __call__(self, texts: Array) -> Array:
        """Return one-hot inputs, or codes: 0 for rare and unseen categories, then the others in order."""
        if self.encoder is None:
            return np.zeros((len(texts), 0))
        encoded: Array = self.encoder.transform(texts)
        if self.codes:
            for j, frequent in enumerate(self.frequent):
                encoded[:, j] = np.where(encoded[:, j] >= len(frequent), 0, encoded[:, j] + 1)
        return encoded

    @property
    def codes(self) -> bool:
        """Whether there is one code per column, and not one input per category."""
        return type(self.encoder).__name__ == "OrdinalEncoder"

    @property
    def frequent(self) -> list[list[str | None]]:
        """The categories of each column that are not rare, in the order of their inputs or codes."""
        if self.encoder is None:
            return []
        rare = [set() if some is None else set(some.tolist()) for some in self.encoder.infrequent_categories_]
        pairs = zip(self.encoder.categories_, rare, strict=True)
        return [[value for value in values.tolist() if value not in some] for values, some in pairs]

    @property
    def titles(self) -> list[str]:
        """What each input stands for: "city=Rome", "city=(missing)", "city=(rare)"; for codes the column's name."""
        if self.codes or self.encoder is None:
            return list(self.names)
        titles = []
        for j, (name, frequent) in enumerate(zip(self.names, self.frequent, strict=True)):
            values = ["(missing)" if value is None else value for value in frequent]
            titles += [f"{name}={value}" for value in (*values, *(["(rare)"] if self.has_rare(j) else []))]
        return titles

    def has_rare(self, j: int) -> bool:
        """Return whether a column has categories that are in few training rows."""
        return self.encoder.infrequent_categories_[j] is not None

    def lookup(self, name: str) -> tuple[dict[str | None, int], int | None]:
        """Return for one column the code (or the place among its inputs) of each category, and of those not among them.

        None as a category stands for a missing value, None as a place for a row of zeros.
        """
        j = self.names.index(name)
        frequent = self.frequent[j]
        first, rest = (1, 0) if self.codes else (0, len(frequent) if self.has_rare(j) else None)
        places = {value: first + i for i, value in enumerate(frequent)}
        if rest is not None:
            places |= {value: rest for value in self.encoder.categories_[j].tolist() if value not in places}
        return places, rest


def _ranked(texts: Array) -> tuple[Array, Array]:
    """Return the place of each text among the sorted different ones, and these; None, a missing value, comes last."""
    import pandas as pd

    ranks, values = pd.factorize(texts, sort=True)
    missing = ranks < 0
    if missing.any():
        ranks = np.where(missing, len(values), ranks)
        values = np.append(values, [None])
    return ranks, values
