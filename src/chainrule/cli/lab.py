"""``chainrule lab``: the pages of the lab, listed or written."""

from __future__ import annotations

from pathlib import Path

from chainrule import lab as pages
from chainrule.cli.messages import print_message, print_result
from chainrule.errors import SettingError, unknown_name
from chainrule.experiments.find import find_folder

#: Pages that can show a run of one's own.
OF_A_RUN = ("backprop",)


def lab(name: str | None, run: str | None, out: Path | None) -> None:
    """List the pages, or write one."""
    if name is None:
        if out is not None:
            raise SettingError(f"--out {out} says where to write a page, but not which: chainrule lab NAME --out {out}")
        width = max(map(len, pages.QUESTIONS))
        lines = [f"  {page:{width}}  {question}" for page, question in pages.QUESTIONS.items()]
        print_result("\n".join([*lines, "", "To write one: chainrule lab NAME [--out FILE]"]))
        return
    if name not in pages.QUESTIONS:
        raise unknown_name("page of the lab", name, pages.QUESTIONS)
    if run is not None and name not in OF_A_RUN:
        raise SettingError(
            f"The page {name} is not about a run: leave out {run}. Those that are: {', '.join(OF_A_RUN)}."
        )
    print_message(f"Computing the page {name} (seconds).")
    page = getattr(pages, name)
    path = (page() if run is None else page(find_folder(run))).to_html(out or Path(f"{name}.html"))
    print_result(f"{path} – open it in a browser; it needs no network.")
