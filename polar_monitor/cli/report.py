"""`polar-monitor report`: runs as one HTML file that opens without network, as Markdown or as a picture."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import PolarMonitorError
from ..web.markdown import markdown
from ..web.report import runs_of, write_report
from .screen import complain, show

COMMAND = "polar-monitor report"
CODES = "exit codes: 0 the report is written; 2 a run or a file that cannot be used"


FORMATS = ("html", "md", "png", "svg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run or of runs, or a .jsonl log")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: report.html, or another ending")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="html (default): the page; md: text for a pull request; png, svg: the lifelines of a run, or of several "
        "the nats by rank (needs matplotlib). Without it the ending of FILE decides",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    ending = "" if options.output is None else options.output.suffix.lstrip(".").lower()
    kind = options.format or (ending if ending in FORMATS else "html")
    output = options.output or Path(f"report.{kind}")
    try:
        size = _write(options.runs, output, kind)
    except (PolarMonitorError, ImportError) as error:
        complain(COMMAND, str(error))
        return 2
    except OSError as error:
        complain(COMMAND, f"cannot write {str(output)!r} ({error.strerror or error}): pass a file in another folder")
        return 2
    show(str(output))
    complain(COMMAND, f"{size / 1e6:.1f} MB" + ("; open it in a browser" if kind == "html" else ""))
    return 0


def _write(paths: list[Path], output: Path, kind: str) -> int:
    """Write the report in one of `FORMATS` and return its bytes."""
    if kind == "html":
        return write_report(paths, output)
    runs = runs_of(paths)
    if kind == "md":
        return output.write_bytes(markdown(runs).encode())
    from ..plot import lifelines, spectrum

    drawn = [run for run in runs if not run["problem"]]
    if not drawn:
        raise PolarMonitorError(f"{runs[0]['path']}: {runs[0]['problem']}")
    figure = spectrum(drawn) if len(drawn) > 1 else lifelines(drawn[0])
    figure.savefig(output, format=kind, dpi=160)
    return output.stat().st_size
