"""What takes a cause away, and that it is only what applies and changes something."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import SettingError
from chainrule.run_settings import TrainingSettings
from chainrule.schedules import Cosine, OneCycle
from chainrule.symptoms.catalogue import CAUSES
from chainrule.symptoms.evidence import Finding
from chainrule.symptoms.fixes import fixes_for, simple_fixes
from chainrule.symptoms.subject import subject_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4)).astype("float32")
Y = np.arange(90) % 3
NUMBERS = X @ np.array([1.0, -2.0, 0.5, 0.0], "float32")
NET = cr.mlp([4, 16, 3])


def subject(net=NET, y=Y, x=X, **settings):
    return subject_of(net, (x, y), TrainingSettings(**settings))


def first(cause, **kwargs):
    fixes = fixes_for(cause, subject(**kwargs))
    return dict(fixes[0].changes) if fixes else None


def test_a_cause_that_does_not_exist_is_an_error():
    with pytest.raises(SettingError, match="no cause 'lr'"):
        fixes_for("lr", subject())


@pytest.mark.parametrize(
    ("optimizer", "rates"),
    [
        (cr.Adam(lr=1.0), [0.01, 0.001, 0.1]),
        (cr.SGD(lr=100.0), [0.1, 1.0, 10.0]),
        (cr.SGD(lr=0.05, momentum=0.9), [0.01, 0.005, 0.0005, 5e-05]),
    ],
)
def test_lower_rates_begin_with_the_usual_one(optimizer, rates):
    fixes = fixes_for("lr_high", subject(optimizer=optimizer))
    assert [fix.changes["optimizer.lr"] for fix in fixes] == pytest.approx(rates)


def test_higher_rates_reach_a_thousand_times():
    fixes = fixes_for("lr_low", subject(optimizer=cr.Adam(lr=1e-6)))
    assert [fix.changes["optimizer.lr"] for fix in fixes] == pytest.approx([1e-2, 1e-3, 1e-4])


def test_schedules_keep_their_form_and_a_schedule_becomes_its_peak():
    scheduled = subject(optimizer=cr.Adam(lr=OneCycle(1.0)))
    assert fixes_for("lr_high", scheduled)[0].changes == {"optimizer.lr": OneCycle(0.01)}
    assert fixes_for("schedule", subject(optimizer=cr.SGD(lr=Cosine(0.1))))[0].changes == {"optimizer.lr": 0.1}
    assert fixes_for("schedule", subject()) == ()


def test_penalties_go_in_all_their_places():
    changes = first("regularization", l1=0.1, l2=5.0, optimizer=cr.SGD(weight_decay=0.1))
    assert changes == {"l1": 0.0, "l2": 0.0, "optimizer.weight_decay": 0.0}
    assert first("regularization", optimizer="adamw") is None  # its own small decay is no fault


def test_dropout_goes_in_every_layer_that_has_some():
    net = cr.Sequential(cr.Dense(8, "relu"), cr.Dropout(0.9), cr.Residual(cr.Dense(8), cr.Dropout(0.5)), cr.Dense(3))
    changes = first("dropout", net=net, loss="quadratic")
    assert changes == {"net.layers.1.rate": 0.0, "net.layers.2.layers.1.rate": 0.0}


def test_first_weights_are_those_that_fit():
    net = cr.mlp([4, 16, 3], init="zeros", bias_init=cr.initializers.Constant(-5.0))
    assert first("init", net=net) == {"net": NET}


def test_biases_are_not_missing_before_a_normalization():
    without = cr.Sequential(cr.Dense(8, bias=False), cr.BatchNorm(), cr.Activation("relu"), cr.Dense(3, "softmax"))
    assert first("bias", net=without) is None
    assert first("bias", net=cr.mlp([4, 16, 3], bias=False)) == {"net": NET}


def test_batch_norm_stands_between_weights_and_activation():
    net = first("batch_norm")["net"]
    assert net == cr.Sequential(cr.Dense(16, inputs=4), cr.BatchNorm(), cr.Activation("relu"), cr.Dense(3, "softmax"))
    stale = cr.Sequential(cr.Dense(8), cr.BatchNorm(momentum=0.9999, eps=10.0), cr.Dense(3, "softmax"))
    assert first("batch_norm", net=stale) == {"net.layers.1.momentum": 0.9, "net.layers.1.eps": 1e-5}


def test_deep_networks_lose_hidden_layers_and_keep_their_outputs():
    net = cr.mlp([4, *[16] * 10, 3], "sigmoid")
    assert first("too_deep", net=net)["net"] == cr.mlp([4, 16, 16, 3], "sigmoid")
    assert first("too_deep") is None


def test_sizes_change_in_hidden_layers_only():
    assert first("too_small")["net"] == cr.mlp([4, 64, 3])
    assert first("too_small", net=cr.mlp([4, 2, 3]))["net"] == cr.mlp([4, 32, 3])
    assert first("too_large", net=cr.mlp([4, 400, 3]))["net"] == cr.mlp([4, 100, 3])
    linear = first("too_small", net=cr.Dense(3, "softmax"))["net"]
    assert linear == cr.Sequential(cr.Dense(64, "relu"), cr.Dense(3, "softmax"))


def test_activations_that_stop_the_gradient_become_relu():
    assert first("activation", net=cr.mlp([4, 16, 3], "sigmoid"))["net"] == NET
    assert first("activation", net=cr.mlp([4, 16, 3], lambda z: z**2))["net"] == NET
    stacked = cr.Sequential(cr.Dense(8), cr.Dense(8), cr.Dense(3, "softmax"))  # linear layers are one linear layer
    relu = cr.Sequential(cr.Dense(8, "relu"), cr.Dense(8, "relu"), cr.Dense(3, "softmax"))
    assert first("activation", net=stacked)["net"] == relu


def test_loss_and_outputs_follow_from_the_task():
    assert first("loss", loss="quadratic") == {"loss": "auto"}
    assert first("loss") is None
    assert first("output") is None
    linear = cr.mlp([4, 16, 3], output=None)
    assert first("output", net=linear, loss="quadratic") == {"net": NET, "loss": "auto"}
    squeezed = cr.mlp([4, 16, 1], output="relu")
    changes = first("output", net=squeezed, y=np.abs(NUMBERS), loss="quadratic")
    assert changes == {"net": cr.mlp([4, 16, 1], output=None), "loss": "auto"}


def test_scales_are_those_that_were_left_out():
    assert first("inputs_unscaled") is None
    assert first("inputs_unscaled", x=X * 1000, normalize=False) == {"normalize": True}
    assert first("targets_unscaled", net=cr.mlp([4, 8, 1], output=None), y=NUMBERS) == {"normalize_target": True}
    assert first("targets_unscaled") is None


def test_steps():
    assert first("batch_large", batch_size=90) == {"batch_size": 32}
    assert first("batch_small", batch_size=1) == {"batch_size": 32}
    assert first("batch_small") is None
    assert first("epochs_few", epochs=1) == {"epochs": 50}
    assert first("epochs_few", epochs=300) == {"epochs": 1200}


def test_early_stopping():
    stopping = cr.EarlyStopping(patience=8)
    assert first("no_validation") == {"validation": 0.2, "early_stopping": stopping}
    assert first("no_validation", validation=0.2) is None
    assert first("overtrained", validation=0.2) == {"early_stopping": stopping}
    assert first("patience", validation=0.2, early_stopping=cr.EarlyStopping(patience=1)) == {
        "early_stopping": stopping
    }
    assert first("patience", validation=0.2, early_stopping=stopping) == {
        "early_stopping": cr.EarlyStopping(patience=24)
    }


def test_changes_of_samples_go_and_are_halved():
    fixes = fixes_for("augmentation", subject(augment="noise:0.5,mixup:0.2"))
    assert [fix.changes["augment"] for fix in fixes] == [None, cr.augment.get("noise:0.25,mixup:0.1")]
    assert len(fixes_for("augmentation", subject(augment=lambda x, key: x))) == 1


def test_rare_classes_count_more():
    assert first("imbalance", y=(np.arange(90) > 80).astype(int), net=cr.mlp([4, 8, 2])) == {"class_weight": "balanced"}
    assert first("imbalance") is None


def test_optimizers_get_the_defaults_of_their_class_with_their_rate():
    assert first("optimizer", optimizer=cr.Adam(lr=0.01, eps=1.0)) == {"optimizer": cr.Adam(lr=0.01)}
    assert first("optimizer", optimizer=cr.Adam()) is None


def test_a_loss_and_layers_of_the_users_own_are_taken_out():
    assert first("code_loss", loss=lambda a, y: -((a - y) ** 2).sum(axis=1)) == {"loss": "auto"}
    assert first("code_loss", loss="quadratic") is None
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Cut(cr.Layer):
        def apply(self, params, state, x, *, key, train):
            return cr.ops.stop_gradient(x), state

    try:
        net = cr.Sequential(cr.Dense(16, "relu", inputs=4), Cut(), cr.Dense(3, "softmax"))
        assert first("code_cut", net=net) == {"net": NET}
    finally:
        cr.Layer.registry.pop("cut")


def test_a_model_to_go_on_from_keeps_its_network():
    run = cr.fit(cr.mlp([4, 16, 3], "sigmoid", bias=False, init="zeros"), (X, Y), epochs=1, progress=False)
    trained = subject(net=run.model)
    for cause in CAUSES:
        for fix in fixes_for(cause, trained, [Finding("finite", "note", "")]):
            assert not any(path.partition(".")[0] == "net" for path in fix.changes), fix
    assert fixes_for("lr_low", trained)


def test_every_fix_makes_a_run_that_starts():
    networks = [
        (cr.mlp([4, 6, 6, 6, 3], "tanh"), Y, {"loss": "quadratic", "augment": "noise", "l2": 1.0}),
        (cr.Sequential(cr.Dense(8, "glu"), cr.Dense(3, "softmax")), Y, {"batch_size": 90}),
        (cr.Sequential(cr.Residual(cr.Dense(4, "relu")), cr.Dense(1)), NUMBERS, {"normalize": False}),
        (cr.Sequential(cr.Concat(cr.Dense(4), cr.Dense(4, "sigmoid")), cr.Dense(3, "softmax")), Y, {}),
        (cr.Sequential(cr.Dense(3), cr.Activation("softmax")), Y, {"optimizer": cr.SGD(lr=Cosine(1.0))}),
    ]
    for net, y, settings in networks:
        examined = subject(net=net, y=y, **settings)
        fixes = simple_fixes(examined, [Finding("finite", "note", "")])
        members = [dict(fix.changes) | {"epochs": 1} for fix in fixes]
        assert len(members) > 8
        factory = cr.PopulationTrainer(net, (X, y), **settings)
        assert len(factory.add_members(members)) == len(members)


# --- faults of the data ---------------------------------------------------------------------------------------------

FEW = np.random.default_rng(1)
DIGITS = cr.data.load("digits")


def data_change(cause, x, y, net, **settings):
    """The changes of the first fix of a cause."""
    fixes = fixes_for(cause, subject_of(net, (x, y), TrainingSettings(**settings)))
    return fixes[0].data if fixes else ()


def test_rows_with_wrong_targets_are_left_out():
    x, y = DIGITS.x[:900].reshape(900, -1), DIGITS.y[:900].copy()
    wrong = np.sort(FEW.choice(900, 180, replace=False))
    y[wrong] = (y[wrong] + FEW.integers(1, 10, 180)) % 10
    (change,) = data_change("labels_noisy", x, y, cr.Dense(10, "softmax"))
    assert change.kind == "drop_rows"
    assert len(np.intersect1d(change.rows, wrong)) > 0.8 * len(change.rows)
    assert len(np.intersect1d(change.rows, wrong)) > 0.4 * len(wrong)


def test_repeated_rows_are_left_out():
    x, y = np.concatenate([X, X[:40]]), np.concatenate([Y, Y[:40]])
    (change,) = data_change("duplicates", x, y, NET)
    assert change.rows == tuple(range(90, 130))
    (change,) = data_change("overlap", X, Y, NET, validation=(X[:30], Y[:30]))
    assert change.rows == tuple(range(30))
    assert data_change("duplicates", X, Y, NET) == ()


def test_a_column_that_gives_the_target_away_is_left_out():
    (change,) = data_change("leak", np.insert(X, 2, NUMBERS, axis=1), NUMBERS, cr.Dense(1))
    assert (change.kind, change.columns) == ("drop_columns", (2,))
    assert data_change("leak", X, Y, NET) == ()


def test_values_far_from_all_others_are_clipped():
    x = np.repeat(X, 4, axis=0) + FEW.normal(size=(360, 4)).astype("float32")
    y = np.repeat(NUMBERS, 4)
    clean = x.copy()
    x[::40, 1], y[5::60] = -999.0, 1e5
    inputs, targets = data_change("outliers", x, y, cr.Dense(1))
    assert (inputs.kind, inputs.columns, targets.columns) == ("clip", (1,), ())
    (x, y), _ = targets.apply(inputs.apply((x, y), {})[0], {})
    assert x.min() >= clean.min()
    assert y.max() <= NUMBERS.max()


def test_values_that_are_missing_have_a_fix_though_fit_refuses_them():
    from chainrule.symptoms.data_fixes import finite_rows

    x = X.copy()
    x[3, 1], x[7:80, 2] = np.inf, np.nan
    (fix,) = finite_rows((x, Y))
    net, (x, y), _ = fix.apply(NET, (x, Y), {})
    assert x.shape == (89, 3)
    assert len(cr.fit(net, (x, y), epochs=1, progress=False).history) == 1
    assert list(finite_rows((X, Y))) == []
    assert list(finite_rows((np.full((9, 2), np.nan), Y[:9]))) == []


def test_findings_say_which_faults_of_the_data_are_looked_for():
    examined = subject(x=np.concatenate([X, X]), y=np.concatenate([Y, Y]))
    about = Finding("rows_twice", "alarm", "", causes=("duplicates",))
    assert fixes_for("duplicates", examined, [about])
    assert fixes_for("duplicates", examined, [Finding("tails", "note", "")]) == ()


# --- what `fit` refuses ---------------------------------------------------------------------------------------------

WITH_GAPS = np.where(np.arange(90)[:, None] % 9 == 4, np.nan, X)


@pytest.mark.parametrize(
    ("net", "x", "y", "settings", "cause", "changes"),
    [
        (NET, WITH_GAPS, Y, {}, "nan", {}),
        (cr.mlp([4, 16, 2]), X, Y, {}, "output", {"net": NET, "loss": "auto"}),
        (cr.mlp([4, 16, 3], output=None), X, np.array(["a", "b", "c"])[Y], {}, "output", {"net": NET, "loss": "auto"}),
        (
            cr.mlp([4, 8, 1], output="sigmoid"),
            X,
            3 * NUMBERS,
            {},
            "output",
            {"net": cr.mlp([4, 8, 1], output=None), "loss": "auto"},
        ),
        (cr.mlp([4, 16, 3], output="sigmoid"), X, Y, {"loss": "cross_entropy"}, "loss", {"loss": "auto"}),
    ],
)
def test_what_fit_refuses_has_a_fix(net, x, y, settings, cause, changes):
    diagnosis = cr.preflight(net, (x, y), **settings)
    causes = {each.name: each for each in diagnosis.causes}
    assert diagnosis.causes[0].name == cause, diagnosis
    fix = causes[cause].fix
    assert dict(fix.changes) == changes
    net, data, settings = fix.apply(net, (x, y), settings)
    cr.fit(net, data, epochs=1, progress=False, **settings)


def test_what_cannot_be_used_has_none_and_raises_nothing():
    assert cr.preflight(NET, (np.full((20, 4), np.nan), Y[:20])).fix is None
    assert cr.preflight(NET, "no data").fix is None
    assert cr.preflight(cr.mlp([9, 3]), (X, Y)).fix is None
