"""Cells of a script: `# %%` begins one of code, `# %% [markdown]` one of text, whose lines are comments."""

from __future__ import annotations

import re
from typing import NamedTuple

MARK = re.compile(r"^# %%(?P<text> \[markdown\])?[ \t]*$", re.MULTILINE)


class Cell(NamedTuple):
    """One cell of a notebook."""

    kind: str
    """"code" or "markdown"."""
    source: str


def cells(script: str) -> list[Cell]:
    """Return the cells of a script. What precedes the first mark belongs to none."""
    marks = [*MARK.finditer(script)]
    ends = [*(mark.start() for mark in marks[1:]), len(script)]
    found = []
    for mark, end in zip(marks, ends, strict=True):
        source = script[mark.end() : end].strip("\n")
        if mark["text"]:
            source = re.sub(r"^# ?", "", source, flags=re.MULTILINE)
        found.append(Cell("markdown" if mark["text"] else "code", source))
    return found
