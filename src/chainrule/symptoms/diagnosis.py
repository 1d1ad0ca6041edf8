"""The result of an examination."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from chainrule.display.text import Text
from chainrule.errors import FileError
from chainrule.files import as_path, write_atomic
from chainrule.symptoms import html, text
from chainrule.symptoms.answer import Answer
from chainrule.symptoms.plain import finite

__all__ = ["Diagnosis"]


@dataclass(frozen=True, repr=False)
class Diagnosis(Answer):
    """Whether something is wrong with a training run, what it is, and what to change.

    Printed, it is one screen; ``repr`` is one line. In a notebook it shows itself.

    Attributes
    ----------
    causes : those that may be at fault, the first is the answer; () where there is no alarm
    findings : all that was found, in the order in which it was looked for
    ran : the stages of the examination, and what was left out and why
    rates : the version of the table of false alarms (``bench/results/doctor.md``) that the rules were measured by
    alarm : whether something is at fault
    fix : what to change: the `Fix` of the first cause that has one, or None
    proven : whether the first cause is proven: the fix was tried against the untouched run and against fixes drawn at
        random, or the check is exact
    undetermined : whether something is at fault, and no cause is likelier than all others together

    Example
    -------
    >>> import chainrule as cr
    >>> diagnosis = cr.Diagnosis(causes=(), findings=(), ran=())
    >>> diagnosis, diagnosis.alarm, cr.Diagnosis.from_dict(diagnosis.to_dict()) == diagnosis
    (Diagnosis(nothing wrong found), False, True)
    """

    def summary(self, *, everything: bool = False) -> Text:
        """Return it as one screen of text, to print; ``everything``: also each check that found nothing."""
        return Text(text.format_diagnosis(self, everything=everything))

    def save(self, path: str | Path) -> None:
        """Write it as JSON, which `load` reads."""
        plain = json.dumps(finite(self.to_dict()), indent=1, ensure_ascii=False, allow_nan=False)
        write_atomic(as_path(path), plain + "\n")

    @classmethod
    def load(cls, path: str | Path) -> Diagnosis:
        """Read what `save` wrote; a `FileError` where that cannot be read."""
        path = as_path(path)
        try:
            return cls.from_dict(json.loads(path.read_text("utf-8")))
        except OSError as error:
            raise FileError(f"{path} cannot be read: {error.strerror}.") from None
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise FileError(f"{path} holds no diagnosis, or is damaged: {type(error).__name__}: {error}.") from None

    def to_html(self, path: str | Path) -> Path:
        """Write it as a page of its own, for a browser, and give its path."""
        written = as_path(path)
        write_atomic(written, html.page(self))
        return written

    def __str__(self) -> str:
        return text.format_diagnosis(self)

    def __repr__(self) -> str:
        if not self.alarm:
            return "Diagnosis(nothing wrong found)"
        first = self.causes[0] if self.causes else None
        if first is None or self.undetermined:
            likely = " or ".join(cause.name for cause in self.causes[:2])
            return f"Diagnosis(alarm: undetermined{f', perhaps {likely}' if likely else ''})"
        return f"Diagnosis(alarm: {first.name}{', proven' if self.proven else ''})"

    def _repr_html_(self) -> str:
        return str(self.summary()._repr_html_())
