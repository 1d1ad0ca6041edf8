"""Whether the targets have to do with the inputs, and whether they can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.statistics import wilson
from chainrule.symptoms.data.answers import Answers, answers_for, answers_without, association, out_of_fold, unseen
from chainrule.symptoms.data.examined import ALPHA, Examined, examined, listed, per_subject, row_numbers, share
from chainrule.symptoms.evidence import Evidence, Finding
from chainrule.symptoms.subject import Subject

__all__ = ["labels_related", "labels_trusted", "suspicious_rows"]

Array = NDArray[Any]

#: Deviations up to which an association is chance (the best of several learners). And the association that an alarm is
#: sure not to have overlooked: inputs that tell less are no loss.
CHANCE, WEAK = 2.5, 0.3

#: Rows below which the same target in all of them says nothing.
FEWEST_SAME = 10

#: Rows besides the most frequent class below which inputs may tell more than can be seen.
ENOUGH_OTHERS = 30

#: The surest rows; fewer than these are not judged, and fewer than these raise no alarm (but see `SECOND`).
SUREST, FEWEST, FEW = 0.3, 20, 60

#: Wrong answers among the surest rows (lower end): worth a look, too many. Natural noise has .06 in the Titanic; and of
#: 133 simulated ones (logistic, steps) one had more than .1 without growing with doubt.
WORTH_A_LOOK, TOO_MANY = 0.05, 0.1

#: An association below which wrong targets and natural noise cannot be told apart, and below which nothing can.
TELLING, HARDLY = 0.35, 0.2

#: Errors in all rows over those of the surest, 1 + this times the association: more is noise that grows with doubt.
#: Where a wrong target is seldom the second guess; and of numbers, in the surest half.
GROWTH, GROWTH_OF_FAR, GROWTH_OF_NUMBERS = 0.6, 2.0, 0.4

#: Growth up to which it is worth a look in any case.
LITTLE_GROWTH = 1.3

#: How much more often a wrong target is the second guess than by chance, 1 / (classes - 1). Of natural noise .15 and
#: more, of 4 classes to 15; and where answers tell less.
SECOND, SECOND_OF_LITTLE = 0.1, 0.03

#: Classes and wrong targets of which that can be asked.
MANY_CLASSES, ENOUGH = 4, 10

#: Rows whose answer is open between two classes: these have so much of it together, and each at least so much of that.
TOGETHER, OPEN = 0.6, 0.15

#: A class is mixed into another one where so many of its rows are open between both, so few of the other's, and it has
#: so many of them; and where answers and targets of these go together no more than that (upper end). Of natural noise
#: it is .8 and more (rings, digits, wine), whose open rows are up to .65 of a class.
MIXED_IN, OF_THE_OTHER, ROWS_MIXED, FLAT = 0.3, 0.5, 10, 0.4

#: Answers for all other rows must be right so often: a class is mixed in where all else is told apart.
TOLD_APART = 0.75

#: Of numbers: the share of the lowest (and of the highest) that another target drawn at random is among.
OPPOSITE = 0.4


def labels_related(subject: Subject) -> Iterator[Finding]:
    """Find targets that have nothing to do with the inputs.

    Statistic: the association (`association`: a correlation, over all classes at once; of ranks for numbers) between
    the targets and what 120 extremely random trees answer for rows that they were not shown, in deviations of the
    permutation null; of the trees, a linear fit, the nearest rows, and (of images and codes) trees on what each sample
    is like as a whole, the best.

    Null: targets dealt out anew. Alarm where the best stays below 2.5 deviations **and** an association of .3, which is
    weak (r² = 9 %), would be missed so clearly in fewer than α of cases. So few rows raise no alarm, nor do
    fewer than 30 rows besides the most frequent class. Answers that are
    surely wrong (below -2.5 deviations) come of tables of truth: parity, of which all that was seen says the opposite.

    Source: Hoeffding (1951) for the moments; Ojala and Garriga (2010) for the permutation test.
    """
    data = examined(subject)
    if len(data) >= FEWEST_SAME and not np.ptp(data.y, axis=0).any():
        same = "all rows have the same target, so there is nothing to learn"
        exact = (Evidence("different targets", 1.0),)
        yield Finding("labels_related", "alarm", _sentence(same), "target", exact, ("labels_unrelated",))
        return
    if len(data) >= FEWEST_SAME and not np.ptp(data.x, axis=0).any():
        same = "no input differs between rows, so nothing can be learnt from them"
        exact = (Evidence("inputs that differ", 0.0),)
        yield Finding("labels_related", "alarm", _sentence(same), "inputs", exact, ("labels_unrelated",))
        return
    answers = out_of_fold(subject)
    if answers is None:
        return
    r, by_chance = best_association(subject)
    z = r / by_chance
    p = _below((max(r, 0.0) - WEAK) / by_chance)
    n = len(answers.rows)
    evidence = (
        Evidence("association of answers for rows not seen with their targets", r, 0.0, 1.0, p),
        Evidence("deviations by chance", z, CHANCE, None),
        *_accuracy(answers),
    )
    if -CHANCE < z < CHANCE and p < ALPHA and _are_many(answers):
        text = (
            f"The inputs tell nothing about the targets: of {n:,} rows, the answers for those that were not seen go "
            f"with their targets to {r:.2f} (1 would be all), no more than targets dealt out at random ({z:.1f} "
            "deviations)."
        )
        yield Finding("labels_related", "alarm", text, "target", evidence, ("labels_unrelated", "labels_noisy"))
    elif z >= CHANCE and p < ALPHA and _are_many(answers):
        text = (
            f"The inputs tell little about the targets: association {r:.2f} (1 would be all), {z:.1f} deviations from "
            f"chance ({n:,} rows). Other inputs would tell more, or many targets are wrong."
        )
        causes = ("labels_noisy", "labels_unrelated")
        yield Finding("labels_related", "advice", text, "target", evidence, causes)
    elif z < CHANCE:
        text = (
            f"Whether the inputs tell anything about the targets cannot be seen in {n:,} rows (association {r:.2f}, "
            f"{z:.1f} deviations)."
        )
        causes = ("too_little_data", "labels_unrelated")
        yield Finding("labels_related", "advice", text, "target", evidence, causes)
    else:
        text = (
            f"The inputs tell something about the targets: association {r:.2f}, {z:.0f} deviations from chance "
            f"({n:,} rows)."
        )
        yield Finding("labels_related", "note", text, "", evidence, (), ("labels_unrelated",))


def labels_trusted(subject: Subject) -> Iterator[Finding]:
    """Find targets many of which are wrong.

    Statistic: how often the out-of-fold answer is another class than the target among the 30 % of rows whose answer is
    surest (largest margin); of numbers, how often the target of the rows with the lowest 15 % of answers is among the
    highest 40 %, or the other way round, over .4. Wilson's lower end is a lower bound of the noise where the trees are
    right about these rows.

    Null: noise that the inputs do not explain cannot be told from wrong targets in general (of the surest passengers of
    the Titanic a tenth is unlike their likes). But it grows with doubt, and wrong targets do not, so the errors in all
    rows must be few beside those of the surest: at most 1 + .6 r times as many, where r is the association of answers
    and targets (≥ .35). And it mistakes a class for the next, so of four classes and more a wrong target must be the
    second guess no more often than chance makes it, by .1; then growth may be 1 + 2 r. Of numbers the surest half is
    compared with the surest 30 % (1 + .4 r), and which rows are wrong must not be foretold by trees (else the
    spread depends on the inputs). An alarm above .1 (lower end, 60
    of the surest rows or more), with four classes above .05; else advice above .05. Where most rows of a class have the
    label of one other class no answer is sure; `_mixed_in` tells these.

    Source: Northcutt, Jiang and Chuang (2021), confident learning; Wilson (1927).
    """
    answers = out_of_fold(subject)
    if answers is None:
        return
    best, by_chance = best_association(subject)
    if best < CHANCE * by_chance:  # the answers say nothing that could be trusted more than the targets
        return
    sure, wrong, scale = _judged(answers)
    order = np.argsort(-sure, kind="stable")
    surest = order[: int(len(order) * SUREST)]
    if len(surest) < FEWEST:
        return
    count = int(wrong[surest].sum())
    error = count / len(surest) / scale
    low, high = (min(1.0, end / scale) for end in wilson(count, len(surest)))
    r, _ = _association(answers, answers.values)
    second = _second(answers, surest[wrong[surest]])
    growth, bound = _growth(wrong[order], r, second is not None, answers.labels is not None)
    evidence = (
        Evidence("targets unlike those of their likes, of the surest rows", error, low, high),
        Evidence("errors elsewhere over errors where answers are sure", growth, 0.0, bound),
        Evidence("association of answers and targets", r, TELLING, 1.0),
        *(
            ()
            if second is None
            else (Evidence("a wrong target is the second guess, more often than by chance", second, None, SECOND),)
        ),
    )
    seen = (
        f"of the {len(surest):,} rows that are surest, {share(error, 1)} (at least {share(low, 1)}) have another "
        "target than all their likes"
    )
    flat = growth <= bound and r >= TELLING
    if second is not None:
        little = r < TELLING
        flat = growth <= bound and r >= HARDLY and second <= (SECOND_OF_LITTLE if little else SECOND)
    elif flat and answers.labels is None:
        half = order[: len(order) // 2]
        flat = not _foretold(answers, half, wrong[half])
    enough = second is not None or len(surest) >= FEW
    at_random = flat and enough and low > (TOO_MANY if second is None else WORTH_A_LOOK)
    if not at_random and (pairs := _mixed_in(answers)):
        yield _of_one_class(subject, answers, pairs, evidence)
        return
    if low <= WORTH_A_LOOK:
        text = f"Targets agree with those of their likes: {seen}."
        yield Finding("labels_trusted", "note", text, "", evidence, (), ("labels_noisy",))
        return
    if at_random:
        rows = row_numbers(subject)[answers.rows[_unlike(answers)]]
        text = f"Targets are wrong: {seen}, and hardly more elsewhere; such as {listed(rows)}."
        yield Finding("labels_trusted", "alarm", text, "rows", evidence, ("labels_noisy",))
    elif flat or growth <= max(bound, LITTLE_GROWTH):
        text = f"Targets may be wrong, or the inputs do not tell all: {seen}."
        yield Finding("labels_trusted", "advice", text, "rows", evidence, ("labels_noisy",))
    else:
        text = f"The targets are noisy, as natural noise is: {seen}, and more where answers are less sure."
        yield Finding("labels_trusted", "note", text, "", evidence)


@dataclass(frozen=True, eq=False)
class MixedIn:
    """A class whose rows are told apart from those of another only by chance, though that has rows of its own.

    Attributes
    ----------
    one, other : the class, and the one that it is mixed into
    rows : the places of rows of both whose answer is open between them
    """

    one: int
    other: int
    rows: NDArray[np.intp]


def _mixed_in(answers: Answers) -> list[MixedIn]:
    """Return the classes many of whose rows carry the label of another class.

    Where most rows of a class were given the label of another, the surest answers no longer tell: they are open between
    both. Natural doubt is foretold, row by row, by what the trees answer; of labels that were exchanged the inputs tell
    nothing.
    """
    if answers.labels is None or answers.values.shape[1] < 3:
        return []
    values, labels = answers.values, answers.labels
    pairs: list[MixedIn] = []
    for one in np.unique(labels):
        of_one = labels == one
        means = values[of_one].mean(axis=0)
        means[one] = -1.0
        other = int(means.argmax())
        both = values[:, one] + values[:, other]
        part = values[:, one] / np.maximum(both, 1e-12)
        is_open = (both > TOGETHER) & (part > OPEN) & (part < 1 - OPEN)
        mixed, of_other = is_open & of_one, is_open & (labels == other)
        if (
            mixed.sum() >= max(ROWS_MIXED, MIXED_IN * of_one.sum())
            and ROWS_MIXED <= of_other.sum() <= OF_THE_OTHER * (labels == other).sum()
        ):
            pairs.append(MixedIn(int(one), other, np.flatnonzero(mixed | of_other)))
    # Natural doubt between two classes says nothing about others.
    pairs = [pair for pair in pairs if _association_of_open([pair], answers)[0] < FLAT]
    return pairs if pairs and _cannot_be_told(answers, pairs) else []


def _association_of_open(pairs: list[MixedIn], answers: Answers) -> tuple[float, float]:
    """Return how far answers and labels of rows that are open go together, and by how much that is by chance."""
    values, labels = answers.values, answers.labels
    assert labels is not None
    part = [values[pair.rows, pair.one] / values[pair.rows][:, [pair.one, pair.other]].sum(axis=1) for pair in pairs]
    of_one = [(labels[pair.rows] == pair.one).astype(np.float64) for pair in pairs]
    pair_of_row = np.repeat(np.arange(len(pairs)), [len(pair.rows) for pair in pairs])
    return association(np.concatenate(part)[:, None], np.concatenate(of_one)[:, None], pair_of_row)


def _cannot_be_told(answers: Answers, pairs: list[MixedIn]) -> bool:
    """Return whether the answers tell nothing about the labels of rows that are open, and nearly all of others."""
    values, labels = answers.values, answers.labels
    assert labels is not None
    r, by_chance = _association_of_open(pairs, answers)
    of_mixed = np.flatnonzero(np.isin(labels, [pair.one for pair in pairs]))
    others = np.setdiff1d(np.arange(len(labels)), np.concatenate([of_mixed, *(pair.rows for pair in pairs)]))
    right = float(np.mean(values[others].argmax(axis=1) == labels[others])) if len(others) else 0.0
    return _below((r - FLAT) / by_chance) < ALPHA and right >= TOLD_APART


def _of_one_class(subject: Subject, answers: Answers, pairs: list[MixedIn], evidence: tuple[Evidence, ...]) -> Finding:
    """Return the finding of classes that are mixed into others."""
    names = examined(subject).classes
    name = (lambda label: repr(names[label])) if names is not None else repr
    count, n = len(_of_the_other(answers, pairs)), len(answers.rows)
    words = ", ".join(f"{name(pair.one)} into {name(pair.other)}" for pair in pairs[:3])
    text = (
        f"Rows of a class carry the label of another ({words}{', …' if len(pairs) > 3 else ''}): the inputs tell "
        f"these rows from all others, but not which of the two labels they have ({share(count, n)} of all have the "
        "second one there). Or nothing in the inputs tells these classes apart."
    )
    more = Evidence("rows with the label of the other class, of all", count / n, 0.0, None)
    return Finding("labels_trusted", "alarm", text, "rows", (*evidence, more), ("labels_noisy",))


def _of_the_other(answers: Answers, pairs: list[MixedIn]) -> NDArray[np.intp]:
    """Return the places of the rows of mixed classes that have the label of the class with rows of its own."""
    assert answers.labels is not None
    places = [pair.rows[answers.labels[pair.rows] == pair.other] for pair in pairs]
    return np.unique(np.concatenate(places))


def _growth(wrong: NDArray[np.bool_], r: float, many: bool, classes: bool) -> tuple[float, float]:
    """Return how errors grow from the surest rows to others, and up to where they do not grow with doubt.

    ``wrong`` is in the order of the rows, the surest first.
    """
    parts, bound = (SUREST, 1.0), 1 + (GROWTH_OF_FAR if many else GROWTH) * max(r, 0.0)
    if not classes:
        parts, bound = (SUREST, 0.5), 1 + GROWTH_OF_NUMBERS * max(r, 0.0)
    surest, more = (float(wrong[: int(len(wrong) * part)].mean()) for part in parts)
    return more / max(surest, 0.5 / len(wrong)), bound


def suspicious_rows(subject: Subject, surer_than: float = 0.5) -> NDArray[np.intp]:
    """Return the rows whose targets look wrong, the surest first, counted from 0 in the data as it was given.

    Those whose answer, by trees that were not shown them, is another (of numbers: at the other end), and surer than
    that of this share of the rows that they are right about. All rows that are examined are asked (5,000 at most).
    """
    answers = _all_answers(subject)
    if answers is None:
        return np.zeros(0, np.intp)
    return row_numbers(subject)[answers.rows[_unlike(answers, surer_than)]]


def wrong_rows(subject: Subject) -> NDArray[np.intp]:
    """Return the rows whose targets look wrong, as many as the surest rows let expect, the surest first.

    Of the rows that are surest a share has another target; the same share of all is what is wrong.
    """
    answers = out_of_fold(subject)
    if answers is None:
        return np.zeros(0, np.intp)
    if pairs := _mixed_in(answers):
        return row_numbers(subject)[answers.rows[_of_the_other(answers, pairs)]]
    sure, wrong, _ = _judged(answers)
    surest = np.argsort(-sure, kind="stable")[: max(1, int(SUREST * len(sure)))]
    rows = suspicious_rows(subject, 0.0)
    return rows[: round(float(wrong[surest].mean()) * len(examined(subject)))]


@per_subject
def _all_answers(subject: Subject) -> Answers | None:
    """Return the answers for all rows that are examined, by trees that were not shown those that look wrong at first:
    what they learnt of these would hide others (Brodley and Friedl, 1999, filtering mislabelled rows).
    """
    answers = out_of_fold(subject)
    if answers is not None and len(answers.rows) < len(examined(subject)):
        answers = answers_for(examined(subject), np.arange(len(examined(subject))))
    if answers is None:
        return None
    _, wrong, _ = _judged(answers)
    rest = answers.y[~wrong]
    return answers_without(answers, wrong) if len(rest) and np.ptp(rest, axis=0).any() else answers


def _unlike(answers: Answers, surer_than: float = 0.5) -> NDArray[np.intp]:
    """Return the places of rows whose target is surely unlike their answer, the surest first."""
    sure, wrong, _ = _judged(answers)
    if not wrong.any() or wrong.all():
        return np.zeros(0, np.intp)
    chosen = np.flatnonzero(wrong & (sure >= np.quantile(sure[~wrong], surer_than)))
    return chosen[np.argsort(-sure[chosen], kind="stable")]


@per_subject
def best_association(subject: Subject) -> tuple[float, float]:
    """Return the association with the targets that the best of several simple learners has, and its deviation."""
    data, answers = examined(subject), out_of_fold(subject)
    assert answers is not None
    best = _association(answers, answers.values)
    for predict in (_linear, _nearest):
        if best[0] > 2 * CHANCE * best[1]:
            return best
        best = max(best, _association(answers, unseen(answers, predict)), key=lambda pair: pair[0] / pair[1])
    whole = _as_a_whole(data, answers)
    if whole is not None and best[0] <= 2 * CHANCE * best[1]:
        from sklearn.ensemble import ExtraTreesRegressor

        def predict(x: Array, y: Array, others: Array) -> Array:
            trees = ExtraTreesRegressor(40, max_features=1 / 3, min_samples_leaf=2, random_state=0)
            return np.asarray(trees.fit(x, y if y.shape[1] > 1 else y.ravel()).predict(others)).reshape(len(others), -1)

        seen = Answers(answers.rows, whole, answers.y, answers.labels, answers.values, answers.folds)
        best = max(best, _association(answers, unseen(seen, predict)), key=lambda pair: pair[0] / pair[1])
    return best


def _association(answers: Answers, values: Array) -> tuple[float, float]:
    """Return the association of answers with the targets, and its deviation by chance; of numbers that of ranks."""
    if answers.labels is not None or _are_flags(answers.y):
        return association(values, answers.y, answers.folds)
    from scipy.stats import rankdata

    return association(rankdata(values, axis=0), rankdata(answers.y, axis=0), answers.folds)


def _judged(answers: Answers) -> tuple[Array, NDArray[np.bool_], float]:
    """Return how sure each row's answer is, whether the target is another, and how often a wrong one would be."""
    y, values = answers.y, answers.values
    if answers.labels is not None or _are_flags(y):
        if y.shape[1] == 1 or answers.labels is None:
            margin = np.abs(2 * values - 1)
            other = (values > 0.5) != (y > 0.5)
            least = margin.argmin(axis=1) if y.shape[1] == 1 else margin.argmax(axis=1)  # the surest label of several
            rows = np.arange(len(y))
            return margin[rows, least], other[rows, least], 1.0
        two = np.sort(values, axis=1)
        return two[:, -1] - two[:, -2], values.argmax(axis=1) != answers.labels, 1.0
    from scipy.stats import rankdata

    n = len(y)
    answered, target = (rankdata(numbers, axis=0) / n for numbers in (values, y))
    surest = np.abs(answered - 0.5).argmax(axis=1)
    rows = np.arange(n)
    a, t = answered[rows, surest], target[rows, surest]
    return np.abs(a - 0.5), np.where(a < 0.5, t > 1 - OPPOSITE, t < OPPOSITE), OPPOSITE


def _second(answers: Answers, wrong: NDArray[np.intp]) -> float | None:
    """Return how much more often the wrong target is the second guess than if it was any other class; None for fewer
    than four classes and few wrong targets.
    """
    classes = answers.values.shape[1]
    if answers.labels is None or classes < MANY_CLASSES or len(wrong) < ENOUGH:
        return None
    values = answers.values[wrong]
    rank = (values > values[np.arange(len(wrong)), answers.labels[wrong]][:, None]).sum(axis=1)
    return float(np.mean(rank == 1)) - 1 / (classes - 1)


def _foretold(answers: Answers, rows: NDArray[np.intp], wrong: NDArray[np.bool_]) -> bool:
    """Return whether trees foretell which of these rows have a target unlike their likes."""
    of_rows = Answers(rows, answers.x[rows], wrong.astype(np.float64)[:, None], None, wrong, answers.folds[rows])
    from sklearn.ensemble import ExtraTreesRegressor

    def predict(x: Array, y: Array, others: Array) -> Array:
        trees = ExtraTreesRegressor(40, max_features=1 / 3, min_samples_leaf=5, random_state=0).fit(x, y.ravel())
        return np.asarray(trees.predict(others)).reshape(-1, 1)

    r, by_chance = association(unseen(of_rows, predict), of_rows.y, of_rows.folds)
    return r > CHANCE * by_chance


def _linear(x: Array, y: Array, others: Array) -> Array:
    """Fit numbers by a linear function with a small penalty (ridge regression), and answer for others."""
    centre, spread, mean = x.mean(axis=0), x.std(axis=0) + 1e-9, y.mean(axis=0)
    x, others = (x - centre) / spread, (others - centre) / spread
    weight = np.linalg.solve(x.T @ x + (1 + 0.01 * len(x)) * np.eye(x.shape[1]), x.T @ (y - mean))
    return np.asarray(others @ weight + mean)


def _nearest(x: Array, y: Array, others: Array, k: int = 10) -> Array:
    """Answer by the mean of the nearest rows, inputs evenly scaled."""
    centre, spread = x.mean(axis=0), x.std(axis=0) + 1e-9
    x, others = (x - centre) / spread, (others - centre) / spread
    distance = (x**2).sum(axis=1)[None] - 2 * others @ x.T
    k = min(k, len(x))
    return np.asarray(y[np.argpartition(distance, k - 1, axis=1)[:, :k]].mean(axis=1))


def _as_a_whole(data: Examined, answers: Answers) -> Array | None:
    """Return what images and rows of codes are like wherever things are in them; None for plain columns."""
    x = data.x[answers.rows]
    codes = x[:, ~data.quantities]
    if codes.shape[1] > 1 and codes.max() < 1e6:
        used, counts = np.unique(codes, return_counts=True)
        used = used[np.argsort(-counts, kind="stable")[:200]]
        return np.stack([(codes == code).sum(axis=1) for code in used], axis=1).astype(np.float64)
    if len(data.shape) < 2:
        return None
    x = x.reshape(len(x), *data.shape)
    flat = x.reshape(len(x), -1)
    features = [flat.mean(axis=1), flat.std(axis=1), *np.quantile(flat, (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1), axis=1)]
    for axis in range(1, x.ndim - 1):
        for lag in (1, 2, 4):
            if x.shape[axis] > lag:
                step = np.take(x, range(lag, x.shape[axis]), axis) - np.take(x, range(x.shape[axis] - lag), axis)
                features += [np.abs(step).mean(axis=tuple(range(1, x.ndim))), step.std(axis=tuple(range(1, x.ndim)))]
    return np.stack(features, axis=1)


def _accuracy(answers: Answers) -> Iterator[Evidence]:
    """Give the accuracy of the out-of-fold answers beside that of the most frequent class."""
    if answers.labels is None:
        return
    hits = answers.values.argmax(axis=1) if answers.values.shape[1] > 1 else answers.values[:, 0] > 0.5
    most = float(np.bincount(answers.labels).max() / len(answers.labels))
    yield Evidence("accuracy for rows not seen", float(np.mean(hits == answers.labels)), most, 1.0)


def _are_many(answers: Answers) -> bool:
    """Return whether there are enough rows besides those of the most frequent class to see what the inputs tell."""
    if answers.labels is not None:
        return len(answers.labels) - int(np.bincount(answers.labels).max()) >= ENOUGH_OTHERS
    if not _are_flags(answers.y):
        return True
    ones = answers.y.sum(axis=0)
    return bool(np.minimum(ones, len(answers.y) - ones).max() >= ENOUGH_OTHERS)


def _are_flags(y: Array) -> bool:
    return bool(((y == 0) | (y == 1)).all())


def _below(z: float) -> float:
    from scipy.stats import norm

    return float(norm.cdf(z))


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
