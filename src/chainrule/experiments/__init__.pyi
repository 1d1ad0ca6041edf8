# The public names of the room, read by `lazy_loader` and by type checkers.

from . import presets as presets
from .commands import evaluate as evaluate
from .commands import load_data as load_data
from .commands import predict as predict
from .commands import search as search
from .commands import train as train
from .diagnosis import diagnose as diagnose
from .folds import TrainedFolds as TrainedFolds
from .guide import guide as guide
from .listener import Listener as Listener
from .plan import Plan as Plan
from .result import Trained as Trained
from .search_run import Searched as Searched
from .seeds import TrainedSeeds as TrainedSeeds
from .settings import ExperimentSettings as ExperimentSettings
