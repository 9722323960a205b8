"""DRAIN: the total falls."""

from __future__ import annotations

from alert_histories import kinds, run


def test_a_fall_that_never_pauses_is_one_drain() -> None:
    for rate in (0.8, 0.89, 0.95, 0.98):
        assert kinds(run([[2.0] * 20 + [2.0 * rate**t for t in range(80)]] * 6)).count("drain") == 1


def test_a_second_drain_after_one_that_stopped_is_news() -> None:
    twice = [2.0] * 12 + [2.0 * 0.88**t for t in range(6)] + [1.05] * 40 + [1.05 * 0.85**t for t in range(20)]
    assert kinds(run([twice] * 3)).count("drain") == 2
