"""The built-in alerts: one alert, or one group that shares its state, a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import PolarMonitorError
from .collapse import Collapse
from .drain import Drain
from .fading import Fading
from .non_finite import NonFinite
from .rule import BuiltinRule
from .silent import Silent
from .variance_collapse import VarianceCollapse

BUILTIN_RULES: tuple[BuiltinRule, ...] = (
    Silent(),
    NonFinite(),
    Fading(),
    Drain(),
    Collapse(),
    VarianceCollapse(),
)
"""In the order in which one evaluation lists their alerts. No rule depends on another one of the same evaluation."""


def check_states(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return saved states if they fit these rules.

    Raises PolarMonitorError for a value that is no number, and KeyError, TypeError or ValueError for the states of
    another version.
    """
    starts = {rule.name: rule.start() for rule in BUILTIN_RULES}
    _refuse_more(saved, starts)
    for name, start in starts.items():
        _check_fields(saved[name], start, name)
    return {name: dict(saved[name]) for name in starts}


def _check_fields(saved: Mapping[str, Any], expected: Mapping[str, Any], where: str) -> None:
    """Compare a state with that before the first evaluation: numbers, lists of numbers, None, and fields in fields."""
    _refuse_more(saved, expected)
    for field, first in expected.items():
        value = saved[field]
        if isinstance(first, Mapping):
            _check_fields(value, first, f"{where} {field}")
        elif isinstance(first, list):
            if not (isinstance(value, list) and all(isinstance(one, int | float) for one in value)):
                raise PolarMonitorError(f"state: expected {where} {field} to be a list of numbers, got {value!r:.60}")
        elif not (isinstance(value, int | float) or (value is None and first is None)):
            raise PolarMonitorError(f"state: expected {where} {field} to be a number, got {type(value).__name__}")


def _refuse_more(saved: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    if more := set(saved) - set(expected):
        raise ValueError(f"a state of the alerts with {', '.join(map(str, more))}")
