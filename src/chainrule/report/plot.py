"""Figures of a run, one by one: for a notebook, or for a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from chainrule.display.markup import Html, tag
from chainrule.draw.figure import Figure
from chainrule.draw.notebook import cell
from chainrule.errors import DataError, SettingError, unknown_name
from chainrule.files import as_path, write_atomic
from chainrule.recipe.history import History
from chainrule.report.inside_figures import VIEWS, inside
from chainrule.training.record import read_folder
from chainrule.training.recorded import Recorded
from chainrule.training.run import Run
from chainrule.views.derive.missing import Missing

#: The curves over the epochs, which need no recording.
CURVES = "curves"


class Figures(Sequence[Figure]):
    """Some figures: each can be taken out; together they show themselves in a notebook, and are written to a page."""

    def __init__(self, figures: Sequence[Figure], missing: Sequence[str] = ()) -> None:
        self.figures, self.missing = tuple(figures), tuple(missing)

    def __len__(self) -> int:
        return len(self.figures)

    def __getitem__(self, at: int) -> Figure:  # type: ignore[override]
        return self.figures[at]

    def __iter__(self) -> Iterator[Figure]:
        return iter(self.figures)

    def __repr__(self) -> str:
        return "\n".join([*(f"{figure.title}: {figure.text}" for figure in self.figures), *self.missing])

    def _repr_html_(self) -> str:
        """Return all of them for a notebook, without scripts."""
        return cell(*self.missing, *self.figures)

    def to_html(self, path: str | Path) -> Path:
        """Write a page with them, and give its path."""
        path = as_path(path)
        head = tag("head", Html('<meta charset="utf-8">'), tag("title", "Figures – chainrule"))
        body = tag("body", Html(self._repr_html_()))
        write_atomic(path, f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n")
        return path


def plot(run: Run | str | Path, *what: str, columns: tuple[str | int, str | int] | None = None) -> Figures:
    """Return figures of a run: its curves, or what training looks like from inside.

    Parameters
    ----------
    run
        A `Run`, or the folder of one.
    what
        "curves" (loss and score over the epochs: the default), or of the recording "flow" (the size of δ in each layer
        over the steps), "ratio" (steps against weights), "activations", "weights", "boundary", "classes-by-epoch",
        "samples", "landscape". These need a run that was recorded: ``fit(record="light")`` or one with a folder.
    columns
        Of "boundary": the two inputs that are the plane, by their names or their places from 0; all others are held at
        their median. None: the two that there are, or the first two principal components.

    Raises
    ------
    DataError
        A view of a run that recorded nothing.
    SettingError
        ``columns`` without "boundary".
    UnknownNameError
        There is no such view, or no such column.

    Example
    -------
    >>> import chainrule as cr
    >>> run = cr.fit(cr.mlp([4, 8, 3]), cr.data.load("iris"), epochs=3, record="light", progress=False)
    >>> [figure.name for figure in cr.plot(run, "curves", "flow")]
    ['loss', 'accuracy', 'flow']
    """
    names = what or (CURVES,)
    for name in names:
        if name != CURVES and name not in VIEWS:
            raise unknown_name("view", name, (CURVES, *VIEWS))
    if columns is not None and "boundary" not in names:
        raise SettingError('columns= chooses the plane of "boundary", which is not among what is plotted.')
    figures: list[Figure] = []
    missing: list[str] = []
    recorded: Recorded | None = None
    for name in names:
        if name == CURVES:
            figures += _curves(run)
            continue
        recorded = recorded or _recorded(run)
        drawn = inside(recorded, name, columns=_places(recorded, columns) if name == "boundary" else None)[name]
        if isinstance(drawn, Missing):
            missing.append(f"{name}: {drawn.why}")
        else:
            figures += drawn
    return Figures(figures, missing)


def _places(recorded: Recorded, columns: tuple[str | int, str | int] | None) -> tuple[int, int] | None:
    """Return the places of two inputs that are given by name or place."""
    if columns is None:
        return None
    names = list(recorded.model.inputs.feature_names or ())
    places = []
    for column in columns:
        if isinstance(column, str) and column not in names:
            raise unknown_name("column", column, names)
        places.append(names.index(column) if isinstance(column, str) else column)
    if len(places) != 2:
        raise SettingError(f"columns= are two inputs; got {len(places)}.")
    return places[0], places[1]


def _curves(run: Run | str | Path) -> list[Figure]:
    if isinstance(run, Run):
        return run.history.figures(run.best_epoch)
    record = read_folder(run)
    return History(record.epochs).figures(record.kept_epoch)


def _recorded(run: Run | str | Path) -> Recorded:
    recorded = run.recorded if isinstance(run, Run) else Recorded.read(as_path(run))
    if recorded is None:
        raise DataError(
            'The run recorded nothing of its training: train it with record="light" (or "full"), or with a folder '
            "(out=)."
        )
    return recorded
