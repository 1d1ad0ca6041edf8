"""Which position of a search a trial is an attempt at. Imports Optuna, as `chainrule.tuning.trial_store` does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from optuna.trial import FrozenTrial, Trial, TrialState

from chainrule.population.member import Member

#: The attribute of a trial with its claim.
CLAIM = "claim"


@dataclass(frozen=True)
class Claim:
    """What a trial is an attempt at.

    Attributes
    ----------
    position, stage : in the search
    worker : the token of the search that trains it
    bracket : the first position and the number of those that are compared with each other, where the worst are stopped
    """

    position: int
    stage: int
    worker: str
    bracket: tuple[int, int] = (0, 0)

    @staticmethod
    def of(trial: FrozenTrial) -> Claim | None:
        """Return the claim of a trial; None if it has none."""
        attributes = trial.user_attrs.get(CLAIM)
        return None if attributes is None else Claim(**attributes | {"bracket": tuple(attributes["bracket"])})


@dataclass(eq=False)
class RunningTrial:
    """A trial that this process trains.

    Attributes
    ----------
    trial, number : Optuna's trial
    claim : its place in the search
    values : labels by setting
    member : what is trained for it
    reported : epochs whose values are in the study
    finished : whether it is finished there
    """

    trial: Trial
    claim: Claim
    values: dict[str, Any]
    member: Member = None  # type: ignore[assignment]
    reported: int = 0
    finished: bool = False
    number: int = field(init=False)

    def __post_init__(self) -> None:
        self.number = self.trial.number

    @property
    def stage(self) -> int:
        """The number of its stage."""
        return self.claim.stage

    @property
    def bracket(self) -> tuple[int, int]:
        """Those that it is compared with."""
        return self.claim.bracket


def holds_position(trial: FrozenTrial) -> bool:
    """Return whether a trial stands for its position."""
    return CLAIM in trial.user_attrs and trial.state in (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED)


def is_ticket(trial: FrozenTrial) -> bool:
    """Return whether a trial was asked for and has no claim yet."""
    return trial.state == TrialState.RUNNING and CLAIM not in trial.user_attrs
