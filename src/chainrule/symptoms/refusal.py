"""What `fit` refuses, as a finding: the error's words, the cause by its kind, and whose code has raised it."""

from __future__ import annotations

from chainrule.errors import ChainruleError, DataError, GradientError, SettingError, ShapeError
from chainrule.layers import Layer
from chainrule.losses import Loss
from chainrule.settings import is_ours
from chainrule.symptoms.evidence import Finding

__all__ = ["refusal"]

#: What an error's message says, and the cause that it then speaks for; the first that occurs counts.
KINDS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("not finite", "missing value", "is missing", "NaN"), ("nan",)),
    (("normalize_target needs linear",), ("output", "targets_unscaled")),
    (("The loss",), ("loss", "output")),
    (("The targets are classes, and the outputs", "choose a loss"), ("output", "loss")),
    (("output unit", "output layer", "softmax", "sigmoid", "units are needed", "output tells"), ("output",)),
    (("only one class",), ("labels_unrelated", "too_little_data")),
)


#: Packages whose functions are not the user's own.
LIBRARIES = frozenset({"chainrule", "numpy", "scipy", "sklearn", "pandas", "jax", "optax", "pyarrow", "polars"})


def refusal(error: BaseException) -> Finding:
    """Return the finding for an error that `fit` raises for data and settings: an alarm, exact.

    >>> from chainrule.errors import DataError
    >>> from chainrule.symptoms.refusal import refusal
    >>> refusal(DataError("x holds values that are not finite: 1 NaN.")).causes
    ('nan',)
    """
    text = str(error) or type(error).__name__
    causes: tuple[str, ...]
    where = raised_by(error)
    if where:
        causes = ("code_cut",) if isinstance(error, GradientError) else ("code_gradient", "code_axis")
        return Finding("readable", "alarm", f"{where} fails: {type(error).__name__}: {text}", where, causes=causes)
    if not isinstance(error, ChainruleError):  # nobody's fault but ours: that is no finding about the run
        return Finding("readable", "note", f"Could not be examined: {type(error).__name__}: {text}")
    causes = next((causes for words, causes in KINDS if any(word in text for word in words)), ())
    if not causes and isinstance(error, ShapeError):
        causes = ("output",)
        where = text.partition(":")[0] if text.partition(":")[0].isidentifier() else ""
    if not where and isinstance(error, DataError):
        where = "targets" if text.startswith("y ") else "inputs" if text.startswith("x ") else ""
    elif not where and isinstance(error, SettingError):
        where = "settings"
    return Finding("readable", "alarm", f"Training refuses this: {text}", where, causes=causes)


def raised_by(error: BaseException) -> str:
    """Return the user's own layer, loss or function in whose code an error was raised; "" where it was none."""
    place, inside = "", False
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        room = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        inside = inside or room == "chainrule"
        owner = frame.f_locals.get("self")
        if isinstance(owner, Layer | Loss) and not is_ours(type(owner)):
            place = type(owner).__name__
        elif inside and not place and room not in LIBRARIES:
            place = frame.f_code.co_name.strip("<>")
        trace = trace.tb_next
    return place
