"""The worth of a linear Gaussian model is known: expected losses follow from covariances alone."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import polar_monitor
from polar_monitor.intervention.measure import Judged, measured
from polar_monitor.intervention.replacements import Latent
from polar_monitor.intervention.row_loss import RowLoss

NOISE = 0.5
"""Variance of the likelihood."""
WEIGHTS = np.array([[3.0, 0.0, 0.4], [0.0, 1.5, 0.6], [0.5, 0.5, 0.3], [0.2, -0.4, 0.8]])
"""Of the decoder (inputs, D): its columns are not orthogonal."""
UNKNOWN = np.full(3, np.nan)


class Linear(nn.Module):
    """A linear VAE with the posterior N(A x, diag s)."""

    def __init__(self, weights: np.ndarray, encoder: np.ndarray, variances: np.ndarray) -> None:
        super().__init__()
        inputs, dimensions = weights.shape
        self.fc_mu, self.fc_logvar = nn.Linear(inputs, dimensions), nn.Linear(inputs, dimensions)
        self.decoder = nn.Linear(dimensions, inputs)
        for layer, weight, bias in (
            (self.fc_mu, encoder, np.zeros(dimensions)),
            (self.fc_logvar, np.zeros((dimensions, inputs)), np.log(variances)),
            (self.decoder, weights, np.zeros(inputs)),
        ):
            layer.weight.data, layer.bias.data = torch.tensor(weight).float(), torch.tensor(bias).float()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar = self.fc_mu(x), self.fc_logvar(x)
        return self.decoder(mean + (0.5 * logvar).exp() * torch.randn_like(mean)), mean, logvar


def nats(output: tuple[Tensor, Tensor, Tensor], x: Tensor) -> Tensor:
    return (output[0] - x).square().sum(1) / (2 * NOISE)


def posterior(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean map and variances of the best diagonal posterior for z ~ N(0, 1), x = W z + noise."""
    precision = np.eye(weights.shape[1]) + weights.T @ weights / NOISE
    return np.linalg.solve(precision, weights.T / NOISE), 1 / np.diag(precision)


def expected(weights: np.ndarray, encoder: np.ndarray, variances: np.ndarray, how: str) -> np.ndarray:
    """Rise of the expected loss by covariances: tr E (x − W z)(x − W z)ᵀ / (2 noise) for each z′, less that of z."""
    data = weights @ weights.T + NOISE * np.eye(len(weights))
    code, cross = encoder @ data @ encoder.T + np.diag(variances), data @ encoder.T

    def loss(code: np.ndarray, cross: np.ndarray) -> float:
        residual = data - cross @ weights.T - weights @ cross.T + weights @ code @ weights.T
        return float(np.trace(residual)) / (2 * NOISE)

    rises = []
    for j in range(len(code)):
        changed, with_data = code.copy(), cross.copy()
        changed[j, :] = changed[:, j] = 0
        changed[j, j] = 0 if how == "mean" else code[j, j]
        with_data[:, j] = 0
        rises.append(loss(changed, with_data) - loss(code, cross))
    return np.array(rises)


def drawn(n: int, weights: np.ndarray, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, weights.shape[1]))
    return torch.from_numpy(z @ weights.T + NOISE**0.5 * rng.normal(size=(n, len(weights)))).float()


@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_the_worth_is_that_of_the_covariances(scale: float) -> None:
    """Also where the encoder is not the best one: its mean is `scale` times that."""
    encoder, variances = posterior(WEIGHTS)
    encoder = scale * encoder
    worth = polar_monitor.ablate(Linear(WEIGHTS, encoder, variances), drawn(8192, WEIGHTS), loss=nats)
    assert set(worth.by) == {"marginal", "row", "mean"}
    for how, (value, error) in worth.by.items():
        truth = expected(WEIGHTS, encoder, variances, how)
        assert (np.abs(value - truth) < 3.5 * error).all(), how
        assert (error < 0.1 * np.abs(truth) + 0.05).all(), how


def test_at_the_optimum_the_information_is_half_the_logarithm_of_one_and_the_worth() -> None:
    weights = np.diag([3.0, 1.0, 0.5])
    encoder, variances = posterior(weights)
    worth = polar_monitor.ablate(Linear(weights, encoder, variances), drawn(8192, weights), loss=nats)
    assert np.abs(worth.used - worth.information).max() < 0.05
    np.testing.assert_allclose(worth.used, -0.5 * np.log(variances), atol=0.05)
    half, exchanged = worth.by["mean"][0], worth.by["row"][0]
    np.testing.assert_allclose(2 * half, exchanged, rtol=0.1)
    assert not list(worth.sentences())


@pytest.mark.parametrize("n", [128, 512])
def test_stated_errors_cover_the_truth(n: int) -> None:
    encoder, variances = posterior(WEIGHTS)
    weights, sigma = torch.from_numpy(WEIGHTS), torch.from_numpy(np.sqrt(variances))
    truths = {how: expected(WEIGHTS, encoder, variances, how) for how in ("marginal", "row", "mean")}
    covered: dict[str, list[bool]] = {how: [] for how in truths}
    for seed in range(200):
        x = drawn(n, WEIGHTS, seed).double()
        mean = x @ torch.from_numpy(encoder.T)
        noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        latent = Latent(mean + sigma * noise, "nd", mean, sigma.expand_as(mean))
        losses = partial(RowLoss, lambda output, x: (output - x).square().sum(1) / (2 * NOISE), x)
        worth = measured(
            lambda z: z @ weights.T, latent, losses, [*truths], judged=Judged(UNKNOWN, UNKNOWN, ()), seed=seed
        )
        for how, truth in truths.items():
            value, error = worth.by[how]
            covered[how] += (np.abs(value - truth) <= 1.96 * error).tolist()
    shares = {how: float(np.mean(hits)) for how, hits in covered.items()}
    print(f"\ncoverage of 95 % intervals over 200 seeds of {n} rows: {shares}")
    assert all(0.91 <= share <= 0.98 for share in shares.values()), shares


def test_errors_without_the_shared_rows_would_be_too_small() -> None:
    """Neighbours in the cycle share a row: that is a third of the variance of squared differences."""
    from polar_monitor.intervention.worth import mean_and_error

    z = np.random.default_rng(0).normal(size=(400, 300))
    rises = np.square(z - np.roll(z, -1, 0))
    true = rises.mean(0).std()
    alone, shared = (np.mean([mean_and_error(column, d)[1] for column in rises.T]) for d in (False, True))
    assert abs(shared / true - 1) < 0.12
    assert alone / true < 0.9


def test_a_dimension_that_the_decoder_ignores_is_worth_nothing_and_the_sentence_says_so() -> None:
    weights = np.diag([3.0, 2.0, 0.5])
    encoder, variances = posterior(weights)
    model = Linear(weights, encoder, variances)
    model.decoder.weight.data[:, 1] = 0
    x = drawn(2048, weights)
    worth = polar_monitor.ablate(model, x, loss=nats)
    assert (np.abs(worth.worth[1]), worth.worth_se[1]) == (0, 0)
    assert worth.ignored == (1,)
    assert "dimension 1 is informative, and the decoder does not use it" in str(worth)


def test_a_decoder_that_does_not_need_the_code_and_a_dead_dimension_are_told_apart() -> None:
    class Powerful(Linear):
        """Its decoder takes the data too, as one that predicts the next number from those before."""

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            output, mean, logvar = super().forward(x)
            return 1e-3 * output + x + 0.5, mean, logvar

    weights = np.diag([3.0, 2.0, 0.0])
    encoder, variances = posterior(weights)
    x = drawn(2048, weights)
    powerful = polar_monitor.ablate(Powerful(weights, encoder, variances), x, loss=nats)
    assert powerful.ignored == (0, 1)
    assert "the decoder does not use the code: dimensions 0, 1 are informative" in str(powerful)
    plain = polar_monitor.ablate(Linear(weights, encoder, variances), x, loss=nats)
    assert (plain.labels[2], plain.ignored, plain.hidden) == ("passive", (), ())


def test_the_second_opinion_on_sigma() -> None:
    weights = np.diag([3.0, 2.0, 1.5])
    encoder, variances = posterior(weights)
    x = drawn(4096, weights)
    best = polar_monitor.ablate(Linear(weights, encoder, variances), x, loss=nats)
    assert np.abs(best.sigma_ratio - 1).max() < 0.02
    np.testing.assert_allclose(best.decoder_sigma, NOISE**0.5 / (np.diag(weights) ** 2 + NOISE) ** 0.5, rtol=0.02)
    wide = polar_monitor.ablate(Linear(weights, encoder, variances * [9, 1, 1]), x, loss=nats)
    assert abs(wide.sigma_ratio[0] / 3 - 1) < 0.05
    assert "the encoder's σ of dimension 0 is 3 times what the decoder asks for" in str(wide)
    narrow = polar_monitor.ablate(Linear(weights, encoder, variances / 9), x, loss=nats)
    assert "the encoder's σ is 0.33 times the one that the decoder's curvature asks for (median of 3)" in str(narrow)


def test_without_a_loss_it_is_gaussian_noise_of_the_residuals() -> None:
    encoder, variances = posterior(WEIGHTS)
    model, x = Linear(WEIGHTS, encoder, variances), drawn(4096, WEIGHTS)
    own, given = polar_monitor.ablate(model, x), polar_monitor.ablate(model, x, loss=nats)
    residual = 2 * NOISE * given.loss / len(WEIGHTS)
    np.testing.assert_allclose(own.worth, given.worth * NOISE / residual, rtol=1e-4)
    assert "Gaussian noise with the variance of the residual" in own.measure


def test_a_loss_that_is_no_likelihood_makes_no_dimension_ignored() -> None:
    """A mean over many numbers is small in any unit: what is worth half of the complete code is used."""
    weights = np.diag([3.0, 2.0, 1.5])
    encoder, variances = posterior(weights)
    x = drawn(2048, weights)
    worth = polar_monitor.ablate(
        Linear(weights, encoder, variances), x, loss=lambda out, x: 1e-3 * (out[0] - x).square().mean(1)
    )
    assert worth.worth.max() < 0.05
    assert worth.ignored == ()
