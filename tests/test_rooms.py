"""Each room's place in the house: who may import whom, which library is known where, and how large a room may grow."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tokenize
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

import polar_monitor

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "polar_monitor"

LEVELS = """
errors, context, _torch_compat, kernels
< _validation, arrays
< statistics, discovery, distributed
< regime, capture, entropy
< criteria, intervention
< alerts, schedule, offline, downstream
< rules
< evaluation
< sinks, healthy
< views
< web, plot
< monitor, replay, tensorboard_plugin
< __init__
< demo, integrations
< cli
< __main__
"""
"""`A < B`: B may import A, never the other way. Rooms of one level do not import each other."""
HEIGHT = {room.strip(): height for height, level in enumerate(LEVELS.split("<")) for room in level.split(",")}
ONLY_FACES = {"criteria": {"regime"}, "rules": {"alerts"}, "__main__": {"cli"}}
"""Files that only pass on the names of one room."""
PUBLIC = {"__init__", "__main__", "errors", "context", "evaluation", "criteria", "rules", "healthy"}
INTERNAL = {"_validation", "_torch_compat"}
"""All files that lie at the top of the package; everything else is in a room."""

KNOW_TORCH = {
    "_torch_compat",
    "capture",
    "discovery",
    "distributed",
    "schedule",
    "healthy",
    "intervention",
    "monitor",
    "demo",
    "integrations",
    "cli",
}
ONLY_IN = {
    "torch": KNOW_TORCH,
    "numba": {"kernels"},
    "tensorboard": {"sinks.tensorboard", "tensorboard_plugin"},
    "PIL": {"sinks.tensorboard"},
    "rich": {"sinks.console"},
    "sklearn": {"demo", "downstream"},
    "scipy": {"downstream"},
    "matplotlib": {"plot"},
    "uplot": set(),  # its files are looked up, and not imported
    "lightning": {"integrations"},
    "transformers": {"integrations"},
    "ignite": {"integrations"},
    "torchmetrics": {"integrations"},
    "argcomplete": {"cli"},
}
"""Rooms that may import a library, at the top of a file or in a function."""
KERNELS_KNOW = {"numpy", "numba", "math", "functools", "statistics", "time", "typing", "collections"}

MAX_FILES = 16
"""Python files in one folder."""
EXEMPT = {"tests/host"}
"""Folders with one file a promise."""
MAX_LINES = {"monitor/evaluation_loop.py": 200, "monitor/monitor.py": 200} | {
    f"integrations/{adapter}.py": 80 for adapter in ("_adapter", "lightning", "transformers", "ignite", "torchmetrics")
}
"""Lines of code, without blank lines, comments and docstrings."""


class Import(NamedTuple):
    """One import, and where it stands: at the `top` of a file, in a `function`, or for `typing` alone."""

    name: str
    where: str
    line: int


def _files() -> dict[str, Path]:
    """Return the path of each module by its full name."""
    files = {}
    for top, prefix in ((PACKAGE, ("polar_monitor",)), (ROOT / "kernels", ("polar_monitor", "kernels"))):
        for path in sorted(top.rglob("*.py")):
            parts = path.relative_to(top).with_suffix("").parts
            if top is not PACKAGE or parts[0] != "kernels":
                files[".".join((*prefix, *parts)).removesuffix(".__init__")] = path
    return files


FILES = _files()


def room_of(name: str) -> str:
    """Return the folder, or the file at the top, that holds a module."""
    return name.split(".")[1] if "." in name else "__init__"


ROOMS = sorted({room_of(name) for name in FILES})


def read_imports(name: str) -> list[Import]:
    """Read what a module imports, by full names."""
    imports: list[Import] = []

    def visit(node: ast.AST, where: str) -> None:
        if isinstance(node, ast.Import):
            imports.extend(Import(alias.name, where, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imports.extend(Import(target, where, node.lineno) for target in _from(name, node))
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:
                visit(child, "typing")
            for child in node.orelse:
                visit(child, where)
        elif not isinstance(node, ast.expr):  # which holds no import, and is most of a file
            inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for child in ast.iter_child_nodes(node):
                visit(child, "function" if inside and where == "top" else where)

    visit(ast.parse(FILES[name].read_text(encoding="utf-8")), "top")
    return [entry for entry in imports if entry.name != "__future__"]


def _from(name: str, node: ast.ImportFrom) -> set[str]:
    package = name.split(".") if FILES[name].name == "__init__.py" else name.split(".")[:-1]
    base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
    base = base if node.level else str(node.module)
    return {f"{base}.{alias.name}" for alias in node.names} & FILES.keys() or {base}


IMPORTS = {name: read_imports(name) for name in FILES}


def libraries(name: str) -> set[str]:
    """Return the names of others' packages that a module imports when it runs."""
    used = {entry.name.split(".")[0] for entry in IMPORTS[name] if entry.where != "typing"}
    return used - {"polar_monitor"}


def graph(*where: str) -> dict[str, set[str]]:
    """Return our own modules that each module imports in these places."""
    return {
        name: {entry.name for entry in entries if entry.where in where and entry.name in FILES}
        for name, entries in IMPORTS.items()
    }


def test_the_imports_are_read() -> None:
    top, anywhere = graph("top"), graph("top", "function")
    assert "polar_monitor.kernels._jit" in top["polar_monitor.kernels.crc32c"]
    assert not top["polar_monitor"]
    assert "polar_monitor.statistics.stream" not in top["polar_monitor.monitor.pipeline"]
    assert "polar_monitor.statistics.stream" in anywhere["polar_monitor.monitor.pipeline"]
    assert "polar_monitor.entropy" in graph("typing")["polar_monitor"]
    assert "numpy" in libraries("polar_monitor.statistics.window")


def test_every_room_has_its_level() -> None:
    assert set(ROOMS) <= HEIGHT.keys()


@pytest.mark.parametrize("where", ["top", "function", "typing"])
@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_below_it(room: str, where: str) -> None:
    below = {other for other, height in HEIGHT.items() if height < HEIGHT[room]}
    allowed = ONLY_FACES.get(room, below) | {room}
    wrong = [
        f"{name}:{entry.line} imports {entry.name}"
        for name in FILES
        if room_of(name) == room
        for entry in IMPORTS[name]
        if entry.where == where and entry.name in FILES and room_of(entry.name) not in allowed
    ]
    if room == "__init__" and where == "typing":
        wrong = []  # it lists the modules that it imports on demand
    assert not wrong, "\n".join(wrong)


def test_no_circle_of_files() -> None:
    edges = graph("top", "function")
    edges["polar_monitor"] = graph("top")["polar_monitor"]
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"a circle of imports: {' → '.join((*path[path.index(name) :], name))}"
        if name not in done:
            for other in sorted(edges[name]):
                visit(other, (*path, name))
            done.add(name)

    for name in edges:
        visit(name, ())


@pytest.mark.parametrize("name", [name for name in FILES if room_of(name) == "kernels"])
def test_kernels_know_only_numpy_and_numba(name: str) -> None:
    assert libraries(name) <= KERNELS_KNOW


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_known_only_where_it_belongs(library: str) -> None:
    knowing = [name for name in FILES if library in libraries(name)]
    places = tuple(f"polar_monitor.{place}." for place in ONLY_IN[library])
    wrong = [name for name in knowing if not f"{name}.".startswith(places)]
    assert not wrong


@pytest.mark.parametrize("room", sorted(set(ROOMS) - KNOW_TORCH - {"__init__", "__main__"}))
def test_what_comes_after_the_capture_runs_without_torch(room: str) -> None:
    edges = graph("top")
    waiting = [name for name in FILES if room_of(name) == room]
    reached = set(waiting)
    while waiting:
        new = edges[waiting.pop()] - reached - {"polar_monitor"}
        reached |= new
        waiting += new
    assert not [name for name in reached if "torch" in libraries(name)]


def test_import_loads_no_library() -> None:
    code = "import sys, polar_monitor; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    loaded = set(done.stdout.split())
    assert "polar_monitor" in loaded
    assert not loaded & {
        "torch",
        "numpy",
        "tensorboard",
        "lightning",
        "matplotlib",
        "scipy",
        "sklearn",
        "rich",
        "numba",
        "PIL",
        "pandas",
    }


def test_the_public_face_has_at_most_fourteen_names() -> None:
    shown = [name for name in dir(polar_monitor) if not name.startswith("_")]
    assert len(shown) <= 14
    assert set(shown) == set(polar_monitor.__all__)
    assert all(hasattr(polar_monitor, name) for name in shown)


def test_every_public_module_is_documented_and_imports_when_asked_for() -> None:
    for name in polar_monitor.MODULES:
        assert f"`{name}`" in str(polar_monitor.__doc__) or name in polar_monitor.__all__
        assert getattr(polar_monitor, name).__name__ == f"polar_monitor.{name}"


def test_at_the_top_lie_only_public_modules() -> None:
    at_the_top = {path.stem for path in PACKAGE.glob("*.py")}
    assert at_the_top <= PUBLIC | INTERNAL


@pytest.mark.parametrize("tree", ["polar_monitor", "kernels", "tests", "bench"])
def test_no_folder_is_crowded(tree: str) -> None:
    paths = [path.relative_to(ROOT) for path in (ROOT / tree).rglob("*.py")]
    counts = Counter(path.parent.as_posix() for path in paths)
    assert not {folder: count for folder, count in counts.items() if count > MAX_FILES and folder not in EXEMPT}


def test_the_tests_mirror_the_rooms() -> None:
    rooms = {room for room in ROOMS if (PACKAGE / room).is_dir()}
    tested = {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").rglob("test_*.py")}
    folders = {name for name in tested if not name.endswith(".py")}
    assert folders - {"host", "bench", "docs"} <= rooms
    assert rooms <= folders


def lines_of_code(source: str) -> int:
    """Count the lines that hold code."""
    apart = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in apart:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def test_lines_of_code_are_counted() -> None:
    assert (
        lines_of_code('"""A module."""\n\n# a comment\nx = [\n    1,\n]\n\n\ndef f():\n    """Two\n    lines."""\n')
        == 4
    )


@pytest.mark.parametrize("file", MAX_LINES)
def test_files_that_know_many_others_and_adapters_stay_short(file: str) -> None:
    count = lines_of_code((PACKAGE / file).read_text(encoding="utf-8"))
    assert count <= MAX_LINES[file], f"{file} has {count} lines of code"
