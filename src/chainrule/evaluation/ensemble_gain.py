"""What an ensemble gains over its members, and whether that is more than the luck of the samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import check_name
from chainrule.display.text import Text
from chainrule.errors import DataError
from chainrule.metrics import columns_of, find
from chainrule.models.averaging import averaged, usable
from chainrule.models.predictions import Predictions
from chainrule.statistics import LEVEL, Summary, check_confidence, format_to_uncertainty, percent, summary

Array = NDArray[Any]

#: Resamples for an interval. Its ends are then known to about a fiftieth of its half width.
RESAMPLES = 5000

#: Numbers drawn at once (int32: 16 MB).
DRAWN = 2**22


@dataclass(frozen=True)
class EnsembleGain:
    """What an ensemble gains over its members; ``print`` it.

    Attributes
    ----------
    metric : "accuracy", "loss" or "mae"
    ensemble : its value for the ensemble
    members : the `Summary` of the members' values
    mean_member : the mean of the members' values
    gain : by how much the ensemble is better than the mean member (also where smaller values are better)
    low, high : the interval of the gain
    samples : how many samples were evaluated
    confidence : of the interval

    >>> from chainrule.evaluation.ensemble_gain import EnsembleGain
    >>> from chainrule.statistics import summary
    >>> print(EnsembleGain("accuracy", 0.95, summary([0.93, 0.92]), 0.925, 0.025, 0.01, 0.04, 500))
    accuracy 0.950 of the ensemble of 2, 0.925 of its mean member
    ...
    """

    metric: str
    ensemble: float
    members: Summary
    mean_member: float
    gain: float
    low: float
    high: float
    samples: int
    confidence: float = LEVEL

    @property
    def evident(self) -> bool:
        """Whether there is evidence of a gain: the whole interval is above 0."""
        return self.low > 0

    def summary(self) -> Text:
        """Return the gain with its interval, to print."""
        return Text(self)

    def __str__(self) -> str:
        scale = (self.high - self.low) / 2
        together, mean, gain, low, high = format_to_uncertainty(
            self.ensemble, self.mean_member, self.gain, self.low, self.high, scale=scale
        )
        if self.evident:
            conclusion = "the ensemble is better"
        elif self.high < 0:
            conclusion = "the ensemble is worse"
        else:
            conclusion = "no evidence of a gain"
        interval = f"{percent(self.confidence)}: {low} to {high}, {self.samples:,} samples"
        return (
            f"{self.metric} {together} of the ensemble of {len(self.members.values)}, {mean} of its mean member\n"
            f"gain {gain} ({interval}): {conclusion}"
        )


def ensemble_gain(
    members: Iterable[Any],
    x: Any,
    y: Any,
    metric: str | None = None,
    confidence: float = LEVEL,
    seed: int = 0,
) -> EnsembleGain:
    """Measure by how much the average of several models is better than they are on their own, with an interval.

    Sample i has the metric eᵢ for the ensemble and sₘᵢ for member m, of M. Its difference is dᵢ = eᵢ − 1/M Σₘ sₘᵢ (its
    negative where smaller is better), and the gain is the mean of the dᵢ. The interval is a paired bootstrap: the
    samples are drawn anew with replacement, as many as there are, each with what the ensemble *and* all members make of
    it; the gains of 5,000 such draws have the interval between their (1 ∓ confidence)/2 quantiles.

    The interval is about samples: what these very members would gain on other data of the same kind. How much members
    from other seeds would gain it does not say.

    Parameters
    ----------
    members
        Trained models or runs, as `chainrule.ensemble` takes them.
    x, y
        Samples that no member was trained on, and their targets.
    metric
        "accuracy" ("mae", the mean absolute error, for regression), or "loss", the cost that fits the outputs. None:
        the first.
    confidence
        The fraction of such intervals that hold the true gain.
    seed
        Of the draws.

    Raises
    ------
    ChainruleError
        The members make no ensemble; x and y do not fit them or each other; there is no such metric.

    Example
    -------
    >>> import chainrule as cr
    >>> from chainrule.evaluation.ensemble_gain import ensemble_gain
    >>> iris = cr.data.load("iris")
    >>> nets = [cr.fit(cr.mlp([4, 3, 3]), iris, epochs=5, seed=seed, progress=False) for seed in range(4)]
    >>> gain = ensemble_gain(nets, iris.x, iris.y, metric="loss")  # on new data, in earnest
    >>> gain.gain > 0, gain.samples, len(gain.members.values)
    (True, 150, 4)

    Source: Efron and Tibshirani, "An introduction to the bootstrap" (1993), chapter 13 (the percentile interval);
    lecture 003 for ensembles.
    """
    check_confidence(confidence)
    models = usable(members)
    together = averaged(models)
    metric = _checked(metric, together.target.task)
    target = together.encode(y)

    def scores(outputs: Array) -> Array:
        predictions = Predictions.of_outputs(together, outputs, target)
        return predictions.loss if metric == "loss" else predictions.score.astype(np.float64)

    each, total = [], np.zeros(())
    for _, model in models:
        outputs = model.predict_proba(x)
        if len(outputs) != len(target):
            raise DataError(f"x has {len(outputs):,} samples and y {len(target):,}; there is one target per sample.")
        each.append(scores(outputs))
        total = total + outputs.astype(np.float64)
    ensemble = scores(total / len(models))
    mean_member = np.mean(each, axis=0)
    difference = find(metric).improvement(mean_member, ensemble)
    edges = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.quantile(resampled_means(difference, RESAMPLES, np.random.default_rng(seed)), edges)
    return EnsembleGain(
        metric=metric,
        ensemble=float(ensemble.mean()),
        members=summary([values.mean() for values in each], confidence),
        mean_member=float(mean_member.mean()),
        gain=float(difference.mean()),
        low=float(low),
        high=float(high),
        samples=len(difference),
        confidence=confidence,
    )


def _checked(metric: str | None, task: str) -> str:
    measured = columns_of(task, [""])
    if metric is not None:
        check_name(f"metric of {task}", metric, measured)
    return metric or measured[0]


def resampled_means(values: Array, resamples: int, rng: np.random.Generator) -> Array:
    """Return the means of so many draws, each of as many values as there are, with replacement.

    >>> import numpy as np
    >>> means = resampled_means(np.array([0.0, 1.0]), 1000, np.random.default_rng(0))
    >>> sorted(set(means.tolist())), bool(abs(np.mean(means == 0.5) - 0.5) < 0.05)
    ([0.0, 0.5, 1.0], True)
    """
    n = len(values)
    block = max(1, DRAWN // n)
    parts = [
        values[rng.integers(0, n, (min(block, resamples - start), n), np.int32)].mean(axis=1)
        for start in range(0, resamples, block)
    ]
    return np.concatenate(parts)


__all__ = ["EnsembleGain", "ensemble_gain"]
