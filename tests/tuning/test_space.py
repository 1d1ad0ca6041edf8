from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import SettingError
from chainrule.tuning import Space, choice, integer, log_uniform, uniform

PLACES = np.linspace(0.0, 1.0, 2000, endpoint=False)


def test_uniform_gives_every_part_of_the_range_its_share() -> None:
    values = np.array([uniform(-1.0, 3.0).at(u) for u in PLACES])
    assert values.min() >= -1.0
    assert values.max() < 3.0
    assert np.mean(values < 0.0) == pytest.approx(0.25, abs=1e-3)


def test_log_uniform_gives_every_order_of_magnitude_its_share() -> None:
    values = np.array([log_uniform(1e-4, 1.0).at(u) for u in PLACES])
    for low in (1e-4, 1e-3, 1e-2, 1e-1):
        assert np.mean((values >= low) & (values < 10 * low)) == pytest.approx(0.25, abs=1e-3)


def test_every_whole_number_is_equally_likely() -> None:
    values, counts = np.unique([integer(3, 7).at(u) for u in PLACES], return_counts=True)
    assert values.tolist() == [3, 4, 5, 6, 7]
    assert np.ptp(counts) <= 1
    assert sorted({integer(8, 31, step=8).at(u) for u in PLACES}) == [8, 16, 24]


def test_whole_numbers_on_a_logarithmic_scale_have_both_ends() -> None:
    values = [integer(1, 100, log=True).at(u) for u in PLACES]
    assert set(values) == set(range(1, 101))
    assert np.mean(np.array(values) <= 10) == pytest.approx(np.log(10.5 / 0.5) / np.log(100.5 / 0.5), abs=2e-3)


def test_options_may_be_objects() -> None:
    options = choice(cr.SGD(0.1), cr.SGD(0.2), [32, 16], None)
    assert [options.option(options.at(u)) for u in (0.0, 0.3, 0.5, 0.9)] == [cr.SGD(0.1), cr.SGD(0.2), [32, 16], None]
    assert choice(["a", "b"]) == choice("a", "b")


def test_conditions_decide_what_is_asked_for() -> None:
    space = Space(
        {
            "nesterov": choice(True, False).when("momentum", 0.9),
            "momentum": choice(0.0, 0.9).when("optimizer", "sgd"),
            "lr": [
                log_uniform(1.0, 10.0).when("optimizer", "sgd"),
                log_uniform(1e-4, 1e-3).when("optimizer", "adam", "rmsprop"),
            ],
            "optimizer": choice("sgd", "adam", "rmsprop"),
        }
    )
    points = [space.point(np.random.default_rng(i).random(4).tolist()) for i in range(100)]
    for values in points:
        assert ("momentum" in values) == (values["optimizer"] == "sgd")
        assert ("nesterov" in values) == (values.get("momentum") == 0.9)
        assert (values["lr"] >= 1.0) == (values["optimizer"] == "sgd")
    assert {values["optimizer"] for values in points} == {"sgd", "adam", "rmsprop"}


def test_probes_reach_every_end_of_every_range() -> None:
    space = Space(
        {
            "kind": choice("a", "b", "c"),
            "x": [uniform(0.0, 1.0).when("kind", "a"), uniform(5.0, 6.0).when("kind", "b")],
            "y": choice(True, False).when("kind", "c"),
        }
    )
    probes = space.probes()
    assert {(p["kind"], p.get("x", p.get("y"))) for p in probes} >= {
        ("a", 0.0), ("a", 1.0), ("b", 5.0), ("b", 6.0), ("c", True), ("c", False),
    }  # fmt: skip


def test_narrowed_ranges_lie_around_the_best_values() -> None:
    space = Space({"lr": log_uniform(1e-4, 1.0), "units": integer(1, 100), "kind": choice("a", "b", "c")})
    best = [{"lr": 0.01, "units": 20, "kind": "b"}, {"lr": 0.1, "units": 30, "kind": "b"}]
    narrow = space.narrowed(best)
    [lr], [units], [kind] = (narrow.entries[name] for name in ("lr", "units", "kind"))
    assert lr.ends() == pytest.approx((10**-2.1, 10**-0.9))  # a tenth of the span, in log space, on either side
    assert units.ends() == (19, 31)
    assert kind.ends() == ("b",)


def test_a_narrowed_range_stays_within_the_one_it_comes_from_and_keeps_a_width() -> None:
    [low, high] = Space({"x": uniform(0.0, 10.0)}).narrowed([{"x": 0.0}]).entries["x"][0].ends()
    assert low == 0.0
    assert high == pytest.approx(0.5)


def test_a_grid_has_all_combinations_that_conditions_allow() -> None:
    space = Space(
        {
            "optimizer": choice("sgd", "adam"),
            "momentum": uniform(0.0, 0.9).when("optimizer", "sgd"),
            "l2": log_uniform(1e-4, 1e-2),
        }
    )
    grid = space.grid(3)
    assert len(grid) == 3 * 3 + 3
    assert sorted({values["l2"] for values in grid}) == [1e-4, pytest.approx(1e-3), 1e-2]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: uniform(1.0, 1.0), "low must be below high, got 1.0 and 1.0"),
        (lambda: log_uniform(1.0, 0.1), "low must be below high"),
        (lambda: log_uniform(0, 1), "low must be above 0"),
        (lambda: log_uniform(-1.0, 1.0), "low must be above 0"),
        (lambda: uniform(0.0, float("nan")), "takes numbers as low and high, got nan"),
        (lambda: uniform(0.0, float("inf")), "takes numbers as low and high, got inf"),
        (lambda: uniform("a", 1.0), "takes numbers as low and high, got 'a'"),
        (lambda: uniform(False, True), "takes numbers"),
        (lambda: integer(1.5, 3), "takes whole numbers as low and high, got 1.5"),
        (lambda: integer(0, 3, log=True), "low must be above 0"),
        (lambda: integer(1, 9, log=True, step=2), "there are no steps"),
        (lambda: integer(1, 9, step=0), "step must be a whole number of at least 1"),
        (lambda: choice(), "choice needs options"),
        (lambda: choice("a", "b", "a"), "'a' more than once"),
        (lambda: uniform(0, 1).when("optimizer"), "when takes the name of another setting"),
    ],
)
def test_a_range_that_is_none_is_refused(make: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        make()


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({}, "space is a mapping"),
        ([("lr", 1)], "space is a mapping"),
        ({"l2": 0.1}, "'l2' is 0.1; write a distribution"),
        ({"l2": [0.1, 0.2]}, r"such as cr.choice\(0.1, 0.2\)"),
        ({"l2": [uniform(0, 1), uniform(1, 2)]}, "must each have a condition"),
        (
            {"l2": uniform(0, 1).when("optimiser", "sgd"), "optimizer": choice("sgd", "adam")},
            "did you mean 'optimizer'",
        ),
        ({"l2": uniform(0, 1).when("optimizer", "sdg"), "optimizer": choice("sgd", "adam")}, "which it never is"),
        ({"a": choice(1, 2).when("b", 1), "b": choice(1, 2).when("a", 1)}, "in a circle"),
    ],
)
def test_a_space_that_is_none_is_refused(space: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Space(space)
