"""Rules of third parties: the protocol, and the function that makes their alerts.

A rule is a pure fold over the evaluations of one latent in one mode. So a resumed run, and a replay of its log, raise
the same alerts. A package offers rules under the entry-point group `polar_monitor.rules`:

    [project.entry-points."polar_monitor.rules"]
    weak_total = "my_package:WeakTotal"

Nothing is imported before a rule is asked for by its name: `attach(model, extra_rules=["weak_total"])`. See `registry`.
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..errors import PolarMonitorError, WarnOnce, describe, log_line
from .alert import Alert, AlertKind, Forecast
from .observation import Observation


@runtime_checkable
class Rule(Protocol):
    """The protocol of a rule. It keeps nothing in itself: its state holds all that it needs later.

    A rule is not asked during the warm-up. It first sees the evaluation at or after the last step of the warm-up. Its
    alerts have the kind CUSTOM, which `AlertRules.kinds` may leave out. A rule that fails is logged once and disabled
    until the run is resumed; it then goes on from the state that it had.

    An older form of `update` works too: `update(state, step, observed, snapshot, regime)`, with or without a further
    parameter `context`. They are the fields of the observation.

    Example:
        >>> from polar_monitor import rules
        >>> class WeakTotal:
        ...     def start(self):
        ...         return {"raised": False}
        ...     def update(self, state, observation):
        ...         snapshot = observation.snapshot
        ...         if snapshot is None or state["raised"] or snapshot.information.sum() > 1.0:
        ...             return state, ()
        ...         message = "all dimensions together carry less than 1 nat"
        ...         return {"raised": True}, [rules.alert(observation.step, message)]
        >>> isinstance(WeakTotal(), rules.Rule)
        True
        >>> rule = WeakTotal()
        >>> rule.update(rule.start(), rules.Observation(step=100, observed=0))
        ({'raised': False}, ())
    """

    def start(self) -> Any:
        """Return the state before the first evaluation: numbers, strings, None, lists, dicts with strings as keys.

        NumPy scalars become numbers and tuples become lists: `update` gets what JSON makes of the state.
        """

    def update(self, state: Any, observation: Observation) -> tuple[Any, Sequence[Alert]]:
        """Return the state after one evaluation, and the alerts (`polar_monitor.rules.alert`) that it raises.

        `observation` has the fields `step`, `observed` (rows since the evaluation before), `snapshot`, `regime` (both
        None before the first row, and those of the evaluation before if `observed` is 0) and `context`: β, the learning
        rate and the reconstruction term that the training loop logged. Histograms are left out, as in the log.
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
    """Return the alert of a third-party rule. The name of the rule is put before `message`.

    Example:
        >>> from polar_monitor import rules
        >>> rules.alert(100, "the means drift", dimension=3, evidence={"mean": 2.5}).dimension
        3
    """
    return Alert(
        AlertKind.CUSTOM,
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
class NamedRule:
    """A chosen rule under its name. A `strict` monitor raises its failures."""

    name: str
    rule: Rule
    strict: bool = False
    _once: WarnOnce = field(default_factory=WarnOnce, repr=False, compare=False)
    _older_form: bool = field(init=False, repr=False)
    _with_context: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._older_form, self._with_context = _form(self.rule)

    def start(self) -> Any:
        """Return its first state, as plain data."""
        return plain(self.rule.start())

    def update(self, state: Any, observation: Observation) -> tuple[Any, tuple[Alert, ...]]:
        """Ask the rule. Raises its exceptions, and TypeError or ValueError for a result that it may not return."""
        state, alerts = _pair(self.rule.update(state, *self._arguments(observation), **self._context(observation)))
        return plain(state), tuple(self._checked(one) for one in alerts)

    def log_failure(self, failure: Exception) -> None:
        """Log the first failure, or raise it in a strict monitor."""
        if self.strict:
            raise failure
        if self._once("failed"):
            line = "rule %r failed (%s) and is disabled; training is not affected"
            log_line(logging.ERROR, line, self.name, describe(failure))

    def forget_failure(self) -> None:
        """Log the next failure again: the run goes on from a saved state."""
        self._once.clear()

    def _arguments(self, o: Observation) -> tuple[Any, ...]:
        return (o.step, o.observed, o.snapshot, o.regime) if self._older_form else (replace(o, signals=None),)

    def _context(self, o: Observation) -> dict[str, Any]:
        return {"context": o.context} if self._with_context else {}

    def _checked(self, given: Any) -> Alert:
        if not isinstance(given, Alert) or given.kind is not AlertKind.CUSTOM:
            raise TypeError(f"expected alerts made by polar_monitor.rules.alert, got {given!r}")
        one = Alert.from_dict(plain(given.to_dict(), "an alert"))
        evidence = {name: float(value) for name, value in one.evidence.items()}
        return replace(one, message=f"{self.name}: {one.message}", evidence=evidence)


def _form(rule: Rule) -> tuple[bool, bool]:
    """Return (True if `update` takes the fields of the observation one by one, True if `context` is among them)."""
    try:
        signature = inspect.signature(rule.update)
        signature.bind_partial(*range(5))
    except (TypeError, ValueError):  # fewer than five parameters, or compiled code without a signature
        return False, False
    older = "observation" not in signature.parameters
    return older, older and "context" in signature.parameters


def refuse_other_parameters(rule: Rule, name: str) -> None:
    """Raise PolarMonitorError for an `update` that cannot be called in either form: it would fail every time."""
    try:
        signature = inspect.signature(rule.update)
    except (TypeError, ValueError):  # compiled code without a signature
        return
    older, with_context = _form(rule)
    try:
        signature.bind(*range(5 if older else 2), **({"context": None} if with_context else {}))
    except TypeError:
        parameters = ", ".join(signature.parameters)
        expected = f"extra_rules: {name}.update must take (state, observation)"
        raise PolarMonitorError(f"{expected}, got ({parameters})") from None


def of_rule(raised: Alert, name: str) -> bool:
    """Return True if an alert comes from the third-party rule of this name."""
    return raised.kind is AlertKind.CUSTOM and raised.message.startswith(f"{name}: ")


def to_json(value: Any, name: str = "the state") -> str:
    """Return a state as text, NumPy scalars as numbers. NaN and infinity stay. Raises TypeError for other objects."""

    def number(item: Any) -> Any:
        if isinstance(item, np.generic) and not isinstance(item.item(), np.generic):
            return item.item()
        raise TypeError(f"{name} may hold numbers, strings, None, lists and dicts, got {type(item).__name__}")

    return json.dumps(value, default=number)


def plain(value: Any, name: str = "the state") -> Any:
    """Return the value as JSON has it, so that live, resumed and replayed runs go on from the same state."""
    return json.loads(to_json(value, name))


def _pair(result: Any) -> tuple[Any, Any]:
    """Return the state and the alerts that `update` gave. Raises TypeError for anything else than two things."""
    try:
        state, alerts = result
    except (TypeError, ValueError):
        raise TypeError(f"update() must return (state, alerts), got {type(result).__name__}") from None
    return state, alerts
