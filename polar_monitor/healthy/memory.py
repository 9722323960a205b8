"""`healthy.json`, by which a restart goes on where the run was: written and read. Anybody may have edited it."""

from __future__ import annotations

import json
import math
from typing import Any

from ..errors import warn
from .folder import Folder
from .run import Run
from .series import PAST, Series, Wanted

STATE = "healthy.json"
VERSION = 1
LONGEST = 64 * 2**20
"""Bytes of the longest state that is read."""
BROKEN = (ValueError, KeyError, TypeError, OverflowError, RecursionError)
"""What reading a state that is none can raise."""


def write(folder: Folder, run: Run) -> None:
    """Write what is known of a run to its folder. Raises OSError if the disk fails."""
    series = [
        {"name": name, "mode": mode, "wanted": one.wanted, "past": [[s, [*p.items()]] for s, p in one.past.items()]}
        for (name, mode), one in run.series.items()
    ]
    data = {"version": VERSION, "step": run.reached, "healthy": run.healthy, "since": run.since, "known": run.known}
    text = json.dumps(data | {"series": series}, allow_nan=False)
    folder.replace(STATE, lambda stream: stream.write(text.encode()))


def read(folder: Folder) -> Run:
    """What an earlier process remembered of the files in a folder; what is no such thing is told and left out."""
    run, file = Run(), folder.path / STATE
    try:
        with open(file, "rb") as stream:
            run = _checked(stream.read(LONGEST + 1))
    except FileNotFoundError:
        pass
    except (OSError, *BROKEN) as error:
        warn(f"{str(file)!r} cannot be read ({error}): all is taken as well, and no checkpoint as the one to go to")
    run.reached = max([run.reached, *folder.steps[-1:]])
    if run.healthy not in folder.steps:
        run.healthy = None
    return run


def _checked(text: bytes) -> Run:
    """What `write` wrote; raises one of BROKEN for anything else."""
    if len(text) > LONGEST:
        raise ValueError(f"longer than {LONGEST} bytes")
    data = json.loads(text.decode())
    if data["version"] != VERSION:
        raise ValueError(f"expected version {VERSION}, got {data['version']!r}")
    return Run(
        series={(str(one["name"]), str(one["mode"])): _series(one) for one in data["series"]},
        reached=_whole(data["step"]),
        healthy=None if data["healthy"] is None else _whole(data["healthy"]),
        since=_whole(data["since"]),
        known=data["known"] is True,
    )


def _series(data: Any) -> Series:
    wanted = [Wanted(_whole(s), None if j is None else _whole(j), _number(level)) for s, j, level in data["wanted"]]
    if len(data["past"]) > PAST:
        raise ValueError(f"expected {PAST} evaluations at most, got {len(data['past'])}")
    past = {_whole(step): {_whole(j): _number(level) for j, level in levels} for step, levels in data["past"]}
    return Series(wanted=wanted, past=past)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"expected a whole number, got {str(value)[:40]!r}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"expected a number of 0 or more, got {str(value)[:40]!r}")
    return float(value)
