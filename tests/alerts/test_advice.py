"""The named cause: only where the numbers separate the causes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from records import PASSIVE, make_snapshot

from polar_monitor.alerts.advice import (
    CAUSES,
    DEAD,
    DECODER,
    FASTER,
    LIGHTER,
    NOISE,
    RESCALED,
    SAID,
    SHRINK,
    STRONGER,
    SUDDEN,
    TRY,
)
from polar_monitor.alerts.alert import Alert, AlertKind
from polar_monitor.alerts.alert_rules import AlertRules
from polar_monitor.alerts.builtin.update import WatchState, watch
from polar_monitor.context import NOTHING, Context
from polar_monitor.errors import PolarMonitorError
from polar_monitor.regime.judge import judge

Moments = Callable[[int], tuple[float, float]]
Telling = Callable[[int], Context]


def fading(moments: Moments, kl_left: float = 0.0, telling: Telling = lambda t: NOTHING) -> list[Alert]:
    """Alerts of three Gaussian dimensions whose Var μ and mean σ² at evaluation t are `moments(t)`."""
    state, regime, alerts = WatchState(), None, []
    for t in range(60):
        V, E = (np.full(3, moment) for moment in moments(t))
        nats = 0.5 * np.log1p(V / E)
        snapshot = make_snapshot(t + 1, [PASSIVE] * 3, information=nats.tolist(), bins=4)
        snapshot = replace(snapshot, variance=V, posterior_variance=E, kl=nats + kl_left)
        snapshot = replace(snapshot, information_upper=nats + 0.001)
        regime = judge(snapshot, regime)
        state, new = watch(state, t + 1, 9, snapshot, regime, AlertRules(), 0, telling(t))
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


def noisier(t: int) -> tuple[float, float]:
    """The noise of the posterior grows little by little from evaluation 20 on."""
    return 1.0 - min(0.05 / gone(t, 0.09), 1.0) + 1e-6, min(0.05 / gone(t, 0.09), 1.0)


def at_once(t: int) -> tuple[float, float]:
    """The same within one evaluation, and not to the end."""
    return (0.95, 0.05) if t < 20 else (0.5, 0.5)


@pytest.mark.parametrize(
    ("moments", "telling", "place"),
    [
        (noisier, lambda t: Context(beta=0.5 / gone(t, 0.05)), STRONGER),
        (noisier, lambda t: Context(beta=0.5, reconstruction=70.0 - 0.1 * t), DECODER),
        (noisier, lambda t: Context(reconstruction=70.0 - 0.1 * t), DECODER),
        (noisier, lambda t: Context(beta=0.5, reconstruction=70.0 / gone(t, 0.01)), LIGHTER),
        (noisier, lambda t: Context(beta=0.5), NOISE),
        (noisier, lambda t: Context(reconstruction=70.0 / gone(t, 0.01)), NOISE),
        (noisier, lambda t: Context(0.5, 1e-3 if t < 20 else 1e-2, 70.0), FASTER),
        (noisier, lambda t: Context(0.5, 1e-3 if t < 20 else 1e-4, 70.0), DECODER),
        (at_once, lambda t: Context(beta=0.5 if t < 20 else 5.0), STRONGER),
        (at_once, lambda t: Context(beta=0.5, reconstruction=70.0 if t < 20 else 1.1), RESCALED),
        (at_once, lambda t: Context(beta=0.5, reconstruction=70.0), SUDDEN),
    ],
)  # fmt: skip
def test_what_the_loop_tells_separates_the_causes(moments: Moments, telling: Telling, place: int) -> None:
    alerts = fading(moments, telling=telling)
    assert causes(alerts, AlertKind.FADING) == {(SAID[place],)}


def test_what_the_loop_tells_changes_no_cause_that_the_latents_tell() -> None:
    alerts = fading(lambda t: (0.95 * gone(t, 0.18), 0.05), telling=lambda t: Context(0.5, 1e-3, 70.0 + t))
    assert causes(alerts, AlertKind.FADING) == {(SAID[SHRINK],)}


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
        ({"kinds": frozenset({"x"})}, "kinds: expected some of"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(PolarMonitorError, match=said):
        AlertRules(**wrong)  # type: ignore[arg-type]
