"""An autoencoder has a code and no variance: which of its dimensions are in use, and what cannot be known.

The penalty on the code is not axis-aligned, so the code may be of low rank without any passive dimension. Without a
variance no dimension is ever called mixed.

    python examples/autoencoder.py
"""

import argparse

import torch

import polar_monitor
from polar_monitor.demo import data
from polar_monitor.demo.models import Autoencoder
from polar_monitor.sinks.console import console


def main(steps: int) -> polar_monitor.PolarMonitor:
    torch.manual_seed(0)
    images, _ = data.sprites(8192)
    model = Autoencoder(images.shape[1], latents=10, decay=0.1)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    # The encoder gives as many dimensions as the decoder takes, so it is found; mean="encoder" would say the same.
    monitor = polar_monitor.attach(model, sinks=[console(steps, headless=True)])

    for _ in range(steps):
        batch = images[torch.randint(len(images), (128,))]
        loss = model.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    print(monitor.summary())
    return monitor


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    main(parser.parse_args().steps)
