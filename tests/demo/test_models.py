"""Models of the demo: each loss against a slow twin. `tests/bench/test_zoo_models.py` holds the protocol."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence
from torch.nn import functional

from polar_monitor.demo import models

INPUTS, SEGMENTS, LATENTS = 16, 3, 4


def number(scalar: Tensor) -> float:
    return float(scalar.detach())


def beta_vae() -> tuple[models.BetaVae, Tensor]:
    torch.manual_seed(0)
    return models.BetaVae(INPUTS, LATENTS, 8), torch.rand(32, INPUTS)


def ivae() -> tuple[models.IVae, Tensor, Tensor]:
    torch.manual_seed(0)
    u = torch.eye(SEGMENTS)[torch.arange(32) % SEGMENTS]
    return models.IVae(INPUTS, SEGMENTS, LATENTS, 8), torch.rand(32, INPUTS), u


def test_divergence_is_that_of_torch_distributions() -> None:
    torch.manual_seed(0)
    mean, logvar, centre, width = torch.randn(4, 20, 3, dtype=torch.float64)
    posterior, prior = Normal(mean, (0.5 * logvar).exp()), Normal(centre, (0.5 * width).exp())
    torch.testing.assert_close(models.divergence(mean, logvar, (centre, width)), kl_divergence(posterior, prior))
    standard = kl_divergence(posterior, Normal(torch.zeros_like(mean), torch.ones_like(mean)))
    torch.testing.assert_close(models.divergence(mean, logvar), standard)
    assert models.divergence(mean, logvar, (mean, logvar)).abs().max() < 1e-12


def test_the_beta_vae_loss_is_the_weighted_bound() -> None:
    model, x = beta_vae()
    torch.manual_seed(3)
    logits, mean, logvar = model(x)
    rest = sum(
        functional.binary_cross_entropy(torch.sigmoid(logits[i]), x[i], reduction="sum")
        + 2.5 * kl_divergence(Normal(mean[i], (0.5 * logvar[i]).exp()), Normal(0.0, 1.0)).sum()
        for i in range(len(x))
    )
    torch.manual_seed(3)
    assert number(model.loss(x, beta=2.5)) == pytest.approx(number(rest) / len(x), rel=1e-5)


def test_the_gaussian_likelihood_is_that_of_torch_distributions() -> None:
    torch.manual_seed(0)
    x, output = torch.randn(2, 5, 7, dtype=torch.float64)
    expected = -Normal(output, math.sqrt(0.3)).log_prob(x).sum(1)
    torch.testing.assert_close(models.Gaussian(0.3)(x, output), expected)
    torch.testing.assert_close(models.squared_error(x, output), ((x - output) ** 2).sum(1))


def test_the_ivae_pays_for_what_departs_from_its_own_prior() -> None:
    model, x, u = ivae()
    centre, width = model.prior(u)
    assert torch.equal(centre[0], centre[SEGMENTS])
    assert not torch.equal(centre[0], centre[1])
    mean, logvar = model.encode(x, u)
    kl = kl_divergence(Normal(mean, (0.5 * logvar).exp()), Normal(centre, (0.5 * width).exp())).sum(1).mean()
    losses = []
    for beta in (0.0, 3.0):
        torch.manual_seed(5)
        losses.append(number(model.loss(x, beta, u)))
    assert losses[1] - losses[0] == pytest.approx(3 * number(kl), rel=1e-3)


@pytest.mark.parametrize("ask", ["encode", "prior", "loss"])
def test_the_ivae_says_that_it_needs_u(ask: str) -> None:
    model, x, _ = ivae()
    with pytest.raises(ValueError, match="u: expected"):
        {"encode": lambda: model.encode(x), "prior": model.prior, "loss": lambda: model.loss(x, 1.0)}[ask]()
