"""``chainrule augment``: a picture of what an augmentation does to the images of a data set."""

from __future__ import annotations

from pathlib import Path

from chainrule.augment import preview
from chainrule.cli.messages import say
from chainrule.errors import DataError
from chainrule.experiments.data import load_data, path_of
from chainrule.experiments.usage import Situation, check_used
from chainrule.files import check_not_read
from chainrule.tables.read import is_table


def augment(
    name: str, given: str, *, out: Path, rows: int, versions: int, seed: int, data_dir: str | Path | None
) -> None:
    """Write the picture and say where it is."""
    check_used(Situation(name), {"data_dir": data_dir})
    check_not_read(out, path_of(name))
    if is_table(name):
        raise DataError(
            f"{name} is a table, and this draws pictures of images, such as those of digits. What an augmentation does "
            "to the rows of a table is seen by training with it: chainrule train."
        )
    data = load_data(name, data_dir)
    preview(data.x, given, rows=rows, versions=versions, seed=seed, path=out)
    say(f"Each row of {out} is an image of {data.name} and {versions} versions of it after {given}.")
