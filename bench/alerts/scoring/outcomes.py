"""The rules at every density: what they say of a run, how that compares with the truth, and with the densest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from polar_monitor.alerts.alert_rules import AlertRules
from polar_monitor.alerts.observation import Observation

from ..training.record import Run
from .agreement import STATED, Agreement, Seen, Tolerance, agreement
from .density import DENSEST, DENSITIES, thinned
from .replay import observations, raised
from .tally import Tally, Warned, plain, tally


@dataclass(frozen=True, eq=False)
class Prepared:
    """A run as one density saw it, ready to be replayed under any thresholds."""

    run: Run
    observations: Sequence[Observation]

    def alarms(self, rules: AlertRules) -> list[Warned]:
        """What the rules raise."""
        return plain(raised(self.observations, self.run.warmup, rules))


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the rules said of one run, by density."""

    runs: Mapping[str, Run]
    alarms: Mapping[str, list[Warned]]

    def tally(self, density: str, choosing: bool = True) -> Tally:
        """Compare with the truth."""
        return tally(self.runs[density], self.alarms[density], choosing=choosing)

    def agreement(self, density: str, tolerance: Tolerance = STATED) -> Agreement:
        """Compare with the densest."""
        one, other = (Seen(self.runs[name], self.alarms[name]) for name in (DENSEST, density))
        return agreement(one, other, tolerance)


def prepared(run: Run, told: bool = False) -> dict[str, Prepared]:
    """Make a run ready, at all densities."""
    thin = {density: thinned(run, density) for density in DENSITIES}
    return {density: Prepared(one, list(observations(one, told))) for density, one in thin.items()}


def outcome(of: Mapping[str, Prepared], rules: AlertRules) -> Outcome:
    """Replay a run at all densities."""
    runs = {density: one.run for density, one in of.items()}
    return Outcome(runs, {density: one.alarms(rules) for density, one in of.items()})


def total(agreements: Iterable[Agreement]) -> Agreement:
    """The agreement of many runs."""
    listed = list(agreements)
    return Agreement(sum(a.agreeing for a in listed), sum(a.alerts for a in listed))
