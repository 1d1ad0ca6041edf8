"""Checks of code, start and learning by heart on healthy networks of every kind, and on planted faults.

    python bench/doctor_start.py           # prints the table
    python bench/doctor_start.py --write   # to bench/results/doctor_start.md

Healthy cases are every activation, optimizer and initializer of the package that is meant to work, networks that are
deep, wide, narrow, normalized, dropped and mixed, all tasks, raw and sparse inputs, class weights, warm-ups, and layers
and losses of a user's own that are right. A case that alarms is trained, so that it can be seen whether it learns.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.run_settings import TrainingSettings
from chainrule.statistics import wilson
from chainrule.symptoms import by_heart, code_checks, start_checks
from chainrule.symptoms.evidence import Finding
from chainrule.symptoms.subject import subject_of

RESULTS = Path(__file__).parent / "results" / "doctor_start.md"
STAGES = (*code_checks.CHECKS, *start_checks.CHECKS, *by_heart.CHECKS)
ACTIVATIONS = sorted(set(cr.activations.Activation.registry) - {"softmax", "linear", "glu", "step", "sign"})
OPTIMIZERS = {
    "sgd 0.1": cr.SGD(lr=0.1),
    "sgd 0.5": cr.SGD(lr=0.5),
    "momentum": cr.SGD(lr=0.05, momentum=0.9),
    "nesterov": cr.SGD(lr=0.05, momentum=0.9, nesterov=True),
    "adagrad": cr.AdaGrad(lr=0.05),
    "rmsprop": cr.RMSProp(lr=0.003),
    "adam": cr.Adam(lr=0.003),
    "adam 0.001": cr.Adam(),
    "adamw": cr.AdamW(lr=0.003, weight_decay=0.1),
    "clipped": cr.Adam(lr=0.003, clip_norm=1.0),
    "warm-up": cr.SGD(lr=cr.schedules.Warmup(cr.schedules.Cosine(0.3), epochs=5)),
    "one cycle": cr.SGD(lr=cr.schedules.OneCycle(0.5)),
    "exponential": cr.Adam(lr=cr.schedules.Exponential(0.01, 0.95)),
    "steps": cr.SGD(lr=cr.schedules.StepDecay(0.3, 0.5, every=15)),
}
INITS = ("glorot_uniform", "glorot_normal", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform", "orthogonal")


@dataclass(frozen=True)
class Case:
    """A network with its data and settings."""

    name: str
    net: Any
    data: Any
    settings: dict[str, Any] = field(default_factory=dict)
    cause: str = ""


@dataclass(frozen=True)
class Scaled(cr.Layer):
    """A right layer of one's own with parameters."""

    def init(self, key: Any, shape: Any) -> Any:
        return {"scale": np.ones(shape[-1:])}, {}, shape

    def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
        return x * params["scale"], state


@dataclass(frozen=True)
class Noise(cr.Layer):
    """A right layer of one's own that draws numbers in training."""

    def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
        return (x if key is None else x + 0.1 * cr.random.normal(key, x.shape)), state


@dataclass(frozen=True)
class Planted(cr.Layer):
    """A layer with a fault."""

    fault: str

    def apply(self, params: Any, state: Any, x: Any, *, key: Any, train: bool) -> Any:
        faults: dict[str, Callable[[Any], Any]] = {
            "stop_gradient": lambda x: cr.stop_gradient(x) * 1.0,
            "value": lambda x: x.value * 1.0,
            "array": lambda x: np.asarray(x),
            "mean of the batch": lambda x: x - np.mean(x, axis=0),
            "softmax over the batch": lambda x: np.exp(x) / np.sum(np.exp(x), axis=0),
            "derivative": lambda x: CUBE(x),
            "half cut": lambda x: 0.5 * x + 0.5 * cr.stop_gradient(x),
        }
        return faults[self.fault](x), state


@cr.primitive
def CUBE(xp: Any, x: Any) -> Any:
    """x³ with a wrong derivative."""
    return x * x * x


CUBE.derivatives(lambda y, x: 2.0 * x * x)


def flat(net: list[Any]) -> cr.Sequential:
    """Return a network for pictures that takes their values as a row."""
    return cr.Sequential(cr.Flatten(), *net)


def problems() -> dict[str, tuple[Any, int, Any, dict[str, Any]]]:
    """Return data sets by name: the data, how many outputs, the output's activation, and settings that belong to it."""
    diabetes, digits = cr.data.load("diabetes"), cr.data.load("digits")
    cancer = cr.data.load("breast_cancer")
    labels = np.stack([diabetes.y > 140, diabetes.y > 200, diabetes.x[:, 0] > 0], axis=1).astype(int)
    return {
        "iris": (cr.data.load("iris"), 3, "softmax", {}),
        "wine": (cr.data.load("wine"), 3, "softmax", {}),
        "digits": (digits, 10, "softmax", {}),
        "cancer": (cancer, 1, "sigmoid", {}),
        "diabetes": (diabetes, 1, None, {"normalize_target": True}),
        "labels": ((diabetes.x, labels), 3, "sigmoid", {}),
    }


def dense(units: list[int], hidden: Any, outputs: int, output: Any, **settings: Any) -> cr.Sequential:
    """Return a fully connected network for any inputs."""
    return flat([*(cr.Dense(n, hidden, **settings) for n in units), cr.Dense(outputs, output, **settings)])


def healthy() -> Iterator[Case]:
    """Yield the cases that are fine."""
    base = {"epochs": 60, "optimizer": cr.Adam(lr=0.003)}
    sets = problems()
    for name, (data, outputs, output, more) in sets.items():
        settings = base | more
        for hidden in ACTIVATIONS:
            yield Case(f"{name}: {hidden}", dense([24], hidden, outputs, output), data, settings)
        for optimizer, recipe in OPTIMIZERS.items():
            if optimizer == "sgd 0.5" and name == "diabetes":
                continue  # it diverges
            net = dense([24], "relu", outputs, output)
            yield Case(f"{name}: {optimizer}", net, data, settings | {"optimizer": recipe})
        for init in INITS:
            net = dense([24, 24], "tanh", outputs, output, init=init)
            yield Case(f"{name}: {init}", net, data, settings)
        shapes = {
            "no hidden layer": [],
            "narrow": [6],
            "wide": [300],
            "deep": [24] * 6,
            "deep and narrow": [10] * 4,
        }
        for shape, units in shapes.items():
            yield Case(f"{name}: {shape}", dense(units, "relu", outputs, output), data, settings)
        for deep in (2, 3, 4, 5):
            yield Case(f"{name}: {deep} sigmoid layers", dense([24] * deep, "sigmoid", outputs, output), data, settings)
        layers = {
            "half dropped": [cr.Dense(48, "relu"), cr.Dropout(0.5)],
            "batch norm": [cr.Dense(24), cr.BatchNorm(), cr.Activation("relu")],
            "ten with batch norm": [cr.Dense(16), cr.BatchNorm(), cr.Activation("sigmoid")] * 10,
            "layer norm": [cr.LayerNorm(), cr.Dense(24, "gelu"), cr.LayerNorm()],
            "residual": [cr.Dense(24), cr.Residual(cr.Dense(24, "relu"), cr.Dense(24, init="zeros"))],
            "beside": [cr.Concat(cr.Dense(12, "tanh"), cr.Dense(12, "relu"))],
            "average": [cr.Average(cr.Dense(24, "tanh"), cr.Dense(24, "relu"))],
            "maxout": [cr.Maxout(16, pieces=3)],
            "glu": [cr.Dense(16, "glu")],
            "step units": [cr.Dense(64, "step")],
            "own layers": [cr.Dense(24, "relu"), Scaled(), Noise()],
            "own activation": [cr.Dense(24, lambda z: z / (1.0 + np.abs(z)))],
        }
        for kind, hidden in layers.items():
            yield Case(f"{name}: {kind}", flat([*hidden, cr.Dense(outputs, output)]), data, settings)
        net = dense([32], "relu", outputs, output)
        yield Case(f"{name}: raw inputs", net, data, settings | {"normalize": False})
        yield Case(f"{name}: penalty and noise", net, data, settings | {"l2": 1.0, "l1": 0.1, "augment": _noise(data)})
        yield Case(f"{name}: zero at the end", _zero_end(outputs, output), data, settings)
        if output == "softmax":
            smooth = cr.losses.CrossEntropy(0.2)
            yield Case(f"{name}: class weights", net, data, settings | {"class_weight": "balanced"})
            yield Case(f"{name}: smoothed", net, data, settings | {"loss": smooth})
            yield Case(
                f"{name}: quadratic", dense([32], "relu", outputs, "sigmoid"), data, settings | {"loss": "quadratic"}
            )
            yield Case(f"{name}: own loss", net, data, settings | {"loss": _focal})
            yield Case(f"{name}: hinge", dense([32], "relu", outputs, None), data, settings | {"loss": "hinge"})
        if name == "diabetes":
            for loss in ("mae", "huber", _log_cosh, _quantile):
                label = loss if isinstance(loss, str) else loss.__name__
                yield Case(f"{name}: {label}", net, data, settings | {"loss": loss})
    yield from pictures()
    rng = np.random.default_rng(0)
    sparse = rng.random((600, 60)) * (rng.random((600, 60)) < 0.1)
    y = (sparse[:, :30].sum(axis=1) > sparse[:, 30:].sum(axis=1)).astype(int)
    for normalize in (True, False):
        yield Case(f"sparse, normalize={normalize}", cr.mlp([60, 24, 2]), (sparse, y), base | {"normalize": normalize})
    x = np.linspace(-2.0, 2.0, 200)[:, None]
    for hidden in ("tanh", "sigmoid", "relu"):
        yield Case(
            f"one input: {hidden}",
            cr.mlp([1, 16, 1], hidden, None),
            (x, np.sin(2.0 * x[:, 0])),
            base | {"optimizer": cr.Adam(lr=0.02)},
        )


def pictures() -> Iterator[Case]:
    """Yield networks for pictures."""
    data = cr.data.load("digits")
    settings = {"epochs": 10}
    conv = [cr.Conv2D(8, 3, "relu"), cr.MaxPool2D(2), cr.Conv2D(16, 3, "relu")]
    end = [cr.Flatten(), cr.Dense(10, "softmax")]
    yield Case("pictures: plain", cr.Sequential(*conv, *end), data, settings)
    yield Case("pictures: global mean", cr.Sequential(*conv, cr.GlobalAvgPool2D(), end[-1]), data, settings)
    norm = [cr.Conv2D(8, 3), cr.BatchNorm(), cr.Activation("relu"), cr.AvgPool2D(2)]
    yield Case("pictures: batch norm", cr.Sequential(*norm, *end), data, settings)
    block = cr.Residual(cr.Conv2D(8, 3, "relu"), cr.Conv2D(8, 3), shortcut=cr.Conv2D(8, 1))
    yield Case("pictures: residual", cr.Sequential(block, cr.Activation("relu"), *end), data, settings)
    yield Case("pictures: augmented", cr.Sequential(*conv, *end), data, settings | {"augment": "shift:1,rotation:10"})


def faults() -> Iterator[Case]:
    """Yield the cases with a fault, which was planted."""
    base = {"epochs": 60, "optimizer": cr.Adam(lr=0.003)}
    constant, normal = cr.initializers.Constant, cr.initializers.Normal
    for name, (data, outputs, output, more) in problems().items():
        settings = base | more

        def net(*hidden: Any, outputs: int = outputs, output: Any = output) -> cr.Sequential:
            return flat([*(hidden or [cr.Dense(24, "relu")]), cr.Dense(outputs, output)])

        for fault, cause in PLANTED.items():
            yield Case(f"{name}: {fault}", net(cr.Dense(24, "tanh"), Planted(fault)), data, settings, cause)
        for lr, cause in ((1e-7, "lr_low"), (1e-5, "lr_low"), (1e4, "lr_high")):
            yield Case(f"{name}: SGD {lr:g}", net(), data, settings | {"optimizer": cr.SGD(lr=lr)}, cause)
        bad = cr.Adam(lr=0.003, eps=1000.0)
        yield Case(f"{name}: ε of 1000", net(), data, settings | {"optimizer": bad}, "optimizer")
        for title, init in (("zeros", "zeros"), ("constant", constant(0.3)), ("huge", normal(100.0))):
            all_so = dense([24, 24], "relu", outputs, output, init=init)
            yield Case(f"{name}: {title}", all_so, data, settings, "init")
        small = dense([24, 24, 24], "relu", outputs, output, init=normal(1e-5))
        yield Case(f"{name}: small", small, data, settings | {"optimizer": cr.SGD(lr=0.3)}, "init")
        dead = dense([24, 24], "relu", outputs, output, bias_init=constant(-60.0))
        yield Case(f"{name}: dead", dead, data, settings, "init")
        deep = dense([24] * 10, "sigmoid", outputs, output)
        yield Case(f"{name}: ten sigmoid layers", deep, data, settings, "activation")
        if output == "softmax":
            for loss, cause in LOSSES.items():
                yield Case(f"{name}: {loss.__name__}", net(), data, settings | {"loss": loss}, cause)
    data, x = cr.data.load("diabetes"), cr.data.load("iris")
    far = (data.x, data.y * 100.0 + 1e6)
    yield Case("targets around a million", cr.mlp([10, 24, 1], output=None), far, base, "targets_unscaled")
    raw = {"normalize": False, "optimizer": cr.SGD(lr=0.1)}
    yield Case("inputs around 10,000", cr.mlp([4, 24, 3]), (x.x * 1e4, x.y), base | raw, "inputs_unscaled")
    yield Case("inputs of zero", cr.mlp([4, 24, 3]), (np.zeros((150, 4)), x.y), base, "labels_unrelated")


PLANTED = {
    "stop_gradient": "code_cut",
    "value": "code_cut",
    "array": "code_cut",
    "half cut": "code_gradient",
    "derivative": "code_gradient",
    "mean of the batch": "code_axis",
    "softmax over the batch": "code_axis",
}


def _wrong_sign(a: Any, y: Any) -> Any:
    return np.sum(y * np.log(a + 1e-9), axis=1)


def _other_order(a: Any, y: Any) -> Any:
    return -np.sum(y[:, ::-1] * np.log(a + 1e-9), axis=1)


def _off_by_one(a: Any, y: Any) -> Any:
    return -np.sum(np.concatenate([y[:, 1:], y[:, :1]], axis=1) * np.log(a + 1e-9), axis=1)


def _divided_twice(a: Any, y: Any) -> Any:
    return -np.sum(y * np.log(a + 1e-9), axis=1) / len(a)


def _summed(a: Any, y: Any) -> Any:
    return -np.sum(y * np.log(a + 1e-9))


def _detached(a: Any, y: Any) -> Any:
    return -np.sum(y * np.log(a.value + 1e-9), axis=1)


LOSSES = {
    _wrong_sign: "code_loss",
    _other_order: "code_loss",
    _off_by_one: "code_loss",
    _divided_twice: "code_scale",
    _summed: "code_axis",
    _detached: "code_cut",
}


def _focal(a: Any, y: Any) -> Any:
    return -np.sum(y * (1.0 - a) ** 2 * np.log(a + 1e-9), axis=1)


def _log_cosh(a: Any, y: Any) -> Any:
    return np.sum(np.log(np.cosh(a - y)), axis=1)


def _quantile(a: Any, y: Any) -> Any:
    return np.sum(np.maximum(0.7 * (y - a), 0.3 * (a - y)), axis=1)


def _noise(data: Any) -> str | None:
    shape = np.shape(data[0] if isinstance(data, tuple) else data.x)
    return "noise:0.1" if len(shape) == 2 else "shift:1"


def _zero_end(outputs: int, output: Any) -> cr.Sequential:
    return flat([cr.Dense(24, "relu"), cr.Dense(outputs, output, init="zeros")])


def examined(case: Case) -> tuple[list[Finding], float]:
    """Return what the checks find in a case, and the seconds it took."""
    began = time.perf_counter()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        subject = subject_of(case.net, case.data, TrainingSettings(**case.settings))
        findings: list[Finding] = []
        for _, check in STAGES:
            findings += list(check(subject))
            exact = ("gradient", "loss_direction", "samples_apart")
            if any(finding.level == "alarm" and finding.symptom in exact for finding in findings):
                break
    return findings, time.perf_counter() - began


def score(case: Case) -> str:
    """Return how well a case is learnt when it is trained, in words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            run = cr.fit(case.net, case.data, progress=False, engine="numpy", **case.settings)
        except cr.ChainruleError as error:
            return type(error).__name__
    last = run.history.records[-1]
    return ", ".join(f"{name} {last[name]:.3g}" for name in ("loss", "accuracy", "mae") if name in last)


def report(only: str = "") -> str:
    """Return the figures as Markdown."""
    false: Counter[str] = Counter()
    largest: dict[str, tuple[float, str]] = {}
    alarming, seconds, count = [], [], 0
    for case in healthy():
        if only not in case.name:
            continue
        findings, took = examined(case)
        count += 1
        seconds.append(took)
        for finding in findings:
            for evidence in finding.evidence:
                name = f"{finding.symptom}: {_plain(evidence.name)}"
                value = 1.0 / max(evidence.value, 1e-300) if _counts_down(evidence.name) else evidence.value
                if value > largest.get(name, (-1.0, ""))[0]:
                    largest[name] = (value, case.name)
        alarms = [finding for finding in findings if finding.level == "alarm"]
        for symptom in {finding.symptom for finding in alarms}:
            false[symptom] += 1
        if alarms:
            alarming.append(f"{case.name}: {alarms[0].text} Trained: {score(case)}.")
            print("FALSE", alarming[-1], flush=True)
    found, first, top, faulty, missed = Counter(), Counter(), Counter(), Counter(), []
    for case in faults():
        if only not in case.name:
            continue
        findings, took = examined(case)
        seconds.append(took)
        causes = [cause for finding in findings if finding.level == "alarm" for cause in finding.causes]
        faulty[case.cause] += 1
        found[case.cause] += bool(causes)
        first[case.cause] += causes[:1] == [case.cause]
        top[case.cause] += case.cause in list(dict.fromkeys(causes))[:3]
        if causes[:1] != [case.cause]:
            missed.append(f"{case.name}: {causes[:3]} for {case.cause}. Trained: {score(case)}.")
            print("MISSED", missed[-1], flush=True)
    return _table(count, false, largest, alarming, (faulty, found, first, top), missed, seconds)


def _plain(name: str) -> str:
    words = [word for word in name.split() if not any(mark in word for mark in "_0123456789") or word == "by_heart"]
    return " ".join(words)


def _counts_down(name: str) -> bool:
    return "differs between" in name or "falls on the way" in name or "are right" in name


def _table(
    count: int,
    false: Counter[str],
    largest: dict[str, tuple[float, str]],
    alarming: list[str],
    planted: tuple[Counter[str], ...],
    missed: list[str],
    seconds: list[float],
) -> str:
    lines = [
        "# Checks of code, start and learning by heart",
        "",
        "Written by `bench/doctor_start.py`: healthy networks of every kind, and planted faults, examined before",
        "training (the checks of data are left out), and for each figure the largest that a healthy network has shown.",
        "",
        f"## False alarms on {count} healthy cases",
        "",
        "| check | false | of | 95 % interval |",
        "|---|---:|---:|---|",
    ]
    for symptom in dict.fromkeys(name for name, _ in STAGES):
        low, high = wilson(false[symptom], max(count, 1))
        lines.append(f"| {symptom} | {false[symptom]} | {count} | {low:.1%} to {high:.1%} |")
    lines += ["", *(f"* {text}" for text in alarming), "", "## The largest figures of healthy cases", ""]
    lines += ["| figure | value | case |", "|---|---:|---|"]
    for name, (value, case) in sorted(largest.items()):
        inverse = " (1 / the smallest)" if _counts_down(name) else ""
        lines.append(f"| {name}{inverse} | {value:.3g} | {case} |")
    faulty, found, first, top = planted
    lines += ["", f"## {sum(faulty.values())} planted faults", ""]
    lines += ["| cause | cases | found | named first | among three |", "|---|---:|---:|---:|---:|"]
    for cause in faulty:
        lines.append(f"| {cause} | {faulty[cause]} | {found[cause]} | {first[cause]} | {top[cause]} |")
    sums = [sum(counter.values()) for counter in planted]
    lines.append(f"| all | {sums[0]} | {sums[1]} | {sums[2]} | {sums[3]} |")
    middle = f"{np.median(seconds):.2f} s, at most {max(seconds):.2f} s"
    lines += ["", *(f"* {text}" for text in missed), "", f"Seconds of a case (2 cores, shared): median {middle}.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    text = report(options.only)
    print(text)
    if options.write:
        RESULTS.write_text(text, encoding="utf-8")
