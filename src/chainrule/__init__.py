"""chainrule: neural networks trained with backpropagation that you can see.

>>> import chainrule as cr
>>> f = lambda x, y, z: (x + y) * (y - z)
>>> cr.value_and_grad(f, argnums=(0, 1, 2))(2.0, 1.0, 0.0)
(3.0, (1.0, 4.0, -3.0))

Names are loaded when they are first used, so importing the package costs little more than importing NumPy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: Where each public name lives; a module stands for itself.
_HOME = {
    "chainrule.backprop": ("grad", "value_and_grad", "primitive"),
    "chainrule.backprop.graph": ("trace",),
    "chainrule.backprop.check": ("check_gradient",),
    "chainrule.backprop.ops": ("stop_gradient",),
    "chainrule.engine.lowering": ("lowering",),
    "chainrule.layers": (
        "Activation",
        "Average",
        "AvgPool2D",
        "BatchNorm",
        "Concat",
        "Conv2D",
        "Dense",
        "Dropout",
        "Embedding",
        "Flatten",
        "GlobalAvgPool2D",
        "Layer",
        "LayerNorm",
        "MaxPool2D",
        "Maxout",
        "Rescale",
        "Reshape",
        "Residual",
        "Sequential",
        "mlp",
    ),
    "chainrule.optimizers": ("SGD", "AdaGrad", "Adam", "AdamW", "RMSProp"),
    "chainrule.models": ("Model", "Perceptron", "ensemble", "load_model"),
    "chainrule.training": ("Decision", "EarlyStopping", "Event", "History", "Run", "descend", "fit"),
    "chainrule.data": ("Dataset",),
    "chainrule.estimators": ("NetClassifier", "NetRegressor"),
    "chainrule.population": (
        "Comparison",
        "Crew",
        "CrossValidation",
        "Gain",
        "Member",
        "Population",
        "compare",
        "cross_validate",
        "ensemble_gain",
        "fit_population",
    ),
    "chainrule.tuning": ("Search", "choice", "integer", "log_uniform", "search", "uniform"),
    "chainrule.finders": ("find_batch_size", "find_l2", "find_lr"),
    "chainrule.tables.table": ("Table",),
    "chainrule.errors": ("ChainruleError",),
}
_MODULES = {
    "activations": "chainrule.activations",
    "augment": "chainrule.augment",
    "data": "chainrule.data",
    "distributed": "chainrule.training.distributed",
    "errors": "chainrule.errors",
    "export": "chainrule.export",
    "initializers": "chainrule.initializers",
    "layers": "chainrule.layers",
    "losses": "chainrule.losses",
    "networks": "chainrule.models.networks",
    "ops": "chainrule.backprop.ops",
    "optimizers": "chainrule.optimizers",
    "random": "chainrule.random",
    "report": "chainrule.report",
    "schedules": "chainrule.schedules",
    "testing": "chainrule.testing",
    "training": "chainrule.training",
    "tree": "chainrule.tree",
}
_NAMES = {name: home for home, names in _HOME.items() for name in names}

__all__ = [*sorted(_NAMES), *sorted(_MODULES)]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        found: Any = importlib.import_module(_MODULES[name])
    elif name in _NAMES:
        found = getattr(importlib.import_module(_NAMES[name]), name)
    else:
        from chainrule.errors import did_you_mean

        raise AttributeError(f"chainrule has no {name!r}{did_you_mean(name, __all__)}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


if TYPE_CHECKING:  # the same names, for type checkers and editors
    from chainrule import activations as activations
    from chainrule import augment as augment
    from chainrule import data as data
    from chainrule import errors as errors
    from chainrule import export as export
    from chainrule import initializers as initializers
    from chainrule import layers as layers
    from chainrule import losses as losses
    from chainrule import optimizers as optimizers
    from chainrule import random as random
    from chainrule import report as report
    from chainrule import schedules as schedules
    from chainrule import testing as testing
    from chainrule import training as training
    from chainrule import tree as tree
    from chainrule.backprop import grad as grad
    from chainrule.backprop import ops as ops
    from chainrule.backprop import primitive as primitive
    from chainrule.backprop import value_and_grad as value_and_grad
    from chainrule.backprop.check import check_gradient as check_gradient
    from chainrule.backprop.graph import trace as trace
    from chainrule.backprop.ops import stop_gradient as stop_gradient
    from chainrule.data import Dataset as Dataset
    from chainrule.engine.lowering import lowering as lowering
    from chainrule.errors import ChainruleError as ChainruleError
    from chainrule.estimators import NetClassifier as NetClassifier
    from chainrule.estimators import NetRegressor as NetRegressor
    from chainrule.finders import find_batch_size as find_batch_size
    from chainrule.finders import find_l2 as find_l2
    from chainrule.finders import find_lr as find_lr
    from chainrule.layers import Activation as Activation
    from chainrule.layers import Average as Average
    from chainrule.layers import AvgPool2D as AvgPool2D
    from chainrule.layers import BatchNorm as BatchNorm
    from chainrule.layers import Concat as Concat
    from chainrule.layers import Conv2D as Conv2D
    from chainrule.layers import Dense as Dense
    from chainrule.layers import Dropout as Dropout
    from chainrule.layers import Embedding as Embedding
    from chainrule.layers import Flatten as Flatten
    from chainrule.layers import GlobalAvgPool2D as GlobalAvgPool2D
    from chainrule.layers import Layer as Layer
    from chainrule.layers import LayerNorm as LayerNorm
    from chainrule.layers import Maxout as Maxout
    from chainrule.layers import MaxPool2D as MaxPool2D
    from chainrule.layers import Rescale as Rescale
    from chainrule.layers import Reshape as Reshape
    from chainrule.layers import Residual as Residual
    from chainrule.layers import Sequential as Sequential
    from chainrule.layers import mlp as mlp
    from chainrule.models import Model as Model
    from chainrule.models import Perceptron as Perceptron
    from chainrule.models import ensemble as ensemble
    from chainrule.models import load_model as load_model
    from chainrule.models import networks as networks
    from chainrule.optimizers import SGD as SGD
    from chainrule.optimizers import AdaGrad as AdaGrad
    from chainrule.optimizers import Adam as Adam
    from chainrule.optimizers import AdamW as AdamW
    from chainrule.optimizers import RMSProp as RMSProp
    from chainrule.population import Comparison as Comparison
    from chainrule.population import Crew as Crew
    from chainrule.population import CrossValidation as CrossValidation
    from chainrule.population import Gain as Gain
    from chainrule.population import Member as Member
    from chainrule.population import Population as Population
    from chainrule.population import compare as compare
    from chainrule.population import cross_validate as cross_validate
    from chainrule.population import ensemble_gain as ensemble_gain
    from chainrule.population import fit_population as fit_population
    from chainrule.tables.table import Table as Table
    from chainrule.training import Decision as Decision
    from chainrule.training import EarlyStopping as EarlyStopping
    from chainrule.training import Event as Event
    from chainrule.training import History as History
    from chainrule.training import Run as Run
    from chainrule.training import distributed as distributed
    from chainrule.training.descend import descend as descend
    from chainrule.training.fit import fit as fit
    from chainrule.tuning import Search as Search
    from chainrule.tuning import choice as choice
    from chainrule.tuning import integer as integer
    from chainrule.tuning import log_uniform as log_uniform
    from chainrule.tuning import search as search
    from chainrule.tuning import uniform as uniform
