"""`polar-monitor report`: runs as one HTML file that opens without network, as Markdown or as a picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import PolarMonitorError
from .parser import one_of
from .screen import check_output, complain, show, show_json

COMMAND = "polar-monitor report"
DESCRIPTION = "Write one HTML file that shows runs, which opens without network; or Markdown, or a picture."
CODES = "exit codes: 0 the report is written; 2 a path or a file that cannot be used, or no run that can be drawn"

FORMATS = ("html", "md", "png", "svg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run or of runs, or a .jsonl log")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: report.html, or another ending")
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
    check_output(output, [Path(run["path"]) for run in runs])
    if all(run["problem"] for run in runs):
        raise PolarMonitorError(f"{runs[0]['path']}: {runs[0]['problem']}")
    try:
        size = _write(runs, output, kind)
    except OSError as error:
        raise PolarMonitorError(
            f"cannot write {str(output)!r} ({error.strerror or error}): pass a file in another folder"
        ) from error
    if options.json:
        sentences = [{key: run[key] for key in ("title", "path", "problem")} for run in runs]
        show_json({"file": str(output), "bytes": size, "runs": sentences})
    else:
        show(str(output))
    for run in runs:
        for text in [run["problem"]] if run["problem"] else run["notes"]:
            complain(COMMAND, f"{run['path']}: {text}")
    complain(COMMAND, f"{size / 1e3:,.0f} kB" + ("; open it in a browser" if kind == "html" else ""))
    return 0


def _write(runs: list[dict[str, Any]], output: Path, kind: str) -> int:
    """Write the report in one of `FORMATS` and return its bytes."""
    from ..web.markdown import markdown
    from ..web.report import write_page

    if kind == "html":
        return write_page(runs, output)
    if kind == "md":
        return output.write_bytes(markdown(runs).encode())
    from ..plot import lifelines, spectrum

    drawn = [run for run in runs if not run["problem"]]
    figure = spectrum(drawn) if len(drawn) > 1 else lifelines(drawn[0])
    figure.savefig(output, format=kind, dpi=160)
    return output.stat().st_size
