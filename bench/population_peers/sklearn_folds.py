"""Cross-validation of MLPClassifier on Adult, in two processes, with its preparation inside each fold."""

from __future__ import annotations

import time
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
from rows import CostEstimate, Told, adult, main
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler


def pipeline(work: CostEstimate, job: SimpleNamespace, seed: int | None) -> Pipeline:
    """Missing values filled in, numbers standardized, categories one-hot; every network trains for all its epochs."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    words = make_pipeline(
        SimpleImputer(strategy="most_frequent"),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    prepared = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")), (words, make_column_selector(dtype_exclude="number"))
    )
    net = MLPClassifier(
        (64, 64),
        solver="adam",
        alpha=0.0,
        batch_size=work.batch,
        max_iter=work.epochs,
        n_iter_no_change=work.epochs + 1,
        random_state=seed,
    )
    return make_pipeline(prepared, FunctionTransformer(np.ndarray.astype, kw_args={"dtype": job.precision}), net)


def folds(work: CostEstimate, job: SimpleNamespace) -> Told:
    """All folds of all seeds: in one call, so that no process waits at the end of a seed, or in a call for each."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    frame = adult(job)
    x, y = frame.drop(columns="income"), (frame["income"] == ">50K").to_numpy()
    seeds = job.units // 5

    def scores(seed: int | None, splitter: Any) -> list[float]:
        return cross_val_score(pipeline(work, job, seed), x, y, cv=splitter, n_jobs=job.jobs).tolist()

    before = time.perf_counter()
    if job.way == "one call":
        found = scores(None, RepeatedStratifiedKFold(n_splits=5, n_repeats=seeds, random_state=job.seed))
    else:
        found = [
            score
            for seed in range(seeds)
            for score in scores(seed, StratifiedKFold(5, shuffle=True, random_state=seed))
        ]
    seconds = (time.perf_counter() - before) * work.count / job.units
    return Told(seconds, seconds * (1 - job.units / work.count), found)


if __name__ == "__main__":
    main(folds=folds)
