"""Moments of the samples against a twin that has two points μ ± σ for each row: they have the same moments."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

import polar_monitor
from polar_monitor.downstream.latent_statistics import latent_statistics
from polar_monitor.statistics.stream import LatentStream


def twin(mean: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Mean and deviation of each dimension and of all, from the points themselves."""
    mean, deviation = mean.astype(np.float64), np.sqrt(variance.astype(np.float64))
    points = np.concatenate((mean + deviation, mean - deviation))
    return points.mean(0), points.std(0), points.mean(), 1 / points.std()


@pytest.mark.parametrize("dimensions", [1, 7, 130])
@pytest.mark.parametrize("rows", [40, 3000])
def test_moments_are_exact_for_the_window(dimensions: int, rows: int) -> None:
    rng = np.random.default_rng(dimensions)
    mean = rng.normal(3.0, rng.uniform(0.1, 2.0, dimensions), (rows, dimensions)).astype(np.float32)
    variance = rng.exponential(0.5, (rows, dimensions)).astype(np.float32)
    stream = LatentStream(dimensions, window=1024)
    stream.update(mean, variance)
    got = latent_statistics(stream)
    expected = twin(mean[-1024:], variance[-1024:])
    for ours, theirs in zip((got.mean, got.std, got.shift_factor, got.scaling_factor), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert got.rows == min(rows, 1024)


def test_a_code_has_no_noise_and_an_offset_takes_no_digits() -> None:
    code = (1e4 + np.random.default_rng(0).normal(size=(2000, 2))).astype(np.float32)
    stream = LatentStream(2, has_variance=False)
    stream.update(code)
    got = latent_statistics(stream)
    np.testing.assert_allclose(got.std, code.astype(np.float64).std(0), rtol=1e-12)
    assert got.scaling_factor == pytest.approx(1 / code.astype(np.float64).std(), rel=1e-12)


def test_rows_that_are_not_finite_are_left_out() -> None:
    mean, variance = np.ones((600, 3), np.float32), np.ones((600, 3), np.float32)
    mean[::2, 0], mean[:, 1], variance[1, 2] = np.nan, np.inf, -1.0
    stream = LatentStream(3)
    stream.update(mean, variance)
    got = latent_statistics(stream)
    np.testing.assert_array_equal(got.mean, [1.0, math.nan, 1.0])
    np.testing.assert_array_equal(got.std, [1.0, math.nan, 1.0])
    assert (got.shift_factor, got.scaling_factor) == (1.0, 1.0)
    assert json.loads(json.dumps(got.to_dict()))["mean"] == [1.0, None, 1.0]


def test_a_constant_code_has_no_scaling_factor() -> None:
    stream = LatentStream(2, has_variance=False)
    stream.update(np.ones((600, 2), np.float32))
    assert math.isnan(latent_statistics(stream).scaling_factor)
    stream = LatentStream(1, has_variance=False)
    stream.update(np.full((600, 1), np.nan, np.float32))
    assert math.isnan(latent_statistics(stream).shift_factor)


def test_the_monitor_has_those_of_its_newest_rows_too() -> None:
    monitor = polar_monitor.PolarMonitor(every=10, sinks=(), modes=("train", "eval"))
    assert monitor.latent_statistics() is None
    torch.manual_seed(0)
    mean = torch.randn(600, 2)
    monitor.observe(mean, var=torch.full((600, 2), 0.5))
    got = monitor.latent_statistics()
    assert got is not None
    np.testing.assert_allclose(got.std, torch.sqrt(mean.double().var(0, correction=0) + 0.5).numpy(), rtol=1e-12)
    assert monitor.latent_statistics("eval") is None
    for _ in range(10):
        monitor.step()
    assert monitor.snapshot().rows == 600
    monitor.detach()
    assert monitor.latent_statistics().rows == 600
    with pytest.raises(polar_monitor.PolarMonitorError, match="mode"):
        monitor.latent_statistics("test")
