"""Rows that reach the histogram late, from a ring buffer, give the panes of rows that are added when they come."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polar_monitor.errors import PolarMonitorError
from polar_monitor.statistics.drawn_histograms import Pane, chosen_histograms
from polar_monitor.statistics.windowed_histogram import WindowedHistogram

D, WINDOW, PANE_ROWS = 3, 64, 16


def rows_with_gaps(rng: np.random.Generator, n: int) -> np.ndarray:
    rows = (10.0 ** rng.integers(-3, 4, (D, 1)) * rng.normal(size=(D, n))).astype(np.float32)
    hard = rng.uniform(size=rows.shape) < 0.05
    rows[hard] = rng.choice([np.nan, np.inf, -np.inf, 0.0, 1e30, 1e-42], hard.sum())
    return rows


def assert_same(ours: WindowedHistogram, expected: WindowedHistogram) -> None:
    assert ours._rows == expected._rows
    for pane, other in zip(ours._ring, expected._ring, strict=True):
        for name, a, b in zip(Pane._fields, pane, other, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=name)
    np.testing.assert_array_equal(ours.entropy(), expected.entropy())
    for one, other in zip(ours.draw(), expected.draw(), strict=True):
        np.testing.assert_array_equal(one.counts, other.counts)
        np.testing.assert_array_equal(
            [one.left, one.width, one.low, one.high], [other.left, other.width, other.low, other.high]
        )


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 3 * WINDOW), min_size=1, max_size=6), st.booleans())
def test_late_rows_give_the_panes_of_rows_in_time(seed, pending, merged):
    rng = np.random.default_rng(seed)
    late, eager = (WindowedHistogram(D, 32, panes=4, pane_rows=PANE_ROWS) for _ in range(2))
    ring, place, skipped = np.full((D, WINDOW), 7.0, np.float32), 0, False
    if merged:  # the panes then hold more rows than they would take
        other = WindowedHistogram(D, 32, panes=4, pane_rows=PANE_ROWS)
        other.update(rows_with_gaps(rng, int(rng.integers(1, 100))))
        late.merge(other)
        eager.merge(other)
    for count in pending:
        rows = rows_with_gaps(rng, count)
        for part in np.split(rows, np.sort(rng.integers(0, count + 1, 5)), axis=1):
            eager.update(np.ascontiguousarray(part))
        for column in rows.T:
            ring[:, place] = column
            place = (place + 1) % WINDOW
        late.catch_up(ring, count, place)
        assert_same(late, eager)
        skipped |= count > WINDOW - PANE_ROWS
        assert (late.non_finite <= eager.non_finite).all()
        assert skipped or np.array_equal(late.non_finite, eager.non_finite)


def test_many_pending_rows_take_no_longer_than_a_window():
    histogram, ring = WindowedHistogram(1, panes=4, pane_rows=16), np.ones((1, 64), np.float32)
    histogram.catch_up(ring, 10**15 + 3, 5)
    assert list(histogram._rows) == [16, 16, 16, 3]
    assert histogram.finite().tolist() == [51]


def test_a_shorter_ring_gives_what_it_holds():
    rows = np.random.default_rng(0).normal(size=(2, 100)).astype(np.float32)
    histogram, expected = (WindowedHistogram(2, panes=4, pane_rows=16) for _ in range(2))
    histogram.catch_up(rows[:, -20:].copy(), 100, 0)
    expected.update(rows[:, -20:].copy())
    assert list(histogram._rows) == [16, 16, 16, 4]
    np.testing.assert_array_equal(histogram.finite(), expected.finite())


def test_a_ring_of_another_shape_or_a_window_without_panes_is_refused():
    histogram = WindowedHistogram(2, pane_rows=16)
    for x in (np.zeros((3, 64), np.float32), np.zeros((2, 64)), np.zeros((64, 2), np.float32).T):
        with pytest.raises(PolarMonitorError, match=r"shape \(2, n\)"):
            histogram.catch_up(x, 1, 0)
    with pytest.raises(PolarMonitorError, match="pane_rows"):
        WindowedHistogram(2).catch_up(np.zeros((2, 64), np.float32), 1, 0)


def test_the_histograms_of_some_dimensions_are_those_that_are_drawn_with_all_others():
    scales = 10.0 ** np.arange(-3, 4)[:, None]
    x = (np.random.default_rng(3).normal(size=(7, 900)) * scales).astype(np.float32)
    x[1, 5], x[2], x[6] = 1e9, np.nan, 0.25
    histogram = WindowedHistogram(7, bins=64)
    histogram.update(np.ascontiguousarray(x))
    everything = tuple(histogram.draw(32))
    for chosen in ((6, 1), (2,), tuple(range(7))):
        some = chosen_histograms(histogram.draw(32), chosen)
        assert len(some) == len(chosen)
        for one, j in zip(some, chosen, strict=True):
            assert one.counts.tolist() == everything[j].counts.tolist()
            assert repr(one) == repr(everything[j])
        assert list(map(repr, chosen_histograms(everything, chosen))) == list(map(repr, some))


def test_drawn_histograms_are_those_of_the_time_when_they_were_asked_for():
    histogram = WindowedHistogram(2, pane_rows=100)
    for count in (60, 100):  # one pane, then two
        histogram.update(np.zeros((2, count), np.float32))
        drawn = histogram.draw()
        before = histogram.rows
        histogram.update(np.ones((2, 30), np.float32))
        assert [one.counts.sum() for one in drawn] == [before] * 2
        assert len(drawn) == len(drawn[:]) == len(list(drawn)) == 2
        assert drawn[-1].low == drawn[1].low == 0.0
    with pytest.raises(IndexError):
        drawn[2]
