"""What an examination comes to, without how it is shown: `text` and `html` show it, `Diagnosis` is all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from chainrule.symptoms.evidence import Cause, Finding, Stage
from chainrule.symptoms.fix import Fix
from chainrule.symptoms.plain import Plain

__all__ = ["Answer"]


@dataclass(frozen=True)
class Answer(Plain):
    """Whether something is wrong with a training run, what it is, and what to change: see `Diagnosis`."""

    causes: tuple[Cause, ...]
    findings: tuple[Finding, ...]
    ran: tuple[Stage, ...]
    rates: str = ""

    parts: ClassVar[Mapping[str, type]] = {"causes": Cause, "findings": Finding, "ran": Stage}

    @property
    def alarm(self) -> bool:
        """Whether something is at fault."""
        return any(finding.level == "alarm" for finding in self.findings)

    @property
    def fix(self) -> Fix | None:
        """What to change: the fix of the first cause that has one."""
        return next((cause.fix for cause in self.causes if cause.fix is not None), None)

    @property
    def proven(self) -> bool:
        """Whether the first cause is proven."""
        proof = self.causes[0].proof if self.causes else None
        return proof is not None and proof.verdict == "proven"

    @property
    def undetermined(self) -> bool:
        """Whether something is at fault, and no cause is likelier than all others together."""
        return self.alarm and not any(cause.probability > 0.5 for cause in self.causes)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON."""
        answers = {"alarm": self.alarm, "proven": self.proven, "undetermined": self.undetermined}
        return answers | super().to_dict() | {"fix": None if self.fix is None else self.fix.to_dict()}
