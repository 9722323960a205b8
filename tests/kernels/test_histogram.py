"""The online histogram against its slow twin, and what it promises: exactness, recovery, coverage."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import histogram as slow

from polar_monitor.errors import PolarMonitorError
from polar_monitor.kernels import histogram as kernels
from polar_monitor.kernels.histogram import EXTREMES
from polar_monitor.statistics.drawn_histograms import Pane
from polar_monitor.statistics.windowed_histogram import WindowedHistogram

GAUSS = 0.5 * math.log(2 * math.pi * math.e)
ANY = st.floats(width=32, allow_nan=True, allow_infinity=True, allow_subnormal=True)
NEAR = st.floats(-4, 4, width=32)
FEW = st.lists(st.one_of(NEAR, NEAR, NEAR, st.sampled_from([-1e30, -40.0, 70.0, 1e20])), min_size=8, max_size=40)
TIED = st.sampled_from([0.0, -0.0, 1.0, 1.5, -2.0, 1e30, 1e-40])
VALUES = st.lists(st.one_of(ANY, NEAR, TIED), max_size=120) | st.lists(NEAR, max_size=120)


def window(histogram: WindowedHistogram) -> Pane:
    return histogram._window()


def assert_same(ours: Pane, expected: Pane) -> None:
    for name, a, b in zip(Pane._fields, ours, expected, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


def filled(x, **options) -> WindowedHistogram:
    histogram = WindowedHistogram(len(x), **options)
    histogram.update(np.ascontiguousarray(x, dtype=np.float32))
    return histogram


def drawn(histogram: WindowedHistogram, max_bins: int = 64) -> list[tuple]:
    return [(one.left, one.width, one.counts, one.low, one.high) for one in histogram.draw(max_bins)]


def values_as_float32(values) -> list[float]:
    return np.array(values, np.float32).tolist()


def stream_of_scales(dimensions=2, blocks=200, rows=16, seed=0):
    rng = np.random.default_rng(seed)
    scales = 10.0 ** rng.uniform(-6, 6, (blocks, dimensions, 1))
    found = (scales * rng.normal(size=(blocks, dimensions, rows))).astype(np.float32)
    found[rng.uniform(size=found.shape) < 0.002] = np.nan
    return found


@given(VALUES, st.sampled_from([2, 8, 64]), st.integers(0, 120))
def test_state_is_the_slow_twins(values, bins, cut):
    x = np.array([values], np.float32)
    histogram = WindowedHistogram(1, bins)
    for part in (x[:, :cut], x[:, cut:]):
        histogram.update(np.ascontiguousarray(part))
    expected = slow.state(x[0].tolist(), bins, EXTREMES)
    for name, ours in zip(Pane._fields, window(histogram), strict=True):
        ours = ours[:, 0] if name == "tallies" else ours[0]
        np.testing.assert_array_equal(ours, expected[name], err_msg=name)
    tallies, used = expected["tallies"], min(int(expected["tallies"][0]), 2 * EXTREMES)
    assert window(histogram).counts.sum() + used + tallies[1:].sum() == len(values)


LARGEST = float(np.finfo(np.float32).max)


@pytest.mark.parametrize("n", [230, 600, 1500])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("ends", [(9.0,), (-9.0,), (-9.0, 9.0), (LARGEST, -LARGEST), (np.inf,), (np.inf, LARGEST, 0.0)])
def test_atoms_at_an_end_are_the_slow_twins(ends, share, n):
    rng = np.random.default_rng(n)
    x = rng.normal(size=(1, n)).astype(np.float32)
    atom = rng.random(n) < share
    x[0, atom] = rng.choice(np.array(ends, np.float32), atom.sum())
    histogram, cut = WindowedHistogram(1, 64), n // 5
    for part in (x[:, cut:], x[:, :cut]):
        histogram.update(np.ascontiguousarray(part))
    expected = slow.state(x[0].tolist(), 64, EXTREMES)
    for name, ours in zip(Pane._fields, window(histogram), strict=True):
        np.testing.assert_array_equal(ours[:, 0] if name == "tallies" else ours[0], expected[name], err_msg=name)


def test_any_order_split_and_merge_gives_the_same_bits():
    blocks = stream_of_scales()
    rows = np.concatenate(blocks, axis=1)
    expected = window(filled(rows))
    for seed in range(20):
        rng = np.random.default_rng(seed)
        order = np.ascontiguousarray(rows[:, rng.permutation(rows.shape[1])])
        parts = np.split(order, np.sort(rng.integers(0, rows.shape[1], 30)), axis=1)
        streamed, merged = WindowedHistogram(2), WindowedHistogram(2)
        groups = [WindowedHistogram(2) for _ in range(4)]
        for part in parts:
            streamed.update(np.ascontiguousarray(part))
            groups[rng.integers(4)].update(np.ascontiguousarray(part))
        for group in groups:
            merged.merge(group)
        assert_same(window(streamed), expected)
        assert_same(window(merged), expected)


HARD = np.array([np.nan, np.inf, -np.inf, 1e-45, -1e-45, 1e-40, -0.0, 0.0, 1.0, 1.0, -2.0, 3.4028235e38, -3.4028235e38])


@given(st.data())
def test_every_split_order_layout_and_number_of_ranks_gives_the_same_bits(data):
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    n, dimensions, bins = rng.integers(1, 700), rng.choice([1, 2, 3, 33, 130, 257]), rng.choice([2, 16, 512])
    exponents = rng.integers(*data.draw(st.sampled_from([(0, 1), (-3, 4), (-44, 38)])), (1, dimensions))
    rows = (10.0**exponents * rng.normal(size=(n, dimensions))).astype(np.float32)
    hard = rng.uniform(size=rows.shape) < data.draw(st.sampled_from([0, 0.003, 0.2]))
    rows[hard] = rng.choice(HARD[: rng.integers(1, len(HARD) + 1)], hard.sum())

    ranks = [WindowedHistogram(dimensions, bins) for _ in range(data.draw(st.integers(1, 4)))]
    order = rows[rng.permutation(n)]
    for part in np.split(order, np.sort(rng.integers(0, n + 1, data.draw(st.integers(0, 20))))):
        rank = ranks[rng.integers(len(ranks))]
        if rng.integers(2):
            rank.update_rows(part)
        else:
            before = int(rng.integers(3))
            padded = np.full((dimensions, before + len(part) + 2), 7.0, np.float32)
            padded[:, before : before + len(part)] = part.T
            rank.update(padded, before, before + len(part))
    together = WindowedHistogram(dimensions, bins)
    for rank in ranks:
        together.merge(rank)

    pane = window(together)
    for d in rng.permutation(dimensions)[:3]:
        expected = slow.state(rows[:, d].tolist(), int(bins), EXTREMES)
        for name, ours in zip(Pane._fields, pane, strict=True):
            np.testing.assert_array_equal(ours[:, d] if name == "tallies" else ours[d], expected[name], err_msg=name)
    assert_same(pane, window(filled(rows.T, bins=int(bins))))


@pytest.mark.parametrize("exponent", [20, 0, -40])
def test_what_lies_below_the_bins_resolution_keeps_its_sign(exponent):
    rng = np.random.default_rng(0)
    rows = (10.0**exponent * rng.normal(size=(4000, 1))).astype(np.float32)
    rows[2000::2], rows[2001::2] = -1e-45, 1e-45
    panes = WindowedHistogram(1, 8)
    panes.update_rows(rows)
    for name, ours in zip(Pane._fields, window(panes), strict=True):
        expected = slow.state(rows[:, 0].tolist(), 8, EXTREMES)[name]
        np.testing.assert_array_equal(ours[:, 0] if name == "tallies" else ours[0], expected, err_msg=name)


@given(VALUES | FEW, st.sampled_from([2, 8, 64]))
def test_laid_out_counts_are_the_slow_twins(values, bins):
    pane = window(filled([values], bins=bins))
    ordered, frame = np.full((1, 4 * bins), -7), np.empty((1, 6))
    kernels.ordered_counts(*pane, ordered, frame)
    expected_counts, expected = slow.ordered_counts(values_as_float32(values), bins, EXTREMES)
    np.testing.assert_array_equal(frame[0], expected)
    np.testing.assert_array_equal(ordered[0], expected_counts + [-7] * (4 * bins - len(expected_counts)))


def test_blocks_and_panes_do_not_depend_on_the_split():
    rows = np.concatenate(stream_of_scales(), axis=1)
    whole = filled(rows, panes=3, pane_rows=250)
    pieces = WindowedHistogram(2, panes=3, pane_rows=250)
    for part in np.split(rows, np.sort(np.random.default_rng(0).integers(0, rows.shape[1], 40)), axis=1):
        pieces.update(np.ascontiguousarray(part))
    assert whole.rows == pieces.rows == 500 + (3200 - 1) % 250 + 1
    for ours, theirs in zip(whole._ring, pieces._ring, strict=True):
        assert_same(ours, theirs)
    np.testing.assert_array_equal(whole.non_finite, pieces.non_finite)
    np.testing.assert_array_equal(whole.non_finite[0], np.isnan(rows).sum(axis=1))


def test_without_forgetting_the_counts_are_those_of_the_final_grid():
    rows = np.concatenate(stream_of_scales(dimensions=1), axis=1)
    pane = window(filled(rows, panes=1))
    values = np.sort(rows[np.isfinite(rows)].astype(np.float64))[EXTREMES:-EXTREMES]
    j = np.floor(np.ldexp(values, -int(pane.exponent[0]))).astype(np.int64)
    np.testing.assert_array_equal(pane.counts[0], np.bincount(j % 512, minlength=512))


def test_the_window_is_the_last_panes():
    rows = np.random.default_rng(0).normal(size=(3, 1000)).astype(np.float32)
    histogram = filled(rows, panes=4, pane_rows=100)
    assert_same(window(histogram), window(filled(rows[:, 600:])))


def test_follows_a_distribution_through_six_orders_of_magnitude_and_back():
    rng = np.random.default_rng(0)
    exponents = np.concatenate([np.linspace(-3, 3, 60), np.linspace(3, -3, 60), np.full(4, -3.0)])
    histogram = WindowedHistogram(4, panes=4, pane_rows=1024)
    scales: list[float] = []
    for k, exponent in enumerate(exponents):
        histogram.update((10.0**exponent * rng.normal(size=(4, 1024))).astype(np.float32))
        scales.append(10.0**exponent)
        if k % 15 == 3 or k == len(exponents) - 1:
            # the truth: a mixture of the last four scales, by quadrature
            mixed = np.array(scales[-4:])
            grid = np.linspace(-9 * mixed.max(), 9 * mixed.max(), 40001)
            density = np.exp(-0.5 * (grid[:, None] / mixed) ** 2) / mixed / math.sqrt(2 * math.pi)
            density = np.maximum(density.mean(axis=1), 1e-300)
            truth = -np.sum(density * np.log(density)) * (grid[1] - grid[0])
            assert np.abs(histogram.entropy()[0].mean() - truth) < 0.05


@pytest.mark.parametrize("n", [4096, 16384])
@pytest.mark.parametrize("name", ["gaussian", "uniform", "laplace"])
def test_the_interval_covers(name, n):
    rng = np.random.default_rng(1)
    draw, truth = {
        "gaussian": (rng.normal, GAUSS),
        "uniform": (lambda size: rng.uniform(-0.31, 0.7, size), math.log(1.01)),
        "laplace": (lambda size: rng.laplace(0, 1, size), 1 + math.log(2)),
    }[name]
    value, error = filled(draw(size=(200, n))).entropy()[:2]
    assert 0.9 <= np.mean(np.abs(value - truth) <= 1.96 * error) <= 0.995
    assert abs(value.mean() - truth) < 0.005


def bfloat16(x):
    bits = x.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def test_hard_cases():
    rng = np.random.default_rng(2)
    gauss = rng.normal(size=(40, 10000))
    outlier, hole = gauss.copy(), gauss.copy()
    outlier[:, 17], hole[:, 3], hole[:, 4] = 1e30, np.nan, np.inf
    cases = {
        "bfloat16": (bfloat16(gauss), GAUSS),
        "bfloat16 far from zero": (bfloat16(1 + 0.05 * gauss), GAUSS + math.log(0.05)),
        "narrow and far": (10 + 1e-4 * gauss, GAUSS + math.log(1e-4)),
        "one value of 1e30": (outlier, GAUSS),
        "NaN and inf": (hole, GAUSS),
        "two clusters": (np.sign(gauss) + 0.05 * rng.normal(size=gauss.shape), GAUSS + math.log(0.1)),
    }
    for name, (x, truth) in cases.items():
        assert abs(filled(x).entropy()[0].mean() - truth) < 0.02, name


def test_outliers_are_flagged_and_do_not_coarsen_the_bins():
    x = np.random.default_rng(3).normal(size=(2, 4096)).astype(np.float32)
    clean = window(filled(x)).exponent
    x[0, 100], x[0, 200] = 1e30, -1e20
    histogram = filled(x)
    assert histogram.outliers().tolist() == [2, 0]
    assert window(histogram).exponent.tolist() == clean.tolist()
    left, width, counts, low, high = drawn(histogram)[0]
    assert (low, high, counts.sum()) == (-float(np.float32(1e20)), float(np.float32(1e30)), 4094)
    assert left > -10
    assert left + width * len(counts) < 10


@pytest.mark.parametrize("n", [255, 256, 5000])
def test_outliers_are_those_of_the_sorted_values(n):
    x = np.random.default_rng(n).standard_cauchy(size=(30, n)).astype(np.float32) ** 3
    histogram, found = filled(x), []
    for row, one in zip(np.sort(x.astype(np.float64)), histogram.draw(), strict=True):
        low, high = row[EXTREMES], row[-EXTREMES - 1]
        out = (row < low - 16 * (high - low)) | (row > high + 16 * (high - low))
        found.append(int(out.sum()) if n >= 256 else 0)
        assert one.counts.sum() == n - found[-1]
    assert histogram.outliers().tolist() == found
    assert any(found) == (n >= 256)


@pytest.mark.parametrize("n", [10, 12, 17, 30, 100, 255])
@pytest.mark.parametrize("far", [(), (1e30,), (-1e30,), (1e30, 1e25, -1e30, -200.0)])
def test_of_few_values_the_far_ones_are_left_out_and_counted(n, far):
    x = np.random.default_rng(0).normal(size=(40, n))
    x[:, 1 : len(far) + 1] = far
    found = filled(x).entropy()
    assert (found.far >= len(far)).all()
    assert (found.far == len(far)).mean() >= (0.8 if n == 10 else 1.0)
    if len(far) <= 1:
        assert (np.abs(found.value - GAUSS) <= 1.96 * found.standard_error).mean() >= 0.8


def test_values_that_are_too_many_to_be_outliers_are_not_taken_for_a_law():
    x = np.random.default_rng(0).normal(size=(20, 2000))
    x[:, :9] = 1e30
    many = filled(x).entropy()
    few = filled(np.c_[x[:, :4], x[:, 100:196]]).entropy()
    assert many.coarse.all()
    assert few.coarse.all()
    assert filled(x[:, 1:]).entropy().far.tolist() == [8] * 20


@pytest.mark.parametrize("change", ["update", "roll", "merge", "reset", "load_state_dict"])
def test_what_was_asked_before_a_change_is_forgotten(change):
    rng = np.random.default_rng(0)
    ours, other = (filled(rng.normal(size=(2, 700)), pane_rows=300) for _ in range(2))
    for panes in range(2):  # one pane is not merged, several are
        ours.entropy()
        argument = {"update": rng.normal(size=(2, 400)).astype(np.float32), "merge": other}
        argument["load_state_dict"] = other.state_dict()
        getattr(ours, change)(*([argument[change]] if change in argument else []))
        fresh = WindowedHistogram(2, pane_rows=300)
        fresh.load_state_dict(ours.state_dict())
        assert_same(window(ours), window(fresh))
        np.testing.assert_array_equal(ours.entropy(), fresh.entropy())
        assert len(ours._ring) > panes or change == "reset"


@pytest.mark.parametrize("value", [0.0, 1.0, -3.7, 1e-42, 3e38])
@pytest.mark.parametrize("n", [1, 5, 600])
def test_a_constant_has_the_entropy_of_its_rounding_cell(value, n):
    value = np.float32(value)
    entropy, error = filled(np.full((1, n), value)).entropy()[:2]
    assert entropy[0] == pytest.approx(math.log(np.spacing(np.abs(value)).astype(np.float64)), rel=1e-12)
    assert error[0] == 0


def test_nothing_finite_is_nan():
    histogram = WindowedHistogram(2)
    assert np.isnan(histogram.entropy()[:3]).all()
    histogram.update(np.full((2, 3), np.nan, np.float32))
    histogram.update(np.zeros((2, 0), np.float32))
    assert np.isnan(histogram.entropy()[:3]).all()
    left, width, counts, low, high = drawn(histogram)[1]
    assert np.isnan([left, width, low, high]).all()
    assert counts.size == 0
    assert histogram.non_finite.tolist() == [[3, 3], [0, 0], [0, 0]]


@given(VALUES, st.sampled_from([2, 7, 64]))
def test_drawn_counts_are_numpys(values, max_bins):
    x = np.array([values], np.float32)
    finite = x[np.isfinite(x)].astype(np.float64)
    left, width, counts, low, high = drawn(filled(x), max_bins)[0]
    if not finite.size:
        assert counts.size == 0
        return
    assert (low, high) == (finite.min(), finite.max())
    assert 1 <= len(counts) <= max_bins
    scaled = np.floor(finite / width) - left / width
    np.testing.assert_array_equal(counts, np.bincount(scaled.astype(np.int64), minlength=len(counts)))


def test_state_goes_round():
    rows = np.concatenate(stream_of_scales(), axis=1)
    first, second = WindowedHistogram(2, pane_rows=300), WindowedHistogram(2, pane_rows=300)
    first.update(np.ascontiguousarray(rows[:, :1500]))
    second.load_state_dict(first.state_dict())
    for histogram in (first, second):
        histogram.update(np.ascontiguousarray(rows[:, 1500:]))
    for ours, theirs in zip(first._ring, second._ring, strict=True):
        assert_same(ours, theirs)
    assert first._rows == second._rows
    np.testing.assert_array_equal(first.non_finite, second.non_finite)


def test_saved_state_is_a_copy_and_reset_forgets():
    histogram = filled(np.ones((2, 40)))
    state = histogram.state_dict()
    histogram.update(np.zeros((2, 40), np.float32))
    histogram.reset()
    assert_same(window(histogram), window(WindowedHistogram(2)))
    histogram.load_state_dict(state)
    assert_same(window(histogram), window(filled(np.ones((2, 40)))))
    assert state["counts"].shape == (1, 2, 512)


def test_empty_is_the_identity_of_merge():
    rows = np.concatenate(stream_of_scales(), axis=1)
    histogram, empty = filled(rows, pane_rows=1000), WindowedHistogram(2, pane_rows=1000)
    before = [Pane._make(map(np.copy, pane)) for pane in histogram._ring]
    histogram.merge(WindowedHistogram(2, pane_rows=1000))
    empty.merge(histogram)
    for pane, same, other in zip(before, histogram._ring, empty._ring, strict=True):
        assert_same(same, pane)
        assert_same(other, pane)
    assert empty.rows == histogram.rows


@pytest.mark.parametrize(
    "options", [{"dimensions": 0}, {"bins": 100}, {"bins": 1}, {"bins": 2**17}, {"panes": 0}, {"pane_rows": 0}]
)
def test_bad_options_are_refused(options):
    with pytest.raises(PolarMonitorError, match=next(iter(options))):
        WindowedHistogram(**({"dimensions": 2} | options))


def test_other_shapes_and_grids_are_refused():
    histogram = WindowedHistogram(2)
    for x in (np.zeros((3, 4), np.float32), np.zeros((2, 4)), np.zeros((4, 2), np.float32).T, np.zeros(2, np.float32)):
        with pytest.raises(PolarMonitorError, match=r"shape \(2, n\)"):
            histogram.update(x)
    for x in (np.zeros((4, 3), np.float32), np.zeros((4, 2)), np.zeros(2, np.float32)):
        with pytest.raises(PolarMonitorError, match=r"shape \(n, 2\)"):
            histogram.update_rows(x)
    for other in (WindowedHistogram(3), WindowedHistogram(2, bins=64), WindowedHistogram(2, panes=2)):
        with pytest.raises(PolarMonitorError, match=r"= \(2, 512, 4\), got"):
            histogram.merge(other)
        with pytest.raises(PolarMonitorError, match=r"= \(2, 512, 4\), got"):
            histogram.load_state_dict(other.state_dict())
    with pytest.raises(PolarMonitorError, match="max_bins"):
        histogram.draw(1)
