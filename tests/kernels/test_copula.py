"""The copula's entropy against closed forms."""

import math

import numpy as np
import pytest
from reference import copula as reference

from polar_monitor.kernels import copula
from polar_monitor.kernels.copula import copula_entropy


def gaussian(correlation: np.ndarray, n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (np.linalg.cholesky(correlation) @ rng.standard_normal((len(correlation), n))).astype(np.float32)


def chain(d: int, rho: float) -> np.ndarray:
    """Correlations of d values of an autoregression: ½ log det is ½ (d − 1) log(1 − ρ²)."""
    return rho ** np.abs(np.subtract.outer(np.arange(d), np.arange(d)))


@pytest.mark.parametrize(("d", "n"), [(2, 60), (3, 200), (6, 150), (11, 90)])
@pytest.mark.parametrize("apart", [1, 2])
def test_it_is_the_twins(d, n, apart):
    """But for float32 in the search: 1e-6 of each distance."""
    x = gaussian(chain(d, 0.7), n, d)
    x[0] = x[0] ** 3
    scores = reference.scores(x)
    np.testing.assert_allclose(copula.normal(x), scores, rtol=1e-12, atol=1e-12)
    parts = [reference.entropy(scores[:, first::apart], copula.K) for first in range(apart)]
    found = copula.scores_entropy(scores, apart=apart)[0] + copula.own_error(d, n // apart)
    assert found == pytest.approx(np.mean(parts), abs=1e-5)
    assert copula.local_dimension(x) == pytest.approx(reference.local_dimension(x.astype(float), copula.K), rel=1e-5)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_local_dimension_is_that_of_the_surface(d):
    x = np.random.default_rng(0).uniform(size=(d, 3000)).astype(np.float32)
    assert copula.local_dimension(x) == pytest.approx(d, abs=0.12)
    bent = np.concatenate([x, x[:1] ** 2, np.sin(x[-1:])])
    assert copula.local_dimension(bent) == pytest.approx(d, abs=0.12)


@pytest.mark.parametrize("d", [2, 5, 10, 32])
def test_independent_dimensions_have_none(d):
    values, errors = np.array([copula_entropy(gaussian(np.eye(d), 512, seed)) for seed in range(1, 21)]).T
    assert abs(values.mean()) < 0.03
    assert 0.3 < values.std() / errors.mean() < 1.5


@pytest.mark.parametrize(("d", "rho", "tolerance"), [(2, 0.9, 0.05), (2, 0.99, 0.06), (5, 0.7, 0.08), (10, 0.8, 0.12)])
def test_a_correlated_gaussian_has_half_the_log_determinant(d, rho, tolerance):
    truth = 0.5 * (d - 1) * math.log(1 - rho**2)
    values = [copula_entropy(gaussian(chain(d, rho), 512, seed))[0] for seed in range(1, 11)]
    assert np.mean(values) == pytest.approx(truth, abs=tolerance)


def test_dependence_without_correlation_is_seen():
    # (cos t, sin t) with a little noise: uncorrelated. h(copula) = h(joint) − 2 h(marginal), by quadrature
    rng = np.random.default_rng(0)
    angle, noise = rng.uniform(0, 2 * np.pi, 512), 0.1 * rng.standard_normal((2, 512))
    x = (np.stack([np.cos(angle), np.sin(angle)]) + noise).astype(np.float32)
    assert abs(np.corrcoef(x)[0, 1]) < 0.1
    radius = 0.5 * math.log(2 * math.pi * math.e * 0.1**2)  # of the noise across the circle, along which it is 2π long
    grid = np.linspace(-2, 2, 4001)
    at = np.cos(np.linspace(0, np.pi, 2001))
    density = np.exp(-0.5 * ((grid[:, None] - at) / 0.1) ** 2).mean(axis=1) / (0.1 * math.sqrt(2 * math.pi))
    marginal = -np.sum(density * np.log(np.maximum(density, 1e-300))) * (grid[1] - grid[0])
    assert copula_entropy(x)[0] == pytest.approx(radius + math.log(2 * math.pi) - 2 * marginal, abs=0.15)


def test_scales_and_monotone_maps_change_no_bit():
    x = gaussian(chain(4, 0.6), 400, 3)
    expected = copula_entropy(x)
    scaled = np.ascontiguousarray(x * np.array([[2.0**-60], [2.0**40], [1.0], [0.125]], np.float32))
    assert copula_entropy(scaled) == expected
    ranks = x.argsort(axis=1).argsort(axis=1).astype(np.float32)
    assert copula_entropy(ranks) == expected
    assert copula_entropy(np.exp2(ranks / 8)) == expected


def test_the_order_of_the_dimensions_does_not_matter():
    x = gaussian(chain(4, 0.6), 400, 3)
    assert copula_entropy(x[[2, 0, 3, 1]]) == pytest.approx(copula_entropy(x), rel=1e-4)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("others", [0, 1, 6])
def test_perfect_dependence_has_no_density(sign, others):
    x = np.random.default_rng(0).standard_normal((1 + others, 300)).astype(np.float32)
    x = np.concatenate([x, sign * np.exp(x[:1])])
    assert np.isnan(copula_entropy(x)).all()


def test_too_few_rows_are_nan_and_one_dimension_has_no_dependence():
    x = np.random.default_rng(0).standard_normal((5, 18)).astype(np.float32)
    assert np.isfinite(copula_entropy(x)).all()
    assert np.isnan(copula_entropy(x[:, :17])).all()
    assert copula_entropy(x[:1]) == (0.0, 0.0)


def test_ties_are_no_dependence():
    rng = np.random.default_rng(1)
    values = []
    for _ in range(10):
        x = np.round(rng.standard_normal((3, 512)) * 1.5).astype(np.float32)  # about 10 values a dimension
        x[x == 0] *= rng.choice(np.array([1, -1], np.float32), (x == 0).sum())  # 0.0 and -0.0 are one value
        values.append(copula_entropy(x)[0])
    assert abs(np.mean(values)) < 0.04


def test_two_constants_are_tied_throughout_and_independent():
    assert abs(copula_entropy(np.ones((2, 512), np.float32))[0]) < 0.15


def test_the_error_covers_and_clusters_widen_it():
    truth = 0.5 * math.log(1 - 0.6**2)
    found = np.array([copula_entropy(gaussian(chain(2, 0.6), 400, seed)) for seed in range(60)])
    assert np.mean(np.abs(found[:, 0] - truth) <= 1.96 * found[:, 1]) >= 0.9
    x = np.repeat(gaussian(chain(2, 0.6), 100, 1), 4, axis=1)
    x += 0.02 * np.random.default_rng(2).standard_normal(x.shape).astype(np.float32)
    alone, clustered = copula_entropy(x), copula_entropy(x, np.arange(400) // 4)
    assert alone[0] == clustered[0]
    assert clustered[1] > 1.3 * alone[1]


def said_of_gaussians(d: int, n: int, seeds: range) -> np.ndarray:
    return np.array([copula._terms(copula.normal(gaussian(np.eye(d), n, seed))).mean() for seed in seeds])


def test_its_own_error_is_what_it_says_of_gaussians():
    assert copula.own_error(3, 256) == pytest.approx(said_of_gaussians(3, 256, range(100, 130)).mean(), abs=0.06)


@pytest.mark.parametrize(("d", "n"), [(2, 256), (16, 256), (2, 512), (7, 512), (32, 512)])
def test_the_drawn_own_errors_are_those_of_other_samples(d, n):
    said = said_of_gaussians(d, n, range(200, 240))
    assert copula.own_error(d, n) == pytest.approx(said.mean(), abs=0.01 + 4 * said.std() / math.sqrt(40))


@pytest.mark.parametrize(("d", "n"), [(2, 1024), (3, 6000), (7, 3000), (13, 1500), (20, 2500), (32, 1100)])
def test_the_table_is_what_it_says_of_gaussians(d, n):
    said = said_of_gaussians(d, n, range(200, 212))
    assert copula.own_error(d, n) == pytest.approx(said.mean(), abs=0.012 + 4 * said.std() / math.sqrt(12))


@pytest.mark.parametrize("d", [2, 10, 32])
def test_the_table_goes_on_where_simulation_ends(d):
    assert copula.own_error(d, 1023) == pytest.approx(copula.own_error(d, 1024), abs=0.012 * math.sqrt(d))


def test_functions_of_earlier_dimensions_are_detected():
    x = np.random.default_rng(0).standard_normal((4, 500))
    scores = np.array([x[0], -2 * x[0], x[1], x[2], 3 * x[2] - x[0]])
    correlation = np.corrcoef(scores)
    assert copula.functions(correlation) == [1, 4]
    assert copula.functions(np.corrcoef(x)) == []
    assert copula.functions(correlation, np.array([1, 1e-6, 1e-6, 1e-6, 0])) == [1]
    assert (correlation == np.corrcoef(scores)).all(), "what is given is not written to"
