"""DRAIN: the total falls."""

from __future__ import annotations

from alert_histories import kinds, run


def test_a_second_drain_after_one_that_stopped_is_news() -> None:
    twice = [2.0] * 12 + [2.0 * 0.88**t for t in range(6)] + [1.05] * 40 + [1.05 * 0.85**t for t in range(20)]
    assert kinds(run([twice] * 3)).count("drain") == 2
