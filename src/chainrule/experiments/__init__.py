"""What a command does, as functions that return objects and tell a `Listener` what happens meanwhile.

>>> import chainrule as cr
>>> trained = cr.train("iris", epochs=20)
>>> cr.experiments.evaluate(trained, "iris").samples
30

Names are loaded when they are first used: ``chainrule --help`` needs none of them.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
