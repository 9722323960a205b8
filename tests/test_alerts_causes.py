"""The named cause: only where the numbers separate the causes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from records import PASSIVE, make_snapshot

from polar_monitor.alerts import CAUSES, Alert, AlertKind, AlertRules
from polar_monitor.causes import DEAD, NOISE, SAID, SHRINK, TRY
from polar_monitor.errors import PolarMonitorError
from polar_monitor.regime import judge
from polar_monitor.watch import WatchState, watch

Moments = Callable[[int], tuple[float, float]]


def fading(moments: Moments, kl_left: float = 0.0) -> list[Alert]:
    """Alerts of three Gaussian dimensions whose Var μ and mean σ² at evaluation t are `moments(t)`."""
    state, regime, alerts = WatchState(), None, []
    for t in range(60):
        V, E = (np.full(3, moment) for moment in moments(t))
        nats = 0.5 * np.log1p(V / E)
        snapshot = make_snapshot(t + 1, [PASSIVE] * 3, information=nats.tolist(), bins=4)
        snapshot = replace(snapshot, variance=V, posterior_variance=E, kl=nats + kl_left)
        snapshot = replace(snapshot, information_upper=nats + 0.001)
        regime = judge(snapshot, regime)
        state, new = watch(state, t + 1, 9, snapshot, regime, AlertRules())
        alerts += new
    return alerts


def causes(alerts: list[Alert], kind: AlertKind) -> set[tuple[str, ...]]:
    return {alert.causes for alert in alerts if alert.kind is kind}


def gone(t: int, rate: float) -> float:
    return float(np.exp(-rate * max(t - 20, 0)))


@pytest.mark.parametrize(
    ("moments", "place"),
    [
        (lambda t: (1.0 - min(0.05 / gone(t, 0.09), 1.0) + 1e-6, min(0.05 / gone(t, 0.09), 1.0)), NOISE),
        (lambda t: (0.95 * gone(t, 0.18), 0.05), SHRINK),
    ],
    ids=["the noise grows", "the means shrink"],
)
def test_the_cause_is_named(moments: Moments, place: int) -> None:
    alerts = fading(moments)
    for kind in (AlertKind.FADING, AlertKind.DRAIN, AlertKind.LOST, AlertKind.COLLAPSE):
        assert causes(alerts, kind) == {(SAID[place],)}
    assert all(alert.advice[0] == TRY[place] for alert in alerts)


def test_a_dead_encoder_is_away_from_the_prior() -> None:
    alerts = fading(lambda t: (0.95 * gone(t, 0.18), 0.05), kl_left=1.0)
    assert causes(alerts, AlertKind.LOST) == causes(alerts, AlertKind.COLLAPSE) == {(SAID[DEAD],)}


def test_no_cause_is_named_where_both_moments_move() -> None:
    """Means and noise both fall, and the means a little more."""
    alerts = fading(lambda t: (0.95 * gone(t, 0.1) ** 0.5, 0.05 / gone(t, 0.1) ** 0.4))
    assert causes(alerts, AlertKind.FADING) == {CAUSES[AlertKind.FADING]}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"fall": 0.0}, "fall: expected a share"),
        ({"plunge": 1.0}, "plunge: expected a share"),
        ({"drain": float("nan")}, "drain: expected a share"),
        ({"worth": -1.0}, "worth: expected 0 or more"),
        ({"horizon": float("nan")}, "horizon: expected 0 or more"),
        ({"history": 4}, "history: expected 5 or more"),
        ({"kinds": frozenset({"x"})}, "kinds: expected some of"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        AlertRules(**wrong)  # type: ignore[arg-type]
