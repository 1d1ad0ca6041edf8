from .activations import activations as activations
from .anatomy import anatomy as anatomy
from .backprop import backprop as backprop
from .boundary import boundary as boundary
from .capacity import capacity as capacity
from .descent import descent as descent
from .gates import gates as gates
from .initialization import initialization as initialization
from .landscape import landscape as landscape
from .normalize import normalize as normalize
from .optimizers import optimizers as optimizers
from .perceptron import perceptron as perceptron
from .regularize import regularize as regularize
from .slow import slow as slow

QUESTIONS: dict[str, str]
