"""What a record of a log says of the alarms that were live, checked: anybody may have written the log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..alerts.alert_rules import AlertRules, from_plain, unknown
from ..alerts.engine import Alarms
from ..errors import PolarMonitorError
from ..evaluation import Evaluation

BROKEN = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What numbers that no run can have made may raise."""


@dataclass(frozen=True)
class Setup:
    """What the alerts of a record depend on beside the evaluations."""

    rules: AlertRules
    warmup: int
    """Steps."""
    names: tuple[str, ...]
    """Of the third-party rules."""


def setup_of(record: Evaluation, changes: Mapping[str, Any], where: str) -> Setup:
    """The rules of a record with some fields changed; the defaults for a log of a version that did not write them.

    Raises PolarMonitorError, with the place `where`, for what is none.
    """
    setup = record.setup or {}
    rules, warmup, names = setup.get("rules", {}), setup.get("warmup", 0), setup.get("extra_rules", [])
    if not isinstance(rules, Mapping):
        raise PolarMonitorError(f"{where}: expected the rules of a run, got {str(rules)[:60]!r}")
    if more := unknown(rules):
        raise PolarMonitorError(
            f"{where}: the log is of a newer version, whose rules have {', '.join(map(repr, more))[:200]}: "
            "replay it with that version"
        )
    if isinstance(warmup, bool) or not isinstance(warmup, int) or warmup < 0:
        raise PolarMonitorError(f"{where}: expected warmup to be a whole number from 0 on, got {str(warmup)[:60]!r}")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise PolarMonitorError(f"{where}: expected extra_rules to be a list of names, got {str(names)[:60]!r}")
    return Setup(from_plain({**rules, **changes}, where), warmup, tuple(dict.fromkeys(names)))


def resumed(record: Evaluation, where: str) -> Alarms:
    """The alarms with the state that a run went on from. Raises PolarMonitorError for what is none."""
    alarms = Alarms()
    with told(f"{where}: expected resumed to be the state of this version's alerts"):
        alarms.load_state_dict(json.loads(record.resumed or ""))
        alarms.watched.checked()
    return alarms


@contextmanager
def told(expected: str) -> Iterator[None]:
    """One clear error for whatever broken numbers raise."""
    try:
        yield
    except BROKEN as broken:
        said = f"no field {broken}" if isinstance(broken, KeyError) else str(broken)
        raise PolarMonitorError(f"{expected}, got {said[:200]}") from broken
