"""Rules of third parties: what one is, how one is chosen, and how it says something.

A rule is a pure fold over the evaluations of one latent in one mode, so a run that is resumed or replayed from its log
raises the same alerts. A package offers rules under the entry-point group `polar_monitor.rules`:

    [project.entry-points."polar_monitor.rules"]
    weak_total = "my_package:WeakTotal"

Nothing is imported before a rule is asked for by its name: `attach(model, extra_rules=["weak_total"])`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, runtime_checkable

from .alerts import Alert, AlertKind, Forecast
from .errors import PolarMonitorError
from .regime import Regime
from .snapshot import Snapshot

log = logging.getLogger("polar_monitor")

GROUP = "polar_monitor.rules"
"""Of entry points: an object or a class without arguments, with `start` and `update`."""
CUSTOM = next((kind for kind in AlertKind if kind == "custom"), AlertKind.DRAIN)
"""The kind of every alert of a third party."""


@runtime_checkable
class Rule(Protocol):
    """What is asked of a rule. It keeps nothing itself: all that it needs later is in its state.

    Example:
        >>> from polar_monitor import rules
        >>> class WeakTotal:
        ...     def start(self):
        ...         return False
        ...     def update(self, told, step, observed, snapshot, regime):
        ...         if snapshot is None or told or snapshot.information.sum() > 1.0:
        ...             return told, ()
        ...         return True, [rules.alert(step, "all dimensions together carry less than 1 nat")]
        >>> isinstance(WeakTotal(), rules.Rule)
        True
    """

    def start(self) -> Any:
        """The state before the first evaluation: numbers, strings, None, lists and dicts with strings as keys."""

    def update(
        self, state: Any, step: int, observed: int, snapshot: Snapshot | None, regime: Regime | None
    ) -> tuple[Any, Sequence[Alert]]:
        """The state after one evaluation, and the alerts (`polar_monitor.rules.alert`) that it raises.

        `observed` is the number of rows since the evaluation before; `snapshot` and `regime` are None before the first
        row, and those of the evaluation before where `observed` is 0. Histograms are left out, as in the log.
        """


def alert(
    step: int,
    message: str,
    *,
    dimension: int | None = None,
    evidence: Mapping[str, float] | None = None,
    forecast: Forecast | None = None,
    last_healthy_step: int | None = None,
    causes: Sequence[str] = (),
    advice: Sequence[str] = (),
) -> Alert:
    """The alert of a third party; the name of its rule is put before `message`.

    Example:
        >>> from polar_monitor import rules
        >>> rules.alert(100, "the means drift", dimension=3, evidence={"mean": 2.5}).dimension
        3
    """
    return Alert(
        CUSTOM,
        step,
        dimension,
        message,
        dict(evidence or {}),
        forecast,
        last_healthy_step,
        tuple(causes),
        tuple(advice),
    )


@dataclass
class Extra:
    """A chosen rule under its name. In a `strict` monitor its failures are raised."""

    name: str
    rule: Rule
    strict: bool = False
    _told: bool = field(default=False, repr=False)

    def begin(self) -> Any:
        """Its first state, as plain data."""
        return _plain(self.rule.start())

    def update(
        self, state: Any, step: int, observed: int, snapshot: Snapshot | None, regime: Regime | None
    ) -> tuple[Any, tuple[Alert, ...]]:
        """One evaluation. Raises whatever the rule raises, and TypeError or ValueError for what it may not return."""
        state, found = self.rule.update(state, step, observed, snapshot, regime)
        return _plain(state), tuple(self._checked(one) for one in found)

    def failed(self, failure: Exception) -> None:
        """Tell of the first failure."""
        if self.strict:
            raise failure
        if not self._told:
            self._told = True
            said = f"{type(failure).__name__}: {failure}"
            log.error("rule %r failed (%s) and is switched off; training is not affected", self.name, said)

    def _checked(self, found: Any) -> Alert:
        if not isinstance(found, Alert) or found.kind is not CUSTOM:
            raise TypeError(f"expected alerts made by polar_monitor.rules.alert, got {found!r}")
        plain = Alert.from_dict(_plain(found.to_dict()))
        return replace(plain, message=f"{self.name}: {plain.message}")


def of_rule(raised: Alert, name: str) -> bool:
    """Whether an alert is of the third-party rule of this name."""
    return raised.kind is CUSTOM and raised.message.startswith(f"{name}: ")


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


def _by_name(name: str) -> tuple[str, Rule]:
    points = installed()
    found = [point for point in points if point.name == name]
    if len({point.value for point in found}) != 1:
        known = ", ".join(f"{point.name} ({point.value})" for point in points) or "none"
        what = "several of this name" if found else "no such entry point"
        raise PolarMonitorError(
            f"extra_rules: expected the name of a rule, got {name!r}: {what}; installed are {known}"
        )
    try:
        return name, _given(found[0].load())[1]
    except PolarMonitorError:
        raise
    except Exception as failure:
        said = f"{type(failure).__name__}: {failure}"
        raise PolarMonitorError(f"extra_rules: {name!r} ({found[0].value}) cannot be loaded: {said}") from failure


def _given(rule: Any) -> tuple[str, Rule]:
    name = getattr(rule, "__name__", type(rule).__name__)
    made = rule() if isinstance(rule, type) else rule
    if not isinstance(made, Rule) or not callable(made.start) or not callable(made.update):
        raise PolarMonitorError(
            "extra_rules: expected a rule with start() and update(state, step, observed, snapshot, regime), "
            f"got {rule!r}"
        )
    return name, made


def _plain(value: Any) -> Any:
    """The value as JSON has it, so that a live run, a resumed one and a replayed one go on from the same."""
    return json.loads(json.dumps(value))
