"""One layer is exactly logistic regression: trained to convergence it is scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr

rng = np.random.default_rng(4)
x = rng.normal(size=(80, 3))
noise = rng.normal(size=(80, 3))
binary = (x @ [1.0, -2.0, 0.5] + 0.3 + 1.5 * noise[:, 0] > 0).astype(int)
three = np.argmax(x @ rng.normal(size=(3, 3)) + noise, axis=1)


def scikit(y: np.ndarray, l2: float) -> Any:
    """Their cost is C·Σ cost + ½ Σw², ours 1/n Σ cost + λ/(2n) Σw²: C = 1/λ."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1 / l2 if l2 else np.inf, tol=1e-12, max_iter=10_000).fit(x, y)


def ours(net: cr.Layer, y: np.ndarray, l2: float) -> cr.Model:
    """Plain gradient descent on the whole data, with momentum, until nothing moves."""
    return cr.fit(
        net,
        (x, y),
        optimizer=cr.SGD(lr=1.0, momentum=0.8),
        l2=l2,
        epochs=300,
        batch_size=80,
        normalize=False,
        precision="float64",
        engine="numpy",
        progress=False,
    ).model


@pytest.mark.parametrize("l2", [0.0, 2.0])
def test_one_sigmoid_unit(l2: float) -> None:
    model, witness = ours(cr.Dense(1, "sigmoid"), binary, l2), scikit(binary, l2)
    np.testing.assert_allclose(model.params["dense_1"]["weight"][:, 0], witness.coef_[0], rtol=1e-5)
    np.testing.assert_allclose(model.params["dense_1"]["bias"], witness.intercept_, rtol=1e-5)
    np.testing.assert_allclose(model.predict_proba(x)[:, 0], witness.predict_proba(x)[:, 1], rtol=1e-5)


@pytest.mark.parametrize("l2", [0.0, 2.0])
def test_a_softmax_layer(l2: float) -> None:
    """The weights are determined up to a constant per input, the probabilities are unique."""
    model, witness = ours(cr.Dense(3, "softmax"), three, l2), scikit(three, l2)
    np.testing.assert_allclose(model.predict_proba(x), witness.predict_proba(x), rtol=1e-4, atol=1e-7)
