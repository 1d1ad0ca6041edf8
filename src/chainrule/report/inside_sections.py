"""Training from inside: what a run recorded of itself, in sections of its page."""

from __future__ import annotations

import math

from chainrule.display.markup import Html, join, tag
from chainrule.display.numbers import number
from chainrule.report.components import Page, n, row, table, wide
from chainrule.report.figures import loss_axis, naive_loss
from chainrule.report.inside_figures import loss_by_step, with_cursor
from chainrule.report.inside_rows import rows_of_cells
from chainrule.views.derive.confusions import confusions
from chainrule.views.derive.missing import Missing
from chainrule.views.derive.samples import Samples
from chainrule.views.derive.samples import samples as samples_of

#: Rows of each list of samples.
LISTED = 8

#: What to do for a page that shows training from inside.
RECORD = "chainrule train records it unless it is told --record none, and cr.fit with record=“light” or “full”."


def steps(page: Page) -> Html | None:
    """Return the cost of every batch; of a run that recorded nothing, what would record it."""
    if page.recorded is None:
        if page.unrecorded:
            return tag("p", page.unrecorded, class_="about")
        of_one = page.members is None and page.trials is None
        return tag("p", f"The run recorded nothing of its training: {RECORD}", class_="about") if of_one else None
    values = page.recorded.steps
    if values is None or not len(values.loss):
        return None
    costs = page.curves.column("val_loss")
    each = page.recorded.steps_per_epoch
    validation = [((at + 1) * each, cost) for at, cost in enumerate(costs) if math.isfinite(cost)]
    figure = loss_by_step(values, loss_axis(page.evaluation), validation, naive_loss(page.evaluation))
    hint = "Drag along a curve, or choose it and press + or −, to see a stretch of it; Escape shows all again."
    return join(
        [with_cursor(figure, page.recorded.stops).html(), tag("p", hint, class_="about", hidden="", data_scripted="")]
    )


def flow(page: Page) -> Html | None:
    """Return where on the way back the gradient dies or explodes."""
    return _view(page, "flow")


def ratio(page: Page) -> Html | None:
    """Return how far steps move the weights beside their size."""
    return _view(page, "ratio")


def activations(page: Page) -> Html | None:
    """Return what the units give, and how many are idle."""
    return _view(page, "activations")


def weights(page: Page) -> Html | None:
    """Return what the units of the first layer look for; how they came to it is folded away."""
    figures = page.inside.get("weights")
    if isinstance(figures, Missing | None):
        return _view(page, "weights")
    now, *others = (figure.html() for figure in figures)
    folded = tag("details", tag("summary", "What changed, the start, the gradient"), tag("div", *others, class_="two"))
    return join([now, folded])


def boundary(page: Page) -> Html | None:
    """Return what the network answers where; nothing for pictures."""
    is_row = page.recorded is not None and len(page.recorded.model.input_shape) == 1
    return _view(page, "boundary") if is_row else None


def classes_by_epoch(page: Page) -> Html | None:
    """Return when classes were learnt apart, and the rows of the cell that is chosen."""
    figures = _view(page, "classes-by-epoch")
    if figures is None or page.recorded is None or isinstance(page.inside["classes-by-epoch"], Missing):
        return figures
    seen = confusions(page.recorded)
    if isinstance(seen, Missing) or len(page.inside["classes-by-epoch"]) == 1:
        return figures
    return join([figures, rows_of_cells(page.recorded, seen)])


def samples(page: Page) -> Html | None:
    """Return which training rows are hard, forgotten or suspect: their map, and three lists."""
    figures, seen = page.inside.get("samples"), None if page.recorded is None else samples_of(page.recorded)
    if not isinstance(seen, Samples) or isinstance(figures, Missing | None):
        return _view(page, "samples")
    classes = page.recorded.model.target.classes if page.recorded is not None else None
    chance = seen.by_chance(LISTED)
    lists = [
        _list(seen, classes, seen.hardest(LISTED), "Highest cost in the last epoch"),
        _list(seen, classes, seen.most_forgotten(LISTED), "Most often forgotten: right in an epoch, wrong in the next"),
        _list(
            *(seen, classes, seen.suspects(LISTED)),
            "Suspects: highest mean cost over the run. Wrong labels are often among them; a list as long that is drawn "
            f"at random holds {100 * chance:.2g} % of all.",
        ),
    ]
    as_read = "row_numbers" in page.evaluation
    order = "as in the data" if as_read else "in the order of the data that training got, so without test rows"
    about = tag("p", f"Rows are numbered from 0, {order}.", class_="about")
    maps = tag("div", *(figure.html() for figure in figures), class_="two") if figures else None
    return join([part for part in (maps, *lists, about) if part])


def landscape(page: Page) -> Html | None:
    """Return the cost around the path of the weights."""
    return _view(page, "landscape")


def cursor(steps_per_epoch: int) -> Html:
    """Return the slider that moves all that was recorded at steps of training; a script shows it, and fills it in."""
    slider = Html('<input type="range" min="0" max="0" value="0">')
    parts = (tag("label", tag("span", "Training"), slider), tag("output"), tag("button", "Play", type="button"))
    return tag("div", *parts, id="cursor", hidden="", data_each=steps_per_epoch)


def _view(page: Page, name: str) -> Html | None:
    """Return the figures of a view, or why there are none; where no weights were recorded that is said once."""
    figures = page.inside.get(name)
    if figures is None or page.recorded is None:
        return None
    if isinstance(figures, Missing):
        is_said = not page.recorded.stops and name != "flow"
        return None if is_said else tag("p", figures.why, class_="about")
    return tag("div", *(figure.html() for figure in figures), class_="two")


def _list(seen: Samples, classes: tuple[object, ...] | None, places: object, title: str) -> Html | None:
    """Return rows as a table: what they are, what was answered last, what they cost."""
    chosen = [int(at) for at in places]  # type: ignore[attr-defined]
    if not chosen:
        return None

    def name(code: int) -> str:
        return str(classes[code]) if classes is not None and code < len(classes) else str(code)

    rows = []
    for at in chosen:
        cells = []
        if seen.truths is not None and seen.answers is not None:
            cells = [wide(name(int(seen.truths[at]))), wide(name(int(seen.answers[-1, at])))]
        cells += [n(number(float(seen.costs[-1, at]))), n(number(float(seen.mean_cost[at])))]
        cells += [] if seen.forgotten is None else [n(str(int(seen.forgotten[at])))]
        rows.append(row(f"{int(seen.numbers[at]):,}", *cells))
    head: list[object] = ["row", *(["label", "answered last"] if seen.truths is not None else [])]
    head += [("last cost", "n"), ("mean cost", "n"), *([("forgotten", "n")] if seen.forgotten is not None else [])]
    return table(head, rows, title)
