"""The one-dimensional entropy against brute force, and against closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from reference.knn_1d import brute, entropy_of_ranks, plan
from reference.knn_1d import entropy as textbook
from scipy import special

from polar_monitor.kernels import knn_1d

EULER = 0.5772156649015329


def bfloat16(x):
    """Rounded to nearest, ties to even, as torch does."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    bits = bits + 0x7FFF + ((bits >> 16) & 1)
    return (bits & 0xFFFF0000).view(np.float32)


def rows(*many):
    return np.ascontiguousarray(np.stack(many), np.float32)


@given(
    arrays(
        np.float32, st.integers(2, 60), elements=st.floats(width=32, allow_nan=False, allow_infinity=False), unique=True
    ),
    st.integers(1, 40),
)
def test_distances_are_those_of_brute_force(x, k):
    k = min(k, len(x) - 1)
    x = np.where(x == 0, np.float32(0.5), x)  # 0.0 and −0.0 are a tie
    if len(np.unique(x)) < len(x):
        return
    found, sums, centred = knn_1d.terms(x[None, :], k, 23, False, True)
    logs = np.log(2 * brute(x.astype(np.float64), k)) + special.digamma(len(x)) - special.digamma(k)
    assert sums[0, 0] == pytest.approx(logs.mean(), rel=1e-12, abs=1e-12)
    assert sums[0, 1] == pytest.approx(logs.var(), rel=1e-9, abs=1e-9)
    np.testing.assert_allclose(centred[0], logs - logs.mean(), rtol=1e-6, atol=1e-4)
    assert list(found[0, :4]) == [0, 0, len(x), len(x)]


@pytest.mark.parametrize(("n", "k"), [(11, 10), (12, 10), (100, 10), (100, 40), (2049, 10), (2049, 15), (2049, 300)])
@pytest.mark.parametrize("offset", [0.0, -50.0, 1e6])
def test_the_value_is_the_textbooks(n, k, offset):
    x = rows(np.random.default_rng(n).normal(size=n) * max(abs(offset), 1.0) + offset)
    value, error, ties = knn_1d.entropy(x, k=k)
    assert value[0] == pytest.approx(textbook(x[0].astype(np.float64), k), rel=1e-12)
    assert ties[0] == 0 and error[0] > 0


@pytest.mark.parametrize("n", [2, 3, 31, 32, 1000, 4097])
@pytest.mark.parametrize("draw", ["normal", "standard_cauchy", "exponential"])
def test_without_k_every_rank_read_has_its_own(n, draw):
    x = rows(getattr(np.random.default_rng(n), draw)(size=n))
    ranks, orders, sizes = plan(n)
    expected = entropy_of_ranks(x[0].astype(np.float64), ranks, orders, sizes / n)
    assert knn_1d.estimate(x).value[0] == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("n", [2, 3, 11, 12, 1000, 4096])
def test_a_plan_stands_for_every_rank_and_is_the_same_from_both_ends(n):
    room = np.zeros((3, n), np.int64)
    count = knn_1d._planned.py_func(0, n, n, max(round(n**knn_1d.POWER), knn_1d.MIN_NEIGHBOURS), 0, *room)
    ranks, orders, sizes = room[:, :count]
    np.testing.assert_array_equal((ranks, orders, sizes), plan(n))
    assert sizes.sum() == n
    np.testing.assert_array_equal(ranks, n - 1 - ranks[::-1])
    np.testing.assert_array_equal(orders, orders[::-1])
    assert (orders < n).all() and (orders >= 1).all()
    apart = np.abs(np.repeat(ranks, sizes) - np.arange(n))
    assert (2 * apart <= np.repeat(orders, sizes)).all()


def test_the_error_is_the_textbooks_with_the_coupling():
    x = rows(np.random.default_rng(0).normal(size=3000))
    terms = np.log(2 * brute(x[0].astype(np.float64), 10))
    expected = math.sqrt((terms.var() - special.polygamma(1, 10) + knn_1d.SHARES_OF_ALL / 10) / 3000)
    assert knn_1d.entropy(x, k=10)[1][0] == pytest.approx(expected, rel=1e-9)


def test_a_cluster_of_one_is_a_row_and_copies_add_no_certainty():
    x = rows(np.random.default_rng(1).normal(size=800))
    value, error, _ = knn_1d.entropy(x)
    alone, own, _ = knn_1d.entropy(x, np.arange(800))
    assert alone[0] == pytest.approx(value[0], rel=1e-12)
    assert own[0] == pytest.approx(error[0], rel=2e-3)  # the factor m / (m − 1)
    rng = np.random.default_rng(2)
    near = rows(np.repeat(rng.normal(size=256), 16) + 0.05 * rng.normal(size=4096))
    assert knn_1d.entropy(near, np.repeat(np.arange(256), 16))[1][0] > 2.5 * knn_1d.entropy(near)[1][0]


def test_the_order_of_the_rows_does_not_matter():
    rng = np.random.default_rng(3)
    x = rows(rng.normal(size=500), bfloat16(rng.normal(size=500)))
    shuffled = np.ascontiguousarray(x[:, rng.permutation(500)])
    np.testing.assert_allclose(knn_1d.entropy(x, mantissa=7), knn_1d.entropy(shuffled, mantissa=7), rtol=1e-12)


CLOSED = {
    "gaussian": (lambda r, n: r.normal(size=n), 0.5 * math.log(2 * math.pi * math.e)),
    "uniform": (lambda r, n: r.uniform(-1, 1, n), math.log(2)),
    "laplace": (lambda r, n: r.laplace(size=n), 1 + math.log(2)),
    "exponential": (lambda r, n: r.exponential(size=n), 1.0),
    "cauchy": (lambda r, n: r.standard_cauchy(n), math.log(4 * math.pi)),
}


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e20])
def test_closed_forms_at_any_scale(name, scale):
    draw, truth = CLOSED[name]
    value, error, _ = knn_1d.entropy(rows(scale * draw(np.random.default_rng(4), 4096)))
    assert abs(value[0] - math.log(scale) - truth) < 4 * error[0]
    assert error[0] < 0.05


@pytest.mark.parametrize(
    ("rounded", "mantissa", "scale", "offset"),
    [
        (bfloat16, 7, 1.0, 0.0),
        (bfloat16, 7, 0.05, 1.0),
        (bfloat16, 7, 0.05, -1.0),
        (bfloat16, 7, 3e-5, 0.0),
        (lambda x: x.astype(np.float16).astype(np.float32), 10, 1.0, 0.0),
        (lambda x: x.astype(np.float16).astype(np.float32), 10, 0.01, -3.0),
        (lambda x: x, 23, 1e-4, 300.0),
    ],
)
def test_rounding_does_not_move_the_entropy(rounded, mantissa, scale, offset):
    rng = np.random.default_rng(5)
    x = rounded((scale * rng.normal(size=(40, 4096)) + offset).astype(np.float32))
    value, error, ties = knn_1d.entropy(x, mantissa=mantissa)
    truth = 0.5 * math.log(2 * math.pi * math.e) + math.log(scale)
    assert (ties > 0.3).all()
    assert abs(value.mean() - truth) < 4 * error.mean() / math.sqrt(40) + 0.005
    assert np.mean(np.abs(value - truth) <= 1.96 * error) >= 0.85


@pytest.mark.parametrize("at", [0.0, 1.0, -1.0, 0.3, 1e-40, -3e38, 65504.0])
@pytest.mark.parametrize("mantissa", [7, 10, 23])
def test_a_constant_has_the_entropy_of_its_cell(at, mantissa):
    value, error, ties = knn_1d.entropy(np.full((1, 4096), at, np.float32), mantissa=mantissa)
    assert ties[0] == 1.0 and error[0] == 0.0
    if at == 0.0:
        assert -110 < value[0] < -90  # nothing says how finely a zero was rounded
    else:
        exponent = math.floor(math.log2(abs(np.float32(at))))
        cell = math.ldexp(0.75 if math.frexp(abs(at))[0] == 0.5 else 1.0, exponent - mantissa)
        assert value[0] == pytest.approx(math.log(max(cell, 1e-44)), abs=0.1)


def test_three_values_have_the_entropy_of_their_cells_and_an_error():
    x = rows(np.random.default_rng(6).choice([1.0, 1.25, 1.5], 4096))
    value, error, ties = knn_1d.entropy(x, mantissa=7)
    assert ties[0] == 1.0 and 0 < error[0] < 0.05
    assert value[0] == pytest.approx(math.log(3 * 0.875 / 128), abs=0.1)


def test_ties_among_finer_values_stay_in_order():
    """Half of the rows are zero (a ReLU), the others have all the bits that `mantissa` says they have not."""
    rng = np.random.default_rng(7)
    x = rows(np.maximum(rng.normal(size=4096), 0.0))
    tally, _, centred = knn_1d.terms(x, 10, 7, False, True)
    assert np.isfinite(centred).all()
    assert tally[0, 0] / 4096 == pytest.approx(0.5, abs=0.05)
    value, error, _ = knn_1d.entropy(x, mantissa=7)
    assert np.isfinite(value[0]) and np.isfinite(error[0])


GAUSSIAN = 0.5 * math.log(2 * math.pi * math.e)


@pytest.mark.parametrize("mantissa", [7, 23])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("many", [1, 3])
def test_atoms_are_left_out_and_reported(share, many, mantissa):
    rng = np.random.default_rng(10)
    x = rng.normal(size=(20, 4096))
    on = rng.random(x.shape) < share
    x = np.where(on, rng.integers(0, many, x.shape), x).astype(np.float32)
    found = knn_1d.estimate(bfloat16(x) if mantissa == 7 else x, mantissa=mantissa)
    np.testing.assert_allclose(found.atoms, on.mean(axis=1), atol=0.01)
    assert not found.floor.any()
    assert abs(found.value.mean() - GAUSSIAN) < 0.02
    assert (np.abs(found.value - GAUSSIAN) < 4 * found.standard_error + 0.01).all()
    alone = knn_1d.estimate(np.ascontiguousarray(x[:1, ~on[0]]), mantissa=23)
    if mantissa == 23:
        assert found.value[0] == pytest.approx(alone.value[0], rel=1e-12)
        assert found.standard_error[0] == pytest.approx(alone.standard_error[0], rel=1e-12)


@pytest.mark.parametrize("times", [2, 4, 8])
def test_a_window_with_repeats_is_worth_its_distinct_rows(times):
    rng = np.random.default_rng(11)
    once = rng.normal(size=(3, 4096 // times)).astype(np.float32)
    x = np.ascontiguousarray(np.tile(once, times)[:, rng.permutation(4096)])
    found, alone = knn_1d.estimate(x), knn_1d.estimate(once)
    np.testing.assert_allclose(found.value, alone.value, atol=2e-3)  # two of a kind may be by rounding
    np.testing.assert_allclose(found.standard_error, alone.standard_error, rtol=5e-3)
    assert (found.ties == 1.0).all() and (found.atoms == 0.0).all()


def test_nothing_but_atoms_has_the_entropy_of_its_cells():
    rng = np.random.default_rng(12)
    lattice, steps = np.round(4 * rng.normal(size=4096)) / 4, np.zeros(4096)
    steps[-1] = 1.0
    found = knn_1d.estimate(rows(lattice, steps, np.where(rng.random(4096) < 0.01, rng.normal(size=4096), 1.0)))
    assert np.isfinite(found.value).all() and np.isfinite(found.standard_error).all()
    assert (found.atoms[:2] > 0.98).all() and not found.floor.any()


def test_gaps_are_ends_of_the_sample():
    rng = np.random.default_rng(13)
    x = rng.choice([-1.0, 0.0, 1.0], (60, 2048)) + 0.01 * rng.normal(size=(60, 2048))
    found = knn_1d.estimate(x.astype(np.float32))
    truth = GAUSSIAN + math.log(0.01) + math.log(3)
    assert abs(found.value.mean() - truth) < 0.01
    assert np.mean(np.abs(found.value - truth) < 1.96 * found.standard_error) > 0.88


def autoregressive(phi, dimensions, n, seed=0):
    """Gaussian, of variance 1, from its stationary law on."""
    x = np.random.default_rng(seed).normal(size=(n, dimensions))
    for i in range(1, n):
        x[i] = phi * x[i - 1] + math.sqrt(1 - phi * phi) * x[i]
    return np.ascontiguousarray(x.T, np.float32)


@pytest.mark.parametrize(("phi", "least"), [(0.0, 0.9), (0.5, 0.9), (0.9, 0.9), (0.98, 0.88)])
def test_dependent_rows_have_wider_errors(phi, least):
    found = knn_1d.estimate(autoregressive(phi, 200, 4096), dependent=True)
    assert np.mean(np.abs(found.value - GAUSSIAN) < 1.96 * found.standard_error) >= least
    assert found.standard_error.mean() < 2 * found.value.std()


@pytest.mark.parametrize("scale", [1e-44, 1e-38, 1e37])
def test_the_ends_of_float32(scale):
    value, error, _ = knn_1d.entropy(rows(np.random.default_rng(8).normal(size=2048) * scale, np.arange(2048) * 1e-45))
    assert np.isfinite(value).all() and np.isfinite(error).all()


@pytest.mark.parametrize("k", [1, 3, 10])
def test_one_row_more_than_neighbours(k):
    x = rows(np.random.default_rng(9).normal(size=k + 1))
    assert knn_1d.entropy(x, k=k)[0][0] == pytest.approx(textbook(x[0].astype(np.float64), k), rel=1e-12)
    assert np.isfinite(knn_1d.entropy(x, k=k)[:2]).all()
    assert np.isnan(knn_1d.entropy(x[:, :k], k=k)[:2]).all()


@pytest.mark.parametrize("k", [None, 3])
@pytest.mark.parametrize("kind", ["independent", "dependent", "clusters"])
def test_rows_that_are_not_finite_are_left_out_of_their_dimension(k, kind):
    rng = np.random.default_rng(14)
    x = rng.normal(size=(6, 500)).astype(np.float32)
    x[2:] = np.maximum(x[2:], 0.0)
    x[4] = np.resize(x[0, :100], 500)
    x[rng.random(x.shape) < 0.1] = np.nan
    x[1, ::7], x[3, ::5], x[0] = np.inf, -np.inf, rng.normal(size=500)
    x[5, 2:] = -np.nan
    cluster = np.arange(500) // 5 if kind == "clusters" else None
    found = knn_1d.estimate(x, cluster, k, dependent=kind == "dependent")
    for d in range(5):
        keep = np.isfinite(x[d])
        own = None if cluster is None else cluster[keep]
        alone = knn_1d.estimate(x[d : d + 1, keep], own, k, dependent=kind == "dependent")
        for name, ours, theirs in zip(found._fields, found, alone, strict=True):
            assert ours[d] == pytest.approx(theirs[0], rel=1e-12 if name == "value" else 1e-6), name
    assert found.rows[5] == 2 and np.isfinite(found.value[5]) == (k is None)


def test_blocks_of_dimensions_change_nothing(monkeypatch):
    x = np.random.default_rng(15).normal(size=(7, 300)).astype(np.float32)
    whole = knn_1d.estimate(x, dependent=True)
    monkeypatch.setattr(knn_1d, "MAX_BLOCK_NUMBERS", 900)
    np.testing.assert_array_equal(knn_1d.estimate(x, dependent=True), whole)
