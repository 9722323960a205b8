"""`polar-monitor export`: runs as tidy records, one for each dimension at each evaluation."""

from __future__ import annotations

import argparse
import csv
import importlib
import importlib.util
import io
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ..errors import PolarMonitorError, printable
from .screen import check_output, complain

if TYPE_CHECKING:
    from ..views.history import History

COMMAND = "polar-monitor export"
DESCRIPTION = (
    "Write a record for each dimension at each evaluation: run, step, dimension, nats, error, label, name, mode, "
    "worth, worth_error, drift, drift_error."
)
CODES = "exit codes: 0 done; 2 a run or a file that cannot be used, or no library that writes Parquet"
FORMATS = ("csv", "parquet", "json")
ENDINGS = {".csv": "csv", ".parquet": "parquet", ".jsonl": "json", ".json": "json"}
WRITERS = ("pyarrow", "polars")
"""Libraries that write Parquet."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run or of runs, or a .jsonl log")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: standard output (not for Parquet)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_const", const="csv", dest="form", help="CSV, the default")
    form.add_argument(
        "--parquet", action="store_const", const="parquet", dest="form", help="Parquet (needs pyarrow or polars)"
    )
    form.add_argument("--json", action="store_const", const="json", dest="form", help="one JSON object a line")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    output = options.output
    form = options.form or ("csv" if output is None else ENDINGS.get(output.suffix.lower(), "csv"))
    if form == "parquet" and output is None:
        raise PolarMonitorError("Parquet is no text: pass a file, -o run.parquet")
    runs = _read(options.runs, output)
    try:
        if form == "parquet":
            _write_parquet(runs, output)
        elif output is None:
            _write_text(runs, form, sys.stdout)
        else:
            with output.open("w", encoding="utf-8", newline="") as file:
                _write_text(runs, form, file)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise PolarMonitorError(
            f"cannot write {str(output)!r} ({error.strerror or error}): pass a file in another folder"
        ) from error
    for title, history in runs:
        for note in history.notes:
            complain(COMMAND, f"{title}: {note}")
    count = sum(len(history) for _, history in runs)
    complain(COMMAND, f"{count:,} records of {len(runs)} run{'s' * (len(runs) > 1)}")
    return 0


def _read(paths: list[Path], output: Path | None) -> list[tuple[str, History]]:
    """Return the records of all runs below some paths, with a title each. Without any it is an error."""
    from ..views.find_logs import logs_of, titles
    from ..views.history import history_of_log, read_log

    logs = list(dict.fromkeys(log for path in paths for log in logs_of(path)))
    if output is not None:
        check_output(output, logs)
    runs, problems = [], []
    for title, log in zip(titles(logs), logs, strict=True):
        try:
            runs.append((printable(title, keep=""), history_of_log(read_log(log))))
        except PolarMonitorError as error:
            problems.append(str(error))
    if not runs:
        raise PolarMonitorError(problems[0])
    for problem in problems:
        complain(COMMAND, problem)
    return runs


def _records(runs: list[tuple[str, History]]) -> Iterator[dict[str, Any]]:
    for title, history in runs:
        for record in history:
            row = {"run": title} | record._asdict()
            row["name"] = printable(row["name"], keep="")
            yield {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in row.items()}


def _write_text(runs: list[tuple[str, History]], form: str, file: TextIO) -> None:
    if form == "json":
        for row in _records(runs):
            file.write(json.dumps(row).replace("\x7f", "\\u007f") + "\n")
        return
    writer: csv.DictWriter[str] | None = None
    for row in _records(runs):
        if writer is None:
            writer = csv.DictWriter(file, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)


def _write_parquet(runs: list[tuple[str, History]], output: Path) -> None:
    """Write Parquet by the first library of `WRITERS` that is installed."""
    writer = next((name for name in WRITERS if importlib.util.find_spec(name) is not None), None)
    if writer is None:
        raise ImportError("Parquet needs pyarrow or polars: pip install pyarrow")
    columns: dict[str, Any] = {"run": [title for title, history in runs for _ in range(len(history))]}
    for name in runs[0][1].columns:
        columns[name] = [value for _, history in runs for value in history.columns[name].tolist()]
    if writer == "pyarrow":
        pyarrow = importlib.import_module("pyarrow")
        data = io.BytesIO()
        importlib.import_module("pyarrow.parquet").write_table(pyarrow.table(columns), data)
        output.write_bytes(data.getvalue())
    else:
        importlib.import_module("polars").DataFrame(columns).write_parquet(output)
