"""The thresholds that the search may change, and the values it tries; fields that `AlertRules` lacks are left out."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from polar_monitor.alerts.alert_rules import AlertRules

RANGES: dict[str, tuple[float, ...]] = {
    "fall": (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5),
    "worth": (0.25, 0.35, 0.5, 0.7),
    "significance": (3.0, 4.0, 5.0, 6.0),
    "drain": (0.25, 0.3, 0.35, 0.4, 0.45, 0.5),
    "plunge": (0.05, 0.1, 0.15, 0.2),
    "horizon": (10.0, 15.0, 20.0, 30.0, 40.0),
    "patience": (1, 2, 3, 4),
    "established": (2, 3, 5, 8, 12),
    "collapsed": (10, 20, 40, 60, 100),
    "horizon_steps": (250.0, 350.0, 500.0, 700.0, 1000.0),
    "patience_windows": (0.5, 0.75, 1.0, 1.5, 2.0, 3.0),
    "established_steps": (60.0, 90.0, 125.0, 180.0, 250.0, 350.0),
    "taken_over": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    "allowance": (0.0, 0.04, 0.08, 0.12, 0.16),
    "stable_steps": (250.0, 350.0, 500.0, 700.0, 1000.0),
    "clean_steps": (125.0, 250.0, 500.0),
    "collapsed_steps": (400.0, 500.0, 600.0, 700.0, 800.0, 900.0),
}


def searched() -> dict[str, tuple[float, ...]]:
    """The ranges of the fields that `AlertRules` has."""
    known = {f.name for f in fields(AlertRules)}
    return {name: values for name, values in RANGES.items() if name in known}


def unsearched() -> list[str]:
    """Fields of `AlertRules` without a range."""
    return [f.name for f in fields(AlertRules) if f.name not in RANGES and f.name != "kinds"]


def moves(rules: AlertRules, name: str) -> list[Any]:
    """The values next to the present one in the range of a field: one above and one below, the nearest first."""
    values, now = searched()[name], getattr(rules, name)
    below = [value for value in values if value < now]
    above = [value for value in values if value > now]
    near = [*below[-1:], *above[:1]]
    return [type(now)(value) for value in sorted(near, key=lambda value: abs(value - now))]
