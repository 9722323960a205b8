"""Cells run one after the other in one namespace, as a notebook runs them; what they print and show is kept."""

from __future__ import annotations

import ast
import contextlib
import io
import sys
import warnings
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from polar_monitor import PolarMonitorWarning

from .cells import Cell

NAME = "__main__"


def run_cell(source: str, namespace: dict[str, Any], place: str = "<cell>") -> Any:
    """Run a cell and return the value of its last line, if that is an expression."""
    tree = ast.parse(source, place)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, place, "exec"), namespace)
    return None if last is None else eval(compile(ast.Expression(last.value), place, "eval"), namespace)


def notebook(script: Iterable[Cell]) -> dict[str, Any]:
    """Run the cells and return the notebook (nbformat 4.5) with their outputs."""
    module = ModuleType(NAME)
    made, count = [], 0
    for i, cell in enumerate(script):
        one: dict[str, Any] = {"cell_type": cell.kind, "id": f"cell-{i}", "metadata": {}, "source": lines(cell.source)}
        if cell.kind == "code":
            count += 1
            one |= {"execution_count": count, "outputs": outputs(cell.source, vars(module), count)}
        made.append(one)
    language = {"name": "python", "version": ".".join(map(str, sys.version_info[:2]))}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": made,
        "metadata": {"kernelspec": kernel, "language_info": language},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def outputs(source: str, namespace: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Run one cell and return what it printed, and what its last line shows."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of other packages name folders of this machine
        warnings.simplefilter("default", PolarMonitorWarning)
        warnings.showwarning = lambda message, kind, *_: print(f"{kind.__name__}: {message}")  # type: ignore[assignment]
        value = run_cell(source, namespace, f"<cell {count}>")
    made: list[dict[str, Any]] = []
    if printed.getvalue():
        made.append({"output_type": "stream", "name": "stdout", "text": lines(printed.getvalue())})
    if value is not None:
        data = {"text/plain": lines(repr(value))}
        if hasattr(value, "_repr_html_"):
            data["text/html"] = lines(value._repr_html_())
        made.append({"output_type": "execute_result", "execution_count": count, "data": data, "metadata": {}})
    return made


def lines(text: str) -> list[str]:
    """Return a text as the lines that a notebook stores, each with its end."""
    return text.splitlines(keepends=True)
