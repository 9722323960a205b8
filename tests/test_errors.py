"""One place for "warn once", and warnings that never end a training."""

from __future__ import annotations

import warnings

import pytest

from polar_monitor.errors import PolarMonitorWarning, WarnOnce, warn


def test_a_key_is_new_once() -> None:
    once = WarnOnce()
    assert [once("a"), once("a"), once(("b", 1)), once(("b", 1))] == [True, False, True, False]
    assert "a" in once
    assert "c" not in once
    once.clear()
    assert once("a")


def test_the_number_of_keys_is_bounded() -> None:
    once = WarnOnce(limit=2)
    assert [once(key) for key in range(4)] == [True, True, False, False]
    assert not once(0)


def test_a_filter_that_makes_errors_of_warnings_does_not_end_a_training() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen: list[str] = []
        warnings.showwarning = lambda message, *_, **__: seen.append(str(message))
        warn("the message")
    assert seen == ["polar_monitor: the message"]
    with pytest.warns(PolarMonitorWarning, match="polar_monitor: twice"):
        warn("twice")
