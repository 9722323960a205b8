"""Interventions of the suite, against closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from bench.alerts.training import data, healthy
from bench.alerts.training.intervene import mutual_information, worth
from bench.alerts.training.models import GaussianVae, LinearVae, RowVae, Vae


def test_the_gaussians_have_the_stated_spectrum() -> None:
    x = data.gaussians().double().numpy()
    found = np.sort(np.linalg.eigvalsh(x.T @ x / len(x)))[::-1]
    np.testing.assert_allclose(found[:8], data.SPECTRUM[::-1], rtol=1e-5)
    np.testing.assert_allclose(found[8:], 0.2, rtol=1e-4)


def test_the_worth_of_a_dimension_of_the_linear_optimum() -> None:
    """With z_j replaced, half the squared error rises by the slope's square times twice Var μ, over two."""
    lam, n = torch.tensor([9.0, 4.0, 0.5]), 3000
    x = torch.randn(n, 3, generator=torch.Generator().manual_seed(0)) * lam.sqrt()
    model = LinearVae(3, 3, 0)
    slope = (lam - 1).clamp(min=0).sqrt()
    with torch.no_grad():
        model.fc_mu.weight.copy_(torch.diag(slope / lam.clamp(min=1)))
        model.fc_mu.bias.zero_()
        model.fc_logvar.bias.copy_(torch.log((1 / lam).clamp(max=1)))
        model.decoder.weight.copy_(torch.diag(slope))
        model.decoder.bias.zero_()
    found = worth(model, x, torch.Generator().manual_seed(1))
    expected = (lam - 1).clamp(min=0)
    assert torch.all((found.rise - expected).abs() <= 4 * found.rise_se + 1e-6)
    assert found.rise[2] == 0
    assert found.total == pytest.approx(float(expected.sum()), abs=4 * found.total_se)
    assert found.kl == pytest.approx(float(0.5 * torch.log(lam.clamp(min=1)).sum()), rel=0.02)
    assert model.training


def test_the_mutual_information_is_that_of_the_mixture_written_out() -> None:
    mean, logvar, z = (torch.randn(9, 3, generator=torch.Generator().manual_seed(i)) for i in range(3))
    posterior = torch.distributions.Normal(mean, torch.exp(0.5 * logvar))
    density = torch.stack([posterior.log_prob(row).sum(1) for row in z])
    slow = density.diagonal() - torch.log(density.exp().mean(1))
    assert mutual_information(mean, logvar, z) == pytest.approx(float(slow.mean()), abs=1e-5)


def test_no_pixel_is_given_itself_or_later_ones() -> None:
    model = RowVae(6, 2, 8)
    jacobian = torch.autograd.functional.jacobian(model.before, torch.rand(1, 6)).view(6, 6)
    assert torch.equal(jacobian.triu(), torch.zeros(6, 6))
    assert jacobian.tril(-1).abs().sum() > 0


def test_the_gaussian_decoder_is_a_normal_density() -> None:
    model, z, x = GaussianVae(6, 2, 8), torch.randn(5, 2), torch.rand(5, 6)
    normal = torch.distributions.Normal(torch.sigmoid(model.decoder(z)), math.exp(-2.0))
    torch.testing.assert_close(model.nats(z, x), -normal.log_prob(x).sum(1))


@pytest.mark.parametrize("turns", [1, 8])
def test_dimensions_that_trade_places_change_nothing_else(turns: int) -> None:
    torch.manual_seed(0)
    model, x = Vae(6, 3, 8), torch.rand(5, 6)
    host: Any = type("Host", (), {"model": model})
    mean, logvar = model.posterior(x)
    before = model.decoder(mean)
    for turn in range(turns):
        healthy._turn(host, [0, 2], math.pi / 2 / turns, swap=turn == turns // 2)
    after, spread = model.posterior(x)
    torch.testing.assert_close(model.decoder(after), before)
    torch.testing.assert_close(after[:, [0, 2]], torch.stack([-mean[:, 2], mean[:, 0]], 1))
    torch.testing.assert_close(spread, logvar[:, [2, 1, 0]])
