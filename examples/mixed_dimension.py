"""A dimension that only part of the inputs use: mixed.

Every image has a disc at the left. At the right, half of them have a second disc, whose height varies, and half have a
panel, which has no height. The dimension that codes this height has nothing to say about a panel: there its posterior
is the prior, σ² ≈ 1. The share of inputs with σ² ≈ 1 is the share of panels; the entropy of the mean does not show it.

    python examples/mixed_dimension.py
"""

import argparse

import torch

import polar_monitor
from polar_monitor import Label
from polar_monitor.demo import data
from polar_monitor.demo.models import BetaVae
from polar_monitor.sinks.console import console


def main(steps: int) -> polar_monitor.PolarMonitor:
    torch.manual_seed(0)
    images, factors = data.conditional(8192, share=0.5)
    model = BetaVae(images.shape[1], latents=6)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    monitor = polar_monitor.attach(model, sinks=[console(steps, headless=True)])

    for _ in range(steps):
        batch = images[torch.randint(len(images), (128,))]
        loss = model.loss(batch, beta=4.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    print(monitor.summary())
    snapshot, regime = monitor.snapshot(), monitor.regime()
    if snapshot is not None and regime is not None:
        print(f"\nimages with a panel instead of the second disc: {1 - factors[:, 1].mean():.1%}")
        for j, label in enumerate(regime.labels):
            if label is Label.MIXED:
                share, error = snapshot.share_passive[j], snapshot.share_passive_se[j]
                print(f"dimension {j} is mixed: {share:.1%} ± {error:.1%} of the inputs leave it at the prior")
    return monitor


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=6000)
    main(parser.parse_args().steps)
