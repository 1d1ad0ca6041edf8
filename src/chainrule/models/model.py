"""A model: a network's recipe with its values."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import activations, losses, random, tree
from chainrule.activations import Activation
from chainrule.backprop import Tensor, mark, scope
from chainrule.backprop.backward import value_grad_and_marks
from chainrule.backprop.check import GradientCheck, check_gradient
from chainrule.data import Standardizer, Target, check_features, check_pair, decode, encode_target
from chainrule.data.rows import Ready, Rows
from chainrule.data.streams import streamed
from chainrule.engine import PRECISIONS, Work, choose
from chainrule.errors import SettingError, ShapeError, did_you_mean, unknown_name
from chainrule.layers import Average, Dropout, Flatten, Layer, Reshape, Sequential, split_output
from chainrule.losses import Loss
from chainrule.models.forward import block_size, forward, outputs, work
from chainrule.settings import plain

if TYPE_CHECKING:
    from chainrule.tables.preparation import Preparation

Array = Any

#: Batches of a stream that are read at once for prediction.
STREAMED_BATCHES = 16


class PerLayer(dict[str, Array]):
    """One array per layer, by the layer's name or by its number: ``delta["dense_2"]``, ``delta[-1]``."""

    def __missing__(self, key: str) -> Array:
        raise unknown_name("layer", key, self)

    def __getitem__(self, key: str | int) -> Array:
        return list(self.values())[key] if isinstance(key, int) else super().__getitem__(key)


@dataclass(frozen=True)
class Pass:
    """One forward and backward pass (BP1–BP4 of lecture 003), as `Model.backprop` returns it.

    Attributes
    ----------
    loss : float
        The mean cost of the samples.
    z, a, delta : arrays (batch, …) for each layer
        Before and after the activation, and δ = ∂C_x/∂z with C_x the cost of the sample itself. By the layer's
        name or its number: ``pass_.delta["dense_2"]``, ``pass_.delta[-1]`` (δᴸ).
    grads : the gradient of the mean cost for every parameter, nested like ``model.params``
    """

    loss: float
    z: PerLayer
    a: PerLayer
    delta: PerLayer
    grads: dict[str, Any]


class Model:
    """A network with its values: what training returns and what predicts.

    Parameters
    ----------
    net : a layer, mostly `Sequential`
    input_shape : shape of one sample
    seed : for the initial weights
    precision : "float32" or "float64" ("bfloat16" concerns training only: its weights are kept in float32)
    params, state : values to use instead of initial ones
    standardizer : applied to every input before the network (training mean and deviation)
    preparation : what makes the inputs of the columns of a table (`chainrule.tables.Preparation`); with it the model
        takes data frames, too
    target : what the outputs mean (task and class names)

    Example
    -------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> model = cr.Model(cr.mlp([4, 3, 2], hidden="tanh"), input_shape=(4,), seed=0)
    >>> model.predict_proba(np.zeros((1, 4)))
    array([[0.5, 0.5]], dtype=float32)
    >>> list(model.params)
    ['dense_1', 'dense_2']
    """

    def __init__(
        self,
        net: Layer,
        input_shape: tuple[int, ...],
        *,
        seed: int = 0,
        precision: str = "float32",
        params: Any = None,
        state: Any = None,
        standardizer: Standardizer | None = None,
        preparation: Preparation | None = None,
        target: Target | None = None,
    ) -> None:
        if precision not in PRECISIONS:
            raise unknown_name("precision", precision, PRECISIONS)
        precision = PRECISIONS[precision]
        self.net = net if isinstance(net, Sequential) else Sequential(net)
        self.input_shape = tuple(int(n) for n in np.atleast_1d(input_shape))
        self.precision = precision
        made_params, made_state, self.output_shape = self.net.build(random.key(seed), self.input_shape)
        self.params = tree.map(lambda v: np.asarray(v, precision), made_params)
        self.state = cast(made_state, precision)
        if params is not None:
            self.params = fill(self.params, params, "params", precision)
        if state is not None:
            self.state = fill(self.state, state, "state", None)
        self._work: Work | None = None
        self.standardizer, self.preparation = standardizer, preparation
        #: The activation of the last layer.
        self.last_activation = _last_activation(self.net)
        #: Whether the meaning of the outputs comes from training data (it is guessed for an untrained model).
        self.target_is_known = target is not None
        self.target = target or _default_target(self.last_activation, self.output_shape)

    def __call__(self, x: Array) -> Any:
        """The outputs for a batch; x may be traced: ``cr.grad(lambda q: model(q).sum())(x)``."""
        self._check(x)
        if self.standardizer is not None:
            x = self.standardizer(x)
        return self.target.undo(forward(self.net, self.params, self.state, x)[0])

    def predict_proba(self, x: Array, *, engine: str = "auto", batch_size: int | None = None) -> np.ndarray:
        """The outputs of the last layer: probabilities (batch, classes), or values for regression.

        ``x`` is an array, a `chainrule.data.Stream` or `numpy.memmap`, which is read as it is needed, or (for a model
        that was trained on a table) a data frame with the columns of that table. ``batch_size`` samples at a time; None
        takes as many as keep their inputs and activations in the cache.
        """
        x = self.inputs(x)
        if batch_size is None:
            batch_size = block_size(self.work().values + math.prod(self.input_shape))
        batch_size = plain(batch_size)
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise SettingError(f"batch_size must be a whole number of at least 1, got {batch_size!r}.")
        stream = streamed(x)
        x = self.prepare(check_features(x) if stream is None else stream.x)
        blocks = -(-len(x) // batch_size)
        chosen = choose(engine, precision=self.precision, steps=blocks, work=lambda: self.work() * batch_size)
        run = functools.partial(outputs, self.net, self.params, self.state, engine=chosen, batch_size=batch_size)
        if stream is None:
            return self.target.undo(np.asarray(run(x)))
        values = STREAMED_BATCHES * batch_size * math.prod(self.input_shape)
        return self.target.undo(np.concatenate([run(x.read(start, stop)) for start, stop in x.stretches(values)]))

    def predict(self, x: Array, *, engine: str = "auto", batch_size: int | None = None) -> np.ndarray:
        """The class of each sample (the label as it was given in training), or the value for regression."""
        return self.labels(self.predict_proba(x, engine=engine, batch_size=batch_size))

    def labels(self, a: np.ndarray) -> np.ndarray:
        """What outputs mean: the most probable class, whether each label holds, or the values themselves."""
        task, classes = self.target.task, self.target.classes
        if task == "classification":
            return decode(a.argmax(axis=-1), classes or range(a.shape[-1]))
        values = a if a.shape[-1] > 1 else a[..., 0]
        if task == "regression":
            return values
        chosen = (values > self.threshold).astype(int)
        return decode(chosen, classes) if task == "binary" and classes else chosen

    @property
    def threshold(self) -> float:
        """Outputs above it count as 1: ½ for outputs in [0, 1], 0 for outputs around 0."""
        return 0.5 if self.last_activation.range[0] >= 0 else 0.0

    def backprop(self, x: Array, y: Array, loss: Any = "auto") -> Pass:
        """Forward and backward through the whole network for a batch, with everything left to see.

        z, a and δ of every layer and the gradients of all parameters: BP1 δᴸ, BP2 δ of each layer from the next,
        BP3 and BP4 the gradients of biases and weights (lecture 003). The network is taken as it is in training, but
        without dropout; batch normalization uses the batch's statistics. Targets are standardized where the model was
        trained so, and z and a are what the network itself computes.

        Example
        -------
        >>> import numpy as np
        >>> import chainrule as cr
        >>> model = cr.Model(cr.Dense(2, "softmax"), input_shape=(3,), precision="float64")
        >>> pass_ = model.backprop(np.ones((1, 3)), np.array([1]), loss="cross_entropy")
        >>> bool(np.allclose(pass_.delta["dense_1"], pass_.a["dense_1"] - [[0, 1]]))  # δᴸ = a - y
        True
        """
        cost, x, y = self._cost(x, y, loss)
        value, _, grads, marks = value_grad_and_marks(cost, self.params, Tensor(x), Tensor(y))
        named = {
            kind: {n.rsplit("/", 1)[0]: v for n, v in marks.items() if n.endswith(f"/{kind}")} for kind in ("z", "a")
        }
        n = len(x)
        return Pass(
            loss=float(value) / n,
            z=PerLayer({layer: v for layer, (v, _) in named["z"].items()}),
            a=PerLayer({layer: v for layer, (v, _) in named["a"].items()}),
            delta=PerLayer({layer: g for layer, (_, g) in named["z"].items()}),
            grads=tree.map(lambda g: g / n, grads),
        )

    def check_gradient(
        self, x: Array, y: Array, loss: Any = "auto", *, samples: int | None = None, tolerance: float = 1e-6
    ) -> GradientCheck:
        """Compare the gradients that `backprop` gives for a batch with central differences of the mean cost.

        One row for each parameter, everything in float64 whatever the precision of the model, without dropout and with
        the batch's statistics in batch normalization, as in `backprop`. See `chainrule.check_gradient` for the formula;
        at a kink (a ReLU whose z is closer to 0 than the step) the two may differ without a mistake.

        Parameters
        ----------
        x, y, loss
            As for `backprop`. A few samples are enough.
        samples
            Check only so many values of each parameter, drawn at random; None: all, each with two passes forward.
        tolerance
            The largest relative error that is ok.

        Example
        -------
        >>> import chainrule as cr
        >>> iris = cr.data.load("iris")
        >>> net = cr.Sequential(cr.Dense(5, "tanh"), cr.BatchNorm(), cr.Dense(3, "softmax"))
        >>> check = cr.Model(net, input_shape=(4,)).check_gradient(iris.x[::15], iris.y[::15])
        >>> check.ok, [row.path for row in check.rows[:3]]
        (True, ['params.dense_1.weight', 'params.dense_1.bias', 'params.batch_norm_1.gamma'])
        """
        wide = Model(
            self.net,
            self.input_shape,
            precision="float64",
            params=self.params,
            state=self.state,
            standardizer=self.standardizer,
            preparation=self.preparation,
            target=self.target if self.target_is_known else None,
        )
        wide.state = cast(wide.state, "float64")
        cost, x, y = wide._cost(x, y, loss)

        def mean_cost(params: Any) -> Any:
            return cost(params, x, y)[0] / len(x)

        return check_gradient(mean_cost, wide.params, samples=samples, tolerance=tolerance)

    def _cost(self, x: Array, y: Array, loss: Any) -> tuple[Callable[..., Any], Any, Any]:
        """The sum of the costs of a batch as a function (params, x, y) -> (sum, None), and x and y as it takes them."""
        x, y = check_pair(x, y)
        x = self.prepare(x)
        body, function, activation = self.pair(loss)
        y, _ = encode_target(
            y,
            units=self.output_shape[-1],
            output_activation=self.last_activation.name,
            classes=self.target.classes if self.target_is_known else None,
        )
        y = self.target.scale(y)
        state = tree.map(Tensor, self.state)

        def cost(params: Any, x: Any, y: Any) -> tuple[Any, Any]:
            out, _ = body.apply(params, state, x, key=None, train=True)
            if activation is None:
                costs = function(out, y)
            else:
                costs = function.from_logits(out, y)
                with scope(_last_name(self.net)):
                    mark(activation(out), "a")
            return losses.check_costs(type(function).__name__, costs, out).sum(), None

        return cost, x, y

    def pair(self, loss: Any = "auto", task: str | None = None) -> tuple[Layer, Loss, Activation | None]:
        """The network, the loss, and the last activation if the loss has a fused rule for it (the lectures' pairs).

        Then the network is the one without it and the loss takes its outputs by ``loss.from_logits``; otherwise the
        network is the whole one and the loss takes its outputs as they are.
        """
        function = losses.auto(self.last_activation, task or self.target.task) if loss == "auto" else losses.get(loss)
        losses.check_output(function, self.last_activation)
        body, activation = split_output(self.net)
        if function.pair != activation.name or body is self.net:
            return self.net, function, None
        return body, function, activation

    def inputs(self, x: Any) -> Any:
        """The columns of a data frame as the array they were prepared to in training; other data as it is."""
        from chainrule.tables.read import as_frame

        frame = None if self.preparation is None else as_frame(x)
        return x if frame is None or self.preparation is None else self.preparation(frame)

    def prepare(self, x: Array) -> Any:
        """The inputs as the network gets them: standardized if the training data was, in the model's precision."""
        self._check(x)
        if isinstance(x, Rows):
            return Ready(x, self.standardizer, self.precision)
        if self.standardizer is not None:
            x = self.standardizer(np.asarray(x))
        return np.asarray(x, self.precision)

    def work(self) -> Work:
        """What predicting one sample is made of (for the choice of an engine)."""
        if self._work is None:
            self._work = work(self.net, self.params, self.state, self.input_shape)
        return self._work

    def count(self) -> int:
        """The number of parameters."""
        return sum(leaf.size for leaf in tree.leaves(self.params))

    def summary(self) -> None:
        """Print the layers with their output shapes and numbers of parameters."""
        print(self)

    def layers(self) -> list[tuple[str, str, tuple[int, ...], int]]:
        """For each layer its name, its recipe on one line, the shape of its output, and its number of parameters."""
        found = []
        key, shape = random.key(0), self.input_shape
        for name, layer in zip(self.net.names, self.net.layers, strict=True):
            params, _, shape = layer.build(key, shape)
            size = sum(int(np.size(leaf)) for leaf in tree.leaves(params))
            found.append((name, _short(layer), tuple(shape), size))
        return found

    def __str__(self) -> str:
        rows = [("layer", "recipe", "output shape", "parameters"), ("input", "", str(self.input_shape), "")]
        rows += [(name, recipe, str(shape), f"{n:,}" if n else "") for name, recipe, shape, n in self.layers()]
        widths = [max(len(r[i]) for r in rows) for i in range(4)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(r[:3], widths, strict=False)) for r in rows]
        lines = [f"{line}  {r[3]:>{widths[3]}}".rstrip() for line, r in zip(lines, rows, strict=True)]
        lines.insert(1, "-" * max(map(len, lines)))
        return "\n".join([*lines, f"{self.count():,} parameters, {self.precision}"])

    def save(self, path: str | Path) -> None:
        """Write weights, network and data preparation to one safetensors file (see `load_model`)."""
        from chainrule.models.saving import save_model

        save_model(self, path)

    def _check(self, x: Any) -> None:
        shape = getattr(x, "shape", None)
        if shape is None or tuple(shape[1:]) != self.input_shape:
            raise ShapeError(
                f"The model takes a batch of shape (samples, {', '.join(map(str, self.input_shape))}), got "
                f"{tuple(shape) if shape is not None else type(x).__name__}."
                + (" A single sample needs a batch axis: x[None]." if shape == self.input_shape else "")
            )


def cast(values: Any, precision: str) -> Any:
    """A tree of arrays with the floating-point ones in a precision; others (a counter, say) stay as they are."""

    def one(value: Any) -> np.ndarray:
        array = np.asarray(value)
        return array.astype(precision, copy=False) if array.dtype.kind == "f" else array

    return tree.map(one, values)


def fill(template: Any, given: Any, name: str, precision: str | None) -> Any:
    """The given values in the nesting of the template, whose names and shapes they must have."""
    if isinstance(template, dict):
        found = given if isinstance(given, Mapping) else {}
        for key in found:
            if key not in template:
                raise ShapeError(f"{name}: the network has no {key!r}{did_you_mean(str(key), template)}")
        for key in template:
            if key not in found:
                raise ShapeError(f"{name}: {key!r} is missing, which the network needs.")
        return {key: fill(like, found[key], f"{name}.{key}", precision) for key, like in template.items()}
    if isinstance(template, list | tuple):  # in a file, their items are numbered
        items = list(given.values() if isinstance(given, Mapping) else given)
        if len(items) != len(template):
            raise ShapeError(f"{name} has {len(items)} items, and the network needs {len(template)}.")
        pairs = zip(template, items, strict=True)
        parts = [fill(like, item, f"{name}.{i}", precision) for i, (like, item) in enumerate(pairs)]
        return type(template)(*parts) if hasattr(template, "_fields") else type(template)(parts)
    value = np.array(given, precision or template.dtype)  # a copy: the model's own, to write to
    if value.shape != template.shape:
        raise ShapeError(f"{name} has shape {value.shape}, and the network needs {template.shape}.")
    return value


def _last_name(net: Layer) -> str:
    """The full name of the last layer, inside nested `Sequential` ones."""
    names = []
    while isinstance(net, Sequential) and net.layers:
        names.append(net.names[-1])
        net = net[-1]
    return "/".join(names)


def _last_activation(net: Layer) -> Activation:
    while isinstance(net, Sequential):
        shaping = (Dropout, Flatten, Reshape)  # they leave the outputs' meaning as it is
        net = next((layer for layer in reversed(net.layers) if not isinstance(layer, shaping)), Flatten())
    if isinstance(net, Average):  # averages of outputs of one kind are of that kind
        found = [_last_activation(branch) for branch in net.layers]
        return found[0] if len({function.name for function in found}) == 1 else activations.get(None)
    return activations.get(getattr(net, "activation", None))


def _default_target(activation: Activation, output_shape: tuple[int, ...]) -> Target:
    """What the outputs of an untrained network mean, judged by its last activation."""
    units = output_shape[-1] if output_shape else 1
    if activation.name in ("softmax", "sigmoid", "step") and units > 1:
        return Target("classification", tuple(range(units)), units)
    if activation.name in ("sigmoid", "step"):
        return Target("binary", (0, 1), 1)
    return Target("regression", None, units)


def _short(layer: Layer) -> str:
    """A layer's recipe on one line."""
    text = repr(layer)
    return text if len(text) <= 60 else f"{text[:57]}..."
