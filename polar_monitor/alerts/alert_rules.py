"""The thresholds of the alerts, as an object, as plain data in a log, and as a TOML file."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from numbers import Real
from typing import Any

from ..errors import PolarMonitorError
from .alert import AlertKind

COLLECTIONS = (frozenset, tuple, list)
MAX_FLOAT = sys.float_info.max
INFINITE = (float("inf"), float("-inf"))
"""Numbers that JSON does not have; they are written as strings."""


@dataclass(frozen=True)
class AlertRules:
    """Thresholds of the alerts. None counts evaluations, so alerts do not depend on how often one evaluates.

    Evidence counts in *independent windows*: an evaluation adds the share of its window that is new, at most 1. The
    training counts in *steps*. Two things change the length of a step: a step that brings many rows counts as 12.5 for
    each window of them, and beyond step 10,000 a step counts as 10,000 / step, so that a rule keeps its share of a
    long run. `signals/pace.py` has both.

    Example:
        >>> from polar_monitor import AlertRules
        >>> AlertRules(kinds=frozenset({"collapse", "non_finite"})).established_steps
        125.0
    """

    kinds: frozenset[str] = frozenset(AlertKind)
    """Kinds to raise; "custom" stands for the rules of third parties. The others stay silent."""
    horizon_steps: float = 700.0
    """Steps: FADING is raised if a dimension is forecast to be out of use within them, or within two evaluations."""
    patience_windows: float = 1.0
    """Independent windows in a row that must show the fall; a plunge needs none."""
    established_steps: float = 125.0
    """Steps for which a dimension must have been worth an alert before it can raise one."""
    worth: float = 0.35
    """Nats that it must surely carry in them. From there on a Gaussian dimension pays twice its price in the ELBO."""
    fall: float = 0.25
    """Share of its highest level that a dimension must lose for a FADING."""
    plunge: float = 0.1
    """Share that several dimensions must lose within 40 steps for an alert at once; more in a longer interval."""
    significance: float = 5.0
    """Standard errors that a fall must exceed."""
    drain: float = 0.3
    """Share that the total must lose, while it still falls, for a DRAIN."""
    taken_over: float = 0.7
    """Share of what all falling dimensions lost together that the total must have lost since. With less, others take
    over: the model chooses."""
    allowance: float = 0.04
    """Fall of the logarithm of a level while the number of steps grows e-fold that is settling, and no fall."""
    stable_steps: float = 700.0
    """Steps without a fall, or without a coming and going, after which one is over."""
    clean_steps: float = 250.0
    """Steps without trouble of the model as a whole after which the same trouble is reported again."""
    collapsed_steps: float = 700.0
    """Steps without an informative dimension after which a model that never had one has collapsed."""

    def __new__(cls, *_: Any, **values: Any) -> AlertRules:
        """Raise PolarMonitorError for a field that counted evaluations, with the line to write."""
        for name, value in values.items():
            if name in EARLIER_NAMES:
                current, factor = EARLIER_NAMES[name]
                number = isinstance(value, Real) and not isinstance(value, bool)
                line = f"{current}={factor * float(value):g}" if number else f"{current}=…"
                raise PolarMonitorError(
                    f"{name}: expected {current}, as rules do not count evaluations; write AlertRules({line}) for "
                    f"{value!r} evaluations 25 steps apart"
                )
        return super().__new__(cls)

    def __post_init__(self) -> None:
        """Raise PolarMonitorError for values that make no sense."""
        kinds = self.kinds
        unknown = isinstance(kinds, str) or not isinstance(kinds, Collection) or set(map(str, kinds)) - set(AlertKind)
        if unknown:
            raise PolarMonitorError(f"kinds: expected some of {', '.join(AlertKind)}; got {_listed(kinds)}")
        object.__setattr__(self, "kinds", frozenset(AlertKind(str(kind)) for kind in kinds))
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "kinds" and (isinstance(value, bool) or not isinstance(value, Real)):
                raise PolarMonitorError(f"{field.name}: expected a number, got {value!r}")
            if field.name != "kinds" and _is_too_large(value):
                raise PolarMonitorError(f"{field.name}: expected a number of at most {MAX_FLOAT:.3g}, got a larger one")
        for name in ("fall", "plunge", "drain"):
            if not 0 < getattr(self, name) < 1:
                raise PolarMonitorError(f"{name}: expected a share between 0 and 1, got {getattr(self, name)!r}")
        if not 0 <= self.taken_over <= 1:
            raise PolarMonitorError(f"taken_over: expected a share from 0 to 1, got {self.taken_over!r}")
        for field in fields(self):
            if field.name != "kinds" and not getattr(self, field.name) >= 0:
                raise PolarMonitorError(f"{field.name}: expected 0 or more, got {getattr(self, field.name)!r}")


STEPS_AN_EVALUATION = 25.0
"""Steps from one evaluation to the next in the runs on which the rules were chosen that counted evaluations."""
WINDOWS_AN_EVALUATION = 0.5
"""Independent windows of one evaluation in those runs, rounded down."""
EARLIER_NAMES = {
    "horizon": ("horizon_steps", STEPS_AN_EVALUATION),
    "patience": ("patience_windows", WINDOWS_AN_EVALUATION),
    "established": ("established_steps", STEPS_AN_EVALUATION),
    "collapsed": ("collapsed_steps", STEPS_AN_EVALUATION),
}
"""Fields that counted evaluations, as logs and rules files may have them: the field of today, and its factor."""


def to_plain(rules: AlertRules) -> dict[str, Any]:
    """Return the thresholds as numbers, and sorted lists for sets: ready for JSON."""
    values = {f.name: getattr(rules, f.name) for f in fields(rules)}
    return {name: _plain(value) for name, value in values.items()}


def from_plain(values: Mapping[str, Any], where: str = "rules") -> AlertRules:
    """Return the thresholds with these values, and the default for each that is missing.

    Raises PolarMonitorError for an unknown name, a value of another type than the default's, or one without sense.

    Example:
        >>> from polar_monitor.alerts.alert_rules import from_plain
        >>> from_plain({"worth": 0.5}).worth
        0.5
        >>> from_plain({"horizon": 30}).horizon_steps  # in evaluations, as an older log has it
        750.0
    """
    known = {f.name: f for f in fields(AlertRules)}
    if more := unknown_names(values):
        raise PolarMonitorError(f"{where}: unknown {', '.join(map(repr, more))}; the fields are {', '.join(known)}")
    try:
        return AlertRules(**dict(_field(known, name, value, where) for name, value in values.items()))
    except PolarMonitorError as error:
        raise error if str(error).startswith(where) else PolarMonitorError(f"{where}: {error}") from None


def unknown_names(values: Mapping[str, Any]) -> list[str]:
    """Return the names that no field of `AlertRules` has or had."""
    known = {f.name for f in fields(AlertRules)} | set(EARLIER_NAMES)
    return [name for name in values if name not in known]


def read_rules(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return plain values from a TOML file with fields of `AlertRules`, as in `horizon_steps = 750.0`.

    Raises PolarMonitorError for a file that cannot be read or is no TOML, and for values that `from_plain` refuses.
    """
    try:
        with open(path, "rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise PolarMonitorError(f"cannot read {os.fspath(path)!r} ({error.strerror or error})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PolarMonitorError(f"{os.fspath(path)}: expected TOML, got {error}") from error
    from_plain(values, os.fspath(path))
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, COLLECTIONS):
        return sorted(map(str, value))
    return str(value) if value in INFINITE else value


def _field(known: Mapping[str, Field[Any]], name: str, value: Any, where: str) -> tuple[str, Any]:
    """Return the name of a field and its value, with the type of the field's default."""
    if name in EARLIER_NAMES:
        current, factor = EARLIER_NAMES[name]
        return current, factor * _value(known[current], value, where, name)
    return name, _value(known[name], value, where, name)


def _value(f: Field[Any], value: Any, where: str, name: str) -> Any:
    """Return the value with the type of the field's default."""
    default = f.default if f.default_factory is MISSING else f.default_factory()
    match default:
        case bool():
            fits, expected = isinstance(value, bool), "true or false"
        case float():
            value = float(value) if value in map(str, INFINITE) else value
            fits, expected = isinstance(value, Real) and not isinstance(value, bool), "a number"
        case frozenset() | tuple() | list():
            fits = isinstance(value, list) and all(isinstance(one, str) for one in value)
            expected = "a list of strings"
        case _:
            fits, expected = isinstance(value, type(default)), type(default).__name__
    if fits and isinstance(value, int) and _is_too_large(value):
        raise PolarMonitorError(f"{where}: expected {name} to be at most {MAX_FLOAT:.3g}, got a larger number")
    if not fits or value != value:
        raise PolarMonitorError(f"{where}: expected {name} to be {expected}, got {value!r}")
    return type(default)(value) if isinstance(default, (float, *COLLECTIONS)) else value


def _is_too_large(value: Any) -> bool:
    """Return True for a whole number that no float can hold."""
    try:
        float(value)
    except OverflowError:
        return True
    return False


def _listed(kinds: Any) -> str:
    several = isinstance(kinds, Collection) and not isinstance(kinds, str)
    return ", ".join(sorted(map(str, kinds))) if several else repr(kinds)
