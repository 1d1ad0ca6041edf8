"""Several runs side by side: the settings in which they differ, how good each is, and what tells them apart."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from chainrule.display.text import Text
from chainrule.display.text_table import text_table
from chainrule.errors import SettingError
from chainrule.files import as_path, write_atomic
from chainrule.report.compared_run import ComparedRun, is_one_measure
from chainrule.report.page import read_evaluation
from chainrule.report.run_comparison_page import page
from chainrule.runs.members import Members, read_members
from chainrule.statistics import Difference, paired
from chainrule.training.record import read_folder

__all__ = ["RunComparison", "compare_runs"]

#: Settings of how a run is made that change no figure of it.
WITHOUT_EFFECT = ("out", "keep", "checkpoint_minutes", "record", "doctor", "measure_training")


@dataclass(frozen=True)
class RunComparison:
    """Several runs side by side, made by `compare_runs`: ``print`` it, or write its page with `to_html`.

    Attributes
    ----------
    runs : in the order given
    """

    runs: tuple[ComparedRun, ...]

    @cached_property
    def settings(self) -> dict[str, tuple[Any, ...]]:
        """The settings in which the runs differ: for each the value in every run, None where it is not set."""
        configs = [_flat(run.record.config) for run in self.runs]
        names = dict.fromkeys(name for config in configs for name in config)
        values = {name: tuple(config.get(name) for config in configs) for name in names}
        return {
            name: several
            for name, several in values.items()
            if name not in WITHOUT_EFFECT and any(value != several[0] for value in several)
        }

    @property
    def best(self) -> ComparedRun | None:
        """The run with the best score; None where they were not measured alike."""
        if not is_one_measure(self.runs):
            return None
        scores = [run.score for run in self.runs if run.score is not None]
        at = scores[0].metric.best([score.value for score in scores])
        return None if at is None else self.runs[at]

    @property
    def differences(self) -> list[tuple[ComparedRun, ComparedRun, Difference]]:
        """For every two runs with the same seeds or folds of the same rows, the paired difference of their scores."""
        return [
            (first, second, paired(first.members.values(column), second.members.values(column)))
            for first, second in itertools.combinations(self.runs, 2)
            if first.members is not None
            and second.members is not None
            and first.score is not None
            and (column := first.score.column) == (second.score.column if second.score else None)
            and first.rows == second.rows
            and _who(first.members) == _who(second.members)
        ]

    @property
    def notes(self) -> list[str]:
        """What must be known before the scores are compared."""
        notes = []
        if not is_one_measure(self.runs):
            notes.append(
                "The runs are not measured alike (another metric, or other kinds of rows): no one is the best."
            )
        elif len({run.rows for run in self.runs}) > 1:
            notes.append("The runs were not trained and judged on the same rows, so part of a difference is the rows'.")
        single = [run.name for run in self.runs if run.networks == 1]
        if single:
            who = single[0] if len(single) == 1 else f"{', '.join(single[:-1])} and {single[-1]}"
            one = "is one network" if len(single) == 1 else "are one network each"
            notes.append(
                f"{who} {one}: another seed would give another score, and an interval is that of the rows alone. "
                "chainrule train --seeds 5 tells a difference from that of seeds."
            )
        notes += [f"{run.name} diverged." for run in self.runs if run.record.diverged]
        notes += [
            f"{run.name} is not finished." for run in self.runs if not run.record.has_model and not run.record.diverged
        ]
        return notes

    def table(self) -> list[list[str]]:
        """Return the runs as rows of text, whose first is the heading."""
        head = ["run", *self.settings, "score", "measured on", "epochs", "training"]
        rows = [
            [
                run.name,
                *(_shown(values[at]) for values in self.settings.values()),
                "-" if run.score is None else f"{run.score.metric.name} {run.score}",
                "-" if run.score is None else run.score.of,
                f"{len(run.record.epochs):,}" if run.members is None else f"{run.networks} networks",
                "-" if math.isnan(run.seconds) else f"{run.seconds:.3g} s",
            ]
            for at, run in enumerate(self.runs)
        ]
        return [head, *rows]

    def sentences(self) -> list[str]:
        """Return what there is to say: the best, what pairs tell apart, and what must be known."""
        sentences = [] if self.settings else ["The runs have the same settings."]
        if self.best is not None and self.best.score is not None:
            sentences.append(f"Best score: {self.best.name}, {self.best.score.metric.label} {self.best.score}.")
            if self.best.score.rows == "test":
                sentences.append("Choosing by test rows flatters the one that is chosen: of new rows expect less.")
        sentences += [in_words(*pair) for pair in self.differences]
        return [*sentences, *self.notes]

    def summary(self) -> Text:
        """Return the runs as a table, and what there is to say of them."""
        return Text("\n".join([text_table(self.table(), left=(0,)), *self.sentences()]))

    def to_html(self, path: str | Path) -> Path:
        """Write the comparison as a page that needs nothing else, and give its path."""
        path = as_path(path)
        write_atomic(path, page(self.runs, self.settings, self.table(), self.sentences()))
        return path

    def __str__(self) -> str:
        return str(self.summary())

    def __repr__(self) -> str:
        return f"<RunComparison of {', '.join(run.name for run in self.runs)}>"


def compare_runs(*folders: str | Path) -> RunComparison:
    """Return runs side by side, from their folders: what differs, how good each is, and what tells them apart.

    The score is that of the weights that were kept, on the test rows where there are any, with its interval. Runs of
    several seeds (or folds) of the same rows are compared in pairs by `chainrule.statistics.paired`.

    Raises
    ------
    SettingError
        There are fewer than two folders, or one stands twice.
    FileError
        A folder holds no run, or a damaged one.

    Example
    -------
    >>> import chainrule as cr
    >>> iris = cr.data.load("iris")
    >>> for rate in (0.01, 0.1):
    ...     run = cr.fit(cr.Dense(3, "softmax"), iris, epochs=2, optimizer=cr.SGD(rate), progress=False, out=f"r{rate}")
    >>> comparison = cr.report.compare_runs("r0.01", "r0.1")
    >>> comparison.settings
    {'optimizer.lr': (0.01, 0.1)}
    """
    paths = [as_path(folder) for folder in folders]
    if len(paths) < 2:
        raise SettingError(f"Two runs or more can be compared, got {len(paths)}: give their folders.")
    twice = [path for path in paths if sum(path.resolve() == other.resolve() for other in paths) > 1]
    if twice:
        raise SettingError(f"{twice[0]} stands there twice: give every run once.")
    records = [read_folder(path) for path in paths]
    return RunComparison(
        tuple(
            ComparedRun(name, record, read_evaluation(path), read_members(path))
            for name, record, path in zip(_names(paths), records, paths, strict=True)
        )
    )


def in_words(first: ComparedRun, second: ComparedRun, difference: Difference) -> str:
    """Return whether two runs can be told apart, with the figures."""
    assert first.score is not None
    metric = first.score.metric
    pairs = f"{difference.n} pairs"
    mean, low, high = map(metric.format_difference, (difference.mean, difference.low, difference.high))
    if not math.isfinite(difference.low):
        return f"{first.name} − {second.name}: {mean} over {pairs}, which cannot be judged."
    apart = "cannot be told apart" if difference.low <= 0 <= difference.high else "differ"
    return (
        f"{first.name} and {second.name} {apart}: {metric.label} {first.name} − {second.name} = {mean} "
        f"(95 %: {low} to {high}, p = {difference.p:.2g}, {pairs} of the same seed and rows)."
    )


def _who(members: Members) -> list[tuple[Any, ...]]:
    """Return what says which member belongs to which of another run."""
    return [tuple(member.get(name) for name in ("repeat", "fold", "seed")) for member in members.all]


def _names(paths: Sequence[Path]) -> list[str]:
    """Return the shortest names that tell the folders apart: the last parts of their paths."""
    parts = [path.resolve().parts for path in paths]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(of[-count:]) for of in parts]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def _flat(config: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return nested settings under the way to each, as ``optimizer.lr``."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{before}{name}.")
        elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
            flat |= _flat({str(at): one for at, one in enumerate(value)}, f"{before}{name}.")
        else:
            flat[f"{before}{name}"] = value
    return flat


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
