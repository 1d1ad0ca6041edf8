"""The verdict in plain words, built by the rules below. It says nothing that the figures do not show:

- A difference to a baseline counts where McNemar's test (for numbers: the interval of the paired difference) makes it
  less likely than 5 % by chance; else it is called undecided.
- Overfitting is said where the validation loss has risen by `ROSE` above its lowest while the training loss fell on,
  and by more than these rows make by chance; or where the loss on new rows is `RATIO` times that on training rows, and
  the difference is beyond its 95 % interval. Its standard error is that of the costs of the single rows,
  √(s₁²/n₁ + s₂²/n₂). Where it is within, and that says little, it is said that so many rows cannot tell.
- More epochs are advised where the loss still fell by `FALLS` over the last fifth of the epochs.
- After a cross-validation, the mean of its networks on the rows that each has not seen says both.
- Probabilities are called too high or too low where they lie outside the 95 % interval of what came true, by `OFF` or
  more.
- A score is called too good to be true by the rule of `chainrule.report.suspicion`.
- A class is called weak where the interval of its recall lies wholly below the share of right answers in all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chainrule import statistics
from chainrule.display.numbers import is_number, number, percent
from chainrule.metrics import find, format_value, is_fraction, label_of, preferred, score_in
from chainrule.training.record import Record

ROSE, FALLS, FEWEST_EPOCHS = 0.05, 0.02, 5

#: Fewer judged rows, or rows of a class, than these are too few to say much.
FEW_ROWS, FEW_OF_A_CLASS = 100, 10

NO_SIGN, CANNOT_TELL = "No sign of overfitting:", "Whether it overfits cannot be told:"

#: Probabilities that are off by less on average are as good as right.
OFF = 0.02

#: From this ratio of the losses on new and on training rows on, a network has learnt its training rows too well.
RATIO = 1.25


@dataclass(frozen=True)
class Finding:
    """A few words in bold, what they rest on, whether that is "good" or "bad" (None: neither), and where the page shows
    it.
    """

    lead: str
    text: str
    sign: str | None = None
    place: str = ""


@dataclass(frozen=True)
class Kept:
    """The weights that a model has: of which epoch (of each network, where it is several), and what was measured there.

    >>> Kept((3,), {"accuracy": 0.9}).in_words
    'epoch 3'
    """

    epochs: tuple[int, ...]
    metrics: Mapping[str, Any]

    @property
    def in_words(self) -> str:
        """The epochs, as ``epochs 2 to 4``."""
        first, last = min(self.epochs), max(self.epochs)
        return f"epoch {first:,}" if first == last else f"epochs {first:,} to {last:,}"


def headline(evaluation: Mapping[str, Any], record: Record) -> str:
    """Return the result in one sentence."""
    if record.diverged:
        return "The run diverged: the cost became infinite or undefined."
    if not evaluation:
        done, epoch, metrics = len(record.epochs), record.kept_epoch, record.metrics
        when = f"After {_epochs(done)}" if epoch in (done, None) else f"With the weights of epoch {epoch:,} of {done:,}"
        if (name := preferred(metrics)) is not None:
            return f"{when}, {label_of(name, training='training ')} is {format_value(name, metrics[name])}."
        return "No epoch is finished yet."
    value, rows = evaluation["metrics"][evaluation["score"]], rows_of(evaluation)
    metric = find(evaluation["score"])
    if not metric.is_fraction:
        return f"The {metric.label} on {rows} is {metric.format(value)}."
    every = "with all labels " if evaluation["task"] == "multilabel" else ""
    return f"{percent(value)} of {rows} are {every}right."


def findings(
    evaluation: Mapping[str, Any], record: Record, folds: Curves | None = None, weights: Kept | None = None
) -> list[Finding]:
    """Return what else can be said, the most important first.

    ``folds`` are the mean curves of a cross-validation, if any; ``weights`` says which weights a model of several
    networks has. A network of all rows has none left to be validated on: how it fits is then what the folds say.
    """
    findings = _ended(record)
    if evaluation.get("too_good"):
        place = "columns" if evaluation.get("columns") else "baselines"
        findings.append(Finding("Too good to be true?", str(evaluation["too_good"]), "bad", place))
    if evaluation:
        findings += _baselines(evaluation)
    curves = Curves(record.epochs)
    # A network that has gone on since, or diverged, is not as long as those of the folds.
    if folds is None or curves.validated or not folds.validated or len(folds.epochs) != len(curves.epochs):
        if weights is None and record.kept_epoch is not None:
            weights = Kept((record.kept_epoch,), record.metrics)
        findings += _fit(curves, evaluation, weights) + _more(curves, record)
    else:
        findings += _folds(folds)
    findings = [_no_learning(finding, evaluation) for finding in findings]
    if evaluation:
        findings += _confidence(evaluation) + _weak(evaluation) + _caveats(evaluation)
        findings += [Finding("Note:", str(text)) for text in evaluation.get("notes", [])]
    return findings


def _no_learning(finding: Finding, evaluation: Mapping[str, Any]) -> Finding:
    """Return a finding, that of no overfitting as what it is where the same answer always does as well."""
    constant = next((rule for rule in evaluation.get("baselines", ()) if rule["name"].startswith("always")), None)
    if constant is None or constant["better"] or finding.lead not in (NO_SIGN, CANNOT_TELL):
        return finding
    text = f"{finding.text.rstrip('.')}, and {constant['name']} does as well. See why: chainrule doctor with this run."
    return Finding("No sign of learning:", text, "bad", "baselines")


def rows_of(evaluation: Mapping[str, Any]) -> str:
    """Return the judged rows in words."""
    n = evaluation["judged_rows"]
    return f"{n:,} {evaluation['part']} {'row' if n == 1 else 'rows'}"


class Curves:
    """What was measured after each epoch, with the numbers that are finite.

    Attributes
    ----------
    epochs : the records
    kept : the epoch whose weights the model has, or None
    """

    def __init__(self, epochs: list[dict[str, Any]], kept_epoch: int | None = None) -> None:
        self.epochs, self.kept_epoch = epochs, kept_epoch
        names = epochs[0] if epochs else {}
        self.validated = "val_loss" in names
        self.watched = "val_loss" if self.validated else "loss"
        self.score = score_in(names)

    def column(self, name: str) -> list[float]:
        """Return one value per epoch, NaN where there is none."""
        return [float(v) if isinstance(v := e.get(name), int | float) else math.nan for e in self.epochs]

    @property
    def watched_in_words(self) -> str:
        """What the loss is called that early stopping would watch."""
        return label_of(self.watched, training="training ")

    @property
    def best(self) -> int | None:
        """The epoch (from 1) with the lowest validation loss; without validation, training loss."""
        values = [v if math.isfinite(v) else math.inf for v in self.column(self.watched)]
        return values.index(min(values)) + 1 if values and min(values) < math.inf else None

    @property
    def marked(self) -> dict[int, str]:
        """The epochs that are marked in the figures: whose weights the model has, and the one with the lowest loss."""
        marks = {} if self.best is None else {self.best: f"lowest {self.watched_in_words}: epoch {self.best:,}"}
        return marks if self.kept_epoch is None else marks | {self.kept_epoch: f"the model: epoch {self.kept_epoch:,}"}

    @property
    def rise(self) -> float | None:
        """By what share the validation loss ended above its lowest; None: there is none."""
        if (best := self.best) is None or not self.validated:
            return None
        validation = self.column("val_loss")
        return validation[-1] / validation[best - 1] - 1 if validation[best - 1] > 0 else 0.0

    @property
    def overfit(self) -> float | None:
        """That share, if it is large and the training loss fell on meanwhile; None: not so."""
        best, training = self.best, self.column("loss")
        if best is None or (rise := self.rise) is None:
            return None
        return rise if rise > ROSE and training[-1] < training[best - 1] else None

    @property
    def falling(self) -> tuple[float, int] | None:
        """By what share the loss that is watched fell at the end, and over how many epochs; None: it did not."""
        n, best = len(self.epochs), self.best
        if n < FEWEST_EPOCHS or best is None:
            return None
        last = max(1, n // 5)
        values = self.column(self.watched)
        before, after = sum(values[-2 * last : -last]) / last, sum(values[-last:]) / last
        fell = best > n - last and before > 0 and (before - after) / before > FALLS
        return ((before - after) / before, last) if fell else None


def _ended(record: Record) -> list[Finding]:
    outcome = record.outcome
    if outcome is not None and outcome.diverged:
        text = (
            f"The cost became infinite or undefined in epoch {len(record.epochs) + 1}; the model has the last good "
            "weights. A smaller learning rate or clip_norm helps most often."
        )
        return [Finding("Diverged.", text, "bad")]
    if outcome is not None and outcome.kind == "stopped early" and outcome.reason:
        return [Finding("Stopped early:", f"{outcome.reason}.")]
    return [] if record.has_model else [Finding("Not finished.", "What is shown is what there is so far.")]


def _baselines(evaluation: Mapping[str, Any]) -> list[Finding]:
    """Return the linear model first: it is the one to beat."""
    findings = []
    for rule in reversed(evaluation["baselines"]):
        name, test = rule["name"], rule["test"]
        if evaluation["task"] == "regression":
            value = f"has a mean absolute error of {number(rule['value'])}"
            low, high = test.get("low"), test.get("high")
            how = "" if low is None else f" The network's is higher by {number(low, 3)} to {number(high, 3)}"
            if low is not None and high < 0:
                how = f" The network's is lower by {number(-high, 3)} to {number(-low, 3)}"
            elif low is not None and low <= 0:
                how = f" The difference lies between {number(low, 3)} and {number(high, 3)}"
            how += " (95 % interval)." if how else ""
        else:
            value = f"gets {percent(rule['value'])} right"
            how = (
                f" Of the rows that only one of the two gets right, the network has {test['ours']:,} and this rule "
                f"{test['theirs']:,} (McNemar p {_p(test['p'])})."
            )
        lead, sign = {
            True: (f"Better than {name},", "good"),
            False: (f"Worse than {name},", "bad"),
            None: (f"Undecided against {name},", None),
        }[rule["better"]]
        findings.append(Finding(lead, f"which {value}.{how}", sign, "baselines"))
    return findings


def _fit(curves: Curves, evaluation: Mapping[str, Any], weights: Kept | None) -> list[Finding]:
    """Return whether the network has learnt its training rows rather than the rule behind them."""
    best = curves.best
    if not curves.epochs:
        return []
    if best is not None and curves.validated and (rise := curves.overfit):
        rows, reach = evaluation.get("parts", {}).get("validation"), _reach_of_validation(evaluation)
        rose = f"after epoch {best} the validation loss rose by {percent(rise, 0)} while the training loss fell on"
        if reach is None or rise * curves.column("val_loss")[best - 1] > reach:
            return [Finding("Overfitting:", *_weights(f"{rose}.", best, weights), "figure-loss")]
        chance = f"chance makes up to {number(reach, 2)} of it at {rows:,} validation rows"
        return [Finding(CANNOT_TELL, f"{rose}, but {chance}.", None, "figure-loss")]
    if (gap := _loss_gap(evaluation)) is not None:
        return [gap]
    if not curves.validated:
        return [Finding("No validation part:", "whether the network overfits cannot be seen.")]
    return [] if weights is None else _score_gap(curves, evaluation, weights)


def _reach_of_validation(evaluation: Mapping[str, Any]) -> float | None:
    """Return how far chance moves the loss on the validation rows: z times its standard error, as the costs of the rows
    judged spread; None where that is not known.
    """
    error, rows = evaluation.get("loss_error"), evaluation.get("parts", {}).get("validation")
    if not error or not rows:
        return None
    return float(statistics.DEVIATIONS * error * math.sqrt(evaluation["judged_rows"] / rows))


def _loss_gap(evaluation: Mapping[str, Any]) -> Finding | None:
    """Return whether the model's loss is higher on the rows judged than on its training rows; None: not measured."""
    training = evaluation.get("training") or {}
    measured = [training.get("loss"), evaluation.get("metrics", {}).get("loss")]
    measured += [training.get("loss_error"), evaluation.get("loss_error")]
    if not all(map(is_number, measured)):
        return None
    old, new, *errors = (float(value) for value in measured if value is not None)
    reach = statistics.DEVIATIONS * math.hypot(*errors)
    rows = rows_of(evaluation)
    text = f"the loss is {number(old)} on training rows and {number(new)} on {rows} (difference ± {number(reach, 2)})"
    place = "figure-loss"
    if new - old > reach and new > RATIO * old:
        return Finding("Overfitting is likely:", f"{text}.", "bad", place)
    if new - old + reach <= (RATIO - 1) * max(old, new):
        return Finding(NO_SIGN, f"{text}.", None, place)
    return Finding(CANNOT_TELL, f"{text}; {rows} are too few.", None, place)


def _weights(text: str, best: int, weights: Kept | None) -> tuple[str, str | None]:
    """Return a text with which weights the model has, and whether that is "bad"."""
    if weights is None:
        return text, "bad"
    if weights.epochs == (best,):
        return f"{text} The model has the weights of that epoch.", None
    late = min(weights.epochs) > best
    has = "The model has" if len(weights.epochs) == 1 else "Its networks have"
    rest = f": early stopping would keep those of epoch {best}." if late else "."
    return f"{text} {has} the weights of {weights.in_words}{rest}", "bad" if late else None


def _folds(curves: Curves) -> list[Finding]:
    """Return the same, and whether more epochs would help, by the mean of the networks of a cross-validation."""
    best = curves.best
    if rise := curves.overfit:
        return [
            Finding(
                "Overfitting:",
                f"in the mean of the folds, after epoch {best} the loss on held-out rows rose by {percent(rise, 0)} "
                f"while the training loss went on falling. The model has the weights of the last epoch: train for "
                f"{best} {'epoch' if best == 1 else 'epochs'}, or with early stopping.",
                "bad",
                "figure-members-loss",
            )
        ]
    if fell := curves.falling:
        return [_worth_a_try("in the mean of the folds, the loss on held-out rows", *fell, "figure-members-loss")]
    if (rise := curves.rise) is None or not rise <= ROSE:
        return []
    text = f"in the mean of the folds, the loss on held-out rows ended within {percent(ROSE, 0)} of its lowest."
    return [Finding(NO_SIGN, text, None, "figure-members-loss")]


def _score_gap(curves: Curves, evaluation: Mapping[str, Any], weights: Kept) -> list[Finding]:
    """Return whether the score is better in training than in validation, where the costs of the rows are not known."""
    if curves.score is None:
        return []
    pair = weights.metrics.get(curves.score), weights.metrics.get(f"val_{curves.score}")
    training, other = (math.nan if v is None else float(v) for v in pair)
    of_each = " of one network, on average" if len(weights.epochs) > 1 else ""
    values = format_value(curves.score, training), format_value(curves.score, other)
    scores = f"(training {values[0]}, validation {values[1]}{of_each})"
    if not (math.isfinite(training) and math.isfinite(other)):
        return []
    place = "figure-score"
    if not is_fraction(curves.score):
        if training > 0 and other / training > RATIO:
            chance = "; how much of that chance makes is not known"
            text = f"validation is worse than training {scores}{chance}."
            return [Finding("Overfitting is possible:", text, None, place)]
        return [Finding(NO_SIGN, f"validation is about as good as training {scores}.", None, place)]
    n, m = (evaluation.get("parts", {}).get(name) for name in ("training", "validation"))
    if not n or not m:
        return []
    reach = statistics.DEVIATIONS * math.sqrt(
        sum(fraction * (1 - fraction) / rows for fraction, rows in ((_inside(training, n), n), (_inside(other, m), m)))
    )
    chance = f"chance alone makes up to {100 * reach:.1f} points at {n:,} and {m:,} rows"
    if training - other > reach:
        text = f"training is better than validation {scores}; {chance}."
        return [Finding("Overfitting is likely:", text, "bad", place)]
    return [Finding(NO_SIGN, f"training and validation agree {scores}; {chance}.", None, place)]


def _inside(fraction: float, n: int) -> float:
    """Return a share a little away from 0 and 1, so that its spread is not taken for nothing."""
    return min(max(fraction, 1 / (n + 2)), 1 - 1 / (n + 2))


def _more(curves: Curves, record: Record) -> list[Finding]:
    """Return whether more epochs would help."""
    ended = record.outcome is not None and record.outcome.kind != "finished"
    if ended or not (fell := curves.falling):
        return []
    return [_worth_a_try(f"the {'validation' if curves.validated else 'training'} loss", *fell)]


def _worth_a_try(what: str, fraction: float, epochs: int, place: str = "figure-loss") -> Finding:
    span = "in the last epoch" if epochs == 1 else f"over the last {epochs} epochs"
    text = f"{what} was still falling at the end, by {percent(fraction, 0)} {span}."
    return Finding("More epochs are worth a try:", text, None, place)


def _confidence(evaluation: Mapping[str, Any]) -> list[Finding]:
    calibration = evaluation.get("calibration")
    if not calibration or evaluation["task"] != "classification":
        return []
    n = evaluation["judged_rows"]
    low, high = statistics.wilson(round(calibration["share"] * n), n)
    probability = calibration["mean_probability"]
    if low <= probability <= high or abs(probability - calibration["share"]) < OFF:
        return []
    lead = "Surer than it should be:" if probability > high else "Less sure than it could be:"
    text = (
        f"the probability of its answers is {percent(probability, 1)} on average, and "
        f"{percent(calibration['share'], 1)} of them are right."
    )
    return [Finding(lead, text, None, "figure-calibration")]


def _weak(evaluation: Mapping[str, Any]) -> list[Finding]:
    if evaluation["task"] not in ("classification", "binary"):
        return []
    overall = evaluation["metrics"]["accuracy"]
    weak = []
    for row in evaluation["per_class"]:
        n = row["support"]
        if n >= FEW_OF_A_CLASS and statistics.wilson(round(row["recall"] * n), n)[1] < overall:
            weak.append(row)
    weak.sort(key=lambda row: row["recall"])
    classes = ", ".join(f"“{row['class']}” ({percent(row['recall'], 1)} of {row['support']:,})" for row in weak[:3])
    more = f" and {len(weak) - 3} more" if len(weak) > 3 else ""
    return [Finding("Found less often than the others:", f"{classes}{more}.", None, "classes")] if weak else []


def _caveats(evaluation: Mapping[str, Any]) -> list[Finding]:
    caveats = []
    if evaluation["part"] == "training":
        caveats.append(Finding("Trained on these rows:", "they say nothing about new ones.", "bad"))
    if evaluation["part"] == "validation":
        text = "the validation rows may have chosen the epoch, so new rows may do worse."
        caveats.append(Finding("No test part:", text))
    if evaluation["judged_rows"] < FEW_ROWS:
        caveats.append(Finding(f"{evaluation['judged_rows']:,} rows are few:", "others could say something else."))
    if not evaluation["network"].get("finite", True):
        caveats.append(Finding("Some weights are infinite or undefined.", "", "bad"))
    return caveats


def _epochs(n: int) -> str:
    return "1 epoch" if n == 1 else f"{n:,} epochs"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"
