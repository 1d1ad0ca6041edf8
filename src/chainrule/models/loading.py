"""Models from files. Loading never runs code, and draws no weights first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data import Standardizer, Target
from chainrule.data.limits import Limits
from chainrule.errors import ChainruleError, FileError, UnknownNameError
from chainrule.layers import Layer
from chainrule.models.inputs import Inputs
from chainrule.models.model import Model
from chainrule.models.saving import read_tensors, unflatten
from chainrule.tables.preprocessor import Preprocessor


def load_model(path: str | Path) -> Model:
    """Read a model that `Model.save` wrote.

    Raises
    ------
    FileError
        If the file is missing, damaged, or not a chainrule model.

    Example
    -------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> model = cr.Model(cr.mlp([4, 3, 2]), input_shape=(4,))
    >>> model.save("small.safetensors")
    >>> x = np.ones((1, 4))
    >>> bool((cr.load_model("small.safetensors").predict_proba(x) == model.predict_proba(x)).all())
    True
    """
    tensors, recipe = read_tensors(path)
    try:
        net = Layer.from_dict(recipe["net"])
        values = unflatten(tensors)
        inputs = _inputs(recipe, values)
        with np.errstate(over="raise"):  # numbers that the model's precision does not have
            return Model(
                net,
                tuple(recipe["input_shape"]),
                precision=recipe["precision"],
                params=values.get("params", {}),
                state=values.get("state", {}),
                inputs=inputs,
                target=Target(**_tuples(recipe["target"])),
            )
    except UnknownNameError as error:
        hint = "A class of your own must be imported before the file is loaded."
        raise UnknownNameError(f"{path}: {error} {hint}") from None
    except ChainruleError as error:
        raise FileError(f"{path} is damaged: {error}") from None
    except (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError) as error:
        raise FileError(f"{path} is not a complete chainrule model: {error!r}.") from None


def _inputs(recipe: Mapping[str, Any], values: Mapping[str, Any]) -> Inputs:
    """Return what the file says of the model's inputs."""
    prepared, names = recipe.get("preparation"), recipe["inputs"]["names"]
    return Inputs(
        tuple(recipe["input_shape"]),
        preparation=Preprocessor.from_parts(prepared, values.get("preparation", {})) if prepared else None,
        names=None if names is None else tuple(map(str, names)),
        limits=Limits.from_arrays(values["limits"]) if "limits" in values else None,
        byte_scale=int(recipe["inputs"]["byte_scale"]),
        standardizer=Standardizer.from_arrays(values["standardizer"]) if "standardizer" in values else None,
    )


def _tuples(plain: dict[str, Any]) -> dict[str, Any]:
    """Turn JSON's lists into the tuples they were."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()}
