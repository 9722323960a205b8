"""Finds the rules of third parties: objects, names of entry points, or modules."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ..errors import PolarMonitorError, describe
from .custom_rule import NamedRule, Rule, refuse_other_parameters

GROUP = "polar_monitor.rules"
"""Group of the entry points: each is an object, or a class without arguments, with `start` and `update`."""


def choose(wanted: Sequence[str | Rule], *, strict: bool = False) -> tuple[NamedRule, ...]:
    """Return the wanted rules, given as objects or as names of entry points; these are imported now.

    Raises PolarMonitorError for a rule that cannot be used.
    """
    if isinstance(wanted, str) or not isinstance(wanted, Sequence):
        raise PolarMonitorError(f'extra_rules: expected a list of names or rules, as in ["name"], got {wanted!r}')
    chosen = [NamedRule(*(_installed_rule(one) if isinstance(one, str) else _named(one)), strict) for one in wanted]
    names = [rule.name for rule in chosen]
    if len(set(names)) < len(names):
        raise PolarMonitorError(f"extra_rules: expected every rule once, got {', '.join(names)}")
    return tuple(chosen)


def installed() -> tuple[EntryPoint, ...]:
    """Return the entry points of the rules that installed packages offer, sorted by name; nothing is imported."""
    return tuple(sorted(entry_points(group=GROUP), key=lambda point: point.name))


def import_rule(place: str) -> Rule:
    """Import the rule at `module:name`, from the working directory too. Raises PolarMonitorError."""
    module, _, attribute = place.partition(":")
    if not module or not attribute:
        raise PolarMonitorError(f"expected MODULE:NAME, as in my_rules:WeakTotal, got {place!r}")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # last, so that no file there stands in for an installed module
    return _load(EntryPoint(attribute, place, GROUP))[1]


def _installed_rule(name: str) -> tuple[str, Rule]:
    points = installed()
    matches = [point for point in points if point.name == name]
    if len({point.value for point in matches}) != 1:
        known = ", ".join(f"{point.name} ({point.value})" for point in points) or "none"
        problem = "several of this name" if matches else "no such entry point"
        raise PolarMonitorError(
            f"extra_rules: expected the name of a rule, got {name!r}: {problem}; installed are {known}"
        )
    return name, _load(matches[0])[1]


def _load(point: EntryPoint) -> tuple[str, Rule]:
    try:
        rule = point.load()
    except (Exception, SystemExit) as failure:
        reason = describe(failure)
        raise PolarMonitorError(f"extra_rules: {point.value} cannot be loaded: {reason}") from failure
    return _named(rule)


def _named(rule: Any) -> tuple[str, Rule]:
    """Return the name of a rule, and the rule: a class is called without arguments."""
    name = str(getattr(rule, "__name__", type(rule).__name__))
    try:
        made = rule() if isinstance(rule, type) else rule
    except Exception as failure:
        reason = describe(failure)
        raise PolarMonitorError(
            f"extra_rules: expected a class without arguments, got {name} ({reason}): pass an object, {name}(…)"
        ) from failure
    if not isinstance(made, Rule) or not callable(made.start) or not callable(made.update):
        raise PolarMonitorError(
            f"extra_rules: expected a rule with start() and update(state, observation), got {rule!r}"
        )
    refuse_other_parameters(made, name)
    return name, made
