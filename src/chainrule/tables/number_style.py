"""How numbers are written: which mark stands before the decimals, which signs stand beside them.

``1.234`` is one number or a thousand times another, and nothing in the cell itself says which. What decides, in order:

1. **Sure cells** of the same column: ``0,5``, ``12.75``, ``1.234,5``, ``1.163.022``, ``3,877E-01`` can be read in one
   way only.
2. **The training rows**, for a table that is read after training: a reading that puts the cells where the training
   rows were, when the other one does not.
3. **Sure cells** of other columns of the same table, by the number of columns.
4. **Whole numbers** beside the groups of three: one of four or more digits without a mark means that thousands are not
   marked, so the mark stands before decimals; with three digits at most, that it separates thousands.
   Amounts of money have no three decimals: what separates groups of three beside a currency separates thousands.
5. **The separator**: semicolons are written where the decimal mark is a comma. Numbers such as ``1.234`` between
   semicolons are thousands if they are rounded (a third of them ends in a zero).
6. The mark of the training rows, or else the point.

Where neither 1 nor 3 decides and another reading was possible, `Style.doubt` says so, and it is always shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.tables.columns import Column
from chainrule.tables.numbers import SPACES, UNITS, as_number, bare_number

__all__ = ["Evidence", "Style", "infer_style", "votes"]

#: Of numbers in groups of three, so many end in a zero if they are rounded amounts rather than decimals.
ROUNDED = 0.3

#: More different texts than so many are worth counting at once.
MANY = 50

#: The signs of currencies.
MONEY = UNITS.replace("%", "")

#: Percentages go beyond this; fractions do not.
FRACTION, PERCENT = 1.0, 1.5


def _forms() -> re.Pattern[str]:
    forms = []
    for name, m, o in (("point", r"\.", ","), ("comma", ",", r"\.")):
        forms.append(
            rf"(?P<{name}>[0-9]*{m}(?:[0-9]{{1,2}}|[0-9]{{4,}})|0[0-9]*{m}[0-9]+|{m}[0-9]+|[0-9]{{4,}}{m}[0-9]+"
            rf"|[0-9]*{m}[0-9]*[eE][+-]?[0-9]+"
            rf"|[0-9]{{1,3}}(?:{o}[0-9]{{3}})+{m}[0-9]+|[1-9][0-9]{{0,2}}(?:{o}[0-9]{{3}}){{2,}})"
        )
        forms.append(rf"(?P<grouped_{name}>[1-9][0-9]{{0,2}}{m}[0-9]{{3}})")
    return re.compile("|".join([*forms, "(?P<short>[0-9]{1,3})", "(?P<long>[1-9][0-9]{3,})"]))


_FORM = _forms()
PLAIN = re.compile(r"[+-]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")  # no leading zeros, no signs, no exponents
_SPACED = re.compile(rf"(?<=[0-9])[{SPACES}](?=[0-9]{{3}})")
_FRACTION = re.compile(r"0*[.,][0-9]*[1-9][0-9]*")
_ZERO_OR_ONE = re.compile(r"0*[01]?(?:[.,]0*)?")


@dataclass
class Evidence:
    """How the cells of one column are written: counts of cells, which add up over the pieces of a table.

    Attributes
    ----------
    forms : cells that are surely written with a decimal point or comma; groups of three after either mark that may be
        decimals or thousands; whole numbers without a mark, of at most three digits and of more
    rounded : groups of three that end in a zero
    signs : cells with each of `UNITS`
    bare, signed : numbers without and with a sign that lie strictly between -1 and 1 ("fraction"), are 0 or ±1 ("one"),
        or go beyond ("larger")
    brackets : numbers in brackets, which are negative
    inside : groups of three that lie where the training rows were, by the mark that is taken for the decimal one
    example : the first group of three
    """

    forms: Counter[str] = field(default_factory=Counter)
    rounded: int = 0
    signs: Counter[str] = field(default_factory=Counter)
    bare: Counter[str] = field(default_factory=Counter)
    signed: Counter[str] = field(default_factory=Counter)
    brackets: int = 0
    inside: Counter[str] = field(default_factory=Counter)
    example: str = ""

    def add(self, other: Evidence) -> None:
        """Count the cells of another piece of the table, too."""
        for counts in ("forms", "signs", "bare", "signed", "inside"):
            getattr(self, counts).update(getattr(other, counts))
        self.rounded += other.rounded
        self.brackets += other.brackets
        self.example = self.example or other.example

    def add_texts(self, texts: Mapping[str, int], known: Column | None = None) -> None:
        """Count cells by their text; ``known`` is the column as the training rows had it."""
        plain = [text for text in texts if PLAIN.fullmatch(text)]
        if len(plain) > MANY:  # most columns: numbers that are written in one way, and counted at once
            self._add_plain(plain, [texts[text] for text in plain], known)
            texts = {text: texts[text] for text in texts.keys() - set(plain)}
        for text, count in texts.items():
            number, unit = bare_number(text)
            digits = number.lstrip("+-")
            form = _FORM.fullmatch(digits) or _FORM.fullmatch(_SPACED.sub("", digits))
            if form is None:
                continue
            self.brackets += count * (text[0] == "(")
            if unit:
                self.signs[unit] += count
            size = "one" if _ZERO_OR_ONE.fullmatch(digits) else "fraction" if _FRACTION.fullmatch(digits) else "larger"
            (self.signed if unit else self.bare)[size] += count
            kind = form.lastgroup or ""
            self.forms[kind] += count
            if kind.startswith("grouped"):
                self.example = self.example or number
                self.rounded += count * digits.endswith("0")
                for mark in ".," if known is not None else "":
                    self.inside[mark] += count * int(_lies_inside(as_number(number, mark), known))

    def _add_plain(self, texts: Sequence[str], counts: Sequence[int], known: Column | None) -> None:
        """Count numbers with a decimal point and whole ones, as `add_texts` does one by one."""
        weights, values = np.array(counts), np.array(texts, object).astype(np.float64)
        size = np.abs(values)
        pointed = np.array(["." in text for text in texts])
        ones = (size == 0) | (size == 1)
        grouped = np.array([text[-4:-3] == "." for text in texts]) & (size >= 1) & (size < 1_000)
        if grouped.any():
            places = np.flatnonzero(grouped).tolist()
            self.example = self.example or texts[places[0]]
            self.forms["grouped_point"] += int(weights[grouped].sum())
            self.rounded += sum(counts[i] for i in places if texts[i].endswith("0"))
            for mark, factor in ((".", 1.0), (",", 1_000.0)) if known is not None else ():
                inside = _lies_inside(np.round(values[grouped] * factor, 3), known)
                self.inside[mark] += int(weights[grouped][inside].sum())
        for name, where in (
            ("point", pointed & ~grouped),
            ("short", ~pointed & (size < 1_000)),
            ("long", ~pointed & (size >= 1_000)),
        ):
            self.forms[name] += int(weights[where].sum())
        for name, where in (("one", ones), ("fraction", ~ones & (size < 1)), ("larger", ~ones & (size >= 1))):
            self.bare[name] += int(weights[where].sum())

    def add_numbers(self, values: Any) -> None:
        """Count the cells of a column that came as numbers, float64 with NaN."""
        size = np.abs(values[~np.isnan(values)])
        ones = int(((size == 0) | (size == 1)).sum())
        fractions = int((size < 1).sum()) - int((size == 0).sum())
        self.bare.update({"one": ones, "fraction": fractions, "larger": len(size) - ones - fractions})

    @property
    def sure(self) -> str:
        """The decimal mark of the cells that can be read in one way only; "" if there are none."""
        point, comma = self.forms["point"], self.forms["comma"]
        return "" if not point and not comma else "," if comma > point else "."


@dataclass(frozen=True)
class Style:
    """How the numbers of a column are to be read: fields of `Column`, and what should be said about it.

    Attributes
    ----------
    decimal, unit : the mark before the decimals, and the sign beside the numbers
    bare, signed : what numbers without and with the sign are multiplied by
    doubt, signs : which other reading was possible, and what numbers without the sign are taken for; "" if it is plain
    """

    decimal: str = "."
    unit: str = ""
    bare: float = 1.0
    signed: float = 1.0
    doubt: str = ""
    signs: str = ""

    @property
    def note(self) -> str:
        """What should be said about it."""
        return "; ".join(text for text in (self.doubt, self.signs) if text)

    def of(self, column: Column) -> Column:
        """Return the column, read in this style."""
        how: dict[str, Any] = {"decimal": self.decimal, "unit": self.unit, "bare": self.bare, "signed": self.signed}
        return replace(column, **how, note=self.note)


def votes(columns: Iterable[Evidence]) -> dict[str, int]:
    """Return how many columns of a table are surely written with each decimal mark."""
    return dict(Counter(evidence.sure for evidence in columns))


def infer_style(
    evidence: Evidence, table: Mapping[str, int], separator: str | None, known: Column | None = None
) -> Style:
    """Return how the numbers of a column are written, by the rules at the top of this file.

    Parameters
    ----------
    evidence
        What was counted in the column.
    table
        The `votes` of the columns of the table.
    separator
        Of a text file; None for a table without one.
    known
        The column as the training rows had it, to read another table.

    >>> evidence = Evidence()
    >>> evidence.add_texts({"2.571": 5, "850": 5})
    >>> infer_style(evidence, {}, ";").decimal
    ','
    """
    decimal, doubt = _decimal(evidence, table, separator, known)
    doubts = [doubt] if doubt else []
    if known is not None and decimal != known.decimal and (evidence.sure or evidence.example):
        marks = {".": "points", ",": "commas"}
        doubts = [
            f"numbers have decimal {marks[decimal]} here (what else separates them separates thousands), and decimal "
            f"{marks[known.decimal]} in the training rows; they are read so"
        ]
    if evidence.brackets and known is None:
        doubts.append("numbers in brackets are negative")
    unit, bare, signed, signs = _signs(evidence, known)
    return Style(decimal, unit, bare, signed, "; ".join(doubts), signs)


def _decimal(
    evidence: Evidence, table: Mapping[str, int], separator: str | None, known: Column | None
) -> tuple[str, str]:
    if evidence.sure:
        return evidence.sure, ""
    points, commas = table.get(".", 0), table.get(",", 0)
    of_table = "" if points == commas else "." if points > commas else ","
    usual = "," if separator == ";" and not points else "." if known is None else known.decimal
    if not evidence.example:  # nothing to tell it from: whole numbers, or no numbers
        return (of_table or usual) if known is None else known.decimal, ""
    groups = evidence.forms["grouped_point"] + evidence.forms["grouped_comma"]
    mark = "." if evidence.forms["grouped_point"] >= evidence.forms["grouped_comma"] else ","
    other = "," if mark == "." else "."
    if known is not None:
        inside = {m: evidence.inside[m] / groups for m in ".,"}
        for m, rival in ((mark, other), (other, mark)):
            if inside[m] > 0.5 and inside[rival] < 0.5 * inside[m]:
                return m, ""
    if of_table:
        return of_table, ""
    if known is not None and separator != ";":
        decimal = known.decimal
    elif evidence.forms["long"]:
        decimal = mark
    elif any(evidence.signs[sign] for sign in MONEY) or (evidence.forms["short"] and groups > 1):
        decimal = other
    elif separator == ";" and mark == ".":
        decimal = other if evidence.rounded >= ROUNDED * groups else usual if known is not None else mark
    else:
        decimal = usual
    return decimal, _other_reading(evidence.example, decimal)


def _other_reading(example: str, decimal: str) -> str:
    """Return what to say of ``1.234``, which is read in one of two ways."""
    read, rival = (as_number(example, mark) for mark in (decimal, "." if decimal == "," else ","))
    how = "decimals" if abs(read) < abs(rival) else "thousands"
    return (
        f"{example} is read as {read:.10g} ({how}), though it could be {rival:.10g}; decimal = "
        f"{'.' if decimal == ',' else ','!r} changes that"
    )


def _signs(evidence: Evidence, known: Column | None) -> tuple[str, float, float, str]:
    """Return the unit, what numbers without and with it are multiplied by, and what to say about that."""
    common = max(UNITS, key=lambda unit: evidence.signs[unit]) if evidence.signs else ""
    unit = common if known is None or not known.unit else known.unit
    bare, signed = (1.0, 1.0) if known is None else (known.bare, known.signed)
    if unit != "%":
        new = unit if known is not None and not known.unit else ""
        return unit, bare, signed, f"numbers have the sign {new!r} here, and none in the training rows" if new else ""
    percents, numbers = evidence.signs["%"], sum(evidence.bare.values())
    without = f"{numbers:,} of {numbers + percents:,} numbers have no sign '%'"
    if known is not None and known.unit != "%":  # the training rows had no sign
        of_fractions = 0 < max(abs(known.low), abs(known.high)) <= PERCENT
        how = "0.39" if of_fractions else "39"
        doubt = f"{percents:,} numbers have the sign '%', and none in the training rows; 39% is read as {how}"
        return unit, bare, 0.01 if of_fractions else 1.0, doubt
    if not numbers or not evidence.bare["fraction"] + evidence.bare["larger"]:
        return unit, bare, signed, f"{without}" if numbers and known is None else ""
    goes_beyond = evidence.signed["larger"] > 0 if known is None else max(abs(known.low), abs(known.high)) > PERCENT
    fractions = not evidence.bare["larger"] and goes_beyond
    changed = known is None or fractions != (known.bare != 1.0)
    if fractions:
        return unit, 100.0, signed, f"{without} and are read as fractions: 0.39 is 39%" if changed else ""
    return unit, 1.0, signed, f"{without} and are read as percent: 39 is 39%" if changed else ""


def _lies_inside(values: Any, known: Column | None) -> NDArray[np.bool_]:
    """Return whether numbers lie where the training rows were, or not far from there; NaN does not."""
    values = np.asarray(values)
    if known is None or known.low == known.high == 0.0:  # nothing is known
        return np.zeros(values.shape, bool)
    reach = known.high - known.low or abs(known.high)
    return (known.low - reach <= values) & (values <= known.high + reach)
