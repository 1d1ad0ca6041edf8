"""The doctor's checks of data on planted faults, and on healthy and odd data: what they find, and what they invent.

    python bench/doctor_data.py [--seeds 3] [--fault-seeds 2] [--only WORD] [--verbose]

Every fault is planted at three strengths in up to twelve data sets; every healthy data set is drawn or cut anew for
each seed. Only alarms count. The tables are looked for through CHAINRULE_DATA. Writes bench/results/doctor_data.md.
"""

from __future__ import annotations

import argparse
import functools
import os
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.run_settings import TrainingSettings
from chainrule.statistics import wilson
from chainrule.symptoms.data_checks import CHECKS
from chainrule.symptoms.subject import subject_of

RESULT = Path(__file__).parent / "results" / "doctor_data.md"

#: Which check is to find which fault.
FAULTS = {
    "labels_shuffled": ("labels_related", "labels_trusted"),
    "labels_noisy": ("labels_trusted", "labels_related"),
    "leak": ("one_column",),
    "leak_noisy": ("one_column",),
    "duplicates": ("rows_twice",),
    "overlap": ("rows_twice",),
    "shift": ("parts_alike",),
    "sentinel": ("tails",),
    "outliers": ("tails",),
    "imbalance": ("classes",),
    "few_rows": ("classes",),
    "unscaled": ("scale",),
    "target_unscaled": ("scale",),
    "scrambled": ("neighbours",),
}


@dataclass
class Case:
    """What `fit` would be called with."""

    name: str
    x: Any
    y: Any
    task: str = "classification"
    settings: dict[str, Any] = field(default_factory=dict)
    net: Any = None
    table: str | None = None
    table_columns: dict[str, Any] = field(default_factory=dict)


def findings(case: Case) -> dict[str, list[str]]:
    """Return the levels of what each check found."""
    data = case.x if case.table else (case.x, case.y)
    if case.table:
        frame = case.x.assign(**{case.table: case.y})
        data = cr.Table.read(frame, target=case.table, columns=case.table_columns)
    subject = subject_of(case.net or network(case), data, TrainingSettings(**{"validation": 0.2, **case.settings}))
    levels: dict[str, list[str]] = {}
    for name, check in CHECKS:
        levels[name] = []
        for finding in check(subject):
            levels[name].append(finding.level)
            if finding.level == "alarm" and case.settings.get("seed") != -1:
                TEXTS.append(f"{case.name}: {finding.text}")
    return levels


TEXTS: list[str] = []


def network(case: Case) -> Any:
    """Return a small network for the data."""
    y = np.asarray(case.y)
    if case.task == "regression":
        return cr.Sequential(cr.Flatten(), cr.Dense(16, "relu"), cr.Dense(1 if y.ndim == 1 else y.shape[1]))
    if case.task == "multilabel":
        return cr.Sequential(cr.Flatten(), cr.Dense(16, "relu"), cr.Dense(y.shape[1], "sigmoid"))
    if np.ndim(case.x) == 4:
        return cr.Sequential(
            cr.Conv2D(4, 3, "relu"), cr.Flatten(), cr.Dense(max(len(np.unique(y)), int(y.max()) + 1), "softmax")
        )
    return cr.Sequential(cr.Flatten(), cr.Dense(16, "relu"), cr.Dense(len(np.unique(y)), "softmax"))


@functools.cache
def frame(name: str) -> Any:
    import pandas as pd

    return pd.read_csv(Path(os.environ["CHAINRULE_DATA"]) / "tables" / f"{name}.csv")


@functools.cache
def bunch(name: str) -> tuple[Any, Any]:
    from sklearn import datasets

    data = getattr(datasets, f"load_{name}")()
    return data.data, data.target


def plain(name: str, rng: np.random.Generator, most: int = 3000) -> Case:
    """Return one of the data sets, some rows of it drawn at random."""
    from sklearn import datasets

    seed = int(rng.integers(2**31))
    if name in ("iris", "wine", "breast_cancer", "digits"):
        case = Case(name, *bunch(name))
    elif name == "diabetes":
        case = Case(name, *bunch(name), "regression", {"normalize_target": True})
    elif name == "mnist":
        mnist = cr.data.load("mnist")
        rows = rng.choice(60_000, most, replace=False)
        case = Case(name, np.asarray(mnist.x)[rows], np.asarray(mnist.y)[rows])
    elif name == "friedman":
        case = Case(name, *datasets.make_friedman1(1000, noise=1.0, random_state=seed), "regression")
        case.settings["normalize_target"] = True
    elif name == "moons":
        case = Case(name, *datasets.make_moons(800, noise=0.25, random_state=seed))
    elif name == "penguins":
        rows = frame("penguins").dropna()
        case = Case(name, rows[[c for c in rows if rows[c].dtype.kind in "if"]].to_numpy(float), rows["species"])
        case.y = np.unique(case.y.to_numpy(str), return_inverse=True)[1]
    elif name == "california":
        rows = frame("california_housing").dropna().sample(most, random_state=seed % 1000)
        x = rows.drop(columns=["median_house_value", "ocean_proximity"]).to_numpy(float)
        case = Case(name, x, rows["median_house_value"].to_numpy(float), "regression", {"normalize_target": True})
    elif name == "titanic":
        rows = frame("titanic")
        case = Case(name, rows.drop(columns="Survived"), rows["Survived"].to_numpy(), table="Survived")
        case.table_columns = {"Ticket": {"use": False}, "Cabin": {"use": False}}
    else:
        rows = frame("adult").drop(columns="split").sample(most, random_state=seed % 1000)
        case = Case(name, rows.drop(columns="income"), rows["income"].to_numpy(), table="income")
        case.table_columns = {"native_country": {"encode": "one_hot"}}
    return case


SETS = (
    "iris", "wine", "breast_cancer", "digits", "mnist", "moons", "penguins", "diabetes", "friedman", "california",
    "titanic", "adult",
)  # fmt: skip


def take(case: Case, rows: Any) -> Case:
    x = case.x.iloc[rows].reset_index(drop=True) if case.table else case.x[rows]
    return Case(
        case.name, x, np.asarray(case.y)[rows], case.task, dict(case.settings), case.net, case.table, case.table_columns
    )


def fresh(name: str, rng: np.random.Generator, most: int = 3000) -> Case:
    """Return a data set whose rows are in a random order."""
    case = plain(name, rng, most)
    return take(case, rng.permutation(len(case.x)))


# --- faults ------------------------------------------------------------------------------------------------------


def planted(fault: str, strength: int, name: str, rng: np.random.Generator) -> Case | None:
    """Return a data set with a fault in it; None where it cannot have that one."""
    case = fresh(name, rng)
    n = len(case.x)
    numbers = not case.table and case.x.ndim == 2
    if fault == "labels_shuffled":
        share = (0.9, 0.95, 1.0)[strength]
        chosen = rng.choice(n, int(share * n), replace=False)
        case.y = case.y.copy()
        case.y[chosen] = case.y[rng.permutation(chosen)]
    elif fault == "labels_noisy":
        chosen = rng.choice(n, int((0.1, 0.2, 0.4)[strength] * n), replace=False)
        y = case.y.copy()
        if case.task == "regression":
            y[chosen] = y[rng.permutation(chosen)]
        else:
            classes, place = np.unique(y, return_inverse=True)
            y[chosen] = classes[(place[chosen] + rng.integers(1, len(classes), len(chosen))) % len(classes)]
        case.y = y
    elif fault in ("leak", "leak_noisy"):
        target = np.asarray(case.y) if case.task == "regression" else np.unique(case.y, return_inverse=True)[1]
        column = target.astype(float)
        if fault == "leak_noisy":
            part = (0.05, 0.02, 0.005)[strength]
            if case.task == "regression":
                column = column + rng.normal(size=n) * column.std() * part
            else:
                wrong = rng.random(n) < part / 2
                column[wrong] = rng.permutation(column)[wrong]
                column = column + rng.normal(size=n) * 0.05
        elif strength == 1:
            column = -3 * column + 7
        elif strength == 2 and case.task != "regression":
            column = rng.permutation(int(target.max()) + 1)[target].astype(float)
        if case.table:
            case.x = case.x.assign(paid=column)
        elif numbers:
            case.x = np.c_[case.x, column]
        else:
            return None
    elif fault == "duplicates":
        again = rng.choice(n, int((0.25, 0.5, 1.0)[strength] * n))
        case = take(case, rng.permutation(np.r_[np.arange(n), again]))
    elif fault == "overlap":
        if case.table:
            return None
        cut, seen = int(0.8 * n), int((0.2, 0.5, 1.0)[strength] * (n - int(0.8 * n)))
        others = np.r_[np.arange(cut, n)[seen:], rng.choice(cut, seen, replace=False)]
        other = take(case, others)
        case = take(case, np.arange(cut))
        case.settings["validation"] = (other.x, other.y)
    elif fault == "shift":
        if not numbers:
            return None
        cut = int(0.8 * n)
        other, case = take(case, np.arange(cut, n)), take(case, np.arange(cut))
        spread = case.x.std(axis=0)
        if strength < 2:
            other.x = other.x + (1.5, 3.0)[strength] * spread
        else:
            other.x = (other.x - case.x.mean(axis=0)) / (spread + 1e-9)  # scaled, and the training rows are not
        case.settings["validation"] = (other.x, other.y)
    elif fault in ("sentinel", "outliers"):
        if not numbers:
            return None
        x = case.x.astype(float).copy()
        rows = rng.choice(n, max(3, int((0.01, 0.02, 0.05)[strength] * n)), replace=False)
        varying = np.flatnonzero([len(np.unique(column)) > 10 for column in x.T])
        column = rng.choice(varying)
        if fault == "sentinel":
            if x[:, column].min() < -50 or np.ptp(x[:, column]) > 150:
                x[rows, column] = 1e6 * max(1.0, float(np.ptp(x[:, column])))
            else:
                x[rows, column] = (-999.0, 9999.0, 1e6)[strength]
        else:
            x[rows, column] += (50.0, 100.0, 1000.0)[strength] * np.ptp(x[:, column]) * rng.uniform(0.8, 1.2, len(rows))
        case.x = x
    elif fault == "imbalance":
        if case.task == "regression":
            return None
        classes = np.unique(case.y)
        rare = np.flatnonzero(case.y == classes[-1])
        kept = rare[: max(2, int((0.05, 0.02, 0.01)[strength] * n))]
        case = take(case, np.sort(np.r_[np.flatnonzero(case.y != classes[-1]), kept]))
    elif fault == "few_rows":
        case = take(case, rng.permutation(n)[: (40, 25, 15)[strength]])
        if case.task != "regression" and len(np.unique(case.y)) < len(np.unique(plain(name, rng).y)):
            return None
        case.settings["validation"] = None
    elif fault == "unscaled":
        if not numbers:
            return None
        x = (case.x - case.x.mean(axis=0)) / (case.x.std(axis=0) + 1e-9)
        case.x = (x * 1000.0, x + 1000.0, x * np.r_[1e4, np.ones(x.shape[1] - 1)])[strength]
        case.settings["normalize"] = False
    elif fault == "target_unscaled":
        if case.task != "regression":
            return None
        case.y = case.y / case.y.std() * (1e3, 1e4, 1e5)[strength]
        case.settings["normalize_target"] = False
    elif fault == "scrambled":
        if name not in ("digits", "mnist"):
            return None
        images = case.x.reshape(n, 8, 8, 1) if name == "digits" else case.x
        pixels = images.reshape(n, -1)[:, rng.permutation(images[0].size)]
        case.x = pixels.reshape(images.shape)
        if strength == 0:
            case = take(case, np.arange(300))
    case.name = f"{name} with {fault} {strength}"
    return case


# --- healthy and odd ---------------------------------------------------------------------------------------------


def healthy(rng: np.random.Generator) -> Iterator[tuple[str, Case]]:
    """Yield data with nothing wrong, half of it odd."""
    from sklearn import datasets

    def draw() -> int:
        return int(rng.integers(2**31))

    for name in SETS:
        yield f"{name}", fresh(name, rng)
        for rows in (60, 200):
            case = fresh(name, rng)
            small = take(case, np.arange(min(rows, len(case.x))))
            small.settings["validation"] = 0.2 if rows > 60 else None
            classes = len(np.unique(case.y))
            if small.task == "regression" or (len(np.unique(small.y)) == classes and rows >= 10 * classes):
                yield f"{name}, {rows} rows", small
        case = fresh(name, rng)
        if not case.table:
            cut = int(0.8 * len(case.x))
            other, case = take(case, np.arange(cut, len(case.x))), take(case, np.arange(cut))
            case.settings["validation"] = (other.x, other.y)
            yield f"{name}, validation given", case
        else:
            case.x = case.x.assign(split=np.where(rng.random(len(case.x)) < 0.2, "validation", "train"))
            case.settings["validation"] = None
            yield f"{name}, validation named", case
    for name, factor in (("iris", 1.0), ("digits", 1.0), ("moons", 1.0), ("mnist", 1.0), ("mnist", 255.0)):
        case = fresh(name, rng)
        case.x, case.settings["normalize"] = case.x * factor, False
        yield f"{name} raw × {factor:g}", case
    digits = fresh("digits", rng)
    digits.x = digits.x.reshape(-1, 8, 8, 1)
    yield "digits as images", digits
    adult = frame("adult").sample(3000, random_state=draw() % 1000)
    numbers = adult.select_dtypes("number")
    yield "adult, numbers alone", Case("adult", numbers.to_numpy(float), adult["income"].eq(">50K").to_numpy(int))
    x = (rng.random((1500, 30)) < 0.1) * rng.lognormal(size=(1500, 30))
    yield "90 % zeros", Case("zeros", x, (x[:, :5].sum(axis=1) + 0.3 * rng.normal(size=1500) > 0.6).astype(int))
    x = rng.poisson(0.05, (1500, 200)).astype(float)
    topic = rng.integers(0, 3, 1500)
    x[np.arange(1500), topic * 20 + rng.integers(0, 20, 1500)] += rng.poisson(1.0, 1500) + 1
    yield "words counted", Case("words", x, topic)
    x, y = datasets.make_blobs(1200, centers=2, n_features=6, cluster_std=1.0, random_state=draw())
    yield "two easy classes", Case("blobs", x, y)
    x, y = datasets.make_blobs(900, centers=5, cluster_std=2.0, random_state=draw())
    yield "blobs that overlap", Case("blobs", x, y)
    x = rng.integers(0, 2, (1000, 10)).astype(float)
    yield "zeros and ones", Case("flags", x, (x[:, :3].sum(axis=1) + rng.normal(size=1000) * 0.4 > 1.5).astype(int))
    x = rng.integers(0, 2, (1000, 6)).astype(float)
    yield "few different rows", Case("flags", x, (x[:, 0] + x[:, 1] > rng.random(1000) * 2).astype(int))
    x = rng.integers(0, 4, (1500, 6)).astype(float)
    yield "cars (grid of categories)", Case("cars", x, (x[:, 0] + x[:, 1] * 2 > 5).astype(int) + (x[:, 2] > 2))
    x = rng.normal(size=(1000, 12))
    for strength in (0.8, 0.9):
        y = np.sqrt(strength) * x[:, 0] + np.sqrt(1 - strength) * (x[:, 1:4].sum(axis=1) / np.sqrt(3))
        yield f"one strong column, R² {strength}", Case("strong", x, y, "regression")
    y = (x[:, 0] + 0.15 * rng.normal(size=1000) > 0).astype(int)
    yield "one strong column, two classes", Case("strong", x, y)
    yield "heteroscedastic", Case("hetero", x, x[:, 0] + np.exp(x[:, 1]) * rng.normal(size=1000) * 0.7, "regression")
    yield "noise with heavy tails", Case("t2", x, x[:, 0] + x[:, 1] + rng.standard_t(2, 1000) * 0.5, "regression")
    y = np.exp(x[:, 0] + 0.5 * rng.normal(size=1000) + 10)
    yield "log-normal targets", Case("lognormal", x, y, "regression", {"normalize_target": True})
    heavy = np.exp(1.5 * x)
    yield "log-normal inputs", Case("lognormal", heavy, (x[:, 0] + x[:, 1] > 0).astype(int))
    pareto = rng.pareto(1.2, (2000, 8))
    yield "Pareto inputs", Case("pareto", pareto, (np.log1p(pareto[:, 0]) > 0.5).astype(int))
    counts = rng.negative_binomial(0.3, 0.02, (1500, 8)).astype(float)
    yield "skewed counts", Case("counts", counts, (counts[:, 0] > 2).astype(int) + (counts[:, 1] > 30))
    rare = (rng.random((1500, 8)) < 0.01).astype(float)
    beside = rng.normal(size=(1500, 4))
    yield (
        "rare flags",
        Case("rare", np.c_[rare, beside], (beside[:, 0] + beside[:, 1] + 3 * rare[:, 0] > 0).astype(int)),
    )
    yield "one column decides", Case("threshold", beside, (beside[:, 0] > 0).astype(int))
    for slope in (0.7, 1.5):
        y = (rng.random(1000) < 1 / (1 + np.exp(-slope * (x[:, 0] + x[:, 1])))).astype(int)
        yield f"people: logistic, slope {slope}", Case("logistic", x, y)
    for noise in (1.0, 2.5):
        yield f"weak regression, noise {noise}", Case("weak", x, x[:, 0] + noise * rng.normal(size=1000), "regression")
    time_of = np.linspace(0, 1, 1000)
    drift = x + 0.5 * time_of[:, None]
    y = (drift[:, 0] + drift[:, 1] > 0.5).astype(int)
    case = Case("time", drift[:800], y[:800], settings={"validation": (drift[800:], y[800:])})
    yield "order of time, a small drift", case
    with_time = np.c_[drift, time_of]
    case = Case("time", with_time[:800], y[:800], settings={"validation": (with_time[800:], y[800:])})
    yield "order of time, the time a column", case
    x4, y4 = rng.normal(size=(1000, 4)), None
    y4 = np.c_[x4[:, 0], x4[:, 1] * x4[:, 2], np.sin(x4[:, 3])] + 0.1 * rng.normal(size=(1000, 3))
    yield "three outputs", Case("outputs", x4, y4, "regression")
    x6, y6 = datasets.make_multilabel_classification(800, 20, n_classes=4, random_state=draw())
    yield "several labels", Case("labels", x6, y6, "multilabel")
    yield "sine", Case("sine", time_of[:, None] * 6, np.sin(time_of * 6) + 0.05 * rng.normal(size=1000), "regression")
    yield "sine, exact", Case("sine", time_of[:, None] * 6, np.sin(time_of * 6), "regression")
    xor = rng.uniform(-1, 1, (400, 2))
    yield "exclusive or", Case("xor", xor, (xor[:, 0] * xor[:, 1] > 0).astype(int))
    gate = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    yield "gate", Case("gate", gate, np.array([0, 1, 1, 0]), settings={"validation": None})
    yield "circles", Case("circles", *datasets.make_circles(500, noise=0.1, factor=0.5, random_state=draw()))
    bits = ((np.arange(256)[:, None] >> np.arange(8)) & 1).astype(float)
    yield "parity of 8 bits", Case("parity", bits, bits.sum(axis=1).astype(int) % 2, settings={"validation": None})
    x, y = datasets.make_classification(1200, 20, n_informative=5, n_classes=3, random_state=draw())
    yield "clusters of three classes", Case("clusters", x, y)
    x, y = datasets.make_classification(1200, 20, n_informative=3, class_sep=0.6, random_state=draw())
    yield "clusters close together", Case("clusters", x, y)
    x, y = datasets.make_classification(2000, 10, weights=[0.97], random_state=draw())
    yield "a rare class", Case("rare", x, y)
    case = Case("rare", x, y, settings={"class_weight": "balanced"})
    yield "a rare class, balanced", case
    x, y = datasets.make_regression(500, 10, noise=20.0, random_state=draw())
    yield "linear, targets standardized", Case("linear", x, y, "regression", {"normalize_target": True})
    yield "linear, targets as they are", Case("linear", x, y / 20, "regression")
    with_constant = np.c_[x, np.ones(500), np.zeros(500)]
    yield "columns that are constant", Case("constant", with_constant, y / 20, "regression")
    images = 0.3 * rng.normal(size=(600, 12, 12, 1))
    y = rng.integers(0, 2, 600)
    for row, (label, top, left) in enumerate(zip(y, rng.integers(0, 8, 600), rng.integers(0, 8, 600), strict=True)):
        bar = (slice(top, top + 4), left) if label else (top, slice(left, left + 4))
        images[row][bar] += 2.0
    yield "bars anywhere in noise", Case("bars", images, y)
    wide = np.zeros((600, 20, 20, 1))
    wide[:, 4:16, 4:16] = images
    yield "bars with blank borders", Case("bars", wide, y)
    noise = rng.normal(size=(500, 8, 8, 1))
    yield "images of noise", Case("noise", noise, (noise.mean(axis=(1, 2, 3)) > 0).astype(int))
    tokens = rng.integers(0, 50, (800, 20))
    y = ((tokens < 5).sum(axis=1) > 2).astype(int)
    net = cr.Sequential(cr.Embedding((50,) * 20, (2,) * 20), cr.Dense(2, "softmax"))
    yield "tokens", Case("tokens", tokens.astype(float), y, net=net)


def add(counts: dict[Any, list[int]], key: Any, hit: bool) -> None:
    counts[key][0] += hit
    counts[key][1] += 1


def interval(hits: int, n: int) -> str:
    low, high = wilson(hits, n)
    return f"{hits}/{n} ({100 * low:.1f} to {100 * high:.1f} %)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--fault-seeds", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    false: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    advised: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    kinds: set[str] = set()
    seconds: list[tuple[float, str]] = []
    for seed in range(asked.seeds):
        for name, case in healthy(np.random.default_rng(seed)):
            if asked.only and asked.only not in "healthy" and asked.only not in name:
                continue
            if case.task == "classification" and len(np.unique(case.y)) < 2:
                continue
            case.name = name
            began = time.process_time()
            TEXTS.clear()
            levels = findings(case)
            seconds.append((time.process_time() - began, name))
            kinds.add(name)
            for text in TEXTS:
                print(f"FALSE  seed {seed} {text}", flush=True)
            for check, of_check in levels.items():
                add(false, check, "alarm" in of_check)
                add(advised, check, "advice" in of_check)
                if asked.verbose and "advice" in of_check:
                    print(f"advice seed {seed} {name}: {check}", flush=True)
            add(false, "all together", any("alarm" in of_check for of_check in levels.values()))
            add(advised, "all together", any("advice" in of_check for of_check in levels.values()))
    detected: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    seen: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    others: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for fault, of_fault in FAULTS.items():
        if asked.only and asked.only not in "faults" and asked.only not in fault:
            continue
        for strength in range(3):
            for name in SETS:
                for seed in range(asked.fault_seeds):
                    case = planted(fault, strength, name, np.random.default_rng(1000 * seed + strength))
                    if case is None:
                        continue
                    levels = findings(case)
                    hit = any("alarm" in levels[check] for check in of_fault)
                    add(detected, (fault, strength), hit)
                    add(seen, fault, any({"alarm", "advice"} & {*levels[check]} for check in of_fault))
                    elsewhere = any("alarm" in levels[check] for check in levels if check not in of_fault)
                    add(others, fault, elsewhere)
                    if asked.verbose and not hit:
                        print(f"MISSED seed {seed} {case.name} {[levels[c] for c in of_fault]}", flush=True)
                    if elsewhere:
                        print(
                            f"OTHER  seed {seed} {case.name}: {[c for c in levels if 'alarm' in levels[c]]}", flush=True
                        )
    lines = [
        "# The doctor's checks of data",
        "",
        f"Written by `python bench/doctor_data.py`. What each check says of data with nothing "
        f"wrong ({len(kinds)} kinds, half of them odd, drawn or cut anew for each of {asked.seeds} seeds): alarms "
        "are false. With Wilson's interval (95 %).",
        "",
        "| check | false alarms | advice |",
        "|---|---|---|",
        *(f"| {check} | {interval(*false[check])} | {interval(*advised[check])} |" for check in false),
        "",
        f"Seconds of all checks together (processor): {np.median([s for s, _ in seconds] or [0]):.2f} in the median, "
        + (f"{max(seconds)[0]:.2f} at most ({max(seconds)[1]})." if seconds else "."),
        "",
        f"Faults planted in up to {len(SETS)} data sets ({', '.join(SETS)}), at three strengths. A fault is found "
        "where the check that it is for raises an alarm; advice, which trials follow up, is beside it.",
        "",
        "| fault | weak | middle | strong | all | with advice | alarms of other checks |",
        "|---|---|---|---|---|---|---|",
    ]
    for fault in dict.fromkeys(fault for fault, _ in detected):
        cells = [detected[fault, strength] for strength in range(3)]
        total = [sum(cell[k] for cell in cells) for k in (0, 1)]
        lines.append(
            f"| {fault} | "
            + " | ".join(f"{hits}/{n}" for hits, n in cells)
            + f" | {interval(*total)} | {interval(*seen[fault])} | {others[fault][0]}/{others[fault][1]} |"
        )
    text = "\n".join(lines) + "\n"
    print(text, f"{time.perf_counter() - start:.0f} s")
    if not asked.only:
        RESULT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
