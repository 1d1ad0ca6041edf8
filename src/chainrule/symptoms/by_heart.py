"""Learning sixteen rows by heart: what every recipe that works can do, beside the reference, and with one change."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import initializers, optimizers, random, tree
from chainrule.data import Standardizer
from chainrule.display.numbers import percent
from chainrule.layers import BatchNorm, Conv2D, Dense, Dropout, Layer
from chainrule.models import Model
from chainrule.optimizers import Adam, Optimizer
from chainrule.recipe.settings_paths import with_setting
from chainrule.recipe.state import start
from chainrule.recipe.step import Batch, step
from chainrule.run_settings import TrainingSettings
from chainrule.schedules import Schedule, Warmup, rate_at
from chainrule.symptoms.evidence import Evidence, Finding
from chainrule.symptoms.fix import Fix
from chainrule.symptoms.fixes import fixes_for
from chainrule.symptoms.learning_rates import peak_rate, usual_rate
from chainrule.symptoms.net_changes import parts, rebuilt
from chainrule.symptoms.reference import BLOCKING, MOST_SIGMOIDS, OUTPUTS, reference
from chainrule.symptoms.start_checks import constant_cost, loss_scale, scaling_layer
from chainrule.symptoms.subject import Subject

__all__ = ["CHECKS", "Learning", "by_heart", "rows_to_learn"]

#: Rows that are learnt, and steps for it.
ROWS, STEPS = 16, 120

#: Runs of many steps are let go on to so many, where 120 are not enough.
MOST_STEPS = 600

#: So many multiplications and additions are done in a stretch at most, where going through the layers takes as long as
#: so many for each array of parameters: networks for pictures, and deep ones, do fewer steps.
WORK, PER_ARRAY = 2.5e9, 4e5

#: Steps for all changes together that are tried, and the seconds after which no other is tried.
TRIAL_STEPS, TRIAL_SECONDS = 1500, 2.0

#: Learnt are rows of which at most so many are wrong (of numbers, beside the mean deviation), at so much of the cost.
MOST_WRONG, MOST_LEFT = 0.2, 0.4

#: Causes that are tried on the rows, in this order, as far as they have a fix here.
TRIED = (
    "init",
    "lr_high",
    "lr_low",
    "activation",
    "inputs_unscaled",
    "targets_unscaled",
    "output",
    "loss",
    "optimizer",
    "batch_norm",
    "bias",
    "too_deep",
    "too_small",
)


@dataclass(frozen=True)
class Learning:
    """What became of some rows that were learnt.

    Attributes
    ----------
    steps : steps done
    left : the last cost beside that of the best constant answer, or of the first weights where these cost less
    wrong : the share of rows that are wrong; of numbers the mean absolute error beside their mean deviation
    learnt : the step after which they were known, None where they never were
    falling : whether the cost still fell at the end
    change : the last cost beside the first
    finite : whether all costs were numbers
    """

    steps: int
    left: float
    wrong: float
    learnt: int | None
    falling: bool
    change: float
    finite: bool

    @property
    def moved(self) -> bool:
        """Whether anything was learnt at all."""
        return self.change < 0.97


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows as the network gets them, and how the training rows are scaled.

    Attributes
    ----------
    batch : the rows
    inputs : what standardizes them
    mean, std : of the targets, where these are numbers
    """

    batch: Batch
    inputs: Standardizer
    mean: Any = 0.0
    std: Any = 1.0

    def scaled(self, inputs: bool, targets: bool, codes: int) -> Batch:
        """Return the rows with inputs, or targets, of mean 0 and deviation 1."""
        x, y, weight = self.batch
        if inputs:
            new = np.asarray(self.inputs(x), x.dtype)
            if codes:
                last = min(codes, x.shape[-1])
                new = np.concatenate([new[..., : x.shape[-1] - last], x[..., x.shape[-1] - last :]], axis=-1)
            x = new
        return Batch(x, ((y - self.mean) / self.std).astype(y.dtype) if targets else y, weight)


def by_heart(subject: Subject) -> Iterable[Finding]:
    """Yield whether the recipe learns 16 rows by heart, beside the reference on the same rows.

    Statistic: the cost after 120 steps on all 16 rows, beside that of the best constant answer, and the share of rows
    that are wrong (of numbers, the mean absolute error beside their mean deviation). The run's own recipe is taken,
    with its rate at the beginning (of a warm-up, the rate that it leads to), without dropout, augmentation and
    penalties; a run of more steps gets more of them, as far as the time allows. Reference: the same network with
    default recipe on the same rows. Where it learns them and the run does not, the recipe is at fault, and the fix of
    each cause is tried alone on these rows: the finding speaks for those after which they are learnt. Where both fail,
    code, data or the network's size are.

    Source: lecture 003, "overfit a small subset of the data"; Karpathy, "A recipe for training neural networks" (2019).
    """
    rows = rows_to_learn(subject)
    if rows is None:
        return
    count = len(rows.batch.x)
    outcome = learn(subject, rows, subject.net, subject.settings)
    if outcome.learnt is not None:
        yield Finding(
            "by_heart",
            "note",
            f"{count} rows are learnt by heart in {outcome.learnt} step{'' if outcome.learnt == 1 else 's'}.",
            evidence=_evidence(outcome),
            against=("lr_low", "lr_high", "init", "activation", "optimizer", "output", "loss", "too_small", "bias"),
        )
        return
    other = _learn_reference(subject, rows)
    text = f"{count} rows are not learnt by heart in {outcome.steps:,} steps: {_in_words(outcome, subject.task)}"
    if other.learnt is None or (outcome.finite and not _clearly_worse(outcome, other)):
        yield Finding(
            "by_heart",
            "note",
            f"{text}; nor by the same network with default recipe ({_in_words(other, subject.task)}).",
            evidence=_evidence(outcome, other),
            causes=("too_small", "labels_unrelated", "labels_noisy"),
        )
        return
    text += f", while the same network with default recipe knows them after {other.learnt}"
    if outcome.falling and outcome.moved and outcome.finite and 2 * outcome.steps < _steps_of_run(subject):
        yield Finding(
            "by_heart",
            "advice",
            f"{text}; the cost still falls, and the run has more steps than were tried.",
            evidence=_evidence(outcome, other),
            causes=tuple(dict.fromkeys((*suspicious(subject), "lr_low", "epochs_few", "optimizer", "init"))),
        )
        return
    suspects = suspicious(subject)
    helped = list(_what_helps(subject, rows, suspects, outcome.steps))
    causes = [cause for cause, _ in helped] or list(dict.fromkeys((*suspects, *_guesses(outcome))))
    if helped:
        text += f". With one change it does, too: {helped[0][1].text.rstrip('.')}"
    yield Finding("by_heart", "alarm", f"{text}.", "", _evidence(outcome, other), tuple(causes))


def rows_to_learn(subject: Subject, size: int = ROWS) -> Rows | None:
    """Return different training rows of all classes in turn, of numbers from the least to the largest; None of few."""
    batch = subject.batch(2000)
    keep = [at for at in range(len(batch.x)) if batch.weight[at] > 0 and np.isfinite(batch.x[at]).all()]
    _, first = np.unique([batch.x[at].tobytes() for at in keep], return_index=True)
    places = np.asarray(keep, int)[np.sort(first)] if keep else np.zeros(0, int)
    if len(places) < 4:
        return None
    y = batch.y
    if subject.task == "regression":
        in_order = places[np.argsort(y[places].reshape(len(places), -1)[:, 0], kind="stable")]
        chosen = in_order[np.unique(np.linspace(0, len(in_order) - 1, min(size, len(in_order))).astype(int))]
    else:
        labels = y.argmax(axis=1) if y.ndim > 1 and y.shape[1] > 1 else y.reshape(len(y))
        seen: dict[Any, int] = {}
        turn = []
        for at in places:
            turn.append(seen.get(labels[at], 0))
            seen[labels[at]] = turn[-1] + 1
        chosen = places[np.argsort(turn, kind="stable")][:size]
    weight = np.ones(len(chosen), batch.weight.dtype)
    mean: Any = 0.0
    std: Any = 1.0
    if subject.task == "regression":
        mean, std = y.mean(axis=0), np.where(y.std(axis=0) > 0, y.std(axis=0), 1.0)
    return Rows(Batch(batch.x[chosen], y[chosen], weight), Standardizer.fit(batch.x), mean, std)


def learn(
    subject: Subject,
    rows: Rows,
    net: Layer | Model,
    settings: TrainingSettings,
    *,
    inputs: bool = False,
    targets: bool = False,
    steps: int | None = None,
) -> Learning:
    """Learn rows by a network and settings, without what is random and without penalties.

    Parameters
    ----------
    net, settings : as `fit` takes them; of the subject, or changed
    inputs, targets : whether these are standardized first
    steps : None: 120, or as many as the run has where these are not enough
    """
    model = net if isinstance(net, Model) else _model(subject, net, settings)
    quiet = _quiet(model)
    few = rows.scaled(inputs, targets, model.net.codes)
    longest = max(STEPS, min(MOST_STEPS, _steps_of_run(subject))) if steps is None else steps
    longest = min(longest, affordable(model, len(few.x)))
    recipe, state = start(
        quiet,
        settings.loss,
        _optimizer(settings),
        samples=len(few.x),
        batch_size=len(few.x),
        epochs=longest,
        key=random.key(settings.seed),
        task=subject.task,
    )
    few = Batch(few.x.astype(quiet.precision), few.y, few.weight.astype(quiet.precision))
    best = constant_cost(recipe, few)
    spread = float(np.mean(np.abs(few.y - np.median(few.y, axis=0)))) if subject.task == "regression" else 1.0
    costs: list[float] = []
    wrong, learnt, known = 1.0, None, 0
    with np.errstate(all="ignore"):
        while len(costs) < longest:
            state, metrics = step(recipe, state, few)
            costs.append(float(metrics.cost) / len(few.x))
            score = float(metrics.score) / len(few.x)
            wrong = score / max(spread, 1e-12) if subject.task == "regression" else 1.0 - score
            if not math.isfinite(costs[-1]):
                return Learning(len(costs), math.inf, 1.0, None, False, math.inf, False)
            known = known + 1 if _knows(_left(costs, best), wrong, subject.task) else 0
            if known == 3:  # not by chance on the way
                learnt = len(costs) - 2
                break
    half = costs[len(costs) * 2 // 3]
    change = costs[-1] / costs[0] if costs[0] > 0.0 else (0.0 if costs[-1] < costs[0] else 1.0)
    return Learning(len(costs), _left(costs, best), wrong, learnt, costs[-1] < 0.98 * half, change, True)


def affordable(model: Model, rows: int) -> int:
    """Return how many steps on some rows a stretch has time for; a step takes three times a prediction."""
    return max(30, int(WORK / (3.0 * rows * model.work().flops + PER_ARRAY * len(tree.leaves(model.params)))))


def _knows(left: float, wrong: float, task: str) -> bool:
    if task == "regression":  # a cost of one's own may not be the absolute error's: one of both is enough
        return left <= MOST_LEFT or wrong <= 0.5
    return wrong <= MOST_WRONG and (left <= MOST_LEFT or wrong <= 0.05)


def _left(costs: list[float], best: float | None) -> float:
    base = costs[0] if best is None or not best > 0.0 else min(costs[0], best)
    return costs[-1] / base if base > 0.0 else (0.0 if costs[-1] < costs[0] else 1.0)


def _clearly_worse(outcome: Learning, other: Learning) -> bool:
    """Return whether more is left than of the reference, by more than the choice of its rate makes."""
    return outcome.left > 2.0 * other.left or outcome.wrong > other.wrong + 0.2


def _model(subject: Subject, net: Layer, settings: TrainingSettings) -> Model:
    if net is subject.net and settings.seed == subject.settings.seed:
        return subject.run.model
    return Model(net, subject.run.model.input_shape, seed=settings.seed, precision=settings.precision)


def _quiet(model: Model) -> Model:
    """Return the model without dropout: the same values, since dropout has none; names count by kind."""
    net: Any = rebuilt(model.net, lambda part: (Dropout(0.0),) if isinstance(part.layer, Dropout) else (part.layer,))
    return Model(net, model.input_shape, precision=model.precision, params=model.params, state=model.state)


def _optimizer(settings: TrainingSettings) -> Optimizer:
    """Return the optimizer without weight decay, at the rate that the run has at its beginning.

    A warm-up stays one, of 60 steps: some rates are only good for weights that have begun to learn.
    """
    optimizer = optimizers.get(settings.optimizer)
    changes: dict[str, Any] = {}
    if isinstance(optimizer.lr, Schedule):
        changes["lr"] = peak = starting_rate(optimizer.lr, int(settings.epochs))
        if float(np.asarray(rate_at(optimizer.lr, 0.0, float(settings.epochs)))) < 0.5 * peak:
            changes["lr"] = Warmup(peak, epochs=STEPS // 2)  # an epoch is a step here
    if optimizer.weight_decay:
        changes["weight_decay"] = 0.0
    return dataclasses.replace(optimizer, **changes) if changes else optimizer


def starting_rate(lr: Schedule, epochs: int) -> float:
    """Return the rate that a schedule has at the beginning: the largest of its first half, where a warm-up has ended.

    >>> import chainrule as cr
    >>> from chainrule.symptoms.by_heart import starting_rate
    >>> starting_rate(cr.schedules.Warmup(cr.schedules.Cosine(0.1), epochs=2), 10) > 0.09
    True
    """
    times = np.linspace(0.0, 0.5 * epochs, 101)
    return max(float(np.asarray(rate_at(lr, float(at), float(epochs)))) for at in times)


def _steps_of_run(subject: Subject) -> int:
    return subject.run.epochs * subject.run.steps_per_epoch


def _learn_reference(subject: Subject, rows: Rows) -> Learning:
    """Return what the reference makes of the rows: the best of two rates."""
    other = reference(subject.net, subject.task, subject.settings, rows=len(subject.run.prepared.train.x))
    outcomes = []
    for rate in (0.01, 0.001):
        settings = dataclasses.replace(other.settings, optimizer=Adam(lr=rate))
        outcomes.append(
            learn(
                subject,
                rows,
                other.net,
                settings,
                inputs=other.settings.normalize,
                targets=other.settings.normalize_target and not subject.settings.normalize_target,
                steps=3 * STEPS if rate == 0.01 else 2 * STEPS,
            )
        )
        if outcomes[-1].learnt is not None:
            break
    return min(outcomes, key=lambda learning: (learning.learnt is None, learning.left))


def suspicious(subject: Subject) -> tuple[str, ...]:
    """Return the causes whose setting is unusual, the most unusual kinds first: their fixes are tried first."""
    suspects = []
    net = subject.net.net if isinstance(subject.net, Model) else subject.net
    optimizer = optimizers.get(subject.settings.optimizer)
    listed = parts(net)
    weighted = [part.layer for part in listed if isinstance(part.layer, Dense | Conv2D)]
    if any(_unusual_start(layer) for layer in weighted):
        suspects.append("init")
    batch = subject.batch(64)
    scale = loss_scale(subject.recipe, batch)
    if (scale is not None and not 1 / 30 <= scale <= 30) or scaling_layer(subject.recipe, subject.state, batch):
        suspects.append("code_scale")
    x = np.asarray(batch.x, np.float64)
    if not subject.run.model.net.codes and not 0.1 < math.sqrt(np.mean(x * x)) < 10.0:
        suspects.append("inputs_unscaled")
    if subject.task == "regression":
        y = np.asarray(subject.run.prepared.train.y, np.float64)
        if abs(float(y.mean())) > 2.0 * float(y.std()) or not 0.1 < float(y.std()) < 10.0:
            suspects.append("targets_unscaled")
    peak, usual = peak_rate(optimizer, subject.run.epochs), usual_rate(optimizer)
    if usual is not None and not 0.09 * usual < peak < 11.0 * usual:
        suspects.append("lr_high" if peak > usual else "lr_low")
    functions = [part.function for part in listed if part.function is not None and not part.output]
    names = [function.name for function in functions]
    if any(name in BLOCKING for name in names) or names.count("sigmoid") > MOST_SIGMOIDS or not names:
        suspects.append("activation")
    if subject.run.model.last_activation.name != (OUTPUTS[subject.task] or "linear"):
        suspects.append("output")
    if subject.settings.loss != "auto":
        suspects.append("loss")
    if optimizer != dataclasses.replace(type(optimizer)(), lr=optimizer.lr):
        suspects.append("optimizer")
    if any(isinstance(part.layer, BatchNorm) and part.layer != BatchNorm() for part in listed):
        suspects.append("batch_norm")
    if any(not layer.bias for layer in weighted):
        suspects.append("bias")
    return tuple(suspects)


def _unusual_start(layer: Dense | Conv2D) -> bool:
    init = initializers.get(layer.init, layer.activation)
    bias = initializers.get(layer.bias_init)
    fixed = (initializers.Zeros, initializers.Ones, initializers.Constant, initializers.Normal, initializers.Uniform)
    return isinstance(init, (*fixed, initializers.TruncatedNormal)) or bias != initializers.Zeros()


def _what_helps(subject: Subject, rows: Rows, suspects: tuple[str, ...], steps: int) -> Iterator[tuple[str, Fix]]:
    """Yield the causes whose fix alone lets the rows be learnt, those whose setting is unusual first.

    Where one of these helps, the others, usual as they are, are not tried.
    """
    begin, left, helped = time.perf_counter(), TRIAL_STEPS, False
    steps = max(STEPS, min(steps, 2 * STEPS))
    for cause in (*suspects, *(cause for cause in TRIED if cause not in suspects)):
        if helped and cause not in suspects:
            return
        for fix in fixes_for(cause, subject)[: 2 if cause in ("lr_high", "lr_low") else 1]:
            if left <= 0 or time.perf_counter() - begin > TRIAL_SECONDS:
                return
            outcome = _with_fix(subject, rows, fix, steps)
            left -= outcome.steps if outcome is not None else 0
            if outcome is not None and outcome.learnt is not None:
                helped = True
                yield cause, fix
                break


def _with_fix(subject: Subject, rows: Rows, fix: Fix, steps: int) -> Learning | None:
    """Return what becomes of the rows with a fix; None where it is none of network and settings."""
    net: Any = subject.net
    settings = subject.settings
    changes = dict(fix.changes)
    inputs = bool(changes.pop("normalize", False))
    targets = bool(changes.pop("normalize_target", False))
    net = changes.pop("net", net)
    try:
        for path, value in changes.items():
            if "." in path:
                net, settings = with_setting(net, settings, path, value)
            else:
                settings = dataclasses.replace(settings, **{path: value})
        return learn(subject, rows, net, settings, inputs=inputs, targets=targets, steps=steps)
    except Exception:  # the user's own parts may not take another setting
        return None


def _guesses(outcome: Learning) -> tuple[str, ...]:
    """Return the causes that go with how it failed."""
    if not outcome.finite or outcome.change > 1.1:
        return ("lr_high", "init", "inputs_unscaled", "targets_unscaled", "optimizer")
    if not outcome.moved:
        return ("lr_low", "init", "activation", "optimizer", "output", "loss", "code_cut")
    return ("lr_low", "init", "activation", "lr_high", "optimizer", "output", "loss", "inputs_unscaled")


def _in_words(learning: Learning, task: str) -> str:
    if not learning.finite:
        return "the cost is no number any more"
    left = f"{learning.left:.3g} of the cost of the best constant answer is left"
    if task == "regression":
        return left
    return f"{left}, and {percent(learning.wrong, 0)} are wrong"


def _evidence(outcome: Learning, other: Learning | None = None) -> tuple[Evidence, ...]:
    """Return the figures, beside those of the reference."""
    left = Evidence("cost that is left of the best constant answer's", min(outcome.left, 1e300), 0.0, MOST_LEFT)
    wrong = Evidence("rows that are wrong", outcome.wrong, 0.0, MOST_WRONG)
    if other is None:
        return left, wrong
    return (left, wrong, Evidence("the same of the reference", min(other.left, 1e300)))


#: The check, by the symptom that it looks for.
CHECKS: tuple[tuple[str, Callable[[Subject], Iterable[Finding]]], ...] = (("by_heart", by_heart),)
