"""Autoencoders of diffusers: one line, and the numbers that a diffusion model needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from frameworks import is_installed

import polar_monitor

pytestmark = [
    pytest.mark.integrations,
    pytest.mark.skipif(not is_installed("diffusers"), reason="diffusers is not installed"),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::polar_monitor.PolarMonitorWarning"),
]


def make() -> Any:
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 16), layers_per_block=1, latent_channels=4, norm_num_groups=4, sample_size=16,
    )  # fmt: skip


def images(n: int, seed: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.nn.functional.interpolate(torch.randn(n, 3, 4, 4, generator=draw), 16, mode="bilinear")


def train(vae: Any, steps: int, rate: float) -> None:
    optimizer = torch.optim.Adam(vae.parameters(), rate)
    for step in range(steps):
        x = images(32, step)
        posterior = vae.encode(x).latent_dist
        loss = (vae.decode(posterior.sample()).sample - x).square().mean() + 1e-4 * posterior.kl().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_a_tiny_autoencoder_is_watched_by_one_line(tmp_path: Path) -> None:
    vae = make()
    monitor = polar_monitor.attach(vae, log_dir=tmp_path / "run")
    train(vae, 40, 1e-3)
    monitor.detach()
    assert monitor.snapshot().dimensions == 4
    assert monitor.regime() is not None
    assert monitor.latent_statistics().scaling_factor > 0
    assert monitor.health().errors == 0
    assert not any(module._forward_hooks for module in vae.modules())


def test_the_scaling_factor_is_that_of_the_samples() -> None:
    vae = make()
    monitor = polar_monitor.attach(vae, sinks=(), every=1, max_overhead=1.0)
    train(vae, 36, 0.0)
    monitor.detach()
    with torch.no_grad():
        posterior = vae.encode(torch.cat([images(32, step) for step in range(4, 36)])).latent_dist
    z = posterior.sample(torch.Generator().manual_seed(0)).double()
    got = monitor.latent_statistics()
    assert got.scaling_factor == pytest.approx(1 / z.std().item(), rel=0.05)
    np.testing.assert_allclose(got.std, z.std((0, 2, 3)), rtol=0.1)
    np.testing.assert_allclose(got.mean, z.mean((0, 2, 3)), atol=0.1 * z.std().item())
