"""Raises the alerts of one latent in one mode: the built-in alerts and the rules of third parties.

A live run and a replay of its log both use this engine. That is why they agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import describe
from .alert import Alert
from .alert_rules import AlertRules
from .builtin import BUILTIN_RULES, check_states
from .builtin.collapse import Collapse
from .builtin.drain import Drain
from .builtin.rule import raises_in_warmup, state_in_warmup
from .custom_rule import NamedRule, plain
from .observation import Observation
from .signals.follow import follow
from .signals.history import DimensionHistory
from .signals.pace import pace
from .signals.signals import Signals


class AlertEngine:
    """The rules, with their state after the evaluations so far."""

    def __init__(self, custom_rules: Sequence[NamedRule] = ()) -> None:
        self.custom_rules = tuple(custom_rules)
        self.history = DimensionHistory.empty(0)
        self.states: dict[str, Any] = {rule.name: rule.start() for rule in BUILTIN_RULES}
        """State of each built-in alert, by name. A new evaluation replaces the dict and changes nothing in place."""
        self.custom_states: dict[str, Any] = {}
        """State of each third-party rule, by name."""
        self.failed: set[str] = set()
        """Names of the third-party rules that failed. It is not saved: a resumed run asks them again."""
        self.errors = 0
        """Exceptions that third-party rules have raised, in this process."""
        self.last_error = ""

    @property
    def widths(self) -> set[int]:
        """The number of dimensions in the state; empty before the first evaluation."""
        return {self.history.dimensions} - {0}

    def evaluate(self, observation: Observation, rules: AlertRules, warmup: int = 0) -> tuple[Alert, ...]:
        """Return the alerts of one evaluation.

        During the first `warmup` steps only rules with `raises_in_warmup` raise alerts (NON_FINITE and SILENT), and
        third-party rules are not asked: a rule that raised an alert which nobody sees would not raise it again.
        """
        in_warmup = observation.step < warmup
        with np.errstate(all="ignore"):  # logs hold what anybody wrote, and a host may have NumPy raise
            alerts = self._evaluate_builtin(observation, rules, in_warmup)
        if self.custom_rules and not in_warmup:
            observation = observation.without_histograms()
            alerts += [alert for rule in self.custom_rules for alert in self._evaluate_custom(rule, observation)]
        return tuple(alert for alert in alerts if alert.kind in rules.kinds)

    def _evaluate_builtin(self, observation: Observation, rules: AlertRules, in_warmup: bool) -> list[Alert]:
        history, signals = self.history, None
        s, regime = observation.snapshot, observation.regime
        if s is not None and regime is not None and observation.observed > 0:
            history = history if history.dimensions == s.dimensions else DimensionHistory.empty(s.dimensions)
            before = history.recent[-1].step if history.recent else None
            passed = pace(before, s.step, observation.observed, s.n)
            history, changes = follow(history, s, regime, rules, passed, observation.context)
            last_healthy_step = Drain.last_healthy_step(self.states[Drain.name])
            collapsed = Collapse.has_collapsed(self.states[Collapse.name])
            drained = Drain.has_drained(self.states[Drain.name])
            decay = observation.context.weight_decay
            signals = Signals(s, regime, rules, passed, history, changes, last_healthy_step, collapsed, drained, decay)
        observation = Observation(observation.step, observation.observed, s, regime, observation.context, signals)
        states, alerts = dict[str, Any](), list[Alert]()
        for rule in BUILTIN_RULES:
            state, raised = rule.update(self.states[rule.name], observation)
            if in_warmup and not raises_in_warmup(rule):
                state, raised = state_in_warmup(rule, state, observation), ()
            states[rule.name] = state
            alerts += raised
        self.states = states
        self.history = history.without_falls() if in_warmup and signals is not None else history
        return alerts

    def _evaluate_custom(self, rule: NamedRule, observation: Observation) -> tuple[Alert, ...]:
        if rule.name in self.failed:
            return ()
        try:
            state = self.custom_states[rule.name] if rule.name in self.custom_states else rule.start()
            self.custom_states[rule.name], alerts = rule.update(state, observation)
        except Exception as failure:
            self.failed.add(rule.name)
            self.errors, self.last_error = self.errors + 1, f"rule {rule.name!r}: {describe(failure)}"
            rule.log_failure(failure)
            return ()
        return alerts

    def adopt(self, other: AlertEngine) -> None:
        """Continue from the state of another engine."""
        self.history, self.states = other.history, other.states
        self.custom_states, self.failed = other.custom_states, other.failed

    def state_dict(self) -> dict[str, Any]:
        """Return plain data: the history of the dimensions, and the state of every rule."""
        return {"history": self.history.to_dict(), "builtin": dict(self.states), "custom": self.custom_states}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a saved state. A broken one raises KeyError, TypeError or ValueError, and changes nothing."""
        history, states = DimensionHistory.from_dict(state["history"]), check_states(state["builtin"])
        custom_states = dict(plain(state["custom"]))
        self.history, self.states, self.custom_states, self.failed = history, states, custom_states, set()
        for rule in self.custom_rules:
            rule.forget_failure()
