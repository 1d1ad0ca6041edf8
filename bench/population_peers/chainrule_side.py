"""The work of the population benchmark in chainrule, through its public API only."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from rows import SPACE, CostEstimate, Told, adult, drawn, main, mnist, scaled

import chainrule as cr

COMMON = {"normalize": False, "engine": "jax", "progress": False}
ONE_HOT = {"native_country": {"encode": "one_hot"}}  # as all other categories of Adult are without a word


def small() -> cr.Sequential:
    """784-30-10: the deviation of the first weights is searched."""
    return cr.Sequential(
        cr.Dense(30, "sigmoid", init=cr.initializers.Normal(0.1)),
        cr.Dense(10, "softmax", init="lecun_normal"),
    )


def two_hidden() -> cr.Sequential:
    """The network for Adult, with the initial weights of scikit-learn's."""
    hidden = (cr.Dense(64, "relu", init="glorot_uniform") for _ in range(2))
    return cr.Sequential(*hidden, cr.Dense(2, "softmax", init="glorot_uniform"))


def twice(work: Callable[[int], Any], job: SimpleNamespace) -> tuple[Any, float]:
    """What the work gives, done a second time in a process that is warm, and in how many seconds."""
    if job.cold_only:
        before = time.perf_counter()
        return work(job.seed), time.perf_counter() - before
    work(job.seed + 1000)
    before = time.perf_counter()
    return work(job.seed), time.perf_counter() - before


def told(work: CostEstimate, job: SimpleNamespace, seconds: float, **others: Any) -> Told:
    """What is done twice counts once in the time of the whole process; of less work all is reckoned."""
    whole = seconds * work.count / job.units
    return Told(whole, whole - seconds if job.cold_only else -seconds, **others)


def log_space(bounds: dict[str, tuple[float, float]]) -> dict[str, Any]:
    return {name: cr.log_uniform(low, high) for name, (low, high) in bounds.items()}


def trials(work: CostEstimate, job: SimpleNamespace) -> Told:
    """A random search, whose trials are trained as one population."""
    data, validation = mnist(work, job)

    def search(seed: int) -> Any:
        return cr.search(
            small(),
            data,
            log_space(SPACE),
            trials=job.units,
            optimizer=cr.SGD(1.0),
            epochs=work.epochs,
            batch_size=work.batch,
            validation=validation,
            seed=seed,
            **COMMON,
        )

    found, seconds = twice(search, job)
    scores, settings = zip(*((trial.value or 0.0, dict(trial.settings)) for trial in found.trials), strict=True)
    return told(work, job, seconds, scores=list(scores), settings=list(settings))


def folds(work: CostEstimate, job: SimpleNamespace) -> Told:
    """Cross-validation of a table, prepared anew inside each fold."""
    table = cr.Table.read(adult(job), target="income", columns=ONE_HOT)

    def validated(seed: int) -> Any:
        return cr.cross_validate(
            two_hidden(),
            table,
            folds=5,
            seeds=job.units // 5,
            optimizer="adam",
            epochs=work.epochs,
            batch_size=work.batch,
            seed=seed,
            **COMMON,
        )

    found, seconds = twice(validated, job)
    scores = [float(run.history["val_accuracy"][-1]) for run in found.population]
    return told(work, job, seconds, scores=scores)


def middle() -> cr.Sequential:
    return cr.Sequential(cr.Dense(128, "relu"), cr.Dense(10, "softmax"))


def seeds(work: CostEstimate, job: SimpleNamespace) -> Told:
    """As many seeds as one population."""
    data, validation = mnist(work, job)

    def population(seed: int) -> Any:
        return cr.fit_population(
            middle(),
            data,
            job.units,
            optimizer="adam",
            epochs=work.epochs,
            batch_size=work.batch,
            validation=validation,
            seed=seed,
            **COMMON,
        )

    found, seconds = twice(population, job)
    return told(work, job, seconds, scores=[float(run.history["val_accuracy"][-1]) for run in found])


def single(work: CostEstimate, job: SimpleNamespace) -> Told:
    """Single fits, one after the other; the first, in which the program is compiled, is not scaled."""
    data, validation = mnist(work, job)
    seconds, scores = [], []
    for number in range(job.units):
        before = time.perf_counter()
        run = cr.fit(
            middle(),
            data,
            optimizer="adam",
            epochs=work.epochs,
            batch_size=work.batch,
            validation=validation,
            seed=job.seed + number,
            **COMMON,
        )
        seconds.append(time.perf_counter() - before)
        scores.append(float(run.history["val_accuracy"][-1]))
    found = scaled(work, seconds[1:], scores)
    found.more -= float(np.median(seconds[1:]))
    return found


def run_searches(
    net: cr.Sequential, data: Any, space: dict[str, Any], work: CostEstimate, job: SimpleNamespace, **words: Any
) -> Told:
    """A search, coarse to fine or plainly random, and when it had found what; then another one."""

    def search(seed: int, begin: float) -> tuple[Any, list[tuple[float, float]], float]:
        called = time.time()
        found = cr.search(
            net,
            data,
            space,
            trials=work.trials,
            stages=None if job.side == "random" else "coarse_to_fine",
            epochs=work.epochs,
            batch_size=work.batch,
            seed=seed,
            engine="jax",
            progress=False,
            **words,
        )
        curve: list[tuple[float, float]] = []
        done = [trial for trial in found.study.trials if trial.value is not None]
        for trial in sorted(done, key=lambda trial: trial.datetime_complete):
            if not curve or trial.value > curve[-1][1]:
                curve.append((trial.datetime_complete.timestamp() - begin, trial.value))
        return found, curve, time.time() - called

    first, curve, seconds = search(job.seed, job.started)
    epochs = sum(trial.epochs for trial in first.trials)
    note = f"{len(first.trials)} trials, {epochs} epochs"
    if job.cold_only:
        return Told(seconds, 0.0, [first.score], curve=curve, warm_curve=curve, note=note)
    _, again, seconds = search(job.seed + 1000, time.time())
    return Told(seconds, -seconds, [first.score], curve=curve, warm_curve=again, note=note)


def stages_adult(work: CostEstimate, job: SimpleNamespace) -> Told:
    """Learning rate, λ and dropout for a table."""
    rates = {f"net.layers.{place}.rate": cr.uniform(0.0, 0.6) for place in (1, 3)}
    hidden = (part for _ in range(2) for part in (cr.Dense(64, "relu"), cr.Dropout(0.1)))
    return run_searches(
        cr.Sequential(*hidden, cr.Dense(2, "softmax")),
        cr.Table.read(adult(job), target="income", columns=ONE_HOT),
        log_space({"optimizer.lr": (1e-4, 0.1), "l2": (1e-3, 100.0)}) | rates,
        work,
        job,
        optimizer=cr.Adam(0.001),
    )


def stages_mnist(work: CostEstimate, job: SimpleNamespace) -> Told:
    """The space of the first row."""
    data, validation = mnist(work, job)
    words = {"optimizer": cr.SGD(1.0), "validation": validation, "normalize": False}
    return run_searches(small(), data, log_space(SPACE), work, job, **words)


def gpu(work: CostEstimate, job: SimpleNamespace) -> Told:
    """Populations of several sizes: seconds for each member, and memory."""
    import jax

    device = jax.devices()[0]
    data, validation = mnist(work, job)
    notes, seconds, scores = [str(device.device_kind)], 0.0, []
    for members in (64, 512, 4096)[: 1 if job.cold_only else None]:

        def population(seed: int, members: int = members) -> Any:
            return cr.fit_population(
                small(),
                data,
                drawn(members, seed),
                optimizer=cr.SGD(1.0),
                epochs=work.epochs,
                batch_size=work.batch,
                validation=validation,
                **COMMON,
            )

        found, seconds = twice(population, job)
        scores += found.scores().tolist()
        used = (device.memory_stats() or {}).get("peak_bytes_in_use", 0) / 2**30
        notes.append(f"{members} members {1000 * seconds / members:.3g} ms each, peak {used:.1f} GiB")
    return Told(seconds, -seconds, scores, note="; ".join(notes))


if __name__ == "__main__":
    main(trials=trials, folds=folds, seeds=seeds, single=single, stages_adult=stages_adult, stages_mnist=stages_mnist)
