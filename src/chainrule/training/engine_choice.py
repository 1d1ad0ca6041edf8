"""The engine of a run: what `auto` takes, and what an optax transformation needs."""

from __future__ import annotations

from chainrule.engine import Engine, choose
from chainrule.errors import SettingError
from chainrule.models import Model
from chainrule.optimizers import Optax
from chainrule.recipe.state import Recipe


def engine_for(
    model: Model,
    recipe: Recipe,
    engine: str = "auto",
    devices: str | int | None = None,
    *,
    steps: int,
    batch_size: int,
) -> Engine:
    """Return the engine of a name; "auto" takes the one that does so many steps of so many samples sooner.

    Raises `SettingError` for an optax transformation on NumPy: it runs on JAX only.
    """
    if isinstance(recipe.optimizer, Optax):
        if engine == "numpy":
            raise SettingError('An optax transformation runs on JAX only: use engine="jax".')
        engine = "jax"
    return choose(
        engine,
        devices=devices,
        precision="bfloat16" if recipe.compute else model.precision,
        steps=steps,
        work=lambda: model.work() * (3 * batch_size),
    )
