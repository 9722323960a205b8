"""FAR_FROM_PRIOR: a posterior that runs away from the prior, and others that lie off it in peace."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from records import PASSIVE, make_snapshot

from polar_monitor.alerts.advice import KIND_ADVICE
from polar_monitor.alerts.alert import Alert, AlertKind
from polar_monitor.alerts.alert_rules import AlertRules
from polar_monitor.alerts.engine import AlertEngine
from polar_monitor.alerts.observation import Observation
from polar_monitor.regime.judge import judge

RULES = AlertRules(kinds=frozenset({AlertKind.FAR_FROM_PRIOR}))


def raised(
    excesses: Sequence[float], *, every: int = 25, rows: int = 2400, error: float = 0.01, warmup: int = 0,
    split: int = -1,
) -> list[Alert]:  # fmt: skip
    """The alerts of two dimensions of 2 nats: the first pays so many nats of KL beyond them, the second none."""
    engine, regime, alerts = AlertEngine(), None, list[Alert]()
    for t, excess in enumerate(excesses):
        snapshot = make_snapshot(every * (t + 1), [PASSIVE] * 2, information=[2.0, 2.0])
        kl = snapshot.information_upper + np.array([excess, 0.0])
        snapshot = replace(snapshot, kl=kl, kl_se=np.full(2, error))
        regime = judge(snapshot, regime)
        if t == split:
            saved, engine = json.loads(json.dumps(engine.state_dict())), AlertEngine()
            engine.load_state_dict(saved)
        alerts += engine.evaluate(Observation(snapshot.step, rows, snapshot, regime), RULES, warmup)
    return alerts


def test_a_posterior_that_runs_away_is_told_once_and_early() -> None:
    course = [0.2] * 10 + [0.2 * 1.3**t for t in range(30)]
    for every, rows in ((25, 2400), (100, 4096)):
        (alert,) = raised(course, every=every, rows=rows)
        assert alert.dimensions == (0,)
        assert 10 <= alert.evidence["excess"] <= 25
        assert alert.last_healthy_step is not None
        assert alert.last_healthy_step < alert.step
        assert "away from the prior" in alert.message


def test_an_explosion_needs_no_second_look() -> None:
    (alert,) = raised([0.2] * 10 + [500.0], rows=100)
    assert alert.step == 275
    assert alert.last_healthy_step == 250


def test_slow_growth_and_a_place_far_off_are_no_alert() -> None:
    assert raised([0.05 * t for t in range(800)]) == []
    assert raised([40.0] * 60) == []
    assert raised([9.0 + 3 * math.sin(t) for t in range(60)]) == []


def test_what_is_not_sure_or_not_known_is_no_alert() -> None:
    assert raised([0.2] * 10 + [30.0] * 10, error=5.0) == []
    assert raised([math.nan] * 20) == []
    assert raised([0.2] * 5 + [math.inf, math.nan, -math.inf] * 5) == []


def test_a_second_explosion_after_a_clean_time_is_a_second_event() -> None:
    away = [30.0] * 8
    assert len(raised([0.2] * 10 + away + [0.2] * 4 + away)) == 1
    assert len(raised([0.2] * 10 + away + [0.2] * 30 + away)) == 2


def test_the_warm_up_raises_nothing_and_a_resumed_run_says_the_same() -> None:
    course = [0.2] * 10 + [0.2 * 1.3**t for t in range(30)]
    assert raised(course[:30], warmup=5000) == []
    for split in (5, 22, 27):
        assert raised(course, split=split) == raised(course)


def test_the_kl_term_of_the_advice_is_that_of_torch() -> None:
    line = KIND_ADVICE[AlertKind.FAR_FROM_PRIOR].advice[0]
    expression = line.removeprefix("write the KL term as ").partition(", with")[0]
    mu, logvar = torch.randn(5, 3), torch.randn(5, 3)
    normal = torch.distributions.Normal(mu, (0.5 * logvar).exp())
    wanted = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(eval(expression, {"mu": mu, "logvar": logvar}), wanted)
