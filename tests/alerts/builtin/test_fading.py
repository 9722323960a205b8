"""FADING, LOST and REVIVED: histories of one dimension that must raise them, and others that must not."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from alert_histories import RAMP, RULES, STEADY, kinds, run
from records import PASSIVE, make_snapshot

from polar_monitor.alerts.advice import CAUSE_ADVICE, KIND_ADVICE, Cause
from polar_monitor.alerts.alert import AlertKind
from polar_monitor.alerts.engine import AlertEngine
from polar_monitor.alerts.observation import Observation
from polar_monitor.regime.judge import judge


def test_fading_comes_before_lost_and_forecasts_it() -> None:
    line = [1.5] * 12 + [max(1.5 - 0.08 * t, 0.001) for t in range(28)]
    alerts = run([line, STEADY, STEADY, STEADY])
    assert kinds(alerts) == ["fading", "lost"]
    fading, lost = alerts
    assert fading.dimension == lost.dimension == 0
    assert fading.step < lost.step
    truth = 25 * (1 + next(t for t, nats in enumerate(line) if nats <= 0.15))
    assert fading.forecast is not None
    assert fading.forecast.low <= truth
    assert fading.forecast.high is None or truth <= fading.forecast.high
    assert fading.last_healthy_step is not None
    assert 250 <= fading.last_healthy_step <= 400


@pytest.mark.parametrize("every", [20, 50, 100])
@pytest.mark.parametrize("rate", [0.001, 0.002, 0.004])
def test_the_forecast_of_an_exponential_decay_holds(rate: float, every: int) -> None:
    """From 3 nats: the fall is far from the cut when it is seen."""
    nats = [3.0 * math.exp(-rate * max(every * (t + 1) - 800, 0)) for t in range(int(800 + 4 / rate) // every)]
    alerts = run([nats, [2.5] * len(nats)], every=every, rows=min(96 * every, 4096))
    forecast = next(alert.forecast for alert in alerts if alert.kind is AlertKind.FADING)
    if forecast is not None:
        assert forecast.high is not None
        assert forecast.low <= 800 + math.log(3.0 / 0.15) / rate <= forecast.high


@pytest.mark.parametrize("noise", [0.005, 0.03])
def test_a_slow_ramp_is_warned_of_although_single_evaluations_rise(noise: float) -> None:
    """I = ½ log(8 / β) with β from 1 to 8 in 4,000 steps; each evaluation has a sixth or more of a window."""
    for every, rows in ((20, 640), (50, 1600), (100, 3200)):
        beta = [1 + 7 * max(every * (t + 1) - 800, 0) / 4000 for t in range(6000 // every)]
        nats = [max(0.5 * math.log(8 / one), 0.001) for one in beta]
        alerts = run([nats, [2.5] * len(nats), [2.5] * len(nats)], every=every, rows=rows, noise=noise)
        assert [str(alert.kind) for alert in alerts if alert.dimensions == (0,)] == ["fading", "lost"]


def test_steady_noise_is_silent() -> None:
    assert run([STEADY, [0.3] * 40, [0.01] * 40], noise=0.02) == []


def test_growing_and_passive_dimensions_are_silent() -> None:
    assert kinds(run([[0.5 + 0.03 * t for t in range(40)], [0.01] * 40])) == []


def test_a_small_dip_that_levels_off_is_silent() -> None:
    assert run([STEADY, [1.0] * 12 + [1.0 - 0.01 * t for t in range(8)] + [0.92] * 20]) == []


def test_what_is_below_the_cut_already_is_not_fading() -> None:
    """It passes the cut before the fall has been seen twice; LOST covers it."""
    fall = [0.5] * 12 + [0.49, 0.14, 0.13, 0.12, 0.11, 0.1, 0.09, 0.08] + [0.004] * 20
    assert [str(alert.kind) for alert in run([STEADY, fall], noise=0.001) if alert.dimension == 1] == ["lost"]
    late = [0.8] * 12 + [0.75, 0.65, 0.5, 0.35, 0.25, 0.16, 0.1, 0.08] + [0.004] * 20
    fading, lost = (alert for alert in run([STEADY, late], noise=0.001) if alert.dimension == 1)
    assert fading.evidence["information"] > 0.15
    assert lost.kind is AlertKind.LOST


def test_a_sudden_loss_is_raised_at_the_evaluation_that_sees_it() -> None:
    alerts = run([STEADY, [1.5] * 20 + [0.0] * 20])
    assert [(str(alert.kind), alert.step) for alert in alerts if alert.dimension == 1] == [("lost", 525)]


def test_what_falls_in_several_dimensions_at_once_is_raised_at_once() -> None:
    """An evaluation sees a window: a sudden loss looks like half of one at first."""
    broken = [1.5] * 20 + [0.7] + [0.0] * 19
    alerts = run([STEADY, broken, broken, broken])
    first = [alert for alert in alerts if alert.step == 525]
    assert kinds(first) == ["fading", "drain"]
    assert first[0].dimensions == (1, 2, 3)
    assert first[0].dimension == 1
    assert first[0].forecast is None
    assert "without a forecast yet" in first[0].message
    assert first[0].causes == (CAUSE_ADVICE[Cause.ALL_AT_ONCE].explanation,)
    assert [alert.dimensions for alert in alerts if alert.step == 550] == [(1, 2, 3)]


def test_dimensions_that_trade_a_part_of_what_they_carry_are_no_loss() -> None:
    assert run([STEADY, [2.0] * 20 + [1.4] * 20, [1.4] * 20 + [2.0] * 20]) == []


def cycle(periods: int, low: float, length: int = 16) -> list[float]:
    """Information of a dimension under a cyclical β: down to `low` and back, again and again."""
    half = length // 2
    down = [2.0 * (low / 2.0) ** (t / half) for t in range(half)]
    return (down + down[:0:-1] + [2.0]) * periods


def test_a_cycle_is_raised_once_and_then_known() -> None:
    alerts = run([cycle(6, 0.5), *[[2.0] * 96] * 2])
    assert kinds(alerts) == ["fading"]
    assert alerts[0].step < 400


def test_a_cycle_in_the_warm_up_is_known_after_it_and_a_deeper_fall_is_news() -> None:
    assert run([cycle(6, 0.7), [2.0] * 96], warmup=800) == []
    deeper = cycle(4, 0.7) + [2.0 * 0.85**t for t in range(32)]
    alerts = run([deeper, *[[2.0] * 96] * 3], warmup=800)
    assert kinds(alerts) == ["fading", "lost"]
    assert alerts[0].step > 1600


def test_one_alert_an_event_and_another_after_a_recovery() -> None:
    fall = [2.0 * 0.88**t for t in range(10)]
    alerts = run([[2.0] * 10 + fall + fall[::-1] + [2.0] * 10 + [2.0 * 0.85**t for t in range(30)], *[[2.0] * 70] * 3])
    assert kinds(alerts) == ["fading", "fading", "lost"]


def test_a_code_without_a_variance_is_warned_of_too() -> None:
    unknown = np.full(2, np.nan)
    engine, regime, seen = AlertEngine(), None, []
    for t, nats in enumerate(RAMP):
        snapshot = make_snapshot(25 * (t + 1), [PASSIVE] * 2, information=[nats, 2.0], bins=4)
        gone = {name: unknown for name in ("posterior_variance", "information_upper", "information_upper_se", "kl")}
        snapshot = replace(snapshot, has_variance=False, resolution=0.1, **gone)
        regime = judge(snapshot, regime)
        alerts = engine.evaluate(Observation(snapshot.step, 2400, snapshot, regime), RULES)
        seen += alerts
    assert kinds(seen)[0] == "fading"
    assert seen[0].causes == KIND_ADVICE[AlertKind.FADING].causes or seen[0].causes == (
        CAUSE_ADVICE[Cause.MEANS_SHRINK].explanation,
    )


def test_a_dimension_that_comes_back_is_revived() -> None:
    assert "revived" in kinds(run([STEADY, [1.5] * 10 + [0.0] * 10 + [1.5] * 20]))


def test_what_began_in_the_warm_up_is_raised_after_it() -> None:
    slow = [1.5] * 12 + [1.5 * 0.93**t for t in range(68)]  # the fall begins at step 325
    alerts = run([[2.0] * 80, slow], warmup=450)
    assert kinds(alerts) == ["fading", "lost"]
    assert 575 <= alerts[0].step <= 675
    assert kinds(run([[0.001] * 80], warmup=500)) == ["collapse"]


def test_what_carried_little_is_not_lost_when_it_goes() -> None:
    """A superfluous dimension of a quarter of a nat goes to the prior."""
    little = [0.25] * 30 + [0.25 * 0.8**t for t in range(40)]
    assert run([STEADY + STEADY[:30], little]) == []


def test_a_second_fall_after_one_that_stopped_is_news() -> None:
    twice = [2.0] * 12 + [2.0 * 0.88**t for t in range(6)] + [1.05] * 40 + [1.05 * 0.85**t for t in range(28)]
    alerts = [alert for alert in run([twice, [2.0] * len(twice)]) if alert.dimension == 0]
    assert kinds(alerts) == ["fading", "fading", "lost"]
    assert alerts[1].last_healthy_step is not None
    assert 1400 <= alerts[1].last_healthy_step <= 1525


def test_a_stretch_of_nan_is_not_healthy() -> None:
    """Four dimensions are NaN from step 525 to 600, and two of them are gone after that."""
    unknown = [float("nan")] * 4
    stays, goes = [1.5] * 20 + unknown + [1.5] * 10, [1.5] * 20 + unknown + [0.0] * 10
    (lost,) = (alert for alert in run([stays, stays, goes, goes]) if alert.kind is AlertKind.LOST)
    assert lost.dimensions == (2, 3)
    assert lost.last_healthy_step == 500


def test_a_dimension_that_is_nan_for_good_does_not_age_the_others() -> None:
    gone = [1.5] * 20 + [float("nan")] * 20
    (lost,) = (a for a in run([gone, STEADY, [1.5] * 30 + [0.0] * 10]) if a.kind is AlertKind.LOST)
    assert (lost.dimensions, lost.last_healthy_step) == ((2,), 750)


@pytest.mark.parametrize("rise", [0.0, 0.1])
def test_a_slow_fall_keeps_its_story_below_the_cut(rise: float) -> None:
    """It stays at 0.1 nats for 1,500 steps before it is passive, while another dimension rises a little at the end."""
    slow = [1.5] * 20 + [max(0.1, 1.5 * 0.9**t) for t in range(80)] + [0.01] * 20
    other = [2.0] * 95 + [2.0 + rise] * 25
    alerts = [alert for alert in run([other, slow], noise=0.002) if alert.dimension == 1]
    assert kinds(alerts) == ["fading", "lost"]
    assert [alert.last_healthy_step for alert in alerts] == [alerts[0].last_healthy_step] * 2
    assert 475 <= alerts[0].last_healthy_step <= 525
