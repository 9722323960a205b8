"""Rules of third parties: what one is and how it says something; `chosen_rules` finds them by their names.

A rule is a pure fold over the evaluations of one latent in one mode, so a run that is resumed or replayed from its log
raises the same alerts. A package offers rules under the entry-point group `polar_monitor.rules`:

    [project.entry-points."polar_monitor.rules"]
    weak_total = "my_package:WeakTotal"

Nothing is imported before a rule is asked for by its name: `attach(model, extra_rules=["weak_total"])`.
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..context import Context
from ..regime.regime import Regime
from ..statistics.snapshot import Snapshot
from .alert import Alert, AlertKind, Forecast

log = logging.getLogger("polar_monitor")


@runtime_checkable
class Rule(Protocol):
    """What is asked of a rule. It keeps nothing itself: all that it needs later is in its state.

    It is not asked during the warm-up: the evaluation at or after its last step is the first that it sees. Its alerts
    are of the kind CUSTOM, which `AlertRules.kinds` lets through or not. One that fails is told once and not asked any
    more, until the run is resumed; it then goes on from the state it had.

    An `update` with a further parameter named `context` is given the `polar_monitor.context.Context` of the evaluation:
    what the loop has told of β, the learning rate and the reconstruction term by `monitor.log`.

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
        """The state before the first evaluation: numbers, strings, None, lists and dicts with strings as keys.

        NumPy scalars become numbers, tuples lists: `update` is given what JSON makes of them.
        """

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
class Extra:
    """A chosen rule under its name. In a `strict` monitor its failures are raised."""

    name: str
    rule: Rule
    strict: bool = False
    _told: bool = field(default=False, repr=False)
    _with_context: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            self._with_context = "context" in inspect.signature(self.rule.update).parameters
        except (TypeError, ValueError):  # of compiled code that does not say
            self._with_context = False

    def begin(self) -> Any:
        """Its first state, as plain data."""
        return plain(self.rule.start())

    def begin_again(self) -> None:
        """The run goes on from a saved state: a failure is news again."""
        self._told = False

    def update(
        self,
        state: Any,
        step: int,
        observed: int,
        snapshot: Snapshot | None,
        regime: Regime | None,
        context: Context,
    ) -> tuple[Any, tuple[Alert, ...]]:
        """One evaluation. Raises whatever the rule raises, and TypeError or ValueError for what it may not return."""
        more: dict[str, Any] = {"context": context} if self._with_context else {}
        state, found = self.rule.update(state, step, observed, snapshot, regime, **more)
        return plain(state), tuple(self._checked(one) for one in found)

    def failed(self, failure: Exception) -> None:
        """Tell of the first failure."""
        if self.strict:
            raise failure
        if not self._told:
            self._told = True
            said = f"{type(failure).__name__}: {failure}"
            log.error("rule %r failed (%s) and is switched off; training is not affected", self.name, said)

    def _checked(self, found: Any) -> Alert:
        if not isinstance(found, Alert) or found.kind is not AlertKind.CUSTOM:
            raise TypeError(f"expected alerts made by polar_monitor.rules.alert, got {found!r}")
        one = Alert.from_dict(plain(found.to_dict()))
        evidence = {name: float(value) for name, value in one.evidence.items()}
        return replace(one, message=f"{self.name}: {one.message}", evidence=evidence)


def of_rule(raised: Alert, name: str) -> bool:
    """Whether an alert is of the third-party rule of this name."""
    return raised.kind is AlertKind.CUSTOM and raised.message.startswith(f"{name}: ")


def to_json(value: Any) -> str:
    """A state as text, NumPy scalars as numbers. NaN and infinity stay. Raises TypeError for what is no plain data."""
    return json.dumps(value, default=_number)


def plain(value: Any) -> Any:
    """The value as JSON has it, so that a live run, a resumed one and a replayed one go on from the same."""
    return json.loads(to_json(value))


def _number(value: Any) -> Any:
    if isinstance(value, np.generic) and not isinstance(value.item(), np.generic):
        return value.item()
    raise TypeError(f"expected plain data, got {type(value).__name__}")
