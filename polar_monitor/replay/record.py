"""Reads rules and saved states of alerts from the records of a log, with checks: anybody may have written it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..alerts.alert_rules import AlertRules, from_plain, unknown_names
from ..alerts.engine import AlertEngine
from ..errors import PolarMonitorError
from ..evaluation import Evaluation

BROKEN = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""Exceptions that numbers which no run can have made may raise."""


@dataclass(frozen=True)
class Setup:
    """The settings behind the alerts of a record."""

    rules: AlertRules
    warmup: int
    """Steps."""
    names: tuple[str, ...]
    """Names of the third-party rules."""


def setup_of(record: Evaluation, changes: Mapping[str, Any], where: str) -> Setup:
    """Return the rules of a record with some fields changed; the defaults if the log is of a version without them.

    Raises PolarMonitorError, with the place `where`, for a broken record.
    """
    setup = record.setup or {}
    rules, warmup, names = setup.get("rules", {}), setup.get("warmup", 0), setup.get("extra_rules", [])
    if not isinstance(rules, Mapping):
        raise PolarMonitorError(f"{where}: expected the rules of a run, got {str(rules)[:60]!r}")
    if more := unknown_names(rules):
        raise PolarMonitorError(
            f"{where}: the log is of a newer version, whose rules have {', '.join(map(repr, more))[:200]}: "
            "replay it with that version"
        )
    if isinstance(warmup, bool) or not isinstance(warmup, int) or warmup < 0:
        raise PolarMonitorError(f"{where}: expected warmup to be a whole number from 0 on, got {str(warmup)[:60]!r}")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise PolarMonitorError(f"{where}: expected extra_rules to be a list of names, got {str(names)[:60]!r}")
    return Setup(from_plain({**rules, **changes}, where), warmup, tuple(dict.fromkeys(names)))


def resumed(record: Evaluation, where: str) -> AlertEngine:
    """Return an engine with the state that a run went on from. Raises PolarMonitorError for a broken one."""
    engine = AlertEngine()
    with one_error(f"{where}: expected resumed to be the state of this version's alerts"):
        engine.load_state_dict(json.loads(record.resumed or ""))
    return engine


@contextmanager
def one_error(expected: str) -> Iterator[None]:
    """Raise one clear error in place of any exception that broken numbers raise."""
    try:
        yield
    except BROKEN as broken:
        reason = f"no field {broken}" if isinstance(broken, KeyError) else str(broken)
        raise PolarMonitorError(f"{expected}, got {reason[:200]}") from broken
