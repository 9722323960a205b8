"""Reading a JSONL log back: its evaluations in the order of the file, checked line by line.

Anybody may have edited a log, so nothing that is read is executed or unpickled.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import PolarMonitorError
from ..evaluation import Evaluation
from .jsonl_record import VERSION, from_data

MAX_LINE_BYTES = 64 * 2**20
"""Length of the longest line that is read."""
BROKEN = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""Errors that a line raises if it is not a record."""
UNREADABLE = (json.JSONDecodeError, UnicodeDecodeError)
"""Errors that a truncated line raises."""


def read_jsonl(path: str | os.PathLike[str], *, strict: bool = False) -> list[Evaluation]:
    """Return the evaluations of a log, in the order of the file.

    A truncated last line is left out (`strict=True`: an error). If a run was resumed or begun again, a later record
    replaces those of the same name with its running number (`health.evaluations`) or a higher one. A record without a
    number (0) stays. Raises PolarMonitorError, with the line's number, for a line that is not a record or is of a newer
    version, and for a file that cannot be read.
    """
    return list(read_numbered(path, strict=strict)[0].values())


def read_numbered(
    path: str | os.PathLike[str], *, strict: bool = False
) -> tuple[dict[int, Evaluation], int | None, int]:
    """Return {line number: evaluation} like `read_jsonl`, the number of a truncated last line, and of replaced records.

    Lines are counted from 1.
    """
    kept: dict[int, Evaluation] = {}
    lines_of: dict[str, list[int]] = {}
    truncated, replaced = None, 0
    for line, evaluation in _records(Path(path), strict):
        if evaluation is None:
            truncated = line
            continue
        kept[line] = evaluation
        number = evaluation.health.evaluations
        if number < 1:  # no monitor wrote it
            continue
        before = lines_of.setdefault(evaluation.name, [])
        while before and kept[before[-1]].health.evaluations >= number:
            del kept[before.pop()]
            replaced += 1
        before.append(line)
    return kept, truncated, replaced


def decode(line: bytes) -> Any:
    """Decode one line of strict JSON. Raises ValueError for anything else, NaN and infinity included."""
    return json.loads(line.decode("utf-8"), parse_constant=_refuse)


def _records(path: Path, strict: bool) -> Iterator[tuple[int, Evaluation | None]]:
    """Yield each line's number with its record, or with None for a truncated last line, unless `strict`."""
    try:
        with open(path, "rb") as file:
            for number in range(1, 2**63):
                line = file.readline(MAX_LINE_BYTES + 1)
                if not line:
                    return
                place = f"{path}, line {number}"
                if len(line) > MAX_LINE_BYTES:
                    raise PolarMonitorError(f"{place}: longer than {MAX_LINE_BYTES} bytes, so not a line of this log")
                if not line.strip():
                    continue
                try:
                    evaluation = _record(decode(line))
                except BROKEN as error:
                    truncated = isinstance(error, UNREADABLE) and not line.endswith(b"\n")
                    if truncated and not strict:
                        yield number, None
                        return
                    reason = f"no field {error}" if isinstance(error, KeyError) else str(error)
                    raise PolarMonitorError(
                        f"{place}: not a record of version {VERSION} or older ({reason}); "
                        "remove the line, or read the log with the version that wrote it"
                    ) from error
                yield number, evaluation
    except OSError as error:
        raise PolarMonitorError(f"cannot read {str(path)!r} ({error.strerror or error})") from error


def _record(data: Any) -> Evaluation:
    if not isinstance(data, dict):
        raise TypeError(f"expected an object, got {type(data).__name__}")
    evaluation = from_data(data)
    alerts = tuple(replace(a, evidence={k: _number(v) for k, v in a.evidence.items()}) for a in evaluation.alerts)
    health = replace(evaluation.health, overhead=_number(evaluation.health.overhead))
    if not isinstance(health.evaluations, int):
        raise TypeError(f"expected health.evaluations to be a whole number, got {str(health.evaluations)[:40]}")
    return replace(evaluation, alerts=alerts, health=health)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")
