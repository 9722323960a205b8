"""Lines of code that a message offers, and their evaluation."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import nn

MAX_TRIED = 6
"""Lines that are tried."""
CALL = re.compile(r"(?:polar_monitor\.)?attach\(")


def offered(text: str) -> list[str]:
    """Return the calls of attach in a text that can be evaluated: with no placeholder in them."""
    calls = []
    for match in CALL.finditer(text):
        depth = 0
        for end in range(match.end() - 1, len(text)):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            if not depth:
                call = text[match.start() : end + 1]
                if "…" not in call and "..." not in call and "<" not in call and "\n" not in call:
                    calls.append(call)
                break
    return list(dict.fromkeys(calls))


def evaluate(line: str, model: nn.Module, batch: Any) -> Any:
    """Evaluate an offered line and return its monitor; `batch` is there for lines that look at an example."""
    import polar_monitor

    names = {"attach": polar_monitor.attach, "polar_monitor": polar_monitor, "torch": torch}
    return eval(line, names | {"model": model, "batch": batch})
