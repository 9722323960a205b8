"""Who may know whom: the imports as they are written, and what `import polar_monitor` loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "polar_monitor"
FILES = {
    ".".join(("polar_monitor", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if "kernels" not in path.relative_to(PACKAGE).parts
} | {
    ".".join(("polar_monitor.kernels", *path.relative_to(PACKAGE / "kernels").with_suffix("").parts)): path
    for path in sorted((PACKAGE / "kernels").rglob("*.py"))
}

PURE = {
    "alerts.engine",
    "alerts.alert",
    "offline.batches",
    "alerts.builtin.attribution",
    "alerts.registry",
    "context",
    "regime.published",
    "alerts.signals.cusum",
    "regime.disagreement",
    "entropy",
    "evaluation",
    "alerts.signals.forecast",
    "healthy.folder",
    "healthy.memory",
    "healthy.run",
    "healthy.series",
    "regime.label",
    "alerts.builtin.fading",
    "offline.classify",
    "statistics.windowed_histogram",
    "replay.record",
    "regime.regime",
    "replay.replay",
    "arrays.rows",
    "regime.information",
    "alerts.custom_rule",
    "alerts.alert_rules",
    "statistics.resolution",
    "statistics.snapshot",
    "statistics.correlation",
    "arrays.spread",
    "statistics.window",
    "statistics.stream",
    "offline.subset",
    "alerts.signals.history",
    "alerts.signals.trend",
    "alerts.builtin.update",
    "alerts.builtin.state",
    "alerts.builtin.drain",
}
"""Everything from the statistics to the alerts: none of it knows torch, nor anything that does."""
KNOW_TORCH = {
    "_torch_compat",
    "monitor.attach",
    "capture",
    "monitor.checkpoint",
    "monitor.connection",
    "schedule.optimizer_clock",
    "cli.main",
    "discovery",
    "distributed",
    "healthy.keeper",
    "monitor.monitor",
    "monitor.observe",
    "monitor.options",
    "schedule",
    "monitor.training_context",
    "schedule.missing_steps",
}
ONLY_IN = {
    "torch": (*(f"polar_monitor.{name}" for name in KNOW_TORCH), "polar_monitor.demo", "polar_monitor.integrations"),
    "numba": ("polar_monitor.kernels",),
    "tensorboard": ("polar_monitor.sinks", "polar_monitor.tensorboard_plugin"),
    "PIL": ("polar_monitor.sinks",),
    "rich": ("polar_monitor.sinks",),
    "sklearn": ("polar_monitor.demo", "polar_monitor.downstream"),
    "scipy": ("polar_monitor.downstream",),
    "matplotlib": (),
    "lightning": ("polar_monitor.integrations",),
}
KERNELS_KNOW = {"numpy", "numba", "math", "functools", "statistics", "typing", "collections"}


def imports(name: str, everywhere: bool) -> set[str]:
    """Full names of what a module imports: at its top level, or `everywhere` in it; not for type checkers alone."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(FILES[name].read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= _from(name, node)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif everywhere or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return found - {"__future__"}


def _from(name: str, node: ast.ImportFrom) -> set[str]:
    package = name.split(".") if FILES[name].name == "__init__.py" else name.split(".")[:-1]
    base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])]) if node.level else ""
    base = base or str(node.module)
    modules = {f"{base}.{alias.name}" for alias in node.names} & FILES.keys()
    return modules or {base}


GRAPH = {name: {other for other in imports(name, everywhere=False) if other in FILES} for name in FILES}


def reached(name: str) -> set[str]:
    """All modules of ours that importing `name` runs, the package's own `__init__` apart."""
    seen, waiting = {name}, [name]
    while waiting:
        new = GRAPH[waiting.pop()] - seen - {"polar_monitor"}
        seen |= new
        waiting += new
    return seen


def roots(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def test_the_files_are_read() -> None:
    assert {f"polar_monitor.{name}" for name in PURE} <= FILES.keys()
    assert "polar_monitor.kernels._jit" in GRAPH["polar_monitor.kernels.crc32c"]
    assert {"polar_monitor.alerts.alert"} <= GRAPH["polar_monitor"]
    assert "polar_monitor.statistics.stream" not in GRAPH["polar_monitor.monitor.pipeline"]
    assert "polar_monitor.statistics.stream" in imports("polar_monitor.monitor.pipeline", everywhere=True)


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("polar_monitor.kernels.")])
def test_kernels_know_only_numpy_numba_and_each_other(name: str) -> None:
    others = {found for found in imports(name, everywhere=True) if not found.startswith("polar_monitor.kernels")}
    assert roots(others) <= KERNELS_KNOW


@pytest.mark.parametrize("name", sorted(PURE))
def test_the_statistics_know_no_torch(name: str) -> None:
    for module in reached(f"polar_monitor.{name}"):
        assert "torch" not in roots(imports(module, everywhere=False)), f"{name} imports torch through {module}"


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_known_only_where_it_belongs(library: str) -> None:
    knowing = {name for name in FILES if library in roots(imports(name, everywhere=True))}
    allowed = {name for name in knowing if any(f"{name}.".startswith(f"{place}.") for place in ONLY_IN[library])}
    assert knowing == allowed


def test_imports_point_down_only() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"a circle of imports: {' → '.join((*path[path.index(name) :], name))}"
        if name not in done:
            for other in sorted(GRAPH[name]):
                visit(other, (*path, name))
            done.add(name)

    for name in GRAPH:
        visit(name, ())


def test_import_loads_neither_tensorboard_nor_the_compiler() -> None:
    code = "import sys, polar_monitor; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    loaded = set(done.stdout.split())
    assert {"torch", "numpy", "polar_monitor"} <= loaded
    assert not loaded & {"tensorboard", "lightning", "matplotlib", "scipy", "sklearn", "rich", "numba", "PIL", "pandas"}
