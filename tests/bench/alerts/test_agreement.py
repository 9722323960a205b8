"""Alerts of two densities that are about the same."""

from __future__ import annotations

import numpy as np
import pytest
from alert_runs import BROKEN, GONE, STEADY, at, made

from bench.alerts.scoring.agreement import Agreement, Seen, Tolerance, agreement, compared, steps_of_window
from bench.alerts.scoring.density import thinned
from bench.alerts.scoring.tally import Warned

ONE = Tolerance(1.0, 0.0, kinds=False)
RUN = made(np.stack([GONE, STEADY], 1))
SELDOM = thinned(RUN, "every=100")


def _share(one: list[Warned], other: list[Warned], tolerance: Tolerance = ONE) -> Agreement:
    return agreement(Seen(RUN, one), Seen(SELDOM, other), tolerance)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Warned("fading", 900, 0), (2, 2)),
        (Warned("fading", 901, 0), (0, 2)),
        (Warned("fading", 800, 1), (0, 2)),
        (Warned("lost", 800, 0), (0, 2)),
        (Warned("settling", 800, 0), (0, 1)),
    ],
)
def test_it_is_the_same_alert_within_the_larger_interval(other: Warned, expected: tuple[int, int]) -> None:
    assert _share([Warned("fading", 800, 0)], [other]) == expected


def test_both_ways_are_compared() -> None:
    fading, lost = Warned("fading", 800, 0), Warned("lost", 1000, 0)
    assert _share([fading], [fading, lost]) == (2, 3)
    assert _share([fading, lost], [fading]) == (2, 3)


def test_what_may_still_come_after_the_end_is_left_out() -> None:
    assert _share([Warned("lost", 1450, 0)], []) == (0, 0)
    assert _share([Warned("lost", 1400, 0)], []) == (0, 1)


def test_the_delay_is_an_interval_and_a_window() -> None:
    assert steps_of_window(RUN) == pytest.approx(4096 / 96)
    late = Warned("fading", 1040, 0)
    assert _share([Warned("fading", 800, 0)], [late], Tolerance(2.0, 1.0)) == (2, 2)
    assert _share([Warned("fading", 800, 0)], [late], Tolerance(2.0, 0.0)) == (0, 2)


def test_a_loss_without_time_for_a_warning_may_be_told_as_lost() -> None:
    run = made(np.stack([BROKEN, STEADY], 1))
    seen = Seen(run, [Warned("fading", at(30), 0)]), Seen(thinned(run, "every=100"), [Warned("lost", 800, 0)])
    assert agreement(*seen, Tolerance()) == (2, 2)
    assert agreement(*seen, Tolerance(kinds=False)) == (0, 2)
    slow = Seen(RUN, [Warned("fading", at(30), 0)]), Seen(RUN, [Warned("lost", 800, 0)])
    assert [agrees for _, agrees in compared(*slow)] == [False]
