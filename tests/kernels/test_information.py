"""Truths about information at any scale and in any order of rows, each on both ways through the quadrature."""

import math

import numpy as np
import pytest
from mixtures import random_mixture
from reference.mixture import information

from polar_monitor.kernels import mixture, posterior, quadrature
from polar_monitor.statistics.window import light_statistics

N = 4096
WITHIN = 0.02
"""Nats. Largest difference from the dense quadrature."""


@pytest.fixture(params=["table", "ordered"])
def way(request, monkeypatch):
    """Let rows come without their order where the axis is short, as they do; or with their order always."""
    if request.param == "ordered":
        monkeypatch.setattr(quadrature, "NODES", 0)
    return request.param


def raw(mean, variance):
    """Return the information of each dimension without the correction of the bias, which vanishes for many inputs."""
    rows = mixture.Rows(mean, variance, None, posterior.posterior(mean, variance))
    return mixture.information_of_rows(rows, np.arange(len(mean)), distinct=1e15)[0]


def orders(n, k):
    """Rows of k inputs in turn, in blocks, and in an order without a pattern."""
    turn = np.arange(n) % k
    return {"in turn": turn, "in blocks": np.sort(turn), "shuffled": np.random.default_rng(k).permutation(turn)}


def entropy_of(shares):
    return -sum(p * math.log(p) for p in shares)


def assert_near_the_dense_twin(seeds, n, monkeypatch):
    nodes, worst = quadrature.NODES, 0.0
    for seed in seeds:
        mean, variance = random_mixture(np.random.default_rng(seed), n)
        expected = information(mean[0], variance[0])
        for some in (nodes, 0):
            monkeypatch.setattr(quadrature, "NODES", some)
            found = raw(mean, variance)[0]
            assert abs(found - expected) < WITHIN, (seed, some)
            worst = max(worst, abs(found - expected))
    return worst


def test_random_mixtures_are_near_the_dense_twin(monkeypatch):
    assert_near_the_dense_twin(range(60), 96, monkeypatch)


@pytest.mark.slow
def test_two_thousand_random_mixtures_are_near_the_dense_twin(monkeypatch):
    assert assert_near_the_dense_twin(range(2000), 192, monkeypatch) < 0.01


def test_both_ways_are_taken_and_agree(monkeypatch):
    rng, ways = np.random.default_rng(0), []
    original = quadrature.quadrature
    monkeypatch.setattr(quadrature, "quadrature", lambda *rows: ways.append(rows[7].shape[0] > 0) or original(*rows))
    mean = rng.normal(size=(3, N)).astype(np.float32)
    variance = np.exp(rng.normal(size=(3, N))).astype(np.float32) * np.float32([[1e-2], [1e-8], [1.0]])
    found = raw(mean, variance)
    assert ways == [False, True]
    monkeypatch.setattr(quadrature, "NODES", 0)
    np.testing.assert_allclose(raw(mean, variance), found, rtol=0.01, atol=1e-3)
    assert ways == [False, True, True]


@pytest.mark.parametrize("sigma", [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0])
@pytest.mark.parametrize("k", [2, 3, 16, 100, 1000])
def test_k_inputs_tell_at_most_log_k(way, k, sigma):
    rng = np.random.default_rng(k)
    inputs = np.stack([rng.normal(size=k), np.where(np.arange(k) < 2, 50.0, 0.02 * rng.normal(size=k))])
    spread = sigma**2 * np.exp(0.3 * rng.normal(size=(2, k)))
    for order, which in orders(N, k).items():
        mean = np.ascontiguousarray(inputs[:, which], np.float32)
        variance = np.ascontiguousarray(spread[:, which], np.float32)
        found = light_statistics(mean, variance, None, 0.0, 1.0)
        assert (found["information"] <= math.log(k) + 1.96 * found["information_se"]).all(), order
        assert (found["information"] <= found["information_upper"] + 1e-12).all(), order
        assert (found["information"] >= 0).all(), order
        # without a correction there is no excess to forgive
        assert (raw(mean, variance) <= math.log(k) + 5e-3).all(), order


def test_sixteen_inputs_that_are_apart_tell_all_of_themselves(way):
    inputs = np.random.default_rng(5).normal(size=(1, 16))
    for order, which in orders(N, 16).items():
        mean = np.ascontiguousarray(inputs[:, which], np.float32)
        found = light_statistics(mean, np.full_like(mean, 1e-8), None, 0.0, 1.0)
        assert found["information"][0] == pytest.approx(math.log(16), abs=1e-3), order
        assert found["repeats"] == pytest.approx(N / 16), order
        assert found["finite"][0] == 16, order


@pytest.mark.parametrize("small", [1e-6, 1e-14, 1e-18])
def test_a_noise_that_cannot_be_resolved_adds_no_information(way, small):
    """Half of the rows have a σ far below what float64 resolves beside the others: they are known, not more."""
    half = np.arange(N) % 2 == 0
    rng = np.random.default_rng(9)
    wide, fine = rng.normal(size=N), np.where(half, small, 1.0)
    for mean, expected in (
        (np.zeros(N), entropy_of([0.5, 0.5])),  # two kinds of inputs at one place
        (np.where(half, 0.0, 40.0 + 1e-3 * wide), entropy_of([0.5, 0.5])),
        (np.where(half, 1.0, 40.0 + 1e-3 * wide), entropy_of([0.5, 0.5])),
    ):
        rows = mean[None].astype(np.float32), (fine[None] ** 2).astype(np.float32)
        assert raw(*rows)[0] == pytest.approx(expected, abs=5e-3)
        assert np.isfinite(mixture.information(*rows)).all()


def test_information_is_below_that_of_a_gaussian():
    """I ≤ I_G, whatever the mixture: exactly in a window, and by the quadrature itself to within its precision."""
    for seed in range(300):
        mean, variance = random_mixture(np.random.default_rng(seed), 512)
        found = light_statistics(mean, variance, None, 0.0, 1.0)
        value, upper = found["information"][0], found["information_upper"][0]
        assert 0 <= value <= upper + 1e-12, seed
        assert raw(mean, variance)[0] <= upper + 6e-3, seed


def test_the_order_of_rows_is_nothing(way):
    for seed in range(60):
        rng = np.random.default_rng(seed)
        mean, variance = random_mixture(rng, 700)
        before = mixture.information(mean, variance)
        for order in (np.argsort(mean[0]), np.argsort(variance[0]), rng.permutation(700)):
            after = mixture.information(*(np.ascontiguousarray(x[:, order]) for x in (mean, variance)))
            np.testing.assert_allclose(after, before, rtol=0, atol=1e-12)


@pytest.mark.parametrize("sigma", [1e-3, 0.05, 0.3])
@pytest.mark.parametrize("distance", [30.0, 1e3, 1e4])
@pytest.mark.parametrize("sizes", [(3584, 512), (2048, 1024, 1023, 1), (4000, 96), (1024,) * 4])
def test_far_groups_add_their_entropy(way, sizes, distance, sigma):
    """I = H(shares) + Σ share I(group), at any distance and with an odd row out: a group is not an outlier."""
    rng = np.random.default_rng(len(sizes))
    parts = []
    for i, size in enumerate(sizes):
        mean = ((-1) ** i * i * distance + 0.5 * rng.normal(size=size)).astype(np.float32)
        parts.append((mean[None], (sigma**2 * np.exp(0.5 * rng.normal(size=(1, size)))).astype(np.float32)))
    expected = entropy_of([size / N for size in sizes]) + (len(sizes) - 1) / (2 * N)
    expected += sum(mixture.information(*part)[0][0] * part[0].size for part in parts if part[0].size > 1) / N
    order = rng.permutation(N)
    mean, variance = (np.ascontiguousarray(np.concatenate(x, axis=1)[:, order]) for x in zip(*parts, strict=True))
    value, error = mixture.information(mean, variance)
    assert value[0] == pytest.approx(expected, abs=6e-3)
    assert 0 < error[0] < 0.1


@pytest.mark.parametrize("sigma", [1e-5, 1e-2, 0.4])
def test_a_map_with_a_constant_corner(way, sigma):
    """An eighth of the places of every image has one far value: it tells H(⅛), and the rest what it tells alone."""
    rng = np.random.default_rng(6)
    image, place = np.divmod(np.arange(N), 64)
    mean = rng.normal(size=(1, N)).astype(np.float32)
    corner = place % 8 == 0
    mean[0, corner] = 40.0
    variance = np.full_like(mean, sigma**2)
    alone = raw(np.ascontiguousarray(mean[:, ~corner]), variance[:, : (~corner).sum()].copy())[0]
    expected = entropy_of([0.125, 0.875]) + 0.875 * alone
    found = light_statistics(mean, variance, image.astype(np.int32), 0.0, 1.0)
    assert found["repeats"] < 1.1
    assert raw(mean, variance)[0] == pytest.approx(expected, abs=2e-3)
    if sigma > 1e-3:  # log n is far above
        truth = entropy_of([0.125, 0.875]) + 0.875 * 0.5 * math.log1p(1 / sigma**2)
        assert found["information"][0] == pytest.approx(truth, abs=3 * found["information_se"][0])
        assert found["information_se"][0] < 0.02


def test_a_surely_small_upper_bound_is_the_estimate():
    """If I_G is surely at most 0.01 nats, it is the estimate, with its own error; else the quadrature is."""
    rng = np.random.default_rng(7)
    mean = np.array([[0.02], [0.02], [1.0]]) * rng.normal(size=(3, N))
    variance = np.ones_like(mean) * np.exp(np.array([[0.02], [0.6], [0.0]]) * rng.normal(size=(3, N)))
    mean, variance = mean.astype(np.float32), variance.astype(np.float32)
    found = light_statistics(mean, variance, None, 0.0, 1.0)
    upper = found["information_upper"]
    assert upper[0] < 0.01 < upper[1]
    assert found["information"][0] == upper[0]
    assert found["information_se"][0] == found["information_upper_se"][0]
    value, error = mixture.information(mean, variance)
    np.testing.assert_array_equal(found["information"][1:], np.minimum(value, upper)[1:])
    np.testing.assert_array_equal(found["information_se"][1:], error[1:])


def test_repeats_widen_every_error_and_count_the_inputs():
    rng = np.random.default_rng(8)
    inputs = rng.normal(size=(2, 1024)), np.exp(rng.normal(size=(2, 1024)) - 3)
    once = [x.astype(np.float32) for x in inputs]
    four = [np.tile(x, (1, 4)) for x in once]
    new, again = (light_statistics(*rows, None, 0.0, 1.0) for rows in (once, four))
    assert new["repeats"] == 1.0
    assert again["repeats"] == pytest.approx(4.0, rel=0.05)
    np.testing.assert_allclose(again["finite"], 1024, rtol=0.05)
    np.testing.assert_allclose(again["information"], new["information"], atol=2e-3)
    for name in posterior.NAMES:
        if name.endswith("_se"):
            np.testing.assert_allclose(again[name], new[name], rtol=0.15 if "share" in name else 0.03, err_msg=name)
    np.testing.assert_allclose(again["information_se"], new["information_se"], rtol=0.03)
