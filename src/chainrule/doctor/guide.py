"""`walk`: the way of working of lecture 003, step by step, each with its check, its figure, and how to go on."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import metrics, optimizers
from chainrule.display.lines import printable
from chainrule.display.numbers import seconds as in_seconds
from chainrule.display.progress import progress as show_progress
from chainrule.display.text import Text
from chainrule.errors import ChainruleError
from chainrule.finders.l2 import find_l2
from chainrule.finders.lr import find_lr
from chainrule.layers import Dense, Embedding, Flatten, Layer, Sequential
from chainrule.optimizers import Adam, Optimizer
from chainrule.recipe.callbacks import Decision, EarlyStopping, Event
from chainrule.recipe.run_data import pair_of
from chainrule.run_settings import TrainingSettings
from chainrule.schedules import Schedule
from chainrule.statistics import wilson
from chainrule.symptoms.by_heart import CHECKS as BY_HEART
from chainrule.symptoms.reference import OUTPUTS
from chainrule.symptoms.reference import walk as layers_of
from chainrule.symptoms.subject import Subject, sample_rows, subject_of
from chainrule.symptoms.text import wrapped
from chainrule.training.fit import fit
from chainrule.training.run import Run

__all__ = ["STEPS", "Guide", "GuideStep", "walk"]

#: The steps, in their order, with what each asks.
STEPS = {
    "baseline": "what do simple rules reach?",
    "by heart": "can it learn sixteen rows by heart?",
    "subset": "does it learn anything from a part of the rows?",
    "rate": "which learning rate is sensible?",
    "penalty": "does a penalty on the weights help? λ from 0 up",
    "stopping": "how many epochs, with early stopping?",
    "search": "and then let a search go on from here",
}

#: Rows that are walked with, at most, and of the subset; share of the rows that judge where nothing else is asked for.
MOST_ROWS, SUBSET, VALIDATION = 4000, 1000, 0.2

#: A subset is trained for so many steps.
SUBSET_STEPS = 400

#: λ/n that are tried, besides 0, each with so many seeds.
PENALTIES, SEEDS = (1e-4, 1e-3, 1e-2), 3

#: Shares of the time that is left that the longer steps may take.
SHARE_OF_SUBSET, SHARE_OF_RATE, SHARE_OF_PENALTY, SHARE_OF_STOPPING = 0.25, 0.4, 0.5, 0.8

#: Steps of the rate, and epochs of each λ: as many as there is time for, up to the first, and no fewer than the second.
RATE_STEPS, FEWEST_RATE_STEPS = 100, 20
PENALTY_EPOCHS, FEWEST_PENALTY_EPOCHS = 20, 5

#: Why a run was stopped for which there was no more time.
NO_TIME = "the time for this step is spent"


class _NoTimeError(Exception):
    """A step that does not fit into the time that is left."""


@dataclass(frozen=True)
class GuideStep:
    """One step of the way.

    Attributes
    ----------
    name : one of `STEPS`
    verdict : "fine", "look" (something is to be looked into before going on), "not done", or "next" of the search
    text : what was found, with its figures
    settings : what was found so far, as settings of ``chainrule train``: "lr", "l2", "early_stopping", "epochs"
    go_on : how to go on from here: a command, or a call
    seconds : how long it took
    """

    name: str
    verdict: str
    text: str
    settings: Mapping[str, Any]
    go_on: str
    seconds: float


@dataclass(frozen=True, repr=False)
class Guide:
    """The way of working, walked through with a network and its data: print it.

    Attributes
    ----------
    name : of the data
    steps : in their order
    """

    name: str
    steps: tuple[GuideStep, ...]

    @property
    def settings(self) -> Mapping[str, Any]:
        """What all steps found, as settings of ``chainrule train``."""
        return self.steps[-1].settings if self.steps else {}

    @property
    def done(self) -> int:
        """How many steps were done: the search is what comes after them."""
        return sum(step.verdict in ("fine", "look") for step in self.steps)

    def summary(self) -> Text:
        """Return the steps, to print."""
        return Text(self)

    def __str__(self) -> str:
        lines = wrapped(f"The way of working of lecture 003 with {self.name}: {self.done} of {len(STEPS) - 1} steps.")
        for number, step in enumerate(self.steps, 1):
            took = "" if step.verdict in ("not done", "next") else f" ({in_seconds(step.seconds)})"
            lines += ["", f"{number}  {step.name}: {STEPS[step.name]}  {step.verdict.upper()}{took}"]
            lines += [f"   {line}" for line in wrapped(step.text, 97)]
            if step.go_on:
                lines.append(f"   -> {printable(step.go_on)}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Guide({self.name!r}, {self.done} of {len(STEPS) - 1} steps done)"


#: How to go on: from a verb ("train", "search", "doctor") and settings to a command or a call.
GoOn = Callable[[str, Mapping[str, Any]], str]


def walk(
    net: Any,
    data: Any,
    *,
    name: str = "the data",
    budget: float = 60.0,
    progress: bool = True,
    go_on: GoOn | None = None,
    **settings: Any,
) -> Guide:
    """Walk through the way of working of lecture 003 with a network and its data.

    Simple rules first; sixteen rows by heart; a part of the rows; then a sensible learning rate, a penalty from λ = 0
    up, early stopping; and a search at last. All of it takes place on at most 4,000 training rows, some of which judge;
    rows for the test are never touched.

    Parameters
    ----------
    net, data, settings
        As for `fit`.
    name
        Of the data.
    budget
        Seconds: a step that does not fit is not done. Ctrl-C gives what there is.
    progress
        Show on standard error what is being done.
    go_on
        How to go on, from a verb ("train", "search", "doctor") and the settings found so far. None: as calls in Python.

    Raises
    ------
    ChainruleError
        For data and settings that `fit` refuses.

    Example
    -------
    >>> import chainrule as cr
    >>> from chainrule.doctor.guide import walk
    >>> guide = walk(cr.Dense(3, "softmax"), cr.data.load("iris"), epochs=20, budget=0.0, progress=False)
    >>> guide.steps[0].name, guide.done
    ('baseline', 0)

    Source: lecture 003 ("Setting up the network", "Hyperparameter optimisation").
    """
    return _Walk(net, data, settings, name, budget, progress, go_on or _as_calls).walk()


class _Walk:
    """One walk: the rows, and what was found so far."""

    def __init__(
        self, net: Any, data: Any, settings: Mapping[str, Any], name: str, budget: float, progress: bool, go_on: GoOn
    ) -> None:
        self.began = time.monotonic()
        self.subject = subject_of(net, data, TrainingSettings(**_with_validation(data, settings)))
        self.net = self.subject.net
        self.name, self.budget, self.progress, self.go_on = name, budget, progress, go_on
        self.settings = self.subject.settings
        self.metric = metrics.metric_of(self.subject.task)
        self.train, self.judge = _parts(self.subject)
        self.chosen: dict[str, Any] = {}
        self.steps: list[GuideStep] = []
        self.row_seconds = 0.0
        self.constant = self.linear = float("nan")

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.budget - (time.monotonic() - self.began)

    def walk(self) -> Guide:
        """Do the steps, one after the other."""
        steps = dict(
            zip(
                STEPS,
                (self.baseline, self.by_heart, self.subset, self.rate, self.penalty, self.stopping, self.search),
                strict=True,
            )
        )
        why = ""
        with self._watch() as watch:
            for number, (name, step) in enumerate(steps.items()):
                if not why and self.left <= 0:
                    why = f"the budget of {self.budget:g} s is spent"
                if why and name != "search":
                    self._add(name, "not done", f"Not done: {why}.", "train", 0.0)
                    continue
                began = time.monotonic()
                watch(number, STEPS[name])
                try:
                    verdict, text, verb = step()
                except KeyboardInterrupt:
                    why = "interrupted"
                    verdict, text, verb = "not done", "Not done: interrupted.", "train"
                except _NoTimeError as error:
                    verdict, text, verb = "not done", f"Not done: {error}, and {self.left:.0f} s are left.", "train"
                except ChainruleError as error:
                    verdict, text, verb = "look", f"It stops here: {error}", "doctor"
                self._add(name, verdict, text, verb, time.monotonic() - began)
        return Guide(self.name, tuple(self.steps))

    # --- the steps: (verdict, text, how to go on) ----------------------------------------------------------------

    def baseline(self) -> tuple[str, str, str]:
        """See what the same answer always, and a linear model, reach on the rows that judge."""
        self.constant = _constant_score(self.subject.task, self.train[1], self.judge[1])
        text = f"Always the same answer: {self._score(self.constant)}."
        if any(isinstance(layer, Embedding) for layer in layers_of(_layer(self.net))):
            return "fine", f"{text} A linear model is left out: categories come as numbers of their vectors.", "train"
        units = self.subject.run.model.output_shape[-1]
        output = Dense(units, OUTPUTS[self.subject.task])
        flat = Sequential(Flatten(), output) if np.ndim(self.train[0]) > 2 else output
        epochs = int(np.clip(1500 // max(1, len(self.train[1]) // 32), 10, 60))
        run = self._fit(flat, self.train, epochs=epochs, optimizer=Adam(0.01), batch_size=32)
        self.linear = run.metrics[f"val_{self.metric.name}"]
        better = self._surely_better(self.linear, self.constant)
        text += f" A linear model: {self._score(self.linear)}, on {len(self.judge[1]):,} rows that it has not seen."
        text += " A network has to beat that." if better else " The inputs tell little to a linear model."
        return "fine", text, "linear"

    def by_heart(self) -> tuple[str, str, str]:
        """Learn sixteen rows by heart: what cannot do that is at fault, not short of data."""
        findings = [finding for _, check in BY_HEART for finding in check(self.subject)]
        if not findings:
            return "fine", "Does not apply to this network and data.", "train"
        text = " ".join(f"{finding.text.rstrip('.')}." for finding in findings)
        bad = any(finding.level == "alarm" for finding in findings)
        return ("look" if bad else "fine"), text[:1].upper() + text[1:], "doctor" if bad else "train"

    def subset(self) -> tuple[str, str, str]:
        """Train on a part of the rows for a few hundred steps: any learning that is not trivial."""
        x, y = self.train
        rows = sample_rows(len(y), SUBSET)
        batch = min(int(self.settings.batch_size), len(rows))
        epochs = max(1, SUBSET_STEPS // max(1, len(rows) // batch))
        run = self._fit(self.net, (x[rows], y[rows]), SHARE_OF_SUBSET, epochs=epochs, batch_size=batch)
        epochs = len(run.history)
        self.row_seconds = float(np.median(run.history["seconds"])) / len(rows)
        score = run.metrics[f"val_{self.metric.name}"]
        learnt = self._surely_better(score, self.constant)
        passes = f"{epochs} epoch{'' if epochs == 1 else 's'}"
        text = (
            f"{len(rows):,} rows for {passes}: {self._score(score)} on rows that it has not seen, "
            f"{self._score(run.metrics[self.metric.name])} on its own; always the same answer: "
            f"{self._score(self.constant)}."
        )
        if learnt:
            return "fine", text, "train"
        return "look", f"{text} It does not learn more than always the same answer: first see why.", "doctor"

    def rate(self) -> tuple[str, str, str]:
        """Let the rate grow step by step, and see where the cost falls and where it rises again."""
        x, y = self.train
        rows = sample_rows(len(y), SUBSET)
        kwargs = {k: v for k, v in self._kwargs().items() if k not in ("epochs", "early_stopping")}
        step_seconds = SEEDS * self.row_seconds * min(int(self.settings.batch_size), len(rows))
        steps = min(RATE_STEPS, self._affordable(SHARE_OF_RATE, step_seconds))
        if steps < FEWEST_RATE_STEPS:
            raise _NoTimeError(f"{SEEDS} short runs would take {in_seconds(step_seconds * FEWEST_RATE_STEPS)}")
        result = find_lr(self.net, (x[rows], y[rows]), seeds=SEEDS, steps=steps, progress=False, **kwargs)
        if result.suggestion is None or result.interval is None:
            return "look", "The cost falls at no rate between 1e-6 and 10: first see why.", "doctor"
        self.chosen["lr"] = float(f"{result.suggestion:.1g}")
        low, high = result.interval
        diverges = f"; from {result.diverges_from:.2g} on it rises again" if result.diverges_from else ""
        span = f"({low:.2g} to {high:.2g}, {SEEDS} seeds)"
        return "fine", f"The cost falls at rates around {result.suggestion:.2g} {span}{diverges}.", "train"

    def penalty(self) -> tuple[str, str, str]:
        """Start with λ = 0, then increase it; only evidence over seeds counts."""
        members = SEEDS * (1 + len(PENALTIES))
        asked = min(int(self.settings.epochs), PENALTY_EPOCHS)
        x, y = self.train
        epochs = min(asked, self._affordable(SHARE_OF_PENALTY, members * self.row_seconds * len(y)))
        if epochs < min(asked, FEWEST_PENALTY_EPOCHS):
            rows = sample_rows(len(y), SUBSET)
            x, y = x[rows], y[rows]
            epochs = min(asked, self._affordable(SHARE_OF_PENALTY, members * self.row_seconds * len(y)))
        if epochs < 1:
            raise _NoTimeError(
                f"{members} networks would take {in_seconds(members * self.row_seconds * len(y))} an epoch"
            )
        n = len(y)
        kwargs = {k: v for k, v in self._kwargs(epochs=epochs).items() if k != "l2"}
        result = find_l2(
            self.net,
            (x, y),
            values=[float(f"{share * n:.1g}") for share in PENALTIES],
            seeds=SEEDS,
            progress=False,
            validation=self.judge,
            **kwargs,
        )
        whole = result.suggestion * _samples(self.subject) / n
        if whole:
            self.chosen["l2"] = float(f"{whole:.1g}")
        tried = zip(result.values, result.summaries, strict=True)
        scores = ", ".join(f"λ = {value:g}: {self._score(each.mean)}" for value, each in tried)
        verdict = "none is better than 0 by evidence"
        if result.helps:
            verdict = f"λ = {self.chosen['l2']:g} (of all {_samples(self.subject):,} rows) is better by evidence"
        return "fine", f"{scores} ({n:,} rows, {epochs} epochs, {SEEDS} seeds): {verdict}.", "train"

    def stopping(self) -> tuple[str, str, str]:
        """Train until the validation cost no longer falls."""
        asked = int(self.settings.epochs)
        patience = max(5, asked // 5)
        early = EarlyStopping(patience)
        run = self._fit(self.net, self.train, SHARE_OF_STOPPING, epochs=2 * asked, early_stopping=early)
        score = run.metrics[f"val_{self.metric.name}"]
        self.chosen["early_stopping"] = patience
        ended = f"stopped after {len(run.history)}" if run.stopped else f"not stopped within {len(run.history)}"
        if run.stopped == NO_TIME:
            ended = f"for more than {len(run.history)} there was no time"
        text = f"Best after epoch {run.best_epoch} ({ended}): {self._score(score)}{self._interval(score)}"
        beats = self._surely_better(score, self.linear)
        against = f"; a linear model: {self._score(self.linear)}" if np.isfinite(self.linear) else ""
        much = "" if beats or not np.isfinite(self.linear) else ": it is not better by evidence"
        return "fine", f"{text}{against}{much}.", "train"

    def search(self) -> tuple[str, str, str]:
        """Say how to go on: coarse to fine, with random settings, in log space."""
        return "next", "Coarse to fine, settings drawn at random in log space around what was found:", "search"

    # --- around them ----------------------------------------------------------------------------------------------

    def _add(self, name: str, verdict: str, text: str, verb: str, took: float) -> None:
        go_on = "" if verdict == "not done" else self.go_on(verb, self.chosen)
        self.steps.append(GuideStep(name, verdict, text, dict(self.chosen), go_on, took))

    def _fit(self, net: Any, data: Any, share: float = 1.0, **changes: Any) -> Run:
        """Train for a share of the time that is left at most."""
        end = time.monotonic() + share * self.left

        def in_time(event: Event) -> Decision | None:
            return Decision(stop=NO_TIME) if time.monotonic() > end else None

        how = self._kwargs(**changes)
        return fit(net, data, validation=self.judge, progress=False, callbacks=[in_time], **how)

    def _affordable(self, share: float, seconds: float) -> int:
        """Return how often something that takes so many seconds fits into a share of the time that is left."""
        return int(share * self.left / max(1e-9, seconds))

    def _kwargs(self, **changes: Any) -> dict[str, Any]:
        """Return the settings with what was found so far, as `fit` takes them."""
        names = ("loss", "optimizer", "epochs", "batch_size", "l1", "l2", "augment", "normalize", "normalize_target")
        kwargs = {name: getattr(self.settings, name) for name in (*names, "class_weight", "seed", "precision")}
        if "lr" in self.chosen:
            kwargs["optimizer"] = _with_rate(kwargs["optimizer"], self.chosen["lr"])
        if "l2" in self.chosen:
            kwargs["l2"] = self.chosen["l2"] * len(self.train[1]) / _samples(self.subject)
        return kwargs | {"early_stopping": None} | changes

    def _score(self, value: float) -> str:
        value_in_words = self.metric.format(value)
        return f"{value_in_words} right" if self.metric.is_fraction else f"{self.metric.label} {value_in_words}"

    def _interval(self, score: float) -> str:
        if not self.metric.is_fraction:
            return ""
        n = len(self.judge[1])
        low, high = wilson(round(score * n), n)
        return f" ({100 * low:.1f} to {100 * high:.1f} % by {n:,} rows)"

    def _surely_better(self, score: float, other: float) -> bool:
        """Return whether a score is better than another by more than chance: of fractions by Wilson's interval."""
        if not np.isfinite(score) or not np.isfinite(other):
            return bool(np.isfinite(score))
        if not self.metric.is_fraction:
            return score < 0.95 * other
        n = len(self.judge[1])
        return wilson(round(score * n), n)[0] > other

    @contextlib.contextmanager
    def _watch(self) -> Iterator[Callable[[int, str], None]]:
        with show_progress(len(STEPS), lambda text: text, enabled=self.progress, elapsed=True) as show:
            yield show


def _layer(net: Any) -> Layer:
    return net if isinstance(net, Layer) else net.net


def _with_validation(data: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings that set rows apart to judge by, where the data brings none."""
    known = dict(settings)
    if known.get("validation") is None and getattr(data, "validation", None) is None:
        known["validation"] = VALIDATION
    return known


def _parts(subject: Subject) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Return the rows to train on, and those that judge, as they were before they were standardized."""
    x, y = subject.rows.x, np.asarray(subject.rows.y)
    validation = subject.rows.validation
    if isinstance(validation, float | int | np.number):
        judge = np.zeros(len(y), bool)
        judge[sample_rows(len(y), max(1, round(float(validation) * len(y))), subject.settings.seed)] = True
        x, y, (xv, yv) = x[~judge], y[~judge], (x[judge], y[judge])
    else:
        xv, yv = pair_of(validation)
        xv, yv = getattr(xv, "x", xv), np.asarray(yv)
    rows, judged = sample_rows(len(y), MOST_ROWS), sample_rows(len(yv), MOST_ROWS)
    return (np.asarray(x)[rows], y[rows]), (np.asarray(xv)[judged], np.asarray(yv)[judged])


def _samples(subject: Subject) -> int:
    """Return how many training rows a whole run has: λ counts against them."""
    return len(subject.run.prepared.train.x)


def _constant_score(task: str, y: Any, judged: Any) -> float:
    """Return the score of the same answer always: the most frequent class, the most frequent labels, the mean."""
    if task == "regression":
        return float(np.abs(judged - np.mean(y, axis=0)).mean())
    if np.ndim(y) == 2:
        answer = np.mean(y, axis=0) > 0.5
        return float((np.asarray(judged).astype(bool) == answer).all(axis=1).mean())
    labels, counts = np.unique(y, return_counts=True)
    return float(np.mean(judged == labels[counts.argmax()]))


def _with_rate(optimizer: Any, rate: float) -> Any:
    """Return an optimizer with another learning rate; a schedule starts from it."""
    built = optimizers.get(optimizer) if isinstance(optimizer, str) else optimizer
    if not isinstance(built, Optimizer):
        return optimizer
    if isinstance(built.lr, Schedule):
        first = dataclasses.fields(built.lr)[0].name  # type: ignore[arg-type]
        return dataclasses.replace(built, lr=dataclasses.replace(built.lr, **{first: rate}))  # type: ignore[type-var]
    return dataclasses.replace(built, lr=rate)


def _as_calls(verb: str, chosen: Mapping[str, Any]) -> str:
    """Return how to go on in Python."""
    settings = "".join(f", {name}={value!r}" for name, value in chosen.items() if name != "lr")
    if "lr" in chosen:
        settings = f", optimizer=cr.Adam({chosen['lr']!r}){settings}"
    if verb == "linear":
        return "cr.fit(cr.Dense(...), data): the network with no hidden layer"
    if verb == "search":
        rate = chosen.get("lr", 1e-3)
        return f'cr.search(net, data, space={{"optimizer.lr": cr.log_uniform({rate / 5:.1g}, {rate * 5:.1g})}})'
    return f"cr.diagnose(net, data{settings})" if verb == "doctor" else f"cr.fit(net, data{settings})"
