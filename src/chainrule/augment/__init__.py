"""Data augmentation: training samples changed at random, anew in every epoch (lecture 003, against overfitting).

A network that has seen a digit shifted, turned and distorted is not surprised by the next hand. The training step
applies augmentations to its batch, inside the compiled program, and to nothing else: validation, test and predictions
see the samples as they are. ``fit(augment="shift:2,rotation:10")`` names them with their strengths, objects
(``cr.augment.Rotation(10)``) and functions (x, key) -> x do too, several in a list or tuple.

================  ==================================  =========================================
name              strength (default)                  what changes
================  ==================================  =========================================
shift             pixels (2)                          place (also ``translation``)
crop              pixels of padding (4)               place
rotation          degrees (10)                        angle
zoom              fraction (0.1)                      size (also ``scaling``)
shear             degrees (10)                        slant
elastic           pixels (1), smoothness in them (4)  form (Simard et al., 2003)
horizontal_flip   probability (0.5)                   left and right (also ``flip``)
vertical_flip     probability (0.5)                   top and bottom
brightness        deviations (0.2)                    all pixels (also ``intensity``)
contrast          fraction (0.2)                      distance to the image's mean
blur              σ in pixels (1)                     sharpness
cutout            pixels (8)                          a square is hidden (DeVries & Taylor, 2017)
noise             deviations (0.1)                    every number, of tables too
mixup             α (0.2)                             two samples and their targets (Zhang et al., 2018)
swap              probability (0.1)                   features of tables, taken from other rows
================  ==================================  =========================================

Each strength is the most that is drawn; 0 changes nothing. Augmentation works on what the network gets, that is after
`fit` has standardized it, and nothing here depends on what 0 means there: what comes in from outside an image is its
edge repeated (or mirrored), what is hidden gets the image's mean. A "deviation" is that of the training data.

>>> import chainrule as cr
>>> digits = cr.data.load("digits")
>>> net = cr.Sequential(cr.Flatten(), cr.Dense(30, "relu"), cr.Dense(10, "softmax"))
>>> run = cr.fit(net, digits, epochs=15, validation=0.2, augment="rotation:5,zoom:0.05", progress=False)
>>> run.history["val_accuracy"][-1] > 0.9
True
"""

from __future__ import annotations

from chainrule.augment.base import Augmentation, Blend, FunctionAugmentation
from chainrule.augment.compose import Compose
from chainrule.augment.mixing import Mixup, Swap
from chainrule.augment.parse import get, names
from chainrule.augment.pixels import Blur, Brightness, Contrast, Cutout, Noise
from chainrule.augment.preview import preview
from chainrule.augment.warps import (
    Crop,
    Elastic,
    HorizontalFlip,
    Rotation,
    Shear,
    Shift,
    VerticalFlip,
    Warp,
    Zoom,
)

__all__ = [
    "Augmentation",
    "Blend",
    "Blur",
    "Brightness",
    "Compose",
    "Contrast",
    "Crop",
    "Cutout",
    "Elastic",
    "FunctionAugmentation",
    "HorizontalFlip",
    "Mixup",
    "Noise",
    "Rotation",
    "Shear",
    "Shift",
    "Swap",
    "VerticalFlip",
    "Warp",
    "Zoom",
    "get",
    "names",
    "preview",
]

Augmentation.registry |= {
    "flip": HorizontalFlip,
    "intensity": Brightness,
    "rotate": Rotation,
    "scaling": Zoom,
    "translation": Shift,
}
