"""Fitted transformers of scikit-learn as plain values and arrays, and back: no pickle, no code in files.

Only the classes and attributes named in `STORED` are written and read. Arrays of numbers stay arrays, so that they come
back to the last bit; everything else becomes JSON.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import DataError

__all__ = ["STORED", "from_parts", "to_parts"]

Array = NDArray[Any]

#: What each class has learned. Names with a leading underscore are scikit-learn's own business; they are needed by its
#: `transform`, and that they still fit is tried out when a preparation is read.
STORED: dict[str, tuple[str, tuple[str, ...]]] = {
    "SimpleImputer": (
        "sklearn.impute",
        ("statistics_", "indicator_", "n_features_in_", "_fit_dtype", "_fill_dtype"),
    ),
    "StandardScaler": (
        "sklearn.preprocessing",
        ("mean_", "var_", "scale_", "n_samples_seen_", "n_features_in_"),
    ),
    "RobustScaler": ("sklearn.preprocessing", ("center_", "scale_", "n_features_in_")),
    "MinMaxScaler": (
        "sklearn.preprocessing",
        ("min_", "scale_", "data_min_", "data_max_", "data_range_", "n_samples_seen_", "n_features_in_"),
    ),
    "QuantileTransformer": (
        "sklearn.preprocessing",
        ("n_quantiles_", "quantiles_", "references_", "n_features_in_"),
    ),
    "OneHotEncoder": (
        "sklearn.preprocessing",
        (
            "categories_",
            "drop_idx_",
            "n_features_in_",
            "_infrequent_enabled",
            "_infrequent_indices",
            "_default_to_infrequent_mappings",
            "_drop_idx_after_grouping",
            "_n_features_outs",
        ),
    ),
    "OrdinalEncoder": (
        "sklearn.preprocessing",
        (
            "categories_",
            "n_features_in_",
            "_infrequent_enabled",
            "_infrequent_indices",
            "_default_to_infrequent_mappings",
            "_missing_indices",
        ),
    ),
    "PCA": (
        "sklearn.decomposition",
        (
            "components_",
            "mean_",
            "explained_variance_",
            "explained_variance_ratio_",
            "singular_values_",
            "noise_variance_",
            "n_components_",
            "n_samples_",
            "n_features_in_",
            "_fit_svd_solver",
        ),
    ),
}


def to_parts(transformer: Any) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return a fitted transformer as plain values (for JSON) and arrays.

    >>> from sklearn.preprocessing import StandardScaler
    >>> plain, arrays = to_parts(StandardScaler().fit([[1.0], [3.0]]))
    >>> plain["class"], arrays["mean_"]
    ('StandardScaler', array([2.]))
    """
    name = type(transformer).__name__
    _, attributes = _stored(name)
    arrays: dict[str, Array] = {}
    settings = {k: _plain(v, f"setting_{k}", arrays) for k, v in sorted(transformer.get_params(deep=False).items())}
    learned = {a: _plain(getattr(transformer, a), a, arrays) for a in attributes if hasattr(transformer, a)}
    return {"class": name, "settings": settings, "learned": learned}, arrays


def from_parts(plain: Mapping[str, Any], arrays: Mapping[str, Array]) -> Any:
    """Return the transformer that `to_parts` described.

    Raises `DataError` for a class or an attribute that is not among `STORED`, and for parts that are missing or
    damaged.

    >>> from sklearn.preprocessing import MinMaxScaler
    >>> from_parts(*to_parts(MinMaxScaler().fit([[0.0], [4.0]]))).transform([[1.0]])
    array([[0.25]])
    """
    import importlib

    try:
        name, settings, learned = plain["class"], plain["settings"], plain["learned"]
        module, attributes = _stored(name)
        if not set(learned) <= set(attributes):
            raise DataError(f"A stored {name} has parts that it cannot have: {sorted(set(learned) - set(attributes))}.")
        transformer = getattr(importlib.import_module(module), name)(
            **{k: _back(v, arrays) for k, v in settings.items()}
        )
        for attribute, value in learned.items():
            setattr(transformer, attribute, _back(value, arrays))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"A stored transformer is incomplete or damaged: {error!r}.") from None
    return transformer


def _stored(name: Any) -> tuple[str, tuple[str, ...]]:
    if not isinstance(name, str) or name not in STORED:
        raise DataError(f"Transformers of the class {name!r} are not kept in files. Kept: {', '.join(STORED)}.")
    return STORED[name]


def _plain(value: Any, place: str, arrays: dict[str, Array]) -> Any:
    """Return a value for JSON; arrays of numbers go to ``arrays`` under the name of their place."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.dtype):
        return {"dtype": value.name}
    if isinstance(value, type) and issubclass(value, np.generic):
        return {"type": value.__name__}
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "O":
            return {"objects": [_plain(v, place, arrays) for v in value.tolist()]}
        arrays[place] = np.ascontiguousarray(value)  # as safetensors wants them
        return {"array": place}
    if isinstance(value, list | tuple):
        items = [_plain(v, f"{place}.{i}", arrays) for i, v in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    if isinstance(value, dict) and not value:
        return {"empty": True}
    raise DataError(f"A transformer's {place} cannot be kept in a file: {value!r} ({type(value).__name__}).")


def _back(value: Any, arrays: Mapping[str, Array]) -> Any:
    if isinstance(value, list):
        return [_back(v, arrays) for v in value]
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "array":
        return np.array(arrays[inner])
    if kind == "objects":
        objects = np.empty(len(inner), object)
        objects[:] = [_back(v, arrays) for v in inner]
        return objects
    if kind == "tuple":
        return tuple(_back(v, arrays) for v in inner)
    if kind == "float":
        return float(inner)
    if kind in ("dtype", "type"):
        dtype = np.dtype(inner)
        return dtype if kind == "dtype" else dtype.type
    if kind == "empty":
        return {}
    raise DataError(f"A stored transformer holds an unknown kind of value: {kind!r}.")
