"""Worth of each dimension: one that is used, one that the decoder ignores, and one that is dead.

The encoder takes data and two labels that have nothing to do with them. A regressor keeps the labels in the code, so
two dimensions are informative, as far as the encoder goes; but the decoder, which reconstructs the data, has no use for
them. The information does not show this, an intervention does.

    python examples/intervention.py
"""

import argparse
import math

import torch
from torch import Tensor, nn

import polar_monitor

NOISE = 1.0


class Vae(nn.Module):
    """A VAE whose encoder takes labels too."""

    def __init__(self, inputs: int = 16, latents: int = 6) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(inputs + 2, 64), nn.SiLU())
        self.fc_mu, self.fc_logvar = nn.Linear(64, latents), nn.Linear(64, latents)
        self.decoder = nn.Sequential(nn.Linear(latents, 64), nn.SiLU(), nn.Linear(64, inputs))

    def forward(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the reconstruction, the sample, the posterior mean and the log-variance."""
        h = self.encoder(torch.cat([x, labels], 1))
        mean, logvar = self.fc_mu(h), self.fc_logvar(h)
        z = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
        return self.decoder(z), z, mean, logvar


def draw(n: int) -> tuple[Tensor, Tensor]:
    """Return n inputs, and labels that do not depend on them."""
    mixing = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    return torch.randn(n, 2) @ mixing + NOISE * torch.randn(n, 16), torch.randn(n, 2)


def nats(output: tuple[Tensor, ...], batch: tuple[Tensor, Tensor]) -> Tensor:
    """Return the negative log-likelihood of each input."""
    residual = (output[0] - batch[0]) / NOISE
    return 0.5 * residual.square().sum(1) + 16 * math.log(NOISE * math.sqrt(2 * math.pi))


def main(steps: int) -> polar_monitor.PolarMonitor:
    torch.manual_seed(0)
    model = Vae()
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    monitor = polar_monitor.attach(model, sinks=())

    for _ in range(steps):
        batch = draw(128)
        output = model(*batch)
        _, z, mean, logvar = output
        kl = 0.5 * (mean.square() + logvar.exp() - logvar - 1).sum(1)
        regression = (z[:, :2] - batch[1]).square().sum(1) / 0.1
        loss = (nats(output, batch) + kl + regression).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    monitor.evaluate()
    print(monitor.probe(draw(2048), loss=nats))
    print()
    print(monitor.summary())
    return monitor


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=3000)
    main(parser.parse_args().steps)
