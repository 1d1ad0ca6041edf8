"""Several networks that were trained alike, one per seed or per fold: what is kept of them, and what they share.

``members.json`` says who they are and how each did; ``members/00/metrics.jsonl`` and so on hold their epochs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.display.numbers import is_number
from chainrule.errors import FileError
from chainrule.metrics import preferred, score_in
from chainrule.outcome import Outcome
from chainrule.runs.files import MEMBERS, MEMBERS_FOLDER, MEMBERS_FORMAT, METRICS
from chainrule.runs.folder import member_folder, read_file, read_records, strict_json, write_changed, write_records
from chainrule.statistics import Summary, summary


@dataclass(frozen=True)
class Band:
    """A metric over the epochs: its mean over the members, and from where to where it goes.

    Attributes
    ----------
    epochs, mean, low, high : one value for each epoch that is drawn
    members : how many members each is of
    """

    epochs: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]
    members: list[int]


@dataclass(frozen=True)
class Members:
    """What a run's folder says about its members.

    Attributes
    ----------
    facts : what `write_members` wrote
    epochs : the records of each member's epochs
    """

    facts: Mapping[str, Any]
    epochs: list[list[dict[str, Any]]]

    @property
    def kind(self) -> str:
        """ "seeds" or "folds"."""
        return str(self.facts["kind"])

    @property
    def metric(self) -> str:
        """The metric that is told first."""
        return str(self.facts["metric"])

    @property
    def score(self) -> str | None:
        """The score that was measured besides the loss."""
        first = next((records[0] for records in self.epochs if records), {})
        return score_in(first)

    @property
    def all(self) -> list[Mapping[str, Any]]:
        """The members' facts."""
        return list(self.facts["members"])

    def values(self, name: str) -> list[float]:
        """Return a metric of each member, at the epoch whose weights it has; NaN where it diverged."""
        values = [member["scores"].get(name) for member in self.all]
        return [float(value) if is_number(value) else math.nan for value in values]

    def summary(self, name: str) -> Summary:
        """Return mean, standard deviation and interval of a metric: over the members, or as written for folds."""
        stored = self.facts.get("summary", {}).get(name)
        if stored is None:
            return summary(self.values(name))
        low, high = (math.nan if stored[side] is None else stored[side] for side in ("low", "high"))
        values = tuple(math.nan if v is None else float(v) for v in stored["values"])
        return Summary(stored["mean"], stored["std"] or math.nan, low, high, values)

    def band(self, column: str) -> Band:
        """Return a metric over the epochs that at least half of the members have reached; diverged ones are
        left out.
        """
        return band(self._finite(), column)

    def mean_records(self) -> list[dict[str, float]]:
        """Return the epochs of an average member; diverged ones are left out."""
        return mean_records(self._finite())

    def _finite(self) -> list[list[dict[str, Any]]]:
        return [e for e, member in zip(self.epochs, self.all, strict=True) if not diverged(member)]


def diverged(member: Mapping[str, Any]) -> bool:
    """Return whether a member became infinite or undefined."""
    return Outcome.from_dict(member).diverged


def band(epochs: Sequence[Sequence[Mapping[str, Any]]], column: str) -> Band:
    """Return the mean, lowest and highest value of a column over some members, epoch by epoch.

    >>> from chainrule.runs.members import band
    >>> band([[{"loss": 1.0}, {"loss": 0.5}], [{"loss": 3.0}, {"loss": 0.7}], [{"loss": 2.0}]], "loss").mean
    [2.0, 0.6]
    """
    fewest = max(1, math.ceil(len(epochs) / 2))
    result = Band([], [], [], [], [])
    for i in range(max(map(len, epochs), default=0)):
        here = [member[i].get(column) for member in epochs if i < len(member)]
        values = [float(value) for value in here if value is not None and is_number(value)]
        if len(values) >= fewest:
            result.epochs.append(i + 1)
            result.mean.append(math.fsum(values) / len(values))
            result.low.append(min(values))
            result.high.append(max(values))
            result.members.append(len(values))
    return result


def mean_records(epochs: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, float]]:
    """Return the records of an average member: the mean of every column, for the epochs that `band` has."""
    columns = [name for name in (epochs[0][0] if epochs and epochs[0] else {}) if name != "epoch"]
    bands = {name: band(epochs, name) for name in columns}
    length = min((len(mean.epochs) for mean in bands.values()), default=0)
    return [{"epoch": i + 1, **{name: bands[name].mean[i] for name in columns}} for i in range(length)]


def write_members(folder: str | Path, facts: Mapping[str, Any], epochs: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    """Write ``members.json`` and the epochs of each member.

    Parameters
    ----------
    folder : the run's
    facts : ``kind`` ("seeds" or "folds"), ``metric``, ``members`` (each with ``seed``, ``fold``, ``epochs``,
        ``best_epoch``, ``state``, ``reason`` and ``scores``), ``model`` (what the saved model is, in words)
    epochs : the records of each member's history
    """
    for i, records in enumerate(epochs):
        write_records(member_folder(Path(folder) / MEMBERS_FOLDER, i) / METRICS, records)
    write_changed(Path(folder) / MEMBERS, strict_json({"format": MEMBERS_FORMAT, **facts}, indent=1).encode())


def read_members(folder: str | Path) -> Members | None:
    """Return what `write_members` wrote; None where there is nothing. A damaged file is a `FileError` that names it."""
    path = Path(folder) / MEMBERS
    if not path.exists():
        return None
    facts = read_facts(path, MEMBERS_FORMAT)
    count = len(facts.get("members", ()))
    folders = [member_folder(Path(folder) / MEMBERS_FOLDER, i) for i in range(count)]
    return Members(facts, [read_records(member / METRICS) for member in folders])


def read_unfinished_seeds(folder: str | Path, first_seed: int) -> Members | None:
    """Return the networks of several seeds while they are trained, or where they were left; None if none is saved yet.

    Their scores are those of the last epoch that is saved of each.
    """
    members = sorted(path for path in (Path(folder) / MEMBERS_FOLDER).glob("[0-9]*") if (path / METRICS).exists())
    epochs = [read_records(member / METRICS) for member in members]
    if not any(epochs):
        return None
    unmeasured = ("epoch", "lr", "seconds")
    facts = [
        {
            "seed": first_seed + int(member.name),
            "epochs": len(records),
            "best_epoch": None,
            "state": "unfinished",
            "scores": {name: value for name, value in records[-1].items() if name not in unmeasured} if records else {},
        }
        for member, records in zip(members, epochs, strict=True)
    ]
    metric = preferred(next(records for records in epochs if records)[0]) or "loss"
    return Members({"kind": "seeds", "metric": metric, "members": facts}, epochs)


def read_facts(path: Path, version: int) -> dict[str, Any]:
    """Read a JSON object of the format that is known here."""
    facts = read_file(path, json.loads)
    if not isinstance(facts, dict) or facts.get("format") != version:
        raise FileError(f"{path} is damaged, or from another version of chainrule: expected format {version}.")
    return facts
