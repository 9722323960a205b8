"""Four verbs of every stream: update, merge, snapshot, reset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polar_monitor import PolarMonitorError
from polar_monitor.entropy import OnlineHistogram, OnlineMoments, SlidingWindow

Array = np.ndarray[Any, Any]
NEW: dict[str, Callable[[], Any]] = {
    "histogram": lambda: OnlineHistogram(2, bins=64),
    "histogram of a window": lambda: OnlineHistogram(2, bins=64, window=10_000),
    "moments": lambda: OnlineMoments(2),
    "window": lambda: SlidingWindow(2, rows=100),
}
each = pytest.mark.parametrize("new", NEW.values(), ids=NEW.keys())


def rows(seed: int, n: int = 300) -> Array:
    rng = np.random.default_rng(seed)
    x = rng.standard_t(2, size=(n, 2)).astype(np.float32) * np.float32(10.0) ** rng.integers(-3, 3)
    x[rng.random(x.shape) < 0.01] = np.nan
    x[rng.random(x.shape) < 0.1] = 0.5
    return x


def stream(new: Callable[[], Any], *blocks: Array) -> Any:
    made = new()
    for block in blocks:
        if isinstance(made, SlidingWindow):
            made.update(block, stamp=int(np.nansum(np.abs(block)) * 1000) % 997)  # of the block, not of its turn
        else:
            made.update(block)
    return made


def numbers(made: Any) -> list[Array]:
    shot = made.snapshot()
    values = list(shot) if isinstance(shot, tuple) else [shot.value, shot.standard_error, shot.rows, shot.non_finite]
    return [np.asarray(v) for v in values] + ([made.values()] if isinstance(made, SlidingWindow) else [])


def equal(one: Any, other: Any) -> None:
    exact = not isinstance(one, OnlineMoments)
    for a, b in zip(numbers(one), numbers(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=0 if exact else 1e-12, atol=0)


def merged(*streams: Any) -> Any:
    first = streams[0]
    for other in streams[1:]:
        first.merge(other)
    return first


@each
def test_empty_is_the_identity(new: Callable[[], Any]) -> None:
    full = stream(new, rows(1))
    equal(merged(stream(new, rows(1)), new()), full)
    equal(merged(new(), stream(new, rows(1))), full)
    for value in numbers(new())[:2]:
        assert np.isnan(value).all() or not value.any()


@each
def test_reset_forgets(new: Callable[[], Any]) -> None:
    used = stream(new, rows(1))
    used.reset()
    equal(used, new())
    used.merge(stream(new, rows(2)))
    equal(used, stream(new, rows(2)))


@each
@given(st.permutations(range(4)), st.integers(0, 1000))
def test_any_order_and_grouping(new: Callable[[], Any], order: list[int], seed: int) -> None:
    def part(i: int) -> Any:
        return stream(new, rows(seed + i, 20 + 30 * i))

    whole = merged(*(part(i) for i in range(4)))
    equal(merged(*(part(i) for i in order)), whole)
    a, b, c, d = (part(i) for i in order)
    equal(merged(merged(a, b), merged(c, d)), whole)
    equal(stream(new, *(rows(seed + i, 20 + 30 * i) for i in order)), whole)


@each
def test_merging_leaves_the_other_as_it_was(new: Callable[[], Any]) -> None:
    other = stream(new, rows(3))
    target = stream(new, rows(2))
    target.merge(other)
    target.update(rows(4))
    equal(other, stream(new, rows(3)))


@each
def test_updates_may_be_split_anywhere(new: Callable[[], Any]) -> None:
    x = rows(5)
    one, other = new(), new()
    one.update(x)
    for part in np.split(x, [1, 2, 130, 131]):
        other.update(part)
    equal(one, other)


@each
def test_what_is_refused(new: Callable[[], Any]) -> None:
    made = new()
    with pytest.raises(PolarMonitorError, match=r"shape \(n, 2\), got \(n, 3\)"):
        made.update(np.zeros((5, 3)))
    with pytest.raises(PolarMonitorError, match="merge: expected"):
        made.merge(type(made)(3))
    with pytest.raises(PolarMonitorError, match="merge: expected"):
        made.merge(None)
    for bad in (0, 2.5, "3", None):
        with pytest.raises(PolarMonitorError, match="dimensions: expected a whole number"):
            type(made)(bad)
    equal(made, new())


@each
def test_merging_with_oneself_counts_twice(new: Callable[[], Any]) -> None:
    made = stream(new, rows(1))
    made.merge(made)
    equal(made, merged(stream(new, rows(1)), stream(new, rows(1))))


def test_streams_split_evenly_merge_to_the_same_window() -> None:
    """Panes roll by the rows of each stream: a quarter of 100 rows in each of four is one of 400."""
    x = rows(7, 4000)
    whole = OnlineHistogram(2, bins=64, window=1600)
    parts = [OnlineHistogram(2, bins=64, window=400) for _ in range(4)]
    for start in range(0, 4000, 400):
        whole.update(x[start : start + 400])
        for i, part in enumerate(parts):
            part.update(x[start + 100 * i : start + 100 * (i + 1)])
    together = merged(*parts)
    assert together.snapshot().rows.sum() > 0
    np.testing.assert_array_equal(together.snapshot().rows, whole.snapshot().rows)
    np.testing.assert_array_equal(together.snapshot().value, whole.snapshot().value)


@pytest.mark.parametrize("per", [1, 128, 4096])
def test_the_error_does_not_depend_on_how_many_rows_share_a_stamp(per: int) -> None:
    x = np.random.default_rng(0).normal(size=(4096, 3))
    window = SlidingWindow(3, rows=4096)
    for stamp, block in enumerate(np.split(x, 4096 // per)):
        window.update(block, stamp=stamp)
    np.testing.assert_allclose(window.snapshot().standard_error, 0.0117, rtol=0.15)


def test_moments_are_those_of_all_rows() -> None:
    x = rows(1) * 1e-3 + 1e4
    shot = stream(NEW["moments"], *np.array_split(x.astype(np.float64), 5)).snapshot()
    x = x.astype(np.float64)
    np.testing.assert_array_equal(shot.rows, np.isfinite(x).sum(axis=0))
    np.testing.assert_allclose(shot.mean, np.nanmean(x, axis=0), rtol=1e-14)
    np.testing.assert_allclose(shot.variance, np.nanvar(x, axis=0), rtol=1e-9)


def test_a_window_holds_its_newest_rows() -> None:
    window = SlidingWindow(1, rows=50)
    for start in range(0, 10_000, 77):
        window.update(np.arange(start, start + 77.0))
    last = window.values().ravel()
    np.testing.assert_array_equal(last, np.arange(last[-1] - 49, last[-1] + 1))
    assert window.seen == 10_010


def test_a_histogram_of_a_window_forgets() -> None:
    histogram = OnlineHistogram(1, window=4000)
    rng = np.random.default_rng(0)
    for scale in (1.0, 1e6, 1e-3):
        for _ in range(50):
            histogram.update(scale * rng.uniform(size=100))
    assert float(histogram.snapshot()) == pytest.approx(np.log(1e-3), abs=0.05)
    assert histogram.snapshot().rows[0] <= 4000
