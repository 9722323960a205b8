"""A recorded run judged again: which alerts the rules raise on a log, and whether they are those of the run.

Snapshots and settled labels are read from the log, and the rules are run over them as a live run does. A log says which
rules were live; one of an older version does not, and then the defaults are taken.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from .alarms import Alarms
from .alerts import Alert, AlertRules
from .errors import PolarMonitorError
from .evaluation import Evaluation
from .rules import Extra, choose
from .rules_file import from_plain
from .sinks.jsonl import read_jsonl


@dataclass(frozen=True)
class Replay:
    """The alerts of a run, as they were raised and as rules raise them on its log."""

    evaluations: int
    """Evaluations in the log."""
    live: tuple[Alert, ...]
    replayed: tuple[Alert, ...]
    missing: tuple[str, ...]
    """Third-party rules of the run that are not installed here, so that their alerts are not replayed."""

    @property
    def both(self) -> tuple[Alert, ...]:
        """Those that are alike to the last digit."""
        return _within(self.live, self.replayed, True)

    @property
    def only_live(self) -> tuple[Alert, ...]:
        """Raised in the run, and not on its log."""
        return _within(self.live, self.replayed, False)

    @property
    def only_replayed(self) -> tuple[Alert, ...]:
        """Raised on the log, and not in the run."""
        return _within(self.replayed, self.live, False)


def replay(
    path: str | os.PathLike[str], rules: AlertRules | None = None, warmup: int | None = None, strict: bool = False
) -> Replay:
    """Run the alert rules over a log, or over the only log in a run's folder.

    Args:
        path: A .jsonl file that a monitor has written, or a folder with one.
        rules: Other rules than those of the run.
        warmup: Another warm-up, in steps, than that of the run.
        strict: A torn last line, as a killed run leaves it, is an error; else it is left out.

    Raises:
        PolarMonitorError: No log, several in the folder, a file that is none, or rules in it that cannot be meant.

    Example:
        >>> from polar_monitor.replay import replay
        >>> found = replay("runs/demo")  # doctest: +SKIP
        >>> found.live == found.replayed  # doctest: +SKIP
        True
    """
    file = log_of(path)
    records = read_jsonl(file, strict=strict)
    alarms: dict[tuple[str, str], Alarms] = {}
    replayed: list[Alert] = []
    extras: dict[str, Extra | None] = {}
    for record in records:
        setup = record.setup or {}
        names = [str(name) for name in setup.get("extra_rules", ())]
        for name in names:
            if name not in extras:
                extras[name] = _installed(name)
        chosen = tuple(extra for name in names if (extra := extras[name]) is not None)
        one = alarms.setdefault((record.name, record.mode), Alarms(chosen))
        live = rules or from_plain(setup.get("rules", {}), str(file))
        replayed += _again(one, record, live, int(setup.get("warmup", 0)) if warmup is None else warmup)
    missing = tuple(name for name, extra in extras.items() if extra is None)
    return Replay(len(records), tuple(alert for record in records for alert in record.alerts), tuple(replayed), missing)


def log_of(path: str | os.PathLike[str]) -> Path:
    """The log that a path means. Raises PolarMonitorError where there is none, or a choice."""
    path = Path(path)
    if not path.is_dir():
        return path
    logs = sorted(path.rglob("*.jsonl"))
    if len(logs) != 1:
        found = ", ".join(str(log.relative_to(path)) for log in logs[:8]) or "none"
        raise PolarMonitorError(f"{path}: expected one .jsonl log in the folder, got {found}; pass the file itself")
    return logs[0]


def _again(alarms: Alarms, record: Evaluation, rules: AlertRules, warmup: int) -> list[Alert]:
    found = alarms.evaluate(record.step, record.observed, record.snapshot, record.regime, rules, warmup)
    return [replace(alert, name=record.name, mode=record.mode) for alert in found]


def _installed(name: str) -> Extra | None:
    try:
        return choose([name])[0]
    except PolarMonitorError:
        return None


def _within(these: tuple[Alert, ...], those: tuple[Alert, ...], kept: bool) -> tuple[Alert, ...]:
    known = {_key(alert) for alert in those}
    return tuple(alert for alert in these if (_key(alert) in known) is kept)


def _key(alert: Alert) -> str:
    return json.dumps(alert.to_dict(), sort_keys=True, default=str)
