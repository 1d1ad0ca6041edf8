"""`find_batch_size`: how large a batch is of use, and which size is the fastest on this machine."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import random, tree
from chainrule.backprop import grad
from chainrule.checks import check_whole
from chainrule.engine import Engine, lowering
from chainrule.errors import SettingError
from chainrule.fields import passes_settings
from chainrule.finders.common import engine_of, geometric_mean, increasing, rounded, state_on, trainer_of
from chainrule.layers import Layer
from chainrule.models import Model
from chainrule.population.member import Member
from chainrule.population.seeds import list_seeds
from chainrule.recipe.prepared_run import refused_alone
from chainrule.recipe.state import Recipe, State, filled
from chainrule.recipe.step import Batch, add_penalty, evaluate, step_key
from chainrule.run_settings import PopulationSettings
from chainrule.settings import plain, structure
from chainrule.statistics import LEVEL, check_confidence, percent
from chainrule.training.epoch import programs
from chainrule.training.loader import InMemoryLoader

Array = Any

#: Where no sizes are given: the powers of two from a fraction of the largest useful size to twice it, up to a largest.
FRACTION, LARGEST = 1 / 16, 4096

#: A size is timed for so many seconds, so many times; the fastest counts.
SECONDS, TIMES = 0.05, 3


@passes_settings(PopulationSettings, without=("early_stopping", "callbacks", "out", "resume", "config"))
def find_batch_size(
    net: Layer | Model,
    data: Any,
    *,
    seeds: int | Sequence[int] = 5,
    epochs: int = 3,
    batches: int = 64,
    sizes: Sequence[int] | None = None,
    confidence: float = LEVEL,
    **settings: Any,
) -> BatchSizes:
    """Find the largest useful batch size, from how much the gradients of samples differ, and time this machine.

    The gradient noise scale B = tr(Σ) / |G|² sets the covariance of the samples' gradients against the gradient of all.
    With a batch of b a step does 1 / (1 + B/b) of what the gradient of all samples would: far below B twice the batch
    saves half of the steps, far above it none. So B is called the largest useful size. It is measured before training
    and after each epoch, from ``batches`` batches of samples drawn with replacement, without bias in tr(Σ) and |G|²:
    with gradients gₖ and their mean ḡ, tr(Σ)/b = Σ|gₖ − ḡ|² / (K − 1) and |G|² = |ḡ|² − tr(Σ)/(bK). What counts is the
    geometric mean over the points after the start. Then the seconds of a step with each size are measured, and the size
    up to B with the smallest (1 + B/b) · seconds is recommended: it reaches the same cost soonest on this machine.

    Parameters
    ----------
    net, data, settings
        As for `fit`; ``batch_size`` (32 unless given) is that of the training on the way.
    seeds
        How many (from ``seed``), or which; at least 2.
    epochs
        For how long to train: B grows while the cost falls.
    batches
        K; at least 8. More are needed where B is above K times ``batch_size``.
    sizes
        The sizes to time. None: powers of two.
    confidence
        Of the interval of B, by Student's t on its logarithm over the seeds.

    Returns
    -------
    BatchSizes
        ``print`` it; ``largest``, ``recommended``.

    Raises
    ------
    SettingError
        For sizes that are none, and if all members diverge.

    Source: McCandlish, Kaplan, Amodei et al. (2018), "An empirical model of large-batch training", 2.2 and A.1.

    >>> import chainrule as cr
    >>> result = cr.find_batch_size(cr.Dense(3, "softmax"), cr.data.load("iris"), seeds=3, epochs=2, sizes=[16, 32],
    ...                            progress=False)
    >>> result.noise.shape, result.recommended in (16, 32)
    ((3, 3), True)
    """
    check_confidence(confidence)
    batches = check_whole("find_batch_size: batches", plain(batches), 8)
    if sizes is not None and any(size != int(size) for size in increasing("find_batch_size", "sizes", sizes, 1)):
        raise SettingError(f"find_batch_size: sizes are whole numbers, got {sizes!r}.")
    seeds = list_seeds("find_batch_size", seeds, settings.pop("seed", 0))
    trainer = trainer_of(net, data, {**settings, "epochs": epochs})
    members = trainer.add_members([{"seed": seed} for seed in seeds])
    n = len(members[0].prepared_run.prepared.train.x)
    steps = len(members) * epochs * members[0].prepared_run.steps_per_epoch
    engine = engine_of(members[0], steps, settings)
    noise = np.full((len(members), epochs + 1), math.nan)
    for epoch in range(epochs + 1):
        trainer.train(members, until=epoch)
        for i, member in enumerate(members):
            if not member.diverged:
                noise[i, epoch] = min(noise_scale(member, batches, engine), n)
    if np.isnan(noise[:, 1:]).all():
        raise SettingError("All members diverged: try a smaller learning rate (cr.find_lr finds one).")
    sizes_to_time = _powers(noise, n) if sizes is None else [min(int(size), n) for size in sorted(sizes)]
    if sizes is None and refused_alone(members[0].prepared_run.model) is not None:
        sizes_to_time = [max(size, 2) for size in sizes_to_time]
    timed = trainer.add_members([{"seed": seeds[0], "batch_size": size} for size in dict.fromkeys(sizes_to_time)])
    seconds = {member.prepared_run.batch_size: step_seconds(member, engine) for member in timed}
    return BatchSizes(noise, seconds, members[0].prepared_run.batch_size, n, confidence)


class BatchSizes:
    """The result of `find_batch_size`: ``print`` it.

    Attributes
    ----------
    noise : (seeds, 1 + epochs), the noise scale B at the start and after each epoch, at most the number of samples; NaN
        after a run diverged
    seconds : of a step, by batch size
    measured_with : the batch size of the training on the way
    samples : how many there are to train on
    largest, interval : the largest useful batch size: the geometric mean of B after the epochs, over them and the
        seeds, with its interval
    recommended : the size up to ``largest`` with which the same cost is reached soonest on this machine
    recommended_between : the same at the ends of the interval

    >>> import numpy as np
    >>> from chainrule.finders import BatchSizes
    >>> BatchSizes(np.array([[9.0, 90.0], [9.0, 110.0]]), {32: 1e-3, 64: 1.5e-3}, measured_with=32, samples=10_000)
    BatchSizes(largest=99, recommended=64)
    """

    def __init__(
        self, noise: np.ndarray, seconds: dict[int, float], measured_with: int, samples: int, confidence: float = LEVEL
    ) -> None:
        self.noise, self.seconds, self.confidence = noise, dict(sorted(seconds.items())), confidence
        self.measured_with, self.samples = measured_with, samples
        means = [np.exp(np.log(row[np.isfinite(row)]).mean()) for row in noise[:, 1:] if np.isfinite(row).any()]
        largest, self.interval = geometric_mean(means, confidence)
        assert largest is not None
        self.largest = largest
        self.recommended = self._soonest(self.largest)
        ends = [self._soonest(end) for end in self.interval or ()]
        self.recommended_between = (ends[0], ends[1]) if ends else None

    def __repr__(self) -> str:
        return f"BatchSizes(largest={rounded(self.largest)}, recommended={self.recommended})"

    def relative_seconds(self, size: int, noise: float | None = None) -> float:
        """Return how long it takes with a batch size to reach the same cost: (1 + B/b) · seconds of a step, in
        no unit.
        """
        return (1 + (self.largest if noise is None else noise) / size) * self.seconds[size]

    def lr_factor(self, size: int) -> float:
        """Return the factor by which a learning rate of `SGD` that is good for the size measured with should change.

        (1 + B/b₀) / (1 + B/b): in proportion to the size far below B, not at all above it. For optimizers that divide
        by the gradient's size (Adam, RMSProp) about the square root of it.

        >>> import numpy as np
        >>> from chainrule.finders import BatchSizes
        >>> result = BatchSizes(np.full((2, 2), 1000.0), {32: 1e-3}, measured_with=32, samples=10_000)
        >>> round(result.lr_factor(64), 2), round(result.lr_factor(10_000), 1)
        (1.94, 29.3)
        """
        return (1 + self.largest / self.measured_with) / (1 + self.largest / size)

    def _soonest(self, noise: float) -> int:
        useful = [size for size in self.seconds if size <= noise] or [min(self.seconds)]
        return min(useful, key=lambda size: self.relative_seconds(size, noise))

    def __str__(self) -> str:
        middle = np.exp(np.nanmean(np.log(self.noise[:, [0, 1, -1]]), axis=0))
        between = ""
        if self.interval is not None:
            low, high = self.interval
            between = f"{percent(self.confidence)}: {rounded(low)} to {rounded(min(high, self.samples))}, "
        lines = [
            f"The largest useful batch size is about {rounded(self.largest)} ({between}{len(self.noise)} seeds): with "
            f"it a step does half of what the gradient of all {self.samples:,} samples would. It was "
            f"{rounded(middle[0])} at the start, {rounded(middle[1])} after the first epoch and {rounded(middle[2])} "
            "after the last one."
        ]
        interval = ""
        if self.recommended_between is not None and len(set(self.recommended_between)) > 1:
            interval = f" ({percent(self.confidence)}: {self.recommended_between[0]} to {self.recommended_between[1]})"
        microseconds = 1e6 * self.seconds[self.recommended] / self.recommended
        lines.append(
            f"On this machine {self.recommended}{interval} reaches the same cost soonest, with "
            f"{rounded(microseconds)} µs for each sample."
        )
        slowest = max(self.seconds, key=self.relative_seconds)
        if slowest != self.recommended:
            ratio = self.relative_seconds(slowest) / self.relative_seconds(self.recommended)
            lines.append(f"{slowest} would take about {ratio:.1f} times as long.")
        return " ".join(lines)

    def to_pandas(self) -> Any:
        """Return a DataFrame with one row per batch size.

        Columns: batch_size, seconds_per_step, seconds_per_sample, relative_seconds (to reach the same cost; 1 is the
        recommended size) and lr_factor.

        >>> import numpy as np
        >>> from chainrule.finders import BatchSizes
        >>> result = BatchSizes(np.full((2, 2), 1000.0), {32: 1e-3, 64: 1.5e-3}, measured_with=32, samples=10_000)
        >>> result.to_pandas()["relative_seconds"].round(2).tolist()
        [1.29, 1.0]
        """
        import pandas as pd

        best = self.relative_seconds(self.recommended)
        return pd.DataFrame(
            [
                {
                    "batch_size": size,
                    "seconds_per_step": seconds,
                    "seconds_per_sample": seconds / size,
                    "relative_seconds": self.relative_seconds(size) / best,
                    "lr_factor": self.lr_factor(size),
                }
                for size, seconds in self.seconds.items()
            ]
        )


def _powers(noise: np.ndarray, n: int) -> list[int]:
    """Return batch sizes around the noise scales that were measured."""
    scales = noise[:, 1:][np.isfinite(noise[:, 1:])]
    low, high = FRACTION * scales.min(), min(2 * scales.max(), LARGEST, n)
    return [2**k for k in range(64) if low <= 2**k <= high] or [1]


def noise_scale(member: Member, batches: int, engine: Engine) -> float:
    """Return B = tr(Σ) / |G|² at the weights of a member; infinite where the gradient cannot be told from noise."""
    prepared_run, state = member.prepared_run, member.state
    train, size = prepared_run.prepared.train, min(prepared_run.batch_size, len(prepared_run.prepared.train.x))
    key = random.fold_in(prepared_run.order, 2**31 + member.epoch)  # out of the way of the epochs' orders
    drawn = np.asarray(random.uniform(key, (batches, size)))
    rows = np.minimum((drawn * len(train.x)).astype(np.int32), len(train.x) - 1)
    values = engine.put((train.x, train.y[rows], train.weight[rows], rows))
    mean, squares = engine.fetch(
        _gradients(prepared_run.recipe, engine)(state_on(state, engine), state.settings, *values)
    )
    variance = (float(np.mean(squares, dtype=np.float64)) - float(mean)) * batches / (batches - 1)
    signal = float(mean) - variance / batches
    return size * variance / signal if signal > 0 else math.inf


def _gradients(recipe: Recipe, engine: Engine) -> Any:
    return _gradient_program(structure(recipe), engine, lowering.current())


@functools.lru_cache(maxsize=16)
def _gradient_program(form: Recipe, engine: Engine, lowerings: Any) -> Any:
    """Return a program (state, settings, x, y, weight, rows) -> |mean gradient|², |gradient|² of each batch."""

    def gradients(state: State, settings: Any, x: Array, y: Array, weight: Array, rows: Array) -> tuple[Array, Array]:
        recipe = filled(form, settings)
        state = state._replace(settings=settings)
        zero = tree.map(lambda w: w * 0, state.params)

        def body(i: Any, total: Any) -> tuple[Any, Array]:
            batch = Batch(engine.rows(x, rows[i]), y[i], weight[i])
            key = step_key(recipe, state, 0)
            key = None if key is None else random.fold_in(key, i)

            def cost(params: Any) -> Any:
                costs, _, _ = evaluate(recipe, params, state.model_state, batch, key=key, train=True)
                return (costs * batch.weight).sum() / batch.weight.sum()

            gradient = grad(cost)(state.params)
            gradient = add_penalty(gradient, state.params, recipe.l1, recipe.l2, settings["run"]["samples"])
            return tree.map(lambda a, b: a + b, total, gradient), _square(gradient)

        total, squares = engine.loop(body, zero, len(rows), 0, len(rows))
        return _square(total) / len(rows) ** 2, squares

    return engine.compile(gradients)


def _square(values: Any) -> Array:
    """Return |values|², of all leaves together."""
    return sum((leaf * leaf).sum() for leaf in tree.leaves(values))


def step_seconds(member: Member, engine: Engine) -> float:
    """Return the seconds of a training step, the fastest of a few measurements; nothing of it is kept."""
    prepared_run = member.prepared_run
    program, loader = (
        programs(prepared_run.recipe, engine),
        InMemoryLoader(prepared_run.prepared.train, prepared_run.batch_size, prepared_run.order, engine),
    )
    chunk = next(iter(loader.epoch(1)))
    state = state_on(prepared_run.state, engine)

    def run(steps: int) -> float:
        nonlocal state
        start = time.perf_counter()
        left = steps
        while left:
            last = min(left, chunk.steps)
            result = program.train(state, prepared_run.state.settings, chunk.data, chunk.order, 0, last)
            state, left = result.state, left - last
        engine.fetch(result.metrics)
        return time.perf_counter() - start

    run(1)  # compiles
    steps = 1
    while (took := run(steps)) < SECONDS:
        steps *= 2
    return min([took, *(run(steps) for _ in range(TIMES - 1))]) / steps
