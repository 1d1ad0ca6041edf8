"""A model: a network's recipe with its values."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import activations, initializers, losses, random, tree
from chainrule.activations import Activation
from chainrule.backprop import Tensor, mark, scope
from chainrule.backprop.check import GradientCheck, check_gradient
from chainrule.checks import check_name, check_whole
from chainrule.data import PreparedInputs, Standardizer, Target, decode, encode_target
from chainrule.data.check import check_lengths
from chainrule.data.rows import Rows
from chainrule.display.text import Text
from chainrule.display.text_table import text_table
from chainrule.engine import PRECISIONS, CostEstimate, choose, namespace
from chainrule.errors import DataError
from chainrule.files import write_atomic
from chainrule.graph.trace import Graph
from chainrule.keywords import checks_keywords
from chainrule.layers import Average, Dropout, Flatten, Layer, Reshape, Sequential, split_output
from chainrule.losses import Loss
from chainrule.models.backprop_result import BackpropResult, backprop, cost_graph
from chainrule.models.explain import Pass, explain
from chainrule.models.forward import block_size, forward, outputs, work
from chainrule.models.inputs import Inputs, target_in_order
from chainrule.models.notebook import network_in_cell
from chainrule.models.predictions import Predictions
from chainrule.models.saving import to_bytes
from chainrule.models.values import cast, fill
from chainrule.settings import plain

if TYPE_CHECKING:
    from chainrule.tables.preprocessor import Preprocessor

Array = Any

#: Batches of a stream that are read at once for prediction.
STREAMED_BATCHES = 16


class Model:
    """A network with its values: what training returns and what predicts.

    Parameters
    ----------
    net : a layer, mostly `Sequential`
    input_shape : shape of one sample
    seed : for the initial weights
    precision : "float32" or "float64" ("bfloat16" concerns training only: its weights are kept in float32)
    params, state : values to use instead of initial ones
    standardizer : applied to every input before the network (training mean and standard deviation)
    preparation : what makes the inputs of the columns of a table (a `Preprocessor`); with it the model
        takes data frames
    inputs : all that is known of the inputs (`chainrule.models.inputs.Inputs`), instead of the two above
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
        preparation: Preprocessor | None = None,
        inputs: Inputs | None = None,
        target: Target | None = None,
    ) -> None:
        check_name("precision", precision, PRECISIONS)
        precision = PRECISIONS[precision]
        self.net = net if isinstance(net, Sequential) else Sequential(net)
        self.input_shape = tuple(int(n) for n in np.atleast_1d(input_shape))
        self.precision = precision
        drawn = params is None or state is None
        with contextlib.nullcontext() if drawn else initializers.shapes_only():
            initial_params, initial_state, self.output_shape = self.net.build(random.key(seed), self.input_shape)
        initial_state = cast(initial_state, precision)
        #: The parameters, nested by layer.
        self.params = (
            tree.map(lambda value: np.asarray(value, precision), initial_params)
            if params is None
            else fill(initial_params, params, "params", precision)
        )
        #: What layers keep besides, such as running statistics.
        self.state = initial_state if state is None else fill(initial_state, state, "state", None)
        self._work: CostEstimate | None = None
        #: What is known of the inputs: how they are prepared and scaled.
        self.inputs = inputs or Inputs(self.input_shape, preparation, standardizer=standardizer)
        #: The activation of the last layer.
        self.last_activation = last_activation_of(self.net)
        #: Whether the meaning of the outputs comes from training data (it is guessed for an untrained model).
        self.target_is_known = target is not None
        self.target = target or _default_target(self.last_activation, self.output_shape)

    @property
    def standardizer(self) -> Standardizer | None:
        """What is applied to every input last: training mean and deviation."""
        return self.inputs.standardizer

    @property
    def preparation(self) -> Preprocessor | None:
        """What makes inputs of the columns of a table."""
        return self.inputs.preparation

    def __call__(self, x: Any) -> Any:
        """Return the outputs for a batch; x may be traced: ``cr.grad(lambda q: model(q).sum())(x)``.

        Arrays and data frames come in as everywhere (`prepare`). Of a model that was trained on a table, a traced x is
        what `prepare` gives, and is said to be so: ``model(cr.data.PreparedInputs(q))``.
        """
        values = x.x if isinstance(x, PreparedInputs) else x
        if isinstance(values, Tensor) or namespace(values) is not np:
            x = self.inputs.admit_traced(x)
            x = x if self.standardizer is None else self.standardizer(x)
        else:
            x = self.prepare(x)
        return self.target.undo(forward(self.net, self.params, self.state, x)[0])

    @checks_keywords
    def predict_proba(self, x: Array, *, engine: str = "auto", batch_size: int | None = None) -> np.ndarray:
        """Return the outputs of the last layer: probabilities (batch, classes), or values for regression.

        ``x`` is an array, a `chainrule.data.Stream` or `numpy.memmap`, which is read as it is needed, or (for a model
        that was trained on a table) a data frame with the columns of that table; see `prepare`. ``batch_size`` samples
        at a time; None takes as many as keep their inputs and activations in the cache. Values of a target that was
        standardized in training come in float64.
        """
        return self.outputs(self.prepare(x), engine=engine, batch_size=batch_size)

    def outputs(self, x: Any, *, engine: str = "auto", batch_size: int | None = None) -> np.ndarray:
        """Return `predict_proba` of inputs as `prepare` gives them."""
        return self.target.undo(self.run_network(x, engine=engine, batch_size=batch_size))

    def run_network(
        self, x: Any, net: Layer | None = None, *, engine: str = "auto", batch_size: int | None = None
    ) -> np.ndarray:
        """Run the network on inputs as `prepare` gives them; outputs of a standardized target come as in training.

        ``net`` is a part of the network to run, as `pair` gives it; None: all of it.
        """
        if batch_size is None:
            batch_size = block_size(self.work().values + math.prod(self.input_shape))
        batch_size = check_whole("batch_size", plain(batch_size))
        blocks = -(-len(x) // batch_size)
        chosen = choose(engine, precision=self.precision, steps=blocks, work=lambda: self.work() * batch_size)
        net = self.net if net is None else net
        run = functools.partial(outputs, net, self.params, self.state, engine=chosen, batch_size=batch_size)
        if not isinstance(x, Rows):
            return np.asarray(run(x))
        values = STREAMED_BATCHES * batch_size * math.prod(self.input_shape)
        return np.concatenate([run(x.read(start, stop)) for start, stop in x.stretches(values)])

    @checks_keywords
    def predict(self, x: Array, *, engine: str = "auto", batch_size: int | None = None) -> np.ndarray:
        """Return the class of each sample (the label as it was given in training), or the value for regression."""
        return self.labels(self.predict_proba(x, engine=engine, batch_size=batch_size))

    @checks_keywords
    def evaluate(
        self, x: Any, y: Any = None, *, loss: Any = "auto", engine: str = "auto", batch_size: int | None = None
    ) -> dict[str, float]:
        """Measure the model on data: the mean cost, and the accuracy (for regression mae, rmse and R²).

        Parameters
        ----------
        x, y
            Samples as `predict` takes them, and their targets as in training; or a `Table` or a `chainrule.data.Stream`
            that has its targets.
        loss
            A name or an object; "auto" is the loss that fits the outputs. `Run.evaluate` takes that of the run.
        engine, batch_size
            As for `predict_proba`.

        Returns
        -------
        dict
            ``{"loss": …, "accuracy": …}``, for regression ``{"loss": …, "mae": …, "rmse": …, "r2": …}`` (R² of two rows
            or more). Class by class, and row by row: `chainrule.evaluation.evaluate` and
            `chainrule.evaluation.Predictions`, of which these figures are the means.

        Example
        -------
        >>> import chainrule as cr
        >>> iris = cr.data.load("iris")
        >>> run = cr.fit(cr.Dense(3, "softmax"), iris, epochs=20, progress=False)
        >>> run.model.evaluate(iris.x, iris.y) == run.evaluate(iris.x, iris.y)
        True
        """
        return Predictions(self, x, y, loss, engine=engine, batch_size=batch_size).metrics

    def labels(self, a: np.ndarray) -> np.ndarray:
        """Return what outputs mean: the most probable class, whether each label holds, or the values themselves."""
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

    def backprop(self, x: Array, y: Array, loss: Any = "auto") -> BackpropResult:
        """Go forward and backward through the whole network for a batch, with everything left to see.

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
        return backprop(self.cost_of(loss), self.params, *self._admit(x, y))

    def check_gradient(
        self,
        x: Array,
        y: Array,
        loss: Any = "auto",
        *,
        samples: int | None = None,
        tolerance: float = 1e-6,
        keep: bool = False,
    ) -> GradientCheck:
        """Compare the gradients that `backprop` gives for a batch with central differences of the mean cost.

        One row for each parameter, everything in float64 whatever the precision of the model, without dropout and with
        the batch's statistics in batch normalization, as in `backprop`. See `chainrule.check_gradient` for the formula,
        and for where the two differ without a mistake (exactly at a kink, and for step units).

        Parameters
        ----------
        x, y, loss
            As for `backprop`. A few samples are enough.
        samples
            Check only so many values of each parameter: half of them where the gradient is largest, the others drawn at
            random; None: all, each with two passes forward.
        tolerance
            The largest relative error that is ok.
        keep
            Keep every value that was compared, not only the worst (``check.rows[0].differences``).

        Example
        -------
        >>> import chainrule as cr
        >>> iris = cr.data.load("iris")
        >>> net = cr.Sequential(cr.Dense(5, "tanh"), cr.BatchNorm(), cr.Dense(3, "softmax"))
        >>> check = cr.Model(net, input_shape=(4,)).check_gradient(iris.x[::15], iris.y[::15])
        >>> check.ok, [row.path for row in check.rows[:3]]
        (True, ['params.dense_1.weight', 'params.dense_1.bias', 'params.batch_norm_1.gamma'])
        """
        wide = self.wide()
        cost, (x, y) = wide.cost_of(loss), wide._admit(x, y)

        def mean_cost(params: Any) -> Any:
            return cost(params, x, y)[0] / len(x)

        return check_gradient(mean_cost, wide.params, samples=samples, tolerance=tolerance, keep=keep)

    def wide(self) -> Model:
        """Return the same model in float64."""
        wide = Model(
            self.net,
            self.input_shape,
            precision="float64",
            params=self.params,
            state=self.state,
            inputs=self.inputs,
            target=self.target if self.target_is_known else None,
        )
        wide.state = cast(wide.state, "float64")
        return wide

    def explain(self, x: Array, y: Array, loss: Any = "auto") -> Pass:
        """Return one pass forward and backward of one row, number by number, beside central differences.

        Every z, a, δ and gradient with its equation and, where a layer is fully connected, the terms of its sum (BP1 to
        BP4 of lecture 003); each gradient is compared with (C(w + h) − C(w − h)) / 2h. All in float64, as in
        `backprop`, but for batch normalization: it takes its running statistics, for one row has no variance.

        Parameters
        ----------
        x, y, loss
            As for `backprop`, with one row.

        Raises
        ------
        ShapeError
            If there is not exactly one row.

        Example
        -------
        >>> import chainrule as cr
        >>> iris = cr.data.load("iris")
        >>> model = cr.Model(cr.mlp([4, 3, 3], hidden="tanh"), input_shape=(4,))
        >>> pass_ = model.explain(iris.x[:1], iris.y[:1])
        >>> [stage.kind for stage in pass_.stages]
        ['input', 'z', 'a', 'z', 'a', 'cost', 'BP1', 'BP3', 'BP4', 'BP2', 'BP3', 'BP4']
        >>> terms = pass_.stages[1].terms(0)  # z of the first unit
        >>> terms.names, bool(abs(terms.total - pass_.stages[1].value[0]) < 1e-12)
        (('x0 · w0,0', 'x1 · w1,0', 'x2 · w2,0', 'x3 · w3,0', 'b0'), True)
        >>> pass_.check.ok, pass_.checked
        (True, 27)

        Source: lecture 003, "The backpropagation algorithm".
        """
        wide = self.wide()
        return explain(wide.net, wide.cost_of(loss, train=False), wide.params, *wide._admit(x, y))

    def trace(self, x: Any, y: Any, loss: Any = "auto") -> Graph:
        """Return the computational graph of the mean cost of a batch, with value and gradient at every node.

        Inputs and targets come in as in `backprop`, and the network is taken as there; the graph's inputs are the
        parameters. A few samples make a graph that can be read. See `chainrule.trace`, which traces any function.

        Example
        -------
        >>> import chainrule as cr
        >>> iris = cr.data.load("iris")
        >>> model = cr.Model(cr.Dense(3, "softmax"), input_shape=(4,))
        >>> graph = model.trace(iris.x[:2], iris.y[:2])
        >>> bool(abs(graph.value - model.backprop(iris.x[:2], iris.y[:2]).loss) < 1e-6)
        True
        """
        return cost_graph(self.cost_of(loss), self.params, *self._admit(x, y))

    def cost_of(self, loss: Any = "auto", *, train: bool = True) -> Callable[..., Any]:
        """Return the summed cost of a batch, as a function (params, x, y) -> (sum, cost of each sample).

        It takes inputs and targets as the network gets them (`prepare`; targets encoded and scaled). The network is
        taken as it is in training but without dropout, or with ``train=False`` as in predictions; the two differ where
        a layer such as batch normalization makes a difference of it.
        """
        body, function, activation = self.pair(loss)
        state = tree.map(Tensor, self.state)

        def cost(params: Any, x: Any, y: Any) -> tuple[Any, Any]:
            out, _ = body.apply(params, state, x, key=None, train=train)
            if activation is None:
                costs = function(out, y)
            else:
                costs = function.from_logits(out, y)
                with scope(_last_name(self.net)):
                    mark(activation(out), "a")
            costs = losses.check_costs(type(function).__name__, costs, out)
            return costs.sum(), costs

        return cost

    def _admit(self, x: Array, y: Array) -> tuple[Any, Any]:
        """Return a batch as the network gets it: inputs prepared, targets encoded and in the scale of training."""
        x, y = self.prepare(x), self.target.scale(self.encode(y))
        if isinstance(x, Rows):
            raise DataError("One batch is looked at: give some rows of the stream as an array.")
        check_lengths(x, y)
        return x, y

    def pair(self, loss: Any = "auto", task: str | None = None) -> tuple[Layer, Loss, Activation | None]:
        """Return the network, the loss, and the last activation if the loss has a fused rule for it.

        Then the network is the one without it and the loss takes its outputs by ``loss.from_logits``; otherwise the
        network is the whole one and the loss takes its outputs as they are.
        """
        function = losses.auto(self.last_activation, task or self.target.task) if loss == "auto" else losses.get(loss)
        losses.check_output(function, self.last_activation)
        body, activation = split_output(self.net)
        if function.pair != activation.name or body is self.net:
            return self.net, function, None
        return body, function, activation

    def prepare(self, x: Any) -> Any:
        """Return inputs of any kind as the network gets them: the one door for all data.

        What training did to its data is done here: columns of a table are found by name and prepared, columns of a
        data frame of numbers are put in order, bytes of images are divided by 255 where those of training were, all is
        standardized with the training mean and deviation. A `chainrule.data.Stream` is prepared as it is read. Inputs
        far outside of the training range are told by an `InputWarning`.

        Raises
        ------
        DataError
            A plain array for a model that was trained on a table (see `chainrule.data.PreparedInputs`), missing
            columns, values that are not finite.
        ShapeError
            Samples of another shape than the model's.

        Example
        -------
        >>> import numpy as np
        >>> import chainrule as cr
        >>> run = cr.fit(cr.Dense(1), ([[1.0], [3.0]], [1.0, 2.0]), epochs=1, progress=False)
        >>> run.model.prepare([[1.0], [2.0]]).tolist()
        [[-1.0], [0.0]]
        """
        return self.inputs.ready(x, self.precision)

    def encode(self, y: Any) -> np.ndarray:
        """Return targets as the losses take them, in the target's own unit: codes of classes, 0 or 1, or numbers.

        Labels are looked up among the classes of the training data, whatever their type (1 is the class "1"); see
        `chainrule.data.encode_target`. Text of a column of a table is read as in training. A network that has not been
        trained tells from y what it is.

        Raises `DataError` for labels that are no class (it lists them) and for targets that the outputs cannot meet.

        Example
        -------
        >>> import chainrule as cr
        >>> run = cr.fit(cr.mlp([4, 3]), cr.data.load("iris"), epochs=1, progress=False)
        >>> run.model.encode(["virginica", "setosa"])
        array([2, 0], dtype=int32)
        """
        known = self.target if self.target_is_known else None
        units, activation = self.output_shape[-1], self.last_activation.name
        return encode_target(self.read_target(y), units=units, output_activation=activation, known=known)[0]

    def read_target(self, y: Any) -> np.ndarray:
        """Return targets as a checked array: columns in the order of training, cells of a table read as then."""
        return self.inputs.read_target(target_in_order(y, self.target.names))

    def work(self) -> CostEstimate:
        """Return what predicting one sample is made of (for the choice of an engine)."""
        if self._work is None:
            self._work = work(self.net, self.params, self.state, self.input_shape)
        return self._work

    def count(self) -> int:
        """Return the number of parameters."""
        return sum(leaf.size for leaf in tree.leaves(self.params))

    def summary(self) -> Text:
        """Return the layers with their output shapes and numbers of parameters, to print."""
        return Text(self)

    def layers(self) -> list[tuple[str, str, tuple[int, ...], int]]:
        """Return for each layer its name, recipe on one line, output shape, and number of parameters."""
        rows = []
        key, shape = random.key(0), self.input_shape
        with initializers.shapes_only():
            for name, layer in zip(self.net.names, self.net.layers, strict=True):
                params, _, shape = layer.build(key, shape)
                size = sum(int(np.size(leaf)) for leaf in tree.leaves(params))
                rows.append((name, _short(layer), tuple(shape), size))
        return rows

    def __str__(self) -> str:
        rows = [("layer", "recipe", "output shape", "parameters"), ("input", "", str(self.input_shape), "")]
        rows += [(name, recipe, str(shape), f"{n:,}" if n else "") for name, recipe, shape, n in self.layers()]
        lines = text_table(rows, left=(0, 1, 2)).splitlines()
        lines.insert(1, "-" * max(map(len, lines)))
        return "\n".join([*lines, f"{self.count():,} parameters, {self.precision}"])

    def _repr_html_(self) -> str:
        """Return the layers for a notebook, and what the first one looks for in pictures."""
        about = f"{self.count():,} parameters, {self.precision}"
        return network_in_cell(self.layers(), about, self.params, self.input_shape)

    def save(self, path: str | Path) -> None:
        """Write weights, network and data preparation to one safetensors file (see `load_model`).

        It appears whole or not at all.
        """
        write_atomic(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return what `save` writes; the same model gives the same bytes."""
        recipe: dict[str, Any] = {
            "net": self.net.to_dict(),
            "input_shape": self.input_shape,
            "precision": self.precision,
            "target": asdict(self.target),
            "inputs": {"names": self.inputs.names, "byte_scale": self.inputs.byte_scale},
        }
        values = {"params": self.params, "state": self.state}
        if self.preparation is not None:
            recipe["preparation"], values["preparation"] = self.preparation.to_parts()
        if self.standardizer is not None:
            values["standardizer"] = self.standardizer.to_arrays()
        if self.inputs.limits is not None:
            values["limits"] = self.inputs.limits.to_arrays()
        return to_bytes(recipe, values)


def _last_name(net: Layer) -> str:
    """Return the full name of the last layer, inside nested `Sequential` ones."""
    names = []
    while isinstance(net, Sequential) and net.layers:
        names.append(net.names[-1])
        net = net[-1]
    return "/".join(names)


def last_activation_of(net: Layer) -> Activation:
    """Return the activation that makes the outputs of a network what they are; linear where there is none."""
    while isinstance(net, Sequential):
        shaping = (Dropout, Flatten, Reshape)  # they leave the outputs' meaning as it is
        net = next((layer for layer in reversed(net.layers) if not isinstance(layer, shaping)), Flatten())
    if isinstance(net, Average):  # averages of outputs of one kind are of that kind
        kinds = [last_activation_of(branch) for branch in net.layers]
        return kinds[0] if len({function.name for function in kinds}) == 1 else activations.get(None)
    return activations.get(getattr(net, "activation", None))


def _default_target(activation: Activation, output_shape: tuple[int, ...]) -> Target:
    """Return what the outputs of an untrained network mean, judged by its last activation."""
    units = output_shape[-1] if output_shape else 1
    if activation.name in ("softmax", "sigmoid", "step") and units > 1:
        return Target("classification", tuple(range(units)), units)
    if activation.name in ("sigmoid", "step"):
        return Target("binary", (0, 1), 1)
    return Target("regression", None, units)


def _short(layer: Layer) -> str:
    """Return a layer's recipe on one line."""
    text = repr(layer)
    return text if len(text) <= 60 else f"{text[:57]}..."
