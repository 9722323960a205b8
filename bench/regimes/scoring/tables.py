"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]], words: int = 1) -> str:
    """The first `words` columns to the left, numbers to the right."""
    align = ["---"] * words + ["---:"] * (len(head) - words)
    lines = [list(head), align, *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(table: str, row: str, column: str) -> str:
    """The entry of a table in Markdown. Raises KeyError for a row (its first cell) or a column that is not there."""
    head, _, *lines = [[part.strip() for part in line.strip("| ").split(" | ")] for line in table.splitlines()]
    for line in lines:
        if line[0] == row and column in head:
            return line[head.index(column)]
    raise KeyError(f"expected row {row!r} and column {column!r} in the table of {head}")
