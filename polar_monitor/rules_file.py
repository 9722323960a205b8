"""`AlertRules` as plain data: what a log holds of them, and a TOML file that sets some."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from numbers import Integral, Real
from typing import Any

from .alerts import AlertRules
from .errors import PolarMonitorError

SETS = (frozenset, tuple, list)
INFINITE = (float("inf"), float("-inf"))
"""JSON has no such numbers: they are written as strings."""


def to_plain(rules: AlertRules) -> dict[str, Any]:
    """Numbers, and sorted lists for sets: ready for JSON."""
    values = {f.name: getattr(rules, f.name) for f in fields(rules)}
    return {name: _plain(value) for name, value in values.items()}


def from_plain(values: Mapping[str, Any], where: str = "rules") -> AlertRules:
    """The rules with these values, and the defaults for what is not named.

    Raises PolarMonitorError for an unknown name, a value of another type than the default's, or one that cannot be
    meant.

    Example:
        >>> from polar_monitor.rules_file import from_plain
        >>> from_plain({"patience": 3}).patience
        3
    """
    known = {f.name: f for f in fields(AlertRules)}
    if more := unknown(values):
        said = ", ".join(map(repr, more))
        raise PolarMonitorError(f"{where}: expected some of {', '.join(known)}; got {said}")
    try:
        return AlertRules(**{name: _value(known[name], value, where) for name, value in values.items()})
    except PolarMonitorError as error:
        raise error if str(error).startswith(where) else PolarMonitorError(f"{where}: {error}") from None


def unknown(values: Mapping[str, Any]) -> list[str]:
    """The names that no field of `AlertRules` has."""
    known = {f.name for f in fields(AlertRules)}
    return [name for name in values if name not in known]


def read_rules(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Plain values from a TOML file with fields of `AlertRules` at its top, as in `horizon = 30.0`; checked.

    Raises PolarMonitorError for a file that cannot be read, is no TOML, or has what `from_plain` refuses.
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
    if isinstance(value, SETS):
        return sorted(map(str, value))
    return str(value) if value in INFINITE else value


def _value(f: Field[Any], value: Any, where: str) -> Any:
    """The value as the type of the field's default."""
    default = f.default if f.default_factory is MISSING else f.default_factory()
    match default:
        case bool():
            fits, expected = isinstance(value, bool), "true or false"
        case int():
            fits, expected = isinstance(value, Integral) and not isinstance(value, bool), "a whole number"
        case float():
            value = float(value) if value in map(str, INFINITE) else value
            fits, expected = isinstance(value, Real) and not isinstance(value, bool), "a number"
        case frozenset() | tuple() | list():
            fits = isinstance(value, list) and all(isinstance(one, str) for one in value)
            expected = "a list of strings"
        case _:
            fits, expected = isinstance(value, type(default)), type(default).__name__
    if not fits or value != value:
        raise PolarMonitorError(f"{where}: expected {f.name} to be {expected}, got {value!r}")
    return type(default)(value) if isinstance(default, (float, *SETS)) else value
