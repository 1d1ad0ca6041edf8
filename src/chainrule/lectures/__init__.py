"""Networks and methods as the lectures have them: gates, the perceptron, plain gradient descent."""

from chainrule.lectures import networks
from chainrule.lectures.descend import Descent, descend
from chainrule.lectures.perceptron import Perceptron

__all__ = ["Descent", "Perceptron", "descend", "networks"]
