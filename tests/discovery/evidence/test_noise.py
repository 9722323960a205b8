"""Statistics of residuals: what noise gives, and what each departure from it gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from polar_monitor.discovery.evidence.noise import MAX_DEVIATION, Fit, fit
from polar_monitor.discovery.evidence.tally import with_rounding

Values = NDArray[np.float64]
ROWS, COLUMNS = 400, 8


def drawn(seed: int) -> tuple[Values, Values, Values]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(ROWS, COLUMNS)), rng.normal(size=(ROWS, COLUMNS)) / 2, rng.normal(size=(ROWS, COLUMNS))


def of(seed: int, change: Callable[[Values, Values, Values], Values] | None = None, laplace: bool = False) -> Fit:
    mean, log_scale, eps = drawn(seed)
    z = mean + np.exp(log_scale) * eps if change is None else change(mean, log_scale, eps)
    return fit(mean, log_scale, z, laplace)


def test_noise_fits_in_all_of_many_draws() -> None:
    worst = [of(seed).worst for seed in range(300)]
    assert max(worst) < MAX_DEVIATION
    assert 0.8 < np.median(worst) < 2.5


def test_the_variance_and_its_error_are_those_of_the_residuals() -> None:
    variances = [of(seed).variance for seed in range(200)]
    assert np.mean(variances) == pytest.approx(1, abs=0.005)
    assert np.std(variances) == pytest.approx(of(0).error, rel=0.15)


def test_laplace_noise_fits_as_laplace_only() -> None:
    rng = np.random.default_rng(0)
    mean, log_b, _ = drawn(0)
    z = mean + np.exp(log_b) * rng.laplace(size=mean.shape)
    assert fit(mean, log_b, z, True).fits
    assert not fit(mean, log_b + np.log(2) / 2, z, False).fits


CHANGES: dict[str, Callable[[Values, Values, Values], Values]] = {
    "no noise": lambda m, s, e: m + 0 * e + 1e-9,
    "another mean": lambda m, s, e: 1.3 * m + np.exp(s) * e,
    "log σ halved": lambda m, s, e: m + np.exp(s / 2) * e,
    "σ twice": lambda m, s, e: m + 2 * np.exp(s) * e,
    "uniform noise": lambda m, s, e: m + np.exp(s) * np.random.default_rng(0).uniform(-(3**0.5), 3**0.5, e.shape),
    "equal neighbours": lambda m, s, e: m + np.exp(s) * (e + np.roll(e, 1, 1)) / 2**0.5,
    "normalised in each row": lambda m, s, e: m + np.exp(s) * (e - e.mean(1, keepdims=True)) / e.std(1, keepdims=True),
    "inputs of another size": lambda m, s, e: m + np.exp(s) * e * np.linspace(0.5, 1.32, ROWS)[:, None],
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_not_noise_does_not_fit(change: str) -> None:
    assert not of(1, CHANGES[change]).fits


def test_few_numbers_do_not_fit() -> None:
    mean, log_scale, eps = (side[:4, :4] for side in drawn(0))
    assert not fit(mean, log_scale, mean + np.exp(log_scale) * eps, False).fits


def test_a_mean_and_a_spread_that_hardly_move_decide_nothing() -> None:
    mean, log_scale, eps = drawn(0)
    assert of(0).has_moved()
    assert not fit(mean * 0.01, log_scale, mean * 0.01 + np.exp(log_scale) * eps, False).has_moved()
    still = log_scale * 0.01
    assert not fit(mean, still, mean + np.exp(still) * eps, False).has_moved()


def test_the_gain_is_the_difference_of_two_likelihoods() -> None:
    mean, log_scale, eps = drawn(3)
    z = mean + np.exp(log_scale) * eps

    def likelihood(log_sigma: Values) -> float:
        return float((-(((z - mean) / np.exp(log_sigma)) ** 2) / 2 - log_sigma).sum())

    together = np.full_like(z, np.log((z - mean).std()))
    mean_square = np.log(((z - mean) ** 2).mean()) / 2
    assert fit(mean, log_scale, z, False).gain == pytest.approx(
        likelihood(log_scale) - likelihood(np.full_like(together, mean_square)), abs=1
    )


def test_rounding_of_low_precision_is_part_of_the_noise() -> None:
    rng = np.random.default_rng(0)
    mean, log_scale = 50 + rng.normal(size=(ROWS, COLUMNS)), np.full((ROWS, COLUMNS), np.log(0.02))
    exact = (mean + np.exp(log_scale) * rng.normal(size=mean.shape)).astype(np.float32)
    bits = exact.view(np.uint32)
    rounded = ((bits + 0x8000) & np.uint32(0xFFFF0000)).view(np.float32)  # to bfloat16
    assert not fit(mean, log_scale, rounded.astype(float), False).fits
    with_it = fit(mean, with_rounding(log_scale, rounded, 7), rounded.astype(float), False)
    assert with_it.variance == pytest.approx(1, abs=0.1)
