"""Everything that raises alerts, of one latent in one mode: our rules and those of third parties.

A live run and a replayed log both go through here, which is why they agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..context import Context
from ..regime.regime import Regime
from ..statistics.snapshot import Snapshot
from .alert import Alert
from .alert_rules import AlertRules
from .builtin.update import WatchState, watch
from .custom_rule import Extra, plain


class Alarms:
    """The state of the rules after the evaluations so far."""

    def __init__(self, extra: Sequence[Extra] = ()) -> None:
        self.extra = tuple(extra)
        self.watched = WatchState()
        self.states: dict[str, Any] = {}
        """Of the third-party rules, by name."""
        self.off: set[str] = set()
        """Those that failed. It is not saved: one that has been repaired since is asked again."""

    def evaluate(
        self,
        step: int,
        observed: int,
        snapshot: Snapshot | None,
        regime: Regime | None,
        rules: AlertRules,
        warmup: int,
        context: Context,
    ) -> tuple[Alert, ...]:
        """One evaluation, of which the rules see what a log holds: no histograms. Returns the alerts."""
        if snapshot is not None:
            snapshot = replace(snapshot, histograms=())
        if regime is not None:
            regime = replace(regime, snapshot=snapshot)
        with np.errstate(all="ignore"):  # logs hold what anybody wrote, and a host may have NumPy raise
            self.watched, alerts = watch(self.watched, step, observed, snapshot, regime, rules, warmup, context)
        if step < warmup:  # a rule that had spoken, unheard, would think that it is known
            return alerts
        further = [
            found for extra in self.extra for found in self._ask(extra, step, observed, snapshot, regime, context)
        ]
        return (*alerts, *(alert for alert in further if alert.kind in rules.kinds))

    def _ask(
        self,
        extra: Extra,
        step: int,
        observed: int,
        snapshot: Snapshot | None,
        regime: Regime | None,
        context: Context,
    ) -> tuple[Alert, ...]:
        if extra.name in self.off:
            return ()
        try:
            state = self.states[extra.name] if extra.name in self.states else extra.begin()
            self.states[extra.name], alerts = extra.update(state, step, observed, snapshot, regime, context)
        except Exception as failure:
            self.off.add(extra.name)
            extra.failed(failure)
            return ()
        return alerts

    def take_over(self, other: Alarms) -> None:
        """Go on from where another is."""
        self.watched, self.states, self.off = other.watched, other.states, other.off

    def state_dict(self) -> dict[str, Any]:
        """Plain data: of our rules and of the others."""
        return {"watch": self.watched.to_dict(), "extra": {"states": self.states}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a state back; one of an older version has no other rules. Raises, and changes nothing, if broken."""
        watched = WatchState.from_dict(state["watch"])
        states = dict(plain(state.get("extra", {"states": {}})["states"]))
        self.watched, self.states, self.off = watched, states, set()
        for extra in self.extra:
            extra.begin_again()
