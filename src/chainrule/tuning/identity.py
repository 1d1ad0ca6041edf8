"""Data and settings as text that is the same in another process: what tells one experiment from another."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np

from chainrule.data import Dataset
from chainrule.models import Model
from chainrule.recipe.run_data import pair_of
from chainrule.settings import Settings
from chainrule.tables.table import Table
from chainrule.training.fingerprint import fingerprint
from chainrule.tree import leaves_with_path


def identity_of_data(data: Any) -> dict[str, str]:
    """Return what tells data from other data, as text for each part."""
    if isinstance(data, Table):
        from pandas.util import hash_pandas_object

        rows = hash_pandas_object(data.head, index=False).to_numpy()
        columns = {
            "target": data.target,
            "columns": stable_text({str(name): kind for name, kind in data.columns.items()}),
        }
        return fingerprint(table=rows) | columns | {"task": stable_text(data.task)}
    if isinstance(data, Dataset) and data.validation is not None:
        x, y = data.train
        held_out = {"validation x": data.x_validation, "validation y": data.y_validation}
        return fingerprint(x=x, y=y, **held_out)
    x, y = pair_of(data)
    return fingerprint(x=x, y=y)


def stable_text(value: Any) -> str:
    """Return a setting as text that is the same in another process."""
    if isinstance(value, Model):
        weights = {".".join(path): leaf for path, leaf in leaves_with_path(value.params)}
        hashes = " ".join(text.split()[-1] for text in fingerprint(**weights).values())
        return f"{value.net!r}, weights {hashes}"
    if callable(value) and not isinstance(value, Settings):
        try:
            code = np.frombuffer(inspect.getsource(value).encode(), np.uint8)
        except (OSError, TypeError):
            return getattr(value, "__qualname__", type(value).__qualname__)
        return f"{getattr(value, '__qualname__', 'a function')}, {fingerprint(code=code)['data: code'].split()[-1]}"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))
