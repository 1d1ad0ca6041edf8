"""chainrule: neural networks trained with backpropagation that you can see.

>>> import chainrule as cr
>>> f = lambda x, y, z: (x + y) * (y - z)
>>> cr.value_and_grad(f, argnums=(0, 1, 2))(2.0, 1.0, 0.0)
(3.0, (1.0, 4.0, -3.0))

Names are loaded when they are first used, so importing the package costs little more than importing NumPy. Which names
there are, and where each lives, stands once: in ``__init__.pyi``, which type checkers and editors read, too.
"""

from __future__ import annotations

from typing import Any

import lazy_loader

__version__ = "0.1.0"

_load, _names, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        from chainrule.errors import did_you_mean

        raise AttributeError(f"chainrule has no {name!r}{did_you_mean(name, __all__)}")
    return _load(name)


def __dir__() -> list[str]:
    return [*_names(), "__version__"]
