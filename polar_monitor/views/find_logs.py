"""The logs that a path stands for: a file, the folder of a run, or a folder of runs."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

from ..errors import PolarMonitorError

LOG = "polar.jsonl"
"""Name of the log in the folder of a run."""

MAX_DEPTH = 12
"""Folders of a title."""


def logs_of(path: str | os.PathLike[str]) -> list[Path]:
    """Return the logs below a folder, by name, or a file itself. Raises PolarMonitorError if there is none."""
    place = Path(path)
    if place.is_dir():
        logs = sorted(place.rglob(LOG), key=natural_order) or sorted(place.glob("*.jsonl"), key=natural_order)
        if not logs:
            raise PolarMonitorError(
                f"{str(place)!r}: expected a folder with {LOG}, found none; pass the log_dir of "
                "polar_monitor.attach(model, log_dir=…), or the file"
            )
        return logs
    if not place.exists():
        raise PolarMonitorError(
            f"{str(place)!r}: no such file or folder{_meant(place)}; pass the log_dir of a run, or its {LOG}"
        )
    return [place]


def _meant(place: Path) -> str:
    """Return the name beside a missing one that was probably meant, as a question, or ''."""
    try:
        near = difflib.get_close_matches(place.name, [other.name for other in place.parent.iterdir()], 1)
    except OSError:
        return ""
    return f" (did you mean {str(place.with_name(near[0]))!r}?)" if near else ""


def natural_order(path: Path) -> list[tuple[int, float, str]]:
    """Return a key by which beta=4 comes before beta=16.

    Example:
        >>> [path.name for path in sorted([Path("beta=16"), Path("beta=4")], key=natural_order)]
        ['beta=4', 'beta=16']
    """
    parts = re.split(r"(\d+(?:\.\d+)?)", str(path))
    return [(i % 2, float(part) if i % 2 else 0.0, part) for i, part in enumerate(parts)]


def log_of_run(path: str | os.PathLike[str]) -> Path:
    """Return the only log that a path stands for. Raises PolarMonitorError if there are several, or none."""
    logs = logs_of(path)
    if len(logs) > 1:
        names = ", ".join(str(log.parent) for log in logs[:6]) + (" and others" if len(logs) > 6 else "")
        raise PolarMonitorError(f"{os.fspath(path)!r}: expected one run, found {len(logs)}: {names}; pass one of them")
    return logs[0]


def titles(logs: list[Path]) -> list[str]:
    """Return a short name for each log: its folder, as long as it must be to differ from the others.

    Example:
        >>> titles([Path("runs/a/polar.jsonl"), Path("runs/b/polar.jsonl")])
        ['a', 'b']
    """
    paths = [log.resolve().parent if log.name == LOG else log.resolve() for log in logs]
    depth, names = 1, [path.name for path in paths]
    while depth < MAX_DEPTH:
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(set(paths)):
            break
        depth += 1
    return names
