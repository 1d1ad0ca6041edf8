"""Each setting of a run stands in one list: calls, estimators, files and the command line are made from it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import pytest

import chainrule as cr
from chainrule.cli.app import app
from chainrule.errors import KeywordError, SettingError
from chainrule.estimators.base import OF_ONE_CALL
from chainrule.experiments.settings import FIELDS, TrialSettings
from chainrule.fields import Option, passes_settings, setting, settings_of, takes_settings
from chainrule.run_settings import FitSettings, PopulationSettings, TrainingSettings

OPTIONS: dict[str, Any] = {parameter.name: parameter for parameter in app.commands["train"].params}  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", list(settings_of(FitSettings)))
def test_a_setting_is_known_everywhere(name: str) -> None:
    one = settings_of(FitSettings)[name]
    assert one.help.endswith(".")
    parameter = inspect.signature(cr.fit).parameters[name]
    assert (parameter.kind, parameter.default) == (parameter.KEYWORD_ONLY, one.default)
    assert f"\n    {name}\n        {one.help.split()[0]}" in (cr.fit.__doc__ or "")
    if name not in OF_ONE_CALL:
        assert name in cr.NetClassifier().get_params(deep=False)
    if one.options:
        assert name in FIELDS
        assert all(option.name or name in OPTIONS for option in one.options)
        assert OPTIONS[name].help
    else:
        assert len(str(one.option).split()) > 2, "say why it is no option"
        assert name not in FIELDS


@pytest.mark.parametrize(
    "function", [cr.fit_population, cr.cross_validate, cr.compare, cr.search, cr.find_lr, cr.find_l2]
)
def test_what_trains_networks_takes_the_settings_of_training(function: Any) -> None:
    of_its_own = {"seed", "validation", "epochs", "early_stopping", "l2"}
    parameters = inspect.signature(function).parameters
    assert set(settings_of(TrainingSettings)) - set(parameters) <= of_its_own
    with pytest.raises(KeywordError, match="batch_size"):
        function(**dict.fromkeys(list(parameters)[:3]), batch_sizes=1)


@pytest.mark.parametrize("name", list(FIELDS))
def test_every_setting_of_a_file_says_what_it_is(name: str) -> None:
    one = FIELDS[name]
    assert one.help.endswith((".", "..."))
    assert one.options or len(str(one.option).split()) > 2


def test_a_file_may_leave_open_what_fit_decides() -> None:
    """What differs between the two is a default or a type: every setting of a file means what it does in a call."""
    for name, one in settings_of(TrialSettings).items():
        if name in settings_of(TrainingSettings):
            assert one.help == settings_of(TrainingSettings)[name].help
    assert TrialSettings().epochs is None
    assert TrainingSettings().epochs == 10


def test_fit_accepts_every_setting_with_its_default() -> None:
    defaults = {name: one.default for name, one in settings_of(FitSettings).items()}
    quick = {"epochs": 1, "progress": False, "engine": "numpy"}
    iris = cr.data.load("iris")
    one, other = cr.fit(cr.Dense(3, "softmax"), iris, **defaults | quick), cr.fit(cr.Dense(3, "softmax"), iris, **quick)
    assert one.history["loss"] == other.history["loss"]
    population = {name: one.default for name, one in settings_of(PopulationSettings).items()}
    (member,) = cr.fit_population(cr.Dense(3, "softmax"), iris, 1, **population | quick)
    assert member.history["loss"] == pytest.approx(other.history["loss"], rel=1e-4)


def test_help_shows_each_setting_with_its_meaning() -> None:
    assert "\n    batch_size\n        Rows per step." in (cr.fit.__doc__ or "")
    assert "{settings}" not in (cr.fit.__doc__ or "")
    assert "batch_size" in (cr.fit_population.__doc__ or "")
    assert "{names}" not in (cr.fit_population.__doc__ or "")


@dataclass(frozen=True, kw_only=True)
class BoatSettings:
    sails: int = setting(1, "How many.", Option("N"))
    flag: str | None = setting(None, "Its colour.", "boats are painted, not typed")


@dataclass(frozen=True, kw_only=True)
class FastBoatSettings(BoatSettings):
    sails: int = 3
    wind: float = setting(5.0, "In metres per second.", Option("V"))


def test_a_group_may_change_a_default_and_keeps_the_rest() -> None:
    assert [(one.name, one.default) for one in settings_of(FastBoatSettings).values()] == [
        ("sails", 3),
        ("flag", None),
        ("wind", 5.0),
    ]
    assert settings_of(FastBoatSettings)["sails"].help == "How many."
    assert settings_of(FastBoatSettings)["sails"].heading == "Boat"
    assert settings_of(FastBoatSettings)["flag"].types == ("str",)


def test_functions_get_their_settings_as_an_object_or_as_keywords() -> None:
    @takes_settings(BoatSettings)
    def build(hull: Any, mast: Any, settings: BoatSettings) -> Any:
        return settings.sails

    @passes_settings(BoatSettings, without=("flag",))
    def launch(hull: Any, **settings: Any) -> Any:
        return settings

    assert build(None, None, sails=2) == 2
    assert launch(None, sails=2) == {"sails": 2}
    assert str(inspect.signature(build)).endswith("*, sails: 'int' = 1, flag: 'str | None' = None) -> 'Any'")
    with pytest.raises(KeywordError, match="did you mean 'sails'"):
        build(None, None, sail=2)
    with pytest.raises(SettingError, match="launch has no use for flag"):
        launch(None, flag="red")
