"""Every schedule against its formula, on plain and traced times; the plateau against a loop that counts."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given

import chainrule as cr
from chainrule import schedules
from chainrule.schedules import Schedule
from chainrule.settings import values, with_values

T = 30.0
TIMES = [0.0, 0.4, 1.0, 2.5, 8.9, 9.0, 10.0, 15.0, 20.0, 29.9, 30.0]


def warm_cosine(t):
    return 0.4 * t / 3 if t < 3 else 0.2 * (1 + math.cos(math.pi * (t - 3) / 27))


def one_cycle(t):
    low, high, end = 0.5 / 25, 0.5, 0.5 / 25 / 1e4
    if t < 9:
        return low + (high - low) * (1 - math.cos(math.pi * t / 9)) / 2
    return end + (high - end) * (1 + math.cos(math.pi * (t - 9) / 21)) / 2


#: Each schedule with its formula for a run of 30 epochs, written out.
FORMULAS = [
    (schedules.Constant(0.4), lambda t: 0.4),
    (schedules.StepDecay(0.4), lambda t: 0.4 * 0.5 ** (t // 10)),
    (schedules.StepDecay(0.4, factor=0.1, every=2.5), lambda t: 0.4 * 0.1 ** (t // 2.5)),
    (schedules.Linear(0.4), lambda t: 0.4 * (1 - t / 30)),
    (schedules.Linear(0.4, end=0.1), lambda t: 0.4 - 0.3 * t / 30),
    (schedules.Polynomial(0.4, end=0.1, power=3.0), lambda t: 0.1 + 0.3 * (1 - t / 30) ** 3),
    (schedules.Exponential(0.4, rate=0.2), lambda t: 0.4 * math.exp(-0.2 * t)),
    (schedules.Inverse(0.4, rate=0.2), lambda t: 0.4 / (1 + 0.2 * t)),
    (schedules.InverseSqrt(0.4, rate=2.0), lambda t: 0.4 / math.sqrt(1 + 2 * t)),
    (schedules.Cosine(0.4, end=0.1), lambda t: 0.1 + 0.15 * (1 + math.cos(math.pi * t / 30))),
    (schedules.Warmup(0.4, epochs=2.0), lambda t: 0.4 * min(t / 2, 1)),
    (schedules.Warmup(0.4, epochs=2.0, start=0.5), lambda t: 0.4 * min(0.5 + t / 4, 1)),
    (schedules.Warmup(schedules.Cosine(0.4), epochs=3.0), warm_cosine),
    (
        schedules.Warmup(schedules.Exponential(0.4), 3.0),
        lambda t: 0.4 * min(t / 3, math.exp(-0.1 * (t - 3)), 1),
    ),
    (schedules.OneCycle(0.5), one_cycle),
    (schedules.Ramp(1e-4, 2.0), lambda t: 1e-4 * 2e4 ** (t / 30)),
    (schedules.ReduceOnPlateau(0.4), lambda t: 0.4),
]
CASES = [pytest.param(s, f, id=repr(s)) for s, f in FORMULAS]


def test_every_schedule_has_a_formula_here():
    assert {type(s) for s, _ in FORMULAS} == set(Schedule.registry.values())


@pytest.mark.parametrize(("schedule", "formula"), CASES)
def test_equals_its_formula(schedule, formula):
    for t in TIMES:
        rate = schedule(t, T)
        assert type(rate) is float
        assert rate == pytest.approx(formula(t), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(("schedule", "formula"), CASES)
def test_the_same_when_time_and_settings_are_traced(schedule, formula, x64):
    rate = jax.jit(lambda v, t, n: jnp.asarray(with_values(schedule, v)(t, n)))
    for t in TIMES:
        assert float(rate(values(schedule), t, T)) == pytest.approx(formula(t), rel=1e-10, abs=1e-15)


@pytest.mark.parametrize(("schedule", "formula"), CASES)
def test_many_times_at_once_for_a_picture(schedule, formula):
    rates = np.broadcast_to(schedule(np.array(TIMES), T), len(TIMES))
    np.testing.assert_allclose(rates, [formula(t) for t in TIMES], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("schedule", "formula"), CASES)
def test_never_negative_and_holds_after_the_end(schedule, formula):
    assert all(schedule(t, T) >= 0 for t in np.linspace(0, 40, 81))
    assert schedule(0.0, 1.0) >= 0
    assert math.isfinite(schedule(0.5, 0.5))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (schedules.Cosine(0.4), optax.cosine_decay_schedule(0.4, 3000)),
        (schedules.Linear(0.4, 0.1), optax.linear_schedule(0.4, 0.1, 3000)),
        (schedules.Polynomial(0.4, 0.1, 3.0), optax.polynomial_schedule(0.4, 0.1, 3.0, 3000)),
        (
            schedules.Exponential(0.4, rate=-math.log(0.8)),
            optax.exponential_decay(0.4, transition_steps=100, decay_rate=0.8),
        ),
        (
            schedules.StepDecay(0.4, 0.5, 10.0),
            optax.exponential_decay(0.4, transition_steps=1000, decay_rate=0.5, staircase=True),
        ),
        (
            schedules.Warmup(schedules.Cosine(0.4), 3.0),
            optax.warmup_cosine_decay_schedule(0.0, 0.4, warmup_steps=300, decay_steps=3000),
        ),
        (schedules.OneCycle(0.5), optax.cosine_onecycle_schedule(3000, 0.5)),
    ],
    ids=lambda s: getattr(s, "name", ""),
)
def test_equals_optax_with_100_steps_an_epoch(ours, theirs, x64):
    for step in (0, 1, 150, 300, 899, 900, 901, 1500, 2999, 3000):
        assert ours(step / 100, 30.0) == pytest.approx(float(theirs(step)), rel=1e-9, abs=1e-12)


# --- reduce on plateau --------------------------------------------------------------------------------------


class Counting:
    """The same rule as a loop that keeps count, as Keras' callback does."""

    def __init__(self, lr, factor, patience, min_lr, cooldown, threshold):
        self.lr, self.factor, self.patience, self.min_lr = lr, factor, patience, min_lr
        self.cooldown, self.threshold = cooldown, threshold
        self.best, self.wait, self.resting = math.inf, 0, 0

    def see(self, cost):
        resting = self.resting > 0
        self.resting -= resting
        if self.best == math.inf or cost < self.best * (1 - self.threshold):
            self.best, self.wait = cost, 0
        elif not resting:
            self.wait += 1
            if self.wait >= self.patience and self.lr > self.min_lr:
                self.lr = max(self.lr * self.factor, self.min_lr)
                self.wait, self.resting = 0, self.cooldown


@given(
    st.lists(st.sampled_from([0.5, 0.8, 0.85, 0.9, 0.95, 1.0, 1.1]), max_size=40),
    st.integers(1, 4),
    st.integers(0, 3),
    st.sampled_from([0.0, 0.01, 0.1]),
)
def test_plateau_makes_the_decisions_of_a_loop_that_keeps_count(costs, patience, cooldown, threshold):
    settings = {
        "patience": patience,
        "cooldown": cooldown,
        "threshold": threshold,
        "factor": 0.5,
        "min_lr": 0.02,
    }
    counting, schedule = Counting(0.1, **settings), schedules.ReduceOnPlateau(0.1, **settings)
    for n in range(1, len(costs) + 1):
        counting.see(costs[n - 1])
        schedule = schedule.after_epoch(costs[:n]) or schedule
        assert schedule(n, 40) == counting.lr


def test_plateau_survives_nan_and_keeps_its_structure():
    from chainrule.settings import structure

    plateau = schedules.ReduceOnPlateau(0.1, patience=2)
    assert plateau.after_epoch([math.nan, 1.0, 0.9]) is None
    reduced = plateau.after_epoch([1.0, math.nan, math.nan])
    assert reduced.lr == 0.05
    assert structure(reduced) == structure(plateau)  # so nothing is compiled again
    assert plateau.lr == 0.1


def test_plateau_inside_a_warmup():
    schedule = schedules.Warmup(schedules.ReduceOnPlateau(0.1, patience=1), epochs=2.0)
    assert schedule.after_epoch([1.0]) is None
    assert schedule.after_epoch([1.0, 1.0])(5.0, 10.0) == 0.05
    assert schedules.Warmup(0.1).after_epoch([1.0] * 50) is None


# --- what is given ------------------------------------------------------------------------------------------


def test_get_and_learning_rate():
    cosine = schedules.Cosine(0.1)
    assert schedules.get(0.1) == schedules.Constant(0.1)
    assert schedules.get(cosine) is cosine
    assert cr.SGD(lr=0.3).learning_rate(2, 10) == 0.3
    assert cr.SGD(lr=schedules.Linear(0.3)).learning_rate(5, 10) == 0.15


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.get("cosin"), r"Unknown schedule 'cosin'; did you mean 'cosine'\?"),
        (lambda: schedules.get("cosine"), "'cosine' has settings without a default"),
        (lambda: schedules.get(None), "must be a number or a schedule"),
        (lambda: schedules.get(lambda t: 0.1), "derived from cr.schedules.Schedule"),
        (lambda: schedules.get(-0.1), "lr must be at least 0, got -0.1"),
        (lambda: schedules.Cosine(-0.1), "Cosine: lr must be at least 0"),
        (lambda: schedules.Linear("0.1"), "Linear: lr must be a number, got '0.1'"),
        (lambda: schedules.StepDecay(0.1, factor=1.5), "StepDecay: factor must be above 0 and at most 1"),
        (lambda: schedules.StepDecay(0.1, every=0), "StepDecay: every must be above 0"),
        (lambda: schedules.Warmup(schedules.Cosine), "must be a number or a schedule"),
        (lambda: schedules.Warmup(0.1, epochs=-1.0), "Warmup: epochs must be above 0"),
        (lambda: schedules.Ramp(0.0, 1.0), "Ramp: low must be above 0"),
        (lambda: schedules.OneCycle(0.1, rise=1.0), "OneCycle: rise must be below 1"),
        (lambda: schedules.OneCycle(0.1, div=0.5), "OneCycle: div must be at least 1"),
        (lambda: schedules.ReduceOnPlateau(0.1, patience=0), "patience must be at least 1"),
        (lambda: schedules.ReduceOnPlateau(0.1, factor=0.0), "factor must be above 0"),
        (lambda: cr.Adam(lr=None), "Adam: lr must be a number or a schedule"),
        (lambda: cr.SGD(lr=-1.0), "SGD: lr must be at least 0, got -1.0"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
