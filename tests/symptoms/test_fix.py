"""A fix is applied to whatever `fit` takes, changes nothing that was passed, and can be written down."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

import chainrule as cr
from chainrule.errors import SettingError
from chainrule.run_settings import TrainingSettings
from chainrule.symptoms.catalogue import CAUSES
from chainrule.symptoms.fix import DataChange, Fix
from chainrule.symptoms.fixes import fixes_for
from chainrule.symptoms.plain_settings import Unwritten
from chainrule.symptoms.subject import subject_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype("float32")
Y = np.arange(60) % 3
NET = cr.mlp([4, 8, 3])
ROWS = DataChange("drop_rows", rows=(0, 59))
COLUMNS = DataChange("drop_columns", columns=(1,))
CLIP = DataChange("clip", columns=(0, 2), low=(-0.5, -1.0), high=(0.5, 1.0))
SCALE = DataChange("scale", columns=(3,), low=(1.0,), high=(2.0,))


def trains(net, data, **settings):
    return cr.fit(net, data, epochs=1, progress=False, engine="numpy", **settings)


# --- settings and networks ------------------------------------------------------------------------------------------


def test_changes_are_put_into_settings_and_nothing_that_was_passed_changes():
    settings = {"optimizer": cr.SGD(lr=9.0, momentum=0.9), "epochs": 3}
    fix = Fix("", {"optimizer.lr": 0.1, "batch_size": 8, "net.layers.0.units": 5})
    net, data, new = fix.apply(NET, (X, Y), settings)
    assert new == {"optimizer": cr.SGD(lr=0.1, momentum=0.9), "epochs": 3, "batch_size": 8}
    assert net[0].units == 5
    assert data[0] is X
    assert settings == {"optimizer": cr.SGD(lr=9.0, momentum=0.9), "epochs": 3}
    assert NET[0].units == 8


@pytest.mark.parametrize(("before", "after"), [({}, cr.Adam(lr=0.5)), ({"optimizer": "sgd"}, cr.SGD(lr=0.5))])
def test_paths_lead_into_parts_that_have_only_a_name(before, after):
    assert Fix("", {"optimizer.lr": 0.5}).apply(NET, (X, Y), before)[2]["optimizer"] == after


def test_a_function_of_the_data_makes_the_changed_network():
    net, data, _ = Fix("", {"net.layers.0.units": 5}).apply(lambda data: cr.mlp([data.x.shape[1], 8, 3]), (X, Y), {})
    assert net(as_dataset(None)) == cr.mlp([4, 5, 3])
    cr.fit_population(net, data, [{}], epochs=1, progress=False)


def test_settings_of_a_trained_network_cannot_be_changed():
    model = trains(NET, (X, Y)).model
    with pytest.raises(SettingError, match="keeps its settings"):
        Fix("", {"net.layers.0.units": 5}).apply(model, (X, Y), {})
    assert Fix("", {"optimizer.lr": 0.5}).apply(model, (X, Y), {})[0] is model


def test_settings_that_there_are_not_are_errors():
    with pytest.raises(SettingError, match="no setting 'learning_rate'"):
        Fix("", {"learning_rate": 0.5}).apply(NET, (X, Y), {})


def test_rows_in_the_words_of_a_population():
    _, (x, _), settings = Fix("", {"rows": [1, 3]}).apply(NET, (X, Y), {"sample_weight": np.arange(60.0)})
    assert (x == X[[1, 3]]).all()
    assert settings["sample_weight"].tolist() == [1.0, 3.0]


# --- data of every kind ---------------------------------------------------------------------------------------------


def as_pair(folder):
    return (X.copy(), Y.copy())


def as_lists(folder):
    return [X.tolist(), Y.tolist()]


def as_frame(folder):
    return (pd.DataFrame(X, columns=list("abcd")), pd.Series(Y, index=np.arange(60) + 7))


def as_arrow(folder):
    pa = pytest.importorskip("pyarrow")
    return (pa.table({name: X[:, at] for at, name in enumerate("abcd")}), Y.copy())


def as_dataset(folder):
    return cr.Dataset.from_arrays("data", X, Y, X[:9], Y[:9], feature_names=list("abcd"))


def as_table(folder):
    frame = pd.DataFrame(X.astype(float), columns=list("abcd")).assign(kind=np.array(["u", "v", "w"])[Y])
    return cr.Table.read(frame, target="kind")


def as_stream(folder):
    np.save(folder / "x.npy", X)
    return cr.data.stream(folder / "x.npy", Y)


def as_memory_map(folder):
    np.save(folder / "x.npy", X)
    return (np.load(folder / "x.npy", mmap_mode="r"), Y)


KINDS = [as_pair, as_lists, as_frame, as_arrow, as_dataset, as_table, as_stream, as_memory_map]


def inputs_of(data):
    """The training inputs as numbers."""
    if isinstance(data, cr.Table):
        names = [name for name in "abcd" if data.columns.get(name) != {"use": False}]
        return data.frame[names].to_numpy(float)
    x = data.x if isinstance(data, cr.Dataset) else data if not isinstance(data, tuple) else data[0]
    if hasattr(x, "x") and not isinstance(x, np.ndarray):
        x = x.x.read(0, len(x))
    return np.asarray(x, float)


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (ROWS, X[1:59]),
        (CLIP, np.column_stack([X[:, 0].clip(-0.5, 0.5), X[:, 1], X[:, 2].clip(-1, 1), X[:, 3]])),
        (SCALE, np.column_stack([X[:, :3], (X[:, 3] - 1) / 2])),
        (COLUMNS, X[:, [0, 2, 3]]),
    ],
)
def test_data_of_every_kind_is_changed_and_trained_on(make, change, expected, tmp_path):
    data = make(tmp_path)
    if change.kind == "drop_columns" and make in (as_stream, as_memory_map):
        with pytest.raises(SettingError, match="stream cannot be left out"):
            Fix("", data=(change,)).apply(NET, data, {})
        return
    net, new, settings = Fix("", data=(change,)).apply(NET, data, {})
    np.testing.assert_allclose(inputs_of(new), expected, rtol=1e-5, atol=1e-6)
    trains(net, new, **settings)
    if make is not as_lists and make is not as_arrow:  # what was passed is as it was
        np.testing.assert_allclose(inputs_of(data), X, rtol=1e-6)


def test_the_test_part_of_a_dataset_is_not_touched_but_for_columns():
    data = as_dataset(None)
    for change in (ROWS, CLIP):
        assert change.apply(data, {})[0].x_test is data.x_test
    new = COLUMNS.apply(data, {})[0]
    assert new.feature_names == ("a", "c", "d")
    assert trains(cr.mlp([3, 8, 3]), new).evaluate(*new.test)["accuracy"] >= 0


def test_columns_by_name_and_their_validation_data():
    data = as_frame(None)
    change = DataChange("drop_columns", columns=("b",))
    settings = {"validation": data}
    net, new, settings = Fix("", data=(change,)).apply(NET, data, settings)
    assert list(new[0].columns) == list(settings["validation"][0].columns) == ["a", "c", "d"]
    trains(net, new, **settings)
    with pytest.raises(SettingError, match="no column 'bb'; did you mean 'b'"):
        DataChange("drop_columns", columns=("bb",)).apply(data, {})


def test_a_model_keeps_its_columns():
    with pytest.raises(SettingError, match="keeps its inputs"):
        Fix("", data=(COLUMNS,)).apply(trains(NET, (X, Y)).model, (X, Y), {})


def test_targets_are_clipped_and_scaled():
    change = DataChange("clip", low=(0.0,), high=(1.0,))
    assert change.apply((X, Y), {})[0][1].max() == 1
    frame = pd.DataFrame({"a": X[:, 0], "price": np.r_[np.arange(59.0), 1e6]})
    table = change.apply(cr.Table.read(frame, target="price"), {})[0]
    assert table.frame["price"].tolist() == [0.0] + [1.0] * 59
    scaled = DataChange("scale", low=(1.0,), high=(2.0,)).apply((X, Y), {"validation": (X, Y)})
    assert scaled[0][1].tolist() == scaled[1]["validation"][1].tolist() == ((Y - 1) / 2).tolist()


def test_cells_that_are_no_numbers_stay():
    frame = pd.DataFrame({"a": ["1", "?", "900"] * 20, "kind": ["u", "v", "w"] * 20})
    table = DataChange("clip", ("a",), low=(0.0,), high=(9.0,)).apply(cr.Table.read(frame, target="kind"), {})[0]
    assert table.frame["a"].tolist()[:3] == ["1", "?", "9.0"]


@pytest.mark.parametrize("rows", [(60,), (-1,), tuple(range(60))])
def test_rows_that_there_are_not_are_errors(rows):
    with pytest.raises(SettingError, match="row"):
        DataChange("drop_rows", rows=rows).apply((X, Y), {})


# --- written down ---------------------------------------------------------------------------------------------------

FAULTY = cr.Sequential(
    cr.Dense(9, "sigmoid", init="zeros", bias=False, inputs=4),
    cr.Dropout(0.9),
    cr.Dense(9, "sigmoid"),
    cr.Dense(9, cr.activations.LeakyReLU(0.3)),
    cr.Dense(3, "sigmoid"),
)
SETTINGS = {
    "optimizer": cr.SGD(lr=cr.schedules.OneCycle(30.0), momentum=0.99, weight_decay=1.0),
    "loss": "quadratic",
    "l2": 5.0,
    "batch_size": 60,
    "epochs": 2,
    "augment": "noise:0.5",
    "normalize": False,
    "validation": 0.2,
    "early_stopping": cr.EarlyStopping(patience=1),
}


def all_fixes():
    subject = subject_of(FAULTY, (X * 100, Y), TrainingSettings(**SETTINGS))
    return [(cause, fix) for cause in CAUSES for fix in fixes_for(cause, subject)]


def test_fixes_are_written_as_json_and_read_back():
    fixes = all_fixes()
    assert len(fixes) > 35
    for cause, fix in fixes:
        again = Fix.from_dict(json.loads(json.dumps(fix.to_dict())))
        assert again == fix, cause
        assert (again.code(), again.command()) == (fix.code(), fix.command())


def test_code_makes_the_same_run():
    """Each fix: the code that is pasted trains the network that `apply` makes, by the same settings."""
    seen = {}

    class Recorder:
        def __getattr__(self, name):
            return getattr(cr, name)

        def fit(self, net, data, **settings):
            seen.update(net=net, data=data, settings=settings)

    for cause, fix in all_fixes():
        names = {"cr": Recorder(), "net": FAULTY, "x": X, "y": Y}
        exec(fix.code(), names)
        net, _, settings = fix.apply(FAULTY, (X, Y), SETTINGS)
        assert seen["net"] == net, cause
        new = TrainingSettings(**seen["settings"])
        assert all(getattr(new, name) == value for name, value in settings.items()), cause


@pytest.mark.parametrize("change", [ROWS, COLUMNS, CLIP, SCALE, DataChange("clip", low=(0.0,), high=(1.0,))])
def test_code_makes_the_same_data(change):
    fix = Fix("", data=(change,))
    names = {"cr": cr, "net": cr.Dense(3, "softmax"), "x": X, "y": Y}
    exec(fix.code().replace("cr.fit(", "dict(made=").replace("dict(made=net, ", "dict(made="), names)
    _, (x, y), _ = fix.apply(NET, (X, Y), {})
    np.testing.assert_allclose(names["run"]["made"][0], x)
    np.testing.assert_allclose(names["run"]["made"][1], y)


@pytest.mark.parametrize(
    "change",
    [
        ROWS,
        DataChange("drop_columns", columns=("b",)),
        DataChange("clip", ("a", "c"), low=(-0.5, -1.0), high=(0.5, 1.0)),
    ],
)
def test_code_for_tables(change):
    table = as_table(None)
    fix = Fix("", data=(change,), before={"data": "table"})
    names = {"cr": cr, "net": cr.Dense(3, "softmax"), "data": table}
    exec(fix.code().replace("cr.fit(net, data)", "None"), names)
    np.testing.assert_allclose(inputs_of(names["data"]), inputs_of(change.apply(table, {})[0]))


def test_what_has_no_text_is_written_as_such():
    squares = cr.mlp([4, 8, 3], lambda z: z**2)
    fix = Fix("", {"net": squares, "loss": lambda a, y: a})
    again = Fix.from_dict(json.loads(json.dumps(fix.to_dict())))
    assert isinstance(again.changes["net"], Unwritten)
    assert "Dense(8" in str(again.changes["net"])
    with pytest.raises(SettingError, match="could not hold"):
        again.apply(NET, (X, Y), {})
    assert all(line.startswith("#") for line in fix.code().splitlines())
    assert fix.command() == ""


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"optimizer.lr": 0.01}, "--lr 0.01"),
        ({"optimizer.lr": cr.schedules.Cosine(0.1)}, "--lr 0.1 --schedule cosine"),
        ({"optimizer": cr.Adam()}, "--optimizer adam --lr 0.001"),
        ({"l1": 0.0, "l2": 0.0, "optimizer.weight_decay": 0.0}, "--l1 0 --l2 0 --weight-decay 0"),
        ({"normalize": True, "epochs": 40}, "--normalize --epochs 40"),
        ({"validation": 0.2, "early_stopping": cr.EarlyStopping(patience=8)}, "--validation 0.2 --early-stopping 8"),
        ({"class_weight": "balanced"}, "--class-weight balanced"),
        ({"augment": cr.augment.get("shift:1,rotation:5")}, "--augment shift:1,rotation:5"),
        ({"loss": "auto"}, "--loss auto"),
        ({"net": cr.mlp([4, 32, 32, 3], "tanh")}, "--hidden 32,32 --activation tanh"),
        ({"net": cr.mlp([4, 8, 3], bias=False)}, ""),
        ({"optimizer": cr.Adam(eps=1.0)}, ""),
        ({"augment": None}, ""),
        ({"micro_batches": 2}, ""),
    ],
)
def test_options_of_the_command_line(changes, options):
    assert Fix("", changes, before={"net": NET, "optimizer": cr.Adam()}).command() == options


def test_dropout_and_columns_have_options():
    net = cr.Sequential(cr.Dense(8, "relu"), cr.Dropout(0.9), cr.Dense(3, "softmax"))
    assert Fix("", {"net.layers.1.rate": 0.0}, before={"net": net}).command() == "--dropout 0"
    assert Fix("", data=(DataChange("drop_columns", ("a b", "c")),)).command() == "--drop 'a b' --drop c"
    assert Fix("", data=(ROWS,)).command() == ""


def test_commands_are_taken_by_train():
    """Every option that a fix writes is one of the command."""
    from chainrule.cli.app import app

    train = app.commands["train"]
    names = {option for each in train.params for option in [*each.opts, *each.secondary_opts]}
    for _, fix in all_fixes():
        words = [word for word in fix.command().split() if word.startswith("--")]
        assert {*words} <= names, fix


def test_a_fix_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Fix("").text = "else"
