"""One sigmoid neuron is logistic regression (lectures 003, 004): the same weights as scikit-learn's.

    python examples/logistic_regression.py

Both minimize the same cost: scikit-learn C·Σ cost + ½ Σw², chainrule 1/n Σ cost + λ/(2n) Σw². With C = 1/λ they differ
by a factor only. A convex cost has one minimum, so gradient descent and scikit-learn's solver have to meet in it.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import chainrule as cr


def main(argv: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="no difference here: it takes two seconds")
    parser.add_argument("--l2", type=float, default=1.0, help="λ")
    options = parser.parse_args(argv)
    from sklearn.linear_model import LogisticRegression

    data = cr.data.load("breast_cancer")
    x = cr.data.Standardizer.fit(data.x)(data.x).astype(float)
    epochs = 600
    run = cr.fit(
        cr.Dense(1, "sigmoid"),
        (x, data.y),
        optimizer=cr.SGD(lr=0.3, momentum=0.95, nesterov=True),
        l2=options.l2,
        epochs=epochs,
        batch_size=len(x),  # gradient descent on all samples
        normalize=False,
        engine="numpy",
        precision="float64",
        progress=False,
    )
    theirs = LogisticRegression(C=1 / options.l2, solver="newton-cholesky", tol=1e-12).fit(x, data.y)

    weights = run.model.params["dense_1"]["weight"][:, 0]
    ours, answers = run.model.predict_proba(x)[:, 0], theirs.predict_proba(x)[:, 1]
    print(f"Breast cancer, 30 measurements, λ = {options.l2}\n")
    print(" epoch   mean cost")
    for epoch in (1, 10, 100, epochs):
        print(f"{epoch:6}   {run.history['loss'][epoch - 1]:.6f}")
    print("\n measurement             chainrule   scikit-learn")
    for i in np.argsort(-abs(weights))[:5]:
        print(f" {data.feature_names[i]:22}  {weights[i]:10.6f}   {theirs.coef_[0, i]:12.6f}")
    apart = {"weights": float(abs(weights - theirs.coef_[0]).max()), "answers": float(abs(ours - answers).max())}
    print(f"\nlargest difference: weights {apart['weights']:.1e}, probabilities {apart['answers']:.1e}")
    return apart


if __name__ == "__main__":
    main()
