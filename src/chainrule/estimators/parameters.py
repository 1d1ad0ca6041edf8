"""Parameters in scikit-learn's manner, also those inside our recipes: ``optimizer__lr``, ``net__layers__0__units``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Self

from sklearn.base import BaseEstimator

from chainrule import activations, losses, optimizers
from chainrule.errors import SettingError
from chainrule.settings import replace
from chainrule.training import EarlyStopping

#: What a parameter given by its name stands for, where its settings are asked for.
_NAMED: dict[str, Callable[[str], Any]] = {
    "activation": activations.get,
    "loss": losses.get,
    "optimizer": optimizers.get,
}


class Parameters(BaseEstimator):  # type: ignore[misc]
    """`get_params` and `set_params` that see into recipes.

    A recipe never changes: setting ``optimizer__lr`` puts a new one in its place.

    >>> import chainrule as cr
    >>> from chainrule.estimators import NetClassifier
    >>> clf = NetClassifier(optimizer="adam", early_stopping=True)
    >>> clf = clf.set_params(optimizer__lr=0.01, early_stopping__patience=3)
    >>> clf.optimizer, clf.early_stopping.patience
    (Adam(0.01), 3)
    >>> clf.get_params()["optimizer__lr"]
    0.01
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; with ``deep`` those of recipes, too."""
        params: dict[str, Any] = super().get_params(deep=deep)
        if deep:
            for name, value in list(params.items()):
                params.update(_inside(name, value))
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also inside recipes: ``optimizer__lr=0.01``."""
        names = self._get_param_names()
        inner = {name: params.pop(name) for name in list(params) if name.partition("__")[0] in names and "__" in name}
        super().set_params(**params)
        for name, value in inner.items():
            head, _, rest = name.partition("__")
            setattr(self, head, replace(self._recipe(head), rest.replace("__", "."), value))
        return self

    def _recipe(self, name: str) -> Any:
        """Return the recipe that a parameter is, or stands for."""
        value = getattr(self, name)
        if name == "early_stopping" and value in (True, None, False):
            return EarlyStopping()
        if name in _NAMED and isinstance(value, str) and value != "auto":
            return _NAMED[name](value)
        if not dataclasses.is_dataclass(value) or isinstance(value, type):
            raise SettingError(f"{type(self).__name__}: {name} is {value!r}, which has no settings of its own.")
        return value


def _inside(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the settings of a recipe, and of recipes in it, with their full names."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            inner = f"{name}__{field.name}"
            yield inner, getattr(value, field.name)
            yield from _inside(inner, getattr(value, field.name))
