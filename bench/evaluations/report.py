"""Tables in Markdown from the results of the processes."""

from __future__ import annotations

from statistics import median
from typing import Any

from timing import table

from .timings import STAGES

Results = dict[tuple[int, str, str], list[dict[str, Any]]]
"""Results of the rounds, by dimensions, case and kind of the evaluation."""
KINDS = ("light", "full")


def gathered(rounds: list[list[dict[str, Any]]]) -> Results:
    """Order the results of one checkout. A kind that it does not have is as dear as its only kind."""
    results: Results = {}
    for rows in rounds:
        for row in rows:
            for kind in KINDS:
                one = row.get(kind) or row.get("full")
                results.setdefault((row["dimensions"], row["case"], kind), []).append(one)
    return results


def _milliseconds(results: Results, key: tuple[int, str, str]) -> float:
    return median(one["all"] for one in results[key])


def times(ours: Results, base: Results) -> str:
    """Return the times of each case, beside those of clean rows and those of the base."""
    head = ["D", "rows"]
    for kind in KINDS:
        head += [f"{kind}, ms", "× clean", *(["base, ms", "base / ours"] if base else [])]
    rows = []
    for dimensions, case in dict.fromkeys(key[:2] for key in ours):
        row = [str(dimensions), case]
        for kind in KINDS:
            key = (dimensions, case, kind)
            value, clean = _milliseconds(ours, key), _milliseconds(ours, (dimensions, "clean", kind))
            row += [f"{value:.2f}", f"{value / clean:.2f}"]
            if base:
                pairs = zip(base[key], ours[key], strict=True)
                ratio = median(theirs["all"] / mine["all"] for theirs, mine in pairs)
                row += [f"{_milliseconds(base, key):.2f}", f"{ratio:.1f}"]
        rows.append(row)
    return table(head, rows)


def stages(ours: Results) -> str:
    """Return the milliseconds of each stage for clean rows."""
    names = [*(stage for *_, stage in STAGES), "loop"]
    rows = []
    for dimensions, case, kind in ours:
        if case == "clean":
            found = ours[dimensions, case, kind]
            values = [median(one[name] for one in found) for name in names]
            total = sum(values)
            shares = [f"{value:.2f} ({value / total:.0%})" for value in values]
            rows.append([f"{dimensions}, {kind}", *shares, f"{total:.2f}"])
    return table(["D, kind", *names, "sum"], rows)


def calls(ours: Results, base: Results, counts: list[dict[str, Any]], base_counts: list[dict[str, Any]]) -> str:
    """Return the number of calls of kernels, of NumPy and kernels together, and of Python functions."""
    head = ["D, kind", "kernels", "NumPy and kernels", "of Python functions"]
    head += ["base: NumPy and kernels", "of Python functions"] if base else []
    rows = []
    for number, count in enumerate(counts):
        for kind in KINDS:
            dimensions = count["dimensions"]
            key = (dimensions, "clean", kind)
            found = count.get(kind) or count["full"]
            kernels = sum(times for name, times in found.items() if name.startswith("kernel "))
            row = [f"{dimensions}, {kind}", str(kernels), str(sum(found.values())), str(ours[key][0]["calls"])]
            if base:
                found = base_counts[number].get(kind) or base_counts[number]["full"]
                row += [str(sum(found.values())), str(base[key][0]["calls"])]
            rows.append(row)
    return table(head, rows)
