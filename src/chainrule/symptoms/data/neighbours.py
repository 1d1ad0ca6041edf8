"""Whether neighbouring pixels of images are alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.layers import Conv2D, Layer
from chainrule.models import Model
from chainrule.symptoms.data.examined import examined
from chainrule.symptoms.evidence import Evidence, Finding
from chainrule.symptoms.subject import Subject, sample_rows

__all__ = ["neighbours"]

Array = NDArray[Any]

#: Correlation of neighbours beyond that of pixels drawn at random, below which an order means nothing; and deviations
#: of random orders.
ALIKE, CHANCE = 0.1, 3.0

#: The correlation of a pixel with the one that is most like it, on average: with less there is nothing to scramble.
LIKENESS = 0.4

#: Rows, pixels and random orders that are looked at; and rows and pixels below which nothing is said.
ROWS, PIXELS, ORDERS, FEWEST, FEWEST_PIXELS = 1000, 1024, 200, 30, 30


def neighbours(subject: Subject) -> Iterator[Finding]:
    """Find images whose pixels are out of their places.

    Statistic: mean correlation, over images, of pixels beside and below each other, minus that of all pairs; pixels
    that never change (blank borders) are left out. Asked of images (height, width, channels) that a convolution sees:
    others do not know neighbours.

    Null: 200 random orders of the pixels give mean and deviation. Alarm where neighbours are no more alike than .1 and
    3 of these deviations, **though** each pixel has another somewhere that it is like (mean of the largest correlations
    ≥ .4, and twice what noise has): images of noise have no places either.

    Source: Zhang et al. (2017), understanding deep learning requires rethinking
    generalization (shuffled pixels).
    """
    data = examined(subject)
    if len(data.shape) != 3 or len(data) < FEWEST or not _convolves(subject.net):
        return
    height, width, channels = data.shape
    rows = sample_rows(len(data), ROWS)
    x = data.x[rows].reshape(len(rows), height, width, channels).mean(axis=3)
    step = int(np.ceil(np.sqrt(height * width / PIXELS)))
    if step > 1:  # a window in the middle keeps neighbours side by side
        top, left = (height - height // step) // 2, (width - width // step) // 2
        x = x[:, top : top + height // step, left : left + width // step]
    _, height, width = x.shape
    flat = x.reshape(len(x), -1)
    spread = flat.std(axis=0)
    varying = spread > 1e-6 * max(float(spread.max()), 1e-300)
    if varying.sum() < FEWEST_PIXELS:
        return
    z = (flat[:, varying] - flat[:, varying].mean(axis=0)) / spread[varying]
    correlation = z.T @ z / len(z)
    pixels = int(varying.sum())
    place = np.full(height * width, -1)
    place[varying] = np.arange(pixels)
    grid = place.reshape(height, width)
    pairs = np.concatenate(
        [np.stack([grid[:-1].ravel(), grid[1:].ravel()]), np.stack([grid[:, :-1].ravel(), grid[:, 1:].ravel()])], axis=1
    )
    pairs = pairs[:, (pairs >= 0).all(axis=0)]
    if pairs.shape[1] < FEWEST_PIXELS:
        return
    others = (correlation.sum() - pixels) / (pixels * (pixels - 1))
    alike = float(correlation[pairs[0], pairs[1]].mean() - others)
    random = np.random.default_rng(0)
    by_chance = []
    for _ in range(ORDERS):
        order = random.permutation(pixels)
        by_chance.append(correlation[order[pairs[0]], order[pairs[1]]].mean() - others)
    deviations = alike / (float(np.std(by_chance)) + 1e-12)
    np.fill_diagonal(correlation, -1.0)
    likeness = float(correlation.max(axis=1).mean())
    noise = float(np.sqrt(2 * np.log(pixels) / len(z)))  # the largest of so many correlations of noise
    evidence = (
        Evidence("correlation of neighbouring pixels beyond that of others", alike, ALIKE, 1.0),
        Evidence("deviations of random orders", deviations, CHANCE, None),
        Evidence("correlation with the pixel that is most alike", likeness),
    )
    if alike < ALIKE and deviations < CHANCE and likeness > max(LIKENESS, 2 * noise):
        text = (
            f"Neighbouring pixels are no more alike than any two ({alike:+.2f}, {deviations:.1f} deviations of random "
            f"orders), though each is like another somewhere ({likeness:.2f}): the pixels are out of their places, and "
            "a convolution finds nothing to see."
        )
        yield Finding("neighbours", "alarm", text, "inputs", evidence, ("scrambled_pixels",))
    elif alike >= ALIKE:
        text = f"Neighbouring pixels are alike: their correlation is {alike:.2f} above that of others."
        yield Finding("neighbours", "note", text, "", evidence, (), ("scrambled_pixels",))


def _convolves(net: Layer | Model) -> bool:
    """Return whether a layer looks at neighbours."""
    layer = net.net if isinstance(net, Model) else net
    if isinstance(layer, Conv2D):
        return True
    return any(_convolves(each) for each in getattr(layer, "layers", ()))
