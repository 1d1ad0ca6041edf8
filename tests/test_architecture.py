"""The shape of the project: which room may import which, what must not occur, what must be documented."""

from __future__ import annotations

import ast
import functools
import graphlib
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import chainrule

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "chainrule"
FILES = sorted(SOURCE.rglob("*.py"))

parse = functools.cache(ast.parse)  # several rules read each file


@functools.cache
def walk(code: str) -> list[ast.AST]:
    return list(ast.walk(parse(code)))


@pytest.fixture(scope="module", autouse=True)
def trees_are_forgotten() -> Iterator[None]:
    """Millions of objects, which the garbage collector would look through for the rest of the session."""
    yield
    walk.cache_clear()
    parse.cache_clear()


FACE = "chainrule"  # the package itself, `import chainrule as cr`: it shows every room, and only cli/ may use it
NETWORK = ("layers", "losses", "optimizers", "schedules", "initializers", "activations")
#: Every room may import these.
GROUND = (
    *("serving", "draw", "run_settings", "settings", "random", "engine", "files", "passwords", "signals", "memory"),
    *("metrics", "outcome", "display", "tree", "fields", "checks", "keywords", "errors"),
)
CORE = ("data", "models", *NETWORK, "backprop")  # what a network is made of, and what it learns from

# The rooms from the top of the house down, each with the rooms it may import besides the ground.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "__main__": ("cli",),
    "cli": (
        *(
            FACE,
            "lab",
            "experiments",
            "live",
            "report",
            "views",
            "doctor",
            "tuning",
            "population",
            "evaluation",
            "statistics",
        ),
        *("export", "training", "symptoms", "recipe", "runs", "augment", "tables", *CORE),
    ),
    FACE: (
        *("lab", "experiments", "live", "estimators", "report", "views", "doctor", "finders", "tuning", "population"),
        *("evaluation", "export", "training", "symptoms", "recipe", "lectures", "runs", "testing", "augment", "tables"),
        *("graph", *CORE),
    ),
    "lab": (*("experiments", "views", "population", "statistics", "training", "recipe", "runs", "lectures", *CORE),),
    "experiments": (
        *("report", "doctor", "finders", "tuning", "population", "evaluation", "statistics", "export", "training"),
        *("symptoms", "recipe", "runs", "augment", "tables", *CORE),
    ),
    "live": ("report", "views", "training", "symptoms", "runs"),
    "report": (
        *("views", "doctor", "tuning", "population", "evaluation", "statistics", "training", "symptoms", "recipe"),
        *("runs", "tables", "graph", *CORE),
    ),
    "views": ("statistics", "training", "recipe", "runs", "tables", "graph", *CORE),
    "doctor": (
        *("finders", "population", "evaluation", "statistics", "training", "symptoms", "recipe", "runs", "augment"),
        *("tables", *CORE),
    ),
    "finders": ("population", "evaluation", "statistics", "training", "recipe", "tables", *CORE),
    "tuning": ("population", "evaluation", "statistics", "training", "recipe", "runs", "tables", *CORE),
    "population": ("evaluation", "statistics", "training", "recipe", "runs", "augment", "tables", *CORE),
    "estimators": ("training", "recipe", "tables", *CORE),
    "evaluation": ("statistics", "training", "recipe", "runs", "tables", *CORE),
    "training": ("symptoms", "recipe", "runs", "augment", "tables", *CORE),
    "symptoms": ("statistics", "recipe", "augment", "tables", *CORE),
    "recipe": ("augment", "tables", *CORE),
    "lectures": CORE,
    "export": ("tables", *CORE),
    "testing": CORE,
    "runs": ("statistics", "models"),
    "models": ("tables", "data", "layers", "losses", "initializers", "activations", "graph", "backprop"),
    "augment": ("backprop",),
    "tables": ("data",),
    "graph": ("backprop",),
    "data": (),
    "layers": ("initializers", "activations", "backprop"),
    "losses": ("activations", "backprop"),
    "optimizers": ("schedules", "backprop"),
    "schedules": ("backprop",),
    "initializers": ("activations", "backprop"),
    "activations": ("backprop",),
    "backprop": (),
    "statistics": (),
    **dict.fromkeys(GROUND, ()),
}
ORDER = list(MAY_IMPORT)


def may_import(room: str, other: str) -> bool:
    if other in GROUND:
        return ORDER.index(room) <= ORDER.index(other)
    return room == other or other in MAY_IMPORT[room]


def imports(node: ast.AST, for_types: bool = False) -> Iterator[tuple[int, str]]:
    """(line, full name) of every import, also inside functions; if asked, of those for the type checker alone too."""
    if isinstance(node, ast.Import):
        yield from ((node.lineno, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
    only_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    for child in node.orelse if only_types and not for_types else ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):  # none is in an expression
            yield from imports(child, for_types)


def path_of(file: Path) -> str:
    return file.relative_to(SOURCE).as_posix()


def room_of_file(file: Path) -> str:
    first = file.relative_to(SOURCE).parts[0]
    return FACE if first == "__init__.py" else first.removesuffix(".py")


def room_of_import(name: str) -> str | None:
    """The room that an import enters; None for other packages."""
    package, first, *_ = [*name.split("."), ""]
    if package != "chainrule":
        return None
    return first if first in MAY_IMPORT else FACE


def wrong_imports(code: str, room: str) -> list[tuple[int, str]]:
    return [
        (line, name)
        for line, name in imports(parse(code))
        if (other := room_of_import(name)) is not None and not may_import(room, other)
    ]


def test_the_table_of_rooms_points_down() -> None:
    assert set(ORDER) == {room_of_file(file) for file in FILES}, "give each room its place in MAY_IMPORT"
    upwards = [(a, b) for a in ORDER for b in MAY_IMPORT[a] if ORDER.index(b) <= ORDER.index(a)]
    assert upwards == []


def test_imports_point_down() -> None:
    wrong = [
        f"{path_of(file)}:{line}: {room} may not import {name}"
        for file in FILES
        for room in [room_of_file(file)]
        for line, name in wrong_imports(file.read_text(), room)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("code", "room", "lines"),
    [
        ("from chainrule.training import fit", "layers", [1]),
        ("def f():\n    from chainrule import data", "backprop", [2]),
        ("import chainrule as cr", "models", [1]),
        ("from chainrule import ops", "models", [1]),
        ("try:\n    import chainrule.cli\nexcept ImportError:\n    pass", "training", [2]),
        ("if TYPE_CHECKING:\n    import chainrule.cli\nelse:\n    import chainrule.data", "engine", [4]),
        ("from chainrule import errors, tree\nimport numpy\nimport chainrule.data.idx", "data", []),
        ("from chainrule import settings", "errors", [1]),
    ],
)
def test_wrong_imports_are_found(code: str, room: str, lines: list[int]) -> None:
    assert [line for line, _ in wrong_imports(code, room)] == lines


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


def imported_modules(code: str, modules: set[str]) -> set[str]:
    """The modules whose files a file needs, also inside functions and for types."""
    names = {name for _, name in imports(parse(code), for_types=True)}
    return {name if name in modules else name.rpartition(".")[0] for name in names} & modules


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """The modules of one circle, each of which imports the one before it; [] if there is none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_no_files_import_each_other() -> None:
    modules = {module_of(file): file for file in FILES}
    graph = {name: imported_modules(file.read_text(), set(modules)) - {name} for name, file in modules.items()}
    assert circle(graph) == []


@pytest.mark.parametrize(
    ("codes", "there_is_one"),
    [
        ({"a": "import p.b", "b": "def f():\n    from p.a import g"}, True),
        ({"a": "from p import b", "b": "if TYPE_CHECKING:\n    from p.c import C", "c": "from p import a"}, True),
        ({"a": "from p.b import x", "b": "import p.c", "c": "import os"}, False),
    ],
)
def test_circles_of_files_are_found(codes: dict[str, str], there_is_one: bool) -> None:
    modules = {f"p.{name}" for name in codes}
    assert bool(circle({f"p.{name}": imported_modules(code, modules) for name, code in codes.items()})) == there_is_one


RUNS_CODE_FROM_FILES = {"cloudpickle", "cPickle", "dill", "joblib", "marshal", "pickle", "shelve"}


def test_no_file_can_run_code_when_it_is_loaded() -> None:
    codes = {path_of(file): file.read_text() for file in FILES}
    packages = {(path, name.split(".")[0]) for path, code in codes.items() for _, name in imports(parse(code))}
    assert [(path, name) for path, name in packages if name in RUNS_CODE_FROM_FILES] == []
    calls = re.compile(r"allow_pickle\s*=\s*True|\beval\(|\bexec\(")
    assert [(path, call) for path, code in codes.items() for call in calls.findall(code)] == []


#: What these print holds nothing from data.
PRINT = ("display/lines.py", "cli/demo.py", "cli/app.py", "cli/__init__.py", "engine/distributed.py")


def test_lines_for_people_are_printed_in_one_place() -> None:
    """`chainrule.display.lines` escapes what a terminal would obey."""
    codes = {path_of(file): file.read_text() for file in FILES}
    nodes = [(path, node) for path, code in codes.items() if path not in PRINT for node in walk(code)]
    calls = [(path, node.func) for path, node in nodes if isinstance(node, ast.Call)]
    assert [f"{path}:{f.lineno}" for path, f in calls if isinstance(f, ast.Name) and f.id == "print"] == []


def test_import_loads_no_heavy_library() -> None:
    """Importing chainrule costs little more than importing NumPy: the rest loads where it is used."""
    code = "import sys, chainrule; print(*{name.split('.')[0] for name in sys.modules})"
    fresh = {**os.environ, "PYTHONPATH": str(SOURCE.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=fresh)
    heavy = {
        "jax",
        "jaxlib",
        "onnx",
        "onnxruntime",
        "optax",
        "optuna",
        "pandas",
        "PIL",
        "pyarrow",
        "rich",
        "scipy",
        "sklearn",
        "sqlalchemy",
        "starlette",
        "uvicorn",
        "click",
    }
    assert set(done.stdout.split()) & heavy == set()


def test_the_commands_load_no_numpy() -> None:
    """So that ``--help`` and completion answer at once."""
    code = "import sys, chainrule.cli.app; print(*{'numpy', 'jax', 'rich', 'starlette'} & set(sys.modules))"
    fresh = {**os.environ, "PYTHONPATH": str(SOURCE.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=fresh)
    assert done.stdout.split() == []


def test_every_public_name_is_documented_with_an_example() -> None:
    public = {name: getattr(chainrule, name) for name in chainrule.__all__}
    without = [
        name
        for name, thing in public.items()
        if not isinstance(thing, ModuleType | str) and ">>> " not in (thing.__doc__ or "")
    ]
    assert without == []


def mentioned() -> list[str]:
    """Every name ``cr.…`` in the documentation, the examples and the code (where docstrings and messages have them)."""
    files = [
        ROOT / "README.md",
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "examples").glob("*.py")),
        *FILES,
    ]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return sorted({name.rstrip(".") for name in re.findall(r"(?<![\w.])cr\.([A-Za-z_][\w.]*)", text)})


def test_every_name_that_is_mentioned_exists_in_a_fresh_process() -> None:
    """Also those that another import would happen to bring along: the first part must be a name of the package."""
    names = mentioned()
    assert {"fit", "training.step", "tree.map"} <= set(names)
    code = """
import functools, sys
import chainrule as cr
missing = [name for name in sys.argv[1:] if name.split(".")[0] not in dir(cr)]
for name in set(sys.argv[1:]) - set(missing):
    try:
        functools.reduce(getattr, name.split("."), cr)
    except AttributeError:
        missing.append(name)
print(*missing)
"""
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_paths_that_are_mentioned_exist() -> None:
    """Modules and files are named in the documentation, in docstrings and in comments; they move."""
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "Makefile"]
    scripts = [file for folder in ("tests", "bench", "examples") for file in sorted((ROOT / folder).rglob("*.py"))]
    missing = []
    for file in [*documents, *scripts, *FILES]:
        text = file.read_text(encoding="utf-8")
        modules = {match.rstrip(".") for match in re.findall(r"(?<![\w./-])chainrule\.[A-Za-z_][\w.]*", text)}
        paths = set(re.findall(r"(?<![\w./-])\w+/[\w/]+\.py\b", text))
        wrong = {name for name in modules if not is_there(name)}
        wrong |= {path for path in paths if not any((folder / path).exists() for folder in (ROOT, SOURCE))}
        missing += [f"{file.relative_to(ROOT)}: {name}" for name in sorted(wrong)]
    assert missing == []


@functools.cache
def is_there(name: str) -> bool:
    """Return whether a dotted name is a module of the package, or something in one."""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


# Set-up: everything pinned, nothing tied to one machine or one package index.


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pins}


def test_every_requirement_is_pinned_to_a_version_it_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [text for group in project["optional-dependencies"].values() for text in group]
    wanted = [Requirement(text) for text in [*project["dependencies"], *extras]]
    pins = constraints()
    wrong = [
        f"{requirement}: pinned to {pins.get(canonicalize_name(requirement.name))}"
        for requirement in wanted
        if requirement.name != "chainrule"
        and not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0"))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "name", ["pyproject.toml", "constraints.txt", "Makefile", ".ci/run", ".pre-commit-config.yaml"]
)
def test_set_up_names_no_host_and_no_package_index(name: str) -> None:
    assert re.findall(r"\w+://|index-url|find-links|trusted-host", (ROOT / name).read_text()) == []


# Words: the field's own. A name says what the thing is, and a function's documentation what the function does.

#: Names that say where a thing came from, not what it is.
PRIVATE_WORDS = {"found", "given", "own", "kept", "told", "said"}

#: First words of a description that has no verb.
NOT_A_VERB = set(
    "the a an what where how whether which who one all some every each these those this that no two three of for as by "
    "with after before from at on to inside numbers names text rows".split()
)


@functools.cache
def name_fields(kind: type[ast.AST]) -> list[str]:
    """The fields of a kind of node that hold the name of a variable, parameter, attribute, function or class."""
    return [field for field in ("id", "arg", "attr", "name") if field in kind._fields and kind is not ast.alias]


def names_in(code: str) -> Iterator[tuple[int, str]]:
    """(line, name) of every variable, parameter, attribute, function and class."""
    for node in walk(code):
        for field in name_fields(type(node)):
            name = getattr(node, field)
            if isinstance(name, str):
                yield getattr(node, "lineno", 0), name


def private_names(code: str) -> list[tuple[int, str]]:
    """Names that are private words; those that another package gives (Hypothesis's `given`) are not ours."""
    others = {name.rpartition(".")[2] for _, name in imports(parse(code))}
    return [(n, name) for n, name in names_in(code) if name.strip("_") in PRIVATE_WORDS and name not in others]


def test_names_say_what_a_thing_is() -> None:
    files = {path_of(file): file for file in FILES}
    files |= {file.relative_to(ROOT).as_posix(): file for file in sorted((ROOT / "tests").rglob("*.py"))}
    names = [(path, *name) for path, file in files.items() for name in private_names(file.read_text())]
    assert [f"{path}:{line}: {name}" for path, line, name in names] == []


def test_private_names_are_found() -> None:
    code = "from hypothesis import given\n@given(own=1)\ndef found(_kept): x.told, given\nfor said in y: 'said'"
    assert {name for _, name in private_names(code)} == {"found", "_kept", "own", "told", "said"}


def test_functions_are_described_by_a_verb() -> None:
    wrong = []
    codes = {path_of(file): file.read_text() for file in FILES}
    for path, node in [(path, node) for path, code in codes.items() for node in walk(code)]:
        if not isinstance(node, ast.FunctionDef):
            continue
        text = ast.get_docstring(node)
        decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
        if not text or any("property" in decorator for decorator in decorators):
            continue
        if "primitive" in decorators:  # what a primitive computes is said by its formula: a + b
            continue
        first = text.split()[0].strip("`,.:").lower()
        if first in NOT_A_VERB or (first.endswith("s") and not first.endswith("ss")):  # "Rows of …", not "Pass …"
            wrong.append(f"{path}:{node.lineno}: {node.name}: {text.splitlines()[0]}")
    assert wrong == []
