"""Recipes: names, files, and continuous settings taken out and put back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import losses, settings
from chainrule.errors import SettingError, UnknownNameError
from chainrule.settings import Settings, check_number, find, replace, structure, values, with_values
from chainrule.training import Recipe


@pytest.fixture
def registry() -> Iterator[None]:
    before = dict(cr.Layer.registry)
    yield
    cr.Layer.registry.clear()
    cr.Layer.registry.update(before)


NET = cr.Sequential(cr.Dense(3, cr.activations.LeakyReLU(0.2)), cr.Dropout(0.4), cr.Residual(cr.Dropout(0.1)))
RECIPE = Recipe(net=NET, loss=losses.get("huber"), optimizer=cr.Adam(cr.schedules.Cosine(0.3)), l2=5)


class TestValues:
    def test_continuous_settings_come_out_by_path(self) -> None:
        taken = values(RECIPE)
        assert taken["l2"] == 5.0
        assert isinstance(taken["l2"], float)
        assert taken["optimizer"]["lr"]["lr"] == 0.3
        assert taken["loss"] == {"delta": 1.0}
        assert taken["net"]["layers"]["1"] == {"rate": 0.4}
        assert taken["net"]["layers"]["0"] == {"activation": {"slope": 0.2}}
        assert taken["net"]["layers"]["2"] == {"layers": {"0": {"rate": 0.1}}}

    def test_counts_and_names_are_no_continuous_settings(self) -> None:
        assert values(cr.Dense(3, "relu")) == {}
        assert values(cr.Conv2D(3, 2)) == {}
        assert "nesterov" not in values(cr.SGD(0.1, momentum=0.9, nesterov=True))

    def test_a_setting_that_is_none_is_not_there(self) -> None:
        assert values(cr.SGD(0.1)) == {"lr": 0.1}
        assert values(cr.SGD(0.1, momentum=0.9, clip_norm=1.0)) == {"lr": 0.1, "momentum": 0.9, "clip_norm": 1.0}

    def test_put_back_they_are_the_recipe_again(self) -> None:
        assert with_values(RECIPE, values(RECIPE)) == RECIPE
        assert with_values(structure(RECIPE), values(RECIPE)) == RECIPE

    def test_any_value_can_be_put_in(self) -> None:
        many = with_values(cr.Dropout(0.5), {"rate": np.array([0.1, 0.2])})
        assert many.rate.tolist() == [0.1, 0.2]
        with pytest.raises(SettingError, match="rate must be at least 0"):
            replace(cr.Dropout(0.5), "rate", -1.0)

    def test_a_recipe_of_ones_own_may_validate_as_usual(self) -> None:
        @dataclass(frozen=True)
        class Gain(cr.Layer, name="gain_of_test_settings"):
            k: float = 1.0

            def __post_init__(self) -> None:
                if self.k < 0:
                    raise ValueError("k")

        assert structure(Gain(2.0)) == structure(Gain(3.0))
        assert with_values(structure(Gain(2.0)), {"k": 5.0}) == Gain(5.0)
        with pytest.raises(ValueError, match="k"):
            replace(Gain(2.0), "k", -1.0)
        del cr.Layer.registry["gain_of_test_settings"]

    def test_a_name_of_ours_cannot_be_taken(self) -> None:
        with pytest.raises(SettingError, match=r"layer 'dense' exists already.*name=\"my_dense\""):

            class Dense(cr.Layer):
                pass

        assert cr.Layer.registry["dense"] is cr.Dense

    def test_the_structure_is_the_same_for_the_same_program(self) -> None:
        other = with_values(RECIPE, values(RECIPE) | {"l2": 0.0})
        assert other != RECIPE
        assert structure(other) == structure(RECIPE)
        assert hash(structure(other)) == hash(structure(RECIPE))
        assert structure(cr.SGD(0.1)) != structure(cr.SGD(0.1, momentum=0.5))
        assert structure(cr.Dropout(0.1)) == structure(cr.Dropout(0.9))
        assert structure(cr.Dense(3)) != structure(cr.Dense(4))
        assert structure(structure(RECIPE)) == structure(RECIPE)


class TestReplace:
    def test_by_path(self) -> None:
        assert replace(RECIPE, "net.layers.1.rate", 0.9).net[1] == cr.Dropout(0.9)
        assert replace(RECIPE, "net.layers.2.layers.0.rate", 0.9).net[2][0] == cr.Dropout(0.9)
        assert replace(RECIPE, "optimizer.lr", 0.5).optimizer == cr.Adam(0.5)
        assert RECIPE.net[1] == cr.Dropout(0.4)

    @pytest.mark.parametrize(
        ("path", "says"),
        [
            ("optimizer.learning_rate", "Adam has no setting 'learning_rate'"),
            ("optimiser.lr", "Recipe has no setting 'optimiser'; did you mean 'optimizer'"),
            ("net.layers.7.rate", "The tuple has no setting '7'"),
            ("l2.rate", "Recipe: 'l2' is 5 and has no setting 'rate'"),
        ],
    )
    def test_a_path_that_leads_nowhere(self, path: str, says: str) -> None:
        with pytest.raises(SettingError, match=says):
            replace(RECIPE, path, 1.0)


class TestFind:
    def test_names_objects_and_functions(self) -> None:
        assert find(cr.Layer, cr.Dense(3)) == cr.Dense(3)
        assert find(cr.activations.Activation, " Leaky-ReLU ") == cr.activations.LeakyReLU()
        assert find(losses.Loss, np.abs, function=losses.FunctionLoss).function is np.abs

    def test_wrong_ones(self) -> None:
        with pytest.raises(UnknownNameError, match="Unknown optimizer 'sdg'; did you mean 'sgd'"):
            find(cr.optimizers.Optimizer, "sdg")
        with pytest.raises(SettingError, match=r"Got the class Adam; call it: Adam\(\)"):
            find(cr.optimizers.Optimizer, cr.Adam)
        with pytest.raises(SettingError, match=r"settings without a default: write cr\.Dense\(\.\.\.\)"):
            find(cr.Layer, "dense")
        with pytest.raises(SettingError, match="Expected a name or an object for the layer, got 3"):
            find(cr.Layer, 3)
        with pytest.raises(SettingError, match="got None"):
            find(cr.Layer, None)


class TestFiles:
    def test_there_and_back(self) -> None:
        for recipe in (NET, RECIPE.optimizer, RECIPE.loss, cr.Conv2D(3, (2, 3), "relu", stride=(1, 2))):
            plain = json.loads(json.dumps(recipe.to_dict()))
            family = next(f for f in Settings.__subclasses__() if isinstance(recipe, f))
            assert family.from_dict(plain) == recipe

    def test_unknown_types_and_settings(self) -> None:
        with pytest.raises(UnknownNameError, match=r"Unknown layer 'dens'; did you mean 'dense'"):
            cr.Layer.from_dict({"type": "dens", "units": 3})
        with pytest.raises(SettingError, match="layer 'dense' has no setting 'unit'; did you mean 'units'"):
            cr.Layer.from_dict({"type": "dense", "unit": 3})
        with pytest.raises(UnknownNameError, match="family of settings 'os'"):
            cr.Layer.from_dict({"type": "sequential", "layers": [{"family": "os", "type": "system"}]})
        with pytest.raises(UnknownNameError, match="Unknown layer None"):
            cr.Layer.from_dict({})

    def test_functions_and_arrays_cannot_be_written(self) -> None:
        for layer in (cr.Dense(3, np.tanh), cr.Dense(3, lambda z: z)):
            with pytest.raises(SettingError, match="only numbers, strings and recipes can"):
                layer.to_dict()


class TestNamesAndText:
    def test_a_class_registers_under_its_name_in_lower_case(self, registry: None) -> None:
        @dataclass(frozen=True)
        class MyOwnLayer(cr.Layer):
            factor: float = 2.0

        class Another(cr.Layer, name="some_other"):
            pass

        assert cr.Layer.registry["my_own_layer"] is MyOwnLayer
        assert cr.Layer.registry["some_other"] is Another
        assert Another() == Another()
        assert "conv2d" in cr.Layer.registry
        assert "relu" not in cr.Layer.registry

    def test_a_class_that_is_not_frozen_is_refused_at_once(self, registry: None) -> None:
        with pytest.raises(TypeError, match="non-frozen"):

            @dataclass
            class Loose(cr.Layer):
                factor: float = 2.0

    @pytest.mark.parametrize(
        ("recipe", "text"),
        [
            (cr.Dense(3), "Dense(3)"),
            (cr.Dense(3, "relu", bias=False), "Dense(3, 'relu', bias=False)"),
            (cr.Conv2D(8, 3, stride=2), "Conv2D(8, 3, stride=2)"),
            (cr.Dropout(), "Dropout()"),
            (cr.BatchNorm(eps=0.1), "BatchNorm(eps=0.1)"),
            (cr.Adam(0.5), "Adam(0.5)"),
            (cr.Residual(cr.Dense(3), shortcut=cr.Dense(3)), "Residual(Dense(3), shortcut=Dense(3))"),
            (cr.Activation(cr.activations.LeakyReLU(0.1)), "Activation(LeakyReLU(0.1))"),
        ],
    )
    def test_the_text_of_a_recipe_can_be_typed_in(self, recipe: Any, text: str) -> None:
        assert repr(recipe) == text


def test_check_number() -> None:
    for value in (0.0, 1, np.float64(0.5), np.array([0.1, 0.2]), settings.VALUE):
        check_number("Owner", "share", value, 0.0, 1.0)
    for value, says in (
        (-0.1, "at least 0 and at most 1, got -0.1"),
        (1.5, "at most 1, got 1.5"),
        (float("nan"), "got nan"),
        (True, "must be a number, got True"),
        ("half", "must be a number, got 'half'"),
    ):
        with pytest.raises(SettingError, match=f"Owner: share .*{says}"):
            check_number("Owner", "share", value, 0.0, 1.0)
    with pytest.raises(SettingError, match="above 0"):
        check_number("Owner", "width", 0.0, 0.0, open_low=True)
