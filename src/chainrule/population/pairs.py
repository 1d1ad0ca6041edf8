"""Two configurations compared seed by seed: which is better, by how much, and how sure that is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chainrule.statistics import Difference, format_to_uncertainty, holm, levels, mcnemar, paired, percent


@dataclass(frozen=True)
class Pair:
    """Two configurations, compared seed by seed.

    Attributes
    ----------
    first, second : their names
    difference : first − second of the metric over the seeds in which both finished; its interval is as wide as all
        pairs together ask for, and leaves zero out exactly where ``p`` is below 1 − confidence (Serlin, 1993)
    p : the p value, raised so that it holds together with those of all other pairs (Holm, 1979)
    better : the name of the better one if there is evidence, else None
    message : which is better, or why that is not known, as a sentence
    """

    first: str
    second: str
    difference: Difference
    p: float
    better: str | None
    message: str = field(repr=False)

    def __str__(self) -> str:
        return self.message


def compare_pairs(
    values: Mapping[str, Sequence[float]], smaller_is_better: bool, confidence: float
) -> tuple[Pair, ...]:
    """Return every two configurations compared, by their values for each seed; all statements hold together."""
    names = list(itertools.combinations(values, 2))
    chances = [paired(values[first], values[second]).p for first, second in names]
    pairs = []
    for (first, second), level, p in zip(names, levels(chances, confidence), holm(chances), strict=True):
        difference = paired(values[first], values[second], level)
        failed = {name: [not math.isfinite(value) for value in values[name]] for name in (first, second)}
        better, message = _compare_failures(failed, len(names), confidence) or _compare_means(
            difference, p, failed, smaller_is_better, confidence
        )
        pairs.append(Pair(first, second, difference, p, better, message))
    return tuple(pairs)


def _compare_failures(
    failed: Mapping[str, Sequence[bool]], pairs: int, confidence: float
) -> tuple[str | None, str] | None:
    """Return the better one of two and why, if it diverged less often by more than chance; else None."""
    first, second = failed
    if all(failed[first]) and all(failed[second]):
        return None, f"{first} and {second} cannot be compared: all members of both diverged"
    for worse, other in ((first, second), (second, first)):
        only_worse = sum(w and not o for w, o in zip(failed[worse], failed[other], strict=True))
        only_other = sum(o and not w for w, o in zip(failed[worse], failed[other], strict=True))
        chance = min(1.0, pairs * mcnemar(only_worse, only_other))
        if all(failed[worse]) or (only_worse > only_other and chance < 1 - confidence):
            n = len(failed[worse])
            count = f"all {n}" if all(failed[worse]) else f"{sum(failed[worse])} of {n}"
            others = f", and {sum(failed[other])} of {other}" if any(failed[other]) else ""
            return other, f"{other} is better than {worse}: {count} members of {worse} diverged{others}"
    return None


def _compare_means(
    difference: Difference,
    p: float,
    failed: Mapping[str, Sequence[bool]],
    smaller_is_better: bool,
    confidence: float,
) -> tuple[str | None, str]:
    """Return the better one of two by the difference of their means, if there is evidence, and what was seen."""
    first, second = failed
    left_out = "".join(f", {sum(failed[name])} of {name} diverged" for name in failed if any(failed[name]))
    if difference.n < 2:
        reason = f"too few seeds finished in both ({difference.n}{left_out})"
        return None, f"{first} and {second} cannot be compared: {reason}"
    if difference.mean == difference.low == difference.high == 0:
        why = f" ({left_out[2:]})" if left_out else ""
        return None, f"{first} and {second} are the same for all {difference.n} seeds{why}"
    details = [f"{difference.n} seeds{left_out}"]
    evidence = p < 1 - confidence
    sign = -1.0 if evidence and difference.mean < 0 else 1.0
    by, low, high = difference.mean * sign, *sorted((difference.low * sign, difference.high * sign))
    if math.isnan(low):  # the same in every seed
        by_text = f"{by:.4g}"
        details.insert(0, "the same for every seed")
    else:
        by_text, low_text, high_text = format_to_uncertainty(by, low, high, scale=(high - low) / 2)
        details.insert(0, f"{percent(confidence)}: {low_text} to {high_text}")
    if not evidence:
        details[0] = f"difference {by_text}, {details[0]}"
        return None, f"no evidence of a difference between {first} and {second} ({', '.join(details)})"
    better, other = (first, second) if (difference.mean < 0) == smaller_is_better else (second, first)
    details.insert(1, f"p = {p:.2g}" if p >= 1e-4 else "p < 0.0001")
    return better, f"{better} is better than {other} by {by_text} ({', '.join(details)})"
