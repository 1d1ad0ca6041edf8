"""Maps of the inputs, the landscape of the cost, and the passes of the stepper."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import SettingError, UnknownNameError
from chainrule.training.recorded import Recorded, Snapshot
from chainrule.views.derive.boundary import boundary
from chainrule.views.derive.contours import contour
from chainrule.views.derive.landscape import Landscape, landscape
from chainrule.views.derive.missing import Missing
from chainrule.views.derive.passes import passes
from recording import record

IRIS = cr.data.load("iris")
X, Y = IRIS.x.astype(np.float32) - 3, IRIS.y
DIGITS = cr.data.load("digits")


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    order = np.random.default_rng(0).permutation(150)
    return record(cr.mlp([4, 6, 5, 3], hidden="tanh"), X[order], Y[order], optimizer=cr.SGD(lr=0.2))


@pytest.fixture(scope="module", params=["path", "random"])
def plane(recorded: Recorded, request: pytest.FixtureRequest) -> Landscape:
    return landscape(recorded, request.param)


def test_true_losses_are_those_of_the_snapshots(recorded: Recorded, plane: Landscape) -> None:
    fixed = recorded.fixed
    expected = [recorded.model_at(step).evaluate(fixed.x, fixed.y)["loss"] for step in plane.stops]
    np.testing.assert_allclose(plane.loss, expected, rtol=1e-6)
    assert plane.stops == recorded.stops
    assert plane.rows == 150


def test_the_plane_goes_through_the_last_stop(plane: Landscape) -> None:
    assert plane.path[-1].tolist() == [0, 0]
    assert plane.off[-1] == 0
    assert plane.plane_loss[-1] == plane.loss[-1]


def test_distances_in_and_off_the_plane_make_up_the_whole(recorded: Recorded, plane: Landscape) -> None:
    np.testing.assert_allclose(plane.off**2 + (plane.path**2).sum(axis=1), plane.distance**2, rtol=1e-9, atol=1e-12)
    last, first = (cr.tree.leaves(recorded.read_snapshot(at).params) for at in (plane.stops[-1], 0))
    distance = np.sqrt(sum(((a.astype(float) - b) ** 2).sum() for a, b in zip(first, last, strict=True)))
    assert plane.distance[0] == pytest.approx(distance)


def test_the_path_explains_what_it_says(recorded: Recorded) -> None:
    seen = landscape(recorded)
    assert seen.explained == pytest.approx((seen.path**2).sum() / (seen.distance**2).sum())
    assert 0.8 < seen.explained <= 1
    other = landscape(recorded, "random")
    assert other.explained is None
    assert (other.path**2).sum() < (seen.path**2).sum()  # no plane explains more than that of the components


def test_the_grid_holds_the_cost_at_its_points(recorded: Recorded, plane: Landscape) -> None:
    assert plane.grid.shape == (len(plane.y), len(plane.x))
    assert plane.x[0] < plane.path[:, 0].min() < plane.path[:, 0].max() < plane.x[-1]
    nearest = np.abs(plane.y).argmin(), np.abs(plane.x).argmin()
    assert plane.grid[nearest] == pytest.approx(plane.loss[-1], rel=0.5)
    assert plane.grid.max() > plane.loss[-1]
    assert np.isfinite(plane.grid).all()


def test_the_order_in_which_parameters_are_written_does_not_matter(recorded: Recorded, plane: Landscape) -> None:
    def read(step: int) -> Snapshot:
        snapshot = recorded.read_snapshot(step)
        return dataclasses.replace(snapshot, params=dict(reversed(snapshot.params.items())))

    other = landscape(dataclasses.replace(recorded, read_snapshot=read), plane.plane)
    np.testing.assert_array_equal(other.loss, plane.loss)
    np.testing.assert_array_equal(other.path, plane.path)


def test_lines_of_equal_value_lie_where_the_value_is() -> None:
    x = y = np.linspace(-1, 1, 21)
    grid = x[None] ** 2 + y[:, None] ** 2
    grid[0, 0] = np.nan
    pieces = contour(x, y, grid, 0.49)
    (line,) = pieces
    assert len(line) > 20
    assert line[0].tolist() == line[-1].tolist()
    np.testing.assert_allclose(np.hypot(*line.T), 0.7, atol=0.01)
    assert np.hypot(*np.diff(line, axis=0).T).max() < 0.15
    assert contour(x, y, grid, 3.0) == []


def test_a_landscape_of_a_run_that_did_not_move_is_missing(recorded: Recorded) -> None:
    still = dataclasses.replace(recorded, read_snapshot=lambda step: recorded.read_snapshot(0))
    assert isinstance(landscape(still), Missing)
    assert isinstance(landscape(dataclasses.replace(recorded, stops=(0,))), Missing)
    with pytest.raises(UnknownNameError, match="path"):
        landscape(recorded, "paths")


def test_a_path_of_two_stops_has_a_plane() -> None:
    short = record(cr.mlp([4, 3]), X, Y, batch_size=150, epochs=1)
    seen = landscape(short)
    assert seen.stops == (0, 1)
    assert seen.explained == pytest.approx(1)
    np.testing.assert_allclose(seen.off, 0, atol=1e-7)


@pytest.mark.parametrize("columns", [None, (2, 1)])
def test_maps_are_what_the_network_answers(recorded: Recorded, columns: tuple[int, int] | None) -> None:
    seen = boundary(recorded, columns)
    assert seen.plane == ("components" if columns is None else "columns")
    assert seen.stops == recorded.stops
    rows = recorded.fixed.x.astype(float)
    centre = rows.mean(axis=0) if columns is None else np.median(rows, axis=0)
    for i, j, at in [(0, 0, 0), (5, 30, 4), (39, 12, -1)]:
        if columns is None:
            basis = np.linalg.svd(rows - centre, full_matrices=False)[2][:2]
            signs = np.sign((((rows - centre) @ basis.T) * seen.points).sum(axis=0))
            x = centre + np.array([seen.x[j], seen.y[i]]) @ (basis * signs[:, None])
        else:
            x = centre.copy()
            x[list(columns)] = seen.x[j], seen.y[i]
        model = recorded.model_at(seen.stops[at])
        np.testing.assert_allclose(seen.answers[at, :, i, j], model.predict_proba(x[None])[0], atol=1e-5)
        a = model.backprop(x[None], [0]).a
        np.testing.assert_allclose(seen.maps[at, :6, i, j], a["dense_1"][0], atol=1e-5)
        np.testing.assert_allclose(seen.maps[at, 6:, i, j], a["dense_2"][0], atol=1e-5)
    assert seen.units[0] == "dense_1 · 0"
    assert len(seen.units) == 11
    np.testing.assert_allclose(seen.point_answers[-1], recorded.model.predict_proba(recorded.fixed.x), atol=1e-6)


def test_two_inputs_are_the_plane() -> None:
    some = record(cr.mlp([2, 60, 3]), X[:, 2:], Y, normalize=True, epochs=1)
    seen = boundary(some)
    assert seen.plane == "inputs"
    assert seen.explained is None
    assert len(seen.units) == 48
    np.testing.assert_allclose(seen.points, X[some.fixed.numbers, 2:], atol=1e-5)  # in the inputs' own unit
    p = some.model.predict_proba(np.array([[seen.x[3], seen.y[7]]]))
    np.testing.assert_allclose(seen.answers[-1, :, 7, 3], p[0], atol=1e-5)


def test_maps_of_pictures_lie_in_their_principal_components() -> None:
    net = cr.Sequential(cr.Conv2D(3, 3, "relu"), cr.BatchNorm(), cr.Flatten(), cr.Dense(10, "softmax"))
    seen = boundary(record(net, DIGITS.x[:64], DIGITS.y[:64], epochs=1))
    assert seen.plane == "components"
    assert 0.1 < seen.explained < 0.9
    assert seen.units == ()
    assert seen.answers.shape[1] == 10


def test_maps_that_cannot_be_are_missing(recorded: Recorded) -> None:
    without = boundary(dataclasses.replace(recorded, stops=(), missing={"stops": "They are too large."}))
    assert without == Missing("The run recorded no weights. They are too large.")
    one = record(cr.mlp([1, 3, 3]), X[:, :1], Y, epochs=1)
    assert isinstance(boundary(one), Missing)
    with pytest.raises(SettingError, match="from 0 to 3"):
        boundary(recorded, (0, 4))


def test_passes_are_those_of_the_stops(recorded: Recorded) -> None:
    seen = passes(recorded, rows=(0, 7))
    assert {0, recorded.stops[-1]} <= set(seen)
    for step, (first, second) in seen.items():
        model = recorded.model_at(step)
        assert first.cost == pytest.approx(model.backprop(recorded.fixed.x[:1], recorded.fixed.y[:1]).loss, rel=1e-5)
        assert second.cost == pytest.approx(model.backprop(recorded.fixed.x[7:8], recorded.fixed.y[7:8]).loss, rel=1e-5)
        assert first.check.ok
        assert first.checked == model.count()
