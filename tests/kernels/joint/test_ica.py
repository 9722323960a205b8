"""Changes of coordinates: invertible maps, whose bounds on the entropy hold."""

import math

import numpy as np
import pytest

from polar_monitor.kernels.copula import GAUSSIAN, normal, scores_of
from polar_monitor.kernels.joint.ica import components, radial, whitening
from polar_monitor.kernels.knn_1d import entropy


def test_whitening_makes_the_covariance_the_identity():
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((4, 4)) @ rng.standard_normal((4, 500)) * np.array([[1e-6], [1], [1e6], [1]])).astype("f4")
    np.testing.assert_allclose(np.cov(whitening(x) @ x, bias=True), np.eye(4), atol=1e-4)


@pytest.mark.parametrize("row", [np.zeros(300), np.full(300, 0.1), None], ids=["zero", "constant", "in_a_plane"])
def test_no_whitening_without_a_volume(row):
    x = np.random.default_rng(0).standard_normal((3, 300)).astype(np.float32)
    x[2] = x[0] - x[1] if row is None else row
    assert whitening(x) is None


@pytest.mark.parametrize("source", ["laplace", "uniform"])
def test_mixed_sources_are_recovered(source):
    rng = np.random.default_rng(0)
    mixed = rng.standard_normal((6, 6)) @ getattr(rng, source)(-1, 1, (6, 4000))
    matrix = whitening(mixed.astype(np.float32))
    rotation = components((matrix @ (mixed - mixed.mean(axis=1, keepdims=True))).astype(np.float32))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(6), atol=1e-6)


def test_the_components_are_the_sources():
    rng = np.random.default_rng(0)
    mixing, sources = rng.standard_normal((6, 6)), rng.laplace(size=(6, 4000))
    mixed = (mixing @ (sources - sources.mean(axis=1, keepdims=True))).astype(np.float32)
    matrix = whitening(mixed)
    found = components((matrix @ mixed).astype(np.float32)) @ matrix @ mixing
    found = np.abs(found / np.linalg.norm(found, axis=1, keepdims=True))
    np.testing.assert_allclose(np.sort(found, axis=1)[:, -1], 1, atol=0.01)  # each of one source
    assert sorted(found.argmax(axis=1)) == list(range(6))


@pytest.mark.parametrize("freedom", [3, 8, math.inf])
def test_the_radial_map_makes_an_elliptical_law_gaussian(freedom):
    rng, d, n = np.random.default_rng(0), 8, 5000
    x = rng.standard_normal((d, n))
    if math.isfinite(freedom):
        x /= np.sqrt(rng.chisquare(freedom, n) / freedom)
        lg, half = math.lgamma, 0.5 * (freedom + d)
        mean_log = np.mean(np.log1p(rng.chisquare(d, 400_000) / rng.chisquare(freedom, 400_000)))
        truth = lg(0.5 * freedom) - lg(half) + 0.5 * d * math.log(freedom * math.pi) + half * mean_log
    else:
        truth = d * GAUSSIAN
    y, logs, added, surprise = radial(x.astype(np.float32), scores_of(n))
    assert d * GAUSSIAN + entropy(logs)[0][0] + added == pytest.approx(truth, abs=0.15)
    quantiles = np.linspace(0.02, 0.98, 25)
    np.testing.assert_allclose(np.quantile(y, quantiles), np.quantile(normal(y), quantiles), atol=0.03)
    assert surprise.shape == (n,)
    np.testing.assert_allclose(y / np.linalg.norm(y, axis=0), x / np.linalg.norm(x, axis=0), atol=1e-5)
