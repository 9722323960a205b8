"""The built-in alerts: one alert, or one group that shares its state, a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import PolarMonitorError
from .collapse import Collapse
from .drain import Drain
from .fading import Fading
from .far_from_prior import FarFromPrior
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
    FarFromPrior(),
)
"""In the order in which one evaluation lists their alerts. No rule depends on another one of the same evaluation."""


def check_states(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return saved states if they fit these rules; a rule or a field that earlier versions lack begins anew.

    Raises PolarMonitorError for a value that is no number, and TypeError or ValueError for the states of another
    version.
    """
    return _filled(saved, {rule.name: rule.start() for rule in BUILTIN_RULES}, "")


def _filled(saved: Mapping[str, Any], start: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a saved state with what it lacks as it is before the first evaluation.

    A state has numbers, lists of numbers, None, and states.
    """
    if more := set(saved) - set(start):
        raise ValueError(f"a state of the alerts with {', '.join(map(str, more))}")
    return {name: _checked(saved.get(name, first), first, f"{where} {name}".strip()) for name, first in start.items()}


def _checked(value: Any, first: Any, where: str) -> Any:
    """Return a value if it is of the kind of the first one."""
    if isinstance(first, Mapping):
        return _filled(value, first, where)
    if isinstance(first, list):
        if not (isinstance(value, list) and all(isinstance(one, int | float) for one in value)):
            raise PolarMonitorError(f"state: expected {where} to be a list of numbers, got {value!r:.60}")
    elif not (isinstance(value, int | float) or (value is None and first is None)):
        raise PolarMonitorError(f"state: expected {where} to be a number, got {type(value).__name__}")
    return value
