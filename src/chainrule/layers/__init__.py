"""Layers: what networks are made of. A layer is a recipe; its values live in a `Model` or a training state."""

from chainrule.layers.average import Average, Rescale
from chainrule.layers.base import Layer
from chainrule.layers.containers import Concat, Residual, Sequential, mlp, split_output
from chainrule.layers.convolution import AvgPool2D, Conv2D, GlobalAvgPool2D, MaxPool2D
from chainrule.layers.dense import Dense, Maxout
from chainrule.layers.embedding import Embedding
from chainrule.layers.normalization import BatchNorm, Dropout, LayerNorm
from chainrule.layers.shaping import Activation, Flatten, Reshape

__all__ = [
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
    "split_output",
]
