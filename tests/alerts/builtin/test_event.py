"""One event, one alert: what follows soon amends it, whatever the cause; what follows a COLLAPSE is part of that."""

from __future__ import annotations

import numpy as np
import pytest
from alert_histories import RULES, kinds, run
from records import PASSIVE, make_snapshot

from polar_monitor.alerts.alert import Alert, AlertKind, add_alert
from polar_monitor.alerts.builtin.event import EVENT_STEPS, joined, no_event
from polar_monitor.alerts.builtin.fading import Fading
from polar_monitor.alerts.engine import AlertEngine
from polar_monitor.alerts.observation import Observation
from polar_monitor.regime.judge import judge


def dying(apart: int, dimensions: int = 4, every: int = 20) -> list[Alert]:
    """Return the alerts of dimensions that plunge one after another, `apart` evaluations from each other."""
    gone = [[2.0] * (20 + apart * k) + [2.0 * 0.6**t for t in range(40 - apart * k)] for k in range(dimensions)]
    return run([*gone, [2.0] * 60], every=every, rows=96 * every)


def standing(alerts: list[Alert]) -> list[Alert]:
    """Return the alerts as a monitor lists them."""
    listed: list[Alert] = []
    for alert in alerts:
        add_alert(listed, alert)
    return listed


def test_units_that_die_in_neighbouring_evaluations_are_one_alert() -> None:
    alerts = dying(apart=1)
    assert [alert.amends is None for alert in alerts if alert.kind is AlertKind.FADING] == [True, False, False]
    listed = standing(alerts)
    assert kinds(listed) == ["fading", "drain", "lost"]
    assert listed[0].dimensions == listed[2].dimensions == (0, 1, 2, 3)
    assert "dimension 3 followed what began at step" in listed[0].message
    assert "dimension 3 followed what began at step" in listed[2].message


def test_an_amended_alert_goes_back_to_before_the_first_of_its_dimensions_fell() -> None:
    alerts = dying(apart=1)
    first = next(alert for alert in alerts if alert.kind is AlertKind.FADING)
    assert first.last_healthy_step is not None
    assert first.last_healthy_step <= 20 * 21
    for alert in standing(alerts):
        assert alert.last_healthy_step is not None
        assert abs(alert.last_healthy_step - 420) <= 20
        assert alert.kind is AlertKind.DRAIN or alert.last_healthy_step == first.last_healthy_step


def test_what_follows_later_is_another_event() -> None:
    lost = [alert for alert in standing(dying(apart=8)) if alert.kind is AlertKind.LOST]
    assert [alert.dimensions for alert in lost] == [(0,), (1,), (2,), (3,)]
    assert all("followed" not in alert.message for alert in lost)


def test_an_event_takes_what_follows_within_its_steps_and_each_dimension_once() -> None:
    started = joined(no_event(), np.array([False, True, False]), 1000)
    assert started is not None
    event, new = started
    assert (event["dimensions"], new, event["step"]) == ([1], [1], 1000)
    assert joined(event, np.array([False, True, False]), 1050) is None
    followed = joined(event, np.array([True, True, False]), 1000 + int(EVENT_STEPS))
    assert followed is not None
    assert (followed[0]["dimensions"], followed[1], followed[0]["step"]) == ([0, 1], [0], 1000)
    later = joined(event, np.array([True, True, False]), 1001 + int(EVENT_STEPS))
    assert later is not None
    assert (later[0]["dimensions"], later[0]["step"]) == ([0, 1], 1001 + int(EVENT_STEPS))


def test_an_event_of_a_long_run_lasts_as_many_steps() -> None:
    """Beyond step 10,000 the rules count a step as less; an event is what happens within 100 steps of the training."""
    engine, regime, alerts = AlertEngine(), None, list[Alert]()
    for step in range(30_000, 34_000, 50):
        nats = [1.5, 1.5 if step < 33_000 else 0.0, 1.5 if step < 33_150 else 0.0, *[1.5] * 8]
        s = make_snapshot(step, [PASSIVE] * 11, information=nats, bins=4)
        regime = judge(s, regime)
        alerts += engine.evaluate(Observation(s.step, 4096, s, regime), RULES)
    lost = [(alert.dimensions, alert.amends) for alert in standing(alerts) if alert.kind is AlertKind.LOST]
    assert lost == [((1,), None), ((2,), None)]


def test_a_dimension_that_is_lost_already_is_not_said_to_fade() -> None:
    fast = [2.0] * 20 + [0.9, 0.0] + [0.0] * 18
    late = [2.0] * 23 + [1.4, 0.9, 0.6, 0.4, 0.3, 0.25, 0.2] + [0.01] * 10
    alerts = [a for a in run([fast, fast, late, [2.0] * 40], every=20, rows=1920) if a.kind is AlertKind.FADING]
    assert [alert.dimensions for alert in alerts] == [(0, 1), (0, 1, 2)]
    assert alerts[1].message.startswith("dimension 2 is fading: ")
    assert "dimension 2 followed what began at step 420 with dimensions 0 and 1" in alerts[1].message
    assert "from_2" in alerts[1].evidence
    assert "from_0" not in alerts[1].evidence


def test_a_dimension_that_has_recovered_is_not_said_to_fade() -> None:
    dip = [1.5] * 20 + [1.5 * 0.85**t for t in range(1, 4)] + [1.5] * 17
    late = [1.5] * 26 + [1.5 * 0.85**t for t in range(1, 15)]
    alerts = [a for a in run([dip, late, *[[2.0] * 40] * 3], every=10, rows=3840) if a.kind is AlertKind.FADING]
    assert [alert.dimensions for alert in alerts] == [(0,), (0, 1)]
    assert alerts[1].message.startswith("dimension 1 is fading: ")
    assert "dimension 1 followed what began at step" in alerts[1].message
    assert "with dimension 0" in alerts[1].message
    assert alerts[1].evidence["from_0"] < 1.6


def test_several_causes_are_one_alert_that_names_each() -> None:
    """Two dimensions whose noise grows, and one whose means shrink, in the same evaluations."""
    engine, regime, alerts = AlertEngine(), None, list[Alert]()
    for t in range(60):
        gone = float(np.exp(-0.12 * max(t - 20, 0)))
        V, E = np.array([1.0, 1.0, gone, 3.0]), np.array([0.05 / gone, 0.05 / gone, 0.05, 0.05])
        nats = 0.5 * np.log1p(V / E)
        s = make_snapshot(25 * (t + 1), [PASSIVE] * 4, information=nats.tolist(), bins=4)
        s.variance[:], s.posterior_variance[:], s.kl[:] = V, E, nats
        regime = judge(s, regime)
        alerts += engine.evaluate(Observation(s.step, 2400, s, regime), RULES)
    (fading,) = (alert for alert in standing(alerts) if alert.kind is AlertKind.FADING)
    assert fading.dimensions == (0, 1, 2)
    assert len(fading.causes) == 2
    assert "goes to the prior" in fading.causes[0]
    assert "shrinks below the prior" in fading.causes[1]


def collapsing(label_late: int) -> list[Alert]:
    """Return the alerts of two dimensions of which one hovers between the cuts for some evaluations at the end."""
    first = [1.5] * 20 + [1.5 * 0.5**t for t in range(30)]
    second = [1.5] * 20 + [1.5 * 0.5**t for t in range(4)] + [0.1] * label_late + [0.0] * (26 - label_late)
    return run([first, *[first] * 9, second], noise=0.001)


def test_what_is_lost_after_a_collapse_is_part_of_it() -> None:
    alerts = collapsing(8)
    place = kinds(alerts).index("collapse")
    assert "dimension 10 is undecided and belongs to it" in alerts[place].message
    assert kinds(alerts)[place + 1 :] == []


def test_the_state_of_events_survives_and_a_broken_one_is_refused() -> None:
    engine = AlertEngine()
    state = engine.state_dict()
    assert state["builtin"]["fading"] == Fading().start()
    event = state["builtin"]["fading"]["lost"]
    for wrong in ({**event, "dimensions": 3}, {**event, "dimensions": ["x"]}, {**event, "more": 1}, None):
        fading = state["builtin"]["fading"] | {"lost": wrong}
        with pytest.raises((KeyError, TypeError, ValueError)):
            engine.load_state_dict(state | {"builtin": state["builtin"] | {"fading": fading}})
