"""A message, what it tells to do, and a check that doing so ends it; and all suggestions that the package has."""

from __future__ import annotations

import ast
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from watching import warned

import polar_monitor
from polar_monitor import PolarMonitorError

PACKAGE = Path(polar_monitor.__file__).parent
HOLE = "\0"
"""Place in a message that is filled in."""
VERBS = "write|call|use|pass|give|set|attach|compile|remove|leave out|keep|choose|name|add|lower|raise|make|merge|take"
TELLS = re.compile(rf"(?i)(?:[:;,.(?]\s+|\bor\s+|\band\s+|\bthen\s+|^)(?:{VERBS})\b(?!:)")
"""Words in the imperative: at the beginning of a clause."""


class Suggestion(NamedTuple):
    """A message, what has to be in it, and what it tells to do."""

    words: str
    cause: Callable[[], Any]
    remedy: Callable[[], Any]


def said_by(call: Callable[[], Any], caplog: pytest.LogCaptureFixture) -> str:
    """All that a call says: in an error, in warnings, in the log."""
    caplog.clear()
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.INFO, "polar_monitor"):
        warnings.simplefilter("always")
        try:
            call()
            error = ""
        except (PolarMonitorError, TypeError) as failure:
            error = str(failure)
    ours = [str(one.message) for one in caught if "polar_monitor" in str(one.message)]
    return "\n".join([error, *ours, *(record.getMessage() for record in caplog.records)])


def follow(suggestion: Suggestion, caplog: pytest.LogCaptureFixture) -> None:
    """The message comes, and after what it tells to do it does not, nor any error or warning."""
    said = said_by(suggestion.cause, caplog)
    assert suggestion.words in said
    with warned() as caught:
        after = said_by(suggestion.remedy, caplog)
    assert suggestion.words not in after
    assert not caught and not after.partition("\n")[0], after


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every text of a module but its docstrings, joined as Python joins it, with a HOLE for what is filled in."""
    done = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) not in done and (text := text_of(node)):
            done.update(map(id, ast.walk(node)))
            yield node.lineno, text  # type: ignore[attr-defined]


def text_of(node: ast.AST) -> str:
    """The text of an expression; '' if it is none."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or HOLE for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = text_of(node.left), text_of(node.right)
        return (left or HOLE) + (right or HOLE) if left or right else ""
    return ""


def all_suggestions() -> dict[str, str]:
    """Every text of the package that tells its reader to do something, with its place."""
    return {
        text: f"{path.relative_to(PACKAGE)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, text in texts(ast.parse(path.read_text(encoding="utf-8")))
        if len(text.split()) > 3 and TELLS.search(text)
    }


def has(text: str, words: str) -> bool:
    """True if the words are a part of a text of the package, when its HOLEs are filled in."""
    if words in text:
        return True
    grams = (words[i : i + 6] for i in range(max(len(words) - 5, 1)))
    if not any(gram in text for gram in grams):
        return False
    fixed = [0] * (len(words) + 1)  # most characters of words[j:] that the rest of the text has itself; -1 if none
    best = 0
    after = [-1] * len(words) + [0]
    for letter in reversed(text):
        if letter == HOLE:
            fixed = after.copy()
            for j in range(len(words) - 1, -1, -1):
                fixed[j] = max(fixed[j], fixed[j + 1])
        else:
            fixed = [
                *(1 + after[j + 1] if letter == words[j] and after[j + 1] >= 0 else -1 for j in range(len(words))),
                0,
            ]
        best, after = max(best, fixed[0]), fixed
    return best > len(words) / 3
