"""A recorded run judged again: which alerts the rules raise on a log, and whether they are those of the run.

Snapshots and settled labels are read from the log, and the rules are run over them as a live run does. A log says which
rules were live; one of an older version does not, and then the defaults are taken. Where a run was resumed, the log has
the state that it went on from.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..alerts.alert import Alert
from ..alerts.alert_rules import AlertRules, from_plain, to_plain
from ..alerts.custom_rule import Extra, Rule, of_rule
from ..alerts.engine import Alarms
from ..alerts.registry import choose, installed
from ..errors import PolarMonitorError
from ..evaluation import Evaluation
from ..sinks.jsonl import read_numbered
from .record import Setup, resumed, setup_of, told


@dataclass(frozen=True)
class Replay:
    """The alerts of a run, as they were raised and as rules raise them on its log."""

    evaluations: int
    """Evaluations in the log."""
    live: tuple[Alert, ...]
    replayed: tuple[Alert, ...]
    missing: Mapping[str, str] = field(default_factory=dict)
    """Why, for each third-party rule of the run that cannot be asked here."""
    added: tuple[str, ...] = ()
    """Third-party rules that the run did not have."""
    torn: int | None = None
    """The number of a truncated last line, which was left out."""

    @property
    def left_out(self) -> tuple[Alert, ...]:
        """Those of the run that cannot be compared: their rule is missing."""
        return tuple(alert for alert in self.live if any(of_rule(alert, name) for name in self.missing))

    @property
    def both(self) -> tuple[Alert, ...]:
        """Those that are alike to the last digit."""
        return _split(self.live, self.replayed)[0]

    @property
    def only_live(self) -> tuple[Alert, ...]:
        """Raised in the run, and not on its log, by rules that are not missing."""
        out = set(map(id, self.left_out))
        return tuple(alert for alert in _split(self.live, self.replayed)[1] if id(alert) not in out)

    @property
    def only_replayed(self) -> tuple[Alert, ...]:
        """Raised on the log, and not in the run."""
        return _split(self.replayed, self.live)[1]


def replay(
    path: str | os.PathLike[str],
    rules: AlertRules | Mapping[str, Any] | None = None,
    warmup: int | None = None,
    strict: bool = False,
    extra_rules: Sequence[str | Rule] = (),
) -> Replay:
    """Run the alert rules over a log, or over the only log in a run's folder.

    Args:
        path: A .jsonl file that a monitor has written, or a folder with one.
        rules: Other rules than those of the run, or some of their fields: the others stay as in the run.
        warmup: Another warm-up, in steps, than that of the run.
        strict: A torn last line, as a killed run leaves it, is an error; else it is left out.
        extra_rules: Third-party rules of the run that no installed package offers: objects, or names of entry points.
            One that the run did not have is asked at every evaluation.

    Raises:
        PolarMonitorError: No log, an empty one, several in the folder, a file that is none, or rules that cannot be
            meant.

    Example:
        >>> from polar_monitor.replay import replay
        >>> found = replay("runs/demo")  # doctest: +SKIP
        >>> found.live == found.replayed  # doctest: +SKIP
        True
    """
    if warmup is not None and (isinstance(warmup, bool) or not isinstance(warmup, int) or warmup < 0):
        raise PolarMonitorError(f"warmup: expected a whole number of steps from 0 on, got {warmup!r}")
    file = log_of(path)
    records, torn = read_numbered(file, strict=strict)
    if not records:
        raise PolarMonitorError(f"{file}: expected evaluations, got {'none' if torn is None else 'a part of one'}")
    setups = _setups(records, file, rules, warmup)
    wanted = {name for setup in setups.values() for name in setup.names}
    extras, missing = _available(wanted, choose(extra_rules))
    added = tuple(name for name in extras if name not in wanted)
    alarms: dict[tuple[str, str], Alarms] = {}
    replayed: list[Alert] = []
    for line, record in records.items():
        setup, lane, where = setups[line], (record.name, record.mode), f"{file}, line {line}"
        if record.resumed is not None and (lane not in alarms or (rules is None and warmup is None)):
            before = alarms.get(lane, Alarms()).states
            alarms[lane] = resumed(record, where)
            alarms[lane].states |= {name: state for name, state in before.items() if name in added}
        one = alarms.setdefault(lane, Alarms())
        one.extra = tuple(extras[name] for name in (*setup.names, *added) if name in extras)
        replayed += _again(one, record, setup, where)
    live = tuple(alert for record in records.values() for alert in record.alerts)
    return Replay(len(records), live, tuple(replayed), missing, added, torn)


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


def _setups(
    records: Mapping[int, Evaluation], file: Path, rules: AlertRules | Mapping[str, Any] | None, warmup: int | None
) -> dict[int, Setup]:
    """What each record was judged by, with the changes that are asked for."""
    changes: dict[str, Any] = {}
    if isinstance(rules, AlertRules):
        changes = to_plain(rules)
    elif rules is not None:
        from_plain(rules)
        changes = dict(rules)
    setups = {line: setup_of(record, changes, f"{file}, line {line}") for line, record in records.items()}
    if warmup is not None:
        setups = {line: replace(setup, warmup=warmup) for line, setup in setups.items()}
    return setups


def _again(alarms: Alarms, record: Evaluation, setup: Setup, where: str) -> list[Alert]:
    r = record
    with told(f"{where}: expected numbers that a run can have made"):
        found = alarms.evaluate(r.step, r.observed, r.snapshot, r.regime, setup.rules, setup.warmup, r.context)
    return [replace(alert, name=r.name, mode=r.mode) for alert in found]


def _available(names: Collection[str], given: Sequence[Extra]) -> tuple[dict[str, Extra], dict[str, str]]:
    """The third-party rules that can be asked, and why the others cannot: given ones, else those of packages."""
    found, missing = {extra.name: extra for extra in given}, {}
    points = {point.name for point in installed()}
    for name in sorted(set(names) - set(found)):
        if name not in points:
            missing[name] = "is not installed, nor given with --extra MODULE:NAME"
            continue
        try:
            (found[name],) = choose([name])
        except PolarMonitorError as error:
            missing[name] = f"is installed, but fails: {error}"
    return found, missing


def _split(these: Sequence[Alert], those: Sequence[Alert]) -> tuple[tuple[Alert, ...], tuple[Alert, ...]]:
    """Which of `these` are among `those`, each of which is like one of them at most, and which are not."""
    left, kept, others = Counter(map(_key, those)), list[Alert](), list[Alert]()
    for alert in these:
        key = _key(alert)
        (kept if left[key] else others).append(alert)
        left[key] -= left[key] > 0
    return tuple(kept), tuple(others)


def _key(alert: Alert) -> str:
    """All of it as text, with evidence as a log has it: what is not finite is unknown."""
    evidence = {name: value if math.isfinite(value) else None for name, value in alert.evidence.items()}
    return json.dumps(alert.to_dict() | {"evidence": evidence}, sort_keys=True, default=str)
