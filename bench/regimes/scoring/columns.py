"""Tables of numbers and words as columns, and their CSV files: from them every table and picture can be made again."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, NDArray[Any]]
"""Arrays (n,) of float64 or of strings, by name."""
DIGITS = 5


def of_rows(rows: Iterable[Mapping[str, Any]]) -> Columns:
    """One row a mapping, all with the same names. Raises ValueError for no row at all."""
    known = list(rows)
    if not known:
        raise ValueError("rows: expected at least one, got none")
    return {name: _column([row[name] for row in known]) for name in known[0]}


def write(path: Path, columns: Columns) -> None:
    """As CSV, numbers with five significant digits: `read` gives what the tables are made of."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(columns)
        out.writerows(zip(*([_said(v) for v in column.tolist()] for column in columns.values()), strict=True))


def read(path: Path) -> Columns:
    """The columns of a CSV file; a column is of numbers if all its entries are."""
    with path.open(newline="", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    return {name: _column([row[i] for row in rows]) for i, name in enumerate(names)}


def where(columns: Columns, rows: NDArray[np.bool_]) -> Columns:
    """The chosen rows of every column."""
    return {name: column[rows] for name, column in columns.items()}


def _column(values: list[Any]) -> NDArray[Any]:
    try:
        return np.array([float(value) for value in values])
    except ValueError:
        return np.array([str(value) for value in values])


def _said(value: Any) -> str:
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)
