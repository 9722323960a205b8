"""NumPy and kernel calls of one evaluation, as JSON on standard output: `python -m evaluations.counts ARGUMENTS`.

ARGUMENTS are JSON: dimensions, and cases if not all. It runs in `bench/`; `bench/evaluation.py` starts it on each
checkout. No profiler of Python sees a ufunc or an operator of arrays. So the project's modules are imported through a
rewriter that reports every call and every operator of their source; kernels themselves stay as they are. What NumPy's
own functions call inside is one call. An index that takes a part of an array is none.
"""

from __future__ import annotations

import ast
import builtins
import importlib.abc
import importlib.machinery
import importlib.util
import itertools
import json
import operator
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numpy as np

EVALUATIONS = 12
"""Evaluations, of which the last one of each kind is counted."""
KERNEL_TYPES = {"CPUDispatcher", "Kernel"}
OPERATORS = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.FloorDiv: "floordiv", ast.Mod: "mod",
    ast.Pow: "pow", ast.MatMult: "matmul", ast.BitAnd: "and_", ast.BitOr: "or_", ast.BitXor: "xor",
    ast.LShift: "lshift", ast.RShift: "rshift", ast.USub: "neg", ast.UAdd: "pos", ast.Invert: "invert", ast.Eq: "eq",
    ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge",
}  # fmt: skip


class Calls:
    """Counter of calls while it is `on`."""

    def __init__(self) -> None:
        self.on = False
        self.count: Counter[str] = Counter()

    def called(self, function: Any) -> Any:
        """Count a call of `function`, which is returned, if it is a kernel's or NumPy's."""
        if self.on:
            if type(function).__name__ in KERNEL_TYPES:
                self.count[f"kernel {function.__name__}"] += 1
            elif is_numpy(function):
                self.count[getattr(function, "__name__", str(function))] += 1
        return function

    def operate(self, name: str, *operands: Any) -> Any:
        """Return the result of an operator, which counts if an operand is an array."""
        if self.on and any(isinstance(operand, np.ndarray) for operand in operands):
            self.count[f"operator {name}"] += 1
        return getattr(operator, name)(*operands)

    def changed(self, target: Any) -> None:
        """Count an operator that changes `target`, if it is an array."""
        if self.on and isinstance(target, np.ndarray):
            self.count["operator in place"] += 1


def is_numpy(function: Any) -> bool:
    """Return True for functions of NumPy, ufuncs, and methods of either and of arrays."""
    if isinstance(function, type) and issubclass(function, np.generic):
        return False
    owner = getattr(function, "__self__", None)
    return (
        isinstance(function, np.ufunc)
        or isinstance(owner, np.ndarray | np.ufunc | np.random.Generator)
        or str(getattr(function, "__module__", "")).partition(".")[0] == "numpy"
    )


class Rewriter(ast.NodeTransformer):
    """Replaces calls and operators by calls of `_calls`. Kernels, annotations and patterns stay."""

    def _report(self, method: str, *arguments: ast.expr) -> ast.Call:
        function = ast.Attribute(ast.Name("_calls", ast.Load()), method, ast.Load())
        return ast.Call(function, list(arguments), [])

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Rewrite the body, but not a kernel's, and neither annotations nor defaults."""
        names = {getattr(getattr(mark, "func", mark), "id", "") for mark in node.decorator_list}
        if names & {"kernel", "helper", "inlined"}:
            return node
        node.body = [self.visit(part) for part in node.body]
        node.body = [one for part in node.body for one in (part if isinstance(part, list) else [part])]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Rewrite the value."""
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_MatchValue(self, node: ast.MatchValue) -> ast.AST:
        """Leave a pattern."""
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Report a call."""
        self.generic_visit(node)
        node.func = self._report("called", node.func)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """Report a binary operator."""
        self.generic_visit(node)
        return self._report("operate", ast.Constant(OPERATORS[type(node.op)]), node.left, node.right)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        """Report a unary operator."""
        self.generic_visit(node)
        if isinstance(node.op, ast.Not):
            return node
        return self._report("operate", ast.Constant(OPERATORS[type(node.op)]), node.operand)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """Report a comparison."""
        self.generic_visit(node)
        if len(node.ops) > 1 or type(node.ops[0]) not in OPERATORS:
            return node
        name = ast.Constant(OPERATORS[type(node.ops[0])])
        return self._report("operate", name, node.left, node.comparators[0])

    def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt]:
        """Report an operator in place."""
        target = ast.parse(ast.unparse(node.target), mode="eval").body
        node.value = self.visit(node.value)
        return [ast.Expr(self._report("changed", target)), node]


def rewritten(source: str, path: str) -> CodeType:
    """Compile a module's source so that it reports to `_calls`."""
    return compile(ast.fix_missing_locations(Rewriter().visit(ast.parse(source))), path, "exec", dont_inherit=True)


class _Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        return rewritten(self.get_source(fullname) or "", self.path)


class Finder(importlib.abc.MetaPathFinder):
    """Imports the modules of a package through the rewriter."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        """Find one of them."""
        if name.partition(".")[0] != self.package or name.endswith("._jit"):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(name, spec.loader.path)
        return spec


def main() -> None:
    wanted = json.loads(sys.argv[1])
    calls = builtins._calls = Calls()  # type: ignore[attr-defined]
    sys.meta_path.insert(0, Finder("polar_monitor"))
    from .drive import COUNTED, Drive

    result = []
    for dimensions, case in itertools.product(wanted["dimensions"], wanted.get("cases", COUNTED)):
        with tempfile.TemporaryDirectory() as folder:
            drive, counts = Drive(dimensions, case, Path(folder)), {}
            for _ in range(EVALUATIONS):
                drive.prepare()
                calls.count.clear()
                calls.on = True
                drive.monitor.step()
                calls.on = False
                counts[drive.kind] = dict(calls.count)
            drive.finish()
        result.append({"dimensions": dimensions, "case": case, **counts})
    print(json.dumps(result))


if __name__ == "__main__":
    main()
