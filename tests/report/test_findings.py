"""The verdict says what the figures show, and no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chainrule.report.findings import Curves, findings, headline
from chainrule.training.record import Record


def record(val_loss: list[float] | None, loss: list[float], **result: Any) -> Record:
    epochs = []
    for i, value in enumerate(loss):
        epoch = {"epoch": i + 1, "loss": value, "accuracy": 0.9}
        epochs.append(epoch | ({} if val_loss is None else {"val_loss": val_loss[i], "val_accuracy": 0.9}))
    return Record(Path("run"), {}, epochs, {"state": "finished"} | result, {}, True)


def facts(**more: Any) -> dict[str, Any]:
    plain = {
        "task": "classification",
        "part": "test",
        "judged_rows": 1000,
        "score": "accuracy",
        "metrics": {"accuracy": 0.9, "loss": 0.3},
        "loss_error": 0.01,
        "training": {"rows": 4000, "loss": 0.3, "loss_error": 0.005},
        "parts": {"training": 4000, "validation": 500, "test": 1000},
        "baselines": [],
        "per_class": [],
        "network": {"finite": True},
    }
    return plain | more


def rule(better: bool | None, ours: int, theirs: int, p: float) -> dict[str, Any]:
    test = {"method": "McNemar", "ours": ours, "theirs": theirs, "p": p}
    return {"name": "logistic regression", "value": 0.88, "better": better, "test": test, "about": "", "note": ""}


FALLING = [1 / (i + 1) for i in range(10)]
FLAT = [1.0, 0.5, *[0.4] * 8]


def text_of(results: list[Any]) -> str:
    return "\n".join(f"{one.lead} {one.text}" for one in results)


def test_the_headline_counts_the_judged_rows() -> None:
    assert headline(facts(), record(FLAT, FLAT)).replace("\u00a0", " ") == "90.00 % of 1,000 test rows are right."
    numbers = facts(task="regression", score="mae", metrics={"mae": 2.5, "loss": 1.0}, judged_rows=1, part="validation")
    assert headline(numbers, record(FLAT, FLAT)) == "The mean absolute error on 1 validation row is 2.5."
    assert "diverged" in headline({}, record(FLAT, FLAT, state="diverged"))


@pytest.mark.parametrize(
    ("better", "lead", "sign"),
    [(True, "Better than", "good"), (False, "Worse than", "bad"), (None, "Undecided against", None)],
)
def test_the_comparison_follows_the_test(better: bool | None, lead: str, sign: str | None) -> None:
    results = findings(facts(baselines=[rule(better, 30, 10, 0.002)]), record(FLAT, FLAT))
    assert results[0].lead == f"{lead} logistic regression,"
    assert results[0].sign == sign
    assert "the network has 30 and this rule 10 (McNemar p = 0.002)" in results[0].text


def test_a_network_that_learns_nothing_is_not_praised_for_not_overfitting() -> None:
    always = rule(None, 5, 5, 1.0) | {"name": "always “1”"}
    results = findings(facts(baselines=[always]), record(None, FLAT, best_epoch=10))
    text = text_of(results)
    assert "No sign of learning: the loss is 0.3 on training rows and 0.3 on 1,000 test rows" in text
    assert "chainrule doctor" in text
    assert "overfitting" not in text
    beaten = findings(facts(baselines=[always | {"better": True}]), record(None, FLAT, best_epoch=10))
    assert "No sign of overfitting" in text_of(beaten)


def test_rising_validation_loss_is_overfitting_and_the_kept_epoch_is_named() -> None:
    rising = [1.0, 0.5, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8]
    text = text_of(findings(facts(), record(rising, FALLING)))
    assert "Overfitting: after epoch 3 the validation loss rose by 100" in text
    assert "early stopping would keep those of epoch 3" in text
    restored = text_of(findings(facts(), record(rising, FALLING, best_epoch=3)))
    assert "The model has the weights of that epoch." in restored
    assert "Overfitting" not in text_of(findings(facts(), record(rising, rising)))  # training got worse, too


def test_a_rise_within_what_the_rows_make_by_chance_is_no_overfitting() -> None:
    rising = [*FALLING[:5], 0.2, 0.2, 0.2, 0.21, 0.212]
    few = facts(parts={"training": 4000, "validation": 71}, loss_error=0.03, judged_rows=71)
    text = text_of(findings(few, record(rising, FALLING))).replace("\u00a0", " ")
    assert "Whether it overfits cannot be told: after epoch 5 the validation loss rose by 6 %" in text
    assert "chance makes up to 0.059 of it at 71 validation rows" in text
    many = facts(parts={"training": 4000, "validation": 71}, loss_error=0.003, judged_rows=71)
    assert "Overfitting: after epoch 5" in text_of(findings(many, record(rising, FALLING)))


@pytest.mark.parametrize(
    ("training", "test", "error", "lead"),
    [
        (0.0008, 0.117, 0.02, "Overfitting is likely:"),  # though nothing rose
        (0.30, 0.33, 0.01, "No sign of overfitting:"),
        (0.30, 0.36, 0.02, "Whether it overfits cannot be told:"),
        (0.30, 0.31, 0.01, "No sign of overfitting:"),
        (0.30, 0.40, 0.10, "Whether it overfits cannot be told:"),
        (0.30, 0.25, 0.01, "No sign of overfitting:"),
    ],
)
def test_the_gap_of_the_loss_is_judged_by_its_standard_error(
    training: float, test: float, error: float, lead: str
) -> None:
    measured = {"rows": 4000, "loss": training, "loss_error": 0.0}
    evaluation = facts(metrics={"accuracy": 0.9, "loss": test}, loss_error=error, training=measured)
    results = findings(evaluation, record(FLAT, FALLING, best_epoch=10))
    (gap,) = [one for one in results if "the loss is" in one.text]
    assert gap.lead == lead
    assert f"± {1.96 * error:.2g}" in gap.text
    assert gap.place == "figure-loss"


def test_without_the_costs_of_the_rows_the_score_says_it() -> None:
    def of(training: float, validation: float, rows: int) -> str:
        run = record(FLAT, FLAT)
        run.epochs[-1].update(accuracy=training, val_accuracy=validation)
        return text_of(findings(facts(parts={"training": 8 * rows, "validation": rows}, training={}), run))

    assert "Overfitting is likely" in of(0.99, 0.90, 500)
    assert "No sign of overfitting" in of(0.92, 0.90, 500)
    assert "No sign of overfitting" in of(0.99, 0.90, 20)


def test_for_numbers_a_gap_is_no_proof() -> None:
    run = record(FLAT, FLAT)
    for epoch in run.epochs:
        epoch.update(mae=1.0, val_mae=1.5)
        del epoch["accuracy"], epoch["val_accuracy"]
    numbers = facts(task="regression", score="mae", metrics={"mae": 1.5, "loss": 1.0}, training={})
    assert "Overfitting is possible: validation is worse" in text_of(findings(numbers, run))
    for epoch in run.epochs:
        epoch.update(val_mae=1.1)
    assert "No sign of overfitting" in text_of(findings(numbers, run))


def test_more_epochs_are_advised_only_while_the_loss_falls() -> None:
    assert "More epochs are worth a try: the validation loss" in text_of(findings(facts(), record(FALLING, FALLING)))
    assert "the training loss" in text_of(findings(facts(), record(None, FALLING)))
    assert "More epochs" not in text_of(findings(facts(), record(FLAT, FLAT)))
    assert "More epochs" not in text_of(findings(facts(), record(FALLING, FALLING, state="stopped early", reason="x")))
    assert "More epochs" not in text_of(findings(facts(), record(FALLING[:3], FALLING[:3])))


def test_a_network_of_all_rows_is_judged_by_the_curves_of_the_folds() -> None:
    def of(val_loss: list[float] | None, loss: list[float], whole: list[float] | None = None) -> str:
        return text_of(findings(facts(), record(whole, FALLING), Curves(record(val_loss, loss).epochs)))

    rising = [1.0, 0.5, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8]
    text = of(rising, FALLING).replace("\u00a0", " ")
    assert "after epoch 3 the loss on held-out rows rose by 100 %" in text
    assert "train for 3 epochs, or with early stopping" in text
    assert "More epochs" not in text  # though its own training loss fell to the end
    assert "More epochs are worth a try: in the mean of the folds" in of(FALLING, FALLING)
    assert "No sign of overfitting: in the mean of the folds" in of(FLAT, FALLING)
    both = [1.0, 0.5, 0.6, *[0.9] * 6, 2.0]
    assert "overfitting" not in of(both, both).lower()  # it rose, and so did the training loss
    gap = "on training rows and"
    assert gap in of(rising[:5], FALLING[:5])  # the run has gone on since: no longer the same length
    assert gap in of(None, FALLING)  # folds that were not watched say nothing
    assert "folds" not in of(rising, FALLING, whole=FALLING)  # rows of its own say more


def test_probabilities_are_too_high_only_beyond_the_interval() -> None:
    def of(mean: float) -> str:
        return text_of(findings(facts(calibration={"share": 0.9, "mean_probability": mean}), record(FLAT, FLAT)))

    assert "Surer than it should be" in of(0.98)
    assert "Less sure" in of(0.8)
    assert "sure" not in of(0.91).lower()


def test_a_class_is_weak_only_beyond_its_interval() -> None:
    def of(recall: float, support: int) -> str:
        row = {"class": "cow", "recall": recall, "support": support, "f1": recall, "precision": 1.0}
        return text_of(findings(facts(per_class=[row]), record(FLAT, FLAT)))

    assert "Found less often than the others: “cow”" in of(0.6, 100)
    assert "cow" not in of(0.8, 10)
    assert "cow" not in of(0.2, 5)


def test_it_says_what_the_rows_cannot_show() -> None:
    assert "they say nothing about new ones" in text_of(findings(facts(part="training"), record(FLAT, FLAT)))
    assert "may have chosen the epoch" in text_of(findings(facts(part="validation"), record(FLAT, FLAT)))
    assert "30 rows are few" in text_of(findings(facts(judged_rows=30), record(FLAT, FLAT)))
    assert "cannot be seen" in text_of(findings(facts(part="training", training={}), record(None, FLAT)))
