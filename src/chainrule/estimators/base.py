"""What both estimators share: their parameters, and how a call of scikit-learn's becomes a run of ours."""

from __future__ import annotations

import functools
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.utils import check_array, check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from chainrule import layers
from chainrule.activations import Activation
from chainrule.data import Target
from chainrule.engine import PRECISIONS
from chainrule.errors import DataError, SettingError, unknown_name
from chainrule.estimators.continued import Continued
from chainrule.estimators.frames import learned, needs_preparation, prepared
from chainrule.estimators.parameters import Parameters
from chainrule.fields import passes_settings, setting, settings_of
from chainrule.layers import Layer
from chainrule.models import Model
from chainrule.models.inputs import Inputs
from chainrule.run_settings import FitSettings
from chainrule.tables.overrides import unscaled
from chainrule.tables.preprocessor import Preprocessor
from chainrule.training import EarlyStopping, Run
from chainrule.training.fit import fit

#: Why parameters of estimators are no options.
NO_COMMAND = "no command trains an estimator"

#: The fraction of the rows that early stopping watches where none is given, as in scikit-learn's own networks.
WATCHED = 0.1


#: Settings of `fit` that are none of an estimator.
OF_ONE_CALL = ("sample_weight", "config")


@dataclass(frozen=True, eq=False, kw_only=True)
class EstimatorSettings(FitSettings):
    """The parameters of an estimator besides ``hidden``: those of `fit`, and those of its network."""

    net: Layer | Callable[[int], Layer] | None = setting(None, "A network, or a function that makes one.", NO_COMMAND)
    activation: str | Activation = setting("relu", "Of the hidden layers.", NO_COMMAND)
    dropout: float = setting(0.0, "The fraction of units that are left out in training.", NO_COMMAND)
    columns: Mapping[str, Any] | None = setting(None, "What is known better of the columns of a frame.", NO_COMMAND)
    random_state: Any = setting(None, "scikit-learn's name for ``seed``.", NO_COMMAND)
    epochs: int = 50
    normalize_target: bool = True
    precision: str = "auto"
    progress: bool = False


#: The parameters with their defaults.
DEFAULTS = {name: each.default for name, each in settings_of(EstimatorSettings).items() if name not in OF_ONE_CALL}


class Net(Parameters):
    """A network as an estimator; what the outputs mean is the matter of `NetClassifier` and `NetRegressor`."""

    @passes_settings(EstimatorSettings, without=OF_ONE_CALL)
    def __init__(self, hidden: Sequence[int] = (128, 64), **settings: Any) -> None:
        self.hidden = hidden
        for name, default in DEFAULTS.items():
            setattr(self, name, settings.get(name, default))

    # The rows

    def _validated(self, X: Any, y: Any = "no_validation", *, reset: bool, numeric: bool = False) -> Any:
        """Return inputs (and targets) as arrays, checked as scikit-learn's estimators do; a table as the frame
        it is.
        """
        if needs_preparation(X) if reset else self.model_.preparation is not None:
            if not hasattr(X, "iloc"):
                raise DataError(
                    f"{type(self).__name__} was fitted on a data frame that is not all numbers; give a data frame with "
                    f"the same columns here, too, not {type(X).__name__}."
                )
            if isinstance(y, str):
                return validate_data(self, X, reset=reset, skip_check_array=True)
            y = check_array(y, ensure_2d=False, dtype="numeric" if numeric else None, input_name="y")
            check_consistent_length(X, y)
            return validate_data(self, X, reset=reset, skip_check_array=True), y
        rules: dict[str, Any] = {"accept_sparse": True, "dtype": (np.float64, np.float32), "order": "C"}
        rules["allow_nd"] = self.net is not None  # images, for a network that takes them
        if isinstance(y, str):
            return _dense(validate_data(self, X, reset=reset, **rules))
        X, y = validate_data(self, X, y, reset=reset, multi_output=True, y_numeric=numeric, **rules)
        return _dense(X), _dense(y)

    def _weighted(self, X: Any, y: np.ndarray, sample_weight: Any) -> tuple[Any, np.ndarray, np.ndarray | None]:
        """Return the rows that count: one with the weight 0 is as if it were not there."""
        if sample_weight is None:
            return X, y, None
        weight = np.asarray(sample_weight)
        if weight.shape != (len(y),) or weight.dtype.kind not in "biuf":
            raise DataError(
                f"sample_weight needs one number for each of the {len(y):,} samples, got {weight.dtype} of shape "
                f"{weight.shape}."
            )
        if not np.isfinite(weight).all() or (weight < 0).any():
            raise DataError(f"sample_weight holds numbers from {weight.min()} to {weight.max()}; none may be below 0.")
        rows = np.flatnonzero(weight)
        if not len(rows):
            raise DataError("sample_weight is zero for all samples: there is nothing to learn from.")
        if len(rows) < len(y):
            X, y, weight = (X.iloc[rows] if hasattr(X, "iloc") else X[rows]), y[rows], weight[rows]
        return X, y, weight.astype(float)

    # Training

    def _train(self, X: Any, y: np.ndarray, sample_weight: Any, outputs: int, activation: str) -> Run:
        """Train from the start on rows that are checked."""
        settings = self._settings() | {"validation": self._validation(), "precision": self._precision(X)}
        if not needs_preparation(X):
            net = self._network(outputs, activation)
            return fit(net, (self._named(X), y), sample_weight=sample_weight, **settings)
        validation = settings.pop("validation")
        data, sample_weight = prepared(X, y, sample_weight, self._columns(X), validation, settings["seed"])
        net = self._network(outputs, activation, data.preparation)
        return fit(net, data, sample_weight=sample_weight, **settings)

    def _train_on(
        self, X: Any, y: np.ndarray, sample_weight: Any, outputs: int, activation: str, classes: Any = None
    ) -> Run:
        """Train for one more pass over rows that are checked."""
        if self.early_stopping:
            raise SettingError("partial_fit makes one pass over the rows it gets; use fit for early stopping.")
        if isinstance(self.class_weight, str):
            raise SettingError(
                f"class_weight={self.class_weight!r} needs to see all rows; with partial_fit write "
                "{label: weight}, or give sample_weight."
            )
        if hasattr(self, "model_"):
            model = self.model_
        else:
            model = self._initial(X, y, sample_weight, outputs, activation, classes)
        if not hasattr(self, "_continued"):
            self._continued = Continued(self._seed())
        return self._continued.train(model, X, y, sample_weight, FitSettings(**self._settings()))

    def _named(self, X: np.ndarray) -> Any:
        """Return the rows with the names of their columns, where `fit` was given a data frame: its model keeps them."""
        names = getattr(self, "feature_names_in_", None)
        if names is None or X.ndim != 2:
            return X
        from pandas import DataFrame

        return DataFrame(X, columns=names, copy=False)

    def _columns(self, X: Any) -> Mapping[str, Any] | None:
        """Return what is said of the columns of a data frame; they are scaled one by one, or none of them."""
        return self.columns if self.normalize else unscaled(map(str, X.columns), self.columns or {})

    def _initial(self, X: Any, y: Any, sample_weight: Any, outputs: int, activation: str, classes: Any) -> Model:
        """Return the model before the first pass; how inputs are prepared is learned from the rows of that pass."""
        precision = self._precision(X)
        preparation = learned(X, y, self._columns(X))[0] if needs_preparation(X) else None
        X = X if preparation is None else preparation(X)
        names = None if preparation is not None else getattr(self, "feature_names_in_", None)
        names = None if names is None else tuple(names.tolist())
        net = self._network(outputs, activation, preparation)
        known = Inputs(X.shape[1:], preparation, names)
        make = functools.partial(
            Model,
            net,
            X.shape[1:],
            seed=self._seed(),
            precision=PRECISIONS[precision],
            inputs=known.learn(X, self.normalize, sample_weight, codes=net.codes),
        )
        model = make()
        if classes is None:
            return model
        units = model.output_shape[-1]
        return make(target=Target("binary" if units == 1 else "classification", tuple(classes.tolist()), units))

    def _keep(self, run: Run, *, further: bool = False) -> Self:
        """Keep what is known after training."""
        self.run_, self.model_ = run, run.model
        before: list[float] = getattr(self, "loss_curve_", []) if further else []
        self.loss_curve_: list[float] = [*before, *run.history["loss"]]
        self.n_iter_ = len(self.loss_curve_)
        if not further and hasattr(self, "_continued"):
            del self._continued
        return self

    # The settings

    def _network(self, outputs: int, activation: str, preparation: Preprocessor | None = None) -> Layer:
        """Return the network given, or dense layers with the outputs that the target needs."""
        if isinstance(self.net, Layer):
            return self.net
        if self.net is not None:
            network = self.net(outputs) if callable(self.net) else self.net
            if not isinstance(network, Layer):
                raise SettingError(
                    "net is a layer, such as cr.Sequential(...), or a function of the number of outputs that returns "
                    f"one; got {network!r}."
                )
            return network
        hidden: Any = self.hidden
        widths = (int(hidden),) if isinstance(hidden, numbers.Integral) else tuple(hidden)
        codes = tuple(number for _, number in preparation.embedded) if preparation is not None else ()
        parts: list[Layer] = [layers.Embedding(codes)] if codes else []
        for units in widths:
            parts.append(layers.Dense(units, self.activation))
            if self.dropout:
                parts.append(layers.Dropout(self.dropout))
        return layers.Sequential(*parts, layers.Dense(outputs, activation))

    def _settings(self) -> dict[str, Any]:
        """Return the parameters that are settings of `fit`."""
        names = [name for name in settings_of(FitSettings) if name not in OF_ONE_CALL]
        return {name: getattr(self, name) for name in names} | {"seed": self._seed()}

    def _seed(self) -> int:
        """Return the seed of the run: ``random_state`` where it is given."""
        if self.random_state is None:
            return self.seed
        if isinstance(self.random_state, numbers.Integral):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _validation(self) -> Any:
        """Return validation data, or a fraction of the rows if early stopping watches some and none are given."""
        stopping = EarlyStopping() if self.early_stopping is True else self.early_stopping
        watched = isinstance(stopping, EarlyStopping) and stopping.monitor.startswith("val_")
        return WATCHED if watched and self.validation is None else self.validation

    def _precision(self, X: Any) -> str:
        """Return the precision of the run: with "auto" that of the inputs, as everywhere in scikit-learn."""
        if self.precision != "auto":
            if self.precision not in PRECISIONS:
                raise unknown_name("precision", self.precision, (*PRECISIONS, "auto"))
            return self.precision
        return "float64" if getattr(X, "dtype", None) == np.float64 else "float32"

    # Predictions

    def _outputs(self, X: Any) -> np.ndarray:
        """Return the network's outputs for inputs of whatever kind `fit` took."""
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        return self.model_.predict_proba(X, engine=self.engine)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _dense(values: Any) -> np.ndarray:
    """Return a sparse matrix with its zeros."""
    return values.toarray() if hasattr(values, "toarray") else values
