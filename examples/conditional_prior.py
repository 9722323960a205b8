"""An identifiable VAE, judged raw and in units of the prior of each row.

Its prior is N(μp(u), σp²(u)), where u says which of eight segments a row is of. It sees a mixture of two sources, and
a shade that the segment decides. The dimension that codes the shade follows its prior: it adds nothing to u.
Its mean still takes another value in each segment, so that raw it carries up to log 8 nats.

    python examples/conditional_prior.py
"""

import argparse
from typing import Any

import torch
from torch import Tensor

import polar_monitor
from polar_monitor.demo import data, models
from polar_monitor.sinks.console import console


class Model(models.IVae):
    """The demo's iVAE, whose forward returns the prior too."""

    def forward(self, x: Tensor, u: Tensor | None = None) -> Any:
        """Output, mean, log-variance, and the prior's mean and log-variance: where a monitor can read them."""
        return *super().forward(x, u), *self.prior(u)


def main(steps: int) -> polar_monitor.PolarMonitor:
    torch.manual_seed(0)
    x, u, _ = data.auxiliary(8192, sources=2)
    x = torch.cat([x, (u @ torch.linspace(-2, 2, u.shape[1])).repeat(4, 1).T], 1)
    model = Model(x.shape[1], u.shape[1], latents=5)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)

    monitor = polar_monitor.attach(
        model,
        mean=lambda out: out[1],
        logvar=lambda out: out[2],
        prior=lambda out: (out[3], out[4].exp()),
        sinks=[console(steps, headless=True)],
    )

    for _ in range(steps):
        rows = torch.randint(len(x), (128,))
        output, mean, logvar, *prior = model(x[rows], u[rows])
        kl = models.divergence(mean, logvar, (prior[0], prior[1])).sum(1)
        loss = (model.likelihood(x[rows], output) + 4 * kl).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    print(monitor.summary())
    monitor.detach()
    with torch.no_grad():
        _, mean, logvar, prior_mean, prior_logvar = model(x, u)
    raw = polar_monitor.classify(mean, logvar=logvar)
    beyond = polar_monitor.classify(mean, logvar=logvar, prior=(prior_mean, prior_logvar.exp()))
    print("\n  dim  raw        beyond the prior")
    for j, (before, after) in enumerate(zip(raw.labels, beyond.labels, strict=True)):
        print(f"  {j:>3}  {before:<10} {after}")
    return monitor


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    main(parser.parse_args().steps)
