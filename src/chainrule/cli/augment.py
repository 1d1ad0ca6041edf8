"""``chainrule augment``: a picture of what an augmentation does to the images of a data set."""

from __future__ import annotations

from pathlib import Path

from chainrule.augment import preview
from chainrule.cli.messages import print_message, show_log
from chainrule.data import load
from chainrule.errors import DataError
from chainrule.experiments.data import path_of
from chainrule.experiments.usage import TABLES, Situation, check_used
from chainrule.files import check_not_read


def augment(
    name: str, augmentation: str, *, out: Path, rows: int, versions: int, seed: int, data_dir: str | Path | None
) -> None:
    """Write the picture and say where it is."""
    situation = Situation(name)
    check_used(situation, {"data_dir": data_dir})
    check_not_read(out, path_of(name))
    if situation.kind in TABLES:
        raise DataError(
            f"{name} is a table, and this draws pictures of images, such as those of digits. What an augmentation does "
            "to the rows of a table is seen by training with it: chainrule train."
        )
    show_log()
    data = load(name, data_dir, download=True)
    preview(data.x, augmentation, rows=rows, versions=versions, seed=seed, path=out)
    print_message(f"Each row of {out} is an image of {data.name} and {versions} versions of it after {augmentation}.")
