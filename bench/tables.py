"""Four tables with no settings but the target, beside scikit-learn on the same rows.

    python bench/tables.py [--tables titanic,penguins] [--seeds 5]

Needs the tables in CHAINRULE_DATA. For each table and seed: what `chainrule train FILE --target COLUMN --seed N` does;
then, on the same training (with the validation rows, which they have no other use for) and test rows, scikit-learn's
linear model, `MLPClassifier` or `MLPRegressor`, and gradient-boosted trees with their default settings behind a
standard preparation: median and most frequent value for what is missing, standardized numbers, one-hot categories, of
the columns that chainrule uses. For the regression, the target of `MLPRegressor` is standardized too (without that its
R² is below zero). Writes bench/results/tables.md after each table.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.experiments.commands import run
from chainrule.experiments.data import prepare_table, read_named_table
from chainrule.experiments.listener import QUIET
from chainrule.experiments.settings import ExperimentSettings

RESULT = Path(__file__).parent / "results" / "tables.md"

TARGETS = {
    "titanic": "Survived",
    "penguins": "species",
    "adult": "income",
    "california_housing": "median_house_value",
}
SIDES = {"ours": "chainrule", "mlp": "MLP", "linear": "linear", "trees": "boosted trees"}

HEAD = """# Tables, with no settings but the target

Written by `python bench/tables.py`. Mean and standard deviation over {seeds} seeds of the score on test rows: the share
of right classes, or R² for California housing. The seed sets the split (but Adult's, which has a column for it), the
initial weights and the order. All sides learn from the same rows; scikit-learn's also from our validation rows.

| table | score | chainrule | scikit-learn MLP | linear or logistic | boosted trees | seconds (ours, MLP) | |
|---|---|---|---|---|---|---|---|
"""


def ours(settings: ExperimentSettings) -> tuple[float, float]:
    """Score and seconds of what the command line does."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        trained = run(settings, out=Path(folder, "run"), listener=QUIET)
        seconds = time.perf_counter() - start
    test = trained.plan.test
    assert test is not None
    predicted = trained.model.predict(test.x)
    return score(predicted, test.y, trained.data.task == "regression"), seconds


def score(predicted: np.ndarray, true: np.ndarray, regression: bool) -> float:
    if not regression:
        return float(np.mean(predicted == true))
    return 1 - float(np.mean(np.square(predicted - true, dtype=float)) / np.var(true, dtype=float))


def peers(settings: ExperimentSettings) -> dict[str, tuple[float, float]]:
    """Score and seconds of scikit-learn's models on the same rows."""
    from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    table = prepare_table(read_named_table(settings), settings)
    data, rows = table.data, table.rows
    used = [column for column in table.columns if column.use]
    frame = table.features[[column.name for column in used]].copy()
    numeric = [c.name for c in used if c.kind == "number"]
    categorical = [c.name for c in used if c.kind != "number"]
    frame[numeric] = frame[numeric].astype(float)
    frame[categorical] = frame[categorical].astype(object).where(frame[categorical].notna(), np.nan)
    train = np.concatenate([rows.train, rows.validation])
    y = np.concatenate([data.y, data.validation[1] if data.validation is not None else []])
    x_test, y_test = frame.iloc[rows.test], data.y_test
    regression, seed = data.task == "regression", settings.seed
    models: dict[str, Any] = (
        {
            "linear": LinearRegression(),
            "mlp": TransformedTargetRegressor(MLPRegressor(random_state=seed), transformer=StandardScaler()),
            "trees": HistGradientBoostingRegressor(random_state=seed),
        }
        if regression
        else {
            "linear": LogisticRegression(max_iter=1000),
            "mlp": MLPClassifier(random_state=seed),
            "trees": HistGradientBoostingClassifier(random_state=seed),
        }
    )
    found = {}
    for name, model in models.items():
        numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
        words = make_pipeline(
            SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        )
        pipeline = make_pipeline(ColumnTransformer([("n", numbers, numeric), ("c", words, categorical)]), model)
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of convergence: these are the default settings
            pipeline.fit(frame.iloc[train], y)
        seconds = time.perf_counter() - start
        found[name] = score(pipeline.predict(x_test), y_test, regression), seconds
    return found


def line(name: str, found: dict[str, list[tuple[float, float]]]) -> str:
    def told(side: str) -> str:
        scores = [score for score, _ in found[side]]
        deviation = f" ± {statistics.stdev(scores):.4f}" if len(scores) > 1 else ""
        return f"{statistics.fmean(scores):.4f}{deviation}"

    mean = {side: statistics.fmean(score for score, _ in found[side]) for side in found}
    reached = mean["ours"] >= max(mean["mlp"], mean["linear"])
    seconds = ", ".join(f"{statistics.fmean(s for _, s in found[side]):.1f}" for side in ("ours", "mlp"))
    kind = "R²" if name.startswith("california") else "accuracy"
    cells = [name, kind, *(told(side) for side in ("ours", "mlp", "linear", "trees")), seconds]
    return f"| {' | '.join(cells)} | {'reached' if reached else '**missed**'} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default=",".join(TARGETS))
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    folder = Path(os.environ["CHAINRULE_DATA"]) / "tables"
    kept = RESULT.with_suffix(".json")
    lines = json.loads(kept.read_text()) if kept.exists() else {}
    for name in options.tables.split(","):
        found: dict[str, list[tuple[float, float]]] = {side: [] for side in SIDES}
        for seed in range(options.seeds):
            settings = ExperimentSettings(data=str(folder / f"{name}.csv"), target=TARGETS[name], seed=seed)
            found["ours"].append(ours(settings))
            for side, values in peers(settings).items():
                found[side].append(values)
            said = ", ".join(f"{SIDES[side]} {values[-1][0]:.4f}" for side, values in found.items())
            print(f"{name}, seed {seed}: {said}", flush=True)
        lines[name] = line(name, found)
        print(lines[name], flush=True)
        if options.seeds >= 5:
            kept.write_text(json.dumps(lines, indent=1, ensure_ascii=False) + "\n")
            ordered = "\n".join(lines[table] for table in TARGETS if table in lines)
            RESULT.write_text(HEAD.format(seeds=options.seeds) + ordered + "\n")


if __name__ == "__main__":
    main()
