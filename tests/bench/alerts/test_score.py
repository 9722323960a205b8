"""Losses known by intervention, and the score of alarms by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest
from alert_runs import BROKEN, GONE, STEADY, at, made

from bench.alerts.report.named import ratios
from bench.alerts.scoring.density import thinned
from bench.alerts.scoring.replay import replay
from bench.alerts.scoring.score import score, tuning
from bench.alerts.scoring.tally import Warned, plain, tally
from bench.alerts.scoring.truth import LOOSE, events, smooth
from bench.alerts.training.record import Run
from polar_monitor.alerts.alert import Forecast


def test_smooth_is_a_running_median() -> None:
    assert smooth(np.array([1.0, 9.0, 2.0, 3.0])).tolist() == [1.0, 2.0, 3.0, 3.0]


def test_onset_and_loss_of_an_exponential_decay() -> None:
    run = made(np.stack([GONE, STEADY], 1))
    found = events(run)
    assert [(loss.dimension, loss.onset, loss.at, loss.sudden) for loss in found.losses] == [(0, at(29), at(39), False)]
    assert found.losses[0].plateau == 5.0
    assert found.collapse is None
    assert found.used[38].tolist() == [True, True]
    assert found.used[39:].tolist() == [[False, True]] * 21


def test_a_break_is_a_sudden_loss_and_of_everything_a_collapse() -> None:
    found = events(made(np.stack([BROKEN, BROKEN], 1)))
    assert [(loss.onset, loss.at, loss.sudden) for loss in found.losses] == [(at(29), at(30), True)] * 2
    assert found.collapse == at(30)


def test_what_becomes_nan_is_lost() -> None:
    rise = np.where(np.arange(60)[:, None] < 30, 5.0, np.nan)
    assert [loss.at for loss in events(made(rise)).losses] == [at(30)]


@pytest.mark.parametrize(
    "rise",
    [
        np.full(60, 0.3),
        np.where(np.arange(60) < 4, 5.0, 0.0),
        np.where((np.arange(60) >= 30) & (np.arange(60) < 38), 0.0, 5.0),
        np.linspace(5.0, 1.0, 60),
    ],
    ids=["little", "short", "back after eight", "less"],
)
def test_what_is_no_loss(rise: Any) -> None:
    assert events(made(rise[:, None])).losses == ()


def test_a_dimension_can_come_back_and_be_lost_again() -> None:
    rise = np.tile(np.repeat([5.0, 0.0], 15), 2)
    assert [loss.at for loss in events(made(rise[:, None])).losses] == [at(15), at(45)]


def test_what_happens_in_the_warm_up_does_not_count() -> None:
    assert events(made(GONE[:, None], warmup=at(44))).losses == ()


def test_the_loose_cuts_see_little_ones_too() -> None:
    run = made(0.1 * GONE[:, None])
    assert events(run).losses == ()
    assert len(events(run, LOOSE).losses) == 1


@pytest.mark.parametrize(
    ("alarm", "lead"),
    [
        (Warned("fading", at(29), 0), 1.0),
        (Warned("fading", at(25), 0), 1.0),
        (Warned("fading", at(35), 0), 0.4),
        (Warned("drain", at(35)), 0.4),
        (Warned("alarm", at(37)), 0.2),
        (Warned("fading", at(39), 0), math.nan),
        (Warned("fading", at(20), 0), math.nan),
        (Warned("fading", at(35), 1), math.nan),
        (Warned("lost", at(35), 0), math.nan),
    ],
)
def test_the_lead_of_a_warning(alarm: Warned, lead: float) -> None:
    found = tally(made(np.stack([GONE, STEADY], 1)), [alarm])
    assert found.leads == pytest.approx([lead], nan_ok=True)
    assert found.own == [alarm.kind == "fading" and not math.isnan(lead)]


def test_the_first_warning_counts() -> None:
    alarms = [Warned("drain", at(36)), Warned("fading", at(32), 0)]
    assert tally(made(GONE[:, None]), alarms).leads == pytest.approx([0.7])


@pytest.mark.parametrize(("place", "told"), [(29, True), (30, True), (31, True), (32, False), (20, False)])
def test_a_sudden_loss_is_told_within_one_evaluation(place: int, told: bool) -> None:
    found = tally(made(np.stack([BROKEN, STEADY], 1)), [Warned("lost", at(place), 0)])
    assert found.told == [told]
    assert found.leads == []


@pytest.mark.parametrize(
    ("alarm", "false"),
    [
        (Warned("fading", at(20), 0), 1),
        (Warned("fading", at(33), 1), 1),
        (Warned("fading", at(33), 0), 0),
        (Warned("drain", at(33)), 0),
        (Warned("drain", at(50)), 1),
        (Warned("lost", at(50), 1), 0),
    ],
)
def test_an_alarm_about_nothing_is_false(alarm: Warned, false: int) -> None:
    assert tally(made(np.stack([0.15 * GONE, STEADY], 1), healthy=True), [alarm]).false == false


def test_a_collapse_is_false_where_dimensions_are_in_use_or_come_into_use() -> None:
    late = np.where(np.arange(60) < 30, 0.0, 5.0)[:, None]
    assert tally(made(late), [Warned("collapse", at(10))]).false_collapse == 1
    assert tally(made(GONE[:, None]), [Warned("collapse", at(36))]).false_collapse == 0
    assert tally(made(np.zeros((60, 1))), [Warned("collapse", at(10))]).false_collapse == 0


def test_a_loss_that_is_told_and_is_none_is_false() -> None:
    run = made(np.stack([GONE, STEADY], 1))
    (loss,) = events(run).losses
    assert tally(run, [Warned("lost", loss.at + at(9), 0)]).false_lost == 0
    assert tally(run, [Warned("lost", loss.at + at(9), 1)]).false_lost == 1
    assert tally(run, [Warned("lost", loss.at - at(20), 0)]).false_lost == 1


def test_a_posterior_that_became_a_point_has_to_be_told() -> None:
    point = made(STEADY[:, None], noise=np.where(np.arange(60) < 40, 1.0, 0.001))
    told = Warned("variance_collapse", at(45))
    assert events(point).sharp == at(40)
    assert tally(point, [told]).sharp == [True]
    assert tally(point, []).sharp == [False]
    assert tally(made(STEADY[:, None]), [told]).sharp == [False]
    assert tally(made(STEADY[:, None]), []).sharp == []
    assert events(made(BROKEN[:, None], noise=np.where(np.arange(60) < 40, 1.0, 0.001))).sharp is None


@pytest.mark.parametrize(
    ("low", "high", "holds"),
    [
        (at(36), at(40), True),
        (at(39), None, True),
        (at(30), at(38), False),
        (at(30), at(38) + 1, True),
        (at(39) + 1, 500, False),
    ],
)
def test_a_forecast_holds_the_loss_or_does_not(low: int, high: int | None, holds: bool) -> None:
    alarm = Warned("fading", at(33), 0, Forecast(at(36), low, high))
    assert tally(made(GONE[:, None]), [alarm]).held == [holds]


def test_figures_are_those_counted_by_hand() -> None:
    gone, calm = made(np.stack([GONE, STEADY], 1)), made(STEADY[:, None], healthy=True, seed=1)
    tallies = [tally(gone, [Warned("fading", at(35), 0)]), tally(gone, []), tally(calm, [Warned("drain", at(9))])]
    found = score([*tallies, tally(calm, [])])
    assert found["losses warned of"].value == 0.5
    assert found["median lead"].value == pytest.approx(0.5 * 0.4)
    assert found["false per 10 healthy"].value == 5.0
    assert found["false per 10 collapsing"].value == 0.0
    assert found["losses warned of"].cases == 2
    assert str(found["sudden losses alerted"]) == "–"
    assert found["losses warned of"].low == 0.0
    assert found["losses warned of"].high == 1.0


def test_a_forecast_is_compared_with_the_loss(tiny: Run) -> None:
    found = list(ratios([tiny]))
    losses = {loss.dimension: loss.at for loss in events(tiny, LOOSE).losses}
    fading = [alert for alert in replay(tiny)[0] if alert.kind == "fading" and alert.dimension in losses]
    assert 1 <= len(found) <= len(fading)
    first = fading[0]
    assert first.forecast is not None
    true = losses[first.dimension or 0] - first.step
    ahead = max(first.forecast.step - first.step, tiny.every)
    assert any(there == pytest.approx(true / ahead) for _, there, _ in found)
    assert all(before < there for _, there, before in found)


def test_the_halves_are_by_seed() -> None:
    assert [tuning(made(GONE[:, None], seed=seed)) for seed in range(4)] == [True, False, True, False]


TAKEN = np.linspace(5.0, 20.0, 60)
"""The worth of all dimensions together where others take over."""


def test_a_loss_that_others_take_over_is_settling() -> None:
    (loss,) = events(made(np.stack([GONE, STEADY], 1), healthy=True, total=TAKEN)).losses
    assert loss.settling
    (loss,) = events(made(np.stack([GONE, STEADY], 1), healthy=True)).losses
    assert not loss.settling


def test_the_held_out_loss_tells_at_one_beta_only() -> None:
    better, both = np.linspace(5.0, 1.0, 60), np.stack([GONE, STEADY], 1)
    assert events(made(both, healthy=True, validation=better)).losses[0].settling
    rising = np.linspace(1.0, 2.0, 60)
    assert not events(made(both, healthy=True, validation=better, beta=rising)).losses[0].settling


def test_in_a_collapsing_run_neither_may_become_worse() -> None:
    both, better = np.stack([GONE, STEADY], 1), np.linspace(5.0, 1.0, 60)
    assert not events(made(both, total=TAKEN, validation=better[::-1])).losses[0].settling
    assert not events(made(both, validation=better)).losses[0].settling
    assert events(made(both, total=TAKEN, validation=better)).losses[0].settling


def test_no_rule_has_to_warn_of_what_settles_and_a_warning_is_false_in_a_healthy_run() -> None:
    run, alarm = made(np.stack([GONE, STEADY], 1), healthy=True, total=TAKEN), Warned("fading", at(33), 0)
    found = tally(run, [alarm])
    assert (found.leads, found.settling, found.false, found.false_settling) == ([], 1, 1, 1)
    assert tally(run, [Warned("lost", at(39), 0)]).false_lost == 0
    assert tally(run, [Warned("settling", at(33), 0)]).false == 0
    before = tally(run, [alarm], choosing=False)
    assert (len(before.leads), before.settling, before.false) == (1, 0, 0)


@pytest.mark.parametrize(("every", "gradual"), [(25, True), (100, True), (500, False)])
def test_a_loss_is_sudden_for_a_monitor_that_looks_seldom(every: int, gradual: bool) -> None:
    slow = made(np.concatenate([np.full(60, 5.0), 5.0 * 0.74 ** np.arange(0, 60, 0.5)])[:, None])
    run = thinned(slow, f"every={every}") if every > 25 else slow
    found = tally(run, [])
    assert (len(found.leads), len(found.told), found.quick) == (gradual, not gradual, not gradual)


def test_a_dimension_that_a_monitor_hardly_saw_is_left_out() -> None:
    short = made(np.where((np.arange(60) >= 22) & (np.arange(60) < 36), 5.0, 0.0)[:, None])
    assert (tally(short, []).unseen, len(tally(short, []).told)) == (0, 1)
    assert tally(thinned(short, "every=500"), []).unseen == 1


def test_an_alert_that_lists_dimensions_counts_for_each() -> None:
    class Listing(NamedTuple):
        kind: str
        step: int
        dimension: int | None
        dimensions: tuple[int, ...]
        forecast: Forecast | None
        amends: int | None = None
        evidence: Mapping[str, float] = {}

    both = made(np.stack([GONE, GONE, STEADY], 1))
    forecast = Forecast(at(38), at(36), at(40))
    alerts: Any = [Listing("fading", at(33), None, (0, 2), forecast), Listing("drain", at(33), None, (0, 1), None)]
    warned = plain(alerts)
    assert [(w.kind, w.dimension) for w in warned] == [("fading", 0), ("fading", 2), ("drain", None)]
    found = tally(both, warned)
    assert (found.own, found.false, found.held) == ([True, False], 1, [True])
    own = {"forecast_1": at(44), "forecast_low_1": at(42)}
    amended: Any = [Listing("fading", at(35), None, (0, 1, 2), forecast, at(33), own)]
    assert plain(alerts + amended)[3:] == [Warned("fading", at(35), 1, Forecast(at(44), at(42), None), (1,))]


def test_the_first_use_of_a_dimension_is_known() -> None:
    late = np.where(np.arange(60) < 30, 0.0, 5.0)[:, None]
    assert events(made(late)).first_use == at(34)
    assert events(made(np.zeros((60, 1)))).first_use is None
