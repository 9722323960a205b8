"""Which rules of third parties are asked: objects, names of entry points, or places of modules."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ..errors import PolarMonitorError
from .custom_rule import Extra, Rule

GROUP = "polar_monitor.rules"
"""Of entry points: an object or a class without arguments, with `start` and `update`."""


def choose(wanted: Sequence[str | Rule], *, strict: bool = False) -> tuple[Extra, ...]:
    """Rules by their names (entry points, which are imported now) or themselves. Raises PolarMonitorError."""
    if isinstance(wanted, str) or not isinstance(wanted, Sequence):
        raise PolarMonitorError(f'extra_rules: expected a list of names or rules, as in ["name"], got {wanted!r}')
    chosen = [Extra(*(_by_name(one) if isinstance(one, str) else _given(one)), strict) for one in wanted]
    names = [extra.name for extra in chosen]
    if len(set(names)) < len(names):
        raise PolarMonitorError(f"extra_rules: expected every rule once, got {', '.join(names)}")
    return tuple(chosen)


def installed() -> tuple[EntryPoint, ...]:
    """The rules that installed packages offer, by name; nothing is imported."""
    return tuple(sorted(entry_points(group=GROUP), key=lambda point: point.name))


def named(place: str) -> Rule:
    """The rule at `module:name`, which is imported, from the working directory too. Raises PolarMonitorError."""
    module, _, attribute = place.partition(":")
    if not module or not attribute:
        raise PolarMonitorError(f"expected MODULE:NAME, as in my_rules:WeakTotal, got {place!r}")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # last, so that no file there stands in for an installed module
    return _loaded(EntryPoint(attribute, place, GROUP))[1]


def _by_name(name: str) -> tuple[str, Rule]:
    points = installed()
    found = [point for point in points if point.name == name]
    if len({point.value for point in found}) != 1:
        known = ", ".join(f"{point.name} ({point.value})" for point in points) or "none"
        what = "several of this name" if found else "no such entry point"
        raise PolarMonitorError(
            f"extra_rules: expected the name of a rule, got {name!r}: {what}; installed are {known}"
        )
    return name, _loaded(found[0])[1]


def _loaded(point: EntryPoint) -> tuple[str, Rule]:
    try:
        rule = point.load()
    except (Exception, SystemExit) as failure:
        said = f"{type(failure).__name__}: {failure}"
        raise PolarMonitorError(f"extra_rules: {point.value} cannot be loaded: {said}") from failure
    return _given(rule)


def _given(rule: Any) -> tuple[str, Rule]:
    name = str(getattr(rule, "__name__", type(rule).__name__))
    try:
        made = rule() if isinstance(rule, type) else rule
    except Exception as failure:
        said = f"{type(failure).__name__}: {failure}"
        raise PolarMonitorError(
            f"extra_rules: expected a class without arguments, got {name} ({said}): pass an object, {name}(…)"
        ) from failure
    if not isinstance(made, Rule) or not callable(made.start) or not callable(made.update):
        raise PolarMonitorError(
            "extra_rules: expected a rule with start() and update(state, step, observed, snapshot, regime), "
            f"got {rule!r}"
        )
    return name, made
