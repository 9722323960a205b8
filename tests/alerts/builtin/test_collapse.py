"""COLLAPSE: once for each collapse."""

from __future__ import annotations

import math

import pytest
from alert_histories import RAMP, kinds, run

from polar_monitor.alerts.alert import AlertKind


def test_total_loss_is_a_collapse_once() -> None:
    alerts = run([RAMP, RAMP])
    assert kinds(alerts).count("collapse") == 1
    (fading,) = (alert for alert in alerts if alert.kind is AlertKind.FADING)
    assert fading.dimensions == (0, 1)
    assert kinds(alerts).count("drain") == 1
    assert kinds(alerts).index("fading") < kinds(alerts).index("lost")


def test_a_model_that_never_used_a_dimension_is_a_collapse_in_the_end() -> None:
    (alert,) = run([[0.001] * 40])
    assert (str(alert.kind), alert.step) == ("collapse", 700)
    assert "no dimension ever came into use" in alert.message
    assert any("reduction" in cause for cause in alert.causes)
    assert run([[0.001] * 20]) == []
    assert run([[0.001] * 11], every=100)[0].step == 700


def test_a_code_that_grows_out_of_a_saddle_is_no_collapse() -> None:
    """Its signal grows e-fold in 100 steps, far below what can be seen as information."""
    growing = [2e-6 * math.exp(t / 4) for t in range(60)]
    assert run([growing, [0.0] * 60], noise=0.0) == []
    slow = [2e-6 * math.exp(t / 400) for t in range(60)]
    assert kinds(run([slow, [0.0] * 60], noise=0.0)) == ["collapse"]


@pytest.mark.parametrize("nats", [4.5e-4, 5e-3])
@pytest.mark.parametrize("every", [20, 50, 100])
def test_a_faint_code_that_stays_as_it_is_collapses_as_a_dead_one_does(nats: float, every: int) -> None:
    """Its signal is far above that of a dead code, and does not grow."""
    (alert,) = run([[nats] * (1200 // every)] * 8, noise=0.01 * nats, every=every, rows=96 * every)
    assert (alert.kind, alert.step) == (AlertKind.COLLAPSE, 700)


@pytest.mark.parametrize("every", [20, 50, 100])
def test_a_code_that_has_been_dying_for_long_is_a_collapse_within_1000_steps(every: int) -> None:
    """It is labelled so late that the verdict is younger than 700 steps, and its information is not faint yet."""
    nats = [0.075 * math.exp(-every * t / 700) for t in range(1200 // every)]
    (alert,) = run([nats] * 8, noise=1e-4, every=every, rows=96 * every)
    assert (alert.kind, 950 <= alert.step <= 1000) == (AlertKind.COLLAPSE, True)
    assert "no dimension ever came into use" in alert.message


def test_a_young_code_that_falls_turns_and_grows_is_no_collapse() -> None:
    """As a model that rises late: it falls by 90 % until step 850, and is twice as large again at step 1,000."""
    levels = [0.1 * math.exp(-25 * t / 370) for t in range(34)]
    levels += [levels[-1] * math.exp(25 * t / 220) for t in range(1, 20)]
    assert run([levels] * 8, noise=1e-4) == []


def test_a_faint_code_of_which_one_dimension_grows_is_waited_for() -> None:
    """The mean of all shrinks at the same time."""
    one, others = [2e-4 * math.exp(t / 20) for t in range(60)], [4e-3 * math.exp(-t / 20) for t in range(60)]
    assert run([one, *[others] * 7], noise=0.0) == []


def test_a_faint_code_that_grew_and_pauses_is_waited_for() -> None:
    """It grows sevenfold out of a saddle in 500 steps, and then stays for 600, as some late risers do."""
    rising = [6e-4 * math.exp(min(t, 20) / 10) for t in range(44)]
    assert run([rising] * 8, noise=0.0) == []
    assert kinds(run([[6e-4] * 44] * 8, noise=0.0)) == ["collapse"]


def test_each_further_collapse_needs_twice_the_time_without_one() -> None:
    fall = [1.5] * 12 + [1.5 * 0.6**t for t in range(12)] + [0.0] * 6
    assert kinds(run([fall * 40] * 2, noise=0.001)).count("collapse") <= 4


def test_what_was_never_worth_an_alert_is_no_collapse_when_it_goes() -> None:
    """Before training there is noise in every dimension."""
    assert "collapse" not in kinds(run([[0.3] * 4 + [0.0] * 20, [0.2] * 4 + [0.0] * 20]))


def test_a_collapse_that_hovers_at_the_cut_is_raised_once() -> None:
    hovering = [1.5] * 12 + [1.5 * 0.6**t for t in range(8)] + [0.03, 0.03, 0.03, 0.03, 0.2, 0.2, 0.2, 0.2] * 6
    assert kinds(run([hovering, hovering], noise=0.001)).count("collapse") == 1


def test_a_collapse_after_a_recovery_is_another() -> None:
    fall = [1.5] * 12 + [1.5 * 0.6**t for t in range(12)] + [0.0] * 6
    assert kinds(run([fall * 2] * 2, noise=0.001)).count("collapse") == 2


def test_a_collapse_in_the_warm_up_is_raised_at_its_end() -> None:
    gone = [1.5] * 14 + [0.0] * 26
    alerts = [alert for alert in run([gone, gone], warmup=500) if alert.kind is AlertKind.COLLAPSE]
    assert [alert.step for alert in alerts] == [500]
    assert alerts[0].message == "no informative dimension is left"


def test_a_collapse_soon_after_the_warm_up_is_raised_at_once() -> None:
    gone = [1.5] * 22 + [0.0] * 18
    alerts = [alert for alert in run([gone, gone], warmup=500) if alert.kind is AlertKind.COLLAPSE]
    assert len(alerts) == 1
    assert alerts[0].step <= 650


def test_a_model_whose_dimensions_carried_little_is_not_said_to_have_used_none() -> None:
    """Dimensions of a quarter of a nat are labelled active; below 0.35 nats there is no alert about one alone."""
    (alert,) = (a for a in run([[0.25] * 60 + [0.0] * 40] * 8, split=80) if a.kind is AlertKind.COLLAPSE)
    assert "the last was in use at step 1,5" in alert.message
    assert "none ever carried 0.35 nats for 125 steps" in alert.message
    assert any("go back to a step at which dimensions were in use" in advice for advice in alert.advice)


def test_noise_before_training_is_not_use_for_long() -> None:
    (alert,) = run([[0.25] * 4 + [0.001] * 50] * 8, noise=1e-5)
    assert "the last was in use at step 100" in alert.message
    assert any("from the start" in cause for cause in alert.causes)
