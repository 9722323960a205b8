"""The block of a light evaluation: the numbers of the twin, which makes one array after the other."""

import numpy as np
import pytest
from adversarial import adversarial_window
from reference.dimensions import slow

from polar_monitor.kernels import quadrature
from polar_monitor.statistics.window import light_statistics
from polar_monitor.statistics.work_space import WorkSpace


def assert_same(found, expected, message):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=f"{name}, {message}")


def code(rng, dimensions, n):
    """A code with passive dimensions, active ones, and some that a third of the inputs use; inputs may recur."""
    used = rng.random((dimensions, n)) < np.array([0.0, 1.0, 0.3])[np.arange(dimensions) % 3, None]
    mean = np.where(used, 1.0, 0.03) * rng.normal(size=used.shape)
    variance = np.where(used, 0.02, 0.98) * np.exp(0.1 * rng.normal(size=used.shape))
    which = rng.integers(0, n // 8, n) if rng.random() < 0.5 else np.arange(n)
    return [np.ascontiguousarray(side[:, which], np.float32) for side in (mean, variance)]


@pytest.mark.parametrize("with_variance", [True, False])
@pytest.mark.parametrize("per", [1, 4])
@pytest.mark.parametrize("seed", range(6))
def test_codes_match_the_slow_twin(seed, per, with_variance):
    rng = np.random.default_rng(seed)
    mean, variance = code(rng, 7, 600)
    mean[2, 5:90], variance[3, 7], mean[6] = np.nan, np.inf, np.nan
    mean[4, :3] = 1e6
    rows = mean, variance if with_variance else None, np.arange(600, dtype=np.int32) // per if per > 1 else None
    assert_same(light_statistics(*rows, 0.1, 2.0), slow(*rows, 0.1, 2.0), seed)


@pytest.mark.parametrize("ordered", [False, True])
def test_any_window_matches_the_slow_twin(ordered, monkeypatch):
    if ordered:
        monkeypatch.setattr(quadrature, "NODES", 0)
    for seed in range(60):
        mean, variance, per = adversarial_window(np.random.default_rng(seed))
        with np.errstate(all="ignore"):
            mean = np.ascontiguousarray(mean.T, np.float32)
            variance = None if variance is None else np.ascontiguousarray(variance.T, np.float32)
        if variance is not None:
            variance[variance < 0] = np.nan
            np.maximum(variance, np.finfo(np.float32).tiny, out=variance)
        group = np.arange(mean.shape[1], dtype=np.int32) // per if per > 1 else None
        assert_same(
            light_statistics(mean, variance, group, 0.0, 1.0), slow(mean, variance, group, 0.0, 1.0), f"seed {seed}"
        )


@pytest.mark.parametrize("tau", [1e-30, 1e-17, 0.3, 1e17, 1e30])
def test_any_noise_of_a_mean_alone_matches_the_slow_twin(tau):
    mean = (tau * np.random.default_rng(1).normal(size=(3, 400))).astype(np.float32)
    assert_same(light_statistics(mean, None, None, 0.0, 1.0, tau), slow(mean, None, None, 0.0, 1.0, tau), tau)


def test_one_work_space_serves_windows_of_any_smaller_length():
    rng = np.random.default_rng(2)
    work = WorkSpace(4, 700)
    for n in (700, 40, 1, 512):
        mean, variance = (side[:, :n].copy() for side in code(rng, 4, 700))
        for group in (None, np.arange(n, dtype=np.int32) // 4):
            rows = mean, variance, group, 0.0, 1.0
            assert_same(light_statistics(*rows, None, work), slow(*rows), n)
