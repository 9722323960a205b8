"""All model families, also those of the demo: one protocol, and each loss against a slow twin."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor, nn

import polar_monitor
from bench import zoo
from bench.zoo import train
from polar_monitor.demo import models

INPUTS, SEGMENTS, LATENTS = 16, 3, 4
FAMILIES: dict[str, Callable[[], nn.Module]] = {
    "beta-vae": lambda: models.BetaVae(INPUTS, LATENTS, 8),
    "conv-vae": lambda: zoo.ConvVae(INPUTS, LATENTS, 2),
    "ivae": lambda: models.IVae(INPUTS, SEGMENTS, LATENTS, 8),
    "linear-vae": lambda: zoo.LinearVae(INPUTS, LATENTS),
    "autoencoder": lambda: models.Autoencoder(INPUTS, LATENTS, 8),
    "least-volume": lambda: zoo.LeastVolume(INPUTS, LATENTS, 8),
    "rae-l2": lambda: zoo.RaeL2(INPUTS, LATENTS, 8),
    "rae-sn": lambda: zoo.RaeSn(INPUTS, LATENTS, 8),
    "column-decay": lambda: zoo.ColumnDecay(INPUTS, LATENTS, 8),
}
VAES = ("beta-vae", "conv-vae", "ivae", "linear-vae")


def number(scalar: Tensor) -> float:
    return float(scalar.detach())


every_family = pytest.mark.parametrize("family", FAMILIES)


def made(family: str) -> tuple[nn.Module, Tensor, Tensor | None]:
    torch.manual_seed(0)
    u = torch.eye(SEGMENTS)[torch.arange(32) % SEGMENTS] if family == "ivae" else None
    return FAMILIES[family](), torch.rand(32, INPUTS), u


@every_family
def test_attach_finds_the_latent_of_each_family(family: str) -> None:
    model, x, u = made(family)
    monitor = polar_monitor.attach(model, sinks=(), every=1, strict=True)
    train(model, x, weight=0.1, steps=5, u=u)
    snapshot = monitor.snapshot()
    assert snapshot is not None
    assert snapshot.dimensions == LATENTS
    assert snapshot.has_variance == (family in VAES)
    monitor.detach()


@every_family
def test_what_the_hooks_see_is_what_encode_gives(family: str) -> None:
    model, x, u = made(family)
    model.eval()
    mean, logvar = model.encode(x, u)
    _, *seen = model(x) if u is None else model(x, u)
    assert torch.equal(seen[0], mean)
    assert (logvar is None) == (len(seen) == 1)
    if logvar is not None:
        assert torch.equal(seen[1], logvar)
    assert mean.shape == (32, LATENTS)


@every_family
def test_reconstruction_is_a_loss_an_input_and_part_of_the_loss(family: str) -> None:
    model, x, u = made(family)
    model.eval()
    mean, logvar = model.encode(x, u)
    torch.manual_seed(1)
    z = mean if logvar is None else mean + (0.5 * logvar).exp() * torch.randn_like(mean)
    each = model.reconstruction(x, z)
    assert each.shape == (32,)
    torch.manual_seed(1)
    loss = model.loss(x, 0.0, u)
    extra = 1e-3 * sum(number(layer.weight.square().sum()) for layer in model.decoder[::2]) if family == "rae-l2" else 0
    assert number(loss) == pytest.approx(number(each.mean()) + extra, rel=1e-5)
    assert not torch.equal(model.decode(z), model.decode(z + 1))


@every_family
def test_training_lowers_the_loss_and_repeats_by_its_seed(family: str) -> None:
    ends = []
    for _ in range(2):
        model, x, u = made(family)
        before = number(model.loss(x, 0.1, u))
        train(model, x, weight=0.1, steps=60, u=u, rate=1e-2, batch=32)
        assert number(model.loss(x, 0.1, u)) < before
        ends.append(torch.cat([p.detach().ravel() for p in model.parameters()]))
    assert torch.equal(*ends)


@pytest.mark.parametrize("inputs", [15, 25, 36])
def test_the_conv_vae_takes_squares_of_multiples_of_four(inputs: int) -> None:
    with pytest.raises(ValueError, match="square of a multiple of 4"):
        zoo.ConvVae(inputs)


@pytest.mark.parametrize("eta", [0.1, 1.0, 3.0])
def test_volume_is_the_geometric_mean_of_standard_deviations(eta: float) -> None:
    code = torch.from_numpy(np.random.default_rng(0).normal(size=(50, 3)) * [0.0, 1.0, 5.0])
    product = 1.0
    for column in code.numpy().T:
        product *= np.sqrt(sum((v - column.mean()) ** 2 for v in column) / (len(column) - 1)) + eta
    assert float(zoo.volume(code, eta)) == pytest.approx(product ** (1 / 3))


def test_columns_pay_and_the_code_has_one_scale() -> None:
    model, x, _ = made("column-decay")
    columns = [sum(number(w) ** 2 for w in column) ** 0.5 for column in model.decoder[0].weight.T]
    code = model.encoder(x)
    assert number(model.penalty(code)) == pytest.approx(sum(columns), rel=1e-5)
    np.testing.assert_allclose(code.detach().var(0, correction=0), 1.0, rtol=0.01)


@pytest.mark.parametrize("family", ["least-volume", "rae-sn"])
def test_a_spectrally_normalised_decoder_is_1_lipschitz(family: str) -> None:
    model, x, _ = made(family)
    train(model, 5 * x, weight=0.0, steps=200, rate=1e-2)
    model.eval()
    for layer in model.decoder[::2]:
        assert number(torch.linalg.matrix_norm(layer.weight, 2)) == pytest.approx(1.0, abs=0.02)
    here, there = torch.randn(2, 500, LATENTS)
    slopes = (model.decode(here) - model.decode(there)).norm(dim=1) / (here - there).norm(dim=1)
    assert number(slopes.max()) <= 1.02


@pytest.mark.parametrize(("beta", "noise"), [(1.0, 1.0), (4.0, 0.5), (0.5, 0.1)])
def test_the_linear_optimum_minimises_the_objective_along_each_axis(beta: float, noise: float) -> None:
    eigenvalues = [10.0, 5.0, 2.5, 1.2, 0.3]
    optimum = zoo.linear_optimum(eigenvalues, beta, noise)
    for j, value in enumerate(eigenvalues):

        def objective(p: np.ndarray, value: float = value) -> float:
            w, a, log = p
            error = value * (1 - w * a) ** 2 + w * w * math.exp(log)
            return float(error / (2 * noise) + 0.5 * beta * (a * a * value + math.exp(log) - log - 1))

        starts = ([0.5, 0.5, -0.5], [2.0, 0.2, -2.0], [0.01, 0.01, 0.0])
        w, a, log = min((minimize(objective, s, tol=1e-12) for s in starts), key=lambda found: found.fun).x
        assert optimum.mean_variance[j] == pytest.approx(a * a * value, abs=1e-4)
        assert optimum.posterior_variance[j] == pytest.approx(math.exp(log), abs=1e-4)
        assert optimum.rise[j] == pytest.approx(w * w / noise, rel=1e-3, abs=1e-3)
        kl = 0.5 * (a * a * value + math.exp(log) - log - 1)
        assert optimum.information[j] == pytest.approx(kl, abs=1e-4)
        assert optimum.information[j] == pytest.approx(0.5 * math.log(1 + optimum.rise[j] / beta), abs=1e-9)
        assert optimum.reliability[j] == pytest.approx(a * a * value / (a * a * value + math.exp(log)), abs=1e-4)


def test_a_linear_vae_trains_to_its_optimum() -> None:
    eigenvalues = (9.0, 3.0, 0.5)
    x, _ = zoo.linear_gaussian(20_000, eigenvalues)
    torch.manual_seed(0)
    model = zoo.LinearVae(3, 3)
    train(model, x, weight=1.0, steps=2500, rate=1e-2, batch=256)
    mean, logvar = (value.detach().numpy() for value in model.encode(x))
    found = 0.5 * np.log(1 + mean.var(0) / np.exp(logvar).mean(0))
    expected = zoo.linear_optimum(eigenvalues, 1.0, 1.0).information
    np.testing.assert_allclose(np.sort(found), np.sort(expected), atol=0.06)
