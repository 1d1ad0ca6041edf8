"""Where a run is written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from chainrule.data.sources import is_image_data
from chainrule.experiments.data import path_of
from chainrule.files import as_path, check_apart, check_not_read
from chainrule.runs.files import OF_A_RUN
from chainrule.runs.folder import create_run_dir

#: Where runs get folders of their own.
RUNS = Path("runs")

#: Where to write a run: a folder, True for a new one in `RUNS`, None for none.
Out = str | os.PathLike[str] | bool | None


@contextlib.contextmanager
def open_folder(out: Out, name: str, *, resume: bool = False) -> Iterator[Path | None]:
    """Yield the folder of a run, made at once so that no other run takes it; None where nothing is to be written."""
    if out is None or out is False:
        yield None
        return
    with create_run_dir(None if out is True else as_path(out), RUNS, name, resume=resume) as folder:
        yield folder


def check_out(out: Out, data: str | None, *read: str | Path | None) -> None:
    """Refuse a folder for a run whose files would mix with the data, or be written over what is read."""
    if out is None or out is False:
        return
    source = path_of(data)
    if out is not True or (data is not None and is_image_data(data)):
        check_apart(RUNS if out is True else as_path(out), source)  # a folder of runs would be a class of pictures
    if out is not True:
        for name in OF_A_RUN:
            check_not_read(as_path(out) / name, source, *read)
