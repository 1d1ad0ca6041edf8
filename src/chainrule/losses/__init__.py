"""Losses: one number per sample for how wrong the network is (lectures 000, 003, 004).

Each is a recipe that is called with outputs a and targets y: ``cr.losses.Huber(2.0)(a, y)``, shape (batch,).
In training they are given by name (``"huber"``), as an object, or as a plain function. Which outputs of a
sample are summed and which averaged is stated for each, since the lectures differ:

======================  ============================  =============================
name                    over the outputs              output it belongs to
======================  ============================  =============================
squared_error           sum                           linear
quadratic               ½ sum                         linear (δ = a - y)
mean_squared_error      mean                          linear
mean_absolute_error     mean                          linear
huber                   mean                          linear
binary_cross_entropy    sum                           sigmoid (δ = a - y)
cross_entropy           sum                           softmax (δ = a - y)
hinge                   sum                           linear, tanh
======================  ============================  =============================
"""

from __future__ import annotations

from typing import Any

from chainrule.losses.base import FunctionLoss, Loss, check_costs, targets_like
from chainrule.losses.choose import auto, check_output, check_pair
from chainrule.losses.classification import BinaryCrossEntropy, CrossEntropy, Hinge
from chainrule.losses.regression import Huber, MeanAbsoluteError, MeanSquaredError, Quadratic, SquaredError
from chainrule.settings import find

__all__ = [
    "BinaryCrossEntropy",
    "CrossEntropy",
    "FunctionLoss",
    "Hinge",
    "Huber",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Quadratic",
    "SquaredError",
    "auto",
    "check_costs",
    "check_output",
    "check_pair",
    "get",
    "targets_like",
]

Loss.registry["mse"] = MeanSquaredError
Loss.registry["mae"] = MeanAbsoluteError


def get(loss: Any) -> Loss:
    """Return the loss that a user gave: a name, a recipe, or a plain function (a, y).

    >>> import chainrule as cr
    >>> cr.losses.get("huber")
    Huber()
    """
    return find(Loss, loss, function=FunctionLoss)
