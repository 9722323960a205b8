"""Choosing is not fading: what others take over raises no warning."""

from __future__ import annotations

import numpy as np
import pytest
from alert_histories import RAMP, STEADY, kinds, run
from hypothesis import example, given, settings
from hypothesis import strategies as st

RISING = st.lists(st.floats(0.0, 0.2), min_size=60, max_size=60)
SHARES = st.lists(st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3), min_size=2, max_size=4)


@settings(max_examples=30)
@given(RISING, SHARES)
@example([0.0] * 60, [[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]])  # all plunge at once, for one that comes up
def test_nothing_fades_while_the_total_rises(growth: list[float], corners: list[list[float]]) -> None:
    """A total that never falls is dealt out to three dimensions in shares that move from corner to corner."""
    total = 1.0 + np.cumsum(growth)
    places = np.linspace(0, len(corners) - 1, len(total))
    shares = np.array([np.interp(places, range(len(corners)), column) for column in np.transpose(corners)]) + 1e-3
    nats = shares / shares.sum(axis=0) * total
    warnings = ("fading", "drain", "lost", "collapse")
    assert run(nats.tolist(), noise=0.001, kinds=warnings) == []


def test_a_dimension_that_others_take_over_is_a_note() -> None:
    others = [(3.0 - nats) / 2 for nats in RAMP]
    (note,) = run([RAMP, others, others], noise=0.001)
    assert (str(note.kind), note.dimension) == ("settling", 0)
    assert "while others took over" in note.message


@pytest.mark.parametrize(("share", "warned"), [(0.0, True), (0.1, True), (0.5, False), (1.0, False)])
def test_a_share_of_what_was_lost_decides(share: float, warned: bool) -> None:
    """The other dimension takes over so much of what the first one loses."""
    alerts = run([RAMP, [2.0 + share * (1.5 - nats) for nats in RAMP]], noise=0.001)
    assert ("fading" in kinds(alerts)) == ("lost" in kinds(alerts)) == warned
    assert ("settling" in kinds(alerts)) == (not warned)


def test_a_dip_that_the_total_does_not_feel_is_no_warning() -> None:
    """A dimension of 0.6 nats loses 0.24, for a while, of a total of 6.6; if it loses more it is warned of."""
    dip = [0.6] * 12 + [0.6 - 0.04 * min(t, 6) for t in range(12)] + [0.6] * 16
    assert run([dip, *[STEADY] * 3], noise=0.001) == []
    gone = [0.6] * 12 + [max(0.6 - 0.04 * t, 0.001) for t in range(28)]
    alerts = run([gone, *[STEADY] * 3], noise=0.001)
    assert kinds(alerts) == ["fading", "lost"]
    assert 0.15 < alerts[0].evidence["information"] < 0.25


@pytest.mark.parametrize(("steps", "warned"), [(40, False), (200, True)])
def test_a_short_jump_of_the_total_is_not_what_it_falls_from(steps: int, warned: bool) -> None:
    """All carry more while the data change; then two dimensions carry less than before, and the third one more."""
    high = steps // 20
    one = [0.9] * 20 + [1.2] * (high - 1) + [1.1] + [0.72] * 20
    third = [4.0] * 20 + [4.2] * high + [4.3] * 20
    assert ("fading" in kinds(run([one, one, third], noise=0.001, every=20, rows=1920))) is warned


def test_the_total_that_falls_later_makes_an_earlier_choice_no_excuse() -> None:
    """The others first take over, and then lose more than that."""
    first = [2.0 * 0.93**t for t in range(30)]
    others = [2.0 + (2.0 - nats) for nats in first]
    later = [others[-1] * 0.9**t for t in range(30)]
    alerts = run([[2.0] * 10 + first + [first[-1] * 0.95**t for t in range(30)], [2.0] * 10 + others + later])
    assert "fading" in kinds(alerts)
    assert min(alert.step for alert in alerts if alert.kind == "fading") > 25 * 40


def test_all_that_falls_alike_is_a_loss() -> None:
    alerts = run([RAMP, RAMP, STEADY])
    assert kinds(alerts) == ["fading", "drain", "lost"]
    assert alerts[0].dimensions == alerts[-1].dimensions == (0, 1)


def test_dimensions_that_come_up_as_others_plunge_do_not_take_over() -> None:
    """As in a learning-rate spike: two dimensions plunge within 25 steps while noise appears in three others."""
    broken, noise = [2.0] * 20 + [1.5, 1.1, 0.6, 0.0], [0.0] * 19 + [1.0, 2.5, 2.6, 2.6, 0.0]
    alerts = run([broken, broken, noise, noise, noise], noise=0.001)
    assert alerts[0].step == 25 * 21
    assert (str(alerts[0].kind), alerts[0].dimensions) == ("fading", (0, 1))


@pytest.mark.parametrize("broken", [4, 2])
def test_what_comes_up_as_nearly_all_plunge_is_noise_whatever_the_total(broken: int) -> None:
    """In 25 steps four dimensions lose 40 % each, and four others gain half of that; if only two of them plunge, the
    rest takes over."""
    plunges, noise = [2.0] * 20 + [1.2, 1.2], [0.0] * 20 + [0.1 * broken, 0.1 * broken]
    alerts = run([*[plunges] * broken, *[[2.0] * 22] * (4 - broken), *[noise] * 4], noise=0.001)
    assert kinds(alerts) == (["fading", "drain"] if broken == 4 else [])
    assert all(alert.step == 25 * 21 for alert in alerts)
