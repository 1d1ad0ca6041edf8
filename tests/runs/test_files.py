"""The files of a run have their names in one place."""

from __future__ import annotations

import ast
from pathlib import Path

import chainrule
from chainrule.runs import files

SOURCE = Path(chainrule.__file__).parent
NAMES = {
    value
    for name, value in vars(files).items()
    if name.isupper() and isinstance(value, str) and not name.endswith("_FORMAT")
}


def test_no_other_file_of_the_code_spells_the_name_of_a_runs_file() -> None:
    assert {"config.toml", "checkpoints", "study.journal", "augment.png"} <= NAMES
    spelt = [
        f"{path.relative_to(SOURCE)}:{node.lineno}: {node.value}"
        for path in sorted(SOURCE.rglob("*.py"))
        if path != Path(files.__file__) and path.name != "app.py"  # there augment.png is a default name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in NAMES - {files.MEMBERS_FOLDER}
    ]
    assert spelt == []
