"""What all five families share: settings that survive a file and can be taken out and put back."""

from __future__ import annotations

import ast
import json
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

from chainrule import activations, augment, initializers, layers, losses, optimizers, schedules
from chainrule.errors import SettingError
from chainrule.settings import is_ours, replace, structure, values, with_values

FAMILIES = {
    "activation": activations.Activation,
    "initializer": initializers.Initializer,
    "loss": losses.Loss,
    "optimizer": optimizers.Optimizer,
    "schedule": schedules.Schedule,
}


def example(cls):
    """A member with every setting that has no default set to 0.25."""
    missing = repr(fields(schedules.Constant)[0].default)
    required = [f.name for f in fields(cls) if repr(f.default) == missing]
    return cls(**dict.fromkeys(required, 0.25))


MEMBERS = [
    pytest.param(example(cls), id=f"{family}-{name}")
    for family, base in FAMILIES.items()
    for name, cls in base.registry.items()
    if is_ours(cls)  # other tests have their own
]
MEMBERS += [
    pytest.param(optimizers.SGD(0.1, 0.9, True, clip_norm=1.0, weight_decay=1e-4), id="sgd-all-settings"),
    pytest.param(optimizers.SGD(momentum=0.9, weight_decay=0.1), id="sgd-some-settings"),
    pytest.param(optimizers.Adam(lr=schedules.Cosine(0.1)), id="optimizer-with-schedule"),
    pytest.param(schedules.Warmup(schedules.Linear(0.5), 2.0), id="schedule-in-schedule"),
]


@pytest.mark.parametrize("recipe", MEMBERS)
def test_survives_a_file(recipe):
    plain = json.loads(json.dumps(recipe.to_dict()))
    assert FAMILIES[recipe.family].from_dict(plain) == recipe


OTHERS = [
    layers.Conv2D(8, (3, 5), stride=2),
    layers.Dense(3, bias=False, inputs=4),
    layers.Dropout(0.5),
    layers.Embedding((5, 7), (2, 3)),
    layers.MaxPool2D(2, stride=(2, 1)),
    layers.Maxout(4, pieces=3),
    layers.Reshape((28, -1)),
    augment.get("shift:2"),
    augment.get("mixup:0.25"),
]


def of_numpy(value):
    """The same value as NumPy has it."""
    kinds = {bool: np.bool_, int: np.int64, float: np.float32, str: np.str_}
    if isinstance(value, tuple):
        return tuple(map(of_numpy, value))
    return kinds[type(value)](value) if type(value) in kinds else value


@pytest.mark.parametrize("recipe", [*MEMBERS, *OTHERS], ids=str)
def test_takes_numbers_and_texts_of_numpy_as_pythons_own(recipe):
    settings = {f.name: of_numpy(getattr(recipe, f.name)) for f in fields(recipe)}
    made = type(recipe)(**settings)
    for field in fields(recipe):
        value, wanted = getattr(made, field.name), getattr(recipe, field.name)
        assert type(value) is type(wanted)
        assert value == (float(np.float32(wanted)) if isinstance(wanted, float) else wanted)
    assert json.loads(json.dumps(made.to_dict())).keys() == recipe.to_dict().keys()


def test_numbers_of_numpy_are_checked_like_others():
    with pytest.raises(SettingError, match=r"rate .*at least 0 and at most 1, got 1\.5"):
        layers.Dropout(np.float32(1.5))
    with pytest.raises(SettingError, match="units must be a whole number"):
        layers.Dense(np.float64(3.5))
    with pytest.raises(SettingError, match="rate must be a number"):
        layers.Dropout(np.bool_(True))


@pytest.mark.parametrize("recipe", MEMBERS)
def test_values_come_out_and_go_back(recipe):
    taken = values(recipe)
    bare = structure(recipe)
    assert with_values(bare, taken) == recipe
    halved = with_values(recipe, halve(taken))
    assert values(halved) == halve(taken)
    assert structure(halved) == bare
    assert hash(structure(halved)) == hash(bare)


def halve(tree):
    return {k: halve(v) if isinstance(v, dict) else v / 2 for k, v in tree.items()}


@pytest.mark.parametrize("recipe", MEMBERS)
def test_prints_as_it_is_typed_in(recipe):
    names = vars({"activation": activations, "initializer": initializers, "loss": losses}.get(recipe.family, schedules))
    made = _build(ast.parse(repr(recipe), mode="eval").body, names | vars(optimizers))
    assert made == recipe


def _build(node, names):
    """What a call with constants and other calls makes."""
    if not isinstance(node, ast.Call):
        return ast.literal_eval(node)
    keywords = {k.arg: _build(k.value, names) for k in node.keywords}
    return names[node.func.id](*(_build(a, names) for a in node.args), **keywords)


@pytest.mark.parametrize("recipe", MEMBERS)
def test_is_frozen_and_documented(recipe):
    with pytest.raises(FrozenInstanceError):
        recipe.anything = 1
    assert type(recipe).__doc__
    assert not type(recipe).__doc__.startswith(type(recipe).__name__ + "(")  # dataclass's own


@pytest.mark.parametrize("base", FAMILIES.values(), ids=FAMILIES)
def test_unknown_settings_and_types_are_named(base):
    name = next(iter(base.registry))
    with pytest.raises(ValueError, match="has no setting 'colour'"):
        base.from_dict({"type": name, "colour": "red"})
    with pytest.raises(ValueError, match=f"Unknown {base.family} 'nothing'"):
        base.from_dict({"type": "nothing"})


def test_a_setting_inside_a_schedule_is_reached_by_its_path():
    optimizer = optimizers.SGD(lr=schedules.Warmup(schedules.Cosine(0.1)))
    assert replace(optimizer, "lr.schedule.lr", 0.5).lr.schedule.lr == 0.5
