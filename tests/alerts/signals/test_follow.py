"""A step that is skipped in a quiet evaluation changes nothing: the same states and alerts without any shortcut."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
from alert_histories import RULES, restarted
from hypothesis import given, settings
from hypothesis import strategies as st
from records import PASSIVE, make_snapshot

from polar_monitor.alerts.alert import Alert
from polar_monitor.alerts.engine import AlertEngine
from polar_monitor.alerts.observation import Observation
from polar_monitor.alerts.signals import follow
from polar_monitor.context import Context
from polar_monitor.regime.judge import judge

CHANGES = st.lists(st.sampled_from([1.0, 1.0, 1.0, 1.02, 0.97, 0.9, 0.6, 0.3, 1.8]), min_size=15, max_size=30)


def states(changes: list[list[float]], *, restarts: bool) -> tuple[list[object], list[Alert]]:
    """Return the state after each evaluation and all alerts; with `restarts` every state goes through JSON."""
    engine, regime, level = AlertEngine(), None, np.array([2.0, 1.0, 0.5])
    seen: list[object] = []
    alerts: list[Alert] = []
    for t, change in enumerate(zip(*changes, strict=False)):
        level = level * np.array(change)
        s = replace(make_snapshot(25 * t, [PASSIVE] * 3, information=level, bins=4), information_se=np.full(3, 0.01))
        regime = judge(s, regime)
        engine = restarted(engine) if restarts else engine
        kept = copy.copy(engine.history)
        before = kept.to_dict()
        alerts += engine.evaluate(Observation(25 * t, 2400, s, regime, Context(beta=1.0 + 0.1 * (t // 7))), RULES)
        np.testing.assert_equal(kept.to_dict(), before)
        seen.append(engine.state_dict())
    return seen, alerts


@settings(max_examples=10)
@given(st.tuples(CHANGES, CHANGES, CHANGES))
def test_a_state_from_json_goes_on_as_the_one_in_memory(changes: tuple[list[float], ...]) -> None:
    """Shared arrays, by which the quiet evaluation is known, do not survive JSON."""
    assert states(list(changes), restarts=True) == states(list(changes), restarts=False)


@settings(max_examples=10)
@given(st.tuples(CHANGES, CHANGES, CHANGES))
def test_a_drop_too_small_for_any_alert_may_be_looked_at(changes: tuple[list[float], ...]) -> None:
    expected = states(list(changes), restarts=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(follow, "least_drop", lambda rules: 0.0)
        assert states(list(changes), restarts=False) == expected


def test_shared_arrays_cannot_be_written() -> None:
    engine = AlertEngine()
    s = make_snapshot(1, [PASSIVE] * 3, bins=4)
    engine.evaluate(Observation(1, 9, s, judge(s)), RULES)
    for array in (engine.history.cause, engine.history.warned, engine.history.healthy_context):
        assert not array.flags.writeable
    assert not np.shares_memory(engine.history.recent[-1].level, s.information)
    assert not np.shares_memory(engine.history.healthy_moments, s.variance)
