"""Record of one evaluation: sinks get it, a log contains it, a replay reads it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .alerts.alert import Alert
from .context import NOTHING, Context
from .regime.regime import Regime
from .statistics.snapshot import Snapshot

WORTH_LISTS = ("worth", "worth_se", "sigma_ratio")
"""Names in `Evaluation.worth` with a number for each dimension."""
VERSION = 1
"""Version of `Evaluation.to_dict`; `from_dict` refuses another one."""


@dataclass(frozen=True)
class Health:
    """Counters of the monitor's own work."""

    steps: int
    """Optimiser steps counted."""
    calls: int
    """Forward passes recorded."""
    steps_rested: int
    """Optimiser steps while the hooks were paused: other steps, spread between them, renew the window."""
    rows_seen: int
    """Rows that reached the statistics."""
    rows_dropped: int
    """Rows that were lost: means without their spread, rows that could not be recorded, as far as their number is
    known, and those that did not fit a ring which is smaller than the window."""
    rows_empty: int
    """Forward passes without a row."""
    errors: int
    """Exceptions that were swallowed: of the monitor itself, of sinks, rules and the callback."""
    last_error: str
    """The newest of them, or ''."""
    overhead: float
    """Share of the loop's time spent in the monitor."""
    every: int
    """Steps from the latest evaluation to the next, as planned."""
    evaluations: int
    """Evaluations made."""
    sink_drops: int
    """Evaluations that a sink failed to write."""
    allowance_used: float = 0.0
    """Seconds of the start allowance that are spent, and that the share of the loop's time has not paid back yet."""
    rows_skipped: int = 0
    """Recorded rows that were not needed: newer ones came before the evaluation and filled the window."""
    log_reused: bool = False
    """True if the log held an earlier run when this one began, without a saved state."""
    log_incomplete: bool = False
    """True if the log lacks evaluations of this run: it was cut, removed or replaced, or could not be written."""
    ranks: int = 1
    """Ranks whose rows the latest evaluation merged; 1 without `sync`."""
    ranks_without_rows: int = 0
    """Those of them that had no rows: no data, or no decision on the latent yet."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Evaluation of one mode ("train" or "eval"); `snapshot` and `regime` are None before the first row."""

    step: int
    time: float
    """Seconds since the epoch."""
    name: str
    """Name of the monitored latent, "" for the only one."""
    mode: str
    observed: int
    """Rows seen since the previous evaluation. If 0, `snapshot` and `regime` are of an earlier step; `age` says how old
    their newest row is."""
    snapshot: Snapshot | None
    regime: Regime | None
    alerts: tuple[Alert, ...]
    health: Health
    context: Context = NOTHING
    """Numbers that the loop logged since the previous evaluation."""
    setup: Mapping[str, Any] | None = None
    """Rules, warm-up and names of the extra rules, on which the alerts depend beside the evaluations, as plain data. A
    log contains it; None in logs of older versions."""
    resumed: str | None = None
    """State of the alerts before the first evaluation after a `load_state_dict`, so that the rest of the run can be
    replayed. JSON as text, since a third party's state may contain infinite numbers."""
    worth: Mapping[str, Any] | None = None
    """Numbers of the latest `monitor.probe(batch)` since the previous evaluation, as plain data; None without one."""

    def __repr__(self) -> str:
        """Describe the evaluation in a line; `snapshot` and `regime` have the numbers and the labels."""
        of = "/".join(part for part in (self.name, self.mode) if part)
        news = f"{self.observed} new rows, {len(self.alerts)} alerts"
        return f"<Evaluation of {of} at step {self.step}: {self.regime!r}, {news}>"

    @property
    def age(self) -> int | None:
        """Steps from the newest row of the statistics to `step`; None without rows, or if their steps are not known."""
        known = self.snapshot is not None and self.snapshot.rows_to >= 0
        return self.step - self.snapshot.rows_to if self.snapshot is not None and known else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data with every digit, for JSON; `from_dict` reads it back."""
        return self.plain_head() | {
            "snapshot": None if self.snapshot is None else self.snapshot.to_dict(),
            "regime": None if self.regime is None else self.regime.to_dict(),
        }

    def plain_head(self) -> dict[str, Any]:
        """Return all but the snapshot and the regime as plain data."""
        data: dict[str, Any] = {
            "version": VERSION,
            "step": self.step,
            "time": self.time,
            "name": self.name,
            "mode": self.mode,
            "observed": self.observed,
            "alerts": [alert.to_dict() for alert in self.alerts],
            "health": dict(vars(self.health)),
        }
        if self.context is not NOTHING and self.context != NOTHING:
            data["context"] = self.context.to_dict()
        if self.setup is not None:
            data["setup"] = dict(self.setup)
        if self.resumed is not None:
            data["resumed"] = self.resumed
        if self.worth is not None:
            data["worth"] = dict(self.worth)
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Evaluation:
        """Read `to_dict` back. Raises ValueError for another version, KeyError for a missing name."""
        if data["version"] != VERSION:
            raise ValueError(f"expected a record of version {VERSION}, got version {data['version']}")
        snapshot = None if data["snapshot"] is None else Snapshot.from_dict(data["snapshot"])
        regime = data["regime"]
        setup, resumed, worth = data.get("setup"), data.get("resumed"), data.get("worth")
        return cls(
            step=int(data["step"]),
            time=float(data["time"]),
            name=str(data["name"]),
            mode=str(data["mode"]),
            observed=int(data["observed"]),
            snapshot=snapshot,
            regime=None if regime is None else Regime.from_dict(regime, snapshot),
            alerts=tuple(Alert.from_dict(alert) for alert in data["alerts"]),
            health=Health(**data["health"]),
            context=Context.from_dict(data.get("context", {})),
            worth=None if worth is None else _read_worth(worth),
            setup=None if setup is None else dict(setup),
            resumed=None if resumed is None else str(resumed),
        )


def _read_worth(data: Mapping[str, Any]) -> dict[str, Any]:
    """Read the numbers of a probe; null is NaN. Raises what a missing name or another type raises."""
    lists = {name: [math.nan if v is None else float(v) for v in data[name]] for name in data if name in WORTH_LISTS}
    return {**data, "worth": lists["worth"], **lists}
