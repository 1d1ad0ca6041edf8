"""Recipes: frozen dataclasses of settings, with their continuous settings taken out and put back.

A layer, activation, initializer, loss, optimizer or schedule is a *recipe*: a frozen, hashable dataclass
without arrays. Its **continuous** settings (fields annotated with ``float`` that hold a number: a learning
rate, a dropout rate, a slope) are *values*: `values` takes them out as a plain tree, `with_values` puts a
tree (of numbers, of traced values, of one number per member of a population) back. What is left,
`structure`, is the key under which a compiled program is kept, so changing a learning rate never recompiles.

A continuous setting is addressed by its dotted path, such as ``optimizer.lr`` or ``net.layers.3.rate``.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeVar

from chainrule.checks import check_name
from chainrule.errors import SettingError, did_you_mean, unknown_name
from chainrule.keywords import check_keywords, unknown_keywords

__all__ = [
    "PlainSettings",
    "Settings",
    "arguments_of",
    "find",
    "paths",
    "plain",
    "replace",
    "structure",
    "type_at",
    "values",
    "with_values",
]

VALUE = "<value>"  # stands in a structure where a continuous setting was taken out

T = TypeVar("T", bound="Settings")
R = TypeVar("R")  # a recipe: any dataclass of settings


def plain(value: Any) -> Any:
    """Return a setting as a number, text or truth value of Python, where it is one of NumPy (in tuples and dicts, too).

    >>> import numpy as np
    >>> from chainrule.settings import plain
    >>> plain(np.int64(3)), plain((np.float32(0.5), "same"))
    (3, (0.5, 'same'))
    """
    if type(value) is tuple:
        return tuple(map(plain, value))
    if type(value) is dict:
        return {key: plain(item) for key, item in value.items()}
    if value is None or type(value) in (bool, int, float, str):
        return value
    import numpy as np  # only here: `chainrule --help` reads the settings of a run, and shall not wait for NumPy

    if isinstance(value, np.longdouble):
        return float(value)
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    return value


class PlainSettings(type):
    """The type of classes whose settings are made `plain` before an object is made of them.

    So ``Dense(y.max() + 1)`` and a grid over ``np.arange(1, 5)`` are as good as Python's own numbers: they pass the
    same checks, and can be written to a file. Settings by other libraries' names are errors that say ours.
    """

    @property
    def __signature__(cls) -> inspect.Signature:
        """That of ``__init__``, as ``help`` and editors show it."""
        signature = inspect.signature(cls.__init__)  # type: ignore[misc]
        return signature.replace(parameters=list(signature.parameters.values())[1:])

    def __call__(cls, *args: Any, **settings: Any) -> Any:
        if (args or settings) and "__dataclass_fields__" not in vars(cls):
            _check_is_dataclass(cls)
        check_keywords(cls.__name__, cls, settings)
        try:
            return super().__call__(*map(plain, args), **{name: plain(value) for name, value in settings.items()})
        except dataclasses.FrozenInstanceError:
            raise _as_fields(cls) from None


def _check_is_dataclass(cls: type) -> None:
    """Raise `SettingError` for a class with settings that are no fields: they would not be looked at."""
    fields = [name for name, kind in inspect.get_annotations(cls).items() if "ClassVar" not in str(kind)]
    if "__init__" in vars(cls) or fields:
        raise _as_fields(cls)


def _as_fields(cls: type) -> SettingError:
    return SettingError(_AS_FIELDS.format(cls.__name__, cls.__mro__[1].__name__))


#: How settings are declared, for a class and its base.
_AS_FIELDS = (
    "The settings of {0} are the fields of a frozen dataclass, so that equal ones are one program and can be saved. "
    "They are not set in __init__; write them above the methods:\n"
    "    @dataclass(frozen=True)\n    class {0}(cr.{1}):\n        rate: float = 0.5\n"
    "What __init__ would check goes into __post_init__(self)."
)


class Settings(metaclass=PlainSettings):
    """Base of every recipe. A direct subclass founds a *family*; its subclasses register under a name.

    The name is the class name in lower case with underscores, or what ``class ReLU(Activation,
    name="relu")`` says. Names resolve through `find`; files hold names, never code.
    """

    family: ClassVar[str]
    name: ClassVar[str]
    registry: ClassVar[dict[str, type[Settings]]]

    def __init_subclass__(cls, *, family: str | None = None, name: str | None = None) -> None:
        super().__init_subclass__()
        if family is not None:
            cls.family, cls.registry = family, {}
            return
        if cls.__name__.startswith("_"):
            return
        # dataclass leaves a __repr__ alone that the class has: ours is short and can be typed in again.
        cls.__repr__ = cls.__repr__  # type: ignore[method-assign]
        cls.name = name or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()
        taken = cls.registry.get(cls.name)
        if taken is not None and is_ours(taken) and not is_ours(cls):
            raise SettingError(
                f"The {cls.family} {cls.name!r} exists already, and files name it: call the class otherwise, or write "
                f'class {cls.__name__}({cls.__mro__[1].__name__}, name="my_{cls.name}").'
            )
        cls.registry[cls.name] = cls

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(arguments_of(self, repr))})"

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain dicts, lists, numbers and strings, ready for JSON or TOML."""
        return {"type": self.name} | {f.name: _plain(getattr(self, f.name)) for f in _fields(self)}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Self:
        """Return the recipe that `to_dict` described. Unknown types and settings are errors that name them."""
        rest = dict(plain)
        kind = rest.pop("type", None)
        if kind not in cls.registry:
            raise unknown_name(cls.family, kind, cls.registry)
        recipe = cls.registry[kind]
        known = {f.name: f for f in dataclasses.fields(recipe)}  # type: ignore[arg-type]
        if unknown := [key for key in rest if key not in known]:
            raise unknown_keywords(f"{cls.family} {kind!r}", unknown, known)
        for key, field in known.items():
            if key not in rest and field.default is field.default_factory is dataclasses.MISSING:
                raise SettingError(f"{cls.family} {kind!r} needs a value for {key!r}.")
        return recipe(**{k: _from_plain(v) for k, v in rest.items()})  # type: ignore[return-value]


def find(family: type[T], value: Any, *, function: Callable[[Any], T] | None = None) -> T:
    """Resolve what a user gave, a name or an object, to a recipe of ``family``.

    Parameters
    ----------
    family
        `Layer`, `Activation`, `Initializer`, `Loss`, `Optimizer` or `Schedule`.
    value
        A registered name, a recipe, or (where ``function`` is given) a plain function.
    function
        Turns a plain function into a recipe.
    """
    if isinstance(value, family):
        return value
    if isinstance(value, str):
        key = value.strip().lower().replace("-", "_").replace(" ", "_")
        if key in family.registry:
            try:
                return family.registry[key]()  # type: ignore[return-value]
            except TypeError as missing:
                cls = family.registry[key]
                raise SettingError(
                    f"The {family.family} {key!r} has settings without a default: write "
                    f"cr.{cls.__name__}(...) instead of the name ({missing})."
                ) from None
        raise unknown_name(family.family, value, family.registry)
    if isinstance(value, type) and issubclass(value, family):
        raise SettingError(f"Got the class {value.__name__}; call it: {value.__name__}().")
    if function is not None and callable(value):
        return function(value)
    raise SettingError(
        f"Expected a name or an object for the {family.family}, got {value!r} "
        f"({type(value).__name__}). Known names: {', '.join(sorted(family.registry))}."
    )


def check_number(
    owner: str,
    name: str,
    value: Any,
    low: float,
    high: float = float("inf"),
    *,
    open_low: bool = False,
    infinite: bool = False,
) -> None:
    """Raise `SettingError` unless ``value`` is a number in [low, high] (or (low, high] with ``open_low``).

    Infinity passes with ``infinite`` only. Values that stand in for a number (a traced value, an array over members)
    pass.
    """
    value = plain(value)
    if isinstance(value, bool) or (isinstance(value, str) and value != VALUE):
        raise SettingError(f"{owner}: {name} must be a number, got {value!r}.")
    if not isinstance(value, int | float):
        return
    if not (low < value if open_low else low <= value) or not value <= high or (math.isinf(value) and not infinite):
        bounds = f"{'above' if open_low else 'at least'} {low:g}"
        bounds += f" and at most {high:g}" if high != float("inf") else " and finite" if value == high else ""
        raise SettingError(f"{owner}: {name} must be {bounds}, got {value!r}.")


def values(recipe: Any) -> dict[str, Any]:
    """Return the continuous settings of a recipe as a tree of floats, by field name.

    >>> import chainrule as cr
    >>> from chainrule.settings import values
    >>> values(cr.Adam(lr=0.01))
    {'lr': 0.01, 'beta1': 0.9, 'beta2': 0.999, 'eps': 1e-08}
    """
    tree: dict[str, Any] = {}
    for name, value, continuous in _settings(recipe):
        if continuous:
            tree[name] = float(value)
        elif _is_nested(value) and (inner := values(value)):
            tree[name] = inner
    return tree


def with_values(recipe: R, tree: dict[str, Any]) -> R:
    """Return the recipe with the continuous settings in ``tree`` put in; the inverse of `values`."""
    if isinstance(recipe, tuple):
        items = enumerate(recipe)
        return tuple(with_values(r, tree[str(i)]) if str(i) in tree else r for i, r in items)  # type: ignore[return-value]
    changes = {
        key: with_values(getattr(recipe, key), value) if isinstance(value, dict) else value
        for key, value in tree.items()
    }
    return _with(recipe, changes)


def structure(recipe: R) -> R:
    """Return the recipe with every continuous setting replaced by a mark: hashable, equal for equal programs."""
    if isinstance(recipe, tuple):
        return tuple(structure(r) if _is_nested(r) else r for r in recipe)  # type: ignore[return-value]
    changes: dict[str, Any] = {}
    for name, value, continuous in _settings(recipe):
        if continuous:
            changes[name] = VALUE
        elif _is_nested(value):
            changes[name] = structure(value)
    return _with(recipe, changes)


def replace(recipe: R, path: str, value: Any) -> R:
    """Return the recipe with the setting at a dotted path replaced.

    >>> import chainrule as cr
    >>> from chainrule.settings import replace
    >>> replace(cr.SGD(lr=cr.schedules.Cosine(0.1)), "lr.lr", 0.5).lr.lr
    0.5
    """
    head, _, rest = path.partition(".")
    names = [name for name, _, _ in _settings(recipe)]
    if head not in names:
        raise SettingError(f"{_owner(recipe)} has no setting {head!r}{did_you_mean(head, names)}")
    if isinstance(recipe, tuple):
        at = int(head)
        new = replace(recipe[at], rest, value) if rest else value
        return (*recipe[:at], new, *recipe[at + 1 :])  # type: ignore[return-value]
    old = getattr(recipe, head)
    if rest and not _is_nested(old):
        raise SettingError(f"{_owner(recipe)}: {head!r} is {old!r} and has no setting {rest!r}.")
    new = replace(old, rest, value) if rest else value
    return dataclasses.replace(recipe, **{head: new})  # type: ignore[type-var]


def paths(recipe: Any, path: str) -> list[str]:
    """Return the dotted paths to the settings of a recipe and of those in it; ``path`` leads to the recipe.

    >>> import chainrule as cr
    >>> from chainrule.settings import paths
    >>> paths(cr.schedules.Constant(0.1), "optimizer.lr")
    ['optimizer.lr.lr']
    """
    if isinstance(recipe, tuple):
        return [deeper for i, item in enumerate(recipe) for deeper in paths(item, f"{path}.{i}")]
    if not isinstance(recipe, Settings):
        return []
    names = [field.name for field in _fields(recipe)]
    return [f"{path}.{name}" for name in names] + [
        deeper for name in names for deeper in paths(getattr(recipe, name), f"{path}.{name}")
    ]


def type_at(recipe: Any, path: str) -> str | None:
    """Return the type of the setting at a dotted path, as its annotation; None where there is no such setting.

    >>> import chainrule as cr
    >>> from chainrule.settings import type_at
    >>> type_at(cr.Sequential(cr.Dense(3)), "layers.0.units")
    'int'
    """
    step, _, rest = path.partition(".")
    if isinstance(recipe, tuple | list):
        return type_at(recipe[int(step)], rest) if step.isdigit() and int(step) < len(recipe) else None
    if not dataclasses.is_dataclass(recipe) or isinstance(recipe, type):
        return None
    field = {field.name: field for field in _fields(recipe)}.get(step)
    if field is None:
        return None
    return type_at(getattr(recipe, step), rest) if rest else str(field.type)


def arguments_of(value: Any, write: Callable[[Any], str], *, by_name: bool = False) -> list[str]:
    """Return the arguments of the call that makes a dataclass: those in their place by value, others by name, defaults
    left out; ``by_name``: all by name.

    >>> from chainrule.layers import Dense
    >>> from chainrule.settings import arguments_of
    >>> arguments_of(Dense(8, bias=False), repr)
    ['8', 'bias=False']
    """
    arguments: list[str] = []
    in_place = not by_name  # until a setting is left out or can only be given by its name
    for field in sorted(_fields(value), key=lambda field: bool(field.kw_only)):
        setting, default = getattr(value, field.name), field.default
        left_out = default is not dataclasses.MISSING and type(setting) is type(default) and setting == default
        in_place = in_place and not field.kw_only and not left_out
        if not left_out:
            arguments.append(write(setting) if in_place else f"{field.name}={write(setting)}")
    return arguments


def _fields(recipe: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(recipe)


def _settings(recipe: Any) -> list[tuple[str, Any, bool]]:
    """(name, value, is it continuous) of each setting; the items of a tuple count as settings."""
    if isinstance(recipe, tuple):
        return [(str(i), item, False) for i, item in enumerate(recipe)]
    return [(f.name, value := getattr(recipe, f.name), _is_continuous(f, value)) for f in _fields(recipe)]


def is_ours(cls: type) -> bool:
    """Return whether a class is of this package, and not a user's own."""
    return cls.__module__.split(".")[0] == "chainrule"


def _with(recipe: Any, changes: dict[str, Any]) -> Any:
    """Return a copy of a recipe with settings replaced by what stands for their values: nothing is validated again."""
    new = object.__new__(type(recipe))
    for field in _fields(recipe):
        object.__setattr__(new, field.name, changes.get(field.name, getattr(recipe, field.name)))
    return new


def _is_continuous(field: dataclasses.Field[Any], value: Any) -> bool:
    return "float" in str(field.type) and isinstance(value, int | float) and not isinstance(value, bool)


def _is_nested(value: Any) -> bool:
    if isinstance(value, tuple):
        return any(_is_nested(v) for v in value)
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _owner(recipe: Any) -> str:
    return "The tuple" if isinstance(recipe, tuple) else type(recipe).__name__


def _plain(value: Any) -> Any:
    if isinstance(value, Settings):
        return {"family": value.family} | value.to_dict()
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise SettingError(
        f"{value!r} cannot be written to a file: only numbers, strings and recipes can. "
        "Turn a function into a frozen dataclass of its own (a subclass of cr.Layer, for example)."
    )


def _from_plain(value: Any) -> Any:
    if isinstance(value, dict):
        rest = dict(value)
        family = rest.pop("family", None)
        families = {cls.family: cls for cls in Settings.__subclasses__()}
        check_name("family of settings", family, families)
        return families[family].from_dict(rest)
    if isinstance(value, list):
        return tuple(_from_plain(v) for v in value)
    return value
