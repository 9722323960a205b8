"""The published criteria side by side, of the newest evaluation that has all statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..arrays.short_floats import read_array
from ..regime.published import CRITERIA
from ..sinks.jsonl_record import SINGLES
from ..statistics.rounding import COUNTS, SIZES, VALUE_BYTES
from ..statistics.snapshot import Snapshot
from .course import Course

UNDECIDED = "u"


def criteria_of(course: Course, dimensions: Sequence[int]) -> dict[str, Any] | None:
    """Return the labels of some dimensions by each criterion, as letters; None before the first full evaluation.

    A criterion that decides nothing, as without a variance, is left out.
    """
    if course.newest_full is None:
        return None
    try:
        snapshot = _snapshot(course.newest_full)
        labels = {name: [label[0] for label in criterion(snapshot)] for name, criterion in CRITERIA.items()}
    except (ValueError, TypeError, KeyError):  # a log of another version, or one that was edited
        return None
    known = [name for name in labels if set(labels[name]) != {UNDECIDED}]
    return {
        "step": snapshot.step,
        "dimensions": list(dimensions),
        "columns": [
            {
                "name": name,
                "source": CRITERIA[name].source,
                "letters": "".join(labels[name][j] for j in dimensions),
                "active": labels[name].count("a"),
            }
            for name in known
        ],
    }


def _snapshot(raw: Mapping[str, Any]) -> Snapshot:
    """Return the snapshot of a line, with the numbers as they stand there."""
    D = raw["dimensions"] if "dimensions" in raw else len(raw["mean"])
    values: dict[str, Any] = {name: raw.get(name) for name, kind in SINGLES.items() if name in raw or kind == "float"}
    sizes = dict.fromkeys(COUNTS, VALUE_BYTES) | SIZES
    values |= {name: read_array(raw.get(name), size, D) for name, size in sizes.items()}
    return Snapshot.from_dict(values)
