"""The alert engine: the same alerts in any order, at any interval, after any restart."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from alert_histories import RAMP, RULES, STEADY, kinds, restarted, run, run_at
from hypothesis import given
from hypothesis import strategies as st
from records import PASSIVE, make_snapshot

from polar_monitor.alerts.advice import make_alert
from polar_monitor.alerts.alert import Alert, AlertKind
from polar_monitor.alerts.alert_rules import AlertRules
from polar_monitor.alerts.builtin import BUILTIN_RULES
from polar_monitor.alerts.custom_rule import Rule, plain
from polar_monitor.alerts.engine import AlertEngine
from polar_monitor.alerts.observation import Observation
from polar_monitor.alerts.signals.history import DimensionHistory
from polar_monitor.regime.judge import judge


def test_alerts_do_not_depend_on_the_interval_of_the_evaluations() -> None:
    """A fall that begins at step 500; early evaluations at 10, 13, 17, … as the schedule has them."""

    def fall(step: int) -> float:
        return max(1.5 - max(step - 500, 0) / 400, 0.001)

    for every in (5, 10, 25, 50, 100):
        dense = list(range(every, 1500, every))
        early = [round(10 * 1.3**k) for k in range(30) if 3 * 10 * 1.3**k < 10 * every]
        alerts = run_at(early + [step for step in dense if not early or step > early[-1]], fall)
        assert kinds(alerts) == ["fading", "lost"]
        fading, lost = alerts
        assert fading.forecast is not None
        assert 600 <= fading.step <= 750 + every
        assert fading.forecast.low <= 500 + 400 * 1.35 <= (fading.forecast.high or math.inf)
        assert lost.step <= 1250 + every


def test_sparse_evaluations_are_enough() -> None:
    alerts = run_at(range(500, 6000, 500), lambda step: 1.5 * math.exp(-max(step - 2000, 0) / 800))
    assert kinds(alerts) == ["fading", "lost"]
    assert alerts[0].step <= 3000


def test_a_rule_keeps_its_share_of_a_long_run() -> None:
    """What takes 1,000 steps at step 10,000 takes 100,000 at step 1,000,000."""
    for scale in (1, 100):
        steps = range(8000 * scale, 14_000 * scale, 100 * scale)
        alerts = run_at(steps, lambda step, scale=scale: 1.5 * math.exp(-max(step / scale - 10_000, 0) / 300))
        assert [(str(alert.kind), alert.step // scale) for alert in alerts] == [("fading", 10_100), ("lost", 11_100)]


def test_dimensions_in_another_order_give_the_same_alerts() -> None:
    rng = np.random.default_rng(3)
    rows = np.exp(np.cumsum(rng.normal(-0.02, 0.08, (60, 6)), axis=0)).T
    order = rng.permutation(6)
    plain, moved = (run(histories.tolist(), noise=0.0) for histories in (rows, rows[order]))
    assert len(plain) > 3
    known = {(alert.step, alert.kind, alert.dimensions, alert.forecast) for alert in plain}
    back = [(alert, tuple(sorted(order[list(alert.dimensions)].tolist()))) for alert in moved]
    assert {(alert.step, alert.kind, which, alert.forecast) for alert, which in back} == known


def test_an_alert_about_dimensions_names_the_first_of_them() -> None:
    alerts = run([[1.5] * 12 + [0.0] * 12] * 3)
    assert {(str(a.kind), a.dimension, a.dimensions) for a in alerts} >= {
        ("lost", 0, (0, 1, 2)), ("collapse", None, ()),
    }  # fmt: skip
    (lost,) = (alert for alert in alerts if alert.dimensions)
    older = lost.to_dict() | {"dimension": None}
    assert Alert.from_dict(older) == lost


NUMBERS = st.one_of(st.floats(0, 20), st.sampled_from([0.0, 0.05, 0.15, 1e-300, 1e300, math.nan, math.inf]))


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=25), st.integers(0, 15))
def test_no_history_breaks_it_and_every_state_is_plain(rows: list[tuple[float, float, float]], warm: int) -> None:
    engine, regime = AlertEngine(), None
    for t, row in enumerate(rows):
        snapshot = make_snapshot(25 * (t + 1), [PASSIVE] * 3, bins=4)
        snapshot = replace(snapshot, information=np.array(row), kl=np.array(row[::-1]), variance=np.array(row))
        regime = judge(snapshot, regime)
        alerts = engine.evaluate(Observation(snapshot.step, 2400, snapshot, regime), RULES, 25 * warm)
        assert restarted(engine).state_dict() == engine.state_dict()
        for alert in alerts:
            assert Alert.from_dict(alert.to_dict()) == alert or math.nan in alert.evidence.values()


def test_the_warm_up_is_silent() -> None:
    assert run([STEADY, RAMP], warmup=10**6) == []


@pytest.mark.parametrize("split", [0, 17, 25])
def test_a_restart_changes_nothing(split: int) -> None:
    assert run([STEADY, RAMP], split=split) == run([STEADY, RAMP])


def test_a_broken_state_is_refused() -> None:
    state = AlertEngine().state_dict()
    history, builtin = state["history"], state["builtin"]
    short = history | {"information": [[1.0, 2.0]]}
    uneven = DimensionHistory.empty(2).to_dict() | {"healthy_variance": [None]}
    broken = [{}, *(state | {"history": h} for h in ({}, short, uneven))]
    broken += [
        state | {"builtin": builtin | rule}
        for rule in (
            {"drain": builtin["drain"] | {"peak": 1.0}},
            {"drain": builtin["drain"] | {"total": "much"}},
            {"drain": builtin["drain"] | {"total": None}},
            {"drain": None},
            {"fading": builtin["fading"] | {"lost": {"dimensions": ["x"]}}},
            {"another": {}},
        )
    ]
    engine = AlertEngine()
    for wrong in broken:
        with pytest.raises((KeyError, TypeError, ValueError)):
            engine.load_state_dict(wrong)
    assert engine.state_dict() == state


def test_a_state_of_an_earlier_version_begins_anew_what_it_lacks() -> None:
    engine = AlertEngine()
    run_on = [1.5] * 12
    for t, nats in enumerate(run_on):
        s = make_snapshot(25 * (t + 1), [PASSIVE] * 2, information=[nats, 2.0], bins=4)
        engine.evaluate(Observation(s.step, 2400, s, judge(s)), RULES)
    state = json.loads(json.dumps(engine.state_dict()))
    assert state["builtin"]["collapse"]["use"] > 0
    for rule, field in (("collapse", "last_use"), ("collapse", "use"), ("drain", "swing"), ("fading", "unsteady")):
        del state["builtin"][rule][field]
    del state["builtin"]["silent"], state["history"]["fading_step"], state["history"]["fading_swing"]
    earlier = AlertEngine()
    earlier.load_state_dict(state)
    assert earlier.states["collapse"] == engine.states["collapse"] | {"last_use": None, "use": 0.0}
    assert earlier.states["drain"] == engine.states["drain"] | {"swing": 0.0}
    assert earlier.states["silent"] == {"silent": False}
    assert earlier.history.fading_step.tolist() == [-1, -1]
    assert earlier.history.information.tolist() == engine.history.information.tolist()


def test_the_first_non_finite_value_and_the_first_silence() -> None:
    engine, regime = AlertEngine(), None
    seen = []
    for t, (bad, observed) in enumerate([(0, 9), (3, 9), (5, 9), (5, 0), (5, 0), (5, 9)]):
        snapshot = replace(make_snapshot(t, [PASSIVE]), non_finite=np.array([float(bad)]))
        regime = judge(snapshot, regime)
        alerts = engine.evaluate(Observation(t, observed, snapshot, regime), RULES)
        seen += [(t, str(alert.kind)) for alert in alerts]
    assert seen == [(1, "non_finite"), (3, "silent")]


def test_kinds_that_are_not_wanted_stay_silent() -> None:
    alerts = AlertEngine().evaluate(Observation(100, 0), AlertRules(kinds=frozenset({"lost"})))
    assert alerts == ()


def test_an_alert_survives_json() -> None:
    for alert in run([STEADY, RAMP]):
        assert Alert.from_dict(json.loads(json.dumps(alert.to_dict()))) == alert


class Loud:
    """A built-in alert without the optional members: raises once."""

    name = "loud"

    def start(self) -> dict[str, bool]:
        return {"raised": False}

    def update(self, state: dict[str, bool], observation: Observation) -> tuple[dict[str, bool], list[Alert]]:
        alert = make_alert(AlertKind.DRAIN, observation.step, "loud", {})
        return {"raised": True}, [] if state["raised"] else [alert]


class LoudFromTheStart(Loud):
    raises_in_warmup = True


@pytest.mark.parametrize("observed", [0, 9])
@pytest.mark.parametrize(("rule", "steps"), [(Loud(), [3]), (LoudFromTheStart(), [0])])
def test_a_built_in_alert_waits_for_the_end_of_the_warm_up_unless_it_is_marked(
    rule: Loud, steps: list[int], observed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polar_monitor.alerts.engine.BUILTIN_RULES", (*BUILTIN_RULES, rule))
    engine, snapshot = AlertEngine(), make_snapshot(0, [PASSIVE])
    alerts = [engine.evaluate(Observation(t, observed, snapshot, judge(snapshot)), RULES, warmup=3) for t in range(6)]
    assert [one.step for some in alerts for one in some if one.message == "loud"] == steps


def test_built_in_alerts_are_rules_like_those_of_third_parties() -> None:
    for rule in BUILTIN_RULES:
        assert isinstance(rule, Rule)
        assert rule.start() == plain(rule.start())
        assert rule.update(rule.start(), Observation(100, 1)) == (rule.start(), ())
    assert len({rule.name for rule in BUILTIN_RULES}) == len(BUILTIN_RULES)
