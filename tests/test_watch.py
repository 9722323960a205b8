"""Golden histories: what must be warned of, and what must not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from records import PASSIVE, make_snapshot

from polar_monitor.alerts import Alert, AlertKind, AlertRules
from polar_monitor.regime import judge
from polar_monitor.trend import crossing, slopes
from polar_monitor.watch import WatchState, watch


def run(histories: Sequence[Sequence[float]], *, noise: float = 0.005, warmup: int = 0, split: int = -1) -> list[Alert]:
    """The alerts of a run in which dimension j carries histories[j][t] nats at evaluation t, every 100 steps."""
    rng = np.random.default_rng(1)
    state, regime, alerts = WatchState(), None, []
    for t, row in enumerate(zip(*histories, strict=True)):
        nats = np.maximum(np.array(row) + noise * rng.normal(size=len(row)), 0.0)
        snapshot = make_snapshot(100 * (t + 1), [PASSIVE] * len(row), information=nats.tolist())
        snapshot = replace(snapshot, information_se=np.full(len(row), noise), information_upper=nats + 0.001)
        regime = judge(snapshot, regime)
        if t == split:
            state = WatchState.from_dict(json.loads(json.dumps(state.to_dict())))
        state, new = watch(state, snapshot.step, 1000, snapshot, regime, AlertRules(), warmup)
        alerts += new
    return alerts


def kinds(alerts: list[Alert]) -> list[str]:
    return [str(alert.kind) for alert in alerts]


STEADY = [2.0] * 40
RAMP = [1.5] * 12 + [1.5 * 0.85**t for t in range(28)]


def test_fading_comes_before_lost_and_forecasts_it() -> None:
    alerts = run([RAMP, STEADY, STEADY, STEADY])
    assert kinds(alerts) == ["fading", "lost"]
    fading, lost = alerts
    assert fading.dimension == lost.dimension == 0
    assert fading.step < lost.step
    truth = 100 * (1 + next(t for t, nats in enumerate(RAMP) if nats <= 0.05))
    assert fading.forecast is not None
    assert fading.forecast.low <= truth
    assert fading.forecast.high is None or truth <= fading.forecast.high
    assert fading.last_healthy_step is not None
    assert 1000 <= fading.last_healthy_step <= 1600


def test_steady_noise_is_silent() -> None:
    assert run([STEADY, [0.3] * 40, [0.01] * 40], noise=0.02) == []


def test_growing_and_passive_dimensions_are_silent() -> None:
    assert kinds(run([[0.5 + 0.03 * t for t in range(40)], [0.01] * 40])) == []


def test_a_small_dip_that_levels_off_is_silent() -> None:
    assert run([STEADY, [1.0] * 12 + [1.0 - 0.01 * t for t in range(8)] + [0.92] * 20]) == []


def test_total_loss_is_a_collapse_once() -> None:
    alerts = run([RAMP, RAMP])
    assert kinds(alerts).count("collapse") == 1
    assert kinds(alerts).count("fading") == 2
    assert kinds(alerts).count("drain") == 1
    assert kinds(alerts).index("fading") < kinds(alerts).index("lost")


def test_a_model_that_never_used_a_dimension_is_a_collapse_in_the_end() -> None:
    assert kinds(run([[0.001] * 15])) == ["collapse"]
    assert run([[0.001] * 9]) == []


def test_what_is_below_the_cut_already_is_not_fading() -> None:
    fall = [1.5] * 12 + [1.0, 0.7, 0.4, 0.2, 0.02, 0.015, 0.01, 0.005] + [0.004] * 20
    for alert in run([STEADY, fall[:40]]):
        if alert.kind is AlertKind.FADING:
            assert alert.forecast is not None
            assert alert.forecast.step > alert.step


def test_a_sudden_loss_is_told_within_the_dwell() -> None:
    alerts = run([STEADY, [1.5] * 20 + [0.0] * 20])
    lost = next(alert for alert in alerts if alert.kind is AlertKind.LOST)
    assert lost.step <= 2100 + 300


def test_a_dimension_that_comes_back_is_revived() -> None:
    assert "revived" in kinds(run([STEADY, [1.5] * 10 + [0.0] * 10 + [1.5] * 20]))


def test_the_warm_up_is_silent() -> None:
    assert run([STEADY, RAMP], warmup=10**6) == []


def test_what_began_in_the_warm_up_is_told_after_it() -> None:
    alerts = run([STEADY, RAMP], warmup=1800)  # the fall begins at step 1300
    assert [alert.step for alert in alerts if alert.kind is AlertKind.FADING] == [1900]
    assert kinds(run([[0.001] * 30], warmup=2000)) == ["collapse"]


@pytest.mark.parametrize("split", [0, 17, 25])
def test_a_restart_changes_nothing(split: int) -> None:
    assert run([STEADY, RAMP], split=split) == run([STEADY, RAMP])


def test_a_broken_state_is_refused() -> None:
    state = WatchState().to_dict()
    for wrong in ({}, state | {"tracks": {}}, state | {"tracks": state["tracks"] | {"information": [[1.0, 2.0]]}}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            WatchState.from_dict(wrong)


def test_the_first_non_finite_value_and_the_first_silence() -> None:
    state, regime = WatchState(), None
    seen = []
    for t, (bad, observed) in enumerate([(0, 9), (3, 9), (5, 9), (5, 0), (5, 0), (5, 9)]):
        snapshot = replace(make_snapshot(t, [PASSIVE]), non_finite=np.array([float(bad)]))
        regime = judge(snapshot, regime)
        state, alerts = watch(state, t, observed, snapshot, regime, AlertRules())
        seen += [(t, str(alert.kind)) for alert in alerts]
    assert seen == [(1, "non_finite"), (3, "silent")]


def test_silence_before_the_first_row() -> None:
    _, alerts = watch(WatchState(), 100, 0, None, None, AlertRules())
    assert kinds(list(alerts)) == ["silent"]


def test_a_posterior_that_becomes_a_point() -> None:
    state, regime, seen = WatchState(), None, []
    for t in range(6):
        snapshot = replace(make_snapshot(t, [PASSIVE], information=[7.0]), reliability=np.array([0.99999]))
        regime = judge(snapshot, regime)
        state, alerts = watch(state, t, 9, snapshot, regime, AlertRules())
        seen += kinds(list(alerts))
    assert seen == ["variance_collapse"]


def test_kinds_that_are_not_wanted_stay_silent() -> None:
    _, alerts = watch(WatchState(), 100, 0, None, None, AlertRules(kinds=frozenset({"lost"})))
    assert alerts == ()


def test_an_alert_survives_json() -> None:
    for alert in run([STEADY, RAMP]):
        assert Alert.from_dict(json.loads(json.dumps(alert.to_dict()))) == alert


def test_theil_and_sen() -> None:
    assert np.median(slopes([0, 1, 2, 3, 4], [0.0, 2.0, 4.0, 6.0, 100.0])) == 2.0
    assert slopes([1], [1.0]).size == 0


@pytest.mark.parametrize("decay", ["line", "exponential"])
def test_the_interval_of_a_forecast_holds_the_crossing(decay: str) -> None:
    steps = list(range(0, 800, 100))
    at = np.arange(3000)
    truth = 1.0 - 0.0005 * at if decay == "line" else np.exp(-at / 500)
    forecast = crossing(steps, truth[steps].tolist(), 0.05)
    assert forecast is not None
    assert forecast.low <= int(np.argmax(truth <= 0.05)) <= (forecast.high or 10**9)


def test_what_does_not_fall_has_no_forecast() -> None:
    assert crossing([0, 1, 2], [1.0, 1.0, 1.1], 0.05) is None
