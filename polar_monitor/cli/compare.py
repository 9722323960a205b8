"""`polar-monitor compare`: runs side by side in a table."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import PolarMonitorError
from ..views.find_logs import natural_order
from .parser import closest
from .screen import columns, complain, show, show_json

COMMAND = "polar-monitor compare"
DESCRIPTION = (
    "Print a table of runs: verdict, dimensions in use, nats, alerts, and the numbers of monitor.log(…), such as beta, "
    "that differ."
)
CODES = "exit codes: 0 done; 2 a path that cannot be used, or no run that can be read"
MEASURED = ("reconstruction", "baseline")
"""Numbers of `monitor.log` that are results, and no hyper-parameters."""
KEPT = ("title", "path", "name", "mode", "step", "verdict", "in_use", "dimensions", "nats", "unit", "text", "context")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run or of runs, or a .jsonl log")
    parser.add_argument("--sort", metavar="COLUMN", help='column of the table by which the runs are sorted, as "nats"')
    parser.add_argument("--reverse", action="store_true", help="the last run first")
    parser.add_argument("--json", action="store_true", help="print a JSON list with an object for each run")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from ..web.report import runs_of

    runs = runs_of(options.runs)
    read = [run for run in runs if not run["problem"]]
    if not read:
        raise PolarMonitorError(f"{runs[0]['path']}: {runs[0]['problem']}")
    if options.sort is not None:
        read = by_column(read, options.sort)
    if options.reverse:
        read.reverse()
    if options.json:
        show_json([{key: run[key] for key in KEPT} | {"alerts": run["alerts"]} for run in read])
    else:
        show(table(read))
    for run in runs:
        for text in [run["problem"]] if run["problem"] else run["notes"]:
            complain(COMMAND, f"{run['path']}: {text}")
    return 0


def by_column(runs: list[dict[str, Any]], column: str) -> list[dict[str, Any]]:
    """Return documents of runs by a column, those without a number in it last. Raises PolarMonitorError."""
    names = list(dict.fromkeys(name for run in runs for name in run["context"]))
    if column not in (*COLUMNS, *names):
        known = (*COLUMNS, *names)
        raise PolarMonitorError(f"--sort: expected one of {', '.join(known)}, got {column!r}{closest(column, known)}")

    def key(run: dict[str, Any]) -> tuple[bool, Any]:
        value = COLUMNS[column](run) if column in COLUMNS else run["context"].get(column)
        return value is None, natural_order(Path(value)) if column == "run" else 0.0 if value is None else value

    return sorted(runs, key=key)


COLUMNS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "run": lambda run: run["title"],
    "verdict": lambda run: run["verdict"],
    "in use": lambda run: run["in_use"],
    "nats": lambda run: run["nats"],
    "step": lambda run: run["step"],
    "alerts": lambda run: sum(alert["kind"] != "settling" for alert in run["alerts"]),
}
"""Columns that every table has, with what a run is sorted by."""


def table(runs: list[dict[str, Any]]) -> str:
    """Return documents of runs as a table, and under it what they share."""
    names = dict.fromkeys(name for run in runs for name in run["context"] if name not in MEASURED)
    values = {name: [_number(run["context"].get(name)) for run in runs] for name in names}
    differ = [name for name in names if len(set(values[name])) > 1 or len(runs) == 1]
    shared = [f"{name} {values[name][0]}" for name in names if name not in differ]
    rows = [[*COLUMNS, *differ]]
    for i, run in enumerate(runs):
        use = f"{run['in_use']} of {run['dimensions']}"
        known = [run["verdict"], use, f"{run['nats']:.2f}", f"{run['step']:,}", _alerts(run)]
        rows.append([run["title"], *known, *(values[name][i] for name in differ)])
    text = columns(rows, right=[2, 3, 4, *range(len(COLUMNS), len(rows[0]))])
    return f"{text}\n\nthe same in all: {', '.join(shared)}" if shared else text


def _alerts(run: dict[str, Any]) -> str:
    kinds = Counter(alert["kind"] for alert in run["alerts"] if alert["kind"] != "settling")
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "none"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"
