"""Each check of the data finds its planted fault, and says nothing of data in which all is well, however odd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets

import chainrule as cr
from chainrule.run_settings import TrainingSettings
from chainrule.symptoms.catalogue import CAUSES, SYMPTOMS
from chainrule.symptoms.data_checks import (
    CHECKS,
    duplicate_rows,
    leaking_columns,
    outlier_bounds,
    outlying_rows,
    suspicious_rows,
    target_bounds,
    wrong_rows,
)
from chainrule.symptoms.evidence import Finding
from chainrule.symptoms.subject import Subject, subject_of

CHECK = dict(CHECKS)


def classifier(classes: int) -> cr.Layer:
    return cr.Sequential(cr.Flatten(), cr.Dense(8, "relu"), cr.Dense(classes, "softmax"))


def regressor(outputs: int = 1) -> cr.Layer:
    return cr.Sequential(cr.Dense(8, "relu"), cr.Dense(outputs))


def examine(net: Any, data: Any, **settings: Any) -> tuple[Subject, dict[str, list[Finding]]]:
    """Return a subject, and what each check finds in it; every finding is well-formed."""
    subject = subject_of(net, data, TrainingSettings(**settings))
    by_check = {name: list(check(subject)) for name, check in CHECKS}
    for name, of_check in by_check.items():
        for finding in of_check:
            assert finding.symptom == name
            assert {*finding.causes, *finding.against} <= CAUSES.keys()
            assert Finding.from_dict(finding.to_dict()) == finding
            assert finding.text.endswith((".", "?"))
            if finding.level == "note":
                assert finding.causes == ()
    return subject, by_check


def alarms(findings: dict[str, list[Finding]]) -> dict[str, tuple[str, ...]]:
    """Return the causes of the alarms of each check that raised one."""
    return {f.symptom: f.causes for of_check in findings.values() for f in of_check if f.level == "alarm"}


def digits() -> tuple[Any, Any]:
    data = datasets.load_digits()
    return data.data.copy(), data.target.copy()


def numbers(n: int = 600, d: int = 6, seed: int = 0) -> tuple[Any, Any]:
    """Return numbers, and two classes that several of them tell together."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    return x, (x[:, 0] + x[:, 1] - x[:, 2] + 0.3 * rng.normal(size=n) > 0).astype(int)


def titanic(n: int = 400) -> pd.DataFrame:
    """Return a table of people with columns of several kinds, some cells missing."""
    rng = np.random.default_rng(3)
    sex, age = rng.choice(["male", "female"], n), rng.uniform(1, 80, n)
    lives = rng.random(n) < 1 / (1 + np.exp(0.1 * (age - 30) - np.where(sex == "female", 1.5, -1.5)))
    return pd.DataFrame(
        {
            "name": [f"person {i}" for i in range(n)],
            "sex": sex,
            "age": np.where(rng.random(n) < 0.2, np.nan, age.round()),
            "fare": rng.lognormal(3, 1, n).round(2),
            "survived": np.where(lives, "yes", "no"),
        }
    )


def test_every_check_is_a_symptom_in_the_order_of_the_catalogue() -> None:
    names = [name for name, _ in CHECKS]
    assert names == [name for name, kind in SYMPTOMS.items() if kind.stage == "data"]


def test_what_is_fine_is_said_with_its_figure() -> None:
    _, findings = examine(classifier(10), digits(), validation=0.2)
    assert alarms(findings) == {}
    levels = {f.level for of_check in findings.values() for f in of_check}
    assert levels == {"note"}
    against = {cause for of_check in findings.values() for f in of_check for cause in f.against}
    assert {"nan", "labels_unrelated", "labels_noisy", "leak", "duplicates", "outliers", "inputs_unscaled"} <= against


def test_a_check_gives_the_same_twice_and_changes_nothing() -> None:
    x, y = numbers()
    before = x.copy(), y.copy()
    subject, first = examine(classifier(2), (x, y), validation=0.2)
    assert {name: list(check(subject)) for name, check in CHECKS} == first
    assert examine(classifier(2), (x, y), validation=0.2)[1] == first
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])


# --- targets ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffled", [True, False])
@pytest.mark.parametrize("task", ["classes", "two", "numbers", "outputs", "labels"])
def test_targets_that_have_nothing_to_do_with_the_inputs(task: str, shuffled: bool) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(600, 5))
    y, net = {
        "classes": (np.digitize(x[:, 0] + x[:, 1], [-1, 0.5]), classifier(3)),
        "two": ((x[:, 0] + x[:, 1] > 0).astype(int), cr.Sequential(cr.Dense(8, "relu"), cr.Dense(1, "sigmoid"))),
        "numbers": (x[:, 0] + 0.3 * rng.normal(size=600), regressor()),
        "outputs": (np.c_[x[:, 0], x[:, 1] * x[:, 2]] + 0.2 * rng.normal(size=(600, 2)), regressor(2)),
        "labels": (
            np.stack([x[:, 0] > 0, x[:, 1] + x[:, 2] > 0], axis=1).astype(float),
            cr.Sequential(cr.Dense(8, "relu"), cr.Dense(2, "sigmoid")),
        ),
    }[task]
    y = y[rng.permutation(600)] if shuffled else y
    _, findings = examine(net, (x, y), validation=0.2)
    expected = {"labels_related": ("labels_unrelated", "labels_noisy")} if shuffled else {}
    assert alarms(findings) == expected
    if shuffled:
        assert findings["labels_related"][0].evidence[0].p is not None
        assert findings["labels_related"][0].evidence[0].p < 0.01


def test_the_same_target_in_all_rows_is_said() -> None:
    x, _ = numbers(100)
    _, findings = examine(regressor(), (x, np.full(100, 3.0)), validation=0.2)
    assert alarms(findings) == {"labels_related": ("labels_unrelated",)}
    assert "same target" in findings["labels_related"][0].text


def test_inputs_that_never_differ_are_said() -> None:
    _, findings = examine(classifier(2), (np.ones((100, 3)), np.arange(100) % 2), validation=0.2)
    assert alarms(findings)["labels_related"] == ("labels_unrelated",)
    assert "no input differs" in findings["labels_related"][0].text.lower()


@pytest.mark.parametrize(("rows", "level"), [(10, "alarm"), (60, "advice")])
def test_few_rows_raise_no_alarm_but_that_they_are_few(rows: int, level: str) -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(rows, 4)), np.arange(rows) % 2
    _, findings = examine(classifier(2), (x, y))
    assert {*alarms(findings)} <= {"classes"}
    assert {f.level for f in findings["classes"] if "too_little_data" in f.causes} == {level}


def test_few_rows_of_many_classes_and_tables_of_truth_are_enough() -> None:
    x = np.random.default_rng(5).normal(size=(120, 4))
    assert "classes" not in alarms(examine(classifier(30), (x, np.arange(120) % 30))[1])
    gate = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    assert alarms(examine(classifier(2), (gate, np.array([0, 0, 0, 1])))[1]) == {}


@pytest.mark.parametrize("name", ["gate", "parity", "exclusive or", "bars"])
def test_what_trees_cannot_tell_is_no_alarm(name: str) -> None:
    rng = np.random.default_rng(6)
    validation: float | None = None
    if name == "gate":
        x, y = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])
    elif name == "parity":
        x = ((np.arange(256)[:, None] >> np.arange(8)) & 1).astype(float)
        y = x.sum(axis=1).astype(int) % 2
    elif name == "exclusive or":
        x = rng.uniform(-1, 1, (400, 2))
        y = (x[:, 0] * x[:, 1] > 0).astype(int)
    else:  # lines anywhere, across or down: no pixel tells
        validation = 0.2
        x, y = 0.3 * rng.normal(size=(600, 12, 12, 1)), rng.integers(0, 2, 600)
        for image, down, top, left in zip(x, y, rng.integers(0, 8, 600), rng.integers(0, 8, 600), strict=True):
            image[(slice(top, top + 4), left) if down else (top, slice(left, left + 4))] += 2
    assert alarms(examine(classifier(2), (x, y), validation=validation)[1]) == {}


@pytest.mark.parametrize(("noise", "alarm"), [(0.0, False), (0.2, True), (0.4, True)])
def test_wrong_classes(noise: float, alarm: bool) -> None:
    x, y = digits()
    rng = np.random.default_rng(2)
    wrong = rng.random(len(y)) < noise
    y[wrong] = (y[wrong] + rng.integers(1, 10, wrong.sum())) % 10
    subject, findings = examine(classifier(10), (x, y), validation=0.2)
    assert alarms(findings) == ({"labels_trusted": ("labels_noisy",)} if alarm else {})
    error = findings["labels_trusted"][0].evidence[0]
    assert error.low is not None
    assert error.low <= noise + 0.02
    rows = suspicious_rows(subject)
    if alarm:
        assert wrong[rows].mean() > 0.95
        assert len(rows) > 0.3 * wrong.sum()
        assert "rows" in findings["labels_trusted"][0].where


def test_wrong_numbers() -> None:
    x, y = datasets.make_friedman1(1500, noise=1.0, random_state=0)
    rng = np.random.default_rng(0)
    wrong = rng.choice(1500, 450, replace=False)
    shuffled = y.copy()
    shuffled[wrong] = shuffled[rng.permutation(wrong)]
    clean = examine(regressor(), (x, y), validation=0.2, normalize_target=True)[1]
    assert alarms(clean) == {}
    subject, findings = examine(regressor(), (x, shuffled), validation=0.2, normalize_target=True)
    assert alarms(findings) == {"labels_trusted": ("labels_noisy",)}
    assert np.isin(suspicious_rows(subject), wrong).mean() > 0.9


@pytest.mark.parametrize("seed", range(2))
def test_people_are_hard_to_predict_and_not_wrong(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(800, 6))
    y = (rng.random(800) < 1 / (1 + np.exp(-1.5 * (x[:, 0] + 0.5 * x[:, 1])))).astype(int)
    assert alarms(examine(classifier(2), (x, y), validation=0.2)[1]) == {}
    spread = x[:, 0] + np.exp(x[:, 1]) * rng.normal(size=800) * 0.5
    assert alarms(examine(regressor(), (x, spread), validation=0.2)[1]) == {}


def test_classes_of_two_rows_and_targets_of_any_size() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4))
    centres = 5 * rng.normal(size=(100, 4))
    many = np.arange(200) % 100
    assert alarms(examine(classifier(100), (centres[many] + 0.1 * x, many))[1]) == {}
    y = x[:, 0] + x[:, 1] + 0.2 * rng.normal(size=200)
    for factor in (1e-30, 1e30):
        _, findings = examine(regressor(), (x, y * factor), validation=0.2, normalize_target=True)
        assert alarms(findings) == {}
        assert findings["labels_related"][0].level == "note"


# --- columns ---------------------------------------------------------------------------------------------------


def test_two_columns_that_give_the_target_away() -> None:
    x, y = numbers(400)
    subject, findings = examine(classifier(2), (np.c_[x, y, 5 - 2 * y], y), validation=0.2)
    assert alarms(findings) == {"one_column": ("leak",)}
    assert sorted(leaking_columns(subject)) == [6, 7]


@pytest.mark.parametrize("column", ["copy", "codes", "noisy"])
def test_a_column_that_gives_the_target_away(column: str) -> None:
    x, y = numbers(800)
    leak = {"copy": y, "codes": 7 - 3 * y, "noisy": y + 0.1 * np.random.default_rng(0).normal(size=800)}[column]
    subject, findings = examine(classifier(2), (np.c_[x, leak], y), validation=0.2)
    assert alarms(findings) == {"one_column": ("leak",)}
    assert leaking_columns(subject) == (6,)
    assert findings["one_column"][0].where == "6"


def test_a_table_names_the_column_that_gives_the_target_away() -> None:
    frame = titanic()
    frame["boat"] = np.where(frame["survived"] == "yes", "7", "none")
    subject, findings = examine(classifier(2), cr.Table.read(frame, target="survived"), validation=0.2)
    assert alarms(findings) == {"one_column": ("leak",)}
    assert leaking_columns(subject) == ("boat",)
    assert "'boat'" in findings["one_column"][0].text


@pytest.mark.parametrize(("noise", "level"), [(0.05, "alarm"), (0.15, "advice")])
def test_a_column_that_goes_with_a_number_is_a_leak_where_it_tells_nearly_all(noise: float, level: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 4))
    _, findings = examine(regressor(), (x, x[:, 0] + noise * rng.normal(size=600)), validation=0.2)
    assert findings["one_column"][0].level == level


def test_a_strong_column_and_easy_classes_are_no_leak() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 6))
    assert alarms(examine(regressor(), (x, x[:, 0] + 0.4 * rng.normal(size=800)), validation=0.2)[1]) == {}
    assert alarms(examine(classifier(2), (x, (x[:, 0] > 0).astype(int)), validation=0.2)[1]) == {}
    wave = np.linspace(0, 6, 300)[:, None]
    assert alarms(examine(regressor(), (wave, np.sin(wave[:, 0])), validation=0.2)[1]) == {}
    iris = datasets.load_iris()
    assert alarms(examine(classifier(3), (iris.data, iris.target), validation=0.2)[1]) == {}


@pytest.mark.parametrize("value", [-999.0, 1e6])
def test_a_stand_in_for_missing_values(value: float) -> None:
    x, y = numbers()
    x = x * 10 + 40
    x[::50, 2] = value
    subject, findings = examine(classifier(2), (x, y), validation=0.2)
    assert alarms(findings) == {"tails": ("outliers",)}
    assert f"{value:g}" in findings["tails"][0].text
    columns, low, high = outlier_bounds(subject)
    others = np.delete(x[:, 2], np.arange(0, 600, 50))
    assert columns == (2,)
    assert (low[0], high[0]) == pytest.approx((others.min(), others.max()), rel=1e-5)
    assert outlying_rows(subject).tolist() == list(range(0, 600, 50))


def test_targets_far_from_all_others() -> None:
    x, _ = numbers()
    y = x[:, 0] + 0.2 * np.random.default_rng(0).normal(size=600)
    far = y.copy()
    far[::60] *= 1e4
    subject, findings = examine(regressor(), (x, far), validation=0.2)
    assert "outliers" in alarms(findings)["tails"]
    low, high = target_bounds(subject) or (np.nan, np.nan)
    assert low >= y.min() - 1e-6
    assert high <= y.max() + 1e-6
    assert target_bounds(subject_of(regressor(), (x, y), TrainingSettings(validation=0.2))) is None


def test_the_columns_of_a_table_are_bounded_in_their_own_unit() -> None:
    frame = titanic()
    frame["score"] = np.random.default_rng(0).normal(size=len(frame))
    frame.loc[frame.index[::40], "score"] = 1e7
    table = cr.Table.read(frame, target="survived", columns={"score": {"outliers": "keep"}})
    subject, findings = examine(classifier(2), table, validation=0.2)
    if alarms(findings):  # unless the preparation clips them
        columns, low, high = outlier_bounds(subject)
        assert columns == ("score",)
        assert -5 < low[0] < high[0] < 5


@pytest.mark.parametrize("kind", ["log-normal", "pareto", "counts", "mostly zero", "rare flags"])
def test_heavy_tails_and_many_zeros_are_no_outliers(kind: str) -> None:
    rng = np.random.default_rng(0)
    x, y = numbers(1500)
    x = {
        "log-normal": np.exp(2 * x),
        "pareto": np.sign(x) * rng.pareto(1.1, x.shape),
        "counts": rng.negative_binomial(0.2, 0.01, x.shape) + (x > 1),
        "mostly zero": np.where(rng.random(x.shape) < 0.9, 0.0, np.exp(x)),
        "rare flags": np.c_[x, rng.random((1500, 3)) < 0.005],
    }[kind].astype(float)
    subject = subject_of(classifier(2), (x, y), TrainingSettings(validation=0.2))
    assert [finding.level for finding in CHECK["tails"](subject)] == ["note"]


def test_scale_as_the_network_gets_it() -> None:
    x, y = numbers(200)
    for wrong in (x * 1000, x + 1000):
        assert alarms(examine(classifier(2), (wrong, y), normalize=False)[1]) == {"scale": ("inputs_unscaled",)}
        assert alarms(examine(classifier(2), (wrong, y))[1]) == {}  # fit scales them
        normalized = cr.Sequential(cr.BatchNorm(), cr.Dense(8, "relu"), cr.Dense(2, "softmax"))
        assert alarms(examine(normalized, (wrong, y), normalize=False)[1]) == {}
    images = np.clip(np.random.default_rng(0).normal(33, 78, (200, 8, 8, 1)), 0, 255).astype(np.uint8)
    assert "scale" not in alarms(examine(classifier(2), (images, np.arange(200) % 2), normalize=False)[1])


@pytest.mark.parametrize(("factor", "level"), [(1.0, "note"), (100.0, "advice"), (1e4, "alarm")])
def test_targets_on_another_scale(factor: float, level: str) -> None:
    x, _ = numbers()
    y = factor * (x[:, 0] + 0.2 * np.random.default_rng(0).normal(size=600))
    levels = [f.level for f in examine(regressor(), (x, y))[1]["scale"]]
    assert levels == ["note", level]
    assert [f.level for f in examine(regressor(), (x, y), normalize_target=True)[1]["scale"]] == ["note", "note"]


def test_rows_of_a_class_with_the_label_of_another() -> None:
    rng = np.random.default_rng(2)
    y = np.arange(900) % 6
    x = 6 * np.eye(6)[y] + rng.normal(size=(900, 6))
    swapped = np.where(np.isin(y, (0, 2)) & (rng.random(900) < 0.6), y + 1, y)
    subject, findings = examine(classifier(6), (x, swapped))
    assert alarms(findings) == {"labels_trusted": ("labels_noisy",)}
    assert "0 into 1, 2 into 3" in findings["labels_trusted"][0].text
    rows = wrong_rows(subject)
    assert np.mean(y[rows] != swapped[rows]) > 0.9
    assert len(rows) > 0.7 * np.sum(y != swapped)


@pytest.mark.parametrize(("wrong", "alarm"), [(0.0, False), (0.8, True)])
def test_wrong_labels_of_a_class_beside_natural_doubt(wrong: float, alarm: bool) -> None:
    """Two other classes overlap, and most rows are far from open: what is judged is each pair of classes."""
    rng = np.random.default_rng(2)
    y = np.arange(900) % 6
    centre = np.eye(6)[y]
    centre[y == 5] = 0.6 * np.eye(6)[5] + 0.4 * np.eye(6)[4]
    x = 3 * centre + rng.normal(size=(900, 6))
    labels = np.where(np.isin(y, (0, 2)) & (rng.random(900) < wrong), y + 1, y)
    _, findings = examine(classifier(6), (x, labels))
    assert alarms(findings) == ({"labels_trusted": ("labels_noisy",)} if alarm else {})


@pytest.mark.parametrize("kind", ["overlap", "alike"])
def test_classes_that_inputs_do_not_tell_apart_are_no_wrong_labels(kind: str) -> None:
    rng = np.random.default_rng(3)
    y = np.arange(900) % 6
    centre = np.eye(6)[y]
    if kind == "alike":  # two classes at the same place: neither has rows of its own
        centre[y == 1] = np.eye(6)[0]
    else:  # one half into another
        centre[y == 1] = 0.6 * np.eye(6)[1] + 0.4 * np.eye(6)[0]
    _, findings = examine(classifier(6), (6 * centre + 1.2 * rng.normal(size=(900, 6)), y))
    assert alarms(findings) == {}


# --- rows ------------------------------------------------------------------------------------------------------


def test_rows_that_occur_twice() -> None:
    x, y = numbers()
    again = np.random.default_rng(0).choice(600, 300, replace=False)
    both = np.r_[x, x[again]], np.r_[y, y[again]]
    subject, findings = examine(classifier(2), both, validation=0.2)
    assert alarms(findings) == {"rows_twice": ("duplicates", "overlap")}
    assert duplicate_rows(subject).tolist() == list(range(600, 900))
    frame = titanic()
    table = cr.Table.read(pd.concat([frame, frame.iloc[:200]], ignore_index=True), target="survived")
    subject, findings = examine(classifier(2), table, validation=0.2)
    assert alarms(findings) == {"rows_twice": ("duplicates", "overlap")}
    assert duplicate_rows(subject).tolist() == list(range(400, 600))


def test_copies_of_rows_that_have_many_likes() -> None:
    rng = np.random.default_rng(0)
    x = np.c_[rng.integers(0, 3, (500, 2)), rng.normal(size=(500, 2)).round(1)]
    y = (x[:, 0] + x[:, 3] > 1).astype(int)
    assert alarms(examine(classifier(2), (x, y))[1]) == {}
    again = rng.integers(0, 500, 500)
    _, findings = examine(classifier(2), (np.r_[x, x[again]], np.r_[y, y[again]]))
    assert alarms(findings) == {"rows_twice": ("duplicates", "overlap")}


def test_validation_rows_that_are_trained_on() -> None:
    x, y = numbers()
    subject, findings = examine(classifier(2), (x, y), validation=(x[:100], y[:100]))
    assert alarms(findings) == {"rows_twice": ("overlap",)}
    assert duplicate_rows(subject).tolist() == list(range(100))
    other = numbers(100, seed=9)
    assert alarms(examine(classifier(2), (x, y), validation=other)[1]) == {}


@pytest.mark.parametrize("values", [2, 4])
def test_rows_of_few_different_values_are_alike_by_nature(values: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, values, (1200, 6)).astype(float)
    y = (x[:, 0] + x[:, 1] + rng.normal(size=1200) * 0.3 > values - 1).astype(int)
    other = x[:200], y[:200]
    assert alarms(examine(classifier(2), (x[200:], y[200:]), validation=other)[1]) == {}


def test_rows_of_a_grid_are_no_copies() -> None:
    x = np.random.default_rng(0).integers(0, 4, (1500, 6)).astype(float)
    y = (x[:, 0] + x[:, 1] * 2 > 5).astype(int) + (x[:, 2] > 2)  # hardly any row is like no other
    assert alarms(examine(classifier(3), (x, y))[1]) == {}


def test_validation_rows_that_are_the_end_of_an_order() -> None:
    x, _ = numbers(800)
    noise = np.random.default_rng(4).normal(size=800)
    y = ((x[:, 1] > 0) ^ (x[:, 0] > 0.8)).astype(int)  # at the end of the order all is the other way round
    order = np.argsort(x[:, 0] + 0.3 * noise)
    x, y = x[order], y[order]
    parts = (x[:640], y[:640]), (x[640:], y[640:])
    assert alarms(examine(classifier(2), parts[0], validation=parts[1])[1]) == {"parts_alike": ("shift",)}
    times = np.arange(800.0)[:, None]
    timed = (np.c_[times[:640], parts[0][0]], y[:640]), (np.c_[times[640:], parts[1][0]], y[640:])
    assert alarms(examine(classifier(2), timed[0], validation=timed[1])[1]) == {}


def test_the_end_of_an_order_that_is_not_harder_is_advice() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(800, 6))
    x = x[np.argsort(x[:, 0] + 0.3 * rng.normal(size=800))]
    y = (x[:, 1] + x[:, 2] > 0).astype(int)  # the same everywhere
    _, findings = examine(classifier(2), (x[:640], y[:640]), validation=(x[640:], y[640:]))
    assert [f.level for f in findings["parts_alike"]] == ["advice"]


@pytest.mark.parametrize("change", ["shift", "unit", "factor"])
def test_validation_rows_on_another_scale(change: str) -> None:
    x, y = numbers(800)
    x = x + 5.0
    train, other = (x[:600], y[:600]), x[600:]
    wrong: dict[str, Callable[[Any], Any]] = {
        "shift": lambda x: x + 3 * np.eye(6)[1],
        "unit": lambda x: x - 5,
        "factor": lambda x: 10 * x,
    }
    _, findings = examine(classifier(2), train, validation=(wrong[change](other), y[600:]))
    assert alarms(findings) == {"parts_alike": ("shift",)}
    assert alarms(examine(classifier(2), train, validation=(other, y[600:]))[1]) == {}


def test_rows_in_order_of_time_differ_by_nature() -> None:
    rng = np.random.default_rng(0)
    when = np.linspace(0, 1, 800)
    x = np.c_[rng.normal(size=(800, 4)) + 0.5 * when[:, None], when]
    y = (x[:, 0] + x[:, 1] > 0.5).astype(int)
    _, findings = examine(classifier(2), (x[:600], y[:600]), validation=(x[600:], y[600:]))
    assert alarms(findings) == {}
    assert [f.level for f in findings["parts_alike"]] == ["advice"]


def test_a_rare_class_is_advice() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 5))
    y = (x[:, 0] + 0.3 * rng.normal(size=1000) > 2.1).astype(int)
    _, findings = examine(classifier(2), (x, y), validation=0.2)
    assert alarms(findings) == {}
    assert findings["classes"][0].level == "advice"
    assert findings["classes"][0].causes == ("imbalance",)
    even = numbers()
    assert [f.level for f in examine(classifier(2), even, class_weight="balanced")[1]["classes"]] == ["note"]


# --- images and codes -----------------------------------------------------------------------------------------


def test_pixels_out_of_their_places() -> None:
    x, y = digits()
    net = cr.Sequential(cr.Conv2D(4, 3, "relu"), cr.Flatten(), cr.Dense(10, "softmax"))
    x, y = x[:700], y[:700]
    images, order = x.reshape(-1, 8, 8, 1), np.random.default_rng(0).permutation(64)
    scrambled = x[:, order].reshape(-1, 8, 8, 1)
    assert alarms(examine(net, (scrambled, y), validation=0.2)[1]) == {"neighbours": ("scrambled_pixels",)}
    assert alarms(examine(classifier(10), (scrambled, y), validation=0.2)[1]) == {}  # dense layers do not mind
    assert alarms(examine(net, (images, y), validation=0.2)[1]) == {}
    bordered = np.zeros((len(x), 14, 14, 1))
    bordered[:, 3:11, 3:11] = images
    assert alarms(examine(net, (bordered, y), validation=0.2)[1]) == {}
    noise = np.random.default_rng(0).normal(size=(400, 8, 8, 1))
    of_noise = cr.Sequential(cr.Conv2D(4, 3, "relu"), cr.Flatten(), cr.Dense(2, "softmax"))
    bright = (noise.mean(axis=(1, 2, 3)) > 0).astype(int)
    assert alarms(examine(of_noise, (noise, bright), validation=0.2)[1]) == {}


def test_codes_are_no_quantities() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 5000, (500, 2))
    x = np.c_[rng.normal(size=(500, 2)), codes]
    y = (x[:, 0] + (codes[:, 0] % 2) > 0.5).astype(int)
    net = cr.Sequential(cr.Embedding((5000, 5000), (2, 2)), cr.Dense(8, "relu"), cr.Dense(2, "softmax"))
    _, findings = examine(net, (x, y), validation=0.2)
    assert alarms(findings) == {}
    assert [f.level for f in findings["scale"]] == ["note"]


def test_a_model_that_is_gone_on_with_and_weights_of_samples() -> None:
    x, y = numbers()
    run = cr.fit(classifier(2), (x, y), epochs=1, engine="numpy", progress=False)
    weight = np.random.default_rng(0).uniform(0.5, 2, 600)
    _, findings = examine(run.model, (x, y), validation=0.2, sample_weight=weight)
    assert alarms(findings) == {}


def test_of_many_rows_some_are_examined_and_numbered_as_they_were() -> None:
    x, y = numbers(7000)
    rng = np.random.default_rng(0)
    x[rng.choice(7000, 200, replace=False), 1] = -999.0
    subject, findings = examine(classifier(2), (x, y), validation=0.2)
    assert alarms(findings) == {"tails": ("outliers",)}
    rows = outlying_rows(subject)
    assert 100 < len(rows) < 200
    assert (x[rows, 1] == -999.0).all()
    copies = np.r_[x, x[:3500]], np.r_[y, y[:3500]]
    subject = subject_of(classifier(2), copies, TrainingSettings(validation=0.2))
    assert duplicate_rows(subject).tolist() == list(range(7000, 10_500))  # all rows are compared
