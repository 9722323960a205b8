"""`polar-monitor tail`: follow a run while it trains, a line for each evaluation."""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import PolarMonitorError, printable
from .parser import integer
from .screen import complain, series_of, show, show_json

if TYPE_CHECKING:
    from ..views.point import Point

COMMAND = "polar-monitor tail"
DESCRIPTION = (
    "Print the newest evaluations of a run and then each new one as it comes, with its alerts; Ctrl-C ends it."
)
CODES = (
    "exit codes: 0 done (--once); 2 a path or a file that cannot be used; 130 ended by Ctrl-C; 141 the reader has gone"
)
SECONDS = 0.5
"""Time between two looks at the log."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("run_path", type=Path, metavar="RUN", help="folder of a run, or its .jsonl log")
    parser.add_argument("-n", "--lines", type=integer(0), default=10, help="evaluations to begin with (default: 10)")
    parser.add_argument("--once", action="store_true", help="end after these, and do not wait for new ones")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from ..views.find_logs import log_of_run
    from ..views.log import RunLog

    points: deque[Point] = deque()
    log = RunLog(log_of_run(options.run_path), points.append)
    log.refresh()
    if log.problem and (options.once or (log.bad_lines and not log.courses)):
        raise PolarMonitorError(f"{str(log.path)!r}: {log.problem}")
    if not points:
        complain(COMMAND, f"{log.path}: no evaluation yet, waiting for the first")
    if log.bad_lines:
        complain(COMMAND, next(note for note in log.notes if log.first_bad in note))
    while len(points) > options.lines:
        points.popleft()
    while True:
        while points:
            _show(points.popleft(), options.json)
        sys.stdout.flush()
        if options.once:
            return 0
        time.sleep(SECONDS)
        log.refresh()


def _show(point: Point, as_json: bool) -> None:
    from ..alerts.alert import NOTES, title
    from ..views.latest import record_of

    record = record_of(point)
    if as_json:
        show_json(record)
        return
    show(line_of(record, point))
    for alert in point.alerts:
        show(printable(f"  {title(alert)}: {alert.message}", keep=""), alarm=alert.kind not in NOTES)


def line_of(record: dict[str, Any], point: Point) -> str:
    """Return an evaluation as one line."""
    from ..sinks.console.plain_line import overhead_words

    series = series_of(record)
    head = f"step {record['step']:>7,}{f'  {series}' if series else ''}"
    if not record["labels"]:
        return printable(f"{head}  nothing observed", keep="")
    use = f"{record['in_use']} of {record['dimensions']} in use"
    words = [head, f"{record['verdict']:<10}", f"{use:<17}", f"{record['nats']:8.3f} nats"]
    words += [f"{name} {value:.4g}" for name, value in record["context"].items() if name != "weight_decay" or value]
    words += [] if point.overhead is None else [overhead_words(point.overhead, point.allowance_used, point.number)]
    return printable("  ".join(words), keep="")
