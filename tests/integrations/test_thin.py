"""Adapters stay thin: lines of code of each module and of each tracker's sink."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import polar_monitor

FOLDER = Path(polar_monitor.__file__).parent / "integrations"
MODULE_LINES, TRACKER_LINES = 80, 40


def lines_of_code(source: str, node: ast.AST) -> int:
    """Count the lines that are neither blank, nor a comment, nor part of a docstring."""
    lines, texts = source.splitlines(), set()
    for part in ast.walk(node):
        if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant):
            texts.update(range(part.lineno, (part.end_lineno or 0) + 1))
    first, last = (node.lineno, node.end_lineno or 0) if isinstance(node, ast.ClassDef) else (1, len(lines))
    code = (lines[n - 1].strip() for n in range(first, last + 1) if n not in texts)
    return sum(bool(line) and not line.startswith("#") for line in code)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_an_adapter_is_short(path: Path) -> None:
    source = path.read_text()
    assert lines_of_code(source, ast.parse(source)) < MODULE_LINES


def test_a_tracker_is_shorter() -> None:
    source = (FOLDER / "trackers.py").read_text()
    sinks = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    assert len(sinks) == 6
    for sink in sinks:
        assert (sink.end_lineno or 0) - sink.lineno + 1 < TRACKER_LINES, sink.name
