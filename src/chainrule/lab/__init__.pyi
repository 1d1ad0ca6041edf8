from .activations import activations as activations
from .anatomy import anatomy as anatomy
from .backprop import backprop as backprop
from .descent import descent as descent
from .initialization import initialization as initialization
from .optimizers import optimizers as optimizers
from .slow import slow as slow

QUESTIONS: dict[str, str]
