"""Standard input as a file: `-` in the place of a path."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import PolarMonitorError

STANDARD_INPUT = "standard input"


@contextmanager
def local_copy(path: Path) -> Iterator[Path]:
    """Give the path, or that of a copy of standard input for `-`."""
    if str(path) != "-":
        yield path
        return
    if sys.stdin.isatty():
        raise PolarMonitorError(f"{STANDARD_INPUT}: expected a file, got a terminal: polar-monitor check - < FILE")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "input"
        with copy.open("wb") as file:
            while block := sys.stdin.buffer.read(2**20):
                file.write(block)
        if not copy.stat().st_size:
            raise PolarMonitorError(f"{STANDARD_INPUT}: expected the log of a run, an .npz or an .npy, got nothing")
        yield copy


def name_of(path: Path) -> str:
    """Return the name of a path in messages."""
    return STANDARD_INPUT if str(path) == "-" else str(path)
