"""Output of the commands: every name and text may come from a foreign file, and nothing of it acts on the terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import PolarMonitorError, printable


def show(text: str, *, alarm: bool = False) -> None:
    """Print lines to standard output; an alarm is red on a terminal, unless NO_COLOR is set."""
    text = printable(text)
    print(f"\x1b[1;31m{text}\x1b[0m" if alarm and has_colour() else text)


def has_colour() -> bool:
    """Return True if standard output is a terminal with colours, and nobody asked for none (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def show_json(data: Any) -> None:
    """Print an object as one line of JSON in ASCII; DEL is the only character that JSON leaves as it is."""
    print(json.dumps(data).replace("\x7f", "\\u007f"))


def complain(command: str, message: str) -> None:
    """Print a message of a command to standard error, as one line."""
    print(f"{command}: {printable(message, keep='')}", file=sys.stderr)


def columns(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Return rows of words as aligned columns; those of `right`, which are numbers, end at the same place.

    Example:
        >>> print(columns([["run", "nats"], ["a", "1.20"], ["b", "10.20"]], right=[1]))
        run   nats
        a     1.20
        b    10.20
    """
    rows = [[printable(word, keep="") for word in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            w.rjust(n) if i in right else w.ljust(n) for i, (w, n) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def series_of(record: Mapping[str, Any]) -> str:
    """Return the latent's name and the mode of a record, as far as they are not the usual ones.

    Example:
        >>> series_of({"name": "top", "mode": "eval"}), series_of({"name": "", "mode": "train"})
        ('top/eval', '')
    """
    parts = (record["name"], "" if record["mode"] == "train" else record["mode"])
    return printable("/".join(filter(None, parts)), keep="")


def check_output(output: Path, inputs: Sequence[Path]) -> None:
    """Raise PolarMonitorError if an output would take the place of a log that is read."""
    if any(output.exists() and log.exists() and output.samefile(log) for log in inputs):
        raise PolarMonitorError(f"{str(output)!r} is the log of a run: pass another file with -o")
