"""The information by quadrature against a dense quadrature with every component, and against closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.mixture import dense, divergences, quadrature

from polar_monitor.kernels import mixture

N = 512


def rows(mean, variance):
    mean = np.atleast_2d(np.asarray(mean, np.float32))
    return mean, np.array(np.broadcast_to(variance, mean.shape), np.float32)


def uncorrected(mean, variance):
    """Î before the correction of its bias, which is what the dense twin computes."""
    value, _ = mixture.information(mean, variance)
    bias = np.array([divergences(m, s)[1] for m, s in zip(mean, variance, strict=True)])
    return value - bias


def data(name, n=N):
    r = np.random.default_rng(len(name))
    normal, half = r.normal(size=n), r.random(n) < 0.5
    lognormal = lambda spread: np.exp(spread * r.normal(size=n))  # noqa: E731
    return {
        "gaussian": lambda: (normal, 0.05),
        "gaussian, σ² varies": lambda: (normal, 0.02 * lognormal(0.2)),
        "gaussian, σ² varies much": lambda: (normal, 0.02 * lognormal(1.0)),
        "uniform": lambda: (r.uniform(-1.7, 1.7, n), 0.02),
        "clusters": lambda: (r.integers(0, 3, n) + 0.01 * normal, 0.01),
        "points": lambda: (r.integers(0, 3, n), 1e-4),
        "two close points": lambda: (np.where(half, 0.8, -0.8), 0.3),
        "mixed": lambda: (np.where(half, normal, 0.02 * normal), np.where(half, 0.02, 0.99)),
        "mixed, a tenth": lambda: (np.where(r.random(n) < 0.1, normal, 0), np.where(r.random(n) < 0.1, 0.02, 0.99)),
        "passive": lambda: (0.02 * normal, lognormal(0.02)),
        "constant": lambda: (np.full(n, 2.0), 0.02),
        "constant, σ² varies": lambda: (np.zeros(n), lognormal(0.5)),
        "as wide as its noise": lambda: (normal, lognormal(0.3)),
        "laplace": lambda: (r.laplace(size=n), 0.1 * lognormal(0.3)),
        "noise grows with the mean": lambda: ((m := r.laplace(size=n)), (0.5 * np.abs(m) + 0.01) ** 2),
        "heavy tails": lambda: (np.clip(r.standard_cauchy(n), -60, 60), 0.2),
        "fine": lambda: (normal, 1e-5),
    }[name]()


NAMES = [
    *("gaussian", "gaussian, σ² varies", "gaussian, σ² varies much", "uniform", "clusters", "points"),
    *("two close points", "mixed", "mixed, a tenth", "passive", "constant", "constant, σ² varies"),
    *("as wide as its noise", "laplace", "noise grows with the mean", "heavy tails", "fine"),
]


@pytest.mark.parametrize("name", NAMES)
def test_the_dense_twin(name):
    mean, variance = rows(*data(name))
    expected = dense(mean[0], variance[0])
    bias = divergences(mean[0], variance[0])[1]  # its estimate is good to a hundredth
    assert uncorrected(mean, variance)[0] == pytest.approx(expected, abs=2.5e-3 + 0.01 * bias)
    assert -1e-9 <= expected <= math.log(N)


@given(st.integers(0, 10**6), st.floats(-2.5, 0.5), st.floats(0.0, 1.2), st.integers(1, 8))
def test_any_mixture_of_clusters(seed, log_noise, spread, clusters):
    rng = np.random.default_rng(seed)
    which = rng.integers(0, clusters, 200)
    mean = rng.normal(size=clusters)[which] + (0.3 * rng.random(clusters) ** 3)[which] * rng.normal(size=200)
    mean, variance = rows(mean, 10.0**log_noise * np.exp(spread * rng.normal(size=200)))
    assert uncorrected(mean, variance)[0] == pytest.approx(dense(mean[0], variance[0]), abs=4e-3)


@pytest.mark.parametrize("name", ["gaussian", "uniform", "mixed", "passive", "laplace", "as wide as its noise"])
def test_the_error_is_that_of_the_rows_divergences(name):
    mean, variance = rows(*data(name))
    kl, bias = divergences(mean[0], variance[0])
    excess = 2 * N * bias
    expected = math.sqrt(kl.var() / N + min(excess, excess**2) / (2 * N**2))
    assert mixture.information(mean, variance)[1][0] == pytest.approx(expected, rel=0.03, abs=1e-5)


def test_a_cluster_of_one_is_a_row_and_copies_add_no_certainty():
    mean, variance = rows(*data("mixed"))
    value, error = mixture.information(mean, variance)
    same, own = mixture.information(mean, variance, np.arange(N))
    assert same[0] == pytest.approx(value[0], rel=1e-12)
    assert own[0] == pytest.approx(error[0], rel=2e-3)
    copies = np.repeat(mean, 8, axis=1), np.repeat(variance, 8, axis=1)
    again, wide = mixture.information(*copies, np.repeat(np.arange(N), 8))
    assert again[0] == pytest.approx(value[0], abs=1e-3)
    assert wide[0] == pytest.approx(error[0], rel=0.02)


def test_clusters_may_be_of_any_length():
    rng = np.random.default_rng(1)
    mean, variance = rows(rng.normal(size=N), 0.1)
    cluster = np.sort(rng.integers(0, 90, N))
    kl, bias = divergences(mean[0], variance[0])
    sums = np.array([(kl - kl.mean())[cluster == c].sum() for c in np.unique(cluster)])
    m = len(sums)
    excess = 2 * N * bias
    expected = math.sqrt((sums**2).sum() * m / (m - 1) / N**2 + min(excess, excess**2) / (2 * N**2))
    value, error = mixture.information(mean, variance, cluster)
    assert error[0] == pytest.approx(expected, rel=0.03)
    # rows that are independent in truth have no larger bias for being called a cluster
    assert value[0] == pytest.approx(mixture.information(mean, variance)[0][0], abs=0.2 * bias)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e6, 1e12])
@pytest.mark.parametrize("shift", [0.0, -3.0])
def test_no_scale_or_shift_matters(scale, shift):
    for name in ("gaussian", "mixed", "clusters", "passive"):
        mean, variance = rows(*data(name))
        expected = mixture.information(mean, variance)
        moved = rows((mean + shift) * scale, variance * scale**2)
        np.testing.assert_allclose(mixture.information(*moved), expected, atol=1e-3)


@pytest.mark.parametrize("sigma", [1e-15, 1e-6, 1e-3, 1.0, 1e6, 1e15])
@pytest.mark.parametrize("name", NAMES)
def test_any_noise_stays_between_nothing_and_all(name, sigma):
    mean, variance = rows(data(name)[0], sigma**2)
    value, error = mixture.information(mean, variance)
    assert 0 <= value[0] <= math.log(N)
    assert 0 <= error[0] < 1
    if sigma >= 1e6:
        assert value[0] < 1e-6


def test_noiseless_rows_tell_themselves():
    mean, variance = rows(np.linspace(0, 1, N), 1e-12)
    assert mixture.information(mean, variance)[0][0] == pytest.approx(math.log(N), abs=0.02)


def test_outliers_stand_alone_and_do_not_coarsen_the_grid():
    mean, variance = rows(data("gaussian", 4096)[0], 1e-3)
    value = mixture.information(mean, variance)[0][0]
    mean[0, :3] = 1e8, -1e30, 3e5
    found, error = mixture.information(mean, variance)
    share = 3 / 4096
    expected = (1 - share) * (value - math.log1p(-share)) + share * math.log(4096)
    assert found[0] == pytest.approx(expected, abs=5e-3)
    assert np.isfinite(error[0])


def test_the_correction_takes_the_bias_away():
    """A tenth of the rows of a uniform: Î alone is 0.02 too small."""
    rng = np.random.default_rng(2)
    many = mixture.information(*rows(rng.uniform(-1, 1, (1, 65536)), 1e-4))[0][0]
    few = rows(rng.uniform(-1, 1, (400, 256)), 1e-4)
    value = mixture.information(*few)[0]
    assert value.mean() == pytest.approx(many, abs=4 * value.std() / 20 + 0.01)
    assert uncorrected(few[0][:20], few[1][:20]).mean() < many - 0.05


def test_resolved_entropy_in_closed_form():
    rng = np.random.default_rng(3)
    mean, _ = rows(np.stack([np.full(8192, 7.0), rng.normal(0, 2.0, 8192), rng.integers(0, 5, 8192)]), 1.0)
    value, error = mixture.resolved(mean, np.array([0.1, 0.5, 0.05]))
    assert value[0] == pytest.approx(0.0, abs=1e-6) and error[0] < 1e-6
    assert abs(value[1] - 0.5 * math.log(1 + 4.0 / 0.25)) < 4 * error[1] < 0.05
    assert value[2] == pytest.approx(math.log(5), abs=2e-3)


@pytest.mark.parametrize("ratio", [1e3, 4e4, 1e6])
def test_the_interval_covers_where_the_noise_is_very_small(ratio):
    covered = 0
    for seed in range(40):
        mean = np.random.default_rng(seed).normal(size=(1, 4096)).astype(np.float32)
        value, error = mixture.information(mean, np.full((1, 4096), 1 / ratio, np.float32))
        covered += abs(value[0] - 0.5 * math.log1p(ratio)) <= 1.96 * error[0]
    assert covered >= 34


def trained(seed):
    """Means and variances (D, n) as of a trained VAE: passive, weak, Gaussian, skew, clustered, mixed and sharp."""
    r, n = np.random.default_rng(seed), 4096
    normal, lognormal = r.normal(size=(8, n)), np.exp(r.normal(size=(8, n)))
    half = r.random(n) < 0.6
    mean = np.stack([
        0.02 * normal[0], 0.2 * normal[1], normal[2], r.gamma(2.0, 0.7, n) - 1.4,
        r.integers(-3, 4, n) / 2 + 0.08 * normal[4],
        np.where(half, normal[5], 0.02 * normal[5]), 1.3 * normal[6], r.uniform(-1.7, 1.7, n),
    ])  # fmt: skip
    scale = np.array([0.99, 0.95, 0.05, 0.01, 0.02, 0.02, 1e-3, 4e-3])
    spread = np.array([0.02, 0.05, 0.4, 0.6, 0.3, 0.2, 0.5, 0.5])
    variance = scale[:, None] * lognormal ** spread[:, None]
    variance[5, ~half] = 0.98
    return mean.astype(np.float32), variance.astype(np.float32)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_window_of_a_trained_model_is_within_a_thousandth_of_a_nat(seed):
    mean, variance = trained(seed)
    expected = [sum(quadrature(m, s)) for m, s in zip(mean, variance, strict=True)]
    np.testing.assert_allclose(mixture.information(mean, variance)[0], expected, atol=1e-3)


def test_the_terms_are_those_of_the_rows():
    mean, variance = rows(*data("mixed"))
    seen = []
    value, error = mixture.information(mean, variance, square=lambda terms: seen.append(terms.copy()) or np.ones(1))
    kl, bias = divergences(mean[0], variance[0])
    # a row of a cell has its cell's divergence, to first order in its log σ and not in its mean
    assert np.sqrt(np.mean((seen[0][0] - (kl - kl.mean())) ** 2)) < 0.2 * kl.std()
    assert seen[0].shape == mean.shape
    assert abs(seen[0].mean()) < 1e-12
    second = min(2 * N * bias, (2 * N * bias) ** 2) / (2 * N**2)
    assert error[0] == pytest.approx(math.sqrt(1 / N + second), rel=1e-3)
    assert value[0] == mixture.information(mean, variance)[0][0]
