"""The demo's plan, and the sentence for each lost dimension."""

from __future__ import annotations

import pytest
from records import make_alert

from polar_monitor.alerts.alert import AlertKind
from polar_monitor.demo import run


def test_the_plan_is_flat_and_then_rises_to_its_top() -> None:
    plan = run.Plan(2.0, 8.0, 10, 20)
    assert [plan.at(step) for step in (0, 10, 20, 30)] == pytest.approx([2.0, 2.0, 4.0, 8.0])
    assert plan.steps == 30


def test_the_outcome_tells_how_far_ahead_each_loss_was_warned_of() -> None:
    class Told:
        alerts = (
            make_alert(100, 1),
            make_alert(300, 1, AlertKind.LOST),
            make_alert(400, 2, AlertKind.LOST),
            make_alert(500, None, AlertKind.COLLAPSE),
        )

    assert run.outcome(Told()) == [  # type: ignore[arg-type]
        "dimension 1 lost at step 300: warned of at step 100, 200 steps before",
        "dimension 2 lost at step 400: without a warning",
    ]
