"""Evaluations as JSON lines: one line each, appended and flushed, to be read back and replayed.

Strict JSON in UTF-8: numbers that are not finite are null. Nothing that is read is ever executed or unpickled.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import PolarMonitorError
from ..evaluation import VERSION, Evaluation
from ._append import append

LONGEST = 64 * 2**20
"""Bytes of the longest line that is read."""
BEGINNING = b'{"version":'
"""Every log begins with it, so that no other file is appended to or mended by mistake."""
BROKEN = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading a line that is no record can raise."""


class JsonlSink:
    """Appends every evaluation to `path` as one line; a killed process loses at most the last.

    A torn last line, left by a killed run, is cut off before anything is appended. Parent folders are made. In a
    forked process every method does nothing. Raises PolarMonitorError if the file cannot be written to or holds
    something else.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _mend(self.path)
            self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise PolarMonitorError(
                f"cannot write to {str(self.path)!r} ({error.strerror or error}); "
                "pass a path in a folder that can be written to, or leave this sink out"
            ) from error
        self._setups: dict[str, dict[str, Any]] = {}
        self._pid = os.getpid()
        self._at_exit = weakref.finalize(self, self._file.close)

    def begin(self, name: str, setup: dict[str, Any]) -> None:
        """Say what the alerts of the latent `name` depend on: it goes into every line, so that they can be replayed."""
        self._setups[name] = setup

    def write(self, evaluation: Evaluation) -> None:
        """Append one line. Raises OSError if the disk fails."""
        if os.getpid() != self._pid:
            return
        if not self._at_exit.alive:
            raise PolarMonitorError("this JsonlSink is closed: make a new one with the same path to go on")
        append(self._file, to_line(replace(evaluation, setup=evaluation.setup or self._setups.get(evaluation.name))))

    def flush(self) -> None:
        """Nothing to do: every line goes to the operating system when it is written."""

    def close(self) -> None:
        """Close the file."""
        if os.getpid() == self._pid:
            self._at_exit()


def to_line(evaluation: Evaluation) -> bytes:
    """One line of strict JSON in UTF-8, with its newline."""
    data = evaluation.to_dict()
    try:
        text = json.dumps(data, allow_nan=False, separators=(",", ":"), default=_number)
    except ValueError:  # a NaN outside the snapshot, as in the evidence of an alert: rare, so not looked for above
        text = json.dumps(_finite(data), allow_nan=False, separators=(",", ":"), default=_number)
    return text.encode() + b"\n"


def read_jsonl(path: str | os.PathLike[str], *, strict: bool = False) -> list[Evaluation]:
    """The evaluations of a log, in the order of the file.

    A truncated last line is left out (`strict=True`: an error). Where a run was resumed or begun anew, a later record
    replaces those of the same name with its running number (`health.evaluations`) or a higher one; what has none (0)
    stays. Raises PolarMonitorError, with the line's number, for a line that is no record or one of a newer version, and
    for a file that cannot be read.
    """
    return list(read_numbered(path, strict=strict)[0].values())


def read_numbered(path: str | os.PathLike[str], *, strict: bool = False) -> tuple[dict[int, Evaluation], int | None]:
    """What `read_jsonl` gives, by the lines' numbers from 1 on, and the number of a truncated last line or None."""
    kept: dict[int, Evaluation] = {}
    series: dict[str, list[int]] = {}
    torn = None
    for line, evaluation in _lines(Path(path), strict):
        if evaluation is None:
            torn = line
            continue
        kept[line] = evaluation
        number = evaluation.health.evaluations
        if number < 1:  # no monitor wrote it
            continue
        before = series.setdefault(evaluation.name, [])
        while before and kept[before[-1]].health.evaluations >= number:
            del kept[before.pop()]
        before.append(line)
    return kept, torn


def read_records(path: str | os.PathLike[str], *, strict: bool = False) -> Iterator[Evaluation]:
    """Every record of a log as it was written, those too that a resumed run replaced. Raises like `read_jsonl`."""
    return (evaluation for _, evaluation in _lines(Path(path), strict) if evaluation is not None)


def _lines(path: Path, strict: bool) -> Iterator[tuple[int, Evaluation | None]]:
    """The records with the numbers of their lines; None for a truncated last one, unless `strict`."""
    try:
        with open(path, "rb") as file:
            for number in range(1, 2**63):
                line = file.readline(LONGEST + 1)
                if not line:
                    return
                where = f"{path}, line {number}"
                if len(line) > LONGEST:
                    raise PolarMonitorError(f"{where}: longer than {LONGEST} bytes, so not a line of this log")
                if not line.strip():
                    continue
                try:
                    evaluation = _record(_decode(line))
                except BROKEN as error:
                    torn = isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)) and not line.endswith(b"\n")
                    if torn and not strict:
                        yield number, None
                        return
                    said = f"no field {error}" if isinstance(error, KeyError) else str(error)
                    raise PolarMonitorError(
                        f"{where}: not a record of version {VERSION} ({said}); "
                        "remove the line, or read the log with the version that wrote it"
                    ) from error
                yield number, evaluation
    except OSError as error:
        raise PolarMonitorError(f"cannot read {str(path)!r} ({error.strerror or error})") from error


def _decode(line: bytes) -> Any:
    return json.loads(line.decode("utf-8"), parse_constant=_refuse)


def _record(data: Any) -> Evaluation:
    if not isinstance(data, dict):
        raise TypeError(f"expected an object, got {type(data).__name__}")
    evaluation = Evaluation.from_dict(data)
    alerts = tuple(replace(a, evidence={k: _number_of(v) for k, v in a.evidence.items()}) for a in evaluation.alerts)
    health = replace(evaluation.health, overhead=_number_of(evaluation.health.overhead))
    if not isinstance(health.evaluations, int):
        raise TypeError(f"expected health.evaluations to be a whole number, got {str(health.evaluations)[:40]}")
    return replace(evaluation, alerts=alerts, health=health)


def _mend(path: Path) -> None:
    """Make a file that a killed run left behind end with a whole line."""
    if not path.exists() or path.stat().st_size == 0:
        return
    with open(path, "r+b") as file:
        head = file.read(len(BEGINNING))
        if not BEGINNING.startswith(head):
            raise PolarMonitorError(f"{str(path)!r} holds something else than a log of evaluations; pass another path")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as bytes_:
            end = bytes_.rfind(b"\n") + 1
            tail = bytes_[end:]
        if not tail:
            return
        try:
            _decode(tail)
        except (ValueError, RecursionError):
            file.truncate(end)
        else:
            file.seek(0, os.SEEK_END)
            file.write(b"\n")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return _finite(value.item())
    raise TypeError(f"expected plain data, got {type(value).__name__}")


def _number_of(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")
