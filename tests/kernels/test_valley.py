"""The valley between two kinds of inputs: against its slow twin, on known laws, and where there is none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.valley import slow, slow_upper_kind

from bench.regimes.scoring import laws
from polar_monitor.kernels.valley import BINS, CENTRE, _bins, valley
from polar_monitor.regime.information import MIXED_UPPER, MIXED_VALLEY, Z_VALLEY

ALONE = np.zeros(0, np.int32)


def table(mean, variance, cluster=ALONE, share=0.05):
    """mean, variance: (D, n)."""
    mean, variance = np.ascontiguousarray(mean, np.float32), np.ascontiguousarray(variance, np.float32)
    fine = np.isfinite(mean) & np.isfinite(variance) & (variance > 0)
    total = np.full(len(mean), np.nan)
    for d in np.flatnonzero(fine.any(axis=1)):
        total[d] = mean[d, fine[d]].astype(float).var() + variance[d, fine[d]].astype(float).mean()
    return valley(mean, variance, total, np.asarray(cluster, np.int32), share, np.arange(len(mean)))


def two_kinds(share, n, dimensions=100, spread=0.0, sharp=0.02, seed=0):
    """Means and variances (D, n): `share` of the rows have σ² = sharp, the others 0.99, times lognormal noise."""
    rng = np.random.default_rng(seed)
    used = rng.random((dimensions, n)) < share
    noise = np.exp(spread * rng.normal(size=used.shape) - spread**2 / 2)
    return np.where(used, 1.0, 0.05) * rng.normal(size=used.shape), np.where(used, sharp, 0.99) * noise


def surely(mean, variance):
    depth, error, *_ = table(mean, variance)
    return depth + Z_VALLEY * error <= MIXED_VALLEY


@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.integers(1, 5), st.floats(0.0, 0.2))
def test_matches_the_slow_twin(seed, n, size, share):
    rng = np.random.default_rng(seed)
    mean, kind = rng.normal(size=(3, n)), rng.random((3, n)) < 0.4
    variance = np.where(kind, 0.03, 1.0) * np.exp(rng.uniform(0, 1.5) * rng.normal(size=(3, n)))
    for rows in (mean[0], variance[1]):
        rows[rng.random(n) < 0.2] = rng.choice([np.nan, np.inf, -np.inf])
    cluster = np.arange(n, dtype=np.int64) // size
    found = table(mean, variance, ALONE if size == 1 else cluster, share)
    mean, variance = mean.astype(np.float32), variance.astype(np.float32)
    for d in range(3):
        expected = *slow(mean[d], variance[d], cluster, share), *slow_upper_kind(mean[d], variance[d], cluster, share)
        np.testing.assert_allclose([x[d] for x in found], expected, rtol=1e-9)


@pytest.mark.parametrize("size", [1, 7])
def test_many_rows_match_the_slow_twin(size):
    mean, variance = two_kinds(0.2, 3000, 3, 0.5)
    variance[1] = np.exp(3.0 * np.random.default_rng(1).normal(size=3000))  # reaches both ends of the histogram
    cluster = np.arange(3000) // size
    found = table(mean, variance, ALONE if size == 1 else cluster)
    mean, variance = mean.astype(np.float32), variance.astype(np.float32)
    for d in range(3):
        expected = *slow(mean[d], variance[d], cluster, 0.05), *slow_upper_kind(mean[d], variance[d], cluster, 0.05)
        np.testing.assert_allclose([x[d] for x in found], expected, rtol=1e-9)


def test_extreme_variances_match_the_slow_twin():
    rng = np.random.default_rng(3)
    variance = np.exp(np.clip(8.0 * rng.standard_cauchy((4, 500)), -80, 80)).astype(np.float32)
    variance[0, :4], mean = [np.nan, np.inf, 0.0, -1.0], np.ones((4, 500), np.float32)
    mean[0, 4], cluster = np.nan, np.arange(500) // 3
    found = table(mean, variance, cluster)
    for d in range(4):
        expected = *slow(mean[d], variance[d], cluster, 0.05), *slow_upper_kind(mean[d], variance[d], cluster, 0.05)
        np.testing.assert_allclose(found[:, d], expected, rtol=1e-9)


def test_two_apart_have_nothing_between():
    depth, error, *_ = table(*two_kinds(0.3, 1000))
    assert (depth == 0).all()
    assert ((error > 0) & (error < 0.01)).all()  # no row there does not prove that there can be none


def test_a_known_valley():
    """300 rows at T / 8, 600 at T, and 30 in each bin between, with T given: windows of 360, 90 and 600 rows."""
    rows = np.repeat(2.0 ** (np.arange(-12, 1) / 4), [300, *[30] * 11, 600])[None]
    rows = rows.astype(np.float32)
    depth, error, *_ = valley(np.zeros_like(rows), rows, np.ones(1), ALONE, 0.05, np.arange(1))
    assert depth[0] == pytest.approx(90 / 360)
    assert error[0] == pytest.approx(np.sqrt(90 + 1 + 90**2 / 360) / 360)


@pytest.mark.parametrize("scale", [1e-8, 3e-4, 7.0, 1e9])
def test_the_scale_of_a_dimension_is_nothing(scale):
    mean, variance = two_kinds(0.2, 2048, 20, 0.4)
    before, after = table(mean, variance), table(np.sqrt(scale) * mean, scale * variance)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(other, one, atol=0.02)  # a row on the edge of a bin may fall on its other side


def test_a_cluster_of_one_is_a_row():
    rows = two_kinds(0.3, 1500, 20, 0.8)
    for one, other in zip(table(*rows), table(*rows, np.arange(1500)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_copies_of_a_row_add_no_certainty():
    mean, variance = two_kinds(0.3, 600, 20, 0.8)
    copies = (np.repeat(x, 9, axis=1) for x in (mean, variance))
    for one, other in zip(table(mean, variance), table(*copies, np.repeat(np.arange(600), 9)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


ONE_PEAK = {
    f"lognormal, mean {m:g}, log-sd {w:g}": laws.gaussian(m, w)
    for m in (0.2, 0.4, 0.6, 0.8)
    for w in (0.3, 0.5, 0.7, 0.9, 1.0)
} | {
    "uniform": laws.broad("uniform", 0.5),
    "exponential": laws.broad("exponential", 0.4),
    "log-uniform": laws.broad("log-uniform", 0.5),
    "skewed to small σ²": laws.broad("skewed down", 0.6),
    "skewed to large σ²": laws.broad("skewed up", 0.6),
}


@pytest.mark.parametrize("law", ONE_PEAK)
@pytest.mark.parametrize("n", [512, 4096])
def test_one_peak_however_broad_is_one_kind(law, n):
    mean, variance = ONE_PEAK[law](np.random.default_rng(0), n, 200)
    assert surely(mean.T, variance.T).sum() <= 2


@pytest.mark.parametrize("sharp", [0.02, 0.1])
@pytest.mark.parametrize("spread", [0.0, 0.3])
@pytest.mark.parametrize(("share", "n"), [(0.07, 4096), (0.1, 1024), (0.5, 512), (0.9, 1024)])
def test_two_kinds_are_detected(share, n, spread, sharp):
    assert surely(*two_kinds(share, n, spread=spread, sharp=sharp)).mean() >= 0.95


def test_a_kind_of_too_few_is_none():
    depth, _, upper, _ = table(*two_kinds(0.02, 4096))
    assert np.isnan(upper).all()
    assert (depth == 1).all()


def test_nothing_finite_and_one_row_are_not_known():
    none = table(np.full((1, 5), np.nan), np.ones((1, 5)))
    assert np.isnan(none).all()
    assert np.isnan(table(np.zeros((2, 0)), np.ones((2, 0)))).all()
    depth, error, *_ = table(np.zeros((1, 1)), np.ones((1, 1)))
    assert depth[0] == 1
    assert np.isnan(error[0])


@pytest.mark.parametrize("size", [1, 3])
def test_dimensions_are_looked_at_one_by_one(size):
    mean, variance = (x.astype(np.float32) for x in two_kinds(0.3, 900, 5, 0.5))
    mean[3, 7] = np.nan
    cluster = ALONE if size == 1 else np.arange(900, dtype=np.int32) // size
    several = mean, variance, np.ones(5), cluster, 0.05
    some = np.array([3, 0])
    np.testing.assert_array_equal(valley(*several, some), valley(*several, np.arange(5))[:, some])
    assert valley(*several, some[:0]).shape == (4, 0)


def by_design(n, share=0.5, low=(0.02, 0.04), high=(0.59, 0.64), dimensions=100, strays=0.0, seed=0):
    """Means and variances (D, n) with V + E = 1: σ² in `low` for a share of the rows, in `high` for the others."""
    rng = np.random.default_rng(seed)
    shape = (dimensions, n)
    used = rng.random(shape) < share
    variance = np.where(used, rng.uniform(*low, shape), rng.uniform(*high, shape))
    stray = rng.random(shape) < strays
    variance = np.where(stray, np.exp(rng.uniform(np.log(low[0]), np.log(high[1]), shape)), variance)
    expected = share * np.mean(low) + (1 - share) * np.mean(high)
    return np.sqrt(1 - expected) * rng.normal(size=shape), variance


@pytest.mark.parametrize("strays", [0.0, 0.01])
@pytest.mark.parametrize(("n", "share"), [(1024, 0.5), (4096, 0.1), (4096, 0.9)])
def test_a_nearly_empty_valley_counts_wherever_it_lies(n, share, strays):
    _, _, upper, error = table(*by_design(n, share, strays=strays))
    assert upper == pytest.approx(np.full(100, 0.615), abs=0.1)
    assert (upper - 1.96 * error >= MIXED_UPPER).mean() >= 0.98
    _, _, upper, error = table(*by_design(n, share, (0.005, 0.01), (0.15, 0.3), strays=strays))
    assert (upper + 1.96 * error < MIXED_UPPER).all()


def test_a_valley_that_is_narrow_or_holds_rows_is_no_gap():
    for low, high, strays in (((0.2, 0.25), (0.6, 0.65), 0.0), ((0.02, 0.04), (0.6, 0.65), 0.2)):
        assert np.isnan(table(*by_design(4096, 0.5, low, high, strays=strays))[2]).all()


def test_the_upper_kind_is_above_the_uppermost_gap():
    rng = np.random.default_rng(5)
    kind, shape = rng.integers(0, 3, (50, 3000)), (50, 3000)
    variance = np.array([0.003, 0.05, 0.8])[kind] * rng.uniform(0.9, 1.1, shape)
    mean = np.sqrt(1 - 0.853 / 3) * rng.normal(size=shape)
    assert table(mean, variance)[2] == pytest.approx(np.full(50, 0.8), abs=0.1)


@pytest.mark.parametrize("law", ONE_PEAK)
@pytest.mark.parametrize("n", [512, 4096])
def test_one_peak_has_no_gap(law, n):
    mean, variance = ONE_PEAK[law](np.random.default_rng(0), n, 200)
    assert np.isnan(table(mean.T, variance.T)[2]).all()


@pytest.mark.parametrize("size", [1, 4])
def test_the_error_of_the_upper_kind_is_honest(size):
    mean, variance = by_design(1024, 0.5, dimensions=400)
    mean, variance = (np.repeat(x, size, axis=1) for x in (mean, variance))
    _, _, upper, error = table(mean, variance, ALONE if size == 1 else np.arange(1024 * size) // size)
    assert 0.9 <= np.std((upper - upper.mean()) / error) <= 1.1


def test_the_bins_are_those_of_the_quotient_in_double_precision():
    """Beside the edges too: there a bin is decided by the float32 number itself."""
    rng = np.random.default_rng(6)
    for total in (1.0, 0.7, 1e-9, 3e12, 2.0 ** (3 / 8)):
        edges = total * 2.0 ** ((np.arange(-60, 20) - 0.5) / 4)
        rows = np.concatenate([edges * (1 + 1e-6), edges * (1 - 1e-6), total * 2.0 ** rng.uniform(-15, 4, 400)])
        rows = rows.astype(np.float32)
        expected = np.clip(np.floor(4 * np.log2(rows.astype(np.float64) / total) + 0.5) + CENTRE, 0, BINS - 1)
        place = np.empty(len(rows), np.int32)
        _bins.py_func(np.zeros_like(rows), rows.view(np.int32), total, place)
        np.testing.assert_array_equal(place, expected)
