"""`polar-monitor report`: runs as one HTML file that opens without network."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import PolarMonitorError
from ..web.report import write_report
from .screen import complain, show

COMMAND = "polar-monitor report"
CODES = "exit codes: 0 the report is written; 2 a run or a file that cannot be used"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run or of runs, or a .jsonl log")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("report.html"), metavar="FILE", help="default: report.html"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    try:
        size = write_report(options.runs, options.output)
    except PolarMonitorError as error:
        complain(COMMAND, str(error))
        return 2
    show(str(options.output))
    complain(COMMAND, f"{size / 1e6:.1f} MB; open it in a browser")
    return 0
