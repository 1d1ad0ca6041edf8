"""What can be seen of a run without training it again: checks, looks, and the causes that they speak for.

>>> import chainrule as cr
>>> cr.symptoms.CAUSES["lr_high"].text
'the learning rate is too high'

Names are loaded when they are first used.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
