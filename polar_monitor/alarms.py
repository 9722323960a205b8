"""Everything that raises alerts, of one latent in one mode: our rules and those of third parties.

A live run and a replayed log both go through here, which is why they agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .alerts import Alert, AlertRules
from .regime import Regime
from .rules import Extra
from .snapshot import Snapshot
from .watch import WatchState, watch


class Alarms:
    """The state of the rules after the evaluations so far."""

    def __init__(self, extra: Sequence[Extra] = ()) -> None:
        self.extra = tuple(extra)
        self.watched = WatchState()
        self.states: dict[str, Any] = {}
        """Of the third-party rules, by name."""
        self.off: set[str] = set()
        """Those that failed."""

    def evaluate(
        self,
        step: int,
        observed: int,
        snapshot: Snapshot | None,
        regime: Regime | None,
        rules: AlertRules,
        warmup: int,
    ) -> tuple[Alert, ...]:
        """One evaluation, of which the rules see what a log holds: no histograms. Returns the alerts."""
        if snapshot is not None:
            snapshot = replace(snapshot, histograms=())
        if regime is not None:
            regime = replace(regime, snapshot=snapshot)
        self.watched, alerts = watch(self.watched, step, observed, snapshot, regime, rules, warmup)
        further = [found for extra in self.extra for found in self._ask(extra, step, observed, snapshot, regime)]
        return (*alerts, *further) if step >= warmup else alerts

    def _ask(
        self, extra: Extra, step: int, observed: int, snapshot: Snapshot | None, regime: Regime | None
    ) -> tuple[Alert, ...]:
        if extra.name in self.off:
            return ()
        try:
            state = self.states[extra.name] if extra.name in self.states else extra.begin()
            self.states[extra.name], alerts = extra.update(state, step, observed, snapshot, regime)
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
        return {"watch": self.watched.to_dict(), "extra": {"states": self.states, "off": sorted(self.off)}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a state back; one of an older version has no other rules. Raises, and changes nothing, if broken."""
        watched = WatchState.from_dict(state["watch"])
        extra = state.get("extra", {"states": {}, "off": []})
        states, off = dict(extra["states"]), {str(name) for name in extra["off"]}
        self.watched, self.states, self.off = watched, states, off
