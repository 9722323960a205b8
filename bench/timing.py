"""Times to compare: all candidates in turns, in one process, so that a slow minute of the machine hits all alike."""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

clock: Callable[[], float] = time.perf_counter
"""The clock of all times; `time.process_time` on a machine that others use too."""


def medians(candidates: Mapping[str, Callable[[], Any]], budget: float = 1.0, least: int = 3) -> dict[str, float]:
    """Median seconds of each; every candidate runs once to warm up, then `least` times or for `budget` seconds."""
    for run in candidates.values():
        run()
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    while waiting := [name for name, times in taken.items() if len(times) < least or sum(times) < budget]:
        for name in waiting:
            start = clock()
            candidates[name]()
            taken[name].append(clock() - start)
    return {name: median(times) for name, times in taken.items()}


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown: the first column to the left, numbers to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
