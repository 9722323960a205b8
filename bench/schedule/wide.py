"""A training of a VAE with many latents at the defaults of `attach`: what the monitor takes beyond its share."""

import tempfile
import time

import torch
from torch import nn

import polar_monitor


class WideVae(nn.Module):
    """A VAE of three layers with D latents."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.body, self.decoder = nn.Linear(64, 64), nn.Linear(dimensions, 64)
        self.fc_mu, self.fc_logvar = nn.Linear(64, dimensions), nn.Linear(64, dimensions)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return reconstruction, mean and log-variance."""
        hidden = self.body(x).relu()
        mean, logvar = self.fc_mu(hidden), self.fc_logvar(hidden)
        return self.decoder(mean + torch.randn_like(mean) * (0.5 * logvar).exp()), mean, logvar


def wide(dimensions: int, seconds: float) -> str:
    """Train for so long, and return a row of the table."""
    model = WideVae(dimensions)
    optimizer = torch.optim.SGD(model.parameters(), 1e-4)
    with tempfile.TemporaryDirectory() as folder:
        monitor = polar_monitor.attach(model, log_dir=folder)
        governor, steps, before, dearest, most = monitor._loop.schedule.governor, 0, 0.0, 0.0, 0.0
        begin = time.perf_counter()
        while time.perf_counter() - begin < seconds:
            x = torch.randn(64, 64)
            optimizer.zero_grad()
            recon, mean, logvar = model(x)
            loss = (recon - x).square().sum(1) + 0.5 * (mean.square() + logvar.exp() - logvar - 1).sum(1)
            loss.mean().backward()
            optimizer.step()
            steps, own = steps + 1, governor.own
            dearest, before = max(dearest, own - before), own
            most = max(most, own - governor.max_overhead * governor.elapsed)
        step, count = (governor.elapsed - governor.own) / steps, monitor.health().evaluations
        own = governor.own
        monitor.detach()
    cells = f"{1000 * step:.1f} ms | {count} | {dearest:.2f} s | {own:.2f} s | {most:.2f} s"
    return f"| {dimensions:,} | {cells} |"
