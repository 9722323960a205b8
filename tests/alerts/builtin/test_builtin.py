"""Golden histories: what must be warned of, and what must not."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import PASSIVE, make_snapshot

from polar_monitor.alerts.advice import CAUSES, SAID, SHRINK, SUDDEN
from polar_monitor.alerts.alert import Alert, AlertKind
from polar_monitor.alerts.alert_rules import AlertRules
from polar_monitor.alerts.builtin.update import WatchState, watch
from polar_monitor.alerts.signals.history import DimensionHistory
from polar_monitor.regime.judge import judge


def run(
    histories: Sequence[Sequence[float]], *, noise: float = 0.005, warmup: int = 0, split: int = -1, every: int = 100
) -> list[Alert]:
    """The alerts of a run in which dimension j carries histories[j][t] nats at evaluation t."""
    rng = np.random.default_rng(1)
    state, regime, alerts = WatchState(), None, []
    for t, row in enumerate(zip(*histories, strict=True)):
        nats = np.maximum(np.array(row) + noise * rng.normal(size=len(row)), 0.0)
        snapshot = make_snapshot(every * (t + 1), [PASSIVE] * len(row), information=nats.tolist())
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
    truth = 100 * (1 + next(t for t, nats in enumerate(RAMP) if nats <= 0.15))
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
    assert kinds(run([[0.001] * 61])) == ["collapse"]
    assert run([[0.001] * 59]) == []


def test_what_was_never_worth_an_alert_is_no_collapse_when_it_goes() -> None:
    """Before training there is noise in every dimension."""
    assert "collapse" not in kinds(run([[0.3] * 4 + [0.0] * 30, [0.2] * 4 + [0.0] * 30]))


def test_what_is_below_the_cut_already_is_not_fading() -> None:
    """It passes the cut before the fall has been seen twice; LOST tells of it."""
    fall = [0.4] * 12 + [0.39, 0.14, 0.13, 0.12, 0.11, 0.1, 0.09, 0.08] + [0.004] * 20
    assert [str(alert.kind) for alert in run([STEADY, fall], noise=0.001) if alert.dimension == 1] == ["lost"]
    late = [0.4] * 12 + [0.39, 0.25, 0.2, 0.16, 0.11, 0.1, 0.09, 0.08] + [0.004] * 20
    fading, lost = (alert for alert in run([STEADY, late], noise=0.001) if alert.dimension == 1)
    assert fading.evidence["information"] > 0.15
    assert lost.kind is AlertKind.LOST


def test_a_sudden_loss_is_told_at_the_evaluation_that_sees_it() -> None:
    alerts = run([STEADY, [1.5] * 20 + [0.0] * 20])
    assert [(str(alert.kind), alert.step) for alert in alerts if alert.dimension == 1] == [("lost", 2100)]


def test_what_falls_in_several_dimensions_at_once_is_told_at_once() -> None:
    """An evaluation sees a window: a sudden loss looks like half of one at first."""
    broken = [1.5] * 20 + [0.7] + [0.0] * 19
    alerts = run([STEADY, broken, broken, broken])
    first = [alert for alert in alerts if alert.step == 2100]
    assert kinds(first) == ["fading", "fading", "fading", "drain"]
    for alert in first[:3]:
        assert alert.forecast is not None
        assert alert.forecast.low <= 2100
        assert alert.causes == (SAID[SUDDEN],)
    assert {str(alert.kind) for alert in alerts if alert.step == 2200} == {"lost"}


def test_dimensions_that_trade_a_part_of_what_they_carry_are_no_loss() -> None:
    assert run([STEADY, [2.0] * 20 + [1.4] * 20, [1.4] * 20 + [2.0] * 20]) == []


def cycle(periods: int, low: float, length: int = 16) -> list[float]:
    """Information of a dimension under a cyclical β: down to `low` and back, again and again."""
    half = length // 2
    down = [2.0 * (low / 2.0) ** (t / half) for t in range(half)]
    return (down + down[:0:-1] + [2.0]) * periods


def test_a_cycle_is_told_once_and_then_known() -> None:
    alerts = run([cycle(6, 0.5), [2.0] * 96])
    assert kinds(alerts) == ["fading"]
    assert alerts[0].step < 1600


def test_a_cycle_in_the_warm_up_is_known_after_it_and_a_deeper_fall_is_news() -> None:
    assert run([cycle(6, 0.7), [2.0] * 96], warmup=3200) == []
    deeper = cycle(4, 0.7) + [2.0 * 0.85**t for t in range(32)]
    alerts = run([deeper, *[[2.0] * 96] * 3], warmup=3200)
    assert kinds(alerts) == ["fading", "lost"]
    assert alerts[0].step > 6400


def test_one_alert_an_event_and_another_after_a_recovery() -> None:
    fall = [2.0 * 0.88**t for t in range(10)]
    alerts = run([[2.0] * 10 + fall + fall[::-1] + [2.0] * 10 + [2.0 * 0.85**t for t in range(30)], *[[2.0] * 70] * 3])
    assert kinds(alerts) == ["fading", "fading", "lost"]


def test_alerts_do_not_depend_on_the_interval_of_the_evaluations() -> None:
    once, twice = run([RAMP, STEADY]), run([RAMP, STEADY], every=200)
    assert [2 * alert.step for alert in once] == [alert.step for alert in twice]
    one, two = once[0].forecast, twice[0].forecast
    assert one is not None
    assert two is not None
    assert one.high is not None
    assert two.high is not None
    assert np.allclose([2 * one.step, 2 * one.low, 2 * one.high], [two.step, two.low, two.high], atol=2)


def test_dimensions_in_another_order_give_the_same_alerts() -> None:
    rng = np.random.default_rng(3)
    rows = np.exp(np.cumsum(rng.normal(-0.02, 0.08, (60, 6)), axis=0)).T
    order = rng.permutation(6)
    plain, moved = (run(histories.tolist(), noise=0.0) for histories in (rows, rows[order]))
    assert len(plain) > 3
    known = {(alert.step, alert.kind, alert.dimension, alert.forecast) for alert in plain}
    back = {None: None} | dict(enumerate(order.tolist()))
    assert {(alert.step, alert.kind, back[alert.dimension], alert.forecast) for alert in moved} == known


NUMBERS = st.one_of(st.floats(0, 20), st.sampled_from([0.0, 0.05, 0.15, 1e-300, 1e300, math.nan, math.inf]))


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=25), st.integers(0, 15))
def test_no_history_breaks_it_and_every_state_is_plain(rows: list[tuple[float, float, float]], warm: int) -> None:
    state, regime = WatchState(), None
    for t, row in enumerate(rows):
        snapshot = make_snapshot(t + 1, [PASSIVE] * 3, bins=4)
        snapshot = replace(snapshot, information=np.array(row), kl=np.array(row[::-1]), variance=np.array(row))
        regime = judge(snapshot, regime)
        state, alerts = watch(state, t + 1, 9, snapshot, regime, AlertRules(), warm)
        again = WatchState.from_dict(json.loads(json.dumps(state.to_dict())))
        assert again.to_dict() == state.to_dict()
        for alert in alerts:
            assert Alert.from_dict(alert.to_dict()) == alert or math.nan in alert.evidence.values()


def test_a_code_without_a_variance_is_warned_of_too() -> None:
    unknown = np.full(2, np.nan)
    state, regime, seen = WatchState(), None, []
    for t, nats in enumerate(RAMP):
        snapshot = make_snapshot(t + 1, [PASSIVE] * 2, information=[nats, 2.0], bins=4)
        gone = {name: unknown for name in ("posterior_variance", "information_upper", "information_upper_se", "kl")}
        snapshot = replace(snapshot, has_variance=False, resolution=0.1, **gone)
        regime = judge(snapshot, regime)
        state, alerts = watch(state, t + 1, 9, snapshot, regime, AlertRules())
        seen += alerts
    assert kinds(seen)[0] == "fading"
    assert seen[0].causes == CAUSES[AlertKind.FADING] or seen[0].causes == (SAID[SHRINK],)


def test_a_dimension_that_comes_back_is_revived() -> None:
    assert "revived" in kinds(run([STEADY, [1.5] * 10 + [0.0] * 10 + [1.5] * 20]))


def test_the_warm_up_is_silent() -> None:
    assert run([STEADY, RAMP], warmup=10**6) == []


def test_what_began_in_the_warm_up_is_told_after_it() -> None:
    slow = [1.5] * 12 + [1.5 * 0.93**t for t in range(68)]  # the fall begins at step 1300
    alerts = run([[2.0] * 80, slow], warmup=1800)
    assert kinds(alerts) == ["fading", "lost"]
    assert 2300 <= alerts[0].step <= 2700
    assert kinds(run([[0.001] * 80], warmup=2000)) == ["collapse"]


@pytest.mark.parametrize("split", [0, 17, 25])
def test_a_restart_changes_nothing(split: int) -> None:
    assert run([STEADY, RAMP], split=split) == run([STEADY, RAMP])


def test_a_broken_state_is_refused() -> None:
    state = WatchState().to_dict()
    older = {name: value for name, value in state.items() if name != "total"}
    short = state["tracks"] | {"information": [[1.0, 2.0]]}
    uneven = WatchState(DimensionHistory.empty(2)).tracks.to_dict() | {"variance": [None]}
    for wrong in ({}, older, state | {"peak_total": 1.0}, *(state | {"tracks": t} for t in ({}, short, uneven))):
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


def sharp(reliabilities: Sequence[float]) -> list[str]:
    """The alerts when two dimensions in use have the first and the second half of these reliabilities."""
    state, regime, seen = WatchState(), None, []
    for t, reliability in enumerate(reliabilities):
        snapshot = make_snapshot(t, [PASSIVE] * 2, information=[7.0, 7.0])
        snapshot = replace(snapshot, reliability=np.array([reliability, 0.9]))
        regime = judge(snapshot, regime)
        state, alerts = watch(state, t, 9, snapshot, regime, AlertRules())
        seen += kinds(list(alerts))
    return seen


def test_a_point_in_half_of_the_dimensions_is_one_event_until_it_is_over() -> None:
    point, blunt = 0.99995, 0.9998
    assert sharp([point] * 4) == ["variance_collapse"]
    assert sharp(([point] * 4 + [blunt] * 3) * 8) == ["variance_collapse"]
    assert sharp([point] * 4 + [blunt] * 12 + [point] * 4) == ["variance_collapse"] * 2
    assert sharp([blunt] * 40) == []


def test_a_collapse_that_hovers_at_the_cut_is_told_once() -> None:
    hovering = [1.5] * 12 + [1.5 * 0.6**t for t in range(8)] + [0.03, 0.03, 0.03, 0.03, 0.2, 0.2, 0.2, 0.2] * 6
    assert kinds(run([hovering, hovering], noise=0.001)).count("collapse") == 1


def test_a_collapse_after_a_recovery_is_another() -> None:
    fall = [1.5] * 12 + [1.5 * 0.6**t for t in range(12)] + [0.0] * 6
    assert kinds(run([fall * 2] * 2, noise=0.001)).count("collapse") == 2


def test_what_carried_little_is_not_lost_when_it_goes() -> None:
    """A superfluous dimension of a quarter of a nat goes to the prior."""
    little = [0.25] * 30 + [0.25 * 0.8**t for t in range(40)]
    assert run([STEADY + STEADY[:30], little]) == []


def test_a_collapse_in_the_warm_up_is_told_at_its_end() -> None:
    gone = [1.5] * 14 + [0.0] * 26
    told = [alert for alert in run([gone, gone], warmup=2000) if alert.kind is AlertKind.COLLAPSE]
    assert [alert.step for alert in told] == [2000]
    assert told[0].message == "no informative dimension is left"


def test_a_collapse_soon_after_the_warm_up_is_told_at_once() -> None:
    gone = [1.5] * 22 + [0.0] * 18
    told = [alert for alert in run([gone, gone], warmup=2000) if alert.kind is AlertKind.COLLAPSE]
    assert len(told) == 1
    assert told[0].step <= 2600


def test_a_second_fall_after_one_that_stopped_is_news() -> None:
    twice = [2.0] * 12 + [2.0 * 0.88**t for t in range(6)] + [1.05] * 40 + [1.05 * 0.85**t for t in range(28)]
    found = [alert for alert in run([twice, [2.0] * len(twice)]) if alert.dimension == 0]
    assert kinds(found) == ["fading", "fading", "lost"]
    assert found[1].last_healthy_step is not None
    assert 5600 <= found[1].last_healthy_step <= 6100


def test_a_second_drain_after_one_that_stopped_is_news() -> None:
    twice = [2.0] * 12 + [2.0 * 0.88**t for t in range(6)] + [1.05] * 40 + [1.05 * 0.85**t for t in range(20)]
    assert kinds(run([twice] * 3)).count("drain") == 2


def test_kinds_that_are_not_wanted_stay_silent() -> None:
    _, alerts = watch(WatchState(), 100, 0, None, None, AlertRules(kinds=frozenset({"lost"})))
    assert alerts == ()


def test_an_alert_survives_json() -> None:
    for alert in run([STEADY, RAMP]):
        assert Alert.from_dict(json.loads(json.dumps(alert.to_dict()))) == alert
