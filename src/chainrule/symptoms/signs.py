"""What a run's history and looks at its moments tell: symptoms, which say where to look and what to try first.

They raise no alarm by themselves. Alarms are facts only: values that are not finite, layers that carry no signal or let
no gradient through at the start and at the end of a run that has learnt nothing, and steps that have led uphill.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator

import numpy as np

from chainrule import metrics
from chainrule.display.numbers import percent
from chainrule.layers import BatchNorm
from chainrule.recipe.state import filled
from chainrule.schedules import Schedule
from chainrule.symptoms.evidence import Evidence, Finding
from chainrule.symptoms.look import LayerLook, Look
from chainrule.symptoms.observed import LEAST_ERRORS, LEAST_GAIN, Observed, row_answers
from chainrule.symptoms.reference import walk
from chainrule.symptoms.start_checks import MOST_COST, constant_cost

__all__ = ["ALARMING", "SIGNS", "signs"]

#: The symptoms of which some findings are alarms.
ALARMING = ("finite", "signal", "units", "movement")


#: Of values that are not finite nothing can be said but what the steps before them were like.
AT_DIVERGENCE = ("step_size", "penalty")

#: A layer carries no signal where less than this share of its mean square differs between samples, its values are so
#: many times smaller or larger than the inputs, or so many of its values are flat: far from all healthy networks of
#: bench/doctor_start.py (of which five sigmoid layers on iris have the least, 4e-7).
LEAST_BETWEEN, SCALES, MOST_FLAT = 1e-7, 1e-3, 0.9

#: A layer has stayed where it was if its weights have moved by less than this share of their size.
STAYED = 0.01

#: Little was learnt where so much of the cost of the best constant answer is left.
LITTLE_LEARNT = 0.8

#: Steps have led uphill where the cost has become so many times as large.
UPHILL = 3.0

#: Units are alike from this mean absolute correlation on, and a layer is dead with more dead units than this share.
MOST_ALIKE, MOST_DEAD = 0.99, 0.9

#: A difference counts from so many standard errors (or deviations of the run's own noise) on.
ERRORS = 3.0


def signs(run: Observed, reference: Look | None = None, *, only: Collection[str] | None = None) -> tuple[Finding, ...]:
    """Return what the history and the looks tell, in the order of `chainrule.symptoms.catalogue.SYMPTOMS`.

    Parameters
    ----------
    run : as far as it has come
    reference : a look at the reference after as many steps, to compare the updates with
    only : the symptoms to look for; None: all

    Example
    -------
    >>> import chainrule as cr
    >>> from chainrule.symptoms.observed import Observed
    >>> from chainrule.symptoms.signs import signs
    >>> net = cr.Sequential(cr.Dense(8, "relu"), cr.Dense(3, "softmax"))
    >>> run = cr.fit(net, cr.data.load("iris"), epochs=20, optimizer=cr.Adam(0.01), progress=False)
    >>> observed = Observed(run.recipe, run.settings, run.history, run.recordings)
    >>> any(finding.level == "alarm" for finding in signs(observed))
    False
    """
    findings: list[Finding] = []
    for name, sign in SIGNS:
        if only is not None and name not in only:
            continue
        if name not in AT_DIVERGENCE and any(
            finding.level == "alarm" for finding in findings if finding.symptom == "finite"
        ):
            continue
        try:
            findings += sign(run, reference)
        except Exception as error:  # what one sign cannot tell, the others may
            findings.append(Finding(name, "note", f"This could not be looked at: {type(error).__name__}: {error}"))
    return tuple(findings)


def finite(run: Observed, reference: Look | None) -> Iterator[Finding]:
    """Yield whether everything is finite. Exact.

    What is not finite in the first state is at fault before any step; a gradient that is not while all values are
    moderate is wrong; else the steps have led there.
    """
    first = run.first
    if first.nonfinite:
        causes: tuple[str, ...] = ("init", "inputs_unscaled", "code_gradient")
        if first.nonfinite.startswith(("the gradient", "the step")):
            causes = ("code_gradient", "optimizer", "init")
        yield _not_finite(f"before the first step, first in {first.nonfinite}", first.nonfinite, causes)
    elif run.outcome.diverged or run.last.nonfinite:
        where = run.recordings.nonfinite or run.last.nonfinite
        at = f"at step {run.outcome.step} (epoch {run.outcome.epoch})" if run.outcome.diverged else "at the last step"
        largest = max((layer.rms for layer in run.last.layers), default=0.0)
        causes = ("lr_high", "inputs_unscaled", "targets_unscaled", "init", "optimizer")
        steps = run.last.kappa is not None and run.last.kappa > 1.0
        if "gradient" in where and not steps and largest < 100 * max(1.0, *(layer.rms for layer in first.layers)):
            causes = ("code_gradient", *causes)
        first_in = f", first in {where}" if where else ""
        size = Evidence("largest values of a layer before that (rms), beside those at the start", largest, 0.0,
                        max((layer.rms for layer in first.layers), default=0.0))  # fmt: skip
        yield _not_finite(f"{at}{first_in}", where, causes, (size,))
    else:
        yield Finding("finite", "note", "All values and gradients are finite.", against=("nan",))


def _not_finite(at: str, where: str, causes: tuple[str, ...], evidence: tuple[Evidence, ...] = ()) -> Finding:
    return Finding("finite", "alarm", f"A value became NaN or infinite {at}.", where, evidence, causes)


def signal(run: Observed, reference: Look | None) -> Iterator[Finding]:
    """Yield layers through which nothing comes at the start of a run that has learnt nothing.

    Two facts together: of some hidden layer less than 1e-7 of the mean square differs between samples, or its values
    are a thousand times smaller or larger than the inputs; and at the end the rows cost no more (a hundredth, or 2
    standard errors) with the inputs of other rows.
    """
    learnt, rows = run.learnt, run.rows
    if learnt is None or not learnt.nothing or not run.last.step:
        return
    gain = _gain(run)
    inputs = float(np.sqrt(np.mean(np.square(rows.x, dtype=np.float64))))
    if not np.ptp(rows.x, axis=0).any():
        text = f"All rows have the same inputs{' (0)' if not inputs else ''}: they tell nothing about the targets."
        yield Finding("signal", "alarm", text, "inputs", gain, ("labels_unrelated", "inputs_unscaled"))
        return
    hidden = _hidden(run.first)
    for layer in hidden:
        size = layer.rms / inputs
        causes: tuple[str, ...] = ("init", "inputs_unscaled", "activation")
        if not SCALES <= size <= 1 / SCALES:
            what = "are tiny" if size < SCALES else "are huge"
            evidence = Evidence(f"size of {layer.name} beside the inputs", size, SCALES, 1 / SCALES)
        elif layer.between < LEAST_BETWEEN:
            what, causes = "hardly differ between samples", _of_lost_signal(hidden)
            evidence = Evidence(
                f"share of {layer.name} that differs between samples", layer.between, LEAST_BETWEEN, 1.0
            )
        else:
            continue
        yield Finding(
            "signal",
            "alarm",
            f"At the start the values of {layer.name} {what} ({evidence.value:.2g}), and nothing was learnt: the rows "
            "cost no more with the inputs of others.",
            layer.name,
            (evidence, *gain),
            causes,
        )
        return


def _gain(run: Observed) -> tuple[Evidence, ...]:
    """Return what the answers owe to the inputs, as evidence."""
    learnt = run.learnt
    if learnt is None:
        return ()
    return (
        Evidence("share of the cost that goes away with the rows' own inputs", learnt.gain, LEAST_GAIN, 1.0),
        Evidence("the same in standard errors", learnt.errors, LEAST_ERRORS, None),
    )


def _of_lost_signal(hidden: list[LayerLook]) -> tuple[str, ...]:
    """Return why a signal is lost: little by little in many layers, or at once."""
    shares = [layer.between for layer in hidden if layer.name.endswith("/a")]
    fading = len(shares) > 3 and shares[0] > 100 * shares[-1]
    return ("too_deep", "activation", "init", "batch_norm") if fading else ("init", "activation", "inputs_unscaled")


def units(run: Observed, reference: Look | None) -> Iterator[Finding]:
    """Yield layers whose units let no gradient through, are dead, or all do the same.

    An alarm where a layer lets (almost) no gradient through for nine values of ten, or is dead, in the first state and
    in the last, and its weights have stayed where they were (by a hundredth of their size) or nothing was learnt.
    """
    last = {layer.name: layer for layer in run.last.layers}
    early = {layer.name: layer for layer in run.early.layers} if run.early is not None else last
    fine = True
    for layer in _hidden(run.first):
        end, soon = last.get(layer.name), early.get(layer.name)
        if end is None or soon is None:
            continue
        name = layer.name.rpartition("/")[0]
        stayed = max((move for path, move in run.moved.items() if path.startswith(f"{name}/")), default=0.0)
        idle = stayed < STAYED or (run.learnt is not None and run.learnt.nothing)
        closed = min(layer.flat or 0.0, end.flat or 0.0) > MOST_FLAT
        dead = min(layer.dead or 0.0, end.dead or 0.0) > MOST_DEAD
        if (closed or dead) and idle and run.last.step:
            fine = False
            share = layer.dead if dead else layer.flat
            how = "are 0, or let no gradient through, for every row" if dead else "let next to no gradient through"
            yield Finding(
                "units",
                "alarm",
                f"{percent(share, 0)} of the {'units' if dead else 'values'} of {name} {how}, at the start and at "
                f"the end: its weights have moved by {stayed:.1g} of their size.",
                name,
                (
                    Evidence(f"{'dead units' if dead else 'flat values'} of {name}", share or 0.0, 0.0, MOST_FLAT),
                    Evidence(f"movement of {name}", stayed, STAYED, None),
                ),
                ("init", "activation", "inputs_unscaled"),
            )
        elif (end.dead or 0.0) > MOST_DEAD and (layer.dead or 0.0) <= MOST_DEAD:
            fine = False
            yield Finding(
                "units",
                "note",
                f"{percent(end.dead, 0)} of the units of {name} are dead at the end "
                f"({percent(layer.dead, 0)} at the start).",
                name,
                (Evidence(f"dead units of {name}", end.dead or 0.0, 0.0, MOST_DEAD),),
                ("lr_high", "init", "activation"),
            )
        elif min(v or 0.0 for v in (layer.likeness, end.likeness)) > MOST_ALIKE:
            fine = False
            yield Finding(
                "units",
                "note",
                f"The units of {name} are all alike, at the start and at the end (correlation {end.likeness:.3f}).",
                name,
                (Evidence(f"likeness of the units of {name}", end.likeness or 0.0, 0.0, MOST_ALIKE),),
                ("init", "activation"),
            )
    if fine:
        yield Finding("units", "note", "No layer is dead, flat or of units that are all alike.", against=("init",))


def _hidden(seen: Look) -> list[LayerLook]:
    """Return the looks at what hidden layers give: after the activation where there is one, without the outputs."""
    values = [layer for layer in seen.layers if layer.gradient is not None and not layer.name.endswith("z")]
    return values[:-1]


def inputs_matter(run: Observed, reference: Look | None) -> Iterator[Finding]:
    """Yield whether the answers depend on the inputs: the rows cost more with the inputs of other rows.

    Statistic: the mean difference in standard errors, of rows in pairs. Null: 0.
    """
    learnt = run.learnt
    if learnt is None:
        return
    if learnt.nothing:
        text = "The answers hardly depend on the inputs: with those of other rows the rows cost "
        text += f"{max(learnt.gain, 0.0):.2%} more ({learnt.errors:.1f} standard errors)."
        causes = ("lr_low", "init", "code_cut", "activation", "labels_unrelated", "regularization", "lr_high")
        yield Finding("inputs_matter", "advice", text, "", _gain(run), causes)
    else:
        text = f"The answers depend on the inputs: they take {percent(learnt.gain, 0)} of the cost away."
        yield Finding("inputs_matter", "note", text, "", _gain(run), (), ("labels_unrelated", "code_cut"))


def step_size(run: Observed, reference: Look | None) -> Iterator[Finding]:
    """Yield whether steps are of a useful size: κ and the alignment, on the step's own batch.

    κ = (C(w + Δ) − C(w) − g·Δ) / |g·Δ|: 0 where the cost is as good as linear, ½ at the minimum along the step, above 1
    uphill. Where it is as good as linear at every moment, and little was learnt, a larger rate is worth trying.
    """
    moments = [(name, seen) for name, seen in _moments(run) if seen.kappa is not None]
    if not moments:
        return
    name, worst = max(moments, key=lambda pair: pair[1].kappa or 0.0)
    kappa, alignment = worst.kappa or 0.0, worst.alignment
    evidence = [Evidence(f"κ {at}", seen.kappa or 0.0, 0.0, 1.0) for at, seen in moments]
    if alignment is not None:
        evidence.append(Evidence("alignment of the gradients before and after that step", alignment, 0.0, 1.0))
    if kappa > 1.0:
        turned = f", and turns the gradient around (cosine {alignment:.2f})" if (alignment or 0.0) < 0 else ""
        yield Finding(
            "step_size", "note", f"The step {name} leads uphill on its own batch (κ {kappa:.2g}){turned}.",
            "optimizer.lr", tuple(evidence), ("lr_high", "optimizer", "batch_small"), ("lr_low",),
        )  # fmt: skip
    elif kappa < SCALES and not run.outcome.diverged:
        text = f"The steps are so small that the cost is linear along them (κ {kappa:.1g})"
        best = constant_cost(filled(run.recipe, run.recordings.last.settings), run.rows)
        left = run.last.prediction_cost / best if best else 0.0
        far = run.ended and left > LITTLE_LEARNT
        if far:
            evidence.append(
                Evidence("cost at the end beside that of the best constant answer", left, 0.0, LITTLE_LEARNT)
            )
            text += f", and {percent(left, 0)} of the cost of the best constant answer is left: try ten times the rate"
        yield Finding(
            "step_size", "advice" if far else "note", f"{text}.", "optimizer.lr", tuple(evidence),
            ("lr_low", "optimizer"), ("lr_high",),
        )  # fmt: skip
    else:
        yield Finding(
            "step_size", "note", f"The steps are of a useful size (κ at most {kappa:.2g}).", "optimizer.lr",
            tuple(evidence), (), ("lr_high",),
        )  # fmt: skip


def _moments(run: Observed) -> list[tuple[str, Look]]:
    looks = [("at the start", run.first), ("after epoch 1", run.early), ("at the end", run.last)]
    return [(name, seen) for name, seen in looks if seen is not None]


def update_ratio(run: Observed, reference: Look | None) -> Iterator[Finding]:
    """Yield log₁₀ rms(Δ)/rms(w) of the weights, against the reference's after as many steps; alone it says nothing."""
    seen = run.early or run.last
    ratios = _ratios(seen)
    if not ratios:
        return
    middle = float(np.median(list(ratios.values())))
    if reference is None or not (others := _ratios(reference)):
        evidence = Evidence("update beside weight (log₁₀ of the rms)", middle)
        yield Finding(
            "update_ratio", "note", f"A step changes weights by 10^{middle:.1f} of their size.", "", (evidence,)
        )
        return
    usual = float(np.median(list(others.values())))
    evidence = Evidence("update beside weight (log₁₀ of the rms)", middle, usual - 1.0, usual + 1.0)
    causes: tuple[str, ...] = ()
    if abs(middle - usual) > 1.0:
        causes = ("lr_high", "optimizer") if middle > usual else ("lr_low", "optimizer", "schedule", "regularization")
    text = f"A step changes weights by 10^{middle:.1f} of their size, the reference's by 10^{usual:.1f}."
    yield Finding("update_ratio", "note", text, "optimizer.lr", (evidence,), causes)


def _ratios(seen: Look) -> dict[str, float]:
    return {
        p.name: math.log10(p.update / p.size)
        for p in seen.parameters
        if p.name.endswith("weight") and p.update and p.size and math.isfinite(p.update)
    }


def movement(run: Observed, reference: Look | None) -> Iterator[Finding]:
    """Yield whether the loss has moved: its fall over the run, in deviations of the noise from epoch to epoch.

    The noise is that of second differences, which a steady fall does not enter; a steady fall by less than a hundredth
    of the loss is none, either. An alarm where the rows cost more at the end than at the start (3 times), and than the
    best answer that is the same for every row (12 times, the bound of the check of the start): the steps led uphill.
    """
    best = constant_cost(filled(run.recipe, run.recordings.last.settings), run.rows)
    begun, end = run.first.prediction_cost, run.last.prediction_cost
    if best is not None and best > 0 and end > MOST_COST * best and end > UPHILL * begun:
        yield Finding(
            "movement",
            "alarm",
            f"The steps have led uphill: the rows cost {end:.3g} at the end and {begun:.3g} at the start, and the best "
            f"answer that is the same for every row costs {best:.3g}.",
            "optimizer.lr",
            (Evidence("cost at the end beside that of the best constant answer", end / best, 0.0, MOST_COST),),
            ("lr_high", "optimizer", "batch_norm", "inputs_unscaled"),
        )
        return
    losses = _losses(run)
    if len(losses) < 4:
        return
    fall, noise = float(losses[0] - losses[-1]), _noise(losses)
    moved = fall / noise if noise > 0 else math.inf if fall else 0.0
    evidence = Evidence("fall of the training loss, in deviations of its noise", moved, ERRORS, None)
    share = fall / abs(float(losses[0])) if losses[0] else 0.0
    came = f"from {losses[0]:.4g} to {losses[-1]:.4g}"
    if moved < ERRORS or share < LEAST_GAIN:
        text = f"The training loss does not move: {came}, by {moved:.1f} deviations of its noise."
        yield Finding(
            "movement", "note", text, "", (evidence,), ("lr_low", "lr_high", "init", "schedule", "activation")
        )
    else:
        yield Finding("movement", "note", f"The training loss has fallen {came}.", "", (evidence,))


def _losses(run: Observed) -> np.ndarray:
    records = run.history.records
    losses = np.array([record["loss"] for record in records if "loss" in record], float)
    return losses if np.isfinite(losses).all() else losses[:0]


def _noise(values: np.ndarray) -> float:
    """Return the deviation of what differs from epoch to epoch besides a trend."""
    return float(np.sqrt(np.mean(np.square(np.diff(values, 2))) / 6.0)) if len(values) > 2 else 0.0


def still_falling(run: Observed, reference: Look | None) -> Iterator[Finding]:
    """Yield whether the loss still falls at the end: the share of its whole fall in the last fifth of the epochs."""
    losses = _losses(run)
    if not run.ended or len(losses) < 5:
        return
    count = max(1, len(losses) // 5)
    whole, late = float(losses[0] - losses[-1]), float(losses[-1 - count] - losses[-1])
    noise = _noise(losses[-2 * count - 3 :])
    share = late / whole if whole > 0 else 0.0
    evidence = Evidence("share of the fall in the last fifth of the epochs", share, 0.0, 0.1)
    if share > 0.1 and late > 2.0 * noise:
        schedule = ("schedule",) if isinstance(run.recipe.optimizer.lr, Schedule) else ()
        yield Finding(
            "still_falling", "advice",
            f"The training loss still falls: {percent(share, 0)} of its fall came in the last fifth of the epochs.",
            "epochs",
            (evidence,), ("epochs_few", "lr_low", "batch_large", *schedule), ("overtrained",),
        )  # fmt: skip
    else:
        text = f"The training loss has come to rest ({percent(share, 0)} of its fall in the last fifth of the epochs)."
        yield Finding("still_falling", "note", text, "epochs", (evidence,), (), ("epochs_few",))


def modes_agree(run: Observed, reference: Look | None) -> Iterator[Finding]:
    """Yield whether the same rows cost the same in both modes, without dropout and augmentation.

    Statistic: the difference in standard errors, of rows in pairs, and beside the cost (a fifth of it).
    """
    seen = run.last
    if not any(isinstance(layer, BatchNorm) for layer in walk(run.recipe.net)) and seen.cost_error < 1e-6:
        return
    gap = seen.prediction_cost - seen.cost
    errors = gap / seen.cost_error if seen.cost_error > 0 else 0.0
    evidence = Evidence(
        "prediction's cost above that of training, in standard errors", errors, -LEAST_ERRORS, LEAST_ERRORS
    )
    if errors > LEAST_ERRORS and gap > 0.2 * seen.cost:
        text = f"The same rows cost {seen.cost:.3g} in training mode and {seen.prediction_cost:.3g} in prediction mode."
        yield Finding("modes_agree", "note", text, "", (evidence,), ("batch_norm", "code_axis"))
    else:
        text = f"The same rows cost as much in prediction mode ({seen.prediction_cost:.3g}) as in training mode."
        yield Finding("modes_agree", "note", text, "", (evidence,), (), ("batch_norm",))


def training_below(run: Observed, reference: Look | None) -> Iterator[Finding]:
    """Yield whether training rows score worse than validation rows, and whether dropout and augmentation explain it."""
    gap = _gap(run)
    if gap is None:
        return
    train, other, error, name, record = gap
    sign = 1.0 if metrics.find(name).cost(1.0) < 0 else -1.0  # larger is better, or smaller
    measured = sign * (record.get(f"val_{name}", math.nan) - record.get(name, math.nan))
    plain = sign * (other - train)
    if not measured > ERRORS * error:
        return
    evidence = (
        Evidence(f"{name} of validation above training, as trained", measured, -ERRORS * error, ERRORS * error),
        Evidence(f"{name} of validation above training, in prediction mode", plain, -ERRORS * error, ERRORS * error),
    )
    dropped = tuple(
        name for name, on in (("dropout", run.recipe.net.random), ("augmentation", run.recipe.augment)) if on
    )
    if plain > ERRORS * error:
        text = "Training rows score worse than validation rows, in prediction mode, too: the parts are not alike."
        yield Finding("training_below", "note", text, "", evidence, ("shift", "overlap"))
    else:
        why = " and ".join(dropped) or "averaging over an epoch"
        text = f"Training rows score worse than validation rows while they are trained on only: {why} explains it."
        yield Finding("training_below", "note", text, "", evidence, dropped)


def fits_training_only(run: Observed, reference: Look | None) -> Iterator[Finding]:
    """Yield whether training rows score better than validation rows by more than the noise of the rows."""
    gap = _gap(run)
    if gap is None:
        return
    train, other, error, name, _ = gap
    sign = 1.0 if metrics.find(name).cost(1.0) < 0 else -1.0
    above = sign * (train - other)
    evidence = Evidence(f"{name} of training above validation", above, -ERRORS * error, ERRORS * error)
    if above > ERRORS * error:
        text = f"The training rows are fitted better than others: {name} {train:.3g} against {other:.3g}."
        causes = ("overtrained", "no_validation", "too_large", "too_little_data", "labels_noisy")
        yield Finding("fits_training_only", "note", text, "", (evidence,), causes, ("too_small", "epochs_few"))
    else:
        text = f"Training and validation rows are fitted alike ({name} {train:.3g} and {other:.3g})."
        yield Finding("fits_training_only", "note", text, "", (evidence,), (), ("overtrained", "too_large"))


def _gap(run: Observed) -> tuple[float, float, float, str, dict[str, float]] | None:
    """Return the score of training and validation rows in prediction mode, the standard error of their difference, the
    metric's name, and the last record.
    """
    held_out, records = run.recordings.held_out, run.history.records
    if held_out is None or not records or len(held_out.x) < 8:
        return None
    last = run.recordings.last
    train, other = (row_answers(run.recipe, last, rows)[1] for rows in (run.rows, held_out))
    error = math.sqrt(sum(scores.var(ddof=1) / len(scores) + 1e-12 for scores in (train, other)))
    return float(train.mean()), float(other.mean()), error, metrics.metric_of(run.recipe.task).name, records[-1]


def penalty(run: Observed, reference: Look | None) -> Iterator[Finding]:
    """Yield whether the penalty pulls harder than the data at the start: rms of λw/n beside that of the gradient.

    At the end the two are in balance where a penalty works at all, so the beginning counts.
    """
    seen = [look for look in (run.first, run.early) if look is not None]
    ratios = {
        p.name: min(
            q.penalty / q.gradient if q.gradient else math.inf
            for each in seen
            for q in each.parameters
            if q.name == p.name
        )
        for p in run.first.parameters
        if p.penalty > 0
    }
    if not ratios:
        return
    name, ratio = max(ratios.items(), key=lambda pair: pair[1])
    evidence = Evidence(f"penalty beside the gradient of the data, {name}", ratio, 0.0, 1.0)
    if ratio > 1.0:
        text = f"The penalty on {name} pulls {ratio:.2g} times as hard as the data."
        yield Finding("penalty", "note", text, name, (evidence,), ("regularization", "optimizer"))
    else:
        text = f"The penalty pulls less than the data ({ratio:.2g} of the gradient at most)."
        yield Finding("penalty", "note", text, "", (evidence,), (), ("regularization",))


#: The signs, in the order in which they are looked for.
SIGNS: tuple[tuple[str, Callable[[Observed, Look | None], Iterable[Finding]]], ...] = (
    ("finite", finite),
    ("signal", signal),
    ("units", units),
    ("inputs_matter", inputs_matter),
    ("step_size", step_size),
    ("update_ratio", update_ratio),
    ("movement", movement),
    ("still_falling", still_falling),
    ("modes_agree", modes_agree),
    ("training_below", training_below),
    ("fits_training_only", fits_training_only),
    ("penalty", penalty),
)
