"""The account of the seconds that the monitor may take beyond its share."""

from __future__ import annotations

import pytest

from polar_monitor.schedule.allowance import SPREAD_SECONDS, Allowance


def test_what_is_spent_beyond_the_share_is_used_and_what_is_left_of_the_share_pays_it_back() -> None:
    allowance = Allowance(1.0)
    assert allowance.account(0.1, 0.4)
    assert allowance.used == pytest.approx(0.4)  # an income above the allowance is not kept
    assert allowance.account(0.3, 0.1)
    assert allowance.used == pytest.approx(0.2)
    allowance.account(100.0, 0.0)
    assert allowance.used == 0.0
    assert allowance.balance == 1.0


def test_an_interval_that_costs_more_than_there_is_is_not_paid() -> None:
    allowance = Allowance(1.0)
    assert not allowance.account(0.0, 1.5)
    assert allowance.used == 1.0
    assert allowance.rate(0.0, 100.0) == 0.0
    assert not Allowance(0.0).account(0.1, 0.1 + 1e-9)


def test_a_debt_counts_as_no_more_than_the_most() -> None:
    allowance = Allowance(1.0)
    assert not allowance.account(0.0, 3600.0, 1.1)
    assert allowance.balance == -1.1


def test_the_rate_is_smooth_and_leaves_one_evaluation() -> None:
    allowance = Allowance(1.0)
    assert allowance.rate(0.2, 1000.0) == pytest.approx(0.8 / SPREAD_SECONDS)
    assert allowance.rate(0.2, 0.5) == pytest.approx(0.8 / 0.5)
    assert allowance.rate(1.0, 0.5) == 0.0
    assert allowance.rate(0.0, 0.0) > 0


def test_a_resumed_account_has_no_more_than_it_had() -> None:
    first, second = Allowance(1.0), Allowance(1.0)
    first.account(0.0, 0.75)
    second.resume(first.state())
    assert second.balance == pytest.approx(0.25)
    first.account(0.0, 5.0)
    assert first.state() == 0
    smaller = Allowance(0.1)
    smaller.resume(250)
    assert smaller.balance == 0.1
