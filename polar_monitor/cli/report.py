"""`polar-monitor report`: runs as one HTML file that opens without network, as Markdown or as a picture."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import Any

from ..errors import PolarMonitorError
from .parser import one_of
from .screen import check_output, complain, show, show_json

COMMAND = "polar-monitor report"
DESCRIPTION = "Write one HTML file that shows runs, which opens without network; or Markdown, or a picture."
CODES = "exit codes: 0 the report is written; 2 a path or a file that cannot be used, or no run that can be drawn"

FORMATS = ("html", "md", "png", "svg")
STANDARD_OUTPUT = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run or of runs, or a .jsonl log")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="default: report.html, or another ending; - for standard output",
    )
    parser.add_argument(
        "--format",
        type=one_of(FORMATS),
        choices=FORMATS,
        help="html (default): the page; md: text for a pull request; png, svg: the lifelines of a run, or of several "
        "the nats by rank (needs matplotlib). Without it the ending of FILE decides",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the file's name")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from ..web.report import runs_of

    ending = "" if options.output is None else options.output.suffix.lstrip(".").lower()
    kind = options.format or (ending if ending in FORMATS else "html")
    output = options.output or Path(f"report.{kind}")
    runs = runs_of(options.runs)
    piped = str(output) == STANDARD_OUTPUT
    if piped and options.json:
        raise PolarMonitorError("--json: expected a file with -o, as the report itself goes to standard output")
    check_output(output, [Path(run["path"]) for run in runs])
    if all(run["problem"] for run in runs):
        raise PolarMonitorError(f"{runs[0]['path']}: {runs[0]['problem']}")
    try:
        content = _content(runs, kind)
        if piped:
            sys.stdout.buffer.write(content)
        else:
            output.write_bytes(content)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise PolarMonitorError(
            f"cannot write {str(output)!r} ({error.strerror or error}): pass a file in another folder"
        ) from error
    if options.json:
        sentences = [{key: run[key] for key in ("title", "path", "problem")} for run in runs]
        show_json({"file": str(output), "bytes": len(content), "runs": sentences})
    elif not piped:
        show(str(output))
    for run in runs:
        for text in [run["problem"]] if run["problem"] else run["notes"]:
            complain(COMMAND, f"{run['path']}: {text}")
    complain(
        COMMAND, f"{len(content) / 1e3:,.0f} kB" + ("; open it in a browser" if kind == "html" and not piped else "")
    )
    return 0


def _content(runs: list[dict[str, Any]], kind: str) -> bytes:
    """Return the report in one of `FORMATS`."""
    from ..web.markdown import markdown
    from ..web.report import page_bytes

    if kind == "html":
        return page_bytes(runs)
    if kind == "md":
        return markdown(runs).encode()
    from ..plot import lifelines, spectrum

    drawn = [run for run in runs if not run["problem"]]
    figure = spectrum(drawn) if len(drawn) > 1 else lifelines(drawn[0])
    picture = io.BytesIO()
    figure.savefig(picture, format=kind, dpi=160)
    return picture.getvalue()
